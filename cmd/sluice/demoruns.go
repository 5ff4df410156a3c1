package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/trainer/learning"
)

//go:embed demo/*.yaml
var demoFiles embed.FS

var demoTemplates = template.Must(template.ParseFS(demoFiles, "demo/*.yaml"))

// demoRun is one of the demo's training runs: all have the same initial weights
// and make the same number of optimizer steps.
type demoRun struct {
	Name, Short, Title, Head, What           string // Title and Head as people say it, beside a figure and in a sentence
	Augment, Rebalance, ClassWeights, Scales bool

	Seed                    uint64
	Side                    int // of the pictures, in pixels
	Epochs, StepSize, Every int
}

var demoRuns = []demoRun{
	{Name: "plain", Head: "Plain training", Title: "Plain", Short: "plain", What: "every image once an epoch, as it is"},
	{Name: "augmentation", Head: "Augmentation", Title: "Augmentation", Short: "augm.", What: "rotate, crop and flip", Augment: true},
	{Name: "rebalancing", Head: "Rebalancing", Title: "Rebalancing", Short: "rebal.", What: "rare shapes drawn more often", Rebalance: true},
	{Name: "both", Head: "Rebalancing and augmentation together", Title: "Both together", Short: "both", What: "rare shapes drawn more often, each time as another view", Augment: true, Rebalance: true},
	{Name: "class_weights", Head: "Class weights", Title: "Class weights", Short: "weights", What: "as plain, the loss of rare shapes weighs more", ClassWeights: true},
	{Name: "both_multiscale", Head: "Rebalancing and augmentation at three scales", Title: "Both, at 3 scales", Short: "both, 3 scales", What: "as both, each batch at the scales 0.5, 1 and 1.5", Augment: true, Rebalance: true, Scales: true},
}

const (
	demoSide   = 16
	demoEpochs = 60 // a multiple of the number of scales
)

// evaluations of the demo, by name: the first one's figures are the report's.
var demoEvals = []struct {
	Name, File, What string
	Crop             bool
}{
	{"whole image", "val-whole.yaml", "the whole image", false},
	{"center crop", "val-crop.yaml", "the fixed counterpart of the augmentation's crop: the same size, in the middle", true},
}

// of fills in what the runs of one demo have in common.
func (r demoRun) of(seed uint64, epochs int) demoRun {
	r.Seed, r.Side, r.Epochs = seed, demoSide, epochs
	if r.Scales {
		r.Epochs = max(1, epochs/3) // a batch is three steps
	}
	r.StepSize = max(1, r.Epochs*3/4)
	r.Every = max(1, r.Epochs/10)
	return r
}

// dir is where a run's files lie, below the demo's folder.
func (r demoRun) dir() string { return filepath.Join("runs", r.Name) }

// demoFile fills in a template.
func demoFile(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	err := demoTemplates.ExecuteTemplate(&b, name, data)
	return b.Bytes(), err
}

// file writes one of the demo's files, unless the user has changed it, and
// returns what the demo itself goes by.
func (cmd *demoCmd) file(template, name string, data any) ([]byte, error) {
	content, err := demoFile(template, data)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(cmd.at(name)), 0o777); err != nil {
		return nil, err
	}
	edited, err := keepOrWrite(cmd.at(name), content)
	if edited {
		cmd.edited = append(cmd.edited, name)
	}
	return content, err
}

// evaluations writes and reads the held-out pipelines.
func (cmd *demoCmd) evaluations() ([]learning.Evaluation, error) {
	var list []learning.Evaluation
	for _, e := range demoEvals {
		content, err := cmd.file("val.yaml", e.File, map[string]any{"What": e.What, "Crop": e.Crop, "Side": demoSide})
		if err != nil {
			return nil, err
		}
		pipe, err := pipefile.Parse(e.File, content, cmd.Out, catalogs)
		if err != nil {
			return nil, err
		}
		pipe.Settings.Workers = cmd.workers()
		list = append(list, learning.Evaluation{Name: e.Name, Pipeline: pipe})
	}
	return list, nil
}

// train makes one run.
func (cmd *demoCmd) train(ctx context.Context, c console, r demoRun, label string) (*learning.Report, error) {
	dir := cmd.at(r.dir())
	content, err := cmd.file("run.yaml", filepath.Join(r.dir(), "pipeline.yaml"), r)
	if err != nil {
		return nil, err
	}
	pipe, err := pipefile.Parse("pipeline.yaml", content, dir, catalogs)
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", r.Name, err)
	}
	pipe.Settings.Workers, pipe.Settings.Epochs = cmd.workers(), r.Epochs
	if content, err = cmd.file("trainer.yaml", filepath.Join(r.dir(), "trainer.yaml"), r); err != nil {
		return nil, err
	}
	file, err := pipefile.ParseTrain("trainer.yaml", content, dir, catalogs)
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", r.Name, err)
	}
	evals, err := cmd.evaluations()
	if err != nil {
		return nil, err
	}
	line := newTrainLine(c.err, label)
	defer line.done()
	report, err := learning.Training{
		Pipeline: pipe, Trainer: file, Evaluations: evals, Every: file.Eval.Every,
		Dir: dir, Existing: learning.Overwrite, OnStep: line.step,
	}.Run(ctx, flow.OnProgress(line.update))
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", r.Name, err)
	}
	return report, nil
}
