package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// busySeconds is the time that all processors together have worked since the
// machine started, NaN where the system isn't Linux.
func busySeconds() float64 {
	data, err := os.ReadFile("/proc/stat")
	fields := strings.Fields(strings.SplitN(string(data), "\n", 2)[0])
	if err != nil || len(fields) < 9 {
		return math.NaN()
	}
	sum := 0.0
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return math.NaN()
		}
		if i != 3 && i != 4 {
			sum += ticks
		}
	}
	return sum / 100
}

// waitForQuiet waits, for at most so long, until other programs use less than a
// fifth of a processor for a second. It returns what they used last.
func waitForQuiet(ctx context.Context, most time.Duration) (others float64) {
	for begin := time.Now(); ; {
		before, from := busySeconds(), time.Now()
		select {
		case <-ctx.Done():
			return others
		case <-time.After(time.Second):
		}
		others = (busySeconds() - before) / time.Since(from).Seconds()
		if !(others > 0.2) || time.Since(begin) > most { // NaN waits for nothing
			return others
		}
	}
}

// machine says what was measured on.
func machine(ctx context.Context) {
	fmt.Printf("%s, %d processors, %s, %s", cpuName(), runtime.NumCPU(), runtime.Version(), time.Now().Format(time.DateOnly))
	if out, err := exec.CommandContext(ctx, *python, "-c", "import torch; print(torch.__version__)").Output(); err == nil {
		fmt.Printf("; PyTorch %s", strings.TrimSpace(string(out)))
	}
	if matches, _ := filepath.Glob("/etc/alternatives/libblas.so.3*"); len(matches) > 0 {
		if path, err := filepath.EvalSymlinks(matches[0]); err == nil {
			fmt.Printf(" on %s", filepath.Base(filepath.Dir(path)))
			if !strings.Contains(path, "openblas") && !strings.Contains(path, "mkl") {
				fmt.Print(" (the reference BLAS is no honest peer: install libopenblas0-pthread)")
			}
		}
	}
	fmt.Print("\n\n")
}

func cpuName() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
