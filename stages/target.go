package stages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/longtail"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Target says in what proportions classes are drawn: one of the rules below, or what
// RepeatFactor, EffectiveNumber, Shares, Counts and PerTask return. Its text is the rule, or
// else what a pipeline file has, as JSON.
type Target string

// The rules.
const (
	Instance      Target = "instance"
	SquareRoot    Target = "square_root"
	Power         Target = "power"
	ClassBalanced Target = "class_balanced"
)

// The rules that have numbers of their own.
const (
	repeatFactor    Target = "repeat_factor"
	effectiveNumber Target = "effective_number"
)

// RepeatFactor is LVIS's target (Gupta et al. 2019): a sample of a class that a share f of
// all samples has is drawn max(1, (threshold/f)^power) times an epoch, on average: classes
// with a share of at least the threshold once. An epoch has the sum of these draws, rounded,
// unless Rebalance says otherwise. A power of 0 stands for LVIS's, 1/2.
func RepeatFactor(threshold, power float64) Target {
	if power == 0 {
		power = lvisPower
	}
	return textOf(map[string]any{string(repeatFactor): map[string]any{"threshold": plain(threshold), "power": plain(power)}})
}

// EffectiveNumber is a target between instance and class_balanced: p_c ~ n_c/E_c, with the
// effective number E_c = (1-beta^n_c)/(1-beta) of samples (Cui et al. 2019), so that a class
// is drawn as much more often as its class weight is larger. A beta of 0 stands for 0.9999.
func EffectiveNumber(beta float64) Target {
	if beta == 0 {
		beta = longtail.DefaultBeta
	}
	return textOf(map[string]any{string(effectiveNumber): map[string]any{"beta": plain(beta)}})
}

const lvisPower = 0.5

// plain is a number as JSON has it; NaN and infinities, which it doesn't have, as text:
// Check reports them.
func plain(x float64) any {
	if x-x != 0 {
		return fmt.Sprint(x)
	}
	return x
}

// Values lists the rules.
func (Target) Values() []string {
	return []string{string(Instance), string(SquareRoot), string(Power), string(ClassBalanced)}
}

// Shares is a target that gives each class, by name, its share of the draws: p_c is the
// number over the sum of all. Numbers count as they are written in decimal: 0.7 and 0.3
// are exactly 7 and 3. Every class that has samples needs one; 0 leaves it out of the
// draws, and Rebalance warns of that. Samples of unknown class get no draws.
func Shares(byClass map[string]float64) Target {
	shares := map[string]any{}
	for name, share := range byClass {
		shares[name] = plain(share)
	}
	return textOf(map[string]any{"shares": shares})
}

// Counts is a target that gives each class, by name, its draws per epoch. The length of
// the epoch is their sum. Otherwise they are Shares.
func Counts(byClass map[string]int64) Target {
	return textOf(map[string]any{"counts": byClass})
}

// PerTask is a target for each of several tasks. The first divides the draws among the
// classes of the first task; the second divides the draws of each of these among the
// classes of the second task that occur with it, and so on. Each is exact, and the
// quotas of the first task are those that it would have alone.
func PerTask(targets ...Target) Target {
	list := make([]json.RawMessage, len(targets))
	for i, t := range targets {
		var err error
		if list[i], err = t.MarshalJSON(); err != nil || !json.Valid(list[i]) {
			list[i], _ = json.Marshal(string(t)) // Check reports it
		}
	}
	return textOf(list)
}

// textOf is a value that JSON can hold, as text.
func textOf(v any) Target {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return Target(err.Error())
	}
	return Target(strings.TrimSpace(b.String()))
}

// explicit reports whether the target is more than a rule.
func (t Target) explicit() bool {
	return strings.HasPrefix(string(t), "{") || strings.HasPrefix(string(t), "[")
}

// forms are the values of the option, for errors.
func forms() string {
	return strings.Join(Target("").Values(), ", ") + ", {repeat_factor: {threshold: share}}, {effective_number: {beta: number}}, {shares: {class: number}}, {counts: {class: number}}"
}

