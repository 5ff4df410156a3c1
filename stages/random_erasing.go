package stages

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// RandomErasing replaces a random rectangle of a picture of any type by a value, or by noise:
// torchvision's transform of that name. It is most often the last stage before batch, so that
// 0 is the mean of normalized values. Masks, boxes, polygons and keypoints stay as they are,
// as in torchvision.
//
// The rectangle's area is uniform on Scale, in areas of the picture, the logarithm of its
// height / width uniform on that of Ratio. Draws: whether it acts, then area and ratio up to
// ten times, until the rectangle is lower and narrower than the picture; its y and x; with
// noise, its key. After ten failures the picture stays as it is.
type RandomErasing struct {
	Scale Range       `sluice:"scale" default:"[0.02, 0.33]" doc:"range of the erased area, as a share of the picture's"`
	Ratio Range       `sluice:"ratio" default:"[0.3, 3.3]" doc:"range of height / width of what is erased"`
	Value Erased      `sluice:"value" default:"0" doc:"what is put there: a number, [r, g, b], or random, normal noise for each value; 0..255 in uint8 pictures, and behind normalize a normalized value"`
	P     Probability `sluice:"p,positive" doc:"share of the draws in which something is erased"`
}

// Erased is the value of each channel, R, G, B, of what is erased, or ErasedByNoise. In files:
// one number or three, or random.
type Erased [3]float64

// ErasedByNoise stands for numbers of the standard normal distribution, for float32 pictures.
var ErasedByNoise = Erased{math.MaxFloat64}

const randomly = "random"

var defaultErasedArea, defaultErasedRatio = Range{0.02, 0.33}, Range{0.3, 3.3}

// ErasingParams is the rectangle, in pixels, and the key of the noise.
type ErasingParams struct {
	Window
	Key noiseKey `json:"key,omitempty"`
}

// Name is the stage's name in pipeline files.
func (RandomErasing) Name() string { return "random_erasing" }

// Version of the algorithm.
func (RandomErasing) Version() int { return 1 }

// Check reports impossible options. P must be given, as in flip.
func (e RandomErasing) Check() error {
	scale, ratio := e.ranges()
	errs := []error{scale.check("scale"), ratio.check("ratio"), e.P.check("p")}
	if scale[0] < 0 || scale[1] > 1 {
		errs = append(errs, errorf("scale", "[%g, %g] is not within 0..1, shares of the picture's area", scale[0], scale[1]))
	}
	if ratio[0] <= 0 {
		errs = append(errs, errorf("ratio", "%g is not a height / width: give a number above 0", ratio[0]))
	}
	for _, v := range e.Value {
		if e.Value != ErasedByNoise && !(math.Abs(v) <= math.MaxFloat32) {
			errs = append(errs, errorf("value", "%g is not a value of a picture", v))
		}
	}
	if e.P == 0 {
		errs = append(errs, fmt.Errorf("p is 0: it never erases; give a share such as 0.25, or leave random_erasing out"))
	}
	return errlist.Join(errs...)
}

// Draw draws the rectangle.
func (e RandomErasing) Draw(row *Row) (Params, error) {
	if e.P.skips(row.Rand) {
		return nil, nil
	}
	scale, ratio := e.ranges()
	area := float64(row.Height) * float64(row.Width)
	logRatio := Range{detmath.Log(ratio[0]), detmath.Log(ratio[1])}
	for range 10 {
		h, w := drawSides(row, area, scale, logRatio)
		if h < float64(row.Height) && w < float64(row.Width) {
			p := ErasingParams{Window: Window{Width: int(w), Height: int(h)}}
			p.Y = row.Rand.IntN(row.Height - p.Height + 1)
			p.X = row.Rand.IntN(row.Width - p.Width + 1)
			if e.Value == ErasedByNoise {
				p.Key = drawNoise(row.Rand)
			}
			return Recycle(row, p), nil
		}
	}
	return nil, nil
}

// Output is the input's type.
func (e RandomErasing) Output(in schema.Tensor) (schema.Tensor, error) {
	if in.Gray() && e.Value != ErasedByNoise {
		if err := oneValue("value", e.Value); err != nil {
			return in, err
		}
	}
	if in.DType != schema.Uint8 {
		return in, nil
	}
	if e.Value == ErasedByNoise {
		return in, errorf("value", "random has values around 0, and the pictures are %s: move it behind to_tensor and normalize, or give a colour", in)
	}
	for _, v := range e.Value {
		if v < 0 || v > 255 || v != math.Floor(v) {
			return in, errorf("value", "%g is no level of %s, 0..255: move it behind to_tensor and normalize, or give a whole number", v, in)
		}
	}
	return in, nil
}

