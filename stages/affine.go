package stages

import (
	"errors"
	"fmt"
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// Affine rotates, translates, scales and shears a uint8 picture of height x width x 3
// about its centre ((w-1)/2, (h-1)/2), keeping the size, as torchvision's
// RandomAffine does; each amount is uniform on its range. Outside the picture is the
// colour Fill, into which the edge is blended, as in rotate.
//
// Unlike torchvision, and like rotate, a positive angle is counter-clockwise (affine
// with degrees d equals F.affine with angle -d). Translations are to the right and
// down, in whole pixels rounded half to even. A positive x shear leans the top to the
// right, a positive y shear lowers the left side, by so many degrees. Draws, of the
// options given: angle, x and y translation, scale, x and y shear.
type Affine struct {
	Degrees       Range         `sluice:"degrees,symmetric" doc:"range of the angle, counter-clockwise; a number d stands for [-d, d] (default: no rotation)"`
	Translate     [2]float64    `sluice:"translate" doc:"largest translation either way, as shares of width and height 0..1 (default: none)"`
	Scale         Range         `sluice:"scale" doc:"range of the scale factor, 0.01 to 100: 2 doubles lengths (default: no scaling)"`
	Shear         Shear         `sluice:"shear" doc:"range of the x shear in degrees, [min, max] or d for [-d, d]; four numbers add the range of the y shear (default: no shear)"`
	Interpolation Interpolation `sluice:"interpolation" default:"bilinear" doc:"how values between pixels are found"`
	Fill          Color         `sluice:"fill" doc:"colour outside the picture: a grey 0..255 or [r, g, b] (default 0: black)"`
	P             Probability   `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

// AffineParams is what was drawn: a counter-clockwise angle, whole pixels to the
// right and down, a scale factor, shears in degrees.
type AffineParams struct {
	Degrees    float64 `json:"degrees"`
	TranslateX int     `json:"translate_x"`
	TranslateY int     `json:"translate_y"`
	Scale      float64 `json:"scale"`
	ShearX     float64 `json:"shear_x"`
	ShearY     float64 `json:"shear_y"`
}

// Shear is the range of the x shear, then that of the y shear, in degrees.
type Shear [4]float64

// The limits of Check: beyond them no picture is recognizable.
const (
	maxShear    = 80 // degrees
	maxScale    = 100
	minScale    = 0.01
	maxDistance = 1 << 28 // in pixels, of a point that a warp samples
)

// Name is the stage's name in pipeline files.
func (Affine) Name() string { return "affine" }

// Version of the algorithm.
func (Affine) Version() int { return 1 }

// Check reports impossible options.
func (a Affine) Check() error {
	errs := []error{a.Degrees.check("degrees"), a.checkTranslate(), a.Scale.check("scale"), a.Shear.check()}
	if scale := a.scale(); !(scale[0] >= minScale && scale[1] <= maxScale) {
		errs = append(errs, errorf("scale", "[%g, %g] is not within %g to %d: 1 keeps the size, 2 doubles lengths",
			scale[0], scale[1], minScale, maxScale))
	}
	errs = append(errs, oneOf("interpolation", a.Interpolation), a.P.check("p"))
	if errlist.Join(errs...) == nil && a.idle() {
		errs = append(errs, errorf("degrees", "nothing to do: give degrees such as 30, translate such as [0.1, 0.1], "+
			"scale such as [0.8, 1.2] or shear such as 10, or leave the stage out"))
	}
	return errlist.Join(errs...)
}

func (a Affine) checkTranslate() error {
	for _, f := range a.Translate {
		if !(f >= 0 && f <= 1) {
			return errorf("translate", "%g is not a share of a side: give two numbers in 0..1, of width and height", f)
		}
	}
	return nil
}

// idle reports whether every draw would leave the picture as it is.
func (a Affine) idle() bool {
	return a.Degrees == Range{} && a.Translate == [2]float64{} && a.scale() == Range{1, 1} && a.Shear == Shear{}
}

func (a Affine) scale() Range {
	if a.Scale == (Range{}) {
		return Range{1, 1}
	}
	return a.Scale
}

// Draw draws the amounts.
func (a Affine) Draw(row *Row) (Params, error) {
	if err := a.checkReach(row.Height, row.Width); err != nil {
		return nil, err
	}
	if a.P.skips(row.Rand) {
		return nil, nil
	}
	p := AffineParams{Scale: 1}
	if a.Degrees != (Range{}) {
		p.Degrees = a.Degrees.draw(row.Rand)
	}
	if a.Translate != ([2]float64{}) {
		shift := func(side int, share float64) int {
			most := float64(float64(side) * share)
			return int(math.RoundToEven(Range{-most, most}.draw(row.Rand)))
		}
		p.TranslateX, p.TranslateY = shift(row.Width, a.Translate[0]), shift(row.Height, a.Translate[1])
	}
	if a.Scale != (Range{}) {
		p.Scale = a.Scale.draw(row.Rand)
	}
	if x := (Range{a.Shear[0], a.Shear[1]}); x != (Range{}) {
		p.ShearX = x.draw(row.Rand)
	}
	if y := (Range{a.Shear[2], a.Shear[3]}); y != (Range{}) {
		p.ShearY = y.draw(row.Rand)
	}
	return Recycle(row, p), nil
}

// checkReach refuses a picture so large that coordinates could exceed what a warp can
// sample. That depends on the size alone, not on what is drawn.
func (a Affine) checkReach(height, width int) error {
	steepest := 0.0
	for _, degrees := range a.Shear {
		steepest = max(steepest, math.Abs(tan(degrees)))
	}
	factor := 2 * (1 + steepest) * (1 + steepest) / a.scale()[0]
	if reach := factor * 2 * float64(height+width); reach > maxDistance {
		return fmt.Errorf("%dx%d (width x height) is too large: raise scale, lower shear, or put resize before it", width, height)
	}
	return nil
}

// Output is the input's type.
func (a Affine) Output(in schema.Tensor) (schema.Tensor, error) {
	err := errlist.Join(CheckWarpable(in), CheckFill(in, a.Fill))
	if err == nil && in.Fixed() {
		err = a.checkReach(in.Height, in.Width)
	}
	return in, err
}

// Warp undoes, from output to input, the translation, the rotation, the scaling, the y
// shear and the x shear, all but the first about the centre: the matrix of
// torchvision's _get_inverse_affine_matrix.
func (a Affine) Warp(params Params, height, width int) Transform {
	p := params.(*AffineParams)
	cx, cy := float64(width-1)/2, float64(height-1)/2
	matrix := Translation(-cx-float64(p.TranslateX), -cy-float64(p.TranslateY)).
		Then(Rotation(p.Degrees, 0, 0)).
		Then(Matrix{1 / p.Scale, 0, 0, 0, 1 / p.Scale, 0}).
		Then(Matrix{1, 0, 0, tan(p.ShearY), 1, 0}).
		Then(Matrix{1, tan(p.ShearX), 0, 0, 1, 0}).
		Then(Translation(cx, cy))
	return AffineTransform(matrix, height, width, a.Interpolation, a.Fill)
}

// tan is the tangent of an angle in degrees.
func tan(degrees float64) float64 {
	sin, cos := detmath.SinCosDegrees(degrees)
	return sin / cos
}

// SetOption reads d, [min, max] or [x min, x max, y min, y max].
func (s *Shear) SetOption(v any) error {
	wrong := fmt.Errorf("want degrees: one number, [min, max], or [x min, x max, y min, y max], have %s", options.Have(v))
	if d, ok := number(v); ok {
		*s = Shear{0 - d, d}
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		return wrong
	}
	*s = Shear{}
	for i, item := range list {
		if s[i], ok = number(item); !ok {
			return wrong
		}
		s[i] += 0 // -0 is 0: equal options have equal bytes
	}
	if *s == (Shear{}) {
		return errors.New("these ranges contain only 0: leave shear out")
	}
	return nil
}

// OptionSchema describes the file form.
func (Shear) OptionSchema() map[string]any {
	list := func(n int) map[string]any {
		return map[string]any{"type": "array", "items": map[string]any{"type": "number"}, "minItems": n, "maxItems": n}
	}
	return map[string]any{"oneOf": []any{map[string]any{"type": "number"}, list(2), list(4)}}
}

func (s Shear) check() error {
	for _, f := range s {
		if !(math.Abs(f) <= maxShear) {
			return errorf("shear", "%g degrees: give at most %d either way", f, maxShear)
		}
	}
	return errlist.Join(Range{s[0], s[1]}.check("shear"), Range{s[2], s[3]}.check("shear"))
}
