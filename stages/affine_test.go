package stages_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestAffine(t *testing.T) {
	for _, s := range []stages.Affine{
		{Degrees: stages.Range{-30, 30}},
		{Translate: [2]float64{0.1, 0.5}, P: 0.5},
		{Scale: stages.Range{0.01, 0.02}, Interpolation: stages.Nearest, Fill: stages.Color{9, 8, 7}},
		{Degrees: stages.Range{-180, 180}, Translate: [2]float64{1, 1}, Scale: stages.Range{0.5, 2}, Shear: stages.Shear{-80, 80, -80, 80}},
		{Shear: stages.Shear{0, 0, 3, 3}},
	} {
		stagetest.Picture(t, s)
	}
	wrong(t, stages.Affine{}, "degrees: nothing to do: give degrees such as 30, translate")
	wrong(t, stages.Affine{Scale: stages.Range{1, 1}}, "degrees: nothing to do")
	wrong(t, stages.Affine{Degrees: stages.Range{3, 1}, Translate: [2]float64{0.1, 30}, Scale: stages.Range{-1, 1}, Shear: stages.Shear{0, 90},
		Interpolation: "lanczos", P: -1},
		"degrees: the range [3, 1] is empty", "translate: 30 is not a share of a side", "shear: 90 degrees: give at most 80",
		"scale: [-1, 1] is not within 0.01 to 100", `interpolation: "lanczos" is none of nearest, bilinear`, "p: -1 is not")
	wrong(t, stages.Affine{Shear: stages.Shear{3, 1, 0, 2}}, "shear: the range [3, 1] is empty")
	refused(t, stages.Affine{Scale: stages.Range{0.01, 1}, Shear: stages.Shear{0, 80}}, 10_000, 20_000,
		"20000x10000 (width x height) is too large: raise scale, lower shear, or put resize before it")
}

func TestAffineOptions(t *testing.T) {
	for _, c := range []struct {
		option string
		value  any
		want   stages.Affine
		err    string
	}{
		{"degrees", int64(0), stages.Affine{}, ""},
		{"translate", []any{0.1, int64(0)}, stages.Affine{Translate: [2]float64{0.1, 0}}, ""},
		{"translate", 0.1, stages.Affine{}, "translate: want a list (2) of numbers"},
		{"shear", int64(10), stages.Affine{Shear: stages.Shear{-10, 10}}, ""},
		{"shear", []any{int64(-5), 7.5}, stages.Affine{Shear: stages.Shear{-5, 7.5}}, ""},
		{"shear", []any{int64(-5), int64(5), int64(0), int64(3)}, stages.Affine{Shear: stages.Shear{-5, 5, 0, 3}}, ""},
		{"shear", []any{int64(1), int64(2), int64(3)}, stages.Affine{}, "shear: want degrees: one number"},
		{"shear", []any{int64(0), int64(0)}, stages.Affine{}, "shear: these ranges contain only 0"},
		{"shear", "a lot", stages.Affine{}, "shear: want degrees: one number"},
	} {
		var got stages.Affine
		err := options.Set(&got, c.option, c.value)
		if got != c.want || fmt.Sprint(got) != fmt.Sprint(c.want) || (err == nil) != (c.err == "") ||
			err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: %v: %v, %v", c.option, c.value, got, err)
		}
	}
}

// The matrix is torchvision's, of the angle's opposite, and so are the pixels:
// nearest but for ties and Pillow's coordinates to 1/65536, bilinear within the
// level that Pillow rounds down, both of a Pillow image. Pillow does not blend
// the edge with the fill, so that bilinear is compared inside.
func TestAffineEqualsTorchvision(t *testing.T) {
	type fixed struct {
		Height, Width             int
		Params                    stages.AffineParams
		Matrix                    [6]float64
		Nearest, Bilinear, Tensor []byte
	}
	for _, c := range augment[[]fixed](t, "affine") {
		in := stagetest.Pattern(c.Height, c.Width)
		stage := stages.Affine{}
		matrix := stage.Warp(&c.Params, c.Height, c.Width).Matrix
		for i, want := range c.Matrix {
			if math.Abs(matrix[i]-want) > 1e-11 {
				t.Errorf("%+v: matrix %v, torchvision has %v", c.Params, matrix, c.Matrix)
				break
			}
		}
		bilinear := apply(stage, &c.Params, in)
		within(t, fmt.Sprintf("%+v: bilinear", c.Params), bilinear.U8, c.Bilinear, c.Height, c.Width, 1)
		within(t, fmt.Sprintf("%+v: tensor", c.Params), bilinear.U8, c.Tensor, c.Height, c.Width, 1)
		stage.Interpolation = stages.Nearest
		few(t, fmt.Sprintf("%+v: nearest", c.Params), apply(stage, &c.Params, in), c.Nearest, 0.01)
	}
}

// within compares pixels that lie inside of a warped Pattern, by level.
func within(t *testing.T, what string, got, want []byte, height, width, most int) {
	t.Helper()
	n, worst, sum := 0, 0, 0
	for i, v := range got {
		if inside(want, i/3, height, width) {
			n++
			d := max(int(v)-int(want[i]), int(want[i])-int(v))
			worst, sum = max(worst, d), sum+d
		}
	}
	t.Logf("%s: %d of %d values compared: mean difference %.3f, largest %d", what, n, len(got), float64(sum)/float64(n), worst)
	if worst > most || n < len(got)/10 {
		t.Errorf("%s: of %d values inside, the largest difference is %d", what, n, worst)
	}
}

// few wants at most a share of the pixels to differ.
func few(t *testing.T, what string, got *schema.Picture, want []byte, share float64) {
	t.Helper()
	n := 0
	for i := 0; i < len(want); i += 3 {
		if !slices.Equal(got.U8[i:i+3], want[i:i+3]) {
			n++
		}
	}
	t.Logf("%s: %d of %d pixels differ", what, n, len(want)/3)
	if float64(n) > share*float64(len(want)/3) {
		t.Errorf("%s: %d of %d pixels differ", what, n, len(want)/3)
	}
}

func TestAffineDistribution(t *testing.T) {
	type fixed struct {
		statistics
		Height, Width  int
		Degrees, Scale stages.Range
		Translate      [2]float64
		Shear          stages.Shear
	}
	for _, c := range augment[[]fixed](t, "affine_statistics") {
		stage := stages.Affine{Degrees: c.Degrees, Translate: c.Translate, Scale: c.Scale, Shear: c.Shear}
		most := int(math.RoundToEven(float64(c.Width) * c.Translate[0]))
		shifts, angles := make([]float64, 2*most+1), make([]float64, 40)
		c.compare(t, fmt.Sprintf("%dx%d", c.Width, c.Height), draws, func(position int64) map[string]float64 {
			p := draw(t, stage, c.Height, c.Width, position).(*stages.AffineParams)
			shifts[p.TranslateX+most]++ // panics beyond the greatest shift
			angles[int((p.Degrees-c.Degrees[0])/(c.Degrees[1]-c.Degrees[0])*40)]++
			return map[string]float64{"degrees": p.Degrees, "translate_x": float64(p.TranslateX), "translate_y": float64(p.TranslateY),
				"scale": p.Scale, "shear_x": p.ShearX, "shear_y": p.ShearY}
		})
		uniform(t, "degrees", angles)
		if shifts[0] == 0 || shifts[2*most] == 0 {
			t.Errorf("shifts never reach %d to either side", most)
		}
	}
}
