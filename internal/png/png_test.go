package png

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	stdpng "image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// chunk is a chunk of a file.
func chunk(kind string, body ...byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

func ihdr(h Header) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(h.Width))
	body = binary.BigEndian.AppendUint32(body, uint32(h.Height))
	interlaced := byte(0)
	if h.Interlaced {
		interlaced = 1
	}
	return chunk("IHDR", append(body, byte(h.Depth), byte(h.Colour), 0, 0, interlaced)...)
}

// raw is rows of noise with a random filter each: any such bytes are a picture.
func raw(h Header, r *rand.Rand) []byte {
	var out []byte
	rows := func(width, height int) {
		if width <= 0 {
			return
		}
		for range height {
			out = append(out, byte(r.IntN(5)))
			for range h.rowBytes(width) {
				out = append(out, byte(r.Uint32()>>r.IntN(8)))
			}
		}
	}
	if !h.Interlaced {
		rows(h.Width, h.Height)
		return out
	}
	for _, p := range passes {
		rows((h.Width-p.x+p.dx-1)/p.dx, (h.Height-p.y+p.dy-1)/p.dy)
	}
	return out
}

func pack(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func plte(n int) []byte {
	body := make([]byte, 3*n)
	for i := range body {
		body[i] = byte(i * 37)
	}
	return chunk("PLTE", body...)
}

func join(parts ...[]byte) []byte { return append([]byte(signature), bytes.Join(parts, nil)...) }

func decode(data []byte) (*File, []byte, error) {
	f, err := Parse(data, nil)
	if err != nil {
		return nil, nil, err
	}
	pix := make([]byte, 3*f.Width*f.Height)
	return f, pix, new(Decoder).Decode(context.Background(), f, pix)
}

// standard is what image/png reads, as RGB by this package's rules.
func standard(data []byte) ([]byte, error) {
	img, err := stdpng.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	b := img.Bounds()
	out := make([]byte, 0, 3*b.Dx()*b.Dy())
	for y := range b.Dy() {
		for x := range b.Dx() {
			switch m := img.(type) {
			case *image.NRGBA:
				c := m.NRGBAAt(x, y)
				out = append(out, c.R, c.G, c.B)
			case *image.NRGBA64:
				c := m.NRGBA64At(x, y)
				out = append(out, uint8(c.R>>8), uint8(c.G>>8), uint8(c.B>>8))
			case *image.Paletted:
				c := color.NRGBAModel.Convert(opaque(m.At(x, y))).(color.NRGBA)
				out = append(out, c.R, c.G, c.B)
			default:
				r, g, b, _ := img.At(x, y).RGBA()
				out = append(out, uint8(r>>8), uint8(g>>8), uint8(b>>8))
			}
		}
	}
	return out, nil
}

func opaque(c color.Color) color.Color {
	switch c := c.(type) {
	case color.NRGBA:
		c.A = 255
		return c
	case color.RGBA:
		c.A = 255
		return c
	}
	return c
}

// Every colour type, depth and order of rows, odd sizes, in one IDAT chunk and in many.
func TestEqualsImagePNG(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for colour, set := range depths {
		for depth := 1; depth <= 16; depth *= 2 {
			if set&(1<<depth) == 0 {
				continue
			}
			for i := range 60 {
				h := Header{1 + r.IntN(40), 1 + r.IntN(30), depth, colour, i%2 == 1}
				if i > 55 {
					h.Width, h.Height = 300+r.IntN(400), 200+r.IntN(100)
				}
				parts := [][]byte{ihdr(h)}
				if colour == Palette {
					parts = append(parts, plte(1<<depth))
				}
				data := pack(raw(h, r))
				for i%3 == 0 && len(data) > 5 {
					n := r.IntN(len(data) / 2)
					parts, data = append(parts, chunk("IDAT", data[:n]...)), data[n:]
				}
				file := join(append(parts, chunk("IDAT", data...), chunk("IEND"))...)
				want, err := standard(file)
				if err != nil {
					t.Fatal(err)
				}
				if _, got, err := decode(file); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%+v: %v, equal: %v", h, err, bytes.Equal(got, want))
				}
			}
		}
	}
}

