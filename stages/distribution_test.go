package stages_test

import (
	"math"
	"testing"

	"github.com/sluicedata/sluice/stages"
)

const draws = 10_000

// uniform is a chi-square test of equal chances. The limit is about 4 standard
// deviations; the draws are the same in every run.
func uniform(t *testing.T, what string, counts []float64) {
	t.Helper()
	total, square := 0.0, 0.0
	for _, n := range counts {
		total += n
	}
	expected := total / float64(len(counts))
	for _, n := range counts {
		square += (n - expected) * (n - expected) / expected
	}
	freedom := float64(len(counts) - 1)
	t.Logf("%s: chi-square %.1f with %g degrees of freedom", what, square, freedom)
	if square > freedom+4*math.Sqrt(2*freedom)+2 {
		t.Errorf("%s: not uniform: chi-square %.1f with %g degrees of freedom", what, square, freedom)
	}
}

func TestAngleDistribution(t *testing.T) {
	stage := stages.Rotate{Degrees: stages.Range{-30, 30}}
	counts, low, high := make([]float64, 60), 0.0, 0.0
	for position := range int64(draws) {
		d := draw(t, stage, 375, 500, position).(*stages.RotateParams).Degrees
		counts[int(math.Floor(d))+30]++ // panics outside of [-30, 30)
		low, high = min(low, d), max(high, d)
	}
	uniform(t, "degrees", counts)
	if low > -29.9 || high < 29.9 {
		t.Errorf("angles reach only from %g to %g", low, high)
	}
}

// The recipe's windows: (w//2, h//2) at randint(0, w//4), randint(0, h//4), upper
// end excluded; 0 where that range is empty.
func TestOffsetDistribution(t *testing.T) {
	stage := stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}}
	for _, size := range [][2]int{{375, 500}, {501, 333}, {17, 31}, {8, 8}, {5, 7}, {4, 4}, {3, 2}, {1, 1}, {3, 90}} {
		h, w := size[0], size[1]
		xs, ys := make([]float64, max(1, w/4)), make([]float64, max(1, h/4))
		joint := make([]float64, 4)
		for position := range int64(draws) {
			got := draw(t, stage, h, w, position).(*stages.Window)
			if got.Width != max(1, w/2) || got.Height != max(1, h/2) {
				t.Fatalf("%dx%d: a window of %dx%d", w, h, got.Width, got.Height)
			}
			xs[got.X]++ // panics beyond w//4 - 1
			ys[got.Y]++
			joint[got.X*2/len(xs)*2+got.Y*2/len(ys)]++
		}
		for _, counts := range [][]float64{xs, ys} {
			uniform(t, "offset", counts)
			for offset, n := range counts {
				if n == 0 {
					t.Errorf("%dx%d: offset %d never drawn", w, h, offset)
				}
			}
		}
		if len(xs)%2 == 0 && len(ys)%2 == 0 {
			uniform(t, "x and y together", joint)
		}
	}
}

func TestAnywhereDistribution(t *testing.T) {
	stage := stages.Crop{Height: 20, Width: 30}
	xs, ys := make([]float64, 41-30), make([]float64, 25-20)
	for position := range int64(draws) {
		got := draw(t, stage, 24, 40, position).(*stages.Window)
		xs[got.X]++
		ys[got.Y]++
	}
	uniform(t, "x", xs)
	uniform(t, "y", ys)
}

func TestFlipDistribution(t *testing.T) {
	for _, p := range []stages.Probability{0.5, 0.1, 1} {
		flipped := 0.0
		for position := range int64(draws) {
			if draw(t, stages.Flip{P: p}, 375, 500, position).(*stages.FlipParams).Flipped {
				flipped++
			}
		}
		share, sigma := flipped/draws, math.Sqrt(float64(p*(1-p))/draws)
		t.Logf("p %g: %.4f flipped", float64(p), share)
		if math.Abs(share-float64(p)) > 4*sigma {
			t.Errorf("p %g: %.4f flipped", float64(p), share)
		}
	}
}

// p leaves its share of the rows alone.
func TestProbability(t *testing.T) {
	acted := 0.0
	for position := range int64(draws) {
		if draw(t, stages.Rotate{Degrees: stages.Range{-30, 30}, P: 0.3}, 10, 10, position) != nil {
			acted++
		}
	}
	if math.Abs(acted/draws-0.3) > 0.02 {
		t.Errorf("p 0.3 acts on %.4f", acted/draws)
	}
}
