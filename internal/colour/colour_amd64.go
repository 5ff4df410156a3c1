package colour

import (
	"math"
	"unsafe"

	"golang.org/x/sys/cpu"
)

var (
	useAssembly = cpu.X86.HasAVX2
	useFMA      = useAssembly && cpu.X86.HasFMA
)

// constants are what the assembly reads beside the pixels.
type constants struct {
	words    [3][2][32]uint8 // VPSHUFB: a channel of eight pixels in words, of the first 16 of their 24 bytes and of the last 16
	channels [3][32]uint8    // VPSHUFB: a channel of four pixels in doublewords
	pack     [32]uint8       // VPSHUFB: three bytes of each doubleword, side by side
	triple   [32]uint8       // VPSHUFB: the lowest byte of each doubleword, three times
	weave    [32]uint8       // VPSHUFB: four bytes of each of three channels, pixel by pixel
	fours    [8]uint32       // VPERMD: four bytes of each of eight doublewords, packed, in order
	order    [8]uint32       // VPSHUFB, by the sector of the hue: where red, green and blue are in value, middle, lowest
	lanes    [8]uint32       // what is added to it, by pixel
	firsts   [8]float32      // of the hue, by the order of the channels, negated: bits 0-2 are r < g, g < b, r < b
	signs    [8]float32
	pairs    [2][32]uint8  // VPSHUFB: red and green of four pixels as words side by side; blue and green
	weights  [2][16]uint16 // of the grey, by pairs
	rounding [8]uint32
	sixth    [2][8]float32 // and what it lacks
	full     [8]float32    // 255
	half     [8]float32
	place    [8]float32 // 1 / (255 * 85)
	byteMask [16]uint16
	sector   [16]uint16 // 2^16 * 2/85, and a little more
	unit     [16]uint16
	circle   [16]uint16 // 85
	round255 [16]uint16 // 128, and
	over255  [16]uint16 // 257, by which words are divided by 255
}

var fixed = func() (c constants) {
	for channel := range 3 {
		for i := range 32 {
			c.words[channel][0][i], c.words[channel][1][i], c.channels[channel][i] = 0x80, 0x80, 0x80
		}
		for k := range 8 {
			for lane := 0; lane < 32; lane += 16 {
				if at := uint8(3*k + channel); at < 16 {
					c.words[channel][0][lane+2*k] = at
				} else {
					c.words[channel][1][lane+2*k] = at - 8
				}
			}
		}
		for k := range 4 {
			c.channels[channel][4*k] = uint8(3*k + channel)
			c.channels[channel][16+4*k] = uint8(3*(k+4) + channel - 8)
		}
	}
	for k, beside := range [2]int{0, 2} {
		c.pairs[k] = c.channels[beside]
		for i := 0; i < 32; i += 4 {
			c.pairs[k][i+2] = c.channels[1][i]
		}
	}
	for i := range c.pack {
		c.pack[i], c.weave[i], c.triple[i] = 0x80, 0x80, 0x80
		if k := i % 16; k < 12 {
			c.pack[i] = uint8(k/3*4 + k%3)
			c.weave[i] = uint8(k%3*4 + k/3)
			c.triple[i] = uint8(k / 3 * 4)
		}
	}
	const value, middle, lowest = 0, 1, 2
	for sector, at := range [8][3]uint32{
		{value, middle, lowest}, {middle, value, lowest}, {lowest, value, middle}, {lowest, middle, value},
		{middle, lowest, value}, {value, lowest, middle}, {value, middle, lowest}, {},
	} {
		c.order[sector] = at[0] | at[1]<<8 | at[2]<<16 | 0x80<<24
	}
	above5 := math.Nextafter32(5, 6) // as what is less than 0 and a turn is rounded
	for order, of := range map[int]struct{ first, sign float32 }{
		0: {1, -1}, 1: {1, 1}, 5: {3, -1}, 7: {3, 1}, 6: {5, -1}, 2: {above5, 1},
	} {
		c.firsts[-order&7], c.signs[-order&7] = of.first, of.sign
	}
	for i := range 8 {
		c.fours[i] = uint32(i%2*4 + i/2)
		c.lanes[i] = uint32(i%4) * 0x040404
		c.sixth[0][i] = 1.0 / 6
		c.sixth[1][i] = float32(1.0/6 - float64(c.sixth[0][i]))
		c.full[i], c.half[i], c.place[i] = 255, 0.5, 1.0/(255*85)
		c.weights[0][2*i], c.weights[0][2*i+1] = 19595, 38470/2
		c.weights[1][2*i], c.weights[1][2*i+1] = 7471, 38470/2
		c.rounding[i] = 1 << 15
	}
	for i := range 16 {
		c.byteMask[i], c.sector[i], c.unit[i], c.circle[i] = 255, 2<<16/85+1, 1, 85
		c.round255[i], c.over255[i] = 128, 257
	}
	return c
}()

