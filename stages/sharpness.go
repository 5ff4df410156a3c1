package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/smooth"
	"github.com/sluicedata/sluice/schema"
)

// Sharpness blurs or sharpens a uint8 picture by a random factor: torchvision's
// adjust_sharpness of a Pillow image. Each pixel but those at the edges is blended with the
// mean of itself, five times, and its eight neighbours: the factor 0 is that mean, 1 changes
// nothing, 2 doubles what sets a pixel apart. Pictures with a side below 3 stay as they are.
type Sharpness struct {
	Factor Factor      `sluice:"factor" doc:"range of the factor; a number b stands for [max(0, 1-b), 1+b]; for one factor f give [f, f]"`
	P      Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

// SharpnessParams is the factor.
type SharpnessParams struct {
	Factor float64 `json:"factor"`
}

// largestFactor times 255 fits an int32 with room.
const largestFactor = 1 << 20

// Name is the stage's name in pipeline files.
func (Sharpness) Name() string { return "sharpness" }

// Version of the algorithm.
func (Sharpness) Version() int { return 1 }

// Check reports impossible options.
func (s Sharpness) Check() error {
	errs := []error{s.Factor.check("factor"), s.P.check("p")}
	if s.Factor[1] > largestFactor {
		errs = append(errs, errorf("factor", "%g is too large: give at most %d", s.Factor[1], largestFactor))
	}
	if errlist.Join(errs...) == nil && !s.Factor.on() {
		errs = append(errs, errorf("factor", "nothing to do: give a range such as [0.5, 2], or leave the stage out"))
	}
	return errlist.Join(errs...)
}

// Draw draws the factor.
func (s Sharpness) Draw(row *Row) (Params, error) {
	if s.P.skips(row.Rand) {
		return nil, nil
	}
	return Recycle(row, SharpnessParams{Factor: s.Factor.draw(row.Rand)}), nil
}

// Output is the input's type.
func (Sharpness) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// Map blends each pixel with its neighbours.
func (s Sharpness) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(s, params, in)
}

// EditBytes is that of some rows.
func (Sharpness) EditBytes(_ Params, _, width int) int64 { return smooth.SharpenBytes(width) }

// Edit is Map, in place.
func (Sharpness) Edit(params Params, pic *schema.Picture) {
	smooth.Sharpen(pic.U8, pic.Height, pic.Width, float32(params.(*SharpnessParams).Factor))
}

// WithStrength multiplies what factors differ from 1 by.
func (s Sharpness) WithStrength(strength float64) Stage {
	if strength == 0 {
		return nil
	}
	s.Factor = s.Factor.around(strength)
	return s
}
