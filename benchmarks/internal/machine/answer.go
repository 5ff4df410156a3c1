package machine

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Answer is the main function of a program that a benchmark in Python asks: each line of standard input is a folder and
// seconds. It does that to the folder's files in turn for so long, and prints milliseconds of a processor a file; for 0
// seconds it prints the SHA-256 of what show writes of each of them. An error ends the program, with status 1.
func Answer(do func(data []byte) error, show func(data []byte, sum io.Writer) error) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := answer(lines.Text(), do, show); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func answer(line string, do func(data []byte) error, show func(data []byte, sum io.Writer) error) error {
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
			if err := show(data, sum); err != nil {
				return fmt.Errorf("%s: %w", names[i], err)
			}
		}
		fmt.Printf("%x\n", sum.Sum(nil))
		return nil
	}
	count, began, before := 0, time.Now(), UsedSeconds()
	for time.Since(began).Seconds() < seconds {
		if err := do(files[count%len(files)]); err != nil {
			return fmt.Errorf("%s: %w", names[count%len(files)], err)
		}
		count++
	}
	fmt.Printf("%.6f\n", 1000*(UsedSeconds()-before)/float64(count))
	return nil
}
