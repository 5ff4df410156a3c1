package parquetsource

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// TestNested compares the cells of lists and structures with what pyarrow reads.
func TestNested(t *testing.T) {
	for _, kind := range []string{"lists", "structs"} {
		var want []map[string]any
		text, err := os.ReadFile(filepath.Join("testdata", "targets", kind+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &want); err != nil || len(want) != 60 {
			t.Fatal(len(want), err)
		}
		for version := 1; version <= 2; version++ {
			p := Parquet{Files: data(fmt.Sprintf("targets/%s-%d.parquet", kind, version)), Tasks: []string{}, Multi: sources.Multi{"tags": {}}, Values: sources.ValueColumns{"age": "age"},
				Objects: sources.Objects{Column: "objects", Keypoints: []string{"nose"}}}
			d := open(t, p)
			x := d.Index()
			if err := schema.Check(x); err != nil {
				t.Fatal(err)
			}
			spec := schema.TargetSpecOf(x)
			classes := []string{"car", "bus", "person"} // of the features
			if kind == "structs" {
				classes = []string{"0", "1", "2"}
			}
			if !slices.Equal(spec.Classes, classes) {
				t.Errorf("classes %v", spec.Classes)
			}
			for i, row := range want {
				var got schema.Targets
				if err := d.(sources.Targeter).Targets(t.Context(), i, &got); err != nil {
					t.Fatal(err)
				}
				objects := wantObjects(row["objects"])
				if !reflect.DeepEqual(append([]schema.Object{}, got.Objects...), objects) {
					t.Errorf("%s, version %d, row %d: %+v, want %+v", kind, version, i, got.Objects, objects)
				}
				if n := len(schema.ObjectLabelsOf(x, i)); n != len(objects) {
					t.Errorf("row %d: %d labels", i, n)
				}
				var tags any
				if list, ok := row["tags"].([]any); ok {
					numbers := []int32{}
					for _, tag := range list {
						numbers = append(numbers, int32(slices.Index(spec.Multi[0].Classes, tag.(string))))
					}
					tags = numbers
				}
				if !reflect.DeepEqual(x.Value(0, i), tags) {
					t.Errorf("row %d: tags %v, want %v", i, x.Value(0, i), tags)
				}
				if age, ok := row["age"].(float64); ok != (x.Value(1, i) != nil) || ok && x.Value(1, i) != float32(age) {
					t.Errorf("row %d: %v, want %v", i, x.Value(1, i), row["age"])
				}
			}
		}
	}
}

// wantObjects are the objects of a structure of lists, or of a list of structures.
func wantObjects(v any) []schema.Object {
	objects := []schema.Object{}
	one := func(id, area, bbox, category, keypoints, segmentation any) {
		b := bbox.([]any)
		n := func(v any) float32 { return float32(v.(float64)) }
		o := schema.Object{ID: int64(id.(float64)), Area: n(area), Label: int32(category.(float64)), Box: [4]float32{n(b[0]), n(b[1]), n(b[0]) + n(b[2]), n(b[1]) + n(b[3])}}
		for _, point := range keypoints.([]any) {
			for _, v := range point.([]any) {
				o.Keypoints = append(o.Keypoints, n(v))
			}
		}
		for _, part := range segmentation.([]any) {
			var ring []float32
			for _, v := range part.([]any) {
				ring = append(ring, n(v))
			}
			o.Polygon = append(o.Polygon, ring)
		}
		objects = append(objects, o)
	}
	switch v := v.(type) {
	case map[string]any:
		for i, id := range v["id"].([]any) {
			at := func(name string) any { return v[name].([]any)[i] }
			one(id, at("area"), at("bbox"), at("category"), at("keypoints"), at("segmentation"))
		}
	case []any:
		for _, o := range v {
			o := o.(map[string]any)
			one(o["id"], o["area"], o["bbox"], o["category"], o["keypoints"], o["segmentation"])
		}
	}
	return objects
}

func TestNestedErrors(t *testing.T) {
	files := data("targets/lists-1.parquet")
	for want, p := range map[string]Parquet{
		`multi: the column "objects" holds neither lists of labels nor texts`: {Multi: sources.Multi{"t": {Column: "objects"}}},
		`values: the column "tags" holds no numbers`:                          {Values: sources.ValueColumns{"v": "tags"}},
		`objects: the column "tags" holds no objects`:                         {Objects: sources.Objects{Column: "tags"}},
		`objects: there is no column "boxes"`:                                 {Objects: sources.Objects{Column: "boxes"}},
		`multi: "image" is already the column of the images`:                  {Image: "image", Multi: sources.Multi{"image": {}}},
		`class "rain" of task "tags" is not among the 1 class`:                {Multi: sources.Multi{"tags": {Classes: sources.ClassList{List: []string{"night"}}}}},
	} {
		p.Files, p.Tasks = files, []string{}
		d, err := p.Open(t.Context())
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "sources: parquet: ") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Damage anywhere in a file is an error, or changes what is read, and is never a panic.
func TestNestedDamage(t *testing.T) {
	for _, name := range []string{"lists-1", "structs-2"} {
		whole, err := os.ReadFile(filepath.Join("testdata", "targets", name+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "damaged.parquet")
		failed := 0
		for at := 4; at < len(whole); at += 37 {
			bad := bytes.Clone(whole)
			bad[at] ^= 0x55
			if err := os.WriteFile(file, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := Parquet{Files: Files{file}, Tasks: []string{}, Multi: sources.Multi{"tags": {}}, Objects: sources.Objects{Column: "objects"}}.Open(t.Context())
			if err != nil {
				failed++
				continue
			}
			d.Close()
		}
		if failed < 10 {
			t.Errorf("%s: %d of its damages are errors", name, failed)
		}
	}
}

// Run-length encoded masks of objects become outlines.
func TestNestedMasks(t *testing.T) {
	for _, kind := range []string{"text", "lengths"} {
		d := open(t, Parquet{Files: data("targets/masks-" + kind + ".parquet"), Tasks: []string{}, Objects: sources.Objects{Column: "objects"}})
		var got schema.Targets
		if err := d.(sources.Targeter).Targets(t.Context(), 0, &got); err != nil {
			t.Fatal(err)
		}
		want := [][]float32{{3, 1, 3, 3, 1, 3, 1, 1}}
		if o := got.Objects; len(o) != 2 || !reflect.DeepEqual(o[0].Polygon, want) || o[1].Polygon != nil || !schema.TargetSpecOf(d.Index()).Polygons {
			t.Errorf("%s: %+v", kind, o)
		}
		for _, w := range d.(sources.Warner).Warnings() {
			if strings.Contains(w, "RLE") {
				t.Errorf("%s: %s", kind, w)
			}
		}
	}
}
