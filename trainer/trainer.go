package trainer

import (
	"context"

	"github.com/sluicedata/sluice/schema"
)

// Trainer learns from batches.
type Trainer interface {
	// Step is one optimizer step on one batch of float32 CHW tensors of any
	// height and width: forward, loss, gradients of this batch alone, update.
	// Rows with weight 0 or a null label are masked; a batch in which every row is
	// masked changes nothing. A task in which every row is masked takes no part in
	// the step: weights that only it uses keep their values and their optimizer
	// state, as in PyTorch where grad is None. A loss or gradient that isn't finite
	// is a *NotFiniteError, which names the batch's keys. After any error,
	// including cancellation, the state is what it was before the step. Step does
	// not keep the batch.
	Step(ctx context.Context, batch *schema.Batch) (Losses, error)
	// Predict returns the logits: a slice per task, rows x classes, row by row. It
	// reads only the images, and changes nothing. The slices are valid until the
	// next call.
	Predict(ctx context.Context, batch *schema.Batch) ([][]float32, error)
	// EndEpoch marks the end of an epoch; the learning rate follows its schedule.
	EndEpoch() error
	// State is everything that Load needs to continue as if nothing had happened:
	// weights under the names that PyTorch's state_dict would give them, the rest
	// under names that begin with OptimizerPrefix: Adam's state, and EpochsName.
	// The tensors share the trainer's memory: they are valid until the next Step or
	// Load.
	State() []Tensor
	// Load replaces the state. A missing or unknown tensor, or one of another
	// shape, is an error that names it, and then nothing changes.
	Load(state []Tensor) error
	// Stats describes the work so far, for reports. Steps and times count from when
	// the trainer was made, whatever was loaded.
	Stats() Stats
	// Close releases memory and goroutines. The trainer must not be used after it.
	Close() error
}

// ImageChecker is implemented by a Trainer that can't take images of every size,
// so that a run can be refused before it begins.
type ImageChecker interface {
	CheckImage(height, width int) error
}

// Losses are one step's.
type Losses struct {
	Total float64   // what was minimized; 0 where every row was masked
	Tasks []float64 // per task, without the task's weight; NaN where every row was masked
	Rows  int       // rows that weren't masked in every task
}

// Stats describes a trainer's work.
type Stats struct {
	Parameters     int                `json:"parameters"`
	Steps          int                `json:"steps"`
	LearningRate   float64            `json:"learning_rate"`
	StepSeconds    map[string]float64 `json:"step_seconds"` // mean, by input shape such as "32x3x112x112"
	PeakBytes      uint64             `json:"peak_bytes"`   // of the process, where the system tells
	GraphsCompiled int                `json:"graphs_compiled"`
}
