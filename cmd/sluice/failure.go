package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/feed"
)

// failure is what a command with --json prints where it fails: on stdout, stream on
// stderr. verify adds it to its report.
type failure struct {
	Error  string      `json:"error"`
	Exit   int         `json:"exit"`
	Errors []mistake   `json:"errors"`        // in files and flags, each with its place; empty if that isn't what failed
	Row    *rowFailure `json:"row,omitempty"` // the row that could not be made, if that is what failed
}

// rowFailure is a flow.RowError.
type rowFailure struct {
	Key      string `json:"key"`
	Epoch    int    `json:"epoch"`
	Position int64  `json:"position"`
	Stage    string `json:"stage"`
	Cause    string `json:"cause"`
}

// mistake is a pipefile.Error; its file may be a flag, such as "--set
// stages.rotate.degrees=wide".
type mistake = feed.Mistake

// listed are the mistakes that an error holds, as JSON has them.
func listed(err error) (list []mistake) {
	for _, e := range mistakes(err) {
		list = append(list, mistake{File: e.File, Line: e.Line, Column: e.Column, Message: e.Msg})
	}
	return list
}

// failed describes an error, as JSON has it.
func failed(err error) failure {
	f := failure{Error: explained(err), Exit: status(err), Errors: append([]mistake{}, listed(err)...)}
	if len(f.Errors) == 0 && f.Exit == exitUsage {
		f.Errors = ofUsage(f.Error)
	}
	if e := new(flow.RowError); errors.As(err, &e) {
		f.Row = &rowFailure{e.Key, e.Epoch, e.Position, e.Stage, e.Cause()}
	}
	return f
}

// reported is an error whose JSON object is printed already.
type reported struct{ error }

func (e reported) Unwrap() error { return e.error }

// fail prints why a command failed, and returns its exit status. asJSON: as JSON too; a
// stream's stdout is its data's.
func (c console) fail(ctx context.Context, err error, asJSON, streams bool) int {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) && !errors.As(err, new(stoppedError)) {
		err = context.Cause(ctx)
	}
	f := failed(err)
	if asJSON && streams {
		_ = printJSON(c.err, f)
		return f.Exit
	}
	if len(mistakes(err)) == 0 {
		fmt.Fprint(c.err, "sluice: ")
	}
	fmt.Fprintln(c.err, withoutPackages(f.Error))
	if asJSON && !errors.As(err, new(reported)) {
		_ = printJSON(c.out, f)
	}
	return f.Exit
}

// What errors begin with in Go, the names of packages; "stages: " within a text may be of a pipeline file.
var (
	packages      = regexp.MustCompile(`(?m)(^ *|: )(?:(?:flow|learning|preview|schema|sinks|sources|trainer): )+`)
	stagesPackage = regexp.MustCompile(`(?m)^( *)stages: `)
)

// withoutPackages is an error's text for people, who know sluice as one program.
func withoutPackages(text string) string {
	return packages.ReplaceAllString(stagesPackage.ReplaceAllString(text, "$1"), "$1")
}

// explained is an error's text; of mistakes in files one line each, which editors take
// for places to go to.
func explained(err error) string {
	if list := mistakes(err); len(list) > 0 {
		return list.Error()
	}
	text := err.Error()
	leavesOut := errors.As(err, new(*flow.TooManyFailures)) || errors.As(err, new(*flow.NothingDelivered))
	if row := new(flow.RowError); errors.As(err, &row) && errors.Is(err, decode.ErrTruncated) {
		text += "\n(decode: {truncated: fill} makes a picture of what is left of a JPEG file"
		if !leavesOut {
			text += "; on_error: {policy: skip} leaves such rows out, refill draws others of their class"
		}
		text += ")"
	}
	return text
}

// mistakes are all that an error holds of them: of several files, too.
func mistakes(err error) (list pipefile.Errors) {
	switch e := err.(type) { //nolint:errorlint // it unwraps itself, to find each of several
	case nil:
	case pipefile.Errors:
		return e
	case pipefile.Error:
		return pipefile.Errors{e}
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			list = append(list, mistakes(one)...)
		}
	case interface{ Unwrap() error }:
		return mistakes(e.Unwrap())
	}
	return slices.Compact(list)
}
