package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/atomicfile"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/learning"
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
	Title   string // as the page says it; "": Name
	Images  int    // of the class, in training; 0 in sums
	Values  []float64
	Changes bool // differences to plain, in points
}

// Best says of each value whether it is the row's highest, where that is a merit.
func (r demoRow) Best() []bool {
	best := make([]bool, len(r.Values))
	most := math.Inf(-1)
	for _, v := range r.Values {
		most = max(most, math.Round(10*v)/10) // as shown
	}
	for i, v := range r.Values {
		best[i] = !r.Changes && most > 0 && math.Round(10*v)/10 == most
	}
	return best
}

// Label is the row's name on the page.
func (r demoRow) Label() string { return cmp.Or(r.Title, r.Name) }

// newDemoTable reads the figures from the reports.
func newDemoTable(report *demoReport) demoTable {
	t := demoTable{Runs: demoRuns}
	values := func(of func(*learning.Report) float64) (out []float64) {
		for _, r := range demoRuns {
			out = append(out, 100*of(report.Runs[r.Name]))
		}
		return out
	}
	recall := func(shape string) func(*learning.Report) float64 {
		return func(r *learning.Report) float64 { return float64(r.Tasks["shape"].Recall[shape]) }
	}
	for _, shape := range report.Data.Shapes {
		t.Rows = append(t.Rows, demoRow{Name: shape, Images: report.Data.Counts["train/"+shape], Values: values(recall(shape))})
	}
	sum := func(name, title string, of func(*learning.Report) float64) {
		t.Sums = append(t.Sums, demoRow{Name: name, Title: title, Values: values(of)})
	}
	for _, e := range demoEvals {
		sum("balanced, "+e.Name, "Balanced accuracy, "+e.Name, func(r *learning.Report) float64 { return float64(r.Evaluations[e.Name]["shape"].BalancedAccuracy) })
	}
	for _, e := range demoEvals {
		sum("rarest third, "+e.Name, "Recall of the rarest third, "+e.Name, func(r *learning.Report) float64 { return float64(r.Evaluations[e.Name]["shape"].Rarest) })
	}
	commonest := report.Data.Shapes[:max(1, (len(report.Data.Shapes)+1)/3)]
	common := func(r *learning.Report) (mean float64) {
		for _, shape := range commonest {
			mean += recall(shape)(r) / float64(len(commonest))
		}
		return mean
	}
	plain := common(report.Runs["plain"])
	sum("commonest third", "Recall of the commonest third, whole image", common)
	sum("  against plain", "  points more or less than plain", func(r *learning.Report) float64 { return common(r) - plain })
	t.Sums[len(t.Sums)-1].Changes = true
	sum("color, balanced", "Colour task, balanced accuracy", func(r *learning.Report) float64 { return float64(r.Tasks["color"].BalancedAccuracy) })
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
	LabelY              float64 // of its name beside the plot
	Last                string  // the value there
}

type chartTick struct {
	At    float64
	Label string
}

// colors of the runs: told apart by people who don't tell red from green too
// (Okabe and Ito).
var chartColors = []string{"#999999", "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2"}

// newChart draws a figure of each epoch; NaN leaves an epoch out.
func newChart(report *demoReport, title, unit string, low, high float64, figure func(learning.EpochRecord) float64) chart {
	c := chart{Title: title, Unit: unit, Width: 360, Height: 240}
	steps := 1
	for _, r := range report.Runs {
		steps = max(steps, r.Train.Steps)
	}
	x := func(step int) float64 { return c.Width * float64(step) / float64(steps) }
	y := func(v float64) float64 { return c.Height * (1 - (min(max(v, low), high)-low)/(high-low)) }
	for i, r := range demoRuns {
		line := chartLine{Name: r.Title, Color: chartColors[i%len(chartColors)]}
		done := 0
		for _, record := range report.Runs[r.Name].Train.History {
			done += record.Steps
			if v := figure(record); !math.IsNaN(v) {
				line.LastX, line.LastY = x(done), y(v)
				line.Points += fmt.Sprintf("%.1f,%.1f ", line.LastX, line.LastY)
				line.Last = fmt.Sprintf("%.3g", v)
			}
		}
		c.Lines = append(c.Lines, line)
	}
	for i := range 5 {
		v := low + (high-low)*float64(i)/4
		c.YTicks = append(c.YTicks, chartTick{y(v), fmt.Sprintf("%.3g", v)})
		c.XTicks = append(c.XTicks, chartTick{x(steps * i / 4), fmt.Sprint(steps * i / 4)})
	}
	c.label()
	return c
}

