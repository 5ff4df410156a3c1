package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"image/jpeg"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/disintegration/imaging"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/gorgoniatrainer"
	"github.com/sluicedata/sluice/trainer/learning"
)

var update = flag.Bool("update", false, "draw the pictures of docs/recipe again; write the table of README again")

const recipeDir = "../../docs/recipe"

// recipePath is docs/recipe for scripts, which run elsewhere.
func recipePath() string {
	path, err := filepath.Abs(recipeDir)
	if err != nil {
		panic(err)
	}
	return path
}

// recipePictures are those of docs/recipe, long-tailed, by folder: the demo's, at
// two thirds of their size.
var recipePictures = map[string]map[string]int{
	"single.tar": {"circle": 32, "square": 24, "star": 12, "triangle": 16},
	"multi.tar": {
		"circle": 18, "square": 16, "triangle": 14, "cross": 11, "ring": 10,
		"star": 8, "crescent": 7, "hourglass": 6, "heart": 5, "arrow": 4,
	},
}

// TestRecipePictures holds the tars against their description:
//
//	go test ./cmd/sluice -run TestRecipePictures -update
//
// draws them, the same on every machine for as long as Go's JPEG encoder stays.
func TestRecipePictures(t *testing.T) {
	for name, shapes := range recipePictures {
		if *update {
			drawRecipe(t, name, shapes)
		}
		data, err := os.ReadFile(filepath.Join(recipeDir, name))
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]int{}
		r := tar.NewReader(bytes.NewReader(data))
		for last := ""; ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if h.Name <= last || h.ModTime.Unix() != 0 || h.Mode != 0o644 || h.Uid+h.Gid != 0 || h.Uname+h.Gname != "" {
				t.Errorf("%s: %+v after %s: want names in order and nothing of the machine that wrote it", name, h, last)
			}
			last = h.Name
			shape, _, _ := strings.Cut(h.Name, "/")
			have[shape]++
		}
		if fmt.Sprint(have) != fmt.Sprint(shapes) {
			t.Errorf("%s has %v, want %v", name, have, shapes)
		}
	}
}

