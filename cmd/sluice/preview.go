package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/preview"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

type previewCmd struct {
	runFlags
	Out      string `short:"o" default:"preview.html" help:"HTML file to write; - is stdout."`
	PerClass int    `default:"4" help:"Draws shown of each class."`
	Classes  int    `default:"12" help:"Classes shown; if there are more, the commonest and the rarest."`
	Task     string `help:"Task whose classes group the draws; default: the first."`
}

func (cmd *previewCmd) Run(ctx context.Context, c console) (err error) {
	if err := errors.Join(named("--out", "a file", cmd.Out), atLeastOne("per-class", &cmd.PerClass), atLeastOne("classes", &cmd.Classes)); err != nil {
		return usageError{err}
	}
	if err := checkPage("preview", previewFile, cmd.Out, cmd.JSON); err != nil {
		return err
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
		return c.report(report, report.text())
	}
	_, err = fmt.Fprint(c.err, report.text())
	return err
}

// previewReport is what preview --json prints.
type previewReport struct {
	File string `json:"file"`
	*preview.Report
}

func (r *previewReport) text() string {
	name := r.File
	if name == "-" {
		name = "stdout"
	}
	text := fmt.Sprintf("%s: %s of %s", name, phrase.Count(r.Draws, "draw"), phrase.Count(r.Classes, "class"))
	for _, n := range []struct {
		n    int
		what string
	}{{r.Failed, "left out as they failed"}, {r.Refilled, "refilled by another sample of the class"}, {r.Filled, "of damaged files, filled"}} {
		if n.n > 0 {
			text += fmt.Sprintf(", %d %s", n.n, n.what)
		}
	}
	return text + "; open it in a browser\n"
}

// write plans the pipeline and writes the page, to stdout if that is Out.
func (cmd *previewCmd) write(ctx context.Context, stdout io.Writer, pipe *flow.Pipeline, planned func(*flow.Plan), opts ...flow.Option) (report *previewReport, err error) {
	plan, err := pipe.Plan(ctx, opts...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	planned(plan)
	if _, ok := schema.TaskNumber(plan.Info().Tasks, cmd.Task); cmd.Task != "" && !ok {
		return nil, usageError{fmt.Errorf("preview: --task %q: the tasks are %s", cmd.Task, phrase.List(taskNames(plan.Info().Tasks)))}
	}
	var html bytes.Buffer
	made, err := preview.Page{Title: cmd.called(cmd.File), PerClass: cmd.PerClass, Classes: cmd.Classes, Task: cmd.Task}.Write(ctx, &html, plan)
	if err != nil {
		return nil, err
	}
	report = &previewReport{cmd.Out, made}
	if cmd.Out == "-" {
		_, err = stdout.Write(html.Bytes())
		return report, err
	}
	if err := previewFile.Write(cmd.Out, html.Bytes()); err != nil {
		return nil, fmt.Errorf("preview: cannot write %s: %w", cmd.Out, err)
	}
	return report, nil
}

func taskNames(tasks []schema.Task) []string {
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	return names
}

// previewFile is what preview writes: it is known by the head of preview.html.
var previewFile = pageFile("preview", "a preview")
