// Package parquet writes Parquet files (write.go), and reads them page by page: the footer,
// where the values of a column of bytes lie in the file, and the values of small columns. It
// writes and reads flat columns and members of structures, no lists. Nothing is trusted that a file says about itself: a claim beyond
// the file's bounds is an error, and memory stays bounded by what the file really holds and
// by the size of one page.
//
// Format: https://github.com/apache/parquet-format (README.md, Encodings.md, parquet.thrift).
package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Type is a physical type.
type Type int32

// The physical types.
const (
	Boolean Type = iota
	Int32
	Int64
	Int96
	Float
	Double
	ByteArray
	FixedLenByteArray
)

var typeNames = []string{"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"}

func (t Type) String() string { return named(typeNames, int32(t)) }

// Codec is how pages are compressed.
type Codec int32

// The codecs that are read.
const (
	Uncompressed Codec = 0
	Snappy       Codec = 1
	Gzip         Codec = 2
	Brotli       Codec = 4
	Zstd         Codec = 6
	LZ4Raw       Codec = 7
)

var codecNames = []string{"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"}

func (c Codec) String() string { return named(codecNames, int32(c)) }

func named(names []string, n int32) string {
	if n < 0 || int(n) >= len(names) || names[n] == "" {
		return fmt.Sprintf("number %d", n)
	}
	return names[n]
}

// Meaning is what a leaf's values stand for, beyond their physical type.
type Meaning int

// The meanings.
const (
	Plain   Meaning = iota // what the type says: numbers, true and false, bytes
	Text                   // UTF-8
	Other                  // a date, a decimal number, a UUID and so on; Leaf.Logical names it
	Missing                // null in every row
)

// Leaf is a column with values.
type Leaf struct {
	Path     []string // of the names of the groups that hold it, and its own
	Type     Type
	Length   int // of a FixedLenByteArray
	Meaning  Meaning
	Logical  string // the name of the logical type; "" where there is none
	Unsigned bool   // of integers
	// A value is present where its definition level is MaxLevel. Where it is lower, the
	// group of that depth, or the value, is null.
	MaxLevel int
	Repeated bool // it is in a list or a map, or is one
	// Lists are the definition levels from which on there is an element, of each list that a
	// value is in, from the outside; one less is an empty list.
	Lists []int
}

// Name is the path joined by points.
func (l *Leaf) Name() string { return strings.Join(l.Path, ".") }

// Group is a row group.
type Group struct {
	Rows   int64
	Chunks []Chunk // one for each leaf
}

// Chunk is the values of one leaf in one row group: pages one after another.
type Chunk struct {
	Offset, Size int64 // within the file, between the magic bytes at its two ends
	Values       int64
	Codec        Codec
}

// File is a footer.
type File struct {
	Size      int64
	Rows      int64
	Leaves    []Leaf
	Groups    []Group
	Meta      map[string]string // of those keys that Open was asked for
	CreatedBy string
}

const (
	magic      = "PAR1"
	mostFooter = 256 << 20
)

