package preview

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Page says what is shown.
type Page struct {
	Title    string // of the page
	PerClass int    // draws shown of each class; 0: 4
	Classes  int    // classes shown; of more, the commonest and the rarest; 0: 12
	Task     string // whose classes group the draws; "": the first
}

// Report is what a page shows.
type Report struct {
	PlanHash string   `json:"plan_hash"`
	Classes  int      `json:"classes"`
	Draws    int      `json:"draws"`    // those that failed, too
	Failed   int      `json:"failed"`   // left out
	Refilled int      `json:"refilled"` // another sample of the class
	Filled   int      `json:"filled"`   // of a damaged file
	Warnings []string `json:"warnings"` // the plan's
}

//go:embed preview.html
var html string

var page = template.Must(template.New("preview").Parse(html))

// Write makes the draws and then writes the page; after an error nothing has been
// written. A draw that fails is treated as on_error says: it is an error, it is
// marked as left out, or another sample takes its place. A page with nothing but
// failures is an error. The plan stays open.
func (p Page) Write(ctx context.Context, w io.Writer, plan *flow.Plan) (*Report, error) {
	if p.PerClass == 0 {
		p.PerClass = 4
	}
	if p.Classes == 0 {
		p.Classes = 12
	}
	if p.PerClass < 0 || p.Classes < 0 {
		return nil, fmt.Errorf("preview: %d draws of each of %d classes: give numbers above 0", p.PerClass, p.Classes)
	}
	if plan.Info().Form == schema.FormEncoded {
		return nil, &flow.PipelineError{Err: errors.New("preview: the pipeline has no decode stage, so there is nothing to see: add decode")}
	}
	c := &content{Name: p.Title, PlanHash: plan.Info().PlanHash, Plan: plan.String(), Seed: plan.Info().Seed, Warnings: plan.Warnings(), Drawing: drawPlan(plan),
		Unmixed: unmixed(plan), Targets: plan.Info().Targets.Objects() || plan.Info().Targets.HasMask()}
	for t := range plan.Info().Tasks {
		c.Histograms = append(c.Histograms, newHistogram(plan.Info().Tasks[t], plan.Info().Counts[t], plan.DrawnCounts(t)))
	}
	if spec := plan.Info().Targets; spec.Objects() && len(spec.Classes) > 0 {
		before, after := countObjects(plan)
		c.Histograms = append(c.Histograms, newHistogram(schema.Task{Name: "objects", Classes: spec.Classes}, before, after))
	}
	groups, err := p.groups(plan)
	if err != nil {
		return nil, err
	}
	c.Groups = groups
	report := &Report{PlanHash: plan.Info().PlanHash, Classes: len(groups), Warnings: append([]string{}, plan.Warnings()...)}
	var failed []*flow.RowError
	for _, g := range groups {
		for _, position := range g.positions {
			d, err := newDraw(ctx, plan, position)
			if err != nil {
				return nil, err
			}
			if d.failure != nil && len(failed) < mostCauses {
				failed = append(failed, d.failure)
			}
			report.count(d)
			g.Draws = append(g.Draws, d)
		}
	}
	if report.Draws > 0 && report.Failed == report.Draws {
		return nil, nothingToShow{failed, report.Draws}
	}
	var out bytes.Buffer
	if err := page.Execute(&out, c); err != nil {
		return nil, err
	}
	_, err = w.Write(out.Bytes())
	return report, err
}

