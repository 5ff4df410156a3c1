package ledgerpage

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/phrase"
)

// Page says how a ledger is shown.
type Page struct {
	Title   string
	Classes int // of each task in bars and in the table; of more, the commonest and the rarest; 0: 40
}

const (
	mostBars   = 40
	mostCurves = 8
)

//go:embed page.html
var html string

var page = template.Must(template.New("ledger").Parse(html))

// content is what the template shows.
type content struct {
	Title, PlanHash, About string
	Tasks                  []task
}

type task struct {
	Name    string
	Classes string // how many
	Quotas  bool   // a plan gave some; a data set has none
	Bars    []bar
	Height  int
	More    int // classes not shown
	Columns []string
	Rows    []tableRow
	Plots   []*plot
}

type tableRow struct {
	Class string
	Cells []string
}

// Write writes the page; the same ledger gives the same page.
func (p Page) Write(w io.Writer, l *Ledger) error {
	if p.Classes == 0 {
		p.Classes = mostBars
	}
	c := content{Title: p.Title, PlanHash: l.PlanHash, About: l.About}
	for _, name := range slices.Sorted(maps.Keys(l.Ledger)) {
		c.Tasks = append(c.Tasks, p.task(name, l.Ledger[name], l.ByEpoch, func(e *flow.EpochExposure) map[string]flow.Exposure { return e.Ledger[name] }))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Images)) {
		t := p.task(name, l.Images[name], l.ByEpoch, func(e *flow.EpochExposure) map[string]flow.Exposure { return e.Images[name] })
		t.Name += ", several an image"
		c.Tasks = append(c.Tasks, t)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, c); err != nil {
		return err
	}
	_, err := w.Write(out.Bytes())
	return err
}

// task shows one task: its classes by samples, the commonest first.
func (p Page) task(name string, classes map[string]flow.Exposure, spans []flow.EpochExposure, in func(*flow.EpochExposure) map[string]flow.Exposure) task {
	t := task{Name: name, Classes: phrase.Count(len(classes), "class")}
	order := slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		x, y := classes[a], classes[b]
		return cmp.Or(cmp.Compare(max(y.Samples, y.Distinct), max(x.Samples, x.Distinct)), cmp.Compare(y.Delivered, x.Delivered), cmp.Compare(a, b))
	})
	curves := ends(order, mostCurves)
	t.Plots = plots(curves, spans, in)
	shown := ends(order, p.Classes)
	t.More = len(order) - len(shown)
	most := int64(1)
	for _, x := range classes {
		most = max(most, x.Samples, x.Quota, x.Delivered)
		t.Quotas = t.Quotas || x.Quota > 0
	}
	width := func(n int64) float64 { return barWidth * float64(n) / float64(most) }
	for i, class := range shown {
		x := classes[class]
		b := bar{
			Class: called(class), Short: short(called(class)), Y: i * barHeight, Samples: x.Samples, Quota: x.Quota, Delivered: x.Delivered,
			Before: width(x.Samples), Planned: width(x.Quota), After: width(x.Delivered), New: width(x.Distinct),
		}
		if x.Samples > 0 {
			b.Times = fmt.Sprintf("×%.3g", float64(x.Delivered)/float64(x.Samples))
		}
		t.Bars = append(t.Bars, b)
	}
	t.Height = len(t.Bars) * barHeight
	t.table(shown, classes)
	return t
}

// ends are the first and the last of a list.
func ends(order []string, most int) []string {
	if len(order) <= most {
		return order
	}
	return slices.Concat(order[:most-most/2], order[len(order)-most/2:])
}

// short is a name that fits beside a bar.
func short(name string) string {
	const most = 22
	if runes := []rune(name); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return name
}

func called(class string) string {
	if class == "" {
		return "(unknown)"
	}
	return class
}

