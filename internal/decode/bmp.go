package decode

import (
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"math/bits"
)

// bmpFile is the header of a Windows bitmap. x/image/bmp is not used: it supports no
// 16-bit pixels, no bit fields and no gap before the pixels.
type bmpFile struct {
	height, width int
	topDown       bool
	bits          int       // per pixel
	palette       rgbTable  // black beyond its end
	colours       int       // in the palette
	masks         [3]uint32 // of R, G, B, for 16 and 32 bits
	runs          int       // run-length coded with so many bits a pixel, else 0
	rows          []byte    // the stored rows, or their codes
	stride        int
}

func isBMP(data []byte) bool { return len(data) >= 18 && data[0] == 'B' && data[1] == 'M' }

func parseBMP(data []byte) (Header, pixelFunc, error) {
	f := &bmpFile{}
	if err := f.read(data); err != nil {
		return Header{}, nil, err
	}
	h := Header{Height: f.height, Width: f.width, Orientation: 1}
	h.DecodeBytes = 3*h.Pixels() + f.Memory()
	h.regions = f
	return h, entire(f, f.height, f.width), nil
}

// read reads the header: BITMAPCOREHEADER (12 bytes) or BITMAPINFOHEADER and
// its successors (40 to 124).
func (f *bmpFile) read(data []byte) error {
	le := binary.LittleEndian
	offset, size := int64(le.Uint32(data[10:])), int64(le.Uint32(data[14:]))
	if size != 12 && (size < 40 || size > 124) {
		return fmt.Errorf("a BMP header of %d bytes is %w", size, ErrUnsupported)
	}
	if 14+size > int64(len(data)) {
		return fmt.Errorf("%w: it ends within the header", ErrTruncated)
	}
	b := data[14 : 14+size]
	entry, compression := 4, uint32(0)
	if size == 12 {
		f.width, f.height, f.bits = int(le.Uint16(b[4:])), int(le.Uint16(b[6:])), int(le.Uint16(b[10:]))
		entry = 3
	} else {
		f.width, f.height, f.bits = int(int32(le.Uint32(b[4:]))), int(int32(le.Uint32(b[8:]))), int(le.Uint16(b[14:]))
		compression, f.colours = le.Uint32(b[16:]), int(le.Uint32(b[32:]))
	}
	if f.height < 0 {
		f.height, f.topDown = -f.height, true
	}
	if f.width <= 0 || f.height == 0 {
		return fmt.Errorf("the picture is %dx%d", f.height, f.width)
	}
	if err := f.pixelLayout(compression); err != nil {
		return err
	}
	after := data[14+size:]
	if compression == bmpBitFields {
		fields := after
		if size >= 52 {
			fields = b[40:]
		}
		if len(fields) < 12 {
			return fmt.Errorf("%w: it ends within the header", ErrTruncated)
		}
		if m := [3]uint32{le.Uint32(fields), le.Uint32(fields[4:]), le.Uint32(fields[8:])}; m != [3]uint32{} {
			f.masks = m
		}
		if f.bits == 24 && f.masks != [3]uint32{0xff0000, 0x00ff00, 0x0000ff} {
			return fmt.Errorf("BMP with 24 bits per pixel in the fields %06x is %w", f.masks, ErrUnsupported)
		}
	}
	if f.bits <= 8 {
		if err := f.readPalette(after, entry); err != nil {
			return err
		}
		if offset == 14+size { // some programs forget the palette; as Pillow
			offset += int64(entry * f.colours)
		}
	}
	if offset == 0 { // after masks and palette, if any; as Pillow
		offset = 14 + size
		if compression == bmpBitFields && size < 52 {
			offset += 12
		}
		if f.bits <= 8 {
			offset += int64(entry * f.colours)
		}
	}
	return f.findRows(data, offset)
}

const bmpBitFields = 3

// pixelLayout checks bits per pixel with the compression and sets the masks
// that hold without bit fields.
func (f *bmpFile) pixelLayout(compression uint32) error {
	switch {
	case compression == 1 && f.bits == 8, compression == 2 && f.bits == 4:
		f.runs = f.bits
		f.bits = 8
	case compression == bmpBitFields && (f.bits == 16 || f.bits == 24 || f.bits == 32):
	case compression == 4, compression == 5:
		return fmt.Errorf("a bitmap that holds a %s file is %w: extract that file", [...]string{"JPEG", "PNG"}[compression-4], ErrUnsupported)
	case compression != 0:
		return fmt.Errorf("BMP compression %d with %d bits per pixel is %w: save it uncompressed, or as PNG", compression, f.bits, ErrUnsupported)
	}
	switch f.bits {
	case 1, 4, 8:
	case 16:
		f.masks = [3]uint32{0x7c00, 0x03e0, 0x001f}
	case 24, 32:
		f.masks = [3]uint32{0xff0000, 0x00ff00, 0x0000ff}
	default:
		return fmt.Errorf("BMP with %d bits per pixel is %w", f.bits, ErrUnsupported)
	}
	return nil
}

