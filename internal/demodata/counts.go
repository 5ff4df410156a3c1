package demodata

import (
	"errors"
	"fmt"
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
)

// revision counts the changes to what is drawn: older data aren't continued.
const revision = 2

// identity is what decides the files: two runs with the same one make the same data.
type identity struct {
	Revision        int     `json:"revision"`
	Seed            uint64  `json:"seed"`
	Train           int     `json:"train"`
	Val             int     `json:"val"`
	ImbalanceFactor float64 `json:"imbalance_factor"`
}

// identity checks the spec and fills in the defaults.
func (s Spec) identity() (identity, error) {
	id := identity{revision, s.Seed, s.Train, s.Val, s.ImbalanceFactor}
	if id.Train == 0 {
		id.Train = 800
	}
	if id.Val == 0 {
		id.Val = 600
	}
	if id.ImbalanceFactor == 0 {
		id.ImbalanceFactor = 50
	}
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	// Four digits number the files of a folder; the bound keeps below that.
	const most = 20_000
	bad(s.Dir == "", "no folder given")
	bad(id.Train < 0 || id.Train > most, "train is %d files, want 1 to %d", id.Train, most)
	bad(id.Val < 0 || id.Val > most, "val is %d files, want 1 to %d", id.Val, most)
	bad(!(id.ImbalanceFactor >= 1 && id.ImbalanceFactor <= 1000), "imbalance factor is %v, want 1 to 1000", id.ImbalanceFactor)
	bad(s.Workers < 0, "workers is %d, want 0 or more", s.Workers)
	return id, errors.Join(errs...)
}

// items lists the files, train before val.
func (id identity) items() []item {
	var items []item
	add := func(split string, s shape, c color, n int) {
		for number := 1; number <= n; number++ {
			items = append(items, item{split, s, c, number})
		}
	}
	counts := id.counts()
	for i, s := range shapes {
		for j, c := range colors {
			add("train", s, c, counts[i][j])
		}
	}
	cells := float64(len(shapes) * len(colors))
	each := max(1, int(math.Round(float64(id.Val)/cells)))
	for _, s := range shapes {
		for _, c := range colors {
			add("val", s, c, each)
		}
	}
	return items
}

// counts is the number of training images by shape and colour: the long tail of Cao
// et al. 2019 over the shapes, each count split among the colours by another one.
func (id identity) counts() [][]int {
	byShape := tail(len(shapes), id.ImbalanceFactor)
	byColor := tail(len(colors), math.Sqrt(id.ImbalanceFactor))
	largest := math.Round(float64(id.Train) / sum(byShape))
	counts := make([][]int, len(shapes))
	for i, share := range byShape {
		// The small number makes up for rounding, where the product is a whole one.
		n := int(math.Floor(mul(largest, share) + 1e-9))
		counts[i] = apportion(max(n, 1), byColor)
	}
	return counts
}

// tail is (1/factor)^(c/(classes-1)) for each class c.
func tail(classes int, factor float64) []float64 {
	shares := make([]float64, classes)
	for c := range shares {
		shares[c] = detmath.Pow(factor, -float64(c)/float64(classes-1))
	}
	return shares
}

// apportion splits n by shares (largest remainder, ties to the earlier one),
// with at least one for each as long as n reaches.
func apportion(n int, shares []float64) []int {
	counts := make([]int, len(shares))
	given := 0
	for i := range counts {
		if given < n {
			counts[i] = 1
			given++
		}
	}
	total := sum(shares)
	for ; given < n; given++ {
		most := 0
		for i := range counts {
			// Compared with a margin: a last bit must not decide.
			if mul(float64(n), shares[i]/total)-float64(counts[i]) > mul(float64(n), shares[most]/total)-float64(counts[most])+1e-9 {
				most = i
			}
		}
		counts[most]++
	}
	return counts
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}
