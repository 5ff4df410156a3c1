package warp

import (
	"image"
	"slices"

	"golang.org/x/sys/cpu"

	"github.com/sluicedata/sluice/internal/planar"
)

// The functions ending in Fast check the lengths that the assembly relies on. They return
// false, having done nothing, for sizes below a block: plain Go does these.

// block is the rows, and the bytes or words of a row, that the assembly takes at once.
const block = 16

// columnsAVX2 transposes 16 rows of n >= 16 bytes to n columns of 16 words.
//
//go:noescape
func columnsAVX2(columns *int16, rows *uint8, stride, n int)

// resizeWordsAVX2 makes n columns of 16 values as resizeWords does: value i is of the
// columns from starts[i] on, with pairs of weights.
//
//go:noescape
func resizeWordsAVX2(out, columns *int16, starts, weights *int32, pairs, n int)

// resizeRGBAVX2 makes 3*n columns of 16 bytes as resizeRow does, of every third column.
// Steps are the bytes from one output pixel to the next, and to its next channel.
//
//go:noescape
func resizeRGBAVX2(out *uint8, columns *int16, starts, weights *int32, pairs, n, pixelStep, channelStep int)

// rowsOfWordsAVX2 transposes n >= 8 columns of 16 words to rows; stride counts words.
//
//go:noescape
func rowsOfWordsAVX2(rows *int16, stride int, columns *int16, n int)

// rowsOfBytesAVX2 transposes n >= 16 columns of 16 bytes to rows.
//
//go:noescape
func rowsOfBytesAVX2(rows *uint8, stride int, columns *uint8, n int)

// blendWordsAVX2 is blendPlaneRows of 2*pairs rows of n >= 16 words.
//
//go:noescape
func blendWordsAVX2(dst, rows *int16, weights *int32, pairs, n int)

// blendBytesAVX2 is blendRows of 2*pairs rows of n >= 16 bytes.
//
//go:noescape
func blendBytesAVX2(dst, rows *uint8, stride int, weights *int32, pairs, n int)

// convertAVX2 is convertPlanes of n >= 16 pixels.
//
//go:noescape
func convertAVX2(red, green, blue *uint8, luma, cb, cr *int16, n int)

// valuesAVX2 is n >= 16 values of a line255.
//
//go:noescape
func valuesAVX2(dst *float32, levels *uint8, line *line255, n int)

// interleaveAVX2 is interleave of n >= 16 pixels.
//
//go:noescape
func interleaveAVX2(rgb, red, green, blue *uint8, places *[3][3][16]uint8, n int)

// weighTrianglesAVX2 is weighTriangle of four pixels, whose weights are most apart; values has room
// for 4 * usual.
//
//go:noescape
func weighTrianglesAVX2(fixed *int32, most, usual int, four *fourTriangles, step float64, values *float64)

// weigh is weighTriangle of each, where there is assembly.
func (f *fourTriangles) weigh(step float64, values []float64, fixed []int32, most, usual int) {
	_, _ = values[4*usual-1], fixed[3*most+usual-1]
	weighTrianglesAVX2(&fixed[0], most, usual, f, step, &values[0])
}

// interleaved is, by 16 bytes of 48 and by channel, the pixel that each byte is of; 0x80
// where it is of another channel (VPSHUFB).
var interleaved = func() (places [3][3][16]uint8) {
	for i := range 48 {
		for c := range 3 {
			places[i/16][c][i%16] = 0x80
		}
		places[i/16][i%3][i%16] = uint8(i / 3)
	}
	return places
}()

func resizePlaneFast(dst []int16, p *planar.Plane, area image.Rectangle, k *kernel, mem *scratch) bool {
	w, h, n := area.Dx(), area.Dy(), len(k.starts)
	if !useAssembly || k.packed == nil || min(w, h, n) < block {
		return false
	}
	k.within(w)
	pairs := k.packing
	columns := sized(&mem.columns, block*(w+2*pairs+n))
	columns, resized := columns[:block*(w+2*pairs)], columns[block*(w+2*pairs):]
	for y := 0; ; y += block {
		y = min(y, h-block)
		at := (area.Min.Y+y-p.Rect.Min.Y)*p.Stride + area.Min.X - p.Rect.Min.X
		in, out := p.Pix[at:at+(block-1)*p.Stride+w], dst[y*n:(y+block)*n]
		columnsAVX2(&columns[0], &in[0], p.Stride, w)
		resizeWordsAVX2(&resized[0], &columns[0], &k.starts[0], &k.packed[0], pairs, n)
		rowsOfWordsAVX2(&out[0], n, &resized[0], n)
		if y == h-block {
			return true
		}
	}
}

