package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/trainer"
)

type benchCmd struct {
	runFlags
	Repeat int           `help:"Measured runs, after a warm-up." default:"5"`
	Time   time.Duration `name:"time" placeholder:"DURATION" help:"Without --epochs: length of a run, in as many epochs as it takes." default:"2s"`
}

// benchReport is what bench --json prints: the report of the run of median
// speed, and what all of them say.
type benchReport struct {
	*flow.Report
	ImagesPerSecond float64 `json:"images_per_second"` // median of the repeats
	Min             float64 `json:"images_per_second_min"`
	Max             float64 `json:"images_per_second_max"`
	// Milliseconds of one processor per image, by operator (read, decode,
	// transform, sink), in the run of median speed.
	Milliseconds   map[string]float64 `json:"milliseconds_per_image"`
	Allocations    float64            `json:"allocations_per_image"`
	AllocatedBytes float64            `json:"allocated_bytes_per_image"`
	// Of the process, plan and warm-up included: resident, or where the system
	// doesn't tell what Go has asked it for.
	PeakMemoryBytes uint64        `json:"peak_memory_bytes"`
	Repeats         []benchRepeat `json:"repeats"` // in the order in which they ran
}

// benchRepeat is one run, from its start to the last batch counted.
type benchRepeat struct {
	Rows            int64   `json:"rows"`
	Seconds         float64 `json:"seconds"`
	ImagesPerSecond float64 `json:"images_per_second"`

	report        *flow.Report
	mallocs, size uint64
}

func (cmd *benchCmd) Run(ctx context.Context, c console) error {
	if cmd.BadTo != "" {
		return usageError{errors.New("--quarantine: bench writes no file")}
	}
	if err := atLeastOne("repeat", &cmd.Repeat); err != nil {
		return usageError{err}
	}
	if cmd.Time <= 0 {
		return usageError{pipefile.Error{File: fmt.Sprintf("--time %v", cmd.Time), Msg: "want more than 0s"}}
	}
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	pipe.Settings.Failures.Quarantine = ""
	if cmd.Workers != nil {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(*cmd.Workers))
	}
	b := &bench{pipe: pipe, most: cmd.Time}
	if cmd.Epochs != nil {
		b.most = math.MaxInt64
	}
	told := c
	if cmd.JSON { // the report has the warnings
		told.err = io.Discard
	}
	repeats, err := b.runs(ctx, told, cmd.Repeat, cmd.Epochs == nil)
	if err != nil {
		return err
	}
	report := summary(repeats)
	if cmd.JSON {
		return c.report(report, report.text(cmd.called(cmd.File)))
	}
	c.failures(report.Report, "")
	_, err = fmt.Fprint(c.out, report.text(cmd.called(cmd.File)))
	return err
}

// bench runs one pipeline into nothing.
type bench struct {
	pipe *flow.Pipeline
	most time.Duration // a run is broken off then

	// Of the current run, as reported by the engine.
	began, last time.Time
	rows        int64
	enough      func()
}

var errEnough = errors.New("measured long enough")

