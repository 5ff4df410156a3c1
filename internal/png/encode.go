package png

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zlib"
)

// Encoder writes 8-bit PNG files, grey or RGB. The bytes depend on the pixels alone: the
// compressor is that of this module's go.mod, not that of the Go release. It is for one
// goroutine, and keeps its memory from file to file.
type Encoder struct {
	packed bytes.Buffer
	zlib   *zlib.Writer
	rows   [5][]byte // a row under each filter, after the filter's number
}

// compression is the level: the next ones take much longer and save a percent or two.
const compression = 6

// mostSide is a picture's longest side, as PNG has it.
const mostSide = 1<<31 - 1

// Encode appends a file to dst. pix has height x width pixels of channels bytes each, grey
// (1) or R G B (3), row by row.
func (e *Encoder) Encode(dst []byte, pix []uint8, height, width, channels int) ([]byte, error) {
	if height < 1 || width < 1 || height > mostSide || width > mostSide || channels != 1 && channels != 3 || len(pix) != height*width*channels {
		return dst, fmt.Errorf("png: %d bytes are not a picture of %d x %d x %d", len(pix), height, width, channels)
	}
	e.packed.Reset()
	if e.zlib == nil {
		w, err := zlib.NewWriterLevel(&e.packed, compression)
		if err != nil {
			return dst, err
		}
		e.zlib = w
	} else {
		e.zlib.Reset(&e.packed)
	}
	stride := width * channels
	for i := range e.rows {
		e.rows[i] = append(e.rows[i][:0], make([]byte, stride+1)...)
		e.rows[i][0] = byte(i)
	}
	above := make([]byte, stride)
	for y := range height {
		row := pix[y*stride : (y+1)*stride]
		if _, err := e.zlib.Write(e.filter(row, above, channels)); err != nil {
			return dst, err
		}
		above = row
	}
	if err := e.zlib.Close(); err != nil {
		return dst, err
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	colour := byte(2)
	if channels == 1 {
		colour = 0
	}
	header = append(header, 8, colour, 0, 0, 0)
	dst = append(dst, "\x89PNG\r\n\x1a\n"...)
	dst = appendChunk(dst, "IHDR", header)
	for data := e.packed.Bytes(); len(data) > 0; {
		n := min(len(data), 1<<30)
		dst = appendChunk(dst, "IDAT", data[:n])
		data = data[n:]
	}
	return appendChunk(dst, "IEND", nil), nil
}

// filter is the row under the filter whose bytes, as signed numbers, have the least sum
// of absolute values: the choice that the PNG specification recommends (12.8).
func (e *Encoder) filter(row, above []byte, channels int) []byte {
	none, sub, up, average, paeth := e.rows[0][1:], e.rows[1][1:], e.rows[2][1:], e.rows[3][1:], e.rows[4][1:]
	copy(none, row)
	var sums [5]int
	for i, v := range row {
		var left, corner byte
		if i >= channels {
			left, corner = row[i-channels], above[i-channels]
		}
		sub[i] = v - left
		up[i] = v - above[i]
		average[i] = v - byte((int(left)+int(above[i]))/2)
		paeth[i] = v - predict(int(left), int(above[i]), int(corner))
		sums[0] += size(v)
		sums[1] += size(sub[i])
		sums[2] += size(up[i])
		sums[3] += size(average[i])
		sums[4] += size(paeth[i])
	}
	best := 0
	for i, sum := range sums {
		if sum < sums[best] {
			best = i
		}
	}
	return e.rows[best]
}

func size(v byte) int { return max(int(int8(v)), -int(int8(v))) }

// predict is Paeth's predictor: the neighbour nearest to left + up - corner.
func predict(left, up, corner int) byte {
	p := left + up - corner
	a, b, c := max(p-left, left-p), max(p-up, up-p), max(p-corner, corner-p)
	switch {
	case a <= b && a <= c:
		return byte(left)
	case b <= c:
		return byte(up)
	}
	return byte(corner)
}

func appendChunk(dst []byte, kind string, data []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(data)))
	start := len(dst)
	dst = append(append(dst, kind...), data...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}
