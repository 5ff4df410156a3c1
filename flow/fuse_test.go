package flow_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// oddPictures are what fast paths get wrong: checkerboards, sides of one pixel,
// one pixel; and some photos, where there are any.
func oddPictures(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for i, size := range [][2]int{{1, 1}, {1, 37}, {41, 1}, {2, 3}, {33, 57}, {64, 64}, {90, 31}} {
		img := image.NewRGBA(image.Rect(0, 0, size[0], size[1]))
		for y := range size[1] {
			for x := range size[0] {
				v := uint8(255 * ((x + y) % 2))
				img.Set(x, y, color.RGBA{v, 255 - v, uint8(9 * x), 255})
			}
		}
		var buf bytes.Buffer
		if err := png.Encode(&buf, img); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "odd", fmt.Sprintf("%02d.png", i)), buf.Bytes())
	}
	files, _ := filepath.Glob("../../shared/data/photos/*.JPEG")
	for _, file := range files[:min(len(files), 2)] {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "photos", filepath.Base(file)), data)
	}
	return dir
}

// randomStages is picture stages of all kinds, in any order that is legal.
func randomStages(r *rand.Rand) []stages.Stage {
	list := []stages.Stage{stages.Decode{}}
	filter := stages.Interpolation([]string{"bilinear", "bilinear", "bilinear", "nearest"}[r.IntN(4)])
	resizing := stages.ResizeInterpolation([]string{"bilinear", "bilinear", "lanczos", "box", "nearest"}[r.IntN(5)])
	all := []stages.Stage{
		stages.Rotate{Degrees: stages.Range{-30, 30}, Interpolation: filter, Fill: stages.Color{200, 10, 90}, Expand: r.IntN(3) == 0},
		stages.Rotate{Degrees: stages.Range{90, 90}, P: 0.5},
		stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}},
		stages.Crop{Size: 0.8},
		stages.CenterCrop{Size: 0.9},
		stages.Flip{P: 0.5},
		stages.Flip{P: 0.5, Direction: stages.Vertical},
		stages.RandomResizedCrop{Height: 29, Width: 40, Interpolation: resizing},
		stages.Resize{Size: 30, Interpolation: resizing},
		stages.Affine{Degrees: stages.Range{-10, 10}, Scale: stages.Range{0.5, 1.5}, Interpolation: filter, P: 0.8},
		stages.Perspective{DistortionScale: 0.3, P: 0.5},
		stages.RandAugment{NumOps: 3, Magnitude: 20, Interpolation: filter, Fill: &stages.Color{7, 9, 200}},
		stages.RandAugment{Timm: "rand-m9-mstd0.5-inc1", Interpolation: filter},
		stages.OneOf{Stages: stages.StageList{stages.Flip{P: 1}, stages.Rotate{Degrees: stages.Range{-20, 20}, Interpolation: filter}, stages.Equalize{}, stages.Crop{Size: 0.8}}},
		stages.SomeOf{Stages: stages.StageList{stages.Invert{}, stages.TrivialAugmentWide{}, stages.CenterCrop{Size: 0.7}, stages.Posterize{}}, N: 3},
		stages.TrivialAugmentWide{Interpolation: filter},
		stages.Resize{Size: 30, MaxSize: 45, Interpolation: resizing},
		stages.RandomShortestSize{Min: []int{20, 50}, Max: 60, Interpolation: resizing},
		stages.ScaleJitter{Target: [2]int{40, 60}, Range: stages.Range{0.3, 1.5}, Interpolation: resizing},
		stages.Pad{Padding: stages.Padding{r.IntN(50), 3, 0, r.IntN(9)}, Mode: stages.PadReflect},
		stages.Pad{Multiple: 32, Mode: stages.PadEdge, At: stages.TopLeft},
		stages.Pad{Size: [2]int{70, 50}, Fill: stages.Color{9, 100, 30}},
		stages.Letterbox{Height: 40, Width: 50, Interpolation: resizing, Antialias: stages.OnOff(r.IntN(2))},
		stages.RandomZoomOut{SideRange: stages.Range{1, 2}, P: 0.7},
		stages.ColorJitter{Brightness: stages.Factor{0.5, 1.5}, P: 0.8},
		stages.ColorJitter{Saturation: stages.Factor{0, 2}, Hue: stages.Range{-0.2, 0.2}},
		stages.ColorJitter{Contrast: stages.Factor{0.5, 1.5}},
	}
	all = append(all, mapped{stages.ColorJitter{Contrast: stages.Factor{0.5, 1.5}}})
	all = append(all, recoloring(0.8)...)
	for range r.IntN(6) {
		list = append(list, all[r.IntN(len(all))])
	}
	list = append(list, stages.Resize{Height: 1 + r.IntN(40), Width: 1 + r.IntN(40), Interpolation: resizing})
	if r.IntN(3) == 0 {
		list = append(list, stages.Flip{P: 0.5})
	}
	if r.IntN(3) == 0 {
		list = append(list, stages.ColorJitter{Brightness: stages.Factor{0.5, 1.5}})
	}
	switch r.IntN(4) {
	case 0:
		list = append(list, stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}, stages.RandomErasing{Value: stages.ErasedByNoise, P: 0.5})
	case 1:
		list = append(list, stages.ToTensor{Layout: stages.HWC})
	case 2:
		list = append(list, stages.ToTensor{DType: stages.Uint8})
	}
	return append(list, stages.Batch{Size: 4})
}

