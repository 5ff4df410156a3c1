package flow

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// Policy says what becomes of a row that cannot be made. It is part of the plan:
// it decides which rows there are.
type Policy string

// The policies.
const (
	Fail   Policy = "fail"   // the run ends with the row's error, as it does with the others where a file cannot be got at
	Skip   Policy = "skip"   // its batch is shorter; nothing moves up
	Refill Policy = "refill" // another sample of its class takes its place
)

// Values lists the policies.
func (Policy) Values() []string { return []string{string(Fail), string(Skip), string(Refill)} }

// Failures are what to do about rows that cannot be made.
type Failures struct {
	Policy Policy // "": fail
	// Max is the number of draws that may fail before the run does, refilled
	// ones included. The zero value means 1 % of the run's draws.
	Max Limit
	// Quarantine is the file that lists what failed; "": none. See Entry. What
	// Stream.Flow is given has another one: bad-given.jsonl for bad.jsonl.
	Quarantine string
}

// Limit is a number of draws, or a share of a run's draws, rounded up.
type Limit struct {
	Count int64
	Share float64
}

// DefaultLimit is that of a run whose Failures.Max is zero.
var DefaultLimit = Limit{Share: 0.01}

// ParseLimit reads "25" or "1%".
func ParseLimit(text string) (Limit, error) {
	if number, ok := strings.CutSuffix(text, "%"); ok {
		percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(percent > 0 && percent <= 100) {
			return Limit{}, fmt.Errorf("%q: a share is above 0%% and at most 100%%", text)
		}
		return Limit{Share: percent / 100}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return Limit{}, fmt.Errorf("%q: want a number of rows, such as 25, or a share of them, such as 1%%", text)
	}
	return Limit{Count: n}, nil
}

// String is what ParseLimit reads.
func (l Limit) String() string {
	if l.Share > 0 {
		return strconv.FormatFloat(l.Share*100, 'g', 12, 64) + "%"
	}
	return strconv.FormatInt(l.Count, 10)
}

// of is the limit in draws.
func (l Limit) of(draws int64) int64 {
	if l == (Limit{}) {
		l = DefaultLimit
	}
	if l.Count > 0 {
		return l.Count
	}
	return int64(math.Ceil(l.Share * float64(draws)))
}

// Check reports impossible options; errors begin with the option's name.
func (f Failures) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch f.Policy {
	case Skip, Refill:
		if options.IsURL(f.Quarantine) {
			bad("quarantine: %q is a URL: give the path of a file, and copy it there afterwards", f.Quarantine)
		}
	case Fail, "":
		const only = "comes with the policies skip and refill: with fail the first failure ends the run"
		if f.Max != (Limit{}) {
			bad("max: %s", only)
		}
		if f.Quarantine != "" {
			bad("quarantine: %s", only)
		}
	default:
		bad("policy: %q is none of fail, skip or refill", f.Policy)
	}
	if f.Max.Count < 0 || f.Max.Count > 0 && f.Max.Share != 0 || !(f.Max.Share >= 0 && f.Max.Share <= 1) {
		bad("max: %+v is no limit: a count of at least 1, or a share of at most 1", f.Max)
	}
	return errors.Join(errs...)
}

// outcome is what became of one draw.
type outcome struct {
	planned  []int32 // labels of the sample that the plan gave it
	labels   []int32 // of the sample that it left with
	sample   int     // that sample's number in the index; -1: not of the index
	lost     bool    // it left no row
	filled   string  // key of that sample, where its file is damaged and was filled; else ""
	failures []*RowError
	print    fingerprint.Print // of that sample's bytes, where the sink remembers it
	held     int64             // bytes charged until the batch is finished
}

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

// reads lists the samples that draws read.
func reads(draws []outcome) (list []schema.Read) {
	for i := range draws {
		d := &draws[i]
		for _, f := range d.failures {
			if f.read.Sample >= 0 {
				list = append(list, f.read)
			}
		}
		if !d.lost && d.sample >= 0 {
			list = append(list, schema.Read{Sample: d.sample, Print: d.print})
		}
	}
	return list
}

// TooManyFailures is the error of a run in which more draws failed than
// Failures.Max allows.
type TooManyFailures struct {
	Failed, Limit int64 // draws
	Max           Limit
	Last          []*RowError // some of them, the newest last

	of string // what the share is of; "": the run
}

func (e *TooManyFailures) Error() string {
	var b strings.Builder
	of := ""
	if e.Max.Share > 0 {
		of = fmt.Sprintf(" (%s of %s)", e.Max, cmp.Or(e.of, "the run"))
	}
	fmt.Fprintf(&b, "flow: %d draws have failed, and on_error allows %d%s: mend or remove these files, or raise max. The last of them:", e.Failed, e.Limit, of)
	for _, f := range e.Last {
		fmt.Fprintf(&b, "\n  %v", f)
	}
	return b.String()
}

// Unwrap is the failures that it shows.
func (e *TooManyFailures) Unwrap() []error { return unwrapped(e.Last) }

// NothingDelivered is the error of a run that has nothing to show for its draws:
// each of them failed and was left out. A run that makes only some of its batches,
// as the sink has the others or they were before a resume, may have none.
type NothingDelivered struct {
	Draws int64
	Last  []*RowError // some of the failures, the newest last
}

func (e *NothingDelivered) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "flow: no row was delivered: each of %s failed, and on_error leaves such rows out: mend or replace the files. The last of them:", plural(e.Draws, "draw"))
	for _, f := range e.Last {
		fmt.Fprintf(&b, "\n  %v", f)
	}
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

// failures accounts for the failed draws of a run, in the order of positions:
// so what it writes and where it ends the run depends on the data alone.
type failures struct {
	policy     Policy
	max        Limit
	limit      int64
	draws      int64 // that failed, with those before a resume
	last       []*RowError
	quarantine *quarantine // nil: none

	given bool   // by a foreign source, without a known end: a share is of what came so far
	came  int64  // draws
	of    string // what a share is of
}

const lastFailures = 5

// note takes a batch's failures; its error ends the run.
func (f *failures) note(b *pending) error {
	var entries []Entry
	if f.given {
		f.came += int64(len(b.draws))
		f.limit, f.of = f.max.of(f.came), "the samples given so far"
	}
	for i := range b.draws {
		d := &b.draws[i]
		if len(d.failures) == 0 {
			continue
		}
		if f.policy == Fail {
			return d.failures[0]
		}
		f.draws++
		for _, cause := range d.failures {
			f.last = append(f.last, cause)
			if len(f.last) > lastFailures {
				f.last = f.last[1:]
			}
			entries = append(entries, entryOf(cause))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := f.quarantine.append(entries); err != nil {
		return err
	}
	if f.draws > f.limit {
		return &TooManyFailures{Failed: f.draws, Limit: f.limit, Max: f.max, Last: f.last, of: f.of}
	}
	return nil
}
