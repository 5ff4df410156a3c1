package stages

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
)

// When is a stage with conditions, and with a strength of its own for each row. A row for
// which a condition doesn't hold passes the stage as it is; nothing is drawn for it, and what
// other rows and other stages draw stays the same. In pipeline files its fields stand beside
// the stage's options:
//
//   - rotate: {degrees: 30, when: {class_count: {below: 100}, epochs: [0, 90]}}
//   - color_jitter: {brightness: 0.4, strength: {by: class_count, from: 0.5, to: 1.5}}
//
// Conditions stand on stages that work on pictures and on weighers, epochs also on mixers. A stage that changes the
// type of pictures, such as to_tensor, takes none; where it changes their size, sizes vary
// behind it. A strength stands on stages that are Adjustable, or have an option p.
type When struct {
	Stage      Stage
	ClassCount ClassCount `sluice:"class_count" doc:"act where the row's class has so few or so many samples: {below: 100}, {at_least: 20}, or both"`
	Epochs     EpochSpan  `sluice:"epochs" doc:"act in these epochs, counted from 0: [first, past the last]; negative numbers count from the end of the run, null is its end: [0, -10] leaves the last ten out"`
	Strength   Strength
}

// Name is the stage's.
func (w When) Name() string { return w.Stage.Name() }

// Version is the stage's.
func (w When) Version() int { return w.Stage.Version() }

// Check reports impossible conditions and strengths, and impossible options of the stage, also
// at the ends of its strengths.
func (w When) Check() error { return errlist.Join(w.Stage.Check(), w.CheckConditions()) }

// CheckConditions is Check without the stage's own options.
func (w When) CheckConditions() error {
	errs := []error{w.ClassCount.check(), w.Epochs.check()}
	switch w.Stage.(type) {
	case PictureStage, Weigher:
	case MixStage:
		if w.ClassCount != (ClassCount{}) || w.Strength != (Strength{}) {
			errs = append(errs, errorf("when", "%s mixes rows of several classes: of conditions it takes epochs alone", w.Name()))
		}
		return errlist.Join(errs...)
	default:
		errs = append(errs, errorf("when", "%s takes no conditions: they stand on stages that work on pictures, and on class_weights", w.Name()))
	}
	if w.Strength != (Strength{}) {
		errs = append(errs, w.Strength.check(), w.checkStrength())
	}
	return errlist.Join(errs...)
}

// Conditional reports whether there are rows that the stage may leave alone.
func (w When) Conditional() bool { return w.ClassCount != ClassCount{} || w.Epochs != EpochSpan{} }

// ClassCount is a condition on the number of samples of a row's class: of those that filter and
// take leave, before any rebalancing. Of images with several classes (boxes, or a task of
// several labels) it is the class that the fewest images have. It doesn't hold for a row
// without a class.
type ClassCount struct {
	Below   int64  `sluice:"below,positive" json:"below,omitempty" doc:"the class has fewer samples"`
	AtLeast int64  `sluice:"at_least,positive" json:"at_least,omitempty" doc:"the class has as many samples, or more"`
	Task    string `sluice:"task" json:"task,omitempty" doc:"the task whose classes are counted (default: the only one); boxes: the classes of the objects"`
}

// Holds reports whether a class of so many samples meets the condition.
func (c ClassCount) Holds(samples int64) bool {
	return samples >= c.AtLeast && (c.Below == 0 || samples < c.Below)
}

// SetOption reads {below: number, at_least: number, task: name}.
func (c *ClassCount) SetOption(v any) error {
	if err := setEach(c, v, "{below: 100}"); err != nil {
		return err
	}
	if *c == (ClassCount{}) || c.Below == 0 && c.AtLeast == 0 {
		return errors.New("give below, at_least or both")
	}
	return nil
}

// OptionSchema describes the file form.
func (ClassCount) OptionSchema() map[string]any { return eachSchema(ClassCount{}) }

func (c ClassCount) check() error {
	switch {
	case c == ClassCount{}:
		return nil
	case c.Below < 0 || c.AtLeast < 0:
		return errorf("when", "class_count: a number of samples is negative")
	case c.Below == 0 && c.AtLeast == 0:
		return errorf("when", "class_count: give below, at_least or both")
	case c.Below > 0 && c.AtLeast >= c.Below:
		return errorf("when", "class_count: no class has fewer than %d samples and at least %d", c.Below, c.AtLeast)
	}
	return nil
}

