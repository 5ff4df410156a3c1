package pipefile

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

const recipeFile = `
version: 1
seed: 42
epochs: 10
fuse: full
source: {folder: {path: data/train, tasks: [class]}}
stages:
  - rebalance: {target: square_root}
  - decode: {}
  - rotate: {degrees: 30}
  - crop: {size: 0.5, offset: [0, 0.25]}
  - flip: {p: 0.5}
  - resize: {height: 224, width: 224}
  - to_tensor: {dtype: float32, layout: chw}
  - normalize: {mean: imagenet, std: imagenet}
  - batch: {size: 32, drop_last: false}
  - multiscale: {scales: [0.5, 1, 1.5], mode: nearest}
`

func recipe() *flow.Pipeline {
	p := flow.New(
		sources.Folder{Path: "data/train", Tasks: []string{"class"}},
		stages.Rebalance{Target: stages.SquareRoot},
		stages.Decode{},
		stages.Rotate{Degrees: stages.Range{-30, 30}},
		stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}},
		stages.Flip{P: 0.5},
		stages.Resize{Height: 224, Width: 224},
		stages.ToTensor{},
		stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd},
		stages.Batch{Size: 32},
		stages.MultiScale{Scales: []float64{0.5, 1, 1.5}},
	)
	p.Settings.Seed, p.Settings.Epochs, p.Settings.Fuse = 42, 10, flow.FuseFull
	return p
}

// TestRecipe: the pipeline of the design's section 4 is the same in a file and
// in Go. What the file writes out and Go leaves at zero differs as a value, and
// is equal in the canonical form, from which the plan hash is taken.
func TestRecipe(t *testing.T) {
	read, err := Parse("recipe.yaml", []byte(recipeFile), "", real)
	if err != nil {
		t.Fatal(err)
	}
	if err := same(recipe(), read); err != nil {
		t.Error(err)
	}
	written, err := Format(recipe(), real)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse("written.yaml", written, "", real)
	if err != nil {
		t.Fatal(err)
	}
	if err := same(recipe(), back); err != nil {
		t.Errorf("%v in\n%s", err, written)
	}
	for _, text := range []string{recipeFile, string(written)} {
		value, ok := instance([]byte(text))
		if !ok {
			t.Fatal("not read")
		}
		if err := compile(t, real).Validate(value); err != nil {
			t.Error(err)
		}
	}
}

// TestZeroIsDefault: an option left out of a file and one left at zero in Go
// mean the same, or Check refuses the zero. So both forms have one plan hash.
func TestZeroIsDefault(t *testing.T) {
	for _, e := range real.Stages {
		fresh := e.New()
		zero := reflect.New(reflect.TypeOf(fresh).Elem()).Interface().(stages.Stage)
		refused := map[string]bool{}
		for _, err := range errlist.Split(zero.Check()) {
			refused[optionOf(err.Error())] = true
		}
		inGo := options.Fields(zero)
		for i, f := range options.Fields(fresh) {
			inFile, err := f.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if have, err := inGo[i].JSON(); err != nil || string(have) != string(inFile) && !refused[f.Name] {
				t.Errorf("%s: %s is %s by default, and %s where Go leaves it out: add the tag default:%q",
					fresh.Name(), f.Name, inFile, have, inFile)
			}
		}
	}
}

// The stages' order and the types between them are checked with the rest, at
// the line of the stage.
func TestEdgesHavePlaces(t *testing.T) {
	text := `version: 1
sead: 1
source: {folder: {path: data}}
stages:
  - rotate: {degrees: 30}
  - decode
  - to_tensor
  - flip
  - batch: {size: 32}
  - crop: {size: 0.5}
`
	_, err := Parse("p.yaml", []byte(text), "", real)
	want := []string{"p.yaml:2:1: ", "p.yaml:5:5: rotate: needs pictures", "p.yaml:8:5: flip: ", "p.yaml:9:5: batch: the rows still vary in size", "p.yaml:10:5: crop: works on single rows"}
	var list Errors
	if !errors.As(err, &list) || len(list) != len(want) {
		t.Fatalf("have %v", err)
	}
	for i, e := range list {
		if !strings.HasPrefix(e.Error(), want[i]) {
			t.Errorf("have %q, want %q...", e, want[i])
		}
	}
}

// Sources whose pictures may have one size, before or after the stages in the file, need no resize.
func TestEdgesOfUniformSources(t *testing.T) {
	for _, source := range []string{"arrow: {path: data}", "concat: {a: {arrow: {path: a}}, b: {arrow: {path: b}}}"} {
		for _, text := range []string{"source: {%s}\nstages: [decode, {batch: {size: 32}}]\n", "stages: [decode, {batch: {size: 32}}]\nsource: {%s}\n"} {
			if _, err := Parse("p.yaml", fmt.Appendf(nil, "version: 1\n"+text, source), "", real); err != nil {
				t.Errorf("%s: %v", source, err)
			}
		}
	}
	_, err := Parse("p.yaml", []byte("version: 1\nsource: {concat: {a: {arrow: {path: a}}, b: {folder: {path: b}}}}\nstages: [decode, {batch: {size: 32}}]\n"), "", real)
	if err == nil || !strings.Contains(err.Error(), "batch: the rows still vary in size") {
		t.Errorf("a folder among them: %v", err)
	}
}
