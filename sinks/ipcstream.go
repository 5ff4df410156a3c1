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

// ErrClosedPipe says that the reader of a stream went away before its end, as
// `head` does.
var ErrClosedPipe = errors.New("the reader closed the stream")

// IPCStream writes an Arrow IPC stream, for any process to read, e.g. with
// pyarrow.ipc.open_stream. A stream has one schema, so of a multi-scale
// pipeline it carries one scale; batches of the others are passed over.
//
// A stream of a run that failed or was cancelled is cut off in a way that
// readers report as an error: without it pyarrow takes the end of the input for
// the end of the data.
//
// A Write waits for its reader. It ends with the context when W has a
// SetWriteDeadline that works: network connections and pipes of os.Pipe do, a
// standard output in blocking mode doesn't.
type IPCStream struct {
	W     io.Writer // not closed
	Scale float64   // of a multi-scale pipeline; 0: its only one
	Codec Codec

	state *ipcStream
}

var _ Chooser = (*IPCStream)(nil)

type ipcStream struct {
	variant int
	out     *lastingWriter
	buffer  *bufio.Writer
	writer  *ipc.Writer
	whole   int64  // bytes written up to the end of the last whole message
	stop    func() // stops waiting for the context
}

// cutOff is the start of a message: the mark, the length of its metadata, and
// less than that. Readers in Go and C++ pass over anything shorter.
var cutOff = []byte{0xFF, 0xFF, 0xFF, 0xFF, 8, 0, 0, 0, 0, 0, 0, 0}

// deadliner is a writer that can be told not to wait.
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
	st := &ipcStream{variant: variant, out: &lastingWriter{w: s.W}, stop: func() {}}
	// Small pieces (message headers) are gathered, large ones (pixels) pass.
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

// choose finds the variant to be written.
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
		return 0, fmt.Errorf("scale %s was asked for, and the pipeline has no multiscale stage: leave --scale out", schema.FormatScale(s.Scale))
	}
	return 0, fmt.Errorf("the pipeline has no scale %s: choose one of %s (--scale)", schema.FormatScale(s.Scale), list)
}

// Wants the chosen scale.
func (s *IPCStream) Wants(variant int) bool { return variant == s.state.variant }

// Write sends one batch, at once. ErrClosedPipe: the reader has gone.
func (s *IPCStream) Write(ctx context.Context, b *schema.Batch) error {
	st := s.state
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.Variant != st.variant {
		return nil
	}
	err := st.writer.Write(b.Record)
	if err == nil {
		err = st.buffer.Flush()
	}
	if err == nil {
		st.whole = st.out.n
	}
	return st.explain(ctx, err)
}

// Close ends the stream: with its end mark, or visibly cut off.
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
	if st.out.n == st.whole { // otherwise it ends within a message anyway
		w, timed := s.W.(deadliner)
		if timed {
			_ = w.SetWriteDeadline(time.Now().Add(time.Second))
		}
		_, _ = s.W.Write(cutOff)
		if timed {
			_ = w.SetWriteDeadline(time.Time{})
		}
	}
	return nil
}

// explain turns what the writer says into what its caller can act on.
func (st *ipcStream) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if st.out.err != nil {
		err = st.out.err // Arrow's words hide it
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrClosedPipe):
		return fmt.Errorf("sinks: stream: %w", ErrClosedPipe)
	}
	return fmt.Errorf("sinks: stream: %w", err)
}

// lastingWriter counts bytes and keeps its first error.
type lastingWriter struct {
	w   io.Writer
	n   int64
	err error
}

func (w *lastingWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(p)
	w.n, w.err = w.n+int64(n), err
	return n, err
}
