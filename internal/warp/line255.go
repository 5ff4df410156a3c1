package warp

import "math"

// Tabulated is a Pixel of F32. A table of (v/255 - mean) / std, as to_tensor and normalize
// make it, is computed instead of looked up where that is faster, and where it gives the
// same bits for all 256 bytes.
func Tabulated(table *[3][256]float32) Pixel {
	px := Pixel{F32: table}
	var lines [3]line255
	for c := range table {
		if !lines[c].fit(&table[c]) {
			return px
		}
	}
	found := lines // so that only these escape to the heap
	px.lines = &found
	return px
}

// line255 is (v/255 - mean) / std in float32, each step rounded; a quotient is the sum of
// products with the two parts of an inverse, of which the last is not rounded by itself.
// The assembly knows the order of fields.
type line255 struct{ mean, high, low float32 }

// fit looks for a line that gives a table's values. Mean and std follow from the values for
// 0 and 255, up to a few units in the last place.
func (l *line255) fit(table *[256]float32) bool {
	const around = 6
	first, last := table[0], table[255]
	std := float32(1 / (float64(last) - float64(first)))
	if !(std > 0) || math.IsInf(float64(std), 0) {
		return false
	}
	for i := -around; i <= around; i++ {
		s := math.Float32frombits(math.Float32bits(std) + uint32(i))
		mean := float32(-float64(first) * float64(s))
		for j := -around; j <= around; j++ {
			m := math.Float32frombits(math.Float32bits(mean) + uint32(j))
			if (0-m)/s != first || (1-m)/s != last {
				continue
			}
			high := float32(1 / float64(s))
			*l = line255{m, high, float32(1/float64(s) - float64(high))}
			if l.is(table) {
				return true
			}
		}
	}
	return false
}

func (l *line255) is(table *[256]float32) bool {
	var levels [256]uint8
	for i := range levels {
		levels[i] = uint8(i)
	}
	var values [256]float32
	if !l.valuesFast(values[:], levels[:]) {
		return false
	}
	for i, v := range values {
		if math.Float32bits(v) != math.Float32bits(table[i]) {
			return false
		}
	}
	return true
}