// readPalette reads the colours, stored as blue, green, red (and padding).
func (f *bmpFile) readPalette(data []byte, entry int) error {
	if f.colours == 0 {
		f.colours = 1 << f.bits
		if f.runs != 0 {
			f.colours = 1 << f.runs
		}
	}
	if f.colours < 0 || f.colours > 256 {
		return fmt.Errorf("a palette of %d colours for %d bits", f.colours, f.bits)
	}
	if len(data) < entry*f.colours {
		return fmt.Errorf("%w: it ends within the palette", ErrTruncated)
	}
	for i := range f.colours {
		c := data[i*entry:]
		f.palette.set(i, c[2], c[1], c[0])
	}
	return nil
}

// findRows checks that all pixels are there. Rows are padded to four bytes, of which
// the last may lack its own.
func (f *bmpFile) findRows(data []byte, offset int64) error {
	stride := (int64(f.width)*int64(f.bits) + 31) / 32 * 4
	least := stride*int64(f.height-1) + (int64(f.width)*int64(f.bits)+7)/8
	if f.runs != 0 { // four bytes skip at most 255 columns and rows, or make 510 pixels
		least = 4 * (int64(f.height) / 512)
	}
	// Rows are at most 2^33 bytes and 2^31 in number, so the product may not fit.
	if offset > int64(len(data)) || f.runs == 0 && stride > int64(len(data)) || least > int64(len(data))-offset {
		return fmt.Errorf("%w: %d bytes, too few for %dx%d pixels of %d bits from byte %d",
			ErrTruncated, len(data), f.height, f.width, f.bits, offset)
	}
	f.rows, f.stride = data[offset:], int(stride)
	return nil
}

// Memory is a row of numbers.
func (f *bmpFile) Memory() int64 { return scratchMemory + int64(f.width) + pageMemory }

// Region reads no other rows than the part's, except in run-length codes, of which it reads all.
func (f *bmpFile) Region(ctx context.Context, part image.Rectangle, rgb []uint8) error {
	s := borrow()
	defer s.giveBack()
	if f.runs != 0 {
		return f.unpackRuns(ctx, part, rgb, s)
	}
	convert := f.converter(part, s)
	first, last := f.stored(part.Min.Y), f.stored(part.Max.Y-1)
	for row := min(first, last); row <= max(first, last); row++ { // in the file's order, which caches are made for
		if row%16 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		convert(rgb[3*(f.stored(row)-part.Min.Y)*part.Dx():][:3*part.Dx()], f.rows[row*f.stride:])
	}
	return nil
}

// stored is the row of the file that is row y of the picture, and the other way round.
func (f *bmpFile) stored(y int) int {
	if f.topDown {
		return y
	}
	return f.height - 1 - y
}

// converter converts the part's columns of a stored row.
func (f *bmpFile) converter(part image.Rectangle, s *scratch) func(rgb, row []byte) {
	left, right := part.Min.X, part.Max.X
	switch {
	case f.bits == 8:
		return func(rgb, row []byte) { f.palette.row(rgb, row[left:right]) }
	case f.bits < 8:
		numbers := s.row(part.Dx())
		return func(rgb, row []byte) {
			unpackBits(numbers, row, f.bits, left)
			f.palette.row(rgb, numbers)
		}
	}
	size := f.bits / 8
	if p, ok := f.bytes(); ok {
		return func(rgb, row []byte) { p.row(rgb, row[size*left:size*right]) }
	}
	fields := f.fields()
	return func(rgb, row []byte) {
		row = row[size*left : size*right]
		for ; len(row) >= size; row, rgb = row[size:], rgb[3:] {
			v := uint32(binary.LittleEndian.Uint16(row))
			if size == 4 {
				v |= uint32(binary.LittleEndian.Uint16(row[2:])) << 16
			}
			for c := range fields {
				rgb[c] = fields[c].levels[uint8(v&fields[c].mask>>fields[c].shift)]
			}
		}
	}
}

