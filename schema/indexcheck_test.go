package schema_test

import (
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/schema"
)

func sound() *schema.Table {
	return &schema.Table{
		TaskList: []schema.Task{{Name: "class", Classes: []string{"cat", "dog"}}},
		Keys:     []string{"a", "b", "c"}, Sizes: []int64{1, -1, 0}, Labels: [][]int32{{0, schema.Unknown, 1}},
		Weights: []float32{0, 1, 2.5}, Origin: []int64{0, 4, 5},
		ColumnList: []schema.Column{{Name: "meta.a", Type: arrow.BinaryTypes.String}, {Name: "b", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8)}},
		Values:     [][]any{{"x", nil, ""}, {nil, []int8{}, []int8{1}}},
		Targets: &schema.TargetTable{
			Spec: &schema.TargetSpec{Boxes: true, Classes: []string{"car", "bus"}}, First: []int64{0, 2, 2, 3}, Labels: []int32{0, 1, 1}, Digests: make([][16]byte, 3),
		},
	}
}

func TestIndexCheck(t *testing.T) {
	if err := schema.Check(sound()); err != nil {
		t.Errorf("a sound index: %v", err)
	}
	if err := schema.Check(&schema.Table{}); err != nil {
		t.Errorf("an empty index: %v", err)
	}
	for _, none := range []schema.Index{nil, (*schema.Table)(nil)} {
		if err := schema.Check(none); err == nil {
			t.Error("no index is sound")
		}
	}
	for name, c := range map[string]struct {
		spoil func(x *schema.Table)
		want  string
	}{
		"short sizes":       {func(x *schema.Table) { x.Sizes = x.Sizes[:2] }, "Sizes has 2 elements for 3 keys"},
		"no sizes":          {func(x *schema.Table) { x.Sizes = nil }, "Sizes has 0 elements"},
		"long sizes":        {func(x *schema.Table) { x.Sizes = make([]int64, 4) }, "Sizes has 4 elements"},
		"a size below -1":   {func(x *schema.Table) { x.Sizes[1] = -2 }, `sample 1 ("b") has -2 bytes`},
		"short weights":     {func(x *schema.Table) { x.Weights = x.Weights[:1] }, "Weights has 1 elements"},
		"empty weights":     {func(x *schema.Table) { x.Weights = []float32{} }, "Weights has 0 elements"},
		"a weight NaN":      {func(x *schema.Table) { x.Weights[2] = float32(math.NaN()) }, `sample 2 ("c") has the weight NaN`},
		"an infinite one":   {func(x *schema.Table) { x.Weights[0] = float32(math.Inf(1)) }, "has the weight +Inf"},
		"a negative one":    {func(x *schema.Table) { x.Weights[0] = -1 }, "has the weight -1"},
		"unsorted keys":     {func(x *schema.Table) { x.Keys[0] = "bb" }, `the key "b" of sample 1 comes after "bb": sort`},
		"doubled keys":      {func(x *schema.Table) { x.Keys[1] = "a" }, `samples 0 and 1 have the same key "a"`},
		"an empty key":      {func(x *schema.Table) { x.Keys[0] = "" }, `sample 0 has the key ""`},
		"a key not UTF-8":   {func(x *schema.Table) { x.Keys[2] = "\xff" }, `sample 2 has the key "\xff"`},
		"a label too high":  {func(x *schema.Table) { x.Labels[0][2] = 2 }, `sample 2 ("c") has the label 2 in task "class", which has 2 classes: want 0 to 1`},
		"a label too low":   {func(x *schema.Table) { x.Labels[0][0] = -2 }, "has the label -2"},
		"short labels":      {func(x *schema.Table) { x.Labels[0] = x.Labels[0][:2] }, "Labels[0] has 2 elements"},
		"no labels":         {func(x *schema.Table) { x.Labels = nil }, "Labels has 0 tasks, and TaskList 1"},
		"labels too many":   {func(x *schema.Table) { x.Labels = append(x.Labels, nil) }, "Labels has 2 tasks"},
		"a task's name":     {func(x *schema.Table) { x.TaskList[0].Name = "" }, `task 0 has the name ""`},
		"two of a name":     {func(x *schema.Table) { x.TaskList[0].Classes = []string{"a", "a"} }, `class 1 of task "class" has the name "a"`},
		"a class not UTF8":  {func(x *schema.Table) { x.TaskList[0].Classes[0] = "\xfe" }, `has the name "\xfe"`},
		"origin falls":      {func(x *schema.Table) { x.Origin[2] = 4 }, "has the number 4 in the source"},
		"short origin":      {func(x *schema.Table) { x.Origin = x.Origin[:2] }, "Origin has 2 elements"},
		"no values":         {func(x *schema.Table) { x.Values = nil }, "Values has 0 columns, and ColumnList 2"},
		"short values":      {func(x *schema.Table) { x.Values[1] = x.Values[1][:2] }, "Values[1] has 2 elements"},
		"a column's name":   {func(x *schema.Table) { x.ColumnList[0].Name = "key" }, `a column has the name "key"`},
		"two columns":       {func(x *schema.Table) { x.ColumnList[1] = x.ColumnList[0]; x.Values[1] = x.Values[0] }, `two columns have the name "meta.a"`},
		"a column's type":   {func(x *schema.Table) { x.ColumnList[1].Type = arrow.FixedWidthTypes.Date32 }, `column "b": type date32`},
		"another value":     {func(x *schema.Table) { x.Values[1][2] = []int32{1} }, `sample 2 ("c"): column "b": a value of Go type int32 where a int8 is wanted`},
		"short digests":     {func(x *schema.Table) { x.Targets.Digests = x.Targets.Digests[:2] }, "Targets.Digests has 2 elements for 3 keys"},
		"short firsts":      {func(x *schema.Table) { x.Targets.First = x.Targets.First[:3] }, "Targets.First has 3 elements for 3 keys"},
		"no firsts":         {func(x *schema.Table) { x.Targets.First = nil }, "Targets.First is missing, and there are 3 labels"},
		"firsts that fall":  {func(x *schema.Table) { x.Targets.First[1] = 3 }, "Targets.First falls from 3 to 2 after sample 1"},
		"firsts too few":    {func(x *schema.Table) { x.Targets.First[3] = 2 }, "Targets.First goes from 0 to 2: want 0 to the number of labels, 3"},
		"an object's class": {func(x *schema.Table) { x.Targets.Labels[2] = 2 }, `sample 2 ("c"): object 0 has the label 2, and there are 2 classes`},
		"a negative class":  {func(x *schema.Table) { x.Targets.Labels[1] = -1 }, `sample 0 ("a"): object 1 has the label -1`},
		"no spec":           {func(x *schema.Table) { x.Targets.Spec = nil }, `sample 0 ("a"): object 0 has the label 0, and there are 0 classes`},
		"objects' classes":  {func(x *schema.Table) { x.Targets.Spec.Classes[1] = "car" }, `class 1 of task "boxes.label" has the name "car"`},
		"a broken spec":     {func(x *schema.Table) { x.Targets.Spec.CategoryIDs = []int64{1} }, "1 category ids of 2 classes"},
		"ignored files":     {func(x *schema.Table) { x.IgnoredFiles = -1 }, "Ignored is -1"},
		"a long key": {func(x *schema.Table) { x.Keys[0] = strings.Repeat("z", 1000) },
			`comes after "` + strings.Repeat("z", 80) + `..": sort`},
	} {
		t.Run(name, func(t *testing.T) {
			x := sound()
			c.spoil(x)
			err := schema.Check(x)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("have %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("one mistake is told as several:\n%v", err)
			}
		})
	}
}
