package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

type demoCmd struct {
	Out     string `short:"o" default:"sluice-demo" help:"Directory to write to; made if missing. A second run keeps what is there and right."`
	Seed    uint64 `default:"1" help:"Seed of the data set that is drawn."`
	Workers int    `help:"Goroutines that decode and transform; default one per core."`
	JSON    bool   `name:"json" help:"Print one JSON report instead of text."`
	Train   int    `hidden:"" help:"About so many training files, for tests."`
	Val     int    `hidden:"" help:"About so many held-out files, for tests."`
}

//go:embed demo.yaml
var demoPipeline []byte

// demoReport is what demo --json prints.
type demoReport struct {
	Data        demodata.Report `json:"data"`
	Materialize *flow.Report    `json:"materialize"`
	Preview     *previewReport  `json:"preview"`
	Out         string          `json:"out"`
}

func (cmd *demoCmd) Run(ctx context.Context, c console) error {
	at := func(name string) string { return filepath.Join(cmd.Out, name) }
	report := demoReport{Out: cmd.Out}
	var err error
	if report.Data, err = cmd.draw(ctx, c, at("data")); err != nil {
		return err
	}
	edited, err := keepOrWrite(at("pipeline.yaml"), demoPipeline)
	if err != nil {
		return err
	}
	pipe, err := pipefile.Parse("demo.yaml", demoPipeline, cmd.Out, catalogs)
	if err != nil {
		return err
	}
	pipe.Settings.Workers = cmd.Workers
	plan, err := pipe.Plan(ctx)
	if err != nil {
		return err
	}
	before, after := plan.Counts[0], plan.DrawnCounts(0)
	if err := plan.Close(); err != nil {
		return err
	}
	update, done := progressLine(c.err, "materialize")
	report.Materialize, err = flow.MaterializeShard(ctx, flow.Shard{
		Pipeline: pipe, Parts: sinks.ArrowParts{Dir: at("dataset")}, Options: []flow.Option{flow.OnProgress(update)},
	})
	done()
	if err != nil {
		return err
	}
	page := previewCmd{Out: at("preview.html"), PerClass: 4, Classes: 10}
	page.File = "sluice demo"
	if report.Preview, err = page.write(ctx, pipe); err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(c.out, report)
	}
	return cmd.tell(c, report, plan.Tasks, before, after, edited)
}

// draw makes the data set, with a progress line on a terminal.
func (cmd *demoCmd) draw(ctx context.Context, c console, dir string) (demodata.Report, error) {
	update, done := progressLine(c.err, "draw")
	begin := time.Now()
	spec := demodata.Spec{Dir: dir, Seed: cmd.Seed, Workers: cmd.Workers, Train: cmd.Train, Val: cmd.Val}
	report, err := demodata.Write(ctx, spec, func(n, total int) {
		if update != nil && (n%20 == 0 || n == total) {
			elapsed := time.Since(begin)
			rate := float64(n) / max(elapsed.Seconds(), 1e-9)
			update(flow.Progress{Rows: int64(n), TotalRows: int64(total), Elapsed: elapsed, ImagesPerSecond: rate,
				ETA: time.Duration(float64(total-n) / max(rate, 1e-9) * float64(time.Second))})
		}
	})
	done()
	return report, err
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
	return false, renameio.WriteFile(name, content, 0o644)
}

// tell says what was made, where it lies and what to try next.
func (cmd *demoCmd) tell(c console, report demoReport, tasks []schema.Task, before, after []int64, edited bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Drew a long-tailed data set: %d training files, imbalance factor %.0f, %d held-out files, two tasks (shape, color).\n",
		report.Data.TrainFiles, report.Data.ImbalanceFactor, report.Data.ValFiles)
	if m := report.Materialize; m.Batches > 0 {
		fmt.Fprintf(&b, "Rebalanced, rotated, cropped, flipped and resized it: %d images at %.0f images/s (%s).\n", m.Rows, m.ImagesPerSecond, m.Bottleneck)
	} else {
		b.WriteString("The materialized data set was complete already; every checksum is right.\n")
	}
	fmt.Fprintf(&b, "\n%-12s %8s    %s\n", tasks[0].Name, "samples", "drawn in an epoch, by square-root rebalancing")
	most := int64(1)
	for i := range before {
		most = max(most, before[i], after[i])
	}
	for i, name := range tasks[0].Classes {
		const width = 40
		bar := strings.Repeat("█", int((after[i]*width+most-1)/most))
		fmt.Fprintf(&b, "%-12s %8d -> %4d %s\n", name, before[i], after[i], bar)
	}
	fmt.Fprintf(&b, "\nWhere everything lies, in %s:\n", cmd.Out)
	for _, f := range [][2]string{
		{"preview.html", "draws of each class, before and after: open it in a browser"},
		{"pipeline.yaml", "the pipeline: change it and run it again"},
		{"dataset/", "Arrow files with a manifest: README shows how Python reads them"},
		{"data/train/, data/val/", "the JPEG files, by shape and colour"},
	} {
		fmt.Fprintf(&b, "  %-24s %s\n", f[0], f[1])
	}
	if edited {
		b.WriteString("\npipeline.yaml has been changed: it was left as it is; the demo ran its own.\n")
	}
	file, data := filepath.Join(cmd.Out, "pipeline.yaml"), filepath.Join(cmd.Out, "dataset")
	fmt.Fprintf(&b, `
What to try next:
  go run ./cmd/sluice plan %[1]s
  go run ./cmd/sluice preview %[1]s -o my-preview.html --seed 2
  go run ./cmd/sluice inspect %[2]s --stats
  go run ./cmd/sluice materialize %[1]s -o my-dataset --epochs 2 --params
  go run ./cmd/sluice stages
`, file, data)
	_, err := fmt.Fprint(c.out, b.String())
	return err
}
