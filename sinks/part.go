package sinks

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/sluicedata/sluice/schema"
)

// openPart is a part being written: one file per variant, under unfinished names.
type openPart struct {
	number int
	last   int64 // number of the newest batch; -1 before the first
	seen   int64 // batches so far, however many variants each came in
	files  []*partFile

	reads   map[int]schema.Read // what it is made of, by sample
	forgets bool                // of some batch that isn't known
	sources string              // the name of the file that lists it, once that is being written
}

// partFile is one file of it.
type partFile struct {
	disk   *disk
	file   *os.File // nil once closed
	record Part
	out    *lastingWriter
	buffer *bufio.Writer
	hash   hash.Hash
	arrow  *ipc.FileWriter
	tail   *bytes.Buffer // gathers what the Arrow writer's Close writes; nil before
}

// newPartFile begins a file under its unfinished name.
func newPartFile(d *disk, record Part, s *arrow.Schema, codec Codec) (*partFile, error) {
	f, err := d.create(d.temp(record.Name))
	if err != nil {
		return nil, err
	}
	p := &partFile{disk: d, file: f, record: record, hash: sha256.New()}
	// Small pieces (message headers) are gathered, large ones (pixels) pass.
	p.out = &lastingWriter{w: io.MultiWriter(&stepWriter{d, d.temp(record.Name), f}, p.hash)}
	p.buffer = bufio.NewWriterSize(p.out, 1<<18)
	p.arrow, err = ipc.NewFileWriter(p, codec.options(s)...)
	if err != nil {
		_ = p.abandon()
		return nil, err
	}
	return p, nil
}

// Write and Seek are for the Arrow writer, which only ever asks where it is.
func (p *partFile) Write(b []byte) (int, error) {
	if p.tail != nil {
		return p.tail.Write(b)
	}
	n, err := p.buffer.Write(b)
	p.record.Bytes += int64(n)
	return n, err
}

func (p *partFile) Seek(int64, int) (int64, error) {
	if p.tail != nil {
		return p.record.Bytes + int64(p.tail.Len()), nil
	}
	return p.record.Bytes, nil
}

// add appends one batch.
func (p *partFile) add(b *schema.Batch, tasks []schema.Task) error {
	p.record.Rows += int64(b.Rows())
	if err := countLabels(b, tasks, p.record.Classes); err != nil {
		return err
	}
	return p.plain(p.arrow.Write(b.Record))
}

// plain is the disk's error, where there is one, without Arrow's words around it.
func (p *partFile) plain(err error) error {
	if p.out.err != nil {
		return p.out.err
	}
	return err
}

// endOfStream ends the messages of an Arrow file, as it does those of a stream.
var endOfStream = []byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}

// end writes the end of the stream and the footer. This version of Arrow leaves
// the former out, and readers that take the file for a stream need it; so what
// Close writes is gathered: of a file without batches all of it, of any other
// the footer, its length and the magic.
func (p *partFile) end() error {
	p.tail = &bytes.Buffer{}
	if err := p.arrow.Close(); err != nil {
		return err
	}
	tail := p.tail.Bytes()
	p.tail = nil
	footer := len(tail) - footerEnd - int(binary.LittleEndian.Uint32(tail[len(tail)-footerEnd:]))
	for _, b := range [][]byte{tail[:footer], endOfStream, tail[footer:]} {
		if _, err := p.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// footerEnd is the bytes behind an Arrow file's footer: its length, the magic.
const footerEnd = 4 + 6

// finish writes the footer and makes the file durable, still under its
// unfinished name.
func (p *partFile) finish() error {
	if err := p.end(); err != nil {
		return p.plain(err)
	}
	if err := p.buffer.Flush(); err != nil {
		return err
	}
	p.record.SHA256 = hex.EncodeToString(p.hash.Sum(nil))
	f := p.file
	p.file = nil
	return p.disk.sync(p.disk.temp(p.record.Name), f)
}

// abandon closes the file and takes it away.
func (p *partFile) abandon() error {
	if p.file != nil {
		p.file.Close()
	}
	return p.disk.remove(p.disk.temp(p.record.Name))
}

// abandon takes away what there is of the part.
func (p *openPart) abandon() error {
	var errs []error
	for _, f := range p.files {
		errs = append(errs, f.abandon())
	}
	return errors.Join(errs...)
}
