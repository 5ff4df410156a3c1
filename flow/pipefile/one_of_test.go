package pipefile_test

import (
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// Lists of stages within a stage are read, written and read again; mistakes in them have a place.
func TestStagesWithinStages(t *testing.T) {
	catalogs := pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog}
	file := func(list string) string {
		return "version: 1\nsource: {folder: {path: x}}\nstages:\n  - decode\n  - " + list + "\n"
	}
	for _, list := range []string{
		"one_of: {stages: [{rotate: {degrees: [-30, 30]}}, {grayscale: {}}], p: 0.5}",
		"some_of: {stages: [{one_of: {stages: [{invert: {}}, {rand_augment: {fill: [1, 2, 3]}}]}}, {equalize: {}}], n: 2}",
	} {
		pipe, err := pipefile.Parse("p.yaml", []byte(file(list)), "", catalogs)
		if err != nil {
			t.Fatal(err)
		}
		text, err := pipefile.Format(pipe, catalogs)
		if err != nil || !strings.Contains(string(text), list) {
			t.Errorf("%s is written as (%v)\n%s", list, err, text)
		}
	}
	for list, want := range map[string]string{
		"one_of: {stages: [rotate: {degree: 30}]}":   `p.yaml:5:22: one_of: stages: rotate: unknown option "degree": did you mean "degrees"?`,
		"one_of: {stages: [rotat: {degrees: 30}]}":   `p.yaml:5:22: one_of: stages: unknown stage "rotat": did you mean "rotate"?`,
		"one_of: {stages: [rotate: {degrees: 0}]}":   `p.yaml:5:22: one_of: stages: rotate: `,
		"some_of: {stages: [batch: {size: 3}]}":      `p.yaml:5:23: some_of: stages: batch isn't about a picture alone`,
		"some_of: {stages: [grayscale, flip], n: 3}": `p.yaml:5:45: some_of: n: 3 of 2 stages: give 1 to 2`,
		"one_of: {stages: [rotat: {degrees: 30}, {flip: {q: 1, r: 2}}, grayscal]}": "p.yaml:5:22: one_of: stages: unknown stage \"rotat\": did you mean \"rotate\"?\n" +
			"p.yaml:5:22: one_of: stages: flip: unknown option \"q\"",
	} {
		_, err := pipefile.Parse("p.yaml", []byte(file(list)), "", catalogs)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(list, "grayscal]") && len(strings.Split(err.Error(), "\n")) != 4 {
			t.Errorf("%s: %v\nwant %s", list, err, want)
		}
	}
}

// What several mistakes have in common is said once, and each of several in one option has its place.
func TestMistakesAreListed(t *testing.T) {
	catalogs := pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog}
	_, err := pipefile.Parse("p.yaml", []byte(`version: 1
source: {folder: {path: x}}
stages:
  - decod
  - rotat: {degrees: 3}
  - rebalance: {target: {repeat_factor: {threshold: 2, power: 3}}}
  - bach: {size: 3}
`), "", catalogs)
	if err == nil {
		t.Fatal("no mistake")
	}
	text := err.Error()
	if n := strings.Count(text, "(stages: filter, "); n != 1 || strings.Count(text, "unknown stage") != 3 {
		t.Errorf("the stages are listed %d times:\n%s", n, text)
	}
	for _, want := range []string{
		"p.yaml:6:25: rebalance: target: repeat_factor: power: 3 is not above 0",
		"p.yaml:6:25: rebalance: target: repeat_factor: threshold: 2 is not above 0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
