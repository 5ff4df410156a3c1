package picture

import (
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/jpeg"
)

// seekPointsBytes is the most that a plan keeps of its files' seek points: about a
// hundredth of the files' size. It is not in the budget.
const seekPointsBytes = 64 << 20

// SeekPoints are those that decoding found in each file, for later draws of the sample.
type SeekPoints struct {
	known []atomic.Pointer[jpeg.SeekPoints] // by sample
	free  atomic.Int64                      // bytes of seekPointsBytes
}

// NewSeekPoints are those of samples 0 to n-1, none of them known.
func NewSeekPoints(n int) *SeekPoints {
	p := &SeekPoints{known: make([]atomic.Pointer[jpeg.SeekPoints], n)}
	p.free.Store(seekPointsBytes)
	return p
}

// of is the seek points of a sample's file; nil where they would not help, and where no
// memory for more is free.
func (p *SeekPoints) of(sample int, f *decode.File) *jpeg.SeekPoints {
	if p == nil || sample < 0 || sample >= len(p.known) {
		return nil
	}
	slot := &p.known[sample]
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
