package decode

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/sluicedata/sluice/schema"
)

// bmpFile is the header of a Windows bitmap. x/image/bmp is not used: it supports no
// 16-bit pixels, no bit fields and no gap before the pixels.
type bmpFile struct {
	height, width int
	topDown       bool
	bits          int // per pixel
	palette       [256][3]uint8
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
	h.DecodeBytes = 6 * h.Pixels()
	return h, f.decode, nil
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
		f.palette[i] = [3]uint8{c[2], c[1], c[0]}
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

func (f *bmpFile) decode(ctx context.Context) (*schema.Picture, error) {
	if f.runs != 0 {
		indices, err := f.unpackRuns(ctx)
		if err != nil {
			return nil, err
		}
		f.rows, f.stride = indices, f.width
	}
	p := schema.NewPicture(f.height, f.width)
	for y := range f.height {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		stored := f.height - 1 - y
		if f.topDown {
			stored = y
		}
		out, row := p.U8[3*y*f.width:3*(y+1)*f.width], f.rows[stored*f.stride:]
		switch {
		case f.bits <= 8:
			f.paletteRow(out, row)
		case f.bits == 24:
			for i := 0; i < len(out); i += 3 {
				out[i], out[i+1], out[i+2] = row[i+2], row[i+1], row[i]
			}
		default:
			f.maskedRow(out, row)
		}
	}
	return p, nil
}

// unpackRuns decodes RLE4 and RLE8 into a byte per pixel. What is skipped has colour 0.
// As in Pillow a run ends with its row, single pixels may continue in the next, and missing
// rows are an error.
func (f *bmpFile) unpackRuns(ctx context.Context) ([]uint8, error) {
	indices := make([]uint8, f.height*f.width)
	n, x := 0, 0 // the next pixel, and its column as runs see it
	codes := &byteReader{data: f.rows}
	for steps := 0; n < len(indices); steps++ {
		if steps%4096 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if len(codes.data) < 2 {
			return nil, fmt.Errorf("%w: its codes end in row %d of %d", ErrTruncated, n/f.width, f.height)
		}
		pair := codes.take(2)
		switch count, value := int(pair[0]), pair[1]; {
		case count > 0:
			count = min(count, max(0, f.width-x), len(indices)-n)
			f.run(indices[n:n+count], []byte{value}, 0)
			n, x = n+count, x+count
		case value == 0: // end of the line
			n, x = (n+f.width-1)/f.width*f.width, 0
		case value == 1: // end of the bitmap
			return nil, fmt.Errorf("%w: its codes end in row %d of %d", ErrTruncated, n/f.width, f.height)
		case value == 2:
			step := codes.take(2)
			n = min(n+int(step[0])+int(step[1])*f.width, len(indices))
			x = n % f.width
		default:
			count = min(int(value), len(indices)-n)
			size := (count*f.runs + 7) / 8
			f.run(indices[n:n+count], codes.take(size), 1)
			n, x = n+count, x+int(value)
			if size%2 != 0 && n < len(indices) {
				codes.take(1)
			}
		}
		if codes.short {
			return nil, fmt.Errorf("%w: its codes end in row %d of %d", ErrTruncated, n/f.width, f.height)
		}
	}
	return indices, nil
}

// run fills pixels from bytes of one pixel or two; step is 0 where the first byte is
// repeated.
func (f *bmpFile) run(pixels []uint8, from []byte, step int) {
	for i := range pixels {
		switch {
		case f.runs == 8:
			pixels[i] = from[i*step]
		case i%2 == 0:
			pixels[i] = from[i/2*step] >> 4
		default:
			pixels[i] = from[i/2*step] & 15
		}
	}
}

// paletteRow looks colours up. Those beyond the palette are black, as in Pillow.
func (f *bmpFile) paletteRow(out, row []byte) {
	for x := range f.width {
		bit := x * f.bits
		index := int(row[bit/8]>>(8-f.bits-bit%8)) & (1<<f.bits - 1)
		copy(out[3*x:3*x+3], f.palette[index][:])
	}
}

// maskedRow takes 16 or 32-bit pixels apart. Fewer than eight bits are
// stretched to 0..255, rounded down as in Pillow; of more the high eight are kept.
func (f *bmpFile) maskedRow(out, row []byte) {
	for x := range f.width {
		var v uint32
		if f.bits == 16 {
			v = uint32(binary.LittleEndian.Uint16(row[2*x:]))
		} else {
			v = binary.LittleEndian.Uint32(row[4*x:])
		}
		for c, mask := range f.masks {
			if mask == 0 {
				continue
			}
			shift := bits.TrailingZeros32(mask)
			value, top := v&mask>>shift, mask>>shift
			if width := bits.Len32(top); width > 8 {
				value, top = value>>(width-8), 255
			}
			out[3*x+c] = uint8(uint64(value) * 255 / uint64(top))
		}
	}
}
