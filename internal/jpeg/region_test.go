package jpeg

import (
	"context"
	"flag"
	"image"
	"math/rand/v2"
	"testing"
	"time"
)

var regionSeed = flag.Uint64("regions", 0, "replay the random regions of this seed")

// wholes is the whole picture at every scale, each plane cloned.
func wholes(t testing.TB, data []byte, fill bool) (all [4]Image) {
	d := Decoder{Fill: fill}
	for s := range all {
		m, err := d.DecodeRegion(context.Background(), data, image.Rect(0, 0, 1<<16, 1<<16), 1<<s, nil)
		if err != nil {
			t.Fatal(err)
		}
		all[s] = Image{Header: m.Header}
		for _, p := range m.Planes {
			p.Pix = append([]uint8(nil), p.Pix...)
			all[s].Planes = append(all[s].Planes, p)
		}
	}
	return all
}

// sameAsWhole compares all samples that a region's planes hold with the whole's, and
// checks that they hold what the region's pixels take.
func sameAsWhole(t testing.TB, m, whole *Image, r image.Rectangle, denominator int) bool {
	t.Helper()
	maxH, maxV := m.MaxSampling()
	for i := range m.Planes {
		p, w := &m.Planes[i], &whole.Planes[i]
		if p.Width != w.Width || p.Height != w.Height || !p.Rect.In(w.Rect) {
			t.Errorf("plane %d is %dx%d, %v", i, p.Width, p.Height, p.Rect)
			return false
		}
		c, size := m.Components()[i], m.blockSize(i, denominator)
		for k := p.Rect.Min.X - 3; k < p.Rect.Max.X+3; k++ {
			// Within a sample's distance of a pixel's centre, and of the plane.
			at := (float64(k)+0.5)*float64(8*maxH)/float64(c.H*size) - 0.5
			step := float64(8*maxH) / float64(c.H*size)
			if near := at > float64(r.Min.X)-step && at < float64(r.Max.X-1)+step; near && k >= -1 && k <= p.Width && (k < p.Rect.Min.X || k >= p.Rect.Max.X) {
				t.Errorf("plane %d lacks column %d", i, k)
				return false
			}
		}
		for k := p.Rect.Min.Y - 3; k < p.Rect.Max.Y+3; k++ {
			step := float64(8*maxV) / float64(c.V*size)
			at := (float64(k)+0.5)*step - 0.5
			if near := at > float64(r.Min.Y)-step && at < float64(r.Max.Y-1)+step; near && k >= -1 && k <= p.Height && (k < p.Rect.Min.Y || k >= p.Rect.Max.Y) {
				t.Errorf("plane %d lacks row %d", i, k)
				return false
			}
		}
		for y := p.Rect.Min.Y; y < p.Rect.Max.Y; y++ {
			if string(p.Row(y, p.Rect.Min.X, p.Rect.Max.X)) != string(w.Row(y, p.Rect.Min.X, p.Rect.Max.X)) {
				t.Errorf("plane %d, row %d of %v is not the whole picture's", i, y, p.Rect)
				return false
			}
		}
	}
	return true
}

// Regions at any scale are the whole picture's, whatever the layout, the restart
// interval and the order of scans.
func TestRegionsAreTheWholes(t *testing.T) {
	seed := *regionSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (replay with -regions %d)", seed, seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var d Decoder // one for all files: nothing is left over
	for _, g := range goldens(t) {
		all := wholes(t, g.Encoded, false)
		w, h := all[0].Width, all[0].Height
		var known *SeekPoints
		for i := range 60 {
			if i == 30 {
				known = new(SeekPoints)
			}
			x, y := r.IntN(w), r.IntN(h)
			region := image.Rect(x, y, x+1+r.IntN(w-x), y+1+r.IntN(h-y))
			s := r.IntN(4)
			m, err := d.DecodeRegion(context.Background(), g.Encoded, region, 1<<s, known)
			if err != nil {
				t.Fatalf("%s: %v at 1/%d: %v", g.Name, region, 1<<s, err)
			}
			if !sameAsWhole(t, m, &all[s], region, 1<<s) {
				t.Fatalf("%s: %v at 1/%d", g.Name, region, 1<<s)
			}
		}
	}
}

// A region of nothing decodes, and headers cost nothing.
func TestRegionsAllocateNothing(t *testing.T) {
	var d Decoder
	for _, name := range []string{"2x2,1x1,1x1/35x21", "2x1,1x1,1x1/17x9/q30/-restart 1"} {
		data := named(t, name)
		for _, r := range []image.Rectangle{{}, image.Rect(5, 6, 9, 30), image.Rect(0, 0, 100, 100)} {
			if _, err := d.DecodeRegion(context.Background(), data, r, 1, nil); err != nil {
				t.Errorf("%s: %v: %v", name, r, err)
			}
			n := testing.AllocsPerRun(20, func() { _, _ = d.DecodeRegion(context.Background(), data, r, 1, nil) })
			if n != 0 {
				t.Errorf("%s: %v: %v allocations", name, r, n)
			}
		}
		if n := testing.AllocsPerRun(20, func() { _, _ = ReadHeader(data) }); n != 0 {
			t.Errorf("%s: %v allocations for its header", name, n)
		}
	}
}

// A file cut anywhere is an error for every region.
func TestRegionsOfCutFiles(t *testing.T) {
	var d Decoder
	for _, name := range []string{"2x2,1x1,1x1/35x21", "2x1,1x1,1x1/17x9/q30/-restart 1", "2x1,1x1,1x1/35x21/q90"} {
		data := named(t, name)
		for cut := range data {
			if _, err := d.DecodeRegion(context.Background(), data[:cut], image.Rect(0, 0, 2, 2), 1, nil); err == nil {
				t.Errorf("%s: %d of %d bytes give a region", name, cut, len(data))
			}
		}
	}
}
