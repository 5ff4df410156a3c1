package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/smooth"
	"github.com/sluicedata/sluice/schema"
)

// GaussianBlur blurs a uint8 picture with a Gaussian kernel whose standard deviation is
// drawn: torchvision's gaussian_blur within one level. The picture is mirrored at its
// outermost pixels, again and again where it is smaller than the kernel, which torchvision
// refuses.
type GaussianBlur struct {
	KernelSize int         `sluice:"kernel_size,positive" doc:"height and width of the kernel, in pixels: an odd number"`
	Sigma      Range       `sluice:"sigma" default:"[0.1, 2]" doc:"range of the standard deviation, in pixels"`
	P          Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are blurred"`
}

var defaultSigma = Range{0.1, 2}

const largestKernel = 255

// BlurParams is the standard deviation, in pixels.
type BlurParams struct {
	Sigma float64 `json:"sigma"`
}

// Name is the stage's name in pipeline files.
func (GaussianBlur) Name() string { return "gaussian_blur" }

// Version of the algorithm.
func (GaussianBlur) Version() int { return 1 }

// Check reports impossible options.
func (g GaussianBlur) Check() error {
	errs := []error{g.Sigma.check("sigma"), g.P.check("p")}
	switch k := g.KernelSize; {
	case k == 0:
		errs = append(errs, errorf("kernel_size", "missing: give an odd number of pixels, such as 23 for pictures of 224"))
	case k < 0 || k > largestKernel:
		errs = append(errs, errorf("kernel_size", "%d pixels: give an odd number, 3 to %d", k, largestKernel))
	case k%2 == 0:
		errs = append(errs, errorf("kernel_size", "%d is even: give %d or %d, which have a centre", k, k-1, k+1))
	}
	if s := g.Sigma; s != (Range{}) && s[0] <= 0 {
		errs = append(errs, errorf("sigma", "%g is not a deviation: give more than 0", s[0]))
	}
	return errlist.Join(errs...)
}

// Draw draws the standard deviation, uniform on its range.
func (g GaussianBlur) Draw(row *Row) (Params, error) {
	if g.P.skips(row.Rand) {
		return nil, nil
	}
	return Recycle(row, BlurParams{Sigma: g.sigmas().draw(row.Rand)}), nil
}

// Output is the input's type.
func (GaussianBlur) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// Map blurs.
func (g GaussianBlur) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(g, params, in)
}

// Edit is Map, in place.
func (g GaussianBlur) Edit(params Params, pic *schema.Picture) {
	smooth.Blur(pic.U8, pic.Height, pic.Width, g.weights(params))
}

// EditBytes is that of the rows around the one that is blurred.
func (g GaussianBlur) EditBytes(params Params, _, width int) int64 {
	return smooth.Bytes(g.weights(params), width)
}

func (g GaussianBlur) weights(params Params) []int16 {
	return smooth.Weights(g.KernelSize, params.(*BlurParams).Sigma)
}

// WithStrength multiplies the standard deviation.
func (g GaussianBlur) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	g.Sigma = g.sigmas().around(0, s)
	return g
}

func (g GaussianBlur) sigmas() Range {
	if g.Sigma == (Range{}) {
		return defaultSigma
	}
	return g.Sigma
}
