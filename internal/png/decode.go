package png

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/sluicedata/sluice/internal/inflate"
)

// In its buffer a row is preceded by zeros, which are the pixel left of the first one to a
// filter, and followed by bytes that loops over several at once may touch.
const (
	rowLead = 8
	overrun = 32
)

// Decoder decodes one file after another, and keeps its memory from one to the next.
// Its zero value is ready.
type Decoder struct {
	inflater inflate.Reader
	joined   []byte // the IDAT chunks, where there are several
	rows     [2][]byte
	narrow   []byte // pixels of a row, before they are put in their places
	shared   []byte // pixels of a row that begins within a byte
	high     []byte // the high bytes of a coded row of 16 bits
}

// Kept is how many bytes of memory the decoder keeps.
func (d *Decoder) Kept() int {
	return d.inflater.Kept() + cap(d.joined) + cap(d.rows[0]) + cap(d.rows[1]) + cap(d.narrow) + cap(d.shared) + cap(d.high)
}

// Decode writes the picture to pix, Height rows of 3*Width bytes, R G B. It returns the
// cause of ctx within a row or so after ctx ends.
func (d *Decoder) Decode(ctx context.Context, f *File, pix []byte) error {
	return d.Region(ctx, f, f.all(), pix)
}

// all is the whole picture.
func (f *File) all() image.Rectangle { return image.Rect(0, 0, f.Width, f.Height) }

// Region writes a part of the picture to pix, row by row. Of the rows that are stored behind its
// last one nothing is looked at, but for the checksums of the IDAT chunks, unless the file is cut
// behind them.
func (d *Decoder) Region(ctx context.Context, f *File, part image.Rectangle, pix []byte) error {
	return d.decode(ctx, f, output{part, pix, 3})
}

// output is where a part of the pixels goes, and how many bytes each takes: 3 of RGB, or 1 of numbers.
type output struct {
	part image.Rectangle
	pix  []byte
	each int
}

// high reports that of 16 bits the high bytes count alone.
func (o *output) high() bool { return o.each == 3 }

// convert converts a stored row.
func (o *output) convert(f *File, to, row []byte, at place) error {
	if o.each == 1 {
		return f.toNumbers(to, row, at)
	}
	f.toRGB(to, row)
	return nil
}

// place says where a row's pixels belong: the first one's column and row, and the step to
// the next column.
type place struct{ x, y, dx int }

func (d *Decoder) decode(ctx context.Context, f *File, out output) error {
	if err := d.open(f); err != nil {
		return err
	}
	defer d.inflater.Release()
	if f.Interlaced {
		return d.interlaced(ctx, f, out)
	}
	part, size := out.part, out.each*out.part.Dx()
	return d.firstRows(ctx, f, part.Max.Y, out.high(), func(row []byte, at place) error {
		if at.y < part.Min.Y {
			return nil
		}
		at.x = part.Min.X
		return d.convert(f, out, out.pix[(at.y-part.Min.Y)*size:][:size], row, at, part.Min.X)
	})
}

// convert converts the pixels of a row from the one numbered first on, as many as to takes.
func (d *Decoder) convert(f *File, out output, to, row []byte, at place, first int) error {
	bits := f.bits()
	if out.high() {
		bits = min(f.Depth, 8) * f.Colour.channels()
	}
	if first*bits%8 == 0 {
		return out.convert(f, to, row[first*bits/8:], at)
	}
	n := out.each * first // the pixels before share its byte
	d.shared = slices.Grow(d.shared[:0], n+len(to))[:n+len(to)]
	err := out.convert(f, d.shared, row, at)
	copy(to, d.shared[n:])
	return err
}

// finish checks what follows the last row: if the data ends there it is complete, or lacks
// only its end.
func (d *Decoder) finish(f *File) error {
	if _, err := d.inflater.Next(1); errors.Is(err, inflate.ErrDamaged) {
		return early(err, f.Height)
	}
	return nil
}

