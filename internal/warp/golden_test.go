package warp

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

// golden is what testdata/golden.py wrote.
type golden struct {
	Versions    map[string]string
	ScaledSizes [][3]float64 `json:"scaled_sizes"`
	Cases       []goldenCase
}

type goldenCase struct {
	Op, Kind      string
	Height, Width int
	Shape         []int
	Data          []byte
	Options       struct {
		Degrees    float64
		Fill       uint8
		Filter     Filter
		Horizontal bool
		Clip       []int // left, top, right, bottom
		DType      schema.DType
		Scale      float64
	}
}

func (c goldenCase) String() string {
	return fmt.Sprintf("%s %dx%d %s to %v %+v", c.Op, c.Height, c.Width, c.Kind, c.Shape, c.Options)
}

// each calls f for each golden case of that name.
func each(t *testing.T, op string, f func(t *testing.T, c goldenCase)) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range g.Cases {
		if c.Op == op {
			n++
			t.Run(c.String(), func(t *testing.T) { f(t, c) })
		}
	}
	if n == 0 && op != "" {
		t.Errorf("no case of %s in golden.json", op)
	}
	return g
}

// picture draws the pictures of golden.py.
func picture(kind string, height, width int) *schema.Picture {
	p := schema.NewPicture(height, width)
	for i := range p.U8 {
		y, x, c := i/3/width, i/3%width, i%3
		if kind == "noise" {
			n := uint32(y)*73856093 ^ uint32(x)*19349663 ^ uint32(c)*83492791
			p.U8[i] = uint8(n * 2654435761 >> 24)
			continue
		}
		wave := abs((4*x+2*y+90*c)%400-200) + abs((x*(c+1)+2*y)%100-50)
		p.U8[i] = uint8(min(max(wave, 0), 255))
	}
	return p
}

func abs(n int) int { return max(n, -n) }

// difference is the mean and the largest difference of two pictures' bytes, and
// how many differ.
func difference(t *testing.T, a, b []byte) (mean float64, most, count int) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d bytes and %d", len(a), len(b))
	}
	sum := 0
	for i := range a {
		d := abs(int(a[i]) - int(b[i]))
		sum += d
		most = max(most, d)
		if d > 0 {
			count++
		}
	}
	return float64(sum) / float64(len(a)), most, count
}

func exact(t *testing.T, got, want []byte) {
	t.Helper()
	if mean, most, count := difference(t, got, want); count > 0 {
		t.Errorf("%d of %d bytes differ, by %.3f on average, by %d at most", count, len(want), mean, most)
	}
}

func TestRotationEqualsWarpAffine(t *testing.T) {
	each(t, "rotate", func(t *testing.T, c goldenCase) {
		f := c.Options.Fill
		got := Apply(picture(c.Kind, c.Height, c.Width), Transform{
			Matrix: Rotation(c.Options.Degrees, float64(c.Width/2), float64(c.Height/2)),
			Height: c.Height, Width: c.Width, Filter: c.Options.Filter, Fill: [3]uint8{f, f, f},
		})
		mean, most, count := difference(t, got.U8, c.Data)
		t.Logf("mean %.4f, most %d, %d of %d", mean, most, count, len(c.Data))
		switch {
		case math.Mod(c.Options.Degrees, 90) == 0 || c.Options.Filter == Nearest:
			exact(t, got.U8, c.Data)
		case mean > 0.002 || most > 1: // OpenCV rounds points in float32
			t.Errorf("differs by %.4f on average, by %d at most", mean, most)
		}
	})
}

func TestFlipIsExact(t *testing.T) {
	each(t, "flip", func(t *testing.T, c goldenCase) {
		flip := Affine{1, 0, 0, 0, -1, float64(c.Height - 1)}
		if c.Options.Horizontal {
			flip = Affine{-1, 0, float64(c.Width - 1), 0, 1, 0}
		}
		for _, f := range Filters {
			for _, antialias := range []bool{false, true} {
				got := Apply(picture(c.Kind, c.Height, c.Width), Transform{Matrix: flip, Height: c.Height, Width: c.Width,
					Filter: f, Antialias: antialias})
				exact(t, got.U8, c.Data)
			}
		}
	})
}

