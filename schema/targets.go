package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
)

// Target columns: what a picture shows, in the coordinates of the picture that is delivered.
//
// Coordinates are continuous: pixel (column j, row i) covers [j, j+1) x [i, i+1), the origin
// is the picture's top left corner, and a flip maps x to width - x.
const (
	ColumnBoxes     = "boxes"         // list<fixed_size_list<float32>[4]>: x1 y1 x2 y2 of each object
	ColumnObject    = "boxes.label"   // list<int32>: class number in TargetSpec.Classes
	ColumnObjectID  = "boxes.id"      // list<int64>: of the annotation in the source; 0 where it has none
	ColumnCrowd     = "boxes.crowd"   // list<bool>: a group of objects (COCO's iscrowd), or one to be ignored (VOC's difficult)
	ColumnArea      = "boxes.area"    // list<float32>: of the visible part, in pixels
	ColumnPolygon   = "boxes.polygon" // list<list<list<float32>>>: per object its parts, each x y x y ...
	ColumnMask      = "mask"          // fixed_shape_tensor uint8 height x width: class number, MaskIgnore where unknown
	ColumnKeypoints = "keypoints"     // list<fixed_size_list<float32>[3K]>: per object x y v of K points
)

// MaskIgnore is the value of mask pixels whose class is unknown, or that lie outside of the
// source picture.
const MaskIgnore uint8 = 255

// TargetSpec says which targets the samples of a source have: the columns of the batches
// follow from it. The zero value has none.
type TargetSpec struct {
	Boxes       bool     `json:"boxes,omitempty"`
	Classes     []string `json:"classes,omitempty"` // of objects, in the order of their numbers
	Polygons    bool     `json:"polygons,omitempty"`
	Keypoints   []string `json:"keypoints,omitempty"` // names, K of them
	Mirrored    []int    `json:"mirrored,omitempty"`  // keypoint that takes k's place in a mirrored picture; nil: each its own
	Mask        bool     `json:"mask,omitempty"`
	MaskClasses []string `json:"mask_classes,omitempty"` // names of the mask's numbers, where they are known
	Multi       []Task   `json:"multi,omitempty"`        // tasks of several labels: their column, label.<task>, is list<int32>

	CrowdsAlone bool `json:"-"` // all objects of the source are crowds; what a plan warns of, no part of a schema

	CategoryIDs []int64         `json:"category_ids,omitempty"` // of Classes, in the files that they come from; nil: their numbers
	Categories  json.RawMessage `json:"categories,omitempty"`   // COCO's list, untouched
}

// Objects reports whether there are object columns.
func (s *TargetSpec) Objects() bool { return s != nil && s.Boxes }

// HasMask reports whether there is a mask column.
func (s *TargetSpec) HasMask() bool { return s != nil && s.Mask }

// Check reports a spec that contradicts itself.
func (s *TargetSpec) Check() error {
	switch {
	case s == nil:
		return nil
	case !s.Boxes && (s.Polygons || len(s.Keypoints) > 0 || len(s.Classes) > 0):
		return fmt.Errorf("targets: polygons, keypoints and classes belong to objects, and there are no boxes")
	case s.Mirrored != nil && len(s.Mirrored) != len(s.Keypoints):
		return fmt.Errorf("targets: %d mirrored keypoints of %d", len(s.Mirrored), len(s.Keypoints))
	case s.CategoryIDs != nil && len(s.CategoryIDs) != len(s.Classes):
		return fmt.Errorf("targets: %d category ids of %d classes", len(s.CategoryIDs), len(s.Classes))
	}
	for k, m := range s.Mirrored {
		if m < 0 || m >= len(s.Keypoints) || s.Mirrored[m] != k {
			return fmt.Errorf("targets: keypoint %q is mirrored to %d, which is not mirrored to it", s.Keypoints[k], m)
		}
	}
	return nil
}

// Object is one object of a picture. See the column constants for coordinates.
type Object struct {
	Box       [4]float32 // x1 y1 x2 y2, x1 <= x2, y1 <= y2
	Label     int32      // in TargetSpec.Classes
	ID        int64
	Crowd     bool
	Area      float32     // of its shape, in pixels; 0: that of its polygon, or of its box
	Polygon   [][]float32 // parts, each x y x y ...; nil: its shape isn't known
	Keypoints []float32   // x y v for each of TargetSpec.Keypoints; v 0: not there, 1: hidden, 2: visible; nil: none of them are there
}

// Bytes is about how much memory it takes.
func (o *Object) Bytes() int64 {
	const object, part, number = 96, 24, 4
	n := object + number*int64(len(o.Keypoints))
	for _, ring := range o.Polygon {
		n += part + number*int64(len(ring))
	}
	return n
}

