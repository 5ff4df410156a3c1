package trainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

func good() Config {
	return Config{
		Model: fake{},
		Tasks: []TaskConfig{{Task: "shape", Classes: []string{"a", "b", "c"}}, {Task: "type", Classes: []string{"x", "y"}}},
	}
}

// fake is a model with an option.
type fake struct {
	Depth int `json:"depth"`
}

func (fake) Name() string { return "fake" }

func (f fake) Check() error {
	if f.Depth < 0 {
		return fmt.Errorf("depth: %d is negative", f.Depth)
	}
	return nil
}

func (fake) New(Config) (Trainer, error) { return nil, errors.New("not made") }

func TestDefaults(t *testing.T) {
	c := good()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	c.Schedule.StepSize = 10
	d := c.WithDefaults()
	if d.Schedule.Gamma != 0.1 || d.Tasks[1].Loss != CrossEntropy || d.Tasks[1].Weight != 1 {
		t.Errorf("%+v", d)
	}
	if want := (Optimizer{0.001, &[2]float64{0.9, 0.999}, 1e-8, 0}); !reflect.DeepEqual(d.Optimizer, want) {
		t.Errorf("optimizer %+v, want %+v", d.Optimizer, want)
	}
	if c.Tasks[1].Weight != 0 {
		t.Error("WithDefaults changed the Config it was called on")
	}
	if !reflect.DeepEqual(d, d.WithDefaults()) {
		t.Error("WithDefaults twice is not WithDefaults")
	}
	for _, f := range options.Fields(Optimizer{}) { // the tags say the same
		if have, want := reflect.ValueOf(f.Effective()).Interface(), reflect.ValueOf(d.Optimizer).FieldByNameFunc(func(name string) bool {
			field, _ := reflect.TypeFor[Optimizer]().FieldByName(name)
			return strings.HasPrefix(field.Tag.Get("sluice"), f.Name)
		}).Interface(); !reflect.DeepEqual(have, want) {
			t.Errorf("%s: the tag's default is %v, WithDefaults gives %v", f.Name, have, want)
		}
	}
}

func TestCheck(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		want  string
		spoil func(*Config)
	}{
		{"model: missing", func(c *Config) { c.Model = nil }},
		{"model.fake.depth: -1 is negative", func(c *Config) { c.Model = fake{Depth: -1} }},
		{"tasks: missing", func(c *Config) { c.Tasks = nil }},
		{"tasks.shape: task shape is listed twice", func(c *Config) { c.Tasks[1].Task = "shape" }},
		{"tasks.2: it has no name", func(c *Config) { c.Tasks[1].Task = "" }},
		{"tasks.type: 1 classes", func(c *Config) { c.Tasks[1].Classes = []string{"x"} }},
		{`tasks.shape.loss: unknown loss "cross_entropi": did you mean "cross_entropy"? (losses: cross_entropy, balanced_softmax, binary_cross_entropy)`, func(c *Config) { c.Tasks[0].Loss = "cross_entropi" }},
		{"tasks.shape.class_weights: 2 weights for 3 classes: a, b, c", func(c *Config) { c.Tasks[0].ClassWeights = []float64{1, 2} }},
		{"tasks.shape.class_weights: -2 is not a weight", func(c *Config) { c.Tasks[0].ClassWeights = []float64{1, -2, 1} }},
		{"tasks.shape.class_weights: their sum is 0", func(c *Config) { c.Tasks[0].ClassWeights = []float64{0, 0, 0} }},
		{"tasks.shape.weight: -1 is not above 0", func(c *Config) { c.Tasks[0].Weight = -1 }},
		{"tasks.shape: 2 counts for 3 classes", func(c *Config) { c.Tasks[0].Counts = []int64{1, 2} }},
		{"tasks.shape.loss: balanced_softmax needs", func(c *Config) { c.Tasks[0].Loss = BalancedSoftmax }},
		{"tasks.shape.positive_weights: task shape has one label", func(c *Config) { c.Tasks[0].PositiveWeights = []float64{1, 1, 1} }},
		{"tasks.shape.positive_weights: 1 weights for 3 classes", func(c *Config) { c.Tasks[0].Loss, c.Tasks[0].PositiveWeights = BinaryCrossEntropy, []float64{1} }},
		{"tasks.shape.positive_weights: 0 is not above 0", func(c *Config) { c.Tasks[0].Loss, c.Tasks[0].PositiveWeights = BinaryCrossEntropy, []float64{1, 0, 1} }},
		{"tasks.shape.class_weights: task shape has several labels", func(c *Config) { c.Tasks[0].Loss, c.Tasks[0].ClassWeights = BinaryCrossEntropy, []float64{1, 1, 1} }},
		{"tasks.shape: a task of several labels needs", func(c *Config) { c.Tasks[0].Loss, c.Tasks[0].Classes = BinaryCrossEntropy, nil }},
		{"optimizer.adam.lr: -0.1 is not above 0", func(c *Config) { c.Optimizer.LearningRate = -0.1 }},
		{"optimizer.adam.lr: NaN", func(c *Config) { c.Optimizer.LearningRate = nan }},
		{"optimizer.adam.betas: 1 is", func(c *Config) { c.Optimizer.Betas = &[2]float64{0.9, 1} }},
		{"optimizer.adam.betas: -0.5 is", func(c *Config) { c.Optimizer.Betas = &[2]float64{-0.5, 0.9} }},
		{"optimizer.adam.eps: -1 is", func(c *Config) { c.Optimizer.Eps = -1 }},
		{"optimizer.adam.weight_decay: +Inf is", func(c *Config) { c.Optimizer.WeightDecay = math.Inf(1) }},
		{"schedule.step.size: -1", func(c *Config) { c.Schedule.StepSize = -1 }},
		{"schedule.step.gamma: 0.5 changes nothing", func(c *Config) { c.Schedule.Gamma = 0.5 }},
		{"schedule.step.gamma: -1 is", func(c *Config) { c.Schedule = Schedule{3, -1} }},
		{"micro_batch: -1", func(c *Config) { c.MicroBatch = -1 }},
		{"workers: -1", func(c *Config) { c.Workers = -1 }},
	} {
		config := good()
		c.spoil(&config)
		err := config.Check()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one error %q, have %v", c.want, err)
		}
	}
}

