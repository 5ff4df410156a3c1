package learning

import (
	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/trainer"
)

// The versions of a run's files. Those of version 1 don't say so: reports and lines of a
// log without the member format. Checkpoints have one of their own.
const (
	reportFormat  = 2
	logFormat     = 2
	weightsKey    = "sluice.weights" // in the metadata of weights.safetensors
	weightsFormat = "2"
)

// Report is a training run's; report.json holds it.
type Report struct {
	Format int `json:"format"` // of report.json
	*flow.Report
	Tasks       trainer.Metrics            `json:"tasks"`        // on the first evaluation's data
	EvaluatedOn string                     `json:"evaluated_on"` // its name
	Evaluations map[string]trainer.Metrics `json:"evaluations"`  // by name
	Train       Figures                    `json:"train"`

	EpochsBefore int `json:"-"` // done by earlier runs of this training
}

// Figures are the report's member "train".
type Figures struct {
	sinks.TrainReport
	Model   string        `json:"model"`
	Trainer trainer.Stats `json:"trainer"`
	History []EpochRecord `json:"history"` // of all epochs, including those of earlier runs
}

// EpochRecord is an epoch's line of the log.
type EpochRecord struct {
	Kind string `json:"kind"` // epoch
	sinks.EpochInfo
	Evaluations map[string]trainer.Metrics `json:"evaluations,omitempty"` // by name, where the epoch was evaluated
	Format      int                        `json:"format,omitempty"`      // of the line; 0: it is of version 1
}

// stepRecord is a step's line of the log.
type stepRecord struct {
	Kind         string    `json:"kind"` // step
	Epoch        int       `json:"epoch"`
	Batch        int64     `json:"batch"`
	Scale        float64   `json:"scale"`
	Loss         float64   `json:"loss"`
	Losses       []float64 `json:"losses"` // per task; -1 where no row had a label
	LearningRate float64   `json:"learning_rate"`
	Format       int       `json:"format"`
}
