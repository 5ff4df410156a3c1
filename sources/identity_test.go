package sources_test

import (
	"testing"

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

func BenchmarkIdentity(b *testing.B) {
	x := longTail(50000).Index()
	for b.Loop() {
		sources.Identity(x)
	}
	b.ReportMetric(float64(x.Len())*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
