package stages_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
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
		stages.Mosaic{}, stages.Mosaic{P: 0.5, Center: stages.Range{0, 1}, Donors: stages.RepeatFactor(0.1, 0.5)}, stages.Mosaic{Center: stages.Range{0, 0}, Task: "class"},
		stages.CopyPaste{}, stages.CopyPaste{P: 0.5, ObjectP: 0.9, Scale: stages.Range{0.1, 2}, Sigma: 2}, stages.CopyPaste{Number: 3, Below: 20, Scale: stages.Range{2, 2}}, stages.CopyPaste{ObjectP: 1, Sigma: 0.01},
		stages.CMO{P: 0.5}, stages.CMO{P: 1, Alpha: 0.5, Exponent: 2, Per: stages.PerRow},
		stages.Remix{}, stages.Remix{Kappa: 10, Tau: 1, P: 0.9},
	} {
		stagetest.Batches(t, s)
	}
	wrong(t, stages.MixUp{Alpha: -1, P: 2, Per: "epoch"}, "alpha: -1 is not", "p: 2 is not", "per: ")
	wrong(t, stages.CutMix{Alpha: math.Inf(1)}, "alpha: +Inf is not")
	wrong(t, stages.Mosaic{P: 2, Center: stages.Range{0.5, 1.5}, Donors: "all"}, "p: 2 is not", "center: [0.5, 1.5] is not", "donors: target: ")
	wrong(t, stages.CopyPaste{P: 2, ObjectP: -1, Below: 1, Scale: stages.Range{0, 2}, Sigma: 50, Donors: "all"}, "p: 2 is not", "object_p: -1 is not", "below: no class has", "scale: [0, 2]: give", "sigma: 50 pixels", "donors: target: ")
	wrong(t, stages.CopyPaste{ObjectP: 0.7, Number: 3, Scale: stages.Range{2, 1}}, "scale: the range [2, 1]", "number: so many")
	wrong(t, stages.CopyPaste{Number: -1, Below: -3, Sigma: math.NaN()}, "number: -1 objects", "below: -3 pictures", "sigma: NaN")
	wrong(t, stages.CMO{Exponent: -1}, "p is 0", "exponent: -1 is not")
	wrong(t, stages.Remix{Kappa: 0.5, Tau: 2}, "kappa: 0.5 is not", "tau: 2 is not")
}

