package sinks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicedata/sluice/schema"
)

// TargetCounts is how much the rows of a part show of each class, of what its format writes.
type TargetCounts struct {
	Objects []ClassCount `json:"objects"` // null: they aren't written
	Masks   []ClassCount `json:"masks"`   // pixels; null: they aren't written, or no stage decoded them
}

// ClassCount is a class number, how many objects or pixels are of it, and how many rows have some. Classes
// that don't occur aren't listed.
type ClassCount [3]int64

// targetEncoding is an Encoding that writes targets.
type targetEncoding interface {
	Encoding
	// writesTargets says whether it writes objects, those that stand for a group among them, and masks.
	writesTargets() (objects, crowds, masks bool)
}

// targetTally counts the targets of a part. The zero value counts nothing.
type targetTally struct {
	objects, crowds, masks bool
	ofObjects, ofMasks     map[int64]*ClassCount
}

func newTargetTally(e Encoding, run *schema.Run) (t targetTally) {
	if w, ok := e.(targetEncoding); ok {
		t.objects, t.crowds, t.masks = w.writesTargets()
		t.objects, t.masks = t.objects && run.Targets.Objects(), t.masks && run.Targets.HasMask() && run.Form != schema.FormEncoded
		t.ofObjects, t.ofMasks = map[int64]*ClassCount{}, map[int64]*ClassCount{}
	}
	return t
}

func (t *targetTally) add(b *schema.Batch) error {
	if t.objects {
		if err := t.addObjects(b); err != nil {
			return err
		}
	}
	for row := range b.Rows() {
		if !t.masks {
			break
		}
		values, _, _ := b.Mask(row)
		var pixels [256]int64
		for i := 0; i < len(values); { // masks are mostly runs
			from := i
			for i < len(values) && values[i] == values[from] {
				i++
			}
			pixels[values[from]] += int64(i - from)
		}
		for class, n := range pixels {
			count(t.ofMasks, int64(class), n)
		}
	}
	return nil
}

func (t *targetTally) addObjects(b *schema.Batch) error {
	labels, ok := b.Column(schema.ColumnObject).(*array.List)
	crowds, both := b.Column(schema.ColumnCrowd).(*array.List)
	if !ok || !both {
		return fmt.Errorf("a batch without the columns %s and %s", schema.ColumnObject, schema.ColumnCrowd)
	}
	of, crowd := labels.ListValues().(*array.Int32), crowds.ListValues().(*array.Boolean)
	row := map[int64]int64{}
	for i := range b.Rows() {
		clear(row)
		first, end := labels.ValueOffsets(i)
		firstCrowd, _ := crowds.ValueOffsets(i)
		for o := range end - first {
			if t.crowds || !crowd.Value(int(firstCrowd+o)) {
				row[int64(of.Value(int(first+o)))]++
			}
		}
		for class, n := range row {
			count(t.ofObjects, class, n)
		}
	}
	return nil
}

// count adds n of a class in a row.
func count(to map[int64]*ClassCount, class, n int64) {
	if n == 0 {
		return
	}
	c := to[class]
	if c == nil {
		c = &ClassCount{class}
		to[class] = c
	}
	c[1] += n
	c[2]++
}

// record is what the manifest has of it; nil: nothing was counted.
func (t *targetTally) record() *TargetCounts {
	if !t.objects && !t.masks {
		return nil
	}
	list := func(there bool, of map[int64]*ClassCount) []ClassCount {
		if !there {
			return nil
		}
		out := []ClassCount{}
		for _, class := range slices.Sorted(maps.Keys(of)) {
			out = append(out, *of[class])
		}
		return out
	}
	return &TargetCounts{list(t.objects, t.ofObjects), list(t.masks, t.ofMasks)}
}

// fits reports whether these can be the counts of rows of a layout. They need not be trusted.
func (t *TargetCounts) fits(rows int64, spec *schema.TargetSpec) bool {
	if t == nil {
		return true
	}
	fit := func(list []ClassCount, classes int) bool {
		last := int64(-1)
		for _, c := range list {
			if c[0] <= last || c[0] >= int64(classes) || c[1] < c[2] || c[1] > mostRowsEver || c[2] < 1 || c[2] > rows {
				return false
			}
			last = c[0]
		}
		return true
	}
	classes, numbers := 0, 0
	if spec.Objects() {
		classes = len(spec.Classes)
	}
	if spec.HasMask() {
		numbers = 256
	}
	return fit(t.Objects, classes) && fit(t.Masks, numbers)
}
