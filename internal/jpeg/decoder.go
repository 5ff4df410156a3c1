package jpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/sluicedata/sluice/internal/planar"
)

// Image is a file's decoded samples: one plane per component of its header.
type Image struct {
	Header
	Planes []planar.Plane
	// Warnings is how many places were repaired: at least 1 for a damaged file, which only
	// Decoder.Fill decodes. A progressive file that lacks scans but is complete otherwise
	// has 1 with and without Fill.
	Warnings int
}

// Decoder decodes one file after another and keeps its memory for the next: after the
// largest one, sequential files are decoded without allocating. The zero value is ready to
// use. A decoder must not be used by several goroutines at once.
type Decoder struct {
	// Fill repairs files that are damaged after the first scan's header, and counts warnings,
	// as libjpeg does. Memory is then bounded by the picture's size only, not by the data's.
	Fill bool

	image  Image
	planes [4]planar.Plane
	tables tables
	last   beginning
	comps  [4]component
	scans  int
	scan   scan // the last one
	bits   bits

	allBlocks bool // scans are decoded to their end
	lenient   bool // damage is repaired (lenient.go)
	lastGood  int  // row of interleaved MCUs up to which the last scan has data
	idct      idct
	stretch   stretch
	file      []byte      // being decoded
	known     *SeekPoints // its seek points, or nil
	rowSeeker rowSeeker   // and where they are used in a progressive file
	ctx       context.Context
}

// tables are those that a file has defined so far.
type tables struct {
	quant  [4]quantTable
	dc, ac [4]huffman
}

// component is a component's state while decoding.
type component struct {
	Component
	blocksW, blocksH int             // of the plane
	rows             int             // progressive: rows of blocks that are decoded
	wanted           image.Rectangle // blocks to be transformed to samples
	size             int             // samples of a block along each axis: 8, 4, 2 or 1
	at               int             // where block (0, 0) would begin in pix
	stride           int
	pix              []uint8    // a frame of one sample or more around the blocks
	quant            quantTable // as of the component's first scan (T.81, B.2.4.1)
	scanned          bool       // a scan had its DC coefficients
	pred             int32      // DC predictor
	factors          [64]uint16 // quant in natural order, where coefficients are kept as coded

	// Progressive only: coefficients, not dequantized, of the blocks that are kept; for all blocks, in
	// rows of across, which AC coefficients (in zigzag order, from the lowest bit on) aren't zero; and
	// how many low bits of each coefficient no scan has had yet (-1: all).
	kept        image.Rectangle
	coefs       []int16
	across      int
	nonzero     []uint64
	missingBits [64]int8
	previous    [smoothedCoefs]int8 // missingBits before the component's last scan
}

// quantTable is in zigzag order, as in its segment.
type quantTable struct {
	defined bool
	q       [64]uint16
}

// zigzag is the natural position of the k-th coefficient (T.81, figure 5).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// Decode decodes a whole picture, whose size the caller has checked with ReadHeader. A
// file too short for its size is refused before planes are allocated: these take at most
// 576 bytes for each byte of data (64 samples a bit, and a frame), and 1,664 in a
// progressive file, whose coefficients are kept.
func (d *Decoder) Decode(ctx context.Context, data []byte) (*Image, error) {
	return d.DecodeRegion(ctx, data, image.Rect(0, 0, 1<<16, 1<<16), 1, nil)
}

