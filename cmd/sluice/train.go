package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/learning"
)

type trainCmd struct {
	runFlags
	Trainer string `required:"" placeholder:"TRAINER.yaml" help:"Model, losses, optimizer, schedule, evaluation (YAML)."`
	Out     string `short:"o" required:"" placeholder:"DIR" help:"Directory for weights, checkpoint, log and report; made if missing."`
	Resume  bool   `help:"Resume from the last completed epoch of an earlier run."`
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
	training := learning.Training{Pipeline: pipe, Trainer: file, Every: file.Eval.Every, Dir: cmd.Out}
	if cmd.Resume {
		training.Existing = learning.Resume
	}
	fromFile := pipe.Settings.Epochs
	switch {
	case cmd.Epochs != nil: // applied by load
	case file.Epochs > 0:
		pipe.Settings.Epochs = file.Epochs
		if fromFile > 1 && fromFile != file.Epochs {
			training.Warnings = append(training.Warnings, fmt.Sprintf("%s says %d epochs, %s %d: the trainer's count", cmd.called(cmd.File), fromFile, cmd.Trainer, file.Epochs))
		}
	}
	if training.Evaluations, err = cmd.evaluations(&file.Eval); err != nil {
		return err
	}
	line := newTrainLine(c.err, "train")
	training.OnStep = line.step
	if !cmd.JSON { // the report has them
		warn := func(list ...string) {
			line.clear()
			c.warn(list)
		}
		training.OnStart = func(warnings []string) { warn(warnings...) }
		training.OnWarning = func(text string) { warn(text) }
		training.OnEpoch = func(r learning.EpochRecord) {
			line.clear()
			fmt.Fprintln(c.err, epochText(r, max(pipe.Settings.Epochs, 1)))
		}
	}
	report, err := training.Run(ctx, flow.OnProgress(line.update))
	line.done()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; the epochs completed so far are kept in %s: run the same command again with --resume to continue", err, cmd.Out)
	}
	if err != nil {
		return withFlag(err)
	}
	if cmd.JSON {
		return c.report(report, trainText(report, cmd.Out))
	}
	c.failures(report.Report, lists(pipe.Settings.Failures))
	_, err = fmt.Fprint(c.err, trainText(report, cmd.Out))
	return err
}

// evaluations reads the pipeline of the held-out data: a file of its own, or the
// training's with another side of the split.
func (cmd *trainCmd) evaluations(eval *pipefile.Evaluation) ([]learning.Evaluation, error) {
	switch {
	case eval.Pipeline != "":
		read, err := pipefile.LoadFile(eval.Pipeline, catalogs) // its sink, if it has one, is for materialize
		if err != nil {
			return nil, unreadable(err, fmt.Sprintf("the pipeline file that %s names for the evaluation", cmd.Trainer), eval.Pipeline)
		}
		return []learning.Evaluation{{Name: filepath.Base(eval.Pipeline), Pipeline: read.Pipeline}}, nil
	case eval.Use != "":
		edits, err := cmd.edits()
		if err != nil {
			return nil, usageError{err}
		}
		pipe, err := cmd.read(cmd.File, append(edits, eval.Edits()...)...)
		if err != nil {
			return nil, fmt.Errorf("evaluation: %w", err)
		}
		return []learning.Evaluation{{Name: eval.Use, Pipeline: pipe}}, nil
	}
	return nil, nil
}

// remedies name the flags that do what an error advises.
var remedies = map[learning.Remedy]string{
	learning.ToResume:   "--resume resumes an earlier run",
	learning.MoreEpochs: "--epochs sets their number",
}

// withFlag adds the flag that helps, if there is one.
func withFlag(err error) error {
	var of *learning.RemedyError
	if errors.As(err, &of) && remedies[of.Remedy] != "" {
		return fmt.Errorf("%w\n(%s)", err, remedies[of.Remedy])
	}
	return err
}

