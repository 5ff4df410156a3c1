package stages_test

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

// policies reads a part of testdata/policies.json, which testdata/policies.py writes.
func policies[T any](t *testing.T, part string) T {
	t.Helper()
	return partOf[T](t, "policies", part)
}

// policy is a stage by its name.
func policy(name string, filter stages.Interpolation, fill stages.Color) stages.Composite {
	if name == "trivial_augment_wide" {
		return stages.TrivialAugmentWide{Interpolation: filter, Fill: fill}
	}
	if strings.HasPrefix(name, "rand-") {
		return stages.RandAugment{Timm: name}
	}
	return stages.RandAugment{Interpolation: filter, Fill: &fill}
}

// composed takes a uint8 picture through the steps of a stage, as the reference executor does.
func composed(stage stages.Composite, params stages.Params, pic *schema.Picture) *schema.Picture {
	for _, s := range stage.Steps(params) {
		if w, ok := s.Stage.(stages.Warper); ok {
			pic = warp.Apply(pic, w.Warp(s.Params, pic.Height, pic.Width))
		} else {
			pic = operate(s.Stage, s.Params, pic)
		}
	}
	return pic
}

type policyCase struct {
	Stage             string
	Kind              string
	Height, Width     int
	Fill              []uint8
	Ops               []stages.Operation
	Nearest, Bilinear []byte
}

func (c *policyCase) moves() bool {
	for _, o := range c.Ops {
		if strings.HasPrefix(o.Op, "shear") || strings.HasPrefix(o.Op, "translate") || o.Op == "rotate" {
			return true
		}
	}
	return false
}

// nudged is a case with magnitudes of what moves pixels a little larger, or smaller.
func (c *policyCase) nudged(by float64) (ops []stages.Operation) {
	for _, o := range c.Ops {
		if strings.HasPrefix(o.Op, "shear") || o.Op == "rotate" {
			o.Magnitude *= 1 + by
		}
		ops = append(ops, o)
	}
	return ops
}

// Given what was drawn, policies have torchvision's bytes, but for points that lie between two
// pixels.
func TestPoliciesEqualTorchvision(t *testing.T) {
	for _, part := range []string{"single", "chains"} {
		count, off, all := 0, 0, 0
		for _, c := range policies[[]policyCase](t, part) {
			var fill stages.Color
			copy(fill[:], c.Fill)
			stage, in := policy(c.Stage, stages.Nearest, fill), augmented(t, c.Kind, c.Height, c.Width)
			got := composed(stage, &stages.Operations{Ops: c.Ops}, in)
			more := composed(stage, &stages.Operations{Ops: c.nudged(1e-4)}, in)
			less := composed(stage, &stages.Operations{Ops: c.nudged(-1e-4)}, in)
			wrong, explained := 0, 0
			for i, v := range got.U8 {
				if v != c.Nearest[i] {
					wrong++
					if c.Nearest[i] == more.U8[i] || c.Nearest[i] == less.U8[i] {
						explained++
					}
				}
			}
			if wrong > explained && len(c.Ops) == 1 || wrong > 0 && !c.moves() || wrong > len(got.U8)/3 {
				t.Errorf("%s %+v of %s, %dx%d: %d of %d values differ", c.Stage, c.Ops, c.Kind, c.Width, c.Height, wrong, len(got.U8))
			}
			count, off, all = count+1, off+wrong, all+len(got.U8)
		}
		if off > all/100 {
			t.Errorf("%s: %d of %d values differ", part, off, all)
		}
		t.Logf("%s: %d pictures, %d of %d values differ", part, count, off, all)
	}
}

