package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/trainer"
)

type trainCmd struct {
	runFlags
	Trainer string `required:"" placeholder:"TRAINER.yaml" help:"Model, losses, optimizer, schedule, evaluation (YAML)."`
	Out     string `short:"o" required:"" help:"Directory for weights, checkpoint, log and report; made if missing."`
	Resume  bool   `help:"Go on from the last finished epoch of an earlier run."`
}

func (cmd *trainCmd) Run(ctx context.Context, c console) error {
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	file, err := pipefile.LoadTrain(cmd.Trainer)
	if err != nil {
		return err
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
	if file.Eval.Pipeline != "" {
		eval, err := pipefile.Load(file.Eval.Pipeline, catalogs)
		if err != nil {
			return err
		}
		eval.Settings.Workers = pipe.Settings.Workers
		l.Evals = []evaluation{{Name: filepath.Base(file.Eval.Pipeline), Pipeline: eval}}
	}
	l.Progress = newTrainLine(c.err, "train")
	report, err := l.run(ctx)
	l.Progress.done()
	if err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(c.out, report)
	}
	c.warn(report.Warnings)
	_, err = fmt.Fprint(c.err, report.text(cmd.Out))
	return err
}

// text sums a training run up.
func (r *trainReport) text(dir string) string {
	var b strings.Builder
	t := r.Train
	fmt.Fprintf(&b, "%s: %d steps in %d epochs", dir, t.Steps, len(t.Epochs))
	if n := len(t.Epochs); n > 0 {
		fmt.Fprintf(&b, ", loss %.4f", t.Epochs[n-1].Loss)
	}
	fmt.Fprintf(&b, ", %.0f images/s; %s\n", r.ImagesPerSecond, r.Bottleneck)
	for _, name := range sortedKeys(r.Tasks) {
		m := r.Tasks[name]
		fmt.Fprintf(&b, "  %s on %s: balanced accuracy %.1f %%, accuracy %.1f %%, rarest third %.1f %%\n",
			name, r.EvaluatedOn, 100*m.BalancedAccuracy, 100*m.Accuracy, 100*m.Rarest)
	}
	return b.String()
}

// trainReport is what train --json prints and report.json holds.
type trainReport struct {
	*flow.Report
	Tasks       trainer.Metrics            `json:"tasks"`        // on the first evaluation's data
	EvaluatedOn string                     `json:"evaluated_on"` // its name
	Evaluations map[string]trainer.Metrics `json:"evaluations"`  // by name
	Train       trainFigures               `json:"train"`
}

// status2 marks errors of declarations that fit no data: exit status 2.
func status2(err error) error {
	if err == nil {
		return nil
	}
	var done usageError
	if errors.As(err, &done) {
		return err
	}
	return usageError{err}
}
