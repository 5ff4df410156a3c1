package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/atomicfile"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/trainer/learning"
)

type demoCmd struct {
	Out     string `short:"o" default:"sluice-demo" help:"Directory for everything the demo makes; made if missing."`
	Seed    uint64 `default:"1" help:"Seed of the data set, the augmentation and the initial weights."`
	Workers *int   `placeholder:"N" help:"Goroutines that decode and transform; default: one per core."`
	JSON    bool   `name:"json" help:"Print one JSON report instead of text."`
	Train   int    `hidden:"" help:"About so many training files, for tests."`
	Val     int    `hidden:"" help:"About so many held-out files, for tests."`
	Epochs  int    `hidden:"" help:"Epochs of the training runs, for tests."`

	edited []string // files of the demo that the user has changed
}

// demoReport is what demo --json prints.
type demoReport struct {
	Runs        map[string]*learning.Report `json:"runs"`
	Data        demodata.Report             `json:"data"`
	Materialize *flow.Report                `json:"materialize"`
	Preview     *previewReport              `json:"preview"`
	Out         string                      `json:"out"`
	Seconds     float64                     `json:"seconds"`
}

func (cmd *demoCmd) at(name string) string { return filepath.Join(cmd.Out, name) }

// workers is 0 where nobody has said how many.
func (cmd *demoCmd) workers() int {
	if cmd.Workers == nil {
		return 0
	}
	return *cmd.Workers
}

func (cmd *demoCmd) Run(ctx context.Context, c console) error {
	begin := time.Now()
	epochs := cmp.Or(cmd.Epochs, demoEpochs)
	report := &demoReport{Out: cmd.Out, Runs: map[string]*learning.Report{}}
	say := func(format string, args ...any) {
		if !cmd.JSON {
			fmt.Fprintf(c.out, format, args...)
		}
	}
	err := errors.Join(named("--out", "a directory", cmd.Out), atLeastOne("workers", cmd.Workers))
	if err != nil {
		return usageError{err}
	}
	if err := cmd.onlyOurs(); err != nil {
		return err
	}
	if report.Data, err = cmd.draw(ctx, c, cmd.at("data")); err != nil {
		return err
	}
	d := report.Data
	say("Drew a long-tailed data set: %d training files, imbalance factor %.0f, %d held-out files, two tasks (shape, color).\n",
		d.TrainFiles, d.ImbalanceFactor, d.ValFiles)
	if err := cmd.materialize(ctx, c, report); err != nil {
		return err
	}
	if m := report.Materialize; m.Batches > 0 {
		say("Rebalanced, rotated, cropped, flipped and resized it: %d images at %.0f images/s (%s).\n", m.Rows, m.ImagesPerSecond, m.Bottleneck)
	} else {
		say("The materialized data set was complete already; every checksum is right.\n")
	}
	say("Training %d times from the same initial weights, the same number of steps (each scale of a batch is one):\n", len(demoRuns))
	for i, r := range demoRuns {
		run, err := cmd.train(ctx, c, r.of(cmd.Seed, epochs), fmt.Sprintf("%d/%d %s", i+1, len(demoRuns), r.Name))
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("%w; run it again: what is complete is kept", err)
		}
		if err != nil {
			return err
		}
		report.Runs[r.Name] = run
		say("  %-16s %d epochs, %d steps in %.1f s: %s\n", r.Name, len(run.Train.Epochs), run.Train.Steps, run.Seconds, r.What)
	}
	report.Seconds = time.Since(begin).Seconds()
	table := newDemoTable(report)
	if err := cmd.writePage(report, table); err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(c.out, report)
	}
	say("%s", table.text())
	say("\nBalanced is the mean recall of the ten shapes, on the whole held-out image and on the augmentation's crop held fixed in its\n" +
		"middle. That crop is 0.9 of each side: milder than the recipe's 0.5, which would cut these shapes off.\n")
	say("%s", cmd.next(report))
	return nil
}