// Between pixels, values are torchvision's but at the edges, where Pillow repeats them.
func TestPoliciesBilinear(t *testing.T) {
	for _, c := range policies[[]policyCase](t, "single") {
		got := composed(policy(c.Stage, "", stages.Color{}), &stages.Operations{Ops: c.Ops}, augmented(t, c.Kind, c.Height, c.Width))
		apart := 0
		for i, v := range got.U8 {
			if math.Abs(float64(v)-float64(c.Bilinear[i])) > 1 {
				apart++
			}
		}
		if !c.moves() && apart > 0 || apart > len(got.U8)/8 {
			t.Errorf("%s %+v of %s: %d of %d values differ by more than 1", c.Stage, c.Ops, c.Kind, apart, len(got.U8))
		}
	}
}

// drawnOps draws many rows.
func drawnOps(t *testing.T, stage stages.PictureStage, height, width, rows int) (list [][]stages.Operation) {
	t.Helper()
	for position := range int64(rows) {
		list = append(list, draw(t, stage, height, width, position).(*stages.Operations).Ops)
	}
	return list
}

// Every magnitude that is drawn is the one of torchvision's bin.
func TestPolicyMagnitudes(t *testing.T) {
	type table struct {
		Stage               string
		Height, Width, Bins int
		Ops                 map[string][]float64
	}
	for _, c := range policies[[]table](t, "magnitudes") {
		seen := map[string]bool{}
		look := func(stage stages.PictureStage, bin int) {
			for _, ops := range drawnOps(t, stage, c.Height, c.Width, 300) {
				for _, o := range ops {
					values := c.Ops[o.Op]
					if values == nil && o.Magnitude != 0 {
						t.Fatalf("%+v has no magnitude", o)
					}
					near := func(v float64) bool { return math.Abs(math.Abs(o.Magnitude)-v) <= 1e-6*v }
					ok := values == nil || bin >= 0 && near(values[bin])
					for i := 0; i < len(values) && bin < 0; i++ {
						ok = ok || near(values[i])
					}
					if !ok {
						t.Errorf("%s, %dx%d, bin %d of %d: %+v, want one of %v", c.Stage, c.Width, c.Height, bin, c.Bins, o, values)
					}
					seen[o.Op] = true
				}
			}
		}
		if c.Stage == "trivial_augment_wide" {
			look(stages.TrivialAugmentWide{NumMagnitudeBins: c.Bins}, -1)
		} else {
			for bin := 1; bin < c.Bins; bin++ { // 0 is the default
				look(stages.RandAugment{NumMagnitudeBins: c.Bins, Magnitude: float64(bin)}, bin)
			}
		}
		if len(seen) != 14 {
			t.Errorf("%s: only %v were drawn", c.Stage, seen)
		}
	}
}

// alike is a chi-square test of two samples that have one distribution. The limit is about 4
// standard deviations; rare values count as one.
func alike(t *testing.T, what string, got, want map[string]float64) {
	t.Helper()
	n, m, square, cells := 0.0, 0.0, 0.0, 0
	values := map[string]bool{}
	for v, c := range got {
		n, values[v] = n+c, true
	}
	for v, c := range want {
		m, values[v] = m+c, true
	}
	add := func(a, b float64) {
		d := math.Sqrt(m/n)*a - math.Sqrt(n/m)*b
		square += d * d / (a + b)
		cells++
	}
	restGot, restWant := 0.0, 0.0
	for v := range values {
		if (got[v]+want[v])*n/(n+m) < 5 {
			restGot, restWant = restGot+got[v], restWant+want[v]
			continue
		}
		add(got[v], want[v])
	}
	if restGot+restWant > 0 {
		add(restGot, restWant)
	}
	freedom := float64(cells - 1)
	t.Logf("%s: chi-square %.1f with %g degrees of freedom", what, square, freedom)
	if cells < 10 || square > freedom+4*math.Sqrt(2*freedom)+2 {
		t.Errorf("%s: another distribution: chi-square %.1f with %g degrees of freedom", what, square, freedom)
	}
}

