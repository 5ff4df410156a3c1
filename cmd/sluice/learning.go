package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/atomicfile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/trainer"
)

// learning is one training run: a pipeline, a trainer, data to evaluate on, a
// directory. train and demo make it.
//
//	DIR/checkpoint.safetensors  weights and optimizer after the last finished epoch
//	DIR/weights.safetensors     weights alone, named as in a PyTorch state_dict; written at the end
//	DIR/log.jsonl               a line per step and per epoch
//	DIR/report.json             the report
type learning struct {
	Pipeline  *flow.Pipeline
	Train     *pipefile.TrainFile
	Evals     []evaluation // the first one's metrics are the report's
	Dir       string
	Resume    bool
	Overwrite bool // replace what an earlier run left
	Progress  *trainLine
	Warnings  []string
	OnStart   func(warnings []string) // before the first batch
	OnWarning func(text string)       // while it learns
	OnEpoch   func(epochRecord)

	start   int // epochs done by an earlier run
	plan    *flow.Plan
	config  trainer.Config
	trainer trainer.Trainer
	log     *trainLog
	last    map[string]trainer.Metrics
}

var learningFiles = []string{"checkpoint.safetensors", "weights.safetensors", "report.json", "log.jsonl"}

// evaluation is a held-out pipeline.
type evaluation struct {
	Name     string
	Pipeline *flow.Pipeline

	plan    *flow.Plan
	classes [][]int32 // per trained task: its label column's class numbers as the training set has them; nil: no such column
	columns []int
}

// trainFigures are the report's member "train".
type trainFigures struct {
	sinks.TrainReport
	Model   string        `json:"model"`
	Trainer trainer.Stats `json:"trainer"`
	History []epochRecord `json:"history"`
}

// epochRecord is an epoch's line of the log.
type epochRecord struct {
	Kind string `json:"kind"` // epoch
	sinks.EpochInfo
	Evaluations map[string]trainer.Metrics `json:"evaluations,omitempty"`
}

// stepRecord is a step's line of the log.
type stepRecord struct {
	Kind         string    `json:"kind"` // step
	Epoch        int       `json:"epoch"`
	Batch        int64     `json:"batch"`
	Scale        float64   `json:"scale"`
	Loss         float64   `json:"loss"`
	Losses       []float64 `json:"losses"` // per task; -1 where no row had a label
	LearningRate float64   `json:"learning_rate"`
}

func (l *learning) run(ctx context.Context) (report *trainReport, err error) {
	if l.plan, err = l.Pipeline.Plan(ctx, flow.OnProgress(l.Progress.update)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.plan.Close()) }()
	if err := checkForm(l.plan); err != nil {
		return nil, err
	}
	if l.config, err = l.Train.Config(&l.plan.Run); err != nil {
		return nil, status2(err)
	}
	if err := l.checkCounts(); err != nil {
		return nil, err
	}
	for i := range l.Evals {
		e := &l.Evals[i]
		if err := e.open(ctx, l.config); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, e.plan.Close()) }()
	}
	l.Warnings = append(l.Warnings, l.remarks()...)
	if l.trainer, err = trainer.New(l.config); err != nil {
		return nil, status2(err)
	}
	defer func() { err = errors.Join(err, l.trainer.Close()) }()
	if err := os.MkdirAll(l.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("train: cannot make the directory: %w", err)
	}
	unlock, err := sinks.Lock(l.Dir)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	defer unlock()
	start, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.log.close()) }()
	if l.OnStart != nil {
		l.OnStart(append(l.Warnings, l.plan.Warnings...))
	}
	l.start = start
	sink := &sinks.Trainer{Trainer: l.trainer, Start: start, OnStep: l.onStep, OnEpoch: l.onEpoch, OnWarning: l.warn}
	runReport, err := l.plan.Deliver(ctx, sink)
	if err != nil {
		return nil, err
	}
	return l.finish(ctx, runReport, sink.Report())
}

// identity is of what decides the weights: the plan, and the trainer sized by it.
func (l *learning) identity() (map[string]string, error) {
	cfg := l.config.WithDefaults()
	cfg.Workers = 0
	b, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return map[string]string{
		"plan_hash": l.plan.PlanHash, "pipeline": l.plan.Pipeline,
		"trainer_hash": hex.EncodeToString(sum[:]), "trainer": string(b),
	}, nil
}

func (l *learning) at(name string) string { return filepath.Join(l.Dir, name) }

// begin prepares the directory, and loads the checkpoint of a run to go on with.
func (l *learning) begin() (start int, err error) {
	if err := atomicfile.RemoveStale(l.Dir, learningFiles...); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	state, metadata, err := trainer.LoadCheckpoint(l.at("checkpoint.safetensors"), l.trainer.State())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// With --resume too, so that one command serves both.
		if l.Resume {
			l.Warnings = append(l.Warnings, fmt.Sprintf("%s holds no checkpoint to go on with: training begins with the first epoch", l.Dir))
		}
		if !l.Overwrite {
			if err := l.onlyOurs(); err != nil {
				return 0, err
			}
		}
	case l.Overwrite:
	case err != nil:
		return 0, fmt.Errorf("train: %w", err)
	case !l.Resume:
		return 0, fmt.Errorf("train: %s holds a training run of %s epochs: go on with --resume, or choose another directory", l.Dir, metadata["epochs"])
	default:
		if start, err = l.restore(state, metadata); err != nil {
			return 0, err
		}
	}
	l.log, err = openTrainLog(l.at("log.jsonl"), start)
	return start, err
}

