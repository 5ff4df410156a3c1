// Package sourcetest checks that a source keeps the contract of package
// sources. The test of every source calls Run, in one line.
package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// Run tests a source that can be opened and holds at least one sample. source is
// called for each use. Not for parallel tests: it counts open files and
// goroutines.
func Run(t *testing.T, source func() sources.Source) {
	t.Helper()
	t.Run("declaration", func(t *testing.T) { declaration(t, source()) })
	t.Run("index", func(t *testing.T) { index(t, source()) })
	t.Run("reopened", func(t *testing.T) { reopened(t, source(), source()) })
	t.Run("read", func(t *testing.T) { read(t, source()) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, source()) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, source()) })
	t.Run("closed", func(t *testing.T) { closed(t, source()) })
}

func open(t *testing.T, source sources.Source) sources.Dataset {
	t.Helper()
	d, err := source.Open(context.Background())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return d
}

func declaration(t *testing.T, source sources.Source) {
	if name := source.Name(); name == "" || strings.ToLower(name) != name || strings.ContainsAny(name, " -./") {
		t.Errorf("Name is %q: want lower case and underscores", name)
	}
	if err := source.Check(); err != nil {
		t.Errorf("Check: %v", err)
	}
	if w, ok := source.(sources.Wrapper); ok && (w.Unwrap() == nil || w.Summary() == "" || strings.Contains(w.Summary(), "\n")) {
		t.Errorf("Unwrap is %v, Summary %q: want the source inside, and one line", w.Unwrap(), w.Summary())
	}
	if s, ok := source.(sources.Sided); ok && s.Side() != sources.Train && s.Side() != sources.Val {
		t.Errorf("Side is %q: want train or val", s.Side())
	}
}

func index(t *testing.T, source sources.Source) {
	d := open(t, source)
	defer d.Close()
	x := d.Index()
	if x.Len() == 0 {
		t.Fatal("no samples: an empty source is an error of Open")
	}
	if err := schema.Check(x); err != nil {
		t.Error(err)
	}
	for s := range x.Len() {
		if found, ok := x.Find(x.Key(s)); !ok || found != s {
			t.Errorf("the key %q of sample %d is found as %d (%v)", x.Key(s), s, found, ok)
		}
	}
	for _, key := range []string{"", x.Key(0) + "\x00", "\U0010FFFF"} {
		if found, ok := x.Find(key); ok {
			t.Errorf("the key %q, which no sample has, is found as %d", key, found)
		}
	}
	if w, ok := d.(sources.Warner); ok {
		for _, text := range w.Warnings() {
			if text == "" || strings.Contains(text, "\n") {
				t.Errorf("warning %q: want one line", text)
			}
		}
	}
}

func reopened(t *testing.T, first, second sources.Source) {
	a, b := open(t, first), open(t, second)
	defer a.Close()
	defer b.Close()
	if diff := cmp.Diff(samples(a.Index()), samples(b.Index())); diff != "" {
		t.Errorf("opened twice, the index differs (-first +second):\n%s", diff)
	}
	if a, b := sources.Identity(a.Index()), sources.Identity(b.Index()); a != b {
		t.Errorf("opened twice, the identity differs: %s, %s", a, b)
	}
}

// samples is all that an index says: the tasks and columns, then a text for each sample.
func samples(x schema.Index) []string {
	list := []string{fmt.Sprintf("%d ignored, tasks %q, columns %v", x.Ignored(), x.Tasks(), x.Columns())}
	for s := range x.Len() {
		text := fmt.Sprintf("%q: %d bytes, weight %v, number %d, labels", x.Key(s), x.Size(s), x.Weight(s), x.SourceIndex(s))
		for t := range x.Tasks() {
			text += fmt.Sprint(" ", x.Label(t, s))
		}
		for c := range x.Columns() {
			text += fmt.Sprintf(", %#v", x.Value(c, s))
		}
		list = append(list, text)
	}
	return list
}