// Map erases.
func (e RandomErasing) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(e, params, in)
}

// EditBytes is nothing to speak of.
func (RandomErasing) EditBytes(Params, int, int) int64 { return 0 }

// Edit is Map, in place.
func (e RandomErasing) Edit(params Params, pic *schema.Picture) {
	p := params.(*ErasingParams)
	if pic.U8 != nil {
		paint(pic.U8, pic, p.Window, [3]uint8{uint8(e.Value[0]), uint8(e.Value[1]), uint8(e.Value[2])})
		return
	}
	if e.Value != ErasedByNoise {
		paint(pic.F32, pic, p.Window, [3]float32{float32(e.Value[0]), float32(e.Value[1]), float32(e.Value[2])})
		return
	}
	p.noise(pic)
}

// noise fills the rectangle with normal numbers, in the order of HWC. Each row begins with a
// number of its own block of 16.
func (p *ErasingParams) noise(pic *schema.Picture) {
	var values [16 * 3]float32 // of 16 pixels
	blocks := (3*p.Width + 15) / 16
	for y := range p.Height {
		first := 16 * blocks * y
		for x := 0; x < p.Width; x += 16 {
			n := min(16, p.Width-x)
			p.Key.fill(values[:3*n], first+3*x)
			if pic.Layout != schema.CHW {
				copy(pic.F32[place(pic, p.Y+y, p.X+x, 0):], values[:3*n])
				continue
			}
			for c := range 3 {
				row := pic.F32[place(pic, p.Y+y, p.X+x, c):][:n]
				for i := range row {
					row[i] = values[3*i+c]
				}
			}
		}
	}
}

// paint fills a window of a picture's values with one colour.
func paint[T uint8 | float32](values []T, pic *schema.Picture, w Window, color [3]T) {
	for y := w.Y; y < w.Y+w.Height; y++ {
		for c, v := range color {
			step := 3
			if pic.Layout == schema.CHW {
				step = 1
			}
			at := place(pic, y, w.X, c)
			for range w.Width {
				values[at] = v
				at += step
			}
		}
	}
}

// place is where a value lies in a picture.
func place(pic *schema.Picture, y, x, channel int) int {
	if pic.Layout == schema.CHW {
		return (channel*pic.Height+y)*pic.Width + x
	}
	return (y*pic.Width+x)*3 + channel
}

func (e RandomErasing) ranges() (scale, ratio Range) {
	scale, ratio = e.Scale, e.Ratio
	if scale == (Range{}) {
		scale = defaultErasedArea
	}
	if ratio == (Range{}) {
		ratio = defaultErasedRatio
	}
	return scale, ratio
}

// SetOption reads one number, three, or random.
func (e *Erased) SetOption(v any) error {
	if v == randomly {
		*e = ErasedByNoise
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v, v, v}
	}
	for i := range e {
		if len(list) != len(e) {
			return fmt.Errorf("want a number, [r, g, b] or random, have %s", options.Have(v))
		}
		f, ok := number(list[i])
		if !ok {
			return fmt.Errorf("want a number, [r, g, b] or random, have %s", options.Have(v))
		}
		e[i] = f + 0 // -0 is 0: equal options have equal bytes
	}
	return nil
}

// OptionSchema describes the file form.
func (Erased) OptionSchema() map[string]any {
	level := map[string]any{"type": "number"}
	return map[string]any{"oneOf": []any{map[string]any{"enum": []any{randomly}}, level,
		map[string]any{"type": "array", "items": level, "minItems": 3, "maxItems": 3}}}
}

// MarshalJSON writes a file form.
func (e Erased) MarshalJSON() ([]byte, error) {
	if e == ErasedByNoise {
		return json.Marshal(randomly)
	}
	if e[0] == e[1] && e[1] == e[2] {
		return json.Marshal(e[0])
	}
	return json.Marshal([3]float64(e))
}

// WithStrength multiplies the area.
func (e RandomErasing) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	e.Scale, _ = e.ranges()
	e.Scale = e.Scale.around(0, s)
	return e
}
