package flow

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
)

// Objects says which objects of a picture stay, and what flips do to their classes: the key
// objects of a pipeline file. The zero value is its defaults. Sizes are those in the
// picture that leaves the last stage before batch; all limits are counted once, at the end.
type Objects struct {
	MinArea       *float64          `sluice:"min_area" default:"1" doc:"pixels of the visible part: objects of less are dropped"`
	MinSize       *float64          `sluice:"min_size" default:"1" doc:"pixels of each side of the box: objects with a shorter one are dropped"`
	MinVisibility *float64          `sluice:"min_visibility" default:"0.1" doc:"visible share of the object's area after all stages: objects of less are dropped"`
	Clip          *bool             `sluice:"clip" default:"true" doc:"cut boxes and polygons at the picture's edges, and at those of every canvas on the way"`
	KeepEmpty     *bool             `sluice:"keep_empty" default:"true" doc:"keep pictures without objects; false: such a row fails, see on_error"`
	Mirror        map[string]string `sluice:"mirror" doc:"classes that change places in a mirrored picture: {left_hand: right_hand}"`
}

// Check reports impossible values.
func (o Objects) Check() error {
	var errs []error
	for _, f := range []struct {
		name string
		v    *float64
		most float64
	}{{"min_area", o.MinArea, 1e12}, {"min_size", o.MinSize, 1e6}, {"min_visibility", o.MinVisibility, 1}} {
		if f.v != nil && !(*f.v >= 0 && *f.v <= f.most) {
			errs = append(errs, fmt.Errorf("flow: objects: %s is %v: from 0 to %g", f.name, *f.v, f.most))
		}
	}
	seen := map[string]bool{}
	for a, b := range o.Mirror {
		if a == b || seen[a] || seen[b] {
			errs = append(errs, fmt.Errorf("flow: objects: mirror: %q and %q: a class changes places with one other, and each pair is given once", a, b))
		}
		seen[a], seen[b] = true, true
	}
	return errors.Join(errs...)
}

func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}

// rules are the options for objects of these classes.
func (o Objects) rules(spec *schema.TargetSpec) (*picture.Rules, error) {
	r := &picture.Rules{
		Spec: spec, MinArea: or(o.MinArea, 1), MinSize: or(o.MinSize, 1), MinVisibility: or(o.MinVisibility, 0.1), Clip: or(o.Clip, true),
	}
	if len(o.Mirror) == 0 {
		return r, nil
	}
	r.Mirror = make([]int32, len(spec.Classes))
	for c := range r.Mirror {
		r.Mirror[c] = int32(c)
	}
	for a, b := range o.Mirror {
		i, j := slices.Index(spec.Classes, a), slices.Index(spec.Classes, b)
		for name, at := range map[string]int{a: i, b: j} {
			if at < 0 {
				return nil, fmt.Errorf("flow: objects: mirror: no objects have the class %q: the classes are %.200q", name, spec.Classes)
			}
		}
		r.Mirror[i], r.Mirror[j] = int32(j), int32(i)
	}
	return r, nil
}

// canonicalObjects is what the bytes of targets depend on.
type canonicalObjects struct {
	Revision      int               `json:"revision"`
	MinArea       float64           `json:"min_area"`
	MinSize       float64           `json:"min_size"`
	MinVisibility float64           `json:"min_visibility"`
	Clip          bool              `json:"clip"`
	KeepEmpty     bool              `json:"keep_empty"`
	Mirror        map[string]string `json:"mirror,omitempty"`
}

func (o Objects) canonical() *canonicalObjects {
	return &canonicalObjects{
		Revision: picture.TargetsRevision, MinArea: or(o.MinArea, 1), MinSize: or(o.MinSize, 1), MinVisibility: or(o.MinVisibility, 0.1),
		Clip: or(o.Clip, true), KeepEmpty: or(o.KeepEmpty, true), Mirror: o.Mirror,
	}
}
