package stages_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

// detection reads a part of testdata/detection.json, which testdata/detection.py writes.
func detection[T any](t *testing.T, part string) []T {
	t.Helper()
	out := partOf[[]T](t, "detection", part)
	if len(out) == 0 {
		t.Fatalf("testdata/detection.json: %s: no cases", part)
	}
	return out
}

// sized is a picture's size before and after a stage, for one draw.
type sized struct {
	Height, Width int
	Position      int64
	Size          int
	MaxSize       int `json:"max_size"`
	Min           []int
	Max           int
	Target        [2]int
	Range         stages.Range
	SideRange     stages.Range `json:"side_range"`
	P             stages.Probability
	Canvas        [4]int
	Padding       []any
	Mode          stages.PadMode
	ScaleUp       bool `json:"scale_up"`
	Center        bool
	Inset         [4]int
	OutHeight     int     `json:"out_height"`
	OutWidth      int     `json:"out_width"`
	MinSize       float64 `json:"min_size"`
	MinArea       float64 `json:"min_area"`
	Boxes         [][4]float64
	Kept          []bool
	Pixels        []byte
}

func TestResizeMaxSize(t *testing.T) {
	stagetest.Picture(t, stages.Resize{Size: 16, MaxSize: 30})
	wrong(t, stages.Resize{Size: 16, MaxSize: 16}, "max_size: 16 is not more than size")
	wrong(t, stages.Resize{Height: 16, Width: 9, MaxSize: 20}, "max_size: it limits the longer side")
	for _, c := range detection[sized](t, "max_size") {
		tr := stages.Resize{Size: c.Size, MaxSize: c.MaxSize}.Warp(stages.Nothing{}, c.Height, c.Width)
		if tr.Height != c.OutHeight || tr.Width != c.OutWidth {
			t.Errorf("%dx%d to %d, at most %d: %dx%d, torchvision has %dx%d", c.Width, c.Height, c.Size, c.MaxSize, tr.Width, tr.Height, c.OutWidth, c.OutHeight)
		}
	}
	// Of a thin picture a pixel is left, where torchvision fails.
	if tr := (stages.Resize{Size: 10, MaxSize: 20}).Warp(stages.Nothing{}, 1, 5000); tr.Height != 1 || tr.Width != 20 {
		t.Errorf("5000x1 becomes %dx%d", tr.Width, tr.Height)
	}
}

func TestRandomShortestSize(t *testing.T) {
	for _, s := range []stages.RandomShortestSize{{Min: []int{9, 40, 17}, Max: 50}, {Min: []int{12}}} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.RandomShortestSize{Max: -1}, "min: missing", "max: -1 pixels")
	wrong(t, stages.RandomShortestSize{Min: []int{0, 5}, Interpolation: "cubic"}, `interpolation: "cubic"`, "min: 0 pixels")
	refused(t, stages.RandomShortestSize{Min: []int{20, 800}}, 1, 10_000,
		"min: the result would be 8000000x800 (width x height), more than 268435456 pixels: give max, or smaller lengths")
	for _, c := range detection[sized](t, "shortest_size") {
		p := draw(t, stages.RandomShortestSize{Min: c.Min, Max: c.Max}, c.Height, c.Width, c.Position).(*stages.ResizeParams)
		if p.Height != c.OutHeight || p.Width != c.OutWidth {
			t.Errorf("%dx%d, draw %d of %v: %+v, torchvision has %dx%d", c.Width, c.Height, c.Position, c.Min, p, c.OutWidth, c.OutHeight)
		}
	}
}

func TestScaleJitter(t *testing.T) {
	for _, s := range []stages.ScaleJitter{{Target: [2]int{30, 40}}, {Target: [2]int{64, 8}, Range: stages.Range{0.5, 0.5}, Antialias: stages.Off}} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.ScaleJitter{Range: stages.Range{0, 2}}, "range: 0 is not a scale", "target: missing")
	wrong(t, stages.ScaleJitter{Target: [2]int{0, 9}}, "target: 0 pixels")
	wrong(t, stages.ScaleJitter{Target: [2]int{10_000, 10_000}}, "range: the result would be 20000x20000")
	for _, c := range detection[sized](t, "scale_jitter") {
		p := draw(t, stages.ScaleJitter{Target: c.Target, Range: c.Range}, c.Height, c.Width, c.Position).(*stages.ResizeParams)
		if p.Height != c.OutHeight || p.Width != c.OutWidth {
			t.Errorf("%dx%d, draw %d into %v: %+v, torchvision has %dx%d", c.Width, c.Height, c.Position, c.Target, p, c.OutWidth, c.OutHeight)
		}
	}
}

