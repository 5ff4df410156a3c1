//go:build unix

// Command small makes batches of small pictures, on one thread, for small.py: for each line of its
// input, "RECIPE PATH EPOCHS", it runs a pipeline over a folder or an archive and prints how many pictures
// it delivered, and the processor time that this took, in seconds.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

var profile = flag.String("cpuprofile", "", "file for a profile of all runs")

func main() {
	runtime.GOMAXPROCS(1)
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "small:", err)
		os.Exit(1)
	}
}

var floats = []stages.Stage{stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}}

// recipes are those of small.py, without decode and batch.
var recipes = map[string][]stages.Stage{
	"decode":    {},
	"32":        {stages.Resize{Height: 32, Width: 32}},
	"64":        {stages.Resize{Height: 64, Width: 64}},
	"224":       {stages.Resize{Height: 224, Width: 224}},
	"64-float":  append([]stages.Stage{stages.Resize{Height: 64, Width: 64}}, floats...),
	"224-float": append([]stages.Stage{stages.Resize{Height: 224, Width: 224}}, floats...),
	"cifar":     append([]stages.Stage{stages.Pad{Padding: stages.Padding{4, 4, 4, 4}}, stages.Crop{Size: 32}, stages.Flip{P: 0.5}}, floats...),
}

func run() error {
	ctx := context.Background()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	plans := map[string]*flow.Plan{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var recipe, path string
		var epochs int
		if _, err := fmt.Sscan(lines.Text(), &recipe, &path, &epochs); err != nil {
			return fmt.Errorf("%q isn't RECIPE PATH EPOCHS: %w", lines.Text(), err)
		}
		plan := plans[lines.Text()]
		if plan == nil {
			does, ok := recipes[recipe]
			if !ok {
				return fmt.Errorf("no recipe %q", recipe)
			}
			batch := stages.Batch{Size: 64}
			if len(does) == 0 {
				batch.Sizes = stages.KeepSizes
			}
			list := append(append([]stages.Stage{stages.Shuffle{}, stages.Decode{}}, does...), batch)
			var err error
			if plan, err = flow.New(source(path), list...).Plan(ctx, flow.Epochs(epochs)); err != nil {
				return err
			}
			defer func() { _ = plan.Close() }()
			plans[lines.Text()] = plan
		}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := processorSeconds()
		report, err := plan.Deliver(ctx, &sinks.Discard{})
		if err != nil {
			return err
		}
		used := processorSeconds() - begin
		runtime.ReadMemStats(&after)
		fmt.Println(report.Rows, used, after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc)
	}
	return nil
}

func source(path string) sources.Source {
	if strings.Contains(path, "wds") {
		return sources.WebDataset{Shards: sources.Shards{path}}
	}
	return sources.Folder{Path: path}
}

func processorSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
