package warp

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluicedata/sluice/schema"
)

var chainSeed = flag.Uint64("chains", 0, "replay the random chains of this seed")

// chains is the generator of random chains; a failure prints its seed.
func chains(t *testing.T) *rand.Rand {
	seed := *chainSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (replay with -chains %d)", seed, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randomChain is some transforms, each fit for the canvas that the one before
// leaves: what stages give, and what other stages might. What is never merged is left out where
// all filters are bilinear.
func randomChain(r *rand.Rand, h, w int, filters []Filter) []Transform {
	var chain []Transform
	borders, kinds := 2, 9
	if len(filters) > 1 {
		borders, kinds = 3, 12
	}
	for range 1 + r.IntN(5) {
		t := Transform{Height: h, Width: w, Filter: filters[r.IntN(len(filters))], Border: Border(r.IntN(borders)),
			Fill: [3]uint8{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256))}, Matrix: Identity()}
		switch r.IntN(kinds) {
		case 0, 1: // crop
			t.Height, t.Width = 1+r.IntN(h), 1+r.IntN(w)
			x, y := r.IntN(w-t.Width+1), r.IntN(h-t.Height+1)
			t.Matrix, t.Filter = Translate(float64(x), float64(y)), Nearest
			t.Clip = image.Rect(x, y, x+t.Width, y+t.Height)
		case 2: // flip
			t.Matrix = Affine{-1, 0, float64(w - 1), 0, 1, 0}
		case 3:
			t.Matrix = Affine{1, 0, 0, 0, -1, float64(h - 1)}
		case 4: // resize
			t = Resize(h, w, 1+r.IntN(2*h), 1+r.IntN(2*w), t.Filter, r.IntN(3) > 0)
		case 5: // random resized crop
			ph, pw := 1+r.IntN(h), 1+r.IntN(w)
			x, y := r.IntN(w-pw+1), r.IntN(h-ph+1)
			t = Resize(ph, pw, 1+r.IntN(40), 1+r.IntN(40), t.Filter, r.IntN(3) > 0)
			t.Matrix = t.Matrix.Then(Translate(float64(x), float64(y)))
			t.Clip = image.Rect(x, y, x+pw, y+ph)
		case 6: // quarter turns, about a pixel or of the whole canvas
			t.Matrix = Rotation(float64(90*r.IntN(4)), float64(w/2), float64(h/2))
			if r.IntN(2) == 0 {
				t.Height, t.Width, t.Matrix = w, h, Affine{0, -1, float64(w - 1), 1, 0, 0}
			}
		case 9: // pad
			t.Height, t.Width = h+r.IntN(20), w+r.IntN(20)
			t.Filter, t.Matrix = Nearest, Translate(-float64(r.IntN(t.Width-w+1)), -float64(r.IntN(t.Height-h+1)))
		case 10: // letterbox
			t = Resize(h, w, 1+r.IntN(2*h), 1+r.IntN(2*w), t.Filter, r.IntN(3) > 0)
			t = framed(r, t)
		case 11: // anything on a larger canvas
			t.Matrix = Rotation(r.Float64()*60-30, float64(w/2), float64(h/2))
			t = framed(r, t)
		default:
			t.Matrix = Rotation(r.Float64()*60-30, float64(w/2), float64(h/2))
			if r.IntN(4) == 0 {
				t.Matrix = t.Matrix.Then(Affine{0.3 + 2*r.Float64(), r.Float64() - 0.5, 1, 0.1, 0.3 + 2*r.Float64(), -1})
			}
		}
		chain = append(chain, t)
		h, w = t.Height, t.Width
	}
	return chain
}

// framed puts a transform's output somewhere on a larger canvas.
func framed(r *rand.Rand, t Transform) Transform {
	x, y := r.IntN(20), r.IntN(20)
	t.Inset = image.Rect(x, y, x+t.Width, y+t.Height)
	t.Matrix = Translate(-float64(x), -float64(y)).Then(t.Matrix)
	t.Height, t.Width = y+t.Height+r.IntN(20), x+t.Width+r.IntN(20)
	return t
}

