package schema

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
)

func testIndex() *Table {
	return &Table{
		TaskList:     []Task{{"a", []string{"x", "y"}}, {"b", []string{"z"}}},
		Keys:         []string{"1.jpg", "2.jpg", "3.jpg", "4.jpg"},
		Sizes:        []int64{10, 20, 30, 40},
		Labels:       [][]int32{{0, 1, Unknown, 1}, {0, Unknown, Unknown, 0}},
		Weights:      []float32{1, 2, 3, 4},
		ColumnList:   []Column{{"meta.n", arrow.PrimitiveTypes.Int64}},
		Values:       [][]any{{int64(1), nil, int64(3), int64(4)}},
		IgnoredFiles: 5,
	}
}

// rows are an index's samples, one text each.
func rows(x Index) (list []string) {
	for s := range x.Len() {
		list = append(list, fmt.Sprintf("%s %d %d %d %g %d %v", x.Key(s), x.Size(s), x.Label(0, s), x.Label(1, s), x.Weight(s), x.SourceIndex(s), x.Value(0, s)))
	}
	return list
}

func TestSelect(t *testing.T) {
	x := Select(testIndex(), []int{3, 2, 0})
	want := []string{"4.jpg 40 1 0 4 3 4", "3.jpg 30 -1 -1 3 2 3", "1.jpg 10 0 0 1 0 1"}
	if !slices.Equal(rows(x), want) || x.Ignored() != 5 || !reflect.DeepEqual(x.Tasks(), testIndex().TaskList) {
		t.Errorf("%q, want %q", rows(x), want)
	}
	again := Select(x, []int{1, 2})
	if again.SourceIndex(0) != 2 || again.SourceIndex(1) != 0 || again.Weight(1) != 1 {
		t.Errorf("a selection of a selection: %q", rows(again))
	}
	if Select(x, nil).Len() != 0 {
		t.Error("nothing selected isn't empty")
	}
}

func TestFind(t *testing.T) {
	x := Index(testIndex())
	some := Select(x, []int{1, 3})
	for key, want := range map[string][2]int{"1.jpg": {0, -1}, "2.jpg": {1, 0}, "4.jpg": {3, 1}, "0.jpg": {-1, -1}, "2": {-1, -1}, "5": {-1, -1}} {
		var have [2]int
		for i, in := range []Index{x, some} {
			sample, ok := in.Find(key)
			if have[i] = sample; !ok {
				have[i] = -1
			}
		}
		if have != want {
			t.Errorf("%q: %v, want %v", key, have, want)
		}
	}
}

func TestCounts(t *testing.T) {
	x := testIndex()
	if a, b := Counts(x, 0), Counts(x, 1); !reflect.DeepEqual(a, []int64{1, 2, 1}) || !reflect.DeepEqual(b, []int64{2, 2}) {
		t.Errorf("counts %v and %v", a, b)
	}
	x.Weights = nil
	if x.Weight(2) != 1 || x.SourceIndex(2) != 2 {
		t.Error("weight and source index without their columns")
	}
}

func TestTaskNumber(t *testing.T) {
	tasks := testIndex().TaskList
	for name, want := range map[string]int{"a": 0, "b": 1, "": -1, "c": -1} {
		got, ok := TaskNumber(tasks, name)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
	if n, ok := TaskNumber(tasks[:1], ""); n != 0 || !ok {
		t.Error("the only task isn't found without its name")
	}
}