// drawRecipe takes as many of the demo's training pictures of each shape, in
// which the colours have the shares that they have there.
func drawRecipe(t *testing.T, name string, shapes map[string]int) {
	t.Helper()
	spec := demodata.Spec{Dir: t.TempDir(), Seed: uint64(len(shapes)), Train: 600, Val: 1, ImbalanceFactor: 4}
	if _, err := demodata.Write(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	pictures := map[string][]byte{}
	for shape, n := range shapes {
		paths, err := filepath.Glob(filepath.Join(spec.Dir, "train", shape, "*", "*.jpg"))
		if err != nil || len(paths) < n {
			t.Fatalf("%d pictures of a %s, want %d: %v", len(paths), shape, n, err)
		}
		ofColor, rank := map[string]int{}, map[string]float64{}
		for _, path := range paths {
			ofColor[filepath.Dir(path)]++
		}
		seen := map[string]float64{}
		for _, path := range paths {
			color := filepath.Dir(path)
			rank[path] = (seen[color] + 0.5) / float64(ofColor[color])
			seen[color]++
		}
		slices.SortFunc(paths, func(a, b string) int { return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(a, b)) })
		for i, path := range paths[:n] {
			member := fmt.Sprintf("%s/%04d.jpg", shape, i+1)
			if name == "multi.tar" {
				member = fmt.Sprintf("%s/%s/%s", shape, filepath.Base(filepath.Dir(path)), filepath.Base(path))
			}
			if pictures[member], err = smaller(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, member := range slices.Sorted(maps.Keys(pictures)) {
		h := &tar.Header{Name: member, Mode: 0o644, Size: int64(len(pictures[member])), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(pictures[member]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(recipeDir, name), buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func smaller(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = jpeg.Encode(&buf, imaging.Resize(img, img.Bounds().Dx()*2/3, 0, imaging.Box), &jpeg.Options{Quality: 70})
	return buf.Bytes(), err
}

// recipePlan is a plan of docs/recipe.
func recipePlan(t *testing.T, name string) *flow.Plan {
	t.Helper()
	pipe, err := pipefile.Load(filepath.Join(recipeDir, name), catalogs)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pipe.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plan.Close(); err != nil {
			t.Error(err)
		}
	})
	if len(plan.Warnings()) > 0 {
		t.Errorf("%s: %v", name, plan.Warnings())
	}
	return plan
}

// TestRecipePlans holds the pipelines against the numbers of the recipe. Their
// canonical form has every default written out.
func TestRecipePlans(t *testing.T) {
	const (
		decode  = `["decode", {"max_pixels": 268435456, "mode": "rgb", "truncated": "error"}]`
		resize  = `["resize", {"antialias": true, "height": 224, "interpolation": "bilinear", "size": 0, "width": 224}]`
		tensors = `["to_tensor", {"dtype": "float32", "layout": "chw"}]`
		batch   = `["batch", {"drop_last": false, "size": 32}]`
		train   = `[["shuffle", {}],` + decode + `,` + resize + `,` + tensors + `,` + batch + `,
			["multiscale", {"mode": "nearest", "pick": "each", "scales": [0.5, 1, 1.5]}]]`
		val = `[` + decode + `,` + resize + `,` + tensors + `,` + batch + `]`
	)
	for name, want := range map[string]string{
		"recipe-augment.yaml": `[["shuffle", {}],` + decode + `,
			["rotate", {"degrees": [-30, 30], "expand": false, "fill": [0, 0, 0], "interpolation": "bilinear", "p": 1}],
			["crop", {"height": 0, "offset": [0, 0.25], "p": 1, "size": 0.5, "width": 0}],
			["flip", {"direction": "horizontal", "p": 0.5}],` + resize + `,` + batch + `]`,
		"recipe-single.yaml": train, "recipe-single-val.yaml": val,
		"recipe-multi.yaml": train, "recipe-multi-val.yaml": val,
	} {
		t.Run(name, func(t *testing.T) {
			plan := recipePlan(t, name)
			var canonical struct {
				Stages []struct {
					Name    string
					Options any
				}
			}
			if err := json.Unmarshal(plan.Canonical(), &canonical); err != nil {
				t.Fatal(err)
			}
			var have []any
			for _, s := range canonical.Stages {
				have = append(have, []any{s.Name, s.Options})
			}
			var wanted []any
			if err := json.Unmarshal([]byte(want), &wanted); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(wanted, have); diff != "" {
				t.Error(diff)
			}
			for i, task := range plan.Info().Tasks {
				for c, n := range plan.Info().Counts[i][:len(task.Classes)] {
					if n == 0 {
						t.Errorf("task %s has no sample of %s", task.Name, task.Classes[c])
					}
				}
			}
		})
	}
}

// TestRecipeTrainers holds the trainers against the numbers of the recipe.
func TestRecipeTrainers(t *testing.T) {
	single := trainer.Config{
		Model: gorgoniatrainer.Recipe{PoolTo: 56},
		Tasks: []trainer.TaskConfig{{
			Task: "class", Loss: trainer.CrossEntropy, Weight: 1, ClassWeights: []float64{0.1, 0.2, 0.3, 0.4},
			Classes: []string{"circle", "square", "star", "triangle"}, Counts: []int64{24, 18, 9, 12},
		}},
		Optimizer: trainer.Optimizer{LearningRate: 0.001, Betas: &[2]float64{0.9, 0.999}, Eps: 1e-8, WeightDecay: 0.01},
		Schedule:  trainer.Schedule{StepSize: 10, Gamma: 0.1},
	}
	multi := single
	multi.Tasks = []trainer.TaskConfig{
		{
			Task: "shape", Loss: trainer.CrossEntropy, Weight: 1,
			Classes: []string{"arrow", "circle", "crescent", "cross", "heart", "hourglass", "ring", "square", "star", "triangle"},
			Counts:  []int64{3, 13, 5, 8, 4, 4, 7, 12, 6, 10},
		},
		{
			Task: "color", Loss: trainer.CrossEntropy, Weight: 1,
			Classes: []string{"blue", "green", "purple", "red", "yellow"}, Counts: []int64{23, 14, 7, 18, 10},
		},
	}
	multi.Optimizer.WeightDecay = 0
	multi.Schedule = trainer.Schedule{}
	for name, want := range map[string]trainer.Config{"recipe-single": single, "recipe-multi": multi} {
		file, err := pipefile.LoadTrain(filepath.Join(recipeDir, name+".trainer.yaml"), catalogs)
		if err != nil {
			t.Fatal(err)
		}
		have, err := file.Config(recipePlan(t, name+".yaml").Info())
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if filepath.Base(file.Eval.Pipeline) != name+"-val.yaml" || file.Eval.Every != 1 {
			t.Errorf("%s: eval is %+v", name, file.Eval)
		}
	}
}

// TestRecipeTrains trains an epoch of both, as the files are; where that takes
// too long, at a seventh of the size.
func TestRecipeTrains(t *testing.T) {
	small := testing.Short() || raceDetector()
	for name, want := range map[string]struct {
		rows, last int
		heads      map[string][]int
	}{
		"recipe-single": {63, 31, map[string][]int{"class": {4, 64 * 56 * 56}}},
		"recipe-multi":  {72, 8, map[string][]int{"shape": {10, 64 * 56 * 56}, "color": {5, 64 * 56 * 56}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, base := recipeDir, 224
			if small {
				dir, base = smallRecipe(t), 32
			}
			out := filepath.Join(t.TempDir(), "run")
			mustRun(t, command(dir, "sluice", "train", name+".yaml", "--trainer", name+".trainer.yaml", "--epochs=1", "-o", out))
			var report learning.Report
			data, err := os.ReadFile(filepath.Join(out, "report.json"))
			if err == nil {
				err = json.Unmarshal(data, &report)
			}
			if err != nil {
				t.Fatal(err)
			}
			steps := 3 * ((want.rows + 31) / 32)
			if report.Train.Steps != steps || report.Train.Rows != int64(3*want.rows) || len(report.Warnings) > 0 || report.EvaluatedOn != name+"-val.yaml" {
				t.Errorf("%d steps, want %d; %d rows, want %d; warnings %q; evaluated on %s",
					report.Train.Steps, steps, report.Train.Rows, 3*want.rows, report.Warnings, report.EvaluatedOn)
			}
			for _, rows := range []int{32, want.last} {
				for _, side := range []int{base / 2, base, base * 3 / 2} {
					if shape := fmt.Sprintf("%dx3x%dx%d", rows, side, side); !(report.Train.Trainer.StepSeconds[shape] > 0) {
						t.Errorf("no step of %s: %v", shape, report.Train.Trainer.StepSeconds)
					}
				}
			}
			if fmt.Sprint(slices.Sorted(maps.Keys(report.Tasks))) != fmt.Sprint(slices.Sorted(maps.Keys(want.heads))) {
				t.Errorf("tasks %v", slices.Sorted(maps.Keys(report.Tasks)))
			}
			weights, _, err := trainer.LoadSafetensors(filepath.Join(out, "weights.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range weights {
				task, isHead := strings.CutPrefix(strings.TrimSuffix(w.Name, ".weight"), "head_")
				if shape := want.heads[task]; isHead && strings.HasSuffix(w.Name, ".weight") && !small && fmt.Sprint(w.Shape) != fmt.Sprint(shape) {
					t.Errorf("%s is %v, want %v", w.Name, w.Shape, shape)
				}
			}
		})
	}
}

// smallRecipe is docs/recipe at 16, 32 and 48 pixels.
func smallRecipe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(recipeDir)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			text := strings.NewReplacer("height: 224, width: 224", "height: 32, width: 32", "pool_to: 56", "pool_to: 8").Replace(string(data))
			err = os.WriteFile(file, []byte(text), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// raceDetector tells whether the tests were built with it.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
