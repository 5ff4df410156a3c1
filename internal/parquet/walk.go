package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Value is a value of a column.
type Value struct {
	Level int // less than the leaf's MaxLevel: null
	// Repeat is 0 where a row begins; else the list, counted from 1 and from the outside, that
	// this is another element of. Only of Nested.
	Repeat int
	Int    int64   // of BOOLEAN (0 and 1), INT32 and INT64
	Float  float64 // of FLOAT and DOUBLE
	// Of BYTE_ARRAY and FIXED_LEN_BYTE_ARRAY: the page, by its number in the chunk, and where
	// the value is in it, unpacked. Bytes is the value, valid until the next one; only
	// Places leaves it out.
	Page, Offset, Length int
	Bytes                []byte
}

// Values hands the values of a leaf in a row group to take, in their order.
func (f *File) Values(r io.ReaderAt, group, leaf int, take func(v *Value) error) error {
	_, err := f.walk(r, group, leaf, false, take)
	return err
}

// Places is Values for large byte arrays, without their bytes: of pages that aren't
// compressed only the lengths of values are read. The pages are those that the values name.
func (f *File) Places(r io.ReaderAt, group, leaf int, take func(v *Value) error) ([]Page, error) {
	return f.walk(r, group, leaf, true, take)
}

func (f *File) walk(r io.ReaderAt, group, leaf int, places bool, take func(v *Value) error) ([]Page, error) {
	g, l := &f.Groups[group], &f.Leaves[leaf]
	c := g.Chunks[leaf]
	where := func(err error) error { return fmt.Errorf("column %q, row group %d: %w", l.Name(), group, err) }
	switch {
	case l.Repeated:
		return nil, where(errors.New("it is in a list or a map, or is one, and is not read"))
	case l.Type == Int96:
		return nil, where(errors.New("the type INT96 is not read"))
	case c.Values != g.Rows:
		return nil, where(fmt.Errorf("it has %d values in %d rows", c.Values, g.Rows))
	}
	w := walker{pages: newPages(r, l, c), leaf: l, places: places, take: take}
	return w.all(where)
}

// Nested is Values of a leaf that is in lists: values are handed over with their levels, also
// those that stand for an empty list, or for null.
func (f *File) Nested(r io.ReaderAt, group, leaf int, take func(v *Value) error) error {
	g, l := &f.Groups[group], &f.Leaves[leaf]
	c := g.Chunks[leaf]
	where := func(err error) error { return fmt.Errorf("column %q, row group %d: %w", l.Name(), group, err) }
	switch {
	case l.Type == Int96:
		return where(errors.New("the type INT96 is not read"))
	case c.Values < g.Rows:
		return where(fmt.Errorf("it has %d values in %d rows", c.Values, g.Rows))
	}
	rows := int64(0)
	w := walker{pages: newPages(r, l, c), leaf: l, nested: true, take: func(v *Value) error {
		if v.Repeat == 0 {
			rows++
		}
		if rows == 0 || rows > g.Rows {
			return fmt.Errorf("its lists are of %d rows of %d", rows, g.Rows)
		}
		return take(v)
	}}
	if _, err := w.all(where); err != nil {
		return err
	}
	if rows != g.Rows {
		return where(fmt.Errorf("its lists are of %d rows of %d", rows, g.Rows))
	}
	return nil
}

// all reads all pages.
func (w *walker) all(where func(error) error) ([]Page, error) {
	for {
		h, at, err := w.pages.next()
		if errors.Is(err, io.EOF) {
			return w.list, nil
		}
		if err != nil {
			return nil, where(err)
		}
		if err := w.page(h, at); err != nil {
			return nil, where(fmt.Errorf("the page at byte %d: %w", at, err))
		}
	}
}

// walker reads the values of one chunk.
type walker struct {
	pages  *pages
	leaf   *Leaf
	places bool
	take   func(v *Value) error
	list   []Page
	dict   *dictionary
	buf    []byte // of unpacked pages
	nested bool
	repeat *hybrid // the repetition levels of a page
}

// dictionary is the entries of a dictionary page.
type dictionary struct {
	page    int
	numbers []uint64 // bits of numbers; of bytes, offset and length in 32 bits each
	data    []byte   // nil where only places are wanted
}

