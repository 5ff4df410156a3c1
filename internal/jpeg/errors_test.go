package jpeg

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// named is the golden file whose name begins so.
func named(t testing.TB, prefix string) []byte {
	t.Helper()
	for _, g := range goldens(t) {
		if strings.HasPrefix(g.Name, prefix) {
			return g.Encoded
		}
	}
	t.Fatalf("no golden file %s*", prefix)
	return nil
}

// edit changes the body of the n-th segment with a marker; what edit returns
// replaces it, nil takes the segment out.
func edit(t testing.TB, data []byte, marker byte, n int, change func(body []byte) []byte) []byte {
	t.Helper()
	for pos := 2; ; {
		s, err := nextSegment(data, pos)
		if err != nil {
			t.Fatalf("marker %#x: %v", marker, err)
		}
		pos = s.end
		if s.marker != marker {
			continue
		}
		if n--; n >= 0 {
			continue
		}
		out := bytes.Clone(data[:s.start])
		if body := change(bytes.Clone(s.body)); body != nil {
			out = append(out, 0xff, marker, byte((len(body)+2)>>8), byte(len(body)+2))
			out = append(out, body...)
		}
		return append(out, data[s.end:]...)
	}
}

func TestErrors(t *testing.T) {
	plain := named(t, "1x4,1x1,1x1/35x21/q90")
	restart := named(t, "2x1,1x1,1x1/17x9/q30/-restart 1")
	progressive := named(t, "2x1,1x1,1x1/35x21/q90")
	remove := func([]byte) []byte { return nil }
	set := func(at int, to byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = to; return b }
	}
	behindScan := func(data []byte, change func(coded []byte)) []byte {
		data = bytes.Clone(data)
		for pos := 2; ; {
			s, err := nextSegment(data, pos)
			if err != nil {
				t.Fatal(err)
			}
			if pos = s.end; s.marker == mSOS {
				change(data[pos:])
				return data
			}
		}
	}
	rst := func(to byte) []byte {
		return behindScan(restart, func(coded []byte) {
			coded[bytes.Index(coded, []byte{0xff, mRST0})+1] = to
		})
	}
	for _, c := range []struct {
		name string
		data []byte
		is   error
		says string
	}{
		{"nothing", nil, nil, "no start-of-image"},
		{"start only", plain[:3], ErrTruncated, "no end-of-image"},
		{"DNL", edit(t, plain, mSOF0, 0, func(b []byte) []byte { b[1], b[2] = 0, 0; return b }), ErrUnsupported, "DNL"},
		{"no width", edit(t, plain, mSOF0, 0, func(b []byte) []byte { b[3], b[4] = 0, 0; return b }), nil, "width is 0"},
		{"huge", edit(t, plain, mSOF0, 0, func(b []byte) []byte { return append([]byte{8, 255, 255, 255, 255}, b[5:]...) }), ErrTruncated, "cannot hold"},
		{"two components", edit(t, plain, mSOF0, 0, func(b []byte) []byte { b[5] = 2; return b[:12] }), ErrUnsupported, "2 components"},
		{"factor 0", edit(t, plain, mSOF0, 0, set(7, 0x01)), nil, "sampling factors 0x1"},
		{"factor 5", edit(t, plain, mSOF0, 0, set(7, 0x51)), nil, "sampling factors 5x1"},
		{"big MCU", edit(t, plain, mSOF0, 0, set(7, 0x44)), nil, "18 blocks"},
		{"twin ids", edit(t, plain, mSOF0, 0, set(9, 1)), nil, "two components"},
		{"no such quant", edit(t, plain, mSOF0, 0, set(8, 9)), nil, "quantization table 9"},
		{"quant missing", edit(t, plain, mDQT, 0, remove), nil, "quantization table 0 is missing"},
		{"huffman missing", edit(t, progressive, mDHT, 0, remove), nil, "Huffman table of component"},
		{"huffman too full", edit(t, plain, mDHT, 0, set(1, 3)), nil, "Huffman table"},
		{"two frames", edit(t, plain, mSOS, 0, func(b []byte) []byte { return append(b, "\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"...) }), nil, "header has"},
		{"scan of nothing", edit(t, plain, mSOS, 0, set(1, 77)), nil, "component 77"},
		{"scan twice", edit(t, plain, mSOS, 0, set(3, 1)), nil, "component 1 twice"},
		{"huffman of no standard", edit(t, plain, mSOS, 0, set(2, 0x20)), nil, "Huffman table of component"},
		{"table 7", edit(t, plain, mSOS, 0, set(2, 0x70)), nil, "Huffman tables 7 and 0"},
		{"bad code", behindScan(plain, func(b []byte) { copy(b, "\xff\x00\xff\x00\xff\x00\xff\x00") }), nil, "damaged entropy-coded data"},
		{"marker in scan", behindScan(plain, func(b []byte) { copy(b, "\xff\xd9") }), ErrTruncated, "ends before its last block"},
		{"wrong restart", rst(mRST0 + 1), nil, "no restart marker 0"},
		{"no restart", rst(0), nil, "scan 1"},
		{"band", edit(t, progressive, mSOS, 1, set(4, 64)), nil, "no progressive scan"},
		{"bits", edit(t, progressive, mSOS, 1, func(b []byte) []byte { b[len(b)-1] = 0x51; return b }), nil, "no progressive scan"},
		{"continues nothing", edit(t, progressive, mSOS, 1, func(b []byte) []byte { b[len(b)-1] = 0x21; return b }), nil, "doesn't continue"},
	} {
		m, err := new(Decoder).Decode(context.Background(), c.data)
		switch {
		case err == nil:
			t.Errorf("%s: %d planes and no error", c.name, len(m.Planes))
		case c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%s: %v is not %v", c.name, err, c.is)
		case !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: %v doesn't say %q", c.name, err, c.says)
		}
	}
}

// A scan that is left out of a file leaves its component without data.
func TestMissingScan(t *testing.T) {
	data := named(t, "split/2x2")
	last := bytes.LastIndex(data, []byte{0xff, mSOS})
	if _, err := new(Decoder).Decode(context.Background(), append(bytes.Clone(data[:last]), 0xff, mEOI)); !errors.Is(err, ErrTruncated) {
		t.Errorf("error %v, want %v", err, ErrTruncated)
	}
}
