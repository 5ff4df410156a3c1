package main

import (
	"encoding/json"
	"fmt"
	"io"

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
	Workers int     `help:"Goroutines that decode and transform; default one per core. Never changes the bytes."`
	Seed    *uint64 `help:"Seed of all random numbers."`
	Epochs  int     `help:"Passes over the data."`
	Exec    string  `help:"Executor: reference or fused (until it exists, fused runs the reference)." enum:"reference,fused," default:""`
	Fuse    string  `help:"What may be merged: full or exact." enum:"full,exact," default:""`
	Params  bool    `help:"Add the column params: the augmentation drawn for each row, JSON."`
	JSON    bool    `name:"json" help:"Print one JSON report instead of text."`
}

// load reads the pipeline file and applies the flags.
func (f *runFlags) load() (*flow.Pipeline, error) {
	pipe, err := pipefile.Load(f.File, catalogs)
	if err != nil {
		return nil, err
	}
	f.apply(&pipe.Settings)
	return pipe, nil
}

func (f *runFlags) apply(s *flow.Settings) {
	if f.Workers != 0 {
		s.Workers = f.Workers
	}
	if f.Seed != nil {
		s.Seed = *f.Seed
	}
	if f.Epochs != 0 {
		s.Epochs = f.Epochs
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

// warn prints a run's warnings.
func (c console) warn(list []string) {
	for _, text := range list {
		fmt.Fprintf(c.err, "warning: %s\n", text)
	}
}
