package gorgoniatrainer

import "github.com/sluicedata/sluice/trainer"

// pass holds the inputs of one run of a graph, apart from the pixels, and its result.
type pass struct {
	skip    []bool           // masked rows, whatever their pixels; nil: none
	add     bool             // gradients add to what is there: these are further rows of a batch
	targets []trainer.Target // of these rows, with the sums of the whole batch
	result  lossResult
}

// lossResult is what the rows of one run contribute to a batch's loss.
type lossResult struct {
	tasks []float64 // NaN without a labelled row
	total float64
}
