package stages

import (
	"fmt"
	"image"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// Transform says how an output picture is sampled from an input picture. The functions
// below make the usual ones; for anything else a stage sets the fields:
//
//	Matrix        Matrix          output pixel -> input point
//	Height, Width int             of the output, in pixels
//	Horizon       [3]float64      third row of a 3x3 matrix; zero: an affine transform
//	Filter        Nearest, ...    how values between pixels are found
//	Antialias     bool            average when shrinking; of axis-aligned scalings only
//	Border        BorderConstant: Fill; BorderEdge: the nearest pixel; BorderReflect: mirrored
//	Fill          [3]uint8        the colour outside of the input
//	Clip          image.Rectangle the visible part of the input; zero: all of it
//	Inset         image.Rectangle the part of the output that is sampled, with Fill around; zero: all of it
//
// A pixel's centre has integer coordinates, x to the right and y down. Its method
// Check(height, width) reports whether it can be applied to a picture of that size;
// a Transform for which it reports an error ends the run.
type Transform = warp.Transform

// Matrix maps pixel (x, y) of the output to a point of the input, in rows:
// x' = m[0]x + m[1]y + m[2], y' = m[3]x + m[4]y + m[5]. Of two, a.Then(b) is first a,
// then b. As matrices lead from output to input, a is then the later of two warps of a
// picture. a.Apply(x, y) maps one point, a.Invert() is the inverse.
type Matrix = warp.Affine

// Homography maps points as Matrix does, as a 3x3 matrix in rows, with perspective: an
// affine one has 0, 0, 1 in its last row.
type Homography = warp.Homography

// Border says what lies outside of the input.
type Border = warp.Border

// The borders.
const (
	BorderConstant = warp.Constant // Transform.Fill, as cv2.BORDER_CONSTANT
	BorderEdge     = warp.Edge     // the nearest pixel, as cv2.BORDER_REPLICATE
	BorderReflect  = warp.Reflect  // mirrored at the outermost pixels, as cv2.BORDER_REFLECT_101
)

// Identity leaves every pixel in its place.
func Identity() Matrix { return warp.Identity() }

// Translation moves the picture by any number of pixels: output pixel (0, 0) shows
// input point (dx, dy).
func Translation(dx, dy float64) Matrix { return warp.Translate(dx, dy) }

// Rotation rotates the picture about (cx, cy), counter-clockwise on the screen if
// degrees is positive, as cv2.getRotationMatrix2D does. It has the same bits on every
// machine, and multiples of 90 degrees are exact.
func Rotation(degrees, cx, cy float64) Matrix { return warp.Rotation(degrees, cx, cy) }

// AffineTransform samples a picture of height x width through a matrix. Fill is
// the colour outside of the input.
func AffineTransform(m Matrix, height, width int, filter Interpolation, fill Color) Transform {
	return Transform{
		Matrix: m, Height: height, Width: width,
		Filter: filterOr(filter, warp.Bilinear), Border: BorderConstant, Fill: fill,
	}
}

// PerspectiveTransform moves the corner pixels of a picture of height x width to
// the given points (x, y): top left, top right, bottom right, bottom left, as
// torchvision's perspective does with these endpoints. ok is false if the points are
// not a convex quadrilateral in that order, or the picture is a single row or column.
func PerspectiveTransform(corners [4][2]float64, height, width int, filter Interpolation, fill Color) (t Transform, ok bool) {
	quad, ok := warp.Quad(corners, float64(width-1), float64(height-1))
	if !ok {
		return Transform{}, false
	}
	toHalves, back := Translation(0.5, 0.5).Homography(), Translation(-0.5, -0.5).Homography()
	return AffineTransform(Identity(), height, width, filter, fill).WithHomography(toHalves.Then(quad).Then(back)), true
}

// CropTransform cuts a window out, pixel by pixel.
func CropTransform(window image.Rectangle) Transform {
	return Transform{
		Matrix: Translation(float64(window.Min.X), float64(window.Min.Y)),
		Height: window.Dy(), Width: window.Dx(), Filter: Nearest, Clip: window,
	}
}

// FlipTransform mirrors a picture of height x width, pixel by pixel.
func FlipTransform(height, width int, direction Direction) Transform {
	t := Transform{Matrix: Identity(), Height: height, Width: width, Filter: Nearest}
	if direction == Vertical {
		t.Matrix[4], t.Matrix[5] = -1, float64(height-1)
	} else {
		t.Matrix[0], t.Matrix[2] = -1, float64(width-1)
	}
	return t
}

// ResizeTransform scales a picture of height x width to another size. With
// antialias it equals Pillow's Image.resize with that filter, without it
// cv2.resize INTER_LINEAR within one grey level.
func ResizeTransform(height, width, outHeight, outWidth int, filter ResizeInterpolation, antialias bool) Transform {
	return warp.Resize(height, width, outHeight, outWidth, filterOr(filter, warp.Bilinear), antialias)
}

// CropResizeTransform scales a window of a picture to a size: ResizeTransform of the
// picture that CropTransform makes.
func CropResizeTransform(window image.Rectangle, outHeight, outWidth int, filter ResizeInterpolation, antialias bool) Transform {
	t := ResizeTransform(window.Dy(), window.Dx(), outHeight, outWidth, filter, antialias)
	t.Matrix = t.Matrix.Then(Translation(float64(window.Min.X), float64(window.Min.Y)))
	t.Clip = window
	return t
}

// CheckWarpable reports whether pictures of a type can be sampled, as every
// Warper's Output does: uint8, of height x width x channels.
func CheckWarpable(in schema.Tensor) error {
	if in.DType != schema.Uint8 || in.Layout != schema.HWC {
		return fmt.Errorf("needs uint8 hwc pictures, has %s: move it before to_tensor", in)
	}
	return nil
}

// CheckFill refuses a colour as the fill of pictures that have one channel.
func CheckFill(in schema.Tensor, fill Color) error {
	if in.Gray() && (fill[0] != fill[1] || fill[1] != fill[2]) {
		return errorf("fill", "%v is a colour, and the pictures are grey (decode: {mode: gray}): give one number", [3]uint8(fill))
	}
	return nil
}
