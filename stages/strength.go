package stages

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/errlist"
)

// Strength says how much a stage does to a row: a factor that depends on the number of samples
// of the row's class, or on how often its sample was drawn before.
//
//	class_count  From for the class with the most samples, To for that with the fewest, of
//	             those that have any; between, linear in the logarithm of the number. A row
//	             without a class has From. Of an image with several classes it is the one that
//	             the fewest images have.
//	repeat       From for the first draw of a sample in a run, To for the draw after Over
//	             others and for all later ones; between, linear in their number. It is counted
//	             over all epochs and ranks by the sampler, so it is the same however a run
//	             is divided or resumed.
//
// A stage of strength s has the bytes of one declared with options that are s times as far
// from those that change nothing (Adjustable): rotate by [-30, 30] at 0.5 is rotate by
// [-15, 15]. Of p, it is the stage with s times the probability, at most 1.
type Strength struct {
	By   StrengthBy `sluice:"by" doc:"what decides: class_count, the samples of the row's class, or repeat, how often its sample was drawn before"`
	From float64    `sluice:"from" doc:"strength for the class with the most samples, or for a sample's first draw (default 0)"`
	To   float64    `sluice:"to" doc:"strength for the class with the fewest samples, or after so many draws as over says (default 0)"`
	Over int        `sluice:"over,positive" doc:"with repeat: the draws of a sample after which its strength is that of to (default 10)"`
	Of   StrengthOf `sluice:"of" doc:"what is multiplied: amounts, the ranges of what is drawn, or p, the share of the draws (default: amounts where the stage has them)"`
	Task string     `sluice:"task" doc:"with class_count: the task whose classes are counted (default: the only one); boxes: the classes of the objects"`
}

// StrengthBy is what decides about a strength.
type StrengthBy string

// What may decide.
const (
	ByClassCount StrengthBy = "class_count"
	ByRepeat     StrengthBy = "repeat"
)

// Values lists them.
func (StrengthBy) Values() []string { return []string{string(ByClassCount), string(ByRepeat)} }

// StrengthOf is what a strength multiplies; "" is amounts, and p of a stage without any.
type StrengthOf string

// What may be multiplied.
const (
	OfAmounts StrengthOf = "amounts"
	OfP       StrengthOf = "p"
)

// Values lists them.
func (StrengthOf) Values() []string { return []string{string(OfAmounts), string(OfP)} }

const (
	defaultOver  = 10
	mostStrength = 100
	mostOver     = 1 << 16
)

// SetOption reads a map of the fields.
func (s *Strength) SetOption(v any) error {
	return setEach(s, v, "{by: class_count, from: 0.5, to: 1.5}")
}

// OptionSchema describes the file form.
func (Strength) OptionSchema() map[string]any { return eachSchema(Strength{}) }

func (s Strength) check() error {
	var errs []error
	bad := func(option, format string, args ...any) {
		errs = append(errs, errorf("strength", option+": "+format, args...))
	}
	if s.By == "" {
		bad("by", "missing: give one of %s", strings.Join(s.By.Values(), ", "))
	} else if err := oneOf("by", s.By); err != nil {
		errs = append(errs, errorf("strength", "%v", err))
	}
	if err := oneOf("of", s.Of); err != nil {
		errs = append(errs, errorf("strength", "%v", err))
	}
	for i, f := range []float64{s.From, s.To} {
		if !(f >= 0 && f <= mostStrength) {
			bad([]string{"from", "to"}[i], "%v is not in 0..%d: 0 changes nothing, 1 is the stage as it is declared", f, mostStrength)
		}
	}
	if s.From == 0 && s.To == 0 {
		bad("from", "from and to are 0: the stage would do nothing; leave it out")
	}
	switch {
	case s.Over != 0 && s.By == ByClassCount:
		bad("over", "only repeat needs it")
	case s.Over < 0 || s.Over > mostOver:
		bad("over", "%d is not in 1..%d", s.Over, mostOver)
	}
	if s.Task != "" && s.By == ByRepeat {
		bad("task", "only class_count needs it")
	}
	return errlist.Join(errs...)
}

// OfClass is the strength for a class of n samples, where the classes have most and fewest; n
// is -1 for a row without a class.
func (s Strength) OfClass(n, most, fewest int64) float64 {
	if n < 0 || most <= fewest {
		return s.From
	}
	n = min(max(n, fewest), most)
	share := detmath.Log(float64(most)/float64(n)) / detmath.Log(float64(most)/float64(fewest))
	return s.between(share)
}

// OfRepeat is the strength for a sample that was drawn so often before.
func (s Strength) OfRepeat(before int64) float64 {
	return s.between(float64(min(before, int64(s.Repeats()))) / float64(s.Repeats()))
}

// Repeats is Over, or its default.
func (s Strength) Repeats() int {
	if s.Over == 0 {
		return defaultOver
	}
	return s.Over
}

func (s Strength) between(share float64) float64 {
	if share >= 1 {
		return s.To
	}
	return s.From + float64((s.To-s.From)*share)
}

// Adjustable is a stage whose amounts have a strength.
type Adjustable interface {
	PictureStage
	// WithStrength is the stage with each option s times as far from the value that changes
	// nothing as it is; nil if nothing is left to do. 1 is the stage itself. Options that no
	// stage can have are for Check to report.
	WithStrength(s float64) Stage
}

