package arrowfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/sluicedata/sluice/internal/mapfile"
)

// File is an Arrow IPC file or stream whose rows are read in any order, of any writer. It
// finds where the record batches are, from the footer or by walking over the messages,
// and checks each batch when it is first looked at. On 64-bit Unix a local file is
// mapped into memory: bytes of an uncompressed file are never copied but into the caller's buffer.
//
// Everything that looks at a File runs in Protect. Its methods are safe for concurrent use.
type File struct {
	Schema  *Schema
	Version int // 3, 4: Arrow's V4, V5

	in           io.ReaderAt
	size         int64
	data         []byte // nil: not mapped
	mapped       *mapfile.File
	cache        *Cache
	batches      []batch
	starts       []int64 // of each batch: the number of its first row; at the end, that of all rows
	dictionaries []dictionary
	words        sync.Map // dictionaryKey to *Column
}

// batch is a record batch. Of its metadata nothing is kept: they are in memory already, or
// few bytes to read.
type batch struct {
	block
	dictionaries int // how many come before it
	kept         atomic.Pointer[Column]
}

// dictionary is a message with the values of a dictionary, or with more of them.
type dictionary struct {
	block
	id    int64
	delta bool
}

// Mappable reports whether a file of a size is mapped here: the address space must be
// large, and the system one that keeps names and maps apart.
func Mappable(size int64) bool {
	return strconv.IntSize == 64 && size > 0 && runtime.GOOS != "windows" && runtime.GOOS != "plan9" && runtime.GOOS != "js" && runtime.GOOS != "wasip1"
}

