package stages_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

// golden reads a part of testdata/golden.json, which testdata/golden.py writes;
// pixels are base64 there, which encoding/json reads into []byte.
func golden[T any](t *testing.T, part string) T {
	t.Helper()
	return partOf[T](t, "golden", part)
}

// partOf reads a part of a file of golden values, which the script of its name writes.
func partOf[T any](t *testing.T, file, part string) T {
	t.Helper()
	file = "testdata/" + file + ".json"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal(all[part], &out); err != nil {
		t.Fatalf("%s: %s: %v", file, part, err)
	}
	return out
}

// apply warps a picture as the reference executor does.
func apply(stage stages.Warper, params stages.Params, in *schema.Picture) *schema.Picture {
	return warp.Apply(in, stage.Warp(params, in.Height, in.Width))
}

// draw draws for one row of a picture of height x width.
func draw(t *testing.T, stage stages.PictureStage, height, width int, position int64) stages.Params {
	t.Helper()
	params, err := stage.Draw(row(stage, height, width, position))
	if err != nil {
		t.Fatalf("%s: %v", stage.Name(), err)
	}
	return params
}

func row(stage stages.Stage, height, width int, position int64) *stages.Row {
	return &stages.Row{
		Height: height, Width: width, Position: position,
		Rand: rng.NewKey(42, stage.Name(), "0").Stream(0, position, 0),
	}
}

// difference compares two pictures of one size: mean and largest absolute
// difference in grey levels.
func difference(t *testing.T, got *schema.Picture, height, width int, want []byte) (mean, worst float64) {
	t.Helper()
	if got.Height != height || got.Width != width || len(got.U8) != len(want) {
		t.Fatalf("the picture is %d high, %d wide; want %d, %d", got.Height, got.Width, height, width)
	}
	for i, v := range got.U8 {
		d := math.Abs(float64(v) - float64(want[i]))
		mean += d / float64(len(want))
		worst = max(worst, d)
	}
	return mean, worst
}

// floats reads little-endian float32, as NumPy writes them.
func floats(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// The recipe's augmentation with given parameters equals OpenCV's warpAffine,
// slicing and flip.
func TestRecipeEqualsOpenCV(t *testing.T) {
	type fixed struct {
		Height, Width, X, Y int
		Degrees             float64
		Flip                bool
		Pixels              []byte
	}
	sum, worst := 0.0, 0.0
	cases := golden[[]fixed](t, "recipe")
	for _, c := range cases {
		p := stagetest.Pattern(c.Height, c.Width)
		p = apply(stages.Rotate{}, &stages.RotateParams{Degrees: c.Degrees}, p)
		p = apply(stages.Crop{}, &stages.Window{X: c.X, Y: c.Y, Width: c.Width / 2, Height: c.Height / 2}, p)
		p = apply(stages.Flip{}, &stages.FlipParams{Flipped: c.Flip}, p)
		mean, largest := difference(t, p, c.Height/2, c.Width/2, c.Pixels)
		if mean > 0.005 || largest > 1 {
			t.Errorf("%dx%d turned by %g: mean difference %.3f, largest %g", c.Width, c.Height, c.Degrees, mean, largest)
		}
		sum, worst = sum+mean, max(worst, largest)
	}
	t.Logf("%d pictures: mean difference %.3f, largest %g", len(cases), sum/float64(len(cases)), worst)
}

// wrong wants a stage to fail its Check with exactly these errors, given by their
// beginnings.
func wrong(t *testing.T, stage stages.Stage, begins ...string) {
	t.Helper()
	var have []string
	if err := stage.Check(); err != nil {
		have = strings.Split(err.Error(), "\n")
	}
	ok := len(have) == len(begins)
	for i := range min(len(have), len(begins)) {
		ok = ok && strings.HasPrefix(have[i], begins[i])
	}
	if !ok {
		t.Errorf("%+v: errors\n  %s\nwant\n  %s", stage, strings.Join(have, "\n  "), strings.Join(begins, "\n  "))
	}
}

// refused wants a draw for a picture of height x width to fail.
func refused(t *testing.T, stage stages.PictureStage, height, width int, want string) {
	t.Helper()
	if _, err := stage.Draw(row(stage, height, width, 0)); err == nil || err.Error() != want {
		t.Errorf("%+v of %dx%d: %v, want %q", stage, width, height, err, want)
	}
}
