package stages

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// Option types in pipeline files: a type that implements SetOption takes the
// decoded YAML value (int64, float64, string, bool, []any, map[string]any), and
// OptionSchema says in JSON Schema what it accepts.

// Range is an interval of a random option, uniform on [Min, Max). In files: two
// numbers, or one number where the option says what it stands for.
type Range [2]float64

// SetOption reads [min, max].
func (r *Range) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return fmt.Errorf("want two numbers [min, max], have %s", options.Have(v))
	}
	for i, item := range list {
		f, ok := number(item)
		if !ok {
			return fmt.Errorf("want two numbers [min, max], have %s", options.Have(v))
		}
		r[i] = f + 0 // -0 is 0: equal options have equal bytes
	}
	if *r == (Range{}) { // which in Go stands for the default
		return errors.New("the range [0, 0] contains only 0")
	}
	return nil
}

// SetSymmetric reads a single number d as [-d, d], as torchvision's degrees.
func (r *Range) SetSymmetric(d float64) { *r = Range{0 - d, d} } // 0 - 0 is 0, not -0

// OptionSchema describes the file form.
func (Range) OptionSchema() map[string]any {
	return map[string]any{"type": "array", "items": map[string]any{"type": "number"}, "minItems": 2, "maxItems": 2}
}

func (r Range) check(option string) error {
	for _, f := range r {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return errorf(option, "%v is not a number", f)
		}
	}
	if r[0] > r[1] {
		return errorf(option, "the range [%g, %g] is empty: write [%g, %g]", r[0], r[1], r[1], r[0])
	}
	return nil
}

// draw is uniform on the range.
func (r Range) draw(rand *Rand) float64 { return rand.Uniform(r[0], r[1]) }

// Extent is a length along one side of a picture: below 1 a share of the side,
// otherwise whole pixels. In files a float is a share and an integer pixels.
type Extent float64

// SetOption tells 0.5 from 224, and 1 from 1.0, by the value's type.
func (e *Extent) SetOption(v any) error {
	switch n := v.(type) {
	case int64:
		*e = Extent(n)
		return nil
	case float64:
		if n > 0 && n < 1 {
			*e = Extent(n)
			return nil
		}
		return fmt.Errorf("%v: a share is between 0 and 1, pixels are whole: write an integer for pixels", v)
	}
	return fmt.Errorf("want a share such as 0.5 or whole pixels such as 224, have %s", options.Have(v))
}

// OptionSchema describes the file form.
func (Extent) OptionSchema() map[string]any {
	return map[string]any{"type": "number", "exclusiveMinimum": 0}
}

func (e Extent) check(option string) error {
	f := float64(e)
	if math.IsNaN(f) || f <= 0 || f >= 1 && f != math.Floor(f) || f > maxSide {
		return errorf(option, "%v is neither a share between 0 and 1 nor whole pixels", f)
	}
	return nil
}

// pixels is the extent in pixels along a side: floor(side * share), at least 1.
func (e Extent) pixels(side int) int {
	if e >= 1 {
		return int(e)
	}
	return max(1, int(share(side, float64(e))))
}

// fixed is the extent where it doesn't depend on the side, 0 otherwise.
func (e Extent) fixed(side int) int {
	if e >= 1 || side > 0 {
		return e.pixels(side)
	}
	return 0
}

// share is floor(side * s), where a product that misses a whole number by its last
// bit (0.29 * 100) counts as whole.
func share(side int, s float64) float64 {
	return math.Floor(float64(float64(side)*s) + 1e-9)
}

// Probability is the chance that a stage acts on a row; 0 in Go stands for 1.
type Probability float64

func (p Probability) check(option string) error {
	if math.IsNaN(float64(p)) || p < 0 || p > 1 {
		return errorf(option, "%v is not a probability: give a number in (0, 1]", float64(p))
	}
	return nil
}

// skips draws whether the stage leaves a row alone. Nothing is drawn where the answer
// is certain.
func (p Probability) skips(rand *Rand) bool {
	return p > 0 && p < 1 && rand.Float64() >= float64(p)
}

// certain reports whether the stage acts on every row.
func (p Probability) certain() bool { return p == 0 || p == 1 }

// output is the output type of a stage that turns in into out with this probability:
// a side that it would change varies from row to row.
func (p Probability) output(in, out schema.Tensor) schema.Tensor {
	if p.certain() {
		return out
	}
	if out.Height != in.Height {
		out.Height = 0
	}
	if out.Width != in.Width {
		out.Width = 0
	}
	return out
}

// OnOff is a switch that is on unless it is turned off. In files: true or false.
type OnOff uint8

// The states of a switch.
const (
	On OnOff = iota
	Off
)

