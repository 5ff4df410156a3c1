package jpeg

import (
	"bytes"
	"fmt"
)

// Component is one colour component as the frame header declares it (T.81, B.2.2).
type Component struct {
	ID   byte
	H, V int  // sampling factors, 1..4
	Tq   byte // number of the quantization table, 0..3
}

// xmpMarker begins an APP1 with an XMP packet (XMP part 3, 1.1.3).
const xmpMarker = "http://ns.adobe.com/xap/1.0/\x00"

// Header is what is known of a file before its first scan.
type Header struct {
	Width, Height int
	Progressive   bool

	RestartInterval int // MCUs; 0 for none. A later DRI may change it
	JFIF            bool
	Adobe           bool
	AdobeTransform  byte   // 0: RGB or CMYK, 1: YCbCr, 2: YCCK
	Exif            []byte // body of the first APP1 that begins with "Exif\0\0", a part of data; or nil
	XMP             []byte // XMP packet of the last APP1 that has one, a part of data; or nil

	comps [4]Component
	n     int
}

// Components are the picture's 1, 3 or 4 components.
func (h *Header) Components() []Component { return h.comps[:h.n] }

// MaxSampling is the largest sampling factors of the components.
func (h *Header) MaxSampling() (maxH, maxV int) {
	for _, c := range h.Components() {
		maxH, maxV = max(maxH, c.H), max(maxV, c.V)
	}
	return maxH, maxV
}

// PlaneSize is the size of component i at a scale of 1/denominator: libjpeg's
// downsampled_width and _height.
func (h *Header) PlaneSize(i, denominator int) (width, height int) {
	maxH, maxV := h.MaxSampling()
	c := h.comps[i]
	size := h.blockSize(i, denominator)
	return ceilDiv(h.Width*c.H*size, 8*maxH), ceilDiv(h.Height*c.V*size, 8*maxV)
}

// blockSize is how many samples a block of component i has along each axis at a scale of
// 1/denominator: 8, 4, 2 or 1. Components of a lower resolution are scaled less, as far as
// this is possible for both axes alike (jdmaster.c, jpeg_calc_output_dimensions).
func (h *Header) blockSize(i, denominator int) int {
	maxH, maxV := h.MaxSampling()
	c := h.comps[i]
	least := 8 / denominator
	size := least
	for size < 8 && maxH*least%(2*size*c.H) == 0 && maxV*least%(2*size*c.V) == 0 {
		size *= 2
	}
	return size
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// Is reports whether data begins like a JPEG file.
func Is(data []byte) bool {
	return len(data) >= 3 && data[0] == 0xff && data[1] == mSOI && data[2] == 0xff
}

// ReadHeader reads the markers up to the first scan. It allocates nothing.
func ReadHeader(data []byte) (Header, error) {
	var h Header
	_, _, err := h.read(data, nil)
	return h, err
}

// read reads the segments up to the first scan's, sos, which ends at scan. Tables go to d,
// which may be nil.
func (h *Header) read(data []byte, d *Decoder) (sos segment, scan int, err error) {
	if !Is(data) {
		return sos, 0, fmt.Errorf("no start-of-image marker")
	}
	for pos := 2; ; {
		s, err := nextSegment(data, pos)
		if err != nil {
			return s, 0, err
		}
		pos = s.end
		switch s.marker {
		case mEOI:
			return s, 0, h.missing()
		case mSOS:
			if h.n == 0 {
				return s, 0, fmt.Errorf("a scan before the frame header")
			}
			return s, s.end, nil
		case mAPP0, mAPP1, mAPP14:
			h.application(s.marker, s.body)
		default:
			if err = h.segment(s); err == nil && d != nil {
				if err = d.tables.read(s, d.lenient); d.canceled() {
					err = errCanceled
				}
			}
		}
		if err != nil {
			return s, 0, err
		}
	}
}

// missing is the error of a file that ends before its first scan.
func (h *Header) missing() error {
	if h.n == 0 {
		return fmt.Errorf("%w: it ends before the frame header", ErrTruncated)
	}
	return fmt.Errorf("%w: no scan of component 1 of %d", ErrTruncated, h.n)
}

// segment reads a segment before or between scans.
func (h *Header) segment(s segment) error {
	switch m := s.marker; {
	case m == mSOI:
		return fmt.Errorf("a second start-of-image marker at byte %d", s.start)
	case m == mDRI:
		if len(s.body) != 2 {
			return fmt.Errorf("the restart interval has %d bytes", len(s.body))
		}
		h.RestartInterval = int(s.body[0])<<8 | int(s.body[1])
	case m == mDHP, m == mEXP:
		return checkFrame(mSOF0+5, 8)
	case m == mSOF55:
		return fmt.Errorf("JPEG-LS (SOF55) is %w: convert it to baseline JPEG or PNG", ErrUnsupported)
	case m >= mSOF0 && m <= mSOF15 && m != mDHT && m != mDAC:
		return h.startOfFrame(m, s.body)
	}
	return nil
}

// application reads the APPn segments that matter.
func (h *Header) application(marker byte, body []byte) {
	switch {
	case marker == mAPP0 && len(body) >= 14 && bytes.HasPrefix(body, []byte("JFIF\x00")):
		h.JFIF = true
	case marker == mAPP14 && len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")):
		h.Adobe, h.AdobeTransform = true, body[11]
	case marker == mAPP1 && h.Exif == nil && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
		h.Exif = body
	case marker == mAPP1 && bytes.HasPrefix(body, []byte(xmpMarker)):
		h.XMP = body[len(xmpMarker):]
	}
}

// startOfFrame reads the SOF segment: precision, height, width, components.
func (h *Header) startOfFrame(marker byte, body []byte) error {
	if len(body) < 6 || len(body) != 6+3*int(body[5]) {
		return fmt.Errorf("the frame header has %d bytes", len(body))
	}
	if err := checkFrame(marker, body[0]); err != nil {
		return err
	}
	if h.n != 0 {
		return fmt.Errorf("two frame headers")
	}
	h.Height, h.Width = int(body[1])<<8|int(body[2]), int(body[3])<<8|int(body[4])
	h.Progressive = marker == mSOF2
	n := int(body[5])
	switch {
	case h.Height == 0:
		return fmt.Errorf("a height given after the scan (DNL) is %w", ErrUnsupported)
	case h.Width == 0:
		return fmt.Errorf("the width is 0")
	case n != 1 && n != 3 && n != 4:
		return fmt.Errorf("a picture of %d components is %w", n, ErrUnsupported)
	}
	var components [4]Component
	for i := range n {
		b := body[6+3*i:]
		c := Component{ID: b[0], H: int(b[1] >> 4), V: int(b[1] & 15), Tq: b[2]}
		if c.H < 1 || c.H > 4 || c.V < 1 || c.V > 4 {
			return fmt.Errorf("component %d has the sampling factors %dx%d", i+1, c.H, c.V)
		}
		if c.Tq > 3 {
			return fmt.Errorf("component %d names quantization table %d of 0..3", i+1, c.Tq)
		}
		for _, other := range components[:i] {
			if other.ID == c.ID {
				return fmt.Errorf("two components have the id %d", c.ID)
			}
		}
		components[i] = c
	}
	h.comps, h.n = components, n
	return nil
}
