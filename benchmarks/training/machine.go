package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
)

// printMachine says what was measured on.
func printMachine(ctx context.Context) {
	fmt.Printf("%s, %d processors, %s, %s", machine.Processor(), runtime.NumCPU(), runtime.Version(), time.Now().Format(time.DateOnly))
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
