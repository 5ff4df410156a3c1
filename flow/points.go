package flow

import (
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/jpeg"
)

// pointsBytes is the most that a plan remembers of where decoding can begin in its files:
// about a hundredth of their size. It is not in the budget.
const pointsBytes = 64 << 20

// points is what decoding leaves for the next draw of the same sample.
type points struct {
	known []atomic.Pointer[jpeg.Points] // by sample
	left  atomic.Int64                  // bytes
}

func newPoints(samples int) *points {
	p := &points{known: make([]atomic.Pointer[jpeg.Points], samples)}
	p.left.Store(pointsBytes)
	return p
}

// of is the points of a row's file; nil where they are not worth it, and where too many
// are kept already.
func (p *points) of(row *Row, f *decode.File) *jpeg.Points {
	if row.Sample < 0 || row.Sample >= len(p.known) {
		return nil
	}
	slot := &p.known[row.Sample]
	if known := slot.Load(); known != nil {
		return known
	}
	n := f.PointsBytes()
	if n == 0 {
		return nil
	}
	if p.left.Add(-n) < 0 {
		p.left.Add(n)
		return nil
	}
	if !slot.CompareAndSwap(nil, new(jpeg.Points)) {
		p.left.Add(n)
	}
	return slot.Load()
}