// Of n values, a multiple of block, which may be 0.
//
//go:noescape
func levelsAVX2(values *uint8, n int, c *constants, level, factor float32)

//go:noescape
func saturateAVX2(pixels *uint8, n int, c *constants, factor float32)

//go:noescape
func greysAVX2(pixels *uint8, n int, c *constants, sums *[8]uint32)

//go:noescape
func greyAVX2(pixels *uint8, n int, c *constants)

//go:noescape
func foldAVX2(values *uint8, n int, mask, from, flip uint8)

// Steps are the table's parts of 16, each but the first of either half XOR the one before.
//
//go:noescape
func lookUpAVX2(values *uint8, n int, steps *[256]uint8)

//go:noescape
func turnHueAVX2(pixels *uint8, n int, c *constants, turn uint16)

// block is how many bytes the assembly takes at once, or some of it twice and three times: 32 pixels.
const block = 96

// parts is values as the assembly takes them: whole blocks where they are, and what is left over in a
// block of its own, with zeros behind.
type parts struct {
	whole, rest int // bytes; rest is a block or nothing
	last        [block]uint8
}

func cut(values []uint8) (p parts) {
	p.whole = len(values) / block * block
	if copy(p.last[:], values[p.whole:]) > 0 {
		p.rest = block
	}
	return p
}

// largestFactor times 255 fits an int32 with room.
const largestFactor = 1 << 20

// Levels blends values with a level: level + factor * (value - level) in float32, truncated
// and clamped. A factor above 2^20 is not taken.
func Levels(values []uint8, level, factor float32) bool {
	if !useAssembly || !(factor <= largestFactor) {
		return false
	}
	p := cut(values)
	levelsAVX2(unsafe.SliceData(values), p.whole, &fixed, level, factor)
	levelsAVX2(&p.last[0], p.rest, &fixed, level, factor)
	copy(values[p.whole:], p.last[:])
	return true
}

// Saturate is Levels of each pixel with its grey.
func Saturate(pixels []uint8, factor float32) bool {
	if !useAssembly || !(factor <= largestFactor) {
		return false
	}
	p := cut(pixels)
	saturateAVX2(unsafe.SliceData(pixels), p.whole, &fixed, factor)
	saturateAVX2(&p.last[0], p.rest, &fixed, factor)
	copy(pixels[p.whole:], p.last[:])
	return true
}

// mostGreys is a number of bytes for whose greys eight sums of 32 bits have room.
const mostGreys = block << 20

// Greys adds up the greys of the pixels: ITU-R 601-2 luma, to 16 bits, rounded half up.
func Greys(pixels []uint8) (sum int, ok bool) {
	if !useAssembly {
		return 0, false
	}
	var sums [8]uint32
	p := cut(pixels)
	for at := 0; at < p.whole; at += mostGreys {
		greysAVX2(&pixels[at], min(p.whole-at, mostGreys), &fixed, &sums)
		sum += total(&sums)
	}
	greysAVX2(&p.last[0], p.rest, &fixed, &sums)
	return sum + total(&sums), true
}

func total(sums *[8]uint32) (all int) {
	for _, s := range sums {
		all += int(s)
	}
	return all
}

// TurnHue turns the hue of pixels, in Pillow's HSV, by so many 255ths of the circle.
func TurnHue(pixels []uint8, turn uint8) bool {
	if !useFMA {
		return false
	}
	p := cut(pixels)
	turnHueAVX2(unsafe.SliceData(pixels), p.whole, &fixed, uint16(turn))
	turnHueAVX2(&p.last[0], p.rest, &fixed, uint16(turn))
	copy(pixels[p.whole:], p.last[:])
	return true
}

// Grey makes each channel of a pixel its grey.
func Grey(pixels []uint8) bool {
	if !useAssembly {
		return false
	}
	p := cut(pixels)
	greyAVX2(unsafe.SliceData(pixels), p.whole, &fixed)
	greyAVX2(&p.last[0], p.rest, &fixed)
	copy(pixels[p.whole:], p.last[:])
	return true
}

// Fold leaves the bits of a mask of each value, and flips others in those that are then at least
// from.
func Fold(values []uint8, mask, from, flip uint8) bool {
	if !useAssembly {
		return false
	}
	p := cut(values)
	foldAVX2(unsafe.SliceData(values), p.whole, mask, from, flip)
	foldAVX2(&p.last[0], p.rest, mask, from, flip)
	copy(values[p.whole:], p.last[:])
	return true
}

// LookUp replaces each value by a table's.
func LookUp(values []uint8, table *[256]uint8) bool {
	if !useAssembly {
		return false
	}
	steps := *table
	for i := 16; i < len(steps); i++ {
		if i>>4 != 8 {
			steps[i] ^= table[i-16]
		}
	}
	p := cut(values)
	lookUpAVX2(unsafe.SliceData(values), p.whole, &steps)
	lookUpAVX2(&p.last[0], p.rest, &steps)
	copy(values[p.whole:], p.last[:])
	return true
}
