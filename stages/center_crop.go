package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// CenterCrop cuts the centre out of a uint8 picture of height x width x 3, as
// torchvision's center_crop does: the top edge is (h - height) / 2, rounded half to
// even as Python's round does, and likewise the left edge. A picture smaller than the
// window is an error, where torchvision pads it with black.
//
// A length below 1 is a share of the side, floor(share * side), at least 1.
type CenterCrop struct {
	Size   Extent `sluice:"size,positive" doc:"both sides: pixels such as 224 (a square), or a share such as 0.875"`
	Height Extent `sluice:"height,positive" doc:"instead of size: pixels or share"`
	Width  Extent `sluice:"width,positive" doc:"instead of size: pixels or share"`
}

// Name is the stage's name in pipeline files.
func (CenterCrop) Name() string { return "center_crop" }

// Version of the algorithm.
func (CenterCrop) Version() int { return 1 }

// Check reports impossible options.
func (c CenterCrop) Check() error {
	return errlist.Join(
		checkSides(c.Size != 0, c.Height != 0, c.Width != 0),
		checkExtents(c.Size, c.Height, c.Width),
	)
}

// Draw has nothing to draw, but the picture must be large enough.
func (c CenterCrop) Draw(row *Row) (Params, error) {
	h, w := extents(c.Size, c.Height, c.Width)
	if err := exceeds(h.pixels(row.Height), w.pixels(row.Width), row.Height, row.Width); err != nil {
		return nil, err
	}
	return Nothing{}, nil
}

// Output has the window's size.
func (c CenterCrop) Output(in schema.Tensor) (schema.Tensor, error) {
	h, w := extents(c.Size, c.Height, c.Width)
	return cropped(in, h, w)
}

// Window is the height and width that it takes, in pixels; 0 where it is a share.
func (c CenterCrop) Window() (height, width int) {
	h, w := extents(c.Size, c.Height, c.Width)
	return h.fixed(0), w.fixed(0)
}

// Warp cuts the window out.
func (c CenterCrop) Warp(_ Params, height, width int) Transform {
	eh, ew := extents(c.Size, c.Height, c.Width)
	h, w := eh.pixels(height), ew.pixels(width)
	return CropTransform(Window{X: middle(width - w), Y: middle(height - h), Width: w, Height: h}.rectangle())
}

// middle is Python's round(n / 2).
func middle(n int) int { return int(math.RoundToEven(float64(n) / 2)) }
