// Package demodata draws the data set of `sluice demo`: JPEG files of ten
// shapes in five colours, with a long tail, so that the first run needs no download.
//
//	DIR/demodata.json                       what the data are, and a checksum over them
//	DIR/train/<shape>/<color>/0001.jpg      both tasks long-tailed
//	DIR/val/<shape>/<color>/0001.jpg        held out; every (shape, colour) has as many files
//
// Shape and colour are independent: within each shape, the colours have the same
// shares. A file's pixels are a pure function of (seed, split, shape, colour, number): the same on every
// machine and with any number of workers. Its bytes depend on Go's JPEG encoder too.
package demodata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/sluicedata/sluice/internal/rng"
)

// Spec says what to draw, and where to.
type Spec struct {
	Dir  string // made if need be; empty, or an earlier run's of the same Spec
	Seed uint64
	// Train and Val are the approximate numbers of files; 0: 800 and 600.
	Train, Val int
	// ImbalanceFactor is that of the shapes: images of the most frequent one over
	// those of the rarest; 0: 50. The colours have its square root. 1: balanced.
	ImbalanceFactor float64
	Workers         int // 0: GOMAXPROCS
}

// Report says what Dir holds.
type Report struct {
	TrainFiles int `json:"train_files"`
	ValFiles   int `json:"val_files"`
	Written    int `json:"written"` // by this run
	Kept       int `json:"kept"`    // found, and right
	// Shapes and Colors are the class names, the most frequent ones first.
	Shapes []string `json:"shapes"`
	Colors []string `json:"colors"`
	// Counts has the number of files by "train/<shape>", "train/<shape>/<color>",
	// and the same of val.
	Counts map[string]int `json:"counts"`
	// ImbalanceFactor is what whole files make of the Spec's.
	ImbalanceFactor float64 `json:"imbalance_factor"`
}

// Write draws the data set. It keeps the files that are there and right, so a
// run that was interrupted is continued; a folder with anything else in it is
// refused before a file is touched. One process at a time may write to a folder.
//
// progress, if not nil, is called with the number of files done so far, by one
// goroutine at a time; once only, when all files are there already. Write returns after its last goroutine.
func Write(ctx context.Context, spec Spec, progress func(done, total int)) (Report, error) {
	report, err := write(ctx, spec, progress)
	if err != nil {
		return report, fmt.Errorf("demodata: %w", err)
	}
	return report, nil
}

func write(ctx context.Context, spec Spec, progress func(done, total int)) (Report, error) {
	id, err := spec.identity()
	if err != nil {
		return Report{}, err
	}
	items := id.items()
	report := newReport(items)
	if err := ctx.Err(); err != nil {
		return report, err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	found, err := claim(spec.Dir, id, items)
	if err != nil {
		return report, err
	}
	if found.Checksum != "" && found.Checksum == checksum(spec.Dir, items) {
		report.Kept = len(items)
		progress(len(items), len(items))
		return report, nil
	}
	if err := drawAll(ctx, spec, items, &report, progress); err != nil {
		return report, err
	}
	return report, finish(spec.Dir, id, items)
}

// drawAll makes every item's file right, on several goroutines.
func drawAll(ctx context.Context, spec Spec, items []item, report *Report, progress func(done, total int)) error {
	workers := spec.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var mu struct {
		sync.Mutex
		next, done int
		err        error
	}
	next := func() (item, bool) {
		mu.Lock()
		defer mu.Unlock()
		if mu.err == nil {
			mu.err = ctx.Err()
		}
		if mu.err != nil || mu.next == len(items) {
			return item{}, false
		}
		mu.next++
		return items[mu.next-1], true
	}
	finished := func(written bool, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			mu.err = errors.Join(mu.err, err)
			return
		case written:
			report.Written++
		default:
			report.Kept++
		}
		mu.done++
		progress(mu.done, len(items))
	}
	var wg sync.WaitGroup
	for range min(workers, len(items)) {
		wg.Go(func() {
			var buf bytes.Buffer
			for it, ok := next(); ok; it, ok = next() {
				finished(it.write(spec.Dir, spec.Seed, &buf))
			}
		})
	}
	wg.Wait()
	if err := mu.err; err != nil {
		return fmt.Errorf("%d of %d files done in %s; run again to continue: %w", mu.done, len(items), spec.Dir, err)
	}
	return nil
}

// An item is one file to be.
type item struct {
	split  string
	shape  shape
	color  color
	number int // from 1
}

func (it item) folder() string { return path.Join(it.split, it.shape.name, it.color.name) }
func (it item) path() string   { return fmt.Sprintf("%s/%04d.jpg", it.folder(), it.number) }

// encode draws the item into buf as a JPEG file.
func (it item) encode(seed uint64, buf *bytes.Buffer) error {
	r := rng.NewKey(seed, "demodata", it.folder()).Stream(0, int64(it.number), 0)
	p := drawPicture(r, it.shape, it.color)
	buf.Reset()
	return jpeg.Encode(buf, p.render(r), &jpeg.Options{Quality: p.quality})
}

// write makes the item's file right, and says whether it had to be written. It
// draws the picture in any case: an interrupted run has left no checksum to trust.
func (it item) write(dir string, seed uint64, buf *bytes.Buffer) (written bool, err error) {
	if err := it.encode(seed, buf); err != nil {
		return false, err
	}
	name := filepath.Join(dir, filepath.FromSlash(it.path()))
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, buf.Bytes()) {
		return false, nil
	}
	return true, replace(name, buf.Bytes())
}

func newReport(items []item) Report {
	r := Report{Counts: map[string]int{}}
	for _, it := range items {
		if it.split == "train" {
			r.TrainFiles++
		} else {
			r.ValFiles++
		}
		r.Counts[it.folder()]++
		r.Counts[path.Dir(it.folder())]++
	}
	for _, s := range shapes {
		r.Shapes = append(r.Shapes, s.name)
	}
	for _, c := range colors {
		r.Colors = append(r.Colors, c.name)
	}
	most, least := r.Shapes[0], r.Shapes[len(r.Shapes)-1]
	r.ImbalanceFactor = float64(r.Counts["train/"+most]) / float64(r.Counts["train/"+least])
	return r
}