func TestScaleDistributions(t *testing.T) {
	type fixed struct {
		statistics
		Stage string
	}
	byName := map[string]stages.PictureStage{
		"scale_jitter":         stages.ScaleJitter{Target: [2]int{1024, 1024}},
		"random_shortest_size": stages.RandomShortestSize{Min: []int{480, 512, 640, 800}, Max: 1333},
	}
	for _, c := range detection[fixed](t, "scale_statistics") {
		c.compare(t, c.Stage, draws, func(position int64) map[string]float64 {
			p := draw(t, byName[c.Stage], 375, 500, position).(*stages.ResizeParams)
			return map[string]float64{"height": float64(p.Height), "width": float64(p.Width)}
		})
	}
}

func TestPad(t *testing.T) {
	for _, s := range []stages.Pad{
		{Padding: stages.Padding{1, 2, 3, 4}, Fill: stages.Color{9, 8, 7}},
		{Size: [2]int{40, 70}, Mode: stages.PadReflect},
		{Multiple: 32, At: stages.TopLeft, Mode: stages.PadEdge},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Pad{}, "padding: give one of")
	wrong(t, stages.Pad{Multiple: 32, Size: [2]int{0, 9}, At: "left", Mode: "wrap"},
		`mode: "wrap" is none of constant, edge, reflect`, `at: "left" is none of`, "padding: give one of", "size: 0 pixels")
	wrong(t, stages.Pad{Padding: stages.Padding{0, -1, 0, 0}, At: stages.TopLeft}, "padding: -1 pixels", "at: padding says")
	wrong(t, stages.Pad{Multiple: 8, Mode: stages.PadEdge, Fill: stages.Color{1}}, "fill: it shows with")
	wrong(t, stages.Pad{Multiple: 1}, "multiple: 1 pixels")
	wrong(t, stages.Pad{Size: [2]int{1 << 19, 1 << 19}}, "size: the result would be 524288x524288")
	refused(t, stages.Pad{Padding: stages.Padding{1 << 20, 1 << 20, 0, 0}}, 5, 5,
		"padding: the result would be 1048581x1048581 (width x height), more than 268435456 pixels")
	for _, c := range detection[sized](t, "pad") {
		var s stages.Pad
		if err := s.Padding.SetOption(c.Padding); err != nil {
			t.Fatal(err)
		}
		if s.Mode = c.Mode; c.Mode == stages.PadConstant {
			s.Fill = stages.Color{11, 22, 33}
		}
		got := apply(s, stages.Nothing{}, stagetest.Pattern(c.Height, c.Width))
		if mean, worst := difference(t, got, c.OutHeight, c.OutWidth, c.Pixels); worst > 0 {
			t.Errorf("%v, %s, of %dx%d: mean difference %g, largest %g", c.Padding, c.Mode, c.Width, c.Height, mean, worst)
		}
	}
}

func TestPadPlaces(t *testing.T) {
	for _, c := range []struct {
		stage       stages.Pad
		h, w        int // of the result for 30x41
		top, left   float64
		knownHeight int // with an unknown width
	}{
		{stages.Pad{Multiple: 32}, 32, 64, 1, 11, 32},
		{stages.Pad{Multiple: 32, At: stages.TopLeft}, 32, 64, 0, 0, 32},
		{stages.Pad{Size: [2]int{35, 20}}, 35, 41, 2, 0, 35},
		{stages.Pad{Multiple: 10}, 30, 50, 0, 4, 30},
	} {
		tr := c.stage.Warp(stages.Nothing{}, 30, 41)
		if tr.Height != c.h || tr.Width != c.w || tr.Matrix[2] != -c.left || tr.Matrix[5] != -c.top {
			t.Errorf("%+v: %dx%d at %v, want %dx%d at x %g, y %g", c.stage, tr.Width, tr.Height, tr.Matrix, c.w, c.h, c.left, c.top)
		}
		out, err := c.stage.Output(schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 30})
		if err != nil || out.Height != c.knownHeight || out.Width != 0 {
			t.Errorf("%+v: of a height of 30 it makes %v, %v", c.stage, out, err)
		}
	}
	for _, bad := range []any{int64(0), []any{int64(1), int64(2), int64(3)}, "4", -1.5, []any{}} {
		if new(stages.Padding).SetOption(bad) == nil {
			t.Errorf("padding: %v is taken", bad)
		}
	}
}

