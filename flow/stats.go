package flow

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/schema"
)

// Progress is how far a run has come.
type Progress struct {
	Rows, TotalRows int64 // rows delivered, each scale of a batch counted once
	Elapsed         time.Duration
	ImagesPerSecond float64
	ETA             time.Duration // 0 when not known yet
	Bottleneck      string
}

// Report is what a run did; its JSON is what --json prints.
type Report struct {
	Rows            int64              `json:"rows"` // rows made; each scale of a batch counts once
	Failed          int64              `json:"failed"`
	Batches         int64              `json:"batches"` // records delivered; each scale counts
	Epochs          int                `json:"epochs"`
	Seconds         float64            `json:"seconds"`
	ImagesPerSecond float64            `json:"images_per_second"`
	PlanHash        string             `json:"plan_hash"`
	Exec            Executor           `json:"exec"`
	Seed            uint64             `json:"seed"`
	Workers         int                `json:"workers"`
	Samples         int                `json:"samples"`     // of the source, after split
	PassedOver      int                `json:"passed_over"` // files of the source that are no images
	Bottleneck      string             `json:"bottleneck"`
	Busy            map[string]float64 `json:"busy"` // share of the time: read, decode, transform of the workers', sink of the run's
	// Delivered rows by task and class; "" counts unknown labels.
	Delivered map[string]map[string]int64 `json:"delivered"`
	Warnings  []string                    `json:"warnings,omitempty"`
}

// busy adds up time, from many goroutines.
type busy struct{ ns atomic.Int64 }

// add counts the time since begin and returns now.
func (b *busy) add(begin time.Time) time.Time {
	now := time.Now()
	b.ns.Add(int64(now.Sub(begin)))
	return now
}

// stats are the figures of one run.
type stats struct {
	plan                          *Plan
	began                         time.Time
	total, rows, batches          atomic.Int64
	read, decode, transform, sink busy
	classes                       [][]int64 // [task][class], unknown last; deliver alone writes
	lastBatch                     int64
	stop                          chan struct{}
	wait                          sync.WaitGroup
}

func newStats(p *Plan) *stats {
	s := &stats{plan: p, lastBatch: -1, stop: make(chan struct{})}
	for _, t := range p.Tasks {
		s.classes = append(s.classes, make([]int64, len(t.Classes)+1))
	}
	return s
}

func (s *stats) expect(rows int64) { s.total.Store(rows) }

// delivered counts a batch; of a batch's scales the first counts its rows.
func (s *stats) delivered(b *schema.Batch) {
	s.batches.Add(1)
	id := int64(b.Epoch)*s.plan.BatchesPerEpoch + b.Number
	if id == s.lastBatch {
		return
	}
	s.lastBatch = id
	s.rows.Add(int64(b.Rows()))
	for t, counts := range s.classes {
		for _, label := range b.Labels(t) {
			if label == schema.Unknown {
				label = int32(len(counts) - 1)
			}
			counts[label]++
		}
	}
}

const progressEvery = 100 * time.Millisecond

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
	p := Progress{Rows: s.rows.Load(), TotalRows: s.total.Load(), Elapsed: time.Since(s.began)}
	p.ImagesPerSecond = float64(p.Rows) / max(p.Elapsed.Seconds(), 1e-9)
	if p.Rows > 0 {
		p.ETA = time.Duration(float64(p.TotalRows-p.Rows) / p.ImagesPerSecond * float64(time.Second))
	}
	p.Bottleneck, _ = s.bottleneck(p.Elapsed)
	return p
}

// bottleneck names what the run waits for, with the shares it is told from.
func (s *stats) bottleneck(elapsed time.Duration) (string, map[string]float64) {
	workers := s.plan.Settings.Workers
	of := func(b *busy, times int) float64 {
		return float64(b.ns.Load()) / max(float64(elapsed)*float64(times), 1)
	}
	shares := map[string]float64{
		"read": of(&s.read, workers), "decode": of(&s.decode, workers),
		"transform": of(&s.transform, workers), "sink": of(&s.sink, 1),
	}
	worst := "decode"
	for _, name := range []string{"read", "transform"} {
		if shares[name] > shares[worst] {
			worst = name
		}
	}
	working := shares["read"] + shares["decode"] + shares["transform"]
	if shares["sink"] > working {
		return fmt.Sprintf("sink: %.0f %% busy, workers %.0f %%", 100*shares["sink"], 100*working), shares
	}
	noun := "workers"
	if workers == 1 {
		noun = "worker"
	}
	return fmt.Sprintf("%s: %.0f %% of %d %s, sink %.0f %% busy", worst, 100*shares[worst], workers, noun, 100*shares["sink"]), shares
}

// end stops the progress and sums up.
func (s *stats) end() *Report {
	elapsed := time.Since(s.began)
	close(s.stop)
	s.wait.Wait()
	p := s.plan
	r := &Report{
		Rows: s.rows.Load(), Batches: s.batches.Load(), Epochs: p.Epochs, Seconds: elapsed.Seconds(),
		PlanHash: p.PlanHash, Exec: p.Settings.Exec, Seed: p.Seed, Workers: p.Settings.Workers,
		Samples: p.Index().Len(), PassedOver: p.Index().PassedOver,
		Delivered: map[string]map[string]int64{}, Warnings: p.Warnings,
	}
	r.ImagesPerSecond = float64(r.Rows) / max(r.Seconds, 1e-9)
	r.Bottleneck, r.Busy = s.bottleneck(elapsed)
	for t, task := range p.Tasks {
		counts := map[string]int64{}
		for c, name := range task.Classes {
			counts[name] = s.classes[t][c]
		}
		if unknown := s.classes[t][len(task.Classes)]; unknown > 0 {
			counts[""] = unknown
		}
		r.Delivered[task.Name] = counts
	}
	return r
}
