package warp

import (
	"crypto/sha256"
	"fmt"
	"math"
	"testing"
)

var quads = [][4][2]float64{
	{{5, 3}, {50, 8}, {54, 37}, {2, 30}},
	{{0, 0}, {55, 0}, {55, 39}, {0, 39}},
	{{9, 4}, {46, 4}, {46, 35}, {9, 35}},
	{{10, 7}, {48, 0}, {30, 21}, {0, 39}},
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(b)) }

// Corners go to corners, before the horizon; the inverse leads back, and a
// composition is one map after the other.
func TestQuad(t *testing.T) {
	for _, corners := range quads {
		h, ok := Quad(corners, 55, 39)
		back, invertible := h.Invert()
		if !ok || !invertible {
			t.Fatalf("%v: %v, %v", corners, ok, invertible)
		}
		turn := Rotation(20, 3, 4).Homography()
		both := turn.Then(h)
		for i, want := range [][2]float64{{0, 0}, {55, 0}, {55, 39}, {0, 39}} {
			x, y := corners[i][0], corners[i][1]
			u, v, before := h.Apply(x, y)
			if !before || math.Abs(u-want[0]) > 1e-9 || math.Abs(v-want[1]) > 1e-9 {
				t.Errorf("%v: corner %d goes to (%g, %g) %v", corners, i, u, v, before)
			}
			if bx, by, before := back.Apply(u, v); !before || !near(bx, x) || !near(by, y) {
				t.Errorf("%v: corner %d comes back as (%g, %g) %v", corners, i, bx, by, before)
			}
			bx, by, _ := both.Apply(x, y)
			mx, my, _ := turn.Apply(x, y)
			if wx, wy, _ := h.Apply(mx, my); !near(bx, wx) || !near(by, wy) {
				t.Errorf("%v: Then leads (%g, %g) to (%g, %g), not (%g, %g)", corners, x, y, bx, by, wx, wy)
			}
		}
		if unit := h.Unit(); unit[8] != 1 {
			t.Errorf("%v: %v is not divided by its last number", corners, unit)
		}
	}
}

func TestQuadRefuses(t *testing.T) {
	for what, corners := range map[string][4][2]float64{
		"a fold":     {{0, 0}, {9, 0}, {2, 2}, {0, 9}},
		"a line":     {{0, 0}, {4, 4}, {9, 9}, {0, 9}},
		"a bow tie":  {{0, 0}, {9, 9}, {9, 0}, {0, 9}},
		"a mirror":   {{9, 0}, {0, 0}, {0, 9}, {9, 9}},
		"a point":    {},
		"no numbers": {{math.NaN(), 0}, {9, 0}, {9, 9}, {0, 9}},
	} {
		if h, ok := Quad(corners, 9, 9); ok {
			t.Errorf("%s: %v", what, h)
		}
	}
	if _, ok := Quad(quads[0], 0, 39); ok {
		t.Error("a rectangle without width")
	}
}

// An affine map does not become projective by being written with nine numbers.
func TestAffineHomography(t *testing.T) {
	a, b := Rotation(33, 5, 6), Resize(30, 40, 20, 50, Bilinear, false).Matrix
	inverse, _ := a.Invert()
	got, ok := a.Homography().Invert()
	if both := a.Homography().Then(b.Homography()); both.Projective() || both.Affine() != a.Then(b) || !ok || got.Affine() != inverse {
		t.Errorf("%v and %v: %v, %v", a, b, both, got)
	}
	tr := Transform{Height: 3, Width: 4}.WithHomography(a.Homography())
	if tr.Projective() || tr.Matrix != a || tr.Homography() != a.Homography() {
		t.Errorf("%+v", tr)
	}
	if _, ok := (Homography{1, 2, 3, 2, 4, 6, 1, 1, 1}).Invert(); ok {
		t.Error("a singular matrix has an inverse")
	}
}

// A projective transform that is affine but for a horizon far away samples as the
// affine one; the identity copies.
func TestProjectedSampling(t *testing.T) {
	src := picture("noise", 31, 43)
	for _, f := range Filters {
		affine := Transform{Matrix: Rotation(17, 20, 15), Height: 29, Width: 41, Filter: f, Fill: [3]uint8{9, 8, 7}}
		projective := affine
		projective.Horizon = [3]float64{0, 1e-300, 1}
		if affine.Projective() || !projective.Projective() {
			t.Fatal("not told apart")
		}
		mean, most, _ := difference(t, Apply(src, projective).U8, Apply(src, affine).U8)
		if most > 1 || mean > 0.01 {
			t.Errorf("%s: mean difference %.4f, largest %d", f, mean, most)
		}
		projective.Matrix, projective.Height, projective.Width = Identity(), 31, 43
		exact(t, Apply(src, projective).U8, src.U8)
	}
}

// On the horizon and beyond it there is fill, whatever the border.
func TestHorizon(t *testing.T) {
	src := picture("waves", 8, 8)
	for _, border := range []Border{Constant, Edge} {
		out := Apply(src, Transform{
			Matrix: Identity(), Horizon: [3]float64{-0.25, 0, 1}, Height: 8, Width: 8,
			Filter: Bilinear, Border: border, Fill: [3]uint8{1, 2, 3},
		})
		for i := 0; i < len(out.U8); i += 3 {
			if fill := [3]uint8(out.U8[i:]) == [3]uint8{1, 2, 3}; fill != (i/3%8 >= 4) && (border == Edge || i/3%8 >= 4) {
				t.Errorf("border %d: pixel %d is %v", border, i/3, out.U8[i:i+3])
			}
		}
	}
}

func TestProjectiveCheck(t *testing.T) {
	for what, tr := range map[string]Transform{
		"antialias":  {Matrix: Identity(), Horizon: [3]float64{0, 1, 1}, Filter: Bilinear, Antialias: true},
		"not finite": {Matrix: Identity(), Horizon: [3]float64{0, math.NaN(), 1}, Filter: Bilinear},
	} {
		tr.Height, tr.Width = 4, 4
		if tr.Check(8, 8) == nil {
			t.Errorf("%s passes", what)
		}
	}
}

// The bytes are the same on every machine and of every build (GOAMD64=v3 has
// fused multiply-add).
func TestProjectedBytes(t *testing.T) {
	sum := sha256.New()
	for _, corners := range quads {
		h, _ := Quad(corners, 55, 39)
		for _, f := range []Filter{Nearest, Bilinear, Bicubic, Lanczos} {
			sum.Write(Apply(picture("noise", 40, 56), Transform{Height: 40, Width: 56, Filter: f}.WithHomography(h)).U8)
		}
		back, _ := Rotation(12.5, 28, 20).Homography().Then(h).Invert()
		fmt.Fprint(sum, back.Unit())
	}
	const want = "a06887b99cbd4c871b0aa1618a7ee47f79ea542b5b7883db35a37d8ed9c8190a"
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != want {
		t.Errorf("the pixels have the SHA-256 %s, not %s", got, want)
	}
}
