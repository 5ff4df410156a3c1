package memory

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// DefaultBudget is the memory, in bytes, that a run may have in flight where
// nothing else is said.
const DefaultBudget = 1 << 30

// Budget is the memory of a run: a weighted semaphore in bytes. Three things
// are charged:
//
//	read ahead  encoded files, before the read, by their size in the index; at
//	            most an eighth of the limit, so they never keep pictures out
//	rows        working memory, before decoding, by the size in the header
//	batches     Arrow buffers, by the pool that allocates them, until their last
//	            Release, wherever that is
//
// Rows and batches are admitted by one goroutine, in the order of their
// positions. What doesn't fit waits, except where waiting could be for ever: no
// row is in flight and no finished batch is on its way through the sink, so
// that nothing will be given back unless the sink gets more. Hence a picture
// larger than the limit runs alone, without a file read ahead meanwhile; a stalled
// sink bounds memory, and a sink that gathers more batches than fit is served, row
// by row.
//
// What a large row gives back is in Go's heap until it is collected, and in pools of
// buffers until it was collected twice. So that the next one doesn't come on top of
// it, both are then done first.
type Budget struct {
	mu     sync.Mutex
	change *sync.Cond

	limit       int64
	most        int   // batches begun and not through the sink
	used        int64 // all of it
	peak        int64
	ahead       int64 // part of used: encoded, not admitted
	rows        int   // admitted, not made
	making      int   // of these, workers are at, but for those that wait in Recharge
	single      bool  // one of them has no room beside others
	batches     int   // begun, not through the sink
	ready       int   // of these, all rows made
	uncollected int64 // given back by large rows, and not collected yet
	largest     int64 // of these rows
	mostRow     int64 // the most that one row was charged
	sinks       int   // writing
	stopped     bool
	stop        func() bool

	short  bool          // what waits for admission doesn't fit, whatever the queue
	waited time.Duration // that admission waited for bytes
}

// New makes a budget of limit bytes and of at most most batches between their first row and
// the sink. Once ctx has ended nothing waits any longer.
func New(ctx context.Context, limit int64, most int) *Budget {
	b := &Budget{limit: limit, most: most}
	b.change = sync.NewCond(&b.mu)
	b.stop = context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.stopped = true
		b.change.Broadcast()
	})
	return b
}

// wait returns when ready, or at once when the run has ended.
func (b *Budget) wait(ready func() bool) {
	for !b.stopped && !ready() {
		b.change.Wait()
	}
}

// admit is wait, for the one goroutine that admits.
func (b *Budget) admit(ready func() bool) {
	for !b.stopped && !ready() {
		begin := time.Now()
		b.change.Wait()
		if b.short {
			b.waited += time.Since(begin)
		}
	}
}

func (b *Budget) add(n int64) {
	b.used += n
	b.peak = max(b.peak, b.used)
}

// fits reports whether rows and batches leave room for n bytes.
func (b *Budget) fits(n int64) bool {
	b.short = b.used-b.ahead+n > b.limit-b.limit/8
	return !b.short
}

// alone reports whether nothing is under way that will give memory back.
func (b *Budget) alone() bool { return b.rows == 0 && b.ready == 0 && b.sinks == 0 }

// mostAhead bounds the files read ahead, whatever the limit.
const mostAhead = 64 << 20

// ReadAhead charges an encoded file. One is admitted when nothing else is under
// way, however large.
func (b *Budget) ReadAhead(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait(func() bool {
		return (b.ahead == 0 || b.ahead+n <= min(b.limit/8, mostAhead)) && b.used+n <= b.limit || b.ahead == 0 && b.alone()
	})
	b.ahead += n
	b.add(n)
}

// Batch admits a batch whose buffer, allocated next, takes n bytes, and whose
// variants will take later bytes: these are charged now.
func (b *Budget) Batch(n, later int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.admit(func() bool { return b.alone() || b.fits(n+later) && b.batches < b.most })
	b.collect(n + later)
	b.batches++
	b.add(later)
}

// Row admits a row that needs n bytes beside its encoded file.
func (b *Budget) Row(n, encoded int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.admit(func() bool { return b.alone() || b.fits(n+encoded) })
	b.collect(n)
	b.ahead -= encoded
	b.rows++
	b.mostRow = max(b.mostRow, n+encoded)
	b.add(n)
	b.change.Broadcast() // for ReadAhead
}

// StartRow has a worker make an admitted row. It waits while a row is made that is to be
// alone.
func (b *Budget) StartRow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait(func() bool { return !b.single })
	b.making++
}

// EndRow is a worker's word that it is done with the row.
func (b *Budget) EndRow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.making--
	b.single = false // if there was one, it was this
	b.change.Broadcast()
}

// Recharge charges a row that is being made, and was charged before bytes, with after
// bytes: another sample takes its place. What doesn't fit waits for the rows that other
// workers are at, and is made alone; it cannot wait for those that are only admitted, for
// which there may be no worker but its own.
func (b *Budget) Recharge(before, after int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= before
	b.returned(before)
	b.making--
	b.single = false
	b.change.Broadcast()
	b.wait(func() bool { return !b.single && (b.making == 0 || b.used+after <= b.limit) })
	b.collect(after)
	b.making++
	b.single = b.used+after > b.limit
	b.mostRow = max(b.mostRow, after)
	b.add(after)
}

// slack is how many bytes that rows gave back may wait for the collector; rows below small
// aren't counted.
const (
	slack = 32 << 20
	small = 8 << 20
)

func (b *Budget) returned(n int64) {
	if n >= small {
		b.uncollected += n
		b.largest = max(b.largest, n)
	}
}

// collect makes room for n bytes where what rows have given back stands in their way.
func (b *Budget) collect(n int64) {
	if b.stopped || b.uncollected <= slack || b.used+b.uncollected+n <= b.limit+slack {
		return
	}
	runtime.GC()
	if max(b.largest, n) > b.limit { // that many bytes are not for small ones to take over
		debug.FreeOSMemory() // a second collection, for pools, and back to the system
	}
	b.uncollected, b.largest = 0, 0
}

// RowDone gives a row's bytes back, n of the charged; last says that its batch is whole
// now.
func (b *Budget) RowDone(n int64, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	b.returned(n)
	b.rows--
	if last {
		b.ready++
	}
	b.change.Broadcast()
}

// BatchDone ends a batch: the sink is done with it, though it may keep its bytes.
func (b *Budget) BatchDone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches--
	b.ready--
	b.change.Broadcast()
}

// Writing notes that a sink begins (1) or ends (-1) a Write.
func (b *Budget) Writing(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sinks += n
	b.change.Broadcast()
}

// Charge charges what isn't waited for.
func (b *Budget) Charge(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(n)
}

// Credit credits bytes.
func (b *Budget) Credit(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	b.change.Broadcast()
}

// Room is the number of bytes that are not charged.
func (b *Budget) Room() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit - b.used
}

// Figures are the most bytes that were charged, those of the largest row, and how long
// admission waited for bytes.
func (b *Budget) Figures() (peak, row int64, waited time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peak, b.mostRow, b.waited
}

// Close forgets the context.
func (b *Budget) Close() { b.stop() }