// page reads one page, which begins at a byte of the file.
func (w *walker) page(h header, at int64) error {
	number := len(w.list)
	if h.kind != dictionaryPage {
		if err := w.known(h); err != nil {
			return err
		}
	}
	if hop := w.places && h.kind != dictionaryPage && h.encoding == PlainValues && (w.pages.chunk.Codec == Uncompressed || h.kind == dataPageV2 && !h.packed); hop {
		return w.hop(h, at)
	}
	if h.compressed > MostPage {
		return fmt.Errorf("it has %d bytes, and at most %d are read at once: write smaller pages", h.compressed, MostPage)
	}
	buf := w.buf
	if h.kind == dictionaryPage {
		buf = nil // stays
	}
	repeats, err := w.repeatsV2(h, at)
	if err != nil {
		return err
	}
	page, levels, values, err := w.pages.body(h, at, buf)
	if err != nil {
		return err
	}
	if err := w.findBlocks(&page); err != nil {
		return err
	}
	w.list = append(w.list, page)
	if h.kind == dictionaryPage {
		if page.Codec == Uncompressed {
			values = bytes.Clone(values)
		}
		return w.dictionary(h, number, values)
	}
	if page.Codec != Uncompressed {
		w.buf = values
	}
	in := cursor{b: values, end: len(values)}
	if h.kind == dataPage && w.nested && len(w.leaf.Lists) > 0 {
		if repeats, err = in.levels(); err != nil {
			return err
		}
	}
	if h.kind == dataPage && w.leaf.MaxLevel > 0 {
		if levels, err = in.levels(); err != nil {
			return err
		}
	}
	if w.repeat, err = newHybrid(repeats, widthOf(len(w.leaf.Lists))); err != nil {
		return err
	}
	return w.values(h, number, levels, &in)
}

// repeatsV2 are the repetition levels of a page of version 2, which lie before its body.
func (w *walker) repeatsV2(h header, at int64) ([]byte, error) {
	if !w.nested || h.kind != dataPageV2 {
		return nil, nil
	}
	levels, err := w.pages.w.bytes(at, int(h.repeat))
	return bytes.Clone(levels), err
}

// findBlocks finds the blocks of a page of Snappy, where places are wanted.
func (w *walker) findBlocks(page *Page) error {
	if page.Codec != Snappy || !w.places {
		return nil
	}
	stored, err := w.pages.w.bytes(page.Offset, page.Compressed)
	if err == nil {
		page.Blocks = blocks(stored, page.Size)
	}
	return err
}

// hop reads a page that isn't compressed without its values.
func (w *walker) hop(h header, at int64) error {
	apart := int(h.definition + h.repeat)
	size := int(h.compressed) - apart
	if h.size != h.compressed {
		return fmt.Errorf("it isn't compressed, and is said to have %d bytes of %d", h.size, h.compressed)
	}
	levels, err := w.pages.w.bytes(at+int64(h.repeat), int(h.definition))
	if err != nil {
		return err
	}
	number := len(w.list)
	w.list = append(w.list, Page{Offset: at + int64(apart), Compressed: size, Size: size})
	in := cursor{w: &w.pages.w, base: at + int64(apart), end: size}
	if h.kind == dataPage && w.leaf.MaxLevel > 0 {
		if levels, err = in.levels(); err != nil {
			return err
		}
	}
	return w.values(h, number, append([]byte(nil), levels...), &in)
}

// known refuses encodings that aren't read, by name.
func (w *walker) known(h header) error {
	bytes := w.leaf.Type == ByteArray || w.leaf.Type == FixedLenByteArray
	ok := false
	switch h.encoding {
	case PlainValues:
		ok = true
	case PlainDictionary, RLEDictionary:
		if w.dict == nil {
			return fmt.Errorf("its encoding is %v, and there is no dictionary before it", h.encoding)
		}
		ok = true
	case RLE:
		ok = w.leaf.Type == Boolean
	case DeltaBinaryPacked:
		ok = w.leaf.Type == Int32 || w.leaf.Type == Int64
	case DeltaLengthByteArray:
		ok = bytes && w.leaf.Type == ByteArray
	}
	switch {
	case !ok:
		return fmt.Errorf("the encoding %v of %v is not read: write the column with PLAIN or a dictionary", h.encoding, w.leaf.Type)
	case h.kind == dataPage && w.leaf.MaxLevel > 0 && h.levels != RLE:
		return fmt.Errorf("the encoding %v of definition levels is not read: write the file with a newer program", h.levels)
	case h.repeat > 0 && !w.nested:
		return errors.New("it has repetition levels, though the column is in no list")
	}
	return nil
}

