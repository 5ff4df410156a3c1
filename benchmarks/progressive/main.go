//go:build unix

// Command progressive reads JPEG files as pipelines do, on one thread, for progressive.py:
// for each line of its input, "RECIPE FOLDER", it makes a picture of each of the folder's files
// and prints the processor time that this took, in seconds.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/stages"
)

func main() {
	runtime.GOMAXPROCS(1)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "progressive:", err)
		os.Exit(1)
	}
}

// recipes are those of progressive.py.
var recipes = map[string][]stages.Stage{
	"decode": {stages.Decode{}},
	"small":  {stages.Decode{}, stages.Resize{Height: 64, Width: 64}, stages.ToTensor{}},
	"rrc":    {stages.Decode{}, stages.RandomResizedCrop{Size: 224}, stages.ToTensor{}},
}

func run() error {
	folders := map[string][][]byte{}
	appliers := map[string]*flow.Applier{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		recipe, folder, _ := strings.Cut(lines.Text(), " ")
		if folders[folder] == nil {
			names, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
			if err != nil || len(names) == 0 {
				return fmt.Errorf("no *.jpg in %s: %w", folder, errors.Join(err, os.ErrNotExist))
			}
			for _, name := range names {
				data, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				folders[folder] = append(folders[folder], data)
			}
		}
		if appliers[recipe] == nil {
			pipe := flow.New(nil, append(recipes[recipe], stages.Batch{Size: 1, Sizes: stages.KeepSizes})...)
			applier, err := pipe.Applier()
			if err != nil {
				return err
			}
			appliers[recipe] = applier
		}
		runtime.GC()
		begin := processorSeconds()
		for i, data := range folders[folder] {
			batch, err := appliers[recipe].Apply(context.Background(), data, flow.Draw{Position: int64(i)})
			if err != nil {
				return err
			}
			batch.Release()
		}
		fmt.Println(processorSeconds() - begin)
	}
	return nil
}

func processorSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
