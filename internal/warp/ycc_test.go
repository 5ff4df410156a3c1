package warp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"image"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/schema"
)

// layouts are shifts of chroma: 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1, and grey.
var layouts = []struct {
	x, y  uint
	count int
}{{0, 0, 3}, {1, 0, 3}, {1, 1, 3}, {0, 1, 3}, {2, 0, 3}, {0, 0, 1}}

// randomPlanes is planes of a picture of that size at a scale of 1/2^scale: noise,
// or waves.
func randomPlanes(r *rand.Rand, h, w int, scale uint) *planar.YCC {
	layout := layouts[r.IntN(len(layouts))]
	y := &planar.YCC{Count: layout.count}
	noise, gap := r.IntN(2) == 0, r.IntN(3)
	for i := range y.Count {
		y.ShiftX[i], y.ShiftY[i] = scale, scale
		if i > 0 {
			y.ShiftX[i], y.ShiftY[i] = max(scale, layout.x), max(scale, layout.y)
		}
		p := &y.Planes[i]
		p.Width, p.Height = (w+1<<y.ShiftX[i]-1)>>y.ShiftX[i], (h+1<<y.ShiftY[i]-1)>>y.ShiftY[i]
		p.Rect = image.Rect(-1, -1, p.Width+1, p.Height+1)
		p.Stride = p.Rect.Dx() + gap
		p.Pix = make([]uint8, p.Stride*p.Rect.Dy())
		kx, ky := 3*r.Float64(), 3*r.Float64()
		for y := range p.Height {
			for x := range p.Width {
				v := 127.5 + 120*math.Sin(kx*float64(x)+ky*float64(y))
				if noise {
					v = float64(r.IntN(256))
				}
				p.Pix[(y+1)*p.Stride+x+1] = uint8(v)
			}
		}
		for y := p.Rect.Min.Y; y < p.Rect.Max.Y; y++ {
			for x := p.Rect.Min.X; x < p.Rect.Max.X; x++ {
				from := (min(max(y, 0), p.Height-1)+1)*p.Stride + min(max(x, 0), p.Width-1) + 1
				p.Pix[(y+1)*p.Stride+x+1] = p.Pix[from]
			}
		}
	}
	return y
}

func planeSample(p *planar.Plane, x, y int) float64 {
	return float64(p.Row(min(max(y, 0), p.Height-1), -1, p.Width+1)[min(max(x, 0), p.Width-1)+1])
}

// planesAt is the colour at a point, in float64 and not clamped: each plane
// bilinearly where its samples lie, then JFIF's formula.
func planesAt(src *planar.YCC) valueAt {
	return func(_ *schema.Picture, x, y float64) [3]float64 {
		v := [3]float64{0, 128, 128}
		for i := range src.Count {
			u, w := inSamples(x, src.ShiftX[i]), inSamples(y, src.ShiftY[i])
			left, top := math.Floor(u), math.Floor(w)
			fx, fy := u-left, w-top
			at := func(i, j int, p *planar.Plane) float64 { return planeSample(p, int(left)+i, int(top)+j) }
			p := &src.Planes[i]
			v[i] = (at(0, 0, p)*(1-fx)+at(1, 0, p)*fx)*(1-fy) + (at(0, 1, p)*(1-fx)+at(1, 1, p)*fx)*fy
		}
		return toRGB(v)
	}
}

func inSamples(x float64, shift uint) float64 { return (x+0.5)/float64(int(1)<<shift) - 0.5 }

func toRGB(v [3]float64) [3]float64 {
	cb, cr := v[1]-128, v[2]-128
	return [3]float64{v[0] + 1.402*cr, v[0] - 0.344136*cb - 0.714136*cr, v[0] + 1.772*cb}
}

