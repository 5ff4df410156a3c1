// Command decodemasks reads and decodes the masks of a folder, again and again for some seconds, and does
// nothing with them. It prints milliseconds of a processor a file, for speed.py.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
	"github.com/sluicedata/sluice/internal/decode"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: decodemasks FOLDER SECONDS")
		os.Exit(2)
	}
	if err := measure(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(folder, text string) error {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.png"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no PNG files in %s", folder)
	}
	var values []uint8
	pass := func() error {
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err == nil {
				values, _, _, err = decode.Mask(data, values)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		return nil
	}
	if err := pass(); err != nil {
		return err
	}
	passes, began, before := 0, time.Now(), machine.UsedSeconds()
	for time.Since(began).Seconds() < seconds {
		if err := pass(); err != nil {
			return err
		}
		passes++
	}
	fmt.Printf("%.6f\n", 1000*(machine.UsedSeconds()-before)/float64(passes*len(files)))
	return nil
}
