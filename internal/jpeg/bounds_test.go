package jpeg

import (
	"bytes"
	"context"
	"errors"
	"image"
	"runtime"
	"strings"
	"testing"
)

// frameOf says another size in a file's frame header.
func frameOf(t testing.TB, data []byte, marker byte, height, width int) []byte {
	return edit(t, data, marker, 0, func(b []byte) []byte {
		b[1], b[2], b[3], b[4] = byte(height>>8), byte(height), byte(width>>8), byte(width)
		return b
	})
}

// Nothing is allocated in proportion to a picture that will be refused.
func TestRefusedPicturesTakeNothing(t *testing.T) {
	plain := frameOf(t, named(t, "1x4,1x1,1x1/35x21/q90"), mSOF0, 16000, 16000)
	progressive := frameOf(t, named(t, "2x1,1x1,1x1/35x21/q90"), mSOF2, 16000, 16000)
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"big MCU": {edit(t, plain, mSOF0, 0, func(b []byte) []byte {
			b[7], b[10], b[13] = 0x44, 0x44, 0x44
			return b
		}), "an MCU has 48 blocks"},
		"no quant table": {edit(t, plain, mDQT, 0, func([]byte) []byte { return nil }), "quantization table 0 is missing"},
		"no such scan":   {edit(t, progressive, mSOS, 0, func(b []byte) []byte { b[1] = 99; return b }), "component 99"},
		"no table":       {edit(t, progressive, mDHT, 0, func([]byte) []byte { return nil }), "Huffman table of component"},
	} {
		for _, fill := range []bool{false, true} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d := Decoder{Fill: fill}
			_, err := d.Decode(t.Context(), c.data)
			runtime.ReadMemStats(&after)
			if err == nil || fill && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, fill %v: %v", name, fill, err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
				t.Errorf("%s, fill %v: %d bytes were allocated", name, fill, n)
			}
		}
	}
}

// RegionBytes is what decoding takes, filling and smoothing included.
func TestRegionBytesAreEnough(t *testing.T) {
	for _, name := range []string{"1x4,1x1,1x1/35x21/q90", "2x1,1x1,1x1/35x21/q90"} {
		data := named(t, name)
		marker := byte(mSOF0)
		if bytes.Contains(data, []byte{0xff, mSOF2}) {
			marker = mSOF2
		}
		data = frameOf(t, data, marker, 3000, 2000)
		h, err := ReadHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, region := range []image.Rectangle{image.Rect(0, 0, 2000, 3000), image.Rect(900, 50, 1000, 120)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d := Decoder{Fill: true}
			if _, err := d.DecodeRegion(t.Context(), data, region, 1, nil); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if n := int64(after.TotalAlloc - before.TotalAlloc); n > h.RegionBytes(region, 1)+1<<20 {
				t.Errorf("%s, %v: %d bytes were allocated, RegionBytes says %d", name, region, n, h.RegionBytes(region, 1))
			}
		}
	}
}

// withScans is a progressive file whose last scan is there so many times.
func withScans(t testing.TB, n, height, width int) []byte {
	data := frameOf(t, named(t, "2x1,1x1,1x1/35x21/q90"), mSOF2, height, width)
	last := bytes.LastIndex(data, []byte{0xff, mSOS})
	scan := data[last : len(data)-2]
	out := bytes.Clone(data[:last])
	for have := bytes.Count(data[:last], []byte{0xff, mSOS}); have < n; have++ {
		out = append(out, scan...)
	}
	return append(out, 0xff, mEOI)
}

// Large pictures may have a hundred scans, small ones more.
func TestTooManyScans(t *testing.T) {
	d := Decoder{Fill: true} // or else repeated scans are an error
	for _, c := range []struct {
		scans, height, width int
		refused              bool
	}{
		{100, 4000, 4000, false}, {101, 4000, 4000, true}, {400, 21, 35, false}, {500, 21, 35, false}, {501, 21, 35, true},
	} {
		_, err := d.DecodeRegion(t.Context(), withScans(t, c.scans, c.height, c.width), image.Rect(0, 0, 8, 8), 1, nil)
		if c.refused != errors.Is(err, ErrUnsupported) || !c.refused && err != nil || c.refused && !strings.Contains(err.Error(), "scans of") {
			t.Errorf("%d scans of %dx%d: %v", c.scans, c.height, c.width, err)
		}
	}
}

// ending is a context that ends at its n-th look.
type ending struct {
	context.Context
	looks, end int
}

func (e *ending) Err() error {
	if e.looks++; e.looks > e.end {
		return context.Canceled
	}
	return nil
}

// A decoder looks at its context at every row, and ends soon, with its cause.
func TestDecodingEndsWithItsContext(t *testing.T) {
	plain, restart := named(t, "1x4,1x1,1x1/35x21/q90"), named(t, "2x1,1x1,1x1/17x9/q30/-restart 1")
	split := named(t, "split/2x2")
	for name, data := range map[string][]byte{"sequential": plain, "restarts": restart, "split": split, "cut": plain[:len(plain)-9],
		"progressive": named(t, "2x1,1x1,1x1/35x21/q90"), "large": withScans(t, 60, 900, 100)} {
		for _, fill := range []bool{false, true} {
			all := &ending{Context: t.Context(), end: 1 << 30}
			_, whole := (&Decoder{Fill: fill}).Decode(all, data)
			if all.looks < 5 || name == "large" && fill && all.looks < 300 {
				t.Errorf("%s, fill %v: %d looks", name, fill, all.looks)
			}
			for end := range min(all.looks, 300) {
				e := &ending{Context: t.Context(), end: end}
				_, err := (&Decoder{Fill: fill}).Decode(e, data) // one that knows the header looks less often
				if err == nil && whole == nil || errors.Is(err, ErrTruncated) || e.looks > end+8 {
					t.Fatalf("%s, fill %v: %v after look %d, %d in all", name, fill, err, end, e.looks)
				}
			}
		}
	}
}
