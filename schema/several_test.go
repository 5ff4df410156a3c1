package schema

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
)

func TestSeveral(t *testing.T) {
	x := &Table{
		Keys: []string{"a", "b", "c"}, ColumnList: []Column{{Name: "label.tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}},
		Values: [][]any{{[]int32{2, 0, 2}, nil, []any{int32(1), int32(7)}}},
		Targets: &TargetTable{
			Spec:  &TargetSpec{Boxes: true, Classes: []string{"cat", "dog"}, Multi: []Task{{"tags", []string{"x", "y", "z"}}, {"absent", []string{"q"}}}},
			First: []int64{0, 3, 3, 4}, Labels: []int32{1, 1, 0, 0},
		},
	}
	want := map[string]string{"boxes": "[[1 0] [] [0]]", "tags": "[[2 0] [] [1]]", "absent": "[[] [] []]"}
	list := SeveralOf(x)
	for _, s := range list {
		got := make([][]int32, 3)
		for sample := range got {
			s.Each(sample, func(c int32) { got[sample] = append(got[sample], c) })
		}
		if fmt.Sprint(got) != want[s.Name] {
			t.Errorf("%s: %v, want %s", s.Name, got, want[s.Name])
		}
	}
	if len(list) != 3 || SeveralOf(&Table{}) != nil {
		t.Errorf("%d tasks of several classes", len(list))
	}
}
