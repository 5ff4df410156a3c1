package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// GaussianNoise adds to every value of a uint8 picture, each channel for itself, a number of
// the normal distribution, as torchvision's gaussian_noise does with clip: values are rounded,
// there digits are cut off, and stay within 0..255.
type GaussianNoise struct {
	Mean  float64     `sluice:"mean" default:"0" doc:"mean of what is added, as a share of 255"`
	Sigma float64     `sluice:"sigma,positive" default:"0.1" doc:"its standard deviation, as a share of 255"`
	P     Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

const defaultNoise = 0.1

// NoiseParams is mean and standard deviation, as shares of 255, and the key of the random
// numbers.
type NoiseParams struct {
	Mean  float64  `json:"mean"`
	Sigma float64  `json:"sigma"`
	Key   noiseKey `json:"key"`
}

// Name is the stage's name in pipeline files.
func (GaussianNoise) Name() string { return "gaussian_noise" }

// Version of the algorithm.
func (GaussianNoise) Version() int { return 1 }

// Check reports impossible options.
func (g GaussianNoise) Check() error {
	errs := []error{g.P.check("p")}
	if !(math.Abs(g.Mean) <= 1) {
		errs = append(errs, errorf("mean", "%g is not a share of 255, -1 to 1: divide a number of levels by 255", g.Mean))
	}
	if !(g.Sigma >= 0 && g.Sigma <= 1) {
		errs = append(errs, errorf("sigma", "%g is not a share of 255: divide a number of levels by 255", g.Sigma))
	}
	return errlist.Join(errs...)
}

// Draw draws the key.
func (g GaussianNoise) Draw(row *Row) (Params, error) {
	if g.P.skips(row.Rand) {
		return nil, nil
	}
	p := NoiseParams{Mean: g.Mean, Sigma: g.Sigma, Key: drawNoise(row.Rand)}
	if p.Sigma == 0 {
		p.Sigma = defaultNoise
	}
	return Recycle(row, p), nil
}

// Output is the input's type.
func (GaussianNoise) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// Map adds noise.
func (g GaussianNoise) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(g, params, in)
}

// EditBytes is nothing to speak of.
func (GaussianNoise) EditBytes(Params, int, int) int64 { return 0 }

// Edit is Map, in place.
func (GaussianNoise) Edit(params Params, pic *schema.Picture) {
	p := params.(*NoiseParams)
	p.Key.addTo(pic.U8, p.Mean*255, p.Sigma*255)
}

// WithStrength multiplies mean and standard deviation.
func (g GaussianNoise) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	if g.Sigma == 0 {
		g.Sigma = defaultNoise
	}
	g.Mean, g.Sigma = float64(g.Mean*s), float64(g.Sigma*s)
	return g
}
