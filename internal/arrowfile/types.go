package arrowfile

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is what the values of a column are.
type Kind int

// The kinds. Columns of the kind Other are there, but their values cannot be read.
const (
	Other Kind = iota
	Null
	Bool
	Int
	Uint
	Float
	Text
	Binary
	FixedBinary
	List
	FixedList
	Struct
)

// Type is the type of a column, or of a part of one.
type Type struct {
	Kind   Kind
	Name   string // as Arrow calls it: int32, large_binary
	Bits   int64  // of a number; of a FixedBinary's value
	Len    int64  // of a FixedList
	Fields []Field

	// Dictionary: the column holds numbers of a dictionary's values, and this is the type of
	// these values.
	Dictionary bool

	long, view bool // 64-bit offsets; views instead of offsets
	buffers    int  // without those of its parts, and those that views refer to
	id         int64
	index      *Type // of a dictionary's numbers
}

// Field is a column, or a part of one.
type Field struct {
	Name     string
	Type     Type
	Metadata map[string]string // "ARROW:extension:name" is there, too
}

// Schema is the columns of a file.
type Schema struct {
	Fields   []Field
	Metadata map[string]string
}

// Find is the number of a column; -1: there is none.
func (s *Schema) Find(name string) int {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// Field is the part of a struct with a name; -1: it has none.
func (t *Type) Field(name string) int {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

func (t *Type) String() string {
	var parts []string
	for _, f := range t.Fields {
		if t.Kind == Struct {
			parts = append(parts, f.Name+" "+f.Type.String())
		} else {
			parts = append(parts, f.Type.String())
		}
	}
	text := t.Name
	if len(parts) > 0 {
		text += "<" + strings.Join(parts, ", ") + ">"
	}
	if t.Kind == FixedList {
		text += fmt.Sprintf("[%d]", t.Len)
	}
	if t.Dictionary {
		text = "dictionary<" + text + ">"
	}
	return text
}

// schemaReader makes a Schema of a flatbuffer. All texts together must fit into it: many
// offsets to one position would become as many copies.
type schemaReader struct {
	flatbuffer
	version int
	text    int // bytes of strings that are left
	fields  int
}

func (f flatbuffer) schema(table, version int) (*Schema, error) {
	if at := f.field(table, 0); at != 0 && f[at] != 0 {
		return nil, errors.New("its numbers have the byte order of another kind of machine")
	}
	r := schemaReader{flatbuffer: f, version: version, text: len(f)}
	var s Schema
	var err error
	if s.Metadata, err = r.pairs(table, 2); err != nil {
		return nil, err
	}
	s.Fields, err = r.list(table, 1, 0)
	return &s, err
}

func (r *schemaReader) list(table, id, depth int) ([]Field, error) {
	first, n, err := r.vector(table, id, 4)
	if err != nil || n == 0 {
		return nil, err
	}
	if r.fields += n; r.fields > mostFields {
		return nil, fmt.Errorf("its schema has more than %d fields", mostFields)
	}
	if depth == deepestField {
		return nil, fmt.Errorf("the fields of its schema are nested more than %d deep", deepestField)
	}
	fields := make([]Field, n)
	for i := range fields {
		at := r.offset(first + 4*i)
		f := &fields[i]
		if f.Name, err = r.string(at, 0); err != nil {
			return nil, err
		}
		if f.Metadata, err = r.pairs(at, 6); err != nil {
			return nil, err
		}
		if f.Type, err = r.typeOf(at); err != nil {
			return nil, fmt.Errorf("column %.80q: %w", f.Name, err)
		}
		if f.Type.Fields, err = r.list(at, 5, depth+1); err != nil {
			return nil, err
		}
		if k := f.Type.Kind; (k == List || k == FixedList) && len(f.Type.Fields) != 1 {
			return nil, fmt.Errorf("column %.80q: a list of %d types", f.Name, len(f.Type.Fields))
		}
	}
	return fields, nil
}

// pairs are custom metadata; of equal keys the first counts.
func (r *schemaReader) pairs(table, id int) (map[string]string, error) {
	first, n, err := r.vector(table, id, 4)
	if err != nil || n == 0 {
		return nil, err
	}
	pairs := map[string]string{}
	for i := range n {
		pair := r.offset(first + 4*i)
		r.text -= 8 // an offset, and a table
		key, err := r.string(pair, 0)
		if err != nil {
			return nil, err
		}
		value, err := r.string(pair, 1)
		if err != nil {
			return nil, err
		}
		if _, twice := pairs[key]; !twice {
			pairs[key] = value
		}
	}
	return pairs, nil
}

func (r *schemaReader) string(table, id int) (string, error) {
	first, n, err := r.vector(table, id, 1)
	if err != nil {
		return "", err
	}
	if r.text -= n; r.text < 0 {
		return "", errors.New("the texts in its schema overlap")
	}
	return string(r.flatbuffer[first : first+n]), nil
}

// The numbers of Arrow's Type union.
const (
	typeNull = iota + 1
	typeInt
	typeFloat
	typeBinary
	typeUtf8
	typeBool
	typeDecimal
	typeDate
	typeTime
	typeTimestamp
	typeInterval
	typeList
	typeStruct
	typeUnion
	typeFixedSizeBinary
	typeFixedSizeList
	typeMap
	typeDuration
	typeLargeBinary
	typeLargeUtf8
	typeLargeList
	typeRunEndEncoded
	typeBinaryView
	typeUtf8View
	typeListView
	typeLargeListView
)

// plainTypes are the types without parameters that matter here.
var plainTypes = map[int]Type{
	typeNull:          {Kind: Null, Name: "null", buffers: 0},
	typeBinary:        {Kind: Binary, Name: "binary", buffers: 3},
	typeUtf8:          {Kind: Text, Name: "utf8", buffers: 3},
	typeBool:          {Kind: Bool, Name: "bool", Bits: 1, buffers: 2},
	typeDecimal:       {Name: "decimal", buffers: 2},
	typeDate:          {Name: "date", buffers: 2},
	typeTime:          {Name: "time", buffers: 2},
	typeTimestamp:     {Name: "timestamp", buffers: 2},
	typeInterval:      {Name: "interval", buffers: 2},
	typeList:          {Kind: List, Name: "list", buffers: 2},
	typeStruct:        {Kind: Struct, Name: "struct", buffers: 1},
	typeMap:           {Name: "map", buffers: 2},
	typeDuration:      {Name: "duration", buffers: 2},
	typeLargeBinary:   {Kind: Binary, Name: "large_binary", long: true, buffers: 3},
	typeLargeUtf8:     {Kind: Text, Name: "large_utf8", long: true, buffers: 3},
	typeLargeList:     {Kind: List, Name: "large_list", long: true, buffers: 2},
	typeRunEndEncoded: {Name: "run_end_encoded", buffers: 0},
	typeBinaryView:    {Kind: Binary, Name: "binary_view", view: true, buffers: 2},
	typeUtf8View:      {Kind: Text, Name: "utf8_view", view: true, buffers: 2},
	typeListView:      {Name: "list_view", buffers: 3},
	typeLargeListView: {Name: "large_list_view", buffers: 3},
}

func (r *schemaReader) typeOf(field int) (t Type, err error) {
	number, table := 0, r.table(field, 3)
	if at := r.field(field, 2); at != 0 {
		number = int(r.flatbuffer[at])
	}
	if table == 0 {
		return t, errors.New("it has no type")
	}
	switch number {
	case typeInt:
		t, err = r.integer(table)
	case typeFloat:
		bits := int64(16) << min(r.short(table, 0, 0), 3)
		t = Type{Kind: Float, Name: fmt.Sprintf("float%d", bits), Bits: bits, buffers: 2}
		if bits > 64 {
			err = errors.New("a float of unknown precision")
		}
	case typeFixedSizeBinary:
		n := r.int(table, 0, 0)
		t = Type{Kind: FixedBinary, Name: fmt.Sprintf("fixed_size_binary[%d]", n), Bits: 8 * n, buffers: 2}
		if n < 0 {
			err = fmt.Errorf("values of %d bytes", n)
		}
	case typeFixedSizeList:
		t = Type{Kind: FixedList, Name: "fixed_size_list", Len: r.int(table, 0, 0), buffers: 1}
		if t.Len < 0 {
			err = fmt.Errorf("lists of %d", t.Len)
		}
	case typeUnion:
		t = Type{Name: "union", buffers: 1 + r.short(table, 0, 0)}
		if r.version < 4 {
			t.buffers++ // its nulls
		}
		if t.buffers > 3 {
			err = errors.New("a union of an unknown mode")
		}
	default:
		plain, ok := plainTypes[number]
		if !ok {
			return t, fmt.Errorf("its type has the number %d, which isn't known here", number)
		}
		t = plain
	}
	if err != nil {
		return t, err
	}
	if dictionary := r.table(field, 4); dictionary != 0 {
		index := Type{Kind: Int, Name: "int32", Bits: 32, buffers: 2}
		if at := r.table(dictionary, 1); at != 0 {
			if index, err = r.integer(at); err != nil {
				return t, err
			}
		}
		t.Dictionary, t.index = true, &index
		if at := r.field(dictionary, 0); at != 0 {
			t.id = r.long(at)
		}
	}
	return t, nil
}

func (r *schemaReader) integer(table int) (Type, error) {
	t := Type{Kind: Uint, Name: "uint", Bits: r.int(table, 0, 0), buffers: 2}
	if at := r.field(table, 1); at != 0 && r.flatbuffer[at] != 0 {
		t.Kind, t.Name = Int, "int"
	}
	t.Name = fmt.Sprint(t.Name, t.Bits)
	switch t.Bits {
	case 8, 16, 32, 64:
		return t, nil
	}
	return t, fmt.Errorf("integers of %d bits", t.Bits)
}

// int is a table's 32-bit field.
func (f flatbuffer) int(table, id int, otherwise int64) int64 {
	if at := f.field(table, id); at != 0 {
		return int64(int32(f.word(at)))
	}
	return otherwise
}

// short is a table's 16-bit field, at least 0.
func (f flatbuffer) short(table, id, otherwise int) int {
	if at := f.field(table, id); at != 0 {
		return int(f[at]) | int(f[at+1])<<8
	}
	return otherwise
}
