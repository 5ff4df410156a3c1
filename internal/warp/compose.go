package warp

import (
	"fmt"
	"image"
	"math"
	"slices"
)

// Pass is one sampling of a picture in place of several consecutive transforms, for
// pictures of one size. Fuse makes it. It is read-only then: Run may be called from many
// goroutines.
type Pass struct {
	InHeight, InWidth int // of the picture that it reads
	Height, Width     int // of the output
	Length            int // transforms of the chain that it replaces
	Merged            int // resamplings among them; 0 if it only moves whole pixels
	// Done stops a run when it is closed; the remaining rows of the output are undefined then.
	// nil: never.
	Done      <-chan struct{}
	sampler   // one of those below
	section   section
	affine    affine
	separable separable
	grid      grid
	unfused   unfused
}

// sampler is a way of computing a pass's rows.
type sampler interface {
	// Region is the part of the input that is read.
	Region() image.Rectangle
	// Method describes in words how values are computed.
	Method() string
	run(out *writer, src Source, s *scratch)
}

// AntialiasFrom is how many input pixels the samples of a merged pass may lie
// apart; output pixels that lie farther apart are the mean of several.
const AntialiasFrom = 1.5

// Fuse turns a chain of transforms of an inH x inW picture, each of which must
// pass Check for the canvas that it reads, into as few passes as possible.
//
// Transforms by whole pixels that stay inside their canvas (crops, flips, quarter turns
// of a square) always join the resampling before or after them, since they don't change
// its values: it is a function of points on a grid of 2^-32, and whole pixels move points
// along that grid. Mirrored points are rounded to 2^-12 half down, so that they fall where
// the mirrored picture's would.
//
// With full, consecutive bilinear resamplings are merged as well (fused_affine.go). Other
// filters were chosen on purpose and stay passes of their own; so do perspectives. A
// transform with an Inset is two passes: to the inset, and then onto the canvas; the second
// has the Length 0 if it is all that is left of the transform.
//
// The passes refer to chain, which must not be changed while they are in use.
func Fuse(inH, inW int, chain []Transform, full bool) []*Pass {
	return new(Fuser).Fuse(inH, inW, chain, full)
}

// Fuser fuses one chain after another in the same memory.
type Fuser struct {
	passes   []*Pass
	unframed []Transform // a chain whose framed transforms are two
	frames   []bool      // which of these are the second half
}

// Fuse is the function Fuse. The passes are valid until the next call.
func (f *Fuser) Fuse(inH, inW int, chain []Transform, full bool) []*Pass {
	chain, frames := f.unframe(chain)
	n, h, w := 0, inH, inW
	for len(chain) > 0 || n == 0 {
		if n == len(f.passes) {
			f.passes = append(f.passes, new(Pass))
		}
		p := f.passes[n]
		p.section = newSection(h, w, chain, full)
		p.make()
		chain = chain[p.Length:]
		if frames != nil {
			var whole []bool
			whole, frames = frames[:p.Length], frames[p.Length:]
			for _, second := range whole {
				if second {
					p.Length--
				}
			}
		}
		n, h, w = n+1, p.Height, p.Width
	}
	return f.passes[:n]
}

// unframe splits the framed transforms of a chain; frames is nil if there are none.
func (f *Fuser) unframe(chain []Transform) (unframed []Transform, frames []bool) {
	if !slices.ContainsFunc(chain, Transform.framed) {
		return chain, nil
	}
	f.unframed, f.frames = f.unframed[:0], f.frames[:0]
	for _, t := range chain {
		if !t.framed() {
			f.unframed, f.frames = append(f.unframed, t), append(f.frames, false)
			continue
		}
		inner, frame := splitFramed(t)
		f.unframed, f.frames = append(f.unframed, inner, frame), append(f.frames, false, true)
	}
	return f.unframed, f.frames
}

// section is the part of a chain that becomes one pass.
type section struct {
	inH, inW      int
	height, width int // of the last canvas
	chain         []Transform
	before, after pixelMap // copies before the first and after the last resampling
	resampling    int      // the first that resamples; len(chain) if none does
	size          image.Point
	merged        int
}

// newSection takes from the beginning of the chain as much as fits into one pass.
func newSection(inH, inW int, chain []Transform, full bool) section {
	l := section{inH: inH, inW: inW, height: inH, width: inW, before: unmoved, after: unmoved, size: image.Pt(inW, inH)}
	for n, t := range chain {
		copies, ok := t.pixelMap(l.height, l.width)
		switch {
		case t.apart() && !ok:
			if n == 0 {
				l.chain, l.height, l.width, l.merged = chain[:1], t.Height, t.Width, 1
			}
			return l
		case ok && l.merged == 0:
			l.before = copies.then(l.before)
			l.size = image.Pt(t.Width, t.Height)
			l.resampling = n + 1
		case ok && l.takesAfter(copies):
			l.after = copies.then(l.after)
		case !ok && l.merged == 0 && t.takesBefore(l.before):
			l.merged = 1
		case !ok && l.merged > 0 && full && t.merges() && l.chain[l.resampling].merges():
			l.merged++
			l.after = unmoved
		default:
			return l
		}
		l.chain = chain[:n+1]
		l.height, l.width = t.Height, t.Width
	}
	return l
}

// merges reports whether full may merge the transform with others of its kind.
func (t Transform) merges() bool {
	return t.Filter == Bilinear && !t.Projective() && t.Border != Reflect
}

// apart reports a transform that the reference computes, in a pass of its own: a perspective,
// or samples between pixels that may lie beyond a mirror.
func (t Transform) apart() bool {
	return t.Projective() || t.Border == Reflect && !t.gridded() && !t.separable()
}

