package flow

import (
	"cmp"
	"context"
	"sync"
)

// LateLedger is the ledger of a run, some batches behind: for a sink that hands batches on to a
// reader, who may ask what each class got in those that were taken. Batches are counted when they
// are passed, and a StateLedger is made when one is asked for. Safe for concurrent use.
type LateLedger struct {
	mu      sync.Mutex
	change  *sync.Cond
	ledger  *ledger     // of the batches that were passed
	waiting []lateBatch // delivered, and not passed yet
	last    [2]int64    // epoch and number of the batch that was delivered last
	ended   bool        // no more will be
}

// LedgerFollower is a Sink that follows the ledger of a run. Follow is called once, before the
// first batch.
type LedgerFollower interface{ Follow(*LateLedger) }

type lateBatch struct {
	epoch    int
	number   int64
	outcomes []outcome
}

// newLateLedger follows a run's ledger, which has counted nothing yet. Whether a sample is new, that
// one finds.
func newLateLedger(of *ledger) *LateLedger {
	own := *of
	own.seen, own.inSpan, own.spans, own.closed, own.objects = nil, nil, nil, of.empty(), make(objectLedger, len(of.objects))
	l := &LateLedger{ledger: &own, last: [2]int64{-1, -1}}
	l.change = sync.NewCond(&l.mu)
	return l
}

// delivered takes a batch that the run's own ledger has counted.
func (l *LateLedger) delivered(d *departure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, lateBatch{d.job.epoch, d.job.number, d.outcomes})
	l.last = [2]int64{int64(d.job.epoch), d.job.number}
	l.change.Broadcast()
}

func (l *LateLedger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.change.Broadcast()
}

// Pass counts the batches up to one that were delivered.
func (l *LateLedger) Pass(epoch int, batch int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass(epoch, batch)
}

func (l *LateLedger) pass(epoch int, batch int64) {
	n := 0
	for n < len(l.waiting) && before(l.waiting[n].epoch, l.waiting[n].number, epoch, batch) <= 0 {
		l.ledger.add(l.waiting[n].epoch, l.waiting[n].outcomes)
		n++
	}
	clear(l.waiting[:n])
	l.waiting = l.waiting[n:]
}

// State is the ledger up to a batch, which the sink has got and which may be about to count as
// delivered; nil with too many classes. Batches after it must not have been passed. It waits no
// longer than ctx.
func (l *LateLedger) State(ctx context.Context, epoch int, batch int64) *StateLedger {
	l.mu.Lock()
	defer l.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.change.Broadcast()
	})
	defer stop()
	for ctx.Err() == nil && !l.ended && before(int(l.last[0]), l.last[1], epoch, batch) < 0 {
		l.change.Wait()
	}
	l.pass(epoch, batch)
	return l.ledger.state()
}

// before compares places.
func before(epoch int, batch int64, otherEpoch int, otherBatch int64) int {
	return cmp.Or(cmp.Compare(epoch, otherEpoch), cmp.Compare(batch, otherBatch))
}