// Sampling planes is within one level of the oracle in float64, whatever the chain,
// the layout of chroma and the scale.
func TestPlanesAgainstTheOracle(t *testing.T) {
	// A level; and the planes are noise of full contrast, where a point that is rounded to
	// 2^-12 pixel in each direction moves a value by up to 600 levels * 2^-12 more.
	const oracleBound = 1 + 600.0/(1<<FractionBits)
	r := chains(t)
	compared, scaled, most, sum, values := 0, 0, 0.0, 0.0, 0
	for i := range 1200 {
		h, w := 1+r.IntN(60), 1+r.IntN(60)
		chain := randomChain(r, h, w, []Filter{Bilinear})
		if i%3 == 0 { // a great shrinking
			last := chain[len(chain)-1]
			chain = append(chain, Resize(last.Height, last.Width, 1+r.IntN(1+last.Height/4), 1+r.IntN(1+last.Width/4), Bilinear, true))
		}
		passes := Fuse(h, w, chain, true)
		first := passes[0]
		scale := first.YCCScale()
		if scale == 0 || first.Merged == 0 {
			continue
		}
		compared++
		if scale > 1 {
			scaled++
		}
		planes := randomPlanes(r, h, w, uint(math.Log2(float64(scale))))
		got := schema.NewPicture(first.Height, first.Width)
		first.RunYCC(got, planes, Pixel{})
		var want []float64
		switch s := first.sampler.(yccSampler).scaled(scale, new(affine)).(type) {
		case *affine:
			want = supersampled(&schema.Picture{Height: h, Width: w}, chain[:first.Length], s.columns, s.rows, planesAt(planes))
		case *separable:
			want = resizedPlanes(planes, s)
		}
		for k, v := range got.U8 {
			d := math.Abs(float64(v) - min(max(want[k], 0), 255))
			if most, sum = max(most, d), sum+d; d > oracleBound {
				t.Fatalf("run %d, %dx%d at 1/%d, shifts %v %v: %d, want %.3f at %d\n%s", i, h, w, scale, planes.ShiftX, planes.ShiftY, v, want[k], k, chainText(chain, passes))
			}
		}
		values += len(want)
	}
	t.Logf("%d chains, %d at a scale: at most %.3f, %.3f on average", compared, scaled, most, sum/float64(values))
	if compared < 400 || scaled < 10 || sum > 0.3*float64(values) {
		t.Errorf("%d chains, %d at a scale: %.3f on average", compared, scaled, sum/float64(values))
	}
}

// resizedPlanes is the triangle filter on each plane, in float64: an output pixel's
// square, and a triangle of twice its width or of two samples.
func resizedPlanes(src *planar.YCC, s *separable) []float64 {
	out := make([]float64, 3*s.width*s.height)
	for y := range s.height {
		for x := range s.width {
			v := [3]float64{0, 128, 128}
			for i := range src.Count {
				p := &src.Planes[i]
				across := triangle(s.horizontal, s.afterX.of(x), s.beforeX, src.ShiftX[i], p.Width)
				down := triangle(s.vertical, s.afterY.of(y), s.beforeY, src.ShiftY[i], p.Height)
				v[i] = 0
				for j, wy := range down {
					for k, wx := range across {
						v[i] += wy * wx * planeSample(p, k, j)
					}
				}
			}
			for c, rgb := range toRGB(v) {
				out[3*(y*s.width+x)+c] = rgb
			}
		}
	}
	return out
}

// triangle is the weights of a plane's samples for output pixel i of an axis.
func triangle(a axis, i int, before line, shift uint, n int) map[int]float64 {
	size := float64(int(1) << shift)
	// The middle in pixels of the input, whose first has its edge at 0.
	centre := float64(a.first) + a.centre(a.place(i))
	first, end := a.first, a.first+a.in
	if before.step < 0 {
		centre = float64(before.at) + 1 - centre
		first, end = before.at+1-end, before.at+1-first
	} else {
		centre += float64(before.at)
		first, end = first+before.at, end+before.at
	}
	width := max(a.scale, size)
	weights, sum := map[int]float64{}, 0.0
	for k := first >> shift; k < min((end+1<<shift-1)>>shift, n); k++ {
		if w := 1 - math.Abs((float64(k)+0.5)*size-centre)/width; w > 0 {
			weights[k] = w
			sum += w
		}
	}
	for k := range weights {
		weights[k] /= sum
	}
	return weights
}

