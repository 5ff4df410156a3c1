package trainer

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
)

// goldenMulti is testdata/multilabel.json, written by testdata/multilabel.py.
type goldenMulti struct {
	Losses []struct {
		Logits   []float32
		Classes  int
		Positive []float64
		Weights  []float32
		Unknown  []int
		Has      [][]int32
		Loss     float64
		Gradient []float64
	}
	Rankings []struct {
		Scores                []float32
		Has                   []bool
		AveragePrecision      float64 `json:"average_precision"`
		Precision, Recall, F1 float64
	}
}

func readMulti(t *testing.T) (g goldenMulti) {
	t.Helper()
	data, err := os.ReadFile("testdata/multilabel.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Losses) == 0 || len(g.Rankings) == 0 {
		t.Fatal("testdata/multilabel.json is empty: cd trainer/testdata && python multilabel.py > multilabel.json")
	}
	return g
}

// tagged is a batch of 1x1 images with a task of several labels and one of one label. A nil
// list is unknown.
func tagged(t *testing.T, classes int, lists [][]int32, weights []float32) *schema.Batch {
	t.Helper()
	names := make([]string, classes)
	for i := range names {
		names[i] = string(rune('a' + i))
	}
	run := &schema.Run{Form: schema.FormTensor, Tasks: []schema.Task{{Name: "shape", Classes: []string{"x", "y"}}},
		Targets:  &schema.TargetSpec{Multi: []schema.Task{{Name: "tags", Classes: names}}},
		Columns:  []schema.Column{{Name: "label.tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}, {Name: "label.size", Type: arrow.PrimitiveTypes.Float32}},
		Variants: []schema.Variant{{Scale: 1, Tensor: schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 1, Width: 1}}}}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	builder, err := schema.NewBuilder(run, mem)
	if err != nil {
		t.Fatal(err)
	}
	draft := builder.Draft(0, 0, len(lists))
	for i, list := range lists {
		m := schema.Meta{Key: "key", Labels: []int32{schema.Unknown}, Weight: weights[i], Values: []any{nil, float32(1)}}
		if list != nil {
			m.Values[0] = list
		}
		clear(draft.Slot(i).F32)
		draft.SetMeta(i, m)
	}
	batch, err := draft.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(batch.Release)
	return batch
}

// TestBinaryLossIsTorchs: by way of a batch, all rows at once and in two parts.
func TestBinaryLossIsTorchs(t *testing.T) {
	for number, c := range readMulti(t).Losses {
		lists := slices.Clone(c.Has)
		for _, row := range c.Unknown {
			lists[row] = nil
		}
		batch := tagged(t, c.Classes, lists, c.Weights)
		config := Config{Tasks: []TaskConfig{{Task: "tags", Loss: BinaryCrossEntropy, Classes: make([]string, c.Classes), PositiveWeights: c.Positive}}}
		targets, rows, err := config.Targets(batch)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for row, w := range c.Weights {
			if w > 0 && !slices.Contains(c.Unknown, row) {
				want++
			}
		}
		if rows != want {
			t.Errorf("case %d: %d rows count, want %d", number, rows, want)
		}
		const scale = 0.5
		for _, cut := range []int{0, 2} {
			loss, gradient := 0.0, make([]float32, len(c.Logits))
			for _, part := range [][2]int{{0, cut}, {cut, len(lists)}} {
				from, to := part[0]*c.Classes, part[1]*c.Classes
				loss += config.Tasks[0].Criterion()(c.Logits[from:to], targets[0].Rows(part[0], part[1]), scale, gradient[from:to])
			}
			if !(math.Abs(loss-c.Loss) <= 1e-12*c.Loss) {
				t.Errorf("case %d: %.17g, torch has %.17g", number, loss, c.Loss)
			}
			for i, g := range c.Gradient {
				if !(math.Abs(float64(gradient[i])-scale*g) <= 1e-7*math.Abs(scale*g)+1e-17) { // torch's sigmoid(z) - 1 is 0 below
					t.Errorf("case %d: gradient of logit %v is %v, torch has %v", number, c.Logits[i], gradient[i], scale*g)
				}
			}
		}
	}
}

// TestBinaryLossMasks: masked rows have no influence, whatever their logits.
func TestBinaryLossMasks(t *testing.T) {
	nan := float32(math.NaN())
	target := Target{Multi: []bool{true, false, true, true}, Weights: []float32{2, 0}, Sum: 2}
	gradient := []float32{7, 7, 7, 7}
	have := BinaryLoss([]float32{1, -1, nan, nan}, target, nil, 1, gradient)
	if want := math.Log(1 + math.Exp(-1)); !(math.Abs(have-want) < 1e-15) || gradient[2] != 0 || gradient[3] != 0 || gradient[0] == 7 {
		t.Errorf("%v, want %v; gradient %v", have, want, gradient)
	}
	if have := BinaryLoss([]float32{nan, -1, 1, 1}, target, nil, 1, nil); !math.IsNaN(have) {
		t.Errorf("a NaN gave %v", have)
	}
	if have := BinaryLoss([]float32{1, -1}, Target{Multi: []bool{true, false}, Weights: []float32{0}}, nil, 1, gradient); !math.IsNaN(have) || gradient[0] != 0 {
		t.Errorf("without a row %v, gradient %v", have, gradient)
	}
}

func TestMultiTargets(t *testing.T) {
	batch := tagged(t, 3, [][]int32{{2, 0}, {}, nil, {1}}, []float32{1, 0.5, 1, 0})
	tags := TaskConfig{Task: "tags", Loss: BinaryCrossEntropy, Classes: []string{"a", "b", "c"}}
	targets, rows, err := Config{Tasks: []TaskConfig{tags, {Task: "shape", Classes: []string{"x", "y"}}}}.Targets(batch)
	if err != nil {
		t.Fatal(err)
	}
	if want := []bool{true, false, true, false, false, false, false, false, false, false, true, false}; !slices.Equal(targets[0].Multi, want) {
		t.Errorf("classes %v, want %v", targets[0].Multi, want)
	}
	if want := []float32{1, 0.5, 0, 0}; !slices.Equal(targets[0].Weights, want) || targets[0].Sum != 1.5 || rows != 2 || targets[1].Sum != 0 {
		t.Errorf("weights %v of sum %v, %d rows", targets[0].Weights, targets[0].Sum, rows)
	}
	for want, c := range map[string]TaskConfig{
		"label 2 of task tags is not in 0..1 (key \"key\")": {Task: "tags", Loss: BinaryCrossEntropy, Classes: []string{"a", "b"}},
		"no column label.shape of several labels":           {Task: "shape", Loss: BinaryCrossEntropy, Classes: []string{"a", "b"}},
		"no column label.size of several labels":            {Task: "size", Loss: BinaryCrossEntropy, Classes: []string{"a", "b"}},
		"task tags is not in the batch (tasks: shape)":      {Task: "tags", Classes: []string{"a", "b"}},
		"task size is not in the batch (tasks: shape)":      {Task: "size", Classes: []string{"a", "b"}},
	} {
		if _, _, err := (Config{Tasks: []TaskConfig{c}}).Targets(batch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error %q, have %v", want, err)
		}
	}
}

// TestMultiMetrics compares with testdata/multilabel.py, whose average precision is
// scikit-learn's.
func TestMultiMetrics(t *testing.T) {
	for number, c := range readMulti(t).Rankings {
		m := NewMultiLabel(schema.Task{Name: "tags", Classes: []string{"none", "a"}})
		for row, z := range c.Scores {
			var classes []int32
			if c.Has[row] {
				classes = []int32{1}
			}
			if err := m.Add([]float32{-z, z}, classes); err != nil {
				t.Fatal(err)
			}
		}
		have := m.Metrics([]int64{150, 3})
		for what, pair := range map[string][2]float64{
			"average precision": {float64(have.AveragePrecision["a"]), c.AveragePrecision},
			"precision":         {float64(have.Precision["a"]), c.Precision},
			"recall":            {float64(have.Recall["a"]), c.Recall},
			"F1":                {float64(have.F1["a"]), c.F1},
			"mean F1":           {float64(have.MeanF1), c.F1}, // the other class has no rows
			"mAP":               {float64(have.MeanAveragePrecision), c.AveragePrecision},
			"rarest":            {float64(have.RarestAveragePrecision), c.AveragePrecision},
			"few":               {float64(have.Few), c.Recall},
		} {
			if !(math.Abs(pair[0]-pair[1]) <= 1e-12) {
				t.Errorf("case %d: %s is %v, Python has %v", number, what, pair[0], pair[1])
			}
		}
		if _, ok := have.AveragePrecision["none"]; ok || !math.IsNaN(float64(have.Many)) || have.Rows != int64(len(c.Scores)) || !have.MultiLabel {
			t.Errorf("case %d: %+v", number, have)
		}
	}
	m := NewMultiLabel(schema.Task{Name: "tags", Classes: []string{"a", "b"}})
	for want, add := range map[string]func() error{
		"a logit of class b is NaN": func() error { return m.Add([]float32{0, float32(math.NaN())}, nil) },
		"label 2 is not in 0..1":    func() error { return m.Add([]float32{0, 0}, []int32{2}) },
		"1 logits of 2 classes":     func() error { return m.Add([]float32{0}, nil) },
	} {
		if err := add(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error %q, have %v", want, err)
		}
	}
}

// TestConfusionRanks: average precision of a task of one label is by softmax, even where
// it is close to 1.
func TestConfusionRanks(t *testing.T) {
	for number, r := range readMulti(t).Rankings {
		c := NewConfusion(schema.Task{Name: "x", Classes: []string{"not", "is"}})
		for row, z := range r.Scores {
			label := int32(0)
			if r.Has[row] {
				label = 1
			}
			shift := float32(row % 3) // softmax is of the difference
			if err := c.Add([]float32{shift, shift + 8*z}, []int32{label}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if have := c.AveragePrecision()[1]; number > 1 && math.Abs(have-r.AveragePrecision) > 1e-12 || math.Abs(have-r.AveragePrecision) > 1e-6 {
			t.Errorf("case %d: %v, Python has %v", number, have, r.AveragePrecision)
		}
		if have := c.F1()[1]; math.Abs(have-r.F1) > 1e-12 {
			t.Errorf("case %d: F1 %v, Python has %v", number, have, r.F1)
		}
	}
}

// data is a run with a task of each kind.
func data() *schema.Run {
	return &schema.Run{
		Tasks: []schema.Task{{Name: "shape", Classes: []string{"x", "y"}}}, Counts: [][]int64{{4, 2, 0}},
		Targets: &schema.TargetSpec{Multi: []schema.Task{{Name: "tags", Classes: []string{"a", "b", "c", "d"}}}},
		Multi:   []schema.MultiCount{{Classes: []int64{8, 2, 0, 10}, Known: 10}},
		Columns: []schema.Column{{Name: "label.tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}, {Name: "label.size", Type: arrow.PrimitiveTypes.Float32}},
	}
}

func TestMultiSpec(t *testing.T) {
	c, err := Spec{Model: fake{}}.Config(data())
	if err != nil || len(c.Tasks) != 2 || c.Tasks[0].Task != "shape" || c.Tasks[1].Loss != BinaryCrossEntropy || c.Tasks[1].PositiveWeights != nil {
		t.Fatalf("%+v, %v", c, err)
	}
	c, err = Spec{Model: fake{}, Tasks: map[string]TaskSpec{"tags": {PositiveWeights: PositiveWeights{Balanced: true}}}}.Config(data())
	if err != nil || !slices.Equal(c.Tasks[0].PositiveWeights, []float64{0.25, 4, 1, 1}) || !slices.Equal(c.Tasks[0].Counts, []int64{8, 2, 0, 10}) {
		t.Errorf("balanced: %+v, %v", c.Tasks, err)
	}
	c, err = Spec{Model: fake{}, Tasks: map[string]TaskSpec{"tags": {PositiveWeights: PositiveWeights{Named: map[string]float64{"c": 3}}}}}.Config(data())
	if err != nil || !slices.Equal(c.Tasks[0].PositiveWeights, []float64{1, 1, 3, 1}) {
		t.Errorf("by name: %+v, %v", c.Tasks, err)
	}
	balanced := PositiveWeights{Balanced: true}
	for _, c := range []struct {
		task, want string
		spec       TaskSpec
	}{
		{"tags", "tasks.tags.loss: task tags has several labels a sample, so its loss is binary_cross_entropy", TaskSpec{Loss: BalancedSoftmax}},
		{"tags", "tasks.tags.class_weights: task tags has several labels a sample: use positive_weights", TaskSpec{ClassWeights: WeightSpec{Rule: "inverse"}}},
		{"tags", `tasks.tags.positive_weights: unknown class "e" of task tags`, TaskSpec{PositiveWeights: PositiveWeights{Named: map[string]float64{"e": 1}}}},
		{"shape", "tasks.shape.positive_weights: task shape has one label a sample", TaskSpec{PositiveWeights: balanced}},
		{"shape", "tasks.shape.loss: task shape has one label a sample", TaskSpec{Loss: BinaryCrossEntropy}},
		{"size", `tasks: "size" is a number for each sample, not a class`, TaskSpec{}},
		{"tag", `tasks: "tag" is not in the data: did you mean "tags"? (tasks: shape, tags)`, TaskSpec{}},
	} {
		if _, err := (Spec{Model: fake{}, Tasks: map[string]TaskSpec{c.task: c.spec}}).Config(data()); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("want an error %q, have %v", c.want, err)
		}
	}
	none := data()
	none.Multi[0] = schema.MultiCount{Classes: make([]int64, 4)}
	if _, err := (Spec{Model: fake{}, Tasks: map[string]TaskSpec{"tags": {PositiveWeights: balanced}}}).Config(none); err == nil || !strings.Contains(err.Error(), "balanced: no sample has known labels of task tags") {
		t.Error(err)
	}
}
