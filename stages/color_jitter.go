package stages

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/colour"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// ColorJitter changes the brightness, contrast, saturation and hue of a uint8 picture
// of height x width x 3 by random amounts, in random order: exactly what torchvision's
// ColorJitter does to a Pillow image. Each of the four rounds to uint8, as Pillow does.
//
// Brightness multiplies. Contrast blends with the mean grey of the picture, as the
// adjustments before it left it. Saturation blends each pixel with its own grey. Hue
// rotates the hue of Pillow's HSV, in steps of 1/255 of the circle. Draws: the order
// of those that are on, then the amounts of brightness, contrast, saturation, hue.
type ColorJitter struct {
	Brightness Factor      `sluice:"brightness" doc:"range of the factor, 1 changes nothing; a number b stands for [max(0, 1-b), 1+b] (default: off)"`
	Contrast   Factor      `sluice:"contrast" doc:"as brightness; 0 is the mean grey everywhere (default: off)"`
	Saturation Factor      `sluice:"saturation" doc:"as brightness; 0 removes all colour (default: off)"`
	Hue        Range       `sluice:"hue,symmetric" doc:"range of the hue rotation, -0.5 to 0.5 of the circle; a number h stands for [-h, h] (default: off)"`
	P          Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

// Factor is the range of a random factor, uniform on [Min, Max); the zero value
// is off, as is [1, 1]. In files: two numbers, or one, as for Around.
type Factor [2]float64

// Around is the range of factors that differ from 1 by at most the spread, and
// are not negative.
func Around(spread float64) Factor { return Factor{max(0, 1-spread), 1 + spread} }

// Adjustment is one of the four things that ColorJitter changes.
type Adjustment string

// The adjustments.
const (
	Brightness Adjustment = "brightness"
	Contrast   Adjustment = "contrast"
	Saturation Adjustment = "saturation"
	Hue        Adjustment = "hue"
)

// ColorJitterParams is the order of the adjustments, and their amounts: factors, and
// the hue's rotation as a share of the circle. Those not in Order are 1, or 0 for the
// hue.
type ColorJitterParams struct {
	Order      []Adjustment `json:"order"`
	Brightness float64      `json:"brightness"`
	Contrast   float64      `json:"contrast"`
	Saturation float64      `json:"saturation"`
	Hue        float64      `json:"hue"`
}

// String says what is done, in its order: "hue -0.031, then contrast 1.2".
func (p *ColorJitterParams) String() string {
	value := map[Adjustment]float64{Brightness: p.Brightness, Contrast: p.Contrast, Saturation: p.Saturation, Hue: p.Hue}
	var list []string
	for _, a := range p.Order {
		sign := ""
		if a == Hue && p.Hue > 0 {
			sign = "+"
		}
		list = append(list, fmt.Sprintf("%s %s%.3g", a, sign, value[a]))
	}
	return strings.Join(list, ", then ")
}

// Name is the stage's name in pipeline files.
func (ColorJitter) Name() string { return "color_jitter" }

// Version of the algorithm.
func (ColorJitter) Version() int { return 1 }

// Check reports impossible options.
func (c ColorJitter) Check() error {
	errs := []error{c.Brightness.check("brightness"), c.Contrast.check("contrast"), c.Saturation.check("saturation"),
		c.Hue.check("hue"), c.P.check("p")}
	if c.Hue[0] < -0.5 || c.Hue[1] > 0.5 {
		errs = append(errs, errorf("hue", "[%g, %g] is not within -0.5 to 0.5: half of the circle either way is all of it",
			c.Hue[0], c.Hue[1]))
	}
	if errlist.Join(errs...) == nil && len(c.on(nil)) == 0 {
		errs = append(errs, errorf("brightness", "nothing to do: give brightness, contrast or saturation such as 0.4, "+
			"or hue such as 0.1, or leave the stage out"))
	}
	return errlist.Join(errs...)
}

// on appends to a list the adjustments whose range is more than the one value that
// changes nothing.
func (c ColorJitter) on(list []Adjustment) []Adjustment {
	for i, f := range []Factor{c.Brightness, c.Contrast, c.Saturation} {
		if f.on() {
			list = append(list, []Adjustment{Brightness, Contrast, Saturation}[i])
		}
	}
	if c.Hue != (Range{}) {
		list = append(list, Hue)
	}
	return list
}

// Draw draws the order, then the amounts.
func (c ColorJitter) Draw(row *Row) (Params, error) {
	if c.P.skips(row.Rand) {
		return nil, nil
	}
	var p ColorJitterParams
	if used, ok := row.Recycled.(*ColorJitterParams); ok {
		p.Order = used.Order[:0]
	}
	p.Order = c.on(p.Order)
	for i := len(p.Order) - 1; i > 0; i-- { // Fisher-Yates
		j := row.Rand.IntN(i + 1)
		p.Order[i], p.Order[j] = p.Order[j], p.Order[i]
	}
	p.Brightness, p.Contrast, p.Saturation = c.Brightness.draw(row.Rand), c.Contrast.draw(row.Rand), c.Saturation.draw(row.Rand)
	if c.Hue != (Range{}) {
		p.Hue = c.Hue.draw(row.Rand)
	}
	return Recycle(row, p), nil
}

// Output is the input's type.
func (c ColorJitter) Output(in schema.Tensor) (schema.Tensor, error) { return in, CheckWarpable(in) }

// Map makes one adjustment after the other.
func (c ColorJitter) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(c, params, in)
}