// runs plans the pipeline, warms up, and measures. fill says that a run makes
// as many epochs as its time allows.
func (b *bench) runs(ctx context.Context, c console, repeat int, fill bool) (list []benchRepeat, err error) {
	line := newProgressLine(c.err, "bench")
	defer line.done()
	plan := func(opts ...flow.Option) (*flow.Plan, error) {
		return b.pipe.Plan(ctx, append(opts, flow.OnState(b.left), flow.OnProgress(line.update))...)
	}
	p, err := plan()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	line.clear()
	c.warn(p.Warnings())
	limitMemory(p)
	warm, err := b.deliver(ctx, p)
	if err != nil {
		return nil, err
	}
	if fill && warm.report.State.Epoch == p.Info().Epochs { // it came to its end before its time
		need := warm.ImagesPerSecond * b.most.Seconds() * 1.5 / float64(p.Info().RowsPerEpoch)
		epochs := int(min(max(need+1, float64(p.Info().Epochs)), 1<<22))
		longer, err := plan(flow.Epochs(epochs))
		if err != nil {
			return nil, err
		}
		p, err = longer, p.Close()
		if err != nil {
			return nil, err
		}
	}
	for range repeat {
		r, err := b.deliver(ctx, p)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// deliver makes one run.
func (b *bench) deliver(ctx context.Context, p *flow.Plan) (r benchRepeat, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.began, b.rows, b.enough = time.Now(), 0, func() { cancel(errEnough) }
	r.report, err = p.Deliver(ctx, &sinks.Discard{})
	runtime.ReadMemStats(&after)
	if err != nil && !errors.Is(err, errEnough) {
		return r, err
	}
	if b.rows == 0 {
		return r, errors.New("bench: no image was delivered")
	}
	r.Rows, r.Seconds = b.rows, max(b.last.Sub(b.began).Seconds(), 1e-9)
	r.ImagesPerSecond = float64(r.Rows) / r.Seconds
	r.mallocs, r.size = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return r, nil
}

// left is told of each batch that is through. One at least is waited for.
func (b *bench) left(s flow.State) {
	b.rows, b.last = s.Rows, time.Now()
	if b.rows > 0 && b.last.Sub(b.began) >= b.most {
		b.enough()
	}
}

// made is the number of images that a run made: it may be broken off with some
// that were not delivered.
func (r *benchRepeat) made() float64 { return float64(max(r.report.Operators[1].Items, r.Rows)) }

func summary(repeats []benchRepeat) *benchReport {
	sorted := slices.SortedFunc(slices.Values(repeats), func(a, b benchRepeat) int {
		return cmp.Compare(a.ImagesPerSecond, b.ImagesPerSecond)
	})
	n := len(sorted)
	low, high := &sorted[(n-1)/2], &sorted[n/2]
	r := &benchReport{
		Report: low.report, Repeats: repeats, Milliseconds: map[string]float64{}, PeakMemoryBytes: trainer.PeakBytes(),
		ImagesPerSecond: (low.ImagesPerSecond + high.ImagesPerSecond) / 2,
		Min:             sorted[0].ImagesPerSecond, Max: sorted[n-1].ImagesPerSecond,
	}
	r.Rows, r.Seconds = low.Rows, low.Seconds
	for _, o := range low.report.Operators {
		parts := o.Of
		if parts == nil {
			parts = map[string]float64{o.Name: o.Busy}
		}
		for name, share := range parts {
			r.Milliseconds[name] = 1000 * share * float64(o.Workers) * low.report.Seconds / low.made()
		}
	}
	made := 0.0
	for i := range repeats {
		made += repeats[i].made()
		r.Allocations += float64(repeats[i].mallocs)
		r.AllocatedBytes += float64(repeats[i].size)
	}
	r.Allocations /= made
	r.AllocatedBytes /= made
	if r.PeakMemoryBytes == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		r.PeakMemoryBytes = m.Sys
	}
	return r
}

// print writes the report for people.
func (r *benchReport) text(file string) string {
	var times []string
	for _, o := range r.Operators {
		names := []string{o.Name}
		if o.Of != nil {
			names = []string{"decode", "transform"}
		}
		for _, name := range names {
			times = append(times, fmt.Sprintf("%s %.3f", name, r.Milliseconds[name]))
		}
	}
	return fmt.Sprintf(`%s: %s of %.1f s and %d images after a warm-up, %s
images/s     %.0f, the median (%.0f..%.0f)
ms an image  %s
allocated    %.1f KiB an image, in %.1f allocations
peak memory  %.0f MiB; in flight %.0f of %.0f MiB
bottleneck   %s
`, file, phrase.Count(len(r.Repeats), "run"), r.Seconds, r.Rows, phrase.Count(r.Workers, "worker"),
		r.ImagesPerSecond, r.Min, r.Max, strings.Join(times, ", "), r.AllocatedBytes/1024, r.Allocations,
		float64(r.PeakMemoryBytes)/(1<<20), float64(r.Memory.PeakBytes)/(1<<20), float64(r.Memory.BudgetBytes)/(1<<20), r.Bottleneck)
}
