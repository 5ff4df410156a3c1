package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/atomicfile"
	"github.com/sluicedata/sluice/sinks"
)

// trainLog is log.jsonl: a line per step and per epoch. The first error is kept
// and returned by sync and close.
type trainLog struct {
	file *os.File
	out  *bufio.Writer
	err  error
}

// openTrainLog opens the log for epochs from start on; what an interrupted run
// has written of them is cut off.
func openTrainLog(path string, start int) (*trainLog, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("train: %w", err)
	}
	var keep []byte
	for line := range bytes.Lines(old) {
		var record struct{ Epoch int }
		if json.Unmarshal(line, &record) != nil || record.Epoch >= start {
			break // a line torn by a crash, or of an epoch to be run again
		}
		keep = append(keep, line...)
	}
	if err := atomicfile.Write(path, keep); err != nil {
		return nil, fmt.Errorf("train: cannot write the log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return &trainLog{file: f, out: bufio.NewWriter(f)}, nil
}

func (l *trainLog) write(record any) {
	b, err := json.Marshal(record)
	if err == nil {
		_, err = l.out.Write(append(b, '\n'))
	}
	l.err = errors.Join(l.err, err)
}

func (l *trainLog) sync() error {
	l.err = errors.Join(l.err, l.out.Flush(), l.file.Sync())
	return l.err
}

func (l *trainLog) close() error {
	return errors.Join(l.err, l.out.Flush(), l.file.Close())
}

// epochs are the records of all epochs, those before a resume too.
func (l *trainLog) epochs() (list []epochRecord, err error) {
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
			return nil, fmt.Errorf("train: log: %w", err)
		}
		var record epochRecord
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, fmt.Errorf("train: log: %w", err)
		}
		if record.Kind == "epoch" {
			list = append(list, record)
		}
	}
}

// trainLine is the progress line of a training run.
type trainLine struct {
	*progressLine
	current atomic.Pointer[sinks.StepInfo]
}

func newTrainLine(w io.Writer, what string) *trainLine {
	return &trainLine{progressLine: newProgressLine(w, what)}
}

func (l *trainLine) step(s sinks.StepInfo) { l.current.Store(&s) }

func (l *trainLine) update(p flow.Progress) {
	if s := l.current.Load(); s != nil {
		p.Bottleneck = fmt.Sprintf("epoch %d  loss %.4f  %s a step, waited %s", s.Epoch+1, s.Losses.Total,
			s.Train.Round(time.Millisecond), s.Wait.Round(time.Millisecond))
	}
	l.progressLine.update(p)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
