package webp

import (
	"context"
	"fmt"
	"image"
	"slices"
	"unsafe"
)

// VP8Decoder decodes one picture after another, and keeps its memory from one to the next. Its zero
// value is ready.
type VP8Decoder struct {
	modes      boolDecoder    // the first partition
	partitions [8]boolDecoder // of coefficients: a row's is its number modulo count
	count      int
	frame      frame
	above      []above
	row        []macroblock
	filters    []blockFilter // of the row's macroblocks
	residue    residue
	planes     [3]plane
	upsampled  [2][]uint8 // a row of chroma at full resolution
	memory     []uint8    // of the planes
}

// plane is a component of the picture, in whole macroblocks.
type plane struct {
	pix    []uint8
	stride int
	// above is the last row of the macroblocks above, before the loop filter; its first sample
	// is at aboveLead.
	above []uint8
}

const (
	planeLead = 32 // samples before and behind each row of a plane
	planeRows = 1  // rows before the first, and behind the last
	aboveLead = 16

	blockBytes = int64(unsafe.Sizeof(above{}) + unsafe.Sizeof(macroblock{}) + unsafe.Sizeof(blockFilter{}))
)

// at is where a sample lies in pix.
func (p *plane) at(x, y int) int { return (y+planeRows)*p.stride + planeLead + x }

// Kept is how many bytes of memory the decoder keeps.
func (d *VP8Decoder) Kept() int {
	return cap(d.memory) + int(blockBytes)*cap(d.row) + cap(d.upsampled[0]) + cap(d.upsampled[1])
}

func (d *VP8Decoder) release() {
	d.modes.data = nil
	for i := range d.partitions {
		d.partitions[i].data = nil
	}
}

// Decode writes a part of the picture to pix, row by row, R G B. It returns the cause of ctx within a
// row of macroblocks after ctx ends. Damage in rows of macroblocks that the part doesn't need isn't noticed.
func (d *VP8Decoder) Decode(ctx context.Context, f *VP8, part image.Rectangle, pix []byte) error {
	if part.Empty() || !part.In(image.Rect(0, 0, f.Width, f.Height)) {
		return fmt.Errorf("a part %v of a picture of %dx%d", part, f.Height, f.Width)
	}
	for i := range d.upsampled {
		n := part.Dx() + 2*upsampledMore
		d.upsampled[i] = slices.Grow(d.upsampled[i][:0], n)[:n]
	}
	next := part.Min.Y
	return d.decodeRows(ctx, f, part, func(end int) {
		for ; next < min(end, part.Max.Y); next++ {
			d.writeRow(f, part, next, pix[3*part.Dx()*(next-part.Min.Y):][:3*part.Dx()])
		}
	})
}

// decodeRows decodes the rows of macroblocks that a part needs. After each it calls ready with the
// number of output rows that are complete and have the chroma that they need.
func (d *VP8Decoder) decodeRows(ctx context.Context, f *VP8, part image.Rectangle, ready func(end int)) error {
	if err := d.header(f); err != nil {
		return err
	}
	rows := f.rowsFor(part)
	d.prepare(f, rows)
	for y := range rows {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		d.readModes()
		if d.modes.ended {
			return fmt.Errorf("%w: the modes end in row %d", ErrTruncated, 16*y)
		}
		if err := d.decodeRow(f, part, y, rows); err != nil {
			return err
		}
		if y == rows-1 {
			ready(f.Height)
		} else {
			// The filter of the next row changes the last three rows of chroma, which are six output rows;
			// the one before them lies between them and the row above.
			ready(16*(y+1) - 2*filterReach - 1)
		}
	}
	return nil
}

// decodeRow decodes a row of macroblocks of the first rows ones. To the right of the part is only made what
// changes its chroma at the filter's next edge, and what these macroblocks are predicted from: one more on
// each row up.
func (d *VP8Decoder) decodeRow(f *VP8, part image.Rectangle, y, rows int) error {
	wide, _ := f.blocks()
	needed := min(((part.Max.X+1)/2+filterReach)/8+1, wide)
	rebuilt := min(needed+rows-1-y, wide)
	tokens := &d.partitions[y&(d.count-1)]
	for i := range d.planes {
		d.planes[i].begin(y, 16>>min(i, 1))
	}
	var left above
	for x := range d.row {
		m, up := &d.row[x], &d.above[x]
		filter := blockFilter{2 * m.segment, m.fine}
		if m.fine {
			filter.edges++
		}
		if m.skip {
			d.residue.kinds = 0
			left.nonZero, up.nonZero = [8]uint8{}, [8]uint8{}
			if !m.fine {
				left.luma2, up.luma2 = [1]uint8{}, [1]uint8{}
			}
		} else {
			d.readResidue(tokens, m, up, &left)
			filter.inner = m.fine || d.residue.kinds != 0
			if tokens.ended {
				return fmt.Errorf("%w: the coefficients end in row %d", ErrTruncated, 16*y)
			}
		}
		if x < rebuilt {
			d.rebuild(x, y, m)
		}
		d.filters[x] = filter
	}
	for i := range d.planes {
		d.planes[i].end(y, 16>>min(i, 1))
	}
	if d.frame.filtered {
		d.filterRow(y, needed)
	}
	return nil
}

// planeSize is how many bytes a plane takes.
type planeSize struct{ stride, pix, above int }

// planeSizes are those of the planes of that many macroblocks.
func planeSizes(wide, rows int) (sizes [3]planeSize) {
	for i := range sizes {
		size := 16 >> min(i, 1)
		s := &sizes[i]
		s.stride = size*wide + 2*planeLead
		s.pix, s.above = (size*rows+2*planeRows)*s.stride, size*wide+2*aboveLead
	}
	return sizes
}

// prepare makes room for that many rows of macroblocks.
func (d *VP8Decoder) prepare(f *VP8, rows int) {
	wide, _ := f.blocks()
	d.above = slices.Grow(d.above[:0], wide)[:wide]
	clear(d.above)
	d.row = slices.Grow(d.row[:0], wide)[:wide]
	d.filters = slices.Grow(d.filters[:0], wide)[:wide]
	total, sizes := 0, planeSizes(wide, rows)
	for _, size := range sizes {
		total += size.pix + size.above
	}
	if cap(d.memory) < total {
		d.memory = make([]uint8, total)
	}
	rest := d.memory[:total]
	for i := range d.planes {
		p := &d.planes[i]
		size := sizes[i]
		p.stride = size.stride
		p.pix, rest = rest[:size.pix:size.pix], rest[size.pix:]
		p.above, rest = rest[:size.above:size.above], rest[size.above:]
		for x := range p.above {
			p.above[x] = 127
		}
	}
}

// begin sets what the samples of a row's first macroblock are predicted from, left of the picture.
func (p *plane) begin(row, size int) {
	for y := row * size; y < (row+1)*size; y++ {
		p.pix[p.at(-1, y)] = 129
	}
	if row > 0 {
		p.above[aboveLead-1] = 129
	}
}

// end keeps a row's last samples for the next.
func (p *plane) end(row, size int) {
	wide := len(p.above) - 2*aboveLead
	kept := p.above[aboveLead:][:wide+4]
	copy(kept, p.pix[p.at(0, row*size+size-1):][:wide])
	for i := range 4 {
		kept[wide+i] = kept[wide-1]
	}
}
