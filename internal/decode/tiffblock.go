package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/sluicedata/sluice/internal/inflate"
	"github.com/sluicedata/sluice/internal/lzw"
	"golang.org/x/image/ccitt"
)

// tiffBlock reads the rows of a strip or tile, from the first one on.
type tiffBlock struct {
	compression int
	data        []byte // what is left of it where it isn't compressed, or with PackBits
	lzw         *lzw.Decoder
	inflate     *inflate.Reader
	ccitt       io.Reader // reads codes
	codes       bytes.Reader
	left        int  // of a run of PackBits
	repeat      bool // the run is one byte
	value       byte
	row         []byte
	turned      []byte // data with the bits of each byte in the other order
}

// blockMemory is what a tiffBlock takes, in addition to two rows.
const blockMemory = 160 << 10

// ccittMemory is what a strip or tile takes in addition where it has CCITT codes: x/image/ccitt can't begin
// anew, and so takes a reader and up to two rows, of a byte a pixel, for each.
func (f *tiffFile) ccittMemory() int64 {
	return 3<<9 + int64(min(f.blockH, 2))*(int64(f.blockW)+int64(f.blockW)/4)
}

func (b *tiffBlock) kept() int {
	n := cap(b.row) + cap(b.turned)
	if b.lzw != nil {
		n += b.lzw.Kept()
	}
	if b.inflate != nil {
		n += b.inflate.Kept()
	}
	return n
}

// release drops the file's data.
func (b *tiffBlock) release() {
	b.data, b.ccitt = nil, nil
	b.codes.Reset(nil)
	if b.lzw != nil {
		b.lzw.Release()
	}
	if b.inflate != nil {
		b.inflate.Release()
	}
}

// open begins with strip or tile i, of which so many rows will be read, perhaps its last ones too.
// The size of uncompressed ones is known without their count, which some programs get wrong.
func (b *tiffBlock) open(f *tiffFile, i, rows int, whole bool) error {
	data, _, err := f.blockData(i)
	if err != nil {
		return err
	}
	if f.compression == tiffNone {
		data = data[:min(len(data), rows*int(f.rowBytes()))]
	} else {
		data = data[:min(int64(len(data)), f.mostCodes())]
	}
	if f.reversed && !f.ccitt() {
		b.turned = sized(b.turned, len(data))
		for i, v := range data {
			b.turned[i] = bits.Reverse8(v)
		}
		data = b.turned
	}
	b.compression, b.left = f.compression, 0
	switch f.compression {
	case tiffLZW:
		if b.lzw == nil {
			b.lzw = new(lzw.Decoder)
		}
		b.lzw.ResetTIFF(data)
	case tiffDeflate, tiffOldDeflate:
		if b.inflate == nil {
			b.inflate = new(inflate.Reader)
		}
		b.inflate.ResetZlib(data)
		if !whole {
			b.inflate.Only(rows * int(f.rowBytes()))
		}
	case tiffGroup3, tiffGroup4:
		kind, order := ccitt.Group4, ccitt.MSB
		if f.compression == tiffGroup3 {
			kind = ccitt.Group3
		}
		if f.reversed {
			order = ccitt.LSB
		}
		b.codes.Reset(data)
		b.ccitt = ccitt.NewReader(&b.codes, order, kind, f.blockW, rows, &ccitt.Options{Invert: true, Align: kind == ccitt.Group3 && f.t4Options&4 != 0})
	default:
		b.data = data
	}
	return nil
}

// blockData is the data of strip or tile i, and more where its end isn't known; followed says
// that it is, and within the file.
func (f *tiffFile) blockData(i int) (data []byte, followed bool, err error) {
	offset, ok := f.number(f.offsets, int64(i))
	if !ok || offset < 0 || offset > int64(len(f.data)) {
		return nil, false, fmt.Errorf("%w: strip or tile %d begins at byte %d of %d", ErrTruncated, i, offset, len(f.data))
	}
	data = f.data[offset:]
	if f.compression != tiffNone && int64(i) < f.counts.count {
		if n, ok := f.number(f.counts, int64(i)); ok && n > 0 && n <= int64(len(data)) {
			return data[:n], true, nil
		}
	}
	return data, false, nil
}

// mostCodes is how many bytes of a strip or tile are looked at, so that many that share their
// bytes, or have no counts, cost no more than their pixels do. libtiff reads that many of larger ones.
func (f *tiffFile) mostCodes() int64 { return 10*min(int64(f.blockH)*f.rowBytes(), 1<<50) + 1<<12 }

func (f *tiffFile) ccitt() bool { return f.compression == tiffGroup3 || f.compression == tiffGroup4 }

// next is the next row, valid until the one after it; fewer bytes with io.EOF or
// io.ErrUnexpectedEOF.
func (b *tiffBlock) next(n int) (row []byte, err error) {
	switch b.compression {
	case tiffLZW:
		return b.lzw.Next(n)
	case tiffDeflate, tiffOldDeflate:
		return b.inflate.Next(n)
	case tiffGroup3, tiffGroup4:
		b.row = sized(b.row, n)
		_, err = io.ReadFull(b.ccitt, b.row)
		return b.row, err
	case tiffPackBits:
		b.row = sized(b.row, n)
		return b.row, b.packBits(b.row)
	}
	if n > len(b.data) {
		return nil, io.ErrUnexpectedEOF
	}
	row, b.data = b.data[:n], b.data[n:]
	return row, nil
}

// finish checks what follows the last row that is in the picture: zlib, and so libtiff, goes on to
// the checksum where the data end there.
func (b *tiffBlock) finish(f *tiffFile, rows int) error {
	if b.compression != tiffDeflate && b.compression != tiffOldDeflate {
		return nil
	}
	var err error
	if f.tiled { // rows below the picture
		for ; rows < f.blockH && err == nil; rows++ {
			_, err = b.inflate.Next(int(f.rowBytes()))
		}
	}
	if err == nil {
		_, err = b.inflate.Next(1)
	}
	if errors.Is(err, inflate.ErrDamaged) {
		return err
	}
	return nil
}

// packBits decodes runs of bytes (TIFF 6.0, 9).
func (b *tiffBlock) packBits(row []byte) error {
	for len(row) > 0 {
		if b.left == 0 {
			if len(b.data) == 0 {
				return io.ErrUnexpectedEOF
			}
			code := int8(b.data[0])
			b.data = b.data[1:]
			switch {
			case code >= 0:
				b.left, b.repeat = int(code)+1, false
			case code > -128:
				if len(b.data) == 0 {
					return io.ErrUnexpectedEOF
				}
				b.left, b.repeat, b.value = 1-int(code), true, b.data[0]
				b.data = b.data[1:]
			}
		}
		n := min(b.left, len(row))
		if b.repeat {
			for i := range row[:n] {
				row[i] = b.value
			}
		} else {
			if n > len(b.data) {
				return io.ErrUnexpectedEOF
			}
			copy(row[:n], b.data)
			b.data = b.data[n:]
		}
		row = row[n:]
		b.left -= n
	}
	return nil
}
