package trainer

import (
	"context"

	"github.com/sluicedata/sluice/schema"
)

// Trainer learns from batches.
type Trainer interface {
	// Step is one optimizer step on one batch of float32 CHW tensors of any
	// height and width: forward, loss, gradients of this batch alone, update.
	// Rows of weight 0 and null labels don't count; a batch in which no row
	// counts changes nothing. A task for which none does has no part in the step:
	// the weights that serve it alone stay as they are, and so does the
	// optimizer's state of them, as with PyTorch where grad is None. A loss or a
	// gradient that isn't finite is a *NotFiniteError, which names the batch's keys. After any error, the context's cause among them, the state is
	// as it was before. The batch is not kept.
	Step(ctx context.Context, batch *schema.Batch) (Losses, error)
	// Predict gives each row's logits: for each task, rows x classes, row by row.
	// It looks at nothing but the images, and changes nothing. The slices are
	// valid until the next call.
	Predict(ctx context.Context, batch *schema.Batch) ([][]float32, error)
	// EndEpoch tells that all batches of an epoch were given; the learning rate
	// follows its schedule.
	EndEpoch() error
	// State is all that Load needs to go on as if nothing had happened: weights
	// under the names that PyTorch's state_dict would have, all else under names
	// beginning with OptimizerPrefix: Adam's state and EpochsName. The tensors
	// share memory with the trainer: valid until the next Step or Load.
	State() []Tensor
	// Load replaces the state. A missing, unknown or misshapen tensor is an error
	// that names it, and changes nothing.
	Load(state []Tensor) error
	// Stats describes the work so far, for reports. Steps and times are those
	// since the trainer was made, whatever was loaded.
	Stats() Stats
	// Close gives memory and goroutines back; the trainer is not used any more.
	Close() error
}

// ImageChecker is what a Trainer implements that can't take images of every
// size: so a run is refused before it begins.
type ImageChecker interface {
	CheckImage(height, width int) error
}

// Losses are one step's.
type Losses struct {
	Total float64   // what was minimized; 0 where no row counted
	Tasks []float64 // per task, unweighted by the task's weight; NaN where no row had a label
	Rows  int       // rows that counted: of a weight above 0 in any task
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
