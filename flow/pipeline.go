package flow

import (
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// Pipeline is a declaration: a source and the stages that its samples pass, in
// order. Nothing is opened or checked before Plan, Run or Batches.
type Pipeline struct {
	Source   sources.Source
	Stages   []stages.Stage
	Objects  Objects  // which objects of a picture stay
	Settings Settings // what New leaves at its zero value; options override it

	// Explain says where the mistakes of a PipelineError stand; nil leaves it as
	// it is. It is set where a pipeline was read from a file.
	Explain func(*PipelineError) error
}

// explained says where mistakes stand, where that is known.
func (p *Pipeline) explained(err *PipelineError) error {
	if p.Explain == nil {
		return err
	}
	return p.Explain(err)
}

// New declares a pipeline.
func New(source sources.Source, list ...stages.Stage) *Pipeline {
	return &Pipeline{Source: source, Stages: list}
}

// WithID gives a stage an id, so that its random numbers stay its own when
// another stage of the same name is put before it.
func WithID(id string, stage stages.Stage) stages.Stage { return identified{stage, id} }

// identified is a stage with an id; Unwrap gives the stage, of whatever kind.
type identified struct {
	stages.Stage
	id string
}

func (i identified) ID() string { return i.id }

func (i identified) Unwrap() stages.Stage { return i.Stage }
