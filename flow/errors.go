package flow

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// PipelineError is a pipeline that cannot run, whatever the files hold.
type PipelineError struct{ Err error }

func (e *PipelineError) Error() string { return e.Err.Error() }

// Unwrap is the mistakes, joined.
func (e *PipelineError) Unwrap() error { return e.Err }

// StageError is a mistake in the declaration of one stage.
type StageError struct {
	Index int    // in Pipeline.Stages; -1 for the source
	Name  string // "stages: rotate", "sources: folder"
	Err   error
}

func (e *StageError) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap is the mistake without the stage's name.
func (e *StageError) Unwrap() error { return e.Err }

// RowError is a row that could not be made: which sample, which draw, in which
// stage, and why.
type RowError struct {
	Stage    string // "source" where reading failed
	Key      string
	Epoch    int
	Position int64
	Attempt  int // 0, or which refill of the draw
	Err      error

	labels  []int32 // of the sample
	read    schema.Read
	machine bool // its file could not be read
}

func (e *RowError) Error() string {
	of := "stages: " + e.Stage + ": "
	if e.Stage == "source" && strings.HasPrefix(e.Cause(), "sources: ") {
		of = "" // the source has named itself
	}
	return fmt.Sprintf("%s%s (key %q, epoch %d, position %d)", of, e.Cause(), e.Key, e.Epoch, e.Position)
}

// Cause is Err's text without the stage: decoders name themselves.
func (e *RowError) Cause() string { return strings.TrimPrefix(e.Err.Error(), e.Stage+": ") }

// EndsRun reports whether the row's sample could not be got at for a reason that
// isn't in the data: an error of the disk, a file that has changed, a lack of
// descriptors. Then the run ends whatever the policy, for which rows there are
// must not depend on the machine.
func (e *RowError) EndsRun() bool { return e.machine && !errors.Is(e.Err, sources.ErrMissing) }

// Unwrap is the cause.
func (e *RowError) Unwrap() error { return e.Err }

// AccessError ends a run with the policies skip and refill: a sample could not be
// got at, for a reason that isn't in the data.
type AccessError struct{ Row *RowError }

func (e *AccessError) Error() string {
	return e.Row.Error() + ": on_error is for samples that are broken or were missing from the start; this one could not be read, and going on would make the rows depend on the machine"
}

// ended is the error of a run that an EndsRun ends.
func ended(policy Policy, row *RowError) error {
	if policy == Fail {
		return row
	}
	return &AccessError{row}
}

// Unwrap is the row's error.
func (e *AccessError) Unwrap() error { return e.Row }

// lastFailures is the number of samples that errors show.
const lastFailures = 5

// writeFailures adds a line for each of some failures, and how often its sample failed.
func writeFailures(b *strings.Builder, list []*RowError, times []int64) {
	for i, f := range list {
		fmt.Fprintf(b, "\n  %v", f)
		if i < len(times) && times[i] > 1 {
			fmt.Fprintf(b, ", %d times", times[i])
		}
	}
}

// TooManyFailures is the error of a run in which more draws failed than
// Failures.Max allows.
type TooManyFailures struct {
	Failed, Limit int64 // draws
	Max           Limit
	Last          []*RowError // the newest failures of a few samples, the newest last

	times []int64 // that each of these samples failed
	of    string  // what the share is of; "": the run
}

func (e *TooManyFailures) Error() string {
	var b strings.Builder
	of := ""
	if e.Max.Share > 0 {
		of = fmt.Sprintf(" (%s of %s)", e.Max, cmp.Or(e.of, "the run"))
	}
	fmt.Fprintf(&b, "flow: %d draws have failed, and on_error allows %d%s: fix or remove these files, or raise max. The last of them:", e.Failed, e.Limit, of)
	writeFailures(&b, e.Last, e.times)
	return b.String()
}

// Unwrap is the failures that it shows.
func (e *TooManyFailures) Unwrap() []error { return unwrapped(e.Last) }

// NothingDelivered is the error of a run that has nothing to show for its draws:
// each of them failed and was left out. A run that makes only some of its batches,
// as the sink has the others or they were before a resume, may have none.
type NothingDelivered struct {
	Draws int64
	Last  []*RowError // the newest failures of a few samples, the newest last

	times []int64 // that each of these samples failed
}

func (e *NothingDelivered) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "flow: no row was delivered: each of %s failed, and on_error leaves such rows out: fix or replace the files. The last of them:", plural(e.Draws, "draw"))
	writeFailures(&b, e.Last, e.times)
	return b.String()
}

// Unwrap is the failures that it shows.
func (e *NothingDelivered) Unwrap() []error { return unwrapped(e.Last) }

func unwrapped(rows []*RowError) []error {
	list := make([]error, len(rows))
	for i, f := range rows {
		list[i] = f
	}
	return list
}

// within makes a StageError of each of the errors joined in err.
func within(index int, name string, err error) []error {
	list := errlist.Split(err)
	out := make([]error, len(list))
	for i, e := range list {
		out[i] = &StageError{index, name, e}
	}
	return out
}

// joined is the cause, and what came on top of it. The cause is said once, if it
// is among the errors, too.
func joined(cause error, errs ...error) error {
	if cause == nil {
		return errors.Join(errs...)
	}
	var list []error
	for _, err := range errs {
		list = append(list, without(err, cause)...)
	}
	if len(list) == 0 {
		return cause
	}
	if !errors.Is(errors.Join(list...), cause) {
		list = append([]error{cause}, list...)
	}
	return errors.Join(list...)
}

// without lists the errors joined in err but the cause itself.
func without(err, cause error) (list []error) {
	if err == nil || errors.Is(err, cause) && err.Error() == cause.Error() {
		return nil
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok && errors.Is(err, cause) {
		for _, e := range several.Unwrap() {
			list = append(list, without(e, cause)...)
		}
		return list
	}
	return []error{err}
}

// guard turns a panic of user code into an error.
func guard(what string, do func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("flow: %s: panic: %v\n%s", what, panicked, debug.Stack())
		}
	}()
	return do()
}

// wrongElement is the error of an element that an operator cannot take.
func wrongElement(operator string, have, want any) error {
	return fmt.Errorf("flow: operator %s takes %T, and got %T: connect it to an operator of this package", operator, want, have)
}
