package parquet

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Column is a column to be written.
type Column struct {
	// Path is its name, or those of a group and its member. Members of a group come one
	// after the other; where one of them has a value in a row, all others have one or a null.
	Path []string
	Type Type
	// Length is that of a FixedLenByteArray.
	Length int
	// Optional columns may hold nulls; a member of a group always may.
	Optional bool
	// Lists is how many lists are around each value, one in the other; then Path is a name.
	// None of what they hold is null. Entries and statistics are for columns without.
	Lists int
	// Kind is what integers and byte arrays stand for.
	Kind Kind
	// Entries, unless nil, are all values of a ByteArray, which are stored once for each row
	// group: rows are given as numbers of entries.
	Entries []string
}

// Kind is a logical type, by its number among the format's converted types.
type Kind int32

// The kinds that are written.
const (
	NoKind Kind = -1
	UTF8   Kind = 0
	Uint8  Kind = 11
	Uint16 Kind = 12
	Uint32 Kind = 13
	Uint64 Kind = 14
	Int8   Kind = 15
	Int16  Kind = 16
)

// Pair is a key of a file's metadata, and its value.
type Pair struct{ Key, Value string }

// pageBytes is the size of a page that no value makes larger.
const pageBytes = 1 << 20

// Writer writes a file, row group by row group: every column is given the group's values,
// then EndGroup follows. What it writes depends only on that, and on the versions of the
// compressors that this module's go.mod names.
type Writer struct {
	out     io.Writer
	at      int64
	codec   Codec
	columns []chunkWriter
	groups  []groupFooter
	meta    []Pair
	rows    int64
	err     error // of out

	packer *zstd.Encoder
	buf    []byte // of a page that was compressed
}

// chunkWriter collects the values of a column in a row group.
type chunkWriter struct {
	Column
	most int // definition level of a value

	pages  []pageDraft
	bytes  int64 // of all pages
	low    int64 // of integers that are signed, and not null
	high   int64
	values int64 // that are not null
	nulls  int64
	rows   int64
	repeat int // the list that the next value goes on in, from 1; 0: it begins a row
}

// pageDraft is a page being filled.
type pageDraft struct {
	rows   int
	runs   []levelRun
	reps   []levelRun // of lists
	data   []byte
	index  []uint32 // of entries
	nbools int
}

// levelRun is how often a definition level follows itself.
type levelRun struct{ level, n int }

// NewWriter begins a file. codec is Uncompressed, Snappy or Zstd.
func NewWriter(out io.Writer, columns []Column, codec Codec, meta []Pair) (*Writer, error) {
	w := &Writer{out: out, codec: codec, meta: meta}
	switch codec {
	case Uncompressed, Snappy:
	case Zstd:
		var err error
		if w.packer, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%v isn't written: choose none, snappy or zstd", codec)
	}
	for _, c := range columns {
		most := len(c.Path) - 1 + c.Lists
		if c.Optional || len(c.Path) > 1 {
			most++
		}
		w.columns = append(w.columns, chunkWriter{Column: c, most: most})
	}
	w.write([]byte(magic))
	return w, w.err
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	_, w.err = w.out.Write(b)
	w.at += int64(len(b))
}

// Buffered is the number of bytes that wait for the end of the row group.
func (w *Writer) Buffered() int64 {
	n := int64(0)
	for i := range w.columns {
		n += w.columns[i].bytes
	}
	return n
}

// row makes room for a value of size bytes, of a definition level.
func (c *chunkWriter) row(level, size int) *pageDraft {
	last, rep := len(c.pages)-1, c.repeat
	c.repeat = 0
	if rep == 0 {
		c.rows++
	}
	if last < 0 || rep == 0 && c.pages[last].rows > 0 && len(c.pages[last].data)+4*len(c.pages[last].index)+size > pageBytes {
		if last++; last < cap(c.pages) { // with the memory of an earlier group
			c.pages = c.pages[:last+1]
			p := &c.pages[last]
			*p = pageDraft{runs: p.runs[:0], reps: p.reps[:0], data: p.data[:0], index: p.index[:0]}
		} else {
			c.pages = append(c.pages, pageDraft{})
		}
	}
	p := &c.pages[last]
	p.rows++
	p.runs = appendLevel(p.runs, level)
	if c.Lists > 0 {
		p.reps = appendLevel(p.reps, rep)
	}
	c.bytes += int64(size)
	if level < c.most {
		c.nulls++
	} else {
		c.values++
	}
	return p
}