// EpochSpan is the first epoch and the one past the last, counted from 0. Negative ones count
// from the end of the run; a second one of 0 is the end. The zero value is all epochs.
type EpochSpan [2]int

// SetOption reads [first, past], where past may be null: to the end.
func (e *EpochSpan) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return fmt.Errorf("want [first, past the last], such as [0, 90], [0, -10] or [10, null], have %s", options.Have(v))
	}
	for i, item := range list {
		f, isNumber := number(item)
		switch {
		case item == nil && i == 1:
			f = 0
		case !isNumber || f != math.Trunc(f) || math.Abs(f) > 1<<31-1:
			return fmt.Errorf("want whole numbers, [first, past the last], have %s", options.Have(item))
		case i == 1 && f == 0:
			return errors.New("no epoch is before 0: write null for the end of the run")
		}
		e[i] = int(f)
	}
	if *e == (EpochSpan{}) {
		return errors.New("these are all epochs: leave it out")
	}
	return nil
}

// OptionSchema describes the file form.
func (EpochSpan) OptionSchema() map[string]any {
	return map[string]any{"type": "array", "items": map[string]any{"type": []any{"integer", "null"}}, "minItems": 2, "maxItems": 2}
}

// MarshalJSON writes the file form.
func (e EpochSpan) MarshalJSON() ([]byte, error) {
	if e[1] == 0 {
		return fmt.Appendf(nil, "[%d,null]", e[0]), nil
	}
	return fmt.Appendf(nil, "[%d,%d]", e[0], e[1]), nil
}

func (e EpochSpan) check() error {
	first, past := e[0], e[1]
	if sameSide := (first < 0) == (past < 0); past != 0 && sameSide && first >= past {
		return errorf("when", "epochs: [%d, %d] is empty: the second number is the epoch after the last", first, past)
	}
	return nil
}

// FromEnd reports whether it counts from the end of the run.
func (e EpochSpan) FromEnd() bool { return e[0] < 0 || e[1] < 0 }

// Of is the same span of a run of so many epochs, counted from 0: nothing in it is negative.
// [1, 1] is no epoch.
func (e EpochSpan) Of(epochs int) EpochSpan {
	first, past := e[0], e[1]
	if first < 0 {
		first = max(0, first+epochs)
	}
	if past < 0 {
		past = max(0, past+epochs)
	}
	if e[1] != 0 && past <= first {
		return EpochSpan{1, 1}
	}
	return EpochSpan{first, past}
}

// Holds reports whether an epoch is in a span that doesn't count from the end. FromEnd ones
// are to be resolved first, by Of.
func (e EpochSpan) Holds(epoch int) bool {
	return e == EpochSpan{} || epoch >= e[0] && (e[1] == 0 || epoch < e[1])
}

// setEach sets the fields of an option that is a map of options.
func setEach(ptr any, v any, example string) error {
	entries, ok := v.(map[string]any)
	if !ok || len(entries) == 0 {
		return fmt.Errorf("want a map such as %s, have %s", example, options.Have(v))
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if err := options.Set(ptr, name, entries[name]); err != nil {
			return err
		}
	}
	return nil
}

// eachSchema describes such an option.
func eachSchema(of any) map[string]any {
	properties := map[string]any{}
	for _, f := range options.Fields(of) {
		properties[f.Name] = f.Schema()
	}
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

// Text is the conditions and the strength as pipeline files have them: `when: {...},
// strength: {...}`.
func (w When) Text() string {
	var list []string
	if text := options.Line(w); text != "" {
		list = append(list, "when: {"+text+"}")
	}
	if text := options.Line(w.Strength); text != "" {
		list = append(list, "strength: {"+text+"}")
	}
	return strings.Join(list, ", ")
}

// Canonical is all that a plan hash has of the conditions and the strength, as JSON.
func (w When) Canonical() (json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if w.Conditional() {
		var err error
		if out["when"], err = options.Canonical(w); err != nil {
			return nil, err
		}
	}
	if w.Strength != (Strength{}) {
		var err error
		if out["strength"], err = options.Canonical(w.Strength); err != nil {
			return nil, err
		}
	}
	return json.Marshal(out)
}
