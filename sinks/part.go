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

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/schema"
)

// openPart is a part being written: one file per variant, under temporary names.
type openPart struct {
	number int
	last   int64 // number of the newest batch; -1 before the first
	seen   int64 // batches so far, whatever number of variants each came in
	files  []*partWriter

	reads     map[int]schema.Read // what it is made of, by sample
	untracked bool                // of some batch that isn't known
	sources   string              // the name of the file that lists it, once that is being written
}

// partWriter writes one file of a part.
type partWriter struct {
	disk   *disk
	file   *os.File // nil once closed
	record PartFile
	out    *stickyWriter
	buffer *bufio.Writer
	hash   hash.Hash
	arrow  *ipc.FileWriter
	tail   *bytes.Buffer // collects what the Arrow writer's Close writes; nil before
}

// newPartWriter starts a file under its temporary name.
func newPartWriter(d *disk, record PartFile, s *arrow.Schema, codec Codec) (*partWriter, error) {
	f, err := d.create(d.temp(record.Name))
	if err != nil {
		return nil, err
	}
	p := &partWriter{disk: d, file: f, record: record, hash: sha256.New()}
	// Small writes (message headers) are buffered, large ones (pixels) pass through.
	p.out = &stickyWriter{w: io.MultiWriter(&stepWriter{d, d.temp(record.Name), f}, p.hash)}
	p.buffer = bufio.NewWriterSize(p.out, 1<<18)
	p.arrow, err = ipc.NewFileWriter(p, codec.options(s)...)
	if err != nil {
		_ = p.abandon()
		return nil, err
	}
	return p, nil
}

// Write and Seek are for the Arrow writer, which seeks only to learn its position.
func (p *partWriter) Write(b []byte) (int, error) {
	if p.tail != nil {
		return p.tail.Write(b)
	}
	n, err := p.buffer.Write(b)
	p.record.Bytes += int64(n)
	return n, err
}

func (p *partWriter) Seek(int64, int) (int64, error) {
	if p.tail != nil {
		return p.record.Bytes + int64(p.tail.Len()), nil
	}
	return p.record.Bytes, nil
}

// add appends one batch.
func (p *partWriter) add(b *schema.Batch, tasks []schema.Task) error {
	p.record.Rows += int64(b.Rows())
	if err := countLabels(b, tasks, p.record.Classes); err != nil {
		return err
	}
	return p.plain(p.arrow.Write(b.Record))
}

// plain is the disk's own error, if there is one, in place of Arrow's.
func (p *partWriter) plain(err error) error {
	if p.out.err != nil {
		return p.out.err
	}
	return err
}

// endOfStream follows the messages of an Arrow file, as it does those of a stream.
var endOfStream = []byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}

// end writes the end-of-stream marker and the footer. This version of Arrow omits
// the former, which readers need that treat the file as a stream; so what Close
// writes is collected: the footer, its length and the magic, and everything of a
// file without batches.
func (p *partWriter) end() error {
	p.tail = &bytes.Buffer{}
	if err := p.arrow.Close(); err != nil {
		return err
	}
	tail := p.tail.Bytes()
	p.tail = nil
	footer := len(tail) - arrowfile.TailBytes - int(binary.LittleEndian.Uint32(tail[len(tail)-arrowfile.TailBytes:]))
	for _, b := range [][]byte{tail[:footer], endOfStream, tail[footer:]} {
		if _, err := p.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// finish writes the footer and makes the file durable, still under its temporary
// name.
func (p *partWriter) finish() error {
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

// abandon closes and removes the file.
func (p *partWriter) abandon() error {
	if p.file != nil {
		p.file.Close()
	}
	return p.disk.remove(p.disk.temp(p.record.Name))
}

// abandon removes what there is of the part.
func (p *openPart) abandon() error {
	var errs []error
	for _, f := range p.files {
		errs = append(errs, f.abandon())
	}
	return errors.Join(errs...)
}
