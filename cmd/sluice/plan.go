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

// planReport is what plan --json prints.
type planReport struct {
	PlanHash        string          `json:"plan_hash"`
	Exec            string          `json:"exec"`
	Samples         int             `json:"samples"`
	PassedOver      int             `json:"passed_over"`
	Epochs          int             `json:"epochs"`
	RowsPerEpoch    int64           `json:"rows_per_epoch"`
	BatchesPerEpoch int64           `json:"batches_per_epoch"`
	BatchSize       int             `json:"batch_size"`
	Tasks           []schema.Task   `json:"tasks"`
	Counts          [][]int64       `json:"counts"`
	Form            schema.Form     `json:"form"`
	Shapes          []string        `json:"shapes"`
	Groups          []flow.Group    `json:"groups"` // of the fused executor
	Warnings        []string        `json:"warnings"`
	Canonical       json.RawMessage `json:"canonical"`
}

func (cmd *planCmd) Run(ctx context.Context, c console) (err error) {
	pipe, err := cmd.load()
	if err != nil {
		return err
	}
	plan, err := pipe.Plan(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	if !cmd.JSON {
		_, err := fmt.Fprint(c.out, plan)
		return err
	}
	report := planReport{
		PlanHash: plan.PlanHash, Exec: string(plan.Settings.Exec), Samples: plan.Index().Len(), PassedOver: plan.Index().PassedOver,
		Epochs: plan.Epochs, RowsPerEpoch: plan.RowsPerEpoch, BatchesPerEpoch: plan.BatchesPerEpoch, BatchSize: plan.BatchSize,
		Tasks: plan.Tasks, Counts: plan.Counts, Form: plan.Form, Warnings: append([]string{}, plan.Warnings...), Canonical: plan.Canonical, Shapes: []string{},
		Groups: append([]flow.Group{}, plan.Groups()...),
	}
	for _, v := range plan.Variants {
		if plan.Form != schema.FormEncoded {
			report.Shapes = append(report.Shapes, v.Tensor.String())
		}
	}
	return printJSON(c.out, report)
}

type stagesCmd struct {
	Name   string `arg:"" optional:"" help:"Only this stage or source."`
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
	_, err := fmt.Fprint(c.out, text)
	return err
}
