package pipefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// TrainFile is a TRAINER.yaml:
//
//	model: recipe                  # small_cnn, softmax, or {recipe: {pool_to: 56}}
//	tasks: {shape: {loss: cross_entropy, class_weights: inverse, weight: 1}, tags: {positive_weights: balanced}}   # default: every task
//	optimizer: {adam: {lr: 0.001, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01}}
//	schedule: {step: {size: 10, gamma: 0.1}}   # stepped once per epoch; default: none
//	epochs: 20
//	seed: 1                        # of the initial weights
//	micro_batch: 8                 # rows computed at a time; default: the whole batch
//	eval: {pipeline: val.yaml, every: 1}
//
// eval: {use: val, without: [rebalance, flip]} derives the evaluation's pipeline from the
// training file.
type TrainFile struct {
	trainer.Spec
	Epochs int // 0: not given
	Eval   Evaluation

	file   string           // its name; "": made in Go
	places map[string]place // of the options, such as "tasks.shape.class_weights"
}

// Evaluation says on what to evaluate, and how often.
type Evaluation struct {
	Pipeline string   `sluice:"pipeline,path" doc:"pipeline file of the held-out data, relative to this file"`
	Use      string   `sluice:"use" doc:"instead of pipeline: the training pipeline, with this side of its split"`
	Without  []string `sluice:"without" doc:"with use: stages to leave out, such as rebalance, rotate, flip and multiscale"`
	Every    int      `sluice:"every,positive" default:"1" doc:"epochs between two evaluations; the last epoch is always evaluated"`
}

// Edits turn the training file into the evaluation's pipeline.
func (e *Evaluation) Edits() (list []Edit) {
	for _, stage := range e.Without {
		list = append(list, Edit{Flag: "eval: without: " + stage, Path: stage, Remove: true})
	}
	return append(list, Edit{Flag: "eval: use: " + e.Use, Path: "split.use", Value: e.Use})
}

type trainSettings struct {
	Epochs     int32  `sluice:"epochs,positive" doc:"passes over the data"`
	Seed       uint64 `sluice:"seed" default:"0" doc:"of the initial weights, 0 to 2^64-1"`
	MicroBatch int32  `sluice:"micro_batch,positive" doc:"rows computed at a time, their gradients summed"`
}

var trainKeys = []string{"model", "tasks", "optimizer", "schedule", "epochs", "seed", "micro_batch", "eval"}

