package jpeg

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/draw"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/internal/guard"
)

// encoded is a case of testdata/encoded.json, made by encoded.py.
type encoded struct {
	kind                    string
	height, width, channels int
	EncoderOptions
	size int
	crc  uint32
}

func (c *encoded) String() string {
	return fmt.Sprintf("%s %dx%dx%d %+v", c.kind, c.height, c.width, c.channels, c.EncoderOptions)
}

func (c *encoded) UnmarshalJSON(data []byte) error {
	chroma := 0
	err := json.Unmarshal(data, &[]any{
		&c.kind, &c.height, &c.width, &c.channels, &c.Quality, &chroma, &c.RestartBlocks, &c.RestartRows, &c.size, &c.crc,
	})
	c.Subsampling = [...]Subsampling{Chroma444, Chroma422, Chroma420}[chroma]
	return err
}

func encodedCases(t testing.TB) []encoded {
	t.Helper()
	data, err := os.ReadFile("testdata/encoded.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []encoded }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// pixels is encoded.py's picture.
func (c *encoded) pixels() []uint8 {
	pix := make([]uint8, c.height*c.width*c.channels)
	state := uint32(1)
	for i := range pix {
		state = state*1664525 + 1013904223
		noise := int(state >> 24)
		ch, x, y := i%c.channels, i/c.channels%c.width, i/c.channels/c.width
		switch c.kind {
		case "noise":
			pix[i] = uint8(noise)
		case "extreme":
			pix[i] = uint8(noise >> 7 * 255)
		case "smooth":
			v := (x*3+y*2*(ch+1))/2%256/2 + noise%7
			if dx, dy := x-c.width/2, y-c.height/2; dx*dx+dy*dy < c.width*c.height/9 {
				v += 90
			}
			pix[i] = uint8(v)
		default:
			pix[i] = uint8(200 - 90*ch)
		}
	}
	return pix
}

func TestEncodedFilesArePillows(t *testing.T) {
	defer func(was bool) { useAssembly = was }(useAssembly)
	for _, useAssembly = range []bool{false, haveAssembly()} {
		for _, c := range encodedCases(t) {
			e, err := NewEncoder(c.EncoderOptions)
			if err != nil {
				t.Fatal(err)
			}
			file, err := e.Encode([]byte("before"), c.pixels(), c.height, c.width, c.channels)
			if err != nil {
				t.Fatal(err)
			}
			if file = bytes.TrimPrefix(file, []byte("before")); len(file) != c.size || crc32.ChecksumIEEE(file) != c.crc {
				t.Errorf("%v (assembly %v): %d bytes, crc %08x; Pillow's has %d, %08x", &c, useAssembly, len(file), crc32.ChecksumIEEE(file), c.size, c.crc)
			}
		}
	}
}

// An encoder's memory and codes don't tell what it encoded before, and this package reads
// what it writes.
func TestEncoderIsReusable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, subsampling := range []Subsampling{Chroma420, Chroma422, Chroma444} {
		options := EncoderOptions{Quality: 92, Subsampling: subsampling, RestartRows: 1}
		reused, _ := NewEncoder(options)
		for range 100 {
			c := encoded{kind: []string{"noise", "smooth", "flat"}[r.IntN(3)], height: 1 + r.IntN(70), width: 1 + r.IntN(70), channels: 1 + 2*r.IntN(2)}
			pix := c.pixels()
			fresh, _ := NewEncoder(options)
			want, _ := fresh.Encode(nil, pix, c.height, c.width, c.channels)
			got, err := reused.Encode(nil, pix, c.height, c.width, c.channels)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%v, %v: another file after other pictures (%v)", &c, subsampling, err)
			}
			m, err := new(Decoder).Decode(context.Background(), got)
			if err != nil || m.Width != c.width || m.Height != c.height || len(m.Planes) != c.channels {
				t.Fatalf("%v, %v: this package reads %+v, %v", &c, subsampling, m, err)
			}
			if c.kind != "flat" {
				continue
			}
			for i, want := range []uint8{luma(200, 110, 20), uint8(chroma(200, 110, 20)), uint8(chroma(200, 110, 20) >> 32)}[:c.channels] {
				if c.channels == 1 {
					want = 200
				}
				for _, got := range samples(&m.Planes[i]) {
					if max(got, want)-min(got, want) > 2 {
						t.Fatalf("%v, %v: plane %d has %d, want %d", &c, subsampling, i, got, want)
					}
				}
			}
		}
	}
}

