package flow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// What Apply makes of a sample's file, with the address of its draw, is the row that a run
// delivers.
func TestApplyGivesTheBatchsBytes(t *testing.T) {
	defer goleak.VerifyNone(t)
	list, _ := album()
	tail := []stages.Stage{stages.Resize{Height: 9, Width: 11}, stages.ToTensor{}, stages.Batch{Size: 5}}
	augmented := []stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Flip{P: 0.5}, stages.ColorJitter{Brightness: stages.Factor{0.5, 1.5}}}
	for name, list2 := range map[string][]stages.Stage{
		"float": slices.Concat(augmented, tail),
		"grey":  slices.Concat([]stages.Stage{stages.Shuffle{}, stages.Decode{Mode: stages.Gray}}, tail),
		"uint8": {stages.Decode{}, stages.RandomResizedCrop{Height: 8, Width: 8}, stages.Batch{Size: 5}},
	} {
		for _, exec := range []flow.Executor{flow.Fused, flow.Reference} {
			source := hold(list)
			plan, err := flow.New(source, list2...).Plan(t.Context(), flow.Seed(3), flow.WithParams(), flow.Exec(exec))
			if err != nil {
				t.Fatal(err)
			}
			for batch, err := range plan.Batches(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				for row := range batch.Rows() {
					position := int64(batch.Number)*5 + int64(row)
					sample := plan.Drawn(batch.Epoch, position)
					labels := []int32{plan.Index().Label(0, sample), plan.Index().Label(1, sample)}
					one, err := plan.Apply(t.Context(), source.files[sample], flow.Draw{Key: plan.Index().Key(sample), Labels: labels, Epoch: batch.Epoch, Position: position})
					if err != nil {
						t.Fatal(err)
					}
					if have, want := pixelsOf(one, 0), pixelsOf(batch, row); !bytes.Equal(have, want) {
						t.Errorf("%s, %s, position %d: other pixels", name, exec, position)
					}
					one.Release()
				}
			}
			if err := plan.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// pixelsOf is the bytes of a row's image.
func pixelsOf(b *schema.Batch, row int) []byte {
	return fmt.Append(nil, b.Picture(row))
}

// An image.Image is what a PNG file of it is.
func TestApplyTakesImages(t *testing.T) {
	list, _ := album()
	plan, err := flow.New(hold(list), stages.Decode{}, stages.Resize{Height: 7, Width: 6}, stages.ToTensor{}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	img := photo(rand.New(rand.NewPCG(5, 6)), 31, 17)
	apply := func(img any) []byte {
		b, err := plan.Apply(t.Context(), img, flow.Draw{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release()
		if b.Rows() != 1 || b.Tensor.Height != 7 {
			t.Fatalf("%d rows of %s", b.Rows(), b.Tensor)
		}
		return pixelsOf(b, 0)
	}
	if !bytes.Equal(apply(img), apply(encoded(img, false))) {
		t.Error("an image and its PNG file give other pixels")
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, img, nil); err != nil {
		t.Fatal(err)
	}
	want := apply(file.Bytes())
	var wait sync.WaitGroup
	for range 4 { // many requests at once
		wait.Go(func() {
			for range 20 {
				if !bytes.Equal(apply(file.Bytes()), want) {
					t.Error("other pixels beside others")
				}
			}
		})
	}
	wait.Wait()
}

func TestApplySaysWhatIsWrong(t *testing.T) {
	list, _ := album()
	plan, err := flow.New(hold(list), stages.Decode{}, stages.Crop{Size: 12}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for want, c := range map[string]struct {
		ctx  context.Context
		img  any
		draw flow.Draw
	}{
		"takes an encoded image":       {t.Context(), 3, flow.Draw{}},
		`decode: `:                     {t.Context(), []byte("<html>"), flow.Draw{}},
		`(key "upload.jpg"`:            {t.Context(), []byte{}, flow.Draw{Key: "upload.jpg"}},
		"exceeds":                      {t.Context(), image.NewRGBA(image.Rect(0, 0, 5, 5)), flow.Draw{}},
		"has 1 labels":                 {t.Context(), image.NewRGBA(image.Rect(0, 0, 50, 50)), flow.Draw{Labels: []int32{1}}},
		"task class has no class 9":    {t.Context(), image.NewRGBA(image.Rect(0, 0, 50, 50)), flow.Draw{Labels: []int32{9, 0}}},
		"context canceled":             {cancelled, encoded(image.NewRGBA(image.Rect(0, 0, 50, 50)), true), flow.Draw{}},
		"without pixels (*image.RGBA)": {t.Context(), image.NewRGBA(image.Rect(0, 0, 0, 0)), flow.Draw{}},
		"without pixels (*image.Gray)": {t.Context(), (*image.Gray)(nil), flow.Draw{}},
		"counted from 0":               {t.Context(), image.NewRGBA(image.Rect(0, 0, 50, 50)), flow.Draw{Position: -1}},
	} {
		b, err := plan.Apply(c.ctx, c.img, c.draw)
		if err == nil {
			b.Release()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	raw, err := flow.New(hold(list)).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Apply(t.Context(), []byte{1}, flow.Draw{}); err == nil || !strings.Contains(err.Error(), "no decode stage") {
		t.Errorf("without decode: %v", err)
	}
}

// Every kind of image with a short way to pixels gives what its PNG file does, parts of
// larger ones too.
func TestApplyTakesKindsOfImages(t *testing.T) {
	list, _ := album()
	r := rand.New(rand.NewPCG(7, 8))
	fill := func(pix []uint8) {
		for i := range pix {
			pix[i] = uint8(r.IntN(256))
		}
	}
	for _, mode := range []stages.ColorMode{stages.RGB, stages.Gray} {
		plan, err := flow.New(hold(list), stages.Decode{Mode: mode}, stages.Resize{Height: 13, Width: 13}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 12 {
			rect := image.Rect(0, 0, 9+r.IntN(30), 9+r.IntN(30))
			part := image.Rect(r.IntN(4), r.IntN(4), rect.Dx()-r.IntN(4), rect.Dy()-r.IntN(4))
			rgba, opaque, nrgba, gray := image.NewRGBA(rect), image.NewRGBA(rect), image.NewNRGBA(rect), image.NewGray(rect)
			deep, planes := image.NewNRGBA64(rect), image.NewYCbCr(rect, image.YCbCrSubsampleRatio(r.IntN(6)))
			for _, pix := range [][]uint8{opaque.Pix, nrgba.Pix, gray.Pix, deep.Pix, planes.Y, planes.Cb, planes.Cr} {
				fill(pix)
			}
			for i := 3; i < len(opaque.Pix); i += 4 {
				opaque.Pix[i] = 255
			}
			for i := range rgba.Pix {
				rgba.Pix[i] = uint8(r.IntN(1 + int(rgba.Pix[i/4*4+3])))
			}
			for _, img := range []image.Image{rgba, opaque.SubImage(part), nrgba.SubImage(part), gray.SubImage(part), deep, planes.SubImage(part)} {
				var have [2][]byte
				for i, of := range []any{img, encoded(img, false)} {
					b, err := plan.Apply(t.Context(), of, flow.Draw{})
					if err != nil {
						t.Fatal(err)
					}
					have[i] = pixelsOf(b, 0)
					b.Release()
				}
				if !bytes.Equal(have[0], have[1]) {
					t.Errorf("%s: %T of %v and its PNG file give other pixels", mode, img, img.Bounds())
				}
			}
		}
		if err := plan.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkApply is one image of 1920x1080 as files and in memory.
func BenchmarkApply(b *testing.B) {
	list, _ := album()
	plan, err := flow.New(hold(list), stages.Decode{}, stages.Resize{Height: 224, Width: 224}, stages.ToTensor{}).Plan(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer plan.Close()
	img := photo(rand.New(rand.NewPCG(5, 6)), 1920, 1080)
	planes, err := jpeg.Decode(bytes.NewReader(encoded(img, true)))
	if err != nil {
		b.Fatal(err)
	}
	for name, of := range map[string]any{"jpeg": encoded(img, true), "png": encoded(img, false), "rgba": img, "ycbcr": planes} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				batch, err := plan.Apply(b.Context(), of, flow.Draw{})
				if err != nil {
					b.Fatal(err)
				}
				batch.Release()
			}
		})
	}
}

// An image in memory is held to max_pixels as a file is.
func TestApplyRefusesLargeImages(t *testing.T) {
	list, _ := album()
	plan, err := flow.New(hold(list), stages.Decode{Limit: 5000}, stages.Resize{Height: 4, Width: 4}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	img := image.NewGray(image.Rect(0, 0, 100, 60))
	for name, of := range map[string]any{"image": img, "PNG": encoded(img, false)} {
		if _, err := plan.Apply(t.Context(), of, flow.Draw{}); err == nil || !strings.Contains(err.Error(), name+": too many pixels: 60x100 is 6000, the limit is 5000, which decode: {max_pixels: N} sets") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The stages alone, without a source, give what the plan of the whole pipeline gives.
func TestApplierNeedsNoSource(t *testing.T) {
	list, _ := album()
	source := hold(list)
	for name, list2 := range map[string][]stages.Stage{
		"all kinds of stages": {stages.ClassWeights{Task: "class", Weights: stages.Weights{Rule: "inverse"}}, stages.Rebalance{Target: stages.SquareRoot, Task: stages.TaskNames{"class"}},
			stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Flip{P: 0.5}, flow.WithID("again", stages.Rotate{Degrees: stages.Range{-5, 5}}),
			stages.Flip{P: 0.5, Direction: "vertical"}, stages.Resize{Height: 9, Width: 11}, stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd},
			stages.Batch{Size: 4}, stages.MultiScale{Scales: []float64{0.5, 1}}},
		"sizes of their own": {stages.Decode{}, stages.Flip{P: 0.5}},
		"grey uint8":         {stages.Decode{Mode: stages.Gray}, stages.RandomResizedCrop{Height: 8, Width: 8}, stages.Batch{Size: 5}},
	} {
		for _, fuse := range []flow.Fuse{flow.FuseFull, flow.FuseExact} {
			plan, err := flow.New(source, list2...).Plan(t.Context(), flow.Seed(9), flow.WithFuse(fuse), flow.WithParams())
			if err != nil {
				t.Fatal(err)
			}
			if err := plan.Close(); err != nil {
				t.Fatal(err)
			}
			ofPlan, err := plan.Applier()
			if err != nil {
				t.Fatal(err)
			}
			alone, err := flow.New(nil, list2...).Applier(flow.Seed(9), flow.WithFuse(fuse), flow.WithParams())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			have, want := alone.Info(), ofPlan.Info()
			if have.Form != want.Form || !slices.Equal(have.Variants, want.Variants) || !have.Params {
				t.Errorf("%s: the batches are %s of %v, want %s of %v", name, have.Form, have.Variants, want.Form, want.Variants)
			}
			for i, file := range source.files[:7] {
				draw := flow.Draw{Key: plan.Index().Key(i), Epoch: i % 3, Position: int64(11 * i)}
				var pixels, params [2][]byte
				for j, a := range []*flow.Applier{ofPlan, alone} {
					b, err := a.Apply(t.Context(), file, draw)
					if err != nil {
						t.Fatal(err)
					}
					pixels[j] = pixelsOf(b, 0)
					params[j] = []byte(b.Record.Column(int(b.Record.NumCols()) - 1).ValueStr(0))
					b.Release()
				}
				if !bytes.Equal(pixels[0], pixels[1]) || !bytes.Equal(params[0], params[1]) || !bytes.Contains(params[0], []byte("matrix")) {
					t.Errorf("%s, %s: %s: without a source it has other pixels, or was drawn otherwise: %s, %s", name, fuse, draw.Key, params[0], params[1])
				}
			}
		}
	}
}

func TestApplierSaysWhatItLacks(t *testing.T) {
	for want, list := range map[string][]stages.Stage{
		"normalize: dataset asks for figures of the data":   {stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.ToTensor{}, stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}},
		"the pipeline has no decode stage":                  {stages.Batch{Size: 3}},
		"stages: crop: needs pictures: put decode before":   {stages.Crop{Size: 0.5}, stages.Decode{}},
		"stages: rebalance: target: missing":                {stages.Rebalance{}, stages.Decode{}},
		"stages: decode_2: there is a decode stage already": {stages.Decode{}, stages.Decode{}},
	} {
		pipe := flow.New(nil, list...)
		_, err := pipe.Applier()
		if mistake := new(flow.PipelineError); !errors.As(err, &mistake) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
		if needs := strings.Contains(want, "figures"); pipe.NeedsData() != needs {
			t.Errorf("%s: NeedsData is %t", want, !needs)
		}
	}
	if _, err := flow.New(nil, stages.Decode{}).Applier(flow.Workers(-1)); err == nil || !strings.Contains(err.Error(), "workers is -1") {
		t.Errorf("settings: %v", err)
	}
	alone, err := flow.New(nil, stages.Decode{}).Applier()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone.Apply(t.Context(), image.NewGray(image.Rect(0, 0, 3, 3)), flow.Draw{Labels: []int32{0}}); err == nil || !strings.Contains(err.Error(), "has 1 labels, and there are 0 tasks") {
		t.Errorf("labels: %v", err)
	}
}

// Stages that aren't about pictures have no say in an Applier, wherever they stand.
func TestApplierIsOfPicturesAlone(t *testing.T) {
	flip, jitter := stages.Flip{P: 0.01}, stages.ColorJitter{Hue: stages.Range{-0.1, 0.1}}
	for name, c := range map[string]struct {
		stages []stages.Stage
		random []string
	}{
		"batches of varying rows": {[]stages.Stage{stages.Decode{}, stages.Flip{P: 1}, stages.Batch{Size: 3}, stages.MultiScale{Scales: []float64{1, 2}}}, []string{}},
		"stages behind the batch": {[]stages.Stage{stages.Decode{}, stages.Batch{Size: 3}, flip, stages.Shuffle{}, jitter, flip}, []string{"flip", "color_jitter", "flip_2"}},
		"nothing random":          {[]stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.Resize{Size: 9}, stages.CenterCrop{Size: 8}, stages.ToTensor{}}, []string{}},
	} {
		a, err := flow.New(nil, c.stages...).Applier()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if have := a.Random(); !slices.Equal(have, c.random) {
			t.Errorf("%s: random: have %q, want %q", name, have, c.random)
		}
		if _, err := a.Apply(t.Context(), image.NewGray(image.Rect(0, 0, 30, 20)), flow.Draw{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A picture is what its PNG file is, and stays as it is.
func TestApplyTakesPictures(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	img := photo(r, 23, 19)
	pic := schema.NewPicture(19, 23)
	for y := range 19 {
		for x := range 23 {
			r, g, b, _ := img.At(x, y).RGBA()
			copy(pic.U8[3*(23*y+x):], []uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)})
		}
	}
	before := slices.Clone(pic.U8)
	for name, list := range map[string][]stages.Stage{
		"grey":      {stages.Decode{Mode: stages.Gray}, stages.Resize{Height: 7, Width: 6}},
		"jittered":  {stages.Decode{}, stages.ColorJitter{Brightness: stages.Factor{0.5, 1.5}, Contrast: stages.Factor{0.5, 1.5}}},
		"untouched": {stages.Decode{}},
	} {
		for _, exec := range []flow.Executor{flow.Fused, flow.Reference} {
			a, err := flow.New(nil, list...).Applier(flow.Exec(exec))
			if err != nil {
				t.Fatal(err)
			}
			var pixels [2][]byte
			for i, of := range []any{pic, encoded(img, false)} {
				b, err := a.Apply(t.Context(), of, flow.Draw{Position: 3})
				if err != nil {
					t.Fatal(err)
				}
				pixels[i] = pixelsOf(b, 0)
				b.Release()
			}
			if !bytes.Equal(pixels[0], pixels[1]) {
				t.Errorf("%s, %s: a picture and its PNG file give other pixels", name, exec)
			}
			if !bytes.Equal(pic.U8, before) {
				t.Fatalf("%s, %s: the picture was changed", name, exec)
			}
		}
	}
}

// hollow is an image that panics when its pixels are read.
type hollow struct{ image.Image }

func (hollow) Bounds() image.Rectangle { panic("no bounds") }

func TestApplyRefusesMalformedInput(t *testing.T) {
	a, err := flow.New(nil, stages.Decode{}, stages.Resize{Height: 4, Width: 4}).Applier()
	if err != nil {
		t.Fatal(err)
	}
	file := encoded(photo(rand.New(rand.NewPCG(1, 1)), 9, 8), false)
	short := image.NewNRGBA(image.Rect(0, 0, 9, 8))
	short.Pix = short.Pix[:50]
	planes := image.NewYCbCr(image.Rect(0, 0, 9, 8), image.YCbCrSubsampleRatio420)
	planes.Cb = nil
	late := 1 // a variable: the sum is no constant on 32 bits
	for name, c := range map[string]struct {
		img  any
		draw flow.Draw
		want string
	}{
		"bounds that panic":  {hollow{}, flow.Draw{}, "reading the image: panic: no bounds"},
		"too few pixels":     {short, flow.Draw{}, "reading the image: panic: "},
		"no chroma":          {planes, flow.Draw{}, "reading the image: panic: "},
		"a nil picture":      {(*schema.Picture)(nil), flow.Draw{}, "without pixels (*schema.Picture)"},
		"an empty picture":   {schema.NewPicture(0, 4), flow.Draw{}, "without pixels (*schema.Picture)"},
		"a float32 picture":  {&schema.Picture{Height: 2, Width: 2, Layout: schema.HWC, F32: make([]float32, 12)}, flow.Draw{}, "takes uint8 hwc"},
		"a planar picture":   {&schema.Picture{Height: 2, Width: 2, Layout: schema.CHW, U8: make([]uint8, 12)}, flow.Draw{}, "takes uint8 hwc"},
		"a short picture":    {&schema.Picture{Height: 2, Width: 2, Layout: schema.HWC, U8: make([]uint8, 11)}, flow.Draw{}, "with 11 bytes"},
		"a late epoch":       {file, flow.Draw{Epoch: math.MaxInt32 + late}, "epoch 2147483648: at most 2147483647"},
		"a negative weight":  {file, flow.Draw{Weight: -1}, "has the weight -1"},
		"an infinite weight": {file, flow.Draw{Weight: float32(math.Inf(1))}, "has the weight +Inf"},
		"no number":          {file, flow.Draw{Weight: float32(math.NaN())}, "has the weight NaN"},
	} {
		b, err := a.Apply(t.Context(), c.img, c.draw)
		if err == nil {
			b.Release()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q, have %v", name, c.want, err)
		}
	}
	b, err := a.Apply(t.Context(), file, flow.Draw{Epoch: math.MaxInt32, Position: math.MaxInt64, Weight: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
}
