package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// RandomResizedCrop cuts a random window out of a uint8 picture of height x width x 3
// and resizes it, as torchvision's transform of that name does: the window's area is a
// uniform share of the picture's, its width / height is uniform on a logarithmic scale.
// There are up to ten tries until one fits, then it is the largest central window
// whose shape is within Ratio. Draws, for each try: area and shape, and if they fit y
// and x. The distribution is torchvision's, the random numbers are not.
//
// The window is resized as by resized_crop of a Pillow image: pixels outside it don't
// show at its edges.
type RandomResizedCrop struct {
	Size          int                 `sluice:"size,positive" doc:"both sides of the result, pixels"`
	Height        int                 `sluice:"height,positive" doc:"instead of size: pixels"`
	Width         int                 `sluice:"width,positive" doc:"instead of size: pixels"`
	Scale         Range               `sluice:"scale" default:"[0.08, 1]" doc:"range of the window's share of the picture's area"`
	Ratio         Range               `sluice:"ratio" default:"[0.75, 1.3333333333333333]" doc:"range of the window's width / height"`
	Interpolation ResizeInterpolation `sluice:"interpolation" default:"bilinear" doc:"filter, with Pillow's kernel"`
	Antialias     OnOff               `sluice:"antialias" doc:"average when shrinking, as Pillow; false: sample, as OpenCV"`
	P             Probability         `sluice:"p,positive" default:"1" doc:"share of the draws that are cropped and resized"`
}

// The defaults of torchvision's RandomResizedCrop.
var (
	defaultScale = Range{0.08, 1}
	defaultRatio = Range{3.0 / 4, 4.0 / 3}
)

// Name is the stage's name in pipeline files.
func (RandomResizedCrop) Name() string { return "random_resized_crop" }

// Version of the algorithm.
func (RandomResizedCrop) Version() int { return 2 }

// ResizeFilter is the interpolation, and whether it averages.
func (c RandomResizedCrop) ResizeFilter() string { return resizeFilter(c.Interpolation, c.Antialias) }

// Check reports impossible options.
func (c RandomResizedCrop) Check() error {
	scale, ratio := c.ranges()
	errs := []error{
		checkSides(c.Size != 0, c.Height != 0, c.Width != 0),
		checkPixels(c.Size, c.Height, c.Width),
		scale.check("scale"),
		ratio.check("ratio"),
		oneOf("interpolation", c.Interpolation),
		c.P.check("p"),
	}
	if scale[0] < 0 || scale[1] > 1 {
		errs = append(errs, errorf("scale", "[%g, %g] is not within 0 to 1, the whole picture", scale[0], scale[1]))
	}
	if ratio[0] <= 0 {
		errs = append(errs, errorf("ratio", "%g is not a width / height: give a number above 0", ratio[0]))
	}
	return errlist.Join(errs...)
}

// Draw takes the window.
func (c RandomResizedCrop) Draw(row *Row) (Params, error) {
	if c.P.skips(row.Rand) {
		return nil, nil
	}
	scale, ratio := c.ranges()
	area := float64(row.Height) * float64(row.Width)
	logRatio := Range{detmath.Log(ratio[0]), detmath.Log(ratio[1])}
	for range 10 {
		w, h := drawSides(row, area, scale, logRatio)
		if w > 0 && w <= float64(row.Width) && h > 0 && h <= float64(row.Height) {
			y := row.Rand.IntN(row.Height - int(h) + 1)
			x := row.Rand.IntN(row.Width - int(w) + 1)
			return Recycle(row, Window{X: x, Y: y, Width: int(w), Height: int(h)}), nil
		}
	}
	return Recycle(row, central(row.Height, row.Width, ratio)), nil
}

// central is the largest window in the middle of a picture whose width / height
// is within a range. At least one pixel is left, where torchvision would fail.
func central(height, width int, ratio Range) Window {
	h, w := height, width
	switch shape := float64(width) / float64(height); {
	case shape < ratio[0]:
		h = max(1, int(math.RoundToEven(float64(width)/ratio[0])))
	case shape > ratio[1]:
		w = max(1, int(math.RoundToEven(float64(float64(height)*ratio[1]))))
	}
	return Window{X: (width - w) / 2, Y: (height - h) / 2, Width: w, Height: h}
}

// Output has the given size.
func (c RandomResizedCrop) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	out.Height, out.Width = c.size()
	return c.P.output(in, out), CheckWarpable(in)
}

// Warp resizes the window; the clip keeps what surrounds it out.
func (c RandomResizedCrop) Warp(params Params, height, width int) Transform {
	win := params.(*Window)
	h, w := c.size()
	return CropResizeTransform(win.rectangle(), h, w, c.Interpolation, c.Antialias == On)
}

func (c RandomResizedCrop) size() (height, width int) {
	if c.Size != 0 {
		return c.Size, c.Size
	}
	return c.Height, c.Width
}

func (c RandomResizedCrop) ranges() (scale, ratio Range) {
	scale, ratio = c.Scale, c.Ratio
	if scale == (Range{}) {
		scale = defaultScale
	}
	if ratio == (Range{}) {
		ratio = defaultRatio
	}
	return scale, ratio
}

// drawSides draws a rectangle by its share of an area, and by the logarithm of its first side
// over the second, as torchvision does.
func drawSides(row *Row, area float64, scale, logRatio Range) (first, second float64) {
	target := float64(area * scale.draw(row.Rand))
	aspect := detmath.Exp(logRatio.draw(row.Rand))
	return math.RoundToEven(math.Sqrt(float64(target * aspect))), math.RoundToEven(math.Sqrt(target / aspect))
}