// SetOption reads a rule, {repeat_factor: {threshold: t, power: q}}, {effective_number:
// {beta: b}}, {shares: {class: number}}, {counts: {class: number}}, or a list of these, one
// for each task.
func (t *Target) SetOption(v any) error {
	switch given := v.(type) {
	case string:
		if slices.Contains(t.Values(), given) {
			*t = Target(given)
			return nil
		}
		if hint := Target(given).hint(); hint != "" {
			return fmt.Errorf("%s", hint)
		}
		return fmt.Errorf("unknown value %q%s (values: %s, or a list with one for each task)", given,
			options.DidYouMean(options.Nearest(given, t.Values())), forms())
	case map[string]any, []any:
		text := textOf(whole(v))
		if _, err := text.read(); err != nil {
			return err
		}
		*t = text
		return nil
	}
	return fmt.Errorf("want one of %s, have %s", forms(), options.Have(v))
}

// hint says how a rule with numbers is written, where only its name is given.
func (t Target) hint() string {
	switch t {
	case repeatFactor:
		return "repeat_factor needs a threshold, a share of the samples: {repeat_factor: {threshold: 0.001}}"
	case effectiveNumber:
		return "effective_number is written with its number: {effective_number: {beta: 0.9999}}"
	}
	return ""
}

// whole is a target, or a list of them, with its defaults written out.
func whole(v any) any {
	if list, ok := v.([]any); ok {
		list = slices.Clone(list)
		for i := range list {
			list[i] = whole(list[i])
		}
		return list
	}
	given, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for rule, defaults := range map[Target]map[string]any{
		repeatFactor:    {"power": lvisPower},
		effectiveNumber: {"beta": longtail.DefaultBeta},
	} {
		numbers, ok := given[string(rule)].(map[string]any)
		if !ok || len(given) != 1 {
			continue
		}
		numbers = maps.Clone(numbers)
		for name, value := range defaults {
			if _, given := numbers[name]; !given {
				numbers[name] = value
			}
		}
		return map[string]any{string(rule): numbers}
	}
	return given
}

