package flow_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/reugn/go-streams/extension"
	gsflow "github.com/reugn/go-streams/flow"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// wildPick is an Expander of somebody's who doesn't keep the contract.
type wildPick struct {
	stages.MultiScale
	pick func(number int64) []int
}

func (p wildPick) Pick(_ int, number int64, _ *stages.Rand) []int { return p.pick(number) }

func TestExpandersArentTrusted(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := pictures(t)
	late := func(list ...int) func(int64) []int { // only after the plan was made
		return func(number int64) []int {
			if number < 2 {
				return []int{0}
			}
			return list
		}
	}
	for name, pick := range map[string]func(int64) []int{
		"none": late(), "beyond": late(7), "negative": late(-1), "twice": late(1, 1), "none at once": func(int64) []int { return nil },
		"panic": func(number int64) []int {
			if number > 2 {
				panic("pick")
			}
			return []int{1}
		},
	} {
		list := []stages.Stage{stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 2}, wildPick{stages.MultiScale{Scales: []float64{0.5, 1}}, pick}}
		_, err := flow.New(sources.Folder{Path: dir}, list...).Run(t.Context(), &sink{})
		if err == nil || !strings.Contains(err.Error(), "multiscale") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// scribbler is a sink that writes to what it is told.
type scribbler struct{ sink }

func (*scribbler) Open(_ context.Context, run *schema.Run) error {
	run.PlanHash, run.BatchSize, run.Tasks[0].Classes[0], run.Counts[0][0] = "mine", 1, "mine", -1
	return nil
}

// Nothing that a plan tells is a way to write to it.
func TestAPlanIsAValue(t *testing.T) {
	plan, err := recipe(pictures(t)).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	tell := func() string {
		return fmt.Sprintf("%s %s %+v %+v", plan, plan.Canonical(), *plan.Info(), plan.Warnings())
	}
	before := tell()
	if _, err := plan.Deliver(t.Context(), &scribbler{}); err != nil {
		t.Fatal(err)
	}
	info := plan.Info()
	info.Tasks[0].Classes[0], info.Counts[0][0], info.Variants[0].Scale = "mine", -1, 9
	plan.Selection()[0] = 5
	plan.Canonical()[0] = '!'
	state := plan.StateAfter(&schema.Batch{})
	state.Pipeline[0], state.Tasks[0].Classes[0] = '!', "mine"
	plan.Outline().Stages[0].Name = "mine"
	if after := tell(); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
}

// Scales by itself gives what Deliver does, for ranks that pad, too.
func TestLooseScalesOfRanks(t *testing.T) {
	dir := pictures(t)
	pipe := flow.New(sources.Folder{Path: dir}, stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 10, Width: 10}, stages.Batch{Size: 5},
		stages.MultiScale{Scales: []float64{0.7, 1, 1.7}, PickBy: stages.Random})
	for rank := range 4 {
		opts := []flow.Option{flow.Rank(rank, 4), flow.WithLastRound(flow.PadRound), flow.Epochs(4)}
		whole, single := &collected{}, &collected{}
		if _, err := pipe.Run(t.Context(), whole, opts...); err != nil {
			t.Fatal(err)
		}
		s, _ := startOf(t, pipe, opts...)
		s.Draws().Via(s.Read()).Via(s.Transform()).Via(s.Batch()).Via(gsflow.NewPassThrough()).Via(s.Scales()).To(s.Sink(single))
		if _, err := s.Wait(); err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprint(whole.rows), fmt.Sprint(single.rows); a != b {
			t.Errorf("rank %d: other rows", rank)
		}
	}
}

// Operators that nobody connected end with the stream, which Wait doesn't wait for longer.
func TestUnconnectedOperatorsEnd(t *testing.T) {
	plan, err := recipe(pictures(t)).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	for name, wire := range map[string]func(s *flow.Stream){
		"read": func(s *flow.Stream) { s.Read() }, "transform": func(s *flow.Stream) { s.Transform() }, "batch": func(s *flow.Stream) { s.Batch() },
		"scales": func(s *flow.Stream) { s.Scales() }, "flow": func(s *flow.Stream) { s.Flow() }, "source": func(s *flow.Stream) { s.Source() },
		"sink": func(s *flow.Stream) { s.Sink(&sink{}) },
	} {
		s, err := plan.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wire(s)
		s.Cancel(errPlug)
		ended := waitFor(s)
		select {
		case err := <-ended:
			if !errors.Is(err, errPlug) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: Wait waits", name)
		}
	}
	goleak.VerifyNone(t)
}

// waitFor waits for a stream elsewhere.
func waitFor(s *flow.Stream) chan error {
	c := make(chan error, 1)
	go func() {
		_, err := s.Wait()
		c <- err
	}()
	return c
}

