package trainer

import (
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

// Config is all that decides what a trainer does, beside the data. Heads are
// sized by the tasks' classes, which come from the pipeline: see Spec.
type Config struct {
	Model      Model        `json:"model"`
	Tasks      []TaskConfig `json:"tasks"` // one per trained task, in the order of the heads
	Optimizer  Optimizer    `json:"optimizer"`
	Schedule   Schedule     `json:"schedule"`
	Seed       uint64       `json:"seed"`        // of the initial weights
	MicroBatch int          `json:"micro_batch"` // rows computed at a time, their gradients summed; 0: the whole batch
	Workers    int          `json:"-"`           // goroutines of a step; 0: GOMAXPROCS. Never changes a byte
}

// MarshalJSON writes the model as an object of its name and options. It isn't
// read back: which type a name stands for is known to a catalogue only.
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

// Loss names a task's loss.
type Loss string

// The losses.
const (
	CrossEntropy    Loss = "cross_entropy"    // weighted mean over the rows, as torch.nn.CrossEntropyLoss
	BalancedSoftmax Loss = "balanced_softmax" // cross-entropy of z + log n_c (Ren et al. 2020)
)

// Values lists the losses.
func (Loss) Values() []string { return []string{string(CrossEntropy), string(BalancedSoftmax)} }

// TaskConfig is one head and its loss.
type TaskConfig struct {
	Task         string    `json:"task"`
	Loss         Loss      `json:"loss"`          // "": cross_entropy
	Weight       float64   `json:"weight"`        // of the task's loss in the sum; 0 stands for 1
	ClassWeights []float64 `json:"class_weights"` // one per class; nil: all 1
	Classes      []string  `json:"classes"`
	Counts       []int64   `json:"counts"` // training samples of each class, for balanced softmax; no element for unknown labels
}

// Optimizer is Adam with coupled weight decay, torch.optim.Adam.
type Optimizer struct {
	LearningRate float64     `json:"lr" sluice:"lr,positive" default:"0.001" doc:"learning rate of the first epoch"`
	Betas        *[2]float64 `json:"betas" sluice:"betas" default:"[0.9, 0.999]" doc:"decay of the running means of gradient and squared gradient, each from 0 to below 1"`
	Eps          float64     `json:"eps" sluice:"eps,positive" default:"1e-8" doc:"added to the root of the squared gradient"`
	WeightDecay  float64     `json:"weight_decay" sluice:"weight_decay" doc:"multiple of the weights that is added to the gradient"`
}

// Schedule is torch.optim.lr_scheduler.StepLR, stepped once per epoch; the zero
// value keeps the rate.
type Schedule struct {
	StepSize int     `json:"size" sluice:"size,positive" doc:"epochs between two changes of the rate"`
	Gamma    float64 `json:"gamma" sluice:"gamma,positive" default:"0.1" doc:"factor of each change"`
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

func (o Optimizer) withDefaults() Optimizer {
	if o.LearningRate == 0 {
		o.LearningRate = 0.001
	}
	if o.Betas == nil { // not [0, 0], which PyTorch takes, too
		o.Betas = &[2]float64{0.9, 0.999}
	}
	if o.Eps == 0 {
		o.Eps = 1e-8
	}
	return o
}

// Check reports everything that is wrong, each error behind the option's place
// in a TRAINER.yaml, such as "tasks.shape.loss: ". Zero values that stand for a
// default are right.
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

// problems collects errors.
type problems []error

func (p *problems) addf(option, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", option, fmt.Sprintf(format, args...)))
}

func (p *problems) model(m Model) {
	if m == nil {
		p.addf("model", "missing: choose the network")
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
			p.addf(place, "task %s is there twice: a task has one head", t.Task)
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
		p.addf(place+".weight", "%v is not above 0: leave the task out if it is not to be trained", t.Weight)
	}
	if len(t.Classes) < 2 {
		p.addf(place, "%d classes: there is nothing to tell apart", len(t.Classes))
	}
	if t.ClassWeights != nil {
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
		p.addf(place+".loss", "balanced_softmax needs the training samples of each class, and there are none")
	}
	if slices.ContainsFunc(t.Counts, func(n int64) bool { return n < 0 }) {
		p.addf(place, "counts %v: they cannot be negative", t.Counts)
	}
}

// Check reports impossible options, each error behind the option's name.
func (o Optimizer) Check() error {
	var p problems
	p.optimizer("", o.withDefaults())
	return errors.Join(p...)
}

// Check reports impossible options, each error behind the option's name.
func (s Schedule) Check() error {
	var p problems
	if s.StepSize > 0 && s.Gamma == 0 {
		s.Gamma = 0.1
	}
	p.schedule("", s)
	return errors.Join(p...)
}

func (p *problems) optimizer(place string, o Optimizer) {
	if !positive(o.LearningRate) {
		p.addf(place+"lr", "%v is not above 0", o.LearningRate)
	}
	for _, b := range o.Betas {
		if !(b >= 0 && b < 1) {
			p.addf(place+"betas", "%v is not in 0..1, or is 1", b)
		}
	}
	if !positive(o.Eps) {
		p.addf(place+"eps", "%v is not above 0", o.Eps)
	}
	if !(o.WeightDecay >= 0) || math.IsInf(o.WeightDecay, 0) {
		p.addf(place+"weight_decay", "%v is not 0 or above", o.WeightDecay)
	}
}

func (p *problems) schedule(place string, s Schedule) {
	switch {
	case s.StepSize < 0:
		p.addf(place+"size", "%d epochs: give a number above 0", s.StepSize)
	case s.StepSize == 0 && s.Gamma != 0:
		p.addf(place+"gamma", "%v changes nothing without size: say after how many epochs", s.Gamma)
	case s.StepSize > 0 && !positive(s.Gamma):
		p.addf(place+"gamma", "%v is not above 0", s.Gamma)
	}
}

// positive is also false of NaN and infinity.
func positive(x float64) bool { return x > 0 && !math.IsInf(x, 0) }
