package stages

import "github.com/sluicedata/sluice/schema"

// Invert makes a negative of a uint8 picture, 255 - v: torchvision's invert.
type Invert struct {
	P Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are inverted"`
}

// Name is the stage's name in pipeline files.
func (Invert) Name() string { return "invert" }

// Version of the algorithm.
func (Invert) Version() int { return 1 }

// Check reports impossible options.
func (i Invert) Check() error { return i.P.check("p") }

// Draw draws whether to invert.
func (i Invert) Draw(row *Row) (Params, error) { return i.P.acts(row), nil }

// Output is the input's type.
func (Invert) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// PixelFunc inverts.
func (Invert) PixelFunc(Params) PixelFunc { return folded(255, 0, 255) }
