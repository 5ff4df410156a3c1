package stages

import (
	"fmt"
	"image"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Crop cuts a window out of a uint8 picture of height x width x 3 at a random
// position: the slice picture[y:y+height, x:x+width] of NumPy.
//
// A length below 1 is a share of the side, floor(share * side), at least 1; others are
// pixels. The window's left and top edges are uniform on the whole pixels from
// Offset[0] to Offset[1], upper end excluded as in randint; offsets below 1 are shares
// of the width for x and of the height for y. Where the range is empty it is
// Offset[0]. Size 0.5 with Offset [0, 0.25] is the recipe: windows of (w//2, h//2) at x
// in 0..w//4-1, y in 0..h//4-1. Without an Offset the window is anywhere in the
// picture, as in torchvision's RandomCrop. x is drawn before y.
type Crop struct {
	Size   Extent      `sluice:"size,positive" doc:"both sides: a share such as 0.5, or pixels such as 224 (a square)"`
	Height Extent      `sluice:"height,positive" doc:"instead of size: share or pixels"`
	Width  Extent      `sluice:"width,positive" doc:"instead of size: share or pixels"`
	Offset Range       `sluice:"offset" doc:"range of the left and top edge, shares or pixels, upper end excluded (default: anywhere it fits)"`
	P      Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are cropped"`
}

// Window is a rectangle of the picture that enters a stage, in pixels.
type Window struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Name is the stage's name in pipeline files.
func (Crop) Name() string { return "crop" }

// Version of the algorithm.
func (Crop) Version() int { return 1 }

// Check reports impossible options.
func (c Crop) Check() error {
	return errlist.Join(
		checkSides(c.Size != 0, c.Height != 0, c.Width != 0),
		checkExtents(c.Size, c.Height, c.Width),
		c.checkOffset(),
		c.P.check("p"),
	)
}

func (c Crop) checkOffset() error {
	if err := c.Offset.check("offset"); err != nil {
		return err
	}
	low, high := c.Offset[0], c.Offset[1]
	for _, f := range c.Offset {
		if f < 0 || f >= 1 && Extent(f).check("") != nil {
			return errorf("offset", "%g is neither a share from 0 to 1 nor whole pixels", f)
		}
	}
	switch {
	case high == 1:
		// 1.0 in a file was meant as a share; a range of one pixel is pointless.
		return errorf("offset", "up to but not including 1 pixel is always 0: shares are below 1, pixels at least 2")
	case low > 0 && low < 1 && high >= 1:
		return errorf("offset", "[%g, %g] mixes a share and pixels", low, high)
	}
	h, w := extents(c.Size, c.Height, c.Width)
	if largest := max(h, w); high > 0 && high < 1 && h < 1 && w < 1 && high+float64(largest) > 1+1e-9 {
		return errorf("offset", "%g plus a window of %g exceeds the picture: give at most %g", high, float64(largest), 1-float64(largest))
	}
	return nil
}

// Draw takes x, then y.
func (c Crop) Draw(row *Row) (Params, error) {
	win, places, err := c.places(row.Height, row.Width)
	if err != nil {
		return nil, err
	}
	if c.P.skips(row.Rand) {
		return nil, nil
	}
	win.X = places.Min.X + row.Rand.IntN(places.Dx())
	win.Y = places.Min.Y + row.Rand.IntN(places.Dy())
	return Recycle(row, win), nil
}

// Output has the window's size.
func (c Crop) Output(in schema.Tensor) (schema.Tensor, error) {
	h, w := extents(c.Size, c.Height, c.Width)
	out, err := cropped(in, h, w)
	if err == nil && in.Fixed() {
		_, _, err = c.places(in.Height, in.Width)
	}
	return c.P.output(in, out), err
}

// places is the window's size, and the range of its top left pixel, upper end
// excluded. Whether all of them fit depends on sizes alone, not on what is drawn.
func (c Crop) places(height, width int) (win Window, places image.Rectangle, err error) {
	eh, ew := extents(c.Size, c.Height, c.Width)
	win = Window{Width: ew.pixels(width), Height: eh.pixels(height)}
	if err := exceeds(win.Height, win.Width, height, width); err != nil {
		return win, places, err
	}
	places.Min.X, places.Max.X = c.offsets(width, win.Width)
	places.Min.Y, places.Max.Y = c.offsets(height, win.Height)
	x, y := max(places.Min.X, places.Max.X-1), max(places.Min.Y, places.Max.Y-1)
	if x+win.Width > width || y+win.Height > height {
		err = fmt.Errorf("%dx%d at x %d, y %d exceeds %dx%d (width x height): lower offset, resize or pad first, or crop a smaller window",
			win.Width, win.Height, x, y, width, height)
	}
	return win, places, err
}

// offsets is the range of a window's first pixel along a side, upper end excluded.
func (c Crop) offsets(side, length int) (first, last int) {
	if c.Offset == (Range{}) {
		return 0, side - length + 1
	}
	at := func(f float64) int {
		if f < 1 {
			return int(share(side, f))
		}
		return int(f)
	}
	return at(c.Offset[0]), at(c.Offset[1])
}

// Window is the height and width that it takes, in pixels; 0 where it is a share.
func (c Crop) Window() (height, width int) {
	h, w := extents(c.Size, c.Height, c.Width)
	return h.fixed(0), w.fixed(0)
}

// Warp cuts the window out.
func (c Crop) Warp(params Params, height, width int) Transform {
	return CropTransform(params.(*Window).rectangle())
}

func (w Window) rectangle() image.Rectangle {
	return image.Rect(w.X, w.Y, w.X+w.Width, w.Y+w.Height)
}

// extents is the height and width, from whichever options are given.
func extents(size, height, width Extent) (h, w Extent) {
	if size != 0 {
		return size, size
	}
	return height, width
}

// cropped is the static type of a window of in.
func cropped(in schema.Tensor, height, width Extent) (schema.Tensor, error) {
	if err := CheckWarpable(in); err != nil {
		return in, err
	}
	out := in
	out.Height, out.Width = height.fixed(in.Height), width.fixed(in.Width)
	return out, exceeds(out.Height, out.Width, in.Height, in.Width)
}

// exceeds reports a window that is larger than its picture; 0 stands for an unknown
// side of either.
func exceeds(height, width, inHeight, inWidth int) error {
	if inHeight > 0 && height > inHeight || inWidth > 0 && width > inWidth {
		return fmt.Errorf("%sx%s exceeds %sx%s (width x height): resize or pad first, or crop a smaller window",
			side(width), side(height), side(inWidth), side(inHeight))
	}
	return nil
}

func side(n int) string {
	if n == 0 {
		return "?"
	}
	return fmt.Sprint(n)
}
