package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
)

var errStopped = errors.New("feed: the loop was left")

// running is a run: the sink that sends its batches.
type running struct {
	session *session
	opened  *opened
	id      uint32
	plan    *flow.Plan
	cancel  context.CancelCauseFunc

	mu     sync.Mutex
	change *sync.Cond
	sent   int64 // batches
	taken  int64 // of these, by the loop

	at    [2]int64 // epoch and number of the batch before
	times int      // that it was sent, in one scale after the other

	begun  *flow.StateLedger // at its start; nil: none
	late   *flow.LateLedger  // nil: the run hasn't begun
	due    []place           // batches that have been sent whole, and were not taken yet
	behind *place            // the last that was taken; nil: none
}

// place is a batch, and how many messages were sent with it.
type place struct {
	epoch  int
	number int64
	sent   int64
}

// held are the batches whose slots Python has; they may outlive their run.
type held struct {
	mu      sync.Mutex
	batches map[int]*schema.Batch
}

// drop releases all of them.
func (h *held) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.batches {
		b.Release()
	}
	clear(h.batches)
}

// runAsk is a RUN message.
type runAsk struct {
	Epoch  int             `json:"epoch"`
	Batch  int64           `json:"batch"`
	Epochs int             `json:"epochs"` // where it ends; 0: nowhere
	State  json.RawMessage `json:"state"`  // to be of the same plan; null: not asked

	Ledger *flow.StateLedger `json:"ledger"` // which goes on; null: none
}

// begin starts a run.
func (s *session) begin(ctx context.Context, m *message) error {
	o, err := s.planned()
	if err != nil {
		return s.sendError(m.id, err)
	}
	var ask runAsk
	if err := m.into(&ask); err != nil {
		return s.sendError(m.id, err)
	}
	state := flow.State{}
	if len(ask.State) > 0 && string(ask.State) != "null" {
		if err := json.Unmarshal(ask.State, &state); err != nil {
			return s.sendError(m.id, s.ofState(err))
		}
	}
	state.Epoch, state.Batch = ask.Epoch, ask.Batch
	if ask.Ledger != nil {
		state.Ledger = ask.Ledger
	}
	if ask.Epochs == 0 {
		ask.Epochs = flow.Endless
	}
	told := &teller{session: s, id: m.id}
	settings := o.plan.Settings()
	r := &running{session: s, opened: o, id: m.id, at: [2]int64{-1, -1}, begun: state.Ledger}
	r.change = sync.NewCond(&r.mu)
	options := []flow.Option{flow.Resume(state), flow.Epochs(ask.Epochs), flow.OnProgress(told.tell)}
	if o.slots.ring != nil { // without one the run's own memory is used again, too
		options = append(options, flow.Images(o.slots), flow.Budget(settings.Budget+int64(o.slots.n)*int64(o.slots.size)))
	}
	if r.plan, err = o.plan.With(options...); err != nil {
		return s.sendError(m.id, s.ofState(err))
	}
	s.mu.Lock()
	if len(s.runs) > 0 {
		s.mu.Unlock()
		return s.sendError(m.id, usage("feed: a run is going on: it has to be stopped first"))
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	s.runs[m.id], s.newest = r, r
	s.mu.Unlock()
	s.wait.Go(func() { r.run(ctx) })
	return nil
}

func (r *running) run(ctx context.Context) {
	s := r.session
	var report *flow.Report
	err := guarded(func() (err error) {
		report, err = r.plan.Deliver(ctx, r)
		return err
	})
	stopped := errors.Is(err, errStopped) || errors.Is(context.Cause(ctx), errStopped)
	r.cancel(nil)
	s.mu.Lock()
	delete(s.runs, r.id) // before the message: the next may come at once
	s.mu.Unlock()
	if err != nil && !stopped {
		_ = s.sendError(r.id, err)
		return
	}
	_ = s.send(kindEnd, r.id, map[string]any{"report": report, "stopped": stopped})
}

// Open is called before the first batch.
func (r *running) Open(context.Context, *schema.Run) error { return nil }

// Wants leaves out the scales that Python didn't ask for.
func (r *running) Wants(variant int) bool {
	want := r.opened.ask.Scale
	return want == nil || r.opened.info.Variants[variant].Scale == *want
}

// batchHead is a BATCH message.
type batchHead struct {
	Epoch   int       `json:"epoch"`
	Number  int64     `json:"number"`
	Variant int       `json:"variant"`
	Scale   float64   `json:"scale"`
	Rows    int       `json:"rows"`
	Next    [2]int64  `json:"next"` // epoch and batch: where a run resumes behind it
	Last    bool      `json:"last"` // no other scale of it follows
	Slot    int       `json:"slot"` // of the ring; -1: pixels follow the columns
	Columns int       `json:"columns"`
	Image   *imageHas `json:"image"`        // null: pictures are a column
	Mask    []int     `json:"mask"`         // rows, height, width of masks of one size, a byte a pixel, behind all else; null: there are none, or they are a column
	InSlot  bool      `json:"mask_in_slot"` // they are behind the pixels, in the slot
}

type imageHas struct {
	DType  string `json:"dtype"`
	Layout string `json:"layout"`
	Shape  []int  `json:"shape"`
	Bytes  int    `json:"bytes"`
}

// Write sends a batch, once few enough are on their way. One without rows goes, too: it is
// counted.
func (r *running) Write(ctx context.Context, b *schema.Batch) error {
	if err := r.room(ctx); err != nil {
		return err
	}
	head, body, err := r.pack(b)
	if err != nil {
		return err
	}
	s := r.session
	if head.Slot >= 0 {
		b.Retain()
		s.held.mu.Lock()
		s.held.batches[head.Slot] = b
		s.held.mu.Unlock()
	}
	return s.send(kindBatch, r.id, head, body...)
}

// wait waits, with the lock, as long as something is so and the context isn't over.
func (r *running) wait(ctx context.Context, so func() bool) {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.change.Broadcast()
	})
	defer stop()
	for ctx.Err() == nil && so() {
		r.change.Wait()
	}
}

