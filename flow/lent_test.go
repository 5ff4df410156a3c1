package flow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/mapfile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
	"github.com/sluicedata/sluice/stages"
)

// lending is a source of pixels in a mapped file, h x w x 3 each, which it lends or not.
type lending struct {
	path     string
	h, w     int
	lends    bool
	reads    *atomic.Int64
	changed  *atomic.Bool // what Unchanged says
	truncate int64        // the file, when it is mapped, to so many bytes; then all rows are lent
}

func (lending) Name() string { return "lending" }
func (lending) Check() error { return nil }

func (s lending) Open(ctx context.Context) (sources.Dataset, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := mapfile.Open(s.path)
	if err != nil {
		return nil, err
	}
	d := &lender{lending: s, file: m, header: fmt.Sprintf("P6 %d %d 255\n", s.w, s.h)}
	for i := range len(m.Bytes()) / (3 * s.h * s.w) {
		d.index.Keys = append(d.index.Keys, fmt.Sprintf("row-%05d", i))
		d.index.Sizes = append(d.index.Sizes, int64(len(d.header)+3*s.h*s.w))
	}
	if s.truncate > 0 {
		err = os.Truncate(s.path, s.truncate)
	}
	if s.lends {
		return d, err
	}
	return struct{ sources.Dataset }{d}, err
}

type lender struct {
	lending
	file   *mapfile.File
	index  schema.Table
	header string
}

func (d *lender) Index() schema.Index { return &d.index }
func (d *lender) Close() error        { return d.file.Close() }

func (d *lender) pixels(sample int) []byte {
	n := 3 * d.h * d.w
	return d.file.Bytes()[sample*n : (sample+1)*n : (sample+1)*n]
}

func (d *lender) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	d.reads.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err := mapfile.Guard(func() { buf = append(append(buf[:0], d.header...), d.pixels(sample)...) })
	return buf, err
}

func (d *lender) Lend(_ context.Context, sample int) (schema.Picture, bool) {
	if d.truncate == 0 && sample%5 == 4 {
		return schema.Picture{}, false
	}
	return schema.Picture{Height: d.h, Width: d.w, Layout: schema.HWC, U8: d.pixels(sample)}, true
}

func (d *lender) Unchanged(_ context.Context, sample int) error {
	if d.changed.Load() {
		return fmt.Errorf("sources: lending: %q has changed", d.index.Keys[sample])
	}
	return nil
}

func newLending(t *testing.T, rows, h, w int) lending {
	t.Helper()
	pixels := make([]byte, rows*3*h*w)
	for i := range pixels {
		pixels[i] = byte(i*i>>7 + 11*i)
	}
	path := filepath.Join(t.TempDir(), "pixels")
	if err := os.WriteFile(path, pixels, 0o600); err != nil {
		t.Fatal(err)
	}
	return lending{path: path, h: h, w: w, lends: true, reads: new(atomic.Int64), changed: new(atomic.Bool)}
}

func TestLendingConforms(t *testing.T) {
	sourcetest.Run(t, func() sources.Source { return newLending(t, 12, 7, 9) })
}

// Lent pixels give the bytes that reading and decoding them gives, by either executor, also
// through a split and for several workers; only what isn't lent is read.
func TestLentRowsAreTheReadOnes(t *testing.T) {
	tensor := []stages.Stage{stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}}
	for name, list := range map[string][]stages.Stage{
		"batched only":   {stages.Decode{}, stages.CenterCrop{Height: 20, Width: 30}},
		"augmented":      append([]stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.Crop{Size: 16}, stages.Flip{P: 0.5}}, tensor...),
		"resized, grey":  {stages.Decode{Mode: stages.Gray}, stages.RandomResizedCrop{Size: 12}, stages.ToTensor{}},
		"turned, colour": {stages.Decode{}, stages.Rotate{Degrees: stages.Range{-20, 20}}, stages.ColorJitter{Contrast: stages.Around(0.3)}, stages.Resize{Height: 10, Width: 10}},
	} {
		source := newLending(t, 40, 20, 30)
		run := func(s sources.Source, opts ...flow.Option) [][]byte {
			pipe := flow.New(s, append(list, stages.Batch{Size: 8})...)
			pictures, _, err := contents(t, pipe, append(opts, flow.Seed(5), flow.Epochs(2), flow.WithFuse(flow.FuseExact))...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return pictures
		}
		split := func(s sources.Source) sources.Source { return sources.Split{Source: s, Val: 0.3} }
		copied := source
		copied.lends = false
		want, wantSide := run(copied), run(split(copied))
		source.reads.Store(0)
		for _, opt := range []flow.Option{flow.Workers(1), flow.Workers(5), flow.Exec(flow.Reference)} {
			if got := run(source, opt); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%s: lent rows differ from those that are read", name)
			}
		}
		if n := source.reads.Load(); n != 3*2*8 {
			t.Errorf("%s: %d reads in three runs of two epochs, 8 rows of which aren't lent", name, n)
		}
		if got := run(split(source)); !slices.EqualFunc(got, wantSide, bytes.Equal) {
			t.Errorf("%s: lent rows of a side differ from those that are read", name)
		}
	}
}

// A sink that keeps account of what was read has every row read, and a row by itself shows
// its file.
func TestRowsThatAreNotLent(t *testing.T) {
	source := newLending(t, 10, 20, 30)
	pipe := flow.New(source, stages.Decode{}, stages.Crop{Size: 16}, stages.Batch{Size: 4})
	if _, err := pipe.Run(t.Context(), &sinks.ArrowParts{Dir: filepath.Join(t.TempDir(), "out")}); err != nil {
		t.Fatal(err)
	}
	if n := source.reads.Load(); n != 10 {
		t.Errorf("%d of 10 rows were read for a data set", n)
	}
	plan, err := pipe.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	row, err := plan.Row(t.Context(), 0, 3)
	if err != nil || !bytes.HasPrefix(row.Encoded, []byte("P6 30 20 255")) {
		t.Errorf("a row's file is %.20q (%v)", row.Encoded, err)
	}
}

// Pixels that aren't those that were listed end the run, whatever on_error says: a file that
// has changed, and one that is truncated while it is mapped, however its rows are copied.
func TestLentPixelsThatGo(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the kind of fault differs")
	}
	tensor := []stages.Stage{stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}}
	for name, list := range map[string][]stages.Stage{
		"as they are": {stages.CenterCrop{Height: 90, Width: 90}},
		"mirrored":    append([]stages.Stage{stages.Crop{Size: 80}, stages.Flip{P: 1}}, tensor...),
		"resized":     {stages.RandomResizedCrop{Size: 30}},
		"mapped":      {stages.ColorJitter{Contrast: stages.Around(0.3)}, stages.CenterCrop{Height: 90, Width: 90}},
	} {
		for _, truncate := range []bool{false, true} {
			source := newLending(t, 16, 90, 90)
			want := "has changed"
			if truncate {
				source.truncate = 4096
				want = "can no longer be read: it was truncated, or its disk failed"
			} else {
				source.changed.Store(true)
			}
			pipe := flow.New(source, append([]stages.Stage{stages.Decode{}}, append(list, stages.Batch{Size: 8})...)...)
			_, _, err := contents(t, pipe, flow.Seed(1), flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Count: 1000}}))
			var row *flow.RowError
			if !errors.As(err, &row) || row.Stage != "source" || !row.EndsRun() || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "row-000") {
				t.Errorf("%s, truncated %v: %v", name, truncate, err)
			}
		}
	}
}
