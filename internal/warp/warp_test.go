package warp

import (
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

// clipped makes the transform see only that part of the input, and moves it there.
func (t Transform) clipped(clip image.Rectangle) Transform {
	t.Matrix = t.Matrix.Then(Translate(float64(clip.Min.X), float64(clip.Min.Y)))
	t.Clip = clip
	return t
}

// transforms are one of each kind, for an input of height x width.
func transforms(height, width int) []Transform {
	var all []Transform
	fill := [3]uint8{10, 200, 90}
	turn := Rotation(-21.3, float64(width/2), float64(height/2))
	mirrored := Affine{-1, 0, float64(width - 1), 0, 1, 0}
	for _, f := range Filters {
		shrink := Resize(height, width, max(height/3, 1), max(width/2, 1), f, true)
		mirroredShrink := shrink
		mirroredShrink.Matrix = shrink.Matrix.Then(mirrored)
		all = append(all, shrink, mirroredShrink,
			Resize(height, width, height+3, 2*width+1, f, true),
			Resize(height, width, max(height/2, 1), width+5, f, false),
			Transform{Matrix: turn, Height: height, Width: width, Filter: f, Fill: fill},
			Transform{Matrix: turn, Height: height + 2, Width: width + 1, Filter: f, Border: Edge},
			Transform{Matrix: Affine{0.4, 0.1, -3, -0.7, 1.9, 2}, Height: 11, Width: 13, Filter: f, Fill: fill},
			Transform{Matrix: Affine{1.3, 0, -2.25, 0, 0.7, 1}, Height: 9, Width: 8, Filter: f, Fill: fill},
		)
	}
	return all
}

func TestRowByRowEqualsWhole(t *testing.T) {
	for _, size := range [][2]int{{17, 22}, {1, 1}, {2, 9}} {
		src := picture("noise", size[0], size[1])
		for _, tr := range transforms(size[0], size[1]) {
			whole := Apply(src, tr)
			for y := range tr.Height {
				row := make([]uint8, 3*tr.Width)
				tr.rows(row, src, y, y+1)
				exact(t, row, whole.U8[3*tr.Width*y:3*tr.Width*(y+1)])
			}
		}
	}
}

func TestClipHidesTheRest(t *testing.T) {
	src := picture("noise", 25, 31)
	for _, clip := range []image.Rectangle{image.Rect(4, 3, 21, 22), image.Rect(30, 0, 31, 1), image.Rect(0, 7, 31, 8)} {
		poisoned := schema.NewPicture(src.Height, src.Width)
		part := schema.NewPicture(clip.Dy(), clip.Dx())
		for i := range poisoned.U8 {
			y, x := i/3/src.Width, i/3%src.Width
			poisoned.U8[i] = 255 - src.U8[i]
			if (image.Point{X: x, Y: y}).In(clip) {
				poisoned.U8[i] = src.U8[i]
				part.U8[((y-clip.Min.Y)*part.Width+x-clip.Min.X)*3+i%3] = src.U8[i]
			}
		}
		for _, tr := range transforms(clip.Dy(), clip.Dx()) {
			want := Apply(part, tr).U8
			exact(t, Apply(src, tr.clipped(clip)).U8, want)
			exact(t, Apply(poisoned, tr.clipped(clip)).U8, want)
		}
	}
}

func TestWholePixelsAreCopied(t *testing.T) {
	src := picture("noise", 9, 12)
	for _, f := range Filters {
		for _, m := range []Affine{Identity(), Rotation(0, 6, 4), Rotation(-360, 6, 4), Rotation(720, 3, 3)} {
			exact(t, Apply(src, Transform{Matrix: m, Height: 9, Width: 12, Filter: f}).U8, src.U8)
		}
		exact(t, Apply(src, Resize(9, 12, 9, 12, f, true)).U8, src.U8)
		moved := Apply(src, Transform{Matrix: Translate(-2, 3), Height: 9, Width: 12, Filter: f, Fill: [3]uint8{1, 2, 3}})
		for i, got := range moved.U8 {
			y, x, c := i/3/12+3, i/3%12-2, i%3
			want := uint8(c + 1)
			if x >= 0 && y < 9 {
				want = src.U8[(y*12+x)*3+c]
			}
			if got != want {
				t.Fatalf("%s: moved picture has %d at %d,%d, want %d", f, got, x, y, want)
			}
		}
	}
}

// A mirrored resize is the resize, mirrored. Mirrored first, the weights differ
// in their last bit, and box in which of two pixels it takes.
func TestMirroredResize(t *testing.T) {
	mirror := func(p *schema.Picture) *schema.Picture {
		m := Affine{-1, 0, float64(p.Width - 1), 0, 1, 0}
		return Apply(p, Transform{Matrix: m, Height: p.Height, Width: p.Width, Filter: Nearest})
	}
	src := picture("noise", 23, 31)
	for _, f := range Filters {
		resize := Resize(23, 31, 10, 12, f, true)
		mirrored := resize
		mirrored.Matrix = resize.Matrix.Then(Affine{-1, 0, 30, 0, 1, 0})
		got := Apply(src, mirrored)
		exact(t, got.U8, mirror(Apply(src, resize)).U8)
		if f == Nearest || f == Box {
			continue
		}
		if mean, most, _ := difference(t, got.U8, Apply(mirror(src), resize).U8); most > 1 || mean > 0.01 {
			t.Errorf("%s: mean %v, most %d", f, mean, most)
		}
	}
}

func TestAffine(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var a, b Affine
		for i := range a {
			a[i], b[i] = r.NormFloat64()*3, r.NormFloat64()*3
		}
		x, y := r.NormFloat64()*100, r.NormFloat64()*100
		near := func(name string, gotX, gotY, wantX, wantY, within float64) {
			if !(math.Hypot(gotX-wantX, gotY-wantY) <= within) {
				t.Errorf("%s of %v, %v: %v, %v, want %v, %v", name, a, b, gotX, gotY, wantX, wantY)
			}
		}
		ax, ay := a.Apply(x, y)
		bx, by := b.Apply(ax, ay)
		cx, cy := a.Then(b).Apply(x, y)
		near("Then", cx, cy, bx, by, 1e-9)
		if det := math.Abs(a[0]*a[4] - a[1]*a[3]); det > 0.01 {
			inverse, ok := a.Invert()
			ix, iy := inverse.Apply(ax, ay)
			if !ok {
				t.Errorf("%v has no inverse", a)
			}
			near("Invert", ix, iy, x, y, 1e-8)
		}
		degrees := r.Float64()*720 - 360
		back := Rotation(degrees, x, y).Then(Rotation(-degrees, x, y))
		bx, by = back.Apply(5, -7)
		near("Rotation", bx, by, 5, -7, 1e-10)
	}
	for _, a := range []Affine{{}, {1, 2, 0, 2, 4, 0}, {math.NaN(), 0, 0, 0, 1, 0}, {1e300, 0, 0, 0, 1e300, 0}} {
		if _, ok := a.Invert(); ok {
			t.Errorf("%v has an inverse", a)
		}
	}
	if got, want := Rotation(90, 10, 20), (Affine{0, -1, 30, 1, 0, 10}); got != want {
		t.Errorf("a quarter turn is %v", got)
	}
}

