package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/schema"
)

// Encoding is what a format adds to Parts: how the batches of a part become the bytes of
// its file. Usually it is the format itself. Name, Ext and Count work without options.
type Encoding interface {
	// Name is the format's, as plan.json has it.
	Name() string
	// Ext is the extension of the parts' files, with its dot.
	Ext() string
	// Options are those that change bytes, with their defaults written out, as plan.json
	// holds them: anything that encoding/json takes; nil: none. The rows of a part are in
	// it anyway.
	Options() any
	// Begin starts the file of a part. Several may be open at once, one for each variant.
	Begin(p *Part) (Encoder, error)
	// Count reads a finished file and calls add, as often as it likes, with a number of
	// rows and their labels, [task][row], schema.Unknown where there is none. The file
	// need not be trusted.
	Count(ctx context.Context, file string, l *Layout, add func(rows int64, labels [][]int32) error) error
}

// Lister is an Encoding whose parts also hold files of their own, such as images: those
// that Part.Create made. A part's own file lists them, with their fingerprints.
type Lister interface {
	Encoding
	// Members reads the list in a part's file, in the order of creation. The file need not
	// be trusted.
	Members(file string) ([]Member, error)
}

// Member is a file that belongs to a part.
type Member struct {
	Name  string // relative to the folder of the part's file, slash-separated
	Bytes int64
	Print schema.Print // of its bytes
}

// summarizer is a Lister that may also write a file about all parts of a variant, before
// the manifest.
type summarizer interface {
	// summaryName is that file's name; "" for none.
	summaryName(l *Layout) string
	// summarize writes it; files are the parts' in their order. They need not be trusted.
	summarize(w io.Writer, l *Layout, files []string) error
}

// Encoder writes the file of one part: to its Part, in the order of calls. If it has a
// method Abandon(), that is called in place of Finish where the part is given up.
type Encoder interface {
	// Add appends a batch, which may have no rows, and doesn't keep it.
	Add(b *schema.Batch) error
	// Finish writes what remains of the file.
	Finish() error
}

// Parts writes a run as parts, files of whole batches, with a plan, a manifest, and all
// that ArrowParts describes; in which format is its Encoding's to say. A Format embeds
// it, and calls Start in its Open.
type Parts struct {
	to   Destination
	name string // of the format
	run  *partsRun
	step func(step, name string) error // see disk
}

// PartsConfig is what Start must know beside the run.
type PartsConfig struct {
	Rows int // of a part, rounded down to whole batches, at least one
	// RowBytes is about what a row takes on the disk. If it is known, not 0, a run that
	// clearly doesn't fit there isn't begun.
	RowBytes int64
}

// Into says where the next run's files go.
func (p *Parts) Into(to Destination) error {
	p.to = to
	if err := to.check(); err != nil {
		return fmt.Errorf("sinks: %w", err)
	}
	return nil
}

func (to *Destination) check() error {
	var errs []error
	if to.Dir == "" {
		errs = append(errs, errors.New("no directory: set Dir"))
	}
	if to.Shards < 0 || to.Shard < 0 || to.Shard >= max(1, to.Shards) {
		errs = append(errs, fmt.Errorf("shard %d/%d: want i/n with 0 <= i < n", to.Shard, to.Shards))
	}
	return errors.Join(errs...)
}

// Start locks the directory and verifies what is in it. If it fails, nothing is held.
func (p *Parts) Start(ctx context.Context, run *schema.Run, e Encoding, c PartsConfig) error {
	p.name = e.Name()
	if err := p.to.check(); err != nil {
		return p.wrap(err)
	}
	layout, err := newLayout(run, e, c.Rows)
	if err != nil {
		return p.wrap(err)
	}
	return p.wrap(p.begin(ctx, run, e, layout, c.RowBytes))
}

func (p *Parts) begin(ctx context.Context, run *schema.Run, e Encoding, layout *Layout, rowBytes int64) error {
	shards := max(1, p.to.Shards)
	prefix := tempPrefix
	if shards > 1 {
		prefix += shardName(p.to.Shard, shards) + "-"
	}
	r := &partsRun{
		disk: &disk{dir: filepath.Clean(p.to.Dir), prefix: prefix, step: p.step, format: e},
		run:  run, encoding: e, layout: layout,
		shard: p.to.Shard, shards: shards, prints: newFingerprints(run.Samples), update: p.to.Update,
	}
	if !p.to.AnySpace {
		r.rowBytes = rowBytes
	}
	for v := range run.Variants {
		s, err := run.Schema(v)
		if err != nil {
			return err
		}
		r.schemas = append(r.schemas, s)
	}
	p.run = r
	if err := r.begin(ctx); err != nil {
		p.run = nil
		return err
	}
	return nil
}

// Has reports whether a batch is in a verified part, or in another shard's.
func (p *Parts) Has(epoch int, batch int64) bool {
	return p.run.kept[p.run.layout.part(epoch, batch)]
}

// TracksReads is true if the samples are known: each part gets a list of those it was
// made of.
func (p *Parts) TracksReads() bool { return p.run.prints != nil }

// Write takes one batch. A part is finished when the next one begins.
func (p *Parts) Write(ctx context.Context, b *schema.Batch) error {
	r := p.run
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r.failed != nil {
		return r.failed
	}
	if err := r.write(b); err != nil {
		r.failed = p.wrap(err)
	}
	return r.failed
}

// Close writes the manifest, or removes what is unfinished.
func (p *Parts) Close(cause error) error {
	r := p.run
	p.run = nil
	defer r.lock.release()
	var err error
	switch {
	case cause != nil: // the caller has it already
	case r.failed != nil:
		err = r.failed
	default:
		err = p.wrap(r.end())
	}
	err = errors.Join(err, p.wrap(r.abandon()))
	if r.prints != nil && len(r.records) > 0 {
		r.prints.save(r.disk, stampsName(r.shard, r.shards))
	}
	return err
}

// VerifySource is the function of that name.
func (*Parts) VerifySource(ctx context.Context, dir string, samples schema.Samples) (SourceReport, error) {
	return VerifySource(ctx, dir, samples)
}

// AfterFailedUpdate is the function of that name, of the run's directory.
func (p *Parts) AfterFailedUpdate() string { return AfterFailedUpdate(p.to.Dir) }

// Unfinished says why a directory with a plan has no manifest that can be read.
func (*Parts) Unfinished(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, planName)); err != nil {
		return nil // a file, or a folder of some parts
	}
	_, err := ReadManifest(dir)
	return err
}

func (p *Parts) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sinks: %s: %w", p.name, err)
}

// RecognizesParts reports whether a directory's plan.json is of a format.
func RecognizesParts(dir, format string) bool { return formatIn(dir) == format }

// formatIn is the format of the plan in a directory; "" without a readable one.
func formatIn(dir string) string {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return ""
	}
	var plan struct{ Format string }
	data, err := readSmall(filepath.Join(dir, planName))
	if err != nil || json.Unmarshal(data, &plan) != nil {
		return ""
	}
	return plan.Format
}