// pattern is a picture of noise, waves, or black and white pixels by turns.
func pattern(kind, height, width int) *schema.Picture {
	if kind < 2 {
		return picture([]string{"noise", "smooth"}[kind], height, width)
	}
	p := schema.NewPicture(height, width)
	for i := range p.U8 {
		p.U8[i] = uint8(255 * ((i/3/width + i/3%width) % 2))
	}
	return p
}

// reference applies transform after transform.
func reference(src *schema.Picture, chain []Transform) *schema.Picture {
	for _, t := range chain {
		src = Apply(src, t)
	}
	return src
}

// runPasses carries passes out one after the other. Each sees only the part of
// its input that Region names, cut out, so that nothing else can be read.
func runPasses(src *schema.Picture, passes []*Pass) *schema.Picture {
	for _, p := range passes {
		dst := schema.NewPicture(p.Height, p.Width)
		p.Run(dst, part(src, p.Region()), Pixel{})
		src = dst
	}
	return src
}

// part is a source that holds a rectangle of the picture and nothing else.
func part(src *schema.Picture, r image.Rectangle) Source {
	s := Source{Stride: 3 * r.Dx(), Rect: r}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		s.Pix = append(s.Pix, src.U8[3*(y*src.Width+r.Min.X):3*(y*src.Width+r.Max.X)]...)
	}
	return s
}

// What exact fusion merges has the reference's bytes.
func TestExactFusionHasTheReferencesBytes(t *testing.T) {
	r := chains(t)
	merged := 0
	for i := range 4000 {
		h, w := 1+r.IntN(40), 1+r.IntN(40)
		if i%10 == 0 {
			h, w = 1+r.IntN(3), 1+r.IntN(3)
		}
		src := pattern(r.IntN(3), h, w)
		chain := randomChain(r, h, w, Filters)
		passes := Fuse(h, w, chain, false)
		for _, p := range passes {
			merged += max(0, p.Length-1)
		}
		got, want := runPasses(src, passes), reference(src, chain)
		if got.Height != want.Height || got.Width != want.Width || string(got.U8) != string(want.U8) {
			t.Fatalf("run %d, %dx%d: other bytes than the reference\n%s", i, h, w, chainText(chain, passes))
		}
	}
	if merged < 2000 {
		t.Errorf("only %d transforms were merged", merged)
	}
}

func chainText(chain []Transform, passes []*Pass) (text string) {
	for _, t := range chain {
		text += fmt.Sprintf("%+v\n", t)
	}
	for _, p := range passes {
		text += fmt.Sprintf("pass: %s, %dx%d, %d merged\n", p.Method(), p.Height, p.Width, p.Merged)
	}
	return text
}

// The oracle: the same layers in float64, straight from the definition in
// the comments of affine and stack.
func oracle(src *schema.Picture, chain []Transform, columns, rows int) []float64 {
	return supersampled(src, chain, columns, rows, bilinearAt)
}

// supersampled is the mean of columns x rows points of each output pixel; at
// finds the picture's value at a point inside of it.
func supersampled(src *schema.Picture, chain []Transform, columns, rows int, at valueAt) []float64 {
	last := chain[len(chain)-1]
	out := make([]float64, 0, 3*last.Height*last.Width)
	for y := range last.Height {
		for x := range last.Width {
			var sum [3]float64
			for j := range rows {
				for i := range columns {
					px := float64(x) + (float64(i)+0.5)/float64(columns) - 0.5
					py := float64(y) + (float64(j)+0.5)/float64(rows) - 0.5
					v := seen(src, chain, px, py, at)
					for c := range sum {
						sum[c] += v[c]
					}
				}
			}
			for c := range sum {
				out = append(out, sum[c]/float64(rows*columns))
			}
		}
	}
	return out
}

type valueAt func(src *schema.Picture, x, y float64) [3]float64

func bilinearAt(src *schema.Picture, x, y float64) (v [3]float64) {
	left, top := math.Floor(x), math.Floor(y)
	fx, fy := x-left, y-top
	for c := range v {
		at := func(i, j float64) float64 {
			i, j = min(left+i, float64(src.Width-1)), min(top+j, float64(src.Height-1))
			return float64(src.U8[(int(j)*src.Width+int(i))*3+c])
		}
		v[c] = (at(0, 0)*(1-fx)+at(1, 0)*fx)*(1-fy) + (at(0, 1)*(1-fx)+at(1, 1)*fx)*fy
	}
	return v
}

