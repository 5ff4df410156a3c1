package ledgerpage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
)

// Merge adds up the ledgers of the ranks of a run; names say where each is from. Counts are exact sums, but for
// Distinct, which is at most a class's samples and the sum of the ranks' own: exact at the end of
// an epoch where samples of a class are drawn equally often, and no draw failed. It refuses ledgers of
// different plans, which seeds are part of, and two of the same rank.
func Merge(names []string, list []*Ledger) (*Ledger, error) {
	if len(list) == 0 {
		return nil, errors.New("there is no ledger")
	}
	if len(list) == 1 {
		return list[0], nil
	}
	ranks := map[int]string{}
	for i, l := range list {
		switch {
		case l.PlanHash == "":
			return nil, fmt.Errorf("%s doesn't say of which plan it is, so it cannot be added to others: give reports of runs, or states", names[i])
		case l.PlanHash != list[0].PlanHash:
			return nil, fmt.Errorf("%s and %s are of different plans (%.12s and %.12s): another pipeline, other data or another seed; ledgers of one plan are added up",
				names[0], names[i], list[0].PlanHash, l.PlanHash)
		case l.Rank == nil:
			continue
		case ranks[*l.Rank] != "":
			return nil, fmt.Errorf("%s and %s are both of rank %d: give one of each rank, the newest", ranks[*l.Rank], names[i], *l.Rank)
		}
		ranks[*l.Rank] = names[i]
	}
	out := &Ledger{PlanHash: list[0].PlanHash, About: fmt.Sprintf("%d ledgers of one plan, added up: %s.", len(list), strings.Join(names, ", "))}
	out.Ledger = merged(list, func(l *Ledger) map[string]map[string]flow.Exposure { return l.Ledger })
	out.Images = merged(list, func(l *Ledger) map[string]map[string]flow.Exposure { return l.Images })
	spans := list[0].ByEpoch
	for _, l := range list[1:] {
		if !slices.EqualFunc(spans, l.ByEpoch, func(a, b flow.EpochExposure) bool { return a.Epochs == b.Epochs }) {
			return out, nil // one has come further, or was resumed: in all they can be added up
		}
	}
	for i, s := range spans {
		at := func(of func(*flow.EpochExposure) map[string]map[string]flow.Exposure) map[string]map[string]flow.Exposure {
			return merged(list, func(l *Ledger) map[string]map[string]flow.Exposure { return of(&l.ByEpoch[i]) })
		}
		out.ByEpoch = append(out.ByEpoch, flow.EpochExposure{
			Epochs: s.Epochs,
			Ledger: at(func(e *flow.EpochExposure) map[string]map[string]flow.Exposure { return e.Ledger }),
			Images: at(func(e *flow.EpochExposure) map[string]map[string]flow.Exposure { return e.Images }),
		})
	}
	return out, nil
}

// merged adds up tasks and classes; nil where there are none.
func merged(list []*Ledger, of func(*Ledger) map[string]map[string]flow.Exposure) map[string]map[string]flow.Exposure {
	all := 0.0 // weight of all rows, which a share of it tells
	for _, l := range list {
		all += weightOf(of(l))
	}
	var out map[string]map[string]flow.Exposure
	for _, l := range list {
		for task, classes := range of(l) {
			if out == nil {
				out = map[string]map[string]flow.Exposure{}
			}
			if out[task] == nil {
				out[task] = map[string]flow.Exposure{}
			}
			for class, x := range classes {
				out[task][class] = plus(out[task][class], x)
			}
		}
	}
	for _, classes := range out {
		for class, x := range classes {
			if x.Samples > 0 {
				x.Distinct = min(x.Distinct, x.Samples)
			}
			if x.Repeats = x.Delivered - x.Distinct; all > 0 {
				x.WeightShare = x.Weight * float64(x.Delivered) / all
			}
			classes[class] = x
		}
	}
	return out
}

// weightOf is the weight of all rows, by any class that has some.
func weightOf(tasks map[string]map[string]flow.Exposure) float64 {
	for _, task := range slices.Sorted(maps.Keys(tasks)) {
		for _, class := range slices.Sorted(maps.Keys(tasks[task])) {
			if x := tasks[task][class]; x.WeightShare > 0 {
				return x.Weight * float64(x.Delivered) / x.WeightShare
			}
		}
	}
	return 0
}

// plus adds counts, and takes the means of what are means over rows.
func plus(a, b flow.Exposure) flow.Exposure {
	mean := func(x, y float64) float64 {
		if n := float64(a.Delivered + b.Delivered); n > 0 {
			return (x*float64(a.Delivered) + y*float64(b.Delivered)) / n
		}
		return 0
	}
	out := flow.Exposure{
		Quota: a.Quota + b.Quota, Drawn: a.Drawn + b.Drawn, Delivered: a.Delivered + b.Delivered, Failed: a.Failed + b.Failed, Refilled: a.Refilled + b.Refilled,
		Filled: a.Filled + b.Filled, Distinct: a.Distinct + b.Distinct, Samples: max(a.Samples, b.Samples), Weight: mean(a.Weight, b.Weight),
	}
	for _, stage := range slices.Concat(slices.Collect(maps.Keys(a.Strength)), slices.Collect(maps.Keys(b.Strength))) {
		if out.Strength == nil {
			out.Strength = map[string]float64{}
		}
		out.Strength[stage] = mean(a.Strength[stage], b.Strength[stage])
	}
	return out
}