// The bilinear reference against the plain float64 loop.
func TestBilinearIsBilinear(t *testing.T) {
	src := picture("noise", 19, 23)
	value := func(x, y, c int) float64 {
		if x < 0 || x >= 23 || y < 0 || y >= 19 {
			return 77
		}
		return float64(src.U8[(y*23+x)*3+c])
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		m := Rotation(r.Float64()*360, 11, 9).Then(Affine{0.5 + r.Float64(), 0, r.Float64(), 0, 0.5 + r.Float64(), 0})
		got := Apply(src, Transform{Matrix: m, Height: 19, Width: 23, Filter: Bilinear, Fill: [3]uint8{77, 77, 77}})
		for i, v := range got.U8 {
			u, w := m.Apply(float64(i/3%23), float64(i/3/23))
			x, y := int(math.Floor(u)), int(math.Floor(w))
			fx, fy := u-math.Floor(u), w-math.Floor(w)
			want := (value(x, y, i%3)*(1-fx)+value(x+1, y, i%3)*fx)*(1-fy) +
				(value(x, y+1, i%3)*(1-fx)+value(x+1, y+1, i%3)*fx)*fy
			// Half a level of rounding, and 2^-13 pixel of 255 levels in x and in y.
			if math.Abs(float64(v)-want) > 0.5+2*255.0/8192+1e-6 {
				t.Fatalf("%d, want %v, at %v, %v", v, want, u, w)
			}
		}
	}
}

