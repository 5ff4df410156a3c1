package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/inspect"
)

type inspectCmd struct {
	Path  string `arg:"" help:"Materialized directory, Arrow file, or a file or pipe that holds an Arrow stream; - is the standard input."`
	Stats bool   `help:"Also show mean and standard deviation of each channel."`
	JSON  bool   `name:"json" help:"Print one JSON report instead of text."`
}

func (cmd *inspectCmd) Run(ctx context.Context, c console) error {
	if err := named("<path>", "a directory, a file, or - for stdin", cmd.Path); err != nil {
		return usageError{err}
	}
	inspector := inspect.Inspector{Name: cmd.Path, Statistics: cmd.Stats}
	var read func(ctx context.Context, path string, f func(*schema.Batch) error) error
	unfinished := func(string) error { return nil }
	if cmd.Path == "-" {
		read = func(ctx context.Context, path string, f func(*schema.Batch) error) error {
			return sinks.ReadStream(ctx, path, os.Stdin, f)
		}
	} else {
		format := formatOf(cmd.Path)
		reader, ok := format.(sinks.Reader)
		if verifier, known := format.(sinks.Verifier); !ok && known && verifier.Recognizes(cmd.Path) {
			return cmd.manifest(c)
		}
		if !ok {
			return fmt.Errorf("inspect: %s is of the format %s, which sluice writes and doesn't read", cmd.Path, format.Name())
		}
		read, unfinished = reader.ReadBatches, reader.Unfinished
	}
	if err := read(ctx, cmd.Path, inspector.Add); err != nil {
		return err
	}
	report, err := inspector.Report()
	if err != nil {
		return err
	}
	if err := unfinished(cmd.Path); err != nil {
		c.warn([]string{err.Error()})
	}
	if cmd.JSON {
		return c.report(report, inspectText(report, cmd.Stats))
	}
	_, err = fmt.Fprint(c.out, inspectText(report, cmd.Stats))
	return err
}

// manifest reports what a data set's manifest says.
func (cmd *inspectCmd) manifest(c console) error {
	m, err := sinks.ReadManifest(cmd.Path)
	if err != nil {
		return err
	}
	if cmd.Stats {
		c.warn([]string{fmt.Sprintf("--stats: sluice writes the format %s and doesn't read its pixels back", m.Format)})
	}
	report, err := inspect.OfManifest(cmd.Path, m)
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.Path, err)
	}
	if cmd.JSON {
		return c.report(report, inspectText(report, false))
	}
	_, err = fmt.Fprint(c.out, inspectText(report, false))
	return err
}

// inspectText is a report for people.
func inspectText(r *inspect.Report, stats bool) string {
	var b strings.Builder
	scales := ""
	if len(r.Shapes) > 1 {
		scales = fmt.Sprintf(", %d scales: each draw counts once in each that it came in", len(r.Shapes))
	}
	held := phrase.Count(r.Batches, "batch")
	if r.Format != "" {
		held = fmt.Sprintf("%s of the format %s", phrase.Count(r.Batches, "part"), r.Format)
	}
	fmt.Fprintf(&b, "%s: %d rows in %s%s\nplan %s, seed %d\n", r.Path, r.Rows, held, scales, r.PlanHash, r.Seed)
	if len(r.Columns) > 0 {
		b.WriteString("\ncolumns\n")
	}
	for _, c := range r.Columns {
		if c.Name == "image" && len(r.Shapes) > 1 {
			c.Type = fmt.Sprintf("a type for each of %d scales, below", len(r.Shapes))
		}
		fmt.Fprintf(&b, "  %-16s %s\n", c.Name, c.Type)
	}
	b.WriteString("\nimages\n")
	for _, s := range r.Shapes {
		scale := ""
		if s.Scale != "" {
			scale = "scale " + s.Scale + "  "
		}
		fmt.Fprintf(&b, "  %s%s, %d rows\n", scale, s.Image, s.Rows)
		if stats && s.Mean != nil {
			fmt.Fprintf(&b, "    mean %s  std %s  (red, green, blue)\n", triple(s.Mean), triple(s.Std))
		}
	}
	for _, task := range r.TaskList {
		if r.Samples == nil {
			fmt.Fprintf(&b, "\n%-20s %9s\n", task.Name, "rows")
		} else {
			fmt.Fprintf(&b, "\n%-20s %9s %9s %9s %9s\n", task.Name, "samples", "rows", "distinct", "weight")
		}
		names := append([]string{}, task.Classes...)
		if r.Tasks[task.Name][""]+r.Samples[task.Name][""] > 0 {
			names = append(names, "")
		}
		for _, name := range names {
			shown := name
			if name == "" {
				shown = "(unknown)"
			}
			if r.Samples == nil {
				fmt.Fprintf(&b, "  %-18s %9d\n", shown, r.Tasks[task.Name][name])
				continue
			}
			x := r.Ledger[task.Name][name]
			fmt.Fprintf(&b, "  %-18s %9d %9d %9d %9.4g\n", shown, r.Samples[task.Name][name], r.Tasks[task.Name][name], x.Distinct, x.Weight)
		}
	}
	if len(r.Objects) > 0 {
		fmt.Fprintf(&b, "\n%-20s %9s %9s\n", "objects", "objects", "rows")
	}
	for _, c := range r.Objects {
		fmt.Fprintf(&b, "  %-18s %9d %9d\n", c.Class, c.Objects, c.Rows)
	}
	if len(r.Masks) > 0 {
		fmt.Fprintf(&b, "\n%-20s %12s %9s\n", "masks", "pixels", "rows")
	}
	for _, c := range r.Masks {
		fmt.Fprintf(&b, "  %-18s %12d %9d\n", c.Class, c.Pixels, c.Rows)
	}
	return b.String()
}

func triple(v []inspect.Number) string { return fmt.Sprintf("[%.4f, %.4f, %.4f]", v[0], v[1], v[2]) }