// onlyOurs refuses a directory of something else: files of it would be taken for the
// demo's, or replaced. The demo's own is known by its data, and where that was
// deleted by its report. Hidden files are of no matter.
func (cmd *demoCmd) onlyOurs() error {
	entries, err := os.ReadDir(cmd.Out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "data" && e.IsDir() { // demodata looks into that
			continue
		}
		if _, err := os.Stat(cmd.at("data/demodata.json")); err == nil {
			return nil
		}
		if page, err := os.ReadFile(cmd.at("report.html")); err == nil && bytes.Contains(page[:min(len(page), 1000)], []byte(demoTitle+"</title>")) {
			return nil
		}
		return fmt.Errorf("demo: %s isn't empty, and isn't a demo's (it has %s): choose a new or an empty directory", cmd.Out, e.Name())
	}
	return nil
}

// demoTitle ends the title of the demo's report.
const demoTitle = " - sluice demo"

// draw makes the data set, with a progress line on a terminal.
func (cmd *demoCmd) draw(ctx context.Context, c console, dir string) (demodata.Report, error) {
	line := newProgressLine(c.err, "draw")
	begin := time.Now()
	spec := demodata.Spec{Dir: dir, Seed: cmd.Seed, Workers: cmd.workers(), Train: cmd.Train, Val: cmd.Val}
	report, err := demodata.Write(ctx, spec, func(n, total int) {
		if n%20 == 0 || n == total {
			elapsed := time.Since(begin)
			rate := float64(n) / max(elapsed.Seconds(), 1e-9)
			line.update(flow.Progress{Rows: int64(n), TotalRows: int64(total), Elapsed: elapsed, ImagesPerSecond: rate,
				ETA: time.Duration(float64(total-n) / max(rate, 1e-9) * float64(time.Second))})
		}
	})
	line.done()
	return report, err
}

// materialize writes an epoch of the demo's pipeline to disk, and its preview.
func (cmd *demoCmd) materialize(ctx context.Context, c console, report *demoReport) error {
	content, err := cmd.file("pipeline.yaml", "pipeline.yaml", nil)
	if err != nil {
		return err
	}
	pipe, err := pipefile.Parse("pipeline.yaml", content, cmd.Out, catalogs)
	if err != nil {
		return err
	}
	pipe.Settings.Workers = cmd.workers()
	line := newProgressLine(c.err, "materialize")
	report.Materialize, err = flow.MaterializeShard(ctx, flow.Shard{
		Pipeline: pipe, To: sinks.Destination{Dir: cmd.at("dataset")}, Options: []flow.Option{flow.OnProgress(line.update)},
	})
	line.done()
	if err != nil {
		return err
	}
	page := previewCmd{Out: cmd.at("preview.html"), PerClass: 4, Classes: 10}
	page.File = "sluice demo"
	report.Preview, err = page.write(ctx, c.out, pipe, func(*flow.Plan) {})
	return err
}

// keepOrWrite writes a file that isn't there; one that the user has changed is
// left alone, and reported.
func keepOrWrite(name string, content []byte) (edited bool, err error) {
	old, err := os.ReadFile(name)
	switch {
	case err == nil:
		return !bytes.Equal(old, content), nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return false, atomicfile.Write(name, content)
}

// next says where everything lies and what to try.
func (cmd *demoCmd) next(report *demoReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nAll of this took %.0f s. Where everything lies, in %s:\n", report.Seconds, cmd.Out)
	for _, f := range [][2]string{
		{"report.html", "this table, with the curves: open it in a browser"},
		{"preview.html", "draws of each class, before and after"},
		{"runs/both/", "pipeline.yaml and trainer.yaml to change and run again; weights, log, report"},
		{"pipeline.yaml, dataset/", "a pipeline, and what it wrote: Arrow files with a manifest"},
		{"data/train/, data/val/", "the JPEG files, by shape and colour"},
	} {
		fmt.Fprintf(&b, "  %-24s %s\n", f[0], f[1])
	}
	slices.Sort(cmd.edited)
	for i, name := range slices.Compact(cmd.edited) {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s has been changed: it was left as it is; the demo ran its own, and the results are of that.\n", name)
	}
	run := func(name string) string { return cmd.at(filepath.Join("runs", "both", name)) }
	fmt.Fprintf(&b, `
What to try next:
  go run ./cmd/sluice train %s --trainer %s -o my-run
  go run ./cmd/sluice plan %s
  go run ./cmd/sluice preview %[3]s -o my-preview.html --seed 2
  go run ./cmd/sluice inspect %[4]s --stats
  go run ./cmd/sluice stages
`, run("pipeline.yaml"), run("trainer.yaml"), cmd.at("pipeline.yaml"), cmd.at("dataset"))
	return b.String()
}
