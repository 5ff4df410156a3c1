package flow_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// decode: {mode: gray} gives one channel: convert("L") of the decoded RGB, under every
// executor.
func TestGray(t *testing.T) {
	source := sources.Folder{Path: "testdata/golden"}
	gray := stages.Decode{Mode: stages.Gray}
	run := func(list []stages.Stage, opts ...flow.Option) (values [][]byte, shapes []string, pictures []*schema.Picture) {
		t.Helper()
		for batch, err := range flow.New(source, list...).Batches(t.Context(), append(opts, flow.Seed(3))...) {
			if err != nil {
				t.Fatal(err)
			}
			for row := range batch.Rows() {
				if p := batch.Picture(row); p.U8 != nil {
					p.U8 = bytes.Clone(p.U8) // the batch's memory
					pictures = append(pictures, p)
				}
			}
			shapes = append(shapes, batch.Tensor.String())
			column := append([]byte{}, batch.Uint8()...)
			for _, v := range batch.Float32() {
				column = append(column, byte(v*50), byte(v*5000))
			}
			values = append(values, column)
		}
		return values, shapes, pictures
	}
	executors := map[string][]flow.Option{"reference": {flow.Exec(flow.Reference)}, "exact": {flow.WithFuse(flow.FuseExact)}, "full": nil}
	for name, opts := range executors {
		_, shapes, grey := run([]stages.Stage{gray, stages.CenterCrop{Height: 8, Width: 8}, stages.Batch{Size: 4}}, opts...)
		_, _, rgb := run([]stages.Stage{stages.Decode{}, stages.CenterCrop{Height: 8, Width: 8}, stages.Batch{Size: 4}}, opts...)
		for i, p := range rgb {
			decode.Gray(p)
			if len(grey) != len(rgb) || !bytes.Equal(p.U8, grey[i].U8) {
				t.Errorf("%s: picture %d isn't grey of the RGB picture", name, i)
			}
		}
		if len(shapes) == 0 || shapes[0] != "uint8[8,8,1]" {
			t.Errorf("%s: %v", name, shapes)
		}
	}
	list := []stages.Stage{gray, stages.Rotate{Degrees: stages.Range{-30, 30}, Fill: stages.Color{9, 9, 9}}, stages.ColorJitter{Brightness: stages.Around(0.4)},
		stages.RandomResizedCrop{Height: 8, Width: 12}, stages.ToTensor{}, stages.Normalize{Mean: stages.Mean{0.5, 0.5, 0.5}, Std: stages.DatasetStd},
		stages.Batch{Size: 4}, stages.MultiScale{Scales: []float64{0.5, 1}}}
	reference, shapes, _ := run(list, executors["reference"]...)
	exact, _, _ := run(list, executors["exact"]...)
	if !slices.EqualFunc(reference, exact, bytes.Equal) {
		t.Error("the fused executor's grey is not the reference's")
	}
	full, _, _ := run(list)
	if !slices.Contains(shapes, "float32[1,4,6]") || !slices.Contains(shapes, "float32[1,8,12]") || len(full) != len(exact) {
		t.Errorf("shapes %v", shapes)
	}
	for _, s := range recoloring(1) {
		list := []stages.Stage{gray, stages.Resize{Height: 8, Width: 12}, s, stages.Grayscale{}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Batch{Size: 4}}
		reference, _, _ := run(list, executors["reference"]...)
		exact, _, _ := run(list, executors["exact"]...)
		if !slices.EqualFunc(reference, exact, bytes.Equal) {
			t.Errorf("%s: the fused executor's grey is not the reference's", s.Name())
		}
	}
	for says, list := range map[string][]stages.Stage{
		"mean: [0.485 0.456 0.406] is for three channels": {gray, stages.Resize{Height: 8, Width: 8}, stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.Std{0.2, 0.2, 0.2}}, stages.Batch{Size: 2}},
		"fill: [9 8 7] is a colour":                       {gray, stages.Rotate{Degrees: stages.Range{-3, 3}, Fill: stages.Color{9, 8, 7}}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 2}},
		"grey rows that vary in size":                     {gray},
	} {
		if _, err := flow.New(source, list...).Plan(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error with %q, have %v", says, err)
		}
	}
}
