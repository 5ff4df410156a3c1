package learning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/trainer"
)

// Training declares a training run.
type Training struct {
	// Pipeline makes the batches: float32 CHW tensors, see trainer.CheckForm. Its
	// epochs are the training's.
	Pipeline *flow.Pipeline
	// Trainer declares the trainer, which is sized for the pipeline's data:
	// trainer.Spec{Model: ...}, or a trainer file, *pipefile.TrainFile.
	Trainer Declaration
	// Evaluations run after every Every epochs (0 stands for 1) and after the last
	// one. The metrics of the first are the report's.
	Evaluations []Evaluation
	Every       int
	// Dir gets checkpoint.safetensors after each epoch, log.jsonl, and at the end
	// weights.safetensors, named as in a PyTorch state_dict, and report.json. It is
	// made if missing, and locked while the run lasts.
	Dir      string
	Existing Existing // what to do about an earlier run in Dir
	Warnings []string // the caller's own, reported before the others

	// Callbacks, each of which may be nil. They are called one at a time, and
	// training waits for them.
	OnStart   func(warnings []string) // before the first batch
	OnStep    func(sinks.StepInfo)    // after each optimizer step
	OnEpoch   func(EpochRecord)       // once the checkpoint is there
	OnWarning func(text string)       // of what shows during training
}

// Declaration is a trainer before its data are known.
type Declaration interface {
	// Config sizes it for the tasks, classes and counts of a run.
	Config(run *schema.Run) (trainer.Config, error)
}

// Run trains. The options are the pipeline's, such as flow.Epochs(20) and
// flow.OnProgress. When the context ends, so does the run, with the context's
// cause, and the epochs finished so far are kept: with Existing: Resume the same
// call continues there, and ends with the very bytes of weights that an
// uninterrupted run has.
//
// Mistakes in the declarations are a *SetupError, a *flow.PipelineError or the
// Declaration's own error, and leave no directory behind. What another Training's
// settings would allow is a *RemedyError.
func (t Training) Run(ctx context.Context, opts ...flow.Option) (report *Report, err error) {
	plan, evalOptions, err := t.plan(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	cfg, err := t.config(plan)
	if err != nil {
		return nil, err
	}
	l := &loop{epochs: plan.Info().Epochs, every: max(t.Every, 1), onStep: t.OnStep, onEpoch: t.OnEpoch}
	for _, e := range t.Evaluations {
		planned, failed := e.plan(ctx, cfg.Tasks, evalOptions...)
		if failed != nil {
			return nil, failed
		}
		defer func() { err = errors.Join(err, planned.close()) }() // err is Run's: nothing here may shadow it
		l.evaluations = append(l.evaluations, planned)
	}
	warnings := slices.Concat(t.Warnings, remarks(plan, cfg, l.evaluations))
	if l.trainer, err = trainer.New(cfg); err != nil {
		return nil, setup(err)
	}
	defer func() { err = errors.Join(err, l.trainer.Close()) }()
	id, err := newIdentity(plan.Info(), cfg)
	if err != nil {
		return nil, err
	}
	var start int
	var found []string
	if l.dir, start, found, err = openDirectory(t.Dir, t.Existing, id, l.trainer, plan.Info().Epochs); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.dir.close()) }()
	warnings = append(warnings, found...)
	if t.OnStart != nil {
		t.OnStart(slices.Concat(warnings, plan.Warnings()))
	}
	sink := &sinks.Trainer{Trainer: l.trainer, Start: start, OnStep: l.step, OnEpoch: l.epoch, OnWarning: t.OnWarning}
	run, err := plan.Deliver(ctx, sink)
	if err != nil {
		return nil, err
	}
	if l.last == nil { // a resumed run with nothing left to do
		if l.last, err = l.evaluate(ctx); err != nil {
			return nil, err
		}
	}
	report = newReport(run, sink.Report(), warnings)
	report.Train.Model, report.Train.Trainer, report.EpochsBefore = cfg.Model.Name(), l.trainer.Stats(), start
	maps.Copy(report.Evaluations, l.last)
	if len(l.evaluations) > 0 {
		report.EvaluatedOn = l.evaluations[0].name
		report.Tasks = report.Evaluations[report.EvaluatedOn]
	}
	if err := l.dir.finish(l.trainer, report); err != nil {
		return nil, err
	}
	return report, nil
}

// plan makes the training's plan, and the options of the evaluations' plans. Both
// share the budget: batches made ahead stay in memory during an evaluation.
func (t Training) plan(ctx context.Context, opts []flow.Option) (plan *flow.Plan, evaluations []flow.Option, err error) {
	if t.Pipeline == nil || t.Trainer == nil || t.Dir == "" {
		return nil, nil, &SetupError{errors.New("learning: a Training needs a Pipeline, a Trainer and a Dir")}
	}
	names := map[string]bool{}
	for _, e := range t.Evaluations {
		if e.Pipeline == nil || e.Name == "" || names[e.Name] {
			return nil, nil, &SetupError{fmt.Errorf("learning: evaluation %q: it needs a pipeline, and a name of its own", e.Name)}
		}
		names[e.Name] = true
	}
	settings := t.Pipeline.Settings
	for _, set := range opts {
		set(&settings)
	}
	if len(t.Evaluations) > 0 {
		budget := cmp.Or(settings.Budget, flow.DefaultBudget)
		opts = append(slices.Clone(opts), flow.Budget(budget-budget/2))
		evaluations = []flow.Option{flow.Epochs(1), flow.Workers(settings.Workers), flow.Budget(max(budget/2, 1))}
	}
	plan, err = t.Pipeline.Plan(ctx, opts...)
	return plan, evaluations, err
}

// config sizes the trainer and checks that there is something to learn.
func (t Training) config(plan *flow.Plan) (cfg trainer.Config, err error) {
	if err := trainer.CheckLabels(plan.Info()); err != nil { // whatever the pictures are
		return cfg, setup(err)
	}
	if err := checkForm(plan); err != nil {
		return cfg, err
	}
	if cfg, err = t.Trainer.Config(plan.Info()); err != nil {
		return cfg, setup(err)
	}
	if cfg.Model == nil {
		return cfg, &SetupError{errors.New("learning: the Trainer's configuration has no Model")}
	}
	return cfg, checkCounts(plan, cfg)
}

// newReport is the report of a run, with what only the sink knows.
func newReport(run *flow.Report, train sinks.TrainReport, warnings []string) *Report {
	run.Warnings = slices.Concat(warnings, run.Warnings, train.Warnings)
	run.Bottleneck = fmt.Sprintf("trainer busy %.0f %%, waiting for data %.0f %%, evaluating and saving %.0f %% of %.1f s",
		100*train.TrainingSeconds/run.Seconds, 100*(train.WaitingSeconds+train.FirstSeconds)/run.Seconds,
		100*train.BetweenSeconds/run.Seconds, run.Seconds)
	run.ImagesPerSecond = float64(run.Rows) / max(run.Seconds-train.BetweenSeconds, 1e-9) // evaluation is no part of the pipeline's pace
	return &Report{Report: run, Evaluations: map[string]trainer.Metrics{}, Train: Figures{TrainReport: train}}
}
