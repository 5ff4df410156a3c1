package webp

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// single writes a code of one symbol, with its length among those of all n words if it is normal.
func (w *bitWriter) single(symbol, n int, normal bool) {
	if !normal {
		w.put(1+4, 3)
		w.put(uint64(symbol), 8)
		return
	}
	w.put(0, 1)
	w.put(0, 4) // 4 lengths: of 17, 18, 0 and 1
	for _, length := range []uint64{0, 0, 1, 1} {
		w.put(length, 3)
	}
	w.put(0, 1)
	for i := range n {
		w.put(uint64(min(1, max(0, 1-max(i-symbol, symbol-i)))), 1)
	}
}

// grouped is a picture of tiles of 4x4 that have 256 groups of codes in turn, which write writes.
func grouped(side int, write func(w *bitWriter, group int)) []byte {
	var w bitWriter
	w.put(0x2f, 8)
	w.put(uint64(side-1), 14)
	w.put(uint64(side-1), 14)
	w.put(0, 4+1)
	w.put(1, 1) // a cache
	w.put(maxCacheBits, 4)
	w.put(1, 1)     // tiles
	w.put(0, 3+1+1) // of 4x4, without cache; a code of 256 words of 8 bits
	w.put(12-4, 4)
	for _, length := range []uint64{0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1} {
		w.put(length, 3)
	}
	w.put(0, 1)
	for i := range cached {
		w.put(uint64(1-min(1, i/256)), 1)
	}
	for range 4 {
		w.single(0, 0, false)
	}
	for i := range side / 4 * (side / 4) {
		w.put(uint64(reversed(i%256)), 8)
	}
	for i := range 256 {
		write(&w, i)
	}
	w.put(0, 64)
	return losslessFile(w.bytes)
}

// heavy has tables of four codes that no pixel uses: all are the cache's first colour.
func heavy(w *bitWriter, group int) {
	w.single(cached, cached+1<<maxCacheBits, true)
	for range 4 {
		w.put(1+2+4, 3) // two symbols
		w.put(uint64(group%32), 8)
		w.put(uint64(group%32+1), 8)
	}
}

// Groups that have one colour have no tables, however their codes are written.
func TestConstantGroups(t *testing.T) {
	for _, normal := range []bool{false, true} {
		data := grouped(1024, func(w *bitWriter, group int) {
			w.single(group, cached+1<<maxCacheBits, normal)
			w.single(group/2, literals, normal)
			w.single(255-group, literals, normal)
			w.single(255, literals, normal)
			w.single(0, distanceCodes, normal)
		})
		var d Decoder
		f, rgb, err := decodeFile(&d, data)
		if err != nil {
			t.Fatal(err)
		}
		if c := &d.lossless.codes; c.rebuilt != 0 || len(c.tables) != 0 {
			t.Errorf("normal codes %v: %d words and entries were built again, %d entries are there", normal, c.rebuilt, len(c.tables))
		}
		for at := 0; at < len(rgb); at += 3 {
			x, y := at/3%f.Width, at/3/f.Width
			group := (y/4*(f.Width/4) + x/4) % 256
			if !bytes.Equal(rgb[at:at+3], []byte{byte(group / 2), byte(group), byte(255 - group)}) {
				t.Fatalf("normal codes %v: pixel %d, %d is %v", normal, x, y, rgb[at:at+3])
			}
		}
	}
}