// encoded is files of every layout: jpeg's golden ones and photos, where there are any.
func encoded(t *testing.T) (files [][]byte) {
	data, err := os.ReadFile("../jpeg/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Name    string
			Encoded []byte
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Cases {
		if !strings.HasPrefix(c.Name, "coarse") {
			files = append(files, c.Encoded)
		}
	}
	names, _ := filepath.Glob("../../../shared/data/photos/*.JPEG")
	for _, name := range names[:min(len(names), 3)] {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	return files
}

// What a pass makes of a decoded region is what it makes of the whole picture, turned
// by every orientation: nothing outside of the region counts.
func TestPassesOfRegions(t *testing.T) {
	r := chains(t)
	ran := 0
	for _, data := range encoded(t) {
		for orientation := 1; orientation <= 8; orientation++ {
			file := withOrientation(data, orientation)
			f, err := decode.OpenJPEG(file, 0)
			if err != nil {
				t.Fatal(err)
			}
			if f.Orientation != orientation {
				t.Fatalf("orientation %d, want %d", f.Orientation, orientation)
			}
			if !f.HasYCC() {
				f.Close()
				continue
			}
			chain := randomChain(r, f.Height, f.Width, []Filter{Bilinear})
			if r.IntN(2) == 0 {
				last := chain[len(chain)-1]
				chain = append(chain, Resize(last.Height, last.Width, 1+last.Height/4, 1+last.Width/5, Bilinear, true))
			}
			first := Fuse(f.Height, f.Width, chain, true)[0]
			scale := first.YCCScale()
			if scale == 0 {
				f.Close()
				continue
			}
			var pictures [2]*schema.Picture
			for i, region := range []image.Rectangle{first.YCCRegion(f.Shifts()), image.Rect(0, 0, f.Width, f.Height)} {
				planes, err := f.YCC(context.Background(), region, scale)
				if err != nil {
					t.Fatal(err)
				}
				poison(&planes)
				pictures[i] = schema.NewPicture(first.Height, first.Width)
				first.RunYCC(pictures[i], &planes, Pixel{})
			}
			if !slices.Equal(pictures[0].U8, pictures[1].U8) {
				t.Fatalf("%dx%d, orientation %d, shifts of chroma %v at 1/%d: a region gives other bytes\n%s", f.Width, f.Height, orientation, first.YCCRegion(f.Shifts()), scale, chainText(chain, nil))
			}
			ran++
			f.Close()
		}
	}
	if ran < 50 {
		t.Errorf("only %d ran", ran)
	}
}

// poison changes what lies in rows between the planes' samples.
func poison(y *planar.YCC) {
	for i := range y.Count {
		p := &y.Planes[i]
		for row := range p.Rect.Dy() - 1 {
			gap := p.Pix[row*p.Stride+p.Rect.Dx() : (row+1)*p.Stride]
			for k := range gap {
				gap[k] ^= 0x5a
			}
		}
	}
}

// withOrientation puts an EXIF block behind the start-of-image marker.
func withOrientation(data []byte, o int) []byte {
	tiff := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(rune(o)) + "\x00\x00\x00\x00\x00\x00"
	out := append([]byte("\xff\xd8\xff\xe1\x00"), byte(len(tiff)+2))
	return append(append(out, tiff...), data[2:]...)
}

// On photos, against the oracle on RGB as libjpeg upsamples it: what sampling chroma
// once instead of twice, and decoding at a scale, change.
func TestPlanesOfPhotos(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	files := photos(t)
	for _, side := range []int{224, 96, 50, 24} {
		for kind, name := range []string{"recipe", "resize"} {
			var mean, top, scales float64
			for _, file := range files {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				src, err := decode.Decode(context.Background(), data, 0)
				if err != nil {
					t.Fatal(err)
				}
				h, w := src.Height, src.Width
				chain := [][]Transform{drawnRecipe(r, h, w, side, true), {Resize(h, w, side, side, Bilinear, true)}}[kind]
				pass := Fuse(h, w, chain, true)[0]
				got := fromPlanes(t, data, pass)
				var want []float64
				if a, ok := pass.sampler.(*affine); ok {
					want = oracle(src, chain, a.columns, a.rows)
				} else {
					for _, v := range reference(src, chain).U8 {
						want = append(want, float64(v))
					}
				}
				differences := make([]float64, len(want))
				sum := 0.0
				for i, v := range got.U8 {
					differences[i] = math.Abs(float64(v) - want[i])
					sum += differences[i]
				}
				slices.Sort(differences)
				mean += sum / float64(len(want)) / float64(len(files))
				top += differences[len(want)*999/1000] / float64(len(files))
				scales += float64(pass.YCCScale()) / float64(len(files))
			}
			t.Logf("%s to %dx%d, %d photos at 1/%.2f on average: %.3f on average, 99.9th percentiles %.2f", name, side, side, len(files), scales, mean, top)
			if mean > 0.6 || top > 6 {
				t.Errorf("%s to %d: %.3f on average, 99.9th percentiles %.2f", name, side, mean, top)
			}
		}
	}
}

// fromPlanes runs a pass on a file's planes.
func fromPlanes(t *testing.T, data []byte, pass *Pass) *schema.Picture {
	t.Helper()
	f, err := decode.OpenJPEG(data, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	planes, err := f.YCC(context.Background(), pass.YCCRegion(f.Shifts()), pass.YCCScale())
	if err != nil {
		t.Fatal(err)
	}
	got := schema.NewPicture(pass.Height, pass.Width)
	pass.RunYCC(got, &planes, Pixel{})
	return got
}

// Against the ideal picture planes are as good as RGB; at a scale they are hardly worse.
func TestScaledPlanesAreCloseToTheIdealPicture(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, side := range []int{224, 64, 40, 24, 16} {
		files := photos(t)
		var byScale [2][9]struct {
			n          int
			rgb, plane float64
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			src, err := decode.Decode(context.Background(), data, 0)
			if err != nil {
				t.Fatal(err)
			}
			for kind, chain := range [][]Transform{drawnRecipe(r, src.Height, src.Width, side, true), {Resize(src.Height, src.Width, side, side, Bilinear, true)}} {
				pass := Fuse(src.Height, src.Width, chain, true)[0]
				scale, got := pass.YCCScale(), fromPlanes(t, data, pass)
				want := supersampled(src, chain, 4, 4, lanczosAt)
				s := &byScale[kind][scale]
				s.n++
				s.rgb += psnr(runPasses(src, []*Pass{pass}).U8, want)
				s.plane += psnr(got.U8, want)
			}
		}
		for kind, name := range []string{"recipe", "resize"} {
			for scale, s := range byScale[kind] {
				if s.n > 0 {
					t.Logf("%s to %d at 1/%d, %d pictures: RGB %.2f dB, planes %.2f", name, side, scale, s.n, s.rgb/float64(s.n), s.plane/float64(s.n))
					if s.plane < s.rgb-2*float64(s.n) {
						t.Errorf("%s to %d at 1/%d: RGB %.2f dB, planes %.2f", name, side, scale, s.rgb/float64(s.n), s.plane/float64(s.n))
					}
				}
			}
		}
	}
}

// The same bytes on every machine, as TestFusedHash: raise flow's fusedRevision with it.
func TestPlanesHash(t *testing.T) {
	const want = "952359301026d9eb9d6d13dd3e35147b"
	h := sha256.New()
	r := rand.New(rand.NewPCG(13, 14))
	for range 300 {
		height, width := 1+r.IntN(60), 1+r.IntN(60)
		first := Fuse(height, width, randomChain(r, height, width, []Filter{Bilinear}), true)[0]
		scale := first.YCCScale()
		if scale == 0 {
			continue
		}
		planes := randomPlanes(r, height, width, uint(bits.TrailingZeros(uint(scale))))
		for i := range planes.Count {
			p := &planes.Planes[i]
			for k := range p.Pix {
				p.Pix[k] = uint8(r.IntN(256))
			}
		}
		dst := schema.NewPicture(first.Height, first.Width)
		first.RunYCC(dst, planes, Pixel{})
		h.Write(dst.U8)
	}
	if got := hex.EncodeToString(h.Sum(nil)[:16]); got != want {
		t.Errorf("hash of the outputs is %s, want %s", got, want)
	}
}
