package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Solarize inverts the values of a uint8 picture that are at least Threshold: torchvision's
// solarize.
type Solarize struct {
	Threshold float64     `sluice:"threshold,positive" default:"128" doc:"values of at least this are inverted, up to 255"`
	P         Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

const defaultThreshold = 128

// SolarizeParams is the least value that is inverted; above 255, none is.
type SolarizeParams struct {
	Threshold float64 `json:"threshold"`
}

// Name is the stage's name in pipeline files.
func (Solarize) Name() string { return "solarize" }

// Version of the algorithm.
func (Solarize) Version() int { return 1 }

// Check reports impossible options.
func (s Solarize) Check() error {
	errs := []error{s.P.check("p")}
	if !(s.Threshold >= 0 && s.Threshold <= 255) {
		errs = append(errs, errorf("threshold", "%g is not in 0..255, the values of uint8 pictures", s.Threshold))
	}
	return errlist.Join(errs...)
}

// Draw draws whether to act.
func (s Solarize) Draw(row *Row) (Params, error) {
	if s.P.skips(row.Rand) {
		return nil, nil
	}
	p := SolarizeParams{Threshold: s.Threshold}
	if p.Threshold == 0 {
		p.Threshold = defaultThreshold
	}
	return Recycle(row, p), nil
}

// Output is the input's type.
func (Solarize) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// PixelFunc inverts high values.
func (Solarize) PixelFunc(params Params) PixelFunc {
	from := math.Ceil(max(params.(*SolarizeParams).Threshold, 0))
	if from > 255 {
		return folded(255, 0, 0)
	}
	return folded(255, uint8(from), 255)
}
