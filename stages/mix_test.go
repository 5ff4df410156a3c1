package stages_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestMixers(t *testing.T) {
	for _, s := range []stages.Stage{
		stages.MixUp{}, stages.MixUp{Alpha: 0.2, P: 0.5, Per: stages.PerRow}, stages.MixUp{Alpha: 1e-3}, stages.MixUp{Alpha: 1e6},
		stages.CutMix{}, stages.CutMix{Alpha: 0.3, P: 0.5, Per: stages.PerRow},
		stages.Remix{}, stages.Remix{Kappa: 10, Tau: 1, P: 0.9},
	} {
		stagetest.Batches(t, s)
	}
	wrong(t, stages.MixUp{Alpha: -1, P: 2, Per: "epoch"}, "alpha: -1 is not", "p: 2 is not", "per: ")
	wrong(t, stages.CutMix{Alpha: math.Inf(1)}, "alpha: +Inf is not")
	wrong(t, stages.Remix{Kappa: 0.5, Tau: 2}, "kappa: 0.5 is not", "tau: 2 is not")
}

// mixGolden is testdata/mix.json, which mix.py writes.
type mixGolden struct {
	Boxes []struct {
		Size   [2]int
		Lambda float64
		At     [2]int
		Box    [4]int
		Share  float64
	}
	Pictures [][]float32
	Mixed    []struct {
		Lambda float64
		Values [][]float32
	}
}

func readMixGolden(t *testing.T) (g mixGolden) {
	t.Helper()
	text, err := os.ReadFile("testdata/mix.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Boxes) == 0 || len(g.Mixed) == 0 {
		t.Fatal("testdata/mix.json is empty: cd stages/testdata && python3 mix.py > mix.json")
	}
	return g
}

func TestCutMixEqualsTorchvision(t *testing.T) {
	for _, c := range readMixGolden(t).Boxes {
		p := stages.CutBox(c.Lambda, c.At[0], c.At[1], c.Size[0], c.Size[1])
		if p.Box != c.Box || p.Lambda != c.Share {
			t.Errorf("lambda %v at %v of %v: box %v, share %v; torchvision has %v, %v", c.Lambda, c.At, c.Size, p.Box, p.Lambda, c.Box, c.Share)
		}
	}
}

func TestMixUpEqualsTorchvision(t *testing.T) {
	g := readMixGolden(t)
	for _, c := range g.Mixed {
		for row := range 2 {
			own := &schema.Picture{Height: 4, Width: 5, Layout: schema.CHW, F32: slices.Clone(g.Pictures[row])}
			partner := &schema.Picture{Height: 4, Width: 5, Layout: schema.CHW, F32: g.Pictures[1-row]}
			stages.MixUp{}.Mix(&stages.MixUpParams{Lambda: c.Lambda}, own, partner)
			if !slices.Equal(own.F32, c.Values[row]) {
				t.Errorf("lambda %v: %v, torchvision has %v", c.Lambda, own.F32, c.Values[row])
			}
		}
	}
}

// Blended bytes are the blended numbers, rounded half up, within what float32 can say.
func TestMixUpOfBytes(t *testing.T) {
	for _, lambda := range []float64{0, 1, 0.5, 0.25, 1.0 / 3, 0.9999999} {
		own := &schema.Picture{Height: 1, Width: 1 << 16 / 3, Layout: schema.HWC}
		partner := &schema.Picture{Height: 1, Width: 1 << 16 / 3, Layout: schema.HWC}
		for i := range 3 * own.Width {
			own.U8, partner.U8 = append(own.U8, uint8(i)), append(partner.U8, uint8(i>>8))
		}
		stages.MixUp{}.Mix(&stages.MixUpParams{Lambda: lambda}, own, partner)
		for i, v := range own.U8 {
			exact := lambda*float64(uint8(i)) + (1-lambda)*float64(uint8(i>>8)) + 0.5
			if d := exact - float64(v); d < -1e-4 || d >= 1+1e-4 {
				t.Fatalf("lambda %v of %d and %d: %d", lambda, uint8(i), i>>8, v)
			}
		}
	}
}

// lambda has the distribution Beta(alpha, alpha): its distribution function where it is
// elementary, and its variance 1 / (4 (2 alpha + 1)) everywhere.
func TestMixUpDistribution(t *testing.T) {
	const n = 40_000
	for alpha, cdf := range map[float64]func(x float64) float64{
		1:    func(x float64) float64 { return x },
		0.5:  func(x float64) float64 { return 2 / math.Pi * math.Asin(math.Sqrt(x)) },
		2:    func(x float64) float64 { return 3*x*x - 2*x*x*x },
		0.2:  nil,
		0.01: nil,
		8:    nil,
	} {
		key := rng.NewKey(11, "mixup", "0")
		var drawn []float64
		mean, squares := 0.0, 0.0
		for position := range int64(n) {
			v := stages.MixUp{Alpha: alpha}.DrawMix(1, 1, key.Stream(0, position, 0)).(*stages.MixUpParams).Lambda
			drawn = append(drawn, v)
			mean += v / n
			squares += (v - 0.5) * (v - 0.5) / n
		}
		variance := 1 / (4 * (2*alpha + 1))
		if sd := math.Sqrt(variance / n); math.Abs(mean-0.5) > 4*sd || math.Abs(squares-variance) > 0.02*variance {
			t.Errorf("alpha %v: mean %v, variance %v; want 0.5, %v", alpha, mean, squares, variance)
		}
		if cdf == nil {
			continue
		}
		slices.Sort(drawn)
		most := 0.0
		for i, v := range drawn {
			most = max(most, math.Abs(cdf(v)-float64(i)/n), math.Abs(cdf(v)-float64(i+1)/n))
		}
		if most > 1.63/math.Sqrt(n) { // Kolmogorov-Smirnov, 1 %
			t.Errorf("alpha %v: the distribution function is off by %v", alpha, most)
		}
	}
}
