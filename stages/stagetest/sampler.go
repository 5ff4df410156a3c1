package stagetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Samples makes the index that the suites of samplers and weighers use: counts[i]
// samples of each shape (circle, square, star), in mixed order, each of one of the
// types a, b and c; the classes "hexagon" and "z" have no sample. Every 17th sample has
// no shape.
func Samples(counts ...int) *schema.Table {
	index := &schema.Table{
		TaskList: []schema.Task{
			{Name: "shape", Classes: []string{"circle", "hexagon", "square", "star"}},
			{Name: "type", Classes: []string{"a", "b", "c", "z"}},
		},
		Labels: make([][]int32, 2),
	}
	var shapes []int32
	for i, n := range counts {
		shapes = append(shapes, slices.Repeat([]int32{[]int32{0, 2, 3}[i]}, n)...)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shapes), func(i, j int) { shapes[i], shapes[j] = shapes[j], shapes[i] })
	for i, shape := range shapes {
		if i%17 == 16 {
			shape = schema.Unknown
		}
		index.Keys = append(index.Keys, fmt.Sprintf("part-%d/%04d.jpg", i%3, i))
		index.Sizes = append(index.Sizes, int64(1000+i))
		index.Labels[0] = append(index.Labels[0], shape)
		index.Labels[1] = append(index.Labels[1], int32(i%7%3))
	}
	return index
}

// Sampler checks a Sampler on several selections of Samples(90, 25, 6): that it draws
// only samples of its input; that draws depend on (seed, epoch, position) alone, not on
// the order or goroutine in which they are asked for; that other seeds and epochs give
// other orders, unless the result is a Selection; and that it changes none of its
// arguments.
func Sampler(t *testing.T, stage stages.Sampler) {
	t.Helper()
	Options(t, stage)
	if stage.Check() != nil {
		return
	}
	index := Samples(90, 25, 6)
	if b, ok := stage.(stages.Balancer); ok {
		for _, task := range b.BalancedTasks() {
			known(t, stage, index, task)
		}
	}
	if order, err := stage.Sample(stages.Selection{}, index, stageKey(1, stage)); err == nil && order.Len() == 0 {
		t.Errorf("%s: an order of no draws, and no error", stage.Name())
	}
	all := make(stages.Selection, index.Len())
	for i := range all {
		all[i] = i
	}
	backward := slices.Clone(all)
	slices.Reverse(backward)
	for name, in := range map[string]stages.Selection{"all": all, "backward": backward, "half": all[:60], "few": all[:20]} {
		t.Run(name, func(t *testing.T) { sampler(t, stage, in, index) })
	}
}

// known wants a task that a stage names to be one of the index; "" is the only one.
func known(t *testing.T, stage stages.Stage, index *schema.Table, task string) {
	t.Helper()
	if _, ok := schema.TaskNumber(index.Tasks(), task); !ok && task != "" {
		t.Errorf("%s: names task %q, which Samples doesn't have", stage.Name(), task)
	}
}

func stageKey(seed uint64, stage stages.Stage) stages.RandKey {
	return rng.NewKey(seed, stage.Name(), "0")
}

const samplerEpochs = 5

func sampler(t *testing.T, stage stages.Sampler, in stages.Selection, index *schema.Table) {
	given, before := slices.Clone(in), copyIndex(index)
	if w, ok := stage.(stages.Warner); ok {
		if a, b := w.Warn(in, index), w.Warn(in, index); !slices.Equal(a, b) {
			t.Errorf("warns %q, then %q", a, b)
		}
	}
	order, want := drawAll(t, stage, in, index, 1)
	if !slices.Equal(in, given) || !reflect.DeepEqual(index, before) {
		t.Fatal("the selection or the index was changed")
	}
	if order == nil {
		return
	}
	reach := make(map[int]bool, len(in))
	for _, s := range in {
		reach[s] = true
	}
	for epoch, draws := range want {
		for position, s := range draws {
			if !reach[s] {
				t.Fatalf("epoch %d, position %d: sample %d doesn't reach the stage", epoch, position, s)
			}
		}
	}
	_, again := drawAll(t, stage, in, index, 1)
	if !reflect.DeepEqual(again, want) {
		t.Error("the same seed gives another order the second time")
	}
	anyOrder(t, stage, in, index, want)

	_, other := drawAll(t, stage, in, index, 2)
	if _, static := order.(stages.Selection); static {
		if !reflect.DeepEqual(other, want) {
			t.Error("a Selection that depends on the seed")
		}
	} else if len(want[0]) > 10 && (reflect.DeepEqual(other, want) || slices.Equal(want[0], want[1])) {
		t.Error("another seed or epoch gives the same order")
	}
}