// What building tables again takes is bounded; a file that needs more is refused, and says why.
func TestRebuildingIsBounded(t *testing.T) {
	var d Decoder
	f, rgb, err := decodeFile(&d, grouped(256, heavy))
	if c := &d.lossless.codes; err != nil || c.generation < 10 || !bytes.Equal(rgb, make([]byte, len(rgb))) {
		t.Errorf("%v; tables were dropped %d times", err, c.generation-1)
	}
	if n, most := int64(d.Kept()), f.Memory(f.Frame); n > most {
		t.Errorf("%d bytes are kept, Memory says %d", n, most)
	}
	f, _, err = decodeFile(&d, grouped(1024, heavy))
	if err == nil || !strings.Contains(err.Error(), "256 groups of prefix codes") {
		t.Error(err)
	}
	most := maxRebuilt(1024*1024) + groupEntries + maxAlphabet + 3*literals + distanceCodes
	if c := &d.lossless.codes; c.rebuilt > most || len(c.tables) > c.most {
		t.Errorf("%d words and entries were built again, at most %d; %d entries of at most %d", c.rebuilt, most, len(c.tables), c.most)
	}
	if n, most := int64(d.Kept()), f.Memory(f.Frame); n > most {
		t.Errorf("%d bytes are kept, Memory says %d", n, most)
	}
}

// Group numbers are kept for as many groups as the file can have; Memory counts them.
func TestGroupNumbers(t *testing.T) {
	for _, count := range []int{300, 60000} {
		var w bitWriter
		w.put(0x2f, 8)
		w.put(7, 14)
		w.put(7, 14)
		w.put(0, 4+1+1)
		w.put(1, 1)   // tiles
		w.put(0, 3+1) // of 4x4, without cache: all have the last group
		for _, number := range []int{(count - 1) % 256, (count - 1) / 256, 0, 0, 0} {
			w.single(number, 0, false)
		}
		for range 5 * count {
			w.put(1, 4) // one symbol: 0
		}
		w.put(0, 64)
		data := losslessFile(w.bytes)
		f, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		var d VP8LDecoder
		rgb := make([]byte, 3*8*8)
		if err := d.Decode(t.Context(), f.Lossless, f.Frame, rgb); err != nil || !bytes.Equal(rgb, make([]byte, len(rgb))) {
			t.Errorf("%d groups: %v, or other pixels", count, err)
		}
		if n, most := int64(d.Kept()), f.Lossless.Memory(f.Frame); cap(d.indices) < count || n > most {
			t.Errorf("%d groups: %d numbers, %d bytes are kept, Memory says %d", count, cap(d.indices), n, most)
		}
		w.bytes = w.bytes[:len(w.bytes)-10-count/2] // no room for so many
		if f, err = Parse(losslessFile(w.bytes)); err != nil {
			t.Fatal(err)
		}
		d = VP8LDecoder{}
		if err := d.Decode(t.Context(), f.Lossless, f.Frame, rgb); !errors.Is(err, ErrTruncated) || cap(d.indices) > 0 {
			t.Errorf("%d groups that aren't there: %v, %d numbers", count, err, cap(d.indices))
		}
	}
}

// ending is a context that ends when it has been asked so often.
type ending struct {
	context.Context
	left int
}

var errEnding = errors.New("enough")

func (e *ending) Err() error {
	if e.left--; e.left < 0 {
		return errEnding
	}
	return nil
}

func (e *ending) Deadline() (time.Time, bool) { return time.Time{}, false }

// The context is asked within a band of rows: at each group that is built again, and every some thousand pixels.
func TestCancelWithinRows(t *testing.T) {
	for name, data := range map[string][]byte{
		"groups": grouped(1024, heavy),
		"pixels": wide(t, 16000, 16),
	} {
		f, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		first := f.Frame
		first.Max.Y = bandRows
		count := func(left int) (int, error) {
			var d Decoder
			ctx := &ending{t.Context(), left}
			err := d.Decode(ctx, f, first, make([]byte, 3*first.Dx()*first.Dy()))
			return left - ctx.left, err
		}
		most := 1 << 30
		asked, err := count(most)
		if err != nil {
			t.Fatal(err)
		}
		if asked < 8 {
			t.Errorf("%s: asked %d times", name, asked)
		}
		if _, err := count(asked - 1); err == nil {
			t.Errorf("%s: the last answer doesn't count", name)
		}
	}
}