// OptionSchema describes the file form.
func (t Target) OptionSchema() map[string]any {
	var rules []any
	for _, r := range t.Values() {
		rules = append(rules, r)
	}
	byClass := func(kind, doc string) map[string]any {
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": kind, "minimum": 0}, "minProperties": 1, "description": doc}
	}
	one := []any{
		map[string]any{"type": "string", "enum": rules},
		map[string]any{
			"type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
			"properties": map[string]any{
				"repeat_factor": map[string]any{
					"type": "object", "additionalProperties": false, "required": []string{"threshold"},
					"description": "each sample max(1, (threshold/f)^power) times an epoch, f being the share of samples with its class: LVIS's",
					"properties": map[string]any{
						"threshold": map[string]any{"type": "number", "exclusiveMinimum": 0, "maximum": 1, "description": "share of the samples below which classes are repeated; LVIS's is 0.001"},
						"power":     map[string]any{"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": lvisPower},
					},
				},
				"effective_number": map[string]any{
					"type": "object", "additionalProperties": false,
					"description": "n/E with the effective number E = (1-beta^n)/(1-beta) of samples: from instance to class_balanced",
					"properties": map[string]any{
						"beta": map[string]any{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": longtail.DefaultBeta},
					},
				},
				"shares": byClass("number", "each class's share of the draws, by name; 0: no draws"),
				"counts": byClass("integer", "each class's draws per epoch, by name; 0: no draws"),
			},
		},
	}
	return map[string]any{"anyOf": append(slices.Clone(one),
		map[string]any{"type": "array", "minItems": 2, "items": map[string]any{"anyOf": one}})}
}

// MarshalJSON writes the file form.
func (t Target) MarshalJSON() ([]byte, error) {
	if t.explicit() {
		return []byte(t), nil
	}
	return json.Marshal(string(t))
}

// UnmarshalJSON reads the file form. What is wrong with it, Rebalance's Check says.
func (t *Target) UnmarshalJSON(text []byte) error {
	var given any
	if err := json.Unmarshal(text, &given); err != nil {
		return err
	}
	if name, ok := given.(string); ok {
		*t = Target(name)
		return nil
	}
	*t = textOf(whole(given))
	return nil
}

// target is a Target that was read: one of rule, shares, counts and each is set.
type target struct {
	rule             Target
	threshold, power float64 // of repeatFactor
	beta             float64 // of effectiveNumber

	shares map[string]*big.Rat
	counts map[string]*big.Rat
	each   []target
}

// read reports every mistake that doesn't depend on the data.
func (t Target) read() (target, error) {
	if !t.explicit() {
		if hint := t.hint(); hint != "" {
			return target{}, fmt.Errorf("%s", hint)
		}
		if !slices.Contains(t.Values(), string(t)) {
			return target{}, fmt.Errorf("%q is none of %s", string(t), strings.Join(t.Values(), ", "))
		}
		return target{rule: t}, nil
	}
	d := json.NewDecoder(strings.NewReader(string(t)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return target{}, fmt.Errorf("%q is not JSON: make it with RepeatFactor, EffectiveNumber, Shares, Counts or PerTask", string(t))
	}
	list, several := v.([]any)
	if !several {
		return readTarget(v)
	}
	var out target
	var errs []error
	for i, item := range list {
		one, err := readTarget(item)
		if err == nil && i > 0 && one.counts != nil {
			err = errors.New("counts are draws per epoch, which only the first task's target can give: give shares")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("item %d: %w", i+1, err))
		}
		out.each = append(out.each, one)
	}
	if len(list) < 2 {
		errs = append(errs, errors.New("a list has one target for each of several tasks: give one without the list"))
	}
	return out, errors.Join(errs...)
}

func readTarget(v any) (target, error) {
	switch v := v.(type) {
	case string:
		if Target(v).explicit() {
			return target{}, fmt.Errorf("%q is not a target", v)
		}
		return Target(v).read()
	case map[string]any:
		return readMap(v)
	}
	return target{}, fmt.Errorf("want one of %s", forms())
}

func readMap(v map[string]any) (target, error) {
	known := []string{string(repeatFactor), string(effectiveNumber), "shares", "counts"}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(known, key) {
			return target{}, fmt.Errorf("unknown key %q%s (keys: %s)", key, options.DidYouMean(options.Nearest(key, known)), strings.Join(known, ", "))
		}
		keys = append(keys, key)
	}
	if len(keys) != 1 {
		return target{}, fmt.Errorf("give one of %s", strings.Join(known, ", "))
	}
	switch key := keys[0]; Target(key) {
	case repeatFactor:
		t := target{rule: repeatFactor}
		numbers, err := readNumbers(key, v[key], []string{"threshold", "power"}, "above 0 and at most 1", func(x float64) bool { return x > 0 && x <= 1 })
		t.threshold, t.power = numbers["threshold"], numbers["power"]
		return t, err
	case effectiveNumber:
		numbers, err := readNumbers(key, v[key], []string{"beta"}, "above 0 and below 1: for 0 take instance, for 1 class_balanced", func(x float64) bool { return x > 0 && x < 1 })
		return target{rule: effectiveNumber, beta: numbers["beta"]}, err
	default:
		return readExplicit(key, v[key])
	}
}

// readNumbers reads the numbers of a rule, which must be in a range; all are needed.
func readNumbers(rule string, v any, names []string, within string, allowed func(x float64) bool) (map[string]float64, error) {
	given, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: want {%s: number}, have %s", rule, names[0], options.Have(v))
	}
	numbers := map[string]float64{}
	misnamed := false // one that is missing may be there under another name
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		have, isNumber := given[name].(json.Number)
		x, err := have.Float64()
		switch {
		case !slices.Contains(names, name):
			misnamed = true
			errs = append(errs, fmt.Errorf("%s: unknown key %q%s (keys: %s)", rule, name, options.DidYouMean(options.Nearest(name, names)), strings.Join(names, ", ")))
		case !isNumber:
			errs = append(errs, fmt.Errorf("%s: %s: want a number, have %s", rule, name, options.Have(given[name])))
		case err != nil || !allowed(x):
			errs = append(errs, fmt.Errorf("%s: %s: %s is not %s", rule, name, have, within))
		}
		numbers[name] = x
	}
	for _, name := range names {
		if _, ok := given[name]; !ok && !misnamed {
			errs = append(errs, fmt.Errorf("%s: %s is missing", rule, name))
		}
	}
	return numbers, errors.Join(errs...)
}

