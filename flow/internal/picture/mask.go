package picture

import (
	"encoding/binary"
	"fmt"
	"image"
	"slices"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// Mask makes the mask of a picture that was made: height x width class numbers in dst, which
// has room for as many. A sample without one has schema.MaskIgnore everywhere.
//
// Under fuse: full each pixel takes the number at the point that its centre comes from by the
// composed transform; else each transform is applied by itself, as the reference executor
// does. A point between two pixels takes the right or lower one (points are rounded to 2^-32 first).
//
// Rows of the file below the last one that is shown aren't decoded, and class numbers above the
// first one aren't checked: whether a damaged mask fails is a function of file and draw.
func (m *Maker) Mask(d *Draw, spec *schema.TargetSpec, dst []uint8) error {
	g := &d.targets
	if g.in == nil || g.in.Mask == nil {
		ignore(dst)
		return nil
	}
	f, err := openMask(g)
	if err != nil {
		return err
	}
	if !d.program.Full || d.program.Reference || d.fills() {
		values, err := m.maskValues(g, &f, spec, 0, f.Height)
		if err != nil {
			return err
		}
		return m.maskByStages(d, values, dst)
	}
	back, ok := g.path.Forward.Invert()
	if !ok {
		return fmt.Errorf("its mask: the transform has no inverse")
	}
	n := &m.nearest
	n.height, n.width = d.size()
	first, end := g.visibleRows(f.Height)
	n.dst, n.stride, n.window, n.border = dst, f.Width, [4]int{0, first, f.Width, end}, warp.Constant
	if upright(back) {
		n.begin(back, m.outline(&g.path))
		return m.maskRows(g, &f, spec, first, end, n.next)
	}
	if n.src, err = m.maskValues(g, &f, spec, first, end); err == nil {
		n.run(back, m.outline(&g.path))
	}
	return err
}

// openMask reads the header of a sample's mask, and refuses one of another size than its picture.
func openMask(g *targets) (decode.MaskFile, error) {
	f, err := decode.OpenMask(g.in.Mask)
	if err != nil {
		return f, fmt.Errorf("its mask%s: %w", quoted(g.in.MaskName), err)
	}
	if f.Height != g.frame[0] || f.Width != g.frame[1] {
		return f, fmt.Errorf("its mask%s is %dx%d, and the picture %dx%d (width x height): make it of the picture's size", quoted(g.in.MaskName), f.Width, f.Height, g.frame[1], g.frame[0])
	}
	return f, nil
}

// visibleRows are the rows of the picture that are visible, and one more at each side.
func (g *targets) visibleRows(height int) (first, end int) {
	low, high := float64(height), 0.0
	for _, q := range g.path.Visible {
		low, high = min(low, q[1]), max(high, q[1])
	}
	first = max(int(low)-1, 0)
	return first, max(min(int(high)+2, height), first)
}

// maskRows calls do with the rows from first to end of a mask, with their class numbers.
func (m *Maker) maskRows(g *targets, f *decode.MaskFile, spec *schema.TargetSpec, first, end int, do func(y int, row []uint8)) error {
	table, classes := g.in.MaskMap, spec.MaskClasses
	var own error
	err := f.Rows(end, func(y int, row []uint8) error {
		switch {
		case y < first:
			return nil
		case table != nil || len(classes) > 0:
			m.row = append(m.row[:0], row...)
			row = m.row
			if own = renumber(row, y, table, classes); own != nil {
				return own
			}
		}
		do(y, row)
		return nil
	})
	switch {
	case own != nil:
		return fmt.Errorf("its mask%s %w", quoted(g.in.MaskName), own)
	case err != nil:
		return fmt.Errorf("its mask%s: %w", quoted(g.in.MaskName), err)
	}
	return nil
}

// maskValues are all rows of a mask, in the maker's memory: those from first to end have their
// class numbers, the others have any.
func (m *Maker) maskValues(g *targets, f *decode.MaskFile, spec *schema.TargetSpec, first, end int) ([]uint8, error) {
	m.mask = slices.Grow(m.mask[:0], f.Height*f.Width)[:f.Height*f.Width]
	err := m.maskRows(g, f, spec, first, end, func(y int, row []uint8) { copy(m.mask[y*f.Width:], row) })
	return m.mask, err
}

// quoted is a mask's name behind a space; "" where it has none.
func quoted(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" %q", name)
}