// DecodeRegion decodes a region of the picture at a scale of 1/denominator (1, 2, 4 or 8):
// of each plane, the samples of the region's pixels, and their neighbours that a triangle
// filter needs to upsample the plane. They equal those of the whole picture at that scale
// (djpeg -scale). region is in pixels of the full picture and is clipped to it; at least
// one pixel is decoded.
//
// Damage outside what is needed goes unnoticed: in blocks below the region, in restart
// intervals without a block of the region, and in AC scans of components whose blocks give one
// sample. All markers are read, so a truncated file is
// always noticed. With Fill the samples equal those of the whole picture, whatever the
// damage.
//
// known has the seek points that earlier calls found in the file, and gets those found by
// this one; it may be nil.
//
// When ctx ends DecodeRegion returns its cause; nothing is repaired then.
//
// The image is valid until the decoder's next call.
func (d *Decoder) DecodeRegion(ctx context.Context, data []byte, region image.Rectangle, denominator int, known *SeekPoints) (*Image, error) {
	d.ctx, d.file, d.known = ctx, data, known
	defer func() { d.ctx, d.file, d.known = nil, nil, nil }()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	m, err := d.decode(data, region, denominator, false)
	damaged := err != nil
	d.rowSeeker.done(!damaged)
	if ctx.Err() == nil && (damaged && d.Fill || !damaged && m.Progressive && d.smooths()) {
		m, err = d.decode(data, region, denominator, true)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	if damaged || d.lacksScans() {
		m.Warnings = max(d.bits.warnings, 1)
	}
	return m, nil
}

// canceled is checked between segments and between rows of blocks.
func (d *Decoder) canceled() bool { return d.ctx != nil && d.ctx.Err() != nil }

// errCanceled stands for the context's cause, which DecodeRegion returns instead.
var errCanceled = errors.New("canceled")

// KeptBytes is the memory that the decoder keeps for the next file.
func (d *Decoder) KeptBytes() (n int) {
	for i := range d.comps {
		n += cap(d.comps[i].pix) + 2*cap(d.comps[i].coefs) + 8*cap(d.comps[i].nonzero)
	}
	return n
}

// beginning is that of the last file, which the next one's often equals: all of it up to the first
// scan. The decoder's tables are still those that it defines.
type beginning struct {
	data   []byte // none: it isn't known
	header Header
	sos    segment // without its body
	body   int     // where that begins
}

// mostBeginning is how long a beginning is that is kept.
const mostBeginning = 2048

// keep notes the beginning of data, of a header that has been read.
func (b *beginning) keep(data []byte, end int, h *Header, sos segment) {
	if b.data = b.data[:0]; end > mostBeginning || h.Exif != nil || h.XMP != nil { // these are parts of data
		return
	}
	b.data, b.header, b.sos = append(b.data, data[:end]...), *h, sos
	b.body, b.sos.body = sos.end-len(sos.body), nil
}

// is reports whether data begins so.
func (b *beginning) is(data []byte) bool { return len(b.data) > 0 && bytes.HasPrefix(data, b.data) }

// HeaderReader reads the headers of one file after another, and of a file that begins as the last only
// its beginning. Its zero value is ready.
type HeaderReader struct{ last beginning }

// Knows reports whether a file begins as the last.
func (r *HeaderReader) Knows(data []byte) bool { return r.last.is(data) }

// Read is ReadHeader.
func (r *HeaderReader) Read(data []byte) (h Header, err error) {
	if r.Knows(data) {
		return r.last.header, nil
	}
	r.last.data = r.last.data[:0]
	sos, end, err := h.read(data, nil)
	if err == nil && sos.marker == mSOS {
		r.last.keep(data, end, &h, sos)
	}
	return h, err
}

// begin reads what comes before the first scan, sos, which ends at pos.
func (d *Decoder) begin(data []byte, lenient bool) (sos segment, pos int, err error) {
	d.reset()
	if b := &d.last; !lenient && b.is(data) {
		d.image.Header, sos = b.header, b.sos
		sos.body = data[b.body:sos.end]
		return sos, sos.end, nil
	}
	d.last.data = d.last.data[:0]
	d.tables.reset()
	sos, pos, err = d.image.read(data, d)
	if err == nil && !lenient && sos.marker == mSOS {
		d.last.keep(data, pos, &d.image.Header, sos)
	}
	return sos, pos, err
}

// reset prepares for the next file.
func (d *Decoder) reset() {
	d.image = Image{}
	d.scans, d.allBlocks, d.lenient, d.lastGood = 0, false, false, 0
	d.bits, d.rowSeeker = bits{}, rowSeeker{}
	d.idct.reset()
}

func (t *tables) reset() {
	for i := range 4 {
		t.quant[i].defined, t.dc[i].defined, t.ac[i].defined = false, false, false
		t.dc[i].broken, t.ac[i].broken = false, false
	}
}

// decode is DecodeRegion, strict or lenient. Strict decoding stops at the first damage that
// it meets. Lenient decoding goes through all of the file as libjpeg-turbo 3 does with its
// default error handling; where libjpeg gives up after the first scan's header, the picture
// is what was decoded so far.
func (d *Decoder) decode(data []byte, region image.Rectangle, denominator int, lenient bool) (*Image, error) {
	m := &d.image
	s, pos, err := d.begin(data, lenient)
	if err != nil {
		return nil, err
	}
	d.lenient, d.bits.lenient = lenient, lenient
	// With several scans, one must be decoded to its end to find the next.
	d.allBlocks = lenient || d.Fill && (m.Progressive || len(s.body) > 0 && int(s.body[0]) < m.n)
	if err := d.allocate(s, len(data)-pos, region, denominator); err != nil {
		return nil, err
	}
	d.rowSeeker = d.beginRows()
	for s.marker != mEOI {
		if pos, err = d.segment(s, data); d.canceled() {
			return nil, errCanceled
		}
		if err != nil && (!lenient || s.marker == mSOS && (d.scans == 1 || errors.Is(err, ErrUnsupported))) {
			return nil, err
		}
		if err != nil || lenient && !m.Progressive && d.scans == 1 && d.scan.n == m.n {
			break // here libjpeg gives up, or needs no more: it makes such a picture in one pass
		}
		if lenient {
			d.bits.warnBefore(data, pos)
		}
		if s, err = nextSegment(data, pos); err == nil {
			continue
		}
		if !lenient {
			return nil, err
		}
		break
	}
	return d.finish()
}

// finish checks that every component has had a scan, and returns the planes.
func (d *Decoder) finish() (*Image, error) {
	h := &d.image.Header
	for i := range h.n {
		c := &d.comps[i]
		if !c.scanned && !d.lenient {
			return nil, fmt.Errorf("%w: no scan of component %d of %d", ErrTruncated, i+1, h.n)
		}
		if h.Progressive {
			d.reconstruct(c)
		}
		d.idct.flush()
		c.repeatEdges(&d.planes[i])
	}
	d.image.Planes = d.planes[:h.n]
	return &d.image, nil
}

// segment reads a scan, or a segment before or after one, and returns where it ends.
func (d *Decoder) segment(s segment, data []byte) (end int, err error) {
	if s.marker == mSOS {
		end, err = d.decodeScan(s.body, data[s.end:])
		return s.end + end, err
	}
	if d.lenient {
		err = checkBetweenScans(s.marker)
	}
	if err == nil {
		err = d.image.segment(s)
	}
	if err == nil {
		d.last.data = d.last.data[:0]
		err = d.tables.read(s, d.lenient)
	}
	return s.end, err
}

// read reads the segments that define tables and ignores others.
func (t *tables) read(s segment, lenient bool) error {
	switch s.marker {
	case mDQT:
		return t.defineQuant(s.body)
	case mDHT:
		return t.defineHuffman(s.body, lenient)
	}
	return nil
}

// defineQuant reads a DQT segment (T.81, B.2.4.1).
func (t *tables) defineQuant(body []byte) error {
	for len(body) > 0 {
		wide, id := int(body[0]>>4), body[0]&15
		body = body[1:]
		if wide > 1 || id > 3 || len(body) < 64<<wide {
			return fmt.Errorf("a quantization table is damaged")
		}
		table := &t.quant[id]
		table.defined = true
		for k := range table.q {
			table.q[k] = uint16(body[k<<wide])
			if wide == 1 {
				table.q[k] = table.q[k]<<8 | uint16(body[2*k+1])
			}
		}
		body = body[64<<wide:]
	}
	return nil
}

// defineHuffman reads a DHT segment (T.81, B.2.4.2). To a lenient decoder an invalid table
// is an error only where it is used.
func (t *tables) defineHuffman(body []byte, lenient bool) error {
	for len(body) > 0 {
		class, id, end := body[0]>>4, body[0]&15, 17
		if class > 1 || id > 3 {
			return fmt.Errorf("a Huffman table has the class %d and the number %d", class, id)
		}
		if len(body) < end {
			return fmt.Errorf("a Huffman table is truncated")
		}
		for _, count := range body[1:17] {
			end += int(count)
		}
		if end > 17+256 || end > len(body) {
			return fmt.Errorf("a Huffman table has %d codes", end-17)
		}
		table := &t.dc[id]
		if class == 1 {
			table = &t.ac[id]
		}
		if err := table.define(body[1:end], class == 0); err != nil {
			if !lenient {
				return err
			}
			table.defined, table.broken = false, true
		}
		body = body[end:]
	}
	return nil
}
