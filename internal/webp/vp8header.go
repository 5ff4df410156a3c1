package webp

import (
	"errors"
	"fmt"
)

const segments = 4

// quantizer is what the coefficients of a kind of block are multiplied by.
type quantizer [16]int32

// quantizerOf has one step for the first coefficient, and one for the others.
func quantizerOf(first, others int32) (q quantizer) {
	for i := range q {
		q[i] = others
	}
	q[0] = first
	return q
}

// segment is what macroblocks of one have in common.
type segment struct {
	luma, luma2, chroma quantizer
}

// frame is what the first partition says of all macroblocks.
type frame struct {
	updateSegments bool
	segmentTree    [3]uint8
	segments       [segments]segment
	filtered       bool                // some macroblock may be
	simple         bool                // the simple filter: luma only
	edges          [2 * segments]edges // thresholds by segment, of macroblocks predicted as a whole, and in blocks of 4x4
	tokens         [planes]tokens
	skips          bool // macroblocks without coefficients are marked
	skip           uint8
}

// segmentChanges is what a segment's quantizer and filter level are, or what is added to the
// frame's.
type segmentChanges struct {
	used, absolute    bool
	quantizer, filter [segments]int
}

// header reads the first partition's headers (RFC 6386, 9.2 to 9.11), and finds the others.
func (d *VP8Decoder) header(f *VP8) error {
	b, h := &d.modes, &d.frame
	if impossible(f.first) {
		return errors.New("damaged file: the first partition begins with the byte 0xff, which arithmetic coding can't")
	}
	b.init(f.first)
	b.number(2) // colour space and clamping, which libwebp ignores, too
	changes := segmentChanges{absolute: true}
	h.segmentTree = [3]uint8{255, 255, 255}
	h.updateSegments = false
	if changes.used = b.flag(); changes.used {
		changes.read(b, h)
	}
	if b.ended {
		return early("segments")
	}
	h.readFilter(b, &changes)
	if b.ended {
		return early("filter")
	}
	if err := d.open(f); err != nil {
		return err
	}
	h.readQuantizers(b, &changes)
	b.flag() // whether the probabilities are kept for a next frame
	h.readTokens(b)
	if h.skips = b.flag(); h.skips {
		h.skip = uint8(b.number(8))
	}
	if b.ended {
		return early("probabilities")
	}
	return nil
}

func early(what string) error { return fmt.Errorf("%w: it ends within the %s", ErrTruncated, what) }

func (c *segmentChanges) read(b *boolDecoder, h *frame) {
	h.updateSegments = b.flag()
	if b.flag() {
		c.absolute = b.flag()
		for i := range c.quantizer {
			c.quantizer[i] = b.optional(7)
		}
		for i := range c.filter {
			c.filter[i] = b.optional(6)
		}
	}
	if h.updateSegments {
		for i := range h.segmentTree {
			if b.flag() {
				h.segmentTree[i] = uint8(b.number(8))
			}
		}
	}
}

// readFilter reads the filter's header, 9.6, and finds the thresholds of each segment, 15.2 and 15.3.
func (h *frame) readFilter(b *boolDecoder, changes *segmentChanges) {
	h.simple = b.flag()
	level, sharpness := b.number(6), b.number(3)
	var reference, blocks int // level changes of key frames, and of those in blocks of 4x4
	adjusted := b.flag()
	if adjusted && b.flag() {
		var all [8]int
		for i := range all {
			all[i] = b.optional(6)
		}
		reference, blocks = all[0], all[4]
	}
	h.filtered = level > 0
	for i := range h.segments {
		own := level
		if changes.used {
			own = changes.filter[i]
			if !changes.absolute {
				own += level
			}
		}
		for j := range 2 {
			h.edges[2*i+j].set(min(max(own+reference+j*blocks, 0), 63), sharpness)
		}
	}
}

// open finds the partitions of coefficients (9.5). As libwebp does, it takes what there is of one
// that is cut, but for the last, of which there must be a byte.
func (d *VP8Decoder) open(f *VP8) error {
	rest := f.rest
	d.count = 1 << d.modes.number(2)
	sizes := 3 * (d.count - 1)
	if len(rest) <= sizes {
		return fmt.Errorf("%w: it ends before the coefficients", ErrTruncated)
	}
	data := rest[sizes:]
	for i := range d.count - 1 {
		n := min(int(rest[3*i])|int(rest[3*i+1])<<8|int(rest[3*i+2])<<16, len(data))
		d.partitions[i].init(data[:n:n])
		data = data[n:]
	}
	if len(data) == 0 {
		return fmt.Errorf("%w: it ends before the last partition", ErrTruncated)
	}
	d.partitions[d.count-1].init(data[:len(data):len(data)])
	_, high := f.blocks()
	for i := range min(d.count, high) { // no row has the others
		if impossible(d.partitions[i].data) {
			return fmt.Errorf("damaged file: partition %d of the coefficients begins with the byte 0xff, which arithmetic coding can't", i)
		}
	}
	return nil
}

// readQuantizers reads 9.6's indices, and looks up the steps.
func (h *frame) readQuantizers(b *boolDecoder, changes *segmentChanges) {
	base := b.number(7)
	lumaDC := b.optional(4)
	luma2DC, luma2AC := b.optional(4), b.optional(4)
	chromaDC, chromaAC := b.optional(4), b.optional(4)
	for i := range h.segments {
		s, q := &h.segments[i], base
		if changes.used {
			q = changes.quantizer[i]
			if !changes.absolute {
				q += base
			}
		}
		step := func(table *[128]int16, change, last int) int32 {
			return int32(table[min(max(q+change, 0), last)])
		}
		s.luma = quantizerOf(step(&dcSteps, lumaDC, 127), step(&acSteps, 0, 127))
		s.luma2 = quantizerOf(2*step(&dcSteps, luma2DC, 127), max(8, step(&acSteps, luma2AC, 127)*155/100))
		s.chroma = quantizerOf(step(&dcSteps, chromaDC, 117), step(&acSteps, chromaAC, 127))
	}
}

// readTokens reads the updates of the tokens' probabilities (13.4), and lays them out by position.
func (h *frame) readTokens(b *boolDecoder) {
	for i := range h.tokens {
		var all [bands][contexts][16]uint8
		for j := range all {
			for k := range all[j] {
				for l, p := range tokenDefaults[i][j][k] {
					if b.bit(tokenUpdates[i][j][k][l]) != 0 {
						p = uint8(b.number(8))
					}
					all[j][k][l] = p
				}
			}
		}
		h.tokens[i].set(&all)
	}
}
