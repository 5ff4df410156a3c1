package main

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/learning"
)

func find[S stages.Stage](p *flow.Pipeline) (found S, ok bool) {
	for _, s := range p.Stages {
		if named, is := s.(interface{ Unwrap() stages.Stage }); is {
			s = named.Unwrap()
		}
		if found, ok = s.(S); ok {
			return found, true
		}
	}
	return found, false
}

// The runs differ in what their names say, and in nothing else.
func TestDemoRunsAreFair(t *testing.T) {
	dir := t.TempDir()
	if _, err := demodata.Write(t.Context(), demodata.Spec{Dir: dir + "/data", Seed: 1, Train: 70, Val: 50}, nil); err != nil {
		t.Fatal(err)
	}
	var steps int64
	var same trainer.Config
	for i, r := range demoRuns {
		run := r.of(5, demoEpochs)
		content, err := demoFile("run.yaml", run)
		if err != nil {
			t.Fatal(err)
		}
		pipe, err := pipefile.Parse(r.Name, content, dir+"/runs/x", catalogs)
		if err != nil {
			t.Fatal(err)
		}
		if source := pipe.Source.(sources.Folder); source.Path != dir+"/data/train" {
			t.Errorf("%s: trains on %s", r.Name, source.Path)
		}
		_, rotate := find[stages.Rotate](pipe)
		crop, crops := find[stages.Crop](pipe)
		_, flip := find[stages.Flip](pipe)
		rebalance, rebalances := find[stages.Rebalance](pipe)
		scales, multi := find[stages.MultiScale](pipe)
		if rotate != r.Augment || crops != r.Augment || flip != r.Augment || rebalances != r.Rebalance || multi != r.Scales {
			t.Errorf("%s: rotate %v, crop %v, flip %v, rebalance %v, multiscale %v", r.Name, rotate, crops, flip, rebalances, multi)
		}
		if crops && crop.Size != 0.9 || rebalances && rebalance.Target != stages.SquareRoot || multi && !slices.Equal(scales.Scales, []float64{0.5, 1, 1.5}) {
			t.Errorf("%s: %v, %v, %v", r.Name, crop, rebalance, scales)
		}
		plan, err := pipe.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Close(); err != nil {
			t.Fatal(err)
		}
		if content, err = demoFile("trainer.yaml", run); err != nil {
			t.Fatal(err)
		}
		file, err := pipefile.ParseTrain(r.Name, content, dir, catalogs)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := file.Config(plan.Info())
		if err != nil {
			t.Fatal(err)
		}
		n := plan.Info().BatchesPerEpoch * int64(len(plan.Info().Variants)) * int64(file.Epochs)
		decay := float64(cfg.Schedule.StepSize) / float64(file.Epochs)
		weights := cfg.Tasks[0].ClassWeights
		cfg.Tasks[0].ClassWeights, cfg.Schedule.StepSize = nil, 0
		if i == 0 {
			steps, same = n, cfg
		}
		if n != steps || decay != 0.75 || file.Epochs != run.Epochs || plan.Info().Seed != 5 || cfg.Seed != 5 {
			t.Errorf("%s: %d steps and not %d, the rate falls at %v of them, seeds %d and %d", r.Name, n, steps, decay, plan.Info().Seed, cfg.Seed)
		}
		if !reflect.DeepEqual(cfg, same) {
			t.Errorf("%s: another trainer: %+v\nthan %+v", r.Name, cfg, same)
		}
		if (weights != nil) != r.ClassWeights || weights != nil && !(weights[0] != weights[9]) {
			t.Errorf("%s: class weights %v", r.Name, weights)
		}
	}
}

// The runs are evaluated on the held-out images: whole, and their centre crop.
func TestDemoEvaluations(t *testing.T) {
	cmd := &demoCmd{Out: t.TempDir()}
	evals, err := cmd.evaluations()
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range evals {
		if source := e.Pipeline.Source.(sources.Folder); source.Path != cmd.at("data/val") {
			t.Errorf("%s: of %s", e.Name, source.Path)
		}
		crop, ok := find[stages.CenterCrop](e.Pipeline)
		if ok != (i == 1) || ok && crop.Size != 0.9 {
			t.Errorf("%s: crop %v %v", e.Name, ok, crop)
		}
	}
}