// onlyOurs refuses a directory of something else.
func (l *learning) onlyOurs() error {
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, ".") || slices.Contains(learningFiles, name) || slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name))
		if !ours {
			return fmt.Errorf("train: %s holds other files (%s): choose a new directory", l.Dir, name)
		}
	}
	return nil
}

// classChanges compares the classes of two trainers' configurations.
func classChanges(there, here string) []string {
	tasks := func(text string) (list []schema.Task) {
		var cfg struct {
			Tasks []trainer.TaskConfig `json:"tasks"`
		}
		if json.Unmarshal([]byte(text), &cfg) != nil {
			return nil // what differs is said all the same
		}
		for _, t := range cfg.Tasks {
			list = append(list, schema.Task{Name: t.Task, Classes: t.Classes})
		}
		return list
	}
	return schema.ClassChanges(tasks(there), tasks(here))
}

func (l *learning) restore(state []trainer.Tensor, metadata map[string]string) (epochs int, err error) {
	id, err := l.identity()
	if err != nil {
		return 0, err
	}
	if list := append(classChanges(metadata["trainer"], id["trainer"]), differing(metadata, id)...); len(list) > 0 {
		return 0, fmt.Errorf("train: the checkpoint in %s is of another run; what differs, there -> here:\n  %s\nGo on with the same pipeline and trainer, or choose another directory", l.Dir, strings.Join(list, "\n  "))
	}
	if epochs, err = strconv.Atoi(metadata["epochs"]); err != nil || epochs < 1 {
		return 0, fmt.Errorf("train: the checkpoint in %s says %.20q epochs: it is damaged: begin anew in another directory", l.Dir, metadata["epochs"])
	}
	if i := slices.IndexFunc(state, func(t trainer.Tensor) bool { return t.Name == trainer.EpochsName }); i >= 0 && len(state[i].Data) == 1 && state[i].Data[0] != float32(epochs) {
		return 0, fmt.Errorf("train: the checkpoint in %s says %d epochs, and its state %v: it is damaged: begin anew in another directory", l.Dir, epochs, state[i].Data[0])
	}
	if epochs > l.plan.Epochs {
		return 0, fmt.Errorf("train: the checkpoint in %s has %d epochs behind it, more than the %d asked for: raise --epochs", l.Dir, epochs, l.plan.Epochs)
	}
	return epochs, l.trainer.Load(state)
}

func (l *learning) onStep(s sinks.StepInfo) {
	losses := slices.Clone(s.Losses.Tasks)
	for i, v := range losses {
		if v != v { // NaN, which JSON hasn't got
			losses[i] = -1
		}
	}
	l.log.write(stepRecord{"step", s.Epoch, s.Batch, s.Scale, s.Losses.Total, losses, s.LearningRate})
	l.Progress.step(s)
}

func (l *learning) warn(text string) {
	if l.OnWarning != nil {
		l.Progress.clear()
		l.OnWarning(text)
	}
}

// onEpoch evaluates and saves: the log first, so that a checkpoint never knows
// more epochs than the log. An epoch whose evaluation fails is kept too.
func (l *learning) onEpoch(ctx context.Context, info sinks.EpochInfo) error {
	record := epochRecord{Kind: "epoch", EpochInfo: info}
	done := info.Epoch + 1
	var failed error
	if done%l.Train.Eval.Every == 0 || done == l.plan.Epochs {
		record.Evaluations, failed = l.evaluate(ctx)
		l.last = record.Evaluations
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := l.save(record); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("%w; %s kept: mend the held-out data, or give its pipeline on_error, and go on with --resume", failed, plural(done, "epoch"))
	}
	if l.OnEpoch != nil {
		l.OnEpoch(record)
	}
	return nil
}

// evaluate measures on all held-out data.
func (l *learning) evaluate(ctx context.Context) (map[string]trainer.Metrics, error) {
	if len(l.Evals) == 0 {
		return nil, nil
	}
	out := map[string]trainer.Metrics{}
	for i := range l.Evals {
		m, err := l.Evals[i].measure(ctx, l.trainer, l.config)
		if err != nil {
			return nil, err
		}
		out[l.Evals[i].Name] = m
	}
	return out, nil
}

// save writes an epoch's record and the checkpoint after it.
func (l *learning) save(record epochRecord) error {
	l.log.write(record)
	if err := l.log.sync(); err != nil {
		return err
	}
	metadata, err := l.identity()
	if err != nil {
		return err
	}
	metadata["epochs"] = strconv.Itoa(record.Epoch + 1)
	return trainer.SaveCheckpoint(l.at("checkpoint.safetensors"), l.trainer.State(), metadata)
}

