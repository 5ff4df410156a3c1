package pipefile

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// Conditions and strengths stand beside a stage's options, and are written again as they were.
func TestConditions(t *testing.T) {
	all := Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: sinks.Catalog}
	const text = `version: 1
source: {folder: {path: data}}
stages:
  - class_weights: {weights: inverse, when: {epochs: [160, null]}}
  - decode: {}
  - rotate: {degrees: [-30, 30], id: tilt, when: {class_count: {at_least: 20, below: 100, task: sign}, epochs: [0, -10]}}
  - color_jitter: {brightness: [0.5, 1.5], strength: {by: class_count, from: 0.5, to: 1.5}}
  - flip: {when: {epochs: [2, 9]}, strength: {by: repeat, from: 1, over: 40, of: p}}
  - resize: {height: 8, width: 8}
  - batch: {size: 4}
`
	p, err := Parse("f", []byte(text), "", all)
	if err != nil {
		t.Fatal(err)
	}
	want := []stages.Stage{
		stages.When{Stage: stages.ClassWeights{Weights: stages.Weights{Rule: stages.InverseWeights}}, Epochs: stages.EpochSpan{160, 0}},
		stages.Decode{},
		flow.WithID("tilt", stages.When{
			Stage:      stages.Rotate{Degrees: stages.Range{-30, 30}, P: 1},
			ClassCount: stages.ClassCount{AtLeast: 20, Below: 100, Task: "sign"}, Epochs: stages.EpochSpan{0, -10},
		}),
		stages.When{
			Stage:    stages.ColorJitter{Brightness: stages.Factor{0.5, 1.5}, P: 1},
			Strength: stages.Strength{By: stages.ByClassCount, From: 0.5, To: 1.5},
		},
		stages.When{
			Stage: stages.Flip{P: 0.5}, Epochs: stages.EpochSpan{2, 9},
			Strength: stages.Strength{By: stages.ByRepeat, From: 1, Over: 40, Of: stages.OfP},
		},
	}
	if !reflect.DeepEqual(p.Stages[:5], want) {
		t.Errorf("have %+v\nwant %+v", p.Stages[:5], want)
	}
	back, err := Format(p, all)
	if err != nil || string(back) != text {
		t.Errorf("%v\n%s", err, back)
	}
	for stage, want := range map[string]string{
		"rotate: {degrees: 3, when: {class_count: {belw: 3}}}":                          `4:33: rotate: when: class_count: unknown option "belw": did you mean "below"?`,
		"rotate: {degrees: 3, when: {class_count: {task: a}}}":                          "4:46: rotate: when: class_count: give below, at_least or both",
		"rotate: {degrees: 3, when: {epochs: [3, 0]}}":                                  "rotate: when: epochs: no epoch is before 0",
		"rotate: {degrees: 3, when: {epochs: 3}}":                                       "rotate: when: epochs: want [first, past the last]",
		"rotate: {degrees: 3, when: {epochs: [5, 5]}}":                                  "4:32: rotate: when: epochs: [5, 5] is empty: the second number is the epoch after the last",
		"rotate: {degrees: 3, when: {epoch: [5, 6]}}":                                   `rotate: when: unknown option "epoch": did you mean "epochs"?`,
		"rotate: {degrees: 3, when: }":                                                  "rotate: when: it has no value",
		"rotate: {degrees: 3, strength: {from: 1}}":                                     "4:36: rotate: strength: by: missing",
		"rotate: {degrees: 3, strength: {by: class}}":                                   `rotate: strength: by: unknown value "class"`,
		"rotate: {degrees: 3, strength: {by: repeat}}":                                  "rotate: strength: from: from and to are 0",
		"rotate: {degrees: 3, strength: {by: class_count, to: 1, over: 3}}":             "over: only repeat needs it",
		"affine: {shear: 50, strength: {by: repeat, from: 1, to: 2}}":                   "4:35: affine: strength: at 2: shear: -100 degrees",
		"center_crop: {size: 4, strength: {by: repeat, to: 1}}":                         "center_crop: strength: center_crop has no strength",
		"take: {count: 4, when: {epochs: [1, 2]}}":                                      "4:28: take: when: take takes no conditions",
		"rotate: {degrees: 3, strength: {by: class_count, from: 1, to: 200}}":           "strength: to: 200 is not in 0..100",
		"rotate: {degrees: 3, when: {class_count: {below: 5}}, strength: {by: repeat}}": "from and to are 0",
	} {
		_, err := Parse("f", []byte("version: 1\nsource: {folder: {path: data}}\nstages:\n  - "+stage+"\n"), "", all)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nhave %v\nwant %s", stage, err, want)
		}
	}
}
