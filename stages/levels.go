package stages

import "github.com/sluicedata/sluice/schema"

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
	return PixelFunc{Separate: true, Map: func(rgb [3]float32) [3]float32 {
		for c, v := range rgb {
			rgb[c] = float32(to(uint8(v)))
		}
		return rgb
	}}
}

// byTable is byLevel for levels that take long to compute.
func byTable(to func(level uint8) uint8) PixelFunc {
	var table [256]uint8
	for v := range table {
		table[v] = to(uint8(v))
	}
	return byLevel(func(level uint8) uint8 { return table[level] })
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
