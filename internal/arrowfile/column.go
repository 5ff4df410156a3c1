package arrowfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// largestUnpacked is the most bytes that a compressed buffer may hold: it is decompressed as
// a whole, whatever row is wanted.
const largestUnpacked = 1 << 30

// Column is a column of one record batch. Rows are numbered from 0 in each batch.
type Column struct {
	Type  *Type
	Rows  int64
	Parts []*Column // of a struct, or of a list's elements

	file   *File
	nulls  int64
	valid  span
	fixed  span   // numbers, offsets or views
	data   span   // texts, or values of a fixed size
	more   []span // that views refer to
	values *Column
}

// Columns are some columns of a record batch, by their numbers in the schema. The batch is
// checked each time.
func (f *File) Columns(number int, columns ...int) ([]*Column, error) {
	b := &f.batches[number]
	meta, m, err := f.message(b.block)
	var all []*Column
	if err == nil {
		all, err = f.columns(b.block, meta, m.header, f.Schema.Fields)
	}
	list := make([]*Column, len(columns))
	for i := 0; i < len(columns) && err == nil; i++ {
		c := all[columns[i]]
		if c.Type.Dictionary {
			c.values, err = f.dictionaryOf(c.Type, b.dictionaries)
		}
		list[i] = c
	}
	if err != nil {
		return nil, fmt.Errorf("record batch %d at byte %d: %w", number, b.at, err)
	}
	return list, nil
}

// Kept is one of Columns, which is kept for the next call: always the same of a file.
func (f *File) Kept(number, column int) (*Column, error) {
	b := &f.batches[number]
	if c := b.kept.Load(); c != nil {
		return c, nil
	}
	list, err := f.Columns(number, column)
	if err != nil {
		return nil, err
	}
	b.kept.Store(list[0])
	return list[0], nil
}

// columnReader goes through the nodes and buffers of a record batch.
type columnReader struct {
	file           *File
	meta           flatbuffer
	block          block
	nodes, nodeN   int
	bufs, bufN     int
	counts, countN int // of the buffers that views refer to
	codec          int
}

// columns makes the columns of a record batch, after checking that their buffers are in it,
// and as long as their rows need.
func (f *File) columns(b block, meta flatbuffer, table int, fields []Field) ([]*Column, error) {
	r := columnReader{file: f, meta: meta, block: b, codec: -1}
	rows, err := int64(0), error(nil)
	if at := meta.field(table, 0); at != 0 {
		rows = meta.long(at)
	}
	if rows < 0 || rows > mostRows {
		return nil, fmt.Errorf("%d rows", rows)
	}
	if r.nodes, r.nodeN, err = meta.vector(table, 1, structBytes); err != nil {
		return nil, err
	}
	if r.bufs, r.bufN, err = meta.vector(table, 2, structBytes); err != nil {
		return nil, err
	}
	if r.counts, r.countN, err = meta.vector(table, 4, 8); err != nil {
		return nil, err
	}
	if c := meta.table(table, 3); c != 0 {
		r.codec = 0
		if at := meta.field(c, 0); at != 0 {
			r.codec = int(int8(meta[at]))
		}
		if at := meta.field(c, 1); at != 0 && meta[at] != 0 {
			return nil, fmt.Errorf("an unknown method of compression, %d", meta[at])
		}
		if r.codec != codecLZ4 && r.codec != codecZstd {
			return nil, fmt.Errorf("an unknown codec, %d", r.codec)
		}
	}
	columns := make([]*Column, len(fields))
	for i := range fields {
		if columns[i], err = r.column(&fields[i].Type, rows); err != nil {
			return nil, fmt.Errorf("column %.80q: %w", fields[i].Name, err)
		}
	}
	if r.nodeN > 0 || r.bufN > 0 {
		return nil, errors.New("it holds more than its columns")
	}
	return columns, nil
}

