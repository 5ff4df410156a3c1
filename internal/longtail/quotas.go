package longtail

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// Quotas says how often each class is drawn in each epoch, and which use of the
// class each slot of an epoch is.
//
// With N draws per epoch and shares s_c that add up to S, let A_c(e) = (e+1) N s_c/S be
// the draws that class c is due by the end of epoch e, and U_c(e) those that it has had.
// The quotas of epoch e are the credits max(0, A_c(e) - U_c(e-1)), rounded so that they
// add up to N by the largest-remainder method: each class gets the whole part of its
// credit, and the rest goes, one each, to the largest remainders, of a tie to the lower
// class. So a class that is due less than one draw per epoch is not rounded to zero
// forever: it gets a draw when enough credit has built up.
//
// A class that was rounded up may have a credit below 0 in the next epoch. As that
// counts as 0, the others' credits add up to more than N, and sometimes so do their
// whole parts (shares 1, 50, 50, 50, 1 with N = 2 in epoch 31; with equal shares never
// in any case tried). Then one each is taken back from the smallest remainders, of a
// tie from the higher class, among the classes that have any; in random cases a credit
// never reached 2.
//
// Timely quotas stay closer: U_c(e) is A_c(e) rounded up or down, in every epoch. The draws
// that are left after the whole parts go to the credits above 0 whose next whole draw is due
// first, of a tie to the larger remainder. Why that never fails: use k of class c may be drawn
// from the epoch on in which A_c passes k-1, and must be by the one in which it reaches k. Drawing
// it there bit by bit fills every epoch with N; so whole draws can, too (a flow with whole
// capacities), and draws of one size with such windows are in time if the earliest due come
// first.
//
// Where shares change over epochs, A_c(e) is the sum of what is due in each, by that epoch's
// shares. A class whose share becomes 0 may still get the rest of a draw that it was due.
//
// Where a class is divided further (Division), its quota of an epoch is the N of its
// parts in that epoch: A_c(e) is then the sum over the epochs of N s_c/S. So the outer
// quotas are the same however they are divided, and the parts add up to them.
//
// Credits are kept as a whole part and a remainder over S, so nothing is ever rounded,
// and only the counts grow with the epochs. Quotas keeps O(classes) numbers for each of
// the last few epochs; any other epoch is computed forward, from the last one or from
// the first. Safe for concurrent use.
type Quotas struct {
	draws    int64
	classes  int
	progress Progress
	recent   [8]atomic.Pointer[Epoch]

	mu struct {
		sync.Mutex
		next  int         // the epoch to be computed
		root  part        // what it has used so far, by credits
		used  []int64     // U_c(next-1)
		quota []int64     // of each class: working space
		queue []candidate // working space
	}
}

// Division is how draws are divided: by shares, and the draws of each share further by
// Parts, which has an element for each share. Without Parts the shares are classes. The
// classes of all parts are numbered in their order.
type Division struct {
	Shares []int64
	Parts  []Division
	From   []int64 // shares before they change to Shares, as Progress says; nil: Shares always
	Timely bool    // each share's draws of all epochs are those due, rounded up or down; not for the parts of another, nor with From
}

// Progress is how far shares have changed in an epoch, from 0/whole to whole/whole; whole is
// below 2^61.
type Progress func(epoch int) (part, whole uint64)

// part is the state of a Division.
type part struct {
	shares  []int64 // of the epoch
	sum     uint64
	ends    [2][]int64 // sums of the shares up to each class, at the start and the end of a change; nil: there is none
	timely  bool
	first   int    // the class of the first share, where there are no parts
	parts   []part // nil: the shares are classes
	draws   int64  // of the epoch
	due     []credit
	credits []credit // A_c(next-1) - U_c(next-1)
	quota   []int64
}

// credit is whole + part/S; whole may be negative.
type credit struct {
	whole int64
	part  uint64
}

// Epoch is the quotas of one epoch, laid end to end: class c has the slots
// Starts[c] to Starts[c+1]-1, and the last element is N.
type Epoch struct {
	Number int
	Starts []int64
	Used   []int64 // how often each class was drawn in all epochs before
}

// NewQuotas returns the quotas of epochs of that many draws. It panics unless
// shares and draws are >= 0 and the shares' sum is in 1..2^62.
func NewQuotas(shares []int64, draws int64) *Quotas {
	return NewDivided(Division{Shares: shares}, draws)
}

// NewDivided is NewQuotas for classes that are parts of others. Shares whose sum is 0 are
// allowed for a part that gets no draws itself.
func NewDivided(d Division, draws int64) *Quotas { return NewScheduled(d, draws, nil) }

