package flow

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/schema"
)

// filling is a batch being filled: a future.
type filling struct {
	run      *run
	job      job
	draft    *schema.Draft // nil before admission, and where the run ended first
	tickets  []ticket      // per row, then per donor
	outcomes []outcome     // per row, written by its worker
	wanted   []wanted      // pictures that rows are mixed with, beside those of the batch
	donors   *schema.Draft // of these; nil: none, or as draft
	donated  []outcome     // likewise
	picks    []int         // variants in which it will leave; nil without an Expander
	reserved []int64       // bytes, for each of them
	unmade   atomic.Int64  // rows and donors
	ready    chan struct{} // closed when no row is unmade
}

// count counts a row that is made, or won't be, and tells whether it was the last: then
// the caller closes ready.
func (b *filling) count() (last bool) { return b.unmade.Add(-1) == 0 }

// drop counts a row that nobody will make.
func (b *filling) drop() {
	if b.count() {
		close(b.ready)
	}
}

// abandon gives up a batch that nobody waits for.
func (b *filling) abandon() {
	<-b.ready
	if b.draft != nil {
		b.discard()
	}
}

// discard gives up what was made.
func (b *filling) discard() {
	b.draft.Discard()
	b.discardDonors()
}

// discardDonors gives up the donors, once they are mixed.
func (b *filling) discardDonors() {
	if b.donors != nil {
		b.donors.Discard()
		b.donors = nil
	}
}

// mixable is a batch whose rows are made.
func (b *filling) mixable() *mixable {
	return &mixable{
		draft: b.draft, donors: b.donors, wanted: b.wanted,
		fates:   func(row int) *[]picture.Fate { return &b.outcomes[row].fates },
		donated: func(k int) *[]picture.Fate { return &b.donated[k].fates },
	}
}

// noteDonors counts the donors that failed with their rows.
func (b *filling) noteDonors() {
	for k := range b.donated {
		d := &b.outcomes[b.wanted[k].row]
		d.failures = append(d.failures, b.donated[k].failures...)
	}
}

// ticket is a row under way. It goes from read to transform; its batch counts it when it
// is made.
type ticket struct {
	batch   *filling
	at      int            // its row in the batch, or its number among the donors
	donor   bool           // it is a donor's
	located bool           // false once the run has ended
	row     row            // empty once it is made
	encoded int64          // bytes of its file, charged as read ahead
	working int64          // bytes that making it takes
	buffer  *[]byte        // that its file was read into; nil: none
	err     *RowError      // of reading
	fetched sync.WaitGroup // done when the file is there, or isn't
	charged int64          // its bytes in the budget, once admitted
	blocked bool           // admission waited for memory longer than for the file
}

// draft is where it goes.
func (t *ticket) draft() *schema.Draft {
	if t.donor {
		return t.batch.donors
	}
	return t.batch.draft
}

// outcome is what becomes of it.
func (t *ticket) outcome() *outcome {
	if t.donor {
		return &t.batch.donated[t.at]
	}
	return &t.batch.outcomes[t.at]
}

// A ticket is its row's place (see place).

// slot is where the row's picture may be sampled right away. Grey leaves its three
// channels when it is put there.
func (t *ticket) slot() *schema.Picture {
	if p := t.batch.run.plan; p.info.Form == schema.FormTensor && !p.rows.pictures.Decoder.Gray() {
		return t.draft().Slot(t.at)
	}
	return nil
}

func (t *ticket) look() *picture.Views { return nil }

func (t *ticket) maskSlot() []uint8 {
	if p := t.batch.run.plan; p.info.Form == schema.FormTensor && p.info.Targets.HasMask() {
		return t.draft().Mask(t.at)
	}
	return nil
}

// put moves a row into its place; what was sampled into its slot is there already.
func (t *ticket) put(row *row) error {
	draft := t.draft()
	draft.SetMeta(t.at, row.meta)
	if row.mask != nil {
		draft.SetMask(t.at, row.mask)
	} else if row.picture == nil && row.meta.Targets != nil && t.batch.run.plan.info.Targets.HasMask() {
		draft.SetEncodedMask(t.at, row.meta.Targets.Mask)
	}
	switch {
	case row.picture == nil:
		draft.SetEncoded(t.at, row.encoded)
	case row.picture != t.slot():
		return draft.SetPicture(t.at, row.picture)
	}
	return nil
}

// read reads and prepares a substitute, beside the draw's first file, which is still
// there: charged first for what reading takes, then for what making it will take.
func (t *ticket) read(ctx context.Context, row *row) *RowError {
	rows := t.batch.run.plan.rows
	n := t.encoded + rows.encodedBytes(row)
	t.recharge(n)
	if ctx.Err() != nil {
		return row.failed("source", context.Cause(ctx))
	}
	tracks := t.batch.run.sink.tracksReads
	if tracks || !rows.borrow(ctx, row) {
		if err := rows.read(ctx, row, nil, tracks); err != nil {
			return err
		}
	}
	if err := rows.annotate(ctx, row, tracks); err != nil {
		return err
	}
	t.recharge(n + rows.prepare(row))
	return nil
}

func (t *ticket) recharge(n int64) {
	t.batch.run.budget.Recharge(t.charged, n)
	t.charged = n
}
