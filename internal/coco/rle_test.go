package coco

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

type outcome struct {
	Height, Width int
	Counts        string
	Area          int64
	Box           [4]int // x y width height
}

type golden struct {
	Polygons []struct {
		Ring []float64
		outcome
	}
	Unions []struct {
		Rings [][]float64
		outcome
	}
	Masks []struct {
		Pixels string
		outcome
	}
}

func load(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/rle.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil || len(g.Polygons) < 100 || len(g.Unions) < 10 || len(g.Masks) < 10 {
		t.Fatal(err, len(g.Polygons), len(g.Unions), len(g.Masks))
	}
	return g
}

func check(t *testing.T, i int, r RLE, want outcome) {
	t.Helper()
	if text := string(r.AppendEncoded(nil)); text != want.Counts {
		t.Errorf("case %d: have %q, pycocotools has %q", i, text, want.Counts)
		return
	}
	b := r.Box()
	if r.Area() != want.Area || want.Area > 0 && [4]int{b[0], b[1], b[2] - b[0], b[3] - b[1]} != want.Box {
		t.Errorf("case %d: area %d box %v, want %d %v", i, r.Area(), b, want.Area, want.Box)
	}
	back, err := DecodeRLE([]byte(want.Counts), want.Height, want.Width)
	if err != nil || !slices.Equal(back.Counts, r.Counts) {
		t.Errorf("case %d: decoded %v (%v), want %v", i, back, err, r)
	}
}

func TestAsPycocotools(t *testing.T) {
	g := load(t)
	for i, c := range g.Polygons {
		r, err := FromPolygon(c.Ring, c.Height, c.Width)
		if err != nil {
			t.Fatal(i, err)
		}
		check(t, i, r, c.outcome)
	}
	for i, c := range g.Unions {
		var parts []RLE
		for _, ring := range c.Rings {
			r, err := FromPolygon(ring, c.Height, c.Width)
			if err != nil {
				t.Fatal(i, err)
			}
			parts = append(parts, r)
		}
		r, err := Union(parts...)
		if err != nil {
			t.Fatal(i, err)
		}
		check(t, i, r, c.outcome)
	}
	for i, c := range g.Masks {
		bits, err := hex.DecodeString(c.Pixels)
		if err != nil {
			t.Fatal(err)
		}
		mask := make([]byte, c.Height*c.Width)
		for p := range mask {
			mask[p] = bits[p/8] >> (7 - p%8) & 1
		}
		r, err := Encode(mask, c.Height, c.Width)
		if err != nil {
			t.Fatal(i, err)
		}
		check(t, i, r, c.outcome)
		checkRings(t, mask, r)
	}
}

// checkRings fills the rings again, by the sum of how often each goes around a pixel, and
// compares areas.
func checkRings(t *testing.T, mask []byte, r RLE) {
	t.Helper()
	painted := make([]byte, len(mask))
	if err := r.Paint(painted, 1); err != nil || !slices.Equal(painted, mask) {
		t.Fatalf("painting gives another mask: %v", err)
	}
	around := make([]int, len(mask))
	area := 0.0
	for _, ring := range r.Rings() {
		area += schema.PolygonArea(ring)
		for i := 0; i < len(ring); i += 2 {
			j := (i + 2) % len(ring)
			x, y1, y2 := int(ring[i]), int(ring[i+1]), int(ring[j+1])
			if ring[i] != ring[j] && y1 != y2 || ring[i] == ring[j] && y1 == y2 {
				t.Fatalf("the ring %v has a line that isn't along one edge at %d", ring, i)
			}
			for y := min(y1, y2); y < max(y1, y2); y++ {
				for c := x; c < r.Width; c++ { // everything at the right of an upright line
					if y1 < y2 {
						around[y*r.Width+c]--
					} else {
						around[y*r.Width+c]++
					}
				}
			}
		}
	}
	for p := range mask {
		if around[p] != int(mask[p]) {
			t.Fatalf("pixel %d, %d of a mask of %d x %d is %d, and rings go around it %d times", p%r.Width, p/r.Width, r.Height, r.Width, mask[p], around[p])
		}
	}
	if area != float64(r.Area()) {
		t.Fatalf("the rings have area %v, the mask %d", area, r.Area())
	}
}

