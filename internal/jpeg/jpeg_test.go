package jpeg

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is a case of testdata/golden.json; golden.py says how they are made.
type golden struct {
	Name    string
	Encoded []byte
	Planes  []struct {
		Width, Height int
		Pix           []byte
	}
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
func samples(p *Plane) []byte {
	var out []byte
	for y := range p.Height {
		out = append(out, p.Pix[y*p.Stride:][:p.Width]...)
	}
	return out
}

func TestPlanesAreLibjpegTurbos(t *testing.T) {
	for _, g := range goldens(t) {
		m, err := Decode(g.Encoded)
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
		m, err := Decode(data)
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
			t.Errorf("%s (%+v): planes differ", name, m.Components)
		}
	}
	t.Logf("%d files, %d wrong", len(names), wrong)
}
