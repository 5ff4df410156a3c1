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
	index schema.Index
}

// without is an index one of whose samples is missing.
type without struct {
	schema.Index
	key string
}

func (x without) Size(sample int) int64 {
	if x.Key(sample) == x.key {
		return -1
	}
	return x.Index.Size(sample)
}

func (f *faulty) Open(ctx context.Context) (_ sources.Dataset, err error) {
	if f.Dataset, err = f.Source.Open(ctx); err != nil {
		return nil, err
	}
	if f.index = f.Dataset.Index(); f.err == nil {
		f.index = without{f.index, f.key}
	}
	return f, nil
}

func (f *faulty) Index() schema.Index { return f.index }

func (f *faulty) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	switch {
	case f.index.Key(sample) != f.key:
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
			_, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, To: sinks.Destination{Dir: t.TempDir()}, Options: []flow.Option{on}})
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
			for i := range plan.Info().RowsPerEpoch {
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

// loose is a source of somebody else's that doesn't keep to what Read promises.
type loose struct {
	*held
	key  string
	read func(data []byte) ([]byte, error)
}

func (l *loose) Open(context.Context) (sources.Dataset, error) { return l, nil }

func (l *loose) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	data, err := l.held.Read(ctx, sample, buf)
	if l.index.Keys[sample] != l.key {
		return data, err
	}
	return l.read(data)
}

// What panics in measuring ends it, and not the process.
func TestMeasuringPanics(t *testing.T) {
	defer goleak.VerifyNone(t)
	source := &loose{labelled(0, 0, 0, 0), "c.jpg", func([]byte) ([]byte, error) { panic("loose end") }}
	_, err := flow.New(source, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.ToTensor{},
		stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}).Plan(t.Context())
	if err == nil || !strings.Contains(err.Error(), "loose end") {
		t.Error(err)
	}
}

// Bytes that aren't those of the index, and samples that are missing all of a sudden,
// are no broken images: they end the run, and whatever else reads them.
func TestReadIsHeldToItsContract(t *testing.T) {
	defer goleak.VerifyNone(t)
	const key = "c.jpg"
	missing := func([]byte) ([]byte, error) { return nil, fmt.Errorf("loose: %w", sources.ErrMissing) }
	for name, c := range map[string]struct {
		size int64 // in the index; 0: as it is
		read func([]byte) ([]byte, error)
		says string
	}{
		"shorter":           {0, func(b []byte) ([]byte, error) { return b[:len(b)-1], nil }, "Read gave "},
		"longer":            {0, func(b []byte) ([]byte, error) { return append(b, 0), nil }, "Read gave "},
		"nothing":           {0, func([]byte) ([]byte, error) { return nil, nil }, "Read gave 0 bytes and no error"},
		"missing":           {0, missing, "it was there when the source was listed"},
		"there after all":   {-1, func(b []byte) ([]byte, error) { return b, nil }, "so it was missing when the source was listed"},
		"empty after all":   {-1, func([]byte) ([]byte, error) { return nil, nil }, "and Read gave 0 bytes"},
		"missing, as known": {-1, missing, ""},
	} {
		for _, policy := range []flow.Policy{flow.Skip, flow.Refill} {
			source := &loose{labelled(0, 0, 0, 0, 0, 0), key, c.read}
			if c.size != 0 {
				source.index.Sizes[2] = c.size
			}
			on := flow.OnError(flow.Failures{Policy: policy, Max: flow.Limit{Count: 9}})
			tail := []stages.Stage{stages.Resize{Height: 4, Width: 4}, stages.ToTensor{}}
			pipe := flow.New(source, append([]stages.Stage{stages.Decode{}}, tail...)...)
			_, ran := pipe.Run(t.Context(), &sink{}, on)
			plan, err := pipe.Plan(t.Context(), on)
			if err != nil {
				t.Fatal(err)
			}
			_, shown := plan.Row(t.Context(), 0, 2)
			plan.Close()
			_, encoded := flow.New(source, stages.Batch{Size: 2}).Run(t.Context(), &sink{}, on)
			measured := flow.New(source, stages.Decode{}, tail[0], tail[1], stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd})
			plan, unmeasured := measured.Plan(t.Context(), on)
			if unmeasured == nil {
				plan.Close()
			}
			var access *flow.AccessError
			if is := errors.As(ran, &access); is != (c.says != "") {
				t.Errorf("%s, %s: %v", name, policy, ran)
			}
			for way, err := range map[string]error{"run": ran, "row": shown, "encoded": encoded, "measure": unmeasured} {
				switch {
				case c.says == "" && err != nil && (way != "row" || policy != flow.Skip || !errors.Is(err, sources.ErrMissing)):
					t.Errorf("%s, %s, %s: %v", name, policy, way, err)
				case c.says != "" && (err == nil || !strings.Contains(err.Error(), `held: "c.jpg": `) || !strings.Contains(err.Error(), c.says) || errors.Is(err, sources.ErrMissing)):
					t.Errorf("%s, %s, %s: %v", name, policy, way, err)
				}
			}
		}
	}
}