// Whatever Check lets through neither panics nor reads what it must not.
func TestCheckedTransformsAreSafe(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	applied := 0
	for range 20_000 {
		tr := Transform{Height: r.IntN(6), Width: r.IntN(6), Filter: Filters[r.IntN(len(Filters))],
			Antialias: r.IntN(2) == 0, Border: Border(r.IntN(3))}
		tr.Matrix = Affine{r.NormFloat64(), 0, r.Float64() * 5, 0, r.NormFloat64(), r.Float64() * 5}
		for i := range tr.Matrix {
			switch r.IntN(30) {
			case 0:
				tr.Matrix[i] = []float64{0, 1e-300, 1e6, 1e8, -1e9, 1e19, math.Inf(1), math.NaN()}[r.IntN(8)]
			case 1:
				tr.Matrix[i] = r.NormFloat64()
			}
		}
		if r.IntN(2) == 0 {
			tr.Clip = image.Rect(r.IntN(9)-1, r.IntN(9)-1, r.IntN(9)-1, r.IntN(9)-1)
		}
		src := picture("noise", r.IntN(8), r.IntN(8))
		if tr.Check(src.Height, src.Width) == nil {
			Apply(src, tr)
			applied++
		}
	}
	if applied < 2000 {
		t.Errorf("only %d transforms were applied", applied)
	}
}

