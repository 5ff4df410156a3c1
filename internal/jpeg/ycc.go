package jpeg

import "github.com/sluicedata/sluice/internal/planar"

// HasYCC reports whether the planes fit a planar.YCC: one or three components, each at full
// resolution or halved up to three times, the last two alike. Whether three components
// are YCbCr is for the caller to find out.
func (h *Header) HasYCC() bool {
	if h.n != 1 && h.n != 3 {
		return false
	}
	if h.n == 3 && (h.comps[1].H != h.comps[2].H || h.comps[1].V != h.comps[2].V) {
		return false
	}
	maxH, maxV := h.MaxSampling()
	for _, c := range h.Components() {
		for _, ratio := range [2][2]int{{maxH, c.H}, {maxV, c.V}} {
			if r := ratio[0] / ratio[1]; ratio[0]%ratio[1] != 0 || r&(r-1) != 0 {
				return false
			}
		}
	}
	return true
}

// YCC is the planes that were decoded last.
func (d *Decoder) YCC() planar.YCC {
	h := &d.image.Header
	maxH, maxV := h.MaxSampling()
	shift := func(n int) (s uint) {
		for ; n > 1; n >>= 1 {
			s++
		}
		return s
	}
	y := planar.YCC{Planes: [3]planar.Plane(d.planes[:3]), Count: h.n}
	for i := range h.n {
		c := &d.comps[i]
		y.ShiftX[i], y.ShiftY[i] = shift(8*maxH/(c.H*c.size)), shift(8*maxV/(c.V*c.size))
	}
	return y
}
