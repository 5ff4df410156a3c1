package flow

import (
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Pipeline is a declaration: a source and the stages that its samples pass, in
// order. Nothing is opened or checked before Plan, Run or Batches.
type Pipeline struct {
	Source   sources.Source
	Stages   []stages.Stage
	Settings Settings // what New leaves at its zero value; options override it

	// Explain says where the mistakes of a PipelineError stand; nil leaves it as
	// it is. It is set where a pipeline was read from a file.
	Explain func(*PipelineError) error
}

// New declares a pipeline.
func New(source sources.Source, list ...stages.Stage) *Pipeline {
	return &Pipeline{Source: source, Stages: list}
}

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

	Resume      *State    // go on there; nil: from the start
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

// Epochs is the number of passes; the default is 1.
func Epochs(n int) Option { return func(s *Settings) { s.Epochs = n } }

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

// Resume goes on where an earlier run of the same plan was: nothing is replayed.
func Resume(state State) Option { return func(s *Settings) { s.Resume = &state } }

// OnState is told the state after each batch that is delivered.
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

// OnProgress is told how far a run has come.
func OnProgress(f func(Progress)) Option { return func(s *Settings) { s.Progress = f } }

// OnPlan is told the plan of a run before anything is decoded: the place to
// show its warnings.
func OnPlan(f func(*Plan)) Option { return func(s *Settings) { s.OnPlan = f } }

// WithID gives a stage an id, so that its random numbers stay its own when
// another stage of the same name is put before it.
func WithID(id string, stage stages.Stage) stages.Stage { return identified{stage, id} }

// identified is a stage with an id; Unwrap gives the stage, of whatever kind.
type identified struct {
	stages.Stage
	id string
}

func (i identified) ID() string { return i.id }

func (i identified) Unwrap() stages.Stage { return i.Stage }
