package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// MostPage is the size of the largest page that is unpacked: a page is unpacked as a
// whole.
const MostPage = 512 << 20

// decoder unpacks zstd; one call at a time uses a core.
var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MostPage), zstd.WithDecoderMaxWindow(128<<20))
})

// Unpack unpacks a page, possibly into buf. The result may be stored itself.
func (p *Page) Unpack(stored, buf []byte) ([]byte, error) {
	if p.Size < 0 {
		return nil, errors.New("its header is damaged: it has less than no bytes")
	}
	if p.Codec == Uncompressed {
		if p.Size != len(stored) {
			return nil, fmt.Errorf("it isn't compressed, and is said to have %d bytes of %d", p.Size, len(stored))
		}
		return stored, nil
	}
	if p.Size > MostPage {
		return nil, fmt.Errorf("it has %d bytes compressed by %v, and at most %d are unpacked at once: write smaller pages, or without compression", p.Size, p.Codec, MostPage)
	}
	if len(stored) == 0 && p.Size == 0 {
		return nil, nil
	}
	if most := p.Codec.expansion(); most > 0 && p.Size/most > len(stored) {
		return nil, fmt.Errorf("it is damaged: %d bytes cannot hold %d compressed by %v", len(stored), p.Size, p.Codec)
	}
	if cap(buf) < p.Size {
		buf = make([]byte, p.Size)
	}
	out, err := p.Codec.unpack(stored, buf[:p.Size])
	switch {
	case err != nil:
		return nil, fmt.Errorf("it cannot be unpacked by %v, as if the file were damaged: %w", p.Codec, err)
	case len(out) != p.Size:
		return nil, fmt.Errorf("it is damaged: it unpacks to %d bytes by %v, not %d", len(out), p.Codec, p.Size)
	}
	return out, nil
}

// expansion is how many bytes a compressed byte can stand for at most; 0: any number.
func (c Codec) expansion() int {
	switch c {
	case Snappy:
		return 64
	case LZ4Raw:
		return 256
	case Gzip:
		return 1100
	}
	return 0
}

// unpack fills out, whose size is that of what is stored.
func (c Codec) unpack(stored, out []byte) ([]byte, error) {
	switch c {
	case Snappy:
		if n, err := s2.DecodedLen(stored); err != nil || n != len(out) {
			return nil, fmt.Errorf("its size is %d, not %d", n, len(out))
		}
		return s2.Decode(out, stored)
	case LZ4Raw:
		n, err := lz4.UncompressBlock(stored, out)
		return out[:max(n, 0)], err
	case Zstd:
		d, err := decoder()
		if err != nil {
			return nil, err
		}
		return d.DecodeAll(stored, out[:0:len(out)])
	case Gzip:
		r, err := gzip.NewReader(bytes.NewReader(stored))
		if err != nil {
			return nil, err
		}
		return fill(r, out)
	case Brotli:
		return fill(brotli.NewReader(bytes.NewReader(stored)), out)
	}
	return nil, fmt.Errorf("%v is not read: write the file with snappy, gzip, zstd, brotli or lz4_raw, or without compression", c)
}

// fill reads exactly what out holds.
func fill(r io.Reader, out []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, err
	}
	var more [1]byte
	if n, err := r.Read(more[:]); n > 0 || err != nil && err != io.EOF {
		return nil, errors.New("there is more")
	}
	return out, nil
}

// blockSize is what Snappy's encoders compress at a time, each part on its own. The
// format doesn't promise it, so blocks looks.
const blockSize = 1 << 16

// blocks finds where each block begins in what is stored, and the end; nil if the parts
// refer to each other.
func blocks(stored []byte, size int) (starts []uint32) {
	n, at := binary.Uvarint(stored)
	if at <= 0 || n != uint64(size) || size <= blockSize {
		return nil
	}
	out := 0
	for at < len(stored) {
		if out%blockSize == 0 {
			starts = append(starts, uint32(at))
		}
		tag := stored[at]
		length, offset := 0, 0
		var head [5]byte
		copy(head[:], stored[at:])
		switch tag & 3 {
		case 0:
			length = int(tag >> 2)
			at++
			if extra := length - 59; extra > 0 {
				length = int(binary.LittleEndian.Uint32(head[1:]) & (1<<(8*extra) - 1))
				at += extra
			}
			length++
			if length <= 0 || length > len(stored)-at {
				return nil
			}
			at += length
		case 1:
			length, offset = int(tag>>2&7)+4, int(tag>>5)<<8|int(head[1])
			at += 2
		case 2:
			length, offset = int(tag>>2)+1, int(binary.LittleEndian.Uint16(head[1:]))
			at += 3
		case 3:
			length, offset = int(tag>>2)+1, int(binary.LittleEndian.Uint32(head[1:]))
			at += 5
		}
		// An element that reaches over a border, or refers beyond one.
		if within := out % blockSize; offset > within || within+length > blockSize {
			return nil
		}
		out += length
	}
	if out != size || at != len(stored) {
		return nil
	}
	return append(starts, uint32(at))
}

// Range is the part of what is stored from which n bytes at an offset of a page with
// Blocks are unpacked: length bytes from start on.
func (p *Page) Range(offset, n int) (start, length int) {
	first, last := offset/blockSize, (offset+n-1)/blockSize
	return int(p.Blocks[first]), int(p.Blocks[last+1] - p.Blocks[first])
}

// UnpackRange unpacks n bytes at an offset from the part of what is stored that Range
// names, which has room bytes before it that are overwritten. The result is in buf, which
// is made larger where it must be.
func (p *Page) UnpackRange(part []byte, room, offset, n int, buf *[]byte) ([]byte, error) {
	first := offset / blockSize * blockSize
	size := min((offset+n-1)/blockSize*blockSize+blockSize, p.Size) - first
	var head [binary.MaxVarintLen64]byte
	h := binary.PutUvarint(head[:], uint64(size))
	part = part[room-h:]
	copy(part, head[:h])
	*buf = slices.Grow((*buf)[:0], size)[:size]
	out, err := s2.Decode(*buf, part)
	if err != nil || len(out) != size {
		return nil, fmt.Errorf("%d bytes of it cannot be unpacked by SNAPPY", size)
	}
	return out[offset-first:][:n], nil
}

// Room is what UnpackRange needs.
const Room = binary.MaxVarintLen64
