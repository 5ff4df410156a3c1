package memory

import (
	"context"
	"testing"
	"time"

	arrow "github.com/apache/arrow/go/v15/arrow/memory"
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
	b := New(ctx, 800, 2) // 100 of it for reading ahead
	if !goes(t, func() { b.ReadAhead(250) }, nil) {
		t.Error("the first file waits")
	}
	if goes(t, func() { b.ReadAhead(1) }, func() { b.Batch(300, 100); b.Row(50, 250) }) {
		t.Error("a second file goes beyond the share for reading ahead")
	}
	// 300 of the batch's are not charged: its allocator does that.
	if b.used != 100+250+50+1 {
		t.Errorf("%d used", b.used)
	}
	b.Charge(300)
	if goes(t, func() { b.Row(1, 0) }, func() { b.Credit(300) }) {
		t.Error("a row goes beyond the limit")
	}
	if goes(t, func() { b.Batch(400, 0) }, func() { b.RowDone(300, false); b.RowDone(1, true) }) {
		t.Error("a batch goes beyond the limit")
	}
	// One batch is on its way, one begun: a third one waits, however small.
	if goes(t, func() { b.Batch(0, 0) }, func() { b.BatchDone() }) {
		t.Error("a batch goes beyond the queue")
	}
	// Nothing under way: whatever comes next goes.
	if !goes(t, func() { b.Row(5000, 0) }, nil) {
		t.Error("a row waits for nothing")
	}
	if goes(t, func() { b.Row(0, 0) }, func() { b.Writing(1); b.RowDone(5000, false) }) {
		t.Error("a row goes although it doesn't fit")
	}
	b.RowDone(0, false)
	b.Charge(5000)
	if goes(t, func() { b.Row(1, 0) }, func() { b.Writing(-1) }) {
		t.Error("the sink writes, and a row that doesn't fit goes")
	}
	if goes(t, func() { b.Row(1, 0) }, cancel) {
		t.Error("a second row goes")
	}
}

func TestPoolRecycles(t *testing.T) {
	under := arrow.NewCheckedAllocator(arrow.NewGoAllocator())
	b := New(t.Context(), 10000, 1)
	p := NewPool(under, b)
	one := p.Allocate(640)
	one[5] = 1
	address := &one[0]
	p.Free(p.Reallocate(64, one)) // made smaller, it keeps its block
	two := p.Allocate(640)
	if &two[0] != address || two[5] != 0 || p.Fresh() != 1 {
		t.Error("the block is not used again, or not cleared")
	}
	two[63] = 7
	grown := p.Reallocate(1280, two)
	if len(grown) != 1280 || grown[63] != 7 || p.Fresh() != 2 {
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
	b.Charge(9000)
	p.Trim()
	if n := under.CurrentAlloc(); n > 1000 {
		t.Errorf("%d idle bytes, and there is room for 1000", n)
	}
	last := p.Allocate(128)
	p.Close()
	if under.CurrentAlloc() != 128 {
		t.Errorf("%d bytes after close", under.CurrentAlloc())
	}
	p.Free(last)
	under.AssertSize(t, 0)
}

// A substitute that doesn't fit is made alone, and doesn't wait for rows that only
// its own worker could make.
func TestBudgetAgain(t *testing.T) {
	b := New(t.Context(), 800, 2)
	b.Batch(0, 0)
	for range 3 {
		b.ReadAhead(0)
		b.Row(200, 0)
	}
	b.StartRow()
	if !goes(t, func() { b.Recharge(200, 5000) }, nil) {
		t.Error("it waits for rows that nobody makes")
	}
	if goes(t, b.StartRow, func() { b.EndRow(); b.RowDone(5000, false) }) {
		t.Error("another row is made beside it")
	}
	// Of two that don't fit one goes after the other.
	b.StartRow()
	gone := make(chan struct{}, 2)
	for range 2 {
		go func() { b.Recharge(200, 6000); gone <- struct{}{} }()
	}
	<-gone
	select {
	case <-gone:
		t.Error("two go that don't fit")
	case <-time.After(20 * time.Millisecond):
	}
	b.EndRow()
	<-gone
	b.EndRow()
	if b.making != 0 || b.single {
		t.Errorf("%d are made, one alone: %v", b.making, b.single)
	}
}