// epochText is an epoch in a line.
func epochText(r learning.EpochRecord, epochs int) string {
	line := fmt.Sprintf("epoch %d/%d: loss %.4f", r.Epoch+1, epochs, r.Loss)
	for _, name := range slices.Sorted(maps.Keys(r.Evaluations)) {
		for _, task := range slices.Sorted(maps.Keys(r.Evaluations[name])) {
			m := r.Evaluations[name][task]
			if m.MultiLabel {
				line += fmt.Sprintf(", %s average precision %s (rarest third %s)", task, percent(m.MeanAveragePrecision), percent(m.RarestAveragePrecision))
				continue
			}
			line += fmt.Sprintf(", %s %s (rarest third %s)", task, percent(m.BalancedAccuracy), percent(m.Rarest))
		}
	}
	return line
}

// trainText sums a training run up.
func trainText(r *learning.Report, dir string) string {
	var b strings.Builder
	t := r.Train
	if n := len(t.Epochs); n > 0 {
		after := ""
		if r.EpochsBefore > 0 {
			after = " after the " + phrase.Count(r.EpochsBefore, "epoch") + " done before"
		}
		fmt.Fprintf(&b, "%s: %s in %s%s, loss %.4f, %.0f images/s\n  %s\n", dir, phrase.Count(t.Steps, "step"), phrase.Count(n, "epoch"), after,
			t.Epochs[n-1].Loss, r.ImagesPerSecond, r.Bottleneck)
	} else {
		fmt.Fprintf(&b, "%s: complete already, all of its %s\n", dir, phrase.Count(len(t.History), "epoch"))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Tasks)) {
		m := r.Tasks[name]
		if m.MultiLabel {
			fmt.Fprintf(&b, "  %s on %s: mean average precision %s, of the rarest third %s; at a probability of 0.5 mean precision %s, recall %s, F1 %s\n",
				name, r.EvaluatedOn, percent(m.MeanAveragePrecision), percent(m.RarestAveragePrecision), percent(m.MeanPrecision), percent(m.MeanRecall), percent(m.MeanF1))
		} else {
			fmt.Fprintf(&b, "  %s on %s: balanced accuracy %s, accuracy %s, recall of the rarest third %s; mean F1 %s, average precision %s\n",
				name, r.EvaluatedOn, percent(m.BalancedAccuracy), percent(m.Accuracy), percent(m.Rarest), percent(m.MeanF1), percent(m.MeanAveragePrecision))
		}
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
			classes := phrase.Count(n, "class")
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
	names := slices.Sorted(maps.Keys(m.TrainCount))
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
			if m.MultiLabel {
				recall += ", precision " + of(m.Precision, name)
			}
			recall += ", F1 " + of(m.F1, name) + ", average precision " + of(m.AveragePrecision, name)
		}
		fmt.Fprintf(&b, "    %-16s %6d training images, %s\n", name, m.TrainCount[name], recall)
	}
	return b.String()
}

// of shows a class's share.
func of(shares map[string]trainer.Share, class string) string {
	if share, ok := shares[class]; ok {
		return percent(share)
	}
	return "unknown"
}

// percent shows a share, which isn't defined where no row of its classes was evaluated.
func percent(s trainer.Share) string {
	if s.IsZero() {
		return "unknown"
	}
	return fmt.Sprintf("%.1f %%", 100*s)
}

// unreadable names the file that cannot be read; other errors
// stay as they are.
func unreadable(err error, what, name string) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return usageError{pipefile.Error{File: name, Msg: fmt.Sprintf("cannot read %s: %v", what, path.Err)}}
	}
	return err
}

// trainLine is the progress line of a training run.
type trainLine struct {
	*progressLine
	current atomic.Pointer[sinks.StepInfo]
}

func newTrainLine(w io.Writer, what string) *trainLine {
	return &trainLine{progressLine: newProgressLine(w, what)}
}

func (l *trainLine) step(s sinks.StepInfo) { l.current.Store(&s) }

func (l *trainLine) update(p flow.Progress) {
	if s := l.current.Load(); s != nil {
		p.Bottleneck = fmt.Sprintf("epoch %d  loss %.4f  %s a step, waited %s", s.Epoch+1, s.Losses.Total,
			s.Train.Round(time.Millisecond), s.Wait.Round(time.Millisecond))
	}
	l.progressLine.update(p)
}
