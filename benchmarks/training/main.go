// Command training measures the training step of the recipe against PyTorch, on
// this machine, side by side:
//
//	go run ./benchmarks/training [-rounds 3] [-steps 10] [-python /usr/bin/python3]
//
// Run it at the top of the repository. In each round each contestant runs once, as
// a process of its own, with one and with two threads:
//
//   - sluice train on docs/recipe/recipe-multi.yaml: images are decoded and
//     resized on the same threads while the trainer trains;
//   - the step alone, on random pictures in memory; once with the assembly, once in plain Go;
//   - PyTorch's step alone, by peer.py, on random pictures in memory; once as it is
//     and once told to keep the memory of a step for the next.
//
// All take batches of 32 at 112, 224 and 336 pixels in turn. It prints medians
// over the rounds with least and largest, as Markdown.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
)

const recipe = "docs/recipe/recipe-multi"

var (
	rounds = flag.Int("rounds", 3, "times that each contestant runs")
	steps  = flag.Int("steps", 10, "steps at each scale, of a run")
	only   = flag.String("only", "", "measure only the contestants whose name contains this")
	python = flag.String("python", "/usr/bin/python3", "Python with PyTorch")
	child  = flag.Bool("child", false, "do the steps alone; the command starts itself so")
	wait   = flag.Duration("wait", 30*time.Second, "how long to wait, before each run, for other programs to leave the processors alone")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "training:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if *rounds < 1 || *steps < 1 {
		return errors.New("-rounds and -steps: at least 1")
	}
	if *child {
		return stepAlone(ctx, *steps)
	}
	if _, err := os.Stat(recipe + ".yaml"); err != nil {
		return fmt.Errorf("run it at the top of the repository: %w", err)
	}
	tmp, err := os.MkdirTemp("", "sluice-training-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	list, err := contestants(ctx, tmp)
	if err != nil {
		return err
	}
	for round := range *rounds {
		for i := range list {
			c := &list[(i+round)%len(list)] // another one begins each round
			others := machine.WaitForQuiet(ctx, *wait, 0.2)
			f, err := c.measure(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d, %s, %d threads: %.3f %.3f %.3f s (others used %.2f processors before, %.2f during)\n",
				round+1, c.name, c.threads, f.seconds[0], f.seconds[1], f.seconds[2], others, f.others)
			c.runs = append(c.runs, f)
		}
	}
	printMachine(ctx)
	table(os.Stdout, list)
	return nil
}

// sides are those of the pictures.
var sides = [3]int{112, 224, 336}

// figures are of one run.
type figures struct {
	seconds   [3]float64 // per step, by side
	cpu       [3]float64 // the same of the processors, all threads together; NaN: not known
	peakBytes float64
	waited    float64 // seconds of the trainer for the pipeline after the first batch; -1: there is no pipeline
	training  float64 // seconds in steps
	others    float64 // processors that other programs used meanwhile; NaN where the system doesn't tell
}

// contestant is one way to do the steps.
type contestant struct {
	name    string
	threads int
	env     []string
	program []string
	measure func(context.Context, *contestant) (figures, error)
	runs    []figures
}

// contestants builds the programs.
func contestants(ctx context.Context, tmp string) ([]contestant, error) {
	sluice := filepath.Join(tmp, "sluice")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", sluice, "./cmd/sluice").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	epochs, err := epochsFor(ctx, sluice, *steps)
	if err != nil {
		return nil, err
	}
	hasTorch := exec.CommandContext(ctx, *python, "-c", "import torch").Run() == nil
	if !hasTorch {
		fmt.Fprintf(os.Stderr, "%s has no PyTorch: measuring sluice alone (Debian: python3-torch libopenblas0-pthread)\n", *python)
	}
	var list []contestant
	for _, threads := range []int{2, 1} {
		procs := "GOMAXPROCS=" + strconv.Itoa(threads)
		train := []string{sluice, "train", recipe + ".yaml", "--trainer", recipe + ".trainer.yaml", "--json", "--epochs", strconv.Itoa(epochs), "-o", filepath.Join(tmp, "run")}
		step := []string{self, "-child", "-steps", strconv.Itoa(*steps)}
		list = append(list,
			contestant{name: "`sluice train`", threads: threads, env: []string{procs}, program: train, measure: measureTrain},
			contestant{name: "sluice's step alone", threads: threads, env: []string{procs}, program: step, measure: measureStep})
		if hasTorch {
			peer := []string{*python, "benchmarks/training/peer.py", strconv.Itoa(threads), strconv.Itoa(*steps)}
			list = append(list,
				contestant{name: defaultPeer, threads: threads, program: peer, measure: measureStep},
				contestant{name: peerName, threads: threads, env: keepMemory, program: peer, measure: measureStep})
		}
		if runtime.GOARCH == "amd64" { // golang.org/x/sys/cpu, which the kernels ask, reads GODEBUG
			list = append(list, contestant{name: "sluice's step alone, plain Go", threads: threads,
				env: []string{procs, "GODEBUG=cpu.avx2=off"}, program: step, measure: measureStep})
		}
	}
	return slices.DeleteFunc(list, func(c contestant) bool { return !strings.Contains(c.name, *only) }), nil
}

