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
	high     []byte // the high bytes of a coded row of 16 bits
}

// Kept is how many bytes of memory the decoder keeps.
func (d *Decoder) Kept() int {
	return d.inflater.Kept() + cap(d.joined) + cap(d.rows[0]) + cap(d.rows[1]) + cap(d.narrow) + cap(d.high)
}

// Decode writes the picture to pix, Height rows of 3*Width bytes, R G B. It returns the
// cause of ctx within a row or so after ctx ends.
func (d *Decoder) Decode(ctx context.Context, f *File, pix []byte) error {
	return d.decode(ctx, f, output{pix, 3, true, func(out, row []byte, _ place) error {
		f.toRGB(out, row)
		return nil
	}})
}

// Region writes a part of a picture that isn't interlaced to pix, row by row. Of the rows below
// it nothing is looked at, but for the checksums of the IDAT chunks, unless the file is cut
// behind them.
func (d *Decoder) Region(ctx context.Context, f *File, part image.Rectangle, pix []byte) error {
	if f.Interlaced {
		return errors.New("an interlaced picture has no regions until it is whole")
	}
	if err := d.open(f); err != nil {
		return err
	}
	defer d.inflater.Release()
	size, bits := 3*part.Dx(), min(f.Depth, 8)*f.Colour.channels()
	d.grow(3 * f.Width)
	return d.firstRows(ctx, f, part.Max.Y, true, func(row []byte, at place) error {
		if at.y < part.Min.Y {
			return nil
		}
		out := pix[(at.y-part.Min.Y)*size:][:size]
		if bits >= 8 {
			f.toRGB(out, row[part.Min.X*bits/8:part.Max.X*bits/8])
			return nil
		}
		f.toRGB(d.narrow, row)
		copy(out, d.narrow[3*part.Min.X:])
		return nil
	})
}

// output is where the pixels go: each bytes of one, as convert makes them of a stored row; of
// one of 16 bits the high bytes alone, if it is high.
type output struct {
	pix     []byte
	each    int
	high    bool
	convert func(out, row []byte, at place) error
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
		if err := d.interlaced(ctx, f, out); err != nil {
			return err
		}
		return d.finish(f)
	}
	size := out.each * f.Width
	return d.firstRows(ctx, f, f.Height, out.high, func(row []byte, at place) error {
		return out.convert(out.pix[at.y*size:(at.y+1)*size], row, at)
	})
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
func (d *Decoder) grow(n int) {
	d.narrow = slices.Grow(d.narrow[:0], n)[:n]
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
// Where the file may be cut it decodes these, too. high is output's.
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

// passes are Adam7's: the first column and row of each, and the steps.
var passes = [7]struct{ x, y, dx, dy int }{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

func (d *Decoder) interlaced(ctx context.Context, f *File, out output) error {
	n := out.each
	for _, p := range passes {
		width, height := (f.Width-p.x+p.dx-1)/p.dx, (f.Height-p.y+p.dy-1)/p.dy
		if width <= 0 || height <= 0 {
			continue
		}
		d.grow(n * width)
		rows, narrow := d.begin(f, width, out.high), d.narrow
		for i := range height {
			if i%64 == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			y := p.y + i*p.dy
			row, err := rows.next()
			if err != nil {
				return early(err, y)
			}
			if err := out.convert(narrow, row, place{p.x, y, p.dx}); err != nil {
				return err
			}
			to := out.pix[n*(y*f.Width+p.x) : n*(y+1)*f.Width]
			for x := range width {
				copy(to[n*p.dx*x:][:n], narrow[n*x:][:n])
			}
		}
	}
	return nil
}
