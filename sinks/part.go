package sinks

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"os"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/schema"
)

// openPart is a part being written: one file per variant, under temporary names.
type openPart struct {
	number int
	last   int64 // number of the newest batch; -1 before the first
	seen   int64 // batches so far, whatever number of variants each came in
	files  []*Part

	reads     map[int]schema.Read // what it is made of, by sample
	untracked bool                // of some batch that isn't known
	sources   string              // the name of the file that lists it, once that is being written
}

// Part is a part's file in one variant while an Encoder writes it.
type Part struct {
	Run     *schema.Run
	Variant int           // of Run.Variants
	Schema  *arrow.Schema // of the variant's batches

	Number     int   // of the part, from 0, over all epochs
	Epoch      int   // that all its batches are of
	FirstBatch int64 // within the epoch
	Batches    int64 // that the part covers; a variant that isn't picked for all of them gets fewer

	disk    *disk
	file    *os.File // nil once closed
	record  PartFile
	out     *stickyWriter
	buffer  *bufio.Writer
	hash    hash.Hash
	encoder Encoder
	targets targetTally
	members []string // names of the files that Create made
}

// begin starts the file under its temporary name.
func (p *Part) begin(e Encoding) (err error) {
	if p.file, err = p.disk.create(p.disk.temp(p.record.Name)); err != nil {
		return err
	}
	p.hash, p.targets = sha256.New(), newTargetTally(e, p.Run)
	// Small writes (message headers) are buffered, large ones (pixels) pass through.
	p.out = &stickyWriter{w: &stepWriter{p.disk, p.disk.temp(p.record.Name), &partFile{file: p.file, hash: p.hash}}}
	p.buffer = bufio.NewWriterSize(p.out, 1<<18)
	if p.encoder, err = e.Begin(p); err != nil {
		return errors.Join(p.plain(err), p.abandon())
	}
	return nil
}

// Write appends to the file. It is buffered.
func (p *Part) Write(b []byte) (int, error) {
	n, err := p.buffer.Write(b)
	p.record.Bytes += int64(n)
	return n, err
}

// Written is the number of bytes so far.
func (p *Part) Written() int64 { return p.record.Bytes }

// add appends one batch.
func (p *Part) add(b *schema.Batch, tasks []schema.Task) error {
	p.record.Rows += int64(b.Rows())
	if err := countLabels(labelsOf(b), tasks, p.record.Classes); err != nil {
		return err
	}
	if err := p.targets.add(b); err != nil {
		return err
	}
	return p.plain(p.encoder.Add(b))
}

// plain is the disk's own error, if there is one, in place of the encoder's.
func (p *Part) plain(err error) error {
	if p.out.err != nil {
		return p.out.err
	}
	return err
}

// finish ends the file and makes it durable, still under its temporary name.
func (p *Part) finish() error {
	if err := p.encoder.Finish(); err != nil {
		return p.plain(err)
	}
	p.encoder = nil
	if err := p.buffer.Flush(); err != nil {
		return err
	}
	p.record.Targets = p.targets.record()
	p.record.SHA256 = hex.EncodeToString(p.hash.Sum(nil))
	f := p.file
	p.file = nil
	return p.disk.sync(p.disk.temp(p.record.Name), f)
}

// abandon closes and removes the file.
func (p *Part) abandon() error {
	if e, ok := p.encoder.(interface{ Abandon() }); ok {
		e.Abandon()
	}
	if p.file != nil {
		p.file.Close()
	}
	errs := []error{p.disk.remove(p.disk.temp(p.record.Name))}
	for i := range p.members {
		errs = append(errs, p.disk.remove(p.disk.temp(place(p.record.Name, i))))
	}
	return errors.Join(errs...)
}

// abandon removes what there is of the part.
func (p *openPart) abandon() error {
	var errs []error
	for _, f := range p.files {
		errs = append(errs, f.abandon())
	}
	return errors.Join(errs...)
}