// grow gives narrow that many bytes.
func (d *Decoder) grow(n int) []byte {
	d.narrow = slices.Grow(d.narrow[:0], n)[:n]
	return d.narrow
}

// open begins with a file's compressed data.
func (d *Decoder) open(f *File) error {
	data, err := d.join(f)
	if err != nil {
		return err
	}
	d.inflater.ResetZlib(data)
	return nil
}

// firstRows calls do with each of the first rows, and leaves it at that if others follow them.
// Where the file may be cut it decodes these, too. high is begin's.
func (d *Decoder) firstRows(ctx context.Context, f *File, rows int, high bool, do func(row []byte, at place) error) error {
	if rows < f.Height && f.followed {
		d.inflater.Only(rows * (1 + f.rowBytes(f.Width)))
		return d.straight(ctx, f, rows, high, do)
	}
	err := d.straight(ctx, f, f.Height, high, func(row []byte, at place) error {
		if at.y >= rows {
			return nil
		}
		return do(row, at)
	})
	if err != nil {
		return err
	}
	return d.finish(f)
}

// straight calls do with each of the first rows.
func (d *Decoder) straight(ctx context.Context, f *File, rows int, high bool, do func(row []byte, at place) error) error {
	lines := d.begin(f, f.Width, high)
	for y := range rows {
		if y%64 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row, err := lines.next()
		if err != nil {
			return early(err, y)
		}
		if err := do(row, place{0, y, 1}); err != nil {
			return err
		}
	}
	return nil
}

// join gives the compressed data as a whole.
func (d *Decoder) join(f *File) ([]byte, error) {
	for i, s := range f.pixels {
		if s.sum != nil && !s.sound() {
			return nil, fmt.Errorf("damaged file: IDAT %d of %d doesn't match its checksum", i+1, len(f.pixels))
		}
	}
	if len(f.pixels) == 1 {
		return f.pixels[0].body, nil
	}
	d.joined = d.joined[:0]
	if cap(d.joined) < f.compressed {
		d.joined = make([]byte, 0, f.compressed)
	}
	for _, s := range f.pixels {
		d.joined = append(d.joined, s.body...)
	}
	return d.joined, nil
}

// scanlines are the rows of a picture, or of a pass of one.
type scanlines struct {
	d     *Decoder
	coded int  // bytes of a row in the file
	bytes int  // of a row
	pixel int  // bytes of a pixel, at least 1: how far left a filter looks
	high  bool // of two bytes the first is taken
}

// begin prepares for the first row; the one above it is zeros. Of samples of 16 bits rows have
// the high bytes alone, if it is high: no filter mixes them with low ones.
func (d *Decoder) begin(f *File, width int, high bool) scanlines {
	s := scanlines{d, f.rowBytes(width), f.rowBytes(width), max(f.bits()/8, 1), high && f.Depth == 16}
	if s.high {
		s.bytes, s.pixel = s.bytes/2, s.pixel/2
		d.high = slices.Grow(d.high[:0], s.bytes+overrun)[:s.bytes+overrun]
	}
	size := rowLead + s.bytes + overrun
	for i := range d.rows {
		if cap(d.rows[i]) < size {
			d.rows[i] = make([]byte, size)
		}
		d.rows[i] = d.rows[i][:size]
	}
	clear(d.rows[0])
	clear(d.rows[1][:rowLead])
	return s
}

var errFilter = errors.New("an unknown filter")

// next is the next row, unfiltered; valid until the one after the next.
func (s *scanlines) next() ([]byte, error) {
	above, row := s.d.rows[0], s.d.rows[1]
	s.d.rows[0], s.d.rows[1] = row, above
	coded, err := s.d.inflater.Next(1 + s.coded)
	switch {
	case err != nil:
		return nil, err
	case coded[0] > paethFilter:
		return nil, fmt.Errorf("%w, %d", errFilter, coded[0])
	}
	filter, coded := coded[0], coded[1:]
	if s.high {
		takeHigh(s.d.high[:s.bytes], coded)
		coded = s.d.high[:s.bytes]
	}
	unfilter(filter, row, coded, above, s.pixel)
	return row[rowLead : rowLead+s.bytes], nil
}

