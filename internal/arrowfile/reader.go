// Package arrowfile reads Arrow IPC files and streams whose bytes need not be trusted:
// damage is an error, whatever lengths the input claims, and what it gives is safe to use.
// Reader gives the records one after the other.
package arrowfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Reader reads the records of an Arrow IPC file or stream that may be
// damaged or malicious. Arrow's own reader panics on some such input, returns
// arrays that panic when they are used, and allocates whatever a length says.
// Here every number is checked against the bytes that are there before it is
// used, and a file's footer against its messages.
//
// Memory: a record's body; once more if it is compressed, bounded by what these
// bytes can decompress to.
type Reader struct {
	in     *bufio.Reader
	mem    memory.Allocator
	at     int64   // bytes of the input read so far
	end    int64   // where its messages end; math.MaxInt64: unknown
	file   bool    // a file, not a stream
	blocks []block // of a file
	named  []block // those of its dictionaries
	schema *arrow.Schema
	read   int // records so far
	passed int // dictionaries so far
	codecs codecs
}

// TailBytes is the number of bytes after an Arrow file's footer: its length, the magic.
const TailBytes = 4 + 6

const (
	longestMetadata = 64 << 20 // of a message: its schema holds the names of all classes
	// largestRecord limits a record's buffers, decompressed: 2 GiB of images, and the
	// other columns.
	largestRecord = 1<<31 + 1<<28
	mostRows      = 1 << 31 // of an array
)

// errNoMessage says that no message begins where one must.
var errNoMessage = errors.New("damaged: there is no message where one must begin: its metadata has an impossible length")

// NewReader reads the schema. file is nil for an input that cannot be read twice,
// such as a pipe: then size is meaningless, and the input must be a stream.
func NewReader(in io.Reader, file io.ReaderAt, size int64, mem memory.Allocator) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 1<<18), mem: mem, end: math.MaxInt64}
	head, err := r.in.Peek(len(ipc.Magic))
	if err != nil {
		return nil, fmt.Errorf("not an Arrow file or stream: %w", err)
	}
	var footer *arrow.Schema
	r.file = bytes.Equal(head, ipc.Magic)
	switch {
	case r.file && file == nil:
		return nil, errors.New("an Arrow file cannot be read from a pipe, as its end says where its parts are: give the file's name, or send a stream")
	case r.file:
		if footer, err = r.readFooter(file, size); err != nil {
			return nil, err
		}
		if err := r.skipMagic(); err != nil {
			return nil, err
		}
	case file != nil:
		r.end = size
	}
	if err := r.readSchema(); err != nil {
		if errors.Is(err, errNoMessage) { // whatever its first bytes are
			return nil, errors.New("not an Arrow file or stream")
		}
		return nil, fmt.Errorf("not an Arrow file or stream: %w", err)
	}
	if footer != nil && (!footer.Equal(r.schema) || !footer.Metadata().Equal(r.schema.Metadata())) {
		return nil, errors.New("damaged: the schema in its footer isn't that of its messages")
	}
	if slices.ContainsFunc(r.schema.Fields(), func(f arrow.Field) bool { return f.Type.ID() == arrow.DICTIONARY }) {
		r.schema = asNumbers(r.schema)
	}
	return r, nil
}

// Close frees the decompressors; the input stays open.
func (r *Reader) Close() { r.codecs.close() }

// Schema is that of every record. A column with a dictionary, of class names, is one of
// its numbers: the names are in the metadata, and the dictionary isn't read.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// readFooter finds where the messages end, and where each record is.
func (r *Reader) readFooter(file io.ReaderAt, size int64) (s *arrow.Schema, err error) {
	tail := make([]byte, TailBytes)
	if size < int64(len(tail))+8 {
		return nil, errors.New("not an Arrow file: it is truncated")
	}
	if _, err := file.ReadAt(tail, size-TailBytes); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	r.end = size - TailBytes - n
	switch {
	case !bytes.Equal(tail[4:], ipc.Magic):
		return nil, errors.New("not an Arrow file: it is truncated, or something follows its end")
	case n < 4 || n > longestMetadata || r.end < 8:
		return nil, fmt.Errorf("damaged: its footer claims to have %d bytes", n)
	}
	footer := make(flatbuffer, n)
	if _, err := file.ReadAt(footer, r.end); err != nil {
		return nil, err
	}
	if r.named, err = footer.takeDictionaries(); err == nil {
		r.blocks, err = footer.footer()
	}
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	if len(r.named) > 0 {
		file = &overlaid{file, r.end, footer}
	}
	f, err := ipc.NewFileReader(io.NewSectionReader(file, 0, size), ipc.WithAllocator(r.mem))
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	defer f.Close()
	return f.Schema(), nil
}

