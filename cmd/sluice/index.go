package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/sources"
)

// cacheFlags say where what can be made again is kept.
type cacheFlags struct {
	Cache    string `placeholder:"DIR" env:"SLUICE_CACHE" help:"Directory of what can be made again: indexes of sources, unpacked archives; none keeps nothing. Default: sluice in the user's cache directory."`
	MaxCache size   `placeholder:"SIZE" name:"max-cache-size" env:"SLUICE_MAX_CACHE_SIZE" help:"Most that unpacked archives take in it, such as 20GiB; the least recently used go. Default: 50GiB."`
}

func (f *cacheFlags) context(ctx context.Context) context.Context {
	return sources.WithCache(ctx, sources.Cache{Dir: f.Cache, Max: int64(f.MaxCache)})
}

type indexCmd struct {
	File string `arg:"" help:"Pipeline file (YAML); - reads it from stdin."`
	editFlags
	JSON bool `name:"json" help:"Print one JSON report instead of text."`
}

// indexReport is what index --json prints.
type indexReport struct {
	Samples int           `json:"samples"`
	Seconds float64       `json:"seconds"`
	Sources []indexedPart `json:"sources"` // each source in the file that has an index
}

type indexedPart struct {
	Source  string `json:"source"`
	Samples int    `json:"samples"`
	Units   int    `json:"units"` // directories, shards and lists
	Read    int    `json:"read"`  // of them, those that were read: the others were known
	Bytes   int64  `json:"bytes"` // of the index
	File    string `json:"file"`
}

func (cmd *indexCmd) Run(ctx context.Context, c console, cache *cacheFlags) (err error) {
	edits, err := cmd.edits()
	if err != nil {
		return usageError{err}
	}
	pipe, err := cmd.read(cmd.File, edits...)
	if err != nil {
		return err
	}
	report := &indexReport{Sources: []indexedPart{}}
	ctx = sources.WithCache(ctx, sources.Cache{Dir: cache.Cache, Max: int64(cache.MaxCache), Always: true, Told: func(l sources.Listing) {
		report.Sources = append(report.Sources, indexedPart(l))
	}})
	begin := time.Now()
	d, err := sources.Open(ctx, pipe.Source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	report.Samples, report.Seconds = d.Index().Len(), time.Since(begin).Seconds()
	if w, ok := d.(sources.Warner); ok {
		c.warn(w.Warnings())
	}
	if len(report.Sources) == 0 {
		return errors.New("no index was kept: the cache directory can't be written to, or is none, or the source doesn't keep one")
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s in %.2f s\n", phrase.Count(report.Samples, "sample"), report.Seconds)
	for _, p := range report.Sources {
		fmt.Fprintf(&text, "%s: %s; read %d of %d directories and files, and knew the others; index of %s: %s\n",
			p.Source, phrase.Count(p.Samples, "sample"), p.Read, p.Units, phrase.Bytes(p.Bytes), p.File)
	}
	return cmd.print(c, report, text.String())
}

func (cmd *indexCmd) print(c console, report *indexReport, text string) error {
	if cmd.JSON {
		return c.report(report, text)
	}
	_, err := fmt.Fprint(c.out, text)
	return err
}
