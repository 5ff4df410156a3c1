package schema

import "fmt"

// DType is the element type of a tensor.
type DType string

// Layout is the order of a tensor's dimensions.
type Layout string

// The element types and layouts that pictures and batches have.
const (
	Uint8   DType = "uint8"   // 0..255
	Float32 DType = "float32" // 0..1 after to_tensor; any range after normalize

	HWC Layout = "hwc" // height x width x channel, as decoders, OpenCV and Pillow have it
	CHW Layout = "chw" // channel x height x width, as PyTorch has it
)

// Bytes is the size of one element.
func (d DType) Bytes() int {
	if d == Float32 {
		return 4
	}
	return 1
}

// Plane is the layout of a mask: height x width, without channels.
const Plane Layout = "hw"

// Tensor is the static type of the pictures at one point of a pipeline. Height
// or Width is 0 where it varies from row to row. Channels is 1 for grey and of masks; 0 means
// the three of RGB.
type Tensor struct {
	DType         DType
	Layout        Layout
	Height, Width int
	Channels      int
}

// Gray reports whether there is one channel.
func (t Tensor) Gray() bool { return t.Channels == 1 }

// mask is the type of the class numbers of pictures of this size.
func (t Tensor) mask() Tensor {
	return Tensor{DType: Uint8, Layout: Plane, Height: t.Height, Width: t.Width, Channels: 1}
}

func (t Tensor) channels() int {
	if t.Gray() {
		return 1
	}
	return 3
}

// Fixed reports whether every row has the same height and width.
func (t Tensor) Fixed() bool { return t.Height > 0 && t.Width > 0 }

// Elements is the number of values in one row of a fixed tensor.
func (t Tensor) Elements() int { return t.channels() * t.Height * t.Width }

// Shape is the shape of one row in the order of its layout.
func (t Tensor) Shape() []int {
	switch t.Layout {
	case CHW:
		return []int{t.channels(), t.Height, t.Width}
	case Plane:
		return []int{t.Height, t.Width}
	}
	return []int{t.Height, t.Width, t.channels()}
}

func (t Tensor) String() string {
	dim := func(n int, name string) string {
		if n == 0 {
			return name
		}
		return fmt.Sprint(n)
	}
	h, w := dim(t.Height, "h"), dim(t.Width, "w")
	if t.Layout == Plane {
		return fmt.Sprintf("%s[%s,%s]", t.DType, h, w)
	}
	if t.Layout == CHW {
		return fmt.Sprintf("%s[%d,%s,%s]", t.DType, t.channels(), h, w)
	}
	return fmt.Sprintf("%s[%s,%s,%d]", t.DType, h, w, t.channels())
}

// Picture is one RGB image between two stages. A grey one has three equal channels,
// of which a batch holds one. Exactly one of U8 and F32 is set, 3*Height*Width
// values in the order of Layout. Decoders give uint8 HWC.
type Picture struct {
	Height, Width int
	Layout        Layout
	U8            []uint8
	F32           []float32
}

// NewPicture returns a black uint8 HWC picture.
func NewPicture(height, width int) *Picture {
	return &Picture{Height: height, Width: width, Layout: HWC, U8: make([]uint8, 3*height*width)}
}

// NewPicture returns a picture of a fixed type, in RGB: all its values are 0.
func (t Tensor) NewPicture() *Picture {
	p := &Picture{Height: t.Height, Width: t.Width, Layout: t.Layout}
	if t.DType == Float32 {
		p.F32 = make([]float32, t.Elements())
	} else {
		p.U8 = make([]uint8, t.Elements())
	}
	return p
}

// Tensor is the picture's own type; it is always fixed.
func (p *Picture) Tensor() Tensor {
	d := Uint8
	if p.F32 != nil {
		d = Float32
	}
	return Tensor{DType: d, Layout: p.Layout, Height: p.Height, Width: p.Width}
}
