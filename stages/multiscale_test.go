package stages_test

import (
	"math"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestMultiScale(t *testing.T) {
	for _, s := range []stages.MultiScale{
		{Scales: []float64{0.5, 1, 1.5}},
		{Scales: []float64{1.3, 0.7}, Mode: stages.Bilinear, PickBy: stages.Cycle},
		{Scales: []float64{1, 2}, PickBy: stages.Random},
	} {
		stagetest.Batches(t, s)
	}
	wrong(t, stages.MultiScale{}, "scales: missing")
	wrong(t, stages.MultiScale{Scales: []float64{1}}, "scales: [1] does nothing")
	wrong(t, stages.MultiScale{Scales: []float64{0.5, -1, math.NaN(), 0.5}, Mode: "bicubic", PickBy: "any"},
		`mode: "bicubic" is none of`, `pick: "any" is none of`,
		"scales: -1 is not a factor", "scales: NaN is not a factor", "scales: 0.5 is given twice")
}

func TestMultiScaleVariants(t *testing.T) {
	in := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 15, Width: 7}
	got, err := stages.MultiScale{Scales: []float64{1.5, 1, 0.5}}.Variants(in)
	var sizes []int
	for _, v := range got {
		sizes = append(sizes, v.Tensor.Height, v.Tensor.Width)
	}
	if want := []int{22, 10, 15, 7, 7, 3}; err != nil || !slices.Equal(sizes, want) {
		t.Errorf("%v, %v; want %v", sizes, err, want)
	}
	if _, err := (stages.MultiScale{Scales: []float64{0.1, 1}}).Variants(in); err == nil {
		t.Error("a variant without pixels is accepted")
	}
	if _, err := (stages.MultiScale{Scales: []float64{2}, Mode: stages.Bilinear}).Variants(in); err == nil {
		t.Error("bilinear of uint8 is accepted, which torch has not")
	}
}

func TestMultiScaleEqualsTorch(t *testing.T) {
	type fixed struct {
		Height, Width     int
		OutHeight         int `json:"out_height"`
		OutWidth          int `json:"out_width"`
		Scale             float64
		Nearest, Bilinear []byte
	}
	worst := 0.0
	for _, c := range golden[[]fixed](t, "multiscale") {
		for _, layout := range []schema.Layout{schema.CHW, schema.HWC} {
			src := tensorOf(stagetest.Pattern(c.Height, c.Width), layout)
			for _, mode := range []stages.Interpolation{stages.Nearest, stages.Bilinear} {
				want, limit := floats(c.Nearest), 0.0
				if mode == stages.Bilinear {
					want, limit = floats(c.Bilinear), 1e-5
				}
				stage := stages.MultiScale{Scales: []float64{3, c.Scale}, Mode: mode}
				variants, err := stage.Variants(src.Tensor())
				if err != nil {
					t.Fatal(err)
				}
				out := variants[1].Tensor
				if out.Height != c.OutHeight || out.Width != c.OutWidth {
					t.Errorf("scale %g: %v, torch has %dx%d", c.Scale, out, c.OutWidth, c.OutHeight)
					continue
				}
				dst := &schema.Picture{Height: out.Height, Width: out.Width, Layout: out.Layout, F32: make([]float32, out.Elements())}
				stage.Apply(1, dst, src)
				largest := 0.0
				for i, v := range want { // torch's are CHW
					pixels := out.Height * out.Width
					if layout == schema.HWC {
						i = i%pixels*3 + i/pixels
					}
					largest = max(largest, math.Abs(float64(dst.F32[i])-float64(v)))
				}
				if worst = max(worst, largest); largest > limit {
					t.Errorf("scale %g, %s, %s: off by %g", c.Scale, mode, layout, largest)
				}
			}
		}
	}
	t.Logf("largest difference %.1e", worst)
}

// tensorOf is to_tensor.
func tensorOf(p *schema.Picture, layout schema.Layout) *schema.Picture {
	out := &schema.Picture{Height: p.Height, Width: p.Width, Layout: layout, F32: make([]float32, len(p.U8))}
	for i, v := range p.U8 {
		at := i
		if layout == schema.CHW {
			at = i%3*p.Height*p.Width + i/3
		}
		out.F32[at] = float32(v) / 255
	}
	return out
}

func TestMultiScalePick(t *testing.T) {
	key := rng.NewKey(1, "multiscale", "0")
	pick := func(by stages.Pick, epoch int, batch int64) []int {
		return stages.MultiScale{Scales: []float64{0.5, 1, 2}, PickBy: by}.Pick(epoch, batch, key.Stream(epoch, batch, 0))
	}
	if got := pick("", 1, 1); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("each: %v", got)
	}
	if got := []int{pick(stages.Cycle, 0, 0)[0], pick(stages.Cycle, 0, 1)[0], pick(stages.Cycle, 0, 5)[0], pick(stages.Cycle, 1, 0)[0]}; !slices.Equal(got, []int{0, 1, 2, 1}) {
		t.Errorf("cycle: %v", got)
	}
	counts := make([]float64, 3)
	for batch := range int64(10_000) {
		counts[pick(stages.Random, 0, batch)[0]]++
	}
	uniform(t, "random pick", counts)
}