// upright turns a mask as the file is turned.
func (g *targets) upright(d *Draw, values []uint8, height, width int, out []uint8) {
	inverse, _ := warp.Affine(decode.Upright(g.orientation, d.Source[0], d.Source[1])).Invert() // exact: its numbers are whole
	n := nearest{dst: out, height: d.Source[0], width: d.Source[1], src: values, stride: width, window: [4]int{0, 0, width, height}}
	n.run(inverse.Homography(), nil)
}

// renumber maps the values of row y in place, and refuses those of no class. Eight that are as
// the eight before them are what those became.
func renumber(values []uint8, y int, table *[256]uint8, classes []string) error {
	n := len(classes)
	one := func(from, to int) error {
		for i := from; i < to; i++ {
			v := values[i]
			if table != nil {
				v = table[v]
				values[i] = v
			}
			if n > 0 && int(v) >= n && v != schema.MaskIgnore {
				return fmt.Errorf("has the value %d at x %d, y %d, and there is no more than %s: name all classes, or say ignore: %d if its pixels are of none", v, i, y, phrase.Count(n, "class"), v)
			}
		}
		return nil
	}
	var last, became uint64
	i := 0
	for ; i+8 <= len(values); i += 8 {
		now := binary.LittleEndian.Uint64(values[i:])
		if i > 0 && now == last {
			binary.LittleEndian.PutUint64(values[i:], became)
			continue
		}
		if err := one(i, i+8); err != nil {
			return err
		}
		last, became = now, binary.LittleEndian.Uint64(values[i:])
	}
	return one(i, len(values))
}

// fills reports whether some transform shows what lies outside of its input by pixels of its
// edge: then points outside have class numbers, too, and transforms can't be composed.
func (d *Draw) fills() bool {
	h, w := d.Source[0], d.Source[1]
	for i := range d.ops {
		t := d.ops[i].transform
		if t == nil {
			continue
		}
		if t.Border != warp.Constant {
			part, window := t.Sampled(), t.Window(h, w)
			left, top := float64(window.Min.X)-0.5-tie, float64(window.Min.Y)-0.5-tie
			right, bottom := float64(window.Max.X)-0.5+tie, float64(window.Max.Y)-0.5+tie
			for _, c := range [4][2]int{{part.Min.X, part.Min.Y}, {part.Max.X - 1, part.Min.Y}, {part.Min.X, part.Max.Y - 1}, {part.Max.X - 1, part.Max.Y - 1}} {
				u, v, ok := t.Homography().Apply(float64(c[0]), float64(c[1]))
				if !ok || u < left || v < top || u > right || v > bottom {
					return true
				}
			}
		}
		h, w = t.Height, t.Width
	}
	return false
}

// maskByStages applies transform after transform.
func (m *Maker) maskByStages(d *Draw, values, dst []uint8) error {
	g := &d.targets
	h, w := g.frame[0], g.frame[1]
	src := values
	toCentres, back := warp.Translate(-0.5, -0.5).Homography(), warp.Translate(0.5, 0.5).Homography()
	step := func(inverse warp.Homography, height, width int, part, window image.Rectangle, border warp.Border) {
		out := make([]uint8, height*width)
		n := nearest{dst: out, height: height, width: width, src: src, stride: w, window: [4]int{window.Min.X, window.Min.Y, window.Max.X, window.Max.Y}, border: border}
		n.run(inverse, nil)
		ignoreOutside(out, width, part)
		src, h, w = out, height, width
	}
	if g.turned {
		out := make([]uint8, d.Source[0]*d.Source[1])
		g.upright(d, values, h, w, out)
		src, h, w = out, d.Source[0], d.Source[1]
	}
	for i := range d.ops {
		t := d.ops[i].transform
		if t == nil {
			continue
		}
		step(toCentres.Then(t.Homography()).Then(back), t.Height, t.Width, t.Sampled(), t.Window(h, w), t.Border)
	}
	copy(dst, src)
	return nil
}

// outline is what a path leaves visible, on its last canvas.
func (m *Maker) outline(p *warp.Path) [][2]float64 {
	m.ring = m.ring[:0]
	for _, q := range p.Visible {
		if u, v, ok := p.Map(q[0], q[1]); ok {
			m.ring = append(m.ring, [2]float64{u, v})
		}
	}
	return m.ring
}

// ignoreOutside leaves only a part of a mask.
func ignoreOutside(mask []uint8, width int, part image.Rectangle) {
	if part == image.Rect(0, 0, width, len(mask)/width) {
		return
	}
	for y := range len(mask) / width {
		row := mask[y*width : (y+1)*width]
		if y < part.Min.Y || y >= part.Max.Y {
			ignore(row)
			continue
		}
		ignore(row[:part.Min.X])
		ignore(row[part.Max.X:])
	}
}