// bytes is the place of each colour in a pixel, where each is a byte.
func (f *bmpFile) bytes() (p pick, ok bool) {
	var at [3]int
	for c, mask := range f.masks {
		if at[c] = bits.TrailingZeros32(mask) / 8; mask == 0 || mask != 0xff<<(8*at[c]) || at[c] >= f.bits/8 {
			return p, false
		}
	}
	return pick{f.bits / 8, at[0], at[1], at[2]}, true
}

// field is where a colour is in a pixel, and what its values mean.
type field struct {
	mask   uint32
	shift  int
	levels [256]uint8
}

// fields are those of pixels of 16 or 32 bits. Fewer than eight bits are
// stretched to 0..255, rounded down as in Pillow; of more the high eight are kept.
func (f *bmpFile) fields() *[3]field {
	all := new([3]field)
	for c, mask := range f.masks {
		if mask == 0 {
			continue
		}
		to := &all[c]
		to.mask, to.shift = mask, bits.TrailingZeros32(mask)
		top := mask >> to.shift
		if width := bits.Len32(top); width > 8 {
			to.shift, top = to.shift+width-8, 255
		}
		for v := uint32(0); v <= top; v++ {
			to.levels[v] = uint8(v * 255 / top)
		}
	}
	return all
}

// unpackRuns decodes RLE4 and RLE8. What is skipped has colour 0.
// As in Pillow a run ends with its row, single pixels may continue in the next, and missing
// rows are an error.
func (f *bmpFile) unpackRuns(ctx context.Context, part image.Rectangle, rgb []uint8, s *scratch) error {
	w := bmpRows{f: f, part: part, rgb: rgb, row: s.row(f.width)}
	clear(w.row)
	x := 0 // the next pixel's column as runs see it
	codes := &byteReader{data: f.rows}
	for steps := 0; w.y < f.height; steps++ {
		if steps%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pair, last := codes.take(2), w.y
		switch count, value := int(pair[0]), pair[1]; {
		case codes.short:
		case count > 0:
			count = min(count, max(0, f.width-x))
			w.repeat(value, count)
			x += count
		case value == 0: // end of the line
			if w.x > 0 {
				w.skip(f.width - w.x)
			}
			x = 0
		case value == 1: // end of the bitmap
			codes.short = true
		case value == 2:
			step := codes.take(2)
			w.skip(int(step[0]) + int(step[1])*f.width)
			x = w.x
		default:
			count = min(int(value), (f.height-w.y)*f.width-w.x)
			size := (count*f.runs + 7) / 8
			w.pixels(codes.take(size), count)
			x += int(value)
			if size%2 != 0 && w.y < f.height {
				codes.take(1)
			}
		}
		if codes.short {
			return fmt.Errorf("%w: its codes end in row %d of %d", ErrTruncated, last, f.height)
		}
	}
	return nil
}

// bmpRows takes the pixels of a bitmap of run-length codes as they come.
type bmpRows struct {
	f    *bmpFile
	part image.Rectangle
	rgb  []uint8
	row  []byte // the numbers of the row being made, 0 where there are none yet
	x, y int    // the next pixel; y counts stored rows
}

// move goes on to a pixel to the right in the row, or behind its end.
func (w *bmpRows) move(n int) {
	if w.x += n; w.x < len(w.row) {
		return
	}
	if y := w.f.stored(w.y); y >= w.part.Min.Y && y < w.part.Max.Y {
		size := 3 * w.part.Dx()
		w.f.palette.row(w.rgb[(y-w.part.Min.Y)*size:][:size], w.row[w.part.Min.X:w.part.Max.X])
	}
	clear(w.row)
	w.x = 0
	w.y++
}

// skip leaves out pixels.
func (w *bmpRows) skip(n int) {
	for n > 0 && w.y < w.f.height {
		k := min(n, len(w.row)-w.x)
		w.move(k)
		n -= k
	}
}

// repeat makes pixels of a row of one number or, with four bits, of two in turn.
func (w *bmpRows) repeat(value byte, n int) {
	even, odd := value, value
	if w.f.runs == 4 {
		even, odd = value>>4, value&15
	}
	pixels := w.row[w.x : w.x+n]
	for i := range pixels {
		if pixels[i] = even; i%2 != 0 {
			pixels[i] = odd
		}
	}
	w.move(n)
}

// pixels makes pixels, which may go on in the next row.
func (w *bmpRows) pixels(from []byte, n int) {
	for done := 0; done < n; {
		to := w.row[w.x:min(len(w.row), w.x+n-done)]
		if w.f.runs == 8 {
			copy(to, from[done:])
		} else {
			unpackBits(to, from, 4, done)
		}
		done += len(to)
		w.move(len(to))
	}
}