// column makes a column of rows, or of as many as there are where that is -1.
func (r *columnReader) column(t *Type, rows int64) (*Column, error) {
	if r.nodeN == 0 {
		return nil, errors.New("it lacks an array")
	}
	n, nulls := r.meta.long(r.nodes), r.meta.long(r.nodes+8)
	r.nodes, r.nodeN = r.nodes+structBytes, r.nodeN-1
	switch {
	case rows >= 0 && n != rows:
		return nil, fmt.Errorf("%d rows instead of %d", n, rows)
	case n < 0 || n > mostRows*mostRows || nulls < 0 || nulls > n:
		return nil, fmt.Errorf("%d rows, %d of them null", n, nulls)
	}
	c := &Column{Type: t, Rows: n, file: r.file, nulls: nulls}
	if t.Dictionary {
		return c, r.fill(c, 2, t.index.Bits)
	}
	if err := r.fill(c, t.buffers, t.rowBits()); err != nil {
		return nil, err
	}
	want := int64(-1)
	switch t.Kind {
	case Struct:
		want = n
	case FixedList:
		if t.Len > 0 && n > math.MaxInt64/16/t.Len {
			return nil, fmt.Errorf("%d lists of %d", n, t.Len)
		}
		want = n * t.Len
	}
	for i := range t.Fields {
		part, err := r.column(&t.Fields[i].Type, want)
		if err != nil {
			return nil, err
		}
		c.Parts = append(c.Parts, part)
	}
	return c, nil
}

// rowBits is what a row takes of a column's second buffer.
func (t *Type) rowBits() int64 {
	switch {
	case t.view:
		return 128
	case t.offsets() && t.long:
		return 64
	case t.offsets():
		return 32
	case t.Kind == Bool || t.Kind == Int || t.Kind == Uint || t.Kind == Float || t.Kind == FixedBinary:
		return t.Bits
	}
	return 0
}

// offsets reports whether the second buffer has the ends of values.
func (t *Type) offsets() bool { return t.Kind == List || t.Kind == Text || t.Kind == Binary }

// fill takes the column's buffers, the second of which has a number of bits for each row.
func (r *columnReader) fill(c *Column, buffers int, bits int64) error {
	if bits > 0 && c.Rows > (math.MaxInt64-64)/bits-1 {
		return fmt.Errorf("%d rows of %d bits", c.Rows, bits)
	}
	known := c.Type.Dictionary || c.Type.Kind != Other
	for i := range buffers {
		need := int64(0)
		switch {
		case !known:
		case i == 0 && c.nulls > 0:
			need = (c.Rows + 7) / 8
		case i == 1 && c.Rows > 0:
			n := c.Rows
			if !c.Type.view && !c.Type.Dictionary && c.Type.offsets() {
				n++
			}
			need = (n*bits + 7) / 8
		}
		s, err := r.buffer(need)
		if err != nil {
			return err
		}
		switch i {
		case 0:
			c.valid = s
		case 1:
			c.fixed = s
		case 2:
			c.data = s
		}
	}
	if !c.Type.view || c.Type.Dictionary {
		return nil
	}
	return r.views(c)
}

// views takes the further buffers of a column of views.
func (r *columnReader) views(c *Column) error {
	if r.countN == 0 {
		return errors.New("it doesn't say how many buffers its views refer to")
	}
	n := r.meta.long(r.counts)
	r.counts, r.countN = r.counts+8, r.countN-1
	if n < 0 || n > int64(r.bufN) {
		return fmt.Errorf("its views refer to %d buffers, and %d are left", n, r.bufN)
	}
	for range n {
		s, err := r.buffer(0)
		if err != nil {
			return err
		}
		c.more = append(c.more, s)
	}
	return nil
}

