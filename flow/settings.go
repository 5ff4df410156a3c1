package flow

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/apache/arrow/go/v15/arrow/memory"

	inflight "github.com/sluicedata/sluice/flow/internal/memory"
)

// DefaultBudget is the memory, in bytes, that a run may have in flight where
// Settings.Budget is 0: 1 GiB.
const DefaultBudget int64 = inflight.DefaultBudget

// Fuse says which stages may be merged, for it changes bytes.
type Fuse string

// The ways to fuse.
const (
	FuseFull  Fuse = "full"  // resamplers merge into one: closer to the ideal picture
	FuseExact Fuse = "exact" // only what leaves the reference's bytes unchanged
)

// Executor names what runs the stages.
type Executor string

// The executors.
const (
	Reference Executor = "reference" // every stage by itself, plain loops: the oracle
	Fused     Executor = "fused"     // the default: neighbouring stages in as few passes as Fuse allows
)

// Settings are a run's parameters. The first group is part of the plan and may
// change bytes, the second is the schedule and never does.
type Settings struct {
	Seed     uint64
	Epochs   int // 0: 1
	Fuse     Fuse
	Exec     Executor
	Params   bool     // add the params column: the augmentation drawn for each row, JSON
	Failures Failures // what to do about rows that cannot be made; of it only the policy is part of the plan

	Workers   int              // goroutines that decode and transform; 0: GOMAXPROCS
	Readers   int              // goroutines that read files ahead; 0: as Workers, at least 4
	Queue     int              // batches in flight beyond the one being written; 0: 2
	Budget    int64            // bytes in flight; 0: DefaultBudget
	Allocator memory.Allocator // under the run's pool of Arrow buffers; nil: memory.DefaultAllocator
	Images    memory.Allocator // of the image buffers that leave, where rows are of one size; nil: as the others

	Resume      *State    // resume there; nil: from the start
	Rank, World int       // make every World-th batch only, beginning with number Rank; 0, 0: all
	LastRound   LastRound // with World: what becomes of an epoch's rest; "": drop

	Progress func(Progress) // called from one goroutine, at most about 10 times a second
	OnState  func(State)    // called after each batch that the sink has in every variant
	OnPlan   func(*Plan)    // called by Run before anything is decoded
}

// Option sets one parameter of a run.
type Option func(*Settings)

// Seed chooses the random numbers; the default is 0.
func Seed(seed uint64) Option { return func(s *Settings) { s.Seed = seed } }

// Endless is the most epochs that a run may have. So many are meant as no end: a share in
// Failures.Max is then one of the draws so far, and of an epoch at least.
const Endless = 1 << 22

// noEpochs is the option's 0.
const noEpochs = math.MinInt

// Epochs is the number of passes, at least 1; the default is 1.
func Epochs(n int) Option {
	return func(s *Settings) {
		if s.Epochs = n; n == 0 {
			s.Epochs = noEpochs // which is refused: 0 in Settings is the default, and a computed 0 isn't meant as one
		}
	}
}

// Workers is the number of goroutines that decode and transform; the default
// is GOMAXPROCS.
func Workers(n int) Option { return func(s *Settings) { s.Workers = n } }

// Readers is the number of goroutines that read files ahead, so that slow
// storage doesn't idle the workers; the default is the number of workers, at
// least 4.
func Readers(n int) Option { return func(s *Settings) { s.Readers = n } }

// Budget is the number of bytes that a run may have in flight: encoded files
// read ahead, pictures being made, batches until their last Release. One image
// or batch that is larger is made all the same, by itself.
func Budget(bytes int64) Option { return func(s *Settings) { s.Budget = bytes } }

// OnError says what to do about rows that cannot be made; the default is to fail.
func OnError(f Failures) Option { return func(s *Settings) { s.Failures = f } }

// Resume continues an earlier run of the same plan: nothing is replayed.
func Resume(state State) Option { return func(s *Settings) { s.Resume = &state } }

// OnState is called with the state after each batch that is delivered.
func OnState(f func(State)) Option { return func(s *Settings) { s.OnState = f } }

// Rank makes this run one of world runs, each of which gets every world-th
// batch. The records are the same for any world.
func Rank(rank, world int) Option {
	return func(s *Settings) { s.Rank, s.World = rank, world }
}

// WithLastRound chooses what becomes of an epoch's batches that are too few for
// every rank.
func WithLastRound(l LastRound) Option { return func(s *Settings) { s.LastRound = l } }