// skip leaves out a row, and all after it.
func (s *scanlines) skip() error {
	coded, err := s.d.inflater.Next(1 + s.coded)
	if err == nil && coded[0] > paethFilter {
		err = fmt.Errorf("%w, %d", errFilter, coded[0])
	}
	return err
}

// passes are Adam7's: the first column and row of each, and the steps.
var passes = [7]struct{ x, y, dx, dy int }{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

// pass is what a part takes of a pass: the pixels of rows from first to end, end not included.
type pass struct {
	x, y, dx, dy  int
	width, height int // of all of it
	first, end    image.Point
}

// passesOf are those n of a picture's that have pixels, and how many there are up to the last one
// with pixels of part.
func (f *File) passesOf(part image.Rectangle) (list [7]pass, n, used int) {
	for _, p := range passes {
		q := pass{
			x: p.x, y: p.y, dx: p.dx, dy: p.dy, width: steps(f.Width, p.x, p.dx), height: steps(f.Height, p.y, p.dy),
			first: image.Pt(steps(part.Min.X, p.x, p.dx), steps(part.Min.Y, p.y, p.dy)),
			end:   image.Pt(steps(part.Max.X, p.x, p.dx), steps(part.Max.Y, p.y, p.dy)),
		}
		if q.width == 0 || q.height == 0 {
			continue
		}
		if q.first.X == q.end.X || q.first.Y == q.end.Y {
			q.first, q.end = image.Point{}, image.Point{}
		}
		list[n] = q
		if n++; q.end.Y > 0 {
			used = n
		}
	}
	return list, n, used
}

// steps is how many of first, first+each, first+2*each, ... are less than end.
func steps(end, first, each int) int { return max(end-first+each-1, 0) / each }

// interlaced writes a part of an interlaced picture.
func (d *Decoder) interlaced(ctx context.Context, f *File, out output) error {
	list, n, used := f.passesOf(out.part)
	all := !f.followed || used == n && list[n-1].end.Y == list[n-1].height
	if !all {
		n = used
		d.inflater.Only(f.bytesOf(list[:n]))
	}
	for i, p := range list[:n] {
		if err := d.pass(ctx, f, out, p, all || i < n-1); err != nil {
			return err
		}
	}
	if all {
		return d.finish(f)
	}
	return nil
}

// bytesOf is how many bytes passes take, the last one down to the last row that counts.
func (f *File) bytesOf(list []pass) (n int) {
	for i, p := range list {
		rows := p.height
		if i == len(list)-1 {
			rows = p.end.Y
		}
		n += rows * (1 + f.rowBytes(p.width))
	}
	return n
}

// pass writes the pixels of a pass to their places, and reads its other rows if there are more passes.
func (d *Decoder) pass(ctx context.Context, f *File, out output, p pass, more bool) error {
	n, part := out.each, out.part
	rows, narrow := d.begin(f, p.width, out.high()), d.grow(n*(p.end.X-p.first.X))
	for i := range p.height {
		if i%64 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		y := p.y + i*p.dy
		switch {
		case i < p.end.Y:
		case !more:
			return nil
		default:
			if err := rows.skip(); err != nil {
				return early(err, y)
			}
			continue
		}
		row, err := rows.next()
		if err != nil {
			return early(err, y)
		}
		if i < p.first.Y {
			continue
		}
		x := p.x + p.first.X*p.dx
		if err := d.convert(f, out, narrow, row, place{x, y, p.dx}, p.first.X); err != nil {
			return err
		}
		to := out.pix[n*((y-part.Min.Y)*part.Dx()+x-part.Min.X) : n*(y-part.Min.Y+1)*part.Dx()]
		for from, at := 0, 0; from < len(narrow); from, at = from+n, at+n*p.dx {
			copy(to[at:][:n], narrow[from:])
		}
	}
	return nil
}
