package jpeg

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// progressiveFiles are pictures of ten scans each in color, six in grey.
func progressiveFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"progressive-420.jpg", "progressive-444.jpg", "progressive-grey.jpg"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}

// scanOf is where a scan's data lies, whether it is of AC coefficients, and of which component.
type scanOf struct {
	begin, end int
	ac         bool
	component  byte
}

func scansOf(t testing.TB, data []byte) (list []scanOf) {
	t.Helper()
	for at := 2; ; {
		s, err := nextSegment(data, at)
		if err != nil {
			t.Fatal(err)
		}
		if s.marker == mEOI {
			return list
		}
		if at = s.end; s.marker != mSOS {
			continue
		}
		for at+1 < len(data) && (data[at] != 0xff || data[at+1] == 0) {
			at++
		}
		list = append(list, scanOf{s.end, at, s.body[1+2*s.body[0]] > 0, s.body[1]})
	}
}

// At a scale at which a component's blocks give a sample each, its AC scans aren't decoded: no
// damage to them is noticed, and that to any other is.
func TestScansThatAScaleNeeds(t *testing.T) {
	for name, data := range progressiveFiles(t) {
		h, err := ReadHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		all := image.Rect(0, 0, h.Width, h.Height)
		want := make([]string, 9)
		for _, denominator := range []int{1, 2, 4, 8} {
			want[denominator] = described(new(Decoder), data, all, denominator, nil)
		}
		skipped := map[int]int{}
		for _, s := range scansOf(t, data) {
			damaged := bytes.Clone(data)
			for i := s.begin; i < s.end-1; i += 2 {
				damaged[i], damaged[i+1] = 0xff, 0 // ones: no code
			}
			for _, denominator := range []int{1, 2, 4, 8} {
				lone := false
				for i, c := range h.Components() {
					lone = lone || c.ID == s.component && h.blockSize(i, denominator) == 1
				}
				_, err := new(Decoder).DecodeRegion(context.Background(), damaged, all, denominator, nil)
				switch got := described(new(Decoder), damaged, all, denominator, nil); {
				case s.ac && lone && (err != nil || got != want[denominator]):
					t.Errorf("%s at 1/%d: a scan that isn't needed is decoded: %v", name, denominator, err)
				case s.ac && lone:
					skipped[denominator]++
				case err == nil && got == want[denominator]:
					t.Errorf("%s at 1/%d: a scan that is needed isn't decoded", name, denominator)
				}
			}
		}
		if skipped[1]+skipped[2]+skipped[4] > 0 || skipped[8] < 4 {
			t.Errorf("%s: scans skipped by denominator: %v", name, skipped)
		}
	}
}

// A progressive file takes what RegionBytes says for samples and coefficients, at every scale, and nothing
// when it is decoded again.
func TestProgressiveMemory(t *testing.T) {
	for name, data := range progressiveFiles(t) {
		h, err := ReadHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		w, height := h.Width, h.Height
		for _, region := range []image.Rectangle{image.Rect(0, 0, w, height), image.Rect(w/4, height/4, w/2, height/2)} {
			for _, denominator := range []int{1, 2, 8} {
				d := new(Decoder)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if _, err := d.DecodeRegion(context.Background(), data, region, denominator, nil); err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&after)
				said := h.RegionBytes(region, denominator)
				if kept := int64(d.KeptBytes()); kept > said {
					t.Errorf("%s, %v at 1/%d: %d bytes are kept, %d were said", name, region, denominator, kept, said)
				}
				if n := int64(after.TotalAlloc - before.TotalAlloc); n > said+said/8+64<<10 { // sizes of allocations are rounded
					t.Errorf("%s, %v at 1/%d: %d bytes were allocated, %d were said", name, region, denominator, n, said)
				}
				if n := testing.AllocsPerRun(5, func() { _, _ = d.DecodeRegion(context.Background(), data, region, denominator, nil) }); n != 0 {
					t.Errorf("%s, %v at 1/%d: %v allocations", name, region, denominator, n)
				}
			}
		}
	}
}

