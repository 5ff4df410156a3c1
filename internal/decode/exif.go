package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

const tagOrientation = 0x0112 // EXIF 2.3, 4.6.4.A

// exifOrientation reads the orientation from an EXIF block: a TIFF header and
// its first directory, with or without the "Exif\0\0" that JPEG puts before it
// (WebP's EXIF chunk has either). 0 means that the block has none or is damaged: damaged
// metadata don't make a picture damaged. A value that is no orientation counts as 1.
func exifOrientation(block []byte) int {
	const marker = "Exif\x00\x00"
	block = bytes.TrimPrefix(bytes.TrimPrefix(block, []byte(marker)), []byte(marker))
	d, err := readIFD(block)
	if err != nil {
		return 0
	}
	return d.orientation()
}

// orientation is 0 where the directory has no such entry.
func (d *ifd) orientation() int {
	e, ok := d.find(tagOrientation)
	if !ok {
		return 0
	}
	v, ok := d.number(e, 0)
	if !ok || e.count != 1 || v < 1 || v > 8 {
		return 1
	}
	return int(v)
}

// ifd is the first directory of a TIFF file or of an EXIF block.
type ifd struct {
	data  []byte // the whole file
	order binary.ByteOrder
	big   bool   // BigTIFF: 64-bit counts and offsets
	table []byte // its entries, 12 bytes each, 20 in a BigTIFF
	cut   bool   // there should be more
}

// ifdEntry is an entry of known type with its values within the file.
type ifdEntry struct {
	kind  uint16
	count int64
	value []byte
}

// ifdSizes are the bytes that a value of each type takes (TIFF 6.0, 2; BigTIFF).
var ifdSizes = [...]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}

// isTIFF recognizes a TIFF header, BigTIFF too, and the two swapped ones that Pillow takes.
func isTIFF(data []byte) bool {
	if len(data) < 8 {
		return false
	}
	switch string(data[:4]) {
	case "II*\x00", "MM\x00*", "MM*\x00", "II\x00*", "MM\x00+", "II+\x00":
		return true
	}
	return false
}

var (
	errNoTIFF = errors.New("damaged file: no TIFF header")
	errCutIFD = fmt.Errorf("%w: its directory lies beyond its end", ErrTruncated)
)

// readIFD finds the first directory. A truncated one has the entries that are there.
func readIFD(data []byte) (ifd, error) {
	if !isTIFF(data) {
		return ifd{}, errNoTIFF
	}
	d := ifd{data: data, order: binary.LittleEndian, big: data[2] == '+' || data[3] == '+'}
	if data[0] == 'M' {
		d.order = binary.BigEndian
	}
	at, head := uint64(d.order.Uint32(data[4:])), uint64(2)
	if d.big {
		if len(data) < 16 {
			return ifd{}, errCutIFD
		}
		at, head = d.order.Uint64(data[8:]), 8
	}
	if at > uint64(len(data)) || head > uint64(len(data))-at {
		return ifd{}, errCutIFD
	}
	count := uint64(d.order.Uint16(data[at:]))
	if d.big {
		count = min(d.order.Uint64(data[at:]), 1<<16)
	}
	d.table = data[at+head:]
	size := count * uint64(d.entrySize())
	d.cut = size > uint64(len(d.table))
	d.table = d.table[:min(size, uint64(len(d.table)))]
	return d, nil
}

func (d *ifd) entrySize() int {
	if d.big {
		return 20
	}
	return 12
}

// find returns the entry of a tag. Entries of unknown types or without values are ignored;
// of two the first counts, as in Pillow.
func (d *ifd) find(tag uint16) (ifdEntry, bool) {
	size := d.entrySize()
	for b := d.table; len(b) >= size; b = b[size:] {
		if d.order.Uint16(b) == tag {
			if e, ok := d.entry(b[2:size]); ok {
				return e, true
			}
		}
	}
	return ifdEntry{}, false
}

// entry reads type, count and value.
func (d *ifd) entry(b []byte) (ifdEntry, bool) {
	kind, field := d.order.Uint16(b), int64(4)
	if d.big {
		field = 8
	}
	count := d.offset(b[2:])
	// A value takes a byte at least.
	if int(kind) >= len(ifdSizes) || ifdSizes[kind] == 0 || count == 0 || count > uint64(len(d.data)) {
		return ifdEntry{}, false
	}
	e := ifdEntry{kind: kind, count: int64(count), value: b[2+field:]}
	if size := e.count * ifdSizes[kind]; size > field {
		at := d.offset(b[2+field:])
		if at > uint64(len(d.data)) || size > int64(len(d.data))-int64(at) {
			return ifdEntry{}, false
		}
		e.value = d.data[at : int64(at)+size]
	}
	return e, true
}

// offset reads a count or an offset: 32 bits, 64 in a BigTIFF.
func (d *ifd) offset(b []byte) uint64 {
	if d.big {
		return d.order.Uint64(b)
	}
	return uint64(d.order.Uint32(b))
}

// numbers reads at most so many values of an entry of whole numbers.
func (d *ifd) numbers(e ifdEntry, most int64) ([]int64, bool) {
	v := make([]int64, min(e.count, most))
	for i := range v {
		var ok bool
		if v[i], ok = d.number(e, int64(i)); !ok {
			return nil, false
		}
	}
	return v, true
}

// number is value i of an entry of whole numbers.
func (d *ifd) number(e ifdEntry, i int64) (v int64, ok bool) {
	b := e.value[i*ifdSizes[e.kind]:]
	switch e.kind {
	case 1, 7:
		return int64(b[0]), true
	case 3:
		return int64(d.order.Uint16(b)), true
	case 4, 13:
		return int64(d.order.Uint32(b)), true
	case 6:
		return int64(int8(b[0])), true
	case 8:
		return int64(int16(d.order.Uint16(b))), true
	case 9:
		return int64(int32(d.order.Uint32(b))), true
	case 16:
		return int64(d.order.Uint64(b)), true
	}
	return 0, false
}
