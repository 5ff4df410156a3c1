package decode

import (
	"context"
	"fmt"
	"image"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/internal/jpeg"
	"github.com/sluicedata/sluice/internal/planar"
	"github.com/sluicedata/sluice/schema"
)

func parseJPEG(data []byte) (Header, pixelFunc, error) {
	j, err := jpeg.ReadHeader(data)
	if err != nil {
		return Header{}, nil, err
	}
	return headerOf(&j), func(ctx context.Context) (*schema.Picture, error) { return decodeJPEG(ctx, data) }, nil
}

// headerOf is before orientation.
func headerOf(j *jpeg.Header) Header {
	about := notes{exif: j.Exif, xmp: j.XMP}
	h := Header{Height: j.Height, Width: j.Width, Orientation: about.orientation()}
	h.DecodeBytes = j.RegionBytes(image.Rect(0, 0, j.Width, j.Height), 1) + 3*h.Pixels()
	return h
}

func decodeJPEG(ctx context.Context, data []byte) (*schema.Picture, error) {
	f := new(File)
	defer f.Close()
	f.data = data
	var err error
	if f.coded, err = jpeg.ReadHeader(data); err != nil {
		return nil, err
	}
	return f.picture(ctx)
}

// picture is the whole picture as stored.
func (f *File) picture(ctx context.Context) (p *schema.Picture, err error) {
	h, w := f.coded.Height, f.coded.Width
	err = f.decodeRGB(ctx, image.Rect(0, 0, w, h), func(int) []uint8 {
		p = schema.NewPicture(h, w)
		return p.U8
	})
	return p, err
}

// Fill is Decode, but repairs JPEG files that are truncated or damaged after the first
// scan's header: the result is what libjpeg makes of them (see internal/jpeg). warnings
// is how many places were repaired, at least 1 in a damaged file.
func Fill(ctx context.Context, data []byte, maxPixels int64) (p *schema.Picture, warnings int, err error) {
	return Counted(ctx, data, maxPixels, true)
}

// Counted is Fill or Decode, with the number of repairs. Decode repairs something as well:
// progressive JPEG files that lack scans but are complete otherwise.
func Counted(ctx context.Context, data []byte, maxPixels int64, fill bool) (p *schema.Picture, warnings int, err error) {
	f, err := OpenJPEG(data, maxPixels)
	if f == nil {
		if err == nil {
			p, err = Decode(ctx, data, maxPixels)
		}
		return p, 0, err
	}
	defer f.Close()
	f.Fill = fill
	p, err = f.Whole(ctx)
	return p, f.Warnings, err
}

// Whole decodes the whole picture, upright, as Decode and Fill do.
func (f *File) Whole(ctx context.Context) (p *schema.Picture, err error) {
	defer recovered(f.Format, &err)
	if p, err = f.picture(ctx); err != nil {
		return nil, ofFormat(f.Format, err)
	}
	return orient(ctx, p, f.Orientation)
}

// File is a JPEG file of which parts are decoded. It is small until the first of them
// is: then it has a decoder's memory, which the next file takes over after Close.
type File struct {
	Header
	SeekPoints *jpeg.SeekPoints // of this file, where the caller keeps them; or nil
	// Fill repairs damaged files, as the function Fill does; Warnings is then how many
	// places of the part decoded last were repaired.
	Fill     bool
	Warnings int

	data   []byte
	coded  jpeg.Header
	reader jpeg.HeaderReader
	header Header // of the file that it read last, as that says it
	*memory
}

// memory is a decoder's.
type memory struct {
	coder  jpeg.Decoder
	turned []uint8    // planes or pixels transposed
	rows   [4][]uint8 // memory for a row of each component
	full   [4][]uint8 // a row of each at full resolution
	rgb    []uint8
}

var memories = sync.Pool{New: func() any { return new(memory) }}

// OpenJPEG reads a file's header; nil for a file of another format. Errors are those
// of Decode.
func OpenJPEG(data []byte, maxPixels int64) (f *File, err error) {
	f = new(File)
	if is, err := f.Open(data, maxPixels); !is || err != nil {
		return nil, err
	}
	return f, nil
}

