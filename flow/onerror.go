package flow

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
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
	// Quarantine is the file that lists what failed; "": none. See QuarantineLine. What
	// a Stream is given has another one: bad-given.jsonl for bad.jsonl.
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