func TestResizeEqualsOpenCV(t *testing.T) {
	each(t, "cv2_resize", func(t *testing.T, c goldenCase) {
		resize := Resize(c.Height, c.Width, c.Shape[0], c.Shape[1], Bilinear, false)
		got := Apply(picture(c.Kind, c.Height, c.Width), resize)
		mean, most, _ := difference(t, got.U8, c.Data)
		t.Logf("mean %.4f, most %d", mean, most)
		if most > 1 {
			t.Errorf("differs by %.3f on average, by %d at most", mean, most)
		}
	})
}

func TestResizeEqualsPillow(t *testing.T) {
	each(t, "pil_resize", func(t *testing.T, c goldenCase) {
		clip := image.Rect(0, 0, c.Width, c.Height)
		if k := c.Options.Clip; k != nil {
			clip = image.Rect(k[0], k[1], k[2], k[3])
		}
		resize := Resize(clip.Dy(), clip.Dx(), c.Shape[0], c.Shape[1], c.Options.Filter, true)
		resize.Matrix = resize.Matrix.Then(Translate(float64(clip.Min.X), float64(clip.Min.Y)))
		resize.Clip = clip
		got := Apply(picture(c.Kind, c.Height, c.Width), resize)
		exact(t, got.U8, c.Data)
	})
}

func TestInterpolateEqualsTorch(t *testing.T) {
	each(t, "interpolate", func(t *testing.T, c goldenCase) {
		out := schema.Picture{Height: c.Shape[1], Width: c.Shape[2], Layout: schema.CHW}
		if s := c.Options.Scale; s > 0 && (ScaledSize(c.Height, s) != out.Height || ScaledSize(c.Width, s) != out.Width) {
			t.Errorf("ScaledSize gives %dx%d", ScaledSize(c.Height, s), ScaledSize(c.Width, s))
		}
		src := toCHW(picture(c.Kind, c.Height, c.Width))
		if c.Options.DType == schema.Uint8 {
			out.U8 = make([]uint8, len(c.Data))
			Interpolate(&out, src, c.Options.Filter, c.Options.Scale)
			exact(t, out.U8, c.Data)
			return
		}
		src.F32 = make([]float32, len(src.U8))
		for i, v := range src.U8 {
			src.F32[i] = float32(v) / 255
		}
		src.U8 = nil
		out.F32 = make([]float32, len(c.Data)/4)
		Interpolate(&out, src, c.Options.Filter, c.Options.Scale)
		most := 0.0
		for i, got := range out.F32 {
			want := math.Float32frombits(binary.LittleEndian.Uint32(c.Data[4*i:]))
			most = max(most, math.Abs(float64(got-want)))
		}
		t.Logf("differs by %.2g at most", most)
		if c.Options.Filter == Nearest && most > 0 || most > 1e-6 {
			t.Errorf("differs by %g", most)
		}
	})
}

func TestScaledSizeEqualsTorch(t *testing.T) {
	g := each(t, "", nil)
	for _, s := range g.ScaledSizes {
		if got := ScaledSize(int(s[0]), s[1]); got != int(s[2]) {
			t.Errorf("ScaledSize(%v, %v) = %d, torch has %v", s[0], s[1], got, s[2])
		}
	}
}

// toCHW is a uint8 HWC picture as CHW.
func toCHW(p *schema.Picture) *schema.Picture {
	out := schema.NewPicture(p.Height, p.Width)
	out.Layout = schema.CHW
	for i, v := range p.U8 {
		out.U8[i%3*p.Height*p.Width+i/3] = v
	}
	return out
}
