package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Rotate rotates a uint8 picture of height x width x 3 by an angle drawn uniformly
// from a range, in degrees; positive is counter-clockwise.
//
// It equals OpenCV's warpAffine with getRotationMatrix2D((w//2, h//2), degrees, 1):
// pixel centres at integers, the same canvas, and outside the picture the colour Fill,
// into which the edge is blended. (OpenCV up to 4 rounds coordinates to 1/32 pixel;
// OpenCV 5 and sluice don't.)
//
// With Expand the canvas is that of Pillow's Image.rotate(expand=True), which is
// torchvision's: the rotation is about the picture's centre ((w-1)/2, (h-1)/2), the
// canvas grows by whole pixels at both ends of each side until it holds the whole
// picture, and quarter turns are exact transpositions. Sizes then vary.
type Rotate struct {
	Degrees       Range         `sluice:"degrees,symmetric" doc:"range of the angle, counter-clockwise; a number d stands for [-d, d]"`
	Fill          Color         `sluice:"fill" doc:"colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black)"`
	Interpolation Interpolation `sluice:"interpolation" default:"bilinear" doc:"how values between pixels are found"`
	Expand        bool          `sluice:"expand" doc:"enlarge the canvas to hold the whole rotated picture, instead of keeping the size"`
	P             Probability   `sluice:"p,positive" default:"1" doc:"share of the draws that are rotated"`
}

// RotateParams is the drawn angle.
type RotateParams struct {
	Degrees float64 `json:"degrees"`
}

// Name is the stage's name in pipeline files.
func (Rotate) Name() string { return "rotate" }

// Version of the algorithm.
func (Rotate) Version() int { return 1 }

// Check reports impossible options.
func (r Rotate) Check() error {
	errs := []error{r.Degrees.check("degrees"), oneOf("interpolation", r.Interpolation), r.P.check("p")}
	if r.Degrees == (Range{}) {
		errs = append(errs, errorf("degrees", "the range [0, 0] rotates nothing: give degrees such as 30 or [-30, 30]"))
	}
	return errlist.Join(errs...)
}

// Draw draws the angle.
func (r Rotate) Draw(row *Row) (Params, error) {
	if r.P.skips(row.Rand) {
		return nil, nil
	}
	angle := r.Degrees.draw(row.Rand)
	if r.Expand {
		h, w := expanded(row.Height, row.Width, angle)
		if err := checkArea(h, w, "expand"); err != nil {
			return nil, err
		}
	}
	return Recycle(row, RotateParams{Degrees: angle}), nil
}

// Output keeps the size, unless the canvas expands by an angle not yet drawn.
func (r Rotate) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	if r.Expand {
		out.Height, out.Width = 0, 0
		if in.Fixed() && r.Degrees[0] == r.Degrees[1] {
			out.Height, out.Width = expanded(in.Height, in.Width, r.Degrees[0])
		}
	}
	return r.P.output(in, out), errlist.Join(CheckWarpable(in), CheckFill(in, r.Fill))
}

// Warp rotates about pixel (w//2, h//2), or about the centre if the canvas expands.
func (r Rotate) Warp(params Params, height, width int) Transform {
	angle := params.(*RotateParams).Degrees
	if !r.Expand {
		return AffineTransform(Rotation(angle, float64(width/2), float64(height/2)), height, width, r.Interpolation, r.Fill)
	}
	h, w := expanded(height, width, angle)
	left, top := float64(w-width)/2, float64(h-height)/2
	matrix := Translation(-left, -top).Then(Rotation(angle, float64(width-1)/2, float64(height-1)/2))
	return AffineTransform(matrix, h, w, r.Interpolation, r.Fill)
}

// expanded is the canvas that holds a picture rotated about its centre.
func expanded(height, width int, degrees float64) (h, w int) {
	sin, cos := detmath.SinCosDegrees(degrees)
	sin, cos = math.Abs(sin), math.Abs(cos)
	if sin == 0 {
		return height, width
	}
	if cos == 0 {
		return width, height
	}
	fh, fw := float64(height), float64(width)
	return grown(height, float64(fw*sin)+float64(fh*cos)), grown(width, float64(fw*cos)+float64(fh*sin))
}

// grown is ceil(side/2 + extent/2) - floor(side/2 - extent/2): the pixels of the
// old grid that a length around the old centre touches.
func grown(side int, extent float64) int {
	const speck = 1e-9 // tolerance for rounding of whole numbers
	middle := float64(side) / 2
	return int(math.Ceil(middle+extent/2-speck) - math.Floor(middle-extent/2+speck))
}