// buffer is the next buffer, of at least need bytes.
func (r *columnReader) buffer(need int64) (s span, err error) {
	if r.bufN == 0 {
		return s, errors.New("it lacks a buffer")
	}
	at, n := r.meta.long(r.bufs), r.meta.long(r.bufs+8)
	r.bufs, r.bufN = r.bufs+structBytes, r.bufN-1
	if at < 0 || n < 0 || at > r.block.body || n > r.block.body-at {
		return s, fmt.Errorf("a buffer of %d bytes at %d of %d", n, at, r.block.body)
	}
	s = span{file: r.file, at: r.block.at + r.block.meta + at, n: n, size: n, codec: -1}
	if r.codec >= 0 && n > 0 {
		if n < 8 {
			return s, fmt.Errorf("a compressed buffer of %d bytes", n)
		}
		head, err := r.file.piece(s.at, 8)
		if err != nil {
			return s, err
		}
		length := int64(binary.LittleEndian.Uint64(head))
		s.at, s.n, s.size = s.at+8, n-8, n-8
		if length != -1 { // else it is stored uncompressed
			s.codec, s.size = int8(r.codec), length
			switch {
			case length < 0 || length > mostUnpacked(r.codec, s.n):
				return s, fmt.Errorf("%d compressed bytes claim to hold %d", s.n, length)
			case length > largestUnpacked:
				return s, fmt.Errorf("a compressed buffer holds %d bytes, more than %d, which would be decompressed for every row: write smaller record batches, or without compression", length, largestUnpacked)
			}
		}
	}
	if s.size < need {
		return s, fmt.Errorf("a buffer of %d bytes where %d are needed", s.size, need)
	}
	return s, nil
}

// whole is all of a buffer.
func (f *File) whole(s span) ([]byte, error) {
	switch {
	case s.size == 0:
		return nil, nil
	case s.codec < 0 && f.data != nil:
		return f.piece(s.at, s.n)
	case s.codec < 0:
		return f.cache.get(s, func() ([]byte, error) { return f.piece(s.at, s.n) })
	}
	return f.cache.get(s, func() ([]byte, error) {
		packed, err := f.piece(s.at, s.n)
		if err != nil {
			return nil, err
		}
		c, _ := unpackers.Get().(*codecs)
		if c == nil {
			c = &codecs{}
		}
		defer unpackers.Put(c)
		b := make([]byte, s.size)
		if err := c.unpack(int(s.codec), b, packed); err != nil {
			return nil, fmt.Errorf("damaged: the buffer at byte %d: %w", s.at, err)
		}
		return b, nil
	})
}

// Range is where the bytes of a value are: n of them, from at on, in a buffer.
type Range struct {
	buffer span
	at, n  int64
}

// Len is the number of bytes.
func (r Range) Len() int64 { return r.n }

// Mapped reports whether Bytes are the mapped file's own.
func (r Range) Mapped() bool {
	return r.buffer.file != nil && r.buffer.file.data != nil && r.buffer.codec < 0
}

// Bytes are those of a range, which nobody may change, and which are valid until the file
// is closed.
func (r Range) Bytes() ([]byte, error) {
	f := r.buffer.file
	switch {
	case r.n == 0:
		return nil, nil
	case r.buffer.codec < 0:
		return f.piece(r.buffer.at+r.at, r.n)
	}
	b, err := f.whole(r.buffer)
	if err != nil {
		return nil, err
	}
	return b[r.at : r.at+r.n], nil
}

// Copy copies the bytes of a range, as many as dst takes: its length must be Len.
func (r Range) Copy(dst []byte) error {
	f := r.buffer.file
	if r.buffer.codec < 0 && f != nil && f.data == nil {
		return f.read(dst, r.buffer.at+r.at)
	}
	b, err := r.Bytes()
	if err != nil {
		return err
	}
	copy(dst, b)
	return nil
}

// Null reports whether a row is null. A column with a dictionary may also refer to a null.
func (c *Column) Null(row int64) (bool, error) {
	if c.Type.Kind == Null && !c.Type.Dictionary {
		return true, nil
	}
	if c.nulls == 0 {
		return false, nil
	}
	bits, err := c.file.whole(c.valid)
	if err != nil {
		return false, err
	}
	return bits[row/8]>>(row%8)&1 == 0, nil
}

// Nulls is how many rows are null, as the file says.
func (c *Column) Nulls() int64 { return c.nulls }

// element is a number of the column's second buffer, of so many bytes.
func (c *Column) element(i int64, bytes int64) (uint64, error) {
	b, err := c.file.whole(c.fixed)
	if err != nil {
		return 0, err
	}
	b = b[i*bytes : (i+1)*bytes]
	switch bytes {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.LittleEndian.Uint16(b)), nil
	case 4:
		return uint64(binary.LittleEndian.Uint32(b)), nil
	}
	return binary.LittleEndian.Uint64(b), nil
}