// Each object is chosen with the same probability, whatever the others are; of a number, all sets are as likely.
func TestCopyPasteChooses(t *testing.T) {
	index := stagetest.Samples(1)
	index.Targets = &schema.TargetTable{Spec: &schema.TargetSpec{Boxes: true, Classes: []string{"a"}}, First: []int64{0, 1}, Labels: []int32{0}}
	objects := make([]stages.Object, 5)
	objects[1].Crowd = true
	key := rng.NewKey(1, "copy_paste", "0")
	const draws = 40_000
	count := func(s stages.CopyPaste) map[string]float64 {
		choose, err := s.Chooser(stages.Selection{0}, index)
		if err != nil {
			t.Fatal(err)
		}
		sets := map[string]float64{}
		for i := range int64(draws) {
			sets[fmt.Sprint(choose(s.DrawMix(9, 9, key.Stream(0, i, 0)), objects))] += 1. / draws
		}
		return sets
	}
	near := func(what string, have, want float64) {
		if d := math.Abs(have - want); d > 5*math.Sqrt(want*(1-want)/draws) {
			t.Errorf("%s: share %.4f, want %.4f", what, have, want)
		}
	}
	all := count(stages.CopyPaste{ObjectP: 0.3})
	near("none", all["[]"], math.Pow(0.7, 4))
	near("two", all["[0 3]"], 0.3*0.3*0.7*0.7)
	near("all", all["[0 2 3 4]"], math.Pow(0.3, 4))
	pairs := count(stages.CopyPaste{Number: 2})
	if len(pairs) != 6 {
		t.Errorf("%v", pairs)
	}
	for pair, share := range pairs {
		near(pair, share, 1./6)
	}
	if every := count(stages.CopyPaste{Number: 9}); len(every) != 1 || every["[0 2 3 4]"] < 0.99 {
		t.Errorf("%v", every)
	}
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

// Blended bytes are the blended numbers, rounded half up, with a share of 1/32768 more or less.
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
			if d := exact - float64(v); d < -255./65536-1e-9 || d >= 1+255./65536 {
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

// The second stream has exact quotas: n_c^(1 - exponent) of each class, and the samples of a
// class in turn. Samples without a class, and those that filter left out, aren't in it.
func TestCMODonors(t *testing.T) {
	counts := []int{400, 40, 4}
	index := &schema.Table{TaskList: []schema.Task{{Name: "class", Classes: []string{"a", "b", "c"}}}, Labels: make([][]int32, 1)}
	var in stages.Selection
	for class, n := range append(slices.Clone(counts), 100) {
		label := int32(class)
		if class == len(counts) {
			label = schema.Unknown
		}
		for i := range n + 5 {
			if i < n {
				in = append(in, len(index.Keys))
			}
			index.Keys = append(index.Keys, fmt.Sprintf("%d/%03d", class, i))
			index.Labels[0] = append(index.Labels[0], label)
		}
	}
	const draws = 1000
	for exponent, want := range map[float64][]float64{
		0: {1. / 3, 1. / 3, 1. / 3}, 1: {1. / 3, 1. / 3, 1. / 3},
		0.5: {20 / 28.325, 6.325 / 28.325, 2 / 28.325}, 2: {1 / 111., 10 / 111., 100 / 111.},
	} {
		order, err := stages.CMO{P: 1, Exponent: exponent}.Donors(in, index, draws, rng.NewKey(1, "cmo", "0"))
		if err != nil {
			t.Fatal(err)
		}
		drawn, uses := make([]float64, 3), map[int]int{}
		for position := range order.Len() {
			sample := order.At(0, position)
			if !slices.Contains(in, sample) || index.Labels[0][sample] == schema.Unknown {
				t.Fatalf("sample %d is drawn", sample)
			}
			drawn[index.Labels[0][sample]]++
			uses[sample]++
		}
		for class, n := range drawn {
			if order.Len() != draws || math.Abs(n-draws*want[class]) > 1 {
				t.Errorf("exponent %v: class %d is drawn %v times of %d, want %v", exponent, class, n, order.Len(), draws*want[class])
			}
		}
		for sample, n := range uses {
			if each := drawn[index.Labels[0][sample]] / float64(counts[index.Labels[0][sample]]); math.Abs(float64(n)-each) >= 1 {
				t.Errorf("exponent %v: sample %d is drawn %d times, its class %v a sample", exponent, sample, n, each)
			}
		}
	}
	if _, err := (stages.CMO{P: 1, Task: "shape"}).Donors(in, index, draws, rng.NewKey(1, "cmo", "0")); err == nil || !strings.Contains(err.Error(), "shape") {
		t.Errorf("error %v", err)
	}
	if _, err := (stages.CMO{P: 1}).Donors(in[len(in)-50:], index, draws, rng.NewKey(1, "cmo", "0")); err == nil || !strings.Contains(err.Error(), "nothing to paste") {
		t.Errorf("error %v", err)
	}
	if list := (stages.CMO{P: 1}).Warn(in, index); len(list) > 0 {
		t.Errorf("warns %q", list)
	}
	if list := (stages.CMO{P: 1}).Warn(slices.Concat(in[:4], in[400:404]), index); len(list) != 1 || !strings.Contains(list[0], "equally many") {
		t.Errorf("warns %q", list)
	}
}

// Of conditions Mixers take epochs.
func TestMixersTakeEpochs(t *testing.T) {
	if err := (stages.When{Stage: stages.MixUp{}, Epochs: stages.EpochSpan{3, -3}}).Check(); err != nil {
		t.Error(err)
	}
	wrong(t, stages.When{Stage: stages.MixUp{Alpha: -1}, ClassCount: stages.ClassCount{Below: 9}}, "alpha: -1", "when: mixup mixes rows of several classes: of conditions it takes epochs alone")
	wrong(t, stages.When{Stage: stages.CutMix{}, Strength: stages.Strength{By: stages.ByClassCount, From: 0.5, To: 1}}, "when: cutmix mixes rows of several classes: of conditions it takes epochs alone")
}
