package sinks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/schema"
)

// DefaultPartRows is the number of rows in a part, roughly, if PartRows is 0.
const DefaultPartRows = 4096

// ArrowParts materializes a run: Arrow IPC files in a directory, with a
// manifest that is written last.
//
//	plan.json                      what the data set is; a Layout
//	part-00000-of-00016.arrow      whole batches of one epoch, one record each
//	scale-0.5/part-...             the same with a multi-scale stage
//	sources/part-...xxh128         the samples that the part was made of, with their fingerprints
//	manifest.json                  rows, checksum and classes of every part; a Manifest
//
// Every file is written under a name beginning with .tmp-, synced and renamed, so
// that a file with its final name is complete. After a crash or a cancellation
// the same run resumes where it stopped, and the directory ends up with the same
// bytes as if it had never stopped. A directory of another run is refused. A
// finished one is verified and left alone; damaged parts are rewritten.
//
// With several variants a part is one file per variant, each covering the same
// batches. If not every batch comes in every variant (multiscale's pick), some of
// these files hold fewer batches, or none.
//
// Several processes can share the work on one file system: shard i of n writes
// the parts p with p mod n = i, and manifest-i-of-n.json; the one that finds all
// of these manifests writes manifest.json.
type ArrowParts struct {
	Codec    Codec `sluice:"codec" default:"none" doc:"compression of the buffers; none can be mapped into memory"`
	PartRows int   `sluice:"part_rows,positive" default:"4096" doc:"rows of a file, rounded down to whole batches, at least one"`

	ClassNames bool `sluice:"class_names" doc:"also the names of classes, class.<task>, with a dictionary, for DuckDB, Polars and pandas"`

	Dir    string // created if missing
	Shard  int    // 0-based
	Shards int    // 0 or 1: everything
	// AnySpace starts even if the missing parts seem larger than the free space of
	// their file system. Otherwise that is an error, if it can be told: for rows of
	// fixed size, uncompressed, on Linux, macOS and FreeBSD.
	AnySpace bool
	// Update rewrites the parts whose samples have changed since; otherwise such a
	// directory is refused with a SourceChanged. The old parts stay until all new ones
	// are complete: a run that fails leaves them and their manifest in place, and what
	// it has written beside them, under names that begin with .update-.
	Update bool

	parts Parts
}

var (
	_ Skipper        = (*ArrowParts)(nil)
	_ ReadTracker    = (*ArrowParts)(nil)
	_ Reader         = (*ArrowParts)(nil)
	_ SourceVerifier = (*ArrowParts)(nil)
	_ Updater        = (*ArrowParts)(nil)
)

// Name is arrow.
func (*ArrowParts) Name() string { return "arrow" }

// Check reports every impossible option at once.
func (a *ArrowParts) Check() error {
	var errs []error
	if err := a.Codec.check(); err != nil {
		errs = append(errs, fmt.Errorf("codec: %w", err))
	}
	if a.PartRows < 0 {
		errs = append(errs, fmt.Errorf("part_rows: %d: want a positive number (0: %d)", a.PartRows, DefaultPartRows))
	}
	return errors.Join(errs...)
}

// Into sets Dir, Shard, Shards, AnySpace and Update.
func (a *ArrowParts) Into(to Destination) error {
	a.Dir, a.Shard, a.Shards, a.AnySpace, a.Update = to.Dir, to.Shard, to.Shards, to.AnySpace, to.Update
	return a.wrap(to.check())
}

func (a *ArrowParts) wrap(err error) error {
	a.parts.name = a.Name()
	return a.parts.wrap(err)
}

// Open locks the directory and verifies what is in it.
func (a *ArrowParts) Open(ctx context.Context, run *schema.Run) error {
	a.parts.to = Destination{Dir: a.Dir, Shard: a.Shard, Shards: a.Shards, AnySpace: a.AnySpace, Update: a.Update}
	if err := errors.Join(a.parts.to.check(), a.Check()); err != nil {
		return a.wrap(err)
	}
	c := PartsConfig{Rows: cmp.Or(a.PartRows, DefaultPartRows)}
	if a.Codec.name() == NoCompression {
		c.RowBytes = run.RowBytes
	}
	return a.parts.Start(ctx, run, arrowEncoding{a.Codec.name(), a.ClassNames}, c)
}

// Has reports whether a batch is in a verified part, or in another shard's.
func (a *ArrowParts) Has(epoch int, batch int64) bool { return a.parts.Has(epoch, batch) }

// TracksReads is true if the samples are known: each part gets a list of those it was
// made of.
func (a *ArrowParts) TracksReads() bool { return a.parts.TracksReads() }

// Write takes one batch. A part is finished when the next one begins.
func (a *ArrowParts) Write(ctx context.Context, b *schema.Batch) error { return a.parts.Write(ctx, b) }

