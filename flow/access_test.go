package flow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	gsext "github.com/reugn/go-streams/extension"
	passthrough "github.com/reugn/go-streams/flow"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// faulty is a source of somebody else's, one of whose samples cannot be read:
// err nil, it was missing when the source was listed.
type faulty struct {
	sources.Source
	key string
	err error

	sources.Dataset
	index *schema.Index
}

func (f *faulty) Open(ctx context.Context) (_ sources.Dataset, err error) {
	if f.Dataset, err = f.Source.Open(ctx); err != nil {
		return nil, err
	}
	x := *f.Dataset.Index()
	x.Sizes = append([]int64{}, x.Sizes...)
	for i, key := range x.Keys {
		if key == f.key && f.err == nil {
			x.Sizes[i] = -1
		}
	}
	f.index = &x
	return f, nil
}

func (f *faulty) Index() *schema.Index { return f.index }

func (f *faulty) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	switch {
	case f.index.Keys[sample] != f.key:
		return f.Dataset.Read(ctx, sample, buf)
	case f.err == nil:
		return nil, fmt.Errorf("faulty: %q: %w", f.key, sources.ErrMissing)
	}
	return nil, fmt.Errorf("faulty: %q: %w", f.key, f.err)
}

// Whatever makes the rows, and whatever the policy: a row is never lost to the
// machine.
func TestNoRowIsLostToTheMachine(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := pictures(t)
	const key = "middle/04.jpg"
	ways := map[string]func(pipe *flow.Pipeline, on flow.Option) error{
		"run": func(pipe *flow.Pipeline, on flow.Option) error {
			_, err := pipe.Run(t.Context(), &sink{}, on)
			return err
		},
		"batches": func(pipe *flow.Pipeline, on flow.Option) error {
			for _, err := range pipe.Batches(t.Context(), on) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"materialize": func(pipe *flow.Pipeline, on flow.Option) error {
			_, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, Parts: sinks.ArrowParts{Dir: t.TempDir()}, Options: []flow.Option{on}})
			return err
		},
		"source": func(pipe *flow.Pipeline, on flow.Option) error {
			return stream(t, pipe, on, func(s *flow.Stream) { s.Source().Via(passthrough.NewPassThrough()).To(s.Sink(&sink{})) })
		},
		"flow": func(pipe *flow.Pipeline, on flow.Option) error {
			return stream(t, pipe, on, func(s *flow.Stream) {
				in := make(chan any, 2)
				in <- "rare/01.jpg"
				in <- key
				close(in)
				gsext.NewChanSource(in).Via(s.Flow()).To(s.Sink(&sink{}))
			})
		},
		"row": func(pipe *flow.Pipeline, on flow.Option) error {
			plan, err := pipe.Plan(t.Context(), on)
			if err != nil {
				return err
			}
			defer plan.Close()
			for i := range plan.RowsPerEpoch {
				if _, err := plan.Row(t.Context(), 0, i); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for way, run := range ways {
		for _, policy := range []flow.Policy{flow.Fail, flow.Skip, flow.Refill} {
			on := flow.OnError(flow.Failures{Policy: policy})
			if policy != flow.Fail {
				on = flow.OnError(flow.Failures{Policy: policy, Max: flow.Limit{Count: 99}})
			}
			for _, cause := range []error{syscall.EIO, syscall.EACCES, syscall.EMFILE, io.ErrUnexpectedEOF, errors.New("of its own"), nil} {
				pipe := flow.New(&faulty{Source: sources.Folder{Path: dir}, key: key, err: cause},
					stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 4})
				err := run(pipe, on)
				switch {
				case cause == nil && policy == flow.Fail || way == "row" && cause == nil && policy == flow.Skip:
					if !errors.Is(err, sources.ErrMissing) {
						t.Errorf("%s, %s, missing: %v", way, policy, err)
					}
				case cause == nil:
					if err != nil {
						t.Errorf("%s, %s, missing: %v", way, policy, err)
					}
				case !errors.Is(err, cause) || !strings.Contains(err.Error(), key):
					t.Errorf("%s, %s, %v: %v", way, policy, cause, err)
				}
			}
		}
	}
}

func stream(t *testing.T, pipe *flow.Pipeline, on flow.Option, wire func(*flow.Stream)) error {
	t.Helper()
	plan, err := pipe.Plan(t.Context(), on)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	s, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wire(s)
	_, err = s.Wait()
	return err
}

// Measuring the data set reads every picture, and leaves none out.
func TestMeasuringEndsWithTheMachine(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.EMFILE} {
		pipe := flow.New(&faulty{Source: sources.Folder{Path: pictures(t)}, key: "rare/01.jpg", err: cause},
			stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.ToTensor{}, stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd})
		plan, err := pipe.Plan(t.Context(), flow.OnError(flow.Failures{Policy: flow.Skip}))
		if err == nil {
			plan.Close()
		}
		if !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, err)
		}
	}
}

// rewriting puts other bytes of the same size into every file at its first batch.
type rewriting struct {
	sink
	dir  string
	done bool
}

func (s *rewriting) Write(ctx context.Context, b *schema.Batch) error {
	if !s.done {
		s.done = true
		err := filepath.WalkDir(s.dir, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			return errors.Join(err, os.WriteFile(name, data, 0o644), os.Chtimes(name, time.Time{}, time.Now().Add(time.Second)))
		})
		if err != nil {
			return err
		}
	}
	return s.sink.Write(ctx, b)
}

// A run never mixes what was there when it began with what came later.
func TestSourceChangesUnderTheRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, policy := range []flow.Policy{flow.Skip, flow.Refill} {
		dir := pictures(t)
		_, err := recipe(dir).Run(t.Context(), &rewriting{dir: dir}, flow.Epochs(5), flow.OnError(flow.Failures{Policy: policy, Max: flow.Limit{Count: 999}}))
		var access *flow.AccessError
		if !errors.As(err, &access) || !strings.Contains(err.Error(), "has changed since it was listed") || !strings.Contains(err.Error(), ".jpg") {
			t.Errorf("%s: %v", policy, err)
		}
	}
}