// partBytes of pixels stay in the processor's nearest cache from one adjustment to the next.
const partBytes = 16 << 10 / 96 * 96

// Edit is Map, in place. Contrast waits for the mean of what the adjustments before it made.
func (c ColorJitter) Edit(params Params, pic *schema.Picture) {
	p := params.(*ColorJitterParams)
	mean, pixels := 0, max(len(pic.U8)/3, 1)
	if len(p.Order) > 0 && p.Order[0] == Contrast {
		mean = halfUp(greys(pic.U8), pixels)
	}
	for todo := p.Order; len(todo) > 0; {
		n := 1
		for n < len(todo) && todo[n] != Contrast {
			n++
		}
		sum := 0
		for part := range slices.Chunk(pic.U8, partBytes) {
			for _, a := range todo[:n] {
				p.change(a, mean, part)
			}
			if n < len(todo) {
				sum += greys(part)
			}
		}
		mean, todo = halfUp(sum, pixels), todo[n:]
	}
}

// EditBytes is nothing to speak of.
func (ColorJitter) EditBytes(Params, int, int) int64 { return 0 }

// MapPixels is all of Map where the contrast doesn't change, and a function of each
// channel where only the brightness does.
func (c ColorJitter) MapPixels(params Params) (point PixelFunc, ok bool) {
	p := params.(*ColorJitterParams)
	point.Separate = true
	for _, a := range p.Order {
		if a == Contrast {
			return PixelFunc{}, false
		}
		point.Separate = point.Separate && a == Brightness
	}
	point.Map = func(levels [3]float32) [3]float32 {
		rgb := [3]uint8{uint8(levels[0]), uint8(levels[1]), uint8(levels[2])}
		for _, a := range p.Order {
			p.adjust(a, 0, rgb[:])
		}
		return [3]float32{float32(rgb[0]), float32(rgb[1]), float32(rgb[2])}
	}
	point.Row = func(pixels []uint8) {
		for _, a := range p.Order {
			p.change(a, 0, pixels)
		}
	}
	return point, true
}

// adjust makes one adjustment of pixels of a picture with that mean grey:
// adjust_brightness, adjust_contrast, adjust_saturation and adjust_hue of
// torchvision.transforms.functional_pil.
func (p *ColorJitterParams) adjust(a Adjustment, mean int, pixels []uint8) {
	switch a {
	case Brightness:
		towards(pixels, 0, float32(p.Brightness))
	case Contrast:
		towards(pixels, mean, float32(p.Contrast))
	case Saturation:
		for ; len(pixels) >= 3; pixels = pixels[3:] {
			towards(pixels[:3], grey([3]uint8(pixels)), float32(p.Saturation))
		}
	case Hue:
		turn := p.turn()
		for ; len(pixels) >= 3; pixels = pixels[3:] {
			h, s, v := hsv([3]uint8(pixels))
			*(*[3]uint8)(pixels) = fromHSV(h+turn, s, v)
		}
	}
}

// turn is the hue's rotation in 255ths of the circle: truncated, and modulo 256, as
// numpy converts a float to uint8.
func (p *ColorJitterParams) turn() uint8 { return uint8(int(float64(p.Hue * 255))) }

// towards blends values with a level.
func towards(values []uint8, level int, factor float32) {
	for i, v := range values {
		values[i] = blend(level, int(v), factor)
	}
}

// blend is a where the factor is 0 and b where it is 1, rounded towards 0 and
// clamped: ImagingBlend of Pillow's Blend.c, in float32.
func blend(a, b int, factor float32) uint8 {
	v := float32(a) + float32(factor*float32(b-a))
	switch {
	case v <= 0:
		return 0
	case v >= 255:
		return 255
	}
	return uint8(v)
}

