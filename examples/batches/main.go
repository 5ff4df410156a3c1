// Command batches consumes a pipeline's batches in a Go loop: it measures how light the
// images of each class are, and keeps the lightest of all. It draws its images itself.
package main

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

func main() {
	if err := example(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func example(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "batches")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := draw(dir, map[string]int{"dark": 30, "light": 6}); err != nil {
		return err
	}
	figures, err := measure(ctx, dir)
	if err != nil {
		return err
	}
	for _, f := range figures {
		fmt.Printf("%-5s %2d images, mean %.3f, the lightest is %s\n", f.Class, f.Images, f.Mean, f.Lightest)
	}
	return nil
}

// figure is what is measured of a class.
type figure struct {
	Class    string
	Images   int
	Mean     float64 // of all values, in 0..1
	Lightest string  // the key of the image with the highest mean
	lightest float64
}

func measure(ctx context.Context, dir string) ([]figure, error) {
	pipe := flow.New(
		sources.Folder{Path: dir},
		stages.Rebalance{Target: stages.ClassBalanced, Draws: 40}, // as many images of each class
		stages.Decode{}, stages.Resize{Height: 16, Width: 16}, stages.ToTensor{},
		stages.Batch{Size: 8},
	)
	// A plan is made once, and tells what will come: here the names of the classes.
	// Where nothing of it is needed, pipe.Batches(ctx, ...) does both.
	plan, err := pipe.Plan(ctx, flow.Seed(1), flow.Epochs(2))
	if err != nil {
		return nil, err
	}
	defer plan.Close()
	var figures []figure
	for _, class := range plan.Info().Tasks[0].Classes {
		figures = append(figures, figure{Class: class})
	}

	for batch, err := range plan.Batches(ctx) {
		if err != nil { // comes once, at the end; it names the stage and the file
			return nil, err
		}
		// The loop's body borrows the batch: pixels and labels are the record's own
		// memory, which the next batches use again. What is kept is copied, as Key does,
		// or the batch is retained.
		pixels, labels, size := batch.Float32(), batch.Labels(0), batch.Tensor.Elements()
		for row, class := range labels {
			sum := 0.0
			for _, v := range pixels[row*size:][:size] {
				sum += float64(v)
			}
			mean := sum / float64(size)
			f := &figures[class]
			f.Mean += (mean - f.Mean) / float64(f.Images+1)
			f.Images++
			if mean > f.lightest {
				f.lightest, f.Lightest = mean, batch.Key(row)
			}
		}
	}
	return figures, nil
}

// draw writes images of one grey each, the later ones of a class the lighter.
func draw(dir string, classes map[string]int) error {
	for class, n := range classes {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
		level := map[string]int{"dark": 40, "light": 180}[class]
		for i := range n {
			img := image.NewGray(image.Rect(0, 0, 24, 24))
			for p := range img.Pix {
				img.Pix[p] = uint8(level + i)
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