// mapped is a Mapper that isn't an Editor.
type mapped struct{ stages.ColorJitter }

func (mapped) Name() string { return "mapped" }
func (mapped) Edit()        {}

func names(list []stages.Stage) (text string) {
	for _, s := range list {
		text += fmt.Sprintf("%s %+v\n", s.Name(), s)
	}
	return text
}

// contents is every picture of a run, as bytes, and every row's params.
func contents(t *testing.T, pipe *flow.Pipeline, opts ...flow.Option) (pictures [][]byte, params []string, failure error) {
	t.Helper()
	for batch, err := range pipe.Batches(t.Context(), append(opts, flow.WithParams())...) {
		if err != nil {
			return nil, nil, err
		}
		for i := range batch.Rows() {
			p := batch.Picture(i)
			pictures = append(pictures, fmt.Appendf(slices.Clone(p.U8), "%v", p.F32))
			params = append(params, batch.Params(i))
		}
	}
	return pictures, params, nil
}

// What exact fuses has the reference's bytes, whatever the stages; params are
// the reference's either way; and a row that cannot be made fails as it does there.
func TestExactIsTheReference(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (replay with -schedules %d)", seed, seed)
	r := rand.New(rand.NewPCG(seed, 5))
	dir := oddPictures(t)
	failed := 0
	for range 60 {
		list := randomStages(r)
		pipe := flow.New(sources.Folder{Path: dir}, list...)
		draws := flow.Seed(r.Uint64())
		want, wantParams, err := contents(t, pipe, draws, flow.Exec(flow.Reference))
		got, params, exactErr := contents(t, pipe, draws, flow.WithFuse(flow.FuseExact))
		_, full, fullErr := contents(t, pipe, draws)
		if fmt.Sprint(err) != fmt.Sprint(exactErr) || fmt.Sprint(err) != fmt.Sprint(fullErr) {
			t.Fatalf("the reference says %v, exact %v, full %v\n%s", err, exactErr, fullErr, names(list))
		}
		if err != nil {
			failed++
		}
		if !slices.Equal(params, wantParams) || !slices.Equal(full, wantParams) {
			t.Fatalf("other params\n%s", names(list))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("row %d: other bytes than the reference's\n%s%s", i, params[i], names(list))
			}
		}
	}
	if failed > 45 {
		t.Errorf("%d of 60 pipelines failed", failed)
	}
}