// Open reads the footer of a file of a size, and from its key-value metadata the given
// keys.
func Open(r io.ReaderAt, size int64, keys ...string) (*File, error) {
	if size < 12 {
		return nil, fmt.Errorf("is not a Parquet file: it has %d bytes", size)
	}
	var head [4]byte
	var tail [8]byte
	if err := readAt(r, head[:], 0); err != nil {
		return nil, err
	}
	if err := readAt(r, tail[:], size-8); err != nil {
		return nil, err
	}
	switch {
	case string(tail[4:]) == "PARE" || string(head[:]) == "PARE":
		return nil, errors.New("is encrypted: write it without encryption")
	case string(head[:]) != magic:
		return nil, errors.New("is not a Parquet file: it doesn't begin with PAR1")
	case string(tail[4:]) != magic:
		return nil, errors.New("is truncated or damaged: it doesn't end with PAR1: create or copy it again")
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > size-12 {
		return nil, fmt.Errorf("is damaged: its footer should have %d bytes, and the file has %d: create or copy it again", length, size)
	}
	if length > mostFooter {
		return nil, fmt.Errorf("its footer has %d bytes, and at most %d are read: write fewer row groups or columns", length, mostFooter)
	}
	footer := make([]byte, length)
	if err := readAt(r, footer, size-8-length); err != nil {
		return nil, err
	}
	p := footerReader{thrift: thrift{b: footer}, end: size - 8 - length, file: &File{Size: size, Meta: map[string]string{}}, keys: keys}
	p.read()
	if p.bad == nil {
		p.bad = p.file.check()
	}
	if p.bad != nil {
		return nil, fmt.Errorf("its footer is damaged, or is none that is read here: byte %d of %d: %w", p.at, length, p.bad)
	}
	return p.file, nil
}

// readAt fills p.
func readAt(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("cannot read %d bytes at byte %d: %w", len(p), offset, err)
}

// check compares the parts of a footer.
func (f *File) check() error {
	rows := int64(0)
	for _, g := range f.Groups {
		rows += g.Rows // each is at most f.Size
		if rows > f.Size {
			break
		}
	}
	switch {
	case f.Rows < 0 || rows > f.Size || f.Rows > f.Size:
		return fmt.Errorf("it claims %d rows, more than the file has bytes", max(rows, f.Rows))
	case rows != f.Rows:
		return fmt.Errorf("it claims %d rows, and its row groups have %d", f.Rows, rows)
	case len(f.Leaves) == 0:
		return errors.New("it has no column")
	}
	return nil
}

// footerReader fills a File.
type footerReader struct {
	thrift
	end  int64 // of the pages
	file *File
	keys []string
}

func (p *footerReader) failf(format string, args ...any) {
	p.fail(fmt.Errorf(format, args...))
}

func (p *footerReader) read() {
	rows := int64(-1)
	p.fields(func(field int, kind byte) {
		switch field {
		case 2:
			p.schema(kind)
		case 3:
			rows = p.number(kind)
		case 4:
			p.list(kind, p.group)
		case 5:
			p.list(kind, p.pair)
		case 6:
			p.file.CreatedBy = p.text(kind)
		case 8:
			p.failf("the file is encrypted: write it without encryption")
		}
	})
	p.file.Rows = rows
}

func (p *footerReader) pair(kind byte) {
	key := ""
	p.structure(kind, func(field int, kind byte) {
		if field == 1 {
			key = p.text(kind)
		}
		for _, wanted := range p.keys {
			if field == 2 && key == wanted {
				p.file.Meta[key] = p.text(kind)
				break
			}
		}
	})
}

func (p *footerReader) group(kind byte) {
	if len(p.file.Leaves) == 0 {
		p.failf("row groups come before the schema")
		return
	}
	g := Group{Rows: -1}
	p.structure(kind, func(field int, kind byte) {
		switch field {
		case 1:
			p.list(kind, func(kind byte) { g.Chunks = append(g.Chunks, p.chunk(kind, len(p.file.Groups), len(g.Chunks))) })
		case 3:
			g.Rows = p.number(kind)
		}
	})
	if p.bad == nil && (len(g.Chunks) != len(p.file.Leaves) || g.Rows < 0 || g.Rows > p.file.Size) {
		p.failf("row group %d has %d columns of %d, and %d rows", len(p.file.Groups), len(g.Chunks), len(p.file.Leaves), g.Rows)
	}
	p.file.Groups = append(p.file.Groups, g)
}

func (p *footerReader) chunk(kind byte, group, leaf int) Chunk {
	c := Chunk{Codec: -1, Values: -1}
	data, dictionary, t := int64(-1), int64(0), int32(-1)
	p.structure(kind, func(field int, kind byte) {
		switch field {
		case 1:
			if name := p.text(kind); name != "" {
				p.failf("row group %d, column %d: it is in another file, %.100q: give that file", group, leaf, name)
			}
		case 3:
			p.structure(kind, func(field int, kind byte) {
				switch field {
				case 1:
					t = p.i32(kind)
				case 4:
					c.Codec = Codec(p.i32(kind))
				case 5:
					c.Values = p.number(kind)
				case 7:
					c.Size = p.number(kind)
				case 9:
					data = p.number(kind)
				case 11:
					dictionary = p.number(kind)
				}
			})
		case 8, 9:
			p.failf("row group %d, column %d: it is encrypted: write it without encryption", group, leaf)
		}
	})
	c.Offset = data
	if dictionary > 0 && dictionary < data {
		c.Offset = dictionary
	}
	if p.bad != nil {
		return c
	}
	switch {
	case leaf >= len(p.file.Leaves):
		p.failf("row group %d has more columns than the schema", group)
	case Type(t) != p.file.Leaves[leaf].Type:
		p.failf("row group %d, column %d has the type %v, and the schema says %v", group, leaf, Type(t), p.file.Leaves[leaf].Type)
	case c.Values == 0: // and no page that must be read
	case c.Offset < int64(len(magic)) || c.Size < 0 || c.Size > p.end || c.Offset > p.end-c.Size || c.Values < 0:
		p.failf("row group %d, column %d (%s) has %d values in %d bytes from byte %d, and pages end at byte %d",
			group, leaf, p.file.Leaves[leaf].Name(), c.Values, c.Size, c.Offset, p.end)
	}
	return c
}

// element is a node of the schema tree.
type element struct {
	name                string
	t, length           int32
	repetition          int32
	children, converted int32
	logical             string
	unsigned            bool
}

// The repetition of a node.
const (
	required = 0
	optional = 1
	repeated = 2
)

func (p *footerReader) schema(kind byte) {
	if len(p.file.Leaves) > 0 {
		p.failf("there are two schemas")
		return
	}
	type level struct {
		path     []string
		left     int32
		max      int
		repeated bool
		lists    []int
	}
	var open []level // groups whose children are being read
	p.list(kind, func(kind byte) {
		e := p.element(kind)
		if p.bad != nil {
			return
		}
		if len(open) == 0 {
			if len(p.file.Leaves) > 0 || e.children < 1 {
				p.failf("the schema is not a tree")
				return
			}
			open = append(open, level{left: e.children})
			return
		}
		in := &open[len(open)-1]
		in.left--
		here := level{path: append(in.path[:len(in.path):len(in.path)], e.name), left: e.children, max: in.max, repeated: in.repeated || e.repetition == repeated, lists: in.lists}
		if e.repetition != required {
			here.max++
		}
		if e.repetition == repeated {
			here.lists = append(slices.Clone(in.lists), here.max)
		}
		if e.children > 0 {
			if open = append(open, here); len(open) > mostDepth {
				p.failf("columns are nested too deeply")
			}
			return
		}
		for len(open) > 0 && open[len(open)-1].left == 0 {
			open = open[:len(open)-1]
		}
		p.leaf(e, Leaf{Path: here.path, MaxLevel: here.max, Repeated: here.repeated, Lists: here.lists})
	})
	if p.bad == nil && len(open) > 0 {
		p.failf("the schema ends too early")
	}
}

func (p *footerReader) element(kind byte) element {
	e := element{t: -1, converted: -1}
	p.structure(kind, func(field int, kind byte) {
		switch field {
		case 1:
			e.t = p.i32(kind)
		case 2:
			e.length = p.i32(kind)
		case 3:
			e.repetition = p.i32(kind)
		case 4:
			e.name = p.text(kind)
		case 5:
			e.children = p.i32(kind)
		case 6:
			e.converted = p.i32(kind)
		case 10:
			p.logical(kind, &e)
		}
	})
	if e.repetition < required || e.repetition > repeated || e.children < 0 || e.children == 0 && (e.t < 0 || int(e.t) >= len(typeNames)) {
		p.failf("the column %.100q has the type %d, the repetition %d and %d children", e.name, e.t, e.repetition, e.children)
	}
	return e
}

var logicalNames = []string{1: "STRING", "MAP", "LIST", "ENUM", "DECIMAL", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "INTEGER", "UNKNOWN", "JSON", "BSON",
	"UUID", "FLOAT16", "VARIANT", "GEOMETRY", "GEOGRAPHY"}

// logical reads the union of logical types, of which the number of the only field is the
// type.
func (p *footerReader) logical(kind byte, e *element) {
	p.structure(kind, func(field int, kind byte) {
		e.logical = named(logicalNames, int32(field))
		if e.logical != "INTEGER" {
			return
		}
		p.structure(kind, func(field int, kind byte) {
			if field == 2 {
				e.unsigned = kind == kindFalse
			}
		})
	})
}

// The names of converted types, which older writers use in place of logical ones.
var convertedNames = []string{"STRING", "MAP", "MAP_KEY_VALUE", "LIST", "ENUM", "DECIMAL", "DATE", "TIME", "TIME", "TIMESTAMP", "TIMESTAMP",
	"INTEGER", "INTEGER", "INTEGER", "INTEGER", "INTEGER", "INTEGER", "INTEGER", "INTEGER", "JSON", "BSON", "INTERVAL"}

func (p *footerReader) leaf(e element, l Leaf) {
	if e.logical == "" && e.converted >= 0 {
		e.logical = named(convertedNames, e.converted)
		e.unsigned = e.converted >= 11 && e.converted <= 14
	}
	l.Type, l.Logical, l.Unsigned = Type(e.t), e.logical, e.unsigned
	switch l.Logical {
	case "":
	case "INTEGER":
		if l.Type != Int32 && l.Type != Int64 {
			l.Meaning = Other
		}
	case "STRING", "ENUM", "JSON":
		l.Meaning = Text
	case "UNKNOWN":
		l.Meaning = Missing
	default:
		l.Meaning = Other
	}
	if l.Type == FixedLenByteArray {
		if l.Length = int(e.length); l.Length < 0 {
			p.failf("the column %.100q has values of %d bytes", l.Name(), l.Length)
		}
	}
	p.file.Leaves = append(p.file.Leaves, l)
}
