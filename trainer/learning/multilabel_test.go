package learning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/learning"
	"github.com/sluicedata/sluice/trainer/softmax"
)

// stripes is a source in memory with two tasks: which parts of a grey picture are bright,
// any number of them, and whether any is. Of every ninth picture that isn't known.
type stripes struct {
	Side    string
	Number  int
	Places  []string // the classes, in their order
	One     bool     // places are a task of one label: the first
	Unknown bool     // no sample's places are known
}

func (stripes) Name() string { return "stripes" }
func (stripes) Check() error { return nil }

func (s stripes) Open(context.Context) (sources.Dataset, error) {
	d := &squaresData{}
	d.index.TaskList = []schema.Task{{Name: "any", Classes: []string{"none", "some"}}}
	d.index.Labels = [][]int32{nil}
	if s.One {
		d.index.TaskList[0] = schema.Task{Name: "places", Classes: s.Places}
	} else {
		d.index.ColumnList = []schema.Column{{Name: schema.ColumnLabel + "places", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}}
		d.index.Values = [][]any{nil}
		d.index.Targets = &schema.TargetTable{Spec: &schema.TargetSpec{Multi: []schema.Task{{Name: "places", Classes: s.Places}}}}
	}
	for i := range s.Number {
		img, list := image.NewGray(image.Rect(0, 0, 8, 8)), []int32{}
		for p := range img.Pix {
			img.Pix[p] = uint8((p + 7*i) % 40)
			if place := p / 16; place < 3 && i>>place&1 == 1 {
				img.Pix[p] += 180
				if class := int32(slices.Index(s.Places, places[place])); !slices.Contains(list, class) {
					list = append(list, class)
				}
			}
		}
		var buf bytes.Buffer
		if err := png.Encode(&buf, img); err != nil {
			return nil, err
		}
		d.files = append(d.files, buf.Bytes())
		d.index.Keys = append(d.index.Keys, fmt.Sprintf("%s/%03d.png", s.Side, i))
		d.index.Sizes = append(d.index.Sizes, int64(buf.Len()))
		d.index.Labels[0] = append(d.index.Labels[0], int32(min(len(list), 1)))
		if s.One {
			continue
		}
		if i%9 == 8 || s.Unknown {
			d.index.Values[0] = append(d.index.Values[0], nil)
		} else {
			d.index.Values[0] = append(d.index.Values[0], list)
		}
	}
	return d, nil
}

// TestSeveralLabels trains a task of one label and one of several, and evaluates them on
// data whose classes are in another order.
func TestSeveralLabels(t *testing.T) {
	train := stripes{Side: "train", Number: 45, Places: places}
	held := stripes{Side: "val", Number: 27, Places: []string{"bottom", "top", "middle"}}
	run := learning.Training{
		Pipeline: pipeline(train, stages.Shuffle{}),
		Trainer: trainer.Spec{Model: softmax.Model{}, Optimizer: trainer.Optimizer{LearningRate: 0.02}, Seed: 3,
			Tasks: map[string]trainer.TaskSpec{"any": {}, "places": {PositiveWeights: trainer.PositiveWeights{Balanced: true}}}},
		Evaluations: []learning.Evaluation{{Name: "val", Pipeline: pipeline(held)}},
		Dir:         filepath.Join(t.TempDir(), "run"),
	}
	report, err := run.Run(t.Context(), flow.Epochs(20))
	if err != nil {
		t.Fatal(err)
	}
	m := report.Tasks["places"]
	if !m.MultiLabel || m.Rows != 24 || !(m.MeanAveragePrecision > 0.99) || !(m.MeanF1 > 0.9) || len(m.AveragePrecision) != 3 {
		t.Errorf("places: %+v", m)
	}
	// Of 0..26 without every ninth, the numbers with bit 0 and with bit 2.
	if m.Count["top"] != 12 || m.Count["bottom"] != 12 || m.TrainCount["top"] != 20 {
		t.Errorf("places: counts %v, in the training %v", m.Count, m.TrainCount)
	}
	if any := report.Tasks["any"]; any.MultiLabel || !(any.Accuracy > 0.8) || any.F1["some"].IsZero() || any.AveragePrecision["some"].IsZero() {
		t.Errorf("any: %+v", any)
	}
	data, err := os.ReadFile(filepath.Join(run.Dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back learning.Report
	if err := json.Unmarshal(data, &back); err != nil || back.Tasks["places"].MeanF1 != m.MeanF1 || !back.Tasks["places"].MultiLabel {
		t.Errorf("report.json: %+v, %v", back.Tasks["places"], err)
	}
}

// TestSeveralLabelsRefused: what doesn't fit is said before anything is trained.
func TestSeveralLabelsRefused(t *testing.T) {
	several := stripes{Side: "train", Number: 9, Places: places}
	one, fewer := several, several
	one.One, fewer.Places = true, []string{"top", "middle", "bottom", "left"}
	unknown := several
	unknown.Unknown = true
	for want, c := range map[string]struct{ train, val stripes }{
		"evaluation val: task places has one label a sample, and in the training several":  {several, one},
		"evaluation val: task places has several labels a sample, and in the training one": {one, several},
		"task places: the training set has no class left":                                  {several, fewer},
		"task places: none of the 9 samples that are drawn counts":                         {unknown, several},
	} {
		run := learning.Training{Pipeline: pipeline(c.train, stages.Shuffle{}), Trainer: trainer.Spec{Model: softmax.Model{}},
			Evaluations: []learning.Evaluation{{Name: "val", Pipeline: pipeline(c.val)}}, Dir: filepath.Join(t.TempDir(), "run")}
		if _, err := run.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error %q, have %v", want, err)
		}
	}
}

// TestSeveralLabelsBalancedTwice: drawn more often where they are rare, and weighted for being rare.
func TestSeveralLabelsBalancedTwice(t *testing.T) {
	tags := stripes{Side: "train", Number: 5, Places: places} // two of five have each class but the last, which one has
	rarest := pipeline(tags, stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"places"}, Draws: 100})
	for _, c := range []struct {
		pipeline *flow.Pipeline
		weighted bool
		want     bool
	}{{rarest, true, true}, {rarest, false, false}, {pipeline(tags, stages.Shuffle{}), true, false}} {
		l := training(t)
		l.Evaluations, l.Pipeline = nil, c.pipeline
		l.Trainer = trainer.Spec{Model: softmax.Model{}, Tasks: map[string]trainer.TaskSpec{"places": {PositiveWeights: trainer.PositiveWeights{Balanced: c.weighted}}}}
		var told string
		l.OnStart = func(warnings []string) { told = strings.Join(warnings, "\n") }
		if _, err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if have := strings.Contains(told, "task places is balanced twice, by the pipeline's rebalance and by the loss (positive_weights)"); have != c.want {
			t.Errorf("weighted %v: warnings %q", c.weighted, told)
		}
	}
}