// A decoder looks at its context in each row of blocks of each scan.
func TestScansEndWithTheContext(t *testing.T) {
	for name, data := range progressiveFiles(t) {
		h, err := ReadHeader(data)
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		all := &ending{Context: t.Context(), end: 1 << 30}
		if _, err := d.Decode(all, data); err != nil {
			t.Fatal(err)
		}
		if rows := h.Height / 16 * len(scansOf(t, data)); all.looks < rows {
			t.Errorf("%s: %d looks at the context, of at least %d rows", name, all.looks, rows)
		}
		for end := 0; end < all.looks; end += 1 + all.looks/40 {
			e := &ending{Context: t.Context(), end: end}
			if _, err := d.Decode(e, data); err == nil || e.looks > end+8 {
				t.Errorf("%s, at look %d: %v, after %d looks more", name, end, err, e.looks-end)
			}
		}
	}
}

// Known seek points of a progressive file change nothing, whether it is sound or damaged anywhere; once a decoding
// has seen the last row, scans begin where a region does.
func TestRowPointsChangeNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	var a, b Decoder
	for name, sound := range progressiveFiles(t) {
		for i := range 40 {
			data := bytes.Clone(sound)
			if i > 3 {
				data[len(data)/6+r.IntN(len(data)*5/6)] ^= 1 << r.IntN(8)
			}
			known := new(SeekPoints)
			for range 25 {
				region, denominator := randomRegion(r, data)
				if r.IntN(3) > 0 {
					denominator = 1
				}
				if with, without := described(&a, data, region, denominator, known), described(&b, data, region, denominator, nil); with != without {
					t.Fatalf("%s, file %d, %v at 1/%d: %.80q with seek points, %.80q without", name, i, region, denominator, with, without)
				}
			}
			if i > 3 {
				continue
			}
			h, err := ReadHeader(data)
			if err != nil {
				t.Fatal(err)
			}
			if n := int64(12 * cap(known.list)); n != h.SeekPointsBytes() {
				t.Errorf("%s: seek points take %d bytes, %d were said", name, n, h.SeekPointsBytes())
			}
			bottom := image.Rect(0, h.Height-1, 1, h.Height)
			described(&a, data, bottom, 1, known)
			if known.ready != h.mcuRows()-1 {
				t.Errorf("%s: %d of %d rows are known", name, known.ready, h.mcuRows())
			}
			if described(&a, data, bottom, 1, known); a.rowSeeker.begin != h.mcuRows()-1 {
				t.Errorf("%s: scans begin at row %d of %d", name, a.rowSeeker.begin, h.mcuRows())
			}
		}
	}
}

// BenchmarkRowPoints decodes random parts, 5 to 40 % of the picture, of the files of the folder PROGRESSIVE, or else of testdata's,
// with seek points and without; those of the first 20 parts of each file aren't measured.
//
//	PROGRESSIVE=DIR go test ./internal/jpeg -run - -bench RowPoints -benchtime 1000x
func BenchmarkRowPoints(b *testing.B) {
	dir := os.Getenv("PROGRESSIVE")
	if dir == "" {
		dir = "testdata"
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.jpg"))
	more, _ := filepath.Glob(filepath.Join(dir, "*.JPEG"))
	var files [][]byte
	for _, name := range append(names, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if h, err := ReadHeader(data); err != nil || !h.Progressive {
			b.Fatalf("%s: not progressive, or %v", name, err)
		}
		files = append(files, data)
	}
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("known=%v", with), func(b *testing.B) {
			var d Decoder
			known, r, i := make([]SeekPoints, len(files)), rand.New(rand.NewPCG(1, 2)), 0
			one := func() {
				k := i % len(files)
				h, _ := ReadHeader(files[k])
				side := math.Sqrt(0.05 + 0.35*r.Float64())
				width, height := 1+int(side*float64(h.Width-1)), 1+int(side*float64(h.Height-1))
				x, y := r.IntN(h.Width-width+1), r.IntN(h.Height-height+1)
				var points *SeekPoints
				if with {
					points = &known[k]
				}
				if _, err := d.DecodeRegion(context.Background(), files[k], image.Rect(x, y, x+width, y+height), 1, points); err != nil {
					b.Fatal(err)
				}
				i++
			}
			for range 20 * len(files) {
				one()
			}
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
		})
	}
}
