package flow

import "fmt"

// job is one batch to be made: rows of consecutive positions of an epoch.
type job struct {
	epoch  int
	number int64 // within the epoch; of a batch that pads, the number behind the last
	first  int64 // position of its first row
	rows   int
	pick   int64    // the number by which an Expander picks its variants, and rows are mixed
	given  []Sample // from a foreign source, in place of the plan's draws
	next   cursor   // where a run resumes after it
}

// cursor is a place in a run: a batch, or the end (the epoch behind the last).
type cursor struct {
	epoch int
	batch int64
}

// deal says which batches a run makes, and in which order. Each is computed from its
// number.
//
// Batches are dealt in rounds: rank r of R gets the r-th of each R consecutive ones, so
// that all ranks make as many. The first round begins where the run does: at the epoch's
// start or where a state says, whatever number of ranks the state's run had.
type deal struct {
	epochs  int
	batches int64 // per epoch, of all ranks
	rows    int64 // per epoch
	size    int64 // rows of a batch
	rank    int64
	world   int64
	padded  bool // the last round of an epoch is filled with its first batches; else it is dropped
	start   cursor
}

// count is the number of batches that this rank makes.
func (d *deal) count() int64 {
	if d.start.epoch >= d.epochs {
		return 0
	}
	return d.inEpoch(d.start.batch) + int64(d.epochs-d.start.epoch-1)*d.inEpoch(0)
}

// inEpoch is the number of batches that each rank makes of an epoch whose rounds begin at
// a number.
func (d *deal) inEpoch(from int64) int64 { return (d.roundsEnd(from) - from) / d.world }

// job is the n-th batch of this rank.
func (d *deal) job(n int64) job {
	first := d.inEpoch(d.start.batch)
	if n < first {
		return d.jobIn(d.start.epoch, d.start.batch, d.start.batch+d.rank+n*d.world)
	}
	n -= first
	each := d.inEpoch(0)
	return d.jobIn(d.start.epoch+1+int(n/each), 0, d.rank+n%each*d.world)
}

// jobIn is the batch of a number in an epoch whose rounds begin at another.
func (d *deal) jobIn(epoch int, from, n int64) job {
	number := n % d.batches
	j := job{epoch: epoch, number: n, first: number * d.size, pick: number}
	j.rows = int(min(d.size, d.rows-j.first))
	j.next = cursor{epoch, from + ((n-from)/d.world+1)*d.world}
	if j.next.batch >= d.roundsEnd(from) {
		j.next = cursor{epoch + 1, 0}
	}
	return j
}

// roundsEnd is the number behind the last one that the ranks make, in an epoch whose
// rounds begin at a number.
func (d *deal) roundsEnd(from int64) int64 {
	rest := (d.batches - from) % d.world
	switch {
	case rest == 0:
		return d.batches
	case d.padded:
		return d.batches + d.world - rest
	}
	return d.batches - rest
}

// from is the number at which an epoch's rounds begin.
func (d *deal) from(epoch int) int64 {
	if epoch == d.start.epoch {
		return d.start.batch
	}
	return 0
}

// makes reports whether this rank makes a batch.
func (d *deal) makes(epoch int, number int64) bool {
	return epoch >= d.start.epoch && d.times(d.from(epoch), number) > 0
}

// times is how often this rank makes a batch of an epoch whose rounds begin at a number:
// as itself, and where it pads.
func (d *deal) times(from, number int64) (n int64) {
	if number < from {
		number += d.batches
	}
	for ; number < d.roundsEnd(from); number += d.batches {
		if (number-from)%d.world == d.rank {
			n++
		}
	}
	return n
}

// totalRows is the number of rows in the batches of this rank.
func (d *deal) totalRows() int64 {
	missing := d.batches*d.size - d.rows // of an epoch's last batch
	n := d.count() * d.size
	if missing == 0 || n == 0 {
		return n
	}
	short := d.times(d.start.batch, d.batches-1) + int64(d.epochs-d.start.epoch-1)*d.times(0, d.batches-1)
	return n - short*missing
}

// mostDraws is the number of rows that a rank makes in a whole run, at most.
func (d *deal) mostDraws() int64 {
	return min(d.inEpoch(0)*d.size, d.rows) * int64(d.epochs)
}

// after is where a run resumes behind a batch.
func (d *deal) after(epoch int, number int64) cursor {
	return d.jobIn(epoch, d.from(epoch), number).next
}

// check looks at what the epoch's length decides.
func (d *deal) check() error {
	if d.roundsEnd(0) == 0 {
		return fmt.Errorf("flow: an epoch has %s, fewer than the %d ranks, and the last round is dropped: use fewer ranks, smaller batches, or pad", plural(d.batches, "batch"), d.world)
	}
	return nil
}
