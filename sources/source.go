// Package sources declares where samples come from. This file is the contract;
// every other file holds one source, or what several share.
//
// A Source is options; Open reads its listing, never an image, and gives a
// Dataset: an index in a stable order, and the encoded bytes of each sample by
// number. The order, the keys and the labels depend on the data alone, not on
// the path, the file system or the time.
package sources

import (
	"context"
	"errors"

	"github.com/sluicedata/sluice/schema"
)

// Source declares where samples are. Option structs carry the same tags as those
// of stages (see package stages).
type Source interface {
	Name() string
	// Check reports every impossible option at once, without touching the disk.
	// Errors begin with the option's name; the caller adds the source's.
	Check() error
	// Open lists the samples. An empty or unreadable source is an error that
	// says what was looked for and where. It checks the options itself, and ends
	// early when ctx does. The caller closes the Dataset.
	Open(ctx context.Context) (Dataset, error)
}

// ErrMissing is wrapped by the error of reading a sample that was missing when the
// source was listed: a row of a list without its file, a broken link. Its size in
// the index is -1. That is a property of the data, and part of their identity, so
// on_error decides what happens to the row.
var ErrMissing = errors.New("it was missing when the source was listed")

// Dataset is an opened source. Index and Read are safe for concurrent use.
type Dataset interface {
	// Index belongs to the Dataset and must not be changed. Samples are sorted
	// by key, bytewise; keys are unique and UTF-8.
	Index() schema.Index
	// Read returns the encoded bytes of a sample, exactly as many as Index().Size(sample). It
	// may use buf's storage; the result belongs to the caller.
	//
	// An error that wraps ErrMissing fails the row; it is returned for samples of size
	// -1 and no others. Any other error ends the run, whatever on_error says: no row
	// may depend on the machine. So Read itself tries again where that makes sense (no
	// free file descriptor, a lost connection), and its error says what to do. A sample
	// that has disappeared or changed since Open is such an error, too.
	Read(ctx context.Context, sample int, buf []byte) ([]byte, error)
	// Close releases files. No Read may be in progress, or follow.
	Close() error
}

// Stamper is a Dataset that can tell whether a sample may have changed since an
// earlier run, without reading it.
type Stamper interface {
	Dataset
	// Stamp changes whenever the sample's bytes or its mask are written again, as the times of
	// their files do; "" where that isn't known. It depends on the machine, and so
	// is part of no hash.
	Stamp(sample int) string
}

// Lender is a Dataset that has the pixels of samples in memory, such as those of a mapped
// file. A run samples them where they lie, in place of reading and decoding a copy.
type Lender interface {
	Dataset
	// Lend is the picture that decoding the bytes of Read gives, RGB in uint8 hwc; ok is
	// false where the sample isn't lent, and Read gives it, or the error. Like Read it is
	// called ahead of use, and may wait until the pixels are in memory. They belong to the
	// Dataset: nobody may change them, and they are there until Close. Looking at them may
	// be a fault where their file has been truncated; the caller is prepared for it.
	Lend(ctx context.Context, sample int) (lent schema.Picture, ok bool)
	// Unchanged is called when a lent picture has been looked at. Its error, as Read's
	// would be, says that the pixels may not have been those that were listed.
	Unchanged(ctx context.Context, sample int) error
}

// ErrTargets is wrapped by the error of targets that are broken: a mask that isn't there, a
// polygon that can't be read. That is a property of the data, so on_error decides what
// happens to the row.
var ErrTargets = schema.ErrTargets

// Targeter is a Dataset whose samples have targets: boxes, polygons, keypoints, masks. Its
// Index is schema.Targeted.
type Targeter interface {
	Dataset
	// Targets reads those of a sample into t, which is empty and whose memory it may
	// use. What it sets is read by others until t is reset. An error that wraps ErrTargets fails
	// the row; any other ends the run, as those of Read do. Safe for concurrent use.
	Targets(ctx context.Context, sample int, t *schema.Targets) error
	// TargetBytes is about how much memory Targets takes.
	TargetBytes(sample int) int64
}