func TestCheck(t *testing.T) {
	good := Resize(10, 10, 5, 5, Bilinear, true)
	for want, change := range map[string]func(*Transform){
		"an output of 0x5":  func(t *Transform) { t.Height = 0 },
		"an output of 5x-1": func(t *Transform) { t.Width = -1 },
		"empty or outside":  func(t *Transform) { t.Clip = image.Rect(10, 0, 12, 10) },
		"unknown filter":    func(t *Transform) { t.Filter = "linear" },
		"inset":             func(t *Transform) { t.Inset = image.Rect(2, 2, 6, 5) },
		"outside an output": func(t *Transform) { t.Inset = image.Rect(2, 2, 2, 2).Inset(-1).Sub(image.Pt(3, 0)) },
		"unknown border":    func(t *Transform) { t.Border = 3 },
		"not finite":        func(t *Transform) { t.Matrix[5] = math.NaN() },
		"too far":           func(t *Transform) { t.Matrix[0] = 1e9 },
		"axis-aligned":      func(t *Transform) { t.Matrix[1] = 0.1 },
		"inside the input":  func(t *Transform) { t.Matrix[2] = -4 },
		"inside the input,": func(t *Transform) { t.Clip = image.Rect(0, 0, 5, 5) },
	} {
		bad := good
		change(&bad)
		if err := bad.Check(10, 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
	if err := good.Check(0, 10); err == nil {
		t.Error("an input of 0 rows passes")
	}
	for _, empty := range []Transform{Resize(0, 3, 2, 2, Bilinear, true), Resize(3, 3, 2, 0, Nearest, false)} {
		if empty.Check(3, 3) == nil {
			t.Errorf("%+v passes", empty)
		}
	}
	panics(t, func() { Apply(schema.NewPicture(0, 4), good) })
	panics(t, func() { Apply(&schema.Picture{Height: 10, Width: 10, Layout: schema.HWC, U8: make([]uint8, 10)}, good) })
	panics(t, func() { Apply(toCHW(schema.NewPicture(10, 10)), good) })
}

func panics(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if err, ok := recover().(error); !ok || !strings.HasPrefix(err.Error(), "warp: ") {
			t.Errorf("want a panic with an error of warp, got %v", err)
		}
	}()
	f()
}

// The same bytes on every machine: run with GOAMD64=v1 and v3, and on arm64.
func TestHash(t *testing.T) {
	const want = "15061b0e0b650462b04d125ddeba2977"
	h := sha256.New()
	src := picture("noise", 61, 83)
	for _, tr := range transforms(61, 83) {
		h.Write(Apply(src, tr).U8)
	}
	for degrees := -180.0; degrees < 180; degrees += 7.7 {
		h.Write(Apply(src, Transform{Matrix: Rotation(degrees, 41, 30), Height: 61, Width: 83, Filter: Bilinear}).U8)
	}
	if got := hex.EncodeToString(h.Sum(nil)[:16]); got != want {
		t.Errorf("hash of the outputs is %s, want %s", got, want)
	}
}

func TestPhotos(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/photos/*.JPEG")
	if len(files) == 0 {
		t.Skip("no photos in ../shared/data/photos")
	}
	for _, file := range files[:min(len(files), 5)] {
		src := decoded(t, file)
		h, w := src.Height, src.Width
		turned := Transform{Matrix: Rotation(17, float64(w/2), float64(h/2)), Height: h, Width: w, Filter: Bilinear}
		back := turned
		back.Matrix, _ = turned.Matrix.Invert()
		// The middle of a photo survives a turn and its inverse.
		middle := Transform{Matrix: Translate(float64(w/4), float64(h/4)), Height: h / 2, Width: w / 2, Filter: Nearest}
		mean, _, _ := difference(t, Apply(Apply(Apply(src, turned), back), middle).U8, Apply(src, middle).U8)
		t.Logf("%s %dx%d: %.2f after a turn and its inverse", filepath.Base(file), h, w, mean)
		if mean > 12 {
			t.Errorf("%s: %.2f after a turn and its inverse", file, mean)
		}
		// A mean of the whole picture, however it gets to one pixel.
		once := Apply(src, Resize(h, w, 1, 1, Box, true))
		twice := Apply(Apply(src, Resize(h, w, 1, w, Box, true)), Resize(1, w, 1, 1, Box, true))
		if _, most, _ := difference(t, once.U8, twice.U8); most > 1 {
			t.Errorf("%s: means differ by %d", file, most)
		}
	}
}

func decoded(t *testing.T, file string) *schema.Picture {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	p := schema.NewPicture(img.Bounds().Dy(), img.Bounds().Dx())
	for i := range p.Height * p.Width {
		r, g, b, _ := img.At(i%p.Width, i/p.Width).RGBA()
		p.U8[3*i], p.U8[3*i+1], p.U8[3*i+2] = uint8(r>>8), uint8(g>>8), uint8(b>>8)
	}
	return p
}

func BenchmarkApply(b *testing.B) {
	src := picture("smooth", 375, 500)
	for name, t := range map[string]Transform{
		"rotate_bilinear":    {Matrix: Rotation(17, 250, 187), Height: 375, Width: 500, Filter: Bilinear},
		"resize_bilinear":    Resize(375, 500, 224, 224, Bilinear, false),
		"resize_antialiased": Resize(375, 500, 224, 224, Bilinear, true),
		"resize_lanczos":     Resize(375, 500, 224, 224, Lanczos, true),
		"sample_lanczos":     Resize(375, 500, 224, 224, Lanczos, false),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Apply(src, t)
			}
		})
	}
}
