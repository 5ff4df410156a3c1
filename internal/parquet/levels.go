package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// hybrid reads numbers in runs of equal ones and in packed groups of eight: levels and
// the numbers of a dictionary's entries (RLE).
type hybrid struct {
	b     []byte
	width uint
	left  int // of the run
	value uint32
	bits  []byte // of a packed run; nil: all are value
	at    uint64 // bit
}

var errEnd = errors.New("they end too early")

func newHybrid(b []byte, width uint) (*hybrid, error) {
	if width > 32 {
		return nil, fmt.Errorf("numbers of %d bits", width)
	}
	return &hybrid{b: b, width: width}, nil
}

func (h *hybrid) next() (uint32, error) {
	for h.left == 0 {
		if err := h.run(); err != nil {
			return 0, err
		}
	}
	h.left--
	if h.bits == nil {
		return h.value, nil
	}
	v := uint64(0)
	first, last := h.at/8, (h.at+uint64(h.width)+7)/8
	for i := last; i > first; i-- {
		v = v<<8 | uint64(h.bits[i-1])
	}
	v >>= h.at % 8
	h.at += uint64(h.width)
	return uint32(v & (1<<h.width - 1)), nil
}

func (h *hybrid) run() error {
	head, n := binary.Uvarint(h.b)
	if n <= 0 || head>>1 > 1<<31-1 {
		return errEnd
	}
	h.b = h.b[n:]
	count := int(head >> 1)
	if head&1 == 1 {
		// The last group may be stored in part.
		size := min(uint64(count)*uint64(h.width), uint64(len(h.b)))
		h.bits, h.at = h.b[:size], 0
		h.left = int(min(uint64(count)*8, 1<<31-1))
		if h.width > 0 {
			h.left = min(h.left, int(size*8/uint64(h.width)))
		}
		if h.left == 0 && count > 0 {
			return errEnd
		}
		h.b = h.b[size:]
		return nil
	}
	size := int(h.width+7) / 8
	if len(h.b) < size {
		return errEnd
	}
	h.value = 0
	for i := size - 1; i >= 0; i-- {
		h.value = h.value<<8 | uint32(h.b[i])
	}
	h.b, h.bits, h.left = h.b[size:], nil, count
	return nil
}

// delta reads numbers as differences (DELTA_BINARY_PACKED).
type delta struct {
	b      []byte
	total  uint64 // values
	given  uint64
	per    uint64 // values in a miniblock
	minis  int    // in a block
	value  int64
	least  int64  // difference in the block
	widths []byte // of the miniblocks that are to come
	bits   []byte // of this one
	width  uint
	at     uint64 // bit
	left   uint64 // in this miniblock
}

func newDelta(b []byte) (*delta, error) {
	d := &delta{b: b}
	size, minis := d.uvarint(), d.uvarint()
	d.total = d.uvarint()
	first := d.uvarint()
	if d.b == nil || minis == 0 || minis > 1<<16 || size > 1<<30 || size%minis != 0 || size/minis%32 != 0 || size == 0 {
		return nil, fmt.Errorf("blocks of %d in %d parts", size, minis)
	}
	d.per, d.minis = size/minis, int(minis)
	d.value = int64(first>>1) ^ -int64(first&1)
	return d, nil
}

// uvarint leaves b nil where there is no number.
func (d *delta) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b = nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *delta) next() (int64, error) {
	if d.given == d.total {
		return 0, errEnd
	}
	d.given++
	if d.given == 1 {
		return d.value, nil
	}
	if d.left == 0 {
		if err := d.miniblock(); err != nil {
			return 0, err
		}
	}
	d.left--
	d.value += d.least + int64(d.packed())
	return d.value, nil
}

// packed is the next number of a miniblock.
func (d *delta) packed() uint64 {
	v := uint64(0)
	for got := uint(0); got < d.width; {
		of := uint(d.at % 8)
		take := min(8-of, d.width-got)
		v |= uint64(d.bits[d.at/8]>>of&(1<<take-1)) << got
		got, d.at = got+take, d.at+uint64(take)
	}
	return v
}

func (d *delta) miniblock() error {
	if len(d.widths) == 0 {
		least := d.uvarint()
		if d.b == nil || len(d.b) < d.minis {
			return errEnd
		}
		d.least = int64(least>>1) ^ -int64(least&1)
		d.widths, d.b = d.b[:d.minis], d.b[d.minis:]
	}
	d.width, d.widths = uint(d.widths[0]), d.widths[1:]
	size := d.per / 8 * uint64(d.width)
	if d.width > 64 || size > uint64(len(d.b)) {
		return errEnd
	}
	d.bits, d.b, d.at, d.left = d.b[:size], d.b[size:], 0, d.per
	return nil
}

// rest is what follows the numbers, all of which have been read.
func (d *delta) rest() ([]byte, error) {
	for len(d.widths) > 0 { // miniblocks without values have a width, but no bytes
		d.widths = d.widths[1:]
	}
	if d.given != d.total {
		return nil, errEnd
	}
	return d.b, nil
}

// widthOf is how many bits the levels up to one take.
func widthOf(most int) uint { return uint(bits.Len(uint(most))) }
