package flow

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/schema"
)

// Progress is how far a run has come.
type Progress struct {
	// Phase is what goes on before the first row, "listing the source" or "measuring
	// mean and std" (rows are pictures then); "": rows are made.
	Phase            string
	Rows, TotalRows  int64 // rows delivered, each scale of a batch counted once; TotalRows includes those that fail
	Failed, Refilled int64
	Elapsed          time.Duration
	ImagesPerSecond  float64
	ETA              time.Duration // 0 when not known yet
	Bottleneck       string
}

// Report is what a run did; its JSON is what --json prints.
type Report struct {
	Rows            int64    `json:"rows"`                   // delivered; each scale of a batch counts once
	Drawn           int64    `json:"drawn"`                  // draws of the delivered batches: rows + failed
	Failed          int64    `json:"failed"`                 // draws that left no row
	Refilled        int64    `json:"refilled"`               // rows that are another sample of the class, as the drawn one failed
	Filled          int64    `json:"filled"`                 // rows of damaged files, as decode's truncated: fill has them, and of files that lack scans
	FirstFilled     string   `json:"first_filled,omitempty"` // key of the first of them
	Batches         int64    `json:"batches"`                // records delivered; each scale counts
	Empty           int64    `json:"empty"`                  // batches of which every row failed
	Epochs          int      `json:"epochs"`
	Seconds         float64  `json:"seconds"`
	ImagesPerSecond float64  `json:"images_per_second"`
	PlanHash        string   `json:"plan_hash"`
	Exec            Executor `json:"exec"`
	Seed            uint64   `json:"seed"`
	Workers         int      `json:"workers"`
	Samples         int      `json:"samples"`     // of the source, after split
	IgnoredFiles    int      `json:"passed_over"` // files of the source that are no images
	Bottleneck      string   `json:"bottleneck"`
	// Busy shares of the time, in short: read, decode, transform, sink.
	Busy      map[string]float64 `json:"busy"`
	Operators []Operator         `json:"operators"`
	Memory    Memory             `json:"memory"`
	// Delivered rows by task and class; "" counts unknown labels.
	Delivered map[string]map[string]int64 `json:"delivered"`
	// Ledger is what each class got, by task: see Exposure.
	Ledger   map[string]map[string]Exposure `json:"ledger"`
	State    State                          `json:"state"` // where the next run would go on
	Warnings []string                       `json:"warnings,omitempty"`
}

// Memory is what a run had in flight, as its budget counts.
type Memory struct {
	BudgetBytes int64   `json:"budget_bytes"`
	PeakBytes   int64   `json:"peak_bytes"`
	RowBytes    int64   `json:"row_bytes"` // the most for one row: its file, and what making it took; where that is more than the budget, the row was alone
	Waited      float64 `json:"waited"`    // share of the time in which the next row waited for bytes
	Buffers     int64   `json:"buffers"`   // Arrow buffers that were no recycled ones
}

// stats are the figures of one run.
type stats struct {
	plan                    *Plan
	budget                  *budget
	began                   time.Time
	total                   atomic.Int64
	read, decode, transform busy // of the readers and the workers

	reader, pictures, grouping, sink meter

	records atomic.Int64
	mu      sync.Mutex // of what follows, which counts batches that are through
	rows    int64
	drawn   int64
	failed  int64
	refill  int64
	empty   int64
	filled  int64
	first   string // key of the first row filled
	ledger  *ledger

	stop chan struct{}
	wait sync.WaitGroup
}

func newStats(p *Plan) *stats {
	s := &stats{plan: p, stop: make(chan struct{})}
	s.reader.name, s.reader.workers = "read", p.Settings.Readers
	s.pictures.name, s.pictures.workers = "decode", p.Settings.Workers
	if p.decoder == nil {
		s.pictures.name = "rows"
	}
	if p.expander != nil {
		s.grouping.name = p.expander.name
	}
	s.grouping.workers, s.sink.name, s.sink.workers = 1, "sink", 1
	return s
}

func (s *stats) expect(rows int64) { s.total.Store(rows) }

// delivered counts a record.
func (s *stats) delivered(b *schema.Batch) {
	if b.Rows() > 0 {
		s.records.Add(1)
	}
}

// through counts a batch of which every variant is delivered.
func (s *stats) through(b *summary) (rows, failed, refilled int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.draws {
		d := &b.draws[i]
		switch {
		case d.lost:
			failed++
		case len(d.failures) > 0:
			refilled++
			rows++
		default:
			rows++
		}
		if d.filled != "" {
			if s.filled++; s.filled == 1 {
				s.first = d.filled
			}
		}
	}
	s.rows += rows
	s.drawn += int64(len(b.draws))
	s.failed += failed
	s.refill += refilled
	if rows == 0 {
		s.empty++
	}
	s.ledger.add(b.draws)
	return rows, failed, refilled
}

// counted is what went through: rows, and the draws of their batches.
func (s *stats) counted() (rows, drawn int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows, s.drawn
}

const progressEvery = 100 * time.Millisecond

// telling tells of a phase before the first row until the function that it returns is
// called. A callback that panics isn't called again here; the run says so.
func (s *Settings) telling(phase string, at func(*Progress)) (done func()) {
	if s.Progress == nil {
		return func() {}
	}
	begun, stop := time.Now(), make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			p := Progress{Phase: phase, Elapsed: time.Since(begun)}
			at(&p)
			if guard("progress", func() error { s.Progress(p); return nil }) != nil {
				return
			}
		}
	})
	return func() {
		close(stop)
		wait.Wait()
	}
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
	_, _, hunger := s.budget.figures()
	p.Bottleneck = bottleneck(s.operators(p.Elapsed), hunger.Seconds()/p.Elapsed.Seconds())
	return p
}

// operators are the figures of each, in their order.
func (s *stats) operators(elapsed time.Duration) []Operator {
	pictures := s.pictures.report(elapsed)
	whole := max(elapsed.Seconds()*float64(s.pictures.workers), 1e-9)
	if s.plan.decoder != nil {
		pictures.Of = map[string]float64{"decode": s.decode.seconds() / whole, "transform": s.transform.seconds() / whole}
	}
	list := []Operator{s.reader.report(elapsed), pictures}
	if s.plan.expander != nil {
		list = append(list, s.grouping.report(elapsed))
	}
	return append(list, s.sink.report(elapsed))
}

// end stops the progress and sums up.
func (s *stats) end() *Report {
	elapsed := time.Since(s.began)
	close(s.stop)
	s.wait.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plan
	peak, row, hunger := s.budget.figures()
	r := &Report{
		Rows: s.rows, Drawn: s.drawn, Failed: s.failed, Refilled: s.refill, Filled: s.filled, FirstFilled: s.first, Batches: s.records.Load(), Empty: s.empty,
		Epochs: p.Epochs, Seconds: elapsed.Seconds(), PlanHash: p.PlanHash, Exec: p.Settings.Exec, Seed: p.Seed,
		Workers: p.Settings.Workers, Samples: p.Index().Len(), IgnoredFiles: p.Index().Ignored(),
		Operators: s.operators(elapsed), Memory: Memory{BudgetBytes: p.Settings.Budget, PeakBytes: peak, RowBytes: row, Waited: hunger.Seconds() / elapsed.Seconds()},
		Delivered: map[string]map[string]int64{}, Ledger: s.ledger.report(p.Tasks), Warnings: p.Warnings,
	}
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
