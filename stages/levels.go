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
