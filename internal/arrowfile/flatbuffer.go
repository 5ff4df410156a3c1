package arrowfile

import (
	"encoding/binary"
	"fmt"
)

// The metadata of Arrow files and streams are flatbuffers, as Schema.fbs,
// Message.fbs and File.fbs say; the numbers below are their fields'. Arrow's
// reader trusts every length in them and allocates accordingly, so they are
// checked here first. These functions panic on an offset out of range: Guard turns
// that into an error.

const (
	deepestField = 8     // an image's elements lie 2 deep
	mostFields   = 10000 // of a schema, nested ones counted
	structBytes  = 16    // of a field node (rows, nulls) and of a buffer (offset, length)
	blockBytes   = 24    // of a footer's block: offset, metadata length, padding, body length
)

// flatbuffer is a buffer of tables.
type flatbuffer []byte

func (f flatbuffer) word(at int) int   { return int(binary.LittleEndian.Uint32(f[at:])) }
func (f flatbuffer) long(at int) int64 { return int64(binary.LittleEndian.Uint64(f[at:])) }

// offset follows the offset at a position.
func (f flatbuffer) offset(at int) int { return at + f.word(at) }

// field is the position of a table's field; 0 if it has none.
func (f flatbuffer) field(table, id int) int {
	fields := table - int(int32(f.word(table)))
	if 4+2*id >= int(binary.LittleEndian.Uint16(f[fields:])) {
		return 0
	}
	if o := int(binary.LittleEndian.Uint16(f[fields+4+2*id:])); o != 0 {
		return table + o
	}
	return 0
}

// table is the position of a field's table; 0 if it has none.
func (f flatbuffer) table(table, id int) int {
	if at := f.field(table, id); at != 0 {
		return f.offset(at)
	}
	return 0
}

// vector is a field's elements: the position of the first, and their number.
func (f flatbuffer) vector(table, id, size int) (first, n int, err error) {
	at := f.field(table, id)
	if at == 0 {
		return 0, 0, nil
	}
	at = f.offset(at)
	n = f.word(at)
	if n > (len(f)-at-4)/size {
		return 0, 0, fmt.Errorf("a list of %d in its metadata is longer than these", n)
	}
	return at + 4, n, nil
}

// message is the head of a message.
type message struct {
	version int // 3, 4: V4, V5
	kind    int // of the header
	header  int // the header's table
	body    int64
}

// Kinds of messages.
const (
	schemaMessage     = 1
	dictionaryMessage = 2
	recordMessage     = 3
)

func (f flatbuffer) message() (m message, err error) {
	root := f.offset(0)
	if at := f.field(root, 0); at != 0 {
		m.version = int(binary.LittleEndian.Uint16(f[at:]))
	}
	if at := f.field(root, 1); at != 0 {
		m.kind = int(f[at])
	}
	m.header = f.table(root, 2)
	if at := f.field(root, 3); at != 0 {
		m.body = f.long(at)
	}
	switch {
	case m.version != 3 && m.version != 4:
		return m, fmt.Errorf("its metadata are of version %d: want 3 or 4 (Arrow's V4 and V5)", m.version)
	case m.header == 0:
		return m, fmt.Errorf("a message without a header")
	case m.body < 0:
		return m, fmt.Errorf("a message of %d bytes", m.body)
	}
	return m, nil
}

// checkSchema checks the fields and the custom metadata of a schema. All of it
// together must fit into the buffer: many offsets to one position would become as
// many copies.
func (f flatbuffer) checkSchema(table int) error {
	c := schemaCheck{flatbuffer: f, text: len(f)}
	if err := c.pairs(table, 2); err != nil {
		return err
	}
	return c.children(table, 1, 0)
}

type schemaCheck struct {
	flatbuffer
	text   int // bytes of strings that are left
	fields int
}

func (c *schemaCheck) children(table, id, depth int) error {
	first, n, err := c.vector(table, id, 4)
	if err != nil {
		return err
	}
	if c.fields += n; c.fields > mostFields {
		return fmt.Errorf("its schema has more than %d fields", mostFields)
	}
	if depth == deepestField && n > 0 {
		return fmt.Errorf("the fields of its schema are nested more than %d deep", deepestField)
	}
	for i := range n {
		field := c.offset(first + 4*i)
		if err := c.string(field, 0); err != nil {
			return err
		}
		if encoding := c.table(field, 4); encoding != 0 && (depth > 0 || !c.namesClasses(field, encoding)) {
			return fmt.Errorf("its schema has a column with a dictionary that isn't one of class names: texts, by int32")
		}
		if err := c.pairs(field, 6); err != nil {
			return err
		}
		if err := c.children(field, 5, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// pairs are custom metadata.
func (c *schemaCheck) pairs(table, id int) error {
	first, n, err := c.vector(table, id, 4)
	for i := 0; i < n && err == nil; i++ {
		pair := c.offset(first + 4*i)
		c.text -= 8 // an offset, and a table
		if err = c.string(pair, 0); err == nil {
			err = c.string(pair, 1)
		}
	}
	return err
}

// namesClasses reports whether a field with a dictionary is of texts, by int32.
func (c *schemaCheck) namesClasses(field, encoding int) bool {
	const utf8 = 5 // of Type
	at := c.field(field, 2)
	if at == 0 || c.flatbuffer[at] != utf8 {
		return false
	}
	index := c.table(encoding, 1)
	if index == 0 {
		return true // int32, as Schema.fbs says
	}
	bits, signed := c.field(index, 0), c.field(index, 1)
	return bits != 0 && c.word(bits) == 32 && signed != 0 && c.flatbuffer[signed] == 1
}

func (c *schemaCheck) string(table, id int) error {
	_, n, err := c.vector(table, id, 1)
	if c.text -= n; err == nil && c.text < 0 {
		return fmt.Errorf("the texts in its schema overlap")
	}
	return err
}

// block is the place of a message in a file.
type block struct{ at, meta, body int64 }

// footer returns the blocks of a file's records, after checking the whole footer.
func (f flatbuffer) footer() ([]block, error) {
	root := f.offset(0)
	schema := f.table(root, 1)
	if schema == 0 {
		return nil, fmt.Errorf("its footer has no schema")
	}
	if err := f.checkSchema(schema); err != nil {
		return nil, err
	}
	return f.places(root, 3)
}

// takeDictionaries returns the blocks of a file's dictionaries, and takes them out of the
// footer: Arrow would read them at once, whatever they claim to hold.
func (f flatbuffer) takeDictionaries() ([]block, error) {
	root := f.offset(0)
	blocks, err := f.places(root, 2)
	if len(blocks) > 0 && err == nil {
		fields := root - int(int32(f.word(root)))
		f[fields+4+2*2], f[fields+4+2*2+1] = 0, 0
	}
	return blocks, err
}

// places are a list of blocks in a footer.
func (f flatbuffer) places(root, id int) ([]block, error) {
	first, n, err := f.vector(root, id, blockBytes)
	if err != nil {
		return nil, err
	}
	blocks := make([]block, n)
	for i := range blocks {
		at := first + i*blockBytes
		blocks[i] = block{f.long(at), int64(int32(f.word(at + 8))), f.long(at + 16)}
	}
	return blocks, nil
}
