package flow_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// blocks counts live blocks of one size.
type blocks struct {
	memory.Allocator
	size       int
	live, most atomic.Int64
}

func (b *blocks) Allocate(size int) []byte {
	if size == b.size {
		n := b.live.Add(1)
		for most := b.most.Load(); n > most && !b.most.CompareAndSwap(most, n); most = b.most.Load() {
		}
	}
	return b.Allocator.Allocate(size)
}

func (b *blocks) Free(p []byte) {
	if len(p) == b.size {
		b.live.Add(-1)
	}
	b.Allocator.Free(p)
}

// stalled is a sink that waits in its first Write.
type stalled struct {
	sink
	stall chan struct{}
}

func (s *stalled) Write(ctx context.Context, b *schema.Batch) error {
	select {
	case <-s.stall:
	case <-ctx.Done():
	}
	return s.sink.Write(ctx, b)
}

// However long the sink stalls, no more batches are held than the queue and the
// one being written.
func TestStalledSinkBoundsBatches(t *testing.T) {
	defer goleak.VerifyNone(t)
	pipe := flow.New(sources.Folder{Path: pictures(t)}, stages.Decode{}, stages.Resize{Height: 20, Width: 20}, stages.Batch{Size: 3})
	const image = (3*20*20*3 + 63) / 64 * 64
	for _, queue := range []int{1, 2, 5} {
		mem := &blocks{Allocator: memory.NewCheckedAllocator(memory.NewGoAllocator()), size: image}
		s := &stalled{stall: make(chan struct{})}
		go func() {
			defer close(s.stall)
			for range 2000 { // they come when they come; more would come soon after
				if mem.live.Load() >= int64(queue)+1 {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			time.Sleep(50 * time.Millisecond)
			if n := mem.live.Load(); n != int64(queue)+1 {
				t.Errorf("queue %d: %d batches wait for the sink", queue, n)
			}
		}()
		if _, err := pipe.Run(t.Context(), s, flow.Queue(queue), flow.Allocator(mem)); err != nil {
			t.Fatal(err)
		}
		if n := mem.most.Load(); n != int64(queue)+1 {
			t.Errorf("queue %d: up to %d batches", queue, n)
		}
		mem.Allocator.(*memory.CheckedAllocator).AssertSize(t, 0)
	}
}

// With a budget that holds less than one image, everything still comes, one row
// after the other; and a sink that keeps all batches isn't a deadlock.
func TestTinyBudget(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := pictures(t)
	want := fingerprint(t, recipe(dir))
	if fingerprint(t, recipe(dir), flow.Budget(1), flow.Workers(4)) != want {
		t.Error("the budget changes bytes")
	}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	var kept []*schema.Batch
	for batch, err := range recipe(dir).Batches(t.Context(), flow.Budget(20000), flow.Epochs(2), flow.Allocator(mem)) {
		if err != nil {
			t.Fatal(err)
		}
		batch.Retain()
		kept = append(kept, batch)
	}
	if len(kept) != 30 {
		t.Errorf("%d batches", len(kept))
	}
	for _, batch := range kept {
		batch.Release()
	}
	mem.AssertSize(t, 0)
}

func TestBudgetIsKept(t *testing.T) {
	pipe := flow.New(sources.Folder{Path: pictures(t)}, stages.Decode{}, stages.Resize{Height: 20, Width: 20}, stages.Batch{Size: 3})
	const budget = 100000 // some rows of up to 6 x 70 x 60 bytes, some batches of 3600
	report, err := pipe.Run(t.Context(), &sink{delay: time.Millisecond}, flow.Budget(budget), flow.Epochs(4), flow.Workers(8), flow.Queue(50))
	if err != nil {
		t.Fatal(err)
	}
	// The small columns of a batch, and the encoded file let through alone, are not waited for.
	if m := report.Memory; m.PeakBytes < budget/2 || m.PeakBytes > budget+8<<10 {
		t.Errorf("memory %+v", m)
	}
}

// After the first batches no more buffers are made.
func TestBuffersAreRecycled(t *testing.T) {
	dir := pictures(t)
	buffers := func(epochs int) int64 {
		report, err := recipe(dir).Run(t.Context(), &sink{}, flow.Epochs(epochs), flow.WithParams())
		if err != nil {
			t.Fatal(err)
		}
		return report.Memory.Buffers
	}
	few, many := buffers(20), buffers(120)
	if many > 2*few { // several may be in use at one time, and how many depends on the schedule
		t.Errorf("%d buffers in 20 epochs, %d in 120", few, many)
	}
}

// A header alone must not make anything large.
func TestDecompressionBomb(t *testing.T) {
	defer goleak.VerifyNone(t)
	const side = 60000
	sides := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, side), side)
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	var p, j bytes.Buffer
	if err := errors.Join(png.Encode(&p, img), jpeg.Encode(&j, img, nil)); err != nil {
		t.Fatal(err)
	}
	copy(p.Bytes()[16:], sides) // in IHDR
	binary.BigEndian.PutUint32(p.Bytes()[29:], crc32.ChecksumIEEE(p.Bytes()[12:29]))
	sof := bytes.Index(j.Bytes(), []byte{0xff, 0xc0})
	copy(j.Bytes()[sof+5:], []byte{side >> 8, side & 0xff, side >> 8, side & 0xff})
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"bomb.png": {p.Bytes(), "bytes of data cannot hold 60000x60000 pixels"},
		"bomb.jpg": {j.Bytes(), "too many pixels: 60000x60000 is 3600000000, the limit is 268435456, which decode: {max_pixels: N} sets"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a", name), c.data)
		var report *flow.Report
		var err error
		allocated := testing.AllocsPerRun(1, func() {
			pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8})
			report, err = pipe.Run(t.Context(), &sink{})
		})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if report.Memory.PeakBytes > 1<<20 || allocated > 1e5 {
			t.Errorf("%s: %+v, %v allocations", name, report.Memory, allocated)
		}
	}
}