// Range is where a row's bytes are: of a text, a binary, or a list of single bytes.
func (c *Column) Range(row int64) (Range, error) {
	if row < 0 || row >= c.Rows {
		return Range{}, fmt.Errorf("damaged: there is no row %d of %d", row, c.Rows)
	}
	switch t := c.Type; {
	case t.Dictionary:
		i, ok, err := c.word(row)
		if err != nil || !ok {
			return Range{}, err
		}
		return c.values.Range(i)
	case t.Kind == FixedBinary:
		n := t.Bits / 8
		return Range{c.fixed, row * n, n}, nil
	case t.Kind == FixedList && c.elements():
		return Range{c.Parts[0].fixed, row * t.Len, t.Len}, nil
	case t.view:
		return c.view(row)
	case t.Kind == Text || t.Kind == Binary:
		from, to, err := c.ends(row)
		if err == nil && to > c.data.size {
			err = fmt.Errorf("damaged: row %d ends at byte %d of %d", row, to, c.data.size)
		}
		return Range{c.data, from, to - from}, err
	case t.Kind == List && c.elements():
		from, to, err := c.ends(row)
		if err == nil && to > c.Parts[0].Rows {
			err = fmt.Errorf("damaged: row %d ends at byte %d of %d", row, to, c.Parts[0].Rows)
		}
		return Range{c.Parts[0].fixed, from, to - from}, err
	}
	return Range{}, fmt.Errorf("the type %s holds no bytes", c.Type)
}

// Elements are those of a row of a list, from the first up to, and without, the end: rows of
// Parts[0].
func (c *Column) Elements(row int64) (first, end int64, err error) {
	if row < 0 || row >= c.Rows {
		return 0, 0, fmt.Errorf("damaged: there is no row %d of %d", row, c.Rows)
	}
	switch t := c.Type; {
	case t.Dictionary:
	case t.Kind == FixedList:
		return row * t.Len, (row + 1) * t.Len, nil
	case t.Kind == List:
		if first, end, err = c.ends(row); err == nil && end > c.Parts[0].Rows {
			err = fmt.Errorf("damaged: row %d ends at element %d of %d", row, end, c.Parts[0].Rows)
		}
		return first, end, err
	}
	return 0, 0, fmt.Errorf("the type %s is no list", c.Type)
}

// elements reports whether a list holds bytes, none of which is null.
func (c *Column) elements() bool {
	e := c.Parts[0]
	return e.Type.Kind == Uint && e.Type.Bits == 8 && !e.Type.Dictionary && e.nulls == 0
}

// ends are where a row begins and ends, in its elements.
func (c *Column) ends(row int64) (from, to int64, err error) {
	bytes := int64(4)
	if c.Type.long {
		bytes = 8
	}
	a, err := c.element(row, bytes)
	if err != nil {
		return 0, 0, err
	}
	b, err := c.element(row+1, bytes)
	if err != nil {
		return 0, 0, err
	}
	if from, to = int64(a), int64(b); bytes == 4 {
		from, to = int64(int32(a)), int64(int32(b))
	}
	if from < 0 || to < from {
		return 0, 0, fmt.Errorf("damaged: row %d begins at %d and ends at %d", row, from, to)
	}
	return from, to, nil
}

// view is a row of a column of views: its length, and its 12 bytes, or the first 4, a
// buffer and a place in it.
func (c *Column) view(row int64) (Range, error) {
	b, err := c.file.whole(c.fixed)
	if err != nil {
		return Range{}, err
	}
	b = b[16*row : 16*row+16]
	n := int64(int32(binary.LittleEndian.Uint32(b)))
	if n >= 0 && n <= 12 {
		return Range{c.fixed, 16*row + 4, n}, nil
	}
	buffer, at := int64(int32(binary.LittleEndian.Uint32(b[8:]))), int64(int32(binary.LittleEndian.Uint32(b[12:])))
	if n < 0 || buffer < 0 || buffer >= int64(len(c.more)) || at < 0 || at > c.more[buffer].size || n > c.more[buffer].size-at {
		return Range{}, fmt.Errorf("damaged: row %d has %d bytes at %d of buffer %d", row, n, at, buffer)
	}
	return Range{c.more[buffer], at, n}, nil
}

