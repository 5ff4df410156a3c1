package flow_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
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
		if _, err := plan.Apply(t.Context(), of, flow.Draw{}); err == nil || !strings.Contains(err.Error(), name+": too many pixels: 60x100 is 6000, the limit is 5000") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
