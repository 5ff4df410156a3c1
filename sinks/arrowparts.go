package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/sluicedata/sluice/internal/plandiff"
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

	run  *partsRun
	step func(step, name string) error // see disk
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
	return wrap(a.checkDestination())
}

func (a *ArrowParts) checkDestination() error {
	var errs []error
	if a.Dir == "" {
		errs = append(errs, errors.New("no directory: set Dir"))
	}
	if a.Shards < 0 || a.Shard < 0 || a.Shard >= max(1, a.Shards) {
		errs = append(errs, fmt.Errorf("shard %d/%d: want i/n with 0 <= i < n", a.Shard, a.Shards))
	}
	return errors.Join(errs...)
}

// Open locks the directory and verifies what is in it.
func (a *ArrowParts) Open(ctx context.Context, run *schema.Run) error {
	if err := errors.Join(a.checkDestination(), a.Check()); err != nil {
		return wrap(err)
	}
	rows := a.PartRows
	if rows == 0 {
		rows = DefaultPartRows
	}
	layout, err := newLayout(run, a.Codec.name(), rows)
	if err != nil {
		return wrap(err)
	}
	shards := max(1, a.Shards)
	prefix := tempPrefix
	if shards > 1 {
		prefix += shardName(a.Shard, shards) + "-"
	}
	r := &partsRun{
		disk:   &disk{dir: filepath.Clean(a.Dir), prefix: prefix, step: a.step},
		layout: layout, shard: a.Shard, shards: shards, prints: newFingerprints(run.Samples), update: a.Update,
	}
	if layout.Codec == NoCompression && !a.AnySpace {
		r.rowBytes = run.RowBytes
	}
	for v := range run.Variants {
		s, err := run.Schema(v)
		if err != nil {
			return wrap(err)
		}
		r.schemas = append(r.schemas, s)
	}
	a.run = r
	if err := r.begin(ctx); err != nil {
		a.run = nil
		return wrap(err)
	}
	return nil
}

// Has reports whether a batch is in a verified part, or in another shard's.
func (a *ArrowParts) Has(epoch int, batch int64) bool {
	return a.run.kept[a.run.layout.part(epoch, batch)]
}

// TracksReads is true if the samples are known: each part gets a list of those it was
// made of.
func (a *ArrowParts) TracksReads() bool { return a.run.prints != nil }

// Write takes one batch. A part is finished when the next one begins.
func (a *ArrowParts) Write(ctx context.Context, b *schema.Batch) error {
	r := a.run
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r.failed != nil {
		return r.failed
	}
	if err := r.write(b); err != nil {
		r.failed = wrap(err)
	}
	return r.failed
}

// Close writes the manifest, or removes what is unfinished.
func (a *ArrowParts) Close(cause error) error {
	r := a.run
	a.run = nil
	defer r.lock.release()
	var err error
	switch {
	case cause != nil: // the caller has it already
	case r.failed != nil:
		err = r.failed
	default:
		err = wrap(r.end())
	}
	err = errors.Join(err, wrap(r.abandon()))
	if r.prints != nil && len(r.records) > 0 {
		r.prints.save(r.disk, stampsName(r.shard, r.shards))
	}
	return err
}

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
	var plan struct{ Format string }
	if data, err := readSmall(filepath.Join(path, planName)); err == nil {
		return json.Unmarshal(data, &plan) == nil && plan.Format == "arrow"
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
func (*ArrowParts) Unfinished(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, planName)); err != nil {
		return nil // a file, or a folder of some parts
	}
	_, err := ReadManifest(dir)
	return err
}

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

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sinks: arrow: %w", err)
}

// ours reports whether a file of this name may be in a directory before its plan
// is: a directory of nothing else counts as empty.
func ours(name string) bool {
	return strings.HasPrefix(name, tempPrefix) || name == lockName || strings.HasPrefix(name, lockName+"-")
}

// comparePlan refuses a directory with another plan, and says what differs.
func (r *partsRun) comparePlan(ctx context.Context, there *Layout) error {
	dir := r.disk.dir
	here := *r.layout
	here.Version = there.Version
	list := differences(there, &here)
	if len(list) == 0 && there.Version != LayoutVersion && r.shards == 1 && unused(dir) {
		return r.takeOver()
	}
	if len(list) == 0 {
		r.layout.Version = there.Version
		return nil
	}
	if !slices.ContainsFunc(list, func(c plandiff.Change) bool { return !isOfSource(c) }) && r.prints != nil {
		return r.otherSource(ctx, there)
	}
	return fmt.Errorf("%s holds another dataset; what differs, there -> here:\n  %s\nChoose another directory, or remove this one", dir, plandiff.Lines(plandiff.Texts(list)))
}

// isOfSource reports whether a difference of two plans follows from their sources: keys,
// sizes, labels and other columns, and so the number of rows and the classes.
func isOfSource(c plandiff.Change) bool {
	return slices.Contains([]string{"plan_hash", "source", "epoch_rows", "rows_per_epoch", "batches_per_epoch", "part_count", "classes"}, c.Of)
}
