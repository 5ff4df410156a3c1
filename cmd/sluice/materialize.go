package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
)

type materializeCmd struct {
	runFlags
	Out        string `short:"o" required:"" placeholder:"DIR" help:"Directory to write to; created if missing."`
	Format     string `placeholder:"NAME" help:"Format of the data set; default: the file's sink, or arrow (sluice stages lists the formats and their options)."`
	Codec      string `placeholder:"NAME" help:"Compression, the format's option codec: none, lz4 or zstd for arrow; default: the file's, or none."`
	PartRows   *int   `placeholder:"N" help:"Rows per file, rounded down to whole batches, the format's option part_rows; default: the file's, or 4096."`
	ClassNames bool   `help:"Also write the names of classes, the format's option class_names: columns class.<task> of texts with a dictionary, for DuckDB, Polars and pandas."`
	Shard      string `help:"Write only shard i of n, given as i/n, i from 0." placeholder:"I/N"`
	AnySpace   bool   `help:"Start even if the disk seems too small."`
	Update     bool   `help:"Rewrite the files whose samples have changed since they were written, and only those. Without it, such changes are an error."`
}

func (cmd *materializeCmd) destination() (to sinks.Destination, err error) {
	to = sinks.Destination{Dir: cmd.Out, AnySpace: cmd.AnySpace, Update: cmd.Update}
	if cmd.Shard != "" {
		to.Shard, to.Shards, err = parseShard(cmd.Shard)
	}
	return to, err
}

func (cmd *materializeCmd) Run(ctx context.Context, c console) error {
	if err := errors.Join(named("--out", "a directory", cmd.Out), atLeastOne("part-rows", cmd.PartRows)); err != nil {
		return usageError{err}
	}
	file, err := cmd.loadFile()
	if err != nil {
		return err
	}
	to, err := cmd.destination()
	if err != nil {
		return err
	}
	format, err := cmd.format(file.Sink)
	if err == nil {
		err = outsideSource(cmd.Out, file.Pipeline.Source)
	}
	if err == nil {
		err = errors.Join(format.Check(), format.Into(to))
	}
	if err != nil {
		return usageError{err}
	}
	line := newProgressLine(c.err, "materialize")
	report, err := flow.MaterializeShard(ctx, flow.Shard{Pipeline: file.Pipeline, Format: format, To: to, Options: []flow.Option{flow.OnProgress(line.update), c.warningsOf(line, format)}})
	line.done()
	if _, resumes := format.(sinks.Skipper); resumes && err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; the parts finished so far are kept in %s: run the same command again to resume there", err, cmd.Out)
	}
	if err != nil {
		return err
	}
	if report.Drawn > 0 && report.Rows == 0 {
		return fmt.Errorf("%s has no rows: each of %s failed", cmd.Out, phrase.Count(report.Drawn, "draw"))
	}
	text := fmt.Sprintf("%s: complete already, verified\n", cmd.Out)
	if report.Drawn > 0 {
		text = fmt.Sprintf("%s: %d rows in %s, %.0f images/s (%s)\n", cmd.Out, report.Rows, phrase.Count(report.Batches, "batch"), report.ImagesPerSecond, report.Bottleneck)
	}
	if cmd.JSON {
		return c.report(report, text)
	}
	if report.Drawn > 0 {
		c.failures(report, lists(file.Pipeline.Settings.Failures))
		if r, ok := format.(sinks.Remarker); ok {
			c.warn(r.Remarks())
		}
	}
	_, err = fmt.Fprint(c.err, text)
	return err
}

func parseShard(s string) (shard, shards int, err error) {
	i, n, ok := strings.Cut(s, "/")
	if ok {
		shard, err = strconv.Atoi(i)
		if err == nil {
			shards, err = strconv.Atoi(n)
		}
	}
	if !ok || err != nil || shard < 0 || shard >= shards {
		return 0, 0, usageError{fmt.Errorf("--shard %q: want i/n with 0 <= i < n, such as 0/4", s)}
	}
	return shard, shards, nil
}

type verifyCmd struct {
	Dir    string `arg:"" help:"Materialized data set."`
	Source string `placeholder:"FILE" help:"Also read every sample that it was made from, from the source of this pipeline file, and compare it with its recorded fingerprint."`
	editFlags
	JSON bool `name:"json" help:"Print one JSON report instead of text."`
}

