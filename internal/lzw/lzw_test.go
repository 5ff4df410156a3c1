package lzw

import (
	"bytes"
	stdlzw "compress/lzw"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	tifflzw "golang.org/x/image/tiff/lzw"
)

// slow decodes GIF's codes, or TIFF's, as the specifications describe it: a bit at a time, strings as strings. damaged
// means a code that stands for nothing before there are n bytes.
func slow(data []byte, literalBits, n int, tiff bool) (out []byte, damaged bool) {
	at := 0
	read := func(width int) (code int, ok bool) {
		for i := range width {
			if at == 8*len(data) {
				return 0, false
			}
			if tiff {
				code = code<<1 | int(data[at/8]>>(7-at%8)&1)
			} else {
				code |= int(data[at/8]>>(at%8)&1) << i
			}
			at++
		}
		return code, true
	}
	clearCode := 1 << literalBits
	early := 0
	if tiff {
		early = 1
	}
	var table [][]byte
	var before []byte
	width := 0
	begin := func() {
		table = nil
		for i := range clearCode {
			table = append(table, []byte{uint8(i)})
		}
		table, before, width = append(table, nil, nil), nil, literalBits+1
	}
	begin()
	for len(out) < n {
		code, ok := read(width)
		if !ok {
			return out, false
		}
		switch {
		case code == clearCode:
			begin()
			continue
		case code == clearCode+1:
			return out, false
		case before == nil && code > clearCode, code > len(table):
			return out, true
		}
		if before == nil {
			before = table[code]
			out = append(out, before...)
			continue
		}
		var s []byte
		if code == len(table) {
			s = append(bytes.Clone(before), before[0])
		} else {
			s = table[code]
		}
		if len(table) < 4096 {
			table = append(table, append(bytes.Clone(before), s[0]))
			if len(table) == 1<<width-early && width < 12 && len(table) > clearCode+2 && len(table)-1 <= 1<<width-1-early {
				width++
			}
		}
		before = s
		out = append(out, s...)
	}
	return out[:n], false
}

// text is bytes below a limit, of different kinds.
func text(r *rand.Rand, n, limit int) []byte {
	p := make([]byte, n)
	kind, v := r.IntN(4), 0
	for i := range p {
		switch {
		case kind == 0:
			v = r.IntN(limit)
		case kind == 1 && r.IntN(50) == 0, kind == 2 && r.IntN(3) == 0:
			v = r.IntN(limit)
		case kind == 3 && r.IntN(9) > 0 && i > 20:
			v = int(p[i-20])
		}
		p[i] = uint8(v)
	}
	return p
}

func pack(t testing.TB, data []byte, literalBits int, tiff bool) []byte {
	t.Helper()
	if tiff {
		return packTIFF(data)
	}
	var b bytes.Buffer
	w := stdlzw.NewWriter(&b, stdlzw.LSB, literalBits)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packTIFF is an encoder with TIFF's order and early change; it clears a full table.
func packTIFF(data []byte) (out []byte) {
	var bits uint64
	have, width, next := 0, 9, 258
	put := func(code int) {
		bits, have = bits<<width|uint64(code), have+width
		for ; have >= 8; have -= 8 {
			out = append(out, uint8(bits>>(have-8)))
		}
	}
	put(256)
	table := map[string]int{}
	code := func(s []byte) int {
		if len(s) == 1 {
			return int(s[0])
		}
		return table[string(s)]
	}
	begin := 0
	for i := range data {
		s := data[begin : i+1]
		if _, known := table[string(s)]; known || len(s) == 1 {
			continue
		}
		put(code(data[begin:i]))
		table[string(s)] = next
		next++
		if next == 1<<width {
			width++
		}
		if next == 4095 {
			put(256)
			width, next, table = 9, 258, map[string]int{}
		}
		begin = i
	}
	if begin < len(data) {
		put(code(data[begin:]))
		if next == 1<<width-1 && width < 12 {
			width++
		}
	}
	put(257)
	width = 7
	put(0)
	return out
}

// all reads n bytes by pieces of random sizes.
func all(r *rand.Rand, d *Decoder, n int) (out []byte, err error) {
	for len(out) < n && err == nil {
		var p []byte
		p, err = d.Next(min(n-len(out), 1+r.IntN(1+r.IntN(20000))))
		out = append(out, p...)
	}
	return out, err
}

// compare compares with slow, with assembly and without.
func compare(t *testing.T, r *rand.Rand, d *Decoder, data []byte, literalBits, n int, tiff bool) {
	t.Helper()
	want, damaged := slow(data, literalBits, n, tiff)
	defer func(was bool) { useAssembly = was }(useAssembly)
	for range 2 {
		useAssembly = haveAssembly() && !useAssembly
		same(t, r, d, data, literalBits, n, tiff, want, damaged)
	}
}

func same(t *testing.T, r *rand.Rand, d *Decoder, data []byte, literalBits, n int, tiff bool, want []byte, damaged bool) {
	t.Helper()
	if tiff {
		d.ResetTIFF(data)
	} else {
		d.ResetGIF(data, literalBits)
	}
	got, err := all(r, d, n)
	switch {
	case !bytes.Equal(got, want):
		t.Fatalf("%d literal bits, TIFF %v: %d bytes, want %d, or others", literalBits, tiff, len(got), len(want))
	case damaged != errors.Is(err, ErrDamaged), !damaged && len(want) < n && !errors.Is(err, io.ErrUnexpectedEOF), len(want) == n && err != nil:
		t.Fatalf("%d literal bits, TIFF %v: %d of %d bytes, damaged %v: %v", literalBits, tiff, len(want), n, damaged, err)
	}
}

func TestEqualsSlow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var d Decoder
	for i := range 1500 {
		literalBits, tiff := r.IntN(13), i%3 == 0
		if tiff {
			literalBits = 8
		}
		var data []byte
		n := r.IntN(1 + r.IntN(60000))
		if literalBits >= 2 && literalBits <= 8 && i%5 > 0 {
			data = pack(t, text(r, n, 1<<literalBits), literalBits, tiff)
		} else {
			data = text(r, r.IntN(2000), 256)
		}
		switch i % 4 {
		case 1:
			data = data[:r.IntN(len(data)+1)]
		case 2:
			for range min(len(data), 3) {
				data[r.IntN(len(data))] = uint8(r.Uint32())
			}
		case 3:
			n += r.IntN(300)
		}
		if tiff && len(data) > 1 && data[0] == 0 {
			data[0] = 0x80
		}
		compare(t, r, &d, data, literalBits, n, tiff)
	}
}

