package warp

import (
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/schema"
)

// A table is what one made anew would be, whatever came before it, and stays so until three others
// have come.
func TestTables(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 9))
	var keys []tableKey
	for range 25 {
		in, n := 1+r.IntN(60), 1+r.IntN(80)
		if r.IntN(4) == 0 {
			in, n = 500+r.IntN(3000), 600+r.IntN(50) // too large for the small ones
		}
		key := tableKey{
			newAxis(float64(in)/float64(n), 0, n, 0, in), [...]Filter{Bilinear, Bicubic, Lanczos}[r.IntN(3)], n,
			line{0, 1}, line{0, 1}, tableOf(1 + r.IntN(3)), 0,
		}
		if r.IntN(2) == 0 {
			key.after = line{n - 1, -1}
		}
		if key.of == ofPlanes {
			key.filter = Bilinear
		}
		keys = append(keys, key)
	}
	mem, found := new(scratch), 0
	type made struct {
		table *table
		text  string
	}
	var recent []made
	text := func(t *table) string {
		b := fmt.Append(nil, t.first, t.last, t.most, t.usual, t.wide, t.starts, t.ends, t.packed, t.packing, t.key)
		for i := range t.starts {
			b = fmt.Append(b, t.weights[i*t.most:][:t.usual])
		}
		return string(b)
	}
	for range 1000 {
		key := keys[r.IntN(len(keys))]
		if r.IntN(2) == 0 {
			key = keys[r.IntN(4)]
		}
		for _, list := range [][]table{mem.tables.small[:], mem.tables.large[:]} {
			if slices.ContainsFunc(list, func(t table) bool { return t.key == key }) {
				found++
			}
		}
		got := mem.table(key)
		if want := text(new(scratch).table(key)); text(got) != want {
			t.Fatalf("%+v: another table than one made anew", key)
		}
		recent = append(recent, made{got, text(got)})
		for _, m := range recent[max(0, len(recent)-3):] {
			if text(m.table) != m.text {
				t.Fatalf("a table that is in use has changed: %+v", m.table.key)
			}
		}
	}
	for i := range mem.tables.small {
		s := &mem.tables.small[i]
		if n := 4 * (cap(s.places) + cap(s.values) + cap(s.pairs)); n > keptTable {
			t.Errorf("a small table takes %d bytes", n)
		}
	}
	if found < 250 || found > 950 {
		t.Errorf("%d of 1000 were there", found)
	}
}

// Enlarged pictures, each row of two, on memory that ends with them.
func TestEnlarged(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func() { useAssembly = true }()
	r := rand.New(rand.NewPCG(17, 19))
	twos := 0
	for range 150 {
		height, width := 1+r.IntN(50), 1+r.IntN(50)
		shiftX, shiftY := uint(r.IntN(2)), uint(r.IntN(2))
		pic := planar.YCC{Count: 3, ShiftX: [3]uint{0, shiftX, shiftX}, ShiftY: [3]uint{0, shiftY, shiftY}}
		for i := range pic.Planes {
			p := &pic.Planes[i]
			p.Width, p.Height = (width+1<<pic.ShiftX[i]-1)>>pic.ShiftX[i], (height+1<<pic.ShiftY[i]-1)>>pic.ShiftY[i]
			p.Rect, p.Stride = image.Rect(0, 0, p.Width+1, p.Height+1), p.Width+1
			p.Pix = noise(r, guard.Slice[uint8](t, (p.Width+1)*(p.Height+1)))
		}
		h, w := height+r.IntN(3*height), width+r.IntN(3*width)
		s := &separable{height: h, width: w, horizontal: newAxis(float64(width)/float64(w), 0, w, 0, width), vertical: newAxis(float64(height)/float64(h), 0, h, 0, height),
			filter: Bilinear, afterX: line{0, 1}, afterY: line{0, 1}, beforeX: line{0, 1}, beforeY: line{0, 1}}
		var table [3][256]float32
		for c := range table {
			for i := range table[c] {
				table[c][i] = (float32(i)/255 - 0.4) / 0.2
			}
		}
		form := r.IntN(3)
		var got [2]*schema.Picture
		for i := range got {
			useAssembly = i == 1
			mem, px := new(scratch), Pixel{}
			picture := func() *schema.Picture {
				switch form {
				case 0:
					return &schema.Picture{Height: h, Width: w, Layout: schema.CHW, F32: guard.Slice[float32](t, 3*h*w)}
				case 1:
					px = Pixel{Row: func(rgb []uint8) { rgb[0]++ }}
				}
				return &schema.Picture{Height: h, Width: w, Layout: schema.HWC, U8: guard.Slice[uint8](t, 3*h*w)}
			}
			got[i] = picture()
			if form == 0 {
				px = Tabulated(&table)
			}
			run := func() {
				s.runYCC(&writer{dst: got[i], px: px, rgb: make([]uint8, 3*w)}, &pic, mem)
			}
			run()
			for k, rows := range mem.wide { // again, with planes that end at an unreadable page
				mem.wide[k] = noise(r, guard.Slice[int16](t, cap(rows)))
			}
			got[i] = picture()
			run()
		}
		if !slices.Equal(got[0].U8, got[1].U8) || !slices.Equal(got[0].F32, got[1].F32) {
			t.Fatalf("%dx%d to %dx%d: assembly gives other values", height, width, h, w)
		}
		if w >= 16 {
			twos++
		}
	}
	if twos < 50 {
		t.Errorf("only %d pictures for the assembly", twos)
	}
}