func (r *Reader) skipMagic() error {
	head := make([]byte, 8)
	if err := r.fill(head); err != nil {
		return err
	}
	if head[6] != 0 || head[7] != 0 {
		return errors.New("damaged: what follows its magic isn't padding")
	}
	return nil
}

// fill reads len(b) bytes.
func (r *Reader) fill(b []byte) error {
	n, err := io.ReadFull(r.in, b)
	r.at += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

var errCut = errors.New("it is truncated: its end-of-stream marker is missing")

// next reads the metadata of the next message; io.EOF at the end-of-stream marker.
func (r *Reader) next() (meta flatbuffer, m message, err error) {
	if r.file && r.at == r.end { // layout 1 has no marker
		return nil, m, io.EOF
	}
	var word [4]byte
	if err := r.fill(word[:]); err != nil {
		return nil, m, err
	}
	n := int64(int32(binary.LittleEndian.Uint32(word[:])))
	if n == -1 { // since Arrow 0.15
		if err := r.fill(word[:]); err != nil {
			return nil, m, err
		}
		n = int64(int32(binary.LittleEndian.Uint32(word[:])))
	}
	switch {
	case n == 0:
		return nil, m, r.atEnd()
	case n < 4 || n > longestMetadata:
		return nil, m, errNoMessage
	case n > r.end-r.at:
		return nil, m, errCut
	}
	meta = make(flatbuffer, n)
	if err := r.fill(meta); err != nil {
		return nil, m, err
	}
	if m, err = meta.message(); err != nil {
		return nil, m, fmt.Errorf("damaged: %w", err)
	}
	if m.body > r.end-r.at {
		return nil, m, errCut
	}
	return meta, m, nil
}

// atEnd is io.EOF if nothing follows the end-of-stream marker.
func (r *Reader) atEnd() error {
	if r.file {
		if r.at != r.end {
			return errors.New("damaged: there is something between its end-of-stream marker and its footer")
		}
		return io.EOF
	}
	if _, err := r.in.ReadByte(); err == nil {
		return errors.New("damaged: something follows its end-of-stream marker (several streams one after the other?)")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return io.EOF
}

func (r *Reader) readSchema() error {
	meta, m, err := r.next()
	if err == io.EOF { //nolint:errorlint // as it is
		return errors.New("it is empty")
	}
	if err != nil {
		return err
	}
	if m.kind != schemaMessage || m.body != 0 {
		return errors.New("it doesn't begin with a schema")
	}
	if err := meta.checkSchema(m.header); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	// Arrow makes the types, extension types included.
	stream := binary.LittleEndian.AppendUint32([]byte{0xFF, 0xFF, 0xFF, 0xFF}, uint32(len(meta)))
	s, err := ipc.NewReader(io.MultiReader(bytes.NewReader(stream), bytes.NewReader(meta)), ipc.WithAllocator(r.mem))
	if err != nil {
		return err
	}
	defer s.Release()
	r.schema = s.Schema()
	if !r.schema.IsNativeEndian() {
		return errors.New("its numbers have the byte order of another kind of machine")
	}
	return nil
}

// Record reads the next record; io.EOF after the last. The caller releases it.
func (r *Reader) Record() (arrow.Record, error) {
	at := r.at
	meta, m, err := r.next()
	for err == nil && m.kind == dictionaryMessage {
		if r.file && (r.passed >= len(r.named) || r.named[r.passed] != block{at, r.at - at, m.body}) {
			return nil, fmt.Errorf("damaged: dictionary %d isn't where its footer says", r.passed)
		}
		r.passed++
		if err := r.skip(m.body); err != nil {
			return nil, err
		}
		at = r.at
		meta, m, err = r.next()
	}
	if err == io.EOF && r.file && r.passed != len(r.named) { //nolint:errorlint // as below
		return nil, fmt.Errorf("damaged: it holds %d dictionaries, and its footer lists %d", r.passed, len(r.named))
	}
	if err == io.EOF && r.file && r.read != len(r.blocks) { //nolint:errorlint // never wrapped: the end-of-stream marker
		return nil, fmt.Errorf("damaged: it holds %d records, and its footer lists %d", r.read, len(r.blocks))
	}
	if err != nil {
		return nil, err
	}
	if m.kind != recordMessage {
		return nil, fmt.Errorf("damaged: a message of kind %d instead of a record", m.kind)
	}
	if r.file && (r.read >= len(r.blocks) || r.blocks[r.read] != block{at, r.at - at, m.body}) {
		return nil, fmt.Errorf("damaged: record %d isn't where its footer says", r.read)
	}
	r.read++
	body, err := r.readBody(m.body)
	if err != nil {
		return nil, err
	}
	defer body.Release()
	l := loader{meta: meta, body: body, mem: r.mem, codecs: &r.codecs}
	defer l.release()
	rec, err := l.record(m.header, r.schema)
	if err != nil {
		return nil, fmt.Errorf("damaged: record %d: %w", r.read-1, err)
	}
	return rec, nil
}

// skip passes over a body.
func (r *Reader) skip(n int64) error {
	have, err := io.CopyN(io.Discard, r.in, n)
	r.at += have
	if errors.Is(err, io.EOF) {
		return errCut
	}
	return err
}

// overlaid is a file, some of whose bytes are others.
type overlaid struct {
	io.ReaderAt
	at    int64
	bytes []byte
}

func (o *overlaid) ReadAt(b []byte, at int64) (int, error) {
	n, err := o.ReaderAt.ReadAt(b, at)
	if from := max(at, o.at); from < at+int64(n) && from-o.at < int64(len(o.bytes)) {
		copy(b[from-at:n], o.bytes[from-o.at:])
	}
	return n, err
}

// asNumbers is a schema whose columns with dictionaries are their numbers.
func asNumbers(s *arrow.Schema) *arrow.Schema {
	fields, md := s.Fields(), s.Metadata()
	for i, f := range fields {
		if d, ok := f.Type.(*arrow.DictionaryType); ok {
			fields[i].Type = d.IndexType
		}
	}
	return arrow.NewSchema(fields, &md)
}

// readBody reads a record's buffers. If the length of the input is unknown, memory is
// allocated as the bytes arrive.
func (r *Reader) readBody(size int64) (*memory.Buffer, error) {
	if size > largestRecord {
		return nil, fmt.Errorf("damaged: a record of %d bytes", size)
	}
	body := memory.NewResizableBuffer(r.mem)
	step := size
	if r.end == math.MaxInt64 {
		step = 64 << 20
	}
	for have := int64(0); have < size; {
		n := min(size-have, max(step, have))
		body.Resize(int(have + n))
		if err := r.fill(body.Bytes()[have:]); err != nil {
			body.Release()
			return nil, err
		}
		have += n
	}
	return body, nil
}

// loader makes the arrays of one record.
type loader struct {
	meta         flatbuffer
	nodes, nodeN int // where they are, and how many are left
	bufs, bufN   int
	codec        int   // of Arrow's CompressionType; -1: none
	unpacked     int64 // bytes, so far
	body         *memory.Buffer
	mem          memory.Allocator
	codecs       *codecs
	made         []interface{ Release() }
}

func (l *loader) release() {
	for _, m := range l.made {
		m.Release()
	}
}

func (l *loader) record(table int, s *arrow.Schema) (arrow.Record, error) {
	rows, err := int64(0), error(nil)
	if at := l.meta.field(table, 0); at != 0 {
		rows = l.meta.long(at)
	}
	if rows < 0 || rows > mostRows {
		return nil, fmt.Errorf("%d rows", rows)
	}
	if l.nodes, l.nodeN, err = l.meta.vector(table, 1, structBytes); err != nil {
		return nil, err
	}
	if l.bufs, l.bufN, err = l.meta.vector(table, 2, structBytes); err != nil {
		return nil, err
	}
	l.codec = -1
	if c := l.meta.table(table, 3); c != 0 {
		l.codec = 0
		if at := l.meta.field(c, 0); at != 0 {
			l.codec = int(int8(l.meta[at]))
		}
		if at := l.meta.field(c, 1); at != 0 && l.meta[at] != 0 {
			return nil, fmt.Errorf("an unknown method of compression, %d", l.meta[at])
		}
		if l.codec != codecLZ4 && l.codec != codecZstd {
			return nil, fmt.Errorf("an unknown codec, %d", l.codec)
		}
	}
	columns := make([]arrow.Array, s.NumFields())
	for i, f := range s.Fields() {
		data, err := l.load(f.Type, rows)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		columns[i] = array.MakeFromData(data)
		l.made = append(l.made, columns[i])
	}
	if l.nodeN > 0 || l.bufN > 0 {
		return nil, errors.New("it holds more than its columns")
	}
	return array.NewRecord(s, columns, rows), nil
}

// load makes an array of a type; rows is the length that it must have, -1 if any will do.
func (l *loader) load(t arrow.DataType, rows int64) (arrow.ArrayData, error) {
	if e, ok := t.(arrow.ExtensionType); ok {
		s, err := l.load(e.StorageType(), rows)
		if err != nil {
			return nil, err
		}
		return l.data(t, s.Len(), s.Buffers(), s.Children(), s.NullN()), nil
	}
	n, nulls, err := l.node(rows)
	if err != nil {
		return nil, err
	}
	layout, err := arrayLayout(t)
	if err != nil {
		return nil, err
	}
	buffers := make([]*memory.Buffer, len(layout.widths))
	for i, bits := range layout.widths {
		need := n
		if layout.offsets && i == 1 && n > 0 {
			need++
		}
		need = (need*bits + 7) / 8
		if i == 0 && nulls == 0 {
			need = 0 // the bitmap may be missing
		}
		if buffers[i], err = l.buffer(need); err != nil {
			return nil, err
		}
	}
	switch {
	case nulls == 0:
		buffers[0] = nil
	case setBits(buffers[0].Bytes(), n) != n-nulls:
		return nil, fmt.Errorf("its bitmap doesn't have %d nulls", nulls)
	}
	last := int64(0) // the end of the last row of variable length
	if layout.offsets && n > 0 {
		if last, err = lastOffset(buffers[1].Bytes(), layout.widths[1] == 64, n); err != nil {
			return nil, err
		}
		if len(buffers) == 3 && last > int64(buffers[2].Len()) {
			return nil, fmt.Errorf("its last row ends at byte %d of %d", last, buffers[2].Len())
		}
	}
	var children []arrow.ArrayData
	for _, c := range layout.children {
		want := int64(-1)
		if layout.perRow >= 0 {
			want = n * layout.perRow
		}
		if want > mostRows {
			return nil, fmt.Errorf("%d elements", want)
		}
		child, err := l.load(c, want)
		if err != nil {
			return nil, err
		}
		if int64(child.Len()) < last {
			return nil, fmt.Errorf("its last row ends at element %d of %d", last, child.Len())
		}
		children = append(children, child)
	}
	return l.data(t, int(n), buffers, children, int(nulls)), nil
}

// node is the next array's length, which must be rows unless that is -1, and its number
// of nulls.
func (l *loader) node(rows int64) (n, nulls int64, err error) {
	if l.nodeN == 0 {
		return 0, 0, errors.New("it lacks an array")
	}
	n, nulls = l.meta.long(l.nodes), l.meta.long(l.nodes+8)
	l.nodes, l.nodeN = l.nodes+structBytes, l.nodeN-1
	switch {
	case rows >= 0 && n != rows:
		return 0, 0, fmt.Errorf("%d rows instead of %d", n, rows)
	case n < 0 || n > mostRows || nulls < 0 || nulls > n:
		return 0, 0, fmt.Errorf("%d rows, %d of them null", n, nulls)
	}
	return n, nulls, nil
}

func (l *loader) data(t arrow.DataType, n int, buffers []*memory.Buffer, children []arrow.ArrayData, nulls int) arrow.ArrayData {
	d := array.NewData(t, n, buffers, children, nulls, 0)
	l.made = append(l.made, d)
	return d
}

// buffer is the next buffer, of at least need bytes.
func (l *loader) buffer(need int64) (*memory.Buffer, error) {
	if l.bufN == 0 {
		return nil, errors.New("it lacks a buffer")
	}
	at, n, size := l.meta.long(l.bufs), l.meta.long(l.bufs+8), int64(l.body.Len())
	l.bufs, l.bufN = l.bufs+structBytes, l.bufN-1
	switch {
	case at < 0 || n < 0 || at > size || n > size-at || at%8 != 0:
		return nil, fmt.Errorf("a buffer of %d bytes at %d of %d", n, at, size)
	case l.codec < 0 && n < need:
		return nil, fmt.Errorf("a buffer of %d bytes where %d are needed", n, need)
	case n == 0 && need == 0:
		return memory.NewBufferBytes(nil), nil
	case l.codec < 0:
		return l.keep(memory.SliceBuffer(l.body, int(at), int(n))), nil
	case n < 8:
		return nil, fmt.Errorf("a compressed buffer of %d bytes", n)
	}
	packed := l.body.Bytes()[at : at+n]
	length := int64(binary.LittleEndian.Uint64(packed))
	packed = packed[8:]
	if length == -1 { // stored uncompressed
		if int64(len(packed)) < need {
			return nil, fmt.Errorf("a buffer of %d bytes where %d are needed", len(packed), need)
		}
		return l.keep(memory.SliceBuffer(l.body, int(at+8), len(packed))), nil
	}
	if length < need || length > mostUnpacked(l.codec, int64(len(packed))) || length > largestRecord-l.unpacked {
		return nil, fmt.Errorf("%d compressed bytes claim to hold %d, where %d are needed", len(packed), length, need)
	}
	l.unpacked += length
	b := l.keep(memory.NewResizableBuffer(l.mem))
	b.Resize(int(length))
	return b, l.codecs.unpack(l.codec, b.Bytes(), packed)
}

func (l *loader) keep(b *memory.Buffer) *memory.Buffer {
	l.made = append(l.made, b)
	return b
}

// layoutOf says which buffers and children the arrays of a type have.
type layoutOf struct {
	widths   []int64 // bits per row of each buffer, the bitmap of nulls first; 0: as the offsets say
	offsets  bool    // buffer 1 holds where rows begin and end
	children []arrow.DataType
	perRow   int64 // elements of a child per row; -1: as the offsets say
}

func arrayLayout(t arrow.DataType) (layoutOf, error) {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		return layoutOf{widths: []int64{1, 32, 0}, offsets: true}, nil
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		return layoutOf{widths: []int64{1, 64, 0}, offsets: true}, nil
	case *arrow.ListType:
		return layoutOf{widths: []int64{1, 32}, offsets: true, children: []arrow.DataType{t.Elem()}, perRow: -1}, nil
	case *arrow.LargeListType:
		return layoutOf{widths: []int64{1, 64}, offsets: true, children: []arrow.DataType{t.Elem()}, perRow: -1}, nil
	case *arrow.FixedSizeListType:
		if t.Len() < 0 {
			return layoutOf{}, fmt.Errorf("lists of %d", t.Len())
		}
		return layoutOf{widths: []int64{1}, children: []arrow.DataType{t.Elem()}, perRow: int64(t.Len())}, nil
	case *arrow.StructType:
		l := layoutOf{widths: []int64{1}, perRow: 1}
		for _, f := range t.Fields() {
			l.children = append(l.children, f.Type)
		}
		return l, nil
	case arrow.FixedWidthDataType:
		if bits := t.BitWidth(); bits > 0 && bits <= 8<<20 && t.ID() != arrow.DICTIONARY {
			return layoutOf{widths: []int64{1, int64(bits)}}, nil
		}
	}
	return layoutOf{}, fmt.Errorf("sluice doesn't read type %s", t)
}

// setBits counts the ones among the first n bits.
func setBits(b []byte, n int64) (ones int64) {
	for i := range n {
		ones += int64(b[i/8] >> (i % 8) & 1)
	}
	return ones
}

// lastOffset is the end of the last of n rows, after checking that none ends before it
// begins.
func lastOffset(b []byte, long bool, n int64) (last int64, err error) {
	at := func(i int64) int64 {
		if long {
			return int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
		return int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
	}
	for i := range n + 1 {
		next := at(i)
		if next < last {
			return 0, fmt.Errorf("row %d ends at %d and begins at %d", i-1, next, last)
		}
		last = next
	}
	return last, nil
}

// Guard turns a panic into an error: Arrow panics on damaged data that no check here
// has caught. Whoever calls NewReader or Record, or looks at a record, does so in it.
func Guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	return f()
}
