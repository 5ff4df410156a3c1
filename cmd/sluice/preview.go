package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"image"
	"image/png"
	"io"
	"slices"
	"strings"

	"github.com/disintegration/imaging"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/outfile"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

type previewCmd struct {
	runFlags
	Out      string `short:"o" default:"preview.html" help:"HTML file to write; - is stdout."`
	PerClass int    `default:"4" help:"Draws shown of each class."`
	Classes  int    `default:"12" help:"Classes shown; of more, the commonest and the rarest."`
	Task     string `help:"Task whose classes group the draws; default the first."`
}

func (cmd *previewCmd) Run(ctx context.Context, c console) (err error) {
	if err := errors.Join(named("--out", "a file", cmd.Out), atLeastOne("per-class", &cmd.PerClass), atLeastOne("classes", &cmd.Classes)); err != nil {
		return usageError{err}
	}
	toStdout := cmd.Out == "-"
	switch {
	case toStdout && cmd.JSON:
		return usageError{errors.New("--json: the report and the page of -o - cannot both go to stdout: name a file, or leave --json out")}
	case !toStdout:
		if _, err := previewFile.At(cmd.Out); err != nil {
			return fmt.Errorf("preview: --out: %w", err)
		}
	}
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	line := newProgressLine(c.err, "preview")
	report, err := cmd.write(ctx, c.out, pipe, func(p *flow.Plan) { c.begin(line, p) }, flow.OnProgress(line.update))
	line.done()
	if err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(c.out, report)
	}
	name := cmd.Out
	if toStdout {
		name = "stdout"
	}
	_, err = fmt.Fprintf(c.err, "%s: %d draws of %d classes%s; open it in a browser\n", name, report.Draws, report.Classes, report.text())
	return err
}

type previewReport struct {
	File     string `json:"file"`
	PlanHash string `json:"plan_hash"`
	Classes  int    `json:"classes"`
	Draws    int    `json:"draws"` // those that failed, too
	previewEvents
	Warnings []string `json:"warnings"`
}

// previewEvents counts the draws that on_error or truncated: fill had to do with.
type previewEvents struct {
	Failed   int `json:"failed"`   // left out
	Refilled int `json:"refilled"` // another sample of the class
	Filled   int `json:"filled"`   // of a damaged file
}

func (e previewEvents) text() string {
	text := ""
	for _, n := range []struct {
		n    int
		what string
	}{{e.Failed, "left out as they failed"}, {e.Refilled, "refilled by another sample of the class"}, {e.Filled, "of damaged files, filled"}} {
		if n.n > 0 {
			text += fmt.Sprintf(", %d %s", n.n, n.what)
		}
	}
	return text
}

