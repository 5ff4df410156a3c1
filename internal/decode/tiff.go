package decode

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/sluicedata/sluice/schema"
	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

// tiffFile is the first page of a TIFF file (or BigTIFF): strips or tiles of rows of
// samples. x/image/tiff is not used, but for its LZW and CCITT codes: it has no CMYK,
// planes, 2 or 4 bits, extra samples or BigTIFF, and holds a whole file's worth of
// 64-bit pixels. Here blocks are read row by row, in memory of a row.
type tiffFile struct {
	ifd
	height, width   int
	kind            int // photometric interpretation
	bits            int // per sample
	samples         int // per pixel
	colours         int // of them; the others are dropped
	premultiplied   bool
	planar          bool
	compression     int
	predictor       bool
	reversed        bool // bits of a byte, before anything else
	t4Options       int64
	blockH, blockW  int
	across, down    int
	offsets, counts ifdEntry
	palette         [256][3]uint8
}

// Tags of TIFF 6.0.
const (
	tiffSubfileType     = 254
	tiffWidth           = 256
	tiffLength          = 257
	tiffBits            = 258
	tiffCompression     = 259
	tiffPhotometric     = 262
	tiffFillOrder       = 266
	tiffStripOffsets    = 273
	tiffSamples         = 277
	tiffRowsPerStrip    = 278
	tiffStripByteCounts = 279
	tiffPlanar          = 284
	tiffT4Options       = 292
	tiffPredictor       = 317
	tiffColorMap        = 320
	tiffTileWidth       = 322
	tiffTileLength      = 323
	tiffTileOffsets     = 324
	tiffTileByteCounts  = 325
	tiffSubIFDs         = 330
	tiffExtraSamples    = 338
	tiffSampleFormat    = 339
	tiffXMP             = 700
)

// Photometric interpretations.
const (
	tiffWhiteIsZero = 0
	tiffBlackIsZero = 1
	tiffRGB         = 2
	tiffPalette     = 3
	tiffCMYK        = 5
)

// Compressions.
const (
	tiffNone       = 1
	tiffGroup3     = 3
	tiffGroup4     = 4
	tiffLZW        = 5
	tiffDeflate    = 8
	tiffPackBits   = 32773
	tiffOldDeflate = 32946
)

// tiffRefused names compressions of TIFF files that are not supported.
var tiffRefused = map[int64]string{
	2: "CCITT run lengths without end-of-line codes", 6: "JPEG compression of the old style", 7: "JPEG compression", 9: "JBIG compression", 10: "JBIG compression",
	32809: "ThunderScan compression", 33003: "JPEG 2000 compression", 33005: "JPEG 2000 compression", 34661: "JBIG compression", 34676: "SGI LogLuv compression",
	34677: "SGI LogLuv compression", 34712: "JPEG 2000 compression", 34887: "LERC compression", 34892: "JPEG compression (lossy DNG)", 34925: "LZMA compression",
	50000: "zstd compression", 50001: "WebP compression", 50002: "JPEG XL compression", 52546: "JPEG XL compression",
}

var tiffColours = map[int64]string{4: "a transparency mask", 6: "YCbCr colours", 8: "L*a*b* colours", 9: "L*a*b* colours", 10: "L*a*b* colours",
	32803: "a raw sensor mosaic (DNG)", 32844: "LogLuv colours", 32845: "LogLuv colours", 34892: "linear raw data (DNG)"}

const tiffRemedy = "save it as PNG, or as TIFF with LZW or deflate"

func parseTIFF(data []byte) (Header, pixelFunc, error) {
	d, err := readIFD(data)
	if err != nil {
		return Header{}, nil, err
	}
	f := &tiffFile{ifd: d}
	if err := f.read(); err != nil {
		return Header{}, nil, err
	}
	h := Header{Height: f.height, Width: f.width, Orientation: d.orientation()}
	if h.Orientation == 0 {
		if e, ok := d.find(tiffXMP); ok {
			h.Orientation = xmpOrientation(e.value)
		}
		h.Orientation = max(h.Orientation, 1)
	}
	h.DecodeBytes = 3*h.Pixels() + 3*f.rowBytes() + int64(f.blockW*f.samples) + 1<<17
	if f.planar {
		h.DecodeBytes += h.Pixels() * int64(f.channels())
	}
	return h, f.decode, nil
}

