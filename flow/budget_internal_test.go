package flow

import (
	"context"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// goes reports whether a call returns soon; release, if set, is called once it
// hasn't, and then it must.
func goes(t *testing.T, call, release func()) bool {
	t.Helper()
	done := make(chan struct{})
	go func() { call(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(20 * time.Millisecond):
	}
	if release == nil {
		t.Fatal("it waits for ever")
	}
	release()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("it still waits")
	}
	return false
}

func TestBudgetAdmits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := newBudget(ctx, 800, 2) // 100 of it for reading ahead
	if !goes(t, func() { b.readAhead(250) }, nil) {
		t.Error("the first file waits")
	}
	if goes(t, func() { b.readAhead(1) }, func() { b.batch(300, 100); b.row(50, 250) }) {
		t.Error("a second file goes beyond the share for reading ahead")
	}
	// 300 of the batch's are not charged: its allocator does that.
	if b.used != 100+250+50+1 {
		t.Errorf("%d used", b.used)
	}
	b.take(300)
	if goes(t, func() { b.row(1, 0) }, func() { b.give(300) }) {
		t.Error("a row goes beyond the limit")
	}
	if goes(t, func() { b.batch(400, 0) }, func() { b.rowMade(300, false); b.rowMade(1, true) }) {
		t.Error("a batch goes beyond the limit")
	}
	// One batch is on its way, one begun: a third one waits, however small.
	if goes(t, func() { b.batch(0, 0) }, func() { b.through() }) {
		t.Error("a batch goes beyond the queue")
	}
	// Nothing under way: whatever comes next goes.
	if !goes(t, func() { b.row(5000, 0) }, nil) {
		t.Error("a row waits for nothing")
	}
	if goes(t, func() { b.row(0, 0) }, func() { b.writing(1); b.rowMade(5000, false) }) {
		t.Error("a row goes although it doesn't fit")
	}
	b.rowMade(0, false)
	b.take(5000)
	if goes(t, func() { b.row(1, 0) }, func() { b.writing(-1) }) {
		t.Error("the sink writes, and a row that doesn't fit goes")
	}
	if goes(t, func() { b.row(1, 0) }, cancel) {
		t.Error("a second row goes")
	}
}

func TestPoolRecycles(t *testing.T) {
	under := memory.NewCheckedAllocator(memory.NewGoAllocator())
	b := newBudget(t.Context(), 10000, 1)
	p := newPool(under, b)
	one := p.Allocate(640)
	one[5] = 1
	address := &one[0]
	p.Free(p.Reallocate(64, one)) // made smaller, it keeps its block
	two := p.Allocate(640)
	if &two[0] != address || two[5] != 0 || p.asked() != 1 {
		t.Error("the block is not used again, or not cleared")
	}
	two[63] = 7
	grown := p.Reallocate(1280, two)
	if len(grown) != 1280 || grown[63] != 7 || p.asked() != 2 {
		t.Error("growing lost bytes")
	}
	if b.used != 1280 {
		t.Errorf("%d bytes are charged", b.used)
	}
	// Idle blocks give way to what the budget has room for.
	p.Free(grown)
	if under.CurrentAlloc() != 640+1280 {
		t.Errorf("%d bytes are kept", under.CurrentAlloc())
	}
	b.take(9000)
	p.trim()
	if n := under.CurrentAlloc(); n > 1000 {
		t.Errorf("%d idle bytes, and there is room for 1000", n)
	}
	last := p.Allocate(128)
	p.close()
	if under.CurrentAlloc() != 128 {
		t.Errorf("%d bytes after close", under.CurrentAlloc())
	}
	p.Free(last)
	under.AssertSize(t, 0)
}

// A substitute that doesn't fit is made alone, and doesn't wait for rows that only
// its own worker could make.
func TestBudgetAgain(t *testing.T) {
	b := newBudget(t.Context(), 800, 2)
	b.batch(0, 0)
	for range 3 {
		b.readAhead(0)
		b.row(200, 0)
	}
	b.start()
	if !goes(t, func() { b.again(200, 5000) }, nil) {
		t.Error("it waits for rows that nobody makes")
	}
	if goes(t, b.start, func() { b.finish(); b.rowMade(5000, false) }) {
		t.Error("another row is made beside it")
	}
	// Of two that don't fit one goes after the other.
	b.start()
	gone := make(chan struct{}, 2)
	for range 2 {
		go func() { b.again(200, 6000); gone <- struct{}{} }()
	}
	<-gone
	select {
	case <-gone:
		t.Error("two go that don't fit")
	case <-time.After(20 * time.Millisecond):
	}
	b.finish()
	<-gone
	b.finish()
	if b.making != 0 || b.single {
		t.Errorf("%d are made, one alone: %v", b.making, b.single)
	}
}
