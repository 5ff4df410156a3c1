package stages_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

// augment reads a part of testdata/augment.json, which testdata/augment.py writes.
func augment[T any](t *testing.T, part string) T {
	t.Helper()
	return partOf[T](t, "augment", part)
}

// augmented draws the pictures of augment.py.
func augmented(t *testing.T, kind string, height, width int) *schema.Picture {
	t.Helper()
	p := schema.NewPicture(height, width)
	switch kind {
	case "pattern":
		return stagetest.Pattern(height, width)
	case "noise":
		for i := range p.U8 {
			y, x, c := uint32(i/3/width), uint32(i/3%width), uint32(i%3)
			p.U8[i] = uint8((y*73856093 ^ x*19349663 ^ c*83492791) * 2654435761 >> 24)
		}
	case "photo":
		p.U8 = augment[struct{ Pixels []byte }](t, "photo").Pixels
	}
	return p
}

func digest(p *schema.Picture) string {
	sum := sha256.Sum256(p.U8)
	return hex.EncodeToString(sum[:])
}

// statistics compares the means and standard deviations of amounts with those of
// torchvision's get_params, from that many draws.
type statistics struct {
	Draws     float64
	Mean, Std map[string]float64
}

func (s statistics) compare(t *testing.T, what string, n int64, draw func(position int64) map[string]float64) {
	t.Helper()
	sum, square := map[string]float64{}, map[string]float64{}
	for position := range n {
		for name, v := range draw(position) {
			sum[name] += v
			square[name] += v * v
		}
	}
	for name, want := range s.Mean {
		mean := sum[name] / float64(n)
		std := math.Sqrt(max(0, square[name]/float64(n)-mean*mean))
		if s.Std[name] < 1e-9 { // always the same
			if math.Abs(mean-want) > 1e-6 || std > 1e-6 {
				t.Errorf("%s: %s is %g on average; torchvision has %g always", what, name, mean, want)
			}
			continue
		}
		deviations := math.Abs(mean-want) / (s.Std[name] * math.Sqrt(1/float64(n)+1/s.Draws))
		t.Logf("%s: %s: mean %.4f (torchvision %.4f, %.1f sigma), std %.4f (%.4f)", what, name, mean, want, deviations, std, s.Std[name])
		if deviations > 4 || math.Abs(std/s.Std[name]-1) > 0.04 {
			t.Errorf("%s: %s: mean %.4f, std %.4f; torchvision has %.4f, %.4f", what, name, mean, std, want, s.Std[name])
		}
	}
}

func TestColorJitter(t *testing.T) {
	for _, s := range []stages.ColorJitter{
		{Brightness: stages.Around(0.4), Contrast: stages.Around(0.4), Saturation: stages.Around(0.4), Hue: stages.Range{-0.1, 0.1}},
		{Brightness: stages.Around(2), P: 0.5},
		{Contrast: stages.Factor{0, 0.5}},
		{Saturation: stages.Factor{0.5, 0.5}, Hue: stages.Range{-0.5, 0.5}},
		{Hue: stages.Range{0.5, 0.5}, P: 0.5},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.ColorJitter{}, "brightness: nothing to do: give brightness, contrast or saturation such as 0.4")
	wrong(t, stages.ColorJitter{Contrast: stages.Factor{1, 1}}, "brightness: nothing to do")
	wrong(t, stages.ColorJitter{Brightness: stages.Factor{-1, 1}, Saturation: stages.Factor{2, 1}, Contrast: stages.Factor{0, math.NaN()},
		Hue: stages.Range{-0.6, 0.1}, P: 2},
		"brightness: the factor -1 is negative", "contrast: NaN is not a number", "saturation: the range [2, 1] is empty",
		"p: 2 is not", "hue: [-0.6, 0.1] is not within -0.5 to 0.5")
}

func TestColorJitterOptions(t *testing.T) {
	for _, c := range []struct {
		option string
		value  any
		want   stages.ColorJitter
		err    string
	}{
		{"brightness", 0.25, stages.ColorJitter{Brightness: stages.Factor{0.75, 1.25}}, ""},
		{"contrast", int64(2), stages.ColorJitter{Contrast: stages.Factor{0, 3}}, ""},
		{"saturation", []any{0.5, int64(1)}, stages.ColorJitter{Saturation: stages.Factor{0.5, 1}}, ""},
		{"hue", 0.1, stages.ColorJitter{Hue: stages.Range{-0.1, 0.1}}, ""},
		{"hue", int64(0), stages.ColorJitter{}, ""},
		{"saturation", int64(-1), stages.ColorJitter{}, "saturation: -1 is negative"},
		{"saturation", []any{int64(0), int64(0)}, stages.ColorJitter{}, "saturation: [0, 0] would stand for off"},
		{"saturation", []any{0.5}, stages.ColorJitter{}, "saturation: want one number b for [max(0, 1-b), 1+b], or two"},
		{"brightness", "much", stages.ColorJitter{}, "brightness: want one number b"},
	} {
		var got stages.ColorJitter
		err := options.Set(&got, c.option, c.value)
		if fmt.Sprint(got) != fmt.Sprint(c.want) || (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: %v: %v, %v", c.option, c.value, got, err)
		}
	}
}