// value is the first number of a tag; otherwise, if there is no such tag.
func (f *tiffFile) value(tag uint16, otherwise int64) int64 {
	if e, ok := f.find(tag); ok {
		if v, ok := f.number(e, 0); ok {
			return v
		}
	}
	return otherwise
}

func (f *tiffFile) read() error {
	if err := f.checkEntries(); err != nil {
		return err
	}
	width, height := f.value(tiffWidth, 0), f.value(tiffLength, 0)
	if width <= 0 || height <= 0 || width > 1<<31-1 || height > 1<<31-1 {
		return fmt.Errorf("the picture is %dx%d", height, width)
	}
	f.width, f.height = int(width), int(height)
	for _, read := range []func() error{f.readCompression, f.readSamples, f.readColours, f.readPredictor, f.readBlocks} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// checkEntries refuses a directory in which entries that are needed to read the picture
// have no value: their defaults would give another picture.
func (f *tiffFile) checkEntries() error {
	if f.cut {
		return fmt.Errorf("%w: it ends within its directory", ErrTruncated)
	}
	if _, subs := f.find(tiffSubIFDs); subs && f.value(tiffSubfileType, 0)&1 != 0 {
		return fmt.Errorf("TIFF whose first page is a preview, as that of a raw photo (DNG, NEF, ARW), is %w: %s", ErrUnsupported, developIt)
	}
	for _, tag := range []uint16{tiffBits, tiffCompression, tiffPhotometric, tiffFillOrder, tiffSamples, tiffPlanar, tiffPredictor, tiffExtraSamples, tiffSampleFormat, tiffColorMap} {
		if _, ok := f.find(tag); ok {
			continue
		}
		size := f.entrySize()
		for b := f.table; len(b) >= size; b = b[size:] {
			if f.order.Uint16(b) == tag && f.offset(b[4:]) != 0 {
				return fmt.Errorf("%w: the value of tag %d is not in it", ErrTruncated, tag)
			}
		}
	}
	return nil
}

func (f *tiffFile) readSamples() error {
	samples := f.value(tiffSamples, 1)
	if samples < 1 || samples > 256 {
		return fmt.Errorf("damaged file: %d samples per pixel", samples)
	}
	f.samples = int(samples)
	f.bits = int(f.value(tiffBits, 1))
	if e, ok := f.find(tiffBits); ok {
		all, _ := f.numbers(e, samples)
		for _, b := range all {
			if b != all[0] {
				return fmt.Errorf("TIFF with samples of %d bits is %w: %s", all, ErrUnsupported, tiffRemedy)
			}
		}
	}
	switch format := f.value(tiffSampleFormat, 1); {
	case format == 3:
		return fmt.Errorf("TIFF with floating-point samples is %w: scale them to 8 or 16 bits", ErrUnsupported)
	case format == 2 && f.bits != 8, format == 5, format == 6:
		return fmt.Errorf("TIFF with signed or complex samples is %w: scale them to 8 or 16 bits", ErrUnsupported)
	}
	return nil
}

func (f *tiffFile) readColours() error {
	kind := f.value(tiffPhotometric, tiffWhiteIsZero)
	f.kind, f.colours = int(kind), 1
	deep := f.bits == 8 || f.bits == 16
	switch kind {
	case tiffWhiteIsZero, tiffBlackIsZero:
		deep = deep || f.bits == 1 || f.bits == 2 || f.bits == 4
	case tiffRGB:
		f.colours = 3
	case tiffCMYK:
		f.colours = 4
	case tiffPalette:
		deep = f.bits == 1 || f.bits == 2 || f.bits == 4 || f.bits == 8
	default:
		name, ok := tiffColours[kind]
		if !ok {
			name = fmt.Sprintf("colours of kind %d", kind)
		}
		return fmt.Errorf("TIFF with %s is %w: convert it to RGB", name, ErrUnsupported)
	}
	if !deep {
		return fmt.Errorf("TIFF with %d bits per sample is %w: scale them to 8 or 16 bits", f.bits, ErrUnsupported)
	}
	if f.samples < f.colours {
		return fmt.Errorf("damaged file: %d samples per pixel where its colours take %d", f.samples, f.colours)
	}
	f.premultiplied = f.samples > f.colours && f.value(tiffExtraSamples, 0) == 1 && kind != tiffPalette && kind != tiffCMYK
	if kind != tiffPalette {
		return nil
	}
	e, ok := f.find(tiffColorMap)
	if !ok {
		return errors.New("damaged file: no colour map in it")
	}
	n := 1 << f.bits
	all, _ := f.numbers(e, int64(3*n))
	if len(all) != 3*n {
		return fmt.Errorf("damaged file: a colour map of %d values for %d bits", len(all), f.bits)
	}
	for i := range n {
		f.palette[i] = [3]uint8{uint8(all[i] >> 8), uint8(all[n+i] >> 8), uint8(all[2*n+i] >> 8)}
	}
	return nil
}

func (f *tiffFile) readCompression() error {
	compression := f.value(tiffCompression, tiffNone)
	switch compression {
	case 0:
		compression = tiffNone
	case tiffNone, tiffLZW, tiffDeflate, tiffOldDeflate, tiffPackBits:
	case tiffGroup3, tiffGroup4:
		if f.t4Options = f.value(tiffT4Options, 0); compression == tiffGroup3 && f.t4Options&1 != 0 {
			return fmt.Errorf("TIFF with two-dimensional Group 3 codes is %w: %s", ErrUnsupported, tiffRemedy)
		}
	default:
		name, ok := tiffRefused[compression]
		if !ok {
			name = fmt.Sprintf("compression %d", compression)
		}
		return fmt.Errorf("TIFF with %s is %w: %s", name, ErrUnsupported, tiffRemedy)
	}
	f.compression = int(compression)
	f.reversed = f.value(tiffFillOrder, 1) == 2
	return nil
}

// readPredictor must be called when the samples are known.
func (f *tiffFile) readPredictor() error {
	f.planar = f.value(tiffPlanar, 1) == 2 && f.samples > 1
	switch f.compression {
	case tiffLZW, tiffDeflate, tiffOldDeflate:
	case tiffGroup3, tiffGroup4:
		if f.bits != 1 || f.samples != 1 {
			return fmt.Errorf("damaged file: CCITT codes of %d samples of %d bits", f.samples, f.bits)
		}
		return nil
	default:
		return nil // no predictor
	}
	switch p := f.value(tiffPredictor, 1); {
	case p == 2 && (f.bits == 8 || f.bits == 16):
		f.predictor = true
	case p != 1:
		return fmt.Errorf("TIFF with predictor %d of %d bits is %w: %s", p, f.bits, ErrUnsupported, tiffRemedy)
	}
	return nil
}

func (f *tiffFile) readBlocks() error {
	offsets, counts := uint16(tiffStripOffsets), uint16(tiffStripByteCounts)
	w, h := int64(f.width), min(f.value(tiffRowsPerStrip, int64(f.height)), int64(f.height))
	if _, ok := f.find(tiffStripOffsets); !ok {
		offsets, counts = tiffTileOffsets, tiffTileByteCounts
		w, h = f.value(tiffTileWidth, 0), f.value(tiffTileLength, 0)
		if _, ok := f.find(tiffTileOffsets); !ok {
			return errors.New("damaged file: neither strips nor tiles in it")
		}
	}
	// Tiles may be larger than a small picture, within reason.
	if w <= 0 || h <= 0 || w > int64(f.width)+1<<14 || h > int64(f.height)+1<<14 {
		return fmt.Errorf("damaged file: a picture of %dx%d in blocks of %dx%d", f.height, f.width, h, w)
	}
	f.blockW, f.blockH = int(w), int(h)
	f.across, f.down = (f.width+f.blockW-1)/f.blockW, (f.height+f.blockH-1)/f.blockH
	padded := float64(f.across) * float64(w) * float64(f.down) * float64(h)
	if padded > 16*float64(w)*float64(f.height)+1<<26 || padded > 16*float64(f.width)*float64(f.height)+1<<26 {
		return fmt.Errorf("damaged file: a picture of %dx%d in blocks of %dx%d", f.height, f.width, h, w)
	}
	blocks := int64(f.across) * int64(f.down)
	if f.planar {
		blocks *= int64(f.samples)
	}
	f.offsets, _ = f.find(offsets)
	f.counts, _ = f.find(counts)
	if f.offsets.count < blocks {
		return fmt.Errorf("%w: %d of %d strips or tiles", ErrTruncated, f.offsets.count, blocks)
	}
	return f.checkSize()
}

// checkSize refuses a picture that its data cannot hold.
func (f *tiffFile) checkSize() error {
	most := float64(len(f.data))
	switch f.compression {
	case tiffLZW: // 4096 bytes of a code of nine bits
		most *= 4096
	case tiffDeflate, tiffOldDeflate:
		most *= 1032
	case tiffPackBits:
		most *= 64
	case tiffGroup3, tiffGroup4: // a row of a bit
		most *= 8 * float64(f.rowBytes())
	}
	rows := float64(f.height)
	if f.planar {
		rows *= float64(f.samples)
	}
	if need := rows * float64((int64(f.width)*int64(f.rowSamples())*int64(f.bits)+7)/8); need > most {
		return fmt.Errorf("%w: %d bytes of data cannot hold %dx%d pixels", ErrTruncated, len(f.data), f.height, f.width)
	}
	return nil
}

// rowSamples is the number of samples of a pixel in a block.
func (f *tiffFile) rowSamples() int {
	if f.planar {
		return 1
	}
	return f.samples
}

// rowBytes is the size of a row of a block.
func (f *tiffFile) rowBytes() int64 {
	return (int64(f.blockW)*int64(f.rowSamples())*int64(f.bits) + 7) / 8
}

// channels is the number of planes that are used.
func (f *tiffFile) channels() int {
	if f.premultiplied {
		return f.colours + 1
	}
	return f.colours
}

func (f *tiffFile) decode(ctx context.Context) (*schema.Picture, error) {
	p := schema.NewPicture(f.height, f.width)
	if !f.planar {
		return p, f.eachRow(ctx, 0, f.samples, func(y, x int, pixels []uint8) {
			f.toRGB(p.U8[3*(y*f.width+x):3*(y+1)*f.width], pixels, f.samples)
		})
	}
	n := f.channels()
	planes := make([]uint8, f.height*f.width*n)
	for c := range n {
		err := f.eachRow(ctx, c, 1, func(y, x int, samples []uint8) {
			at := (y*f.width+x)*n + c
			for _, v := range samples[:min(len(samples), f.width-x)] {
				planes[at] = v
				at += n
			}
		})
		if err != nil {
			return nil, err
		}
	}
	f.toRGB(p.U8, planes, n)
	return p, nil
}

// eachRow decodes the blocks of the picture, or of one plane of it, and calls back with
// their rows: the place of the first pixel, and 8-bit samples, which extend beyond the
// picture if a tile does.
func (f *tiffFile) eachRow(ctx context.Context, plane, step int, row func(y, x int, samples []uint8)) error {
	raw, samples := make([]byte, f.rowBytes()), make([]uint8, f.blockW*step)
	for i := range f.across * f.down {
		top, left := i/f.across*f.blockH, i%f.across*f.blockW
		rows := min(f.blockH, f.height-top)
		r, err := f.block(plane*f.across*f.down+i, rows)
		if err != nil {
			return err
		}
		for y := range rows {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if _, err := io.ReadFull(r, raw); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("%w: its data end in row %d of %d", ErrTruncated, top+y, f.height)
			} else if err != nil {
				return fmt.Errorf("damaged file: %w", err)
			}
			f.unpack(samples, raw, step)
			row(top+y, left, samples)
		}
	}
	return nil
}