// drawAll draws epoch after epoch, position after position.
func drawAll(t *testing.T, stage stages.Sampler, in stages.Selection, index *schema.Table, seed uint64) (stages.Order, [][]int) {
	t.Helper()
	order, err := stage.Sample(in, index, stageKey(seed, stage))
	if err != nil {
		t.Errorf("no order from %d samples: %v", len(in), err)
		return nil, nil
	}
	draws := make([][]int, samplerEpochs)
	for epoch := range draws {
		for position := range order.Len() {
			draws[epoch] = append(draws[epoch], order.At(epoch, position))
		}
	}
	return order, draws
}

// anyOrder asks a fresh order for the same draws from several goroutines, each
// in a random sequence of its own.
func anyOrder(t *testing.T, stage stages.Sampler, in stages.Selection, index *schema.Table, want [][]int) {
	order, err := stage.Sample(in, index, stageKey(1, stage))
	if err != nil {
		t.Error(err)
		return
	}
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			n := len(want[0])
			for _, i := range rand.New(rand.NewPCG(9, uint64(worker))).Perm(samplerEpochs * n) {
				epoch, position := i/n, i%n
				if got := order.At(epoch, int64(position)); got != want[epoch][position] {
					t.Errorf("epoch %d, position %d: sample %d, drawn in sequence %d", epoch, position, got, want[epoch][position])
					return
				}
			}
		})
	}
	wait.Wait()
}

// Weigher checks a Weigher on Samples(90, 25, 6): that factors are finite, not
// negative, the same every time, and 1 for a sample whose labels are all unknown.
func Weigher(t *testing.T, stage stages.Weigher) {
	t.Helper()
	Options(t, stage)
	if stage.Check() != nil {
		return
	}
	index := Samples(90, 25, 6)
	before := copyIndex(index)
	first, err := stage.Weigh(index)
	if err != nil {
		t.Fatalf("%s: %v", stage.Name(), err)
	}
	second, err := stage.Weigh(index)
	if err != nil {
		t.Fatalf("%s: the second time: %v", stage.Name(), err)
	}
	for s := range index.Keys {
		labels := []int32{index.Labels[0][s], index.Labels[1][s]}
		f := first(labels)
		if !(f >= 0 && f <= 1e30) || f != second(labels) {
			t.Errorf("%s: labels %v have the factors %v and %v", stage.Name(), labels, f, second(labels))
		}
	}
	if f := first([]int32{schema.Unknown, schema.Unknown}); f != 1 {
		t.Errorf("%s: unknown labels have the factor %v, want 1", stage.Name(), f)
	}
	if w, ok := stage.(stages.TaskWeigher); ok {
		known(t, stage, index, w.WeightedTask())
		task, _ := schema.TaskNumber(index.Tasks(), w.WeightedTask())
		for s := range index.Keys {
			alone := []int32{schema.Unknown, schema.Unknown}
			alone[task] = index.Labels[task][s]
			if f, both := first(alone), first([]int32{index.Labels[0][s], index.Labels[1][s]}); f != both {
				t.Errorf("%s: the factor of labels %v depends on more than task %q: %v, with the others %v", stage.Name(), alone, w.WeightedTask(), f, both)
			}
		}
	}
	if !reflect.DeepEqual(index, before) {
		t.Errorf("%s: the index was changed", stage.Name())
	}
}

// copyIndex copies an index as far as a stage might write to it.
func copyIndex(index *schema.Table) *schema.Table {
	c := *index
	c.Keys, c.Sizes, c.Labels = slices.Clone(c.Keys), slices.Clone(c.Sizes), nil
	for _, labels := range index.Labels {
		c.Labels = append(c.Labels, slices.Clone(labels))
	}
	return &c
}