func goroot(t *testing.T) string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("go env GOROOT: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// Go's own copy of PngSuite.
func TestSuite(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(goroot(t), "src/image/png/testdata/pngsuite/*.png"))
	if len(files) == 0 {
		t.Skip("this Go has no source tree with PngSuite")
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := standard(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := decode(data); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, equal: %v", filepath.Base(name), err, bytes.Equal(got, want))
		}
	}
}

var small = Header{3, 2, 8, RGB, false}

// smallRows are its rows, unfiltered.
var smallRows = []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 10, 11, 12, 13, 14, 15, 16, 17, 18}

func smallPicture() []byte { return append(bytes.Clone(smallRows[1:10]), smallRows[11:]...) }

// What libpng takes with a warning, and Pillow without a word.
func TestTolerance(t *testing.T) {
	packed := pack(smallRows)
	broken := func(c []byte) []byte { c[len(c)-1]++; return c }
	grey := Header{3, 2, 8, Grey, false}
	greyRows := pack([]byte{0, 1, 2, 3, 0, 4, 5, 6})
	for name, file := range map[string][]byte{
		"more rows than the picture":   join(ihdr(small), chunk("IDAT", pack(append(bytes.Clone(smallRows), smallRows...))...), chunk("IEND")),
		"bytes behind the stream":      join(ihdr(small), chunk("IDAT", append(bytes.Clone(packed), 1, 2, 3)...), chunk("IEND")),
		"an IDAT behind the stream":    join(ihdr(small), chunk("IDAT", packed...), chunk("IDAT", 9, 9), chunk("IEND")),
		"an empty IDAT":                join(ihdr(small), chunk("IDAT"), chunk("IDAT", packed[:4]...), chunk("IDAT"), chunk("IDAT", packed[4:]...), chunk("IEND")),
		"an IDAT later on":             join(ihdr(small), chunk("IDAT", packed...), chunk("tIME", 1), chunk("IDAT", 1), chunk("IEND")),
		"no Adler-32":                  join(ihdr(small), chunk("IDAT", packed[:len(packed)-4]...), chunk("IEND")),
		"tRNS before PLTE":             join(ihdr(small), chunk("tRNS", 0, 1, 0, 2, 0, 3), plte(4), chunk("IDAT", packed...), chunk("IEND")),
		"PLTE behind the pixels":       join(ihdr(small), chunk("IDAT", packed...), plte(4), chunk("IEND")),
		"gAMA twice, and too short":    join(ihdr(small), chunk("gAMA", 1), chunk("gAMA", 1, 2, 3, 4), chunk("IDAT", packed...), chunk("IEND")),
		"a wrong checksum of a tEXt":   join(ihdr(small), broken(chunk("tEXt", 'a', 0, 'b')), chunk("IDAT", packed...), chunk("IEND")),
		"an unknown ancillary chunk":   join(ihdr(small), chunk("puLp", 1, 2, 3), chunk("IDAT", packed...), chunk("IEND")),
		"no IEND":                      join(ihdr(small), chunk("IDAT", packed...)),
		"a broken IEND, and garbage":   join(ihdr(small), chunk("IDAT", packed...), broken(chunk("IEND")), []byte("garbage")),
		"garbage behind the pixels":    join(ihdr(small), chunk("IDAT", packed...), []byte{0, 0, 0, 9, 1, 2, 3, 4, 5}),
		"the last chunk without a CRC": join(ihdr(small), chunk("IDAT", packed...)[:8+len(packed)]),
		"a cut tEXt behind the pixels": join(ihdr(small), chunk("IDAT", packed...), chunk("tEXt", 1, 2, 3)[:9]),
		"a suggested palette, broken":  join(ihdr(small), chunk("PLTE", 1, 2), chunk("IDAT", packed...), chunk("IEND")),
	} {
		f, got, err := decode(file)
		if err != nil || !bytes.Equal(got, smallPicture()) || f.Width != 3 || f.Height != 2 {
			t.Errorf("%s: %v, % d", name, err, got)
		}
	}
	file := join(ihdr(grey), plte(4), plte(4), chunk("IDAT", greyRows...), chunk("IEND"))
	if _, got, err := decode(file); err != nil || !bytes.Equal(got, []byte{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6}) {
		t.Errorf("palettes in a grey file: %v, % d", err, got)
	}
	file = join(ihdr(Header{4, 1, 8, Palette, false}), plte(2), chunk("IDAT", pack([]byte{0, 0, 1, 2, 255})...), chunk("IEND"))
	if _, got, err := decode(file); err != nil || !bytes.Equal(got, []byte{0, 37, 74, 111, 148, 185, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("colours beyond the palette: %v, % d", err, got)
	}
}

func TestDamaged(t *testing.T) {
	packed := pack(smallRows)
	broken := func(c []byte, at int) []byte { c = bytes.Clone(c); c[at]++; return c }
	long := bytes.Clone(smallRows)
	long[0] = 5
	for name, c := range map[string]struct {
		file []byte
		cut  bool // the error is ErrTruncated
	}{
		"no chunk":              {join(), true},
		"no IDAT":               {join(ihdr(small), chunk("IEND")), true},
		"IEND before IDAT":      {join(ihdr(small), chunk("IEND"), chunk("IDAT", packed...)), true},
		"IEND before the IDAT":  {join(ihdr(small), chunk("IEND"), chunk("IDAT", packed...)), true},
		"no IHDR":               {join(chunk("IDAT", packed...), chunk("IEND")), false},
		"Apple's":               {join(chunk("CgBI", 0, 0, 0, 0), ihdr(small), chunk("IDAT", packed...)), false},
		"IHDR twice":            {join(ihdr(small), ihdr(small), chunk("IDAT", packed...)), false},
		"IHDR's checksum":       {join(broken(ihdr(small), 22), chunk("IDAT", packed...)), false},
		"IDAT's checksum":       {join(ihdr(small), broken(chunk("IDAT", packed...), 9+len(packed))), false},
		"no width":              {join(ihdr(Header{0, 2, 8, RGB, false}), chunk("IDAT", packed...)), false},
		"depth":                 {join(ihdr(Header{3, 2, 4, RGB, false}), chunk("IDAT", packed...)), false},
		"colour":                {join(ihdr(Header{3, 2, 8, 5, false}), chunk("IDAT", packed...)), false},
		"no palette":            {join(ihdr(Header{3, 2, 8, Palette, false}), chunk("IDAT", packed...)), false},
		"a palette too long":    {join(ihdr(Header{3, 2, 8, Palette, false}), plte(257), chunk("IDAT", packed...)), false},
		"two palettes":          {join(ihdr(Header{3, 2, 8, Palette, false}), plte(2), plte(2), chunk("IDAT", packed...)), false},
		"an unknown filter":     {join(ihdr(small), chunk("IDAT", pack(long)...), chunk("IEND")), false},
		"too few rows":          {join(ihdr(small), chunk("IDAT", pack(smallRows[:12])...), chunk("IEND")), true},
		"a wrong Adler-32":      {join(ihdr(small), chunk("IDAT", broken(packed, len(packed)-1)...), chunk("IEND")), false},
		"rows cut":              {join(ihdr(small), chunk("IDAT", packed[:len(packed)-12]...), chunk("IEND")), true},
		"a chunk without name":  {join(ihdr(small), chunk("I\x00AT", packed...)), false},
		"a critical stranger":   {join(ihdr(small), chunk("ABCD", 1), chunk("IDAT", packed...)), false},
		"huge and empty":        {join(ihdr(Header{1 << 30, 1 << 30, 16, RGBA, false}), chunk("IDAT", packed...), chunk("IEND")), true},
		"another compression":   {join(ihdr(small), chunk("IDAT", broken(packed, 0)...), chunk("IEND")), false},
		"a cut before the IDAT": {join(ihdr(small), chunk("tEXt", 1, 2, 3)[:9]), true},
	} {
		_, _, err := decode(c.file)
		if err == nil || errors.Is(err, ErrTruncated) != c.cut {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A decoder that has decoded others gives the same bytes.
func TestDecoderAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var d Decoder
	for i := range 300 {
		h := Header{1 + r.IntN(90), 1 + r.IntN(50), 8 << (i % 2), []Colour{RGB, RGBA, Grey}[i%3], i%5 == 0}
		data := pack(raw(h, r))
		file := join(ihdr(h), chunk("IDAT", data[:len(data)/2]...), chunk("IDAT", data[len(data)/2:]...), chunk("IEND"))
		if i%7 == 0 {
			file = file[:len(file)/2]
		}
		f, want, wantErr := decode(file)
		if f == nil {
			continue
		}
		got := make([]byte, len(want))
		if err := d.Decode(context.Background(), f, got); (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%+v: %v, alone %v", h, err, wantErr)
		}
	}
}

func TestCancel(t *testing.T) {
	for _, interlaced := range []bool{false, true} {
		h := Header{2000, 500, 8, RGB, interlaced}
		f, err := Parse(join(ihdr(h), chunk("IDAT", pack(raw(h, rand.New(rand.NewPCG(1, 2))))...)), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		cause := errors.New("enough")
		cancel(cause)
		if err := new(Decoder).Decode(ctx, f, make([]byte, 3*h.Width*h.Height)); !errors.Is(err, cause) {
			t.Errorf("interlaced %v: %v", interlaced, err)
		}
	}
}

func TestAncillary(t *testing.T) {
	bad := chunk("tEXt", 3)
	bad[len(bad)-1]++
	var got []string
	file := join(ihdr(small), chunk("eXIf", 1), bad, chunk("IDAT", pack(smallRows)...), chunk("eXIf", 2), chunk("IEND"), chunk("eXIf", 4))
	if _, err := Parse(file, func(kind string, body []byte) { got = append(got, fmt.Sprintf("%s%v", kind, body)) }); err != nil {
		t.Fatal(err)
	}
	if want := "[eXIf[1] eXIf[2]]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// The filters' fast forms equal their definition, with assembly and without, in memory that
// ends behind what they may touch.
func TestFilters(t *testing.T) {
	defer func() { useAssembly = haveAssembly() }()
	r := rand.New(rand.NewPCG(7, 7))
	for range 1500 {
		pixel := 1 + r.IntN(8)*r.IntN(2)
		n := pixel * (1 + r.IntN(60))
		size := rowLead + n + overrun
		row, above, coded := guard.Slice[uint8](t, size), guard.Slice[uint8](t, size), guard.Slice[uint8](t, n+overrun)
		for i := range n {
			coded[i], above[rowLead+i] = byte(r.Uint32()), byte(r.Uint32()>>r.IntN(7))
		}
		if r.IntN(2) == 0 { // as masks: few changes along a row, and from row to row
			for i := range n {
				if i > 0 && r.IntN(20) > 0 {
					above[rowLead+i] = above[rowLead+i-1]
				}
				if r.IntN(20) > 0 {
					coded[i] = 0
				}
			}
		}
		filter := byte(r.IntN(5))
		want := append(make([]byte, rowLead), coded[:n]...)
		for i := rowLead; i < rowLead+n; i++ {
			a, b, c := int(want[i-min(pixel, rowLead)]), int(above[i]), int(above[i-min(pixel, rowLead)])
			switch filter {
			case subFilter:
				want[i] += byte(a)
			case upFilter:
				want[i] += byte(b)
			case averageFilter:
				want[i] += byte((a + b) / 2)
			case paethFilter:
				p := a + b - c
				pa, pb, pc := distance(p, a), distance(p, b), distance(p, c)
				switch {
				case pa <= pb && pa <= pc:
					want[i] += byte(a)
				case pb <= pc:
					want[i] += byte(b)
				default:
					want[i] += byte(c)
				}
			}
		}
		for way := range 3 {
			useAssembly = way > 0 && haveAssembly()
			for i := range row[rowLead:] {
				row[rowLead+i] = byte(r.Uint32()) // what was there before
			}
			end := n + overrun*(way%2) // where there is no more, none is used
			unfilter(filter, row, coded[:n:end], above, pixel)
			if !bytes.Equal(row[:rowLead+n], want) {
				t.Fatalf("filter %d, %d bytes of %d a pixel, way %d: % d, want % d", filter, n, pixel, way, row[:rowLead+n], want)
			}
		}
	}
}

func TestHighBytes(t *testing.T) {
	defer func() { useAssembly = haveAssembly() }()
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 200 {
		row, high := guard.Slice[uint8](t, 2*n), guard.Slice[uint8](t, n)
		var want []byte
		for i := range row {
			if row[i] = byte(r.Uint32()); i%2 == 0 {
				want = append(want, row[i])
			}
		}
		for _, useAssembly = range []bool{false, haveAssembly()} {
			clear(high)
			if takeHigh(high, row); !bytes.Equal(high, want) {
				t.Fatalf("%d bytes of % d: % d", n, row, high)
			}
		}
	}
}

func distance(a, b int) int { return max(a-b, b-a) }

// FuzzPNG: no panic, where image/png reads, the same bytes, and parts are those of the whole.
//
//	go test ./internal/png -fuzz FuzzPNG -fuzztime 3m
func FuzzPNG(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 3))
	for i := range 12 {
		h := Header{1 + r.IntN(20), 1 + r.IntN(20), 8, []Colour{RGB, RGBA, Grey, Palette}[i%4], i > 8}
		f.Add(join(ihdr(h), plte(9), chunk("IDAT", pack(raw(h, r))...), chunk("IEND")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data, nil)
		if err != nil || p.Width*p.Height > 1<<20 || p.Width > 1<<20 || p.Height > 1<<20 {
			return
		}
		_, got, err := decode(data)
		want, wantErr := standard(data)
		if wantErr == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("%v; image/png reads it; equal: %v", err, bytes.Equal(got, want))
		}
		r := rand.New(rand.NewPCG(uint64(len(data)), uint64(p.Width)))
		for range 3 {
			x, y := r.IntN(p.Width), r.IntN(p.Height)
			part := image.Rect(x, y, x+1+r.IntN(p.Width-x), y+1+r.IntN(p.Height-y))
			rgb := make([]byte, 3*part.Dx()*part.Dy())
			partErr := new(Decoder).Region(context.Background(), p, part, rgb)
			for y := range part.Dy() {
				row, whole := 3*y*part.Dx(), 3*((part.Min.Y+y)*p.Width+part.Min.X)
				if err == nil && (partErr != nil || !bytes.Equal(rgb[row:row+3*part.Dx()], got[whole:whole+3*part.Dx()])) {
					t.Fatalf("%v: %v, or not the whole's", part, partErr)
				}
			}
		}
	})
}

// kinds are pictures like photos for benchmarks, 500 x 375: slopes with a little noise, of 16 bits with low bytes that are
// noise, each row with the filter that encoders take for such pixels; coarse: as cv2.imwrite packs them, literals only.
var kinds = []struct {
	name   string
	h      Header
	filter byte
	coarse bool
}{
	{"rgb", Header{500, 375, 8, RGB, false}, paethFilter, false},
	{"rgb-coarse", Header{500, 375, 8, RGB, false}, subFilter, true},
	{"rgba", Header{500, 375, 8, RGBA, false}, averageFilter, false},
	{"grey", Header{500, 375, 8, Grey, false}, upFilter, false},
	{"palette", Header{500, 375, 8, Palette, false}, noFilter, false},
	{"grey-2bits", Header{500, 375, 2, Grey, false}, noFilter, false},
	{"rgb-16bits", Header{500, 375, 16, RGB, false}, subFilter, true},
	{"rgba-16bits", Header{500, 375, 16, RGBA, false}, paethFilter, true},
	{"interlaced", Header{500, 375, 8, RGB, true}, paethFilter, false},
}

// photo is a file of such a picture.
func photo(b testing.TB, h Header, filter byte, coarse bool) []byte {
	r := rand.New(rand.NewPCG(9, 9))
	var rows []byte
	pass := func(x0, y0, dx, dy int) {
		width, pixel := (h.Width-x0+dx-1)/dx, max(h.bits()/8, 1)
		above := make([]byte, h.rowBytes(width))
		for y := y0; y < h.Height; y += dy {
			row := make([]byte, len(above))
			for i := range row {
				x, c := x0+i/pixel*dx, i%pixel*8/max(h.Depth, 8)
				row[i] = byte(x/2 + c*y/3 + y/2 + r.IntN(9))
				if h.Depth == 16 && i%2 == 1 {
					row[i] = byte(r.Uint32())
				}
			}
			rows = append(rows, filter)
			for i := range row {
				var left, corner byte
				if i >= pixel {
					left, corner = row[i-pixel], above[i-pixel]
				}
				guess := [...]byte{0, left, above[i], byte((int(left) + int(above[i])) / 2), paeth(int32(left), int32(above[i]), int32(corner))}
				rows = append(rows, row[i]-guess[filter])
			}
			above = row
		}
	}
	if h.Interlaced {
		for _, p := range passes {
			pass(p.x, p.y, p.dx, p.dy)
		}
	} else {
		pass(0, 0, 1, 1)
	}
	level := zlib.DefaultCompression
	if coarse {
		level = zlib.HuffmanOnly
	}
	var packed bytes.Buffer
	w, err := zlib.NewWriterLevel(&packed, level)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = w.Write(rows)
	_ = w.Close()
	parts := [][]byte{ihdr(h)}
	if h.Colour == Palette {
		parts = append(parts, plte(256))
	}
	return join(append(parts, chunk("IDAT", packed.Bytes()...), chunk("IEND"))...)
}

// BenchmarkDecode: bytes are those of the RGB.
//
//	go test ./internal/png -run - -bench Decode
func BenchmarkDecode(b *testing.B) {
	for _, k := range kinds {
		data := photo(b, k.h, k.filter, k.coarse)
		b.Run(k.name, func(b *testing.B) {
			var d Decoder
			pix := make([]byte, 3*k.h.Width*k.h.Height)
			b.SetBytes(int64(len(pix)))
			b.ReportAllocs()
			for b.Loop() {
				f, err := Parse(data, nil)
				if err != nil {
					b.Fatal(err)
				}
				if err := d.Decode(context.Background(), f, pix); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(k.name+"-image-png", func(b *testing.B) {
			b.SetBytes(int64(3 * k.h.Width * k.h.Height))
			for b.Loop() {
				if _, err := stdpng.Decode(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A decoder that has decoded a picture allocates nothing for another, or a part of one, and its memory is
// within what File.Memory says; parsing takes the File and a list of its chunks.
func TestAllocations(t *testing.T) {
	for _, k := range kinds {
		data := photo(t, k.h, k.filter, k.coarse)
		body := data[8+25+8 : len(data)-16] // split into two IDAT chunks
		if k.h.Colour == Palette {
			body = data[8+25+12+3*256+8 : len(data)-16]
		}
		data = join(ihdr(k.h), plte(256), chunk("IDAT", body[:len(body)/2]...), chunk("IDAT", body[len(body)/2:]...), chunk("IEND"))
		f, err := Parse(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		pix := make([]byte, 3*k.h.Width*k.h.Height)
		part := image.Rect(33, 44, 301, 202)
		both := func() {
			if err := d.Decode(context.Background(), f, pix); err != nil {
				t.Fatal(err)
			}
			if err := d.Region(context.Background(), f, part, pix[:3*part.Dx()*part.Dy()]); err != nil {
				t.Fatal(err)
			}
		}
		both()
		if n := testing.AllocsPerRun(3, both); n > 0 {
			t.Errorf("%s: %v allocations", k.name, n)
		}
		if int64(d.Kept()) > f.Memory() {
			t.Errorf("%s: %d bytes are kept, %d were said", k.name, d.Kept(), f.Memory())
		}
		if n := testing.AllocsPerRun(3, func() { _, _ = Parse(data, nil) }); n > 2 {
			t.Errorf("%s: %v allocations for parsing", k.name, n)
		}
	}
}

// standardNumbers are the samples of each pixel of what image/png reads; grey of few bits isn't stretched.
func standardNumbers(h Header, data []byte) ([]byte, bool) {
	img, err := stdpng.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, false
	}
	var out []byte
	for y := range h.Height {
		for x := range h.Width {
			switch m := img.(type) {
			case *image.Paletted:
				out = append(out, m.ColorIndexAt(x, y))
			case *image.Gray:
				stretch := uint8(1)
				if h.Depth < 8 {
					stretch = uint8(255 / (1<<h.Depth - 1))
				}
				out = append(out, m.GrayAt(x, y).Y/stretch)
			case *image.Gray16:
				out = append(out, uint8(m.Gray16At(x, y).Y))
				if m.Gray16At(x, y).Y > 255 {
					return nil, false
				}
			default: // colours
				return nil, false
			}
		}
	}
	return out, true
}

// Numbers of grey and palettes of every depth and order of rows; colours of noise are refused,
// with the pixel.
func TestNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 1))
	for colour, set := range depths {
		for depth := 1; depth <= 16; depth *= 2 {
			if set&(1<<depth) == 0 {
				continue
			}
			for i := range 40 {
				h := Header{1 + r.IntN(40), 1 + r.IntN(30), depth, colour, i%2 == 1}
				parts := [][]byte{ihdr(h)}
				if colour == Palette {
					parts = append(parts, plte(1<<depth))
				}
				rows := raw(h, r)
				if depth == 16 && colour == Grey && i%4 < 2 {
					clear(rows) // zeros, without a filter
				}
				data := join(append(parts, chunk("IDAT", pack(rows)...), chunk("IEND"))...)
				f, err := Parse(data, nil)
				if err != nil {
					t.Fatal(err)
				}
				values := make([]byte, h.Width*h.Height)
				err = new(Decoder).Numbers(context.Background(), f, values)
				want, ok := standardNumbers(h, data)
				if rows := r.IntN(h.Height + 1); err == nil {
					first := make([]byte, rows*h.Width)
					if err := new(Decoder).FirstNumbers(context.Background(), f, rows, first); err != nil || !bytes.Equal(first, values[:len(first)]) {
						t.Fatalf("%+v: %d rows: %v, or other numbers", h, rows, err)
					}
				}
				var e *NumberError
				switch {
				case ok && (err != nil || !bytes.Equal(values, want)):
					t.Fatalf("%+v: %v, or other numbers", h, err)
				case !ok && err == nil && depth*h.Width*h.Height > 8*200:
					t.Fatalf("%+v: colours of noise are no numbers", h)
				case !ok && err != nil && (!errors.As(err, &e) || e.Row >= h.Height || e.Column >= h.Width):
					t.Fatalf("%+v: %v", h, err)
				}
			}
		}
	}
}

// A part of any picture is that part of the whole, in one IDAT chunk or in several, also of a file that is damaged
// behind the part's last row; of one that is cut there is none.
func TestRegions(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 3))
	var d Decoder
	for colour, set := range depths {
		for i := range 120 {
			h := Header{1 + r.IntN(60), 1 + r.IntN(40), 1 << r.IntN(5), colour, i%2 == 1}
			if set&(1<<h.Depth) == 0 {
				continue
			}
			packed := pack(raw(h, r))
			file := join(ihdr(h), plte(256), chunk("IDAT", packed[:len(packed)/2]...), chunk("IDAT", packed[len(packed)/2:]...), chunk("IEND"))
			f, whole, err := decode(file)
			if err != nil {
				t.Fatal(err)
			}
			packed[len(packed)-1]++ // of the Adler-32
			damaged, err := Parse(join(ihdr(h), plte(256), chunk("IDAT", packed...), chunk("IEND")), nil)
			if err != nil {
				t.Fatal(err)
			}
			cut, err := Parse(join(ihdr(h), plte(256), chunk("IDAT", packed[:4]...)), nil)
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				x, y := r.IntN(h.Width), r.IntN(h.Height)
				part := image.Rect(x, y, x+1+r.IntN(h.Width-x), y+1+r.IntN(h.Height-y))
				var want []byte
				for y := part.Min.Y; y < part.Max.Y; y++ {
					want = append(want, whole[3*(y*h.Width+part.Min.X):3*(y*h.Width+part.Max.X)]...)
				}
				got := bytes.Repeat([]byte{0xa5}, len(want))
				if err := d.Region(context.Background(), f, part, got); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%+v, %v: %v, or not the whole's pixels", h, part, err)
				}
				clear(got)
				err := d.Region(context.Background(), damaged, part, got)
				if below := part.Max.Y < h.Height && !h.Interlaced || part.Max.Y < h.Height-1; below && (err != nil || !bytes.Equal(got, want)) {
					t.Fatalf("%+v, %v, damaged below it: %v, or not the whole's pixels", h, part, err)
				}
				if part.Max.Y == h.Height && !h.Interlaced && err == nil {
					t.Fatalf("%+v, %v: a wrong Adler-32 isn't noticed", h, part)
				}
				if err := d.Region(context.Background(), cut, part, got); !errors.Is(err, ErrTruncated) {
					t.Fatalf("%+v, %v, cut: %v", h, part, err)
				}
			}
		}
	}
}

// numbers is rows of grey of 16 bits up to 255, without a filter.
func numbers(h Header, r *rand.Rand) []byte {
	var out []byte
	for range h.Height {
		out = append(out, noFilter)
		for range h.Width {
			out = append(out, 0, byte(r.Uint32()))
		}
	}
	return out
}

// The first rows are those of the whole, also of a file that is damaged behind them; all rows
// are not.
func TestNumberRows(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 2))
	for i := range 200 {
		h := Header{1 + r.IntN(400), 1 + r.IntN(300), 1 << r.IntN(4), []Colour{Grey, Palette}[i%2], false}
		rows := raw(h, r)
		if i%10 == 0 { // numbers of 16 bits, up to 255
			h.Depth = 16
			rows = numbers(h, r)
		}
		packed := pack(rows)
		file := func(packed []byte) *File {
			f, err := Parse(join(ihdr(h), plte(1<<min(h.Depth, 8)), chunk("IDAT", packed...), chunk("IEND")), nil)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		f := file(packed)
		want := make([]byte, h.Width*h.Height)
		if err := new(Decoder).Numbers(context.Background(), f, want); err != nil {
			t.Fatal(err)
		}
		packed[len(packed)-1]++ // of the Adler-32
		damaged := file(packed)
		var d Decoder
		for _, rows := range []int{h.Height, r.IntN(h.Height), h.Height / 2} {
			var got []byte
			add := func(y int, row []byte) error {
				if y*h.Width != len(got) {
					t.Fatalf("row %d after %d numbers of %d a row", y, len(got), h.Width)
				}
				got = append(got, row...)
				return nil
			}
			if err := d.NumberRows(context.Background(), f, rows, add); err != nil || !bytes.Equal(got, want[:rows*h.Width]) {
				t.Fatalf("%+v, %d rows: %v, or other numbers", h, rows, err)
			}
			got = got[:0]
			if err := d.NumberRows(context.Background(), damaged, rows, add); (err == nil) != (rows < h.Height) {
				t.Fatalf("%+v, %d rows of a damaged file: %v", h, rows, err)
			}
		}
		cut, err := Parse(join(ihdr(h), plte(1<<min(h.Depth, 8)), chunk("IDAT", packed[:len(packed)/2]...)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.NumberRows(context.Background(), cut, 0, nil); !errors.Is(err, ErrTruncated) {
			t.Fatalf("%+v, cut: %v", h, err)
		}
		enough := errors.New("enough")
		if err := d.NumberRows(context.Background(), f, h.Height, func(int, []byte) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("do's error: %v", err)
		}
	}
	f, err := Parse(join(ihdr(Header{9, 9, 8, Grey, true}), chunk("IDAT", pack(raw(Header{9, 9, 8, Grey, true}, r))...)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := new(Decoder).NumberRows(context.Background(), f, 9, nil); err == nil {
		t.Error("an interlaced file has rows")
	}
}