// values reads what a page holds; levels is empty where no value can be null.
func (w *walker) values(h header, number int, levels []byte, in *cursor) error {
	next, err := w.decoder(h, number, in)
	if err != nil {
		return err
	}
	most := w.leaf.MaxLevel
	level, err := newHybrid(levels, widthOf(most))
	if err != nil {
		return err
	}
	var v Value
	for i := range h.values {
		v = Value{Level: most}
		if w.nested && len(w.leaf.Lists) > 0 {
			r, err := w.repeat.next()
			if err != nil {
				return fmt.Errorf("value %d of %d: its repetition level: %w", i, h.values, err)
			}
			if int(r) > len(w.leaf.Lists) {
				return fmt.Errorf("value %d of %d: its repetition level is %d of %d", i, h.values, r, len(w.leaf.Lists))
			}
			v.Repeat = int(r)
		}
		if most > 0 {
			l, err := level.next()
			if err != nil {
				return fmt.Errorf("value %d of %d: its definition level: %w", i, h.values, err)
			}
			if int(l) > most {
				return fmt.Errorf("value %d of %d: its definition level is %d of %d", i, h.values, l, most)
			}
			v.Level = int(l)
		}
		if v.Level == most {
			if err := next(&v); err != nil {
				return fmt.Errorf("value %d of %d: %w", i, h.values, err)
			}
		}
		if err := w.take(&v); err != nil {
			return err
		}
	}
	return nil
}

// decoder gives the function that reads the next value which isn't null.
func (w *walker) decoder(h header, number int, in *cursor) (func(v *Value) error, error) {
	switch h.encoding {
	case PlainDictionary, RLEDictionary:
		return w.entries(in)
	case RLE:
		n, err := in.length()
		if err != nil {
			return nil, err
		}
		b, err := in.next(n)
		if err != nil {
			return nil, err
		}
		bits, err := newHybrid(b, 1)
		return func(v *Value) error {
			n, err := bits.next()
			v.Int = int64(n)
			return err
		}, err
	case DeltaBinaryPacked:
		d, err := newDelta(in.b[in.at:])
		return func(v *Value) (err error) {
			v.Int, err = d.next()
			if w.leaf.Type == Int32 {
				v.Int = int64(int32(v.Int))
			}
			return err
		}, err
	case DeltaLengthByteArray:
		return w.lengths(h, number, in)
	}
	return w.plain(number, in), nil
}

// plain reads values as they are.
func (w *walker) plain(number int, in *cursor) func(v *Value) error {
	bytes := func(v *Value, n int) (err error) {
		v.Page, v.Offset, v.Length = number, in.at, n
		if w.places {
			return in.skip(n)
		}
		v.Bytes, err = in.next(n)
		return err
	}
	switch w.leaf.Type {
	case ByteArray:
		return func(v *Value) error {
			n, err := in.length()
			if err != nil {
				return err
			}
			return bytes(v, n)
		}
	case FixedLenByteArray:
		return func(v *Value) error { return bytes(v, w.leaf.Length) }
	case Boolean:
		bit := 8
		var byte byte
		return func(v *Value) error {
			if bit == 8 {
				b, err := in.next(1)
				if err != nil {
					return err
				}
				byte, bit = b[0], 0
			}
			v.Int = int64(byte >> bit & 1)
			bit++
			return nil
		}
	}
	size := 8
	if w.leaf.Type == Int32 || w.leaf.Type == Float {
		size = 4
	}
	return func(v *Value) error {
		b, err := in.next(size)
		if err != nil {
			return err
		}
		var n uint64
		if size == 4 {
			n = uint64(binary.LittleEndian.Uint32(b))
		} else {
			n = binary.LittleEndian.Uint64(b)
		}
		v.number(w.leaf.Type, n)
		return nil
	}
}

// number takes the bits of a number.
func (v *Value) number(t Type, bits uint64) {
	switch t {
	case Int32:
		v.Int = int64(int32(bits))
	case Int64:
		v.Int = int64(bits)
	case Float:
		v.Float = float64(math.Float32frombits(uint32(bits)))
	case Double:
		v.Float = math.Float64frombits(bits)
	}
}