// A single row is what the run delivers; what is shown of it is the picture as
// people see it, of the same sampling.
func TestRowIsTheRunsRow(t *testing.T) {
	pipe := recipe(pictures(t))
	for _, exec := range []flow.Executor{flow.Fused, flow.Reference} {
		plan, err := pipe.Plan(t.Context(), flow.Exec(exec))
		if err != nil {
			t.Fatal(err)
		}
		position := int64(0)
		for batch, err := range pipe.Batches(t.Context(), flow.Exec(exec)) {
			if err != nil {
				t.Fatal(err)
			}
			if batch.Variant != 1 {
				continue
			}
			for i := range batch.Rows() {
				row, err := plan.Row(t.Context(), 0, position)
				if err != nil {
					t.Fatal(err)
				}
				position++
				if !slices.Equal(row.Picture.F32, batch.Picture(i).F32) {
					t.Fatalf("%s: row %d is another", exec, position-1)
				}
				s := row.Display
				if s.Height != 16 || s.Width != 16 || s.Layout != schema.HWC || len(s.U8) != 3*16*16 {
					t.Fatalf("%s: shown is %s", exec, s.Tensor())
				}
				for k, v := range s.U8 {
					c := k % 3
					mean, std := float32(stages.ImageNetMean[c]), float32(stages.ImageNetStd[c])
					if want := (float32(v)/255 - mean) / std; row.Picture.F32[c*256+k/3] != want {
						t.Fatalf("%s: shown %d at %d, delivered %v", exec, v, k, row.Picture.F32[c*256+k/3])
					}
				}
			}
		}
		if err := plan.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The plan says what was merged, what wasn't and why, and how pixels are found.
func TestPlanTellsWhatIsFused(t *testing.T) {
	dir := pictures(t)
	pipe := func(list ...stages.Stage) *flow.Pipeline {
		return flow.New(sources.Folder{Path: dir}, append([]stages.Stage{stages.Decode{}}, list...)...)
	}
	rotate, crop := stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5}
	resize := stages.Resize{Height: 16, Width: 16}
	for _, c := range []struct {
		pipe *flow.Pipeline
		opts []flow.Option
		want []string
	}{
		{recipe(dir), nil, []string{"full: decode, then 1 pass", "[rotate + crop + flip + resize + to_tensor + normalize]\n",
			"rotate and resize: one bilinear sampling;", "shrinks s > 1.5 times, the mean of ceil(s/1.5) samples", "crop and flip: whole pixels", "a table of 256 values"}},
		{recipe(dir), []flow.Option{flow.WithFuse(flow.FuseExact)}, []string{"2 passes", "[rotate + crop + flip]\n", "fuse is exact", "as Pillow: the reference's bytes"}},
		{recipe(dir), []flow.Option{flow.Exec(flow.Reference)}, []string{"nothing: the reference executor"}},
		{pipe(rotate, stages.Resize{Height: 16, Width: 16, Antialias: stages.Off}), nil, []string{"however much they shrink: resize has antialias: false"}},
		{pipe(rotate, stages.Resize{Height: 16, Width: 16, Interpolation: stages.Lanczos}), nil, []string{"resize asks for lanczos"}},
		{pipe(rotate, stages.ColorJitter{Brightness: stages.Factor{0.5, 1.5}}, resize), nil, []string{"color_jitter changes colours before"}},
		{pipe(rotate, stages.ColorJitter{Contrast: stages.Factor{0.5, 1.5}}, resize), nil, []string{"color_jitter needs the whole picture"}},
		{pipe(crop, stages.Perspective{DistortionScale: 0.3}, resize), nil, []string{"perspective is a perspective"}},
		{pipe(rotate, stages.Letterbox{Size: 16}, stages.ToTensor{}), nil, []string{"2 passes", "[rotate + letterbox]\n", "[letterbox + to_tensor]\n", "letterbox puts the picture on a larger canvas"}},
		{pipe(rotate, stages.Pad{Multiple: 32, Mode: stages.PadReflect}, resize), nil, []string{"3 passes", "pad adds a border of the picture's own pixels"}},
		{pipe(stages.RandomZoomOut{P: 1}, resize), nil, []string{"2 passes", "random_zoom_out puts the picture on a larger canvas"}},
		{pipe(crop, rotate, resize), nil, []string{"1 pass "}},
		{pipe(), nil, []string{"then 0 passes"}},
	} {
		plan, err := c.pipe.Plan(t.Context(), c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		text := plan.String()
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in:\n%s", want, text)
			}
		}
		if err := plan.Close(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkRecipe is rows of the recipe, decoding included:
//
//	go test ./flow -run xxx -bench Recipe
func BenchmarkRecipe(b *testing.B) {
	dir := b.TempDir()
	files, _ := filepath.Glob("../../shared/data/photos/*.JPEG")
	if len(files) == 0 {
		img := image.NewRGBA(image.Rect(0, 0, 500, 375))
		for i := range img.Pix {
			img.Pix[i] = uint8(i * i >> 7)
		}
		var buf bytes.Buffer
		if err := jpeg.Encode(&buf, img, nil); err != nil {
			b.Fatal(err)
		}
		write(b, filepath.Join(dir, "a", "0.jpg"), buf.Bytes())
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		write(b, filepath.Join(dir, "a", filepath.Base(file)), data)
	}
	for name, opts := range map[string][]flow.Option{
		"reference": {flow.Exec(flow.Reference)},
		"exact":     {flow.WithFuse(flow.FuseExact)},
		"full":      {},
	} {
		b.Run(name, func(b *testing.B) {
			pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{},
				stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}}, stages.Flip{P: 0.5},
				stages.Resize{Height: 224, Width: 224}, stages.ToTensor{},
				stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}, stages.Batch{Size: 32})
			for b.Loop() {
				report, err := pipe.Run(b.Context(), &sink{}, append(opts, flow.Workers(1))...)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(report.ImagesPerSecond, "images/s")
				b.ReportMetric(1e3*report.Busy["transform"]*report.Seconds/float64(report.Rows), "transform-ms")
				b.ReportMetric(1e3*report.Busy["decode"]*report.Seconds/float64(report.Rows), "decode-ms")
			}
		})
	}
}

// What changes channels alone, behind what mixes them, isn't left out, nor does it replace it.
func TestLevelsBehindMixedChannels(t *testing.T) {
	dir := oddPictures(t)
	list := []stages.Stage{
		stages.Decode{}, stages.Resize{Height: 9, Width: 7},
		stages.ColorJitter{Saturation: stages.Factor{0.3, 0.4}}, stages.Posterize{Bits: 3}, stages.Invert{},
		stages.Batch{Size: 4},
	}
	for n := 4; n <= 5; n++ {
		pipe := flow.New(sources.Folder{Path: dir}, append(slices.Clone(list[:n]), list[5])...)
		want, _, err := contents(t, pipe, flow.Exec(flow.Reference))
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := contents(t, pipe, flow.WithFuse(flow.FuseExact))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%d stages, row %d: other bytes than the reference's", n, i)
			}
		}
	}
}
