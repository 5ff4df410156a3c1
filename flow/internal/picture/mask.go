package picture

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
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
func (m *Maker) Mask(d *Draw, spec *schema.TargetSpec, dst []uint8) error {
	g := &d.targets
	if g.in == nil || g.in.Mask == nil {
		for i := range dst {
			dst[i] = schema.MaskIgnore
		}
		return nil
	}
	values, h, w, err := m.readMask(g, spec)
	if err != nil {
		return err
	}
	height, width := d.size()
	if d.program.Full && !d.program.Reference && !d.fills() {
		n := nearest{dst: dst, height: height, width: width, src: values, stride: w, window: [4]int{0, 0, w, h}, xs: m.xs}
		back, ok := g.path.Forward.Invert()
		if !ok {
			return fmt.Errorf("its mask: the transform has no inverse")
		}
		n.run(back, m.outline(&g.path))
		m.xs = n.xs
		return nil
	}
	return m.maskByStages(d, values, dst)
}

// readMask decodes a sample's mask, in its own picture, into the maker's memory.
func (m *Maker) readMask(g *targets, spec *schema.TargetSpec) (values []uint8, height, width int, err error) {
	if head, err := decode.ReadHeader(g.in.Mask); err == nil && int64(head.Height)*int64(head.Width) > 4*int64(g.frame[0])*int64(g.frame[1])+1<<16 {
		// Before it takes memory that nobody has counted.
		return nil, 0, 0, fmt.Errorf("its mask%s is %dx%d, and the picture %dx%d (width x height): make it of the picture's size", quoted(g.in.MaskName), head.Width, head.Height, g.frame[1], g.frame[0])
	}
	values, h, w, err := decode.Mask(g.in.Mask, m.mask)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("its mask%s: %w", quoted(g.in.MaskName), err)
	}
	m.mask = values
	if h != g.frame[0] || w != g.frame[1] {
		return nil, 0, 0, fmt.Errorf("its mask%s is %dx%d, and the picture %dx%d (width x height): make it of the picture's size", quoted(g.in.MaskName), w, h, g.frame[1], g.frame[0])
	}
	if err := renumber(values, w, g.in.MaskMap, spec.MaskClasses); err != nil {
		return nil, 0, 0, fmt.Errorf("its mask%s %w", quoted(g.in.MaskName), err)
	}
	return values, h, w, nil
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