// lengths reads byte arrays whose lengths come first.
func (w *walker) lengths(h header, number int, in *cursor) (func(v *Value) error, error) {
	d, err := newDelta(in.b[in.at:])
	if err != nil {
		return nil, err
	}
	if d.total > uint64(h.values) {
		return nil, fmt.Errorf("it has %d lengths for %d values", d.total, h.values)
	}
	list := make([]int64, d.total)
	for i := range list {
		if list[i], err = d.next(); err != nil {
			return nil, err
		}
	}
	rest, err := d.rest()
	if err != nil {
		return nil, err
	}
	in.at = in.end - len(rest)
	return func(v *Value) (err error) {
		if len(list) == 0 {
			return errEnd
		}
		n := list[0]
		list = list[1:]
		if n < 0 || n > int64(in.end-in.at) {
			return fmt.Errorf("its length is %d, and %d bytes are left", n, in.end-in.at)
		}
		v.Page, v.Offset, v.Length = number, in.at, int(n)
		v.Bytes, err = in.next(int(n))
		return err
	}, nil
}

// dictionary reads the entries.
func (w *walker) dictionary(h header, number int, values []byte) error {
	if h.encoding != PlainValues && h.encoding != PlainDictionary || w.leaf.Type == Boolean {
		return fmt.Errorf("it is a dictionary of %v encoded as %v, which is not read", w.leaf.Type, h.encoding)
	}
	bytes := w.leaf.Type == ByteArray || w.leaf.Type == FixedLenByteArray
	if least := max(1, w.leaf.Length); int64(h.values)*int64(least) > int64(len(values)) {
		return fmt.Errorf("it is a dictionary of %d entries in %d bytes", h.values, len(values))
	}
	in := cursor{b: values, end: len(values)}
	next := w.plain(number, &in)
	w.dict = &dictionary{page: number, numbers: make([]uint64, 0, h.values)}
	if !w.places {
		w.dict.data = values
	}
	for i := range h.values {
		var v Value
		if err := next(&v); err != nil {
			return fmt.Errorf("entry %d of %d: %w", i, h.values, err)
		}
		n := uint64(v.Int)
		switch {
		case bytes:
			n = uint64(v.Offset)<<32 | uint64(v.Length)
		case w.leaf.Type == Float:
			n = uint64(math.Float32bits(float32(v.Float)))
		case w.leaf.Type == Double:
			n = math.Float64bits(v.Float)
		}
		w.dict.numbers = append(w.dict.numbers, n)
	}
	return nil
}

// entries reads numbers of entries.
func (w *walker) entries(in *cursor) (func(v *Value) error, error) {
	d := w.dict
	if in.at == in.end { // a page of nulls
		return func(*Value) error { return errEnd }, nil
	}
	width, err := in.next(1)
	if err != nil {
		return nil, err
	}
	numbers, err := newHybrid(in.b[in.at:], uint(width[0]))
	if err != nil {
		return nil, err
	}
	bytes := w.leaf.Type == ByteArray || w.leaf.Type == FixedLenByteArray
	return func(v *Value) error {
		n, err := numbers.next()
		if err != nil {
			return err
		}
		if uint64(n) >= uint64(len(d.numbers)) {
			return fmt.Errorf("it is entry %d of a dictionary of %d", n, len(d.numbers))
		}
		bits := d.numbers[n]
		if !bytes {
			v.number(w.leaf.Type, bits)
			return nil
		}
		v.Page, v.Offset, v.Length = d.page, int(bits>>32), int(uint32(bits))
		if d.data != nil {
			v.Bytes = d.data[v.Offset:][:v.Length]
		}
		return nil
	}, nil
}

// cursor reads a page's values forwards, from memory or from the file.
type cursor struct {
	b       []byte
	w       *window
	base    int64 // of the values, in the file
	at, end int
}

func (c *cursor) next(n int) ([]byte, error) {
	at := c.at
	if err := c.skip(n); err != nil {
		return nil, err
	}
	if c.w != nil {
		return c.w.bytes(c.base+int64(at), n)
	}
	return c.b[at:c.at], nil
}

func (c *cursor) skip(n int) error {
	if n < 0 || n > c.end-c.at {
		return fmt.Errorf("it needs %d bytes, and %d are left", uint32(n), c.end-c.at)
	}
	c.at += n
	return nil
}

// length is a number of bytes in four.
func (c *cursor) length() (int, error) {
	b, err := c.next(4)
	if err != nil {
		return 0, err
	}
	return int(binary.LittleEndian.Uint32(b)), nil
}

// levels are those of version 1, behind their length.
func (c *cursor) levels() ([]byte, error) {
	n, err := c.length()
	if err != nil {
		return nil, fmt.Errorf("definition levels: %w", err)
	}
	b, err := c.next(n)
	if err != nil {
		return nil, fmt.Errorf("definition levels: %w", err)
	}
	return b, nil
}
