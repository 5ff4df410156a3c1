package preview

import (
	"cmp"
	"slices"

	"github.com/sluicedata/sluice/schema"
)

// histogram compares the classes of one task before and after the samplers.
type histogram struct {
	Task   string
	Height int
	Bars   []histogramBar
	More   int // classes not shown
}

type histogramBar struct {
	Class                   string
	Y                       int
	Before, After           int64
	BeforeWidth, AfterWidth float64
}

const (
	maxBars   = 40
	barHeight = 26
	barWidth  = 320
)

func newHistogram(task schema.Task, before, after []int64) histogram {
	h := histogram{Task: task.Name}
	most := int64(1)
	for c := range before {
		most = max(most, before[c], after[c])
	}
	for c := range before {
		name := "(unknown)"
		if c < len(task.Classes) {
			name = task.Classes[c]
		} else if before[c] == 0 {
			continue
		}
		h.Bars = append(h.Bars, histogramBar{Class: name, Before: before[c], After: after[c],
			BeforeWidth: barWidth * float64(before[c]) / float64(most), AfterWidth: barWidth * float64(after[c]) / float64(most)})
	}
	slices.SortStableFunc(h.Bars, func(a, b histogramBar) int { return cmp.Compare(b.Before, a.Before) })
	if len(h.Bars) > maxBars {
		h.More = len(h.Bars) - maxBars
		h.Bars = slices.Concat(h.Bars[:maxBars/2], h.Bars[len(h.Bars)-maxBars/2:])
	}
	for i := range h.Bars {
		h.Bars[i].Y = i * barHeight
	}
	h.Height = len(h.Bars) * barHeight
	return h
}
