package flow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/outfile"
)

// QuarantineLine is a line of a quarantine file: one sample that failed in one draw.
// Under refill a draw may have several, with attempts counted from 0.
type QuarantineLine struct {
	Key      string `json:"key"`
	Epoch    int    `json:"epoch"`
	Position int64  `json:"position"`
	Attempt  int    `json:"attempt"`
	Stage    string `json:"stage"` // "source" where reading failed
	Cause    string `json:"cause"`
}

// quarantineFormat is the version of the lines. Those of 1 don't say so, and are otherwise
// the same.
const quarantineFormat = 2

// writtenLine is a line as it is written.
type writtenLine struct {
	QuarantineLine
	Format int `json:"format,omitempty"`
}

func lineOf(e *RowError) QuarantineLine {
	cause, _, _ := strings.Cut(e.Cause(), "\n") // a panic's stack differs from run to run
	return QuarantineLine{Key: e.Key, Epoch: e.Epoch, Position: e.Position, Attempt: e.Attempt, Stage: e.Stage, Cause: cause}
}

// quarantine is the file, JSON lines in the order of draws. Lines are synced
// before their batch goes on, so it never knows less than the sink. It may know
// more, when a run is interrupted: a run that makes these batches again takes
// their lines out first, and keeps those of batches it doesn't make. A device or a
// pipe gets this run's lines, as they come.
type quarantine struct {
	name    string
	file    *os.File
	inPlace bool  // a device or a pipe
	kept    int64 // draws in the lines kept
}

// quarantineKind is told from other files line by line, by readQuarantine.
var quarantineKind = outfile.Kind{Name: "a quarantine file", Is: func([]byte) bool { return true }}

// openQuarantine prepares the file of a run that will make the draws for which
// again is true. An empty name gives nil, which takes lines and drops them.
func openQuarantine(name string, again func(epoch int, position int64) bool) (*quarantine, error) {
	if name == "" {
		return nil, nil
	}
	q := &quarantine{name: name}
	at, err := quarantineKind.At(name)
	var old []QuarantineLine
	if q.inPlace = at.InPlace; err == nil && !q.inPlace {
		old, err = readQuarantine(name)
		if err == nil {
			old = slices.DeleteFunc(old, func(e QuarantineLine) bool { return again(e.Epoch, e.Position) })
			err = q.replace(old)
		}
	}
	if err == nil {
		q.file, err = at.Append()
	}
	if err != nil {
		return nil, fmt.Errorf("flow: quarantine file: %w", err)
	}
	for i, e := range old {
		if i == 0 || e.Epoch != old[i-1].Epoch || e.Position != old[i-1].Position {
			q.kept++
		}
	}
	return q, nil
}

// readQuarantine reads the lines; a torn last line is left out.
func readQuarantine(name string) ([]QuarantineLine, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []QuarantineLine
	number := 0
	for line := range bytes.Lines(data) {
		number++
		var later struct{ Format int }
		if json.Unmarshal(line, &later) == nil && later.Format > quarantineFormat {
			return nil, fmt.Errorf("%s:%d is of format %d, and this sluice reads formats up to %d: name another file", name, number, later.Format, quarantineFormat)
		}
		var e writtenLine
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil || e.Key == "" {
			if !bytes.HasSuffix(line, []byte("\n")) {
				break
			}
			return nil, fmt.Errorf("%s:%d is no entry of a quarantine file: it would be replaced; move it away, or name another file", name, number)
		}
		list = append(list, e.QuarantineLine)
	}
	return list, nil
}

// replace puts the lines, in order, in place of the file.
func (q *quarantine) replace(list []QuarantineLine) error {
	slices.SortStableFunc(list, func(a, b QuarantineLine) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Position, b.Position), cmp.Compare(a.Attempt, b.Attempt))
	})
	if err := os.MkdirAll(filepath.Dir(q.name), 0o777); err != nil {
		return err
	}
	return quarantineKind.Write(q.name, lines(list))
}

func lines(list []QuarantineLine) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, e := range list {
		_ = enc.Encode(writtenLine{e, quarantineFormat}) // strings and numbers always encode
	}
	return b.Bytes()
}

// append writes lines and syncs them.
func (q *quarantine) append(list []QuarantineLine) error {
	if q == nil {
		return nil
	}
	_, err := q.file.Write(lines(list))
	if err == nil && !q.inPlace {
		err = q.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("flow: quarantine file: %w", err)
	}
	return nil
}

// close ends the file, with its lines in order: a run that made only some of
// the batches may have put its own behind later ones.
func (q *quarantine) close() error {
	if q == nil {
		return nil
	}
	err := q.file.Close()
	if q.inPlace {
		return err
	}
	list, readErr := readQuarantine(q.name)
	if err = errors.Join(err, readErr); err == nil {
		err = q.replace(list)
	}
	if err != nil {
		return fmt.Errorf("flow: quarantine file: %w", err)
	}
	return nil
}
