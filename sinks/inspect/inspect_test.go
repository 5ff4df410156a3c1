package inspect_test

import (
	"encoding/json"
	"fmt"
	"log"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/inspect"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// images makes a batch of grey 2x2 images in one scale of a run of two.
func images(run *schema.Run, variant int, values ...float32) (*schema.Batch, error) {
	one := *run
	one.Variants = run.Variants[variant : variant+1]
	builder, err := schema.NewBuilder(&one, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	draft := builder.Draft(0, 0, len(values))
	for row, v := range values {
		draft.SetMeta(row, schema.Meta{Key: fmt.Sprint(row), Labels: []int32{int32(row) - 1}, Weight: 1})
		pixels := draft.Slot(row).F32
		for i := range pixels {
			pixels[i] = v
		}
	}
	return draft.Finish()
}

func twoScales() *schema.Run {
	run := &schema.Run{
		PlanHash: strings.Repeat("ab", 32), Pipeline: "{}", Seed: 7, Scales: true, Epochs: 1,
		Tasks:  []schema.Task{{Name: "light", Classes: []string{"off", "on"}}},
		Counts: [][]int64{{10, 20, 1}},
		Form:   schema.FormTensor,
	}
	for _, scale := range []float64{0.5, 1} {
		run.Variants = append(run.Variants, schema.Variant{Scale: scale, Tensor: schema.Tensor{
			DType: schema.Float32, Layout: schema.CHW, Height: int(4 * scale), Width: int(4 * scale)}})
	}
	return run
}

// Batches of a run in two scales, which come in turn.
func ExampleInspector() {
	inspector := inspect.Inspector{Name: "lights", Statistics: true}
	run := twoScales()
	for _, variant := range []int{0, 1, 0, 1} {
		batch, err := images(run, variant, 0, 1, 2)
		if err != nil {
			log.Fatal(err)
		}
		if err := inspector.Add(batch); err != nil {
			log.Fatal(err)
		}
		batch.Release()
	}
	report, err := inspector.Report()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d rows in %d batches, %d of them on\n", report.Rows, report.Batches, report.Tasks["light"]["on"])
	for _, s := range report.Shapes {
		fmt.Printf("%d rows of %s, mean %.2f, std %.2f\n", s.Rows, s.Image, s.Mean, s.Std)
	}
	// Output:
	// 12 rows in 4 batches, 4 of them on
	// 6 rows of float32[3,2,2], mean [1.00 1.00 1.00], std [0.82 0.82 0.82]
	// 6 rows of float32[3,4,4], mean [1.00 1.00 1.00], std [0.82 0.82 0.82]
}

// TestForms: whatever the form of the images, rows and labels are counted.
func TestForms(t *testing.T) {
	for name, run := range sinktest.Runs() {
		if len(run.Tasks) == 0 || run.BatchesPerEpoch == 0 {
			continue
		}
		var i inspect.Inspector
		rows := int64(0)
		d := sinktest.Delivery{Run: run, Before: func(b *schema.Batch) error {
			rows += int64(b.Rows())
			return i.Add(b)
		}}
		if err := d.To(t.Context(), &sinks.Discard{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		report, err := i.Report()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		counted := int64(0)
		for _, n := range report.Tasks[run.Tasks[0].Name] {
			counted += n
		}
		if report.Rows != rows || counted != rows || len(report.Columns) == 0 || report.PlanHash != run.PlanHash {
			t.Errorf("%s: %d rows: %+v", name, rows, report)
		}
	}
}

func TestRefused(t *testing.T) {
	var i inspect.Inspector
	if _, err := i.Report(); err == nil || !strings.Contains(err.Error(), "no finished part and no batch") {
		t.Errorf("nothing: %v", err)
	}
	other := twoScales()
	other.PlanHash = strings.Repeat("cd", 32)
	for n, run := range []*schema.Run{twoScales(), other, twoScales()} {
		b, err := images(run, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		err = i.Add(b)
		b.Release()
		if n == 1 && (err == nil || !strings.Contains(err.Error(), "parts of two plans")) || n != 1 && err != nil {
			t.Errorf("batch %d: %v", n, err)
		}
	}
	if report, err := i.Report(); err != nil || report.Rows != 2 || len(report.Shapes) != 1 {
		t.Errorf("after a batch that was refused: %+v, %v", report, err)
	}
}

func TestNumber(t *testing.T) {
	have, err := json.Marshal([]inspect.Number{1.5, inspect.Number(math.NaN()), inspect.Number(math.Inf(-1))})
	if err != nil || string(have) != "[1.5,null,null]" {
		t.Errorf("%s, %v", have, err)
	}
}

// Objects and mask pixels are counted by class, as the batches have them.
func TestTargets(t *testing.T) {
	run, dir := sinktest.Runs()["objects"], t.TempDir()
	objects, rows := make([]int64, 3), make([]int64, 3)
	var single, singleRows [3]int64 // without crowds
	var pixels [256]int64
	d := sinktest.Delivery{Run: run, Before: func(b *schema.Batch) error {
		for row := range b.Rows() {
			list, err := b.Objects(row)
			if err != nil {
				return err
			}
			seen, alone := map[int32]bool{}, map[int32]bool{}
			for _, o := range list {
				if !o.Crowd {
					single[o.Label]++
					if !alone[o.Label] {
						singleRows[o.Label]++
					}
					alone[o.Label] = true
				}
				objects[o.Label]++
				if !seen[o.Label] {
					rows[o.Label]++
				}
				seen[o.Label] = true
			}
			values, _, _ := b.Mask(row)
			for _, v := range values {
				pixels[v]++
			}
		}
		return nil
	}}
	if err := d.To(t.Context(), &sinks.ArrowParts{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	var inspector inspect.Inspector
	if err := sinks.ReadParts(dir, inspector.Add); err != nil {
		t.Fatal(err)
	}
	report, err := inspector.Report()
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Objects) != 3 || report.Objects[2].Class != "traffic light" {
		t.Fatalf("objects %+v", report.Objects)
	}
	for i, c := range report.Objects {
		if x := report.Images["boxes"][c.Class]; x.Delivered != rows[i] || x.Distinct+x.Repeats != rows[i] || report.ByEpoch[0].Images["boxes"][c.Class].Delivered == 0 {
			t.Errorf("class %s: %d rows, and the ledger has %+v", c.Class, rows[i], x)
		}
		if c.Objects != objects[i] || c.Rows != rows[i] || c.Objects == 0 {
			t.Errorf("%+v, want %d objects in %d rows", c, objects[i], rows[i])
		}
	}
	all := int64(0)
	for _, c := range report.Masks {
		if all += c.Pixels; c.Pixels != pixels[c.Number] || c.Rows == 0 && c.Pixels > 0 {
			t.Errorf("%+v, want %d pixels", c, pixels[c.Number])
		}
	}
	if all != report.Rows*15 || report.Masks[1].Class != "thing" {
		t.Errorf("%d pixels of %d rows, %+v", all, report.Rows, report.Masks[:2])
	}
	d.Before = nil
	for _, format := range []sinks.Format{&sinks.COCO{}, &sinks.YOLO{}, &sinks.Masks{}, &sinks.Parquet{}} {
		dir := t.TempDir()
		if err := format.Into(sinks.Destination{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		if err := d.To(t.Context(), format); err != nil {
			t.Fatal(err)
		}
		objects, rows := objects, rows
		if format.Name() == "yolo" { // has no crowds
			objects, rows = single[:], singleRows[:]
		}
		m, err := sinks.ReadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		ofManifest, err := inspect.OfManifest(dir, m)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range ofManifest.Objects {
			if c.Class != run.Targets.Classes[i] || c.Objects != objects[i] || c.Rows != rows[i] || c.Objects == 0 {
				t.Errorf("%s: %+v, want %d objects in %d rows", format.Name(), c, objects[i], rows[i])
			}
		}
		want := map[string][2]int{"coco": {3, 0}, "yolo": {3, 0}, "masks": {0, len(report.Masks)}, "parquet": {3, len(report.Masks)}}[format.Name()]
		if have := [2]int{len(ofManifest.Objects), len(ofManifest.Masks)}; have != want {
			t.Errorf("%s: %d classes of objects and of masks, want %d", format.Name(), have, want)
		}
		if want[1] > 0 && !slices.Equal(ofManifest.Masks, report.Masks) {
			t.Errorf("%s: masks %+v, want %+v", format.Name(), ofManifest.Masks, report.Masks)
		}
		v, ok := format.(sinks.Verifier)
		if r, err := v.Verify(t.Context(), dir, nil); !ok || err != nil || len(r.Problems) > 0 {
			t.Errorf("%s: %v %v", format.Name(), r.Problems, err)
		}
		for _, c := range []sinks.ClassCount{{256, 1, 1}, {-1, 1, 1}} {
			m.Parts[0].Targets = &sinks.TargetCounts{Objects: []sinks.ClassCount{c}}
			if want[0] == 0 {
				m.Parts[0].Targets = &sinks.TargetCounts{Masks: []sinks.ClassCount{c}}
			}
			if _, err := inspect.OfManifest(dir, m); err == nil || !strings.Contains(err.Error(), "damaged: ") {
				t.Errorf("%s: damaged: %v", format.Name(), err)
			}
		}
	}
}
