package flow

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
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
	Ledger map[string]map[string]Exposure `json:"ledger"`
	// ByEpoch is the same epoch by epoch, of this run without what it resumed; with many classes,
	// several epochs are one.
	ByEpoch []EpochExposure `json:"ledger_by_epoch"`
	// Images is the same for tasks of several labels, and for the classes of objects, by the
	// name boxes: a row counts for every class that it has. Nil where there are none.
	Images map[string]map[string]Exposure `json:"images,omitempty"`
	// Objects is what became of the objects of each class; nil of a source without any.
	Objects map[string]ObjectExposure `json:"objects,omitempty"`
	// Turned counts rows whose targets are those of the picture as the file stores it, where
	// it is shown turned.
	Turned int64 `json:"turned,omitempty"`
	// Untold counts rows of pictures that are shown turned whose targets were taken as those of
	// the picture as it is shown: the source doesn't say which it is, nor does their size.
	Untold      int64    `json:"untold,omitempty"`
	FirstUntold string   `json:"first_untold,omitempty"` // key of the first of them
	State       State    `json:"state"`                  // where the next run would go on
	Warnings    []string `json:"warnings,omitempty"`
	// FirstFailed are the first few samples that failed in the run, which may have gone on; a
	// quarantine file lists all.
	FirstFailed   []FailedSample `json:"-"`
	FailedSamples int            `json:"-"` // how many different ones did, counted up to 65536
}

// FailedSample is a sample that could not be made into a row.
type FailedSample struct {
	Key   string
	Stage string // "source" where reading failed
	Cause string // of its first failure, one line, without the stage
	Times int64  // that it failed, as a draw or as a refill
}

// firstFailures is the number of samples that a report shows.
const firstFailures = 3

// Remarks tell of classes that a run had draws of and delivered nothing of; they are among the
// report's warnings.
func (r *Report) Remarks() (list []string) {
	const shown = 5
	missing := 0
	for _, tasks := range []map[string]map[string]Exposure{r.Ledger, r.Images} {
		for _, task := range slices.Sorted(maps.Keys(tasks)) {
			for _, class := range slices.Sorted(maps.Keys(tasks[task])) {
				x := tasks[task][class]
				if class == "" || x.Quota == 0 || x.Delivered > 0 || x.Failed+x.Refilled < x.Quota {
					continue
				}
				if missing++; missing <= shown {
					list = append(list, fmt.Sprintf("task %s, class %s: 0 of %s delivered: each of them failed (the class has %s)", task, class, plural(x.Quota, "draw"), plural(x.Samples, "sample")))
				}
			}
		}
	}
	if missing > shown {
		list = append(list, fmt.Sprintf("%s of which each draw failed", plural(int64(missing-shown), "more class")))
	}
	return list
}

// Memory is what a run had in flight, as its budget counts.
type Memory struct {
	BudgetBytes int64   `json:"budget_bytes"`
	PeakBytes   int64   `json:"peak_bytes"`
	RowBytes    int64   `json:"row_bytes"` // the most for one row: its file, and what making it took; where that is more than the budget, the row was alone
	Waited      float64 `json:"waited"`    // share of the time in which the next row waited for bytes
	Buffers     int64   `json:"buffers"`   // Arrow buffers that were no recycled ones
}

// Operator is what one operator of a run did with its time.
type Operator struct {
	Name    string  `json:"name"` // read, transform, batch, the name of the Expander, sink
	Workers int     `json:"workers"`
	Items   int64   `json:"items"`   // rows that read and transform made; batches and records, of the others
	Busy    float64 `json:"busy"`    // shares of workers x seconds
	Starved float64 `json:"starved"` // waiting for input
	Blocked float64 `json:"blocked"` // waiting to hand on: for the next operator, or for memory
	// Mean number of elements waiting in front of it when one was taken, and its
	// most; 0 where there is no queue.
	Queue         float64 `json:"queue"`
	QueueCapacity int     `json:"queue_capacity"`
	// Busy, split up: transform has decode and transform.
	Of map[string]float64 `json:"of,omitempty"`
}

// Exposure is what a run showed of one class. The numbers go on where a run resumes, if its
// state has them (StateLedger). Distinct is then at most the class's samples and the sum of the
// distinct ones before and since: exact where the sampler uses all samples of a class equally
// often (shuffle and rebalance do) and no draw was refilled; in a run that didn't resume it is
// counted.
type Exposure struct {
	Quota     int64 `json:"quota"`     // draws that the plan gives it in the batches of this run
	Drawn     int64 `json:"drawn"`     // samples of it that were opened; more than the quota by what refills tried
	Delivered int64 `json:"delivered"` // rows that left
	Failed    int64 `json:"failed"`    // draws of its quota that left no row
	Refilled  int64 `json:"refilled"`  // draws of its quota that left as another sample
	Filled    int64 `json:"filled"`    // delivered rows of damaged files (decode's truncated: fill), or that lack scans
	Distinct  int64 `json:"distinct"`  // samples among the delivered rows
	Repeats   int64 `json:"repeats"`   // delivered rows beyond the first of their sample
	Samples   int64 `json:"samples"`   // of it, that the plan draws from

	Weight      float64 `json:"weight"`       // mean of the delivered rows'
	WeightShare float64 `json:"weight_share"` // of the sum of all delivered rows' weights: what rebalancing and weights come to
	// Strength is the mean of the delivered rows, of each stage with conditions or a strength: 0 in
	// rows that it left alone.
	Strength map[string]float64 `json:"strength,omitempty"`
}

// EpochExposure is the exposure in some epochs.
type EpochExposure struct {
	Epochs [2]int                         `json:"epochs"` // the first, and the one past the last
	Ledger map[string]map[string]Exposure `json:"ledger"`
	Images map[string]map[string]Exposure `json:"images,omitempty"`
}

// ObjectExposure is what a run showed of the objects of one class.
type ObjectExposure struct {
	Seen      int64            `json:"seen"`             // in the pictures that were made, and those that were pasted
	Delivered int64            `json:"delivered"`        // that left
	Pasted    int64            `json:"pasted,omitempty"` // of those, that were pasted from another picture
	Clipped   int64            `json:"clipped"`          // of those, that were cut at an edge, or are covered in part
	Dropped   map[string]int64 `json:"dropped"`          // that didn't leave, by why: outside, covered, min_area, min_size, min_visibility, a stage's name
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
