package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// ScaleJitter scales a uint8 picture of height x width x 3 at random, keeping its shape: the
// large scale jitter of Ghiasi et al., Simple Copy-Paste (2021), as torchvision's
// transform of that name does it. A picture that fits into Target exactly is scale 1, the
// scale is uniform on Range, and each side becomes floor(side * factor), in float64, and at
// least 1. One number is drawn, the scale. Pad and crop to the target's size follow it.
//
// Target is height and width; torchvision reads its target_size as width and height.
type ScaleJitter struct {
	Target        [2]int              `sluice:"target" doc:"height and width, pixels, into which a picture of scale 1 just fits: [1024, 1024]"`
	Range         Range               `sluice:"range" default:"[0.1, 2]" doc:"range of the scale"`
	Interpolation ResizeInterpolation `sluice:"interpolation" default:"bilinear" doc:"filter, with Pillow's kernel"`
	Antialias     OnOff               `sluice:"antialias" doc:"average when shrinking, as Pillow; false: sample, as OpenCV"`
}

var defaultJitter = Range{0.1, 2}

// Name is the stage's name in pipeline files.
func (ScaleJitter) Name() string { return "scale_jitter" }

// Version of the algorithm.
func (ScaleJitter) Version() int { return 1 }

// ResizeFilter is the interpolation, and whether it averages.
func (s ScaleJitter) ResizeFilter() string { return resizeFilter(s.Interpolation, s.Antialias) }

// Check reports impossible options.
func (s ScaleJitter) Check() error {
	scales := s.scales()
	errs := []error{scales.check("range"), oneOf("interpolation", s.Interpolation)}
	if scales[0] <= 0 {
		errs = append(errs, errorf("range", "%g is not a scale: give a number above 0", scales[0]))
	}
	if s.Target == [2]int{} {
		errs = append(errs, errorf("target", "missing: give height and width, such as [1024, 1024]"))
		return errlist.Join(errs...)
	}
	for _, n := range s.Target {
		if n < 1 || n > maxSide {
			errs = append(errs, errorf("target", "%d pixels: give 1 to %d", n, maxSide))
		}
	}
	if errlist.Join(errs...) == nil {
		errs = append(errs, checkArea(scaled(s.Target[0], scales[1]), scaled(s.Target[1], scales[1]), "range"))
	}
	return errlist.Join(errs...)
}

// Draw takes the scale.
func (s ScaleJitter) Draw(row *Row) (Params, error) {
	fit := min(float64(s.Target[0])/float64(row.Height), float64(s.Target[1])/float64(row.Width))
	factor := float64(fit * s.scales().draw(row.Rand))
	return Recycle(row, ResizeParams{Height: scaled(row.Height, factor), Width: scaled(row.Width, factor)}), nil
}

// Output varies from row to row.
func (s ScaleJitter) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	out.Height, out.Width = 0, 0
	return out, CheckWarpable(in)
}

// Warp scales the whole picture.
func (s ScaleJitter) Warp(params Params, height, width int) Transform {
	p := params.(*ResizeParams)
	return ResizeTransform(height, width, p.Height, p.Width, s.Interpolation, s.Antialias == On)
}

// Smallest is the height and width that no picture of the least scale exceeds.
func (s ScaleJitter) Smallest() (height, width int) {
	least := s.scales()[0]
	return scaled(s.Target[0], least), scaled(s.Target[1], least)
}

func (s ScaleJitter) scales() Range {
	if s.Range == (Range{}) {
		return defaultJitter
	}
	return s.Range
}