// TestBetas: 0 is one, as in PyTorch, also twice.
func TestBetas(t *testing.T) {
	for _, betas := range [][2]float64{{0, 0.999}, {0.9, 0}, {0, 0}} {
		var o Optimizer
		if err := options.Set(&o, "betas", []any{betas[0], betas[1]}); err != nil {
			t.Fatal(err)
		}
		if *o.Betas != betas || *o.withDefaults().Betas != betas {
			t.Errorf("betas %v became %v", betas, *o.withDefaults().Betas)
		}
		if err := o.Check(); err != nil {
			t.Error(err)
		}
	}
	if have := *(Optimizer{}).withDefaults().Betas; have != [2]float64{0.9, 0.999} {
		t.Errorf("the default is %v", have)
	}
}

func TestCheckReportsAll(t *testing.T) {
	c := good()
	c.Model, c.Optimizer.LearningRate, c.Schedule.StepSize = nil, -1, -1
	c.Tasks[0].Loss, c.Tasks[1].ClassWeights = "focal", []float64{1}
	list := c.Check().(interface{ Unwrap() []error }).Unwrap()
	if len(list) != 5 {
		t.Errorf("%d errors, want 5: %v", len(list), list)
	}
}

func TestTaskSpec(t *testing.T) {
	run := &schema.Run{
		Tasks:  []schema.Task{{Name: "shape", Classes: []string{"a", "b", "c", "d"}}, {Name: "type", Classes: []string{"x", "y"}}},
		Counts: [][]int64{{60, 30, 10, 0, 7}, {1, 2, 0}},
	}
	for _, c := range []struct {
		value any // of class_weights
		want  []float64
		err   string
	}{
		{"inverse", []float64{100.0 / 180, 100.0 / 90, 100.0 / 30, 0}, ""},
		{[]any{int64(1), int64(2), 3.0, int64(4)}, []float64{0.1, 0.2, 0.3, 0.4}, ""},
		{map[string]any{"d": 1.0, "c": int64(1), "a": int64(0), "b": int64(2)}, []float64{0, 0.5, 0.25, 0.25}, ""},
		{[]any{int64(1), int64(2)}, nil, "tasks.shape.class_weights: 2 weights for the 4 classes of task shape: a, b, c, d"},
		{map[string]any{"a": 1.0, "bb": 1.0}, nil, `tasks.shape.class_weights: unknown class "bb" of task shape`},
		{[]any{int64(1), int64(-2), int64(1), int64(1)}, nil, "tasks.shape.class_weights: -2 is not a weight"},
	} {
		var spec TaskSpec
		if err := options.Set(&spec, "class_weights", c.value); err != nil {
			t.Fatal(err)
		}
		have, err := spec.Resolve("shape", run)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: %v, want %q", c.value, err, c.err)
			}
			continue
		}
		if err != nil || !slices.EqualFunc(have.ClassWeights, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
			t.Errorf("%v: %v, %v, want %v", c.value, have.ClassWeights, err, c.want)
		}
		if !slices.Equal(have.Counts, []int64{60, 30, 10, 0}) || len(have.Classes) != 4 {
			t.Errorf("resolved %+v", have)
		}
	}
	none, err := TaskSpec{}.Resolve("type", run)
	if err != nil || none.ClassWeights != nil || none.Task != "type" {
		t.Errorf("without weights: %+v, %v", none, err)
	}
	if _, err := (TaskSpec{}).Resolve("shap", run); err == nil || err.Error() != `tasks: "shap" is not in the data: did you mean "shape"? (tasks: shape, type)` {
		t.Errorf("a task that isn't in the data: %v", err)
	}
	options.Fields(TaskSpec{}) // panics if a tag is malformed
	if _, err := options.Canonical(TaskSpec{}); err != nil {
		t.Error(err)
	}
}