func TestPolicyDistribution(t *testing.T) {
	type frequencies struct {
		Stage         string
		Height, Width int
		Ops, Together map[string]float64
	}
	for _, c := range policies[[]frequencies](t, "frequencies") {
		ops, together := map[string]float64{}, map[string]float64{}
		for _, row := range drawnOps(t, policy(c.Stage, "", stages.Color{}), c.Height, c.Width, 2*draws) {
			names := make([]string, len(row))
			for i, o := range row {
				ops[fmt.Sprintf("%s %s", o.Op, fourDigits(o.Magnitude))]++
				names[i] = o.Op
			}
			together[strings.Join(names, " ")]++
		}
		alike(t, c.Stage, ops, c.Ops)
		alike(t, c.Stage+": together", together, c.Together)
	}
}

// fourDigits is "%.4g" of Python, whose exponents have two digits as Go's.
func fourDigits(v float64) string { return fmt.Sprintf("%.4g", v) }

// Given what was drawn, timm's policies have its bytes; between pixels they differ as above.
func TestTimmPoliciesEqualTimm(t *testing.T) {
	exact := 0
	for _, c := range policies[[]policyCase](t, "timm_chains") {
		got := composed(policy(c.Stage, "", stages.Color{}), &stages.Operations{Ops: c.Ops}, augmented(t, c.Kind, c.Height, c.Width))
		mean, worst := difference(t, got, c.Height, c.Width, c.Bilinear)
		if !c.moves() {
			exact++
			if worst > 0 {
				t.Errorf("%s %+v of %s: other bytes", c.Stage, c.Ops, c.Kind)
			}
		}
		if len(c.Ops) == 1 && c.Kind == "pattern" && mean > 5 {
			t.Errorf("%s %+v of %s: mean difference %.2f", c.Stage, c.Ops, c.Kind, mean)
		}
	}
	if exact < 20 {
		t.Errorf("only %d cases move no pixels", exact)
	}
}

func TestTimmPolicyDistribution(t *testing.T) {
	type frequencies struct {
		Stage         string
		Height, Width int
		Ops, Together map[string]float64
	}
	scale := map[string]float64{
		"rotate": 30, "shear_x": 0.3, "shear_y": 0.3, "translate_x": 0.45 * 160, "translate_y": 0.45 * 224, "color": 0.9, "contrast": 0.9,
		"brightness": 0.9, "sharpness": 0.9, "posterize": 4, "solarize": 256, "solarize_add": 110,
	}
	for _, c := range policies[[]frequencies](t, "timm_frequencies") {
		ops, together := map[string]float64{}, map[string]float64{}
		for _, row := range drawnOps(t, policy(c.Stage, "", stages.Color{}), c.Height, c.Width, 2*draws) {
			first := ""
			for i, o := range row {
				ops[fmt.Sprintf("%s %g", o.Op, math.Floor(20*o.Magnitude/cmp.Or(scale[o.Op], 1)+0.37))]++
				if i < 2 {
					first = strings.TrimSpace(first + " " + o.Op)
				}
			}
			together[fmt.Sprintf("%s %d", first, len(row))]++
		}
		alike(t, c.Stage, ops, c.Ops)
		alike(t, c.Stage+": together", together, c.Together)
	}
}

func TestTimmText(t *testing.T) {
	for text, want := range map[string]string{
		"randm9":         `"randm9" doesn't begin with rand`,
		"augmix-m3":      `"augmix-m3" doesn't begin with rand`,
		"rand-tweights":  `"rand-tweights": there is timm's usual set of operations alone`,
		"rand-inc":       `"rand-inc": "inc" is no section with a number`,
		"rand-m9-n0":     `"rand-m9-n0": n0: give 1 to 100 operations`,
		"rand-n1.5":      `"rand-n1.5": n1.5: give 1 to 100`,
		"rand-p2":        `"rand-p2": p2: a probability is at most 1`,
		"rand-mmax0":     `"rand-mmax0": mmax0: nothing`,
		"rand-m9x":       `"rand-m9x": "m9x" has no number`,
		"rand-q3":        `"rand-q3": q3: timm has no section q`,
		"rand--m3":       `"rand--m3": "" is no section`,
		"rand-m1e999-n2": `"rand-m1e999-n2": "m1e999" has no number`,
	} {
		wrong(t, stages.RandAugment{Timm: text}, "timm: "+want)
	}
	wrong(t, stages.RandAugment{Timm: "rand-m9", NumOps: 3}, `timm: "rand-m9" says it all: leave num_ops`)
	half := stages.RandAugment{Timm: "rand-mstd0.5-m9-inc1"}.WithStrength(0.5).(stages.RandAugment)
	if half.Timm != "rand-m4.5-mstd0.5-inc1" || half.Check() != nil {
		t.Errorf("at half the strength, it is %+v", half)
	}
}

