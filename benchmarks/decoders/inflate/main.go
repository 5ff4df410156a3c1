// Command inflate inflates the zlib streams that are files of folders, for inflate.py, as its argument says: by
// own (internal/inflate, as internal/png reads it, row by row), klauspost (github.com/klauspost/compress) or go (compress/zlib).
// For each line of its input, a folder and seconds, it prints milliseconds of a processor a file; for 0 seconds, the SHA-256 of all
// that is inflated.
package main

import (
	"bytes"
	stdzlib "compress/zlib"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zlib"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
	"github.com/sluicedata/sluice/internal/inflate"
)

// inflater calls do with the parts of a stream.
type inflater func(data []byte, do func(part []byte)) error

func main() {
	all := map[string]func() inflater{"own": own, "klauspost": klauspost, "go": standard}
	if len(os.Args) != 2 || all[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: inflate own|klauspost|go")
		os.Exit(1)
	}
	do := all[os.Args[1]]()
	machine.Answer(func(data []byte) error {
		return do(data, func([]byte) {})
	}, func(data []byte, sum io.Writer) error {
		return do(data, func(part []byte) { _, _ = sum.Write(part) }) // a hash's never fails
	})
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