func TestRings(t *testing.T) {
	for _, c := range []struct {
		name, rows string
		rings      [][]float32
	}{
		{"a pixel", "..,.#", [][]float32{{2, 1, 2, 2, 1, 2, 1, 1}}},
		{"diagonal pixels are two", "#.,.#", [][]float32{{1, 0, 1, 1, 0, 1, 0, 0}, {2, 1, 2, 2, 1, 2, 1, 1}}},
		{"a hole hangs by a line", "####,#..#,####", [][]float32{{1, 0, 1, 1, 1, 2, 3, 2, 3, 1, 1, 1, 1, 0, 4, 0, 4, 3, 0, 3, 0, 0}}},
		{"nothing", "...,...", nil},
	} {
		rows := strings.Split(c.rows, ",")
		var mask []byte
		for _, row := range rows {
			for _, p := range row {
				mask = append(mask, map[rune]byte{'.': 0, '#': 1}[p])
			}
		}
		r, err := Encode(mask, len(rows), len(rows[0]))
		if err != nil {
			t.Fatal(err)
		}
		checkRings(t, mask, r)
		if rings := r.Rings(); !slices.EqualFunc(rings, c.rings, slices.Equal) {
			t.Errorf("%s: %v, want %v", c.name, rings, c.rings)
		}
	}
}

func TestRingsOfRandomMasks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		h, w := 1+random.IntN(12), 1+random.IntN(12)
		mask := make([]byte, h*w)
		share := random.Float64()
		for p := range mask {
			if random.Float64() < share {
				mask[p] = 1
			}
		}
		r, err := Encode(mask, h, w)
		if err != nil {
			t.Fatal(err)
		}
		checkRings(t, mask, r)
		again, err := DecodeRLE(r.AppendEncoded(nil), h, w)
		if err != nil || !slices.Equal(again.Counts, r.Counts) {
			t.Fatalf("decoded %v (%v), want %v", again, err, r)
		}
	}
}

func TestBadMasks(t *testing.T) {
	long := make([]float64, 2_000_000)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range long {
		long[i] = 150 + 149*math.Sin(float64(i)/1000) + random.Float64()
	}
	if _, err := FromPolygon(long, 300, 300); err != nil {
		t.Errorf("a million points: %v", err)
	}
	for name, do := range map[string]func() error{
		"want sides between":  func() error { _, err := NewRLE(nil, 0, 3); return err },
		"have 5 pixels":       func() error { _, err := NewRLE([]uint32{2, 3}, 2, 3); return err },
		"have more pixels":    func() error { _, err := NewRLE([]uint32{1 << 31, 1 << 31, 1 << 31}, 2, 3); return err },
		"ends within":         func() error { _, err := DecodeRLE([]byte("P"), 2, 3); return err },
		`the character '!'`:   func() error { _, err := DecodeRLE([]byte("3!"), 2, 3); return err },
		"more than 40 bits":   func() error { _, err := DecodeRLE([]byte("ooooooooooooooo"), 2, 3); return err },
		"run 0 of":            func() error { _, err := DecodeRLE([]byte("O"), 2, 3); return err },
		"has 5 values":        func() error { _, err := Encode(make([]byte, 5), 2, 3); return err },
		"of at least 3":       func() error { _, err := FromPolygon([]float64{1, 2, 3, 4}, 2, 3); return err },
		"the coordinate 1e+":  func() error { _, err := FromPolygon([]float64{1, 2, 3, 1e300, 0, 0}, 2, 3); return err },
		"masks of 2 x 3 and":  func() error { _, err := Union(RLE{2, 3, []uint32{6}}, RLE{3, 2, []uint32{6}}); return err },
		"a union of no masks": func() error { _, err := Union(); return err },
		"painted into":        func() error { return RLE{2, 3, []uint32{6}}.Paint(nil, 1) },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("have %v, want an error with %q", err, name)
		}
	}
}

func FuzzRLE(f *testing.F) {
	f.Add("0101", 2, 3)
	f.Add("52203", 3, 4)
	f.Fuzz(func(t *testing.T, text string, h, w int) {
		if h > 1000 || w > 1000 {
			return
		}
		r, err := DecodeRLE([]byte(text), h, w)
		if err != nil {
			return
		}
		mask := make([]byte, h*w)
		if err := r.Paint(mask, 1); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, ring := range r.Rings() {
			sum += schema.PolygonArea(ring)
		}
		if sum != float64(r.Area()) {
			t.Fatalf("rings of %v pixels, of %d", sum, r.Area())
		}
	})
}
