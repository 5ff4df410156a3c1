package main

import (
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
)

// TestTurns: rows of which no size tells whether their annotations are turned are counted and
// named, with what to say.
func TestTurns(t *testing.T) {
	for _, c := range []struct {
		report flow.Report
		want   []string
	}{
		{flow.Report{}, nil},
		{flow.Report{Turned: 2}, []string{"the annotations of 2 rows are of the picture as the file stores it"}},
		{flow.Report{Untold: 1, FirstUntold: "c.jpg"}, []string{"annotations of 1 row, such as c.jpg, are", "or annotations: displayed"}},
		{flow.Report{Turned: 2, Untold: 3, FirstUntold: "c.jpg"}, []string{"annotations of 2 rows are", "annotations of 3 rows, such as c.jpg, are", "and these are wrong if they are, too: say annotations: stored"}},
	} {
		var text strings.Builder
		console{err: &text}.turns(&c.report)
		for _, want := range c.want {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%d turned, %d untold: %q lacks %q", c.report.Turned, c.report.Untold, text.String(), want)
			}
		}
		if c.want == nil && text.String() != "" {
			t.Errorf("nothing is turned, and there is a warning: %q", text.String())
		}
	}
}

// TestFilledRows: one row and several are told of as what they are.
func TestFilledRows(t *testing.T) {
	for want, r := range map[string]flow.Report{
		"warning: 1 of 1 rows is of a file that is truncated or damaged, c.jpg: what is missing is filled\n":               {Filled: 1, Rows: 1, FirstFilled: "c.jpg"},
		"warning: 2 of 9 rows are of files that are truncated or damaged, the first of c.jpg: what is missing is filled\n": {Filled: 2, Rows: 9, FirstFilled: "c.jpg"},
	} {
		var text strings.Builder
		if (console{err: &text}).failures(&r, ""); text.String() != want {
			t.Errorf("%q, want %q", text.String(), want)
		}
	}
}
