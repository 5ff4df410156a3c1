package gorgoniatrainer

import "github.com/sluicedata/sluice/trainer"

// pass is what one run of a graph goes by, beside its pixels, and what comes of it.
type pass struct {
	skip    []bool           // rows that don't count, whatever their pixels; nil: all do
	add     bool             // gradients add to what is there: these are further rows of a batch
	targets []trainer.Target // of these rows, with the sums of the whole batch
	result  lossResult
}

// lossResult is what the rows of one run contribute to a batch's loss.
type lossResult struct {
	tasks []float64 // NaN without a labelled row
	total float64
}