// Close writes the manifest, or removes what is unfinished.
func (a *ArrowParts) Close(cause error) error { return a.parts.Close(cause) }

// Recognizes a directory whose plan.json is of this format, one of Arrow files, and a
// file that begins as an Arrow file does.
func (*ArrowParts) Recognizes(path string) bool {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false
	case info.Mode().IsRegular():
		head, err := readHead(path, len(ipc.Magic))
		return err == nil && bytes.Equal(head, ipc.Magic)
	case !info.IsDir():
		return false
	}
	if _, err := readSmall(filepath.Join(path, planName)); err == nil {
		return formatIn(path) == "arrow"
	}
	files, err := filepath.Glob(filepath.Join(path, "*.arrow"))
	return err == nil && len(files) > 0
}

func readHead(path string, n int) ([]byte, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, n)
	_, err = io.ReadFull(f, head)
	return head, err
}

// ReadBatches is ReadParts.
func (*ArrowParts) ReadBatches(ctx context.Context, path string, f func(*schema.Batch) error) error {
	return ReadPartsContext(ctx, path, f)
}

// Unfinished says why a directory with a plan has no manifest that can be read.
func (a *ArrowParts) Unfinished(dir string) error { return a.parts.Unfinished(dir) }

// Verify is the function of that name.
func (*ArrowParts) Verify(ctx context.Context, dir string, tell func(done, parts int)) (VerifyReport, error) {
	if tell == nil {
		return Verify(ctx, dir)
	}
	return Verify(ctx, dir, tell)
}

// VerifySource is the function of that name.
func (*ArrowParts) VerifySource(ctx context.Context, dir string, samples schema.Samples) (SourceReport, error) {
	return VerifySource(ctx, dir, samples)
}

// AfterFailedUpdate is the function of that name, of Dir.
func (a *ArrowParts) AfterFailedUpdate() string { return AfterFailedUpdate(a.Dir) }

// arrowEncoding writes Arrow IPC files: a record for each batch.
type arrowEncoding struct {
	codec Codec
	names bool
}

func (arrowEncoding) Name() string { return "arrow" }
func (arrowEncoding) Ext() string  { return ".arrow" }

// Options are only those that aren't at their default: layouts of before had none. The codec
// has a field of its own in Layout.
func (e arrowEncoding) Options() any {
	if !e.names {
		return nil
	}
	return map[string]bool{"class_names": true}
}

func (e arrowEncoding) Begin(p *Part) (Encoder, error) {
	a, s := &arrowEncoder{part: p}, p.Schema
	var err error
	if e.names {
		if a.names, err = newClassNames(s, p.Run.Tasks); err != nil {
			return nil, err
		}
		s = a.names.schema
	}
	a.arrow, err = ipc.NewFileWriter(a, e.codec.options(s)...)
	return a, err
}

func (arrowEncoding) Count(ctx context.Context, file string, l *Layout, add func(rows int64, labels [][]int32) error) error {
	return readFile(ctx, file, memory.DefaultAllocator, 0, func(b *schema.Batch) error { return add(int64(b.Rows()), labelsOf(b)) })
}

// arrowEncoder writes one file. The Arrow writer seeks only to learn its position.
type arrowEncoder struct {
	part  *Part
	arrow *ipc.FileWriter
	names *classNames   // nil: none
	tail  *bytes.Buffer // collects what the Arrow writer's Close writes; nil before
}

func (a *arrowEncoder) Write(b []byte) (int, error) {
	if a.tail != nil {
		return a.tail.Write(b)
	}
	return a.part.Write(b)
}

func (a *arrowEncoder) Seek(int64, int) (int64, error) {
	if a.tail != nil {
		return a.part.Written() + int64(a.tail.Len()), nil
	}
	return a.part.Written(), nil
}

// Add writes a batch as one record.
func (a *arrowEncoder) Add(b *schema.Batch) error {
	if a.names == nil {
		return a.arrow.Write(b.Record)
	}
	rec := a.names.record(b)
	defer rec.Release()
	return a.arrow.Write(rec)
}

// endOfStream follows the messages of an Arrow file, as it does those of a stream.
var endOfStream = []byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}

// Finish writes the end-of-stream marker and the footer. This version of Arrow omits
// the former, which readers need that treat the file as a stream; so what Close
// writes is collected: the footer, its length and the magic, and everything of a
// file without batches.
func (a *arrowEncoder) Finish() error {
	a.tail = &bytes.Buffer{}
	if err := a.arrow.Close(); err != nil {
		return err
	}
	tail := a.tail.Bytes()
	a.tail = nil
	footer := len(tail) - arrowfile.TailBytes - int(binary.LittleEndian.Uint32(tail[len(tail)-arrowfile.TailBytes:]))
	for _, b := range [][]byte{tail[:footer], endOfStream, tail[footer:]} {
		if _, err := a.Write(b); err != nil {
			return err
		}
	}
	return nil
}
