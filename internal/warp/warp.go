// Package warp is the geometry of pictures: 2-D transforms, the reference resamplers
// that apply them, and fused passes that do so fast. The reference is plain and slow; the
// fast paths are tested against it, byte for byte.
//
//	affine.go, projective.go  maps of points: matrices of two and of three rows
//	kernel.go                 the filters
//	warp.go                   Transform; Apply, which is the reference
//	sample.go, resize.go      its loops: samples at points, and resizes as Pillow's
//	inset.go                  a picture sampled into a part of its canvas
//	interpolate.go            torch's interpolate, apart from the others
//	compose.go                Fuse: a chain of transforms in as few passes as possible
//	fused.go                  Pass.Run, and how rows get into the output
//	pixels*                   rows of whole pixels, with assembly
//	fused_*.go, unfused.go    the kinds of passes, with their inner loops
//	ycc*.go                   the same, from the planes of a JPEG file
//	line255.go                tables of floats that can be computed instead
//	memory.go                 what a pass allocates
//	assembly*.go, *_amd64.*   inner loops with AVX2: the same bytes (docs/assembly.md)
//
// Conventions, as in OpenCV: a pixel's centre has integer coordinates, x to the
// right and y down, and a transform maps a pixel of the output to a point of
// the input. Results are rounded half up.
//
// Results have the same bytes on every machine. A matrix may be composed in float64, with
// every product rounded by itself. Sampling is then done with integers: the matrix is
// rounded to a grid of 2^-32 (Affine.Fixed), coordinates are exact on that grid,
// and a sampling point's fraction is rounded half up to 2^-12 of a pixel
// (OpenCV up to 4: 2^-5). Bilinear sums are integers of less than 32 bits, so a faster
// path may order them as it likes. A transform by whole pixels copies them. A
// Homography's points are divided in float64 before they are rounded to the grid.
// Resizes that equal Pillow's use its weights of 22 bits, whose double
// arithmetic has no product that could be fused with a sum.
package warp

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/sluicedata/sluice/schema"
)

// Filter is a way of weighting the input pixels around a point: an option value
// in pipeline files.
type Filter string

// The filters, with Pillow's kernels.
const (
	Nearest  Filter = "nearest"  // the pixel whose square holds the point; a point between two takes the right or lower one
	Bilinear Filter = "bilinear" // triangle, 2 pixels wide
	Bicubic  Filter = "bicubic"  // Keys' cubic with a = -0.5 (OpenCV and torch have -0.75), 4 wide
	Lanczos  Filter = "lanczos"  // windowed sinc, 6 wide
	Box      Filter = "box"      // mean of the pixels covered; nearest where it doesn't shrink
)

// Filters lists all filters, for option checks.
var Filters = []Filter{Nearest, Bilinear, Bicubic, Lanczos, Box}

// Border is what lies outside the part of the input that may be read.
type Border int

// The borders.
const (
	Constant Border = iota // Transform.Fill everywhere (cv2.BORDER_CONSTANT)
	Edge                   // the nearest pixel inside (cv2.BORDER_REPLICATE)
	Reflect                // mirrored at the outermost pixels, which don't repeat (cv2.BORDER_REFLECT_101)
)

// Inside is the pixel that is shown in place of number i, along a side whose pixels are first
// to end-1; of Constant, none.
func (b Border) Inside(i, first, end int) int {
	if b == Reflect {
		return int(reflected(int64(i), int64(first), int64(end)))
	}
	return min(max(i, first), end-1)
}

// Sampled is the part of the output that is sampled: Inset, or all of it.
func (t *Transform) Sampled() image.Rectangle {
	if t.Inset == (image.Rectangle{}) {
		return image.Rect(0, 0, t.Width, t.Height)
	}
	return t.Inset
}

// Transform describes how an output picture is sampled from an input picture.
type Transform struct {
	Matrix        Affine // output pixel -> input point
	Height, Width int    // of the output
	// Horizon is the last row of a 3x3 matrix whose first two are Matrix, for a
	// Homography; the zero value stands for (0, 0, 1): an affine transform. Check
	// Projective before you use Matrix alone.
	Horizon [3]float64
	Filter  Filter
	// Antialias widens the filter when shrinking, and at an edge uses only the pixels
	// inside, as Pillow's resize does. Only for axis-aligned scalings whose output lies
	// inside the clip; a flip in the matrix mirrors the resized picture. Nearest ignores it.
	Antialias bool
	Border    Border
	Fill      [3]uint8
	// Clip is the part of the input that may be read; the zero value is all of it.
	// Outside it is border.
	Clip image.Rectangle
	// Inset is the part of the output that is sampled; the rest is Fill. The zero value is all
	// of it. The matrix is of the whole output's pixels. So a picture is resized as if nothing
	// was beside it, and then lies on a larger canvas.
	Inset image.Rectangle
}

