package memory

import (
	"sync"

	arrow "github.com/apache/arrow/go/v15/arrow/memory"
)

// Pool gives Arrow buffers their memory during a run: it charges the budget,
// and keeps freed blocks for the next buffer of their size, since Go's own
// allocator leaves them to the garbage collector. Batches of a run have few
// sizes, so that after the first ones nothing is allocated any more.
//
// Buffers may outlive the run: after close, what is freed goes back at once.
type Pool struct {
	under  arrow.Allocator
	budget *Budget

	mu     sync.Mutex
	idle   map[int][][]byte // by size
	bytes  int64            // in idle
	live   int64            // in use
	most   int64            // in use at one time
	closed bool
	fresh  int64 // blocks asked of under
}

// NewPool allocates from under, or from Arrow's default allocator if that is nil, and
// charges b.
func NewPool(under arrow.Allocator, b *Budget) *Pool {
	if under == nil {
		under = arrow.DefaultAllocator
	}
	return &Pool{under: under, budget: b, idle: map[int][][]byte{}}
}

// clearBelow: smaller recycled blocks are zeroed, as Go's are. Larger ones hold
// pixels or text, all of which is written.
const clearBelow = 64 << 10

// Allocate gives a block of exactly size bytes.
func (p *Pool) Allocate(size int) []byte {
	p.budget.Charge(int64(size))
	if block := p.reuse(size); block != nil {
		return block
	}
	p.Trim()
	return p.under.Allocate(size)[:size:size]
}

func (p *Pool) reuse(size int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live += int64(size)
	p.most = max(p.most, p.live)
	list := p.idle[size]
	if len(list) == 0 {
		p.fresh++
		return nil
	}
	block := list[len(list)-1]
	list[len(list)-1] = nil
	p.idle[size] = list[:len(list)-1]
	p.bytes -= int64(size)
	if size < clearBelow {
		clear(block)
	}
	return block
}

// Reallocate keeps the block when it is made smaller.
func (p *Pool) Reallocate(size int, b []byte) []byte { return reallocate(p, size, b) }

// Free keeps the block for another buffer.
func (p *Pool) Free(b []byte) {
	b = b[:cap(b)] // its size, whatever Reallocate made of it
	if len(b) == 0 {
		return
	}
	p.mu.Lock()
	p.live -= int64(len(b))
	keep := !p.closed
	if keep {
		p.idle[len(b)] = append(p.idle[len(b)], b)
		p.bytes += int64(len(b))
		p.shrink(2*p.most - p.live) // where sizes differ from batch to batch, blocks would pile up
	}
	p.mu.Unlock()
	if !keep {
		p.under.Free(b)
	}
	p.budget.Credit(int64(len(b)))
}

// Trim gives up idle blocks that the budget has no room for.
func (p *Pool) Trim() {
	room := max(p.budget.Room(), 0)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shrink(room)
}

// shrink leaves so many idle bytes at most; the caller has the lock. Empty lists stay
// until then: the next block of their size is on its way.
func (p *Pool) shrink(to int64) {
	if p.bytes <= to && !p.closed {
		return
	}
	for size, list := range p.idle {
		for len(list) > 0 && p.bytes > to {
			p.under.Free(list[len(list)-1])
			list[len(list)-1] = nil
			list = list[:len(list)-1]
			p.bytes -= int64(size)
		}
		if p.idle[size] = list; len(list) == 0 {
			delete(p.idle, size)
		}
	}
}

// Close gives up all idle blocks, and from now on every block that is freed.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.shrink(0)
}

// Fresh is the number of blocks that were no recycled ones.
func (p *Pool) Fresh() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fresh
}

// charged is an allocator whose blocks are charged to a budget, and not kept.
type charged struct {
	under  arrow.Allocator
	budget *Budget
}

// Charge has a budget count what comes from an allocator.
func Charge(under arrow.Allocator, b *Budget) arrow.Allocator { return &charged{under, b} }

func (c *charged) Allocate(size int) []byte {
	c.budget.Charge(int64(size))
	return c.under.Allocate(size)[:size:size]
}

// Reallocate keeps the block when it is made smaller.
func (c *charged) Reallocate(size int, b []byte) []byte { return reallocate(c, size, b) }

func (c *charged) Free(b []byte) {
	b = b[:cap(b)]
	c.under.Free(b)
	c.budget.Credit(int64(len(b)))
}

func reallocate(mem arrow.Allocator, size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	block := mem.Allocate(size)
	copy(block, b)
	mem.Free(b)
	return block
}
