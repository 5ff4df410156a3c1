package sinks_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

func TestIPCStream(t *testing.T) {
	for _, codec := range []sinks.Codec{"", sinks.LZ4, sinks.Zstd} {
		sinktest.Test(t, sinktest.Subject{
			New: func(t *testing.T, dir string) sinks.Sink {
				f, err := os.Create(filepath.Join(dir, "out.arrows"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { f.Close() })
				return &sinks.IPCStream{W: f, Codec: codec}
			},
			Takes: func(run *schema.Run) bool { return len(run.Variants) == 1 },
			Read: func(dir string, f func(*schema.Batch) error) error {
				return sinks.ReadParts(filepath.Join(dir, "out.arrows"), f)
			},
		})
	}
}

func TestStreamOfOneScale(t *testing.T) {
	run := sinktest.Runs()["scales"]
	for v, variant := range run.Variants {
		var out bytes.Buffer
		deliver(t, run, &sinks.IPCStream{W: &out, Scale: variant.Scale})
		r, err := ipc.NewReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; r.Next(); n++ {
			b, err := schema.View(r.Record())
			if err != nil || b.Tensor != run.Variants[v].Tensor {
				t.Fatalf("%v %v", b, err)
			}
		}
		if n != 16 || r.Err() != nil {
			t.Errorf("scale %g: %d batches, %v", variant.Scale, n, r.Err())
		}
		md := r.Schema().Metadata()
		if i := md.FindKey(schema.MetaScale); i < 0 || md.Values()[i] != schema.FormatScale(variant.Scale) {
			t.Errorf("scale %g isn't in the metadata: %v", variant.Scale, md)
		}
		r.Release()
	}
}

func TestStreamRefuses(t *testing.T) {
	scales, plain := sinktest.Runs()["scales"], sinktest.Runs()["uint8"]
	open := func(s sinks.IPCStream, run *schema.Run) error { return s.Open(t.Context(), run) }
	wantError(t, open(sinks.IPCStream{W: io.Discard}, scales), "sinks: stream: ", "0.5, 1, 1.5", "--scale")
	wantError(t, open(sinks.IPCStream{W: io.Discard, Scale: 2}, scales), "no scale 2", "0.5, 1, 1.5")
	wantError(t, open(sinks.IPCStream{W: io.Discard, Scale: 2}, plain), "no multiscale stage", "leave out --scale")
	wantError(t, open(sinks.IPCStream{W: io.Discard, Codec: "gzip"}, plain), `"gzip"`)
	wantError(t, open(sinks.IPCStream{}, plain), "set W")
	if err := open(sinks.IPCStream{W: io.Discard, Scale: 1}, plain); err != nil {
		t.Error(err)
	}
}

// pipes are the kinds of streams whose reader may go away.
func pipes(t *testing.T) map[string]func() (io.ReadCloser, io.WriteCloser) {
	return map[string]func() (io.ReadCloser, io.WriteCloser){
		"os.Pipe": func() (io.ReadCloser, io.WriteCloser) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			return r, w
		},
		"io.Pipe": func() (io.ReadCloser, io.WriteCloser) { return io.Pipe() },
		"tcp": func() (io.ReadCloser, io.WriteCloser) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			w, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			r, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return r, w
		},
	}
}

// large has batches that no pipe holds.
func large() *schema.Run {
	return sinktest.NewRun(schema.FormTensor, schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 200, Width: 300})
}

func TestReaderGoesAway(t *testing.T) {
	for name, pipe := range pipes(t) {
		t.Run(name, func(t *testing.T) {
			r, w := pipe()
			defer w.Close()
			go func() {
				_, _ = io.ReadFull(r, make([]byte, 5<<20))
				r.Close()
			}()
			err := sinktest.Delivery{Run: large(), Mem: sinktest.Memory(t)}.To(t.Context(), &sinks.IPCStream{W: w})
			if !errors.Is(err, sinks.ErrClosedPipe) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A reader that stalls doesn't hold a cancelled run.
func TestCancelWhileTheReaderStalls(t *testing.T) {
	for name, pipe := range pipes(t) {
		if name == "io.Pipe" {
			continue // has no deadlines
		}
		t.Run(name, func(t *testing.T) {
			r, w := pipe()
			defer w.Close()
			defer r.Close()
			ctx, cancel := context.WithCancelCause(t.Context())
			enough := errors.New("enough")
			time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
			err := sinktest.Delivery{Run: large(), Mem: sinktest.Memory(t)}.To(ctx, &sinks.IPCStream{W: w})
			if !errors.Is(err, enough) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A failed run's stream is no complete one, wherever it failed.
func TestFailedStreamIsCutOff(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	for stop := range 16 {
		for name, cancelled := range map[string]bool{"failed": false, "cancelled": true} {
			var out bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			writes := 0
			d := sinktest.Delivery{Run: run, Before: func(*schema.Batch) error {
				if writes++; writes <= stop {
					return nil
				}
				if cancelled {
					cancel()
					return nil
				}
				return errors.New("a stage failed")
			}}
			if err := d.To(ctx, &sinks.IPCStream{W: &out}); err == nil {
				t.Fatal("no error")
			}
			cancel()
			path := filepath.Join(t.TempDir(), "cut.arrows")
			write(t, path, out.String())
			n := 0
			err := sinks.ReadParts(path, func(*schema.Batch) error { n++; return nil })
			if err == nil || n != stop {
				t.Errorf("%s after %d batches: %d were read, %v", name, stop, n, err)
			}
		}
	}
}

// A batch can be read as soon as it is written.
func TestStreamIsPrompt(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	read := make(chan int, 16)
	go func() {
		defer close(read)
		reader, err := ipc.NewReader(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer reader.Release()
		for reader.Next() {
			read <- int(reader.Record().NumRows())
		}
	}()
	d := sinktest.Delivery{Run: sinktest.Runs()["uint8"], After: func(b *schema.Batch) {
		if n := <-read; n != b.Rows() {
			t.Errorf("%d rows, want %d", n, b.Rows())
		}
	}}
	if err := d.To(t.Context(), &sinks.IPCStream{W: w}); err != nil {
		t.Fatal(err)
	}
	if _, more := <-read; more {
		t.Error("more batches than were written")
	}
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("the network is down")
	}
	return len(p), nil
}

func TestStreamNamesTheCause(t *testing.T) {
	err := sinktest.Delivery{Run: large()}.To(t.Context(), &sinks.IPCStream{W: &failingWriter{3 << 20}})
	wantError(t, err, "sinks: stream: the network is down")
}
