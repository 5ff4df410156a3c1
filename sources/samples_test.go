package sources

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/schema"
)

func TestSamples(t *testing.T) {
	column := schema.Column{Name: "meta.site", Type: arrow.BinaryTypes.String}
	given := map[string]ClassNames{"kind": {Names: []string{"z", "a", "none"}, From: "the features"}}
	s := NewSamples([]string{"kind", "count"}, given, 2, []schema.Column{column})
	s.Add(Sample{Key: "b", Size: 2, Labels: []string{"a", "10"}, Weight: 1, Numbers: []int64{7, 70}, Values: []any{"x"}})
	s.Add(Sample{Key: "c", Size: -1, Labels: []string{"", "9"}, Weight: 0.5, Numbers: []int64{8, 80}, Values: []any{nil}})
	s.Add(Sample{Key: "a", Size: 1, Labels: []string{" z ", "9.0"}, Weight: 1, Numbers: []int64{9, 90}, Values: []any{"y"}})
	listed, err := s.Listed(Classes{})
	if err != nil {
		t.Fatal(err)
	}
	x := listed.Index
	if err := schema.Check(x); err != nil {
		t.Fatal(err)
	}
	if got := []string{x.Key(0), x.Key(1), x.Key(2)}; !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("keys %q", got)
	}
	if !slices.Equal(listed.Numbers[0], []int64{9, 7, 8}) || !slices.Equal(listed.Numbers[1], []int64{90, 70, 80}) {
		t.Errorf("numbers %v", listed.Numbers)
	}
	if !slices.Equal(x.Tasks()[0].Classes, given["kind"].Names) || !slices.Equal(x.Tasks()[1].Classes, []string{"9", "10"}) {
		t.Errorf("tasks %q", x.Tasks())
	}
	for i, want := range [][2]int32{{0, 0}, {1, 1}, {schema.Unknown, 0}} {
		if x.Label(0, i) != want[0] || x.Label(1, i) != want[1] {
			t.Errorf("sample %d has the labels %d, %d: want %v", i, x.Label(0, i), x.Label(1, i), want)
		}
	}
	if x.Value(0, 0) != "y" || x.Value(0, 2) != nil || x.Weight(2) != 0.5 {
		t.Errorf("values %v, %v, weight %v", x.Value(0, 0), x.Value(0, 2), x.Weight(2))
	}
	if len(listed.Warnings) == 0 || !strings.Contains(strings.Join(listed.Warnings, "\n"), "1 of 3 images are missing") {
		t.Errorf("warnings %q", listed.Warnings)
	}
}

func TestSamplesMistakes(t *testing.T) {
	twice := NewSamples(nil, nil, 0, nil)
	twice.Add(Sample{Key: "a"})
	twice.Add(Sample{Key: "a"})
	if _, err := twice.Listed(Classes{}); err == nil || !strings.Contains(err.Error(), `two samples have the key "a"`) {
		t.Errorf("a key twice: %v", err)
	}
	other := NewSamples([]string{"kind"}, map[string]ClassNames{"kind": {Names: []string{"a"}, From: "the features"}}, 0, nil)
	other.Add(Sample{Key: "a", Labels: []string{"b"}})
	if _, err := other.Listed(Classes{}); err == nil || !strings.Contains(err.Error(), "is not among the 1 class of the features") {
		t.Errorf("a class that isn't given: %v", err)
	}
}
