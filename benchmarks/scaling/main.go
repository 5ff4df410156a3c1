// Command scaling measures how much faster two processors are than one, on the
// recipe's pipeline over real photos into nothing, and what the engine costs
// beside the work on pixels:
//
//	go run ./benchmarks/scaling -data /data/photos
//
// One and two are run in turn, in one process, and compared round by round. A
// round in which other programs took more than a tenth of a processor says
// nothing about scaling: it is shown, marked, and not counted.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

var (
	data    = flag.String("data", "", "folder of photos")
	rounds  = flag.Int("rounds", 7, "rounds that count")
	most    = flag.Duration("most", 5*time.Minute, "when to stop waiting for quiet rounds")
	epochs  = flag.Int("epochs", 3, "passes over the photos in a run")
	profile = flag.String("cpuprofile", "", "write a profile of the runs with two workers to this file")
)

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "scaling:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if *data == "" {
		return fmt.Errorf("-data is missing: name a folder of photos")
	}
	fmt.Printf("%d processors, %s\n\n", runtime.NumCPU(), runtime.Version())
	recipe := flow.New(sources.Folder{Path: *data}, stages.Shuffle{}, stages.Decode{},
		stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}}, stages.Flip{P: 0.5},
		stages.Resize{Height: 224, Width: 224}, stages.ToTensor{},
		stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}, stages.Batch{Size: 32})
	if err := scaling(ctx, recipe); err != nil {
		return err
	}
	return engine(ctx)
}

// measured is one run.
type measured struct {
	rate   float64 // images/s
	cpu    float64 // processor seconds per image, of this process
	others float64 // processors that other programs used
	waited float64 // share of the workers' time: for files, for memory, for the sink
}

// measure runs a plan into nothing, on so many processors.
func measure(ctx context.Context, plan *flow.Plan, processors int) (measured, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	runtime.GC()
	begin, own, all := time.Now(), machine.UsedSeconds(), machine.BusySeconds()
	report, err := plan.Deliver(ctx, &sinks.Discard{})
	if err != nil {
		return measured{}, err
	}
	seconds := time.Since(begin).Seconds()
	own, all = machine.UsedSeconds()-own, machine.BusySeconds()-all
	return measured{rate: float64(report.Rows) / seconds, cpu: own / float64(report.Rows), others: max(all-own, 0) / seconds, waited: 1 - report.Operators[1].Busy}, nil
}

// scaling compares one worker on one processor with two on two.
func scaling(ctx context.Context, pipe *flow.Pipeline) error {
	var plans [2]*flow.Plan
	for i := range plans {
		plan, err := pipe.Plan(ctx, flow.Workers(i+1), flow.Epochs(*epochs))
		if err != nil {
			return err
		}
		defer plan.Close()
		plans[i] = plan
		if _, err := measure(ctx, plan, i+1); err != nil { // warms up
			return err
		}
	}
	fmt.Printf("round  1 worker  2 workers  ratio  CPU per image, 1 and 2 workers  2 workers waited  other programs\n")
	var ratios, more, one, two []float64
	for n, begin := 1, time.Now(); len(ratios) < *rounds && time.Since(begin) < *most; n++ {
		machine.WaitForQuiet(ctx, *most-time.Since(begin), 0.1)
		var m [2]measured
		for _, i := range [][]int{{0, 1}, {1, 0}}[n%2] {
			stop := func() {}
			if i == 1 && *profile != "" {
				file, err := os.Create(*profile)
				if err != nil {
					return err
				}
				if err := pprof.StartCPUProfile(file); err != nil {
					return err
				}
				stop = func() { pprof.StopCPUProfile(); file.Close() }
			}
			var err error
			m[i], err = measure(ctx, plans[i], i+1)
			stop()
			if err != nil {
				return err
			}
		}
		others, mark := max(m[0].others, m[1].others), ""
		if others > 0.1 {
			mark = "  not counted"
		} else {
			ratios, more = append(ratios, m[1].rate/m[0].rate), append(more, m[1].cpu/m[0].cpu)
			one, two = append(one, m[0].rate), append(two, m[1].rate)
		}
		fmt.Printf("%5d  %8.1f  %9.1f  %5.2f  %8.2f ms  %8.2f ms          %12.1f %%  %.2f processors%s\n", n, m[0].rate, m[1].rate, m[1].rate/m[0].rate, 1e3*m[0].cpu, 1e3*m[1].cpu, 100*m[1].waited, others, mark)
	}
	if len(ratios) == 0 {
		fmt.Print("\nno round was quiet\n\n")
		return nil
	}
	fmt.Printf("\n%d quiet rounds: 1 worker %s images/s, 2 workers %s, ratio %s\n", len(ratios), spread(one), spread(two), spread(ratios))
	fmt.Printf("processor time per image with 2 workers, of that with 1: %s (what two cores cost each other: memory, cache)\n\n", spread(more))
	return nil
}

// spread is the median and the range.
func spread(list []float64) string {
	list = slices.Sorted(slices.Values(list))
	return fmt.Sprintf("%.2f [%.2f, %.2f]", list[len(list)/2], list[0], list[len(list)-1])
}

// engine measures rows that are next to no work.
func engine(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "scaling")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewRGBA(image.Rect(0, 0, 4, 4))); err != nil {
		return err
	}
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.png", i)), buf.Bytes(), 0o666); err != nil {
			return err
		}
	}
	source := sources.Folder{Path: dir}
	for _, c := range []struct {
		name string
		pipe *flow.Pipeline
	}{
		{"encoded rows", flow.New(source, stages.Shuffle{}, stages.Batch{Size: 64})},
		{"pictures of 4x4, decoded and resized", flow.New(source, stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 64})},
	} {
		plan, err := c.pipe.Plan(ctx, flow.Epochs(20))
		if err != nil {
			return err
		}
		var rates, cpu []float64
		for range *rounds {
			machine.WaitForQuiet(ctx, 20*time.Second, 0.1)
			m, err := measure(ctx, plan, runtime.NumCPU())
			if err != nil {
				return err
			}
			rates, cpu = append(rates, m.rate), append(cpu, 1e6*m.cpu)
		}
		if err := plan.Close(); err != nil {
			return err
		}
		fmt.Printf("%s: %s rows/s, %s microseconds of processor time a row\n", c.name, spread(rates), spread(cpu))
	}
	return nil
}
