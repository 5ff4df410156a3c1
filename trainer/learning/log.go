package learning

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/sluicedata/sluice/internal/atomicfile"
)

// log is log.jsonl: a line per step and per epoch. The first error is kept, and
// returned by sync and close.
type log struct {
	file *os.File
	out  *bufio.Writer
	err  error
}

// openLog opens the log for epochs from start on, and removes what an interrupted
// run has written of those.
func openLog(path string, start int) (*log, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("learning: %w", err)
	}
	var keep []byte
	for line := range bytes.Lines(old) {
		var record struct{ Epoch, Format int }
		if json.Unmarshal(line, &record) != nil || record.Epoch >= start {
			break // a line torn by a crash, or of an epoch to be run again
		}
		if record.Format > logFormat {
			return nil, fmt.Errorf("learning: %s is of format %d, and this sluice reads formats up to %d: choose another directory", path, record.Format, logFormat)
		}
		keep = append(keep, line...)
	}
	if err := atomicfile.Write(path, keep); err != nil {
		return nil, fmt.Errorf("learning: cannot write the log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("learning: %w", err)
	}
	return &log{file: f, out: bufio.NewWriter(f)}, nil
}

func (l *log) write(record any) {
	b, err := json.Marshal(record)
	if err == nil {
		_, err = l.out.Write(append(b, '\n'))
	}
	l.err = errors.Join(l.err, err)
}

func (l *log) sync() error {
	l.err = errors.Join(l.err, l.out.Flush(), l.file.Sync())
	return l.err
}

func (l *log) close() error {
	return errors.Join(l.err, l.out.Flush(), l.file.Close())
}

// epochs returns the records of all epochs, including those before a resume.
func (l *log) epochs() (list []EpochRecord, err error) {
	if err := l.sync(); err != nil {
		return nil, err
	}
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(l.file); ; {
		var line json.RawMessage
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("learning: log: %w", err)
		}
		var record EpochRecord
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, fmt.Errorf("learning: log: %w", err)
		}
		if record.Kind == "epoch" {
			list = append(list, record)
		}
	}
}
