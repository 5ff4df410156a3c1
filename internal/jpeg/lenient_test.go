package jpeg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"os"
	"runtime"
	"strings"
	"testing"
)

// filled is a case of testdata/fill.json; golden.py says how they are made.
type filled struct {
	Name    string
	Encoded []byte
	First   int          // where the first scan's data begins
	Cuts    []*[4]uint32 // CRCs by scale, of the file cut after First bytes, First+1, ...; nil: libjpeg gives up
	Damaged []struct {
		Edits [][2]int // position, byte
		CRCs  *[4]uint32
	}
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

func (f *filled) damaged(i int) []byte {
	data := bytes.Clone(f.Encoded)
	for _, e := range f.Damaged[i].Edits {
		data[e[0]] = byte(e[1])
	}
	return data
}

// Files cut anywhere, or damaged anyhow, are what libjpeg-turbo gives.
func TestFilledIsLibjpegTurbos(t *testing.T) {
	d := Decoder{Fill: true}
	check := func(f *filled, what string, at int, data []byte, want *[4]uint32) bool {
		given := 0
		for s := range 4 {
			m, err := d.DecodeRegion(context.Background(), data, image.Rect(0, 0, 1<<16, 1<<16), 1<<s, nil)
			if err != nil {
				t.Errorf("%s: %s %d: %v", f.Name, what, at, err)
				continue
			}
			if what == "cut at" && m.Warnings == 0 {
				t.Errorf("%s: %s %d: no warning", f.Name, what, at)
			}
			if want == nil {
				continue
			}
			given++
			if crc := crc32.ChecksumIEEE(samples(&m.Planes[0])); crc != want[s] {
				t.Errorf("%s: %s %d, at 1/%d: not libjpeg's", f.Name, what, at, 1<<s)
			}
		}
		return given > 0
	}
	given, total := 0, 0
	for _, f := range fills(t) {
		for i, want := range f.Cuts {
			if total++; check(&f, "cut at", f.First+i, f.Encoded[:f.First+i], want) {
				given++
			}
		}
		for i, c := range f.Damaged {
			if total++; check(&f, "damage", i, f.damaged(i), c.CRCs) {
				given++
			}
		}
	}
	if given < total/2 {
		t.Errorf("libjpeg gives only %d of %d", given, total)
	}
}

// A file without damage has no warning with Fill, and the same planes.
func TestFillOfWholeFiles(t *testing.T) {
	for _, g := range goldens(t) {
		want, err := new(Decoder).Decode(context.Background(), g.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		d := Decoder{Fill: true}
		m, err := d.Decode(context.Background(), g.Encoded)
		if err != nil || m.Warnings != 0 {
			t.Errorf("%s: %v, %d warnings", g.Name, err, m.Warnings)
			continue
		}
		repaired := Decoder{Fill: true}
		slow, err := repaired.decode(g.Encoded, image.Rect(0, 0, 1<<16, 1<<16), 1, true)
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
			continue
		}
		for i := range want.Planes {
			if !bytes.Equal(samples(&m.Planes[i]), samples(&want.Planes[i])) || !bytes.Equal(samples(&slow.Planes[i]), samples(&want.Planes[i])) {
				t.Errorf("%s: plane %d differs", g.Name, i)
			}
		}
	}
}

// The length of an application's segment may be less than its own two bytes.
func TestShortApplicationSegment(t *testing.T) {
	plain := named(t, "1x4,1x1,1x1/35x21/q90")
	want, err := new(Decoder).Decode(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	m, err := new(Decoder).Decode(t.Context(), append([]byte("\xff\xd8\xff\xe5\x00\x01\xff\xfe\x00\x00"), plain[2:]...))
	if err != nil || !bytes.Equal(samples(&m.Planes[0]), samples(&want.Planes[0])) {
		t.Errorf("other samples, or %v", err)
	}
}

// A scan's header may name a table that isn't, where the scan has no use for it.
func TestTablesWithoutUse(t *testing.T) {
	plain := named(t, "2x1,1x1,1x1/35x21/q90")
	want, err := new(Decoder).Decode(t.Context(), plain)
	if err != nil || !want.Progressive {
		t.Fatal(err)
	}
	odd := edit(t, plain, mSOS, 1, func(b []byte) []byte { b[2] |= 0x80; return b })
	for _, fill := range []bool{false, true} {
		d := Decoder{Fill: fill}
		m, err := d.Decode(t.Context(), odd)
		if err != nil || m.Warnings != 0 {
			t.Fatalf("fill %v: %v", fill, err)
		}
		for i := range m.Planes {
			if !bytes.Equal(samples(&m.Planes[i]), samples(&want.Planes[i])) {
				t.Errorf("fill %v: plane %d differs", fill, i)
			}
		}
	}
}

// A header that is cut is an error; from the first scan's data on there is a picture.
func TestFillOfCutHeaders(t *testing.T) {
	d := Decoder{Fill: true}
	for _, g := range goldens(t) {
		var h Header
		s, first, err := h.read(g.Encoded, nil)
		if err != nil || s.marker != mSOS {
			t.Fatal(err)
		}
		for cut := range g.Encoded {
			m, err := d.Decode(context.Background(), g.Encoded[:cut])
			switch {
			case cut < first && err == nil:
				t.Errorf("%s: %d of %d bytes give a picture", g.Name, cut, len(g.Encoded))
			case cut >= first && err != nil:
				t.Errorf("%s: %d of %d bytes: %v", g.Name, cut, len(g.Encoded), err)
			case cut >= first && m.Warnings == 0:
				t.Errorf("%s: %d of %d bytes: no warning", g.Name, cut, len(g.Encoded))
			}
			if t.Failed() {
				break
			}
		}
	}
}

// What isn't supported stays an error that names it.
func TestFillOfUnsupported(t *testing.T) {
	plain := named(t, "1x4,1x1,1x1/35x21/q90")
	for marker, name := range map[byte]string{
		mSOF0 + 3: "lossless", mSOF0 + 5: "hierarchical", mSOF0 + 6: "hierarchical", mSOF0 + 7: "hierarchical",
		mSOF0 + 8: "reserved", mSOF0 + 9: "arithmetic", mSOF0 + 10: "arithmetic", mSOF0 + 11: "lossless arithmetic",
		mSOF0 + 13: "hierarchical arithmetic", mSOF0 + 14: "hierarchical arithmetic", mSOF15: "hierarchical arithmetic",
		mSOF55: "JPEG-LS", mDHP: "hierarchical", mSOF0: "12 bits", mSOF0 + 1: "12 bits", mSOF2: "12 bits",
	} {
		data := edit(t, plain, mSOF0, 0, func(body []byte) []byte {
			if name == "12 bits" {
				body[0] = 12
			}
			return body
		})
		at := bytes.Index(data, []byte{0xff, mSOF0})
		data[at+1] = marker
		for _, fill := range []bool{false, true} {
			d := Decoder{Fill: fill}
			_, err := d.Decode(context.Background(), data)
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "convert it to") {
				t.Errorf("marker %#x, fill %v: %v", marker, fill, err)
			}
		}
	}
}

// FuzzFill: whatever the bytes, no panic; a picture wherever the first scan can begin;
// memory by the size and the data; regions at any scale are the whole's; and without
// damage it is what the default gives.
//
//	go test ./internal/jpeg -run - -fuzz FuzzFill -fuzztime 4m -fuzzminimizetime 20x
func FuzzFill(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.Encoded)
	}
	for _, c := range fills(f) {
		f.Add(c.Encoded[:c.First+(len(c.Encoded)-c.First)/2])
		for i := range min(len(c.Damaged), 10) {
			f.Add(c.damaged(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, headerErr := ReadHeader(data)
		if headerErr == nil && h.Width*h.Height > 1<<14 {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d := Decoder{Fill: true}
		m, err := d.Decode(context.Background(), data)
		runtime.ReadMemStats(&after)
		// 64 pixels of the coarsest component are a sample of it, which takes a block, and
		// those that fill up its MCU; a picture of one row has 8.
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20+uint64(1700*len(data)+1<<13*max(h.Width, h.Height)+64*h.Width*h.Height) {
			t.Errorf("%d bytes were allocated for %d bytes of data", n, len(data))
		}
		whole, strict := new(Decoder).Decode(context.Background(), data)
		if err != nil {
			_, _, tablesErr := d.image.read(data, &d)
			if strict == nil || tablesErr == nil && !strings.HasPrefix(err.Error(), "scan 1:") && !errors.Is(err, ErrUnsupported) {
				t.Errorf("no picture: %v", err)
			}
			return
		}
		if strict == nil {
			for i := range m.Planes {
				if !bytes.Equal(samples(&m.Planes[i]), samples(&whole.Planes[i])) {
					t.Errorf("plane %d isn't what it is without Fill", i)
				}
			}
		}
		if clean := strict == nil && whole.Warnings == 0; clean != (m.Warnings == 0) {
			t.Errorf("%d warnings, without Fill: %v", m.Warnings, strict)
		}
		regionsAgree(t, data, true)
	})
}
