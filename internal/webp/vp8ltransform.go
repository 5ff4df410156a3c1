package webp

import (
	"encoding/binary"
	"image"
)

// transformKind is how pixels were changed before they were coded.
type transformKind uint

const (
	predictors    transformKind = iota // less what their neighbours let expect
	crossColour                        // red and blue less a part of green, blue less one of red
	subtractGreen                      // red and blue less green
	usePalette                         // green is an index
)

// transform is one of them; that of the smallest index was applied first.
type transform struct {
	kind    transformKind
	width   int      // of the rows that it was applied to
	bits    uint     // of a tile's side; of a palette, 2^bits pixels are in one
	numbers []uint32 // of each tile
}

// transform makes rows of the picture of the coded ones, and writes the part's to pix.
func (d *VP8LDecoder) transform(coded []uint32, y, end, width int, part image.Rectangle, pix []byte) {
	rows := d.band[width+1:][:(end-y)*width]
	from, step := coded, d.level.width
	plus := len(d.transforms) > 0 && d.transforms[0].kind == subtractGreen // undone as RGB is written
	for i := len(d.transforms) - 1; i >= 0; i-- {
		t := &d.transforms[i]
		if i == 0 && plus {
			break
		}
		if i == 0 && t.kind == usePalette && t.bits > 0 && part.Dx() == width {
			for row := max(y, part.Min.Y); row < end; row++ {
				d.paletteRGB(pix[3*width*(row-part.Min.Y):][:3*width], from[(row-y)*step:], t.bits)
			}
			return
		}
		for row := range end - y {
			in, out := from[row*step:], rows[row*width:]
			switch t.kind {
			case predictors:
				above := d.band[1+row*width:][:t.width+1]
				predictRow(out[:t.width], in[:t.width], above, t, y+row)
			case crossColour:
				crossColourRow(out[:t.width], in[:t.width], t, y+row)
			case subtractGreen:
				addGreenRow(out[:t.width], in[:t.width])
			case usePalette:
				d.paletteRow(out[:t.width], in[:shrunk(t.width, t.bits)], t.bits)
			}
		}
		if t.kind == predictors {
			copy(d.band[1:1+t.width], rows[(end-y-1)*width:])
		}
		from, step = rows, width
	}
	size := part.Dx()
	for row := max(y, part.Min.Y); row < end; row++ {
		toRGB(pix[3*size*(row-part.Min.Y):][:3*size], from[(row-y)*step+part.Min.X:][:size], plus)
	}
}

// toRGB writes pixels as R G B; plus says that green is to be added to red and blue.
func toRGB(pix []byte, pixels []uint32, plus bool) {
	for i := toRGBFast(pix, pixels, plus); i < len(pixels); i++ {
		p, to := pixels[i], pix[3*i:][:3]
		if plus {
			p = addGreen(p)
		}
		to[0], to[1], to[2] = byte(p>>16), byte(p>>8), byte(p)
	}
}

// paletteRow looks up the indices in green, several of a row's first pixel in one. in may be out's beginning.
func (d *VP8LDecoder) paletteRow(out, in []uint32, bits uint) {
	if bits == 0 {
		for i, p := range in {
			out[i] = d.palette[p>>8&0xff]
		}
		return
	}
	each := 8 >> bits
	mask := uint32(1)<<each - 1
	for i := len(in) - 1; i >= 0; i-- {
		packed := in[i] >> 8 & 0xff
		for x := i << bits; x < min((i+1)<<bits, len(out)); x++ {
			out[x] = d.palette[packed&mask]
			packed >>= each
		}
	}
}

// pair makes the table of paletteRGB.
func (d *VP8LDecoder) pair(bits uint) {
	rgb := func(i int) uint64 {
		c := d.palette[i]
		return uint64(c>>16&0xff | c&0xff00 | c&0xff<<16)
	}
	if bits == 0 {
		return
	}
	each := 8 >> bits
	for i := range d.pairs[:1<<(2*each)] {
		d.pairs[i] = rgb(i&(1<<each-1)) | rgb(i>>each)<<24
	}
}

// paletteRGB is paletteRow and toRGB where several pixels are in one: two at a time, with bytes behind them that are
// written again.
func (d *VP8LDecoder) paletteRGB(pix []byte, in []uint32, bits uint) {
	each := uint(8 >> bits)
	mask, size := uint32(1)<<(2*each)-1, 3<<bits // bytes of a packed pixel
	in = in[:(len(pix)+size-1)/size]
	whole := (max(len(pix), 2) - 2) / size
	if bits == 1 {
		for i, p := range in[:whole] {
			binary.LittleEndian.PutUint64(pix[6*i:], d.pairs[p>>8&0xff])
		}
	} else {
		for i, p := range in[:whole] {
			packed, to := p>>8&0xff, pix[size*i:][:size+2]
			for at := 0; at < size; at += 6 {
				binary.LittleEndian.PutUint64(to[at:], d.pairs[packed&mask])
				packed >>= 2 * each & 31
			}
		}
	}
	pix = pix[size*whole:]
	for _, p := range in[whole:] {
		packed := p >> 8 & 0xff
		for range size / 6 {
			c, n := d.pairs[packed&mask], min(6, len(pix))
			for i := range pix[:n] {
				pix[i] = byte(c >> (8 * i))
			}
			pix = pix[n:]
			packed >>= 2 * each & 31
		}
	}
}

