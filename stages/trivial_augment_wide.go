package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// TrivialAugmentWide does one operation to a uint8 picture, drawn from the fourteen of
// torchvision's TrivialAugmentWide, with a random magnitude: what that does to a Pillow image,
// but for its interpolation, which is nearest. Pixels are moved as by rand_augment.
//
// Draws: the operation, its magnitude if it has one, and the sign of that.
type TrivialAugmentWide struct {
	NumMagnitudeBins int           `sluice:"num_magnitude_bins,positive" default:"31" doc:"different magnitudes, from none to the most"`
	Interpolation    Interpolation `sluice:"interpolation" default:"bilinear" doc:"how values between pixels are found; torchvision's default is nearest"`
	Fill             Color         `sluice:"fill" doc:"colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black)"`
	P                Probability   `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

var wideMagnitudes = magnitudes{shear: 0.99, rotate: 135, factor: 0.99, bits: 6, pixels: 32}

// Name is the stage's name in pipeline files.
func (TrivialAugmentWide) Name() string { return "trivial_augment_wide" }

// Version of the algorithm.
func (TrivialAugmentWide) Version() int { return 1 }

// Check reports impossible options.
func (a TrivialAugmentWide) Check() error {
	return errlist.Join(oneOf("interpolation", a.Interpolation), a.P.check("p"), checkBins(a.NumMagnitudeBins))
}

// Draw draws the operation.
func (a TrivialAugmentWide) Draw(row *Row) (Params, error) {
	if a.P.skips(row.Rand) {
		return nil, nil
	}
	bins := a.NumMagnitudeBins
	if bins == 0 {
		bins = defaultBins
	}
	bin := func() float64 { return float64(row.Rand.IntN(bins)) }
	return Recycle(row, Operations{Ops: append(recycledOps(row), wideMagnitudes.draw(row, bins, bin))}), nil
}

// Output is the input's type.
func (a TrivialAugmentWide) Output(in schema.Tensor) (schema.Tensor, error) {
	return in, errlist.Join(CheckWarpable(in), CheckFill(in, a.Fill))
}

// Steps is the operation.
func (a TrivialAugmentWide) Steps(params Params) []Step {
	return params.(*Operations).steps(a.Interpolation, a.Fill)
}