// Targets are those of one sample or row.
type Targets struct {
	Objects []Object

	// Mask is an encoded picture (PNG and others) of class numbers, one channel or a palette's
	// numbers; nil: none. A row that is made has its mask in the batch instead.
	Mask []byte
	// MaskName is what the source calls it, for errors; "" where it has no name.
	MaskName string
	// MaskMap are the numbers that the mask's values become; nil: themselves.
	MaskMap *[256]uint8

	// Height and Width are those of the picture that the targets were made for, as the
	// source tells; 0: it doesn't.
	Height, Width int
	Frame         Frame
	// Normalized: coordinates are shares of the width and height of the picture as it is
	// shown, and areas of theirs; the engine multiplies them (Scale).
	Normalized bool
}

// Scale multiplies all coordinates, in memory of their own.
func (t *Targets) Scale(x, y float64) {
	points := func(list []float32, each int) []float32 {
		if list == nil {
			return nil
		}
		out := slices.Clone(list)
		for i := 0; i+1 < len(out); i += each {
			out[i], out[i+1] = float32(float64(out[i])*x), float32(float64(out[i+1])*y)
		}
		return out
	}
	for i := range t.Objects {
		o := &t.Objects[i]
		o.Box = [4]float32(points(o.Box[:], 2))
		o.Keypoints = points(o.Keypoints, 3)
		o.Area = float32(float64(o.Area) * x * y)
		o.Polygon = slices.Clone(o.Polygon)
		for k, part := range o.Polygon {
			o.Polygon[k] = points(part, 2)
		}
	}
	t.Normalized = false
}

// Reset empties t, for other targets in its memory.
func (t *Targets) Reset() {
	*t = Targets{Objects: t.Objects[:0]}
}

// Frame is the picture that coordinates belong to, where a file has an orientation.
type Frame uint8

// The frames.
const (
	BySize    Frame = iota // stored where only that picture has Height and Width; else displayed
	Displayed              // the picture as it is shown: turned by the file's EXIF orientation
	Stored                 // the picture as it is stored in the file
)

// Targeted is an Index whose samples have targets. TargetSpecOf and the functions beside it
// ask any index.
type Targeted interface {
	Index
	// TargetSpec is the same pointer at every call; nil: no targets.
	TargetSpec() *TargetSpec
	// ObjectLabels are the classes of a sample's objects, in their order. Callers
	// don't write to them.
	ObjectLabels(sample int) []int32
	// TargetDigest changes when anything in the sample's targets does; it is part of
	// the data's identity. Of a mask's file it has key and size only, as of an image's.
	TargetDigest(sample int) [16]byte
}

// TargetSpecOf is TargetSpec of an index that may be Targeted; nil: no targets.
func TargetSpecOf(x Index) *TargetSpec {
	if t, ok := x.(Targeted); ok {
		return t.TargetSpec()
	}
	return nil
}

// ObjectLabelsOf is ObjectLabels of an index that may be Targeted.
func ObjectLabelsOf(x Index, sample int) []int32 {
	if t, ok := x.(Targeted); ok {
		return t.ObjectLabels(sample)
	}
	return nil
}

// TargetDigestOf is TargetDigest of an index that may be Targeted.
func TargetDigestOf(x Index, sample int) (digest [16]byte) {
	if t, ok := x.(Targeted); ok {
		return t.TargetDigest(sample)
	}
	return digest
}

// TargetTable is what an index in memory knows of its samples' targets: the samples'
// objects are Labels[First[s]:First[s+1]].
type TargetTable struct {
	Spec    *TargetSpec
	First   []int64 // per sample and one more; nil: no objects
	Labels  []int32
	Digests [][16]byte // per sample
}

func (t *TargetTable) objects(sample int) []int32 {
	if t == nil || t.First == nil {
		return nil
	}
	return t.Labels[t.First[sample]:t.First[sample+1]:t.First[sample+1]]
}

// TargetSpec is Targets.Spec.
func (x *Table) TargetSpec() *TargetSpec {
	if x.Targets == nil {
		return nil
	}
	return x.Targets.Spec
}

// ObjectLabels is a part of Targets.Labels.
func (x *Table) ObjectLabels(sample int) []int32 { return x.Targets.objects(sample) }

// TargetDigest is an element of Targets.Digests.
func (x *Table) TargetDigest(sample int) (digest [16]byte) {
	if x.Targets != nil && x.Targets.Digests != nil {
		digest = x.Targets.Digests[sample]
	}
	return digest
}

func (s *selection) TargetSpec() *TargetSpec { return TargetSpecOf(s.Index) }

