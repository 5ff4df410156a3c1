package colour

import "golang.org/x/sys/cpu"

var (
	useAssembly = cpu.X86.HasAVX2
	useFMA      = useAssembly && cpu.X86.HasFMA
)

// constants are what the assembly reads beside the pixels.
type constants struct {
	channels [3][32]uint8 // VPSHUFB: a channel of eight pixels, whose 24 bytes are loaded as the first 16 and the last 16
	pack     [32]uint8    // VPSHUFB: three bytes of each doubleword, side by side
	order    [8]uint32    // VPSHUFB, by the sector of the hue: where red, green and blue are in value, middle, lowest
	lanes    [8]uint32    // what is added to it, by pixel
	firsts   [8]float32   // of the hue, by the order of the channels, negated: bits 0-2 are r < g, g < b, r < b
	signs    [8]uint32
	rounds   [8]float32
	turn     [8]uint32
	byteMask [8]uint32
	six      [8]uint32
	unit     [8]uint32
	around   [8]uint32 // 257: 2^16 / 255, nearly
	sixShort [8]float32
	one      [8]float32
	full     [8]float32 // 255
	half     [8]float32
	above    [8]float32 // a half, and more than a rounding error
	factor   [8]float32
	level    [8]float32
	weights  [3][8]uint32 // of the grey
	rounding [8]uint32
}

var fixed = func() (c constants) {
	for channel := range c.channels {
		for i := range c.channels[channel] {
			c.channels[channel][i] = 0x80
		}
		for k := range 4 {
			c.channels[channel][4*k] = uint8(3*k + channel)
			c.channels[channel][16+4*k] = uint8(3*(k+4) + channel - 8)
		}
	}
	for i := range c.pack {
		c.pack[i] = 0x80
		if k := i % 16; k < 12 {
			c.pack[i] = uint8(k/3*4 + k%3)
		}
	}
	const value, middle, lowest = 0, 1, 2
	for sector, at := range [8][3]uint32{
		{value, middle, lowest}, {middle, value, lowest}, {lowest, value, middle}, {lowest, middle, value},
		{middle, lowest, value}, {value, lowest, middle}, {value, middle, lowest}, {},
	} {
		c.order[sector] = at[0] | at[1]<<8 | at[2]<<16 | 0x80<<24
	}
	const negative = 1 << 31
	for order, of := range map[int]struct {
		first, round float32
		sign         uint32
	}{0: {1, 0, negative}, 1: {1, 0, 0}, 5: {3, 0, negative}, 7: {3, 0, 0}, 6: {5, 0, negative}, 2: {-1, 255, 0}} {
		c.firsts[-order&7], c.signs[-order&7], c.rounds[-order&7] = of.first, of.sign, of.round
	}
	for i := range 8 {
		c.lanes[i] = uint32(i%4) * 0x040404
		c.byteMask[i], c.six[i], c.unit[i], c.around[i] = 255, 6, 1, 257
		c.sixShort[i], c.one[i], c.full[i], c.half[i], c.above[i] = 6, 1, 255, 0.5, 0.5+1.0/4096
		for channel, weight := range [3]uint32{19595, 38470, 7471} {
			c.weights[channel][i] = weight
		}
		c.rounding[i] = 1 << 15
	}
	return c
}()

//go:noescape
func levelsAVX2(values *uint8, n int, c *constants)

//go:noescape
func saturateAVX2(pixels *uint8, n int, c *constants)

//go:noescape
func greysAVX2(pixels *uint8, n int, c *constants, sums *[8]uint32)

//go:noescape
func turnHueAVX2(pixels *uint8, n int, c *constants)

// eight is how many pixels the assembly takes at once.
const eight = 8

// largestFactor times 255 fits an int32 with room.
const largestFactor = 1 << 20

// Levels blends values with a level: level + factor * (value - level) in float32, truncated
// and clamped. A factor above 2^20 is not taken.
func Levels(values []uint8, level, factor float32) (done int) {
	n := len(values) &^ 15
	if !useAssembly || n == 0 || !(factor <= largestFactor) {
		return 0
	}
	c := fixed
	for i := range 8 {
		c.level[i], c.factor[i] = level, factor
	}
	levelsAVX2(&values[0], n, &c)
	return n
}

// Saturate is Levels of each pixel with its grey.
func Saturate(pixels []uint8, factor float32) (done int) {
	n := len(pixels) / 3 &^ (eight - 1)
	if !useAssembly || n == 0 || !(factor <= largestFactor) {
		return 0
	}
	c := fixed
	for i := range 8 {
		c.factor[i] = factor
	}
	saturateAVX2(&pixels[0], n, &c)
	return 3 * n
}

// mostGreys is how many pixels eight sums of 32 bits have room for.
const mostGreys = 1 << 24

// Greys adds up the greys of the pixels: ITU-R 601-2 luma, to 16 bits, rounded half up.
func Greys(pixels []uint8) (sum, done int) {
	n := len(pixels) / 3 &^ (eight - 1)
	if !useAssembly {
		return 0, 0
	}
	var sums [8]uint32
	for at := 0; at < n; at += mostGreys {
		greysAVX2(&pixels[3*at], min(n-at, mostGreys), &fixed, &sums)
		for _, s := range sums {
			sum += int(s)
		}
	}
	return sum, 3 * n
}

// TurnHue turns the hue of pixels, in Pillow's HSV, by so many 255ths of the circle.
func TurnHue(pixels []uint8, turn uint8) (done int) {
	n := len(pixels) / 3 &^ (eight - 1)
	if !useFMA || n == 0 {
		return 0
	}
	c := fixed
	for i := range c.turn {
		c.turn[i] = uint32(turn)
	}
	turnHueAVX2(&pixels[0], n, &c)
	return 3 * n
}
