package jpeg

import "fmt"

// careful reads entropy-coded data of which nothing is sure, as libjpeg-turbo does
// (jdhuff.c, jdmarker.c): slowly, a bit after the other. Behind a marker, and so
// behind the end of the file, which stands for an end of image, follow zeros.
type careful struct {
	data   []byte
	pos    int
	acc    uint32
	n      uint // bits in acc
	marker byte // the last one met, if it isn't dealt with; 0: none. pos is behind it
	ended  bool // zeros were read for data: nothing is decoded until the next restart
	next   byte // number of the next restart marker
	over   bool // the end of the file was met
	filled bool // fill bytes before a stuffed zero were passed over
	fast   bool // as libjpeg's fast code reads: zeros from a marker on, or what looks so

	warnings int
}

// begin comes before a scan's data.
func (r *careful) begin() { r.acc, r.n, r.marker, r.ended, r.next = 0, 0, 0, false, 0 }

// atEnd tells whether the scan has no more data: restarts don't go past such markers.
func (r *careful) atEnd() bool {
	return r.marker >= mSOF0 && (r.marker < mRST0 || r.marker > mRST0+7)
}

// take reads size bits, at most 16.
func (r *careful) take(size uint) int32 {
	for r.n < size {
		r.acc = r.acc<<8 | uint32(r.octet())
		r.n += 8
	}
	r.n -= size
	v := r.acc >> r.n
	r.acc &= 1<<r.n - 1
	return int32(v)
}

// octet is the next byte of data.
func (r *careful) octet() byte {
	if r.fast {
		if r.pos+1 >= len(r.data) || r.data[r.pos] == 0xff && r.data[r.pos+1] != 0 {
			return 0
		}
		v := r.data[r.pos]
		if r.pos++; v == 0xff {
			r.pos++
		}
		return v
	}
	if r.marker == 0 && r.pos < len(r.data) && r.data[r.pos] != 0xff {
		r.pos++
		return r.data[r.pos-1]
	}
	if r.marker == 0 {
		if r.pass(); r.marker == 0 {
			return 0xff
		}
	}
	if !r.ended {
		r.ended = true
		r.warnings++
	}
	return 0
}

// pass goes behind 0xff and what follows it: to marker, or none where it is a stuffed zero.
func (r *careful) pass() {
	first := r.pos
	for r.pos < len(r.data) && r.data[r.pos] == 0xff {
		r.pos++
	}
	if r.pos == len(r.data) {
		r.marker, r.over = mEOI, true
		return
	}
	r.marker = r.data[r.pos]
	r.filled = r.filled || r.marker == 0 && r.pos > first+1
	r.pos++
}

// value reads a value of size bits, at most 15.
func (r *careful) value(size uint) int32 {
	if size == 0 {
		return 0
	}
	return extend(r.take(size), size)
}

// symbol reads a code and gives what it stands for; one that the table doesn't have
// takes 17 bits and stands for 0.
func (r *careful) symbol(h *huffman) byte {
	counts, values := h.raw[:16], h.raw[16:]
	code, first, index := 0, 0, 0
	for _, count := range counts {
		code |= int(r.take(1))
		if code-first < int(count) {
			return values[index+code-first]
		}
		index += int(count)
		first = (first + int(count)) << 1
		code <<= 1
	}
	r.take(1)
	r.warnings++
	return 0
}

// nextMarker looks for a marker where none is met yet.
func (r *careful) nextMarker() {
	skipped := false
	for r.marker == 0 {
		if r.pos < len(r.data) && r.data[r.pos] != 0xff {
			r.pos++
			skipped = true
			continue
		}
		r.pass()
		skipped = skipped || r.marker == 0
	}
	if skipped {
		r.warnings++
	}
}

// restart looks for the restart marker whose turn it is. What it makes of others is
// jpeg_resync_to_restart's choice: those that come next or the one after are left for
// their turn, the last two are passed by, and any other is taken for it.
func (r *careful) restart() {
	if r.n >= 8 {
		r.warnings++
	}
	r.acc, r.n = 0, 0
	r.nextMarker()
	if r.marker != mRST0+r.next {
		r.warnings++
	}
	for !r.atEnd() {
		if r.marker >= mRST0 {
			if ahead := (r.marker - mRST0 - r.next) & 7; ahead == 1 || ahead == 2 {
				break
			} else if ahead < 6 {
				r.marker = 0
				break
			}
		}
		r.marker = 0
		r.nextMarker()
	}
	r.next = (r.next + 1) & 7
	if r.marker == 0 {
		r.ended = false
	}
}

// segment is the next one behind a scan or another segment.
func (r *careful) segment() (segment, error) {
	if r.nextMarker(); r.over {
		r.warnings++
		return segment{}, fmt.Errorf("%w: no end of image", ErrTruncated)
	}
	r.marker = 0
	return nextSegment(r.data, r.pos-2)
}