// Each adjustment, and all of them in any order, have torchvision's bytes.
func TestColorJitterEqualsTorchvision(t *testing.T) {
	type fixed struct {
		Kind          string
		Height, Width int
		Params        stages.ColorJitterParams
		SHA256        string
	}
	cases := augment[[]fixed](t, "color_jitter")
	for _, c := range cases {
		in := augmented(t, c.Kind, c.Height, c.Width)
		if got := (stages.ColorJitter{}).Map(&c.Params, in); digest(got) != c.SHA256 {
			t.Errorf("%s: %+v: not torchvision's bytes", c.Kind, c.Params)
		}
	}
	t.Logf("%d pictures", len(cases))
}

// So has every third level of every channel.
func TestColorJitterOfAllColors(t *testing.T) {
	in := schema.NewPicture(86*86, 86)
	for i := range in.U8 {
		in.U8[i] = []uint8{uint8(i / 3 / 86 / 86 * 3), uint8(i / 3 / 86 % 86 * 3), uint8(i / 3 % 86 * 3)}[i%3]
	}
	type fixed struct {
		Params stages.ColorJitterParams
		SHA256 string
	}
	for _, c := range augment[[]fixed](t, "colors") {
		if got := (stages.ColorJitter{}).Map(&c.Params, in); digest(got) != c.SHA256 {
			t.Errorf("%+v: not torchvision's bytes", c.Params)
		}
	}
}

// Without contrast it is a function of a pixel, of a channel if only the
// brightness changes; stagetest compares that function with Map.
func TestColorJitterPoints(t *testing.T) {
	for _, c := range []struct {
		order        []stages.Adjustment
		ok, separate bool
	}{
		{[]stages.Adjustment{stages.Brightness}, true, true},
		{[]stages.Adjustment{stages.Saturation}, true, false},
		{[]stages.Adjustment{stages.Hue, stages.Brightness}, true, false},
		{[]stages.Adjustment{stages.Brightness, stages.Contrast}, false, false},
	} {
		point, ok := (stages.ColorJitter{}).MapPixels(&stages.ColorJitterParams{Order: c.order})
		if ok != c.ok || ok && point.Separate != c.separate {
			t.Errorf("%v: a point %v, separate %v", c.order, ok, point.Separate)
		}
	}
}

func TestColorJitterDistribution(t *testing.T) {
	stage := stages.ColorJitter{
		Brightness: stages.Around(0.4), Contrast: stages.Factor{0.2, 1.1}, Saturation: stages.Around(1.5), Hue: stages.Range{-0.1, 0.1},
	}
	orders, hues := map[string]float64{}, make([]float64, 20)
	augment[statistics](t, "color_jitter_statistics").compare(t, "color_jitter", draws, func(position int64) map[string]float64 {
		p := draw(t, stage, 375, 500, position).(*stages.ColorJitterParams)
		orders[fmt.Sprint(p.Order)]++
		hues[int(math.Floor(100*p.Hue))+10]++ // panics outside of [-0.1, 0.1)
		return map[string]float64{"brightness": p.Brightness, "contrast": p.Contrast, "saturation": p.Saturation, "hue": p.Hue}
	})
	var counts []float64
	for _, n := range orders {
		counts = append(counts, n)
	}
	if len(counts) != 24 {
		t.Errorf("%d orders of four adjustments", len(counts))
	}
	slices.Sort(counts)
	uniform(t, "order", counts)
	uniform(t, "hue", hues)
}

// Rows, by tables, have the values of pixels one by one.
func TestColorJitterRows(t *testing.T) {
	var pixels []uint8
	for i := range 1 << 24 {
		if r, g, b := uint8(i>>16), uint8(i>>8), uint8(i); i%61 == 0 || r == g || g == b && r%3 == 0 || r == b && g%3 == 0 {
			pixels = append(pixels, r, g, b)
		}
	}
	list := []stages.ColorJitterParams{
		{Order: []stages.Adjustment{stages.Saturation, stages.Brightness, stages.Hue}, Brightness: 1.3, Saturation: 1.7, Hue: 0.21},
		{Order: []stages.Adjustment{stages.Saturation}, Saturation: 1e30},
	}
	for _, f := range []float64{0, 1e-9, 0.4, 0.999, 1, 1.01, 2.5, 700} {
		list = append(list, stages.ColorJitterParams{Order: []stages.Adjustment{stages.Saturation}, Saturation: f})
	}
	for _, h := range []float64{-0.5, -0.3, -0.001, 0, 0.004, 0.1, 0.4999, 0.5} {
		list = append(list, stages.ColorJitterParams{Order: []stages.Adjustment{stages.Hue}, Hue: h})
	}
	for _, p := range list {
		point, ok := stages.ColorJitter{}.MapPixels(&p)
		if !ok || point.Row == nil {
			t.Fatalf("%+v has no rows", p)
		}
		got := slices.Clone(pixels)
		point.Row(got)
		for i := 0; i < len(pixels); i += 3 {
			want := point.Map([3]float32{float32(pixels[i]), float32(pixels[i+1]), float32(pixels[i+2])})
			if float32(got[i]) != want[0] || float32(got[i+1]) != want[1] || float32(got[i+2]) != want[2] {
				t.Fatalf("%+v: %v becomes %v, alone %v", p, pixels[i:i+3], got[i:i+3], want)
			}
		}
	}
}
