package pipefile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer"
)

// designTrainer is the example of the design, docTrainer that of TrainFile.
const (
	designTrainer = `# TRAINER.yaml
model: recipe                 # or small_cnn ...; {recipe: {pool_to: 56}}; heads sized from the class counts
tasks: {shape: {loss: cross_entropy, weight: 1}, type: {loss: cross_entropy, class_weights: inverse, weight: 1}}   # or a list, scaled to sum 1, or {name: w}
optimizer: {adam: {lr: 0.001, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01}}
schedule: {step: {size: 10, gamma: 0.1}}        # steps once per epoch
epochs: 20                                      # --epochs, else this, else the pipeline's; a warning when they differ
eval: {pipeline: val.yaml, every: 1}            # classes are matched by name with the training set's
`
	docTrainer = `model: recipe                  # small_cnn, softmax, or {recipe: {pool_to: 56}}
tasks: {shape: {loss: cross_entropy, class_weights: inverse, weight: 1}, tags: {positive_weights: balanced}}   # default: every task
optimizer: {adam: {lr: 0.001, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01}}
schedule: {step: {size: 10, gamma: 0.1}}   # stepped once per epoch; default: none
epochs: 20
seed: 1                        # of the initial weights
micro_batch: 8                 # rows computed at a time; default: the whole batch
eval: {pipeline: val.yaml, every: 1}
`
)

