package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// RandomIoUCrop cuts a random window out of a uint8 picture of height x width x 3 that
// overlaps one of its objects by a drawn amount, as torchvision's transform of that name
// does (SSD's crop). An overlap is drawn from SamplerOptions; 1 or more leaves the picture as
// it is. Then up to Trials windows are drawn, until one has a shape within Ratio, the
// centre of at least one box inside, and with one of those boxes an intersection over
// union of at least the overlap. If none has, another overlap is drawn. Objects whose centre
// is not inside the window are dropped, the others are clipped by it.
//
// Each side of a window is floor(side * u), u uniform on Scale, its first pixel floor(spare *
// u), u uniform on [0, 1). Draws: the overlap's place in SamplerOptions, and for each window
// width, height, and if its shape fits x, y. After 50 overlaps without a window the picture
// stays as it is, where torchvision goes on for ever; so does one without objects.
type RandomIoUCrop struct {
	Scale          Range     `sluice:"scale" default:"[0.3, 1]" doc:"range of the window's sides, in those of the picture"`
	Ratio          Range     `sluice:"ratio" default:"[0.5, 2]" doc:"range of the window's width / height"`
	SamplerOptions []float64 `sluice:"sampler_options" default:"[0, 0.1, 0.3, 0.5, 0.7, 0.9, 1]" doc:"least overlaps (intersection over union) with an object, of which one is drawn; 1: leave the picture as it is"`
	Trials         int       `sluice:"trials,positive" default:"40" doc:"windows that are tried for an overlap"`
}

var (
	defaultWindowScale = Range{0.3, 1}
	defaultWindowRatio = Range{0.5, 2}
	defaultOverlaps    = []float64{0, 0.1, 0.3, 0.5, 0.7, 0.9, 1}
)

const (
	defaultTrials = 40
	mostOverlaps  = 50
)

// Name is the stage's name in pipeline files.
func (RandomIoUCrop) Name() string { return "random_iou_crop" }

// Version of the algorithm.
func (RandomIoUCrop) Version() int { return 1 }

// Check reports impossible options.
func (c RandomIoUCrop) Check() error {
	c = c.filled()
	errs := []error{c.Scale.check("scale"), c.Ratio.check("ratio")}
	if c.Scale[0] <= 0 || c.Scale[1] > 1 {
		errs = append(errs, errorf("scale", "[%g, %g] is not within 0 to 1, the whole side", c.Scale[0], c.Scale[1]))
	}
	if c.Ratio[0] <= 0 {
		errs = append(errs, errorf("ratio", "%g is not a width / height: give a number above 0", c.Ratio[0]))
	}
	for _, o := range c.SamplerOptions {
		if math.IsNaN(o) || math.IsInf(o, 0) || o < 0 {
			errs = append(errs, errorf("sampler_options", "%g is not an overlap: give numbers from 0, and 1 for the picture as it is", o))
		}
	}
	if c.Trials < 0 || c.Trials > 10_000 {
		errs = append(errs, errorf("trials", "%d: give 1 to 10000", c.Trials))
	}
	return errlist.Join(errs...)
}

// filled has the defaults in place of zeros.
func (c RandomIoUCrop) filled() RandomIoUCrop {
	if c.Scale == (Range{}) {
		c.Scale = defaultWindowScale
	}
	if c.Ratio == (Range{}) {
		c.Ratio = defaultWindowRatio
	}
	if len(c.SamplerOptions) == 0 {
		c.SamplerOptions = defaultOverlaps
	}
	if c.Trials == 0 {
		c.Trials = defaultTrials
	}
	return c
}

// Draw takes the window.
func (c RandomIoUCrop) Draw(row *Row) (Params, error) {
	if len(row.Objects) == 0 {
		return nil, nil
	}
	c = c.filled()
	for range mostOverlaps {
		least := c.SamplerOptions[row.Rand.IntN(len(c.SamplerOptions))]
		if least >= 1 {
			return nil, nil
		}
		for range c.Trials {
			if win, ok := c.try(row); ok && overlaps(&win, row.Objects, least) {
				return Recycle(row, win), nil
			}
		}
	}
	return nil, nil
}

// try draws a window; not ok where its shape isn't within the ratio.
func (c *RandomIoUCrop) try(row *Row) (win Window, ok bool) {
	win.Width = int(float64(float64(row.Width) * c.Scale.draw(row.Rand)))
	win.Height = int(float64(float64(row.Height) * c.Scale.draw(row.Rand)))
	if win.Width == 0 || win.Height == 0 {
		return win, false
	}
	if shape := float64(win.Width) / float64(win.Height); shape < c.Ratio[0] || shape > c.Ratio[1] {
		return win, false
	}
	win.X = int(float64(float64(row.Width-win.Width) * row.Rand.Float64()))
	win.Y = int(float64(float64(row.Height-win.Height) * row.Rand.Float64()))
	return win, true
}

// overlaps reports whether a window holds the centre of an object with which it has at
// least that intersection over union.
func overlaps(win *Window, objects []Object, least float64) bool {
	x1, y1, x2, y2 := win.edges()
	for i := range objects {
		b := objects[i].Box
		if !win.centred(b) {
			continue
		}
		w, h := min(x2, b[2])-max(x1, b[0]), min(y2, b[3])-max(y1, b[1])
		common := float64(max(w, 0) * max(h, 0))
		all := float64((x2-x1)*(y2-y1)) + float64((b[2]-b[0])*(b[3]-b[1])) - common
		if common/all >= least {
			return true
		}
	}
	return false
}

// edges are those of the window, in continuous coordinates.
func (w *Window) edges() (x1, y1, x2, y2 float64) {
	return float64(w.X), float64(w.Y), float64(w.X + w.Width), float64(w.Y + w.Height)
}

// centred reports whether the centre of a box lies inside the window.
func (w *Window) centred(box [4]float64) bool {
	x, y := (box[0]+box[2])/2, (box[1]+box[3])/2
	x1, y1, x2, y2 := w.edges()
	return x1 < x && x < x2 && y1 < y && y < y2
}

// KeepObject keeps those whose centre is in the window, and all where there is none.
func (RandomIoUCrop) KeepObject(params Params, o *Object) bool {
	win, ok := params.(*Window)
	return !ok || win.centred(o.Box)
}

// Output varies from row to row.
func (c RandomIoUCrop) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	out.Height, out.Width = 0, 0
	return out, CheckWarpable(in)
}

// Warp cuts the window out.
func (RandomIoUCrop) Warp(params Params, _, _ int) Transform {
	return CropTransform(params.(*Window).rectangle())
}
