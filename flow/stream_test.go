package flow_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	streams "github.com/reugn/go-streams"
	"github.com/reugn/go-streams/extension"
	gsflow "github.com/reugn/go-streams/flow"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// foreignSink is anyone's sink: it owns what it gets.
type foreignSink struct {
	in   chan any
	done chan struct{}
	take func(*schema.Batch)
}

func newForeignSink(take func(*schema.Batch)) *foreignSink {
	s := &foreignSink{make(chan any), make(chan struct{}), take}
	go func() {
		defer close(s.done)
		for element := range s.in {
			batch := element.(*schema.Batch)
			s.take(batch)
			batch.Release()
		}
	}()
	return s
}

func (s *foreignSink) In() chan<- any   { return s.in }
func (s *foreignSink) AwaitCompletion() { <-s.done }

// Our source, anyone's map and sink: the same records as a run's.
func TestSourceIntoForeignFlow(t *testing.T) {
	defer goleak.VerifyNone(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	pipe := recipe(pictures(t))
	want := recordsOf(t, pipe, flow.Epochs(2))
	plan, err := pipe.Plan(t.Context(), flow.Epochs(2), flow.Allocator(mem))
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	s, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []record
	seen := 0
	s.Source().
		Via(gsflow.NewMap(func(b *schema.Batch) *schema.Batch { seen += b.Rows(); return b }, 1)).
		To(newForeignSink(func(b *schema.Batch) {
			got = append(got, record{at: fmt.Sprintf("%d/%d/%d", b.Epoch, b.Number, b.Variant), bytes: sum(t, b)})
		}))
	report, err := s.Wait()
	if err != nil || !equalRecords(got, want) || seen != 3*70 {
		t.Fatalf("%v: %d records of %d, %d rows", err, len(got), len(want), seen)
	}
	if report.Rows != 70 || report.Batches != 30 || report.State.Epoch != 2 {
		t.Errorf("report %+v", report)
	}
}

// Two branches need a reference each; one ends in a sink of ours.
func TestFanOut(t *testing.T) {
	defer goleak.VerifyNone(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	plan, err := recipe(pictures(t)).Plan(t.Context(), flow.Allocator(mem))
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	s, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	twice := s.Source().Via(gsflow.NewMap(func(b *schema.Batch) *schema.Batch { b.Retain(); return b }, 1))
	branches := gsflow.FanOut(twice, 2)
	ours, theirs := &lister{}, 0
	var wait sync.WaitGroup
	wait.Go(func() { branches[0].To(s.Sink(ours)) })
	wait.Go(func() { branches[1].To(newForeignSink(func(*schema.Batch) { theirs++ })) })
	wait.Wait()
	report, err := s.Wait()
	if err != nil || theirs != 15 || len(ours.batches) != 15 || len(ours.rows) != 35 || report.Batches != 15 || ours.closed.Load() != 1 || ours.cause != nil {
		t.Errorf("%v: %d and %d batches, report %+v", err, theirs, len(ours.batches), report)
	}
}

// Anyone's source into our operators: keys, and samples that the index hasn't.
func TestForeignSourceIntoFlow(t *testing.T) {
	defer goleak.VerifyNone(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	dir := pictures(t)
	data, err := os.ReadFile(filepath.Join(dir, "rare", "01.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 4})
	for _, bad := range []any{nil, 7, "nobody/00.jpg", flow.Sample{Key: "x", Data: data, Labels: []int32{9}}, flow.Sample{Key: "x", Data: data, Labels: []int32{0, 0}}} {
		plan, err := pipe.Plan(t.Context(), flow.Allocator(mem), flow.Workers(2))
		if err != nil {
			t.Fatal(err)
		}
		s, err := plan.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		in := make(chan any, 20)
		for i := range 3 {
			in <- fmt.Sprintf("common/%02d.jpg", 5-i)
		}
		in <- flow.Sample{Key: "from/elsewhere", Data: data, Labels: []int32{2}}
		in <- flow.Sample{Key: "from/nowhere", Data: data}
		if bad != nil {
			in <- bad
		}
		close(in)
		var rows []string
		var classes []int32
		extension.NewChanSource(in).Via(s.Flow()).To(newForeignSink(func(b *schema.Batch) {
			for i, p := range b.Positions() {
				rows = append(rows, fmt.Sprintf("%s@%d", b.Key(i), p))
			}
			classes = append(classes, b.Labels(0)...)
		}))
		report, err := s.Wait()
		if bad != nil {
			if err == nil {
				t.Errorf("%v is taken", bad)
			}
		} else if want := "common/05.jpg@0 common/04.jpg@1 common/03.jpg@2 from/elsewhere@3 from/nowhere@4"; err != nil ||
			strings.Join(rows, " ") != want || fmt.Sprint(classes) != "[0 0 0 2 -1]" || report.Rows != 5 {
			t.Errorf("%v: %v %v %+v", err, rows, classes, report)
		}
		if err := plan.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStreamCancelAtRandomMoments(t *testing.T) {
	dir := brokenPictures(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	for i := range 150 {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		policy := []flow.Policy{flow.Fail, flow.Skip, flow.Refill}[r.IntN(3)]
		failures := flow.Failures{Policy: policy}
		if policy != flow.Fail {
			failures.Max = flow.Limit{Count: int64(1 + r.IntN(40))}
		}
		plan, err := recipe(dir).Plan(t.Context(), flow.Epochs(3), flow.Allocator(mem), flow.OnError(failures),
			flow.Workers(1+r.IntN(4)), flow.Readers(1+r.IntN(4)), flow.Queue(1+r.IntN(3)), flow.Budget(1<<(10+r.IntN(12))))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		s, err := plan.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cause := fmt.Errorf("cancel %d", i)
		timer := time.AfterFunc(time.Duration(r.IntN(12000))*time.Microsecond, func() {
			if i%2 == 0 {
				cancel()
			} else {
				s.Cancel(cause)
			}
		})
		delay := time.Duration(r.IntN(2)) * time.Millisecond
		pass := gsflow.NewMap(func(b *schema.Batch) *schema.Batch { time.Sleep(delay); return b }, 1+r.IntN(3))
		ours := &sink{delay: time.Duration(r.IntN(3)) * time.Millisecond}
		if r.IntN(3) == 0 {
			ours.failAt = int64(1 + r.IntN(6))
		}
		var end streams.Sink
		if r.IntN(2) == 0 {
			end = newForeignSink(func(*schema.Batch) { time.Sleep(delay) })
		} else {
			end = s.Sink(ours)
		}
		s.Source().Via(pass).To(end)
		_, err = s.Wait()
		var row *flow.RowError
		if err != nil && !errors.Is(err, cause) && !errors.Is(err, errSink) && !errors.Is(err, context.Canceled) && !errors.As(err, &row) {
			t.Fatalf("run %d: %v", i, err)
		}
		timer.Stop()
		cancel()
		mem.AssertSize(t, 0)
		if err := plan.Close(); err != nil {
			t.Fatal(err)
		}
	}
	goleak.VerifyNone(t)
}

func TestAStreamIsUsedOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	plan, err := recipe(pictures(t)).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	s, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, second := s.Source(), s.Source()
	go first.Via(gsflow.NewPassThrough()).To(extension.NewIgnoreSink())
	second.Via(gsflow.NewPassThrough()).To(extension.NewIgnoreSink())
	if _, err := s.Wait(); err == nil || !strings.Contains(err.Error(), "one Source") {
		t.Errorf("error %v", err)
	}
}
