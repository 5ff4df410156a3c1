package stages

import (
	"errors"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// ToTensor converts uint8 of height x width x 3 to what a trainer reads: float32 in
// 0..1 (v / 255 in float32) of channel x height x width, as torchvision's to_tensor
// does. With dtype uint8 values stay 0..255, with layout hwc the layout stays.
type ToTensor struct {
	DType  DType  `sluice:"dtype" default:"float32" doc:"float32: 0..1; uint8: 0..255"`
	Layout Layout `sluice:"layout" default:"chw" doc:"chw: channel first, as PyTorch; hwc: channel last"`
}

// DType is the element type of a tensor; "" is float32.
type DType string

// Layout is the order of a tensor's dimensions; "" is chw.
type Layout string

// The element types and layouts.
const (
	Float32 = DType(schema.Float32)
	Uint8   = DType(schema.Uint8)
	CHW     = Layout(schema.CHW)
	HWC     = Layout(schema.HWC)
)

// Values lists the element types.
func (DType) Values() []string { return []string{string(Float32), string(Uint8)} }

// Values lists the layouts.
func (Layout) Values() []string { return []string{string(CHW), string(HWC)} }

// Name is the stage's name in pipeline files.
func (ToTensor) Name() string { return "to_tensor" }

// Version of the algorithm.
func (ToTensor) Version() int { return 1 }

// Check reports impossible options.
func (s ToTensor) Check() error {
	errs := []error{oneOf("dtype", s.DType), oneOf("layout", s.Layout)}
	if s.DType == Uint8 && s.Layout == HWC {
		errs = append(errs, errorf("dtype", "uint8 with layout hwc is what pictures already are: leave to_tensor out"))
	}
	return errlist.Join(errs...)
}

// Draw has nothing to draw.
func (ToTensor) Draw(*Row) (Params, error) { return Nothing{}, nil }

// Output has the element type and layout of the options.
func (s ToTensor) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	out.DType, out.Layout = schema.Float32, schema.CHW
	if s.DType != "" {
		out.DType = schema.DType(s.DType)
	}
	if s.Layout != "" {
		out.Layout = schema.Layout(s.Layout)
	}
	if in.DType != schema.Uint8 || in.Layout != schema.HWC {
		return out, errors.New("needs uint8 hwc pictures, has " + in.String() + ": remove the other to_tensor")
	}
	return out, nil
}

// PixelFunc divides by 255; the executor changes the layout.
func (s ToTensor) PixelFunc(Params) PixelFunc {
	if s.DType == Uint8 {
		return PixelFunc{Map: func(rgb [3]float32) [3]float32 { return rgb }, Separate: true}
	}
	return PixelFunc{Separate: true, Map: func(rgb [3]float32) [3]float32 {
		return [3]float32{rgb[0] / 255, rgb[1] / 255, rgb[2] / 255}
	}}
}