func appendLevel(runs []levelRun, level int) []levelRun {
	if n := len(runs); n > 0 && runs[n-1].level == level {
		runs[n-1].n++
		return runs
	}
	return append(runs, levelRun{level, 1})
}

// Null appends a null. In a group it is the member's, not the group's; of lists it is the
// outermost.
func (w *Writer) Null(column int) {
	c := &w.columns[column]
	c.row(c.most-1-c.Lists, 0)
}

// In says in which list of a column the next value, or empty list, goes on: 1 is the outermost;
// 0 begins a row.
func (w *Writer) In(column, list int) { w.columns[column].repeat = list }

// Empty appends a list that is empty: depth is how many lists are around it.
func (w *Writer) Empty(column, depth int) {
	c := &w.columns[column]
	c.row(c.most-c.Lists+depth, 0)
}

// Int appends an integer, a bool as 0 or 1, or the number of an entry.
func (w *Writer) Int(column int, v int64) {
	c := &w.columns[column]
	switch {
	case c.Entries != nil:
		p := c.row(c.most, 4)
		p.index = append(p.index, uint32(v))
		return
	case c.Type == Boolean:
		p := c.row(c.most, 0)
		if p.nbools&7 == 0 {
			p.data = append(p.data, 0)
		}
		p.data[p.nbools>>3] |= byte(v&1) << (p.nbools & 7)
		p.nbools++
		return
	}
	if c.values == 0 {
		c.low, c.high = v, v
	}
	c.low, c.high = min(c.low, v), max(c.high, v)
	if c.Type == Int32 {
		p := c.row(c.most, 4)
		p.data = binary.LittleEndian.AppendUint32(p.data, uint32(v))
		return
	}
	p := c.row(c.most, 8)
	p.data = binary.LittleEndian.AppendUint64(p.data, uint64(v))
}

// Float appends a number.
func (w *Writer) Float(column int, v float64) {
	c := &w.columns[column]
	if c.Type == Float {
		p := c.row(c.most, 4)
		p.data = binary.LittleEndian.AppendUint32(p.data, math.Float32bits(float32(v)))
		return
	}
	p := c.row(c.most, 8)
	p.data = binary.LittleEndian.AppendUint64(p.data, math.Float64bits(v))
}

// Bytes appends a byte array of either type, and doesn't keep it. One above 1 GiB is an error.
func (w *Writer) Bytes(column int, v []byte) error {
	c := &w.columns[column]
	switch {
	case len(v) > 1<<30:
		return fmt.Errorf("column %q: a value has %d bytes, and pages of Parquet hold less than 2 GiB: at most 1 GiB is written", strings.Join(c.Path, "."), len(v))
	case c.Type == FixedLenByteArray && len(v) != c.Length:
		return fmt.Errorf("column %q: a value has %d bytes, and each has %d", strings.Join(c.Path, "."), len(v), c.Length)
	}
	p := c.row(c.most, 4+len(v))
	if c.Type == ByteArray {
		p.data = binary.LittleEndian.AppendUint32(p.data, uint32(len(v)))
	}
	p.data = append(p.data, v...)
	return nil
}

// Text is Bytes of a text.
func (w *Writer) Text(column int, v string) error {
	c := &w.columns[column]
	if len(v) > 1<<30 {
		return w.Bytes(column, []byte(v))
	}
	p := c.row(c.most, 4+len(v))
	p.data = append(binary.LittleEndian.AppendUint32(p.data, uint32(len(v))), v...)
	return nil
}

// groupFooter is what the footer says of a row group.
type groupFooter struct {
	rows   int64
	chunks []chunkFooter
}

type chunkFooter struct {
	dictionary, data int64 // offsets; dictionary 0: none
	size, stored     int64 // of all pages with their headers
	values, nulls    int64
	low, high        int64
}

