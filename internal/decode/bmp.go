package decode

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/sluicedata/sluice/schema"
)

// bmpFile is the header of a Windows bitmap. x/image/bmp is not used: it takes
// no 16-bit pixels, no bit fields and no gap before the pixels.
type bmpFile struct {
	height, width int
	topDown       bool
	bits          int // per pixel
	palette       [256][3]uint8
	colours       int       // in the palette
	masks         [3]uint32 // of R, G, B, for 16 and 32 bits
	rows          []byte    // the stored rows
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

// read takes the header: BITMAPCOREHEADER (12 bytes) or BITMAPINFOHEADER and
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
		f.masks = [3]uint32{le.Uint32(fields), le.Uint32(fields[4:]), le.Uint32(fields[8:])}
	}
	if f.bits <= 8 {
		if err := f.readPalette(after, entry); err != nil {
			return err
		}
		if offset == 14+size { // some programs forget the palette in it; so Pillow
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
	case compression == 1 || compression == 2:
		return fmt.Errorf("BMP with run-length coding is %w: save it uncompressed, or as PNG", ErrUnsupported)
	case compression == bmpBitFields && (f.bits == 16 || f.bits == 32):
	case compression != 0:
		return fmt.Errorf("BMP compression %d is %w", compression, ErrUnsupported)
	}
	switch f.bits {
	case 1, 4, 8, 24:
	case 16:
		f.masks = [3]uint32{0x7c00, 0x03e0, 0x001f}
	case 32:
		f.masks = [3]uint32{0xff0000, 0x00ff00, 0x0000ff}
	default:
		return fmt.Errorf("BMP with %d bits per pixel is %w", f.bits, ErrUnsupported)
	}
	return nil
}

// readPalette takes the colours, stored as blue, green, red (and padding).
func (f *bmpFile) readPalette(data []byte, entry int) error {
	if f.colours == 0 {
		f.colours = 1 << f.bits
	}
	if f.colours < 0 || f.colours > 1<<f.bits {
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

// findRows checks that all pixels are there. Rows are padded to four bytes.
func (f *bmpFile) findRows(data []byte, offset int64) error {
	stride := (int64(f.width)*int64(f.bits) + 31) / 32 * 4
	// Rows are at most 2^33 bytes and 2^31 in number, so the product fits.
	if offset > int64(len(data)) || stride > (int64(len(data))-offset)/int64(f.height) {
		return fmt.Errorf("%w: %d bytes, too few for %dx%d pixels of %d bits from byte %d",
			ErrTruncated, len(data), f.height, f.width, f.bits, offset)
	}
	f.rows, f.stride = data[offset:], int(stride)
	return nil
}

func (f *bmpFile) decode(context.Context) (*schema.Picture, error) {
	p := schema.NewPicture(f.height, f.width)
	for y := range f.height {
		stored := f.height - 1 - y
		if f.topDown {
			stored = y
		}
		out, row := p.U8[3*y*f.width:3*(y+1)*f.width], f.rows[stored*f.stride:][:f.stride]
		switch {
		case f.bits <= 8:
			if err := f.paletteRow(out, row); err != nil {
				return nil, err
			}
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

func (f *bmpFile) paletteRow(out, row []byte) error {
	for x := range f.width {
		bit := x * f.bits
		index := int(row[bit/8]>>(8-f.bits-bit%8)) & (1<<f.bits - 1)
		if index >= f.colours {
			return fmt.Errorf("damaged file: colour %d of a palette of %d", index, f.colours)
		}
		copy(out[3*x:3*x+3], f.palette[index][:])
	}
	return nil
}

// maskedRow takes 16 or 32-bit pixels apart. Fewer than eight bits are
// stretched to 0..255, cut off as Pillow does; of more the high eight are kept.
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
