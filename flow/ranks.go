package flow

import "fmt"

// LastRound is what becomes of the batches at an epoch's end that are too few
// for every rank to have one.
type LastRound string

// The ways.
const (
	DropRound LastRound = "drop" // nobody gets them
	PadRound  LastRound = "pad"  // the ranks that lack one get the epoch's first batches again
)

// Values lists the ways.
func (LastRound) Values() []string { return []string{string(DropRound), string(PadRound)} }

// job is one batch to be made: rows of consecutive positions of an epoch.
type job struct {
	epoch  int
	number int64 // within the epoch; of a batch that pads, the number behind the last
	first  int64 // position of its first row
	rows   int
	pick   int64    // the number by which the expander picks its variants
	given  []Sample // from a foreign source, in place of the plan's draws
	next   cursor   // where a run goes on after it
}

// cursor is a place in a run: a batch, or the end (the epoch behind the last).
type cursor struct {
	epoch int
	batch int64
}

// jobs yields the batches that this rank makes, in order.
//
// Batches are dealt in rounds: rank r of R gets the r-th of each R consecutive
// ones, so that all ranks make as many. The first round begins where the run
// does: at the epoch's start or where a state says, whatever number of ranks
// the state's run had.
func (p *Plan) jobs() func(yield func(job) bool) {
	return func(yield func(job) bool) {
		start := p.start()
		for epoch := start.epoch; epoch < p.Epochs; epoch++ {
			from := int64(0)
			if epoch == start.epoch {
				from = start.batch
			}
			for n := from + int64(p.Settings.Rank); n < p.roundsEnd(from); n += int64(p.Settings.World) {
				if !yield(p.job(epoch, from, n)) {
					return
				}
			}
		}
	}
}

// job is the n-th batch of an epoch whose rounds begin at a number.
func (p *Plan) job(epoch int, from, n int64) job {
	world, size := int64(p.Settings.World), int64(p.BatchSize)
	number := n % p.BatchesPerEpoch
	j := job{epoch: epoch, number: n, first: number * size, pick: number}
	j.rows = int(min(size, p.RowsPerEpoch-j.first))
	j.next = cursor{epoch, from + ((n-from)/world+1)*world}
	if j.next.batch >= p.roundsEnd(from) {
		j.next = cursor{epoch + 1, 0}
	}
	return j
}

// roundsEnd is the number behind the last one that the ranks make, in an epoch
// whose rounds begin at a number.
func (p *Plan) roundsEnd(from int64) int64 {
	world := int64(p.Settings.World)
	rest := (p.BatchesPerEpoch - from) % world
	if rest == 0 {
		return p.BatchesPerEpoch
	}
	if p.Settings.LastRound == PadRound {
		return p.BatchesPerEpoch + world - rest
	}
	return p.BatchesPerEpoch - rest
}

// makes reports whether a batch is one of jobs.
func (p *Plan) makes(epoch int, number int64) bool {
	start, from := p.start(), int64(0)
	if epoch == start.epoch {
		from = start.batch
	}
	if epoch < start.epoch {
		return false
	}
	if number < from {
		number += p.BatchesPerEpoch
	}
	for ; number < p.roundsEnd(from); number += p.BatchesPerEpoch { // as itself, and where it pads
		if (number-from)%int64(p.Settings.World) == int64(p.Settings.Rank) {
			return true
		}
	}
	return false
}

// start is where the run begins.
func (p *Plan) start() cursor {
	if s := p.Settings.Resume; s != nil {
		return cursor{s.Epoch, s.Batch}
	}
	return cursor{}
}

// picks lists the variants in which a batch leaves; nil without an expander.
func (p *Plan) picks(epoch int, number int64) []int {
	if p.expander == nil {
		return nil
	}
	return p.expanderOf().Pick(epoch, number, p.expander.key.Stream(epoch, number, 0))
}

// checkRanks looks at what the epoch's length decides.
func (p *Plan) checkRanks() error {
	if p.roundsEnd(0) == 0 {
		return fmt.Errorf("flow: an epoch has %s, fewer than the %d ranks, and the last round is dropped: use fewer ranks, smaller batches, or pad", plural(p.BatchesPerEpoch, "batch"), p.Settings.World)
	}
	return nil
}
