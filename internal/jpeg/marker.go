package jpeg

import (
	"bytes"
	"fmt"
)

// JPEG markers (ITU-T T.81, table B.1): the byte after 0xff.
const (
	mTEM   = 0x01
	mSOF0  = 0xc0
	mSOF2  = 0xc2
	mDHT   = 0xc4
	mDAC   = 0xcc
	mSOF15 = 0xcf
	mRST0  = 0xd0
	mSOI   = 0xd8
	mEOI   = 0xd9
	mSOS   = 0xda
	mDQT   = 0xdb
	mDRI   = 0xdd
	mDHP   = 0xde
	mEXP   = 0xdf
	mAPP0  = 0xe0
	mAPP1  = 0xe1
	mAPP14 = 0xee
	mAPP15 = 0xef
	mSOF55 = 0xf7 // JPEG-LS (ITU-T T.87)
	mCOM   = 0xfe
)

// segment is a marker and its parameters.
type segment struct {
	marker byte
	body   []byte // behind the length; nil for a marker that stands alone
	start  int    // of the 0xff before the marker
	end    int    // of the body
}

// nextMarker finds the next marker from pos on; at is the offset of the 0xff before it. The
// end of the data stands for an end of image. skipped is whether anything but fill bytes
// (0xff) came before the marker.
func nextMarker(data []byte, pos int) (at int, marker byte, skipped bool) {
	for {
		skip := bytes.IndexByte(data[pos:], 0xff)
		if skip < 0 {
			return len(data), mEOI, skipped || pos < len(data)
		}
		skipped = skipped || skip > 0
		for pos += skip + 1; pos < len(data) && data[pos] == 0xff; {
			pos++
		}
		if pos == len(data) {
			return pos, mEOI, skipped
		}
		if data[pos] != 0 {
			return pos - 1, data[pos], skipped
		}
		skipped = true
	}
}

// nextSegment finds the next segment from pos on. Other bytes before its marker are ignored,
// as by libjpeg.
func nextSegment(data []byte, pos int) (segment, error) {
	at, marker, _ := nextMarker(data, pos)
	if at == len(data) {
		return segment{}, fmt.Errorf("%w: no end-of-image marker in its %d bytes", ErrTruncated, len(data))
	}
	s := segment{marker: marker, start: at, end: at + 2}
	if s.marker == mTEM || s.marker >= mRST0 && s.marker <= mEOI {
		return s, nil
	}
	if s.end+2 > len(data) {
		return segment{}, fmt.Errorf("%w: it ends within marker %#02x", ErrTruncated, s.marker)
	}
	length := int(data[s.end])<<8 | int(data[s.end+1])
	if length < 2 && (s.marker >= mAPP0 && s.marker <= mAPP15 || s.marker == mCOM) {
		length = 2 // so libjpeg takes it
	}
	if length < 2 {
		return segment{}, fmt.Errorf("marker %#02x at byte %d has the length %d", s.marker, s.start, length)
	}
	if s.end+length > len(data) {
		return segment{}, fmt.Errorf("%w: it ends within marker %#02x", ErrTruncated, s.marker)
	}
	s.body = data[s.end+2 : s.end+length]
	s.end += length
	return s, nil
}

// checkFrame refuses codings other than 8-bit Huffman JPEG, by name.
func checkFrame(marker, precision byte) error {
	refuse := func(what, instead string) error {
		return fmt.Errorf("%s (SOF%d) is %w: convert it to %s", what, marker-mSOF0, ErrUnsupported, instead)
	}
	switch {
	case marker == mSOF0+3:
		return refuse("lossless coding", "baseline JPEG or PNG")
	case marker >= mSOF0+5 && marker <= mSOF0+7:
		return refuse("hierarchical coding", "baseline JPEG")
	case marker == mSOF0+9, marker == mSOF0+10:
		return refuse("arithmetic coding", "Huffman coding")
	case marker == mSOF0+11:
		return refuse("lossless arithmetic coding", "baseline JPEG or PNG")
	case marker >= mSOF0+13 && marker <= mSOF15:
		return refuse("hierarchical arithmetic coding", "baseline JPEG")
	case marker == mSOF0+8:
		return refuse("a reserved coding", "baseline JPEG")
	case precision != 8:
		return refuse(fmt.Sprintf("%d bits per sample", precision), "8 bits per sample")
	}
	return nil
}
