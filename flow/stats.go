package flow

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/flow/internal/memory"
	"github.com/sluicedata/sluice/flow/internal/picture"
)

// stats are the figures of one run.
type stats struct {
	plan   *Plan
	budget *memory.Budget
	began  time.Time
	total  atomic.Int64  // rows to come
	clock  picture.Clock // of the workers

	reading, transforming, batching, scaling, sinking meter

	records atomic.Int64
	mu      sync.Mutex // of what follows, which counts batches that have left
	rows    int64
	drawn   int64
	failed  int64
	refill  int64
	empty   int64
	filled  int64
	first   string // key of the first row filled
	turned  int64
	untold  int64
	example string // key of the first row untold
	ledger  *ledger
	late    *LateLedger // that the sink follows; nil: none

	stop chan struct{}
	wait sync.WaitGroup
}

func newStats(p *Plan) *stats {
	s := &stats{plan: p, stop: make(chan struct{})}
	s.reading.name, s.reading.workers = "read", p.settings.Readers
	s.transforming.name, s.transforming.workers = "transform", p.settings.Workers
	s.batching.name, s.batching.workers = "batch", 1
	if p.scaling != nil {
		s.scaling.name, s.scaling.workers = p.scaling.name, 1
	}
	s.sinking.name, s.sinking.workers = "sink", 1
	return s
}

// expect says how many rows there will be.
func (s *stats) expect(rows int64) { s.total.Store(rows) }

// count counts a batch of which every variant is delivered.
func (s *stats) count(b *departure) (rows, failed, refilled int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.outcomes {
		d := &b.outcomes[i]
		switch {
		case d.lost:
			failed++
		case len(d.failures) > 0:
			refilled++
			rows++
		default:
			rows++
		}
		switch {
		case d.lost:
		case d.turn == picture.Turned:
			s.turned++
		case d.turn == picture.Untold:
			if s.untold++; s.untold == 1 {
				s.example = d.untold
			}
		}
		if d.filled != "" {
			if s.filled++; s.filled == 1 {
				s.first = d.filled
			}
		}
	}
	s.rows += rows
	s.drawn += int64(len(b.outcomes))
	s.failed += failed
	s.refill += refilled
	if rows == 0 {
		s.empty++
	}
	s.ledger.add(b.job.epoch, b.outcomes)
	if s.late != nil {
		s.late.delivered(b)
	}
	return rows, failed, refilled
}

// ledgerState is the ledger of what has left, for a state.
func (s *stats) ledgerState() *StateLedger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.state()
}

// counted is what has left: rows, and the draws of their batches.
func (s *stats) counted() (rows, drawn int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows, s.drawn
}

func (s *stats) begin(tell func(Progress)) {
	s.began = time.Now()
	if tell == nil {
		return
	}
	s.wait.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				tell(s.progress())
				return
			case <-tick.C:
				tell(s.progress())
			}
		}
	})
}

func (s *stats) progress() Progress {
	s.mu.Lock()
	p := Progress{Rows: s.rows, Failed: s.failed, Refilled: s.refill}
	s.mu.Unlock()
	p.TotalRows, p.Elapsed = s.total.Load(), time.Since(s.began)
	p.ImagesPerSecond = float64(p.Rows) / max(p.Elapsed.Seconds(), 1e-9)
	if p.Rows > 0 && p.TotalRows > 0 {
		p.ETA = time.Duration(float64(p.TotalRows-p.Rows-p.Failed) / p.ImagesPerSecond * float64(time.Second))
	}
	_, _, waited := s.budget.Figures()
	p.Bottleneck = bottleneck(s.operators(p.Elapsed), waited.Seconds()/p.Elapsed.Seconds())
	return p
}

// operators are the figures of each, in their order.
func (s *stats) operators(elapsed time.Duration) []Operator {
	transforming := s.transforming.report(elapsed)
	if s.plan.rows.pictures != nil {
		share := func(ns int64) float64 {
			return time.Duration(ns).Seconds() / max(elapsed.Seconds()*float64(transforming.Workers), 1e-9)
		}
		transforming.Of = map[string]float64{"decode": share(s.clock.Decode.Load()), "transform": share(s.clock.Transform.Load())}
	}
	list := []Operator{s.reading.report(elapsed), transforming, s.batching.report(elapsed)}
	if s.plan.scaling != nil {
		list = append(list, s.scaling.report(elapsed))
	}
	return append(list, s.sinking.report(elapsed))
}

// end stops the progress and sums up.
func (s *stats) end() *Report {
	elapsed := time.Since(s.began)
	close(s.stop)
	s.wait.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plan
	peak, row, waited := s.budget.Figures()
	r := &Report{
		Rows: s.rows, Drawn: s.drawn, Failed: s.failed, Refilled: s.refill, Filled: s.filled, FirstFilled: s.first, Batches: s.records.Load(), Empty: s.empty,
		Epochs: p.info.Epochs, Seconds: elapsed.Seconds(), PlanHash: p.info.PlanHash, Exec: p.settings.Exec, Seed: p.info.Seed,
		Workers: p.settings.Workers, Samples: p.Index().Len(), IgnoredFiles: p.Index().Ignored(),
		Operators: s.operators(elapsed), Memory: Memory{BudgetBytes: p.settings.Budget, PeakBytes: peak, RowBytes: row, Waited: waited.Seconds() / elapsed.Seconds()},
		Delivered: map[string]map[string]int64{}, Objects: s.ledger.objects.report(p.info.Targets), Turned: s.turned, Untold: s.untold, FirstUntold: s.example, Warnings: p.Warnings(),
	}
	r.Ledger, r.Images = s.ledger.named(s.ledger.whole())
	r.ByEpoch = s.ledger.byEpochs()
	r.Warnings = slices.Concat(r.Warnings, r.Remarks())
	r.ImagesPerSecond = float64(r.Rows) / max(r.Seconds, 1e-9)
	r.Bottleneck = bottleneck(r.Operators, r.Memory.Waited)
	r.Busy = map[string]float64{}
	for _, o := range r.Operators {
		if o.Of == nil {
			r.Busy[o.Name] = o.Busy
		}
		maps.Copy(r.Busy, o.Of)
	}
	for task, classes := range r.Ledger {
		r.Delivered[task] = map[string]int64{}
		for class, x := range classes {
			if class != "" || x.Delivered > 0 {
				r.Delivered[task][class] = x.Delivered
			}
		}
	}
	return r
}