// label puts each line's name beside its end, where they would lie over each other one
// below the other.
func (c *chart) label() {
	const height = 16
	order := make([]*chartLine, len(c.Lines))
	for i := range c.Lines {
		order[i] = &c.Lines[i]
	}
	slices.SortStableFunc(order, func(a, b *chartLine) int { return cmp.Compare(a.LastY, b.LastY) })
	top := height / 2.0
	for _, l := range order {
		l.LabelY = max(l.LastY, top)
		top = l.LabelY + height
	}
	bottom := c.Height
	for _, l := range slices.Backward(order) {
		l.LabelY = min(l.LabelY, bottom)
		bottom = l.LabelY - height
	}
}

// finding is what the demo has learnt, in sentences for the head of its page. Its figures
// are the first evaluation's.
type finding struct {
	Head, Lead string
	Figures    []demoFigure
}

// demoFigure is a figure of the plain run and of the best one, in percent.
type demoFigure struct {
	What        string
	Plain, Best float64
}

// Round is a figure as the page shows it.
func (f demoFigure) Round(v float64) float64 { return math.Round(v) }

// Change is what the best run gains or loses, in points.
func (f demoFigure) Change() string {
	return strings.Replace(fmt.Sprintf("%+.0f", math.Round(f.Best)-math.Round(f.Plain)), "-", "\u2212", 1)
}

// newFinding compares the run of the best balanced accuracy with the plain one.
func newFinding(table demoTable) finding {
	row := func(name string) []float64 {
		i := slices.IndexFunc(table.Sums, func(r demoRow) bool { return r.Name == name })
		return table.Sums[i].Values
	}
	balanced, rarest := row("balanced, "+demoEvals[0].Name), row("rarest third, "+demoEvals[0].Name)
	best := 0
	for i, v := range balanced {
		if v > balanced[best] {
			best = i
		}
	}
	f := finding{}
	f.Figures = []demoFigure{
		{"Recall of the rarest third of the shapes", rarest[0], rarest[best]},
		{"Balanced accuracy, all shapes alike", balanced[0], balanced[best]},
		{"Recall of the commonest third", row("commonest third")[0], row("commonest third")[best]},
	}
	if best == 0 {
		f.Head = "Nothing beats plain training here"
		f.Lead = fmt.Sprintf("Of six ways to train the same network on long-tailed data the plain one has the best balanced accuracy, %.0f %%: with so little data or so few epochs the others can't show what they do.", balanced[0])
		return f
	}
	how := demoRuns[best].Head
	verb := "finds"
	if strings.Contains(how, " and ") || strings.HasSuffix(how, "s") {
		verb = "find"
	}
	few := func(v float64) string { return fmt.Sprintf("%.0f", math.Round(v)) }
	f.Head = fmt.Sprintf("%s %s %s of 100 rare shapes, plain training %s", how, verb, few(rarest[best]), few(rarest[0]))
	cost := f.Figures[2].Best - f.Figures[2].Plain
	price := fmt.Sprintf("and the commonest shapes lose %.1f points by it", -cost)
	if cost >= 0 {
		price = fmt.Sprintf("and the commonest shapes gain %.1f points", cost)
	}
	f.Lead = fmt.Sprintf("Balanced accuracy rises from %s to %s %%, %s.", few(balanced[0]), few(balanced[best]), price)
	if rarest[best] <= rarest[0] {
		f.Head = fmt.Sprintf("%s: balanced accuracy %.0f %%, plain training %.0f %%", how, balanced[best], balanced[0])
		f.Lead = fmt.Sprintf("The rarest shapes gain nothing by it here, %s.", price)
	}
	return f
}

// writePage writes report.html.
func (cmd *demoCmd) writePage(report *demoReport, table demoTable) error {
	highest := 0.0
	for _, r := range report.Runs {
		for _, record := range r.Train.History {
			highest = max(highest, record.Loss)
		}
	}
	of := func(metric func(trainer.TaskMetrics) trainer.Share) func(learning.EpochRecord) float64 {
		return func(r learning.EpochRecord) float64 {
			tasks, ok := r.Evaluations[demoEvals[0].Name]
			if !ok {
				return math.NaN()
			}
			return 100 * float64(metric(tasks["shape"]))
		}
	}
	charts := []chart{
		newChart(report, "Balanced accuracy: the mean recall of the ten shapes", " %", 0, 100, of(func(m trainer.TaskMetrics) trainer.Share { return m.BalancedAccuracy })),
		newChart(report, "Recall of the rarest third of the shapes", " %", 0, 100, of(func(m trainer.TaskMetrics) trainer.Share { return m.Rarest })),
		newChart(report, "Loss on the training images, mean of each epoch", "", 0, max(math.Ceil(highest), 1), func(r learning.EpochRecord) float64 { return r.Loss }),
	}
	var html bytes.Buffer
	err := demoPage.Execute(&html, map[string]any{
		"Report": report, "Finding": newFinding(table), "Seed": cmd.Seed, "Table": table, "Charts": charts, "Colors": chartColors, "Evals": demoEvals, "Side": demoSide,
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(cmd.at("report.html"), html.Bytes())
}
