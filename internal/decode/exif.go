package decode

import (
	"bytes"
	"encoding/binary"
)

const (
	tagOrientation = 0x0112 // EXIF 2.3, 4.6.4.A
	exifShort      = 3      // 16-bit unsigned
	exifLong       = 4      // 32-bit unsigned
)

// exifOrientation reads the orientation from an EXIF block: a TIFF header and
// its first directory, with or without the "Exif\0\0" that JPEG puts before it
// (WebP's EXIF chunk has either). Anything wrong with the block means 1: a
// damaged note about a picture doesn't damage the picture.
func exifOrientation(block []byte) int {
	block = bytes.TrimPrefix(block, []byte("Exif\x00\x00"))
	if len(block) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(block[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	start := int64(order.Uint32(block[4:]))
	if start < 8 || start+2 > int64(len(block)) {
		return 1
	}
	entries := block[start+2:]
	for range order.Uint16(block[start:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == tagOrientation {
			return validOrientation(entries, order)
		}
		entries = entries[12:]
	}
	return 1
}

// validOrientation reads the value of a directory entry: tag, type, count, value.
func validOrientation(entry []byte, order binary.ByteOrder) int {
	if order.Uint32(entry[4:]) != 1 {
		return 1
	}
	var v uint32
	switch order.Uint16(entry[2:]) {
	case exifShort:
		v = uint32(order.Uint16(entry[8:]))
	case exifLong:
		v = order.Uint32(entry[8:])
	}
	if v < 1 || v > 8 {
		return 1
	}
	return int(v)
}