// SetOption reads true or false.
func (o *OnOff) SetOption(v any) error {
	on, ok := v.(bool)
	if !ok {
		return fmt.Errorf("want true or false, have %s", options.Have(v))
	}
	*o = Off
	if on {
		*o = On
	}
	return nil
}

// OptionSchema describes the file form.
func (OnOff) OptionSchema() map[string]any { return map[string]any{"type": "boolean"} }

// MarshalJSON writes the file form.
func (o OnOff) MarshalJSON() ([]byte, error) { return json.Marshal(o == On) }

// Color is RGB, 0..255. In files: one number for a grey, or [r, g, b].
type Color [3]uint8

// SetOption reads a grey value or three channels.
func (c *Color) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v, v, v}
	}
	if len(list) != 3 {
		return fmt.Errorf("want a grey value or [r, g, b], have %s", options.Have(v))
	}
	for i, item := range list {
		f, ok := number(item)
		if !ok || f != math.Floor(f) || f < 0 || f > 255 {
			return fmt.Errorf("want whole numbers 0 to 255, one or three, have %s", options.Have(v))
		}
		c[i] = uint8(f)
	}
	return nil
}

// OptionSchema describes the file form.
func (Color) OptionSchema() map[string]any {
	level := map[string]any{"type": "integer", "minimum": 0, "maximum": 255}
	return map[string]any{"oneOf": []any{level,
		map[string]any{"type": "array", "items": level, "minItems": 3, "maxItems": 3}}}
}

// The names of interpolations, for Interpolation and ResizeInterpolation.
const (
	Nearest  = "nearest"
	Bilinear = "bilinear"
	Bicubic  = "bicubic"
	Lanczos  = "lanczos"
	Box      = "box"
)

// Interpolation is how values between pixels are found; "" is the stage's default.
type Interpolation string

// Values lists the interpolations.
func (Interpolation) Values() []string { return []string{Nearest, Bilinear} }

// ResizeInterpolation is the filter of a resize; "" is bilinear.
type ResizeInterpolation string

// Values lists the filters.
func (ResizeInterpolation) Values() []string {
	return []string{Nearest, Bilinear, Bicubic, Lanczos, Box}
}

// filterOr is an interpolation as a filter of internal/warp.
func filterOr[E enumeration](i E, otherwise warp.Filter) warp.Filter {
	if i == "" {
		return otherwise
	}
	return warp.Filter(i)
}

// resizeFilter describes the filter of a resize.
func resizeFilter(i ResizeInterpolation, antialias OnOff) string {
	text := string(filterOr(i, warp.Bilinear))
	if antialias == Off {
		text += " without antialiasing"
	}
	return text
}

// enumeration is an option that is one of a few words.
type enumeration interface {
	~string
	Values() []string
}

// oneOf reports a word that is not one of an enumeration; "" is its default.
func oneOf[E enumeration](option string, value E) error {
	if value == "" || slices.Contains(value.Values(), string(value)) {
		return nil
	}
	return errorf(option, "%q is none of %s", string(value), strings.Join(value.Values(), ", "))
}

// checkSides reports sides that are missing or given in two ways.
func checkSides(size, height, width bool) error {
	switch {
	case size && (height || width):
		return errorf("size", "give either size, or height and width")
	case !size && !height && !width:
		return errorf("size", "missing: give size, or height and width")
	case !size && !height:
		return errorf("height", "missing: width is given; for one length give size")
	case !size && !width:
		return errorf("width", "missing: height is given; for one length give size")
	}
	return nil
}

// checkExtents and checkPixels report impossible sides; 0 is a side not given.
func checkExtents(size, height, width Extent) error {
	var errs []error
	for i, e := range []Extent{size, height, width} {
		if e != 0 {
			errs = append(errs, e.check([]string{"size", "height", "width"}[i]))
		}
	}
	return errlist.Join(errs...)
}

const maxSide = 1 << 20

func checkPixels(size, height, width int) error {
	var errs []error
	for i, n := range []int{size, height, width} {
		if n < 0 || n > maxSide {
			errs = append(errs, errorf([]string{"size", "height", "width"}[i], "%d pixels: give 1 to %d", n, maxSide))
		}
	}
	if len(errs) == 0 {
		if size > 0 {
			height, width = size, size
		}
		errs = append(errs, checkArea(height, width, "size"))
	}
	return errlist.Join(errs...)
}

// checkArea refuses absurdly large output before it is allocated.
func checkArea(height, width int, option string) error {
	if height > defaultMaxPixels || width > defaultMaxPixels || int64(height)*int64(width) > defaultMaxPixels {
		return errorf(option, "the result would be %dx%d (width x height), more than %d pixels", width, height, defaultMaxPixels)
	}
	return nil
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}