// readTargets is Targets of a Dataset that may be a Targeter.
func readTargets(ctx context.Context, d Dataset, sample int, t *schema.Targets) error {
	if of, ok := d.(Targeter); ok {
		return of.Targets(ctx, sample, t)
	}
	return nil
}

// targetBytes is TargetBytes of a Dataset that may be a Targeter.
func targetBytes(d Dataset, sample int) int64 {
	if of, ok := d.(Targeter); ok {
		return of.TargetBytes(sample)
	}
	return 0
}

// Uniform is a Source whose pictures may all have one size without a stage that resizes.
// Only its Dataset, a Sized, tells; until it is open, stages that need one size are taken.
type Uniform interface {
	Source
	MayBeUniform() bool
}

// Sized is the Dataset of a Uniform source, which tells from the listing alone.
type Sized interface {
	Dataset
	// PictureSize is that of every picture that decoding the bytes of Read gives; ok is
	// false where sizes differ, or may.
	PictureSize() (height, width int, ok bool)
}

// MayBeUniform reports whether a source, or one inside it, is Uniform.
func MayBeUniform(s Source) bool {
	u, ok := find[Uniform](s)
	return ok && u.MayBeUniform()
}

// SizeOf is PictureSize of a Dataset that may be Sized.
func SizeOf(d Dataset) (height, width int, ok bool) {
	if s, is := d.(Sized); is {
		return s.PictureSize()
	}
	return 0, 0, false
}

// lentBy is Lend of a Dataset that may be a Lender.
func lentBy(ctx context.Context, d Dataset, sample int) (schema.Picture, bool) {
	if l, ok := d.(Lender); ok {
		return l.Lend(ctx, sample)
	}
	return schema.Picture{}, false
}

// unchangedIn is Unchanged of a Dataset that may be a Lender.
func unchangedIn(ctx context.Context, d Dataset, sample int) error {
	if l, ok := d.(Lender); ok {
		return l.Unchanged(ctx, sample)
	}
	return nil
}

// Warner is a Dataset with warnings about what is legal but probably not intended:
// one sentence each, beginning with the source's name.
type Warner interface {
	Dataset
	Warnings() []string
}

// Wrapper is a Source around another: one side of it, or the same samples with other
// class numbers.
type Wrapper interface {
	Source
	// Unwrap is the source inside.
	Unwrap() Source
	// Summary is what the wrapper adds, as `sluice plan` shows it after the options
	// of the source inside: "split val: 0.1".
	Summary() string
}

// Sided is a Source that takes one side of a split. A validation side should be drawn
// once and left as it is, and nothing should be measured on it: a plan warns of
// stages that do otherwise.
type Sided interface {
	Source
	Side() Side
}

// ClassFixer is a Source whose options may fix the classes and their numbers, so that
// ClassesFrom cannot give it others.
type ClassFixer interface {
	Source
	FixesClasses() bool
}

// Follower is a Source whose classes have the numbers that they have in another, such as the
// training set's: ClassesFrom.
type Follower interface {
	Source
	FollowsClasses() bool
}

// Follows reports whether a source, or one inside it, is a Follower.
func Follows(s Source) bool {
	follower, ok := find[Follower](s)
	return ok && follower.FollowsClasses()
}

// SideOf is the side that a source takes, or one inside it; "" where none is Sided.
func SideOf(s Source) Side {
	if sided, ok := find[Sided](s); ok {
		return sided.Side()
	}
	return ""
}

// find looks for a capability of a source, or else of the one inside it.
func find[C Source](s Source) (c C, ok bool) {
	for s != nil {
		if c, ok = s.(C); ok {
			return c, true
		}
		w, wraps := s.(Wrapper)
		if !wraps {
			break
		}
		s = w.Unwrap()
	}
	return c, false
}

// Whole is the source of which s is a side, and s itself where it isn't Sided.
func Whole(s Source) Source {
	for {
		_, sided := s.(Sided)
		w, wraps := s.(Wrapper)
		if !sided || !wraps {
			return s
		}
		s = w.Unwrap()
	}
}