// separable, gridded and convolved report which of the reference's methods rows takes.
func (t Transform) separable() bool { return t.Antialias && t.Filter != Nearest }
func (t Transform) gridded() bool   { return t.Filter == Nearest && t.axisAligned() }
func (t Transform) convolved() bool {
	return !t.separable() && (t.Filter == Bicubic || t.Filter == Lanczos)
}

// takesBefore reports whether copies before the transform don't change its values.
func (t Transform) takesBefore(w pixelMap) bool {
	switch {
	case t.convolved(): // sums of floats: the order of the taps counts
		return w.xx == 1 && w.yy == 1
	case t.separable() || t.gridded():
		return !w.transposes()
	}
	return true
}

// takesAfter reports whether the section's resampling can be read through more copies.
func (l *section) takesAfter(w pixelMap) bool {
	t := l.chain[l.resampling]
	return l.merged > 1 || !w.transposes() || !t.separable() && !t.gridded()
}

// make chooses the section's sampler and prepares it.
func (p *Pass) make() {
	l := &p.section
	p.InHeight, p.InWidth, p.Height, p.Width = l.inH, l.inW, l.height, l.width
	p.Length, p.Merged = len(l.chain), l.merged
	if l.merged == 0 {
		t := Transform{Matrix: Identity(), Height: l.size.Y, Width: l.size.X, Filter: Nearest}
		if l.before.transposes() {
			p.sampler = p.affine.sample(l, t)
		} else {
			p.sampler = p.grid.copy(l, t)
		}
		return
	}
	t := l.chain[l.resampling]
	switch {
	case t.apart():
		p.unfused = unfused{t, image.Rect(0, 0, l.inW, l.inH)}
		p.sampler = &p.unfused
	case l.merged > 1:
		p.sampler = p.affine.compose(l, 1)
	case t.gridded():
		p.sampler = p.grid.copy(l, t)
	case t.separable():
		p.separable = newSeparable(l, t)
		p.sampler = &p.separable
	default:
		p.sampler = p.affine.sample(l, t)
	}
}

// pixelMap is a transform by whole pixels: x' = xx*x + xy*y + x0 and likewise y',
// each of xx, xy, yx, yy -1, 0 or 1, one of each row and column not 0.
type pixelMap struct{ xx, xy, x0, yx, yy, y0 int }

var unmoved = pixelMap{xx: 1, yy: 1}

// then is first a, then b.
func (a pixelMap) then(b pixelMap) pixelMap {
	return pixelMap{
		b.xx*a.xx + b.xy*a.yx, b.xx*a.xy + b.xy*a.yy, b.xx*a.x0 + b.xy*a.y0 + b.x0,
		b.yx*a.xx + b.yy*a.yx, b.yx*a.xy + b.yy*a.yy, b.yx*a.x0 + b.yy*a.y0 + b.y0,
	}
}

func (a pixelMap) transposes() bool { return a.xx == 0 }

// rectangle is where a rectangle of pixels comes from.
func (a pixelMap) rectangle(r image.Rectangle) image.Rectangle {
	at := func(x, y int) image.Point { return image.Pt(a.xx*x+a.xy*y+a.x0, a.yx*x+a.yy*y+a.y0) }
	p := image.Rectangle{at(r.Min.X, r.Min.Y), at(r.Max.X-1, r.Max.Y-1)}.Canon()
	p.Max = p.Max.Add(image.Pt(1, 1))
	return p
}

// affine is the same map of points.
func (a pixelMap) affine() Affine {
	return Affine{float64(a.xx), float64(a.xy), float64(a.x0), float64(a.yx), float64(a.yy), float64(a.y0)}
}

// x and y are the maps of each axis where nothing is transposed.
func (a pixelMap) x() line { return line{a.x0, a.xx} }
func (a pixelMap) y() line { return line{a.y0, a.yy} }

// line is the map i -> at + step*i of pixels along an axis; step is 1 or -1.
type line struct{ at, step int }

func (l line) of(i int) int { return l.at + l.step*i }

// pixelMap returns a transform as one by whole pixels, if it copies pixels and all of them
// lie inside its window: then filter and border don't matter.
func (t Transform) pixelMap(inH, inW int) (pixelMap, bool) {
	if t.Projective() || t.framed() {
		return pixelMap{}, false
	}
	var n [6]int
	for i, v := range t.Matrix {
		n[i] = int(v)
		if float64(n[i]) != v || i%3 < 2 && n[i]*n[i] > 1 {
			return pixelMap{}, false
		}
	}
	w := pixelMap{n[0], n[1], n[2], n[3], n[4], n[5]}
	if w.xx*w.xy != 0 || w.yx*w.yy != 0 || w.xx*w.yx != 0 || w.xy*w.yy != 0 || w.xx*w.yy-w.xy*w.yx == 0 {
		return pixelMap{}, false
	}
	return w, w.rectangle(image.Rect(0, 0, t.Width, t.Height)).In(t.Window(inH, inW))
}

// Moves reports whether the matrix moves whole pixels: then no values are mixed, whatever
// the filter.
func (t Transform) Moves() bool {
	if t.framed() {
		return false // in general; it doesn't matter for the few that do
	}
	for i, v := range t.Matrix {
		if v != math.Trunc(v) || i%3 < 2 && math.Abs(v) > 1 {
			return false
		}
	}
	return !t.Projective()
}

// describe describes in words how a transform is computed that isn't merged.
func (t Transform) describe() string {
	switch {
	case t.separable():
		return fmt.Sprintf("%s, antialiased, as Pillow", t.Filter)
	case t.Filter == Box:
		return string(Nearest)
	}
	return string(t.Filter)
}

// hypot is the length of (x, y), the same on every machine.
func hypot(x, y float64) float64 { return math.Sqrt(float64(x*x) + float64(y*y)) }