// table has the columns that aren't 0 for all classes.
func (t *task) table(shown []string, classes map[string]flow.Exposure) {
	type column struct {
		name string
		of   func(flow.Exposure) float64
	}
	list := []column{
		{"samples", func(x flow.Exposure) float64 { return float64(x.Samples) }},
		{"quota", func(x flow.Exposure) float64 { return float64(x.Quota) }},
		{"drawn", func(x flow.Exposure) float64 { return float64(x.Drawn) }},
		{"delivered", func(x flow.Exposure) float64 { return float64(x.Delivered) }},
		{"failed", func(x flow.Exposure) float64 { return float64(x.Failed) }},
		{"refilled", func(x flow.Exposure) float64 { return float64(x.Refilled) }},
		{"filled", func(x flow.Exposure) float64 { return float64(x.Filled) }},
		{"distinct", func(x flow.Exposure) float64 { return float64(x.Distinct) }},
		{"repeats", func(x flow.Exposure) float64 { return float64(x.Repeats) }},
		{"mean weight", func(x flow.Exposure) float64 { return x.Weight }},
		{"share of weight", func(x flow.Exposure) float64 { return x.WeightShare }},
	}
	for _, stage := range stagesOf(classes) {
		list = append(list, column{stage + " strength", func(x flow.Exposure) float64 { return x.Strength[stage] }})
	}
	for _, c := range list {
		if !slices.ContainsFunc(slices.Collect(maps.Values(classes)), func(x flow.Exposure) bool { return c.of(x) != 0 }) {
			continue
		}
		t.Columns = append(t.Columns, c.name)
		for i, class := range shown {
			if len(t.Rows) <= i {
				t.Rows = append(t.Rows, tableRow{Class: called(class)})
			}
			v := c.of(classes[class])
			text := fmt.Sprintf("%.4g", v)
			if v == math.Floor(v) && math.Abs(v) < 1e15 {
				text = fmt.Sprintf("%.0f", v)
			}
			t.Rows[i].Cells = append(t.Rows[i].Cells, text)
		}
	}
}

// stagesOf are the stages that have a strength.
func stagesOf(classes map[string]flow.Exposure) []string {
	names := map[string]bool{}
	for _, x := range classes {
		for stage := range x.Strength {
			names[stage] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// plots are the curves of some classes; none of a single epoch.
func plots(classes []string, spans []flow.EpochExposure, in func(*flow.EpochExposure) map[string]flow.Exposure) (list []*plot) {
	var epochs [][2]int
	stages := map[string]bool{}
	for i := range spans {
		epochs = append(epochs, spans[i].Epochs)
		for _, stage := range stagesOf(in(&spans[i])) {
			stages[stage] = true
		}
	}
	add := func(title string, of func(x flow.Exposure, epochs float64) float64) {
		var all []series
		for _, class := range classes {
			s := series{name: called(class)}
			for i := range spans {
				s.values = append(s.values, of(in(&spans[i])[class], float64(epochs[i][1]-epochs[i][0])))
			}
			all = append(all, s)
		}
		if p := newPlot(title, epochs, all); p != nil {
			list = append(list, p)
		}
	}
	add("rows an epoch", func(x flow.Exposure, n float64) float64 { return float64(x.Delivered) / n })
	add("rows of each sample, an epoch", func(x flow.Exposure, n float64) float64 {
		if x.Samples == 0 {
			return math.NaN()
		}
		return float64(x.Delivered) / float64(x.Samples) / n
	})
	add("share of the samples that are shown", func(x flow.Exposure, _ float64) float64 {
		if x.Samples == 0 {
			return math.NaN()
		}
		return float64(x.Distinct) / float64(x.Samples)
	})
	add("share of the weight", func(x flow.Exposure, _ float64) float64 { return x.WeightShare })
	for _, stage := range slices.Sorted(maps.Keys(stages)) {
		add("mean strength of "+stage, func(x flow.Exposure, _ float64) float64 {
			if x.Delivered == 0 {
				return math.NaN()
			}
			return x.Strength[stage]
		})
	}
	return list
}
