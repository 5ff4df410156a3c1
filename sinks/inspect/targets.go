package inspect

import (
	"fmt"
	"strconv"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// ObjectCount is how often a class of objects occurs.
type ObjectCount struct {
	Class   string `json:"class"`
	Objects int64  `json:"objects"`
	Rows    int64  `json:"rows"` // that have at least one
}

// MaskCount is how much of the masks a class has. Masks that no stage decoded aren't counted.
type MaskCount struct {
	Number int    `json:"number"`
	Class  string `json:"class"` // its name; else the number, and ignore for 255
	Pixels int64  `json:"pixels"`
	Rows   int64  `json:"rows"` // that have at least one
}

// maskPixels counts pixels and rows by number.
type maskPixels struct{ pixels, rows [256]int64 }

// beginTargets takes account of the targets of a run.
func (r *Report) beginTargets(spec *schema.TargetSpec) {
	if spec.Objects() {
		r.Objects = []ObjectCount{}
		for _, name := range spec.Classes {
			r.Objects = append(r.Objects, ObjectCount{Class: name})
		}
	}
	if spec.HasMask() {
		r.masks, r.maskNames = &maskPixels{}, spec.MaskClasses
	}
}

// addObjects counts the objects of a row.
func (r *Report) addObjects(labels []int32) error {
	there := map[int32]bool{}
	for _, label := range labels {
		if label < 0 || int(label) >= len(r.Objects) {
			return fmt.Errorf("damaged: an object of class %d of %d", label, len(r.Objects))
		}
		c := &r.Objects[label]
		c.Objects++
		if !there[label] {
			there[label] = true
			c.Rows++
		}
	}
	return nil
}

// addTargets counts the targets of a batch, and returns the labels of each row's objects.
func (r *Report) addTargets(b *schema.Batch) ([][]int32, error) {
	labels := make([][]int32, b.Rows())
	for row := range labels {
		if r.Objects == nil {
			break
		}
		objects, err := b.Objects(row)
		if err != nil {
			return nil, fmt.Errorf("damaged: %w", err)
		}
		labels[row] = make([]int32, len(objects))
		for i, o := range objects {
			labels[row][i] = o.Label
		}
		if err := r.addObjects(labels[row]); err != nil {
			return nil, err
		}
	}
	for row := range b.Rows() {
		if r.masks == nil {
			break
		}
		values, _, _ := b.Mask(row)
		var counts [256]int64
		for _, v := range values {
			counts[v]++
		}
		for v, n := range counts {
			r.masks.pixels[v] += n
			if n > 0 {
				r.masks.rows[v]++
			}
		}
	}
	return labels, nil
}

// countTargets takes the counts of a manifest's parts, which need not be trusted.
func (r *Report) countTargets(m *sinks.Manifest) error {
	spec := schema.TargetSpec{}
	for _, p := range m.Parts {
		if p.Targets == nil {
			return nil // none are written, or an earlier sluice wrote them
		}
		if p.Targets.Objects != nil && m.Targets.Objects() {
			spec.Boxes, spec.Classes = true, m.Targets.Classes
		}
		if p.Targets.Masks != nil && m.Targets.HasMask() {
			spec.Mask, spec.MaskClasses = true, m.Targets.MaskClasses
		}
	}
	r.beginTargets(&spec)
	for _, p := range m.Parts {
		for _, c := range p.Targets.Objects {
			if c[0] < 0 || c[0] >= int64(len(r.Objects)) {
				return fmt.Errorf("damaged: %s has objects of class %d of %d", p.Name, c[0], len(r.Objects))
			}
			r.Objects[c[0]].Objects += c[1]
			r.Objects[c[0]].Rows += c[2]
		}
		for _, c := range p.Targets.Masks {
			if c[0] < 0 || c[0] > 255 || r.masks == nil {
				return fmt.Errorf("damaged: %s has pixels of class %d", p.Name, c[0])
			}
			r.masks.pixels[c[0]] += c[1]
			r.masks.rows[c[0]] += c[2]
		}
	}
	r.finishTargets()
	return nil
}

// finishTargets names the numbers of masks: those that have names, and those that occur.
func (r *Report) finishTargets() {
	if r.masks == nil {
		return
	}
	for v, n := range r.masks.pixels {
		name := strconv.Itoa(v)
		switch {
		case v < len(r.maskNames):
			name = r.maskNames[v]
		case n == 0:
			continue
		case v == int(schema.MaskIgnore):
			name = "ignore"
		}
		r.Masks = append(r.Masks, MaskCount{v, name, n, r.masks.rows[v]})
	}
}