// Text is a row of a column of texts or binary, as a copy; ok is false where it is null.
func (c *Column) Text(row int64) (text string, ok bool, err error) {
	if null, err := c.Null(row); null || err != nil {
		return "", false, err
	}
	if c.Type.Dictionary {
		i, ok, err := c.word(row)
		if err != nil || !ok {
			return "", false, err
		}
		return c.values.Text(i)
	}
	r, err := c.Range(row)
	if err != nil {
		return "", false, err
	}
	b, err := r.Bytes()
	return string(b), true, err
}

// Number is a row of a column of numbers, as its bits: sign-extended of an Int, of a float32
// and a float64 those of a float64.
func (c *Column) Number(row int64) (bits uint64, ok bool, err error) {
	if row < 0 || row >= c.Rows {
		return 0, false, fmt.Errorf("damaged: there is no row %d of %d", row, c.Rows)
	}
	if null, err := c.Null(row); null || err != nil {
		return 0, false, err
	}
	t := c.Type
	if t.Dictionary {
		i, ok, err := c.word(row)
		if err != nil || !ok {
			return 0, false, err
		}
		return c.values.Number(i)
	}
	switch t.Kind {
	case Bool:
		b, err := c.file.whole(c.fixed)
		if err != nil {
			return 0, false, err
		}
		return uint64(b[row/8] >> (row % 8) & 1), true, nil
	case Int, Uint, Float:
	default:
		return 0, false, fmt.Errorf("the type %s isn't a number", t)
	}
	if bits, err = c.element(row, t.Bits/8); err != nil {
		return 0, false, err
	}
	switch shift := 64 - t.Bits; {
	case t.Kind == Int:
		bits = uint64(int64(bits<<shift) >> shift)
	case t.Kind == Float && t.Bits == 32:
		bits = math.Float64bits(float64(math.Float32frombits(uint32(bits))))
	case t.Kind == Float && t.Bits == 16:
		return 0, false, errors.New("float16 isn't read")
	}
	return bits, true, nil
}

// word is the number of a row's value in the dictionary.
func (c *Column) word(row int64) (int64, bool, error) {
	if null, err := c.Null(row); null || err != nil {
		return 0, false, err
	}
	t := c.Type.index
	bits, err := c.element(row, t.Bits/8)
	if err != nil {
		return 0, false, err
	}
	shift := 64 - t.Bits
	if t.Kind == Int {
		bits = uint64(int64(bits<<shift) >> shift)
	}
	if bits >= uint64(c.values.Rows) {
		return 0, false, fmt.Errorf("damaged: row %d is value %d of a dictionary of %d", row, int64(bits), c.values.Rows)
	}
	return int64(bits), true, nil
}

type dictionaryKey struct {
	id    int64
	known int
}

// dictionaryOf is the values of a dictionary, after so many of the messages with such.
// Those in several messages are refused: no writer of data sets makes them.
func (f *File) dictionaryOf(t *Type, known int) (*Column, error) {
	at := known - 1
	for at >= 0 && f.dictionaries[at].id != t.id {
		at--
	}
	if at < 0 {
		return nil, fmt.Errorf("damaged: its dictionary %d is missing", t.id)
	}
	d := f.dictionaries[at]
	if d.delta {
		return nil, fmt.Errorf("its dictionary %d is in several messages, which isn't read: write it with unified dictionaries", t.id)
	}
	key := dictionaryKey{t.id, at}
	if c, ok := f.words.Load(key); ok {
		return c.(*Column), nil
	}
	meta, m, err := f.message(d.block)
	if err != nil {
		return nil, err
	}
	data := meta.table(m.header, 1)
	if data == 0 {
		return nil, errors.New("damaged: a dictionary without values")
	}
	values := *t
	values.Dictionary = false
	columns, err := f.columns(d.block, meta, data, []Field{{Type: values}})
	if err != nil {
		return nil, fmt.Errorf("damaged: dictionary at byte %d: %w", d.at, err)
	}
	if f.data != nil {
		f.words.Store(key, columns[0])
	}
	return columns[0], nil
}
