package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/plandiff"
	"github.com/sluicedata/sluice/trainer"
)

type trainCmd struct {
	runFlags
	Trainer string `required:"" placeholder:"TRAINER.yaml" help:"Model, losses, optimizer, schedule, evaluation (YAML)."`
	Out     string `short:"o" required:"" placeholder:"DIR" help:"Directory for weights, checkpoint, log and report; made if missing."`
	Resume  bool   `help:"Go on from the last finished epoch of an earlier run."`
}

func (cmd *trainCmd) Run(ctx context.Context, c console) error {
	if err := named("--out", "a directory", cmd.Out); err != nil {
		return usageError{err}
	}
	pipe, err := cmd.load()
	file, badTrainer := pipefile.LoadTrain(cmd.Trainer, catalogs)
	if badTrainer != nil {
		badTrainer = unreadable(badTrainer, "the trainer file", cmd.Trainer)
	}
	if err := errors.Join(err, badTrainer); err != nil {
		return err
	}
	if cmd.Seed != nil {
		file.Seed = *cmd.Seed // another seed is another run: of the initial weights too
	}
	l := learning{Pipeline: pipe, Train: file, Dir: cmd.Out, Resume: cmd.Resume}
	fromFile := pipe.Settings.Epochs
	switch {
	case cmd.Epochs != nil: // applied by load
	case file.Epochs > 0:
		pipe.Settings.Epochs = file.Epochs
		if fromFile > 1 && fromFile != file.Epochs {
			l.Warnings = append(l.Warnings, fmt.Sprintf("%s says %d epochs, %s %d: the trainer's count", cmd.File, fromFile, cmd.Trainer, file.Epochs))
		}
	}
	if file.Eval.Use != "" {
		edits, err := cmd.edits()
		if err != nil {
			return usageError{err}
		}
		eval, err := cmd.read(cmd.File, append(edits, file.Eval.Edits()...)...)
		if err != nil {
			return fmt.Errorf("evaluation: %w", err)
		}
		eval.Settings.Workers, eval.Settings.Epochs = pipe.Settings.Workers, 1
		l.Evals = []evaluation{{Name: file.Eval.Use, Pipeline: eval}}
	}
	if file.Eval.Pipeline != "" {
		eval, err := pipefile.Load(file.Eval.Pipeline, catalogs)
		if err != nil {
			return unreadable(err, fmt.Sprintf("the pipeline file that %s names for the evaluation", cmd.Trainer), file.Eval.Pipeline)
		}
		eval.Settings.Workers, eval.Settings.Epochs = pipe.Settings.Workers, 1
		l.Evals = []evaluation{{Name: filepath.Base(file.Eval.Pipeline), Pipeline: eval}}
	}
	if len(l.Evals) > 0 { // what the training run has made ahead stays meanwhile
		budget := cmp.Or(pipe.Settings.Budget, flow.DefaultBudget)
		pipe.Settings.Budget, l.Evals[0].Pipeline.Settings.Budget = budget-budget/2, max(budget/2, 1)
	}
	l.Progress = newTrainLine(c.err, "train")
	if !cmd.JSON {
		l.OnStart = func(warnings []string) {
			l.Progress.clear()
			c.warn(warnings)
		}
		l.OnWarning = func(text string) { c.warn([]string{text}) }
		l.OnEpoch = func(r epochRecord) {
			l.Progress.clear()
			fmt.Fprintln(c.err, r.text(max(pipe.Settings.Epochs, 1)))
		}
	}
	report, err := l.run(ctx)
	l.Progress.done()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; the epochs finished so far are kept in %s: run the same command again with --resume, and it goes on there", err, cmd.Out)
	}
	if err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(c.out, report)
	}
	c.failures(report.Report)
	_, err = fmt.Fprint(c.err, report.text(cmd.Out))
	return err
}

// text is an epoch in a line.
func (r epochRecord) text(epochs int) string {
	line := fmt.Sprintf("epoch %d/%d: loss %.4f", r.Epoch+1, epochs, r.Loss)
	for _, name := range sortedKeys(r.Evaluations) {
		for _, task := range sortedKeys(r.Evaluations[name]) {
			m := r.Evaluations[name][task]
			line += fmt.Sprintf(", %s %s (rarest third %s)", task, percent(m.BalancedAccuracy), percent(m.Rarest))
		}
	}
	return line
}

// text sums a training run up.
func (r *trainReport) text(dir string) string {
	var b strings.Builder
	t := r.Train
	if n := len(t.Epochs); n > 0 {
		after := ""
		if r.after > 0 {
			after = " after the " + plural(r.after, "epoch") + " done before"
		}
		fmt.Fprintf(&b, "%s: %s in %s%s, loss %.4f, %.0f images/s\n  %s\n", dir, plural(t.Steps, "step"), plural(n, "epoch"), after,
			t.Epochs[n-1].Loss, r.ImagesPerSecond, r.Bottleneck)
	} else {
		fmt.Fprintf(&b, "%s: complete already, all of its %s\n", dir, plural(len(t.History), "epoch"))
	}
	for _, name := range sortedKeys(r.Tasks) {
		m := r.Tasks[name]
		fmt.Fprintf(&b, "  %s on %s: balanced accuracy %s, accuracy %s, recall of the rarest third %s\n",
			name, r.EvaluatedOn, percent(m.BalancedAccuracy), percent(m.Accuracy), percent(m.Rarest))
		b.WriteString(groups(m))
		b.WriteString(recalls(m))
	}
	return b.String()
}