// Two of one operator are an error, not a crash.
func TestOperatorsOnce(t *testing.T) {
	dir := pictures(t)
	for name, wire := range map[string]func(s *flow.Stream){
		"Transform": func(s *flow.Stream) {
			halves := gsflow.RoundRobin(s.Draws().Via(s.Read()), 2)
			one, two := s.Transform(), s.Transform() // which ends the stream
			go halves[1].Via(two).Via(gsflow.NewPassThrough()).To(extension.NewIgnoreSink())
			halves[0].Via(one).Via(s.Batch()).To(s.Sink(&sink{}))
		},
		"Batch": func(s *flow.Stream) { s.Batch(); s.Batch() },
		"Draws": func(s *flow.Stream) { s.Draws(); s.Draws() },
	} {
		s, _ := startOf(t, recipe(dir))
		wire(s)
		if _, err := s.Wait(); err == nil || !strings.Contains(err.Error(), "has one "+name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// touchy is an index of somebody's that panics once it is armed.
type touchy struct {
	schema.Index
	armed *bool
}

func (x touchy) Size(sample int) int64 {
	if *x.armed && sample == 3 {
		panic("size")
	}
	return x.Index.Size(sample)
}

type touchySource struct {
	*held
	index touchy
}

func (s touchySource) Index() schema.Index { return s.index }

func (s touchySource) Open(context.Context) (sources.Dataset, error) { return s, nil }

// An index that panics is an error of the run.
func TestAPanicOfTheIndex(t *testing.T) {
	defer goleak.VerifyNone(t)
	list, _ := album()
	h := hold(list)
	armed := new(bool)
	arm := flow.OnPlan(func(*flow.Plan) { *armed = true })
	_, err := flow.New(touchySource{h, touchy{h.index, armed}}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}).Run(t.Context(), &sink{}, arm)
	if err == nil || !strings.Contains(err.Error(), "panic: size") {
		t.Errorf("error %v", err)
	}
}

// What isn't there, or is nothing, is said.
func TestNothingGiven(t *testing.T) {
	pipe := recipe(pictures(t))
	if _, err := pipe.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "there is no sink") {
		t.Errorf("no sink: %v", err)
	}
	if _, err := pipe.Run(t.Context(), &sink{}, flow.Epochs(0)); err == nil || !strings.Contains(err.Error(), "epochs is 0: at least 1") {
		t.Errorf("no epochs: %v", err)
	}
}

// A plan with another place to resume from, another rank or more epochs makes the rows of
// the plan itself.
func TestPlanWithAnotherSchedule(t *testing.T) {
	plan, err := recipe(pictures(t)).Plan(t.Context(), flow.Epochs(2))
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	all := delivered(t, plan)
	for _, place := range []flow.State{{}, {Batch: 1}, {Epoch: 1}} {
		from, err := plan.With(flow.Resume(place), flow.Epochs(2))
		if err != nil {
			t.Fatal(err)
		}
		skipped := place.Epoch*int(plan.Info().BatchesPerEpoch) + int(place.Batch)
		if got := delivered(t, from); !slices.Equal(got, all[3*skipped:]) {
			t.Errorf("from epoch %d, batch %d: other batches", place.Epoch, place.Batch)
		}
	}
	more, err := plan.With(flow.Epochs(3), flow.Rank(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := delivered(t, more), all[3]; got[0] != want || more.Info().Epochs != 3 || plan.Info().Epochs != 2 {
		t.Error("rank 1 of 2 begins with another batch than number 1, or epochs are the old plan's")
	}
	for name, opts := range map[string][]flow.Option{
		"seed": {flow.Seed(99)}, "params": {flow.WithParams()}, "resume position": {flow.Resume(flow.State{Epoch: 7})}, "rank": {flow.Rank(3, 2)},
	} {
		if _, err := plan.With(opts...); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// delivered lists each record of a plan, with a hash.
func delivered(t *testing.T, plan *flow.Plan) (list []string) {
	t.Helper()
	for b, err := range plan.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		_ = binary.Write(h, binary.LittleEndian, b.Float32())
		list = append(list, fmt.Sprintf("%d/%d in variant %d %v %x", b.Epoch, b.Number, b.Variant, b.Positions(), h.Sum(nil)))
	}
	return list
}

// counting is an allocator that counts its blocks.
type counting struct {
	memory.GoAllocator
	blocks, bytes atomic.Int64
}

func (c *counting) Allocate(n int) []byte {
	c.blocks.Add(1)
	c.bytes.Add(int64(n))
	return c.GoAllocator.Allocate(n)
}

func (c *counting) Free(b []byte) {
	c.blocks.Add(-1)
	c.bytes.Add(-int64(len(b)))
	c.GoAllocator.Free(b)
}

// The images that leave, and nothing else, are of the allocator of Images, with scales
// and without.
func TestImagesFromAnAllocatorOfTheirOwn(t *testing.T) {
	for _, scales := range []bool{false, true} {
		pipe := recipe(pictures(t))
		if !scales {
			pipe.Stages = pipe.Stages[:len(pipe.Stages)-1]
		}
		mem := new(counting)
		plan, err := pipe.Plan(t.Context(), flow.Images(mem))
		if err != nil {
			t.Fatal(err)
		}
		defer plan.Close()
		for b, err := range plan.Batches(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if mem.bytes.Load() == 0 || mem.blocks.Load() > 5 {
				t.Errorf("scales %v: %d blocks of %d bytes for batches of %d", scales, mem.blocks.Load(), mem.bytes.Load(), 4*len(b.Float32()))
			}
		}
		if n := mem.blocks.Load(); n != 0 {
			t.Errorf("%d blocks are left", n)
		}
	}
}
