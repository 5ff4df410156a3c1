package warp

import (
	"flag"
	"image"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

// photoCount bounds the slow comparisons with ideal pictures:
//
//	go test ./internal/warp -run 'Ideal|Photos' -v -photos 1000
var photoCount = flag.Int("photos", 3, "number of photos that fused sampling is compared on")

func photos(t *testing.T) []string {
	files, _ := filepath.Glob("../../../shared/data/photos/*.JPEG")
	if len(files) == 0 {
		t.Skip("no photos in ../shared/data/photos")
	}
	// Spread over the list, which is sorted by what they show.
	n := min(max(*photoCount, 1), len(files))
	var some []string
	for i := range n {
		some = append(some, files[i*len(files)/n])
	}
	return some
}

// drawnRecipe is the recipe as drawn for a photo, to a square of side pixels.
func drawnRecipe(r *rand.Rand, h, w, side int, antialias bool) []Transform {
	ch, cw := h/2, w/2
	x, y := r.IntN(max(w/4, 1)), r.IntN(max(h/4, 1))
	flip := Transform{Matrix: Identity(), Height: ch, Width: cw, Filter: Nearest}
	if r.IntN(2) == 0 {
		flip.Matrix = Affine{-1, 0, float64(cw - 1), 0, 1, 0}
	}
	return []Transform{
		{Matrix: Rotation(r.Float64()*60-30, float64(w/2), float64(h/2)), Height: h, Width: w, Filter: Bilinear},
		{Matrix: Translate(float64(x), float64(y)), Height: ch, Width: cw, Filter: Nearest, Clip: image.Rect(x, y, x+cw, y+ch)},
		flip,
		Resize(ch, cw, side, side, Bilinear, antialias),
	}
}

// Against the ideal picture (the composed transform at four times the size,
// Lanczos, averaged) the merged sampling is better than the two steps that it
// stands for, Pillow's way or OpenCV's, on every photo that shrinks by no more
// than AntialiasFrom, and on average beyond that.
func TestFusedIsCloserToTheIdealPicture(t *testing.T) {
	for _, side := range []int{224, 64} {
		r := rand.New(rand.NewPCG(1, uint64(side)))
		var fused, pillow, opencv float64
		worse, worseThanOpenCV := 0, 0
		files := photos(t)
		for _, file := range files {
			src := decoded(t, file)
			h, w := src.Height, src.Width
			seed := r.Uint64()
			chain := drawnRecipe(rand.New(rand.NewPCG(seed, 0)), h, w, side, true)
			sampled := drawnRecipe(rand.New(rand.NewPCG(seed, 0)), h, w, side, false)
			want := supersampled(src, chain, 4, 4, lanczosAt)
			passes := Fuse(h, w, chain, true)
			a := psnr(runPasses(src, passes).U8, want)
			b := psnr(reference(src, chain).U8, want)
			c := psnr(reference(src, sampled).U8, want)
			fused, pillow, opencv = fused+a, pillow+b, opencv+c
			steps := passes[0].sampler.(*affine)
			small := steps.columns == 1 && steps.rows == 1
			if a <= b || a <= c {
				worse++
				if small {
					t.Errorf("%s to %d: %.2f dB, two steps %.2f, OpenCV's %.2f", filepath.Base(file), side, a, b, c)
				}
			}
			if a < c {
				worseThanOpenCV++
			}
		}
		n := float64(len(files))
		t.Logf("to %dx%d, %d photos: fused %.2f dB, two steps as Pillow %.2f, as OpenCV %.2f; not the best on %d, below OpenCV's on %d",
			side, side, len(files), fused/n, pillow/n, opencv/n, worse, worseThanOpenCV)
		if fused <= pillow || fused <= opencv {
			t.Errorf("to %d: not better on average", side)
		}
	}
}

// On photos as on patterns: within a level of the oracle.
func TestFullFusionOfPhotos(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	for _, file := range photos(t) {
		src := decoded(t, file)
		for _, side := range []int{160, 50} {
			chain := drawnRecipe(r, src.Height, src.Width, side, true)
			passes := Fuse(src.Height, src.Width, chain, true)
			a := passes[0].sampler.(*affine)
			got, want := runPasses(src, passes).U8, oracle(src, chain, a.columns, a.rows)
			most, sum := 0.0, 0.0
			for i, v := range got {
				d := math.Abs(float64(v) - want[i])
				most, sum = max(most, d), sum+d
			}
			t.Logf("%s to %d, %s: at most %.3f, %.3f on average", filepath.Base(file), side, passes[0].Method(), most, sum/float64(len(got)))
			if most > 1 || sum > 0.3*float64(len(got)) {
				t.Errorf("%s to %d: %.3f at most, %.3f on average", filepath.Base(file), side, most, sum/float64(len(got)))
			}
		}
	}
}

// Whatever the picture, exact fusion has the reference's bytes.
func TestExactFusionOfPhotos(t *testing.T) {
	r := chains(t)
	for _, file := range photos(t) {
		src := decoded(t, file)
		for range 3 {
			chain := drawnRecipe(r, src.Height, src.Width, 100+r.IntN(200), r.IntN(2) == 0)
			exact(t, runPasses(src, Fuse(src.Height, src.Width, chain, false)).U8, reference(src, chain).U8)
		}
	}
}

func psnr(got []uint8, want []float64) float64 {
	sum := 0.0
	for i, v := range got {
		d := float64(v) - want[i]
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(got))/sum)
}

// lanczosAt is the picture at a point inside of it, by Lanczos interpolation;
// its edge is repeated.
func lanczosAt(src *schema.Picture, x, y float64) (v [3]float64) {
	u, w := fraction(x), fraction(y)
	table := tapTables[Lanczos]()
	left, top := int(u>>FractionBits)-2, int(w>>FractionBits)-2
	for j, wy := range table[w&(one-1)] {
		row := min(max(top+j, 0), src.Height-1) * src.Width
		for i, wx := range table[u&(one-1)] {
			at := 3 * (row + min(max(left+i, 0), src.Width-1))
			for c := range v {
				v[c] += wx * wy * float64(src.U8[at+c])
			}
		}
	}
	return v
}