// resizeRowsFast makes rows of RGB, or of three planes each.
func resizeRowsFast(dst []uint8, src *Source, region image.Rectangle, k *kernel, mem *scratch, planar bool) bool {
	w, h, n := 3*region.Dx(), region.Dy(), 3*len(k.starts)
	if !useAssembly || k.packed == nil || min(w, h, n) < block {
		return false
	}
	k.within(w)
	pixelStep, channelStep := 3*block, block
	if planar {
		pixelStep, channelStep = block, block*n/3
	}
	pairs := k.packing / 2
	columns, resized := sized(&mem.columns, block*(w+6*pairs)), sized(&mem.resized, block*n)
	for y := 0; ; y += block {
		y = min(y, h-block)
		at := src.offset(region.Min.X, region.Min.Y+y)
		in, out := src.Pix[at:at+(block-1)*src.Stride+w], dst[y*n:(y+block)*n]
		columnsAVX2(&columns[0], &in[0], src.Stride, w)
		resizeRGBAVX2(&resized[0], &columns[0], &k.starts[0], &k.packed[0], pairs, n/3, pixelStep, channelStep)
		rowsOfBytesAVX2(&out[0], n, &resized[0], n)
		if y == h-block {
			return true
		}
	}
}

func blendPlaneRowsFast(dst, rows []int16, k *kernel, y int) bool {
	n, pairs := len(dst), (int(k.ends[y]-k.starts[y])+1)/2
	if !useAssembly || k.packed == nil || n < block {
		return false
	}
	rows, weights := rows[:2*pairs*n], k.packed[y*k.packing:][:pairs]
	blendWordsAVX2(&dst[0], &rows[0], &weights[0], pairs, n)
	return true
}

// blendRowsFast reads a row more than there are weights where their number is odd: that
// one must be there.
func blendRowsFast(dst, rows []uint8, stride int, k *kernel, y int) bool {
	n, pairs := len(dst), (int(k.ends[y]-k.starts[y])+1)/2
	if !useAssembly || k.packed == nil || n < block || len(rows) < (2*pairs-1)*stride+n {
		return false
	}
	weights := k.packed[y*k.packing:][:2*pairs]
	blendBytesAVX2(&dst[0], &rows[0], stride, &weights[0], pairs, n)
	return true
}

// twoTaps is what blendTwoAVX2 does: rows of three planes, each of two rows of width >= 16 words.
type twoTaps struct {
	red, green, blue           *uint8 // the first row to be made; others follow
	luma, cb, cr               *int16
	lumaStarts, chromaStarts   *int32 // by row
	lumaWeights, chromaWeights *int32 // likewise, pairs
	width, rows                int
}

// blendTwoAVX2 is planeRows.blend where each row comes from two.
//
//go:noescape
func blendTwoAVX2(t *twoTaps)

func (p *planeRows) blendFast(r, g, b []uint8, y int) bool {
	if !useAssembly || p.count != 3 || p.width < block || p.down[0].packing != 1 || p.down[1].packing != 1 {
		return false
	}
	n := len(r) / p.width
	g, b = g[:len(r)], b[:len(r)]
	t := twoTaps{
		&r[0], &g[0], &b[0], &p.of[0][0], &p.of[1][0], &p.of[2][0], nil, nil, nil, nil, p.width, n,
	}
	for i, k := range p.down {
		starts, weights := k.starts[y:y+n], k.packed[y:y+n]
		rows := int32(min(len(p.of[i]), len(p.of[2*i])) / p.width)
		if slices.Min(starts) < 0 || slices.Max(starts)+2 > rows {
			panic("warp: a tap outside its column")
		}
		if i == 0 {
			t.lumaStarts, t.lumaWeights = &starts[0], &weights[0]
		} else {
			t.chromaStarts, t.chromaWeights = &starts[0], &weights[0]
		}
	}
	blendTwoAVX2(&t)
	return true
}

func convertPlanesFast(r, g, b []uint8, luma, cb, cr []int16) bool {
	n := len(r)
	if !useAssembly || n < block {
		return false
	}
	g, b, luma, cb, cr = g[:n], b[:n], luma[:n], cb[:n], cr[:n]
	convertAVX2(&r[0], &g[0], &b[0], &luma[0], &cb[0], &cr[0], n)
	return true
}

func interleaveFast(rgb, r, g, b []uint8) bool {
	n := len(r)
	if !useAssembly || n < block {
		return false
	}
	rgb, g, b = rgb[:3*n], g[:n], b[:n]
	interleaveAVX2(&rgb[0], &r[0], &g[0], &b[0], &interleaved, n)
	return true
}

var haveFMA = cpu.X86.HasFMA

func (l *line255) valuesFast(dst []float32, levels []uint8) bool {
	n := len(levels)
	if !useAssembly || !haveFMA || n < block {
		return false
	}
	dst = dst[:n]
	valuesAVX2(&dst[0], &levels[0], l, n)
	return true
}