// grey is L24 of Pillow's Convert.c: ITU-R 601-2 luma, to 16 bits, rounded half up.
func grey(rgb [3]uint8) int {
	return (19595*int(rgb[0]) + 38470*int(rgb[1]) + 7471*int(rgb[2]) + 1<<15) >> 16
}

// greys adds up the greys of pixels.
func greys(pixels []uint8) int {
	sum, ok := colour.Greys(pixels)
	if !ok {
		for ; len(pixels) >= 3; pixels = pixels[3:] {
			sum += grey([3]uint8(pixels))
		}
	}
	return sum
}

// halfUp is a sum's mean, rounded half up, as in Pillow's ImageEnhance.Contrast.
func halfUp(sum, n int) int { return (2*sum + n) / (2 * n) }

// hsv is rgb2hsv_row of Pillow's Convert.c: its variables are float32, what is
// computed between assignments is float64. A hue of 255 is the whole circle.
func hsv(rgb [3]uint8) (h, s, v uint8) {
	r, g, b := rgb[0], rgb[1], rgb[2]
	most, least := max(r, g, b), min(r, g, b)
	if most == least {
		return 0, 0, most
	}
	span := float32(most - least)
	from := func(channel uint8) float64 { return float64(float32(most-channel) / span) }
	var sector float32
	switch most {
	case r:
		sector = float32(from(b) - from(g))
	case g:
		sector = float32(2 + from(r) - from(b))
	default:
		sector = float32(4 + from(g) - from(r))
	}
	turn := float64(sector)/6 + 1 // in 5/6 .. 11/6; the circle is 0..1
	if turn >= 1 {
		turn--
	}
	hue, saturation := float64(float32(turn)), float64(span/float32(most))
	return uint8(float64(hue * 255)), uint8(float64(saturation * 255)), most
}

// fromHSV is hsv2rgb of Pillow's Convert.c.
func fromHSV(h, s, v uint8) [3]uint8 {
	if s == 0 {
		return [3]uint8{v, v, v}
	}
	place := float64(h) * 6 / 255
	sector := int(place) // 0..6
	fraction, saturation := float32(place-float64(sector)), float32(float64(s)/255)
	level := func(share float64) uint8 { return uint8(math.Round(float64(float64(v) * (1 - share)))) }
	p := level(float64(saturation))
	q := level(float64(float32(saturation * fraction)))
	t := level(float64(float64(saturation) * (1 - float64(fraction))))
	switch sector % 6 {
	case 0:
		return [3]uint8{v, t, p}
	case 1:
		return [3]uint8{q, v, p}
	case 2:
		return [3]uint8{p, v, t}
	case 3:
		return [3]uint8{p, q, v}
	case 4:
		return [3]uint8{t, p, v}
	}
	return [3]uint8{v, p, q}
}

// on reports whether a range is more than the factor 1.
func (f Factor) on() bool { return f != Factor{} && f != Factor{1, 1} }

// draw is uniform on the range, and 1 without a draw where it is off.
func (f Factor) draw(rand *Rand) float64 {
	if !f.on() {
		return 1
	}
	return Range(f).draw(rand)
}

func (f Factor) check(option string) error {
	if f[0] < 0 {
		return errorf(option, "the factor %g is negative: give at least 0; 1 changes nothing", f[0])
	}
	return Range(f).check(option)
}

// SetOption reads [min, max], or b for Around(b).
func (f *Factor) SetOption(v any) error {
	if b, ok := number(v); ok {
		if !(b >= 0) {
			return fmt.Errorf("%g is negative: b stands for [max(0, 1-b), 1+b]; for a range give [min, max]", b)
		}
		*f = Around(b)
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return fmt.Errorf("want one number b for [max(0, 1-b), 1+b], or two [min, max], have %s", options.Have(v))
	}
	for i, item := range list {
		n, ok := number(item)
		if !ok {
			return fmt.Errorf("want one number b for [max(0, 1-b), 1+b], or two [min, max], have %s", options.Have(v))
		}
		f[i] = n + 0 // -0 is 0: equal options have equal bytes
	}
	if *f == (Factor{}) { // which in Go stands for off
		return errors.New("[0, 0] would stand for off: for the factor 0 in every draw give [0, 1e-9]")
	}
	return nil
}

// OptionSchema describes the file form.
func (Factor) OptionSchema() map[string]any {
	level := map[string]any{"type": "number", "minimum": 0}
	return map[string]any{"oneOf": []any{level,
		map[string]any{"type": "array", "items": level, "minItems": 2, "maxItems": 2}}}
}