// room waits until few enough batches are on their way to the loop.
func (r *running) room(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wait(ctx, func() bool { return r.sent-r.taken >= ready })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.sent++
	return nil
}

// pack makes a message of a batch.
func (r *running) pack(b *schema.Batch) (head *batchHead, body [][]byte, err error) {
	v := r.opened.info.Variants[b.Variant]
	next := r.plan.StateAfter(b)
	head = &batchHead{
		Epoch: b.Epoch, Number: b.Number, Variant: b.Variant, Scale: v.Scale, Rows: b.Rows(), Slot: -1,
		Next: [2]int64{int64(next.Epoch), next.Batch},
	}
	if at := [2]int64{int64(b.Epoch), b.Number}; at != r.at {
		r.at, r.times = at, 0
	}
	r.times++
	if head.Last = r.opened.ask.Scale != nil || r.times >= r.opened.variants; head.Last {
		r.mu.Lock()
		r.due = append(r.due, place{b.Epoch, b.Number, r.sent})
		r.mu.Unlock()
	}
	if b.Rows() == 0 {
		return head, nil, nil
	}
	var pixels []byte
	if b.Form == schema.FormTensor {
		pixels = pixelsOf(b)
		image := describeImage(b.Tensor, len(pixels))
		image.Shape = append([]int{b.Rows()}, image.Shape...)
		head.Image = &image
		if slots := r.opened.slots; slots.ring != nil {
			if head.Slot = slots.of(pixels); head.Slot < 0 {
				r.warnShort()
			}
		}
	}
	columns, err := columnsOf(b)
	if err != nil {
		return nil, nil, err
	}
	head.Columns = len(columns)
	body = [][]byte{columns}
	if head.Slot < 0 && pixels != nil {
		body = append(body, pixels)
	}
	if masks := b.Masks(); masks != nil {
		head.Mask = []int{b.Rows(), b.Tensor.Height, b.Tensor.Width}
		if head.InSlot = r.opened.slots.add(head.Slot, len(pixels), masks); !head.InSlot {
			body = append(body, masks)
		}
	}
	return head, body, nil
}

// Follow is called before the first batch, with the ledger of the run.
func (r *running) Follow(l *flow.LateLedger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = l
}

