package stages

import (
	"fmt"
	"math"
	"strings"

	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// This file is what rand_augment and trivial_augment_wide share.

// Operation is something done to a picture, with torchvision's magnitude for it:
//
//	identity, autocontrast, equalize, invert  0
//	shear_x, shear_y             the tangent of the angle, about the top left corner; a positive one
//	                             moves the bottom to the left, and the right side up
//	translate_x, translate_y     pixels to the right or down
//	rotate                       degrees counter-clockwise, about the centre
//	brightness, color, contrast  what the factor of color_jitter's brightness, saturation or contrast
//	                             differs from 1 by
//	sharpness                    what the factor of sharpness differs from 1 by
//	posterize                    the bits that are kept
//	solarize                     the least value that is inverted
//	solarize_add                 what values below 128 grow by
type Operation struct {
	Op        string  `json:"op"`
	Magnitude float64 `json:"magnitude"`
}

// Operations are params: what was drawn, in its order.
type Operations struct {
	Ops []Operation `json:"ops"`

	timm *timmPolicy // by which they were drawn, for the next draw; or nil
}

// String says what is done, in its order: "shear_x 0.09, then equalize 0".
func (o *Operations) String() string {
	list := make([]string, len(o.Ops))
	for i, op := range o.Ops {
		list[i] = fmt.Sprintf("%s %.3g", op.Op, op.Magnitude)
	}
	return strings.Join(list, ", then ")
}

// The names of operations.
const (
	opIdentity     = "identity"
	opShearX       = "shear_x"
	opShearY       = "shear_y"
	opTranslateX   = "translate_x"
	opTranslateY   = "translate_y"
	opRotate       = "rotate"
	opBrightness   = "brightness"
	opColor        = "color"
	opContrast     = "contrast"
	opSharpness    = "sharpness"
	opPosterize    = "posterize"
	opSolarize     = "solarize"
	opAutocontrast = "autocontrast"
	opEqualize     = "equalize"
	opInvert       = "invert"
	opSolarizeAdd  = "solarize_add"
)

// torchvisionOps are those of torchvision's RandAugment and TrivialAugmentWide.
var torchvisionOps = []string{
	opIdentity, opShearX, opShearY, opTranslateX, opTranslateY, opRotate, opBrightness,
	opColor, opContrast, opSharpness, opPosterize, opSolarize, opAutocontrast, opEqualize,
}

// magnitudes are the largest ones of torchvision's operations.
type magnitudes struct {
	shear, rotate, factor, bits float64 // bits are those that posterize takes away
	pixels                      float64 // of translations; 0: 150/331 of the side
}

// at is the magnitude of an operation in a bin of so many, for a picture of height x width;
// signed: it may be negative.
func (m *magnitudes) at(op string, bin float64, bins, height, width int) (value float64, signed bool) {
	most := 0.0
	switch op {
	case opShearX, opShearY:
		most = m.shear
	case opTranslateX:
		return math.Trunc(linspace(m.translation(width), bin, bins)), true
	case opTranslateY:
		return math.Trunc(linspace(m.translation(height), bin, bins)), true
	case opRotate:
		most = m.rotate
	case opBrightness, opColor, opContrast, opSharpness:
		most = m.factor
	case opPosterize:
		return 8 - math.RoundToEven(m.bits*bin/float64(bins-1)), false
	case opSolarize:
		return linspace(255, float64(bins-1)-bin, bins), false
	}
	return linspace(most, bin, bins), true
}

func (m *magnitudes) translation(side int) float64 {
	if m.pixels > 0 {
		return m.pixels
	}
	return 150.0 / 331 * float64(side)
}

// linspace is a number of torch.linspace(0, most, n), which counts from the nearer end, in steps
// that are a float32: of 0 to 32 in 31 numbers, the one in the middle is less than 16.
func linspace(most, at float64, n int) float64 {
	last := float64(n - 1)
	step := float64(float32(most) / float32(last))
	if at < float64(n/2) {
		return float64(float32(step * at))
	}
	return float64(float32(float64(float32(most)) - float64(step*(last-at))))
}

// draw draws an operation, each as likely, of a magnitude in so many bins.
func (m *magnitudes) draw(row *Row, bins int, bin func() float64) Operation {
	op := torchvisionOps[row.Rand.IntN(len(torchvisionOps))]
	if op == opIdentity || op == opAutocontrast || op == opEqualize {
		return Operation{op, 0}
	}
	value, signed := m.at(op, bin(), bins, row.Height, row.Width)
	if signed && row.Rand.IntN(2) == 1 {
		value = 0 - value // never -0
	}
	return Operation{op, value}
}

// steps are stages that carry out operations.
func (o *Operations) steps(filter Interpolation, fill Color) []Step {
	steps := make([]Step, 0, len(o.Ops))
	for _, op := range o.Ops {
		if op.Op != opIdentity {
			steps = append(steps, op.step(filter, fill))
		}
	}
	return steps
}

func (op Operation) step(filter Interpolation, fill Color) Step {
	factor := 1 + op.Magnitude
	switch op.Op {
	case opBrightness:
		return Step{ColorJitter{}, &ColorJitterParams{Order: []Adjustment{Brightness}, Brightness: factor, Contrast: 1, Saturation: 1}}
	case opColor:
		return Step{ColorJitter{}, &ColorJitterParams{Order: []Adjustment{Saturation}, Brightness: 1, Contrast: 1, Saturation: factor}}
	case opContrast:
		return Step{ColorJitter{}, &ColorJitterParams{Order: []Adjustment{Contrast}, Brightness: 1, Contrast: factor, Saturation: 1}}
	case opSharpness:
		return Step{Sharpness{}, &SharpnessParams{Factor: factor}}
	case opPosterize:
		return Step{Posterize{}, &PosterizeParams{Bits: int(op.Magnitude)}}
	case opSolarize:
		return Step{Solarize{}, &SolarizeParams{Threshold: op.Magnitude}}
	case opAutocontrast:
		return Step{Autocontrast{}, Nothing{}}
	case opEqualize:
		return Step{Equalize{}, Nothing{}}
	case opInvert:
		return Step{Invert{}, Nothing{}}
	case opSolarizeAdd:
		return Step{addedBelow{}, &op}
	}
	return Step{shifted{filter, fill}, &op}
}

// shifted is the Warper of the operations that move pixels. It is part of others, and draws
// nothing.
type shifted struct {
	filter Interpolation
	fill   Color
}

func (shifted) Name() string                                   { return "shifted" }
func (shifted) Version() int                                   { return 1 }
func (shifted) Check() error                                   { return nil }
func (shifted) Draw(*Row) (Params, error)                      { return nil, nil }
func (shifted) Output(in schema.Tensor) (schema.Tensor, error) { return in, CheckWarpable(in) }

// Warp is what torchvision does to a Pillow image, whose points are half a pixel further.
func (s shifted) Warp(params Params, height, width int) Transform {
	op := params.(*Operation)
	m := warp.Identity()
	switch op.Op {
	case opShearX:
		m[1], m[2] = op.Magnitude, op.Magnitude/2
	case opShearY:
		m[3], m[5] = op.Magnitude, op.Magnitude/2
	case opTranslateX:
		m[2] = 0 - op.Magnitude
	case opTranslateY:
		m[5] = 0 - op.Magnitude
	case opRotate:
		m = Rotation(op.Magnitude, float64(width-1)/2, float64(height-1)/2)
	default:
		panic(fmt.Sprintf("stages: there is no operation %q", op.Op))
	}
	return AffineTransform(m, height, width, s.filter, s.fill)
}

// addedBelow is the Pixelwise of solarize_add.
type addedBelow struct{}

func (addedBelow) Name() string                                   { return "added_below" }
func (addedBelow) Version() int                                   { return 1 }
func (addedBelow) Check() error                                   { return nil }
func (addedBelow) Draw(*Row) (Params, error)                      { return nil, nil }
func (addedBelow) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// PixelFunc adds to the values in the lower half.
func (addedBelow) PixelFunc(params Params) PixelFunc {
	more := params.(*Operation).Magnitude
	return byLevel(func(level uint8) uint8 {
		if level < 128 {
			return uint8(min(255, float64(level)+more))
		}
		return level
	})
}
