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
// With Timm they are those of timm's rand_augment_transform: fifteen, each of which is done with
// the chance p, 0.5 unless the text says otherwise, and magnitudes are tenths of a range. timm
// interpolates each by one of two filters, drawn, unless it was given one.
//
// Draws, for each: the operation, then the sign of a magnitude that has one; with Timm also
// whether it is done, and its magnitude.
type RandAugment struct {
	NumOps           int           `sluice:"num_ops,positive" default:"2" doc:"operations, one after the other"`
	Magnitude        float64       `sluice:"magnitude,positive" default:"9" doc:"how much each does, up to num_magnitude_bins - 1; fractions too"`
	NumMagnitudeBins int           `sluice:"num_magnitude_bins,positive" default:"31" doc:"what magnitude is counted in: the most is one less"`
	Timm             string        `sluice:"timm" doc:"timm's operations and draws, in its words, such as rand-m9-mstd0.5-inc1; in place of num_ops, magnitude and num_magnitude_bins (default: torchvision's)"`
	Interpolation    Interpolation `sluice:"interpolation" default:"bilinear" doc:"how values between pixels are found; torchvision's default is nearest"`
	Fill             *Color        `sluice:"fill" doc:"colour outside the picture: a grey 0..255 or [r, g, b] (default: black, with timm the grey 128)"`
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
	if r.Timm != "" {
		if _, err := parseTimm(r.Timm); err != nil {
			errs = append(errs, errorf("timm", "%v", err))
		}
		if d := r.withDefaults(); d.NumOps != defaultNumOps || d.Magnitude != defaultMagnitude || d.NumMagnitudeBins != defaultBins {
			errs = append(errs, errorf("timm", "%q says it all: leave num_ops, magnitude and num_magnitude_bins out", r.Timm))
		}
		return errlist.Join(errs...)
	}
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
	if r.Timm != "" {
		used, ok := row.Recycled.(*Operations)
		if !ok || used.timm == nil || used.timm.text != r.Timm {
			timm, err := parseTimm(r.Timm)
			if err != nil {
				return nil, err
			}
			used = &Operations{timm: &timm}
		}
		return Recycle(row, Operations{Ops: used.timm.draw(row, recycledOps(row)), timm: used.timm}), nil
	}
	r = r.withDefaults()
	bin := func() float64 { return r.Magnitude }
	p := Operations{Ops: recycledOps(row)}
	for range r.NumOps {
		p.Ops = append(p.Ops, randMagnitudes.draw(row, r.NumMagnitudeBins, bin))
	}
	return Recycle(row, p), nil
}

// recycledOps is memory for operations.
func recycledOps(row *Row) []Operation {
	if used, ok := row.Recycled.(*Operations); ok {
		return used.Ops[:0]
	}
	return []Operation{}
}

// fill is Fill or its default.
func (r RandAugment) fill() Color {
	switch {
	case r.Fill != nil:
		return *r.Fill
	case r.Timm != "":
		return Color{128, 128, 128}
	}
	return Color{}
}

// Output is the input's type.
func (r RandAugment) Output(in schema.Tensor) (schema.Tensor, error) {
	return in, errlist.Join(CheckWarpable(in), CheckFill(in, r.fill()))
}

// Steps are the operations.
func (r RandAugment) Steps(params Params) []Step {
	return params.(*Operations).steps(r.Interpolation, r.fill())
}

// WithStrength multiplies the magnitude, but not its deviation.
func (r RandAugment) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	if r.Timm != "" {
		r.Timm = timmTimes(r.Timm, s)
		return r
	}
	r.Magnitude = float64(r.withDefaults().Magnitude * s)
	return r
}