// Open is OpenJPEG in the memory of a File that is closed, or new; is reports whether the
// file is a JPEG one. Where err isn't nil the File stays closed.
func (f *File) Open(data []byte, maxPixels int64) (is bool, err error) {
	if !jpeg.Is(data) {
		return false, nil
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	defer recovered("JPEG", &err)
	known := f.reader.Knows(data)
	if f.coded, err = f.reader.Read(data); err != nil {
		return true, fmt.Errorf("decode: JPEG: %w", err)
	}
	if !known {
		f.header = headerOf(&f.coded)
	}
	f.Header = f.header
	f.data, f.Format = data, "JPEG"
	if f.Orientation > 1 {
		f.DecodeBytes += 3 * f.Pixels() // turned upright, beside the stored one
	}
	if f.Transposed() {
		f.Height, f.Width = f.Width, f.Height
	}
	return true, f.CheckPixels(maxPixels)
}

// keptBytes is how much memory a closed file's decoder may keep for the next.
const keptBytes = 32 << 20

// Close returns the decoder's memory, and that of everything decoded.
func (f *File) Close() {
	if m := f.memory; m != nil {
		if m.coder.KeptBytes()+cap(m.rgb)+cap(m.turned) > keptBytes {
			*m = memory{}
		}
		memories.Put(m)
	}
	*f = File{reader: f.reader, header: f.header}
}

// HasYCC reports whether the planes are YCbCr or grey, in a layout that planar.YCC has.
func (f *File) HasYCC() bool {
	return f.coded.HasYCC() && (len(f.coded.Components()) == 1 || !isRGB(&f.coded))
}

// YCC decodes a region of the picture to planes, at a scale of 1/denominator. They are
// transposed if the orientation is, and region refers to the transposed picture; what
// Mirrored returns remains to be done to make the picture upright. The planes are valid
// until Close or the next call.
func (f *File) YCC(ctx context.Context, region image.Rectangle, denominator int) (y planar.YCC, err error) {
	defer recovered("JPEG", &err)
	if f.Transposed() {
		region = transposed(region)
	}
	if _, err := f.decodeRegion(ctx, region, denominator); err != nil {
		return y, fmt.Errorf("decode: JPEG: %w", err)
	}
	y = f.coder.YCC()
	if f.Transposed() {
		y = y.Transposed(&f.turned)
	}
	return y, nil
}

// Shifts is how wide and high the samples of YCC's coarsest plane are at full scale: 2^x
// and 2^y pixels.
func (f *File) Shifts() (x, y uint) {
	maxH, maxV := f.coded.MaxSampling()
	for _, c := range f.coded.Components() {
		for c.H<<x < maxH {
			x++
		}
		for c.V<<y < maxV {
			y++
		}
	}
	if f.Transposed() {
		return y, x
	}
	return x, y
}

// Bytes is the memory that YCC takes, or RGB if ycc is false: planes, and pixels for RGB.
func (f *File) Bytes(region image.Rectangle, denominator int, ycc bool) int64 {
	pixels := 3 * int64(region.Dx()) * int64(region.Dy())
	if f.Transposed() {
		region = transposed(region)
	}
	n := f.coded.RegionBytes(region, denominator)
	switch {
	case ycc && f.Transposed():
		return 2 * n
	case ycc:
		return n
	case f.Transposed():
		return n + 2*pixels
	}
	return n + pixels
}

// WholeBytes is the memory that decoding the whole picture takes, by Decode or Fill.
func (f *File) WholeBytes() int64 {
	if f.Orientation > 1 {
		return f.DecodeBytes + 3*f.Pixels()
	}
	return f.DecodeBytes
}

// ChromaSamples is how many samples YCC's second plane has; 0 for a grey picture.
func (f *File) ChromaSamples(region image.Rectangle, denominator int) int64 {
	if len(f.coded.Components()) < 3 {
		return 0
	}
	if f.Transposed() {
		region = transposed(region)
	}
	return f.coded.RegionSamples(1, region, denominator)
}

// SeekPointsBytes is the memory that SeekPoints may take; 0 where they are of no use.
func (f *File) SeekPointsBytes() int64 { return f.coded.SeekPointsBytes() }

// Transposed and Mirrored are how the stored picture becomes upright: transposed first,
// then mirrored left-right and top-bottom.
func (f *File) Transposed() bool { return swapsSides(f.Orientation) }

// Mirrored is the second part.
func (f *File) Mirrored() (leftRight, topBottom bool) {
	t := turns[f.Orientation]
	return t.mirror, t.flip
}

// RGB decodes at least a region of the picture, transposed as for YCC. part is what it
// has decoded, and rgb its rows without gaps, valid until Close or the next call.
func (f *File) RGB(ctx context.Context, region image.Rectangle) (rgb []uint8, part image.Rectangle, err error) {
	defer recovered("JPEG", &err)
	if f.Transposed() {
		region = transposed(region)
	}
	// Whole groups of upsampled pixels have all the samples that they need.
	maxH, maxV := f.coded.MaxSampling()
	part = image.Rect(region.Min.X/maxH*maxH, region.Min.Y/maxV*maxV, (region.Max.X+maxH-1)/maxH*maxH, (region.Max.Y+maxV-1)/maxV*maxV)
	part = part.Intersect(image.Rect(0, 0, f.coded.Width, f.coded.Height))
	if part.Empty() {
		part = image.Rect(0, 0, min(maxH, f.coded.Width), min(maxV, f.coded.Height))
	}
	n := 3 * part.Dx() * part.Dy()
	err = f.decodeRGB(ctx, part, func(n int) []uint8 {
		if cap(f.rgb) < n {
			f.rgb = make([]uint8, n)
		}
		rgb = f.rgb[:n]
		return rgb
	})
	if err != nil {
		return nil, part, fmt.Errorf("decode: JPEG: %w", err)
	}
	if f.Transposed() {
		if cap(f.turned) < n {
			f.turned = make([]uint8, n)
		}
		transposeRGB(f.turned[:n], rgb, part.Dx(), part.Dy())
		return f.turned[:n], transposed(part), nil
	}
	return rgb, part, nil
}

// transposeRGB transposes a picture, in tiles that stay in the cache.
func transposeRGB(dst, src []uint8, columns, rows int) {
	const tile = 16
	for y0 := 0; y0 < rows; y0 += tile {
		for x := range columns {
			for y := y0; y < min(y0+tile, rows); y++ {
				to, from := dst[3*(x*rows+y):][:3], src[3*(y*columns+x):][:3]
				to[0], to[1], to[2] = from[0], from[1], from[2]
			}
		}
	}
}

// decodeRGB decodes a part of the stored picture that begins with whole groups of
// upsampled pixels: planes, then libjpeg-turbo's upsampling and colour conversion
// row by row, into n bytes from make, which is called after the planes are decoded.
func (f *File) decodeRGB(ctx context.Context, part image.Rectangle, make func(n int) []uint8) error {
	h := &f.coded
	maxH, maxV := h.MaxSampling()
	for _, c := range h.Components() {
		if maxH%c.H != 0 || maxV%c.V != 0 { // libjpeg refuses them, too
			return fmt.Errorf("a picture with the sampling factors %s is %w: convert it to 4:2:0 or 4:4:4",
				samplingFactors(h), ErrUnsupported)
		}
	}
	m, err := f.decodeRegion(ctx, part, 1)
	if err != nil {
		return err
	}
	width := part.Dx()
	for i := range m.Planes {
		if cap(f.rows[i]) < width+2*maxH { // upsampled columns are whole
			f.rows[i] = slices.Grow(f.rows[i][:0], width+2*maxH)
		}
		f.rows[i] = f.rows[i][:width+2*maxH]
	}
	convert, rgb := rowConverter(h), make(3*width*part.Dy())
	for y := part.Min.Y; y < part.Max.Y; y++ {
		if y%64 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for i, c := range h.Components() {
			f.full[i] = upsampleRow(f.rows[i], &m.Planes[i], part.Min.X, part.Max.X, y, maxH/c.H, maxV/c.V)
		}
		convert(rgb[:3*width], &f.full)
		rgb = rgb[3*width:]
	}
	return nil
}

func (f *File) decodeRegion(ctx context.Context, region image.Rectangle, denominator int) (*jpeg.Image, error) {
	if f.memory == nil {
		f.memory = memories.Get().(*memory)
	}
	f.coder.Fill = f.Fill
	m, err := f.coder.DecodeRegion(ctx, f.data, region, denominator, f.SeekPoints)
	if err == nil {
		f.Warnings = m.Warnings
	}
	return m, err
}

func samplingFactors(h *jpeg.Header) string {
	var factors []string
	for _, c := range h.Components() {
		factors = append(factors, fmt.Sprintf("%dx%d", c.H, c.V))
	}
	return strings.Join(factors, ",")
}

func transposed(r image.Rectangle) image.Rectangle {
	return image.Rect(r.Min.Y, r.Min.X, r.Max.Y, r.Max.X)
}