func readExplicit(key string, v any) (target, error) {
	byClass, ok := v.(map[string]any)
	if !ok || len(byClass) == 0 {
		return target{}, fmt.Errorf("%s: want a map of numbers by class, such as {cat: 2, dog: 1}", key)
	}
	numbers, sum := map[string]*big.Rat{}, new(big.Rat)
	var errs []error
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		n, err := readNumber(byClass[class], key == "counts")
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: class %q: %w", key, class, err))
			continue
		}
		numbers[class] = n
		sum.Add(sum, n)
	}
	switch {
	case len(errs) > 0:
		return target{}, errors.Join(errs...)
	case sum.Sign() == 0:
		return target{}, fmt.Errorf("%s: all are 0: no class would be drawn", key)
	case key == "counts" && sum.Cmp(big.NewRat(maxDraws, 1)) > 0:
		return target{}, fmt.Errorf("counts: their sum %s is more than 2^40 draws", sum.RatString())
	case key == "counts":
		return target{counts: numbers}, nil
	}
	return target{shares: numbers}, nil
}

// readNumber takes a number as it is written in decimal.
func readNumber(v any, whole bool) (*big.Rat, error) {
	have, isNumber := v.(json.Number)
	text := have.String()
	if !isNumber {
		return nil, fmt.Errorf("want a number of at least 0, have %s", options.Have(v))
	}
	// Exponents beyond a float64's would take all memory.
	if _, err := have.Float64(); err != nil {
		return nil, fmt.Errorf("%s is too large", text)
	}
	n, ok := new(big.Rat).SetString(text)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is not a number", text)
	case n.Sign() < 0:
		return nil, fmt.Errorf("%s is negative: want at least 0, which leaves the class out", text)
	case whole && !n.IsInt():
		return nil, fmt.Errorf("%s is not a whole number of draws: give shares if proportions are meant", text)
	}
	return n, nil
}

// draws is the sum of counts; 0 where the target has none.
func (t target) draws() int64 {
	if len(t.each) > 0 {
		return t.each[0].draws()
	}
	sum := new(big.Rat)
	for _, n := range t.counts {
		sum.Add(sum, n)
	}
	return sum.Num().Int64()
}

// uses reports whether a rule is, or is among, the target.
func (t target) uses(rule Target) bool {
	return t.rule == rule || slices.ContainsFunc(t.each, func(one target) bool { return one.uses(rule) })
}

// perTask is a target for each of n tasks; nil where one target is for the tasks
// together. Explicit shares are the first task's, and within its classes the others
// keep their proportions.
func (t target) perTask(n int) []target {
	switch {
	case len(t.each) > 0:
		return t.each
	case t.rule != "":
		return nil
	}
	list := slices.Repeat([]target{{rule: Instance}}, n)
	list[0] = t
	return list
}

// numbers are the explicit shares or counts by class; nil for a rule.
func (t target) numbers() (byClass map[string]*big.Rat, what string) {
	if t.counts != nil {
		return t.counts, "counts"
	}
	return t.shares, "shares"
}

// byLabel is the explicit shares in class order, as integers. having are the samples of
// each class, and have those that count as of it: where samples have several, it is the rarest.
// Every mistake about names is in the error.
func (t target) byLabel(task schema.Task, have, having []int64) ([]int64, error) {
	named, what := t.numbers()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(named)) {
		class := slices.Index(task.Classes, name)
		switch {
		case class < 0:
			errs = append(errs, unknownClass("target: "+what, name, task))
		case have[class] == 0 && having[class] > 0 && named[name].Sign() > 0:
			errs = append(errs, errorf("target", "%s: no sample counts as one of class %q of task %s: those that have it (%d) have another, too, that is rarer or as rare: give it 0, or leave it out",
				what, name, task.Name, having[class]))
		case have[class] == 0 && named[name].Sign() > 0:
			errs = append(errs, errorf("target", "%s: class %q of task %s has no samples to draw: give it 0, or leave it out", what, name, task.Name))
		}
	}
	var missing []string
	list := make([]*big.Rat, len(task.Classes))
	for class, name := range task.Classes {
		n, ok := named[name]
		if !ok {
			n = new(big.Rat)
			if have[class] > 0 {
				missing = append(missing, name)
			}
		}
		list[class] = n
	}
	if len(missing) > 0 {
		errs = append(errs, errorf("target", "%s: none for %s of task %s: give every class that has samples a number; 0 leaves it out of the draws",
			what, phrase.List(missing), task.Name))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	shares, class := longtail.Explicit(list)
	if class >= 0 {
		return nil, errorf("target", "%s: that of class %q is too small beside the others: it would never be drawn", what, task.Classes[class])
	}
	return shares, nil
}