// groups are the mean recalls of the classes with many, some and few training images,
// as papers on long tails have them; nothing where all classes are of one group.
func groups(m trainer.TaskMetrics) string {
	sizes := [3]int{}
	for _, n := range m.TrainCount {
		switch {
		case n > 100:
			sizes[0]++
		case n >= 20:
			sizes[1]++
		default:
			sizes[2]++
		}
	}
	var list []string
	for i, g := range []struct {
		name, of string
		recall   trainer.Share
	}{{"many", "more than 100", m.Many}, {"medium", "20 to 100", m.Medium}, {"few", "fewer than 20", m.Few}} {
		if n := sizes[i]; n > 0 {
			classes := plural(n, "class")
			list = append(list, fmt.Sprintf("%s %s (%s with %s training images)", g.name, percent(g.recall), classes, g.of))
		}
	}
	if len(list) < 2 {
		return ""
	}
	return "    recall: " + strings.Join(list, ", ") + "\n"
}

// recalls lists the classes, the commonest first; of many those at the ends.
func recalls(m trainer.TaskMetrics) string {
	const most = 20
	names := sortedKeys(m.TrainCount)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(m.TrainCount[b], m.TrainCount[a]) })
	var b strings.Builder
	for i, name := range names {
		if len(names) > most && i == most/2 {
			fmt.Fprintf(&b, "    ... %d classes in between: report.json has them\n", len(names)-most)
		}
		if len(names) > most && i >= most/2 && i < len(names)-most/2 {
			continue
		}
		recall := "not evaluated"
		if share, ok := m.Recall[name]; ok {
			recall = "recall " + percent(share)
		}
		fmt.Fprintf(&b, "    %-16s %6d training images, %s\n", name, m.TrainCount[name], recall)
	}
	return b.String()
}

// percent shows a share, which isn't defined where no row of its classes was evaluated.
func percent(s trainer.Share) string {
	if s.IsZero() {
		return "unknown"
	}
	return fmt.Sprintf("%.1f %%", 100*s)
}

// unreadable says of a file that cannot be read which one it is; other errors
// stay as they are.
func unreadable(err error, what, name string) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return usageError{pipefile.Error{File: name, Msg: fmt.Sprintf("cannot read %s: %v", what, path.Err)}}
	}
	return err
}

// checkForm refuses a pipeline whose images a trainer can't learn from, before
// anything runs.
func checkForm(p *flow.Plan) error {
	for _, v := range p.Variants {
		if err := trainer.CheckForm(p.Form, v.Tensor); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// missing warns of trained tasks that the data doesn't have.
func (e *evaluation) missing(cfg trainer.Config) (warnings []string) {
	for i, task := range cfg.Tasks {
		if e.columns[i] < 0 {
			warnings = append(warnings, fmt.Sprintf("evaluation %s: its data has no task %s, which is trained but not evaluated", e.Name, task.Task))
		}
	}
	return warnings
}

func taskNames(cfg trainer.Config) string {
	var names []string
	for _, t := range cfg.Tasks {
		names = append(names, t.Task)
	}
	return strings.Join(names, ", ")
}

// differing lists what two identities don't have in common: the settings and stages
// that changed, and the hashes only where nothing else tells.
func differing(there, here map[string]string) []string {
	var list, hashes []string
	for _, key := range sortedKeys(here) {
		before, after := []byte(there[key]), []byte(here[key])
		switch {
		case there[key] == here[key]:
		case strings.HasSuffix(key, "_hash"):
			hashes = append(hashes, plandiff.Texts(plandiff.Values(key, there[key], here[key]))...)
		case !json.Valid(before):
			list = append(list, fmt.Sprintf("%s: it cannot be read there", key))
		case key == "pipeline":
			list = append(list, plandiff.Texts(plandiff.Plans(before, after))...)
		default:
			list = append(list, plandiff.Texts(plandiff.JSON(key, before, after))...)
		}
	}
	if len(list) == 0 {
		return hashes
	}
	return list
}

// trainReport is what train --json prints and report.json holds.
type trainReport struct {
	*flow.Report
	Tasks       trainer.Metrics            `json:"tasks"`        // on the first evaluation's data
	EvaluatedOn string                     `json:"evaluated_on"` // its name
	Evaluations map[string]trainer.Metrics `json:"evaluations"`  // by name
	Train       trainFigures               `json:"train"`

	after int // epochs done before, by another run
}

// status2 marks errors of declarations that fit no data: exit status 2.
func status2(err error) error {
	if err == nil {
		return nil
	}
	if status(err) == exitUsage {
		return err
	}
	return usageError{err}
}
