package jpeg

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"testing"
)

// oracle is image/jpeg's planes; nil where it fails, where it gives no planes, or
// where its sizes are others.
func oracle(data []byte, h *Header) [][]uint8 {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil || img.Bounds().Dx() != h.Width || img.Bounds().Dy() != h.Height {
		return nil
	}
	pick := func(pix []uint8, stride, i int) (out []uint8) {
		w, height := h.PlaneSize(i, 1)
		for y := range height {
			out = append(out, pix[y*stride:][:w]...)
		}
		return out
	}
	switch m := img.(type) {
	case *image.Gray:
		return [][]uint8{pick(m.Pix, m.Stride, 0)}
	case *image.YCbCr:
		return [][]uint8{pick(m.Y, m.YStride, 0), pick(m.Cb, m.CStride, 1), pick(m.Cr, m.CStride, 2)}
	}
	return nil
}

// subsampledAsStdlib reports whether the first component has the highest resolution
// and the others share one: what image/jpeg has planes for.
func subsampledAsStdlib(h *Header) bool {
	if len(h.Components()) == 1 {
		return true
	}
	maxH, maxV := h.MaxSampling()
	c := h.Components()
	return len(c) == 3 && c[0].H == maxH && c[0].V == maxV && c[1].H == c[2].H && c[1].V == c[2].V &&
		maxH%c[1].H == 0 && maxV%c[1].V == 0 && c[1].H == 1 && c[1].V == 1
}

// FuzzDecode: whatever the bytes, no panic, no more memory than Decode states, and
// what both decode, image/jpeg decodes to close values (else jpegtran is asked), and
// regions at any scale are the whole's.
//
//	go test ./internal/jpeg -run - -fuzz FuzzDecode -fuzztime 4m -fuzzminimizetime 20x
func FuzzDecode(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.Encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ReadHeader(data)
		if err == nil && h.Width*h.Height > 1<<14 {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, decodeErr := new(Decoder).Decode(context.Background(), data)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20+uint64(1700*len(data)) {
			t.Errorf("%d bytes were allocated for %d bytes of data", n, len(data))
		}
		if decodeErr != nil {
			// A region may do without the damaged part; it must end and stay inside.
			x := len(data) % 61
			_, _ = new(Decoder).DecodeRegion(context.Background(), data, image.Rect(x, x/2, x+9, x/2+14), 1<<(len(data)%4), nil)
			return
		}
		if err != nil {
			t.Fatalf("planes, but no header: %v", err)
		}
		for i, p := range m.Planes {
			if w, height := h.PlaneSize(i, 1); p.Width != w || p.Height != height || p.Rect != image.Rect(-1, -1, w+1, height+1) {
				t.Errorf("plane %d is %dx%d with %d bytes", i, p.Width, p.Height, len(p.Pix))
			}
		}
		regionsAgree(t, data, false)
		if !subsampledAsStdlib(&h) || isOdd(data) {
			return
		}
		for i, want := range oracle(data, &h) {
			got := samples(&m.Planes[i])
			for j := range got {
				if d := int(got[j]) - int(want[j]); (d > 2 || d < -2) && !libjpegTurboAgrees(t, data, m) {
					t.Fatalf("plane %d, sample %d is %d, image/jpeg gives %d", i, j, got[j], want[j])
				}
			}
		}
	})
}

// regionsAgree compares some regions with the whole picture.
func regionsAgree(t *testing.T, data []byte, fill bool) {
	t.Helper()
	all := wholes(t, data, fill)
	w, h := all[0].Width, all[0].Height
	r := rand.New(rand.NewPCG(uint64(len(data)), uint64(w)))
	d, known := Decoder{Fill: fill}, new(SeekPoints)
	for range 6 {
		x, y, s := r.IntN(w), r.IntN(h), r.IntN(4)
		region := image.Rect(x, y, x+1+r.IntN(w-x), y+1+r.IntN(h-y))
		m, err := d.DecodeRegion(context.Background(), data, region, 1<<s, known)
		if err != nil {
			t.Fatalf("%v at 1/%d: %v", region, 1<<s, err)
		}
		if !sameAsWhole(t, m, &all[s], region, 1<<s) {
			t.Fatalf("%v at 1/%d is not the whole's", region, 1<<s)
		}
	}
}

// libjpegTurboAgrees asks jpegtran to write the coefficients anew: image/jpeg reads
// some odd files in its own way. Without it nobody decides, and the test is skipped.
func libjpegTurboAgrees(t *testing.T, data []byte, m *Image) bool {
	jpegtran := exec.Command("jpegtran", "-optimize")
	jpegtran.Stdin = bytes.NewReader(data)
	out, err := jpegtran.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("image/jpeg gives other samples, and jpegtran (libjpeg-turbo-progs) isn't there to decide")
	}
	again, err := new(Decoder).Decode(context.Background(), out)
	if err != nil || len(again.Planes) != len(m.Planes) {
		return false
	}
	for i := range m.Planes {
		if !bytes.Equal(samples(&again.Planes[i]), samples(&m.Planes[i])) {
			return false
		}
	}
	return true
}

// isOdd reports whether image/jpeg has reason to differ in a file that decodes: blocks
// beyond maxPlainSum overflow, and where a sequential file has EOBn, which is for
// progressive ones, libjpeg and we take it for the end of one block only. Of a
// quantization table between scans image/jpeg takes the last, libjpeg and we the one
// that a component's first scan had. It smooths nothing.
func isOdd(data []byte) bool {
	defer func(was bool) { useAssembly = was }(useAssembly)
	useAssembly = false // it doesn't count coefficients that overflow to small ones
	var d Decoder
	_, _ = d.Decode(context.Background(), data)
	if at := bytes.Index(data, []byte{0xff, mSOS}); at >= 0 && bytes.Contains(data[at:], []byte{0xff, mDQT}) {
		return true
	}
	for i := range d.tables.ac {
		for _, v := range d.tables.ac[i].values {
			if v&15 == 0 && v != 0 && v != 0xf0 && !d.image.Progressive {
				return true
			}
		}
	}
	return d.idct.extremes > 0 || d.image.Progressive && d.smooths()
}

// A file cut anywhere is an error, and so is one whose end of image is put after the cut.
func TestCutAnywhere(t *testing.T) {
	for _, g := range goldens(t) {
		for cut := range g.Encoded {
			if _, err := new(Decoder).Decode(context.Background(), g.Encoded[:cut]); err == nil {
				t.Errorf("%s: %d of %d bytes give a picture", g.Name, cut, len(g.Encoded))
				break
			}
		}
	}
}
