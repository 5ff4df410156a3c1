package sources_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

func nullable(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

// boxLists is a structure of lists, and boxList a list of structures, as datasets saves
// Sequence and List of a dict.
var (
	box      = arrow.ListOf(arrow.PrimitiveTypes.Float32)
	boxLists = arrow.StructOf(nullable("id", arrow.ListOf(arrow.PrimitiveTypes.Int64)), nullable("area", arrow.ListOf(arrow.PrimitiveTypes.Float64)),
		nullable("bbox", arrow.ListOf(box)), nullable("category", arrow.ListOf(arrow.PrimitiveTypes.Int64)), nullable("picture", arrow.BinaryTypes.Binary))
	boxList = arrow.ListOf(arrow.StructOf(nullable("bbox", box), nullable("category", arrow.BinaryTypes.String), nullable("iscrowd", arrow.FixedWidthTypes.Boolean)))
)

func TestHuggingFaceTargets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	four := func(a, b, c, d float64) []any { return []any{a, b, c, d} }
	saved(t, dir, `"img": {"_type": "Image"}, "tags": {"feature": {"names": ["day", "night"], "_type": "ClassLabel"}, "_type": "List"}, "age": {"dtype": "float32", "_type": "Value"},
		"objects": {"id": {}, "bbox": {}, "category": {"feature": {"names": ["mask", "gloves", "goggles"], "_type": "ClassLabel"}, "_type": "List"}},
		"parts": {"feature": {"bbox": {}, "category": {"dtype": "string", "_type": "Value"}}, "_type": "List"}`, []col{
		{"img", hfImage, []any{[]any{"first", nil}, []any{"second", nil}, []any{"third", nil}}},
		{"tags", arrow.ListOf(arrow.PrimitiveTypes.Int64), []any{[]any{1, 0}, nil, []any{}}},
		{"age", arrow.PrimitiveTypes.Float32, []any{2.5, nil, -1.0}},
		{"objects", boxLists, []any{
			[]any{[]any{5, 6}, []any{12.0, nil}, []any{four(1, 2, 3, 4), four(0, 0, 9, math.NaN())}, []any{2, 0}, "x"},
			[]any{[]any{}, []any{}, []any{}, []any{}, nil}, nil}},
		{"parts", boxList, []any{[]any{[]any{four(1, 1, 2, 2), "wheel", true}}, []any{}, []any{[]any{four(0, 0, 1, 1), "door", false}, []any{four(0, 0, 2, 1), nil, nil}}}},
	})
	h := sources.HuggingFace{Saved: dir, Multi: sources.Multi{"tags": {}}, Values: sources.ValueColumns{"age": "age"}, Objects: sources.Objects{Column: "objects"}}
	d := open(t, h)
	x := d.Index()
	must(t, schema.Check(x))
	same(t, "tags", values(t, d, "label.tags"), []string{"[0 1]", "<nil>", "[]"})
	same(t, "age", values(t, d, "label.age"), []string{"2.5", "<nil>", "-1"})
	spec := schema.TargetSpecOf(x)
	same(t, "classes", spec.Classes, []string{"mask", "gloves", "goggles"})
	same(t, "tags", spec.Multi[0].Classes, []string{"day", "night"})
	same(t, "objects", schema.ObjectLabelsOf(x, 0), []int32{2})
	if o := targets(t, d, 0).Objects; len(o) != 1 || o[0].Box != [4]float32{1, 2, 4, 6} || o[0].ID != 5 || o[0].Area != 12 {
		t.Errorf("%+v", o)
	}
	for _, want := range []string{`1 object with a box that isn't four finite numbers, such as object 2 of "data-00000-of-00001.arrow#0"`, `1 row with no objects in the column "objects", such as "data-00000-of-00001.arrow#2"`} {
		if !strings.Contains(warnings(d), want) {
			t.Errorf("%s lacks %s", warnings(d), want)
		}
	}
	h.Objects = sources.Objects{Column: "objects", Classes: sources.ClassList{List: []string{"goggles", "mask"}}}
	same(t, "other numbers", schema.ObjectLabelsOf(open(t, h).Index(), 0), []int32{0})
	h.Objects = sources.Objects{Column: "parts", BBox: sources.XYXY}
	d = open(t, h)
	same(t, "parts", schema.TargetSpecOf(d.Index()).Classes, []string{"door", "wheel"})
	if o := targets(t, d, 0).Objects; len(o) != 1 || !o[0].Crowd || o[0].Label != 1 {
		t.Errorf("%+v", o)
	}
	if !slices.Equal(schema.ObjectLabelsOf(d.Index(), 2), []int32{0}) || !strings.Contains(warnings(d), "1 object with an unknown category") {
		t.Errorf("%v %s", schema.ObjectLabelsOf(d.Index(), 2), warnings(d))
	}
	for _, c := range []struct {
		h    sources.HuggingFace
		want string
	}{
		{sources.HuggingFace{Saved: dir, Multi: sources.Multi{"t": {Column: "objects"}}}, `multi: column "objects" has the type struct`},
		{sources.HuggingFace{Saved: dir, Multi: sources.Multi{"t": {Column: "age"}}}, "want lists of labels, or texts"},
		{sources.HuggingFace{Saved: dir, Values: sources.ValueColumns{"v": "tags"}}, "want numbers"},
		{sources.HuggingFace{Saved: dir, Objects: sources.Objects{Column: "age"}}, "want a structure of lists"},
		{sources.HuggingFace{Saved: dir, Objects: sources.Objects{Column: "boxes"}}, `objects: there is no column "boxes"`},
		{sources.HuggingFace{Saved: dir, Objects: sources.Objects{Column: "img"}}, "it has no list bbox"},
		{sources.HuggingFace{Saved: dir, Multi: sources.Multi{"tags": {Classes: sources.ClassList{List: []string{"day"}}}}}, `class "night" of task "tags" is not among the 1 class`},
	} {
		fails(t, c.h, c.want)
	}
	columns := []col{{"img", hfImage, []any{[]any{"first", nil}, []any{"second", nil}}}, {"tags", arrow.ListOf(arrow.PrimitiveTypes.Int64), []any{[]any{1}, []any{7}}}}
	dir = filepath.Join(t.TempDir(), "set")
	saved(t, dir, `"img": {"_type": "Image"}, "tags": {"feature": {"names": ["day", "night"], "_type": "ClassLabel"}, "_type": "List"}`, columns)
	fails(t, sources.HuggingFace{Saved: dir, Multi: sources.Multi{"tags": {}}}, `row 1: column "tags": "7" is no number of the 2 classes of task "tags"`)
}

