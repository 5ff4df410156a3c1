// Command gostreams wires a run's operators in a go-streams program of its own: between
// the batches and their scales stand two operators of this module, one that leaves short
// batches out and one that blends each image with another of its class. It draws its
// images itself.
package main

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"

	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

func main() {
	if err := example(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func example(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "gostreams")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := draw(dir, 15); err != nil {
		return err
	}
	plan, err := pipeline(dir).Plan(ctx, flow.Seed(1))
	if err != nil {
		return err
	}
	defer plan.Close()
	counted := &sinks.Discard{} // or sinks.IPCStream, sinks.ArrowParts, a sink of one's own
	report, err := run(ctx, plan, counted)
	if err != nil {
		return err
	}
	fmt.Printf("%d rows made, %d delivered in %d batches\n", report.Rows, counted.Rows, counted.Batches)
	return nil
}

func pipeline(dir string) *flow.Pipeline {
	return flow.New(sources.Folder{Path: dir},
		stages.Shuffle{},
		stages.Decode{}, stages.Resize{Height: 32, Width: 32}, stages.ToTensor{},
		stages.Batch{Size: 8},
		stages.MultiScale{Scales: []float64{0.5, 1}},
	)
}

// run is the plan's graph with two operators more.
func run(ctx context.Context, plan *flow.Plan, sink sinks.Sink) (*flow.Report, error) {
	s, err := plan.Start(ctx)
	if err != nil {
		return nil, err
	}
	full := func(b *schema.Batch) bool {
		if int64(b.Rows()) < int64(plan.Info().BatchSize) {
			b.Release() // who takes a batch hands it on or releases it
			return false
		}
		return true
	}
	blended := func(b *schema.Batch) *schema.Batch {
		out, err := blend(b)
		b.Release()
		if err != nil {
			s.Cancel(err) // go-streams knows no errors: Wait returns this one
			return nil
		}
		return out
	}
	made := func(b *schema.Batch) bool { return b != nil }

	s.Draws(). // which samples, in which order
			Via(s.Read()).      // their files, in a pool
			Via(s.Transform()). // their pictures, in a pool
			Via(s.Batch()).     // from here on, *schema.Batch
			Via(gsflow.NewFilter(full, 1)).
			Via(gsflow.NewMap(blended, 1)). // 1: a Map with more goroutines loses the order
			Via(gsflow.NewFilter(made, 1)).
			Via(s.Scales()). // each in its scales
			To(s.Sink(sink))
	return s.Wait()
}

// blend averages each image with the next one of its class in the batch, so that labels
// stay true: a mixup within classes. It is a function of the batch alone, so the bytes
// don't depend on workers. A batch is never changed, for others may hold it: its copy
// shares all columns but the images.
func blend(b *schema.Batch) (*schema.Batch, error) {
	labels, rows := b.Labels(0), b.Rows()
	draft := schema.Derive(b, nil)
	for row := range rows {
		partner := row // itself, where it is the only one of its class
		for next := row + 1; next < row+rows; next++ {
			if labels[next%rows] == labels[row] {
				partner = next % rows
				break
			}
		}
		one, other := b.Picture(row).F32, b.Picture(partner).F32
		for i, out := 0, draft.Slot(row).F32; i < len(out); i++ {
			out[i] = (one[i] + other[i]) / 2
		}
	}
	return draft.Finish()
}

// draw writes n images of each of two classes.
func draw(dir string, n int) error {
	for class, step := range map[string]int{"fine": 3, "coarse": 11} {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
		for i := range n {
			img := image.NewGray(image.Rect(0, 0, 60, 45))
			for p := range img.Pix {
				img.Pix[p] = uint8((p%60/step + p/60/step) % 2 * (100 + i))
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%03d.png", i)))
			if err != nil {
				return err
			}
			if err := png.Encode(f, img); err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}
