package stages

import "github.com/sluicedata/sluice/schema"

// Autocontrast stretches each channel of a uint8 picture so that its darkest value becomes 0
// and its brightest 255: torchvision's autocontrast of a Pillow image.
type Autocontrast struct {
	P Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

// Name is the stage's name in pipeline files.
func (Autocontrast) Name() string { return "autocontrast" }

// Version of the algorithm.
func (Autocontrast) Version() int { return 1 }

// Check reports impossible options.
func (a Autocontrast) Check() error { return a.P.check("p") }

// Draw draws whether to act.
func (a Autocontrast) Draw(row *Row) (Params, error) { return a.P.acts(row), nil }

// Output is the input's type.
func (Autocontrast) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// Map stretches the channels.
func (a Autocontrast) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(a, params, in)
}

// Edit is Map, in place.
func (Autocontrast) Edit(_ Params, pic *schema.Picture) {
	var to levelTable
	for c, count := range histogram(pic.U8) {
		to[c] = stretched(&count)
	}
	to.apply(pic.U8)
}

// EditBytes is nothing to speak of.
func (Autocontrast) EditBytes(Params, int, int) int64 { return 0 }

// stretched is ImageOps.autocontrast's table of a channel.
func stretched(count *[256]uint32) (to [256]uint8) {
	low, high := 0, 255
	for low < 255 && count[low] == 0 {
		low++
	}
	for high > 0 && count[high] == 0 {
		high--
	}
	if high <= low {
		return unchanged
	}
	scale := 255 / float64(high-low)
	offset := float64(-float64(low) * scale)
	for v := low; v <= high; v++ {
		to[v] = uint8(min(max(float64(float64(v)*scale)+offset, 0), 255))
	}
	return to
}