// NewScheduled is NewDivided for shares that change. Those of an epoch are (1-t) f_c/F + t
// s_c/S, t being the progress, in multiples of 2^-61.
func NewScheduled(d Division, draws int64, progress Progress) *Quotas {
	if draws < 0 {
		panic("longtail: a negative number of draws")
	}
	q := &Quotas{draws: draws, progress: progress}
	widest := 0
	q.mu.root = q.part(d, true, &widest)
	q.mu.root.timely = d.Timely
	q.mu.used, q.mu.quota = make([]int64, q.classes), make([]int64, q.classes)
	q.mu.queue = make([]candidate, 0, widest)
	return q
}

func (q *Quotas) part(d Division, drawn bool, widest *int) part {
	n := len(d.Shares)
	p := part{shares: d.Shares, first: q.classes, draws: -1, due: make([]credit, n), credits: make([]credit, n), quota: make([]int64, n)}
	for _, s := range d.Shares {
		if p.sum += uint64(s); s < 0 || p.sum > 1<<62 {
			panic("longtail: shares are negative or too large")
		}
	}
	if drawn && p.sum == 0 {
		panic("longtail: no shares")
	}
	if d.From != nil {
		p.ends = [2][]int64{cumulative(d.From), cumulative(d.Shares)}
		p.shares, p.sum = make([]int64, n), changing
	}
	*widest = max(*widest, n)
	if d.Parts == nil {
		q.classes += n
		return p
	}
	if len(d.Parts) != n {
		panic("longtail: want a part for each share")
	}
	for i, inner := range d.Parts {
		p.parts = append(p.parts, q.part(inner, drawn && d.Shares[i] > 0, widest))
	}
	return p
}

// changing is the sum of shares that change.
const changing = 1 << 61

// cumulative is the sums of the first shares, on the scale of changing.
func cumulative(shares []int64) []int64 {
	sums, total := make([]int64, len(shares)), uint64(sum(shares))
	if total == 0 { // of a part that gets no draws
		total = 1
	}
	before := uint64(0)
	for c, s := range shares {
		before += uint64(s)
		hi, lo := bits.Mul64(before, changing)
		scaled, _ := bits.Div64(hi, lo, total)
		sums[c] = int64(scaled)
	}
	return sums
}

// change sets the shares of an epoch: differences of sums that are rounded, so that they
// add up to changing whatever the progress.
func (p *part) change(done, whole uint64) {
	before := int64(0)
	for c := range p.shares {
		hi, lo := bits.Mul64(uint64(p.ends[0][c]), whole-done)
		hi2, lo2 := bits.Mul64(uint64(p.ends[1][c]), done)
		low, carry := bits.Add64(lo, lo2, 0)
		sum, _ := bits.Div64(hi+hi2+carry, low, whole)
		p.shares[c], before = int64(sum)-before, int64(sum)
	}
	p.draws = -1 // what is due is to be computed anew
}

// Draws is the number of draws per epoch.
func (q *Quotas) Draws() int64 { return q.draws }

