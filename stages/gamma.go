package stages

import (
	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Gamma raises the values of a uint8 picture, as shares of 255, to a random power:
// torchvision's adjust_gamma of a Pillow image, floor(255.999 (v/255)^gamma).
type Gamma struct {
	Range Range       `sluice:"range" default:"[0.8, 1.2]" doc:"range of the power: below 1 dark parts become lighter, above 1 darker"`
	P     Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

var defaultGamma = Range{0.8, 1.2}

// GammaParams is the power.
type GammaParams struct {
	Gamma float64 `json:"gamma"`
}

// Name is the stage's name in pipeline files.
func (Gamma) Name() string { return "gamma" }

// Version of the algorithm.
func (Gamma) Version() int { return 1 }

// Check reports impossible options.
func (g Gamma) Check() error {
	errs := []error{g.Range.check("range"), g.P.check("p")}
	if g.Range[0] < 0 {
		errs = append(errs, errorf("range", "the power %g is negative: give at least 0; 1 changes nothing", g.Range[0]))
	}
	return errlist.Join(errs...)
}

// Draw draws the power, uniform on its range.
func (g Gamma) Draw(row *Row) (Params, error) {
	if g.P.skips(row.Rand) {
		return nil, nil
	}
	powers := g.Range
	if powers == (Range{}) {
		powers = defaultGamma
	}
	return Recycle(row, GammaParams{Gamma: powers.draw(row.Rand)}), nil
}

// Output is the input's type.
func (Gamma) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// PixelFunc raises to the power.
func (Gamma) PixelFunc(params Params) PixelFunc {
	power := params.(*GammaParams).Gamma
	return byLevel(func(level uint8) uint8 {
		return uint8(float64(255.999 * detmath.Pow(float64(level)/255, power)))
	})
}