func (cmd *verifyCmd) Run(ctx context.Context, c console) error {
	if err := named("<dir>", "a directory", cmd.Dir); err != nil {
		return usageError{err}
	}
	if info, err := os.Stat(cmd.Dir); err == nil && !info.IsDir() {
		return fmt.Errorf("verify: %s is a file, and verify takes a directory written by materialize: inspect reads a file", cmd.Dir)
	}
	edits, err := cmd.edits()
	if err == nil && len(edits) > 0 && cmd.Source == "" {
		err = fmt.Errorf("%s: it changes the pipeline file of --source, which is missing", edits[0].Flag)
	}
	if err != nil {
		return usageError{err}
	}
	line := newProgressLine(c.err, "verify")
	line.unit = "parts"
	defer line.done()
	format := formatOf(cmd.Dir)
	verifier, ok := format.(sinks.Verifier)
	if !ok {
		return fmt.Errorf("verify: %s is of the format %s, which records no checksums", cmd.Dir, format.Name())
	}
	report, err := verifier.Verify(ctx, cmd.Dir, line.count)
	if err != nil {
		return err
	}
	compared := sinks.SourceReport{}
	if cmd.Source != "" {
		stop := line.during("reading the source")
		compared, err = cmd.verifySource(ctx, verifier, edits)
		stop()
		if err != nil {
			return err
		}
	}
	line.done()
	if !cmd.JSON {
		c.warn(report.Warnings)
	}
	for _, p := range compared.Problems {
		if !slices.Contains(report.Problems, p) { // both find a damaged list
			report.Problems = append(report.Problems, p)
		}
	}
	err = cmd.problems(report.Problems, compared.Advice())
	switch {
	case err != nil && cmd.JSON:
		return reported{errors.Join(err, printJSON(c.out, struct {
			sinks.VerifyReport
			failure
		}{report, failed(err)}))}
	case err != nil:
		return err
	}
	text := fmt.Sprintf("%s: %s, %d rows, every checksum right\n", cmd.Dir, phrase.Count(report.Parts, "part"), report.Rows)
	if cmd.Source != "" {
		text += fmt.Sprintf("%s: %s of the source, the bytes it was made of\n", cmd.Dir, phrase.Count(compared.Samples, "sample"))
	}
	if cmd.JSON {
		return c.report(report, text)
	}
	_, err = fmt.Fprint(c.out, text)
	return err
}

// problems are what verify found, and what to do about it.
func (cmd *verifyCmd) problems(list []sinks.Problem, advice string) (err error) {
	add := func(format string, args ...any) {
		err = errors.Join(err, fmt.Errorf("verify: %s: %s", cmd.Dir, fmt.Sprintf(format, args...)))
	}
	samples := 0
	for _, p := range list {
		if p.Kind == sinks.OtherSource {
			if samples++; samples > shownSamples {
				continue
			}
		}
		add("%s: %s", p.Name, p.Text)
	}
	if samples > shownSamples {
		add("and %d more samples", samples-shownSamples)
	}
	if advice != "" {
		add("%s", advice)
	}
	return err
}

// shownSamples is how many differing samples the text names.
const shownSamples = 10

// verifySource compares with the whole source of a pipeline file, whichever side of its
// split the file uses.
func (cmd *verifyCmd) verifySource(ctx context.Context, format sinks.Verifier, edits []pipefile.Edit) (sinks.SourceReport, error) {
	verifier, ok := format.(sinks.SourceVerifier)
	if !ok {
		return sinks.SourceReport{}, usageError{fmt.Errorf("verify: --source: the format %s doesn't record what a data set was made of", format.Name())}
	}
	pipe, err := cmd.read(cmd.Source, edits...)
	if err != nil {
		return sinks.SourceReport{}, err
	}
	samples, err := sources.Open(ctx, sources.Whole(pipe.Source))
	if err != nil {
		return sinks.SourceReport{}, err
	}
	report, err := verifier.VerifySource(ctx, cmd.Dir, samples)
	return report, errors.Join(err, samples.Close())
}
