package flow_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/reugn/go-streams/extension"
	gsflow "github.com/reugn/go-streams/flow"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// startOf begins a stream whose plan is closed, and whose memory and goroutines
// are looked at, at the test's end.
func startOf(t *testing.T, pipe *flow.Pipeline, opts ...flow.Option) (*flow.Stream, *flow.Plan) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	plan, err := pipe.Plan(t.Context(), append(opts, flow.Allocator(mem))...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plan.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
		mem.AssertSize(t, 0)
	})
	return s, plan
}

// A source that is idle for ever doesn't keep a stream that has ended, and is
// drained until it closes.
func TestAnIdleSourceKeepsNothing(t *testing.T) {
	dir := pictures(t)
	for name, wire := range map[string]func(s *flow.Stream, in chan any){
		"flow": func(s *flow.Stream, in chan any) { extension.NewChanSource(in).Via(s.Flow()).To(s.Sink(&sink{})) },
		"rows": func(s *flow.Stream, in chan any) {
			extension.NewChanSource(in).Via(s.Read()).Via(s.Transform()).Via(s.Batch()).Via(s.Scales()).To(s.Sink(&sink{}))
		},
		"sink": func(s *flow.Stream, in chan any) { // a foreign flow's own To waits for its input
			ours := s.Sink(&sink{})
			go extension.NewChanSource(in).Via(gsflow.NewPassThrough()).To(ours)
		},
		"alone": func(s *flow.Stream, in chan any) { extension.NewChanSource(in).Via(s.Flow()).To(s.Sink(&sink{})) },
	} {
		t.Run(name, func(t *testing.T) {
			s, plan := startOf(t, recipe(dir))
			in := make(chan any)
			timer := time.AfterFunc(50*time.Millisecond, func() { s.Cancel(errPlug) })
			defer timer.Stop()
			if name == "flow" || name == "rows" {
				go func() { in <- plan.Index().Key(0) }()
			}
			ended := make(chan error)
			go func() {
				wire(s, in)
				_, err := s.Wait()
				ended <- err
			}()
			select {
			case err := <-ended:
				if !errors.Is(err, errPlug) || strings.Count(err.Error(), errPlug.Error()) != 1 {
					t.Errorf("error %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("Wait hangs")
			}
			for range 3 {
				in <- plan.Index().Key(0) // isn't blocked
			}
			close(in)
		})
	}
}

// Nor does a source that goes on giving, however often it does.
func TestABusySourceKeepsNothing(t *testing.T) {
	for name, wire := range map[string]func(s *flow.Stream, in chan any){
		"flow": func(s *flow.Stream, in chan any) { extension.NewChanSource(in).Via(s.Flow()).To(s.Sink(&sink{})) },
		"scales": func(s *flow.Stream, in chan any) {
			go extension.NewChanSource(in).Via(s.Scales()).To(s.Sink(&sink{}))
		},
		"sink": func(s *flow.Stream, in chan any) {
			ours := s.Sink(&sink{})
			go extension.NewChanSource(in).Via(gsflow.NewPassThrough()).To(ours)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := startOf(t, recipe(pictures(t)))
			in, stop := make(chan any), make(chan struct{})
			giving := make(chan struct{})
			go func() {
				defer close(giving)
				defer close(in)
				for {
					select {
					case in <- 1: // foreign to our operators: it ends the stream
					case <-stop:
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			ended := make(chan error)
			go func() {
				wire(s, in)
				_, err := s.Wait()
				ended <- err
			}()
			select {
			case err := <-ended:
				if err == nil {
					t.Error("no error")
				}
			case <-time.After(20 * time.Second):
				t.Error("Wait hangs")
			}
			close(stop)
			<-giving
		})
	}
}

// pessimist is a sink whose Close fails.
type pessimist struct{ sink }

var errClose = errors.New("the disk is still on fire")

func (p *pessimist) Close(cause error) error { return errors.Join(cause, errClose) }

func TestAStreamKeepsWhatCloseSays(t *testing.T) {
	s, _ := startOf(t, recipe(pictures(t)))
	p := &pessimist{}
	p.failAt = 2
	s.Source().Via(gsflow.NewPassThrough()).To(s.Sink(p))
	_, err := s.Wait()
	if !errors.Is(err, errSink) || !errors.Is(err, errClose) || strings.Count(err.Error(), errSink.Error()) != 1 {
		t.Errorf("error %v", err)
	}
}

// panicking is whatever of user code panics.
type panicking struct{ at string }

func (p panicking) Has(_ int, batch int64) bool {
	if p.at == "has" {
		panic("boo")
	}
	return false
}

func (p panicking) Wants(int) bool {
	if p.at == "wants" {
		panic("boo")
	}
	return true
}

type badSink struct {
	*sink
	panicking
}

func (b badSink) Open(context.Context, *schema.Run) error {
	if b.at == "open" {
		panic("boo")
	}
	return nil
}

type badWeigher struct{ stages.ClassWeights }

func (badWeigher) Check() error { return nil }

func (badWeigher) Weigh(schema.Index) (func([]int32) float32, error) {
	return func([]int32) float32 { panic("boo") }, nil
}

type badOrder struct{ stages.Shuffle }

func (badOrder) Sample(s stages.Selection, _ schema.Index, _ rng.Key) (stages.Order, error) {
	return badDraws{s}, nil
}

type badDraws struct{ stages.Selection }

func (badDraws) At(_ int, position int64) int {
	if position > 9 {
		panic("boo")
	}
	return 0
}

type badPick struct{ stages.MultiScale }

func (badPick) Pick(_ int, number int64, _ *rng.Stream) []int {
	if number > 1 {
		panic("boo")
	}
	return []int{0}
}

// Whatever panics, the run ends with an error.
func TestAPanicIsAnError(t *testing.T) {
	dir := pictures(t)
	for _, at := range []string{"open", "has", "wants", "weigh", "order", "pick", "state", "progress"} {
		t.Run(at, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			opts := []flow.Option{flow.Allocator(mem), flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Count: 100}})}
			list := []stages.Stage{stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 4}, stages.MultiScale{Scales: []float64{0.5, 1}}}
			switch at {
			case "weigh":
				list = append([]stages.Stage{badWeigher{}}, list...)
			case "order":
				list = append([]stages.Stage{badOrder{}}, list...)
			case "pick":
				list[3] = badPick{list[3].(stages.MultiScale)}
			case "state":
				opts = append(opts, flow.OnState(func(flow.State) { panic("boo") }))
			case "progress":
				opts = append(opts, flow.OnProgress(func(flow.Progress) { panic("boo") }))
			}
			_, err := flow.New(sources.Folder{Path: dir}, list...).Run(t.Context(), badSink{&sink{}, panicking{at: at}}, opts...)
			if err == nil || !strings.Contains(err.Error(), "panic: boo") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Given samples are no draws of the plan: neither its state nor its quarantine is
// touched by them.
func TestGivenSamplesAreARunOfTheirOwn(t *testing.T) {
	dir := pictures(t)
	pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 4})
	file := filepath.Join(t.TempDir(), "bad.jsonl")
	old := `{"key":"common/00.jpg","epoch":0,"position":1,"attempt":0,"stage":"decode","cause":"x"}` + "\n"
	write(t, file, []byte(old))
	s, plan := startOf(t, pipe, flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 0.5}, Quarantine: file}),
		flow.OnState(func(flow.State) { t.Error("a state") }))
	in := make(chan any, 40)
	for i := range 40 {
		if i%4 == 1 {
			in <- flow.Sample{Key: fmt.Sprint("bad ", i), Data: []byte("no picture")}
		} else {
			in <- plan.Index().Key(0)
		}
	}
	close(in)
	extension.NewChanSource(in).Via(s.Flow()).To(s.Sink(&sink{}))
	report, err := s.Wait()
	if err != nil || report.Rows != 30 || report.Failed != 10 || report.State.PlanHash != "" || report.State.Batch != 0 {
		t.Errorf("%v: %+v", err, report)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != old {
		t.Errorf("%v: the plan's quarantine is %s", err, text)
	}
	if text, err := os.ReadFile(strings.Replace(file, "bad.", "bad-given.", 1)); err != nil || strings.Count(string(text), "\n") != 10 {
		t.Errorf("%v: the quarantine is %s", err, text)
	}
	for want, given := range map[string]any{"no Key": flow.Sample{Data: []byte("x")}, "samples given so far": nil, "World": 2} {
		var opts []flow.Option
		in := make(chan any, 9)
		switch given {
		case nil:
			opts = append(opts, flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 0.5}}))
			for range 3 {
				in <- flow.Sample{Key: "bad", Data: []byte("no picture")}
			}
		case 2:
			opts = append(opts, flow.Rank(1, 2))
		default:
			in <- given
		}
		close(in)
		s, _ := startOf(t, pipe, opts...)
		extension.NewChanSource(in).Via(s.Flow()).To(s.Sink(&sink{}))
		if _, err := s.Wait(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

// The two halves of a stream make what the whole does.
func TestScalesApart(t *testing.T) {
	pipe := recipe(pictures(t))
	want := recordsOf(t, pipe)
	s, _ := startOf(t, pipe)
	var got []record
	s.Draws().Via(s.Read()).Via(s.Transform()).Via(s.Batch()).Via(gsflow.NewPassThrough()).Via(s.Scales()).To(newForeignSink(func(b *schema.Batch) {
		got = append(got, record{at: fmt.Sprintf("%d/%d/%d", b.Epoch, b.Number, b.Variant), bytes: sum(t, b)})
	}))
	if report, err := s.Wait(); err != nil || !equalRecords(got, want) || report.Rows != 35 {
		t.Errorf("%v: %d records of %d", err, len(got), len(want))
	}
}