// renumber maps a mask's values in place, and refuses those of no class. Eight that are as
// the eight before them are what those became.
func renumber(values []uint8, width int, table *[256]uint8, classes []string) error {
	n := len(classes)
	if table == nil && n == 0 {
		return nil
	}
	one := func(from, to int) error {
		for i := from; i < to; i++ {
			v := values[i]
			if table != nil {
				v = table[v]
				values[i] = v
			}
			if n > 0 && int(v) >= n && v != schema.MaskIgnore {
				return fmt.Errorf("has the value %d at x %d, y %d, and there is no more than %s: name all classes, or say ignore: %d if its pixels are of none", v, i%width, i/width, phrase.Count(n, "class"), v)
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

// nearest samples class numbers.
type nearest struct {
	dst           []uint8
	height, width int
	src           []uint8
	stride        int
	window        [4]int // x0 y0 x1 y1 of src that may be read
	border        warp.Border
	xs            []int32 // of an axis-aligned transform, -1: outside; memory
}

// tie is added to points before they are rounded down: what lies between two pixels, but for
// rounding, belongs to the right or lower one.
const tie = 1.0 / (1 << 32)

// run fills dst. back leads from continuous output to input coordinates; pixels with centres
// outside of the convex polygon outline, where there is one, are not visible.
func (n *nearest) run(back warp.Homography, outline [][2]float64) {
	if !back.Projective() && back[1] == 0 && back[3] == 0 {
		n.axes(back, outline)
		return
	}
	for y := range n.height {
		row := n.dst[y*n.width : (y+1)*n.width]
		first, end := n.span(outline, y)
		ignore(row[:first])
		ignore(row[end:])
		cy := float64(y) + 0.5
		bx, by, bd := float64(back[1]*cy)+back[2], float64(back[4]*cy)+back[5], float64(back[7]*cy)+back[8]
		for x := first; x < end; x++ {
			cx := float64(x) + 0.5
			u, v := float64(back[0]*cx)+bx, float64(back[3]*cx)+by
			if back.Projective() {
				depth := float64(back[6]*cx) + bd
				if depth <= 0 {
					row[x] = schema.MaskIgnore
					continue
				}
				u, v = u/depth, v/depth
			}
			row[x] = n.at(int(math.Floor(u+tie)), int(math.Floor(v+tie)))
		}
	}
}

// at is the number of an input pixel.
func (n *nearest) at(x, y int) uint8 {
	if x < n.window[0] || x >= n.window[2] || y < n.window[1] || y >= n.window[3] {
		if n.border == warp.Constant {
			return schema.MaskIgnore
		}
		x, y = n.border.Inside(x, n.window[0], n.window[2]), n.border.Inside(y, n.window[1], n.window[3])
	}
	return n.src[y*n.stride+x]
}

// axes is run of a transform that keeps rows and columns.
func (n *nearest) axes(back warp.Homography, outline [][2]float64) {
	n.xs = slices.Grow(n.xs[:0], n.width)[:n.width]
	left, right := n.width, 0 // columns of the window
	for x := range n.xs {
		u := n.place(int(math.Floor(float64(back[0]*(float64(x)+0.5))+back[2]+tie)), n.window[0], n.window[2])
		n.xs[x] = int32(u)
		if u >= 0 {
			left, right = min(left, x), x+1
		}
	}
	lastFirst, lastEnd, last := 0, 0, -1 // of the row above
	for y := range n.height {
		row := n.dst[y*n.width : (y+1)*n.width]
		first, end := n.span(outline, y)
		first = max(first, left)
		end = max(min(end, right), first)
		v := n.place(int(math.Floor(float64(back[4]*(float64(y)+0.5))+back[5]+tie)), n.window[1], n.window[3])
		switch {
		case v < 0:
			ignore(row)
		case v == last && first == lastFirst && end == lastEnd:
			copy(row, n.dst[(y-1)*n.width:])
		default:
			ignore(row[:first])
			gather(row[first:end], n.src[v*n.stride:(v+1)*n.stride], n.xs[first:end])
			ignore(row[end:])
		}
		lastFirst, lastEnd, last = first, end, v
	}
}

// gather takes the numbers at places of a line.
func gather(out, line []uint8, places []int32) {
	out = out[:len(places)]
	for i, u := range places {
		out[i] = line[u]
	}
}

// place is a coordinate in the window; -1: outside.
func (n *nearest) place(i, first, end int) int {
	if i >= first && i < end {
		return i
	}
	if n.border == warp.Constant {
		return -1
	}
	return n.border.Inside(i, first, end)
}

// span is the pixels of a row whose centres lie in a convex polygon; all of them without one.
func (n *nearest) span(outline [][2]float64, y int) (first, end int) {
	if outline == nil {
		return 0, n.width
	}
	cy := float64(y) + 0.5
	low, high := math.Inf(1), math.Inf(-1)
	for i, b := range outline {
		a := outline[(i+len(outline)-1)%len(outline)]
		if a[1] > cy == (b[1] > cy) {
			continue
		}
		x := a[0] + float64((cy-a[1])*(b[0]-a[0]))/(b[1]-a[1])
		low, high = min(low, x), max(high, x)
	}
	if low > high {
		return n.width, n.width
	}
	first = min(max(int(math.Ceil(low-0.5-tie)), 0), n.width)
	end = min(max(int(math.Floor(high-0.5+tie))+1, first), n.width)
	return first, end
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

func ignore(row []uint8) {
	for i := range row {
		row[i] = schema.MaskIgnore
	}
}
