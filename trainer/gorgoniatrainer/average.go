package gorgoniatrainer

// bins are the windows of torch.nn.AdaptiveAvgPool2d along one axis: output i
// averages the inputs start[i] <= j < end[i], start = floor(i*in/out), end =
// ceil((i+1)*in/out). They overlap where in isn't a multiple of out.
type bins struct {
	in, out    int
	start, end []int
	factor     int // in/out where that is whole; 0 otherwise
}

func newBins(in, out int) bins {
	b := bins{in: in, out: out, start: make([]int, out), end: make([]int, out)}
	for i := range out {
		b.start[i] = i * in / out
		b.end[i] = ((i+1)*in + out - 1) / out
	}
	if in%out == 0 {
		b.factor = in / out
	}
	return b
}

// sums adds to dst[i] the sum of src over bin i; dst has out elements, src in.
func (b bins) sums(dst, src []float32) {
	dst = dst[:b.out]
	switch b.factor {
	case 1:
		for i, v := range src[:len(dst)] {
			dst[i] += v
		}
	case 2:
		src = src[:2*len(dst)]
		for i := range dst {
			dst[i] += src[2*i] + src[2*i+1]
		}
	case 3:
		src = src[:3*len(dst)]
		for i := range dst {
			dst[i] += src[3*i] + src[3*i+1] + src[3*i+2]
		}
	default:
		for i := range dst {
			sum := float32(0)
			for _, v := range src[b.start[i]:b.end[i]] {
				sum += v
			}
			dst[i] += sum
		}
	}
}

// spread is the gradient of sums: it adds src[i]*scale/(width of bin i) to every
// dst[j] of bin i.
func (b bins) spread(dst, src []float32, scale float32) {
	dst = dst[:b.in]
	switch b.factor {
	case 2:
		scale *= 0.5
		for i, v := range src[:b.out] {
			g, d := float32(v*scale), dst[2*i:2*i+2]
			d[0] += g
			d[1] += g
		}
	case 3:
		scale /= 3
		for i, v := range src[:b.out] {
			g, d := float32(v*scale), dst[3*i:3*i+3]
			d[0] += g
			d[1] += g
			d[2] += g
		}
	default:
		for i, v := range src[:b.out] {
			g := float32(v*scale) / float32(b.end[i]-b.start[i])
			for j := b.start[i]; j < b.end[i]; j++ {
				dst[j] += g
			}
		}
	}
}
