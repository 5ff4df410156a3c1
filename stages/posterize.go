package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Posterize keeps the highest bits of each value of a uint8 picture: torchvision's posterize.
type Posterize struct {
	Bits int         `sluice:"bits,positive" default:"4" doc:"bits that are kept, 1 to 8; 8 changes nothing"`
	P    Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

const defaultBits = 4

// PosterizeParams is how many bits are kept, 0 to 8.
type PosterizeParams struct {
	Bits int `json:"bits"`
}

// Name is the stage's name in pipeline files.
func (Posterize) Name() string { return "posterize" }

// Version of the algorithm.
func (Posterize) Version() int { return 1 }

// Check reports impossible options.
func (s Posterize) Check() error {
	errs := []error{s.P.check("p")}
	if s.Bits < 0 || s.Bits > 8 {
		errs = append(errs, errorf("bits", "%d: values have 8 bits, give 1 to 8", s.Bits))
	}
	return errlist.Join(errs...)
}

// Draw draws whether to act.
func (s Posterize) Draw(row *Row) (Params, error) {
	if s.P.skips(row.Rand) {
		return nil, nil
	}
	p := PosterizeParams{Bits: s.Bits}
	if p.Bits == 0 {
		p.Bits = defaultBits
	}
	return Recycle(row, p), nil
}

// Output is the input's type.
func (Posterize) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// PixelFunc clears low bits.
func (Posterize) PixelFunc(params Params) PixelFunc {
	return folded(uint8(0xff)<<(8-params.(*PosterizeParams).Bits), 0, 0)
}
