package sources_test

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

func TestIdentity(t *testing.T) {
	base := func() *schema.Table {
		return &schema.Table{
			TaskList: []schema.Task{{Name: "shape", Classes: []string{"circle", "square"}}, {Name: "type", Classes: []string{"go", "stop"}}},
			Keys:     []string{"a.jpg", "b.jpg", "c.jpg"},
			Sizes:    []int64{1, 2, 3},
			Labels:   [][]int32{{0, 1, schema.Unknown}, {1, 0, 0}},
		}
	}
	want := sources.Identity(base())
	// It enters plan hashes, and so data on disk: it must not change unnoticed. The
	// value was computed apart, in Python, from the description at Identity.
	if golden := "7e5a71716ec632a98055bb2bb27fbf71c257896ca7dbfd3a65b8e5202b1c97a9"; want != golden {
		t.Errorf("Identity is %s, was %s", want, golden)
	}
	same := map[string]func(x *schema.Table){
		"ignored files": func(x *schema.Table) { x.IgnoredFiles = 7 },
		"weights of 1":  func(x *schema.Table) { x.Weights = []float32{1, 1, 1} },
		"own numbers":   func(x *schema.Table) { x.Origin = []int64{0, 1, 2} },
	}
	other := map[string]func(x *schema.Table){
		"key":           func(x *schema.Table) { x.Keys[0] = "a.png" },
		"keys run on":   func(x *schema.Table) { x.Keys[0], x.Keys[1] = "a.jpgb", ".jpg" },
		"size":          func(x *schema.Table) { x.Sizes[2] = 4 },
		"label":         func(x *schema.Table) { x.Labels[0][0] = 1 },
		"unknown":       func(x *schema.Table) { x.Labels[0][0] = schema.Unknown },
		"weight":        func(x *schema.Table) { x.Weights = []float32{1, 1, 2} },
		"source number": func(x *schema.Table) { x.Origin = []int64{0, 1, 3} },
		"task's name":   func(x *schema.Table) { x.TaskList[0].Name = "form" },
		"class's name":  func(x *schema.Table) { x.TaskList[0].Classes[0] = "round" },
		"order of classes": func(x *schema.Table) {
			x.TaskList[0].Classes[0], x.TaskList[0].Classes[1] = "square", "circle"
			x.Labels[0] = []int32{1, 0, -1}
		},
		"another class": func(x *schema.Table) { x.TaskList[1].Classes = append(x.TaskList[1].Classes, "yield") },
		"order of tasks": func(x *schema.Table) {
			x.TaskList[0], x.TaskList[1] = x.TaskList[1], x.TaskList[0]
			x.Labels[0], x.Labels[1] = x.Labels[1], x.Labels[0]
		},
		"a column":       withColumn("meta.a", arrow.BinaryTypes.String, "a", "b", nil),
		"its name":       withColumn("meta.b", arrow.BinaryTypes.String, "a", "b", nil),
		"its type":       withColumn("meta.a", arrow.BinaryTypes.LargeString, "a", "b", nil),
		"its values":     withColumn("meta.a", arrow.BinaryTypes.String, "ab", "", nil),
		"empty for none": withColumn("meta.a", arrow.BinaryTypes.String, "a", "b", ""),
		"no values":      withColumn("meta.a", arrow.BinaryTypes.String, nil, nil, nil),
		"fewer samples": func(x *schema.Table) {
			x.Keys, x.Sizes, x.Labels[0], x.Labels[1] = x.Keys[:2], x.Sizes[:2], x.Labels[0][:2], x.Labels[1][:2]
		},
		"fewer tasks": func(x *schema.Table) { x.TaskList, x.Labels = x.TaskList[:1], x.Labels[:1] },
	}
	for name, change := range same {
		x := base()
		change(x)
		if sources.Identity(x) != want {
			t.Errorf("%s: another identity", name)
		}
	}
	seen := map[string]string{want: "unchanged"}
	for name, change := range other {
		x := base()
		change(x)
		id := sources.Identity(x)
		if before, again := seen[id]; again {
			t.Errorf("%s: the identity of %s", name, before)
		}
		seen[id] = name
	}
}

// withColumn adds a column to an index of three samples.
func withColumn(name string, t arrow.DataType, values ...any) func(x *schema.Table) {
	return func(x *schema.Table) {
		x.ColumnList, x.Values = []schema.Column{{Name: name, Type: t}}, [][]any{values}
	}
}

// TestIdentityOfColumns is a value that was computed apart, in Python, from the
// description at Identity.
func TestIdentityOfColumns(t *testing.T) {
	x := &schema.Table{Keys: []string{"a.jpg", "b.jpg"}, Sizes: []int64{1, 2}, ColumnList: []schema.Column{
		{Name: "meta.name", Type: arrow.BinaryTypes.String}, {Name: "points", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)},
	}, Values: [][]any{{"first", nil}, {[]float32{0.5, -1}, []float32{}}}}
	if have, golden := sources.Identity(x), "4be09fea9afc132f837d38fb4c0ff7073c6bb7c9cc3d7963d4a34a9c3818acd3"; have != golden {
		t.Errorf("Identity is %s, was %s", have, golden)
	}
}

func BenchmarkIdentity(b *testing.B) {
	x := longTail(50000).Index()
	for b.Loop() {
		sources.Identity(x)
	}
	b.ReportMetric(float64(x.Len())*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
