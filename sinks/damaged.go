package sinks

import (
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// checkSchema looks at the lists of a file's or a stream's schema before Arrow
// does, which believes their lengths and allocates what they say. Its flatbuffers
// are those of Arrow's Schema.fbs, Message.fbs and File.fbs; the numbers below
// are their fields'. It panics where an offset leads nowhere.
func checkSchema(file *os.File, isFile bool) error {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	at, n := int64(0), int64(0) // of the flatbuffer
	word := func(at int64) int64 {
		var b [4]byte
		if _, e := file.ReadAt(b[:], at); e != nil {
			err = e
		}
		return int64(int32(binary.LittleEndian.Uint32(b[:])))
	}
	if isFile {
		end := info.Size() - int64(len(ipc.Magic)) - 4
		n = word(end)
		at = end - n
	} else {
		at, n = 4, word(0)
		if n == -1 { // the mark, since Arrow 0.15
			at, n = 8, word(4)
		}
	}
	switch {
	case err != nil:
		return err
	case n < 4 || at < 0 || at+n > info.Size():
		return errors.New("the length of its schema is not within the file")
	}
	f := flatbuffer{buf: make([]byte, n)}
	if _, err := io.ReadFull(io.NewSectionReader(file, at, n), f.buf); err != nil {
		return err
	}
	root := f.offset(0)
	if isFile { // Footer
		f.schema(f.offset(f.field(root, 1)))
	} else { // Message
		f.list(root, 4)
		f.schema(f.offset(f.field(root, 2)))
	}
	return f.err
}

// flatbuffer is a buffer of tables whose lists are to be looked at.
type flatbuffer struct {
	buf []byte
	err error
}

func (f *flatbuffer) word(at int) int { return int(binary.LittleEndian.Uint32(f.buf[at:])) }

// offset is where the offset at a place leads.
func (f *flatbuffer) offset(at int) int { return at + f.word(at) }

// field is the place of a table's field; 0: it has none.
func (f *flatbuffer) field(table, id int) int {
	fields := table - int(int32(f.word(table)))
	if 4+2*id >= int(binary.LittleEndian.Uint16(f.buf[fields:])) {
		return 0
	}
	if o := int(binary.LittleEndian.Uint16(f.buf[fields+4+2*id:])); o != 0 {
		return table + o
	}
	return 0
}

// list is a field's list of tables, which are offsets: of 4 bytes each.
func (f *flatbuffer) list(table, id int) (tables []int) {
	at := f.field(table, id)
	if at == 0 || f.err != nil {
		return nil
	}
	at = f.offset(at)
	n := f.word(at)
	if n > (len(f.buf)-at-4)/4 {
		f.err = errors.New("damaged: a list in its schema is longer than the file")
		return nil
	}
	for i := range n {
		tables = append(tables, f.offset(at+4+4*i))
	}
	return tables
}

func (f *flatbuffer) schema(table int) {
	f.list(table, 2)
	f.fields(f.list(table, 1), 0)
}

func (f *flatbuffer) fields(tables []int, depth int) {
	const deepest = 8 // an image's elements lie 2 deep
	if depth == deepest && len(tables) > 0 {
		f.err = errors.New("damaged: the fields of its schema are nested too deep")
	}
	for _, table := range tables {
		if f.err != nil {
			return
		}
		f.list(table, 6)
		f.fields(f.list(table, 5), depth+1)
	}
}