// block opens a strip or tile. The size of uncompressed ones is known without their
// count, which some programs get wrong.
func (f *tiffFile) block(i, rows int) (io.Reader, error) {
	offset, ok := f.number(f.offsets, int64(i))
	if !ok || offset < 0 || offset > int64(len(f.data)) {
		return nil, fmt.Errorf("%w: strip or tile %d begins at byte %d of %d", ErrTruncated, i, offset, len(f.data))
	}
	data := f.data[offset:]
	if f.compression != tiffNone && int64(i) < f.counts.count {
		if n, ok := f.number(f.counts, int64(i)); ok && n > 0 && n < int64(len(data)) {
			data = data[:n]
		}
	}
	var from io.Reader = bytes.NewReader(data)
	if f.reversed && f.compression != tiffGroup3 && f.compression != tiffGroup4 {
		from = &bitReverser{data}
	}
	switch f.compression {
	case tiffLZW:
		return lzw.NewReader(from, lzw.MSB, 8), nil
	case tiffDeflate, tiffOldDeflate:
		r, err := zlib.NewReader(from)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: strip or tile %d has no data", ErrTruncated, i)
		} else if err != nil {
			return nil, fmt.Errorf("damaged file: %w", err)
		}
		return r, nil
	case tiffPackBits:
		return &packBits{from: from}, nil
	case tiffGroup3, tiffGroup4:
		kind, order := ccitt.Group4, ccitt.MSB
		if f.compression == tiffGroup3 {
			kind = ccitt.Group3
		}
		if f.reversed {
			order = ccitt.LSB
		}
		return ccitt.NewReader(from, order, kind, f.blockW, rows, &ccitt.Options{Invert: true, Align: kind == ccitt.Group3 && f.t4Options&4 != 0}), nil
	}
	return from, nil
}

