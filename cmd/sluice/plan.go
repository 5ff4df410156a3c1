package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/schema"
)

type planCmd struct {
	runFlags
}

// planReport is what plan --json prints: the text's four steps as figures.
type planReport struct {
	PlanHash        string        `json:"plan_hash"`
	Seed            uint64        `json:"seed"`
	Exec            flow.Executor `json:"exec"`
	Fuse            flow.Fuse     `json:"fuse"`
	OnError         flow.Policy   `json:"on_error"`
	Samples         int           `json:"samples"`
	IgnoredFiles    int           `json:"passed_over"`
	Epochs          int           `json:"epochs"`
	RowsPerEpoch    int64         `json:"rows_per_epoch"`
	BatchesPerEpoch int64         `json:"batches_per_epoch"`
	BatchSize       int           `json:"batch_size"`
	Columns         []string      `json:"columns"`
	Tasks           []schema.Task `json:"tasks"`
	Counts          [][]int64     `json:"counts"` // samples, by task and class; the last of each are unknown
	Form            schema.Form   `json:"form"`
	Shapes          []string      `json:"shapes"`
	*flow.Outline
	Warnings  []string        `json:"warnings"`
	Canonical json.RawMessage `json:"canonical"`
}

func (cmd *planCmd) Run(ctx context.Context, c console) (err error) {
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	line := newProgressLine(c.err, "plan")
	plan, err := pipe.Plan(ctx, flow.OnProgress(line.update))
	line.done()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	if !cmd.JSON {
		_, err := fmt.Fprint(c.out, plan)
		return err
	}
	return c.report(reportOf(plan), plan.String())
}

func reportOf(plan *flow.Plan) *planReport {
	index := plan.Index()
	report := &planReport{
		PlanHash: plan.Info().PlanHash, Seed: plan.Info().Seed, Exec: plan.Settings().Exec, Fuse: plan.Settings().Fuse, OnError: plan.Settings().Failures.Policy,
		Samples: index.Len(), IgnoredFiles: index.Ignored(), Epochs: plan.Info().Epochs,
		RowsPerEpoch: plan.Info().RowsPerEpoch, BatchesPerEpoch: plan.Info().BatchesPerEpoch, BatchSize: plan.Info().BatchSize,
		Columns: plan.Columns(), Tasks: plan.Info().Tasks, Counts: plan.Info().Counts, Form: plan.Info().Form, Shapes: []string{},
		Outline: plan.Outline(), Warnings: append([]string{}, plan.Warnings()...), Canonical: plan.Canonical(),
	}
	for _, v := range plan.Info().Variants {
		if plan.Info().Form != schema.FormEncoded {
			report.Shapes = append(report.Shapes, v.Tensor.String())
		}
	}
	return report
}

type stagesCmd struct {
	Name   string `arg:"" optional:"" help:"Show only this stage, source or sink."`
	Schema bool   `help:"Print the JSON schema of pipeline files, for editors."`
}

func (cmd *stagesCmd) Run(c console) error {
	if cmd.Schema {
		_, err := c.out.Write(pipefile.Schema(catalogs))
		return err
	}
	text := pipefile.Help(catalogs)
	if cmd.Name != "" {
		var err error
		if text, err = pipefile.HelpOn(cmd.Name, catalogs); err != nil {
			return usageError{err}
		}
	}
	_, err := fmt.Fprint(c.out, wrapped(text, widthOf(c.out)))
	return err
}
