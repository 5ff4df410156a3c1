package sinktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
)

// Runs are small runs of every form that a pipeline can deliver.
func Runs() map[string]*schema.Run {
	chw := schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 4, Width: 6}
	hwc := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 5, Width: 3}
	scales := NewRun(schema.FormTensor, hwc)
	scales.Scales = true
	scales.Variants = nil
	for _, s := range []float64{0.5, 1, 1.5} {
		t := hwc
		t.Height, t.Width = int(5*s), int(3*s)
		scales.Variants = append(scales.Variants, schema.Variant{Scale: s, Tensor: t})
	}
	params := NewRun(schema.FormTensor, hwc)
	params.Params = true
	unlabelled := NewRun(schema.FormTensor, hwc)
	unlabelled.Tasks, unlabelled.Counts = nil, nil
	one := NewRun(schema.FormTensor, hwc)
	one.Epochs, one.RowsPerEpoch, one.BatchesPerEpoch = 1, 1, 1
	none := NewRun(schema.FormTensor, hwc)
	none.RowsPerEpoch, none.BatchesPerEpoch = 0, 0
	objects, varyingObjects, encodedObjects := NewRun(schema.FormTensor, hwc), NewRun(schema.FormVarying, schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}), NewRun(schema.FormEncoded, schema.Tensor{})
	scaledObjects := *scales
	for _, run := range []*schema.Run{objects, varyingObjects, encodedObjects, &scaledObjects} {
		run.Targets = NewTargetSpec()
	}
	return map[string]*schema.Run{
		"objects":         objects,
		"objects varying": varyingObjects,
		"objects encoded": encodedObjects,
		"objects scales":  &scaledObjects,

		"uint8":      NewRun(schema.FormTensor, hwc),
		"float32":    NewRun(schema.FormTensor, chw),
		"varying":    NewRun(schema.FormVarying, schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}),
		"encoded":    NewRun(schema.FormEncoded, schema.Tensor{}),
		"scales":     scales,
		"params":     params,
		"unlabelled": unlabelled,
		"one row":    one,
		"nothing":    none,
	}
}

// names are the Runs' names, sorted.
func names(runs map[string]*schema.Run) []string { return slices.Sorted(maps.Keys(runs)) }

// NewRun is 2 epochs of 29 rows in batches of 4, with two tasks.
func NewRun(form schema.Form, tensor schema.Tensor) *schema.Run {
	return &schema.Run{
		PlanHash: "5eed",
		Pipeline: `{"seed":42,"stages":[{"flip":{"p":0.5}}]}`,
		Seed:     42,
		Tasks:    []schema.Task{{Name: "shape", Classes: []string{"circle", "star"}}, {Name: "type", Classes: []string{"a", "b", "c"}}},
		Counts:   [][]int64{{20, 9, 0}, {10, 10, 8, 1}},
		Form:     form,
		Variants: []schema.Variant{{Scale: 1, Tensor: tensor}},

		Epochs:          2,
		RowsPerEpoch:    29,
		BatchesPerEpoch: 8,
		BatchSize:       4,
	}
}

// NewTargetSpec has every kind of target, and categories whose ids have gaps.
func NewTargetSpec() *schema.TargetSpec {
	return &schema.TargetSpec{
		Boxes: true, Classes: []string{"person", "car", "traffic light"}, CategoryIDs: []int64{1, 3, 10},
		Categories: json.RawMessage(`[{"id":1,"name":"person","supercategory":"living","keypoints":["nose","left","right"],"skeleton":[[1,2],[1,3]]},{"id":3,"name":"car"},{"id":10,"name":"traffic light"}]`),
		Polygons:   true, Keypoints: []string{"nose", "left", "right"}, Mirrored: []int{0, 2, 1},
		Mask: true, MaskClasses: []string{"background", "thing"},
	}
}

// targets are those of a row: none to three objects, and the mask's file of an encoded row.
// The mask of any other is a part of fill.
func targets(run *schema.Run, epoch int, position int64) *schema.Targets {
	if run.Targets == nil {
		return nil
	}
	seed := mix(uint64(epoch)+7, uint64(position))
	t := &schema.Targets{}
	for i := range int(seed % 4) {
		z := mix(seed, uint64(i))
		x, y, w, h := float32(z%7)/8, float32(z>>8%9)/8, 1+float32(z>>16%11)/8, 1+float32(z>>24%13)/8
		o := schema.Object{Box: [4]float32{x, y, x + w, y + h}, Label: int32(z >> 32 % 3), ID: position*10 + int64(i), Crowd: z>>40%4 == 0}
		switch z >> 44 % 3 {
		case 0:
			o.Area = w * h // its shape isn't known
		case 1:
			o.Polygon = [][]float32{{x, y, x + w, y, x, y + h}}
			o.Area = w * h / 2
		case 2:
			o.Polygon = [][]float32{{x, y, x + w/4, y, x + w/4, y + h, x, y + h}, {x + w/2, y, x + w, y, x + w, y + h, x + w/2, y + h}}
			o.Area = w * h * 3 / 4
		}
		if o.Label == 0 {
			o.Keypoints = []float32{x + w/2, y + h/2, 2, x, y, 1, 0, 0, 0}
		}
		t.Objects = append(t.Objects, o)
	}
	return t
}

