package longtail

import (
	"fmt"
	"math"
	"slices"
)

// Repeats says how often samples of a stream are repeated, one after the other, without an
// index: by LVIS's repeat factor of each, from counts that are declared, or from those of the
// stream so far. What a sample's factor is beyond 1 is owed to its rarest class; it is paid,
// in whole repeats, at a pace a quarter above that at which debts arise, so that repeats are
// spread over the stream. Debts are counted in units of 2^-32 of a repeat.
type Repeats struct {
	Threshold, Power float64
	Declared         []int64 // samples that have each class; nil: learnt
	Samples          int64   // in all, where they are declared
	RepeatState
	payable []int32 // classes to which a whole repeat is owed
}

// NewRepeats goes on from a state that was checked, or begins with that of no sample.
func NewRepeats(threshold, power float64, declared []int64, samples int64, state RepeatState) *Repeats {
	r := &Repeats{Threshold: threshold, Power: power, Declared: declared, Samples: samples, RepeatState: state.Clone()}
	for c, owed := range r.Owed {
		if owed >= Unit {
			r.payable = append(r.payable, int32(c))
		}
	}
	return r
}

// RepeatState is what Repeats has counted.
type RepeatState struct {
	Seen   int64   `json:"seen"`   // samples
	Counts []int64 `json:"counts"` // of them, those that have each class
	Owed   []int64 `json:"owed"`   // to each class, in units of 2^-32 of a repeat
	Paid   []int64 `json:"paid"`   // repeats of each class
	Due    int64   `json:"due"`    // repeats, paid and owed, in units of 2^-16
	Credit int64   `json:"credit"` // repeats that may be paid now, in units of 2^-32
}

// Unit is a repeat in a RepeatState.
const Unit = 1 << 32

// mostOwed keeps sums within an int64, also of streams that aren't what was declared of them.
const mostOwed = 1 << 62

// mostCredit is what may be paid at once, after samples of which nothing was kept.
const mostCredit = 64 * Unit

// Clone is a copy.
func (s RepeatState) Clone() RepeatState {
	s.Counts, s.Owed, s.Paid = slices.Clone(s.Counts), slices.Clone(s.Owed), slices.Clone(s.Paid)
	return s
}

// Check reports a state that isn't of so many classes.
func (s RepeatState) Check(classes int) error {
	if len(s.Counts) != classes || len(s.Owed) != classes || len(s.Paid) != classes || s.Seen < 0 {
		return fmt.Errorf("the state has counts of %d, %d and %d classes, and there are %d: it is of another stream", len(s.Counts), len(s.Owed), len(s.Paid), classes)
	}
	if s.Due < 0 || s.Due > mostOwed || s.Credit < 0 || s.Credit > mostCredit {
		return fmt.Errorf("the state's sums are impossible: due %d, credit %d", s.Due, s.Credit)
	}
	for c := range s.Counts {
		if s.Counts[c] < 0 || s.Counts[c] > s.Seen || s.Owed[c] < 0 || s.Owed[c] > mostOwed || s.Paid[c] < 0 {
			return fmt.Errorf("the state's counts of class %d are impossible", c)
		}
	}
	return nil
}

// Add counts a sample with these classes, each once. class is the rarest of them, to which
// its repeats are owed; -1 where none are.
func (r *Repeats) Add(classes []int32) (class int32) {
	r.Seen++
	counts, all := r.Declared, r.Samples
	if counts == nil {
		counts, all = r.Counts, r.Seen
	}
	class = -1
	for _, c := range classes {
		r.Counts[c]++
	}
	for _, c := range classes {
		if counts[c] == 0 { // not declared: nothing is known of it
			continue
		}
		if class < 0 || counts[c] < counts[class] || counts[c] == counts[class] && c < class {
			class = c
		}
	}
	if class >= 0 {
		if more := RepeatFactor(counts[class], all, r.Threshold, r.Power) - 1; more > 0 {
			owed := int64(math.Floor(float64(min(more, 1<<20)*Unit) + 0.5))
			if r.Owed[class] < Unit && r.Owed[class]+owed >= Unit {
				r.payable = append(r.payable, class)
			}
			r.Owed[class] = min(mostOwed, r.Owed[class]+owed)
			r.Due = min(mostOwed, r.Due+owed>>16)
		} else {
			class = -1
		}
	}
	r.Credit = min(mostCredit, r.Credit+r.Due/r.Seen*(5<<14)) // 5/4 of the mean
	return class
}

// Pay takes a repeat from the debt to the class to which most is owed, of those that can; of
// several it is the lowest. final pays whatever the pace. ok is false where nothing is to be
// paid now.
func (r *Repeats) Pay(final bool, can func(class int) bool) (class int, ok bool) {
	if !final && r.Credit < Unit {
		return 0, false
	}
	class = -1
	for _, p := range r.payable {
		c := int(p)
		if (class < 0 || r.Owed[c] > r.Owed[class] || r.Owed[c] == r.Owed[class] && c < class) && can(c) {
			class = c
		}
	}
	if class < 0 {
		r.Credit = min(r.Credit, Unit) // what nobody wants now isn't saved up
		return 0, false
	}
	if !final {
		r.Credit -= Unit
	}
	if r.Owed[class] -= Unit; r.Owed[class] < Unit {
		r.payable = slices.DeleteFunc(r.payable, func(c int32) bool { return int(c) == class })
	}
	r.Paid[class]++
	return class, true
}
