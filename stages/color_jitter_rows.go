package stages

import (
	"sync"

	"github.com/sluicedata/sluice/internal/colour"
)

// This file is ColorJitter for many pixels at once: the functions of color_jitter.go,
// tabulated where they depend on a byte or two. Package colour takes as many pixels as it
// can, where it can.

// rows makes one adjustment of pixels of a picture with that mean grey, in place.
func (p *ColorJitterParams) rows(a Adjustment, mean int) func(pixels []uint8) {
	switch {
	case a == Brightness:
		return levels(0, float32(p.Brightness))
	case a == Contrast:
		return levels(mean, float32(p.Contrast))
	case a == Saturation && p.Saturation <= largestFactor:
		return saturated(float32(p.Saturation))
	case a == Hue:
		return turned(p.turn())
	}
	return func(pixels []uint8) { p.adjust(a, mean, pixels) }
}

// levels is towards, by a table.
func levels(level int, factor float32) func([]uint8) {
	var table [256]uint8
	for v := range table {
		table[v] = blend(level, v, factor)
	}
	return func(values []uint8) {
		values = values[colour.Levels(values, float32(level), factor):]
		for i, v := range values {
			values[i] = table[v]
		}
	}
}

// largestFactor times 255 fits an int32 with room.
const largestFactor = 1 << 20

// saturated is blend of each pixel's grey and its values. The product of blend depends on
// how far they are apart, -255..255.
func saturated(factor float32) func([]uint8) {
	var scaled [512]float32
	for i := range scaled {
		scaled[i] = float32(factor * float32(i-255))
	}
	return func(pixels []uint8) {
		pixels = pixels[colour.Saturate(pixels, factor):]
		for ; len(pixels) >= 3; pixels = pixels[3:] {
			p := pixels[:3:3]
			level := grey([3]uint8(p))
			from := float32(level)
			far := scaled[(255-level)&0xff:][:256]
			r, g, b := int32(from+far[p[0]]), int32(from+far[p[1]]), int32(from+far[p[2]])
			if uint32(r|g|b) > 255 {
				r, g, b = min(max(r, 0), 255), min(max(g, 0), 255), min(max(b, 0), 255)
			}
			p[0], p[1], p[2] = uint8(r), uint8(g), uint8(b)
		}
	}
}

// hueTables are hsv and the darkest channel of fromHSV.
type hueTables struct {
	// The hue by the highest channel less the lowest (the span), how far the middle one is below
	// the highest, as span*(span+1)/2 + below, and by the order of the channels: bits 0-2 are
	// r < g, g < b, r < b.
	hue        [256 * 257 / 2][8]uint8
	saturation [256 * 256]uint8 // by the highest channel and span
	lowest     [256 * 256]uint8 // by value and saturation
	share      [256]float32     // of a saturation
}

var hues = sync.OnceValue(func() *hueTables {
	t := new(hueTables)
	for span := range 256 {
		for below := range span + 1 {
			for order, rank := range ranks {
				if rank == nil {
					continue
				}
				var rgb [3]uint8
				rgb[rank[0]], rgb[rank[1]], rgb[rank[2]] = 255, uint8(255-below), uint8(255-span)
				t.hue[span*(span+1)/2+below][order], _, _ = hsv(rgb)
			}
		}
	}
	for v := range 256 {
		t.share[v] = float32(float64(v) / 255)
		for i := range v + 1 {
			_, t.saturation[v<<8|i], _ = hsv([3]uint8{uint8(v), uint8(v - i), uint8(v - i)})
		}
		for s := range 256 {
			t.lowest[v<<8|s] = fromHSV(0, uint8(s), uint8(v))[2]
		}
	}
	return t
})

// ranks are the channels from high to low, by order; nil where an order is impossible.
var ranks = [8][]int{0: {0, 1, 2}, 1: {1, 0, 2}, 2: {0, 2, 1}, 5: {1, 2, 0}, 6: {2, 0, 1}, 7: {2, 1, 0}}

// turned turns the hue by so many 255ths of the circle.
func turned(turn uint8) func([]uint8) {
	// What fromHSV computes from the hue alone: where the channels go, and what the
	// middle one lacks, which is q or t there.
	type place struct {
		q       bool
		f       float32
		rest    float64
		r, g, b uint8 // bits from which the value, the middle and the lowest are taken
	}
	const value, middle, lowest = 0, 8, 16
	var places [256]place
	for h := range places {
		at := float64(uint8(h)+turn) * 6 / 255
		sector := int(at)
		p := &places[h]
		p.q, p.f = sector%2 == 1, float32(at-float64(sector))
		p.rest = 1 - float64(p.f)
		switch sector % 6 {
		case 0:
			p.r, p.g, p.b = value, middle, lowest
		case 1:
			p.r, p.g, p.b = middle, value, lowest
		case 2:
			p.r, p.g, p.b = lowest, value, middle
		case 3:
			p.r, p.g, p.b = lowest, middle, value
		case 4:
			p.r, p.g, p.b = middle, lowest, value
		default:
			p.r, p.g, p.b = value, lowest, middle
		}
	}
	t := hues()
	return func(pixels []uint8) {
		pixels = pixels[colour.TurnHue(pixels, turn):]
		for ; len(pixels) >= 3; pixels = pixels[3:] {
			px := pixels[:3:3]
			r, g, b := int(px[0]), int(px[1]), int(px[2])
			most, least := max(r, g, b), min(r, g, b)
			span, below := most-least, 2*most+least-r-g-b
			order := uint64(r-g)>>63 | uint64(g-b)>>63<<1 | uint64(r-b)>>63<<2
			p := &places[t.hue[span*(span+1)/2+below][order&7]]
			s := int(t.saturation[(most<<8|span)&0xffff])
			share := t.share[s]
			missing := float64(float32(share * p.f))
			if !p.q {
				missing = float64(float64(share) * p.rest)
			}
			// Rounded half up, also where a half and this add up to a whole.
			mid := uint32(float64(float64(most)*(1-missing)) + 0.49999999999999994)
			all := uint32(most) | mid<<middle | uint32(t.lowest[(most<<8|s)&0xffff])<<lowest
			px[0], px[1], px[2] = uint8(all>>(p.r&31)), uint8(all>>(p.g&31)), uint8(all>>(p.b&31))
		}
	}
}