func (s *selection) ObjectLabels(sample int) []int32 {
	return ObjectLabelsOf(s.Index, s.samples[sample])
}

func (s *selection) TargetDigest(sample int) [16]byte {
	return TargetDigestOf(s.Index, s.samples[sample])
}

// ErrTargets is wrapped by the errors of CheckTargets, and by those of sources (sources.ErrTargets).
var ErrTargets = errors.New("its annotations can't be used")

// CheckTargets reports targets that the spec doesn't have: a label of no class, keypoints of
// another number, numbers that aren't finite.
func (s *TargetSpec) CheckTargets(t *Targets) error {
	bad := func(i int, format string, args ...any) error {
		return fmt.Errorf("%w: object %d (id %d): %s", ErrTargets, i, t.Objects[i].ID, fmt.Sprintf(format, args...))
	}
	if len(t.Objects) > 0 && !s.Objects() {
		return fmt.Errorf("%w: %d objects of a source without any", ErrTargets, len(t.Objects))
	}
	for i := range t.Objects {
		o := &t.Objects[i]
		switch b := o.Box; {
		case o.Label < 0 || int(o.Label) >= len(s.Classes):
			return bad(i, "label %d of %d classes", o.Label, len(s.Classes))
		case !(b[0] <= b[2] && b[1] <= b[3]) || !finite(b[:]):
			return bad(i, "box %v: want x1 <= x2, y1 <= y2, all finite", b)
		case o.Keypoints != nil && len(o.Keypoints) != 3*len(s.Keypoints) || !finite(o.Keypoints):
			return bad(i, "keypoints %v: want x y v of each of %d, all finite", o.Keypoints, len(s.Keypoints))
		}
		for _, part := range o.Polygon {
			if len(part)%2 != 0 || !finite(part) {
				return bad(i, "a polygon of %d numbers: want pairs, all finite", len(part))
			}
		}
	}
	return nil
}

func finite(list []float32) bool {
	for _, v := range list {
		if v-v != 0 { // NaN for what isn't
			return false
		}
	}
	return true
}

// PolygonArea is the area of a ring of points x y x y ..., by the shoelace formula; never
// negative.
func PolygonArea(ring []float32) float64 {
	sum := 0.0
	n := len(ring) / 2
	for i := range n {
		j := (i + 1) % n
		sum += float64(float64(ring[2*i])*float64(ring[2*j+1])) - float64(float64(ring[2*j])*float64(ring[2*i+1]))
	}
	return math.Abs(sum) / 2
}

// Columns are the names of the columns of targets, in their order.
func (s *TargetSpec) Columns() (names []string) {
	for _, f := range s.fields() {
		names = append(names, f.Name)
	}
	if s.HasMask() {
		names = append(names, ColumnMask)
	}
	return names
}

// fields are the columns of a spec, without the mask, whose type depends on the variant.
func (s *TargetSpec) fields() []arrow.Field {
	if !s.Objects() {
		return nil
	}
	list := func(name string, elem arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: arrow.ListOfNonNullable(elem)}
	}
	floats := func(n int) arrow.DataType {
		return arrow.FixedSizeListOfNonNullable(int32(n), arrow.PrimitiveTypes.Float32)
	}
	fields := []arrow.Field{
		list(ColumnBoxes, floats(4)),
		list(ColumnObject, arrow.PrimitiveTypes.Int32),
		list(ColumnObjectID, arrow.PrimitiveTypes.Int64),
		list(ColumnCrowd, arrow.FixedWidthTypes.Boolean),
		list(ColumnArea, arrow.PrimitiveTypes.Float32),
	}
	if s.Polygons {
		fields = append(fields, list(ColumnPolygon, arrow.ListOfNonNullable(arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32))))
	}
	if n := len(s.Keypoints); n > 0 {
		fields = append(fields, list(ColumnKeypoints, floats(3*n)))
	}
	return fields
}

// Clone is a copy that shares no memory with s.
func (s *TargetSpec) Clone() *TargetSpec {
	if s == nil {
		return nil
	}
	c := *s
	c.Classes, c.Keypoints, c.Mirrored, c.MaskClasses = slices.Clone(s.Classes), slices.Clone(s.Keypoints), slices.Clone(s.Mirrored), slices.Clone(s.MaskClasses)
	c.Multi = slices.Clone(s.Multi)
	for t := range c.Multi {
		c.Multi[t].Classes = slices.Clone(c.Multi[t].Classes)
	}
	c.CategoryIDs, c.Categories = slices.Clone(s.CategoryIDs), slices.Clone(s.Categories)
	return &c
}
