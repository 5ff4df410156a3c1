package flow_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// labelled is pictures of the classes given, in this order.
func labelled(classes ...int32) *held {
	list := slices.Clone(first(album())[:len(classes)])
	for i, class := range classes {
		list[i].key, list[i].labels = string(rune('a'+i))+".jpg", [2]int32{class, 0}
	}
	return hold(list)
}

// TestWarnsOfOneClassAfterTheOther: where batches are of one class, and nowhere else.
func TestWarnsOfOneClassAfterTheOther(t *testing.T) {
	byClass, mixed := []int32{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}, []int32{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}
	flip, resize := stages.Flip{P: 0.5}, stages.Resize{Height: 4, Width: 4}
	batch := stages.Batch{Size: 4}
	side := func(use sources.Side) sources.Source {
		return sources.Split{Source: labelled(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), Val: 0.3, Use: use}
	}
	for name, c := range map[string]struct {
		source sources.Source
		stages []stages.Stage
		epochs int
		want   bool
	}{
		"something random":    {labelled(byClass...), []stages.Stage{stages.Decode{}, flip, resize, batch}, 1, true},
		"several epochs":      {labelled(byClass...), []stages.Stage{stages.Decode{}, resize, batch}, 2, true},
		"drop_last":           {labelled(byClass...), []stages.Stage{stages.Decode{}, resize, stages.Batch{Size: 4, DropLast: true}}, 1, true},
		"many of one":         {labelled(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1), []stages.Stage{stages.Decode{}, flip, resize, batch}, 1, true},
		"some unknown":        {labelled(0, -1, 0, 0, -1, 0, 1, -1, 1, 1, 1, 1), []stages.Stage{stages.Decode{}, flip, resize, batch}, 1, true},
		"the plainest":        {labelled(byClass...), []stages.Stage{stages.Decode{}, resize, stages.ToTensor{}, batch}, 1, true},
		"shuffle":             {labelled(byClass...), []stages.Stage{stages.Shuffle{}, stages.Decode{}, flip, resize, batch}, 2, false},
		"rebalance":           {labelled(byClass...), []stages.Stage{stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}}, stages.Decode{}, flip, resize, batch}, 2, false},
		"mixed":               {labelled(mixed...), []stages.Stage{stages.Decode{}, flip, resize, batch}, 2, false},
		"one class":           {labelled(0, 0, 0, 0, 0, 0, 0, 0), []stages.Stage{stages.Decode{}, flip, resize, batch}, 2, false},
		"one class left":      {labelled(byClass...), []stages.Stage{stages.Filter{Task: "class", Keep: []string{"rare"}}, stages.Decode{}, flip, resize, stages.Batch{Size: 2}}, 2, false},
		"one batch":           {labelled(byClass...), []stages.Stage{stages.Decode{}, flip, resize, stages.Batch{Size: 12}}, 2, false},
		"encoded":             {labelled(byClass...), []stages.Stage{batch}, 1, true},
		"no label":            {labelled(-1, -1, -1, -1, -1, -1, -1, -1), []stages.Stage{stages.Decode{}, flip, resize, batch}, 2, false},
		"the training side":   {side(sources.Train), []stages.Stage{stages.Decode{}, flip, resize, stages.Batch{Size: 2}}, 1, true},
		"the validation side": {side(sources.Val), []stages.Stage{stages.Decode{}, flip, resize, stages.Batch{Size: 2}}, 1, false},
		"classes_from":        {sources.ClassesFrom{Source: labelled(byClass...), From: labelled(mixed...)}, []stages.Stage{stages.Decode{}, resize, batch}, 1, false},
		"classes_from, split": {sources.Split{Source: &sources.ClassesFrom{Source: labelled(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), From: labelled(mixed...)}, Val: 0.3, Use: sources.Train}, []stages.Stage{stages.Decode{}, resize, stages.Batch{Size: 2}}, 1, true},
	} {
		plan := planOf(t, c.source, c.stages, flow.Epochs(c.epochs))
		if have := strings.Contains(strings.Join(plan.Warnings(), "\n"), "neither shuffle nor rebalance"); have != c.want {
			t.Errorf("%s: warned %t, want %t: %q", name, have, c.want, plan.Warnings())
		}
	}
}

// TestWarnsOfWeights: rows of weight 0 alone.
func TestWarnsOfWeights(t *testing.T) {
	zero := stages.ClassWeights{Task: "class", Weights: stages.Weights{Named: map[string]float64{"common": 0, "middle": 1, "rare": 0}}}
	for name, c := range map[string]struct {
		weights []float32
		labels  []int32
		stages  []stages.Stage
		want    bool
	}{
		"all 0":              {[]float32{0, 0, 0}, []int32{0, 1, 2}, nil, true},
		"one isn't":          {[]float32{0, 0, 1e-9}, []int32{0, 1, 2}, nil, false},
		"none given":         {nil, []int32{0, 1, 2}, nil, false},
		"of the classes":     {nil, []int32{0, 2, 0}, []stages.Stage{zero}, true},
		"of one class":       {nil, []int32{0, 1, 2}, []stages.Stage{zero}, false},
		"of both, elsewhere": {[]float32{1, 0, 1}, []int32{0, 1, 2}, []stages.Stage{zero}, true},
	} {
		source := labelled(c.labels...)
		source.index.Weights = c.weights
		plan := planOf(t, source, append(c.stages, stages.Decode{}, stages.Resize{Height: 4, Width: 4}))
		if have := strings.Contains(strings.Join(plan.Warnings(), "\n"), "the weight of every row is 0"); have != c.want {
			t.Errorf("%s: warned %t, want %t: %q", name, have, c.want, plan.Warnings())
		}
	}
}

