package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// RandAugment does NumOps operations to a uint8 picture, each drawn from the fourteen of
// torchvision's RandAugment, of one magnitude, towards either side: what that does to a Pillow
// image, but for its interpolation, which is nearest. Those that move pixels become part of one
// sampling with the stages around them; outside the picture is the colour Fill, into which the
// edge is blended, as in rotate.
//
// Draws, for each: the operation, then the sign of a magnitude that has one.
type RandAugment struct {
	NumOps           int           `sluice:"num_ops,positive" default:"2" doc:"operations, one after the other"`
	Magnitude        float64       `sluice:"magnitude,positive" default:"9" doc:"how much each does, up to num_magnitude_bins - 1; fractions too"`
	NumMagnitudeBins int           `sluice:"num_magnitude_bins,positive" default:"31" doc:"what magnitude is counted in: the most is one less"`
	Interpolation    Interpolation `sluice:"interpolation" default:"bilinear" doc:"how values between pixels are found; torchvision's default is nearest"`
	Fill             Color         `sluice:"fill" doc:"colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black)"`
	P                Probability   `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

const (
	defaultNumOps    = 2
	defaultMagnitude = 9
	defaultBins      = 31
	mostOps          = 100
	mostBins         = 10_000
)

var randMagnitudes = magnitudes{shear: 0.3, rotate: 30, factor: 0.9, bits: 4}

// Name is the stage's name in pipeline files.
func (RandAugment) Name() string { return "rand_augment" }

// Version of the algorithm.
func (RandAugment) Version() int { return 1 }

// withDefaults puts defaults in the place of zeros.
func (r RandAugment) withDefaults() RandAugment {
	if r.NumOps == 0 {
		r.NumOps = defaultNumOps
	}
	if r.Magnitude == 0 {
		r.Magnitude = defaultMagnitude
	}
	if r.NumMagnitudeBins == 0 {
		r.NumMagnitudeBins = defaultBins
	}
	return r
}

// Check reports impossible options.
func (r RandAugment) Check() error {
	errs := []error{oneOf("interpolation", r.Interpolation), r.P.check("p"), checkBins(r.NumMagnitudeBins)}
	if r.NumOps < 0 || r.NumOps > mostOps {
		errs = append(errs, errorf("num_ops", "%d operations: give 1 to %d", r.NumOps, mostOps))
	}
	d := r.withDefaults()
	if most := float64(d.NumMagnitudeBins - 1); most >= 1 && !(d.Magnitude >= 0 && d.Magnitude <= most) {
		errs = append(errs, errorf("magnitude", "%g is not in 0..%g, which is num_magnitude_bins - 1", d.Magnitude, most))
	}
	return errlist.Join(errs...)
}

func checkBins(bins int) error {
	if bins != 0 && (bins < 2 || bins > mostBins) {
		return errorf("num_magnitude_bins", "%d: give 2 to %d", bins, mostBins)
	}
	return nil
}

// Draw draws the operations.
func (r RandAugment) Draw(row *Row) (Params, error) {
	if r.P.skips(row.Rand) {
		return nil, nil
	}
	r = r.withDefaults()
	share := func() float64 { return r.Magnitude / float64(r.NumMagnitudeBins-1) }
	p := Operations{Ops: recycledOps(row)}
	for range r.NumOps {
		p.Ops = append(p.Ops, randMagnitudes.draw(row, share))
	}
	return Recycle(row, p), nil
}

// recycledOps is memory for operations.
func recycledOps(row *Row) []Operation {
	if used, ok := row.Recycled.(*Operations); ok {
		return used.Ops[:0]
	}
	return nil
}

// Output is the input's type.
func (r RandAugment) Output(in schema.Tensor) (schema.Tensor, error) {
	return in, errlist.Join(CheckWarpable(in), CheckFill(in, r.Fill))
}

// Steps are the operations.
func (r RandAugment) Steps(params Params) []Step {
	return params.(*Operations).steps(r.Interpolation, r.Fill)
}

// WithStrength multiplies the magnitude.
func (r RandAugment) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	r.Magnitude = float64(r.withDefaults().Magnitude * s)
	return r
}
