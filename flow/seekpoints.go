package flow

import (
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/jpeg"
)

// seekPointsBytes is the most that a plan keeps of its files' seek points: about a
// hundredth of the files' size. It is not in the budget.
const seekPointsBytes = 64 << 20

// seekPoints are those that decoding found in each file, for later draws of the sample.
type seekPoints struct {
	known []atomic.Pointer[jpeg.SeekPoints] // by sample
	free  atomic.Int64                      // bytes of seekPointsBytes
}

func newSeekPoints(samples int) *seekPoints {
	p := &seekPoints{known: make([]atomic.Pointer[jpeg.SeekPoints], samples)}
	p.free.Store(seekPointsBytes)
	return p
}

// of is the seek points of a row's file; nil where they would not help, and where no
// memory for more is free.
func (p *seekPoints) of(row *Row, f *decode.File) *jpeg.SeekPoints {
	if row.Sample < 0 || row.Sample >= len(p.known) {
		return nil
	}
	slot := &p.known[row.Sample]
	if known := slot.Load(); known != nil {
		return known
	}
	n := f.SeekPointsBytes()
	if n == 0 {
		return nil
	}
	if p.free.Add(-n) < 0 {
		p.free.Add(n)
		return nil
	}
	if !slot.CompareAndSwap(nil, new(jpeg.SeekPoints)) {
		p.free.Add(n)
	}
	return slot.Load()
}
