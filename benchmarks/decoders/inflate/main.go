// Command inflate inflates the zlib streams that are files of folders, for inflate.py, as its argument says: by
// own (internal/inflate, as internal/png reads it, row by row), klauspost (github.com/klauspost/compress) or go (compress/zlib).
// For each line of its input, a folder and seconds, it prints milliseconds of a processor a file; for 0 seconds, the SHA-256 of all
// that is inflated.
package main

import (
	"bufio"
	"bytes"
	stdzlib "compress/zlib"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zlib"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
	"github.com/sluicedata/sluice/internal/inflate"
)

// inflater calls do with the parts of a stream.
type inflater func(data []byte, do func(part []byte)) error

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	all := map[string]func() inflater{"own": own, "klauspost": klauspost, "go": standard}
	if len(os.Args) != 2 || all[os.Args[1]] == nil {
		return errors.New("usage: inflate own|klauspost|go")
	}
	do := all[os.Args[1]]()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := measure(lines.Text(), do); err != nil {
			return err
		}
	}
	return nil
}

func measure(line string, do inflater) error {
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
			if err := do(data, func(part []byte) { sum.Write(part) }); err != nil {
				return fmt.Errorf("%s: %w", names[i], err)
			}
		}
		fmt.Printf("%x\n", sum.Sum(nil))
		return nil
	}
	count, began, before := 0, time.Now(), machine.UsedSeconds()
	for time.Since(began).Seconds() < seconds {
		if err := do(files[count%len(files)], func([]byte) {}); err != nil {
			return fmt.Errorf("%s: %w", names[count%len(files)], err)
		}
		count++
	}
	fmt.Printf("%.6f\n", 1000*(machine.UsedSeconds()-before)/float64(count))
	return nil
}

// rowBytes is about what a row of a photo takes.
const rowBytes = 1500

func own() inflater {
	var r inflate.Reader
	return func(data []byte, do func(part []byte)) error {
		r.ResetZlib(data)
		for {
			part, err := r.Next(rowBytes)
			do(part)
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
		}
	}
}

// resetter is what both other packages read by.
type resetter interface {
	io.Reader
	Reset(r io.Reader, dictionary []byte) error
}

// reading is the other packages' inflater: it keeps its memory, too.
func reading(begin func(io.Reader) (io.Reader, error)) inflater {
	var r resetter
	buffer := make([]byte, 64<<10)
	return func(data []byte, do func(part []byte)) error {
		in := bytes.NewReader(data)
		if r == nil {
			first, err := begin(in)
			if err != nil {
				return err
			}
			r = first.(resetter)
		} else if err := r.Reset(in, nil); err != nil {
			return err
		}
		for {
			n, err := r.Read(buffer)
			do(buffer[:n])
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
		}
	}
}

func klauspost() inflater {
	return reading(func(in io.Reader) (io.Reader, error) { return zlib.NewReader(in) })
}

func standard() inflater {
	return reading(func(in io.Reader) (io.Reader, error) { return stdzlib.NewReader(in) })
}
