package pipefile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in a pipeline file.
type Error struct {
	File         string // or the flag that is mistaken, see Edit
	Line, Column int    // from 1; columns count characters. 0: File is a flag
	Msg          string
}

func (e Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// Errors are all the mistakes in a pipeline file, in the order of their places.
type Errors []Error

// Error has a line for each mistake.
func (list Errors) Error() string {
	lines := make([]string, len(list))
	for i, e := range list {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a single Error.
func (list Errors) Unwrap() []error {
	out := make([]error, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

// place is a position in the file. Negative lines are those of edits, from -1 down.
type place struct{ line, column int }

// edited reports that the value comes from an edit, not from the file.
func (p place) edited() bool { return p.line < 0 }

// mistakes collects the errors of one file.
type mistakes struct {
	file  string
	flags []string // of the edits
	list  Errors
}

func (m *mistakes) add(at place, format string, args ...any) {
	if at.edited() {
		m.list = append(m.list, Error{File: m.flags[-1-at.line], Msg: fmt.Sprintf(format, args...)})
		return
	}
	m.list = append(m.list, Error{m.file, max(at.line, 1), max(at.column, 1), fmt.Sprintf(format, args...)})
}

// err is nil if there are no mistakes. One that two checks found is reported once.
func (m *mistakes) err() error {
	if len(m.list) == 0 {
		return nil
	}
	slices.SortStableFunc(m.list, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(m.list)
}
