package schema

import (
	"reflect"
	"testing"
)

func testIndex() *Index {
	return &Index{
		Tasks:      []Task{{"a", []string{"x", "y"}}, {"b", []string{"z"}}},
		Keys:       []string{"1.jpg", "2.jpg", "3.jpg", "4.jpg"},
		Sizes:      []int64{10, 20, 30, 40},
		Labels:     [][]int32{{0, 1, Unknown, 1}, {0, Unknown, Unknown, 0}},
		Weights:    []float32{1, 2, 3, 4},
		PassedOver: 5,
	}
}

func TestIndexSelect(t *testing.T) {
	x := testIndex().Select([]int{3, 2, 0})
	want := &Index{
		Tasks: x.Tasks, PassedOver: 5,
		Keys: []string{"4.jpg", "3.jpg", "1.jpg"}, Sizes: []int64{40, 30, 10},
		Labels: [][]int32{{1, Unknown, 0}, {0, Unknown, 0}}, Weights: []float32{4, 3, 1}, Origin: []int64{3, 2, 0},
	}
	if !reflect.DeepEqual(x, want) {
		t.Errorf("%+v, want %+v", x, want)
	}
	again := x.Select([]int{1, 2})
	if again.SourceIndex(0) != 2 || again.SourceIndex(1) != 0 || again.Weight(1) != 1 {
		t.Errorf("a selection of a selection: %+v", again)
	}
	if x.Select(nil).Len() != 0 {
		t.Error("nothing selected isn't empty")
	}
}

func TestIndexCounts(t *testing.T) {
	x := testIndex()
	if a, b := x.Counts(0), x.Counts(1); !reflect.DeepEqual(a, []int64{1, 2, 1}) || !reflect.DeepEqual(b, []int64{2, 2}) {
		t.Errorf("counts %v and %v", a, b)
	}
	x.Weights = nil
	if x.Weight(2) != 1 || x.SourceIndex(2) != 2 {
		t.Error("weight and source index without their columns")
	}
}

func TestTaskNumber(t *testing.T) {
	x := testIndex()
	for name, want := range map[string]int{"a": 0, "b": 1, "": -1, "c": -1} {
		got, ok := x.TaskNumber(name)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
	x.Tasks = x.Tasks[:1]
	if n, ok := x.TaskNumber(""); n != 0 || !ok {
		t.Error("the only task isn't found without its name")
	}
}
