package jpeg

import (
	"bytes"
	"fmt"
	"image"
	mathbits "math/bits"
)

// What a lenient decoder makes of damage: the same as libjpeg-turbo with its default error
// handling (jdhuff.c, jdphuff.c, jdmarker.c). Sound data never comes here.

// badCode reads a code that the table doesn't have: 17 bits, which stand for 0, the end of a
// block. It returns false if the reader isn't lenient.
func (b *bits) badCode() bool {
	if !b.lenient {
		return false
	}
	b.acc <<= 17
	b.n -= 17
	b.warnings++
	return true
}

// pastEnd makes a coefficient past a block's end its last one. It returns false if the reader
// isn't lenient. block may be nil.
func (b *bits) pastEnd(block *coefBlock, value, quant int) bool {
	if b.lenient && block != nil {
		block.set(63, value, quant)
	}
	return b.lenient
}

// signOf is the sign of a value that has several bits although only one is allowed: the
// others are put back.
func (b *bits) signOf(value int32) int32 {
	b.warnings++
	sign, rest := int32(1), value
	if value < 0 {
		sign, rest = -1, ^-value
	}
	n := uint(mathbits.Len32(uint32(max(value, -value)))) - 1
	b.acc = b.acc>>n | uint64(rest)<<(64-n)
	b.n += n
	return sign
}

// passFillBytes reads several 0xff and a stuffed zero, if these come next: one byte of data.
func (b *bits) passFillBytes() bool {
	pos := b.pos
	for pos < len(b.data) && b.data[pos] == 0xff {
		pos++
	}
	if pos == b.pos || pos == len(b.data) || b.data[pos] != 0 {
		return false
	}
	b.pos = pos + 1
	b.filled = true
	return true
}

// endsScan reports whether a marker ends a scan. Those below SOF0 have no meaning.
func endsScan(marker byte) bool {
	return marker >= mSOF0 && (marker < mRST0 || marker > mRST0+7)
}

// atEnd reports whether the marker at which the data has ended also ends the scan.
func (b *bits) atEnd() bool {
	_, marker, _ := nextMarker(b.data, b.pos)
	return endsScan(marker)
}

// resync is jpeg_resync_to_restart: it decides what to do about the next marker, which isn't
// RSTm or isn't where RSTm should be. The one or two restart markers after RSTm are kept
// until their turn, the two before it are skipped, and any other is taken for RSTm.
func (b *bits) resync(m byte, at int, marker byte, skipped bool) {
	if skipped {
		b.warnings++
	}
	if marker != mRST0+m {
		b.warnings++
	}
	for !endsScan(marker) {
		if marker >= mRST0 {
			if ahead := (marker - mRST0 - m) & 7; ahead == 1 || ahead == 2 {
				break
			} else if ahead < 6 {
				b.jump(at + 2)
				b.ended = false
				return
			}
		}
		if at, marker, skipped = nextMarker(b.data, at+2); skipped {
			b.warnings++
		}
	}
	b.jump(at)
}

// fastBytes is how many bytes of data libjpeg requires per block for its fast code.
const fastBytes = 512

// lenientMCU is mcu for a sequential scan. Where enough data follows libjpeg decodes an MCU
// with fast code; if that meets a marker, slow code decodes the MCU again, into the same
// coefficients. To the fast code two bytes of 0xff are a marker, to the slow code they are
// fill bytes: only then does the first attempt show.
func (p *scan) lenientMCU(b *bits, t *idct, mx, my int) {
	before := *b
	var preds [4]int32
	for i := range p.n {
		preds[i] = p.comps[i].pred
	}
	p.mcu(b, t, mx, my)
	if !b.filled {
		return
	}
	from := before.consumed()
	fill := bytes.Index(b.data[from:b.consumed()], []byte{0xff, 0xff})
	if fill < 0 || len(b.data)-from < fastBytes*p.blocks() {
		return
	}
	bit, _ := before.offset()
	fast := bits{data: b.data[:from+fill], lenient: true}
	fast.seek(bit)
	var under, blocks [10]coefBlock
	p.decodeBlocks(&fast, preds, &under)
	p.decodeBlocks(&before, preds, &blocks)
	t.flush()
	n := 0
	for i := range p.n {
		c := &p.comps[i]
		for by := my * c.v; by < (my+1)*c.v; by++ {
			for bx := mx * c.h; bx < (mx+1)*c.h; bx++ {
				if (image.Point{X: bx, Y: by}).In(c.wanted) {
					block := t.next()
					*block = blocks[n]
					block.overlay(&under[n])
					t.put(c.pix[c.at+(by*c.stride+bx)*c.size:], c.stride, c.size)
				}
				n++
			}
		}
	}
}

// blocks is how many blocks an MCU has.
func (p *scan) blocks() (n int) {
	for i := range p.n {
		n += p.comps[i].h * p.comps[i].v
	}
	return n
}

// decodeBlocks decodes the blocks of an MCU; preds is the predictors before it.
func (p *scan) decodeBlocks(b *bits, preds [4]int32, blocks *[10]coefBlock) {
	n := 0
	for i := range p.n {
		c := &p.comps[i]
		c.pred = preds[i]
		for range c.h * c.v {
			b.decodeBlock(&blocks[n], c)
			n++
		}
	}
}

// overlay adds the AC coefficients of a block that was decoded before, where c has none.
func (c *coefBlock) overlay(under *coefBlock) {
	for i, w := range under.words {
		for lane := uint64(0xffff); lane != 0; lane <<= 16 {
			if c.words[i]&lane == 0 && (i > 0 || lane > 0xffff) {
				c.words[i] |= w & lane
			}
		}
	}
	c.last, c.sum = max(c.last, under.last), c.sum+under.sum
}

// warnBefore counts a warning for bytes between pos and the next segment, and one if there
// is no next segment.
func (b *bits) warnBefore(data []byte, pos int) {
	at, _, skipped := nextMarker(data, pos)
	if skipped {
		b.warnings++
	}
	if at == len(data) {
		b.warnings++
	}
}

// checkBetweenScans is an error for markers between scans at which libjpeg gives up.
func checkBetweenScans(marker byte) error {
	if marker == mTEM || marker >= mSOF0 && marker <= mDRI || marker >= mAPP0 && marker <= mAPP15 || marker == mCOM {
		return nil
	}
	return fmt.Errorf("marker %#02x between scans", marker)
}

// keepMissingBits notes what is known of a component's first coefficients before a scan, for
// smoothing.
func (c *component) keepMissingBits(p *scan, firstScan bool) {
	for k := min(p.first, 1); k < smoothedCoefs; k++ {
		c.previous[k] = c.missingBits[k]
		if firstScan {
			c.previous[k] = 0 // as libjpeg has it, but only until the next scan
		}
	}
}