// Codes that go on without a clear code when the table is full.
func TestFullTable(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var d Decoder
	for _, tiff := range []bool{false, true} {
		data := make([]byte, 30000)
		for i := range data {
			data[i] = uint8(r.Uint32()) &^ 0x80 // hardly a clear code; literals and young strings
		}
		for range 50 {
			data[0], data[1] = 0x80, uint8(r.Uint32())
			compare(t, r, &d, data, 8, 1<<20, tiff)
			data[r.IntN(len(data))] = uint8(r.Uint32())
		}
	}
	// The longest strings: a code for each string as it is made, until the table is full.
	var out []byte
	var bits uint64
	have, width, next := 0, 3, 6
	put := func(code int) {
		bits, have = bits|uint64(code)<<have, have+width
		for ; have >= 8; have -= 8 {
			out = append(out, uint8(bits))
			bits >>= 8
		}
	}
	put(1)
	for range 6000 {
		put(min(next, 4095))
		if next < 4096 {
			if next++; next == 1<<width && width < 12 {
				width++
			}
		}
	}
	put(0)
	compare(t, r, &d, out, 2, 16<<20, false)
}

func TestEqualsLibraries(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var d Decoder
	for i := range 200 {
		literalBits := 2 + r.IntN(7)
		data := text(r, r.IntN(30000), 1<<literalBits)
		coded := pack(t, data, literalBits, false)
		d.ResetGIF(coded, literalBits)
		if got, err := all(r, &d, len(data)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d: %v, or other bytes", i, err)
		}
		data = text(r, r.IntN(30000), 256)
		coded = packTIFF(data)
		if theirs, err := io.ReadAll(tifflzw.NewReader(bytes.NewReader(coded), tifflzw.MSB, 8)); err != nil || !bytes.Equal(theirs, data) {
			t.Fatalf("the encoder is at fault: %v", err)
		}
		d.ResetTIFF(coded)
		if got, err := all(r, &d, len(data)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("TIFF %d: %v, or other bytes", i, err)
		}
	}
}

// Bits in GIF's order with TIFF's literals, as libtiff wrote them before version 6.0 of TIFF.
func TestOldTIFF(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	data := text(r, 20000, 256)
	coded := pack(t, data, 8, false)
	var d Decoder
	d.ResetTIFF(coded)
	if got, err := all(r, &d, len(data)); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%v, or other bytes", err)
	}
}

func TestNoAllocation(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	data := text(r, 20000, 256)
	coded := pack(t, data, 8, false)
	var d Decoder
	d.ResetGIF(coded, 8)
	if n := testing.AllocsPerRun(10, func() {
		d.ResetGIF(coded, 8)
		for range 40 {
			if _, err := d.Next(500); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if d.Kept() > Memory+slack {
		t.Errorf("%d bytes are kept, Memory is %d", d.Kept(), Memory)
	}
}

// FuzzLZW: the bytes and the errors of the slow decoder, of whatever codes.
func FuzzLZW(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	f.Add(pack(f, text(r, 500, 4), 2, false), uint8(2), false)
	f.Add(packTIFF(text(r, 500, 256)), uint8(8), true)
	f.Fuzz(func(t *testing.T, data []byte, literalBits uint8, tiff bool) {
		if tiff {
			literalBits = 8
			if len(data) > 1 && data[0] == 0 && data[1]&1 != 0 {
				return // old
			}
		}
		var d Decoder
		compare(t, rand.New(rand.NewPCG(1, uint64(len(data)))), &d, data, int(literalBits%13), 1<<16, tiff)
	})
}

// photo is like a row of pixels of 256 colours.
func photo(n int) []byte {
	r := rand.New(rand.NewPCG(1, 3))
	p := make([]byte, n)
	v := 0
	for i := range p {
		if r.IntN(3) > 0 {
			v = (v + r.IntN(5) + 254) & 255
		}
		p[i] = uint8(v)
	}
	return p
}

func BenchmarkGIF(b *testing.B) {
	data := photo(375 * 500)
	coded := pack(b, data, 8, false)
	b.Run("own", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		var d Decoder
		for b.Loop() {
			d.ResetGIF(coded, 8)
			for range 375 {
				if _, err := d.Next(500); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("compress-lzw", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		row := make([]byte, 500)
		for b.Loop() {
			r := stdlzw.NewReader(bytes.NewReader(coded), stdlzw.LSB, 8)
			for range 375 {
				if _, err := io.ReadFull(r, row); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkTIFF(b *testing.B) {
	data := photo(3 * 375 * 500)
	coded := packTIFF(data)
	b.Run("own", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		var d Decoder
		for b.Loop() {
			d.ResetTIFF(coded)
			for range 375 {
				if _, err := d.Next(1500); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("x-image", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		row := make([]byte, 1500)
		for b.Loop() {
			r := tifflzw.NewReader(bytes.NewReader(coded), tifflzw.MSB, 8)
			for range 375 {
				if _, err := io.ReadFull(r, row); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