// unpack converts a row's samples to 8 bits: 16-bit ones keep their high byte, those of
// fewer bits are stretched, palette indices stay as they are.
func (f *tiffFile) unpack(samples []uint8, raw []byte, step int) {
	switch f.bits {
	case 16:
		if f.predictor {
			for i := 2 * step; i+1 < len(raw); i += 2 {
				f.order.PutUint16(raw[i:], f.order.Uint16(raw[i:])+f.order.Uint16(raw[i-2*step:]))
			}
		}
		high := raw
		if f.data[0] == 'I' {
			high = raw[1:]
		}
		for i := range samples {
			samples[i] = high[2*i]
		}
	case 8:
		if f.predictor {
			for i := step; i < len(raw); i++ {
				raw[i] += raw[i-step]
			}
		}
		copy(samples, raw)
	default:
		scale := uint8(255 / (1<<f.bits - 1))
		if f.kind == tiffPalette {
			scale = 1
		}
		for i := range samples {
			bit := i * f.bits
			samples[i] = raw[bit/8] >> (8 - f.bits - bit%8) & (1<<f.bits - 1) * scale
		}
	}
}

// toRGB fills a part of the picture from pixels of that many samples.
func (f *tiffFile) toRGB(rgb, pixels []uint8, samples int) {
	for ; len(rgb) > 0 && len(pixels) >= samples; rgb, pixels = rgb[3:], pixels[samples:] {
		c := pixels
		if f.premultiplied {
			c = unpremultiplied(pixels[:f.colours+1])
		}
		switch f.kind {
		case tiffRGB:
			rgb[0], rgb[1], rgb[2] = c[0], c[1], c[2]
		case tiffCMYK:
			nk := 255 - c[3]
			rgb[0], rgb[1], rgb[2] = inkToLight(c[0], nk), inkToLight(c[1], nk), inkToLight(c[2], nk)
		case tiffPalette:
			copy(rgb[:3], f.palette[c[0]][:])
		case tiffWhiteIsZero:
			rgb[0], rgb[1], rgb[2] = 255-c[0], 255-c[0], 255-c[0]
		default:
			rgb[0], rgb[1], rgb[2] = c[0], c[0], c[0]
		}
	}
}

