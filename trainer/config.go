package trainer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
)

// Config is everything that determines what a trainer does, apart from the data.
// Heads are sized by the tasks' classes, which come from the pipeline: see Spec.
type Config struct {
	Model      Model        `json:"model"`
	Tasks      []TaskConfig `json:"tasks"` // one per trained task, in the order of the heads
	Optimizer  Optimizer    `json:"optimizer"`
	Schedule   Schedule     `json:"schedule"`
	Seed       uint64       `json:"seed"`        // of the initial weights
	MicroBatch int          `json:"micro_batch"` // rows computed at a time, their gradients summed; 0: the whole batch
	Workers    int          `json:"-"`           // goroutines of a step; 0: GOMAXPROCS. Never changes the result
}

// TaskConfig is one head and its loss.
type TaskConfig struct {
	Task         string    `json:"task"`
	Loss         Loss      `json:"loss"`          // "": cross_entropy; binary_cross_entropy makes it a task of several labels
	Weight       float64   `json:"weight"`        // of the task's loss in the sum; 0 stands for 1
	ClassWeights []float64 `json:"class_weights"` // one per class; nil: all 1
	Classes      []string  `json:"classes"`
	Counts       []int64   `json:"counts"` // training samples of each class, for balanced softmax; no element for unknown labels

	PositiveWeights []float64 `json:"positive_weights,omitempty"` // one per class of a task of several labels; nil: all 1
}

// Model is a network and its options: a struct such as
// gorgoniatrainer.Recipe{PoolTo: 28}. The package that trains it exports it and
// lists it in a catalogue. A package in another module does the same, and its
// models can do everything that ours can.
//
// In trainer files, the model's options are the fields with a tag such as
// `sluice:"pool_to"`. A checkpoint holds the struct's JSON, and training resumes
// only if that is unchanged: so every option that affects the weights must be in
// it, with its default written out.
type Model interface {
	// Name is what trainer files, checkpoints and reports call it.
	Name() string
	// Check reports impossible options, each error after the option's name, such as
	// "pool_to: ". Joined errors are reported one by one.
	Check() error
	// New makes a trainer of this model with its initial weights. The configuration
	// has passed Config.Check, and its Model is the receiver.
	New(Config) (Trainer, error)
}

// Entry is a model that trainer files may name. A package of trainers exports its
// Catalog; a command concatenates those that it offers.
type Entry struct {
	New func() Model // a pointer to the options with their defaults
	Doc string       // one line
}

// New checks a configuration and makes its model's trainer.
func New(c Config) (Trainer, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return c.Model.New(c)
}

// WithDefaults writes out what zero values stand for.
func (c Config) WithDefaults() Config {
	c.Tasks = slices.Clone(c.Tasks)
	for i := range c.Tasks {
		t := &c.Tasks[i]
		if t.Loss == "" {
			t.Loss = CrossEntropy
		}
		if t.Weight == 0 {
			t.Weight = 1
		}
	}
	c.Optimizer = c.Optimizer.withDefaults()
	if c.Schedule.StepSize > 0 && c.Schedule.Gamma == 0 {
		c.Schedule.Gamma = 0.1
	}
	return c
}

// Check reports every mistake at once, each after the option's place in a trainer
// file, such as "tasks.shape.loss: ". Zero values that stand for defaults are
// valid.
func (c Config) Check() error {
	c = c.WithDefaults()
	var p problems
	p.model(c.Model)
	p.tasks(c.Tasks)
	p.optimizer("optimizer.adam.", c.Optimizer)
	p.schedule("schedule.step.", c.Schedule)
	if c.MicroBatch < 0 {
		p.addf("micro_batch", "%d rows: give a number above 0, or 0 for the whole batch", c.MicroBatch)
	}
	if c.Workers < 0 {
		p.addf("workers", "%d: give a number above 0, or 0 for all cores", c.Workers)
	}
	return errors.Join(p...)
}

func (p *problems) model(m Model) {
	if m == nil {
		p.addf("model", "missing: choose a model, such as softmax.Model{}")
		return
	}
	for _, err := range errlist.Split(m.Check()) {
		*p = append(*p, fmt.Errorf("model.%s.%w", m.Name(), err))
	}
}

func (p *problems) tasks(tasks []TaskConfig) {
	if len(tasks) == 0 {
		p.addf("tasks", "missing: name at least one task to train")
	}
	seen := map[string]bool{}
	for i, t := range tasks {
		place := "tasks." + t.Task
		if t.Task == "" {
			place = fmt.Sprintf("tasks.%d", i+1)
			p.addf(place, "it has no name")
		} else if seen[t.Task] {
			p.addf(place, "task %s is listed twice: a task has one head", t.Task)
		}
		seen[t.Task] = true
		p.task(place, t)
	}
}

