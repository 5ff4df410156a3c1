package jpeg

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/planar"
)

// golden is a case of testdata/golden.json; golden.py says how they are made.
type golden struct {
	Name    string
	Encoded []byte
	Planes  []goldenPlane
	Reduced map[string][]goldenPlane // by the samples that a block gives: 4, 2, 1
}

type goldenPlane struct {
	Width, Height int
	Pix           []byte
}

func goldens(t testing.TB) []golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []golden }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// samples is what of a plane belongs to the picture.
func samples(p *planar.Plane) []byte {
	var out []byte
	for y := range p.Height {
		out = append(out, p.Row(y, 0, p.Width)...)
	}
	return out
}

func TestPlanesAreLibjpegTurbos(t *testing.T) {
	for _, g := range goldens(t) {
		m, err := new(Decoder).Decode(context.Background(), g.Encoded)
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
			continue
		}
		if len(m.Planes) != len(g.Planes) {
			t.Errorf("%s: %d planes, want %d", g.Name, len(m.Planes), len(g.Planes))
			continue
		}
		for i, want := range g.Planes {
			p := &m.Planes[i]
			if p.Width != want.Width || p.Height != want.Height || !bytes.Equal(samples(p), want.Pix) {
				t.Errorf("%s: plane %d (%dx%d) is not libjpeg-turbo's (%dx%d)", g.Name, i, p.Width, p.Height, want.Width, want.Height)
			}
		}
	}
}

// At every scale each component has the samples of libjpeg-turbo's transform of that size.
func TestReducedPlanesAreLibjpegTurbos(t *testing.T) {
	for _, g := range goldens(t) {
		for denominator := 2; denominator <= 8; denominator *= 2 {
			m, err := new(Decoder).DecodeRegion(context.Background(), g.Encoded, image.Rect(0, 0, 1<<16, 1<<16), denominator, nil)
			if err != nil {
				t.Errorf("%s: %v", g.Name, err)
				continue
			}
			for i := range m.Planes {
				size := m.blockSize(i, denominator)
				if size == 8 || size == 2 && strings.HasPrefix(g.Name, "coarse") {
					continue // the SIMD code's overflow to 2x2 isn't repeated
				}
				p, want := &m.Planes[i], g.Reduced[strconv.Itoa(size)][i]
				// A component alone may be one sample larger than in its picture: sizes are rounded twice.
				if p.Width > want.Width || p.Height > want.Height || p.Width < want.Width-1 || p.Height < want.Height-1 {
					t.Errorf("%s at 1/%d: plane %d is %dx%d, not %dx%d", g.Name, denominator, i, p.Width, p.Height, want.Width, want.Height)
					continue
				}
				for y := range p.Height {
					if !bytes.Equal(p.Row(y, 0, p.Width), want.Pix[y*want.Width:][:p.Width]) {
						t.Errorf("%s at 1/%d: plane %d is not libjpeg-turbo's in row %d", g.Name, denominator, i, y)
						break
					}
				}
			}
		}
	}
}

var goldenDir = flag.String("golden", "", "directory that golden.py all wrote")

func TestManyPlanes(t *testing.T) {
	if *goldenDir == "" {
		t.Skip("no -golden DIR given")
	}
	names, _ := filepath.Glob(*goldenDir + "/*.jpg")
	wrong := 0
	for _, name := range names {
		data, _ := os.ReadFile(name)
		want, _ := os.ReadFile(strings.TrimSuffix(name, "jpg") + "planes")
		m, err := new(Decoder).Decode(context.Background(), data)
		if err != nil {
			wrong++
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []byte
		for i := range m.Planes {
			got = append(got, samples(&m.Planes[i])...)
		}
		if !bytes.Equal(got, want) {
			wrong++
			t.Errorf("%s (%+v): planes differ", name, m.Components())
		}
	}
	t.Logf("%d files, %d wrong", len(names), wrong)
}
