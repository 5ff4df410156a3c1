package flow

import (
	"math"
	"slices"

	"github.com/sluicedata/sluice/schema"
)

// countable is the number of draws that are looked at one by one for a text.
const countable = 1 << 24

// ClassDraws is what the first epoch draws of the samples that have a class, where samples
// have several: objects, or several labels. Balancing acts on their rarest classes, so the
// draws of the others follow.
type ClassDraws struct {
	Class    string  `json:"class"`
	Samples  int64   `json:"samples"`  // that have it
	Expected float64 `json:"expected"` // draws of them per epoch, as often as each is drawn on average
	Drawn    int64   `json:"drawn"`    // of them, in the first epoch
	// Random is the standard deviation of the draws, if each sample's number of draws were
	// rounded up or down at random, as detectron2's RepeatFactorTrainingSampler does.
	Random float64 `json:"random"`
}

// classDraws are those of each task of several classes; nil where nothing is balanced, or
// the draws are too many to count.
func classDraws(p *Plan) map[string][]ClassDraws {
	list := schema.SeveralOf(p.Index())
	if p.sampling.groups == nil || len(list) == 0 || p.sampling.order.Len() > countable {
		return nil
	}
	groups := p.sampling.groups()
	if groups == nil {
		return nil
	}
	each := groups.Draws(0)
	out := map[string][]ClassDraws{}
	for _, task := range list {
		classes := make([]ClassDraws, len(task.Classes))
		for c := range classes {
			classes[c].Class = task.Classes[c]
		}
		for _, sample := range p.sampling.selection {
			draws := each[groups.Of(sample)]
			rest := draws - math.Floor(draws)
			task.Each(sample, func(c int32) {
				classes[c].Samples++
				classes[c].Expected += draws
				classes[c].Random += float64(rest * (1 - rest))
			})
		}
		for position := range p.sampling.order.Len() {
			task.Each(p.sampling.order.At(0, position), func(c int32) { classes[c].Drawn++ })
		}
		for c := range classes {
			classes[c].Random = math.Sqrt(classes[c].Random)
		}
		out[task.Name] = classes
	}
	return out
}

// deviations are how far the draws of a task's classes are off what is expected, and the
// standard deviations of random rounding: root mean squares, and the largest with its class.
func deviations(classes []ClassDraws) (ours, random deviation) {
	for _, c := range classes {
		ours.add(float64(c.Drawn)-c.Expected, c.Class)
		random.add(c.Random, c.Class)
	}
	n := math.Max(1, float64(len(classes)))
	ours.mean, random.mean = math.Sqrt(ours.mean/n), math.Sqrt(random.mean/n)
	return ours, random
}

type deviation struct {
	mean, most float64
	class      string
}

func (d *deviation) add(x float64, class string) {
	d.mean += float64(x * x)
	if x = math.Abs(x); x > d.most {
		d.most, d.class = x, class
	}
}

// ClassWeight is how much the samples of a class count, where classes are both weighted and
// drawn in other proportions than they have.
type ClassWeight struct {
	Class   string  `json:"class"`
	Weight  float64 `json:"weight"`  // of its rows
	Draws   float64 `json:"draws"`   // of each of its samples in an epoch, on average, in the last epoch of the run
	Product float64 `json:"product"` // of the two: how much each sample counts
	Share   float64 `json:"share"`   // of the sum of all rows' weights in an epoch
}

// classWeights are those of each weighted task; nil where nothing is balanced.
func classWeights(p *Plan) map[string][]ClassWeight {
	if p.sampling.groups == nil || len(p.sampling.weighed) == 0 {
		return nil
	}
	groups := p.sampling.groups()
	if groups == nil {
		return nil
	}
	each, index, out := groups.Draws(p.settings.Epochs-1), p.Index(), map[string][]ClassWeight{}
	for _, w := range p.sampling.weighed {
		task := index.Tasks()[w.task]
		classes, counts := make([]ClassWeight, len(task.Classes)), p.info.Counts[w.task]
		labels := slices.Repeat([]int32{schema.Unknown}, len(index.Tasks()))
		for c, name := range task.Classes {
			labels[w.task] = int32(c)
			classes[c] = ClassWeight{Class: name, Weight: float64(w.weigh(labels))}
		}
		sum := 0.0
		for _, sample := range p.sampling.selection {
			draws := each[groups.Of(sample)]
			if label := index.Label(w.task, sample); label != schema.Unknown {
				classes[label].Draws += draws
				draws *= classes[label].Weight
			}
			sum += draws
		}
		for c := range classes {
			x := &classes[c]
			x.Draws /= float64(max(counts[c], 1))
			x.Product = x.Weight * x.Draws
			x.Share = x.Product * float64(counts[c]) / max(sum, math.SmallestNonzeroFloat64)
		}
		out[task.Name] = classes
	}
	return out
}

// lastDraws are the draws of a task's classes in the last epoch, on average and rounded, the
// last those of unknown label; nil, where they are those of the first.
func lastDraws(p *Plan, task int) []int64 {
	if p.sampling.groups == nil {
		return nil
	}
	groups := p.sampling.groups()
	if groups == nil {
		return nil
	}
	each := groups.Draws(p.settings.Epochs - 1)
	if slices.Equal(each, groups.Draws(0)) {
		return nil
	}
	sums := make([]float64, len(p.info.Tasks[task].Classes)+1)
	for _, sample := range p.sampling.selection {
		label := p.Index().Label(task, sample)
		if label == schema.Unknown {
			label = int32(len(sums) - 1)
		}
		sums[label] += each[groups.Of(sample)]
	}
	draws := make([]int64, len(sums))
	for c, sum := range sums {
		draws[c] = int64(math.Floor(sum + 0.5))
	}
	return draws
}