// seen is the value of the chain's output at any point.
func seen(src *schema.Picture, chain []Transform, x, y float64, at valueAt) (v [3]float64) {
	n := len(chain) - 1
	h, w := src.Height, src.Width
	if n > 0 {
		h, w = chain[n-1].Height, chain[n-1].Width
	}
	t := chain[n]
	window := t.Window(h, w)
	x, y = t.Matrix.Apply(x, y)
	share := 1.0
	if _, copies := t.pixelMap(h, w); copies {
		if n > 0 {
			return seen(src, chain[:n], x, y, at)
		}
		window = image.Rect(0, 0, w, h)
	} else if t.Border == Constant {
		share = covered(x, window.Min.X, window.Max.X) * covered(y, window.Min.Y, window.Max.Y)
	}
	x = min(max(x, float64(window.Min.X)), float64(window.Max.X-1))
	y = min(max(y, float64(window.Min.Y)), float64(window.Max.Y-1))
	var inner [3]float64
	if n > 0 {
		inner = seen(src, chain[:n], x, y, at)
	} else {
		inner = at(src, x, y)
	}
	for c := range v {
		v[c] = share*inner[c] + (1-share)*float64(t.Fill[c])
	}
	return v
}

func covered(x float64, first, end int) float64 {
	return max(0, min(1, x-float64(first-1), float64(end)-x))
}

// Full fusion is within one level of the oracle, and on average much closer.
func TestFullFusionAgainstTheOracle(t *testing.T) {
	r := chains(t)
	compared, most, mean, values := 0, 0.0, 0.0, 0
	for i := range 1500 {
		h, w := 1+r.IntN(60), 1+r.IntN(60)
		src := pattern(r.IntN(3), h, w)
		chain := randomChain(r, h, w, []Filter{Bilinear})
		passes := Fuse(h, w, chain, true)
		if passes[0].Merged < 2 {
			continue
		}
		if len(passes) != 1 {
			t.Fatalf("%d passes\n%s", len(passes), chainText(chain, passes))
		}
		a := passes[0].sampler.(*affine)
		compared++
		got, want := runPasses(src, passes), oracle(src, chain, a.columns, a.rows)
		sum := 0.0
		for k, v := range got.U8 {
			d := math.Abs(float64(v) - want[k])
			if sum += d; d > 1 {
				t.Fatalf("run %d, %dx%d: %d, want %.3f at %d\n%s", i, h, w, v, want[k], k, chainText(chain, passes))
			}
			most = max(most, d)
		}
		mean += sum
		values += len(want)
	}
	mean /= float64(values)
	t.Logf("%d chains: at most %.3f, %.3f on average", compared, most, mean)
	if compared < 500 || mean > 0.3 {
		t.Errorf("%d chains compared, %.3f levels on average", compared, mean)
	}
}