// EndGroup writes a row group of the values that were given since the last one. Without any
// it does nothing.
func (w *Writer) EndGroup() error {
	rows := int64(0)
	for i := range w.columns {
		c := &w.columns[i]
		n := c.rows
		if i > 0 && n != rows {
			return fmt.Errorf("column %q got %d values in a row group of %d rows", strings.Join(c.Path, "."), n, rows)
		}
		rows = n
	}
	if rows == 0 {
		return w.err
	}
	g := groupFooter{rows: rows}
	for i := range w.columns {
		c := &w.columns[i]
		f := chunkFooter{values: c.values, nulls: c.nulls, low: c.low, high: c.high}
		start := w.at
		if c.Entries != nil {
			f.dictionary = w.at
			if err := w.page(dictionaryPage, len(c.Entries), c.dictionary(), &f.size); err != nil {
				return err
			}
		}
		f.data = w.at
		for k := range c.pages {
			p := &c.pages[k]
			var body [][]byte
			if c.Lists > 0 {
				body = append(body, levels(p.reps))
			}
			if c.most > 0 {
				body = append(body, levels(p.runs))
			}
			if c.Entries != nil {
				body = append(body, p.entries(len(c.Entries)))
			} else {
				body = append(body, p.data)
			}
			if err := w.page(dataPage, p.rows, body, &f.size, c.encoding()); err != nil {
				return err
			}
		}
		f.stored = w.at - start
		g.chunks = append(g.chunks, f)
		c.pages = c.pages[:0]
		c.bytes, c.values, c.nulls, c.low, c.high, c.rows = 0, 0, 0, 0, 0, 0
	}
	w.rows += rows
	w.groups = append(w.groups, g)
	return w.err
}

func (c *chunkWriter) encoding() Encoding {
	if c.Entries != nil {
		return RLEDictionary
	}
	return PlainValues
}

// dictionary is the body of the page of the entries.
func (c *chunkWriter) dictionary() [][]byte {
	var b []byte
	for _, e := range c.Entries {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(e))), e...)
	}
	return [][]byte{b}
}