// fillMask gives a row its mask, in the form that its picture has; only one that varies in
// size must be told it.
func fillMask(run *schema.Run, d *schema.Draft, row int, seed uint64, height, width int) {
	if !run.Targets.HasMask() {
		return
	}
	switch run.Form {
	case schema.FormEncoded:
		if seed%5 > 0 { // else there is none
			d.SetEncodedMask(row, append([]byte("\x89PNG\r\n\x1a\n"), pixels(seed, int(seed%40))...))
		}
	case schema.FormVarying:
		d.SetMask(row, &schema.Picture{Height: height, Width: width, U8: pixels(seed+1, height*width)})
	case schema.FormTensor:
		copy(d.Mask(row), pixels(seed+1, len(d.Mask(row))))
	}
}

// rowsOf is the rows of a batch: the last of an epoch is short, and so is every
// fifth, of which the engine left out rows that failed; one has none at all.
func rowsOf(run *schema.Run, number int64) int {
	rows := int(min(int64(run.BatchSize), run.RowsPerEpoch-number*int64(run.BatchSize)))
	if number%5 == 3 {
		rows--
	}
	if number == 6 {
		rows = 0
	}
	return rows
}

// NewBatch is one batch of a run, the same for every call.
func NewBatch(run *schema.Run, mem memory.Allocator, epoch int, number int64, variant int) (*schema.Batch, error) {
	return newBatch(run, mem, epoch, number, variant, nil)
}

func newBatch(run *schema.Run, mem memory.Allocator, epoch int, number int64, variant int, encoded func(position int64) []byte) (*schema.Batch, error) {
	builder, err := schema.NewBuilder(run, mem)
	if err != nil {
		return nil, err
	}
	rows := rowsOf(run, number)
	draft := builder.Draft(epoch, number, rows)
	for row := range rows {
		position := number*int64(run.BatchSize) + int64(row)
		draft.SetMeta(row, meta(run, epoch, position))
		if encoded != nil {
			draft.SetEncoded(row, encoded(position))
			fillMask(run, draft, row, mix(uint64(epoch)+99, uint64(position)), 0, 0)
			continue
		}
		fill(run, draft, row, epoch, position)
	}
	base, err := draft.Finish()
	if err != nil || variant == 0 {
		return base, err
	}
	defer base.Release()
	derived := builder.Derive(base, variant)
	for row := range rows {
		fill(run, derived, row, epoch, number*int64(run.BatchSize)+int64(row))
	}
	return derived.Finish()
}

func meta(run *schema.Run, epoch int, position int64) schema.Meta {
	n := int32(mix(uint64(epoch), uint64(position)) >> 40)
	m := schema.Meta{
		Key:         fmt.Sprintf("klaſſe %d/%d.jpg", n%7, position),
		Labels:      []int32{n % 2, n%4 - 1}, // -1: unknown
		Weight:      float32(n%5) / 4,
		Position:    position,
		SourceIndex: int64(n % 13),
		Params:      fmt.Sprintf(`{"flip":{"flipped":%t}}`, n%2 == 0),
	}
	m.Labels = m.Labels[:len(run.Tasks)]
	m.Targets = targets(run, epoch, position)
	return m
}

func fill(run *schema.Run, d *schema.Draft, row, epoch int, position int64) {
	seed := mix(uint64(epoch)+99, uint64(position))
	switch run.Form {
	case schema.FormEncoded:
		data := pixels(seed, int(seed%50))
		if run.Targets != nil { // a picture whose size can be told
			data = append([]byte("P5 3 5 255\n"), pixels(seed, 15)...)
		}
		d.SetEncoded(row, data)
		fillMask(run, d, row, seed, 0, 0)
	case schema.FormVarying:
		p := schema.NewPicture(1+int(seed%9), 1+int(seed>>8%9))
		p.U8 = pixels(seed, len(p.U8))
		if err := d.SetPicture(row, p); err != nil {
			panic(err) // it is of the form's type
		}
		fillMask(run, d, row, seed, p.Height, p.Width)
	case schema.FormTensor:
		slot := d.Slot(row)
		copy(slot.U8, pixels(seed, len(slot.U8)))
		for i, v := range pixels(seed, len(slot.F32)) {
			slot.F32[i] = float32(v) / 255
		}
		fillMask(run, d, row, seed, 0, 0)
	}
}

func pixels(seed uint64, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(mix(seed, uint64(i)/3)) // runs of three, so that there is something to compress
	}
	return out
}

// mix is a hash of two numbers (the finalizer of splitmix64).
func mix(a, b uint64) uint64 {
	z := a*0x9E3779B97F4A7C15 + b + 1
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
