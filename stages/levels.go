package stages

import (
	"github.com/sluicedata/sluice/internal/colour"
	"github.com/sluicedata/sluice/schema"
)

// This file is what stages share that replace levels of uint8 pictures by others.

// Acted is the params of a stage that draws only whether it acts; where that is certain, it
// returns Nothing.
type Acted struct {
	Acted bool `json:"acted"`
}

// acts draws whether a stage acts that draws nothing else: its params, nil where it doesn't.
func (p Probability) acts(row *Row) Params {
	switch {
	case p.certain():
		return Nothing{}
	case p.skips(row.Rand):
		return nil
	}
	return Recycle(row, Acted{Acted: true})
}

// edited is a copy of a picture, edited.
func edited(e Editor, params Params, in *schema.Picture) *schema.Picture {
	out := in.Tensor().NewPicture()
	copy(out.U8, in.U8)
	copy(out.F32, in.F32)
	e.Edit(params, out)
	return out
}

// byLevel replaces each level of each channel.
func byLevel(to func(level uint8) uint8) PixelFunc {
	var table [256]uint8
	for v := range table {
		table[v] = to(uint8(v))
	}
	return PixelFunc{
		Separate: true,
		Map: func(rgb [3]float32) [3]float32 {
			for c, v := range rgb {
				rgb[c] = float32(table[uint8(v)])
			}
			return rgb
		},
		Row: func(pixels []uint8) { lookUp(pixels, &table) },
	}
}

// lookUp replaces each value by a table's.
func lookUp(values []uint8, table *[256]uint8) {
	if colour.LookUp(values, table) {
		return
	}
	for i, v := range values {
		values[i] = table[v]
	}
}

// folded leaves the bits of a mask of each level, and flips others in those that are then at
// least from.
func folded(mask, from, flip uint8) PixelFunc {
	f := byLevel(func(level uint8) uint8 {
		if level &= mask; level >= from {
			level ^= flip
		}
		return level
	})
	slow := f.Row
	f.Row = func(pixels []uint8) {
		if !colour.Fold(pixels, mask, from, flip) {
			slow(pixels)
		}
	}
	return f
}

// sameBytes is the output of a stage that changes the values of uint8 pictures only.
func sameBytes(in schema.Tensor) (schema.Tensor, error) { return in, CheckWarpable(in) }

// levelTable is what becomes of each level of each channel.
type levelTable [3][256]uint8

func (t *levelTable) apply(pixels []uint8) {
	for ; len(pixels) >= 3; pixels = pixels[3:] {
		p := pixels[:3:3]
		p[0], p[1], p[2] = t[0][p[0]], t[1][p[1]], t[2][p[2]]
	}
}

// unchanged is the table in which every level stays.
var unchanged = func() (table [256]uint8) {
	for v := range table {
		table[v] = uint8(v)
	}
	return table
}()

// histogram counts the levels of each channel.
func histogram(pixels []uint8) (count [3][256]uint32) {
	var other [3][256]uint32 // of every second pixel: neighbours are often alike, and counting waits for itself
	for ; len(pixels) >= 6; pixels = pixels[6:] {
		p := pixels[:6:6]
		count[0][p[0]]++
		count[1][p[1]]++
		count[2][p[2]]++
		other[0][p[3]]++
		other[1][p[4]]++
		other[2][p[5]]++
	}
	for c, v := range pixels {
		count[c][v]++
	}
	for c := range count {
		for v := range count[c] {
			count[c][v] += other[c][v]
		}
	}
	return count
}