// PyTorch on Linux asks the kernel for fresh memory in every step, and half of its
// time goes there; glibc can be told to keep it. That is the peer of the ratios.
const (
	defaultPeer = "PyTorch's step alone"
	peerName    = "PyTorch's step alone, memory kept"
)

var keepMemory = []string{"MALLOC_MMAP_MAX_=0", "MALLOC_TRIM_THRESHOLD_=100000000000", "MALLOC_TOP_PAD_=1000000000"}

// epochsFor is the number of epochs that have so many full batches.
func epochsFor(ctx context.Context, sluice string, steps int) (int, error) {
	out, err := exec.CommandContext(ctx, sluice, "plan", recipe+".yaml", "--json").Output()
	if err != nil {
		return 0, fmt.Errorf("plan: %w", err)
	}
	var plan struct {
		RowsPerEpoch int `json:"rows_per_epoch"`
		BatchSize    int `json:"batch_size"`
	}
	if err := json.Unmarshal(out, &plan); err != nil {
		return 0, fmt.Errorf("plan: %w", err)
	}
	full := plan.RowsPerEpoch / plan.BatchSize
	return (steps + full - 1) / full, nil
}

// start runs a contestant's program to its end.
func (c *contestant) start(ctx context.Context) (stdout []byte, f figures, err error) {
	cmd := exec.CommandContext(ctx, c.program[0], c.program[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	busy, begin := machine.BusySeconds(), time.Now()
	if stdout, err = cmd.Output(); err != nil {
		return nil, f, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	own := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	f.others = (machine.BusySeconds() - busy - own) / time.Since(begin).Seconds()
	f.peakBytes, f.waited = machine.PeakBytes(cmd.ProcessState), -1
	return stdout, f, nil
}

// measureTrain reads the report of train.
func measureTrain(ctx context.Context, c *contestant) (figures, error) {
	defer os.RemoveAll(c.program[len(c.program)-1])
	out, f, err := c.start(ctx)
	if err != nil {
		return f, err
	}
	var report struct {
		Train struct {
			WaitingSeconds  float64 `json:"waiting_seconds"`
			TrainingSeconds float64 `json:"training_seconds"`
			Trainer         struct {
				StepSeconds map[string]float64 `json:"step_seconds"`
			}
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return f, err
	}
	for i, side := range sides {
		f.seconds[i], f.cpu[i] = report.Train.Trainer.StepSeconds[fmt.Sprintf("32x3x%dx%d", side, side)], math.NaN()
	}
	f.waited, f.training = report.Train.WaitingSeconds, report.Train.TrainingSeconds
	return f, f.check()
}

// measureStep reads what a child and peer.py print.
func measureStep(ctx context.Context, c *contestant) (figures, error) {
	out, f, err := c.start(ctx)
	if err != nil {
		return f, err
	}
	var all map[string]times
	if err := json.Unmarshal(out, &all); err != nil {
		return f, err
	}
	for i, side := range sides {
		f.seconds[i], f.cpu[i] = all[strconv.Itoa(side)].Wall, all[strconv.Itoa(side)].CPU
	}
	return f, f.check()
}

func (f *figures) check() error {
	for i, s := range f.seconds {
		if !(s > 0) {
			return fmt.Errorf("no seconds per step at %d pixels", sides[i])
		}
	}
	return nil
}