func TestHuggingFacePolygons(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	parts := arrow.ListOf(box)
	lists := arrow.StructOf(nullable("bbox", arrow.ListOf(box)), nullable("category", arrow.ListOf(arrow.PrimitiveTypes.Int64)), nullable("segmentation", arrow.ListOf(parts)))
	ring := []any{0.0, 0.0, 4.0, 0.0, 4.0, 4.5}
	saved(t, dir, `"img": {"_type": "Image"}, "objects": {"bbox": {}, "category": {}, "segmentation": {}}`, []col{
		{"img", hfImage, []any{[]any{"first", nil}, []any{"second", nil}}},
		{"objects", lists, []any{[]any{[]any{[]any{0.0, 0.0, 5.0, 5.0}, []any{1.0, 1.0, 2.0, 2.0}}, []any{0, 1}, []any{[]any{ring, ring}, []any{}}}, []any{[]any{}, []any{}, []any{}}}},
	})
	d := open(t, sources.HuggingFace{Saved: dir, Objects: sources.Objects{Column: "objects"}})
	want := []float32{0, 0, 4, 0, 4, 4.5}
	if o := targets(t, d, 0).Objects; len(o) != 2 || len(o[0].Polygon) != 2 || !slices.Equal(o[0].Polygon[1], want) || o[1].Polygon != nil || !schema.TargetSpecOf(d.Index()).Polygons {
		t.Errorf("%+v", o)
	}
	if n := len(targets(t, d, 1).Objects); n != 0 {
		t.Errorf("%d objects of none", n)
	}
}

func TestHuggingFaceMasks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	shape := arrow.StructOf(nullable("size", arrow.ListOf(arrow.PrimitiveTypes.Int32)), nullable("counts", arrow.BinaryTypes.String))
	lists := arrow.StructOf(nullable("bbox", arrow.ListOf(box)), nullable("category", arrow.ListOf(arrow.PrimitiveTypes.Int64)), nullable("segmentation", arrow.ListOf(shape)))
	saved(t, dir, `"img": {"_type": "Image"}, "objects": {"bbox": {}, "category": {}, "segmentation": {}}`, []col{
		{"img", hfImage, []any{[]any{"first", nil}}},
		{"objects", lists, []any{[]any{[]any{[]any{1.0, 1.0, 2.0, 2.0}, []any{1.0, 1.0, 2.0, 2.0}}, []any{0, 1}, []any{[]any{[]any{4, 6}, "5220;"}, nil}}}},
	})
	d := open(t, sources.HuggingFace{Saved: dir, Objects: sources.Objects{Column: "objects"}})
	if o := targets(t, d, 0).Objects; len(o) != 2 || len(o[0].Polygon) != 1 || !slices.Equal(o[0].Polygon[0], []float32{3, 1, 3, 3, 1, 3, 1, 1}) || o[1].Polygon != nil {
		t.Errorf("%+v", o)
	}
}