// slow is a folder on a storage with a latency, where no read ends before as many as
// wanted are under way at the same time.
type slow struct {
	sources.Folder
	reads *reads
}

type reads struct {
	want       int64
	live, most atomic.Int64
	reached    chan struct{} // closed once want reads are under way
}

type slowDataset struct {
	sources.Dataset
	reads *reads
}

func (s slow) Open(ctx context.Context) (sources.Dataset, error) {
	d, err := s.Folder.Open(ctx)
	return slowDataset{d, s.reads}, err
}

func (d slowDataset) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	r := d.reads
	n := r.live.Add(1)
	defer r.live.Add(-1)
	for most := r.most.Load(); n > most; most = r.most.Load() {
		if r.most.CompareAndSwap(most, n) {
			if most < r.want && n >= r.want {
				close(r.reached)
			}
			break
		}
	}
	select {
	case <-r.reached:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	time.Sleep(4 * time.Millisecond)
	return d.Dataset.Read(ctx, sample, buf)
}

// Slow storage is read by many, while one works.
func TestReadersReadAhead(t *testing.T) {
	folder := sources.Folder{Path: pictures(t)}
	run := func(readers int) *flow.Report {
		r := &reads{want: int64(readers), reached: make(chan struct{})}
		pipe := flow.New(slow{folder, r}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 5})
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("a minute went by"))
		defer cancel()
		report, err := pipe.Run(ctx, &sink{}, flow.Epochs(3), flow.Workers(1), flow.Readers(readers))
		if most := r.most.Load(); err != nil || most != r.want {
			t.Fatalf("%d readers: at most %d reads at a time, %v", readers, most, err)
		}
		return report
	}
	one := run(1)
	if !strings.HasPrefix(one.Bottleneck, "read: ") || !strings.Contains(one.Bottleneck, " % busy; the sink waited ") {
		t.Errorf("bottleneck: %s", one.Bottleneck)
	}
	run(10)
}

// The report names what a run waits for.
func TestBottleneck(t *testing.T) {
	dir := pictures(t)
	pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 5})
	report, err := pipe.Run(t.Context(), &sink{delay: 10 * time.Millisecond}, flow.Workers(1), flow.Epochs(4))
	if err != nil || !strings.HasPrefix(report.Bottleneck, "sink: ") || report.Operators[1].Blocked < 0.2 {
		t.Errorf("%v: %s, %+v", err, report.Bottleneck, report.Operators)
	}
	for _, o := range report.Operators {
		if sum := o.Busy + o.Starved + o.Blocked; sum > 1.05 {
			t.Errorf("%s: %.2f of its time", o.Name, sum)
		}
	}
	// A consumer that keeps its batches: rows go through one at a time.
	plan, err := pipe.Plan(t.Context(), flow.Budget(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	if text := strings.Join(plan.Warnings(), "\n"); !strings.Contains(text, "raise the budget") {
		t.Errorf("warnings: %s", text)
	}
}