// Resize is the transform of a whole picture to another size, with half-pixel
// centres and edge border. With antialias it equals Pillow's Image.resize with
// that filter, without it cv2.resize INTER_LINEAR within one grey level; Nearest
// equals Pillow's NEAREST. Sizes must be positive (Check says so).
//
// For a part of a picture, give the part's size, set Clip to it and append
// Translate(Clip.Min) to Matrix: that equals the resize of the cropped picture.
func Resize(inH, inW, outH, outW int, f Filter, antialias bool) Transform {
	sx, sy := float64(inW)/float64(outW), float64(inH)/float64(outH)
	return Transform{
		Matrix: Affine{sx, 0, float64(0.5*sx) - 0.5, 0, sy, float64(0.5*sy) - 0.5},
		Height: outH, Width: outW,
		Filter: f, Antialias: antialias, Border: Edge,
	}
}

const (
	maxSide  = 1 << 24 // of an input or output, in pixels
	maxPoint = 1 << 29 // of a coordinate: 2^29 * 2^32 leaves room for sums in int64
)

// Check reports whether the transform can be applied to an input of that size.
// All sizes must be positive, coordinates finite and below 2^29 pixels.
func (t Transform) Check(inH, inW int) error {
	switch {
	case inH < 1 || inW < 1 || inH > maxSide || inW > maxSide:
		return fmt.Errorf("warp: an input of %dx%d (height x width)", inH, inW)
	case t.Height < 1 || t.Width < 1 || t.Height > maxSide || t.Width > maxSide:
		return fmt.Errorf("warp: an output of %dx%d (height x width)", t.Height, t.Width)
	case t.Window(inH, inW).Empty():
		return fmt.Errorf("warp: clip %v is empty or outside an input of %dx%d (height x width)", t.Clip, inH, inW)
	case t.Border < Constant || t.Border > Reflect:
		return fmt.Errorf("warp: unknown border %d", t.Border)
	}
	if err := t.Filter.Check(); err != nil {
		return err
	}
	if t.framed() {
		if t.Inset.Empty() || !t.Inset.In(image.Rect(0, 0, t.Width, t.Height)) {
			return fmt.Errorf("warp: inset %v is empty or outside an output of %dx%d (height x width)", t.Inset, t.Height, t.Width)
		}
		inner, _ := splitFramed(t)
		return inner.Check(inH, inW)
	}
	if t.Projective() {
		return t.checkHorizon()
	}
	for row := 0; row < 6; row += 3 {
		m := t.Matrix[row : row+3]
		reach := float64(math.Abs(m[0])*float64(t.Width)) + float64(math.Abs(m[1])*float64(t.Height)) + math.Abs(m[2])
		if !(reach < maxPoint) {
			return fmt.Errorf("warp: matrix %v reaches too far or is not finite", t.Matrix)
		}
	}
	if t.Antialias && t.Filter != Nearest {
		return t.checkAntialias(inH, inW)
	}
	return nil
}

// Check reports an unknown filter.
func (f Filter) Check() error {
	for _, known := range Filters {
		if f == known {
			return nil
		}
	}
	return fmt.Errorf("warp: unknown filter %q", string(f))
}

// Window is the part of an input of that size that may be read.
func (t Transform) Window(inH, inW int) image.Rectangle {
	all := image.Rect(0, 0, inW, inH)
	if t.Clip == (image.Rectangle{}) {
		return all
	}
	return t.Clip.Intersect(all)
}

// Apply applies a transform to a uint8 HWC picture: the reference. It panics with the
// error of Check if there is one, and if src's fields contradict each other.
func Apply(src *schema.Picture, t Transform) *schema.Picture {
	dst, _ := ApplyUntil(context.Background(), src, t)
	return dst
}

// ApplyUntil is Apply that stops when the context ends, and returns its cause.
func ApplyUntil(ctx context.Context, src *schema.Picture, t Transform) (*schema.Picture, error) {
	if err := errors.Join(checkUint8HWC(src), t.Check(src.Height, src.Width)); err != nil {
		panic(err)
	}
	dst := schema.NewPicture(t.Height, t.Width)
	rows := max(64, 1<<20/t.Width) // at a time: antialiasing resizes some of the input twice between
	for y := 0; y < t.Height; y += rows {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		t.rows(dst.U8[3*y*t.Width:], src, y, min(y+rows, t.Height))
	}
	return dst, nil
}

// rows computes the rows y0 <= y < y1 of the output into dst.
func (t Transform) rows(dst []uint8, src *schema.Picture, y0, y1 int) {
	switch {
	case t.framed():
		framedRows(&t, dst, src, y0, y1)
	case t.Projective():
		projectedRows(&t, dst, src, y0, y1)
	case t.Filter == Nearest && t.axisAligned():
		nearestRows(&t, dst, src, y0, y1)
	case t.Antialias && t.Filter != Nearest:
		antialiasedRows(&t, dst, src, y0, y1)
	default:
		sampledRows(&t, dst, src, y0, y1)
	}
}

func checkUint8HWC(p *schema.Picture) error {
	if p.Layout != schema.HWC || len(p.U8) != 3*p.Height*p.Width {
		return fmt.Errorf("warp: want a uint8 hwc picture, not %v with %d bytes", p.Tensor(), len(p.U8))
	}
	return nil
}
