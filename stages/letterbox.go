package stages

import (
	"image"
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Letterbox scales a uint8 picture of height x width x 3, keeping its shape, until it just
// fits into Height x Width, and fills the rest: where the picture lies and how large it
// becomes is as by ultralytics' LetterBox, with round(side * factor) to the even number at a
// half, and the odd pixel to the right and below. At least one pixel is left of each side,
// where LetterBox would fail. Nothing is drawn.
//
// With Antialias (the default) pictures that shrink are averaged as Pillow does; LetterBox
// itself samples with cv2.INTER_LINEAR, which antialias: false equals within one grey level.
// For a model that was trained there, evaluate without.
type Letterbox struct {
	Size          int                 `sluice:"size,positive" doc:"both sides of the result, pixels"`
	Height        int                 `sluice:"height,positive" doc:"instead of size: pixels"`
	Width         int                 `sluice:"width,positive" doc:"instead of size: pixels"`
	Fill          *Color              `sluice:"fill" default:"114" doc:"colour beside the picture: a grey 0..255 or [r, g, b]"`
	ScaleUp       OnOff               `sluice:"scale_up" doc:"enlarge pictures that are smaller; false: they keep their size"`
	At            Place               `sluice:"at" default:"center" doc:"where the picture lies: center or top_left"`
	Interpolation ResizeInterpolation `sluice:"interpolation" default:"bilinear" doc:"filter, with Pillow's kernel"`
	Antialias     OnOff               `sluice:"antialias" doc:"average when shrinking, as Pillow; false: sample, as OpenCV"`
}

// Name is the stage's name in pipeline files.
func (Letterbox) Name() string { return "letterbox" }

// Version of the algorithm.
func (Letterbox) Version() int { return 1 }

// ResizeFilter is the interpolation, and whether it averages.
func (l Letterbox) ResizeFilter() string { return resizeFilter(l.Interpolation, l.Antialias) }

// Check reports impossible options.
func (l Letterbox) Check() error {
	return errlist.Join(
		checkSides(l.Size != 0, l.Height != 0, l.Width != 0),
		checkPixels(l.Size, l.Height, l.Width),
		oneOf("at", l.At),
		oneOf("interpolation", l.Interpolation),
	)
}

// Draw has nothing to draw.
func (l Letterbox) Draw(*Row) (Params, error) { return Nothing{}, nil }

// Output has the given size.
func (l Letterbox) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	out.Height, out.Width = l.size()
	return out, errlist.Join(CheckWarpable(in), CheckFill(in, l.fill()))
}

// Warp scales the picture into a part of the canvas.
func (l Letterbox) Warp(_ Params, height, width int) Transform {
	h, w := l.size()
	factor := min(float64(h)/float64(height), float64(w)/float64(width))
	if l.ScaleUp == Off {
		factor = min(factor, 1)
	}
	side := func(n int) int { return int(max(1, math.RoundToEven(float64(float64(n)*factor)))) }
	inH, inW := side(height), side(width)
	top, left := l.At.before(h-inH), l.At.before(w-inW)
	t := ResizeTransform(height, width, inH, inW, l.Interpolation, l.Antialias == On)
	if inH == h && inW == w {
		return t
	}
	t.Matrix = Translation(float64(-left), float64(-top)).Then(t.Matrix)
	t.Height, t.Width, t.Fill = h, w, l.fill()
	t.Inset = image.Rect(left, top, left+inW, top+inH)
	return t
}

func (l Letterbox) size() (height, width int) {
	if l.Size != 0 {
		return l.Size, l.Size
	}
	return l.Height, l.Width
}

func (l Letterbox) fill() Color {
	if l.Fill == nil {
		return Color{114, 114, 114}
	}
	return *l.Fill
}