func (p *problems) task(place string, t TaskConfig) {
	if !slices.Contains(t.Loss.Values(), string(t.Loss)) {
		p.addf(place+".loss", "unknown loss %q%s (losses: %s)", string(t.Loss),
			options.DidYouMean(options.Nearest(string(t.Loss), t.Loss.Values())), strings.Join(t.Loss.Values(), ", "))
	}
	if !positive(t.Weight) {
		p.addf(place+".weight", "%v is not above 0: leave the task out if you don't want to train it", t.Weight)
	}
	if !t.MultiLabel() && len(t.Classes) < 2 {
		p.addf(place, "%d classes: a task needs at least two", len(t.Classes))
	} else if len(t.Classes) == 0 {
		p.addf(place, "a task of several labels needs at least one class")
	}
	p.checkPositive(place, t)
	if t.ClassWeights != nil && t.MultiLabel() {
		p.addf(place+".class_weights", "task %s has several labels a sample: use positive_weights", t.Task)
	} else if t.ClassWeights != nil {
		if len(t.ClassWeights) != len(t.Classes) {
			p.addf(place+".class_weights", "%d weights for %d classes: %s", len(t.ClassWeights), len(t.Classes), phrase.List(t.Classes))
		}
		if err := longtail.CheckWeights(t.ClassWeights); err != nil {
			p.addf(place+".class_weights", "%v", err)
		}
	}
	if t.Counts != nil && len(t.Counts) != len(t.Classes) {
		p.addf(place, "%d counts for %d classes: %s", len(t.Counts), len(t.Classes), phrase.List(t.Classes))
	} else if t.Loss == BalancedSoftmax && !slices.ContainsFunc(t.Counts, func(n int64) bool { return n > 0 }) {
		p.addf(place+".loss", "balanced_softmax needs the number of training samples of each class, and there are none")
	}
	if slices.ContainsFunc(t.Counts, func(n int64) bool { return n < 0 }) {
		p.addf(place, "counts %v: they cannot be negative", t.Counts)
	}
}

// checkPositive reports positive weights that don't fit a task.
func (p *problems) checkPositive(place string, t TaskConfig) {
	switch {
	case t.PositiveWeights == nil:
	case !t.MultiLabel():
		p.addf(place+".positive_weights", "task %s has one label a sample: positive weights are of tasks of several labels; use class_weights", t.Task)
	case len(t.PositiveWeights) != len(t.Classes):
		p.addf(place+".positive_weights", "%d weights for %d classes: %s", len(t.PositiveWeights), len(t.Classes), phrase.List(t.Classes))
	default:
		for _, w := range t.PositiveWeights {
			if !(w > 0) || math.IsInf(w, 0) {
				p.addf(place+".positive_weights", "%v is not above 0", w)
			}
		}
	}
}

// MarshalJSON writes the model as an object with its name and options. It isn't
// read back: only a catalogue knows which type a name stands for.
func (c Config) MarshalJSON() ([]byte, error) {
	model, err := modelJSON(c.Model)
	if err != nil {
		return nil, err
	}
	type rest Config // without this method; its member model is the outer one
	return json.Marshal(struct {
		Model json.RawMessage `json:"model"`
		rest
	}{model, rest(c)})
}

// modelJSON is the model's JSON object, with its name as the first member.
func modelJSON(m Model) ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	name, err := json.Marshal(m.Name())
	if err != nil {
		return nil, err
	}
	members, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(members, []byte("{"))
	if !ok {
		return nil, fmt.Errorf("trainer: the JSON of model %s is %.100s: want an object of its options", m.Name(), members)
	}
	if rest[0] != '}' {
		name = append(name, ',')
	}
	return append(append([]byte(`{"name":`), name...), rest...), nil
}

// Offsets is what the task's loss adds to the logits, see Loss.Offsets.
func (c TaskConfig) Offsets() []float64 { return c.Loss.Offsets(c.Counts) }

// MultiLabel reports a task of several labels: a row has any number of its classes, each
// class is an output of its own, and the loss is binary cross-entropy.
func (c TaskConfig) MultiLabel() bool { return c.Loss == BinaryCrossEntropy }

// Criterion computes a task's loss of rows of logits and writes scale times its gradient,
// see SoftmaxLoss.
type Criterion func(logits []float32, target Target, scale float64, gradient []float32) float64

// Criterion is the task's loss: SoftmaxLoss, or BinaryLoss of a task of several labels.
func (c TaskConfig) Criterion() Criterion {
	if c.MultiLabel() {
		positive := slices.Clone(c.PositiveWeights)
		return func(logits []float32, target Target, scale float64, gradient []float32) float64 {
			return BinaryLoss(logits, target, positive, scale, gradient)
		}
	}
	offsets := c.Offsets()
	return func(logits []float32, target Target, scale float64, gradient []float32) float64 {
		return SoftmaxLoss(logits, target, offsets, scale, gradient)
	}
}
