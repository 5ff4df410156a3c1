package stages

import (
	"fmt"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// RandomZoomOut puts a uint8 picture of height x width x 3 somewhere on a larger canvas of
// its shape, as torchvision's transform of that name does (SSD's zoom out): each side of the
// canvas is floor(side * factor), the factor uniform on SideRange, and the picture's first
// pixel lies at floor(spare * u), u uniform on [0, 1). Draws: whether it acts, the factor, x,
// y. A resize or letterbox follows it, as the canvas may have 16 times the pixels.
type RandomZoomOut struct {
	SideRange Range       `sluice:"side_range" default:"[1, 4]" doc:"range of the canvas's sides, in those of the picture"`
	Fill      Color       `sluice:"fill" doc:"colour beside the picture: a grey 0..255 or [r, g, b] (default 0: black)"`
	P         Probability `sluice:"p,positive" doc:"share of the draws that are zoomed out"`
}

var defaultSideRange = Range{1, 4}

// Canvas is a canvas, in pixels, and where the first pixel of the picture lies on it.
type Canvas struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Name is the stage's name in pipeline files.
func (RandomZoomOut) Name() string { return "random_zoom_out" }

// Version of the algorithm.
func (RandomZoomOut) Version() int { return 1 }

// Check reports impossible options. P must be given, as in flip.
func (z RandomZoomOut) Check() error {
	sides := z.sides()
	errs := []error{sides.check("side_range"), z.P.check("p")}
	if sides[0] < 1 || sides[1] > maxSide {
		errs = append(errs, errorf("side_range", "[%g, %g]: the canvas holds the picture: give factors of 1 to %d", sides[0], sides[1], maxSide))
	}
	if z.P == 0 {
		errs = append(errs, fmt.Errorf("p is 0: it never zooms out; give a share such as 0.5, or leave random_zoom_out out"))
	}
	return errlist.Join(errs...)
}

// Draw takes the canvas.
func (z RandomZoomOut) Draw(row *Row) (Params, error) {
	sides := z.sides()
	// Whether a picture has a canvas doesn't depend on what is drawn.
	if err := checkArea(scaled(row.Height, sides[1]), scaled(row.Width, sides[1]), "side_range"); err != nil {
		return nil, fmt.Errorf("%w: lower side_range, or resize before it", err)
	}
	if z.P.skips(row.Rand) {
		return nil, nil
	}
	factor := sides.draw(row.Rand)
	c := Canvas{Width: scaled(row.Width, factor), Height: scaled(row.Height, factor)}
	c.X = int(float64(float64(c.Width-row.Width) * row.Rand.Float64()))
	c.Y = int(float64(float64(c.Height-row.Height) * row.Rand.Float64()))
	return Recycle(row, c), nil
}

// Output varies from row to row.
func (z RandomZoomOut) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	if z.sides() != (Range{1, 1}) {
		out.Height, out.Width = 0, 0
	}
	return out, errlist.Join(CheckWarpable(in), CheckFill(in, z.Fill))
}

// Warp moves whole pixels.
func (z RandomZoomOut) Warp(params Params, height, width int) Transform {
	c := params.(*Canvas)
	return placed(c.Height, c.Width, c.Y, c.X, z.Fill)
}

func (z RandomZoomOut) sides() Range {
	if z.SideRange == (Range{}) {
		return defaultSideRange
	}
	return z.SideRange
}