// unmixed are the stages that mix rows of a batch, which a draw by itself doesn't show. Pictures that
// are composed of others, by mosaic and copy_paste, are shown.
func unmixed(plan *flow.Plan) string {
	var names []string
	for _, s := range plan.Outline().Stages {
		if s.Kind == "mixer" {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}

// groups chooses the classes and the positions of the draws to show.
func (p Page) groups(plan *flow.Plan) ([]*group, error) {
	if len(plan.Info().Tasks) == 0 && plan.Info().Targets.Objects() && len(plan.Info().Targets.Classes) > 0 && p.Task == "" {
		return p.objectGroups(plan), nil
	}
	if len(plan.Info().Tasks) == 0 {
		g := &group{Samples: int64(len(plan.Selection()))}
		for position := range min(plan.Info().RowsPerEpoch, int64(p.PerClass*4)) {
			g.positions = append(g.positions, position)
		}
		return []*group{g}, nil
	}
	task := 0
	if p.Task != "" {
		var ok bool
		if task, ok = schema.TaskNumber(plan.Index().Tasks(), p.Task); !ok {
			var names []string
			for _, t := range plan.Info().Tasks {
				names = append(names, t.Name)
			}
			return nil, fmt.Errorf("preview: task %q: the tasks are %s", p.Task, strings.Join(names, ", "))
		}
	}
	classes := plan.Info().Tasks[task].Classes
	order := p.order(plan.Info().Counts[task][:len(classes)])
	groups := make([]*group, 0, len(order)+1)
	byClass := map[int32]*group{}
	add := func(label int32, class string, samples int64) {
		g := &group{Task: plan.Info().Tasks[task].Name, Class: class, Samples: samples}
		groups = append(groups, g)
		byClass[label] = g
	}
	for _, c := range order {
		add(int32(c), classes[c], plan.Info().Counts[task][c])
	}
	if n := plan.Info().Counts[task][len(classes)]; n > 0 {
		add(schema.Unknown, "(unknown)", n)
	}
	missing := len(groups)
	for position := int64(0); position < plan.Info().RowsPerEpoch && missing > 0; position++ {
		g := byClass[plan.Index().Label(task, plan.Drawn(0, position))]
		if g == nil || len(g.positions) == p.PerClass {
			continue
		}
		g.positions = append(g.positions, position)
		if len(g.positions) == p.PerClass {
			missing--
		}
	}
	return groups, nil
}

// order lists the classes to show, the commonest first.
func (p Page) order(counts []int64) []int {
	order := make([]int, len(counts))
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
	if len(order) > p.Classes {
		order = slices.Concat(order[:(p.Classes+1)/2], order[len(order)-p.Classes/2:])
	}
	return order
}

// objectGroups chooses draws of data without labels by the classes of their objects: of each
// class the first draws that have one. A draw may be shown for several classes.
func (p Page) objectGroups(plan *flow.Plan) []*group {
	classes := plan.Info().Targets.Classes
	samples := make([]int64, len(classes)+1) // the last: without objects
	objects, _ := countObjects(plan)         // the order of the histogram
	each := func(sample int, do func(class int)) {
		labels := schema.ObjectLabelsOf(plan.Index(), sample)
		if len(labels) == 0 {
			do(len(classes))
		}
		for i, l := range labels {
			if l >= 0 && int(l) < len(classes) && !slices.Contains(labels[:i], l) {
				do(int(l))
			}
		}
	}
	for _, sample := range plan.Selection() {
		each(sample, func(class int) { samples[class]++ })
	}
	var groups []*group
	byClass := map[int]*group{}
	for _, c := range p.order(objects) {
		byClass[c] = &group{Task: "objects", Class: classes[c], Samples: samples[c]}
		groups = append(groups, byClass[c])
	}
	if n := samples[len(classes)]; n > 0 {
		byClass[len(classes)] = &group{Task: "objects", Class: "(none)", Samples: n}
		groups = append(groups, byClass[len(classes)])
	}
	missing := len(groups)
	for position := int64(0); position < plan.Info().RowsPerEpoch && missing > 0; position++ {
		each(plan.Drawn(0, position), func(class int) {
			if g := byClass[class]; g != nil && len(g.positions) < p.PerClass {
				if g.positions = append(g.positions, position); len(g.positions) == p.PerClass {
					missing--
				}
			}
		})
	}
	return groups
}

// countObjects are the objects of each class, of the samples and of the draws of an epoch.
func countObjects(plan *flow.Plan) (samples, draws []int64) {
	count := func(counts []int64, sample int) {
		for _, l := range schema.ObjectLabelsOf(plan.Index(), sample) {
			if l >= 0 && int(l) < len(counts) {
				counts[l]++
			}
		}
	}
	samples, draws = make([]int64, len(plan.Info().Targets.Classes)), make([]int64, len(plan.Info().Targets.Classes))
	for _, sample := range plan.Selection() {
		count(samples, sample)
	}
	for position := range plan.Info().RowsPerEpoch {
		count(draws, plan.Drawn(0, position))
	}
	return samples, draws
}

// count adds a draw.
func (r *Report) count(d draw) {
	r.Draws++
	switch {
	case d.failure != nil:
		r.Failed++
	case d.refilled:
		r.Refilled++
	case d.filled:
		r.Filled++
	}
}

// mostCauses is the number of failures that an error names.
const mostCauses = 5

// nothingToShow is a page each of whose draws failed and was left out.
type nothingToShow struct {
	first []*flow.RowError
	draws int
}

func (e nothingToShow) Error() string {
	text := fmt.Sprintf("preview: there is nothing to show: each of %s failed, and on_error leaves such rows out: fix or replace the files. The first of them:", phrase.Count(e.draws, "draw"))
	for _, row := range e.first {
		text += "\n  " + row.Error()
	}
	return text
}

// Unwrap is the failures that it names.
func (e nothingToShow) Unwrap() (list []error) {
	for _, row := range e.first {
		list = append(list, row)
	}
	return list
}
