package decode

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/schema"
)

// maxScans bounds the work that a small progressive file can ask for. Encoders
// write about ten scans; libjpeg-turbo's own fuzzers stop at the same number.
const maxScans = 500

// jpegComponent is one colour component of a frame.
type jpegComponent struct {
	id      byte
	h, v    int  // sampling factors
	scanned bool // a scan with its DC coefficients was seen
}

// jpegFile is what the markers of a JPEG file say.
type jpegFile struct {
	height, width  int
	comps          []jpegComponent
	jfif, adobe    bool
	adobeTransform byte
	orientation    int // 0: no EXIF block so far

	// segments are the parts of the file that image/jpeg is given: no APPn and
	// no comments, components renumbered 1, 2, 3 (4). So it has no reason to
	// convert colours and hands out the planes.
	segments   [][]byte
	scans      int
	scansBytes int // entropy-coded bytes
}

func isJPEG(data []byte) bool {
	return len(data) >= 3 && data[0] == 0xff && data[1] == mSOI && data[2] == 0xff
}

func parseJPEG(data []byte) (Header, pixelFunc, error) {
	j, err := readJPEGFile(data, true)
	if err != nil {
		return Header{}, nil, err
	}
	h := Header{Height: j.height, Width: j.width, Orientation: max(j.orientation, 1)}
	return h, func() (*schema.Picture, error) {
		j, err := readJPEGFile(data, false)
		if err != nil {
			return nil, err
		}
		return j.decode()
	}, nil
}

// readJPEGFile walks the markers from SOI to EOI, or only to the first scan,
// before which all of the header lies.
func readJPEGFile(data []byte, headerOnly bool) (*jpegFile, error) {
	j := &jpegFile{segments: [][]byte{data[:2]}}
	for pos := 2; ; {
		s, err := nextSegment(data, pos)
		if err != nil {
			return nil, err
		}
		pos = s.end
		switch {
		case s.marker == mEOI:
			j.segments = append(j.segments, data[s.start:s.end])
			return j, j.complete()
		case s.marker == mSOI:
			err = fmt.Errorf("a second start-of-image marker at byte %d", s.start)
		case s.marker == mSOS && headerOnly && j.comps != nil:
			return j, nil
		case s.marker == mSOS:
			pos = skipScan(data, s.end)
			err = j.startOfScan(s.body, data[s.end:pos])
		case s.marker == mDHT, s.marker == mDQT, s.marker == mDRI:
			j.segments = append(j.segments, data[s.start:s.end])
		case s.marker == mDHP, s.marker == mEXP:
			err = checkFrame(mSOF0+5, 8)
		case s.marker == mSOF55:
			err = fmt.Errorf("JPEG-LS (SOF55) is %w: convert it to baseline JPEG or PNG", ErrUnsupported)
		case s.marker >= mSOF0 && s.marker <= mSOF15 && s.marker != mDAC:
			err = j.startOfFrame(s.marker, s.body)
		default:
			j.application(s.marker, s.body)
		}
		if err != nil {
			return nil, err
		}
	}
}

// application reads what matters of the APPn markers. libjpeg reads them up to
// the first scan, so later ones do not count.
func (j *jpegFile) application(marker byte, body []byte) {
	switch {
	case j.scans > 0:
	case marker == mAPP0 && len(body) >= 14 && bytes.HasPrefix(body, []byte("JFIF\x00")):
		j.jfif = true
	case marker == mAPP14 && len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")):
		j.adobe, j.adobeTransform = true, body[11]
	case marker == mAPP1 && j.orientation == 0 && bytes.HasPrefix(body, []byte("Exif\x00")):
		j.orientation = exifOrientation(body)
	}
}

// startOfFrame reads the SOF segment: precision, height, width, components.
func (j *jpegFile) startOfFrame(marker byte, body []byte) error {
	if len(body) < 6 || len(body) != 6+3*int(body[5]) {
		return fmt.Errorf("the frame header has %d bytes", len(body))
	}
	if err := checkFrame(marker, body[0]); err != nil {
		return err
	}
	if j.comps != nil {
		return fmt.Errorf("two frame headers")
	}
	j.height = int(body[1])<<8 | int(body[2])
	j.width = int(body[3])<<8 | int(body[4])
	if j.height == 0 {
		return fmt.Errorf("a height given after the scan (DNL) is %w", ErrUnsupported)
	}
	n := int(body[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("JPEG with %d components is %w", n, ErrUnsupported)
	}
	body = slices.Clone(body)
	for i := range n {
		c := body[6+3*i:]
		j.comps = append(j.comps, jpegComponent{id: c[0], h: int(c[1] >> 4), v: int(c[1] & 15)})
		c[0] = byte(i + 1)
	}
	if n == 4 {
		// Without it image/jpeg refuses four components; with transform 0 it
		// passes the components on, inverted (jpeg.go).
		adobe := []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")
		j.segments = append(j.segments, []byte{0xff, mAPP14, 0, byte(len(adobe) + 2)}, adobe)
	}
	j.segments = append(j.segments, []byte{0xff, marker, 0, byte(len(body) + 2)}, body)
	return nil
}

// startOfScan reads an SOS segment and keeps it with its entropy-coded data.
func (j *jpegFile) startOfScan(body, data []byte) error {
	if j.scans++; j.scans > maxScans {
		return fmt.Errorf("JPEG with more than %d scans is %w", maxScans, ErrUnsupported)
	}
	if len(body) < 1 || len(body) != 4+2*int(body[0]) {
		return fmt.Errorf("the scan header has %d bytes", len(body))
	}
	n := int(body[0])
	body = slices.Clone(body)
	for i := range n {
		c := slices.IndexFunc(j.comps, func(c jpegComponent) bool { return c.id == body[1+2*i] })
		if c < 0 {
			return fmt.Errorf("scan %d is of component %d, which the frame header doesn't have", j.scans, body[1+2*i])
		}
		body[1+2*i] = byte(c + 1)
		j.comps[c].scanned = j.comps[c].scanned || body[1+2*n] == 0 // from coefficient 0 on
	}
	j.scansBytes += len(data)
	j.segments = append(j.segments, []byte{0xff, mSOS, 0, byte(len(body) + 2)}, body, data)
	return nil
}

// complete checks that every component has data, which image/jpeg doesn't: it
// would leave the plane zero (green).
func (j *jpegFile) complete() error {
	if j.comps == nil {
		return fmt.Errorf("%w: it ends before the frame header", ErrTruncated)
	}
	for i, c := range j.comps {
		if !c.scanned {
			return fmt.Errorf("%w: no scan of component %d of %d", ErrTruncated, i+1, len(j.comps))
		}
	}
	// Every 8x8 block takes a bit at the least.
	if blocks := (j.height + 7) / 8 * ((j.width + 7) / 8); j.scansBytes < blocks/8 {
		return fmt.Errorf("%w: %d bytes cannot hold %dx%d pixels", ErrTruncated, j.scansBytes, j.height, j.width)
	}
	return nil
}