// LoadTrain reads a TRAINER.yaml, which may name the catalogues' models. Relative paths
// in it are relative to its folder. All mistakes are reported at once, as Errors.
func LoadTrain(path string, c Catalogs) (*TrainFile, error) {
	if options.IsURL(path) {
		return nil, fmt.Errorf("pipefile: cannot read the trainer: %w", urlError(path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("pipefile: cannot read the trainer: %w", err)
	}
	return ParseTrain(path, data, filepath.Dir(path), c)
}

// ParseTrain reads a TRAINER.yaml from memory; see Parse.
func ParseTrain(name string, data []byte, folder string, c Catalogs) (*TrainFile, error) {
	r := reader{mistakes: mistakes{file: name}, catalogs: c, folder: folder}
	f := &TrainFile{file: name, places: map[string]place{}}
	root := r.parseYAML(data)
	for i := range r.list {
		r.list[i].Msg = ofTrainer.Replace(r.list[i].Msg)
	}
	if root != nil {
		r.train(root, f)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// ofTrainer rewords parseYAML's messages for trainer files.
var ofTrainer = strings.NewReplacer("pipeline file", "trainer file", "holds one pipeline", "holds one trainer",
	"a pipeline needs version, source and stages", "a trainer needs a model")

func (r *reader) train(root *node, f *TrainFile) {
	if root.kind == refused {
		return
	}
	if root.kind != mapKind {
		r.add(root.place, "a trainer is a map with the keys %s; this is %s", strings.Join(trainKeys, ", "), root.have())
		return
	}
	var s trainSettings
	modelSeen := false
	for _, e := range root.entries {
		f.places[e.key] = e.place
		switch e.key {
		case "model":
			modelSeen = true
			r.model(e, f)
		case "tasks":
			r.tasks(e, f)
		case "optimizer":
			if c, ok := r.component("optimizer", e.value, []string{"adam"}); ok {
				g := r.options("adam", &f.Optimizer, c.options)
				r.check("adam", c.place, f.Optimizer.Check(), g)
			}
		case "schedule":
			r.schedule(e, f)
		case "epochs", "seed", "micro_batch":
			if !e.value.valid() {
				continue
			}
			if err := options.Set(&s, e.key, e.value.plain()); err != nil {
				r.add(e.value.place, "%v", err)
			} else if s.Epochs < 0 || s.MicroBatch < 0 {
				r.add(e.value.place, "%s: %v is negative", e.key, e.value.plain())
			}
		case "eval":
			r.eval(e, f)
		default:
			near := options.Nearest(e.key, trainKeys)
			modelSeen = modelSeen || near == "model"
			r.add(e.place, "unknown key %q%s (keys: %s)", e.key, options.DidYouMean(near), strings.Join(trainKeys, ", "))
		}
	}
	if !modelSeen {
		r.add(root.place, "model is missing: give one of %s", strings.Join(modelNames(r.catalogs), ", "))
	}
	f.Epochs, f.Seed, f.MicroBatch = int(s.Epochs), s.Seed, int(s.MicroBatch)
	f.Eval.Every = max(f.Eval.Every, 1)
}

func (r *reader) schedule(e entry, f *TrainFile) {
	if c, ok := r.component("schedule", e.value, []string{"step"}); ok {
		g := r.options("step", &f.Schedule, c.options)
		s := f.Schedule
		if s.StepSize == 0 { // without it gamma can't be told to be right
			s.StepSize = 1
			if !g.failed["size"] && !g.none {
				r.add(c.place, "step: size is missing: the number of epochs between changes of the rate")
			}
		}
		r.check("step", c.place, s.Check(), g)
	}
}

func (r *reader) eval(e entry, f *TrainFile) {
	g := r.options("eval", &f.Eval, e.value)
	switch ev := &f.Eval; {
	case g.none || g.failed["pipeline"] || g.failed["use"]:
	case ev.Pipeline == "" && ev.Use == "":
		r.add(e.place, "eval: pipeline is missing: name the pipeline file of the held-out data, or the side of the training file's split, use: val")
	case ev.Pipeline != "" && (ev.Use != "" || len(ev.Without) > 0):
		r.add(e.place, "eval: pipeline names another file: leave out use and without, or pipeline")
	}
	if f.Eval.Every < 0 {
		r.add(g.at["every"], "eval: every: %d is negative", f.Eval.Every)
	}
}

func (r *reader) model(e entry, f *TrainFile) {
	c, ok := r.component("model", e.value, modelNames(r.catalogs))
	if !ok {
		return
	}
	ptr := r.catalogs.Models[c.number].New()
	given := r.options(c.name, ptr, c.options)
	r.check(c.name, c.place, ptr.Check(), given)
	f.Model = value(ptr)
}

func modelNames(c Catalogs) []string {
	names := make([]string, len(c.Models))
	for i, e := range c.Models {
		names[i] = e.New().Name()
	}
	return names
}

func (r *reader) tasks(e entry, f *TrainFile) {
	if e.value.kind != mapKind {
		r.add(e.value.place, "tasks: want a map from task to its options, such as {shape: {loss: cross_entropy}}, have %s", e.value.have())
		return
	}
	f.Tasks = map[string]trainer.TaskSpec{}
	for _, t := range e.value.entries {
		var spec trainer.TaskSpec
		who := "tasks: " + t.key
		g := r.options(who, &spec, t.value)
		if spec.Weight < 0 {
			r.add(g.at["weight"], "%s: weight: %v is not above 0: leave out the task if it should not be trained", who, spec.Weight)
		}
		if !spec.ClassWeights.IsZero() {
			if err := spec.ClassWeights.Check(); err != nil {
				r.add(g.at["class_weights"], "%s: class_weights: %v", who, err)
			}
		}
		if err := spec.PositiveWeights.Check(); err != nil {
			r.add(g.at["positive_weights"], "%s: positive_weights: %v", who, err)
		}
		f.Tasks[t.key] = spec
		f.places["tasks."+t.key] = t.place
		for option, at := range g.at {
			f.places["tasks."+t.key+"."+option] = at
		}
	}
}

// Config fits the trainer to the data of a run: see trainer.Spec. What doesn't fit is
// reported as Errors, like other mistakes in the file.
func (f *TrainFile) Config(run *schema.Run) (trainer.Config, error) {
	cfg, err := f.Spec.Config(run)
	var errs []error
	for _, e := range errlist.Split(err) {
		task := ""
		if of := new(trainer.TaskError); errors.As(e, &of) {
			task = of.Task
		}
		errs = append(errs, f.placed(task, e))
	}
	return cfg, asErrors(errs)
}

// placed gives an error the place of the option that its text begins with, such as
// "tasks.shape.loss: ", or that of the task; without either it returns the error as it is.
func (f *TrainFile) placed(task string, err error) error {
	msg := err.Error()
	at, found := f.places["tasks."+task]
	longest := 0
	if found {
		longest = len("tasks.")
	}
	for option, p := range f.places {
		rest, ok := strings.CutPrefix(msg, option)
		if ok && strings.HasPrefix(rest, ":") && len(option) > longest {
			at, found, longest = p, true, len(option)
		}
	}
	if f.file == "" || !found {
		return err
	}
	return Error{f.file, at.line, at.column, msg}
}

// asErrors turns errors into Errors, if all have a place.
func asErrors(list []error) error {
	var m mistakes
	for _, err := range list {
		var e Error
		if !errors.As(err, &e) {
			return errors.Join(list...)
		}
		m.list = append(m.list, e)
	}
	return m.err()
}