func TestPolicies(t *testing.T) {
	for _, s := range []stages.PictureStage{
		stages.RandAugment{}, stages.RandAugment{NumOps: 5, Magnitude: 29.5, Fill: &stages.Color{1, 2, 3}, P: 0.5},
		stages.RandAugment{Timm: "rand-m9-mstd0.5-inc1"}, stages.RandAugment{Timm: "rand-m15-n5-p0.8-mmax20-mstd200", P: 0.5},
		stages.RandAugment{NumMagnitudeBins: 11, Interpolation: stages.Nearest},
		stages.TrivialAugmentWide{}, stages.TrivialAugmentWide{NumMagnitudeBins: 2, Interpolation: stages.Nearest, P: 0.5},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.RandAugment{NumOps: -1, P: 2}, "p: 2 is not", "num_ops: -1 operations: give 1 to 100")
	wrong(t, stages.RandAugment{NumMagnitudeBins: 5}, "magnitude: 9 is not in 0..4, which is num_magnitude_bins - 1")
	wrong(t, stages.RandAugment{NumMagnitudeBins: 1, Magnitude: math.NaN()}, "num_magnitude_bins: 1: give 2 to 10000")
	wrong(t, stages.RandAugment{Magnitude: math.NaN()}, "magnitude: NaN is not in 0..30")
	wrong(t, stages.RandAugment{Magnitude: 31, Interpolation: "cubic"}, `interpolation: "cubic" is none of`, "magnitude: 31 is not in 0..30")
	wrong(t, stages.TrivialAugmentWide{NumMagnitudeBins: -3, P: 2}, "p: 2 is not", "num_magnitude_bins: -3: give 2")

	half := stages.RandAugment{NumOps: 3}.WithStrength(0.5).(stages.RandAugment)
	if half.Magnitude != 4.5 || half.NumOps != 3 || (stages.RandAugment{}).WithStrength(0) != nil {
		t.Errorf("at half the strength, it is %+v", half)
	}
	p := &stages.Operations{Ops: []stages.Operation{{Op: "shear_x", Magnitude: -0.09}, {Op: "equalize"}}}
	if text := p.String(); text != "shear_x -0.09, then equalize 0" {
		t.Errorf("in words: %q", text)
	}
}

// Draws in memory that others have used are those of new memory.
func TestPolicyInUsedMemory(t *testing.T) {
	var used stages.Params
	for i, policy := range []string{"rand-m9-mstd0.5-inc1", "rand-m4-n5", "rand-m9-mstd0.5-inc1", "", "rand-m4-n5"} {
		s := stages.RandAugment{Timm: policy}
		draw := func(recycled stages.Params) stages.Params {
			p, err := s.Draw(&stages.Row{Height: 60, Width: 80, Rand: rng.NewKey(7, "rand_augment", "0").Stream(0, int64(i), 0), Recycled: recycled})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		fresh := draw(nil)
		used = draw(used)
		if a, b := fmt.Sprint(fresh), fmt.Sprint(used); a != b {
			t.Errorf("%q: %s in used memory, %s in new", policy, b, a)
		}
	}
}
