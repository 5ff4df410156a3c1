package decode

import (
	"errors"
	"fmt"
)

// tiffFile is the first page of a TIFF file (or BigTIFF): strips or tiles of rows of
// samples. x/image/tiff is not used: it has no CMYK,
// planes, 2 or 4 bits, extra samples or BigTIFF, and holds a whole file's worth of
// 64-bit pixels. Here blocks are read row by row, in memory of a row (tiffrows.go).
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
	tiled           bool
	blockH, blockW  int
	across, down    int
	offsets, counts ifdEntry
	palette         rgbTable
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
	h.DecodeBytes = 3*h.Pixels() + f.Memory()
	h.regions = f
	return h, entire(f, f.height, f.width), nil
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
	if e, ok := f.find(tiffPhotometric); ok && e.count != 1 { // Pillow takes 0 then
		return fmt.Errorf("damaged file: %d photometric interpretations", e.count)
	}
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
		f.palette.set(i, uint8(all[i]>>8), uint8(all[n+i]>>8), uint8(all[2*n+i]>>8))
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
		f.tiled, offsets, counts = true, tiffTileOffsets, tiffTileByteCounts
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