// write plans the pipeline and writes the page, to stdout if that is Out. Draws that fail are shown as on_error
// has it: they end it, are marked as left out, or another sample is in their place.
func (cmd *previewCmd) write(ctx context.Context, stdout io.Writer, pipe *flow.Pipeline, planned func(*flow.Plan), opts ...flow.Option) (report *previewReport, err error) {
	plan, err := pipe.Plan(ctx, opts...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	planned(plan)
	if plan.Form == schema.FormEncoded {
		return nil, usageError{errors.New("preview: the pipeline has no decode stage, so there is nothing to see: add decode")}
	}
	page := &previewPage{Name: cmd.File, PlanHash: plan.PlanHash, Plan: plan.String(), Seed: plan.Seed, Warnings: plan.Warnings, Drawing: drawPlan(plan)}
	for t := range plan.Tasks {
		page.Histograms = append(page.Histograms, newHistogram(plan.Tasks[t], plan.Counts[t], plan.DrawnCounts(t)))
	}
	groups, err := cmd.groups(plan)
	if err != nil {
		return nil, err
	}
	report = &previewReport{File: cmd.Out, PlanHash: plan.PlanHash, Classes: len(groups), Warnings: append([]string{}, plan.Warnings...)}
	var failed []*flow.RowError
	for _, g := range groups {
		for _, position := range g.positions {
			row, err := plan.Row(ctx, 0, position)
			failure := new(flow.RowError)
			if errors.As(err, &failure) && len(failed) < mostCauses {
				failed = append(failed, failure)
			}
			draw, err := report.draw(plan, position, row, err)
			if err != nil {
				return nil, err
			}
			g.Draws = append(g.Draws, draw)
			report.Draws++
		}
		page.Groups = append(page.Groups, g)
	}
	if report.Draws > 0 && report.Failed == report.Draws {
		return nil, nothingToShow{failed, report.Draws}
	}
	var html bytes.Buffer
	if err := previewTemplate.Execute(&html, page); err != nil {
		return nil, err
	}
	if cmd.Out == "-" {
		_, err = stdout.Write(html.Bytes())
		return report, err
	}
	if err := previewFile.Write(cmd.Out, html.Bytes()); err != nil {
		return nil, fmt.Errorf("preview: cannot write %s: %w", cmd.Out, err)
	}
	return report, nil
}

// previewFile is what preview writes: it is known by the head of preview.html.
var previewFile = outfile.Kind{Name: "a preview", Is: func(data []byte) bool {
	head := data[:min(len(data), 1000)]
	return bytes.HasPrefix(head, []byte("<!doctype html>")) && bytes.Contains(head, []byte("<title>sluice preview: "))
}}

// mostCauses is the number of failures that an error names.
const mostCauses = 5

// nothingToShow is a preview each of whose draws failed and was left out.
type nothingToShow struct {
	first []*flow.RowError
	draws int
}

func (e nothingToShow) Error() string {
	text := fmt.Sprintf("preview: there is nothing to show: each of %s failed, and on_error leaves such rows out: mend or replace the files. The first of them:", phrase.Count(e.draws, "draw"))
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

//go:embed preview.html
var previewHTML string

var previewTemplate = template.Must(template.New("preview").Parse(previewHTML))

type previewPage struct {
	Name, PlanHash, Plan string
	Seed                 uint64
	Warnings             []string
	Drawing              *drawing
	Histograms           []histogram
	Groups               []*previewGroup
}

// previewGroup is the draws of one class.
type previewGroup struct {
	Task, Class string // empty in a pipeline without labels
	Samples     int64
	Draws       []previewDraw
	positions   []int64
}

type previewDraw struct {
	Key      string
	Position int64
	Labels   string
	Before   thumbnail
	After    thumbnail
	Params   []previewParam
	Event    string // what on_error or truncated: fill did; "": nothing
	Failed   bool   // there is no picture
}

type previewParam struct{ Stage, Value string }

type thumbnail struct {
	URI           template.URL
	Width, Height int // of the picture itself
}

// histogram compares the classes of one task before and after the samplers.
type histogram struct {
	Task   string
	Height int
	Bars   []histogramBar
	More   int // classes not shown
}

type histogramBar struct {
	Class                 string
	Y                     int
	Before, After         int64
	BeforeWidth, AfterWid float64
}

const (
	maxBars   = 40
	barHeight = 26
	barWidth  = 320
)

func newHistogram(task schema.Task, before, after []int64) histogram {
	h := histogram{Task: task.Name}
	most := int64(1)
	for c := range before {
		most = max(most, before[c], after[c])
	}
	for c := range before {
		name := "(unknown)"
		if c < len(task.Classes) {
			name = task.Classes[c]
		} else if before[c] == 0 {
			continue
		}
		h.Bars = append(h.Bars, histogramBar{Class: name, Before: before[c], After: after[c],
			BeforeWidth: barWidth * float64(before[c]) / float64(most), AfterWid: barWidth * float64(after[c]) / float64(most)})
	}
	slices.SortStableFunc(h.Bars, func(a, b histogramBar) int { return cmp.Compare(b.Before, a.Before) })
	if len(h.Bars) > maxBars {
		h.More = len(h.Bars) - maxBars
		h.Bars = slices.Concat(h.Bars[:maxBars/2], h.Bars[len(h.Bars)-maxBars/2:])
	}
	for i := range h.Bars {
		h.Bars[i].Y = i * barHeight
	}
	h.Height = len(h.Bars) * barHeight
	return h
}

// groups chooses the classes and the positions of the draws to show.
func (cmd *previewCmd) groups(plan *flow.Plan) ([]*previewGroup, error) {
	if len(plan.Tasks) == 0 {
		g := &previewGroup{Samples: int64(len(plan.Selection()))}
		for position := range min(plan.RowsPerEpoch, int64(cmd.PerClass*4)) {
			g.positions = append(g.positions, position)
		}
		return []*previewGroup{g}, nil
	}
	task := 0
	if cmd.Task != "" {
		var ok bool
		if task, ok = schema.TaskNumber(plan.Index().Tasks(), cmd.Task); !ok {
			var names []string
			for _, t := range plan.Tasks {
				names = append(names, t.Name)
			}
			return nil, usageError{fmt.Errorf("preview: --task %q: the tasks are %s", cmd.Task, strings.Join(names, ", "))}
		}
	}
	classes := plan.Tasks[task].Classes
	order := make([]int, len(classes))
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(plan.Counts[task][b], plan.Counts[task][a]) })
	if len(order) > cmd.Classes {
		order = slices.Concat(order[:(cmd.Classes+1)/2], order[len(order)-cmd.Classes/2:])
	}
	groups := make([]*previewGroup, 0, len(order)+1)
	byClass := map[int32]*previewGroup{}
	add := func(label int32, class string, samples int64) {
		g := &previewGroup{Task: plan.Tasks[task].Name, Class: class, Samples: samples}
		groups = append(groups, g)
		byClass[label] = g
	}
	for _, c := range order {
		add(int32(c), classes[c], plan.Counts[task][c])
	}
	if n := plan.Counts[task][len(classes)]; n > 0 {
		add(schema.Unknown, "(unknown)", n)
	}
	missing := len(groups)
	for position := int64(0); position < plan.RowsPerEpoch && missing > 0; position++ {
		g := byClass[plan.Index().Label(task, plan.Drawn(0, position))]
		if g == nil || len(g.positions) == cmd.PerClass {
			continue
		}
		g.positions = append(g.positions, position)
		if len(g.positions) == cmd.PerClass {
			missing--
		}
	}
	return groups, nil
}

