package stages

import (
	"sync"

	"github.com/sluicedata/sluice/internal/colour"
)

// This file is ColorJitter for many pixels at once: by package colour, where it can, else by
// tables and whole numbers.

// change makes one adjustment of pixels of a picture with that mean grey, as adjust does.
func (p *ColorJitterParams) change(a Adjustment, mean int, pixels []uint8) {
	switch a {
	case Brightness:
		blendLevels(pixels, 0, float32(p.Brightness))
	case Contrast:
		blendLevels(pixels, mean, float32(p.Contrast))
	case Saturation:
		if !colour.Saturate(pixels, float32(p.Saturation)) {
			p.adjust(a, mean, pixels)
		}
	case Hue:
		if !colour.TurnHue(pixels, p.turn()) {
			turnHue(pixels, p.turn())
		}
	}
}

// blendLevels is towards.
func blendLevels(values []uint8, level int, factor float32) {
	if colour.Levels(values, float32(level), factor) {
		return
	}
	var table [256]uint8
	for v := range table {
		table[v] = blend(level, v, factor)
	}
	lookUp(values, &table)
}

// hues are those of hsv, by the highest channel less the lowest (the span), how far the middle
// one is below the highest, as span*(span+1)/2 + below, and by the order of the channels:
// bits 0-2 are r < g, g < b, r < b.
var hues = sync.OnceValue(func() *[256 * 257 / 2][8]uint8 {
	t := new([256 * 257 / 2][8]uint8)
	for span := range 256 {
		for below := range span + 1 {
			for order, rank := range ranks {
				if rank == nil {
					continue
				}
				var rgb [3]uint8
				rgb[rank[0]], rgb[rank[1]], rgb[rank[2]] = 255, uint8(255-below), uint8(255-span)
				t[span*(span+1)/2+below][order], _, _ = hsv(rgb)
			}
		}
	}
	return t
})

// ranks are the channels from high to low, by order; nil where an order is impossible.
var ranks = [8][]int{0: {0, 1, 2}, 1: {1, 0, 2}, 2: {0, 2, 1}, 5: {1, 2, 0}, 6: {2, 0, 1}, 7: {2, 1, 0}}

// hueBits are the bits of the highest, middle and lowest channel, from 0, 8 and 16 on, from
// which a pixel's channels are taken, by the sector of its hue.
var hueBits = [8][3]uint8{{0, 8, 16}, {8, 0, 16}, {16, 0, 8}, {16, 8, 0}, {8, 16, 0}, {0, 16, 8}, {0, 8, 16}}

// turnHue turns the hue by so many 255ths of the circle. What fromHSV rounds is further from
// a half than its own errors: 1/43350 at least in the middle channel, 1/510 in the lowest.
func turnHue(pixels []uint8, turn uint8) {
	table := hues()
	for ; len(pixels) >= 3; pixels = pixels[3:] {
		px := pixels[:3:3]
		r, g, b := int(px[0]), int(px[1]), int(px[2])
		most, least := max(r, g, b), min(r, g, b)
		span, below := most-least, 2*most+least-r-g-b
		order := uint64(r-g)>>63 | uint64(g-b)>>63<<1 | uint64(r-b)>>63<<2
		hue := int(table[span*(span+1)/2+below][order&7] + turn)
		saturation := uint32(255*span) / max(uint32(most), 1)
		// Twice the hue is 85 times the sector and what is left. How far it is from 85 times the odd
		// sector of a pair is what the middle channel lacks, in 85ths of the saturation.
		sector := 2 * hue / 85
		lacks := 2*hue - 85*(sector|1)
		lacks = max(lacks, -lacks)
		v := uint32(most)
		mid := v - (2*v*saturation*uint32(lacks)+255*85)/(2*255*85)
		low := v - (2*v*saturation+255)/(2*255)
		all, p := v|mid<<8|low<<16, &hueBits[sector&7]
		px[0], px[1], px[2] = uint8(all>>(p[0]&31)), uint8(all>>(p[1]&31)), uint8(all>>(p[2]&31))
	}
}
