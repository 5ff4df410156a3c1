package stages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// OneOf does to each picture what one of some stages does, each as likely, or by Weights. The stages keep
// the type of pictures; a stage that looks at objects, or exchanges classes, can't be among them.
//
// Draws, after p: the stage, and what that draws.
type OneOf struct {
	Stages  StageList   `sluice:"stages" doc:"the stages, as a pipeline has them, of which one acts"`
	P       Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
	Weights []float64   `sluice:"weights,later" doc:"how often each acts, in proportion to its number: [3, 1, 1] (default: each as often)"`
}

// SomeOf does to each picture what N of some stages do, drawn without repetition and done in the
// order of the list. Draws, after p: for each stage whether it acts, and what it draws.
type SomeOf struct {
	Stages StageList   `sluice:"stages" doc:"the stages, as a pipeline has them, of which some act, in this order"`
	N      int         `sluice:"n,positive" default:"1" doc:"how many of them act"`
	P      Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

// StageList is stages within a stage. In files: a list as that of the pipeline.
type StageList []Stage

// Acting is the stages of a list that act on a row, in their order.
type Acting struct {
	Stages []ActingStage `json:"stages"`
}

// ActingStage is one of them, and what it drew.
type ActingStage struct {
	Stage  string `json:"stage"`
	Params Params `json:"params"`
	as     PictureStage
}

// Name is the stage's name in pipeline files.
func (OneOf) Name() string { return "one_of" }

// Name is the stage's name in pipeline files.
func (SomeOf) Name() string { return "some_of" }

// Version rises with those of the stages.
func (o OneOf) Version() int { return 1 + o.Stages.versions() }

// Version rises with those of the stages.
func (s SomeOf) Version() int { return 1 + s.Stages.versions() }

// Check reports impossible options, also of the stages.
func (o OneOf) Check() error {
	errs := []error{o.Stages.check(), o.P.check("p")}
	if len(o.Weights) > 0 && len(o.Weights) != len(o.Stages) {
		errs = append(errs, errorf("weights", "%s for %s: give one for each, in their order", phrase.Count(len(o.Weights), "number"), phrase.Count(len(o.Stages), "stage")))
		return errlist.Join(errs...)
	}
	for i, w := range o.Weights {
		if !(w > 0 && w <= mostWeight) {
			errs = append(errs, errorf("weights", "%v, of stage %d: give a number above 0, up to %g; a stage that is never to act is left out", w, i+1, float64(mostWeight)))
		}
	}
	return errlist.Join(errs...)
}

const mostWeight = 1e9

// Check reports impossible options, also of the stages.
func (s SomeOf) Check() error {
	errs := []error{s.Stages.check(), s.P.check("p")}
	if s.N < 0 || s.N > max(1, len(s.Stages)) {
		errs = append(errs, errorf("n", "%d of %d stages: give 1 to %d", s.N, len(s.Stages), max(1, len(s.Stages))))
	}
	return errlist.Join(errs...)
}

// Draw draws the stage and what it does.
func (o OneOf) Draw(row *Row) (Params, error) {
	if o.P.skips(row.Rand) {
		return nil, nil
	}
	i := o.draw(row.Rand)
	return o.Stages[i : i+1].draw(row)
}

// draw is the number of the stage that acts.
func (o OneOf) draw(rand *Rand) int {
	if len(o.Weights) == 0 {
		return rand.IntN(len(o.Stages))
	}
	sum := 0.0
	for _, w := range o.Weights {
		sum += w
	}
	at := float64(sum * rand.Float64())
	for i, w := range o.Weights[:len(o.Weights)-1] {
		if at < w {
			return i
		}
		at -= w
	}
	return len(o.Weights) - 1
}

// Draw draws the stages and what they do.
func (s SomeOf) Draw(row *Row) (Params, error) {
	if s.P.skips(row.Rand) {
		return nil, nil
	}
	var list StageList
	left := max(1, s.N)
	for i, stage := range s.Stages {
		if row.Rand.IntN(len(s.Stages)-i) < left {
			list = append(list, stage)
			left--
		}
	}
	return list.draw(row)
}

// Output varies in the sides that a stage changes.
func (o OneOf) Output(in schema.Tensor) (schema.Tensor, error) {
	out, err := o.Stages.outputs(in, false)
	return o.P.output(in, out), err
}

// Output varies in the sides that a stage changes.
func (s SomeOf) Output(in schema.Tensor) (schema.Tensor, error) { return s.Stages.outputs(in, true) }

// Steps is what the stage does.
func (OneOf) Steps(params Params) []Step { return params.(*Acting).steps() }

// Steps is what the stages do.
func (SomeOf) Steps(params Params) []Step { return params.(*Acting).steps() }

func (list StageList) versions() (n int) {
	for _, stage := range list {
		n += stage.Version() - 1
	}
	return n
}

func (list StageList) check() error {
	if len(list) == 0 {
		return errorf("stages", "missing: give a list such as [rotate: {degrees: 30}, grayscale]")
	}
	var errs []error
	for i, stage := range list {
		if w, ok := stage.(interface{ CheckConditions() error }); ok {
			errs = append(errs, errorf("stages", "%s", noConditions(w.(Stage).Name())))
			continue
		}
		_, picture := stage.(PictureStage)
		_, looks := stage.(ObjectStage)
		switch {
		case stage == nil:
			errs = append(errs, errorf("stages", "number %d is nil", i+1))
			continue
		case !picture:
			errs = append(errs, errorf("stages", "%s isn't about a picture alone: put it into the pipeline itself", stage.Name()))
		case looks:
			errs = append(errs, errorf("stages", "%s looks at objects: put it into the pipeline itself", stage.Name()))
		}
		if r, ok := stage.(Relabeler); ok && r.NeedsTasks() {
			errs = append(errs, errorf("stages", "%s exchanges classes: put it into the pipeline itself", stage.Name()))
		}
		if s, ok := stage.(StatsConsumer); ok && s.NeedsStats() {
			errs = append(errs, errorf("stages", "%s asks for figures of the data: give them here", stage.Name()))
		}
		for _, err := range errlist.Split(stage.Check()) {
			errs = append(errs, errorf("stages", "%s: %v", stage.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// noConditions is why a stage of a list has none of its own.
func noConditions(name string) string {
	return name + " has when or strength, which depend on the row, and the list is the same for all rows: put them beside stages, on one_of or some_of itself, or the stage into the pipeline, with a p"
}

// draw draws the stages one after the other, each for the picture that those before it leave.
func (list StageList) draw(row *Row) (Params, error) {
	p := Acting{Stages: []ActingStage{}}
	own := *row
	own.Recycled = nil
	for _, stage := range list {
		as := stage.(PictureStage)
		params, err := as.Draw(&own)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", as.Name(), err)
		}
		if params == nil {
			continue
		}
		acting := ActingStage{as.Name(), params, as}
		p.Stages = append(p.Stages, acting)
		for _, s := range acting.steps() {
			if w, ok := s.Stage.(Warper); ok {
				t := w.Warp(s.Params, own.Height, own.Width)
				own.Height, own.Width = t.Height, t.Width
			}
		}
	}
	return &p, nil
}

// steps are those of a composite, or the stage itself.
func (a ActingStage) steps() []Step {
	if c, ok := a.as.(Composite); ok {
		return c.Steps(a.Params)
	}
	return []Step{{a.as, a.Params}}
}

func (a *Acting) steps() (list []Step) {
	for _, s := range a.Stages {
		list = append(list, s.steps()...)
	}
	return list
}

// outputs is the type behind one of the stages, or behind any number of them.
func (list StageList) outputs(in schema.Tensor, several bool) (out schema.Tensor, err error) {
	out = in
	for i, stage := range list {
		t, err := stage.(PictureStage).Output(in)
		if err == nil && (t.DType != in.DType || t.Layout != in.Layout || t.Channels != in.Channels) {
			err = fmt.Errorf("makes %s of %s, and all rows leave as one type: put it into the pipeline itself", t, in)
		}
		if err != nil {
			return out, fmt.Errorf("%s: %w", stage.Name(), err)
		}
		switch {
		case i == 0 && !several:
			out = t
		default:
			if t.Height != out.Height {
				out.Height = 0
			}
			if t.Width != out.Width {
				out.Width = 0
			}
		}
	}
	if several && out != in && (in.Height != 0 || in.Width != 0) { // those behind a stage that changes sizes
		varying := in
		varying.Height, varying.Width = out.Height, out.Width
		return list.outputs(varying, true)
	}
	return out, nil
}

// SetOption reads a list of names, and of maps from a name to options.
func (list *StageList) SetOption(v any) error {
	items, ok := v.([]any)
	if !ok {
		return fmt.Errorf("want a list such as [rotate: {degrees: 30}, grayscale], have %s", options.Have(v))
	}
	*list = nil
	var errs []error
	for _, item := range items {
		stage, err := readStage(item)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		*list = append(*list, stage)
	}
	return errlist.Join(errs...)
}

// readStage reads an item of such a list.
func readStage(item any) (Stage, error) {
	name, given := "", map[string]any{}
	switch item := item.(type) {
	case string:
		name = item
	case map[string]any:
		if len(item) != 1 {
			return nil, fmt.Errorf("a stage has one key, here are %d", len(item))
		}
		for key, values := range item {
			name = key
			var ok bool
			if given, ok = values.(map[string]any); !ok && values != nil {
				return nil, fmt.Errorf("%s: want its options as a map, have %s", name, options.Have(values))
			}
		}
	default:
		return nil, fmt.Errorf("want a stage, such as rotate: {degrees: 30}, have %s", options.Have(item))
	}
	var names []string
	for _, entry := range Catalog {
		stage := entry.New()
		if names = append(names, stage.Name()); stage.Name() != name {
			continue
		}
		var errs []error
		for _, option := range slices.Sorted(maps.Keys(given)) {
			if option == "when" || option == "strength" {
				return nil, errors.New(noConditions(name))
			}
			for _, err := range errlist.Split(options.Set(stage, option, given[option])) {
				errs = append(errs, errors.New(name+": "+err.Error())) // not wrapped: it isn't one_of that lacks an option
			}
		}
		return stage, errors.Join(errs...)
	}
	return nil, fmt.Errorf("unknown stage %q%s", name, options.DidYouMean(options.Nearest(name, names)))
}

// OptionSchema describes the file form.
func (StageList) OptionSchema() map[string]any {
	return map[string]any{"type": "array", "items": map[string]any{"type": []any{"string", "object"}}, "minItems": 1}
}

// MarshalJSON writes the file form, without options that are their defaults.
func (list StageList) MarshalJSON() ([]byte, error) {
	out := make([]any, 0, len(list))
	for _, stage := range list {
		usual := map[string]json.RawMessage{}
		for _, entry := range Catalog {
			if initial := entry.New(); initial.Name() == stage.Name() {
				for _, f := range options.Fields(initial) {
					usual[f.Name], _ = f.JSON()
				}
			}
		}
		given := map[string]json.RawMessage{}
		for _, f := range options.Fields(stage) {
			text, err := f.JSON()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", stage.Name(), err)
			}
			if !bytes.Equal(text, usual[f.Name]) {
				given[f.Name] = text
			}
		}
		out = append(out, map[string]any{stage.Name(): given})
	}
	return json.Marshal(out)
}