// Map opens a file that has been mapped; Close closes it, and so does an error. The File takes no
// note of later changes: who reads a row looks whether the file is still what it was, afterwards.
func Map(file *mapfile.File, cache *Cache) (*File, error) {
	f := &File{size: int64(len(file.Bytes())), data: file.Bytes(), mapped: file, cache: cache}
	if err := Protect(f.list); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Open opens a file that isn't mapped, and stays open: buffers of whole columns are read into
// the cache.
func Open(in io.ReaderAt, size int64, cache *Cache) (*File, error) {
	f := &File{in: in, size: size, cache: cache}
	if err := Protect(f.list); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close gives the mapped memory back; nothing that came from it may be used afterwards.
func (f *File) Close() error {
	f.cache.forget(f)
	f.data = nil
	if f.mapped == nil {
		return nil
	}
	return f.mapped.Close()
}

// Rows is the number of rows of all batches.
func (f *File) Rows() int64 { return f.starts[len(f.batches)] }

// Batches is the number of record batches.
func (f *File) Batches() int { return len(f.batches) }

// Span is the numbers of a batch's rows: first up to, and without, end.
func (f *File) Span(batch int) (first, end int64) { return f.starts[batch], f.starts[batch+1] }

// Batch is the number of the batch with a row, from 0 up to Rows.
func (f *File) Batch(row int64) int {
	return sort.Search(len(f.batches), func(i int) bool { return f.starts[i+1] > row })
}

// Mapped reports whether the file is mapped into memory.
func (f *File) Mapped() bool { return f.data != nil }

// list finds the batches.
func (f *File) list() error {
	head := make([]byte, min(8, f.size))
	if err := f.read(head, 0); err != nil {
		return err
	}
	var err error
	if bytes.HasPrefix(head, ipc.Magic) {
		err = f.footer()
	} else {
		err = f.walk()
	}
	if err != nil {
		return err
	}
	f.starts = make([]int64, len(f.batches)+1)
	for i := range f.batches {
		b := &f.batches[i]
		meta, m, err := f.message(b.block)
		rows := int64(0)
		if err == nil {
			rows, err = rowsOf(meta, m)
		}
		if err != nil {
			return fmt.Errorf("record batch %d at byte %d: %w", i, b.at, err)
		}
		if rows > math.MaxInt64-f.starts[i] {
			return fmt.Errorf("damaged: record batch %d at byte %d: %d rows", i, b.at, rows)
		}
		f.starts[i+1] = f.starts[i] + rows
	}
	return nil
}

func rowsOf(meta flatbuffer, m message) (int64, error) {
	if m.kind != recordMessage {
		return 0, fmt.Errorf("damaged: a message of kind %d instead of a record", m.kind)
	}
	rows := int64(0)
	if at := meta.field(m.header, 0); at != 0 {
		rows = meta.long(at)
	}
	if rows < 0 || rows > mostRows {
		return 0, fmt.Errorf("damaged: %d rows", rows)
	}
	return rows, nil
}

// footer reads the places of the messages from a file's end.
func (f *File) footer() error {
	if f.size < TailBytes+8 {
		return errors.New("not an Arrow file: it is truncated")
	}
	tail := make([]byte, TailBytes)
	if err := f.read(tail, f.size-TailBytes); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	end := f.size - TailBytes - n
	switch {
	case !bytes.Equal(tail[4:], ipc.Magic):
		return errors.New("not an Arrow file: it is truncated, or something follows its end")
	case n < 4 || n > longestMetadata || end < 8:
		return fmt.Errorf("damaged: its footer claims to have %d bytes", n)
	}
	foot := make(flatbuffer, n)
	if err := f.read(foot, end); err != nil {
		return err
	}
	root := foot.offset(0)
	f.Version = foot.short(root, 0, 0)
	schema := foot.table(root, 1)
	if schema == 0 {
		return errors.New("damaged: its footer has no schema")
	}
	var err error
	if f.Schema, err = foot.schema(schema, f.Version); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	dictionaries, err := foot.blocks(root, 2, end)
	if err != nil {
		return fmt.Errorf("damaged: dictionaries: %w", err)
	}
	for _, b := range dictionaries {
		if err := f.dictionary(b); err != nil {
			return err
		}
	}
	records, err := foot.blocks(root, 3, end)
	if err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	f.batches = make([]batch, len(records))
	for i, b := range records {
		f.batches[i].block, f.batches[i].dictionaries = b, len(f.dictionaries)
	}
	return nil
}

// blocks are those of a footer's field; messages end where it begins.
func (f flatbuffer) blocks(root, id int, end int64) ([]block, error) {
	first, n, err := f.vector(root, id, blockBytes)
	if err != nil {
		return nil, err
	}
	list := make([]block, n)
	for i := range list {
		at := first + i*blockBytes
		b := block{f.long(at), int64(int32(f.word(at + 8))), f.long(at + 16)}
		if b.at < 8 || b.meta < 8 || b.meta > longestMetadata || b.body < 0 || b.at > end || b.body > end || b.meta+b.body > end-b.at {
			return nil, fmt.Errorf("its footer says that message %d of %d bytes and then %d is at byte %d, and the messages end at %d", i, b.meta, b.body, b.at, end)
		}
		list[i] = b
	}
	return list, nil
}

// walk goes over the messages of a stream.
func (f *File) walk() error {
	at := int64(0)
	for {
		head, n, err := f.length(at)
		switch {
		case err != nil:
			return err
		case n == 0 && f.Schema == nil:
			return errors.New("not an Arrow file or stream: it has no schema")
		case n == 0 && at+head < f.size:
			return fmt.Errorf("damaged: something follows its end-of-stream marker at byte %d (several streams one after the other?)", at)
		case n == 0:
			return nil
		case (n < 4 || n > longestMetadata) && f.Schema == nil:
			return errors.New("not an Arrow file or stream")
		case n < 4 || n > longestMetadata:
			return fmt.Errorf("at byte %d: %w", at, errNoMessage)
		case n > f.size-at-head:
			return f.cut(at)
		}
		b := block{at: at, meta: head + n}
		meta, err := f.piece(at+head, n)
		if err != nil {
			return err
		}
		m, err := flatbuffer(meta).message()
		if err != nil {
			return fmt.Errorf("damaged: at byte %d: %w", at, err)
		}
		if b.body = m.body; b.body > f.size-at-b.meta {
			return f.cut(at)
		}
		switch {
		case f.Schema == nil && (m.kind != schemaMessage || m.body != 0):
			return errors.New("not an Arrow file or stream: it doesn't begin with a schema")
		case f.Schema == nil:
			f.Version = m.version
			if f.Schema, err = flatbuffer(meta).schema(m.header, m.version); err != nil {
				return fmt.Errorf("damaged: %w", err)
			}
		case m.kind == dictionaryMessage:
			if err := f.dictionary(b); err != nil {
				return err
			}
		case m.kind == recordMessage:
			f.batches = append(f.batches, batch{block: b, dictionaries: len(f.dictionaries)})
		default:
			return fmt.Errorf("damaged: a message of kind %d at byte %d", m.kind, at)
		}
		at += b.meta + b.body
	}
}

// length reads that of the metadata of the message at a byte, and how many bytes say it.
func (f *File) length(at int64) (head, n int64, err error) {
	word := make([]byte, 8)
	if f.size-at < 8 && f.size-at != 4 {
		return 0, 0, f.cut(at)
	}
	if err := f.read(word[:min(8, f.size-at)], at); err != nil {
		return 0, 0, err
	}
	head, n = 4, int64(int32(binary.LittleEndian.Uint32(word)))
	if n == -1 && f.size-at < 8 {
		return 0, 0, f.cut(at)
	}
	if n == -1 { // since Arrow 0.15
		head, n = 8, int64(int32(binary.LittleEndian.Uint32(word[4:])))
	}
	return head, n, nil
}

func (f *File) cut(at int64) error {
	if f.Schema == nil && at == 0 {
		return errors.New("not an Arrow file or stream: it is empty, or truncated")
	}
	return fmt.Errorf("it is truncated: its end-of-stream marker is missing, and no whole message begins at byte %d", at)
}

// dictionary notes where values of a dictionary are.
func (f *File) dictionary(b block) error {
	meta, m, err := f.message(b)
	if err == nil && m.kind != dictionaryMessage {
		err = fmt.Errorf("damaged: a message of kind %d instead of a dictionary", m.kind)
	}
	if err != nil {
		return fmt.Errorf("dictionary at byte %d: %w", b.at, err)
	}
	d := dictionary{block: b}
	if at := meta.field(m.header, 0); at != 0 {
		d.id = meta.long(at)
	}
	if at := meta.field(m.header, 2); at != 0 {
		d.delta = meta[at] != 0
	}
	f.dictionaries = append(f.dictionaries, d)
	return nil
}

// message is the metadata of a message whose place is known. Its body begins at b.at + b.meta.
func (f *File) message(b block) (meta flatbuffer, m message, err error) {
	raw, err := f.piece(b.at, b.meta)
	if err != nil {
		return nil, m, err
	}
	head, n := int64(4), int64(int32(binary.LittleEndian.Uint32(raw)))
	if n == -1 {
		head, n = 8, int64(int32(binary.LittleEndian.Uint32(raw[4:])))
	}
	if n < 4 || n > b.meta-head {
		return nil, m, errNoMessage
	}
	meta = flatbuffer(raw[head : head+n : head+n])
	if m, err = meta.message(); err != nil {
		return nil, m, fmt.Errorf("damaged: %w", err)
	}
	if m.body != b.body {
		return nil, m, fmt.Errorf("damaged: a message of %d bytes, and its footer says %d", m.body, b.body)
	}
	return meta, m, nil
}

// read fills b with the bytes at a place.
func (f *File) read(b []byte, at int64) error {
	if f.data != nil {
		if at < 0 || at > f.size || int64(len(b)) > f.size-at {
			return io.ErrUnexpectedEOF
		}
		copy(b, f.data[at:])
		return nil
	}
	n, err := f.in.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// piece is n bytes at a place, which nobody may change: mapped ones, or read for this.
func (f *File) piece(at, n int64) ([]byte, error) {
	if f.data != nil {
		return f.data[at : at+n : at+n], nil
	}
	b := make([]byte, n)
	return b, f.read(b, at)
}