// Every quotient of the range is the exact one.
func TestDivisors(t *testing.T) {
	for step := range 256 {
		var d divisors
		if step == 0 {
			continue
		}
		base := [64]uint8{}
		for i := range base {
			base[i] = uint8(step)
		}
		d.scale(&base, 50)
		n := 8 * step
		w := words(uint32(n))
		for v := -1 << 14; v <= 1<<14; v++ {
			want := (max(v, -v) + n/2) / n
			mul := uint32(uint16(max(v, -v)) + w[0])
			if got := mul * uint32(w[1]) >> 16 * uint32(w[2]) >> 16; got != uint32(want) {
				t.Fatalf("%d / %d is %d in 16 bits, want %d", max(v, -v), n, got, want)
			}
			if v%(1+step/40) != 0 {
				continue
			}
			var b encBlock
			b.quantize(&[64]int32{int32(v)}, &d)
			if v < 0 {
				want = -want
			}
			if int(b.values[0]) != want || b.nonzero&1 == 1 != (want != 0) {
				t.Fatalf("%d / %d is %d, want %d", v, n, b.values[0], want)
			}
		}
	}
}

func TestTransformAssemblyEqualsGo(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func(was bool) { useAssembly = was }(useAssembly)
	r := rand.New(rand.NewPCG(1, 2))
	var guarded [5][]uint8
	for i := range guarded {
		guarded[i] = guard.Slice[uint8](t, 8*8*(i+1))
	}
	for range 20_000 {
		var d divisors
		d.scale(&standardQuant[r.IntN(2)], 1+r.IntN(100))
		columns := 1 + r.IntN(5)
		stride := 8 * columns
		samples := guarded[columns-1]
		low, high := r.IntN(256), r.IntN(256)
		for i := range samples {
			switch r.IntN(3) {
			case 0:
				samples[i] = uint8(low)
			case 1:
				samples[i] = uint8(high)
			default:
				samples[i] = uint8((low*3 + high + r.IntN(9)) / 4)
			}
		}
		got, want := make([]encBlock, columns), make([]encBlock, columns)
		useAssembly = false
		transform(want, samples, stride, &d)
		useAssembly = true
		transform(got, samples, stride, &d)
		for i := range want {
			if got[i].nonzero != want[i].nonzero {
				t.Fatalf("block %d of %d: not zero are %x, want %x", i, columns, got[i].nonzero, want[i].nonzero)
			}
			for k, at := range zigzag {
				if want[i].nonzero>>k&1 == 1 && got[i].values[at] != want[i].values[at] {
					t.Fatalf("block %d of %d: coefficient %d is %d, want %d", i, columns, k, got[i].values[at], want[i].values[at])
				}
			}
		}
	}
}

func TestEncoderRefuses(t *testing.T) {
	for _, c := range []struct {
		EncoderOptions
		want string
	}{
		{EncoderOptions{}, "quality 0 is outside 1 to 100"},
		{EncoderOptions{Quality: 101}, "quality 101"},
		{EncoderOptions{Quality: 90, Subsampling: 7}, "Subsampling(7)"},
		{EncoderOptions{Quality: 90, RestartBlocks: 1 << 16}, "65536 blocks"},
		{EncoderOptions{Quality: 90, RestartRows: -1}, "-1 rows"},
		{EncoderOptions{Quality: 90, RestartBlocks: 1, RestartRows: 1}, "one of the two"},
	} {
		if _, err := NewEncoder(c.EncoderOptions); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.EncoderOptions, err, c.want)
		}
	}
	e, _ := NewEncoder(EncoderOptions{Quality: 90})
	for _, c := range []struct {
		n, height, width, channels int
		want                       string
	}{
		{4, 1, 1, 4, "4 channels"},
		{0, 0, 1, 3, "1x0 pixels"},
		{65501, 1, 65501, 1, "65501x1 pixels"},
		{11, 2, 2, 3, "11 bytes are too few"},
	} {
		got, err := e.Encode([]byte("x"), make([]uint8, c.n), c.height, c.width, c.channels)
		if err == nil || !strings.Contains(err.Error(), c.want) || string(got) != "x" {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	for _, s := range []Subsampling{Chroma420, Chroma422, Chroma444} {
		if got, err := ParseSubsampling(s.String()); got != s || err != nil {
			t.Errorf("%v is read as %v, %v", s, got, err)
		}
	}
	if _, err := ParseSubsampling("4:1:1"); err == nil {
		t.Error("4:1:1 is read")
	}
}

func TestEncoderDoesNotAllocate(t *testing.T) {
	c := encoded{kind: "smooth", height: 70, width: 90, channels: 3}
	pix := c.pixels()
	e, _ := NewEncoder(EncoderOptions{Quality: 90})
	dst, err := e.Encode(nil, pix, c.height, c.width, c.channels)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() { dst, _ = e.Encode(dst[:0], pix, c.height, c.width, c.channels) }); n != 0 {
		t.Errorf("%v allocations a picture", n)
	}
}

