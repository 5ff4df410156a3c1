package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"math/rand/v2"
	"os"
	"testing"
)

// filled is a case of testdata/fill.json; golden.py says how they are made.
type filled struct {
	Name    string
	Encoded []byte
	First   int       // where the first scan's data begins
	Cuts    []*uint32 // CRCs of the RGB of the file cut after First bytes, First+1, ...; nil: libjpeg gives up
}

func fills(t testing.TB) []filled {
	t.Helper()
	data, err := os.ReadFile("testdata/fill.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []filled }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

func TestFillIsLibjpegTurbos(t *testing.T) {
	for _, f := range fills(t) {
		h, err := ReadHeader(f.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		given := 0
		for i, want := range f.Cuts {
			p, warnings, err := Fill(t.Context(), f.Encoded[:f.First+i], 0)
			if err != nil || warnings == 0 || p.Height != h.Height || p.Width != h.Width {
				t.Fatalf("%s: cut at %d: %v, %d warnings", f.Name, f.First+i, err, warnings)
			}
			if want != nil {
				if given++; crc32.ChecksumIEEE(p.U8) != *want {
					t.Errorf("%s: cut at %d: not libjpeg-turbo's RGB", f.Name, f.First+i)
				}
			}
		}
		if given < len(f.Cuts)/2 {
			t.Errorf("%s: libjpeg gives only %d of %d", f.Name, given, len(f.Cuts))
		}
	}
}

// A progressive file that ends whole before all its scans is what libjpeg-turbo makes of
// it, without filling, too, and has a warning.
func TestLackOfScansIsCounted(t *testing.T) {
	files := 0
	for _, f := range fills(t) {
		for at := f.First; at < len(f.Encoded)-1; at++ {
			next := f.Encoded[at+1]
			if f.Encoded[at] != 0xff || next != 0xc4 && next != 0xda || f.Cuts[at-f.First] == nil {
				continue // no scan ends here
			}
			data := append(bytes.Clone(f.Encoded[:at]), 0xff, 0xd9)
			p, warnings, err := Counted(t.Context(), data, 0, false)
			if err != nil || warnings == 0 || crc32.ChecksumIEEE(p.U8) != *f.Cuts[at-f.First] {
				t.Errorf("%s: up to byte %d: %v, %d warnings, or not libjpeg-turbo's RGB", f.Name, at, err, warnings)
			}
			files++
		}
	}
	if files < 10 {
		t.Errorf("only %d files", files)
	}
}

// A part of a cut file is that part of the whole.
func TestFillOfParts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range fills(t) {
		for cut := c.First; cut < len(c.Encoded); cut += 1 + r.IntN(30) {
			data := c.Encoded[:cut]
			f, err := OpenJPEG(data, 0)
			if err != nil {
				t.Fatal(err)
			}
			f.Fill = true
			w, h := f.Width, f.Height
			whole, all, err := f.RGB(t.Context(), image.Rect(0, 0, w, h))
			if err != nil || all != image.Rect(0, 0, w, h) {
				t.Fatalf("%s: %v, %v", c.Name, all, err)
			}
			whole = bytes.Clone(whole)
			x, y := r.IntN(w), r.IntN(h)
			rgb, part, err := f.RGB(t.Context(), image.Rect(x, y, x+1+r.IntN(w-x), y+1+r.IntN(h-y)))
			if err != nil || f.Warnings == 0 {
				t.Fatalf("%s: %v, %d warnings", c.Name, err, f.Warnings)
			}
			for y := part.Min.Y; y < part.Max.Y; y++ {
				n := 3 * part.Dx()
				if !bytes.Equal(rgb[(y-part.Min.Y)*n:][:n], whole[3*(y*w+part.Min.X):][:n]) {
					t.Fatalf("%s: cut at %d: row %d of %v is not the whole picture's", c.Name, cut, y, part)
				}
			}
			f.Close()
		}
	}
}

// Whole files have no warning; other formats have no filling.
func TestFillOfOthers(t *testing.T) {
	for _, g := range goldens(t) {
		p, warnings, err := Fill(t.Context(), g.Encoded, 0)
		if err != nil || warnings != 0 || !bytes.Equal(p.U8, g.RGB) {
			t.Errorf("%s: %v, %d warnings", g.Name, err, warnings)
			continue
		}
		h, _ := ReadHeader(g.Encoded)
		_, _, err = Fill(t.Context(), g.Encoded[:len(g.Encoded)/2], 0)
		_, want := Decode(t.Context(), g.Encoded[:len(g.Encoded)/2], 0)
		if h.Format != "JPEG" && fmt.Sprint(err) != fmt.Sprint(want) {
			t.Errorf("%s: half of it: %v, and without filling %v", g.Name, err, want)
		}
		if _, _, err := Fill(t.Context(), g.Encoded, 1); h.Pixels() > 1 && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: with a limit of 1 pixel: %v", g.Name, err)
		}
	}
}