func TestParseTrain(t *testing.T) {
	adam := trainer.Optimizer{LearningRate: 0.001, Betas: &[2]float64{0.9, 0.999}, Eps: 1e-8, WeightDecay: 0.01}
	every := Evaluation{Every: 1}
	for name, c := range map[string]struct {
		text string
		want TrainFile
	}{
		"design": {designTrainer, TrainFile{
			Spec: trainer.Spec{
				Model: poolModel{PoolTo: 56},
				Tasks: map[string]trainer.TaskSpec{
					"shape": {Loss: "cross_entropy", Weight: 1},
					"type":  {Loss: "cross_entropy", Weight: 1, ClassWeights: trainer.WeightSpec{Rule: "inverse"}},
				},
				Optimizer: adam, Schedule: trainer.Schedule{StepSize: 10, Gamma: 0.1},
			},
			Epochs: 20,
			Eval:   Evaluation{Pipeline: filepath.Join("base", "val.yaml"), Every: 1},
		}},
		"doc": {docTrainer, TrainFile{
			Spec: trainer.Spec{
				Model: poolModel{PoolTo: 56},
				Tasks: map[string]trainer.TaskSpec{
					"shape": {Loss: "cross_entropy", Weight: 1, ClassWeights: trainer.WeightSpec{Rule: "inverse"}},
					"tags":  {PositiveWeights: trainer.PositiveWeights{Balanced: true}},
				},
				Optimizer: adam, Schedule: trainer.Schedule{StepSize: 10, Gamma: 0.1}, Seed: 1, MicroBatch: 8,
			},
			Epochs: 20,
			Eval:   Evaluation{Pipeline: filepath.Join("base", "val.yaml"), Every: 1},
		}},
		"defaults":   {"model: softmax", TrainFile{Spec: trainer.Spec{Model: plainModel{"softmax"}}, Eval: every}},
		"empty keys": {"model: {small_cnn: }\noptimizer: adam\n", TrainFile{Spec: trainer.Spec{Model: plainModel{"small_cnn"}}, Eval: every}},
		"numbers": {"model: {recipe: {pool_to: 0x8}}\nseed: 18446744073709551615\nschedule: {step: {size: 3}}\neval: {pipeline: /v.yaml, every: 5}\n", TrainFile{
			Spec: trainer.Spec{Model: poolModel{PoolTo: 8}, Seed: 1<<64 - 1, Schedule: trainer.Schedule{StepSize: 3}},
			Eval: Evaluation{Pipeline: "/v.yaml", Every: 5},
		}},
		"betas of 0": {"model: softmax\noptimizer: {adam: {betas: [0, 0]}}\n", TrainFile{
			Spec: trainer.Spec{Model: plainModel{"softmax"}, Optimizer: trainer.Optimizer{Betas: &[2]float64{}}}, Eval: every,
		}},
		"weights": {"model: softmax\ntasks: {a: {class_weights: [1, 0.5]}, b: {class_weights: {x: 1, y: 3}}, c: , d: {loss: balanced_softmax}}\n", TrainFile{
			Spec: trainer.Spec{
				Model: plainModel{"softmax"},
				Tasks: map[string]trainer.TaskSpec{
					"a": {ClassWeights: trainer.WeightSpec{List: []float64{1, 0.5}}},
					"b": {ClassWeights: trainer.WeightSpec{Named: map[string]float64{"x": 1, "y": 3}}},
					"c": {}, "d": {Loss: "balanced_softmax"},
				},
			},
			Eval: every,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := ParseTrain("t.yaml", []byte(c.text), "base", fakes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, *have, cmpopts.IgnoreUnexported(TrainFile{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTrainDoc: the doc comment holds the example that is tested.
func TestTrainDoc(t *testing.T) {
	source, err := os.ReadFile("trainfile.go")
	if err != nil {
		t.Fatal(err)
	}
	want := "//\t" + strings.Join(strings.Split(strings.TrimSpace(docTrainer), "\n"), "\n//\t") + "\n"
	if !strings.Contains(string(source), want) {
		t.Errorf("trainfile.go doesn't hold\n%s", want)
	}
}

// trainMistakes each stand alone; "m" stands for a line with a model.
var trainMistakes = map[string]string{
	"":                                          "1:1: the file is empty: a trainer needs a model",
	"recipe":                                    `1:1: a trainer is a map with the keys`,
	"model: &x softmax":                         "1:8: anchors (&name) are not supported in trainer files",
	"epochs: 2":                                 "1:1: model is missing: give one of recipe, small_cnn, softmax",
	"modl: softmax":                             `1:1: unknown key "modl": did you mean "model"?`,
	"model:":                                    "1:8: want a model, such as recipe: {...}, have nothing",
	"model: 3":                                  "1:8: want a model",
	"model: resnet":                             `1:8: unknown model "resnet" (models: recipe, small_cnn, softmax)`,
	"model: {recipe: {pool: 3}}":                `1:18: recipe: unknown option "pool": did you mean "pool_to"?`,
	"model: {recipe: {pool_to: 0}}":             "1:27: recipe: pool_to is 0",
	"model: {recipe: {pool_to: -1}}":            "1:27: recipe: pool_to: -1 is negative",
	"model: {small_cnn: {pool_to: 4}}":          `1:21: small_cnn: unknown option "pool_to": there are no options`,
	"model: {recipe: {}, softmax: {}}":          "1:21: ",
	"model: softmax\nmodel: recipe":             `2:1: duplicate key "model"`,
	"m\nepoch: 1":                               `2:1: unknown key "epoch": did you mean "epochs"?`,
	"m\ntasks: [shape]":                         "2:8: tasks: want a map from task to its options",
	"m\ntasks: {a: shape}":                      "2:12: tasks: a: want its options as a map",
	"m\ntasks: {a: {weights: 1}}":               `2:13: tasks: a: unknown option "weights": did you mean "weight"?`,
	"m\ntasks: {a: {weight: 0}}":                "2:21: tasks: a: weight is 0",
	"m\ntasks: {a: {weight: -2}}":               "2:21: tasks: a: weight: -2 is not above 0: leave out the task",
	"m\ntasks: {a: {weight: .nan}}":             "2:21: tasks: a: weight: want finite numbers",
	"m\ntasks: {a: {loss: focal}}":              `2:19: tasks: a: loss: unknown value "focal" (values: cross_entropy, balanced_softmax, binary_cross_entropy)`,
	"m\ntasks: {a: {positive_weights: x}}":      `2:31: tasks: a: positive_weights: "x" is not balanced`,
	"m\ntasks: {a: {positive_weights: [1]}}":    "2:31: tasks: a: positive_weights: want balanced, or a map of numbers by class",
	"m\ntasks: {a: {positive_weights: {x: 0}}}": `2:31: tasks: a: positive_weights: class "x": 0 is not above 0`,
	"m\ntasks: {a: {positive_weights: {x: y}}}": `2:31: tasks: a: positive_weights: class "x": want a number`,
	"m\ntasks: {a: {class_weights: x}}":         `2:28: tasks: a: class_weights: "x" is none of inverse, square_root, effective_number`,
	"m\ntasks: {a: {class_weights: 1}}":         "2:28: tasks: a: class_weights: want inverse",
	"m\ntasks: {a: {class_weights: [1, -1]}}":   "2:28: tasks: a: class_weights: -1 is not a weight",
	"m\ntasks: {a: {class_weights: {x: y}}}":    `2:28: tasks: a: class_weights: class "x": want a number`,
	"m\noptimizer: sgd":                         `2:12: unknown optimizer "sgd" (optimizers: adam)`,
	"m\noptimizer: {adam: {lr: fast}}":          `2:24: adam: lr: want a number, have the text "fast"`,
	"m\noptimizer: {adam: {lr: -1}}":            "2:24: adam: lr: -1 is not above 0",
	"m\noptimizer: {adam: {betas: [1, 0.9]}}":   "2:27: adam: betas: 1 is not in 0..1, or is 1",
	"m\noptimizer: {adam: {betas: 0.9}}":        "2:27: adam: betas: want",
	"m\noptimizer: {adam: {eps: -1}}":           "2:25: adam: eps: -1 is not above 0",
	"m\noptimizer: {adam: {weight_decay: -1}}":  "2:34: adam: weight_decay: -1 is not 0 or above",
	"m\nschedule: cosine":                       `2:11: unknown schedule "cosine" (schedules: step)`,
	"m\nschedule: step":                         "2:11: step: size is missing",
	"m\nschedule: {step: 3}":                    "2:18: step: want its options as a map",
	"m\nschedule: {step: {size: 0}}":            "2:25: step: size is 0",
	"m\nschedule: {step: {size: -1}}":           "2:25: step: size: -1 epochs",
	"m\nschedule: {step: {size: 1, gamma: -1}}": "2:35: step: gamma: -1 is not above 0",
	"m\nepochs: 0":                              "2:9: epochs is 0",
	"m\nepochs: -1":                             "2:9: epochs: -1 is negative",
	"m\nepochs: 1.5":                            "2:9: epochs: want a whole number",
	"m\nseed: -1":                               "2:7: seed: -1 is negative",
	"m\nmicro_batch: 0":                         "2:14: micro_batch is 0",
	"m\nmicro_batch: all":                       "2:14: micro_batch: want a whole number",
	"m\neval: val.yaml":                         "2:7: eval: want its options as a map",
	"m\neval: {every: 2}":                       "2:1: eval: pipeline is missing: name the pipeline file of the held-out data",
	"m\neval: {pipeline: v, use: val}":          "2:1: eval: pipeline names another file: leave out use and without",
	"m\neval: {pipeline: v, every: 0}":          "2:28: eval: every is 0",
	"m\neval: {pipeline: v, every: -1}":         "2:28: eval: every: -1 is negative",
}

func TestTrainMistakes(t *testing.T) {
	for text, want := range trainMistakes {
		if rest, ok := strings.CutPrefix(text, "m\n"); ok {
			text = "model: softmax\n" + rest
		}
		_, err := ParseTrain("t", []byte(text), "", fakes)
		var list Errors
		if !errors.As(err, &list) || len(list) != 1 || !strings.HasPrefix(err.Error(), "t:"+want) {
			t.Errorf("%q\nhave %v\nwant t:%s", text, err, want)
		}
	}
}

// TestTrainAllMistakes: all at once, in the order of their places.
func TestTrainAllMistakes(t *testing.T) {
	text := "seed: x\nmodel: resnet\ntasks:\n  a: {loss: focal, weight: -1}\n  b: 1\noptimizer: {adam: {lr: fast, eps: -1}}\nepoch: 3\n"
	_, err := ParseTrain("t", []byte(text), "", fakes)
	var list Errors
	if !errors.As(err, &list) {
		t.Fatal(err)
	}
	var lines []int
	for _, e := range list {
		lines = append(lines, e.Line)
	}
	if diff := cmp.Diff([]int{1, 2, 4, 4, 5, 6, 6, 7}, lines); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
}

func TestLoadTrain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "t.yaml")
	if err := os.WriteFile(file, []byte("model: softmax\neval: {pipeline: ../val.yaml}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := LoadTrain(file, fakes)
	if err != nil || f.Eval.Pipeline != filepath.Join(filepath.Dir(dir), "val.yaml") {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := LoadTrain(filepath.Join(dir, "none.yaml"), fakes); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("have %v, want a missing file", err)
	}
}

// TestTrainConfig sizes a trainer by data: heads in the order of the data's
// tasks, defaults written out, and what doesn't fit at its place.
func TestTrainConfig(t *testing.T) {
	run := &schema.Run{
		Tasks:  []schema.Task{{Name: "shape", Classes: []string{"disc", "star"}}, {Name: "color", Classes: []string{"red", "blue", "teal"}}},
		Counts: [][]int64{{6, 2, 0}, {4, 2, 1, 1}},
	}
	for text, want := range map[string]string{
		"":                                     "",
		"tasks: {a}":                           `t:2:9: tasks: "a" is not in the data (tasks: shape, color)`,
		"tasks: {colr: {}, shap: {}}":          "t:2:9: tasks: \"colr\" is not in the data: did you mean \"color\"? (tasks: shape, color)\nt:2:19: tasks: \"shap\" is not in the data: did you mean \"shape\"? (tasks: shape, color)",
		"tasks: {shape: {class_weights: [1]}}": "t:2:32: tasks.shape.class_weights: 1 weights for the 2 classes of task shape: disc, star",
		"tasks: {shape: {class_weights: {disc: 1}}}":                           "t:2:32: tasks.shape.class_weights: 1 weights for the 2 classes of task shape: none for star",
		"tasks: {color: {}, shape: {weight: 0.5}}":                             "",
		"tasks: {shape: {loss: balanced_softmax}}":                             "",
		"tasks: {shape: {class_weights: [0, 0]}}":                              "t:2:32: tasks: shape: class_weights: ",
		"tasks: {color: {class_weights: {reed: 1, red: 1, blue: 2, teal: 3}}}": `t:2:32: tasks.color.class_weights: unknown class "reed" of task color: did you mean "red"?`,
	} {
		f, err := ParseTrain("t", []byte("model: softmax\n"+strings.Replace(text, "{a}", "{a: {}}", 1)), "", fakes)
		var cfg trainer.Config
		if err == nil {
			cfg, err = f.Config(run)
		}
		if want != "" {
			var list Errors
			if !errors.As(err, &list) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s\nhave %v\nwant %s", text, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if cfg.Tasks[0].Task != "shape" || cfg.Tasks[0].Loss == "" || cfg.Optimizer.LearningRate != 0.001 || !cmp.Equal(cfg.Tasks[0].Counts, []int64{6, 2}) {
			t.Errorf("%s: %+v", text, cfg)
		}
	}

	f := &TrainFile{Spec: trainer.Spec{Model: plainModel{"softmax"}, Tasks: map[string]trainer.TaskSpec{"hue": {}}}}
	if _, err := f.Config(run); err == nil || !strings.HasPrefix(err.Error(), `tasks: "hue" is not in the data`) {
		t.Errorf("made in Go: %v", err)
	}
	f.Tasks = nil
	if _, err := f.Config(&schema.Run{}); err == nil || !strings.Contains(err.Error(), "no labels") {
		t.Errorf("without tasks: %v", err)
	}
}

// FuzzParseTrain: whatever the file holds, ParseTrain gives a trainer or Errors
// whose places are in the file; a trainer's configuration can be checked.
func FuzzParseTrain(f *testing.F) {
	for text := range trainMistakes {
		f.Add([]byte(strings.Replace(text, "m\n", "model: softmax\n", 1)))
	}
	f.Add([]byte(designTrainer))
	f.Add([]byte(docTrainer))
	run := &schema.Run{Tasks: []schema.Task{{Name: "a", Classes: []string{"x", "y"}}}, Counts: [][]int64{{2, 1, 0}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseTrain("f", data, "", fakes)
		if err == nil {
			if cfg, err := file.Config(run); err == nil && cfg.Check() != nil {
				t.Errorf("%+v: %v", cfg, cfg.Check())
			}
			return
		}
		var list Errors
		if !errors.As(err, &list) || len(list) == 0 {
			t.Fatalf("have %v, want Errors", err)
		}
		for _, e := range list {
			if e.Msg == "" || e.Line < 1 || e.Column < 1 || e.Line > bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+2 || !utf8.ValidString(e.Msg) {
				t.Errorf("%+v is nowhere in\n%q", e, data)
			}
		}
	})
}