func read(t *testing.T, source sources.Source) {
	d := open(t, source)
	defer d.Close()
	ctx := context.Background()
	for s := range min(d.Index().Len(), 64) {
		fresh, err := d.Read(ctx, s, nil)
		if missing(t, d, s, err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(fresh)) != d.Index().Size(s) {
			t.Errorf("sample %d: read %d bytes, the index says %d", s, len(fresh), d.Index().Size(s))
		}
		lent(t, d, s, fresh)
		sized(t, d, s, fresh)
		for _, buf := range [][]byte{make([]byte, 1), bytes.Repeat([]byte("x"), len(fresh)+100)} {
			again, err := d.Read(ctx, s, buf)
			if err != nil || !bytes.Equal(fresh, again) {
				t.Errorf("sample %d read into %d bytes differs (error: %v)", s, len(buf), err)
			}
		}
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := d.Read(stopped, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Read with a cancelled context: %v, want context.Canceled", err)
	}
}

// lent compares what a dataset lends with what it reads.
func lent(t *testing.T, d sources.Dataset, sample int, encoded []byte) {
	t.Helper()
	l, ok := d.(sources.Lender)
	if !ok {
		return
	}
	ctx := context.Background()
	pic, ok := l.Lend(ctx, sample)
	if !ok {
		return
	}
	want, err := decode.Decode(ctx, encoded, 0)
	if err != nil {
		t.Errorf("sample %d is lent, and what Read gives isn't decoded: %v", sample, err)
		return
	}
	if pic.Tensor() != want.Tensor() || !bytes.Equal(pic.U8, want.U8) {
		t.Errorf("sample %d is lent as %v with %d bytes: want the %v that decoding what Read gives does, of equal bytes", sample, pic.Tensor(), len(pic.U8), want.Tensor())
	}
	if err := l.Unchanged(ctx, sample); err != nil {
		t.Errorf("sample %d was lent, and Unchanged says: %v", sample, err)
	}
}

// sized compares the size that a dataset says all pictures have with a picture's.
func sized(t *testing.T, d sources.Dataset, sample int, encoded []byte) {
	t.Helper()
	height, width, ok := sources.SizeOf(d)
	if !ok {
		return
	}
	pic, err := decode.Decode(context.Background(), encoded, 0)
	if err != nil {
		t.Errorf("the dataset says that pictures are %d x %d, and sample %d isn't decoded: %v", height, width, sample, err)
		return
	}
	if pic.Height != height || pic.Width != width {
		t.Errorf("sample %d is %d x %d: the dataset says that all are %d x %d", sample, pic.Height, pic.Width, height, width)
	}
}

// missing compares the two signs of a sample that was missing when it was listed: its
// size, and the error of reading it.
func missing(t *testing.T, d sources.Dataset, sample int, err error) bool {
	t.Helper()
	is := d.Index().Size(sample) == -1
	if is != errors.Is(err, sources.ErrMissing) {
		t.Errorf("sample %d has size %d, and reading it gives the error %v: want sources.ErrMissing with size -1, and with no other", sample, d.Index().Size(sample), err)
	}
	return is
}

// concurrent reads all samples from several goroutines, each in a different order, and
// compares them with what was read first.
func concurrent(t *testing.T, source sources.Source) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d := open(t, source)
	defer d.Close()
	ctx := context.Background()
	n := d.Index().Len()
	want := make([][]byte, n)
	for s := range want {
		var err error
		if want[s], err = d.Read(ctx, s, nil); err != nil && !missing(t, d, s, err) {
			t.Fatal(err)
		}
	}
	const readers = 8
	var all sync.WaitGroup
	for r := range readers {
		all.Go(func() {
			var buf []byte
			for i := range n {
				s := (i + r*n/readers) % n
				if r%2 == 1 {
					s = n - 1 - s
				}
				var err error
				if buf, err = d.Read(ctx, s, buf); missing(t, d, s, err) {
					continue
				} else if err != nil || !bytes.Equal(buf, want[s]) {
					t.Errorf("sample %d, read by %d goroutines at once, differs (error: %v)", s, readers, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func cancelled(t *testing.T, source sources.Source) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	before := openFiles()
	d, err := source.Open(ctx)
	if err == nil {
		d.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a cancelled context: %v, want context.Canceled", err)
	}
	if after := openFiles(); after > before {
		t.Errorf("%d files are open after a cancelled Open, %d before", after, before)
	}
}

func closed(t *testing.T, source sources.Source) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	before := openFiles()
	d := open(t, source)
	for s := range min(d.Index().Len(), 8) {
		if _, err := d.Read(context.Background(), s, nil); err != nil && !missing(t, d, s, err) {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if after := openFiles(); after > before {
		t.Errorf("%d files are open after Close, %d before", after, before)
	}
}

// openFiles counts this process's file descriptors; 0 where that is unknown.
func openFiles() int {
	if runtime.GOOS != "linux" {
		return 0
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
