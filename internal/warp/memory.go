package warp

// ScratchBytes is the memory that a pass takes in addition to its input and output, except a
// few rows, and the small tables of pictures before (keptTable). chroma is how many samples each chroma
// plane has; 0 if it reads RGB.
func (p *Pass) ScratchBytes(chroma int64) int64 {
	switch s := p.sampler.(type) {
	case *separable:
		r := s.Region()
		if columnsFirst(s.horizontal, s.vertical) {
			return 3*int64(s.height)*int64(r.Dx()+s.width) + weightBytes(s.horizontal, s.vertical)
		}
		return 3*int64(r.Dy()+1)*int64(s.width) + weightBytes(s.horizontal, s.vertical)
	case *affine:
		each := int64(8) // words of both
		if useAssembly {
			each = 2
		}
		return each * chroma
	}
	return 0
}

// ScratchBytes is the memory that Apply takes in addition to its input and output, except a
// few rows.
func (t Transform) ScratchBytes(inH, inW int) int64 {
	if t.framed() {
		inner, _ := splitFramed(t)
		return 3*int64(inner.Height)*int64(inner.Width) + inner.ScratchBytes(inH, inW)
	}
	if !t.Antialias || t.Filter == Nearest {
		return 0
	}
	horizontal, vertical := t.axes(inH, inW)
	if columnsFirst(horizontal, vertical) {
		return weightBytes(horizontal, vertical)
	}
	return 3*int64(vertical.in)*int64(t.Width) + weightBytes(horizontal, vertical)
}

// weightBytes is the memory of tables of weights, for the widest filter.
func weightBytes(axes ...axis) (n int64) {
	for _, a := range axes {
		n += 8 * (6*int64(max(a.in, a.out)) + 4*int64(a.out))
	}
	return n
}