// Queue bounds the batches in flight.
func Queue(batches int) Option { return func(s *Settings) { s.Queue = batches } }

// Exec chooses the executor.
func Exec(e Executor) Option { return func(s *Settings) { s.Exec = e } }

// WithFuse chooses what may be merged.
func WithFuse(f Fuse) Option { return func(s *Settings) { s.Fuse = f } }

// WithParams adds the params column.
func WithParams() Option { return func(s *Settings) { s.Params = true } }

// Allocator gives the Arrow buffers their memory.
func Allocator(mem memory.Allocator) Option { return func(s *Settings) { s.Allocator = mem } }

// Images gives the image buffers of the batches that leave an allocator of their own: memory
// that somebody else can see, such as a file mapped by several processes. Its blocks are
// charged to the budget and recycled by nobody but itself. Pictures of varying size and
// encoded files are no such buffers.
func Images(mem memory.Allocator) Option { return func(s *Settings) { s.Images = mem } }

// OnProgress is called with how far a run has come.
func OnProgress(f func(Progress)) Option { return func(s *Settings) { s.Progress = f } }

// OnPlan is called with the plan of a run before anything is decoded: the place to
// show its warnings.
func OnPlan(f func(*Plan)) Option { return func(s *Settings) { s.OnPlan = f } }

// LastRound is what becomes of the batches at an epoch's end that are too few
// for every rank to have one.
type LastRound string

// The ways.
const (
	DropRound LastRound = "drop" // nobody gets them
	PadRound  LastRound = "pad"  // the ranks that lack one get the epoch's first batches again
)

// Values lists the ways.
func (LastRound) Values() []string { return []string{string(DropRound), string(PadRound)} }

func (s *Settings) defaults() {
	if s.Epochs == 0 {
		s.Epochs = 1
	}
	if s.Fuse == "" {
		s.Fuse = FuseFull
	}
	if s.Exec == "" {
		s.Exec = Fused
	}
	if s.Workers == 0 {
		s.Workers = runtime.GOMAXPROCS(0)
	}
	if s.Readers == 0 {
		s.Readers = max(4, s.Workers)
	}
	if s.Queue == 0 {
		s.Queue = 2
	}
	if s.Budget == 0 {
		s.Budget = DefaultBudget
	}
	if s.World == 0 {
		s.World = 1
	}
	if s.LastRound == "" {
		s.LastRound = DropRound
	}
	if s.Failures.Policy == "" {
		s.Failures.Policy = Fail
	}
}

func (s *Settings) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("flow: "+format, args...)) }
	if s.Epochs < 1 || s.Epochs > Endless {
		n := s.Epochs
		if n == noEpochs {
			n = 0
		}
		bad("epochs is %d: at least 1, at most 2^22", n)
	}
	if s.Fuse != FuseFull && s.Fuse != FuseExact {
		bad("fuse is %q: full or exact", s.Fuse)
	}
	if s.Exec != Reference && s.Exec != Fused {
		bad("exec is %q: reference or fused", s.Exec)
	}
	if s.Workers < 1 {
		bad("workers is %d: at least 1", s.Workers)
	}
	if s.Readers < 1 {
		bad("readers is %d: at least 1", s.Readers)
	}
	if s.Queue < 1 {
		bad("queue is %d: at least 1", s.Queue)
	}
	if s.Budget < 1 {
		bad("budget is %d bytes: at least 1", s.Budget)
	}
	switch {
	case s.World < 1:
		bad("world is %d: at least 1", s.World)
	case s.Rank < 0 || s.Rank >= s.World:
		bad("rank is %d of a world of %d: from 0 to %d", s.Rank, s.World, s.World-1)
	}
	if s.LastRound != DropRound && s.LastRound != PadRound {
		bad("last round is %q: drop or pad", s.LastRound)
	}
	if err := s.Failures.Check(); err != nil {
		errs = append(errs, within(-1, "flow: on_error", err)...)
	}
	return errors.Join(errs...)
}

// filesAhead is the number of files that may be read and not yet admitted.
func (s *Settings) filesAhead() int { return 2 * (s.Readers + s.Workers) }

// allocator is what gives Arrow buffers their memory.
func (s *Settings) allocator() memory.Allocator {
	if s.Allocator == nil {
		return memory.DefaultAllocator
	}
	return s.Allocator
}