// TestWarnsOfObjectsWithoutPictures: the options of objects are rules for pictures that are made.
func TestWarnsOfObjectsWithoutPictures(t *testing.T) {
	keep := false
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a"}}
	source := annotate(spec, [][]byte{first(album())[0].data}, []schema.Targets{{}})
	for name, c := range map[string]struct {
		stages  []stages.Stage
		objects flow.Objects
		want    bool
	}{
		"encoded":          {[]stages.Stage{stages.Batch{Size: 1}}, flow.Objects{KeepEmpty: &keep}, true},
		"encoded, mirror":  {[]stages.Stage{stages.Batch{Size: 1}}, flow.Objects{Mirror: map[string]string{"a": "b"}}, true},
		"encoded, nothing": {[]stages.Stage{stages.Batch{Size: 1}}, flow.Objects{}, false},
		"decoded":          {[]stages.Stage{stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 1}}, flow.Objects{KeepEmpty: &keep}, false},
	} {
		if c.objects.Mirror != nil {
			spec.Classes = []string{"a", "b"}
		}
		p := flow.New(source, c.stages...)
		p.Objects = c.objects
		plan, err := p.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan.Warnings(), "\n"); strings.Contains(text, "objects: without decode") != c.want {
			t.Errorf("%s: warned %t, want %t: %q", name, !c.want, c.want, text)
		}
	}
}

// TestWarnsOfNoObjects: a plan in which no sample has an object says so.
func TestWarnsOfNoObjects(t *testing.T) {
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a"}}
	file := encoded(checks(8, 8), false)
	for n := range 2 {
		targets := make([]schema.Targets, 2)
		if n == 1 {
			targets[1].Objects = []schema.Object{{Box: [4]float32{1, 1, 5, 5}}}
		}
		plan, err := flow.New(annotate(spec, [][]byte{file, file}, targets), stages.Batch{Size: 2}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan.Warnings(), "\n"); strings.Contains(text, "no sample has an object") != (n == 0) {
			t.Errorf("%d objects: %q", n, text)
		}
		if err := plan.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWarnsOfWindowsTooLarge: a crop behind scale_jitter that small pictures can't have.
func TestWarnsOfWindowsTooLarge(t *testing.T) {
	jitter := stages.ScaleJitter{Target: [2]int{40, 30}, Range: stages.Range{0.5, 2}} // 20 x 15 at least
	batch := stages.Batch{Size: 4}
	for name, c := range map[string]struct {
		between []stages.Stage
		want    bool
	}{
		"too high":          {[]stages.Stage{stages.Crop{Height: 21, Width: 15}}, true},
		"too wide":          {[]stages.Stage{stages.CenterCrop{Height: 20, Width: 16}}, true},
		"other pixels":      {[]stages.Stage{stages.Invert{P: 0.5}, stages.Crop{Size: 32}}, true},
		"small enough":      {[]stages.Stage{stages.Crop{Height: 20, Width: 15}}, false},
		"padded":            {[]stages.Stage{stages.Pad{Size: [2]int{32, 32}}, stages.Crop{Size: 32}}, false},
		"a share":           {[]stages.Stage{stages.Crop{Size: 0.5}, stages.Resize{Height: 32, Width: 32}}, false},
		"resized, and crop": {[]stages.Stage{stages.Resize{Height: 40, Width: 40}, stages.Crop{Size: 32}}, false},
	} {
		list := append(append([]stages.Stage{stages.Shuffle{}, stages.Decode{}, jitter}, c.between...), batch)
		told := strings.Join(planOf(t, labelled(0, 1, 0, 1), list).Warnings(), "\n")
		if strings.Contains(told, "pad: {size: [") != c.want {
			t.Errorf("%s: %q", name, told)
		}
	}
}

// TestWarnsOfObjectStages: a stage that looks at objects has none where there are masks alone.
func TestWarnsOfObjectStages(t *testing.T) {
	file := encoded(checks(8, 8), false)
	for want, spec := range map[bool]*schema.TargetSpec{true: {Mask: true}, false: {Boxes: true, Classes: []string{"a"}}} {
		plan, err := flow.New(annotate(spec, [][]byte{file}, []schema.Targets{{}}), stages.Decode{}, stages.RandomIoUCrop{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 1}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan.Warnings(), "\n"); strings.Contains(text, "random_iou_crop looks at objects, and the source") != want {
			t.Errorf("masks %t: %q", want, text)
		}
		if err := plan.Close(); err != nil {
			t.Error(err)
		}
	}
}