// levels are a page's levels, as runs.
func levels(runs []levelRun) []byte {
	b := make([]byte, 4, 4+6*len(runs))
	for _, r := range runs {
		b = append(binary.AppendUvarint(b, uint64(r.n)<<1), byte(r.level))
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// entries are the numbers of a page's entries: their width, and one run of packed bits.
func (p *pageDraft) entries(n int) []byte {
	width := max(1, widthOf(max(n-1, 0)))
	b := []byte{byte(width)}
	if len(p.index) == 0 {
		return b
	}
	groups := (len(p.index) + 7) / 8
	b = binary.AppendUvarint(b, uint64(groups)<<1|1)
	acc, bits := uint64(0), uint(0)
	for i := range 8 * groups {
		v := uint32(0)
		if i < len(p.index) {
			v = p.index[i]
		}
		acc |= uint64(v) << bits
		for bits += width; bits >= 8; bits -= 8 {
			b = append(b, byte(acc))
			acc >>= 8
		}
	}
	return b
}

// page writes a page of n values. size grows by its size without compression, header included.
func (w *Writer) page(kind, n int, body [][]byte, size *int64, encoding ...Encoding) error {
	whole := 0
	for _, b := range body {
		whole += len(b)
	}
	if whole > math.MaxInt32 {
		return fmt.Errorf("a page would have %d bytes: at most 2 GiB are possible", whole)
	}
	stored := whole
	switch w.codec {
	case Snappy:
		joined := slices.Concat(body...)
		w.buf = s2.EncodeSnappy(w.buf[:cap(w.buf)], joined)
		body, stored = [][]byte{w.buf}, len(w.buf)
	case Zstd:
		joined := slices.Concat(body...)
		w.buf = w.packer.EncodeAll(joined, w.buf[:0])
		body, stored = [][]byte{w.buf}, len(w.buf)
	}
	sum := uint32(0)
	for _, b := range body {
		sum = crc32.Update(sum, crc32.IEEETable, b)
	}
	var t thriftWriter
	t.i32(1, int32(kind))
	t.i32(2, int32(whole))
	t.i32(3, int32(stored))
	t.i32(4, int32(sum))
	if kind == dictionaryPage {
		t.structure(7, func(t *thriftWriter) {
			t.i32(1, int32(n))
			t.i32(2, int32(PlainValues))
		})
	} else {
		t.structure(5, func(t *thriftWriter) {
			t.i32(1, int32(n))
			t.i32(2, int32(encoding[0]))
			t.i32(3, int32(RLE))
			t.i32(4, int32(RLE))
		})
	}
	t.stop()
	w.write(t.b)
	for _, b := range body {
		w.write(b)
	}
	*size += int64(len(t.b) + whole)
	return w.err
}

// Close writes the footer. createdBy names the program.
func (w *Writer) Close(createdBy string) error {
	if err := w.EndGroup(); err != nil {
		return err
	}
	var t thriftWriter
	t.i32(1, 2)
	t.list(2, w.schema())
	t.i64(3, w.rows)
	var groups []func(*thriftWriter)
	for _, g := range w.groups {
		groups = append(groups, func(t *thriftWriter) { w.group(t, g) })
	}
	t.list(4, groups)
	var pairs []func(*thriftWriter)
	for _, p := range w.meta {
		pairs = append(pairs, func(t *thriftWriter) {
			t.text(1, p.Key)
			t.text(2, p.Value)
		})
	}
	t.list(5, pairs)
	t.text(6, createdBy)
	// The order of each column is that of its type; statistics count only with this.
	t.list(7, slices.Repeat([]func(*thriftWriter){func(t *thriftWriter) { t.structure(1, func(*thriftWriter) {}) }}, len(w.columns)))
	t.stop()
	w.write(t.b)
	w.write(binary.LittleEndian.AppendUint32(nil, uint32(len(t.b))))
	w.write([]byte(magic))
	return w.err
}

// schema is the tree of columns, from its root on.
func (w *Writer) schema() []func(*thriftWriter) {
	var list []func(*thriftWriter)
	children, open := 0, ""
	for i := range w.columns {
		c := &w.columns[i]
		if len(c.Path) == 1 {
			open = ""
			children++
		} else if c.Path[0] != open {
			open = c.Path[0]
			children++
			members := 1
			for i+members < len(w.columns) && len(w.columns[i+members].Path) > 1 && w.columns[i+members].Path[0] == open {
				members++
			}
			list = append(list, func(t *thriftWriter) {
				t.i32(3, optional)
				t.text(4, c.Path[0])
				t.i32(5, int32(members))
			})
		}
		for depth := range c.Lists {
			list = append(list, func(t *thriftWriter) { c.group(t, depth) }, repeatedGroup)
		}
		list = append(list, c.schema)
	}
	root := func(t *thriftWriter) {
		t.text(4, "schema")
		t.i32(5, int32(children))
	}
	return append([]func(*thriftWriter){root}, list...)
}

// group is the outer of the two groups that a list is, depth within other lists.
func (c *chunkWriter) group(t *thriftWriter, depth int) {
	repetition, name := int32(required), "element"
	if depth == 0 {
		name = c.Path[0]
		if c.Optional {
			repetition = optional
		}
	}
	const list = 3 // among converted types, and among logical ones
	t.i32(3, repetition)
	t.text(4, name)
	t.i32(5, 1)
	t.i32(6, list)
	t.structure(10, func(t *thriftWriter) { t.structure(list, func(*thriftWriter) {}) })
}

// repeatedGroup is the inner one.
func repeatedGroup(t *thriftWriter) {
	t.i32(3, repeated)
	t.text(4, "list")
	t.i32(5, 1)
}

// leaf is the path of the column's values.
func (c *chunkWriter) leaf() []string {
	path := slices.Clone(c.Path)
	for range c.Lists {
		path = append(path, "list", "element")
	}
	return path
}

func (c *chunkWriter) schema(t *thriftWriter) {
	t.i32(1, int32(c.Type))
	if c.Type == FixedLenByteArray {
		t.i32(2, int32(c.Length))
	}
	repetition := int32(required)
	if (c.Optional || len(c.Path) > 1) && c.Lists == 0 {
		repetition = optional
	}
	path := c.leaf()
	t.i32(3, repetition)
	t.text(4, path[len(path)-1])
	if c.Kind != NoKind {
		t.i32(6, int32(c.Kind))
	}
	if c.Kind == UTF8 {
		t.structure(10, func(t *thriftWriter) { t.structure(1, func(*thriftWriter) {}) })
	}
}

func (w *Writer) group(t *thriftWriter, g groupFooter) {
	size, stored := int64(0), int64(0)
	var chunks []func(*thriftWriter)
	for i, f := range g.chunks {
		size, stored = size+f.size, stored+f.stored
		chunks = append(chunks, func(t *thriftWriter) {
			t.i64(2, 0)
			t.structure(3, func(t *thriftWriter) { w.chunk(t, &w.columns[i], f) })
		})
	}
	t.list(1, chunks)
	t.i64(2, size)
	t.i64(3, g.rows)
	t.i64(6, stored)
}

func (w *Writer) chunk(t *thriftWriter, c *chunkWriter, f chunkFooter) {
	t.i32(1, int32(c.Type))
	encodings := []int32{int32(PlainValues), int32(RLE)}
	if c.Entries != nil {
		encodings = append(encodings, int32(RLEDictionary))
	}
	t.i32s(2, encodings)
	t.texts(3, c.leaf())
	t.i32(4, int32(w.codec))
	t.i64(5, f.values+f.nulls)
	t.i64(6, f.size)
	t.i64(7, f.stored)
	t.i64(9, f.data)
	if f.dictionary > 0 {
		t.i64(11, f.dictionary)
	}
	if !c.ordered() {
		return
	}
	t.structure(12, func(t *thriftWriter) {
		t.i64(3, f.nulls)
		if f.values > 0 {
			t.text(5, c.bound(f.high))
			t.text(6, c.bound(f.low))
		}
	})
}

// ordered reports whether the column has statistics: readers pass over row groups by them.
func (c *chunkWriter) ordered() bool {
	return c.Lists == 0 && (c.Type == Int32 || c.Type == Int64) && (c.Kind < Uint8 || c.Kind > Uint64)
}

func (c *chunkWriter) bound(v int64) string {
	b := binary.LittleEndian.AppendUint64(nil, uint64(v))
	if c.Type == Int32 {
		b = b[:4]
	}
	return string(b)
}

// thriftWriter writes a structure in Thrift's compact protocol, fields in rising order.
type thriftWriter struct {
	b    []byte
	last int
}

func (t *thriftWriter) field(id int, kind byte) {
	if d := id - t.last; d > 0 && d < 16 {
		t.b = append(t.b, byte(d)<<4|kind)
	} else {
		t.b = binary.AppendVarint(append(t.b, kind), int64(id))
	}
	t.last = id
}

func (t *thriftWriter) i32(id int, v int32) {
	t.field(id, kindI32)
	t.b = binary.AppendVarint(t.b, int64(v))
}

func (t *thriftWriter) i64(id int, v int64) {
	t.field(id, kindI64)
	t.b = binary.AppendVarint(t.b, v)
}

func (t *thriftWriter) text(id int, v string) {
	t.field(id, kindBinary)
	t.b = append(binary.AppendUvarint(t.b, uint64(len(v))), v...)
}

func (t *thriftWriter) structure(id int, fill func(*thriftWriter)) {
	t.field(id, kindStruct)
	t.inner(fill)
}

// inner writes a structure's fields and its end.
func (t *thriftWriter) inner(fill func(*thriftWriter)) {
	last := t.last
	t.last = 0
	fill(t)
	t.stop()
	t.last = last
}

func (t *thriftWriter) stop() { t.b = append(t.b, 0) }

func (t *thriftWriter) head(id, n int, kind byte) {
	t.field(id, kindList)
	if n < 15 {
		t.b = append(t.b, byte(n)<<4|kind)
		return
	}
	t.b = binary.AppendUvarint(append(t.b, 0xf0|kind), uint64(n))
}

// list writes structures.
func (t *thriftWriter) list(id int, fill []func(*thriftWriter)) {
	t.head(id, len(fill), kindStruct)
	for _, f := range fill {
		t.inner(f)
	}
}

func (t *thriftWriter) i32s(id int, list []int32) {
	t.head(id, len(list), kindI32)
	for _, v := range list {
		t.b = binary.AppendVarint(t.b, int64(v))
	}
}

func (t *thriftWriter) texts(id int, list []string) {
	t.head(id, len(list), kindBinary)
	for _, v := range list {
		t.b = append(binary.AppendUvarint(t.b, uint64(len(v))), v...)
	}
}