// draw is what became of a draw: its row, or how it failed.
func (r *previewReport) draw(plan *flow.Plan, position int64, row *flow.Row, err error) (previewDraw, error) {
	drawn := plan.Index().Key(plan.Drawn(0, position))
	if err != nil {
		if !decided(plan, err) {
			return previewDraw{}, err
		}
		r.Failed++
		return previewDraw{Key: drawn, Position: position, Failed: true, Event: "left out: " + err.Error()}, nil
	}
	d, err := newPreviewDraw(row)
	switch {
	case row.Attempt > 0:
		r.Refilled++
		d.Event = fmt.Sprintf("in place of %s, which failed", drawn)
	case row.Repairs > 0:
		r.Filled++
		d.Event = "the file is damaged or incomplete: what is missing is filled"
	}
	return d, err
}

// decided says that on_error lets a run go on without the row: its picture is broken or
// was missing. Others end it.
func decided(plan *flow.Plan, err error) bool {
	row := new(flow.RowError)
	return plan.Settings.Failures.Policy != flow.Fail && errors.As(err, &row) &&
		(row.Stage != "source" || errors.Is(err, sources.ErrMissing))
}

func newPreviewDraw(row *flow.Row) (previewDraw, error) {
	d := previewDraw{Key: row.Meta.Key, Position: row.Meta.Position}
	var err error
	if d.Before, err = newThumbnail(row.Source); err != nil {
		return d, err
	}
	if d.After, err = newThumbnail(row.Shown); err != nil {
		return d, err
	}
	for _, drawn := range row.Drawn {
		text, err := readable(drawn.Params)
		if err != nil {
			return d, err
		}
		if text != "" {
			d.Params = append(d.Params, previewParam{drawn.Stage, text})
		}
	}
	return d, nil
}

// readable writes drawn parameters for people: "x 12, y 7", numbers to four digits.
func readable(params any) (string, error) {
	if jitter, ok := params.(*stages.ColorJitterParams); ok {
		return readableJitter(jitter), nil
	}
	b, err := json.Marshal(params)
	if err != nil {
		return "", err
	}
	var list []string
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := dec.Token()
		if err != nil {
			return strings.Join(list, ", "), nil // the end
		}
		switch v := token.(type) {
		case string:
			list = append(list, v)
		case float64:
			list[len(list)-1] += fmt.Sprintf(" %.4g", v)
		case bool:
			list[len(list)-1] += fmt.Sprint(" ", v)
		}
	}
}

// readableJitter writes what was done, in its order: "hue -0.031, then contrast 1.2".
func readableJitter(p *stages.ColorJitterParams) string {
	value := map[string]float64{"brightness": p.Brightness, "contrast": p.Contrast, "saturation": p.Saturation, "hue": p.Hue}
	var list []string
	for _, a := range p.Order {
		sign := ""
		if a == stages.Hue && p.Hue > 0 {
			sign = "+"
		}
		list = append(list, fmt.Sprintf("%s %s%.3g", a, sign, value[string(a)]))
	}
	return strings.Join(list, ", then ")
}

// newThumbnail shrinks a uint8 HWC picture to at most 180 pixels a side.
func newThumbnail(p *schema.Picture) (thumbnail, error) {
	img := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(img.Pix[4*i:], p.U8[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, imaging.Fit(img, 180, 180, imaging.Linear)); err != nil {
		return thumbnail{}, err
	}
	uri := "data:image/png;base64," + base64.StdEncoding.EncodeToString(buf.Bytes())
	return thumbnail{template.URL(uri), p.Width, p.Height}, nil
}
