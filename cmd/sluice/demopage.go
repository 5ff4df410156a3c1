package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/sluicedata/sluice/trainer"
)

// demoTable compares the demo's runs.
type demoTable struct {
	Runs []demoRun
	Rows []demoRow // the classes of the shape task, the commonest first
	Sums []demoRow // balanced accuracies and the like
}

// demoRow is a figure of every run, in percent; NaN where it isn't defined.
type demoRow struct {
	Name    string
	Images  int // of the class, in training; 0 in sums
	Values  []float64
	Changes bool // differences to plain, in points
}

// newDemoTable reads the figures from the reports.
func newDemoTable(report *demoReport) demoTable {
	t := demoTable{Runs: demoRuns}
	values := func(of func(*trainReport) float64) (out []float64) {
		for _, r := range demoRuns {
			out = append(out, 100*of(report.Runs[r.Name]))
		}
		return out
	}
	recall := func(shape string) func(*trainReport) float64 {
		return func(r *trainReport) float64 { return float64(r.Tasks["shape"].Recall[shape]) }
	}
	for _, shape := range report.Data.Shapes {
		t.Rows = append(t.Rows, demoRow{Name: shape, Images: report.Data.Counts["train/"+shape], Values: values(recall(shape))})
	}
	sum := func(name string, of func(*trainReport) float64) {
		t.Sums = append(t.Sums, demoRow{Name: name, Values: values(of)})
	}
	for _, e := range demoEvals {
		sum("balanced, "+e.Name, func(r *trainReport) float64 { return float64(r.Evaluations[e.Name]["shape"].BalancedAccuracy) })
	}
	for _, e := range demoEvals {
		sum("rarest third, "+e.Name, func(r *trainReport) float64 { return float64(r.Evaluations[e.Name]["shape"].Rarest) })
	}
	commonest := report.Data.Shapes[:max(1, (len(report.Data.Shapes)+1)/3)]
	common := func(r *trainReport) (mean float64) {
		for _, shape := range commonest {
			mean += recall(shape)(r) / float64(len(commonest))
		}
		return mean
	}
	plain := common(report.Runs["plain"])
	sum("commonest third", common)
	sum("  against plain", func(r *trainReport) float64 { return common(r) - plain })
	t.Sums[len(t.Sums)-1].Changes = true
	sum("color, balanced", func(r *trainReport) float64 { return float64(r.Tasks["color"].BalancedAccuracy) })
	return t
}

// Cells are the values as the table shows them.
func (r demoRow) Cells() []string {
	out := make([]string, len(r.Values))
	for i, v := range r.Values {
		switch {
		case math.IsNaN(v):
			out[i] = "-"
		case r.Changes:
			out[i] = fmt.Sprintf("%+.1f", v)
		case r.Images > 0:
			out[i] = fmt.Sprintf("%.0f", v)
		default:
			out[i] = fmt.Sprintf("%.1f", v)
		}
	}
	return out
}

func (t demoTable) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nRecall of each shape on held-out images, percent:\n\n%-26s %6s", "", "images")
	for _, r := range t.Runs {
		fmt.Fprintf(&b, " %*s", max(8, len(r.Short)), r.Short)
	}
	b.WriteByte('\n')
	for i, row := range append(append([]demoRow{}, t.Rows...), t.Sums...) {
		if i == len(t.Rows) {
			b.WriteByte('\n')
		}
		images := ""
		if row.Images > 0 {
			images = fmt.Sprint(row.Images)
		}
		fmt.Fprintf(&b, "%-26s %6s", row.Name, images)
		for c, cell := range row.Cells() {
			fmt.Fprintf(&b, " %*s", max(8, len(t.Runs[c].Short)), cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

//go:embed demo/report.html
var demoHTML string

var demoPage = template.Must(template.New("report").Parse(demoHTML))

// chart is a plot of one figure of all runs over the optimizer's steps.
type chart struct {
	Title, Unit   string
	Width, Height float64 // of the plot
	Lines         []chartLine
	YTicks        []chartTick
	XTicks        []chartTick
}

type chartLine struct {
	Name, Color, Points string
	LastX, LastY        float64
}

type chartTick struct {
	At    float64
	Label string
}

// colors of the runs: told apart by people who don't tell red from green too
// (Okabe and Ito).
var chartColors = []string{"#999999", "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2"}

// newChart draws a figure of each epoch; NaN leaves an epoch out.
func newChart(report *demoReport, title, unit string, low, high float64, figure func(epochRecord) float64) chart {
	c := chart{Title: title, Unit: unit, Width: 460, Height: 240}
	steps := 1
	for _, r := range report.Runs {
		steps = max(steps, r.Train.Steps)
	}
	x := func(step int) float64 { return c.Width * float64(step) / float64(steps) }
	y := func(v float64) float64 { return c.Height * (1 - (min(max(v, low), high)-low)/(high-low)) }
	for i, r := range demoRuns {
		line := chartLine{Name: r.Name, Color: chartColors[i%len(chartColors)]}
		done := 0
		for _, record := range report.Runs[r.Name].Train.History {
			done += record.Steps
			if v := figure(record); !math.IsNaN(v) {
				line.LastX, line.LastY = x(done), y(v)
				line.Points += fmt.Sprintf("%.1f,%.1f ", line.LastX, line.LastY)
			}
		}
		c.Lines = append(c.Lines, line)
	}
	for i := range 5 {
		v := low + (high-low)*float64(i)/4
		c.YTicks = append(c.YTicks, chartTick{y(v), fmt.Sprintf("%.3g", v)})
		c.XTicks = append(c.XTicks, chartTick{x(steps * i / 4), fmt.Sprint(steps * i / 4)})
	}
	return c
}

// writePage writes report.html.
func (cmd *demoCmd) writePage(report *demoReport, table demoTable) error {
	highest := 0.0
	for _, r := range report.Runs {
		for _, record := range r.Train.History {
			highest = max(highest, record.Loss)
		}
	}
	of := func(metric func(trainer.TaskMetrics) trainer.Share) func(epochRecord) float64 {
		return func(r epochRecord) float64 {
			tasks, ok := r.Evaluations[demoEvals[0].Name]
			if !ok {
				return math.NaN()
			}
			return 100 * float64(metric(tasks["shape"]))
		}
	}
	charts := []chart{
		newChart(report, "Balanced accuracy of the shape task, held-out images", "%", 0, 100, of(func(m trainer.TaskMetrics) trainer.Share { return m.BalancedAccuracy })),
		newChart(report, "Recall of the rarest third of the shapes, held-out images", "%", 0, 100, of(func(m trainer.TaskMetrics) trainer.Share { return m.Rarest })),
		newChart(report, "Training loss, mean of each epoch", "", 0, max(math.Ceil(highest), 1), func(r epochRecord) float64 { return r.Loss }),
	}
	var html bytes.Buffer
	err := demoPage.Execute(&html, map[string]any{
		"Report": report, "Table": table, "Charts": charts, "Colors": chartColors, "Evals": demoEvals, "Side": demoSide,
	})
	if err != nil {
		return err
	}
	return renameio.WriteFile(cmd.at("report.html"), html.Bytes(), 0o644)
}