func addGreenRow(out, in []uint32) {
	for i, p := range in {
		out[i] = addGreen(p)
	}
}

// addGreen adds green to red and blue.
func addGreen(p uint32) uint32 {
	green := p >> 8 & 0xff
	return p&0xff00ff00 | (p&0x00ff00ff+green<<16+green)&0x00ff00ff
}

func crossColourRow(out, in []uint32, t *transform, y int) {
	tiles := t.numbers[y>>t.bits*shrunk(t.width, t.bits):]
	for x := 0; x < t.width; x += 1 << t.bits {
		end, m := min(x+1<<t.bits, t.width), tiles[x>>t.bits]
		n := x + crossColourFast(out[x:end], in[x:end], m)
		crossColourRun(out[n:end], in[n:end], m)
	}
}

// crossColourRun undoes the colour transform of a tile's multipliers: of green for red and blue, of red for blue.
func crossColourRun(out, in []uint32, m uint32) {
	toRed, greenToBlue, redToBlue := int32(int8(m)), int32(int8(m>>8)), int32(int8(m>>16))
	for i, p := range in {
		green := int32(int8(p >> 8))
		red := int32(p>>16) + toRed*green>>5
		blue := int32(p) + greenToBlue*green>>5 + redToBlue*int32(int8(red))>>5
		out[i] = p&0xff00ff00 | uint32(red)&0xff<<16 | uint32(blue)&0xff
	}
}

// predictRow adds predictions. above is the row above, with room for one more pixel: that right of its last
// one is the first of this row.
func predictRow(out, in, above []uint32, t *transform, y int) {
	const black = 0xff000000
	if y == 0 {
		out[0] = addPixels(in[0], black)
		for x := 1; x < len(in); x++ {
			out[x] = addPixels(in[x], out[x-1])
		}
		return
	}
	out[0] = addPixels(in[0], above[0])
	above[len(in)] = out[0]
	tiles := t.numbers[y>>t.bits*shrunk(t.width, t.bits):]
	if predictFast(out, in, above, tiles, 1<<t.bits) {
		return
	}
	for x := 1; x < len(in); {
		end := min((x>>t.bits+1)<<t.bits, len(in))
		predictRun(tiles[x>>t.bits]>>8&15, out[x-1:end], in[x:end], above[x-1:end+1])
		x = end
	}
}

// predictRun adds the predictions of a mode. out and above begin with the pixels left of the first.
func predictRun(mode uint32, out, in, above []uint32) {
	left := out[0]
	out = out[1:][:len(in)]
	above = above[:len(in)+2]
	for i, p := range in {
		topLeft, top, topRight := above[i], above[i+1], above[i+2]
		left = addPixels(p, predicted(mode, left, topLeft, top, topRight))
		out[i] = left
	}
}

func predicted(mode, left, topLeft, top, topRight uint32) uint32 {
	switch mode {
	case 1:
		return left
	case 2:
		return top
	case 3:
		return topRight
	case 4:
		return topLeft
	case 5:
		return average(average(left, topRight), top)
	case 6:
		return average(left, topLeft)
	case 7:
		return average(left, top)
	case 8:
		return average(topLeft, top)
	case 9:
		return average(top, topRight)
	case 10:
		return average(average(left, topLeft), average(top, topRight))
	case 11:
		return selected(left, topLeft, top)
	case 12:
		return clampedSum(left, topLeft, top)
	case 13:
		return clampedHalf(average(left, top), topLeft)
	}
	return 0xff000000
}

// addPixels adds channel by channel.
func addPixels(a, b uint32) uint32 {
	return (a&0xff00ff00+b&0xff00ff00)&0xff00ff00 | (a&0x00ff00ff+b&0x00ff00ff)&0x00ff00ff
}

// average is rounded down, channel by channel.
func average(a, b uint32) uint32 { return (a^b)&0xfefefefe>>1 + a&b }

// selected is the one of left and top that is nearer to left + top - topLeft, top if both are.
func selected(left, topLeft, top uint32) uint32 {
	sum := int32(0)
	for shift := 0; shift < 32; shift += 8 {
		l, tl, t := int32(left>>shift&0xff), int32(topLeft>>shift&0xff), int32(top>>shift&0xff)
		sum += max(l-tl, tl-l) - max(t-tl, tl-t)
	}
	if sum <= 0 {
		return top
	}
	return left
}

// clampedSum is left + top - topLeft.
func clampedSum(left, topLeft, top uint32) (sum uint32) {
	for shift := 0; shift < 32; shift += 8 {
		v := int32(left>>shift&0xff) + int32(top>>shift&0xff) - int32(topLeft>>shift&0xff)
		sum |= uint32(min(max(v, 0), 255)) << shift
	}
	return sum
}

// clampedHalf is the mean and half of what it is above topLeft.
func clampedHalf(mean, topLeft uint32) (sum uint32) {
	for shift := 0; shift < 32; shift += 8 {
		m, tl := int32(mean>>shift&0xff), int32(topLeft>>shift&0xff)
		sum |= uint32(min(max(m+(m-tl)/2, 0), 255)) << shift
	}
	return sum
}