// pass goes to the last batch that is whole in so many messages.
func (r *running) pass(taken int64) {
	n := 0
	for n < len(r.due) && r.due[n].sent <= taken {
		r.behind = &place{r.due[n].epoch, r.due[n].number, r.due[n].sent}
		n++
	}
	r.due = r.due[n:]
}

// ledger answers with what each class got in the batches that the loop has taken of the newest run.
func (s *session) ledger(ctx context.Context, m *message) (*reply, error) {
	var ask struct {
		Run   uint32 `json:"run"`
		Taken int64  `json:"taken"`
	}
	if err := m.into(&ask); err != nil {
		return nil, err
	}
	s.mu.Lock()
	r := s.newest
	s.mu.Unlock()
	if r == nil || r.id != ask.Run {
		return nil, usage("feed: there is no run %d whose ledger could be asked for", ask.Run)
	}
	r.mu.Lock()
	r.pass(ask.Taken)
	late, behind := r.late, r.behind
	r.mu.Unlock()
	ledger := r.begun
	if behind != nil {
		ledger = late.State(ctx, behind.epoch, behind.number)
	}
	return &reply{head: map[string]any{"ledger": ledger}}, nil
}

// pixelsOf is the memory of a batch's pictures, which are of one size.
func pixelsOf(b *schema.Batch) []byte {
	if f := b.Float32(); f != nil {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
	}
	return b.Uint8()
}

// warnShort says once that the loop keeps what it gets.
func (r *running) warnShort() {
	if o := r.opened; !o.warned {
		o.warned = true
		_ = r.session.send(kindWarn, r.id, map[string]string{"message": fmt.Sprintf(
			"all %d slots of the ring are in use, as the loop keeps batches, or views of them: from now on batches are copied where none is free (slots=%d, or clone what is kept)",
			o.slots.n, 2*o.slots.n)})
	}
}

// columnsOf is a batch without the pixels that go another way, as an Arrow IPC stream.
func columnsOf(b *schema.Batch) ([]byte, error) {
	var fields []arrow.Field
	var columns []arrow.Array
	for i, f := range b.Record.Schema().Fields() {
		if b.Form == schema.FormTensor && (f.Name == schema.ColumnImage || f.Name == schema.ColumnMask && b.Masks() != nil) {
			continue
		}
		fields, columns = append(fields, f), append(columns, b.Record.Column(i))
	}
	record := array.NewRecord(arrow.NewSchema(fields, nil), columns, int64(b.Rows()))
	defer record.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(record.Schema()))
	if err := errors.Join(w.Write(record), w.Close()); err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	return out.Bytes(), nil
}

// Close is called behind the last batch.
func (r *running) Close(cause error) error { return cause }

// give takes back what the loop is done with.
func (s *session) give(m *message) error {
	var g struct {
		Taken int64 `json:"taken"`
		Free  []int `json:"free"`
	}
	if err := m.into(&g); err != nil {
		return err
	}
	for _, slot := range g.Free {
		s.held.mu.Lock()
		b := s.held.batches[slot]
		delete(s.held.batches, slot)
		s.held.mu.Unlock()
		if b == nil {
			return broken("it gives back slot %d, which Python doesn't have", slot)
		}
		b.Release()
	}
	s.mu.Lock()
	r := s.runs[m.id]
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.Taken < r.taken || g.Taken > r.sent {
		return broken("it has taken %d batches of %d that were sent, and %d before", g.Taken, r.sent, r.taken)
	}
	r.taken = g.Taken
	if r.pass(r.taken); r.behind != nil {
		r.late.Pass(r.behind.epoch, r.behind.number)
	}
	r.change.Broadcast()
	return nil
}

// teller sends progress, at most once a second.
type teller struct {
	session *session
	id      uint32
	last    time.Duration
}

func (t *teller) tell(p flow.Progress) {
	if p.Elapsed-t.last < time.Second {
		return
	}
	t.last = p.Elapsed
	_ = t.session.send(kindProgress, t.id, map[string]any{
		"phase": p.Phase, "rows": p.Rows, "failed": p.Failed, "refilled": p.Refilled,
		"seconds": p.Elapsed.Seconds(), "images_per_second": p.ImagesPerSecond, "bottleneck": p.Bottleneck,
	})
}