func TestMatchClasses(t *testing.T) {
	training := schema.Task{Name: "shape", Classes: []string{"a", "b", "c"}}
	have, err := MatchClasses(training, schema.Task{Classes: []string{"c", "a"}})
	if err != nil || !slices.Equal(Translate([]int32{0, 1, -1, 0}, have), []int32{2, 0, -1, 2}) {
		t.Errorf("%v, %v", have, err)
	}
	if _, err := MatchClasses(training, schema.Task{Classes: []string{"d", "a", "e"}}); err == nil || !strings.Contains(err.Error(), "no class d, e") {
		t.Errorf("unknown classes: %v", err)
	}
	accents := schema.Task{Classes: []string{"caf\u00e9", "tea"}}
	want := `no class cafe` + "\u0301" + ` ("cafe\u0301", and "caf\u00e9" is one: they differ only in Unicode normal form)`
	if _, err := MatchClasses(accents, schema.Task{Classes: []string{"cafe\u0301", "tea"}}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// odd is a model whose JSON is no object.
type odd struct{ fake }

func (odd) MarshalJSON() ([]byte, error) { return []byte("3"), nil }

// noOptions is a model without options.
type noOptions struct{ fake }

func (noOptions) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

// TestConfigJSON: a model's options are in the JSON by which a checkpoint is known.
func TestConfigJSON(t *testing.T) {
	for model, want := range map[Model]string{
		fake{Depth: 3}: `{"model":{"name":"fake","depth":3},"tasks":null,`,
		noOptions{}:    `{"model":{"name":"fake"},"tasks":null,`,
		nil:            `{"model":null,"tasks":null,`,
	} {
		have, err := json.Marshal(Config{Model: model})
		if err != nil || !strings.HasPrefix(string(have), want) || strings.Count(string(have), `"model"`) != 1 {
			t.Errorf("%s, %v, want %s...", have, err, want)
		}
	}
	if have, err := json.Marshal(Config{Model: odd{}}); err == nil || !strings.Contains(err.Error(), "want an object") {
		t.Errorf("a model whose JSON is a number: %s, %v", have, err)
	}
}

// TestNew: a configuration is checked before a model sees it.
func TestNew(t *testing.T) {
	if _, err := New(good()); err == nil || err.Error() != "not made" {
		t.Errorf("the model's own error: %v", err)
	}
	c := good()
	c.Tasks = nil
	if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "tasks: missing") {
		t.Errorf("no tasks: %v", err)
	}
}

// TestSpec sizes a trainer by data.
func TestSpec(t *testing.T) {
	run := &schema.Run{
		Tasks:  []schema.Task{{Name: "shape", Classes: []string{"disc", "star"}}, {Name: "color", Classes: []string{"red", "blue"}}},
		Counts: [][]int64{{6, 2, 0}, {4, 2, 1}},
	}
	all, err := Spec{Model: fake{}, Seed: 3, MicroBatch: 2}.Config(run)
	if err != nil || len(all.Tasks) != 2 || all.Tasks[0].Task != "shape" || all.Tasks[1].Loss != CrossEntropy || all.Seed != 3 || all.MicroBatch != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	some, err := Spec{Model: fake{}, Tasks: map[string]TaskSpec{"color": {Weight: 2}, "shape": {}}}.Config(run)
	if err != nil || some.Tasks[0].Task != "shape" || some.Tasks[1].Weight != 2 {
		t.Errorf("heads come in the data's order: %+v, %v", some, err)
	}
	_, err = Spec{Model: fake{}, Tasks: map[string]TaskSpec{"hue": {}, "size": {}}}.Config(run)
	var of *TaskError
	if !errors.As(err, &of) || of.Task != "hue" || len(errlist.Split(err)) != 2 {
		t.Errorf("tasks that aren't there: %v", err)
	}
	if _, err := (Spec{}).Config(run); err == nil || !strings.HasPrefix(err.Error(), "model: missing") {
		t.Errorf("no model: %v", err)
	}
	if _, err := (Spec{Model: fake{}}).Config(&schema.Run{}); err == nil || !strings.Contains(err.Error(), "no labels") {
		t.Errorf("no labels: %v", err)
	}
	for _, spec := range []schema.TargetSpec{{Boxes: true, Classes: []string{"a"}}, {Mask: true}} {
		for _, of := range []Spec{{Model: fake{}}, {Model: fake{}, Tasks: map[string]TaskSpec{"a": {}}}} {
			if _, err := of.Config(&schema.Run{Targets: &spec}); err == nil || !strings.Contains(err.Error(), "learns classes of pictures only") {
				t.Errorf("%+v: %v", spec, err)
			}
		}
	}
}
