package parquet

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Encoding is how the values of a page are written.
type Encoding int32

// The encodings that are read.
const (
	PlainValues          Encoding = 0
	PlainDictionary      Encoding = 2
	RLE                  Encoding = 3
	DeltaBinaryPacked    Encoding = 5
	DeltaLengthByteArray Encoding = 6
	RLEDictionary        Encoding = 8
)

var encodingNames = []string{"PLAIN", "GROUP_VAR_INT", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY",
	"DELTA_BYTE_ARRAY", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"}

func (e Encoding) String() string { return named(encodingNames, int32(e)) }

// The kinds of pages.
const (
	dataPage       = 0
	indexPage      = 1
	dictionaryPage = 2
	dataPageV2     = 3
)

// header is what comes before a page.
type header struct {
	kind               int32
	compressed, size   int32 // bytes as stored, and unpacked
	values             int32
	encoding, levels   Encoding
	definition, repeat int32 // bytes of levels, of version 2
	packed             bool
	sum                uint32
	hasSum             bool
}

// mostHeader bounds a header: with statistics it holds two values of the column.
const mostHeader = 8 << 20

func (h *header) read(t *thrift) {
	*h = header{kind: -1, compressed: -1, size: -1, values: -1, encoding: -1, packed: true}
	data := func(field int, kind byte) {
		switch field {
		case 1:
			h.values = t.i32(kind)
		case 2:
			h.encoding = Encoding(t.i32(kind))
		case 3:
			h.levels = Encoding(t.i32(kind))
		}
	}
	t.fields(func(field int, kind byte) {
		switch field {
		case 1:
			h.kind = t.i32(kind)
		case 2:
			h.size = t.i32(kind)
		case 3:
			h.compressed = t.i32(kind)
		case 4:
			h.sum, h.hasSum = uint32(t.i32(kind)), true
		case 5:
			h.levels = RLE
			t.structure(kind, data)
		case 7:
			t.structure(kind, func(field int, kind byte) {
				if field <= 2 {
					data(field, kind)
				}
			})
		case 8:
			t.structure(kind, func(field int, kind byte) {
				switch field {
				case 1:
					h.values = t.i32(kind)
				case 4:
					h.encoding = Encoding(t.i32(kind))
				case 5:
					h.definition = t.i32(kind)
				case 6:
					h.repeat = t.i32(kind)
				case 7:
					h.packed = kind != kindFalse
				}
			})
		}
	})
}

// Page is where the values of a page are in the file.
type Page struct {
	Offset     int64 // of what is stored, after header and uncompressed levels
	Compressed int   // bytes stored
	Size       int   // bytes unpacked
	Codec      Codec
	// Blocks are where each 64 KiB of what Snappy unpacks begin in what is stored, and the end,
	// if each can be unpacked alone; else nil.
	Blocks []uint32
}

// pages walks over the pages of a chunk.
type pages struct {
	w     window
	leaf  *Leaf
	chunk Chunk
	at    int64 // of the next header
	left  int64 // values that are still to come
	dict  bool  // the dictionary was met
}

func newPages(r io.ReaderAt, leaf *Leaf, chunk Chunk) *pages {
	return &pages{w: window{r: r, end: chunk.Offset + chunk.Size}, leaf: leaf, chunk: chunk, at: chunk.Offset, left: chunk.Values}
}

// next reads the next header of a page of values or of a dictionary; io.EOF after the
// last. at is where the page's body begins.
func (p *pages) next() (h header, at int64, err error) {
	for {
		if p.at >= p.w.end || p.left == 0 {
			if p.left > 0 {
				return h, 0, fmt.Errorf("the pages end %d values too early", p.left)
			}
			return h, 0, io.EOF
		}
		h, at, err = p.header()
		if err != nil {
			return h, 0, fmt.Errorf("the header of the page at byte %d: %w", p.at, err)
		}
		where := p.at
		p.at = at + int64(h.compressed)
		switch h.kind {
		case indexPage:
			continue
		case dictionaryPage:
			if p.dict || p.left < p.chunk.Values {
				return h, 0, fmt.Errorf("the page at byte %d is a dictionary, and comes after other pages", where)
			}
			p.dict = true
		case dataPage, dataPageV2:
			if int64(h.values) > p.left {
				return h, 0, fmt.Errorf("the page at byte %d has %d values, and %d are to come", where, h.values, p.left)
			}
			p.left -= int64(h.values)
		default:
			return h, 0, fmt.Errorf("the page at byte %d is of the unknown kind %d", where, h.kind)
		}
		return h, at, nil
	}
}

func (p *pages) header() (h header, at int64, err error) {
	for want := 256; ; want *= 8 {
		some, err := p.w.bytes(p.at, int(min(int64(want), p.w.end-p.at)))
		if err != nil {
			return h, 0, err
		}
		t := thrift{b: some}
		h.read(&t)
		at = p.at + int64(t.at)
		switch {
		case errors.Is(t.bad, io.ErrUnexpectedEOF) && p.at+int64(len(some)) < p.w.end && want < mostHeader:
			continue
		case t.bad != nil:
			return h, 0, fmt.Errorf("it is damaged: %w", t.bad)
		case h.compressed < 0 || h.size < 0 || int64(h.compressed) > p.w.end-at:
			return h, 0, fmt.Errorf("it claims %d bytes, %d unpacked, and its column's pages end after %d", h.compressed, h.size, p.w.end-at)
		case h.kind != indexPage && h.values < 0:
			return h, 0, errors.New("it has no number of values")
		case h.definition < 0 || h.repeat < 0 || int64(h.definition)+int64(h.repeat) > int64(min(h.compressed, h.size)):
			return h, 0, fmt.Errorf("it claims %d and %d bytes of levels, and %d in all", h.repeat, h.definition, h.compressed)
		}
		return h, at, nil
	}
}

// body unpacks a page; levels are those of version 2, which are apart. buf may be used.
func (p *pages) body(h header, at int64, buf []byte) (page Page, levels, values []byte, err error) {
	stored, err := p.w.bytes(at, int(h.compressed))
	if err != nil {
		return page, nil, nil, err
	}
	if h.hasSum && crc32.ChecksumIEEE(stored) != h.sum {
		return page, nil, nil, errors.New("its checksum is wrong: the file is damaged: create or copy it again")
	}
	apart := int(h.definition + h.repeat)
	page = Page{Offset: at + int64(apart), Compressed: len(stored) - apart, Size: int(h.size) - apart, Codec: p.chunk.Codec}
	if h.kind == dataPageV2 && !h.packed {
		page.Codec = Uncompressed
	}
	values, err = page.Unpack(stored[apart:], buf)
	return page, stored[h.repeat:apart], values, err
}

// window reads forwards in a file, mostly in small steps.
type window struct {
	r     io.ReaderAt
	end   int64
	start int64 // of buf in the file
	buf   []byte
	ahead int
}

const leastAhead, mostAhead = 4 << 10, 256 << 10

// bytes are n bytes from an offset on, valid until the next call. It reads ahead, the
// further the longer it was read without a gap.
func (w *window) bytes(at int64, n int) ([]byte, error) {
	if n < 0 || at < 0 || int64(n) > w.end-at {
		return nil, fmt.Errorf("%d bytes from byte %d on are needed, and the column's pages end at byte %d", n, at, w.end)
	}
	have := w.start + int64(len(w.buf))
	if at >= w.start && at+int64(n) <= have {
		return w.buf[at-w.start:][:n], nil
	}
	if at >= w.start && at <= have {
		w.ahead = min(max(2*w.ahead, leastAhead), mostAhead)
	} else {
		w.ahead = leastAhead
	}
	size := int(min(int64(max(n, w.ahead)), w.end-at))
	kept := 0
	if at >= w.start && at < have {
		kept = copy(w.buf, w.buf[at-w.start:])
	}
	if cap(w.buf) < size {
		w.buf = append(make([]byte, 0, size), w.buf[:kept]...)
	}
	w.buf = w.buf[:size]
	w.start = at
	if err := readAt(w.r, w.buf[kept:], at+int64(kept)); err != nil {
		w.buf = w.buf[:0]
		return nil, err
	}
	return w.buf[:n], nil
}