// The output's type and the pixel's function change nothing of what is sampled.
func TestPixelsOnTheirWayOut(t *testing.T) {
	r := chains(t)
	bytesToBytes, toFloats := new([3][256]uint8), bytesToFloats()
	for c := range 3 {
		for i := range 256 {
			bytesToBytes[c][i] = uint8(i*(c+3) + c)
		}
	}
	swap := func(rgb [3]float32) [3]float32 { return [3]float32{rgb[2], 300 - rgb[0], rgb[1] / 2} }
	for range 300 {
		h, w := 1+r.IntN(30), 1+r.IntN(30)
		src := pattern(r.IntN(3), h, w)
		chain := randomChain(r, h, w, Filters)
		passes := Fuse(h, w, chain, r.IntN(2) == 0)
		last := passes[len(passes)-1]
		src = runPasses(src, passes[:len(passes)-1])
		rgb := runPasses(src, passes[len(passes)-1:])
		for _, layout := range []schema.Layout{schema.HWC, schema.CHW} {
			for _, px := range []Pixel{{}, {U8: bytesToBytes}, {F32: toFloats}, {Map: swap}} {
				for _, float := range []bool{false, true} {
					if float && px.F32 == nil && px.Map == nil || !float && px.F32 != nil {
						continue
					}
					dst := &schema.Picture{Height: last.Height, Width: last.Width, Layout: layout}
					if float {
						dst.F32 = make([]float32, len(rgb.U8))
					} else {
						dst.U8 = make([]uint8, len(rgb.U8))
					}
					last.Run(dst, Whole(src), px)
					for i, v := range rgb.U8 {
						c := i % 3
						want := float32(v)
						switch {
						case px.U8 != nil:
							want = float32(px.U8[c][v])
						case px.F32 != nil:
							want = px.F32[c][v]
						case px.Map != nil:
							p := rgb.U8[i-c : i-c+3]
							want = swap([3]float32{float32(p[0]), float32(p[1]), float32(p[2])})[c]
							if !float {
								want = float32(RoundToByte(want))
							}
						}
						at := offset(dst, i/3%dst.Width, i/3/dst.Width, c)
						got := float32(0)
						if float {
							got = dst.F32[at]
						} else {
							got = float32(dst.U8[at])
						}
						if got != want {
							t.Fatalf("%s: %v, want %v at %d\n%s", dst.Tensor(), got, want, i, chainText(chain, passes))
						}
					}
				}
			}
		}
	}
}

// A pass allocates its own description, once, and nothing by row or pixel.
func TestPassesDoNotAllocatePerRow(t *testing.T) {
	src := picture("smooth", 375, 500)
	for name, chain := range map[string][]Transform{
		"recipe": recipeChain(), "resize": recipeChain()[3:], "turn": recipeChain()[:1],
		"shrunk": {recipeChain()[0], Resize(375, 500, 60, 60, Bilinear, true)},
	} {
		in := src
		if name == "resize" {
			in = picture("smooth", 187, 250)
		}
		for _, full := range []bool{false, true} {
			passes := Fuse(in.Height, in.Width, chain, full)
			pass := passes[0]
			dst := schema.NewPicture(pass.Height, pass.Width)
			if n := testing.AllocsPerRun(20, func() { pass.Run(dst, Whole(in), Pixel{}) }); n > 2 && !raceEnabled {
				t.Errorf("%s, full %v: %v allocations in a run", name, full, n)
			}
			if n := testing.AllocsPerRun(20, func() { Fuse(in.Height, in.Width, chain, full) }); n > 20 {
				t.Errorf("%s, full %v: %v allocations to fuse", name, full, n)
			}
			fuser := new(Fuser)
			if n := testing.AllocsPerRun(20, func() { fuser.Fuse(in.Height, in.Width, chain, full) }); n > 0 {
				t.Errorf("%s, full %v: %v allocations to fuse again", name, full, n)
			}
		}
	}
}

// The same bytes on every machine: run with GOAMD64=v1 and v3, and on arm64. A
// change here changes delivered pictures: raise flow's fusedRevision with it.
func TestFusedHash(t *testing.T) {
	const want = "54b9bfba92663786eb44e871b13293b6"
	h := sha256.New()
	r := rand.New(rand.NewPCG(11, 12))
	for i := range 300 {
		height, width := 1+r.IntN(60), 1+r.IntN(60)
		src := pattern(i%3, height, width)
		h.Write(runPasses(src, Fuse(height, width, randomChain(r, height, width, Filters[1:]), true)).U8)
	}
	if got := hex.EncodeToString(h.Sum(nil)[:16]); got != want {
		t.Errorf("hash of the outputs is %s, want %s", got, want)
	}
}

// Passes made in the memory of others are those that Fuse makes.
func TestFuserForgetsEarlierChains(t *testing.T) {
	r := chains(t)
	fuser := new(Fuser)
	for range 300 {
		h, w := 1+r.IntN(40), 1+r.IntN(40)
		src := pattern(r.IntN(3), h, w)
		chain := randomChain(r, h, w, Filters)
		full := r.IntN(2) == 0
		want := runPasses(src, Fuse(h, w, chain, full))
		exact(t, runPasses(src, fuser.Fuse(h, w, chain, full)).U8, want.U8)
	}
}