// unpremultiplied divides colours by the alpha behind them, in their place, as Pillow's
// unpackRGBa and la2lA do.
func unpremultiplied(c []uint8) []uint8 {
	last := len(c) - 1
	alpha := int(c[last])
	if alpha == 255 || alpha == 0 && last == 1 {
		return c
	}
	for i := range last {
		if alpha == 0 {
			c[i] = 0
		} else {
			c[i] = uint8(min(255, int(c[i])*255/alpha))
		}
	}
	return c
}

// bitReverser reverses the bits of each byte.
type bitReverser struct{ data []byte }

func (r *bitReverser) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data)
	for i := range n {
		p[i] = bits.Reverse8(p[i])
	}
	r.data = r.data[n:]
	return n, nil
}

// packBits decodes runs of bytes (TIFF 6.0, 9).
type packBits struct {
	from   io.Reader
	code   [1]byte
	value  [1]byte
	left   int // of the run
	repeat bool
}

func (r *packBits) Read(p []byte) (n int, err error) {
	for n < len(p) {
		for r.left == 0 {
			if _, err := io.ReadFull(r.from, r.code[:]); err != nil {
				return n, err
			}
			switch c := int8(r.code[0]); {
			case c >= 0:
				r.left, r.repeat = int(c)+1, false
			case c > -128:
				r.left, r.repeat = 1-int(c), true
				if _, err := io.ReadFull(r.from, r.value[:]); err != nil {
					return n, err
				}
			}
		}
		part := p[n:min(len(p), n+r.left)]
		if r.repeat {
			for i := range part {
				part[i] = r.value[0]
			}
		} else if _, err := io.ReadFull(r.from, part); err != nil {
			return n, err
		}
		n += len(part)
		r.left -= len(part)
	}
	return n, nil
}
