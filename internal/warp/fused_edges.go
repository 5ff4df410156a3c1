package warp

import "math"

// sampleAnywhere computes samples of a row whose taps may lie outside the window.
func (s *stack) sampleAnywhere(src *Source, rgb []uint8, y, from, to int) {
	for x := from; x < to; x++ {
		pixel := rgb[3*x : 3*x+3 : 3*x+3]
		if s.taps != nil {
			s.convolve(src, pixel, x, y)
			continue
		}
		v := s.value(src, x, y)
		for c := range pixel {
			pixel[c] = uint8((v[c] + 1<<(2*FractionBits-1)) >> (2 * FractionBits))
		}
	}
}

func (s *stack) fineSampleAnywhere(src *Source, rgb []uint16, y, from, to int) {
	const bits = 2*FractionBits - 8
	for x := from; x < to; x++ {
		v := s.value(src, x, y)
		for c := range v {
			rgb[3*x+c] = uint16((v[c] + 1<<(bits-1)) >> bits)
		}
	}
}

// value is a sample in units of 2^-24, through all layers.
func (s *stack) value(src *Source, x, y int) (sum [3]int64) {
	bottom := &s.layers[0]
	if len(s.layers) == 1 {
		m := &bottom.fixed
		u := m[0]*int64(x) + m[1]*int64(y) + m[2]
		v := m[3]*int64(x) + m[4]*int64(y) + m[5]
		if s.filter == Nearest {
			for c := range sum {
				sum[c] = bottom.at(src, u>>FixedBits, v>>FixedBits, c) << (2 * FractionBits)
			}
			return sum
		}
		const bits = FixedBits - FractionBits
		return bottom.bilinear(src, u>>bits, v>>bits)
	}
	px, py := float64(x), float64(y)
	weight := int64(one * one) // of the layers below
	for i := len(s.layers) - 1; i > 0; i-- {
		l := &s.layers[i]
		px, py = l.matrix.Apply(px, py)
		if l.border == Constant {
			seen := cover(px, l.window.Min.X, l.window.Max.X) * cover(py, l.window.Min.Y, l.window.Max.Y)
			rest := weight * seen >> (2 * FractionBits)
			for c := range sum {
				sum[c] += (weight - rest) * int64(l.fill[c])
			}
			if weight = rest; weight == 0 {
				return sum
			}
		}
		px = min(max(px, float64(l.window.Min.X)), float64(l.window.Max.X-1))
		py = min(max(py, float64(l.window.Min.Y)), float64(l.window.Max.Y-1))
	}
	px, py = bottom.matrix.Apply(px, py)
	sample := bottom.bilinear(src, fraction(px), fraction(py))
	for c := range sum {
		sum[c] += weight * sample[c] >> (2 * FractionBits)
	}
	return sum
}

// fraction is a coordinate in units of 2^-12, rounded half up.
func fraction(x float64) int64 { return int64(math.Floor(float64(x*one) + 0.5)) }

// cover is the share of a bilinear sample at x that the pixels first <= i < end
// have, in units of 2^-12.
func cover(x float64, first, end int) int64 {
	switch {
	case x < float64(first):
		return max(0, fraction(x)-int64(first-1)*one)
	case x > float64(end-1):
		return max(0, int64(end)*one-fraction(x))
	}
	return one
}

// at is channel c of a pixel of the layer, which may lie anywhere.
func (l *layer) at(src *Source, x, y int64, c int) int64 {
	w := l.window
	if l.border == Edge {
		x = min(max(x, int64(w.Min.X)), int64(w.Max.X)-1)
		y = min(max(y, int64(w.Min.Y)), int64(w.Max.Y)-1)
	} else if x < int64(w.Min.X) || x >= int64(w.Max.X) || y < int64(w.Min.Y) || y >= int64(w.Max.Y) {
		return int64(l.fill[c])
	}
	return int64(src.Pix[src.offset(int(x), int(y))+c])
}

// bilinear is Filter.sample at a point in units of 2^-12, not yet rounded. Taps
// without weight are not read.
func (l *layer) bilinear(src *Source, u, v int64) (sum [3]int64) {
	x, y := u>>FractionBits, v>>FractionBits
	fx, fy := u&(one-1), v&(one-1)
	for j, wy := range [2]int64{one - fy, fy} {
		for i, wx := range [2]int64{one - fx, fx} {
			if wx*wy == 0 {
				continue
			}
			for c := range sum {
				sum[c] += wx * wy * l.at(src, x+int64(i), y+int64(j), c)
			}
		}
	}
	return sum
}
