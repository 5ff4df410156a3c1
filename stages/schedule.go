package stages

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/options"
)

// Schedule says over which of a run's epochs Rebalance comes to its target. One of Over and
// After is set; the zero Schedule has the target from the first epoch on. With E epochs, in
// epoch e = 0, 1, ...:
//
//	Over   (1-t) of the draws by From and t by the target, t = min(1, e/(Over E)): the
//	       progressively balanced sampling of Kang et al. 2020, whose Over is 1
//	After  by From while e < After E, then by the target: deferred (Cao et al. 2019, whose
//	       After is 0.8)
type Schedule struct {
	From  Target  // a rule, RepeatFactor or EffectiveNumber; "": Instance
	To    Target  // the target again, for readers; "": not said
	Over  float64 // share of the epochs, above 0, at most 1
	After float64 // share of the epochs, between 0 and 1
}

// IsZero reports whether nothing is scheduled.
func (s Schedule) IsZero() bool { return s == Schedule{} }

func (s Schedule) from() Target {
	if s.From == "" {
		return Instance
	}
	return s.From
}

// SetOption reads {progressive: {from: target, to: target, over: share}} or {deferred: {from:
// target, to: target, after: share}}.
func (s *Schedule) SetOption(v any) error {
	given, ok := v.(map[string]any)
	if !ok || len(given) != 1 {
		return fmt.Errorf("want {progressive: {over: share of the epochs}} or {deferred: {after: share of the epochs}}, have %s", options.Have(v))
	}
	kinds := map[string]string{"progressive": "over", "deferred": "after"}
	kind := slices.Collect(maps.Keys(given))[0]
	share, ok := kinds[kind]
	if !ok {
		names := []string{"progressive", "deferred"}
		return fmt.Errorf("unknown key %q%s (keys: %s)", kind, options.DidYouMean(options.Nearest(kind, names)), strings.Join(names, ", "))
	}
	inner, ok := given[kind].(map[string]any)
	if !ok {
		return fmt.Errorf("%s: want {from: target, %s: share of the epochs}, have %s", kind, share, options.Have(given[kind]))
	}
	var out Schedule
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(inner)) {
		var err error
		switch name {
		case "from":
			err = out.From.SetOption(inner[name])
		case "to":
			err = out.To.SetOption(inner[name])
		case share:
			x, isNumber := number(inner[name])
			if !isNumber || x <= 0 || x > 1 {
				err = fmt.Errorf("%v is not a share of the epochs, above 0 and at most 1", inner[name])
			}
			out.Over, out.After = x, 0
			if kind == "deferred" {
				out.Over, out.After = 0, x
			}
		default:
			names := []string{"from", "to", share}
			errs = append(errs, fmt.Errorf("%s: unknown key %q%s (keys: %s)", kind, name, options.DidYouMean(options.Nearest(name, names)), strings.Join(names, ", ")))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", kind, name, err))
		}
	}
	if _, ok := inner[share]; !ok {
		errs = append(errs, fmt.Errorf("%s: %s is missing: a share of the epochs, such as 0.8", kind, share))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	*s = out
	return nil
}

// OptionSchema describes the file form.
func (Schedule) OptionSchema() map[string]any {
	from := Target("").OptionSchema()
	kind := func(share, doc string) map[string]any {
		return map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{share},
			"properties": map[string]any{
				"from": from, "to": from,
				share: map[string]any{"type": "number", "exclusiveMinimum": 0, "maximum": 1, "description": doc},
			},
		}
	}
	return map[string]any{
		"type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
		"properties": map[string]any{
			"progressive": kind("over", "share of the epochs after which the target is reached"),
			"deferred":    kind("after", "share of the epochs that are drawn by from"),
		},
	}
}

// MarshalJSON writes the file form, defaults written out; null where nothing is scheduled.
func (s Schedule) MarshalJSON() ([]byte, error) {
	switch {
	case s.IsZero():
		return []byte("null"), nil
	case s.After != 0:
		return json.Marshal(map[string]any{"deferred": map[string]any{"from": s.from(), "after": s.After}})
	}
	return json.Marshal(map[string]any{"progressive": map[string]any{"from": s.from(), "over": s.Over}})
}

// check reports what doesn't depend on the data.
func (s Schedule) check(target Target) error {
	if s.IsZero() {
		return nil
	}
	var errs []error
	share := func(x float64) bool { return x > 0 && x <= 1 }
	switch {
	case s.Over != 0 && s.After != 0:
		errs = append(errs, errorf("schedule", "give one of over and after"))
	case !share(s.Over) && !share(s.After):
		errs = append(errs, errorf("schedule", "missing: over or after, a share of the epochs"))
	}
	if s.To != "" && s.To != target {
		errs = append(errs, errorf("schedule", "to is %s, and the target %s: it leads to the target, so leave to out", s.To, target))
	}
	switch from, err := s.from().read(); {
	case err != nil:
		errs = append(errs, errorf("schedule", "from: %v", err))
	case from.rule == "":
		errs = append(errs, errorf("schedule", "from: want a rule, such as instance: shares, counts and lists can only be the target"))
	}
	return errors.Join(errs...)
}

// progress is how far the target is approached in each epoch of so many.
func (s Schedule) progress(epochs int) longtail.Progress {
	const unit = 1 << 20 // a share of the epochs may be a fraction of one
	if s.After != 0 {
		first := uint64(math.Ceil(float64(s.After*float64(epochs)) - 1e-9)) // 0.7 of 10 are 7
		return func(epoch int) (part, whole uint64) {
			if uint64(epoch) >= first {
				return 1, 1
			}
			return 0, 1
		}
	}
	over := max(1, uint64(math.Round(float64(s.Over*float64(epochs))*unit)))
	return func(epoch int) (part, whole uint64) { return min(uint64(epoch)*unit, over), over }
}
