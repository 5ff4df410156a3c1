package stages_test

import (
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

// fewSamples is an index small enough to be read in a test: one task, the
// classes ant, bee, cow and, without samples, dog.
func fewSamples() *schema.Table {
	return &schema.Table{
		TaskList: []schema.Task{{Name: "animal", Classes: []string{"ant", "bee", "cow", "dog"}}},
		Keys:     []string{"x/0.jpg", "x/1.jpg", "x/2.jpg", "y/3.jpg", "y/4.jpg", "y/5.jpg"},
		Sizes:    make([]int64, 6),
		Labels:   [][]int32{{0, 0, 1, 0, 2, schema.Unknown}},
	}
}

func TestFilter(t *testing.T) {
	stagetest.Sampler(t, stages.Filter{Task: "shape", Keep: []string{"circle", "star"}})
	stagetest.Sampler(t, stages.Filter{Task: "type", Drop: []string{"a"}, Key: "^part-[01]/", DropKey: "7"})
}

func TestFilterKeeps(t *testing.T) {
	for _, c := range []struct {
		filter stages.Filter
		want   []int
	}{
		{stages.Filter{Keep: []string{"bee", "ant"}}, []int{0, 1, 2, 3}},
		{stages.Filter{Drop: []string{"ant"}}, []int{2, 4, 5}},
		{stages.Filter{Drop: []string{"dog", "ant"}, Task: "animal"}, []int{2, 4, 5}},
		{stages.Filter{Key: "^y/"}, []int{3, 4, 5}},
		{stages.Filter{DropKey: "[0-2]"}, []int{3, 4, 5}},
		{stages.Filter{Keep: []string{"ant"}, Key: "y", DropKey: "4"}, []int{3}},
	} {
		order, err := c.filter.Sample(everySample(6), fewSamples(), stages.RandKey{})
		if err != nil || !slices.Equal(order.(stages.Selection), c.want) {
			t.Errorf("%+v: %v, %v, want %v", c.filter, order, err, c.want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for what, c := range map[string]struct {
		filter stages.Filter
		want   string
	}{
		"zero":     {stages.Filter{}, "keep: missing: give keep, drop, key or drop_key"},
		"both":     {stages.Filter{Keep: []string{"a"}, Drop: []string{"b", "a"}}, `drop: "a" is in keep too`},
		"task":     {stages.Filter{Key: "x", Task: "animal"}, "task: only keep and drop need it"},
		"patterns": {stages.Filter{Key: "(", DropKey: "[z"}, "key: error parsing regexp: missing closing ): `(`\ndrop_key: error parsing regexp: missing closing ]: `[z`"},
	} {
		wantError(t, what, c.filter.Check(), c.want)
	}
	several := fewSamples()
	several.TaskList = append(several.TaskList, schema.Task{Name: "size"})
	several.Labels = append(several.Labels, several.Labels[0])
	unlabelled := &schema.Table{Keys: fewSamples().Keys}
	for what, c := range map[string]struct {
		filter stages.Filter
		index  *schema.Table
		want   string
	}{
		"classes": {stages.Filter{Keep: []string{"ants", "bee", "Q"}}, fewSamples(),
			"keep: unknown class \"ants\" of task animal: did you mean \"ant\"? (classes: ant, bee, cow, dog)\n" +
				"keep: unknown class \"Q\" of task animal (classes: ant, bee, cow, dog)"},
		"no task":      {stages.Filter{Keep: []string{"ant"}}, several, "task: missing: the samples have several, give one of animal, size"},
		"unknown task": {stages.Filter{Keep: []string{"ant"}, Task: "sizes"}, several, `task: unknown task "sizes": did you mean "size"? (tasks: animal, size)`},
		"unlabelled":   {stages.Filter{Keep: []string{"ant"}}, unlabelled, "task: the samples have no labels"},
		"none left":    {stages.Filter{Key: "z"}, unlabelled, `it keeps none of 6 samples, the first of which is "x/0.jpg"`},
	} {
		_, err := c.filter.Sample(everySample(6), c.index, stages.RandKey{})
		wantError(t, what, err, c.want)
	}
}

func TestFilterWarns(t *testing.T) {
	wantWarnings(t, "all", stages.Filter{Drop: []string{"dog"}}.Warn(everySample(6), fewSamples()), "it keeps all 6 samples, and so changes nothing")
	wantWarnings(t, "some", stages.Filter{Drop: []string{"cow"}}.Warn(everySample(6), fewSamples()))
	wantWarnings(t, "none", stages.Filter{Keep: []string{"dog"}}.Warn(everySample(6), fewSamples()))
}
