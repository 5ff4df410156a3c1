package stages

import (
	"github.com/sluicedata/sluice/internal/colour"
	"github.com/sluicedata/sluice/schema"
)

// Grayscale takes the colour out of a uint8 picture, which keeps its three channels: each is
// the pixel's luma, as Pillow's convert("L") rounds it. It is torchvision's Grayscale(3) and
// RandomGrayscale of a Pillow image.
type Grayscale struct {
	P Probability `sluice:"p,positive" default:"1" doc:"share of the draws that become grey"`
}

// Name is the stage's name in pipeline files.
func (Grayscale) Name() string { return "grayscale" }

// Version of the algorithm.
func (Grayscale) Version() int { return 1 }

// Check reports impossible options.
func (g Grayscale) Check() error { return g.P.check("p") }

// Draw draws whether the picture becomes grey.
func (g Grayscale) Draw(row *Row) (Params, error) { return g.P.acts(row), nil }

// Output is the input's type.
func (Grayscale) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// PixelFunc is the luma.
func (Grayscale) PixelFunc(Params) PixelFunc {
	return PixelFunc{
		Map: func(rgb [3]float32) [3]float32 {
			v := float32(grey([3]uint8{uint8(rgb[0]), uint8(rgb[1]), uint8(rgb[2])}))
			return [3]float32{v, v, v}
		},
		Row: func(pixels []uint8) {
			if colour.Grey(pixels) {
				return
			}
			for ; len(pixels) >= 3; pixels = pixels[3:] {
				p := pixels[:3:3]
				v := uint8(grey([3]uint8(p)))
				p[0], p[1], p[2] = v, v, v
			}
		},
	}
}
