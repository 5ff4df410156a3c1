package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// catalogs are the components that pipeline files may name.
var catalogs = pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog}

// runFlags are shared by every command that runs a pipeline. A flag overrides
// the pipeline file.
type runFlags struct {
	File    string  `arg:"" help:"Pipeline file (YAML)."`
	Workers *int    `placeholder:"N" help:"Goroutines that decode and transform; default one per core. Never changes the bytes."`
	Seed    *uint64 `placeholder:"N" help:"Seed of all random numbers; default the file's."`
	Epochs  *int    `placeholder:"N" help:"Passes over the data; default the file's."`
	Exec    string  `placeholder:"NAME" help:"Executor: reference or fused, the default (until it exists, fused runs the reference)."`
	Fuse    string  `placeholder:"HOW" help:"What may be merged: full or exact; default the file's."`
	Params  bool    `help:"Add the column params: the augmentation drawn for each row, JSON."`
	JSON    bool    `name:"json" help:"Print one JSON report instead of text."`
}

// load reads the pipeline file and applies the flags.
func (f *runFlags) load() (*flow.Pipeline, error) {
	if err := errors.Join(atLeastOne("workers", f.Workers), atLeastOne("epochs", f.Epochs)); err != nil {
		return nil, usageError{err}
	}
	pipe, err := pipefile.Load(f.File, catalogs)
	var path *fs.PathError
	if errors.As(err, &path) {
		return nil, usageError{fmt.Errorf("cannot read the pipeline file %s: %w", f.File, path.Err)}
	}
	if err != nil {
		return nil, err
	}
	f.apply(&pipe.Settings)
	return pipe, nil
}

// atLeastOne refuses a number that flow would take for its default.
func atLeastOne(flag string, n *int) error {
	if n != nil && *n < 1 {
		return fmt.Errorf("--%s %d: at least 1", flag, *n)
	}
	return nil
}

func (f *runFlags) apply(s *flow.Settings) {
	if f.Workers != nil {
		s.Workers = *f.Workers
	}
	if f.Seed != nil {
		s.Seed = *f.Seed
	}
	if f.Epochs != nil {
		s.Epochs = *f.Epochs
	}
	if f.Exec != "" {
		s.Exec = flow.Executor(f.Exec)
	}
	if f.Fuse != "" {
		s.Fuse = flow.Fuse(f.Fuse)
	}
	s.Params = s.Params || f.Params
}

// printJSON writes one report, indented.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "tch"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// warnings prints a run's warnings before it begins.
func (c console) warnings() flow.Option {
	return flow.OnPlan(func(p *flow.Plan) { c.warn(p.Warnings) })
}

func (c console) warn(list []string) {
	for _, text := range list {
		fmt.Fprintf(c.err, "warning: %s\n", text)
	}
}