// AtStrength is the stage with a strength; nil if nothing is left to do.
func (w When) AtStrength(s float64) Stage {
	if w.ofAmounts() {
		return w.Stage.(Adjustable).WithStrength(s)
	}
	return withP(w.Stage, s)
}

// ofAmounts reports whether amounts are multiplied.
func (w When) ofAmounts() bool {
	_, ok := w.Stage.(Adjustable)
	return ok && w.Strength.Of != OfP || w.Strength.Of == OfAmounts
}

func (w When) checkStrength() error {
	if _, ok := w.Stage.(Adjustable); w.ofAmounts() && !ok {
		return errorf("strength", "%s has no amounts: of: amounts is for %s", w.Name(), strings.Join(adjustable(), ", "))
	}
	if _, ok := probability(w.Stage); !w.ofAmounts() && !ok {
		return errorf("strength", "%s has no strength: %s have amounts, and of: p is for stages with the option p", w.Name(), strings.Join(adjustable(), ", "))
	}
	if w.Stage.Check() != nil || w.Strength.check() != nil {
		return nil // reported already
	}
	var errs []error
	for _, s := range []float64{w.Strength.From, w.Strength.To} {
		if stage := w.AtStrength(s); stage != nil {
			for _, err := range errlist.Split(stage.Check()) {
				errs = append(errs, errorf("strength", "at %g: %v", s, err))
			}
		}
	}
	return errors.Join(errs...)
}

// adjustable names the catalogue's stages that have amounts.
func adjustable() (names []string) {
	for _, e := range Catalog {
		if s, ok := e.New().(Adjustable); ok {
			names = append(names, s.Name())
		}
	}
	return names
}

// probability is the field of a stage's option p.
func probability(stage Stage) (at int, ok bool) {
	t := reflect.TypeOf(stage)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return 0, false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("sluice"), ",")
		if name == "p" && f.Type == reflect.TypeFor[Probability]() {
			return i, true
		}
	}
	return 0, false
}

// withP is a stage with s times its probability, at most 1; nil if that is 0.
func withP(stage Stage, s float64) Stage {
	at, ok := probability(stage)
	if !ok {
		panic(fmt.Sprintf("stages: %T has no option p", stage))
	}
	v := reflect.ValueOf(stage)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	p := v.Field(at).Float()
	if p == 0 {
		p = 1
	}
	if p = math.Min(1, float64(p*s)); p == 0 {
		return nil
	}
	other := reflect.New(v.Type()).Elem()
	other.Set(v)
	other.Field(at).SetFloat(p)
	if out, ok := other.Interface().(Stage); ok {
		return out
	}
	return other.Addr().Interface().(Stage)
}

// around is a range s times as far from the value that changes nothing.
func (r Range) around(nothing, s float64) Range {
	if s == 1 { // exactly
		return r
	}
	for i, f := range r {
		r[i] = nothing + float64((f-nothing)*s)
	}
	return r
}

// around is a range of factors s times as far from 1, and not below 0.
func (f Factor) around(s float64) Factor {
	if !f.on() {
		return f
	}
	r := Range(f).around(1, s)
	return Factor{max(0, r[0]), max(0, r[1])}
}

// WithStrength multiplies the angles.
func (r Rotate) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	r.Degrees = r.Degrees.around(0, s)
	return r
}

// WithStrength multiplies angles, shares and shears, and what a scale differs from 1 by.
func (a Affine) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	a.Degrees = a.Degrees.around(0, s)
	for i := range a.Translate {
		a.Translate[i] = float64(a.Translate[i] * s)
	}
	if a.Scale != (Range{}) {
		a.Scale = a.Scale.around(1, s)
	}
	for i := range a.Shear {
		a.Shear[i] = float64(a.Shear[i] * s)
	}
	return a
}

// WithStrength multiplies how far a corner may move.
func (p Perspective) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	if p.DistortionScale == 0 {
		p.DistortionScale = 0.5
	}
	p.DistortionScale = float64(p.DistortionScale * s)
	return p
}

// WithStrength multiplies what factors differ from 1 by, and the hue's rotation.
func (c ColorJitter) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	c.Brightness, c.Contrast, c.Saturation = c.Brightness.around(s), c.Contrast.around(s), c.Saturation.around(s)
	c.Hue = c.Hue.around(0, s)
	return c
}

// WithStrength multiplies what powers differ from 1 by.
func (g Gamma) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	if g.Range == (Range{}) {
		g.Range = defaultGamma
	}
	g.Range = g.Range.around(1, s)
	return g
}

// WithStrength multiplies what the window's share of the area differs from 1 by, at most to an
// area of almost nothing. At 0 the window is the largest one whose shape is in ratio.
func (c RandomResizedCrop) WithStrength(s float64) Stage {
	scale, _ := c.ranges()
	scale = scale.around(1, s)
	c.Scale = Range{max(1e-3, scale[0]), max(1e-3, scale[1])}
	return c
}

// WithStrength multiplies what the canvas is larger by.
func (z RandomZoomOut) WithStrength(s float64) Stage {
	if s == 0 {
		return nil
	}
	z.SideRange = z.sides().around(1, s)
	return z
}

// WithStrength multiplies what the scale differs from 1 by.
func (j ScaleJitter) WithStrength(s float64) Stage {
	j.Range = j.scales().around(1, s)
	return j
}