func TestLetterbox(t *testing.T) {
	for _, s := range []stages.Letterbox{
		{Size: 24},
		{Height: 9, Width: 50, Fill: &stages.Color{}, ScaleUp: stages.Off, At: stages.TopLeft},
		{Size: 17, Interpolation: stages.Bicubic, Antialias: stages.Off},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Letterbox{At: "right"}, "size: missing", `at: "right" is none of`)
	compared := 0
	for _, c := range detection[sized](t, "letterbox") {
		s := stages.Letterbox{Height: c.OutHeight, Width: c.OutWidth, Antialias: stages.Off}
		if !c.ScaleUp {
			s.ScaleUp = stages.Off
		}
		if !c.Center {
			s.At = stages.TopLeft
		}
		in := inset(s, c.Height, c.Width)
		if in != c.Inset {
			t.Errorf("%dx%d into %dx%d, %+v: at %v, LetterBox has %v", c.Width, c.Height, c.OutWidth, c.OutHeight, s, in, c.Inset)
			continue
		}
		if c.Pixels != nil {
			compared++
			got := apply(s, stages.Nothing{}, stagetest.Pattern(c.Height, c.Width))
			if mean, worst := difference(t, got, c.OutHeight, c.OutWidth, c.Pixels); worst > 1 {
				t.Errorf("%dx%d into %dx%d: mean difference %.3f, largest %g", c.Width, c.Height, c.OutWidth, c.OutHeight, mean, worst)
			}
		}
	}
	if compared < 8 {
		t.Errorf("pixels of %d pictures compared", compared)
	}
}

// inset is where a letterbox puts a picture: x, y, width, height.
func inset(s stages.Letterbox, height, width int) [4]int {
	t := s.Warp(stages.Nothing{}, height, width)
	if t.Inset.Empty() {
		return [4]int{0, 0, t.Width, t.Height}
	}
	return [4]int{t.Inset.Min.X, t.Inset.Min.Y, t.Inset.Dx(), t.Inset.Dy()}
}

func TestRandomZoomOut(t *testing.T) {
	for _, s := range []stages.RandomZoomOut{{P: 0.5}, {SideRange: stages.Range{1.5, 2}, P: 1, Fill: stages.Color{1, 2, 3}}} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.RandomZoomOut{SideRange: stages.Range{0.5, 2}}, "side_range: [0.5, 2]: the canvas holds", "p is 0")
	refused(t, stages.RandomZoomOut{P: 0.5}, 5000, 5000,
		"side_range: the result would be 20000x20000 (width x height), more than 268435456 pixels: lower side_range, or resize before it")
	acted := 0
	for _, c := range detection[sized](t, "zoom_out") {
		want := stages.Canvas{X: c.Canvas[0], Y: c.Canvas[1], Width: c.Canvas[2], Height: c.Canvas[3]}
		got := stages.Canvas{Width: c.Width, Height: c.Height}
		if p, ok := draw(t, stages.RandomZoomOut{SideRange: c.SideRange, P: c.P}, c.Height, c.Width, c.Position).(*stages.Canvas); ok {
			got = *p
			acted++
		}
		if got != want {
			t.Errorf("%dx%d, draw %d of %v: %+v, torchvision has %+v", c.Width, c.Height, c.Position, c.SideRange, got, want)
		}
	}
	if acted < 50 {
		t.Errorf("%d draws act", acted)
	}
}

func TestRandomZoomOutDistribution(t *testing.T) {
	type fixed struct {
		statistics
		Height, Width int
	}
	for _, c := range detection[fixed](t, "zoom_statistics") {
		c.compare(t, "canvas", draws, func(position int64) map[string]float64 {
			p := draw(t, stages.RandomZoomOut{P: 1}, c.Height, c.Width, position).(*stages.Canvas)
			return map[string]float64{"x": float64(p.X), "y": float64(p.Y), "width": float64(p.Width), "height": float64(p.Height)}
		})
	}
}

// drawObjects draws for a picture of 500x375 with these boxes.
func drawObjects(t *testing.T, stage stages.ObjectStage, boxes [][4]float64, position int64) (stages.Params, []bool) {
	t.Helper()
	r := row(stage, 375, 500, position)
	for _, b := range boxes {
		r.Objects = append(r.Objects, stages.Object{Box: b})
	}
	params, err := stage.Draw(r)
	if err != nil {
		t.Fatal(err)
	}
	kept := make([]bool, len(boxes))
	for i := range kept {
		kept[i] = stage.KeepObject(params, &r.Objects[i])
	}
	return params, kept
}