// Epoch returns the quotas of an epoch, which must not be changed.
func (q *Quotas) Epoch(number int) *Epoch {
	place := &q.recent[number%len(q.recent)]
	if e := place.Load(); e != nil && e.Number == number {
		return e
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := place.Load(); e != nil && e.Number == number {
		return e
	}
	if number < q.mu.next {
		q.rewind()
	}
	for q.mu.next <= number {
		keep := number-q.mu.next < len(q.recent)
		if e := q.advance(keep); keep {
			q.recent[e.Number%len(q.recent)].Store(e)
		}
	}
	return place.Load()
}

// rewind goes back to before the first epoch.
func (q *Quotas) rewind() {
	q.mu.next = 0
	q.mu.root.rewind()
	clear(q.mu.used)
}

func (p *part) rewind() {
	clear(p.credits)
	for i := range p.parts {
		p.parts[i].rewind()
	}
}

// advance computes the next epoch, and returns it if keep.
func (q *Quotas) advance(keep bool) *Epoch {
	clear(q.mu.quota)
	q.divide(&q.mu.root, q.draws)
	var e *Epoch
	if keep {
		e = &Epoch{Number: q.mu.next, Starts: make([]int64, q.classes+1), Used: slices.Clone(q.mu.used)}
	}
	for c, m := range q.mu.quota {
		if keep {
			e.Starts[c+1] = e.Starts[c] + m
		}
		q.mu.used[c] += m
	}
	q.mu.next++
	return e
}

// divide gives a part its draws of an epoch, and its parts theirs. Without draws the
// credits stay as they are.
func (q *Quotas) divide(p *part, draws int64) {
	if draws == 0 {
		return
	}
	if p.ends[0] != nil {
		p.change(q.progress(q.mu.next))
	}
	p.round(draws, q.mu.queue)
	for i, m := range p.quota {
		p.credits[i].whole -= m
		if p.parts == nil {
			q.mu.quota[p.first+i] = m
		} else {
			q.divide(&p.parts[i], m)
		}
	}
}

// round adds what is due to the credits, and rounds them to quotas.
func (p *part) round(draws int64, queue []candidate) {
	if draws != p.draws {
		p.draws = draws
		for c, s := range p.shares {
			hi, lo := bits.Mul64(uint64(draws), uint64(s))
			whole, part := bits.Div64(hi, lo, p.sum) // hi < sum, as s <= sum and draws < 2^63
			p.due[c] = credit{int64(whole), part}
		}
	}
	credits, quota := p.credits, p.quota
	left := draws
	for c, due := range p.due {
		whole, part := credits[c].whole+due.whole, credits[c].part+due.part
		if part >= p.sum {
			whole, part = whole+1, part-p.sum
		}
		credits[c] = credit{whole, part}
		quota[c] = max(0, whole)
		left -= quota[c]
	}
	// There are enough positive remainders, because the positive credits add up to at
	// least N; so a class without a share never gets a draw.
	if left > 0 {
		p.adjust(queue, left, +1, func(c int) bool { return credits[c].whole >= 0 && credits[c].part > 0 })
	}
	for left < 0 { // at once but for credits above 2
		left += p.adjust(queue, -left, -1, func(c int) bool { return quota[c] > 0 })
	}
}

// adjust changes the quotas of up to n eligible classes by delta: of those with
// the largest remainders and lowest numbers first, or from the other end if
// delta is negative. It returns how many it changed.
func (p *part) adjust(queue []candidate, n, delta int64, eligible func(class int) bool) int64 {
	queue = queue[:0]
	for c, credit := range p.credits {
		if !eligible(c) {
			continue
		}
		switch {
		case delta < 0:
			queue = append(queue, candidate{0, ^credit.part, -c, c})
		case p.timely:
			queue = append(queue, candidate{^p.epochsUntilDue(c), credit.part, c, c})
		default:
			queue = append(queue, candidate{0, credit.part, c, c})
		}
	}
	n = min(n, int64(len(queue)))
	selectFirst(queue, int(n))
	for _, c := range queue[:n] {
		p.quota[c.class] += delta
	}
	return n
}

// epochsUntilDue is in how many epochs a class's credit is a whole draw more.
func (p *part) epochsUntilDue(c int) uint64 {
	due := p.due[c]
	if due.whole > 0 {
		return 1
	}
	return (p.sum - p.credits[c].part + due.part - 1) / due.part // a class with a remainder has a share
}

// candidate is a class in the order of larger urgency, then larger ranks, then smaller ties.
type candidate struct {
	urgency uint64
	rank    uint64
	tie     int
	class   int
}

func (a candidate) before(b candidate) bool {
	if a.urgency != b.urgency {
		return a.urgency > b.urgency
	}
	return a.rank > b.rank || a.rank == b.rank && a.tie < b.tie
}

// selectFirst moves the first n candidates to the beginning of the list, in no
// particular order (Hoare's quickselect: resuming at epoch 10,000 with 1,000 classes
// would otherwise spend a second on sorting). Ties are unique, so the choice is
// deterministic.
func selectFirst(list []candidate, n int) {
	for len(list) > 1 && n > 0 && n < len(list) {
		pivot := list[len(list)/2]
		i, j := 0, len(list)-1
		for i <= j {
			for list[i].before(pivot) {
				i++
			}
			for pivot.before(list[j]) {
				j--
			}
			if i <= j {
				list[i], list[j] = list[j], list[i]
				i, j = i+1, j-1
			}
		}
		switch { // list[:j+1] come before list[i:], the pivot alone may be between
		case n <= j+1:
			list = list[:j+1]
		case n >= i:
			list, n = list[i:], n-i
		default:
			return
		}
	}
}

// Quota is the number of draws of a class in this epoch.
func (e *Epoch) Quota(class int) int64 { return e.Starts[class+1] - e.Starts[class] }

// Slot is the class to which a slot 0..N-1 belongs, and which use of it this is: use 0 is
// the class's first draw ever.
func (e *Epoch) Slot(slot int64) (class int, use int64) {
	low, high := 0, len(e.Starts)-1 // Starts[low] <= slot < Starts[high]
	for high-low > 1 {
		if mid := int(uint(low+high) >> 1); e.Starts[mid] <= slot {
			low = mid
		} else {
			high = mid
		}
	}
	return low, e.Used[low] + slot - e.Starts[low]
}
