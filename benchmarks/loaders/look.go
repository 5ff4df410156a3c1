package main

import (
	"context"
	"fmt"
	"math"

	"github.com/sluicedata/sluice/schema"
)

// looks is what a contestant's images are like, for whether all do the same.
type looks struct {
	Shape     string  `json:"shape"`     // of a batch
	Mean      float64 `json:"mean"`      // of the values
	Deviation float64 `json:"deviation"` // likewise
	Step      float64 `json:"step"`      // how far neighbours in a row are apart, in the mean
}

// looking is the sink that finds out.
type looking struct {
	shape                     string
	values, pairs             int
	sum, squares, differences float64
}

func (*looking) Open(context.Context, *schema.Run) error { return nil }
func (*looking) Close(error) error                       { return nil }

// Write adds a batch.
func (l *looking) Write(_ context.Context, b *schema.Batch) error {
	shape := fmt.Sprintf("%d x 3 x %d x %d %s", b.Rows(), b.Tensor.Height, b.Tensor.Width, b.Tensor.DType)
	if l.shape == "" {
		l.shape = shape
	}
	if shape != l.shape {
		return fmt.Errorf("a batch of %s after those of %s", shape, l.shape)
	}
	l.add(b.Float32(), b.Tensor.Width)
	return nil
}

// add adds values, rows of so many.
func (l *looking) add(values []float32, width int) {
	for ; len(values) > 0; values = values[width:] {
		row := values[:width]
		for x, v := range row {
			l.sum += float64(v)
			l.squares += float64(v) * float64(v)
			if x > 0 {
				l.differences += math.Abs(float64(v) - float64(row[x-1]))
			}
		}
		l.values += len(row)
		l.pairs += len(row) - 1
	}
}

func (l *looking) found() looks {
	n := float64(l.values)
	mean := l.sum / n
	return looks{l.shape, mean, math.Sqrt(l.squares/n - mean*mean), l.differences / float64(l.pairs)}
}
