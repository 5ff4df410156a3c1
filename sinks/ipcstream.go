package sinks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/sluicedata/sluice/schema"
)

// ErrClosedPipe says that the reader of a stream closed it before its end, as `head`
// does.
var ErrClosedPipe = errors.New("the reader closed the stream")

// IPCStream writes an Arrow IPC stream that any process can read, e.g. with
// pyarrow.ipc.open_stream. A stream has one schema, so it carries one scale of a
// multi-scale pipeline; batches of the others are ignored.
//
// If the run fails or is cancelled, the stream is truncated in a way that readers
// report as an error: otherwise pyarrow would take the end of the input for the
// end of the data.
//
// A Write waits for its reader. It ends with the context if W has a working
// SetWriteDeadline: network connections and pipes from os.Pipe do, a standard
// output in blocking mode doesn't.
type IPCStream struct {
	W     io.Writer // not closed
	Scale float64   // of a multi-scale pipeline; 0: the only one
	Codec Codec
	// ClassNames adds the names of classes, class.<task>, as texts with a dictionary.
	ClassNames bool

	state *ipcStream
}

var _ Chooser = (*IPCStream)(nil)

type ipcStream struct {
	variant  int
	out      *stickyWriter
	buffer   *bufio.Writer
	writer   *ipc.Writer
	names    *classNames // nil: none
	complete int64       // bytes up to the end of the last complete message
	stop     func()      // stops waiting for the context
}

// truncated is the start of a message: the marker, the length of its metadata, and
// fewer bytes than that. Readers in Go and C++ ignore anything shorter.
var truncated = []byte{0xFF, 0xFF, 0xFF, 0xFF, 8, 0, 0, 0, 0, 0, 0, 0}

// deadliner is a writer whose Write can be made to return.
type deadliner interface{ SetWriteDeadline(time.Time) error }

// Open chooses the scale. Nothing is written before the first batch.
func (s *IPCStream) Open(ctx context.Context, run *schema.Run) error {
	variant, err := s.choose(run)
	if err == nil {
		err = s.Codec.check()
	}
	if err == nil && s.W == nil {
		err = errors.New("no writer: set W")
	}
	if err != nil {
		return fmt.Errorf("sinks: stream: %w", err)
	}
	columns, err := run.Schema(variant)
	if err != nil {
		return fmt.Errorf("sinks: stream: %w", err)
	}
	var names *classNames
	if s.ClassNames {
		if names, err = newClassNames(columns, run.Tasks); err != nil {
			return fmt.Errorf("sinks: stream: %w", err)
		}
		columns = names.schema
	}
	st := &ipcStream{names: names, variant: variant, out: &stickyWriter{w: s.W}, stop: func() {}}
	// Small writes (message headers) are buffered, large ones (pixels) pass through.
	st.buffer = bufio.NewWriterSize(st.out, 64<<10)
	st.writer = ipc.NewWriter(st.buffer, s.Codec.options(columns)...)
	if w, ok := s.W.(deadliner); ok {
		done := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(done)
			_ = w.SetWriteDeadline(time.Unix(1, 0))
		})
		st.stop = func() {
			if !stop() {
				<-done
			}
		}
	}
	s.state = st
	return nil
}

// choose finds the variant to write.
func (s *IPCStream) choose(run *schema.Run) (int, error) {
	if s.Scale == 0 && len(run.Variants) == 1 {
		return 0, nil
	}
	var have []string
	for i, v := range run.Variants {
		if v.Scale == s.Scale {
			return i, nil
		}
		have = append(have, schema.FormatScale(v.Scale))
	}
	list := strings.Join(have, ", ")
	switch {
	case s.Scale == 0:
		return 0, fmt.Errorf("a stream has one shape, and the pipeline gives the scales %s: choose one (--scale)", list)
	case !run.Scales:
		return 0, fmt.Errorf("scale %s was requested, but the pipeline has no multiscale stage: leave out --scale", schema.FormatScale(s.Scale))
	}
	return 0, fmt.Errorf("the pipeline has no scale %s: choose one of %s (--scale)", schema.FormatScale(s.Scale), list)
}

// Wants the chosen scale.
func (s *IPCStream) Wants(variant int) bool { return variant == s.state.variant }

// Write sends one batch, unbuffered. ErrClosedPipe means that the reader has gone.
func (s *IPCStream) Write(ctx context.Context, b *schema.Batch) error {
	st := s.state
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.Variant != st.variant {
		return nil
	}
	rec := b.Record
	if st.names != nil {
		rec = st.names.record(b)
		defer rec.Release()
	}
	err := st.writer.Write(rec)
	if err == nil {
		err = st.buffer.Flush()
	}
	if err == nil {
		st.complete = st.out.n
	}
	return st.explain(ctx, err)
}

// Close ends the stream with its end-of-stream marker, or visibly truncated.
func (s *IPCStream) Close(cause error) error {
	st := s.state
	s.state = nil
	if cause == nil {
		defer st.stop()
		err := st.writer.Close()
		if err == nil {
			err = st.buffer.Flush()
		}
		return st.explain(context.Background(), err)
	}
	st.stop()
	if st.out.n == st.complete { // otherwise it ends within a message already
		w, timed := s.W.(deadliner)
		if timed {
			_ = w.SetWriteDeadline(time.Now().Add(time.Second))
		}
		_, _ = s.W.Write(truncated)
		if timed {
			_ = w.SetWriteDeadline(time.Time{})
		}
	}
	return nil
}

// explain turns the writer's error into one that the caller can act on.
func (st *ipcStream) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if st.out.err != nil {
		err = st.out.err // Arrow wraps it without %w
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("sinks: stream: %w", ErrClosedPipe)
	}
	return fmt.Errorf("sinks: stream: %w", err)
}

// stickyWriter counts bytes and keeps its first error.
type stickyWriter struct {
	w   io.Writer
	n   int64
	err error
}

func (w *stickyWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(p)
	w.n, w.err = w.n+int64(n), err
	return n, err
}
