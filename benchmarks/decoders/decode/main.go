// Command decode decodes files of folders to RGB, for decoders.py: for each line of its input, a
// folder and seconds, it prints milliseconds of a processor an image; for 0 seconds, the SHA-256 of
// all pixels.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
	"github.com/sluicedata/sluice/internal/decode"
)

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := measure(lines.Text()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func measure(line string) error {
	var folder string
	var seconds float64
	if _, err := fmt.Sscan(line, &folder, &seconds); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	var files [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, data)
	}
	if seconds == 0 {
		sum := sha256.New()
		for i, data := range files {
			p, err := decode.Decode(context.Background(), data, 0)
			if err != nil {
				return fmt.Errorf("%s: %w", names[i], err)
			}
			sum.Write(p.U8)
		}
		fmt.Printf("%x\n", sum.Sum(nil))
		return nil
	}
	count, began, before := 0, time.Now(), machine.UsedSeconds()
	var memory []uint8
	for time.Since(began).Seconds() < seconds {
		var err error
		if memory, err = pixels(files[count%len(files)], memory); err != nil {
			return fmt.Errorf("%s: %w", names[count%len(files)], err)
		}
		count++
	}
	fmt.Printf("%.6f\n", 1000*(machine.UsedSeconds()-before)/float64(count))
	return nil
}

// pixels decodes a file as a pipeline does, into memory that is kept from one picture to the next
// where the format has regions; stored pixels, which a pipeline doesn't copy, are copied.
func pixels(data []byte, memory []uint8) ([]uint8, error) {
	p, err := decode.Parse(data)
	if err != nil {
		return nil, err
	}
	switch stored := p.Stored(data); {
	case stored != nil:
		return append(memory[:0], stored...), nil
	case p.HasRegions():
		return p.Region(context.Background(), image.Rect(0, 0, p.Width, p.Height), memory)
	}
	_, err = p.Decode(context.Background(), 0)
	return memory, err
}