// FuzzEncode: any picture is encoded, by assembly and without it to the same file, which this
// package reads.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint8(3), uint8(90), uint8(0), uint8(0))
	f.Add([]byte("grey, and a restart marker after each block"), uint8(8), uint8(99), uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, width, quality, subsampling, blocks uint8) {
		options := EncoderOptions{Quality: 1 + int(quality)%100, Subsampling: Subsampling(subsampling % 3), RestartBlocks: int(blocks)}
		channels := 3 - int(quality)%2*2
		w := 1 + int(width)
		h := len(data) / w / channels
		if h == 0 {
			t.Skip()
		}
		defer func(was bool) { useAssembly = was }(useAssembly)
		var files [2][]byte
		for i, assembly := range []bool{false, haveAssembly()} {
			useAssembly = assembly
			e, err := NewEncoder(options)
			if err != nil {
				t.Fatal(err)
			}
			if files[i], err = e.Encode(nil, data, h, w, channels); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Fatalf("assembly writes another file of %dx%d pixels", w, h)
		}
		if _, err := new(Decoder).Decode(context.Background(), files[0]); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkEncode encodes the photos by turns with image/jpeg and with this package, at
// quality 90 and 4:2:0, each file's fastest of b.N rounds (at least 3):
//
//	go test ./internal/jpeg -run - -bench Encode -benchtime 5x
func BenchmarkEncode(b *testing.B) {
	files := photos(b)
	files = files[:min(100, len(files))]
	e, _ := NewEncoder(EncoderOptions{Quality: 90})
	var out bytes.Buffer
	var dst []byte
	var std, own, plain time.Duration
	pixels, size := 0, 0
	for _, data := range files {
		m, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		w, h := m.Bounds().Dx(), m.Bounds().Dy()
		rgba, pix := image.NewRGBA(m.Bounds()), make([]uint8, 0, 3*w*h)
		draw.Draw(rgba, rgba.Rect, m, image.Point{}, draw.Src)
		for i := 0; i < len(rgba.Pix); i += 4 {
			pix = append(pix, rgba.Pix[i:i+3]...)
		}
		best := [3]time.Duration{1 << 62, 1 << 62, 1 << 62}
		for range max(b.N, 3) {
			for i, encode := range []func() error{
				func() error { out.Reset(); return jpeg.Encode(&out, rgba, &jpeg.Options{Quality: 90}) },
				func() (err error) { dst, err = e.Encode(dst[:0], pix, h, w, 3); return err },
				func() (err error) {
					defer func(was bool) { useAssembly = was }(useAssembly)
					useAssembly = false
					dst, err = e.Encode(dst[:0], pix, h, w, 3)
					return err
				},
			} {
				begin := time.Now()
				if err := encode(); err != nil {
					b.Fatal(err)
				}
				best[i] = min(best[i], time.Since(begin))
			}
		}
		std, own, plain = std+best[0], own+best[1], plain+best[2]
		pixels += w * h
		size += len(dst)
	}
	n := float64(len(files))
	b.ReportMetric(std.Seconds()*1e3/n, "stdlib-ms/file")
	b.ReportMetric(own.Seconds()*1e3/n, "own-ms/file")
	b.ReportMetric(own.Seconds()*1e9/float64(pixels), "own-ns/pixel")
	b.ReportMetric(float64(own)/float64(std), "own/stdlib")
	b.ReportMetric(float64(plain)/float64(std), "plain-go/stdlib")
	b.ReportMetric(float64(size)/n, "bytes/file")
}