func TestDemoTable(t *testing.T) {
	report := &demoReport{Runs: map[string]*learning.Report{}}
	report.Data.Shapes = []string{"a", "b", "c"}
	report.Data.Counts = map[string]int{"train/a": 9, "train/b": 3, "train/c": 1}
	for i, r := range demoRuns {
		m := func(shift float64) trainer.Metrics {
			return trainer.Metrics{
				"shape": {BalancedAccuracy: trainer.Share(0.3 + 0.1*float64(i) + shift), Rarest: 0.2, Recall: map[string]trainer.Share{"a": trainer.Share(0.9 - 0.1*float64(i)), "b": 0.5, "c": 0.25}},
				"color": {BalancedAccuracy: 0.75},
			}
		}
		report.Runs[r.Name] = &learning.Report{Tasks: m(0), Evaluations: map[string]trainer.Metrics{demoEvals[0].Name: m(0), demoEvals[1].Name: m(0.01)}}
	}
	table := newDemoTable(report)
	got := map[string][]float64{}
	for _, row := range append(table.Rows, table.Sums...) {
		for _, v := range row.Values {
			got[row.Name] = append(got[row.Name], math.Round(v*10)/10)
		}
	}
	for name, want := range map[string][]float64{
		"a":                     {90, 80, 70, 60, 50, 40},
		"c":                     {25, 25, 25, 25, 25, 25},
		"balanced, whole image": {30, 40, 50, 60, 70, 80},
		"balanced, center crop": {31, 41, 51, 61, 71, 81},
		"commonest third":       {90, 80, 70, 60, 50, 40},
		"  against plain":       {0, -10, -20, -30, -40, -50},
		"color, balanced":       {75, 75, 75, 75, 75, 75},
	} {
		if !slices.Equal(got[name], want) {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
}

// The page's headline says what the figures say, whichever run is best.
func TestDemoFinding(t *testing.T) {
	table := func(balanced, rarest, common []float64) demoTable {
		return demoTable{Sums: []demoRow{
			{Name: "balanced, whole image", Values: balanced}, {Name: "rarest third, whole image", Values: rarest}, {Name: "commonest third", Values: common},
		}}
	}
	for _, c := range []struct {
		name       string
		table      demoTable
		head, lead string
	}{
		{"both", table([]float64{66.5, 80, 67, 83.7, 68, 83}, []float64{22.8, 48, 26, 57.8, 27, 63}, []float64{97, 96, 95, 95.4, 96, 94}),
			"Rebalancing and augmentation together find 58 of 100 rare shapes, plain training 23",
			"Balanced accuracy rises from 67 to 84 %, and the commonest shapes lose 1.6 points by it."},
		{"augmentation", table([]float64{66, 80, 67, 70, 68, 69}, []float64{20, 48.4, 26, 30, 27, 30}, []float64{95, 96, 95, 95, 96, 94}),
			"Augmentation finds 48 of 100 rare shapes, plain training 20",
			"Balanced accuracy rises from 66 to 80 %, and the commonest shapes gain 1.0 points."},
		{"no gain for the rare", table([]float64{66, 80, 67, 70, 68, 69}, []float64{20, 19, 26, 30, 27, 30}, []float64{95, 96, 95, 95, 96, 94}),
			"Augmentation: balanced accuracy 80 %, plain training 66 %",
			"The rarest shapes gain nothing by it here, and the commonest shapes gain 1.0 points."},
		{"plain", table([]float64{66, 60, 60, 60, 60, 60}, []float64{20, 20, 20, 20, 20, 20}, []float64{95, 95, 95, 95, 95, 95}),
			"Nothing beats plain training here", "Of six ways to train the same network"},
	} {
		f := newFinding(c.table)
		if f.Head != c.head || !strings.HasPrefix(f.Lead, c.lead) {
			t.Errorf("%s:\n%s\n%s\nwant\n%s\n%s", c.name, f.Head, f.Lead, c.head, c.lead)
		}
	}
}

// Names beside a chart don't lie over each other, nor over its ends.
func TestChartLabels(t *testing.T) {
	c := chart{Height: 240}
	for _, y := range []float64{10, 12, 11, 235, 238, 100} {
		c.Lines = append(c.Lines, chartLine{LastY: y})
	}
	c.label()
	var at []float64
	for _, l := range c.Lines {
		at = append(at, l.LabelY)
	}
	slices.Sort(at)
	for i := range at {
		if at[i] < 0 || at[i] > c.Height || i > 0 && at[i]-at[i-1] < 16 {
			t.Errorf("labels at %v", at)
		}
	}
}
