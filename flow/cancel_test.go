package flow_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	gsflow "github.com/reugn/go-streams/flow"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

var (
	cancelCount = flag.Int("cancels", 0, "number of runs that are cancelled (default 200; 40 with -short)")
	cancelSeed  = flag.Uint64("cancelseed", 0, "replay the cancelled run of this seed")
)

// Whenever and however a run ends, nothing of it is left: no goroutine, no open
// file (the source is a tar, which a plan holds open), no byte of Arrow's.
func TestNothingIsLeft(t *testing.T) {
	count, first := *cancelCount, uint64(time.Now().UnixNano())
	if count == 0 {
		count = 200
		if testing.Short() {
			count = 40
		}
	}
	if *cancelSeed != 0 {
		count, first = 1, *cancelSeed
	}
	pipe := recipe("")
	pipe.Source = sources.Folder{Path: albumTar(t), Tasks: []string{"class"}}
	pipe.Stages[4] = stages.Crop{Size: 0.5} // takes pictures of one pixel
	endings := []ending{cancelledRun, cancelledLoop, cancelledStream, cancelledFanOut}
	used := map[string]int{}
	for i := range uint64(count) {
		seed := first + i
		r := rand.New(rand.NewPCG(seed, 6))
		before := openFiles(t)
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		opts := []flow.Option{flow.Epochs(3), flow.Allocator(mem), flow.Workers(1 + r.IntN(6)), flow.Readers(1 + r.IntN(4)), flow.Queue(1 + r.IntN(3)), flow.Budget(1 << r.IntN(24))}
		if policy := []flow.Policy{flow.Fail, flow.Skip, flow.Refill, flow.Refill, flow.Skip, flow.Refill, flow.Skip}[r.IntN(7)]; policy != flow.Fail {
			f := flow.Failures{Policy: policy, Max: flow.Limit{Count: int64(1 + r.IntN(400))}}
			if r.IntN(3) == 0 {
				f.Quarantine = filepath.Join(t.TempDir(), "bad.jsonl")
			}
			opts = append(opts, flow.OnError(f))
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(time.Duration(r.IntN([]int{2000, 20000, 200000}[r.IntN(3)]))*time.Microsecond, func() { cancel(errPlug) })
		how := r.IntN(len(endings))
		err := endings[how](ctx, pipe, r, opts)
		timer.Stop()
		cancel(nil)
		var row *flow.RowError
		switch {
		case err == nil:
			used["to its end"]++
		case errors.Is(err, errPlug):
			used["cancelled"]++
		case errors.Is(err, errSink):
			used["by its sink"]++
		case errors.As(err, &row):
			used["by an image"]++
		default:
			t.Errorf("it ended with %v", err)
		}
		mem.AssertSize(t, 0)
		if err := goleak.Find(); err != nil {
			t.Error(err)
		}
		if after := openFiles(t); after > before {
			t.Errorf("%d open files before, %d after", before, after)
		}
		if t.Failed() {
			t.Fatalf("ending %d of seed %d: replay with -run TestNothingIsLeft -cancelseed %d", how, seed, seed)
		}
	}
	t.Logf("%d runs from seed %d ended: %v", count, first, used)
}

// albumTar is the album with its broken files as a tar, classes as folders.
func albumTar(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	list, broken := album()
	for i, s := range append(broken[:len(broken):len(broken)], list...) {
		name := fmt.Sprintf("%s/%02d-%s", []string{"common", "common", "middle", "rare"}[i%4], i, s.key)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(s.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(s.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "album.tar")
	write(t, file, b.Bytes())
	return file
}

// ending runs a pipeline in some way, with a consumer that may end it, too.
type ending func(ctx context.Context, pipe *flow.Pipeline, r *rand.Rand, opts []flow.Option) error

// trouble is a sink that is slow, fails or gathers batches.
type trouble struct {
	sink
	gather int
	kept   []*schema.Batch
}

func newTrouble(r *rand.Rand) *trouble {
	s := &trouble{sink: sink{delay: time.Duration(r.IntN(3)) * time.Millisecond}}
	if r.IntN(3) == 0 {
		s.failAt = int64(1 + r.IntN(12))
	}
	if r.IntN(3) == 0 {
		s.gather = 1 + r.IntN(10)
	}
	return s
}

func (s *trouble) Write(ctx context.Context, b *schema.Batch) error {
	if s.gather > 0 {
		b.Retain()
		if s.kept = append(s.kept, b); len(s.kept) > s.gather {
			s.kept[0].Release()
			s.kept = s.kept[1:]
		}
	}
	return s.sink.Write(ctx, b)
}

func (s *trouble) Close(cause error) error {
	for _, b := range s.kept {
		b.Release()
	}
	s.kept = nil
	return s.sink.Close(cause)
}

func cancelledRun(ctx context.Context, pipe *flow.Pipeline, r *rand.Rand, opts []flow.Option) error {
	s := newTrouble(r)
	_, err := pipe.Run(ctx, s, opts...)
	return err
}

func cancelledLoop(ctx context.Context, pipe *flow.Pipeline, r *rand.Rand, opts []flow.Option) (err error) {
	last, panics := r.IntN(40), r.IntN(4) == 0
	defer func() {
		if p := recover(); p != nil && p != any("body") {
			panic(p)
		}
	}()
	n := 0
	for b, err := range pipe.Batches(ctx, opts...) {
		if err != nil {
			return err
		}
		if n++; n == last {
			if panics {
				panic("body")
			}
			break
		}
		pause(time.Millisecond)
		_ = digest(b)
	}
	return nil
}

func cancelledStream(ctx context.Context, pipe *flow.Pipeline, r *rand.Rand, opts []flow.Option) error {
	return streamed(ctx, pipe, opts, func(s *flow.Stream) {
		pass := gsflow.NewMap(func(b *schema.Batch) *schema.Batch { pause(time.Millisecond); return b }, 1+r.IntN(3))
		source := s.Source().Via(pass)
		if r.IntN(2) == 0 {
			source.To(s.Sink(newTrouble(r)))
			return
		}
		last, n := 1+r.IntN(40), 0
		source.To(newForeignSink(func(*schema.Batch) {
			if n++; n == last {
				s.Cancel(errSink)
			}
		}))
	})
}

func cancelledFanOut(ctx context.Context, pipe *flow.Pipeline, r *rand.Rand, opts []flow.Option) error {
	return streamed(ctx, pipe, opts, func(s *flow.Stream) {
		twice := s.Source().Via(gsflow.NewMap(func(b *schema.Batch) *schema.Batch { b.Retain(); return b }, 1))
		branches := gsflow.FanOut(twice, 2)
		ours := s.Sink(newTrouble(r))
		var wait sync.WaitGroup
		wait.Go(func() { branches[0].To(ours) })
		wait.Go(func() { branches[1].To(newForeignSink(func(b *schema.Batch) { _ = digest(b) })) })
		wait.Wait()
	})
}

func streamed(ctx context.Context, pipe *flow.Pipeline, opts []flow.Option, wire func(*flow.Stream)) error {
	plan, err := pipe.Plan(ctx, opts...)
	if err != nil {
		return err
	}
	s, err := plan.Start(ctx)
	if err == nil {
		wire(s)
		_, err = s.Wait()
	}
	return errors.Join(err, plan.Close())
}
