package stages

import (
	"errors"
	"fmt"
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// Pad puts a uint8 picture of height x width x 3 on a larger canvas: with Padding on each
// side, as torchvision's Pad does; to a Size, where a side that is as long already stays; or
// until each side is a multiple of a length. What is beside the picture is Fill, its nearest
// pixel (edge), or the picture mirrored at its outermost pixels (reflect: as NumPy and
// cv2.BORDER_REFLECT_101, also where it takes several reflections). Nothing is drawn.
//
// A mask gets the class numbers that edge and reflect show, and 255 beside the picture with
// constant, as torchvision's masks get their fill. Boxes, polygons and keypoints are not
// repeated.
type Pad struct {
	Padding  Padding `sluice:"padding" doc:"pixels beside each side: one number, [left and right, top and bottom], or [left, top, right, bottom]"`
	Size     [2]int  `sluice:"size" doc:"instead of padding: least height and width of the result, pixels; longer sides stay"`
	Multiple int     `sluice:"multiple,positive" doc:"instead of padding: pixels of which each side becomes a multiple, such as 32"`
	Mode     PadMode `sluice:"mode" default:"constant" doc:"what is beside the picture: constant (fill), edge (its nearest pixel) or reflect (mirrored)"`
	Fill     Color   `sluice:"fill" doc:"colour with mode constant: a grey 0..255 or [r, g, b] (default 0: black)"`
	At       Place   `sluice:"at" default:"center" doc:"where the picture lies with size or multiple: center or top_left"`
}

// Padding is pixels to the left, above, to the right and below.
type Padding [4]int

// SetOption reads one, two or four numbers, in torchvision's order.
func (p *Padding) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var n []int
	for _, item := range list {
		f, ok := number(item)
		if !ok || f != math.Floor(f) || f < 0 || f > maxSide {
			return fmt.Errorf("want whole pixels, one, two or four numbers, have %s", options.Have(v))
		}
		n = append(n, int(f))
	}
	switch len(n) {
	case 1:
		*p = Padding{n[0], n[0], n[0], n[0]}
	case 2:
		*p = Padding{n[0], n[1], n[0], n[1]}
	case 4:
		*p = Padding(n)
	default:
		return fmt.Errorf("want one, two or four numbers, have %d", len(n))
	}
	if *p == (Padding{}) {
		return errors.New("0 pixels on all sides do nothing: leave pad out")
	}
	return nil
}

// OptionSchema describes the file form.
func (Padding) OptionSchema() map[string]any {
	pixels := map[string]any{"type": "integer", "minimum": 0}
	list := func(n int) any {
		return map[string]any{"type": "array", "items": pixels, "minItems": n, "maxItems": n}
	}
	return map[string]any{"oneOf": []any{pixels, list(2), list(4)}}
}

// PadMode is what lies beside a padded picture; "" is constant.
type PadMode string

// The modes.
const (
	PadConstant PadMode = "constant"
	PadEdge     PadMode = "edge"
	PadReflect  PadMode = "reflect"
)

// Values lists the modes.
func (PadMode) Values() []string {
	return []string{string(PadConstant), string(PadEdge), string(PadReflect)}
}

// Place is where a picture lies on a larger canvas; "" is the centre. An odd number of
// pixels leaves one more to the right and below.
type Place string

// The places.
const (
	Center  Place = "center"
	TopLeft Place = "top_left"
)

// Values lists the places.
func (Place) Values() []string { return []string{string(Center), string(TopLeft)} }

// before is how many of the spare pixels along a side come before the picture.
func (p Place) before(spare int) int {
	if p == TopLeft {
		return 0
	}
	return spare / 2
}

// Name is the stage's name in pipeline files.
func (Pad) Name() string { return "pad" }

// Version of the algorithm.
func (Pad) Version() int { return 1 }

// Check reports impossible options.
func (p Pad) Check() error {
	errs := []error{oneOf("mode", p.Mode), oneOf("at", p.At)}
	ways := 0
	for _, given := range []bool{p.Padding != (Padding{}), p.Size != [2]int{}, p.Multiple != 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		errs = append(errs, errorf("padding", "give one of padding, size and multiple"))
	}
	for _, n := range p.Padding {
		if n < 0 || n > maxSide {
			errs = append(errs, errorf("padding", "%d pixels: give 0 to %d", n, maxSide))
		}
	}
	if p.Size != [2]int{} {
		for _, n := range p.Size {
			if n < 1 || n > maxSide {
				errs = append(errs, errorf("size", "%d pixels: give height and width, 1 to %d each", n, maxSide))
			}
		}
		errs = append(errs, checkArea(p.Size[0], p.Size[1], "size"))
	}
	if p.Multiple < 0 || p.Multiple > maxSide || p.Multiple == 1 {
		errs = append(errs, errorf("multiple", "%d pixels: give 2 to %d", p.Multiple, maxSide))
	}
	if p.Padding != (Padding{}) && p.At != "" && p.At != Center {
		errs = append(errs, errorf("at", "padding says where the picture lies: leave at out, or give size or multiple"))
	}
	if p.Fill != (Color{}) && p.Mode != "" && p.Mode != PadConstant {
		errs = append(errs, errorf("fill", "it shows with mode: constant only: leave fill out, or the mode"))
	}
	return errlist.Join(errs...)
}

// Draw has nothing to draw, but the canvas may be too large.
func (p Pad) Draw(row *Row) (Params, error) {
	h, w, _, _ := p.canvas(row.Height, row.Width)
	if err := checkArea(h, w, p.option()); err != nil {
		return nil, err
	}
	return Nothing{}, nil
}

// option is the one that says how large the canvas is.
func (p Pad) option() string {
	switch {
	case p.Size != [2]int{}:
		return "size"
	case p.Multiple > 0:
		return "multiple"
	}
	return "padding"
}

// canvas is the size of the result, and where the picture's first pixel lies on it.
func (p Pad) canvas(height, width int) (h, w, top, left int) {
	switch {
	case p.Size != [2]int{}:
		h, w = max(height, p.Size[0]), max(width, p.Size[1])
	case p.Multiple > 0:
		up := func(side int) int { return (side + p.Multiple - 1) / p.Multiple * p.Multiple }
		h, w = up(height), up(width)
	default:
		left, top = p.Padding[0], p.Padding[1]
		return height + top + p.Padding[3], width + left + p.Padding[2], top, left
	}
	return h, w, p.At.before(h - height), p.At.before(w - width)
}

// Output is known where the input's size is.
func (p Pad) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	h, w, _, _ := p.canvas(in.Height, in.Width)
	if in.Height > 0 {
		out.Height = h
	}
	if in.Width > 0 {
		out.Width = w
	}
	return out, errlist.Join(CheckWarpable(in), CheckFill(in, p.Fill), checkArea(out.Height, out.Width, p.option()))
}

// Warp moves whole pixels.
func (p Pad) Warp(_ Params, height, width int) Transform {
	h, w, top, left := p.canvas(height, width)
	t := placed(h, w, top, left, p.Fill)
	switch p.Mode {
	case PadEdge:
		t.Border = BorderEdge
	case PadReflect:
		t.Border = BorderReflect
	}
	return t
}

// placed puts a picture on a canvas of a colour, pixel by pixel.
func placed(height, width, top, left int, fill Color) Transform {
	return Transform{
		Matrix: Translation(float64(-left), float64(-top)), Height: height, Width: width,
		Filter: Nearest, Border: BorderConstant, Fill: fill,
	}
}
