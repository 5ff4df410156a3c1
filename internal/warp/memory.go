package warp

// ScratchBytes is the memory that a pass takes beside its input and output, but for a few
// rows. chroma is the samples of each of two planes of colour where it reads planes, else 0.
func (p *Pass) ScratchBytes(chroma int64) int64 {
	switch s := p.sampler.(type) {
	case *separable:
		return resizedBytes(s.Region().Dy(), s.Region().Dx(), s.height, s.width)
	case *affine:
		each := int64(8) // words of both
		if useAssembly {
			each = 2
		}
		return each * chroma
	}
	return 0
}

// ScratchBytes is the memory that Apply takes beside its input and output, but for a few
// rows.
func (t Transform) ScratchBytes(inH, inW int) int64 {
	if !t.Antialias || t.Filter == Nearest {
		return 0
	}
	w := t.window(inH, inW)
	return resizedBytes(w.Dy(), w.Dx(), t.Height, t.Width)
}

// resizedBytes is those of the picture between the two passes of a resize, whichever
// comes first, and of tables of weights.
func resizedBytes(inH, inW, outH, outW int) int64 {
	between := 3 * max(int64(inH+1)*int64(outW), int64(outH)*int64(inW+1))
	weights := 8 * (taps6(inH, outH) + taps6(inW, outW))
	return between + weights
}

// taps6 is at least the weights along an axis, with the widest filter.
func taps6(in, out int) int64 { return 6*int64(max(in, out)) + 4*int64(out) }