// finish writes weights and report.
func (l *learning) finish(ctx context.Context, run *flow.Report, train sinks.TrainReport) (*trainReport, error) {
	metadata, err := l.identity()
	if err != nil {
		return nil, err
	}
	if err := trainer.SaveSafetensors(l.at("weights.safetensors"), trainer.Weights(l.trainer.State()), metadata); err != nil {
		return nil, err
	}
	run.Warnings = slices.Concat(l.Warnings, run.Warnings, train.Warnings)
	run.Bottleneck = fmt.Sprintf("trainer busy %.0f %%, waiting for data %.0f %%, evaluating and saving %.0f %% of %.1f s",
		100*train.TrainingSeconds/run.Seconds, 100*(train.WaitingSeconds+train.FirstSeconds)/run.Seconds,
		100*train.BetweenSeconds/run.Seconds, run.Seconds)
	run.ImagesPerSecond = float64(run.Rows) / max(run.Seconds-train.BetweenSeconds, 1e-9) // evaluation is not of the pipeline's pace
	report := &trainReport{Report: run, after: l.start, Evaluations: map[string]trainer.Metrics{},
		Train: trainFigures{TrainReport: train, Model: l.config.Model.Name(), Trainer: l.trainer.Stats()}}
	if l.last == nil { // a resumed run with nothing left to do
		if l.last, err = l.evaluate(ctx); err != nil {
			return nil, err
		}
	}
	maps.Copy(report.Evaluations, l.last)
	if len(l.Evals) > 0 {
		report.EvaluatedOn = l.Evals[0].Name
		report.Tasks = report.Evaluations[report.EvaluatedOn]
	}
	if report.Train.History, err = l.log.epochs(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return report, atomicfile.Write(l.at("report.json"), append(b, '\n'))
}

// open plans a held-out pipeline and matches its classes by name.
func (e *evaluation) open(ctx context.Context, cfg trainer.Config) (err error) {
	if err := e.ownStatistics(); err != nil {
		return fmt.Errorf("evaluation %s: %w", e.Name, err)
	}
	if e.plan, err = e.Pipeline.Plan(ctx); err != nil {
		return fmt.Errorf("evaluation %s: %w", e.Name, err)
	}
	if e.plan.Scales {
		err = usageError{errors.New("leave multiscale out: one scale is evaluated")}
	} else {
		err = checkForm(e.plan)
	}
	for _, task := range cfg.Tasks {
		column := slices.IndexFunc(e.plan.Tasks, func(t schema.Task) bool { return t.Name == task.Task })
		var classes []int32
		if column >= 0 && err == nil {
			classes, err = trainer.MatchClasses(schema.Task{Name: task.Task, Classes: task.Classes}, e.plan.Tasks[column])
		}
		e.columns, e.classes = append(e.columns, column), append(e.classes, classes)
	}
	labelled := func(column int) bool {
		return column >= 0 && slices.ContainsFunc(e.plan.Counts[column][:len(e.plan.Tasks[column].Classes)], func(n int64) bool { return n > 0 })
	}
	if err == nil && slices.ContainsFunc(e.columns, func(c int) bool { return c >= 0 }) && !slices.ContainsFunc(e.columns, labelled) {
		err = usageError{fmt.Errorf("none of its samples has a label of a task that is trained (%s): there is nothing to compare with", taskNames(cfg))}
	}
	if err == nil && !slices.ContainsFunc(e.columns, func(c int) bool { return c >= 0 }) {
		err = usageError{fmt.Errorf("its data has none of the tasks that are trained (%s): give its source the same tasks", taskNames(cfg))}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("evaluation %s: %w", e.Name, err), e.plan.Close())
	}
	return nil
}

// measure evaluates the trainer on the whole held-out data.
func (e *evaluation) measure(ctx context.Context, t trainer.Trainer, cfg trainer.Config) (trainer.Metrics, error) {
	confusions := make([]*trainer.Confusion, len(cfg.Tasks))
	for i, task := range cfg.Tasks {
		confusions[i] = trainer.NewConfusion(schema.Task{Name: task.Task, Classes: task.Classes})
	}
	for batch, err := range e.plan.Batches(ctx) {
		if err != nil {
			return nil, fmt.Errorf("evaluation %s: %w", e.Name, err)
		}
		logits, err := t.Predict(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("evaluation %s: %w", e.Name, err)
		}
		for i, column := range e.columns {
			if column < 0 {
				continue
			}
			if err := confusions[i].Add(logits[i], trainer.Translate(batch.Labels(column), e.classes[i]), nil); err != nil {
				return nil, fmt.Errorf("evaluation %s: %w", e.Name, err)
			}
		}
	}
	out := trainer.Metrics{}
	for i, task := range cfg.Tasks {
		if e.columns[i] >= 0 {
			out[task.Task] = confusions[i].Metrics(task.Counts)
		}
	}
	return out, nil
}