func TestRandomIoUCrop(t *testing.T) {
	stagetest.Picture(t, stages.RandomIoUCrop{})
	stagetest.Picture(t, stages.RandomIoUCrop{Scale: stages.Range{0.5, 0.9}, SamplerOptions: []float64{0.3}, Trials: 3})
	wrong(t, stages.RandomIoUCrop{Scale: stages.Range{0, 2}, Ratio: stages.Range{0, 1}, SamplerOptions: []float64{-1, 0.5}, Trials: -1},
		"scale: [0, 2] is not within", "ratio: 0 is not", "sampler_options: -1 is not an overlap", "trials: -1: give")

	type fixed struct {
		Options struct {
			MinScale       float64   `json:"min_scale"`
			MaxScale       float64   `json:"max_scale"`
			MinRatio       float64   `json:"min_aspect_ratio"`
			MaxRatio       float64   `json:"max_aspect_ratio"`
			SamplerOptions []float64 `json:"sampler_options"`
			Trials         int
		}
		Boxes   [][4]float64
		Windows []*[4]int
		Kept    [][]bool
	}
	windows := 0
	for _, c := range detection[fixed](t, "iou_crop") {
		o := c.Options
		stage := stages.RandomIoUCrop{Scale: stages.Range{o.MinScale, o.MaxScale}, Ratio: stages.Range{o.MinRatio, o.MaxRatio},
			SamplerOptions: o.SamplerOptions, Trials: o.Trials}
		for position, want := range c.Windows {
			params, kept := drawObjects(t, stage, c.Boxes, int64(position))
			var got *[4]int
			if w, ok := params.(*stages.Window); ok {
				windows++
				got = &[4]int{w.X, w.Y, w.Width, w.Height}
				if !reflect.DeepEqual(kept, c.Kept[position]) {
					t.Errorf("%+v, draw %d: keeps %v, torchvision %v", stage, position, kept, c.Kept[position])
				}
			} else {
				for _, k := range kept {
					if !k {
						t.Errorf("%+v, draw %d: drops an object of a picture that it leaves alone", stage, position)
					}
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v, draw %d: %v, torchvision has %v", stage, c.Boxes, position, got, want)
			}
		}
	}
	if windows < 100 {
		t.Errorf("%d windows were compared", windows)
	}
}

// A picture whose objects allow no window stays as it is, where torchvision would never end.
func TestRandomIoUCropEnds(t *testing.T) {
	stage := stages.RandomIoUCrop{Scale: stages.Range{0.9, 0.9}, SamplerOptions: []float64{0.9}}
	if params, kept := drawObjects(t, stage, [][4]float64{{1, 1, 3, 3}}, 0); params != nil || !kept[0] {
		t.Errorf("%v, %v", params, kept)
	}
	if params, _ := drawObjects(t, stages.RandomIoUCrop{}, nil, 0); params != nil {
		t.Errorf("without objects: %v", params)
	}
}

func TestRandomIoUCropDistribution(t *testing.T) {
	type fixed struct {
		statistics
		Boxes [][4]float64
	}
	for _, c := range detection[fixed](t, "iou_statistics") {
		c.compare(t, fmt.Sprint(len(c.Boxes), " boxes"), 2*draws, func(position int64) map[string]float64 {
			params, _ := drawObjects(t, stages.RandomIoUCrop{}, c.Boxes, position)
			w, ok := params.(*stages.Window)
			if !ok {
				w = &stages.Window{Width: 500, Height: 375}
			}
			whole := 0.0
			if w.Width == 500 && w.Height == 375 {
				whole = 1
			}
			return map[string]float64{"x": float64(w.X), "y": float64(w.Y), "width": float64(w.Width), "height": float64(w.Height), "whole": whole}
		})
	}
}

func TestSanitizeBoxes(t *testing.T) {
	stagetest.Picture(t, stages.SanitizeBoxes{})
	stagetest.Picture(t, stages.SanitizeBoxes{MinSize: 3, MinArea: 20})
	wrong(t, stages.SanitizeBoxes{MinSize: -1, MinArea: -2}, "min_size: -1: give", "min_area: -2: give")
	for _, c := range detection[sized](t, "sanitize") {
		_, kept := drawObjects(t, stages.SanitizeBoxes{MinSize: c.MinSize, MinArea: c.MinArea}, c.Boxes, 0)
		if !reflect.DeepEqual(kept, c.Kept) {
			t.Errorf("min_size %g, min_area %g: keeps %v, torchvision %v", c.MinSize, c.MinArea, kept, c.Kept)
		}
	}
}
