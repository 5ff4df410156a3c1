package sinks

import (
	"context"

	"github.com/sluicedata/sluice/schema"
)

// Format is a Sink that writes a data set: files in a directory, which stay. It
// is a struct of options, tagged as a stage's are, that pipeline files name under
// sink and `sluice materialize` by --format. Where it writes is no option: Into says
// that, before each Open.
//
// What else a format may be able to do is in the interfaces below. A command asks
// for the one that it needs, and says which format lacks it.
type Format interface {
	Sink
	// Name is the format's name in pipeline files, lower case.
	Name() string
	// Check reports every impossible option at once, each error beginning with the
	// option's name. It doesn't touch the disk.
	Check() error
	// Into says where the next run's files go, and refuses what the format cannot do
	// there. It doesn't touch the disk.
	Into(to Destination) error
}

// Destination is where a data set is written, by whom.
type Destination struct {
	Dir    string // made if it isn't there
	Shard  int    // this process makes shard Shard, from 0, of Shards
	Shards int    // 0 or 1: all of it

	// AnySpace begins even where the disk seems to be too small.
	AnySpace bool
	// Update makes again what was made of samples that have changed since. Without it
	// a directory made of other samples is refused.
	Update bool
}

// Recognizer tells data sets of its format from others.
type Recognizer interface {
	Format
	// Recognizes reports whether a directory or file looks like one of this format,
	// be it damaged or unfinished. What cannot be read doesn't.
	Recognizes(path string) bool
}

// Reader reads its data sets back, as `sluice inspect` does.
type Reader interface {
	Recognizer
	// ReadBatches calls f with every batch, which is valid until f returns. An error
	// of f ends the reading and is returned as it is.
	ReadBatches(ctx context.Context, path string, f func(*schema.Batch) error) error
	// Unfinished says what a data set lacks that can be read all the same; nil: nothing.
	Unfinished(path string) error
}

// Verifier checks a data set against what was noted when it was made, as `sluice verify` does.
type Verifier interface {
	Recognizer
	// Verify reads all of it. An error means that it couldn't; what is wrong is in the
	// report. tell, if it isn't nil, is told how many parts are checked, from several
	// goroutines.
	Verify(ctx context.Context, dir string, tell func(done, parts int)) (VerifyReport, error)
}

// SourceVerifier also compares the samples that a data set was made of with what
// they are now.
type SourceVerifier interface {
	Verifier
	VerifySource(ctx context.Context, dir string, samples schema.Samples) (SourceReport, error)
}

// Updater is a Format that takes Destination.Update.
type Updater interface {
	Format
	// AfterFailedUpdate says what the directory holds after a run with Update that
	// failed; "": no update was begun.
	AfterFailedUpdate() string
}

// Recognize is the first format of a catalogue that recognizes a path; nil: none does.
func Recognize(catalog []Entry, path string) Format {
	for _, e := range catalog {
		format := e.New()
		if r, ok := format.(Recognizer); ok && r.Recognizes(path) {
			return format
		}
	}
	return nil
}
