package sinks

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluicedata/sluice/schema"
)

// Format is a Sink that writes a data set: files in a directory. It is a struct of options,
// tagged as a stage's are, that pipeline files name under sink and `sluice materialize` by
// --format. Where it writes is not an option: Into says so before each Open.
//
// Whatever else a format can do is in the interfaces below. A command asks for the
// one that it needs, and says so if the format lacks it.
type Format interface {
	Sink
	// Name is the format's name in pipeline files, lower case.
	Name() string
	// Check reports every impossible option at once, each error beginning with the
	// option's name. It doesn't touch the disk.
	Check() error
	// Into says where the next run's files go, and refuses what the format cannot do. It doesn't touch the disk.
	Into(to Destination) error
}

// Destination says where a data set is written, and which share of it.
type Destination struct {
	Dir    string // created if missing
	Shard  int    // this process makes shard Shard, from 0, of Shards
	Shards int    // 0 or 1: all of it

	// AnySpace starts even if the disk seems too small.
	AnySpace bool
	// Update rewrites what was made of samples that have changed since. Without it such
	// a directory is refused.
	Update bool
}

// Recognizer tells data sets of its format from others.
type Recognizer interface {
	Format
	// Recognizes reports whether a directory or file looks like one of this format,
	// damaged and unfinished ones included. It reports false for what cannot be read.
	Recognizes(path string) bool
}

// Reader reads its data sets back, as `sluice inspect` does.
type Reader interface {
	Recognizer
	// ReadBatches calls f with every batch, which is valid until f returns. An error
	// from f stops it and is returned unchanged.
	ReadBatches(ctx context.Context, path string, f func(*schema.Batch) error) error
	// Unfinished says what is missing from a data set that can be read nevertheless; nil
	// if nothing is.
	Unfinished(path string) error
}

// Verifier checks a data set against what was noted when it was made, as `sluice verify` does.
type Verifier interface {
	Recognizer
	// Verify reads all of it. An error means that it could not; whatever is wrong is in
	// the report. progress, unless nil, is called with the number of parts checked so far,
	// from several goroutines.
	Verify(ctx context.Context, dir string, progress func(done, parts int)) (VerifyReport, error)
}

// SourceVerifier also compares the samples that a data set was made of with the source
// as it is now.
type SourceVerifier interface {
	Verifier
	VerifySource(ctx context.Context, dir string, samples schema.Samples) (SourceReport, error)
}

// Updater is a Format that supports Destination.Update.
type Updater interface {
	Format
	// AfterFailedUpdate says what the directory holds after a run with Update has
	// failed; "" if no update was started.
	AfterFailedUpdate() string
}

// Warner is a Format that may write what its readers take for something else.
type Warner interface {
	Format
	// Warnings are about a run that is going to be written: one sentence each, beginning with
	// the format's name. It doesn't touch the disk.
	Warnings(run *schema.Run) []string
}

// Remarker is a Format that knows only at the end what its readers won't find.
type Remarker interface {
	Format
	// Remarks are about the run that was written last, as Warnings are about one before it is.
	Remarks() []string
}

// fitting names the formats of pictures that write what samples have.
func fitting(spec *schema.TargetSpec) string {
	switch {
	case spec.Objects():
		return "coco or yolo"
	case spec.HasMask():
		return "masks"
	}
	return "folder or webdataset"
}

// withoutTargets warns of what a format leaves out that writes pictures and labels alone.
func withoutTargets(format string, run *schema.Run) []string {
	var kinds []string
	if run.Targets.Objects() {
		kinds = append(kinds, "boxes")
	}
	if run.Targets.HasMask() {
		kinds = append(kinds, "masks")
	}
	var list []string
	if run.HasShares() {
		list = append(list, fmt.Sprintf("%s: pictures are mixed with others, and this format writes each one's own class alone: choose arrow, or train on the pipeline, to keep the shares", format))
	}
	keepers := "arrow or parquet"
	switch {
	case len(kinds) == 0:
		return list
	case len(kinds) == 2:
	case run.Targets.Objects():
		keepers = "arrow, parquet, coco or yolo"
	default:
		keepers = "arrow, parquet or masks"
	}
	return append(list, fmt.Sprintf("%s: the samples have %s, which this format doesn't write: choose %s to keep them", format, strings.Join(kinds, " and "), keepers))
}

// Recognize returns the first format of a catalogue that recognizes a path, or nil.
func Recognize(catalog []Entry, path string) Format {
	for _, e := range catalog {
		format := e.New()
		if r, ok := format.(Recognizer); ok && r.Recognizes(path) {
			return format
		}
	}
	return nil
}
