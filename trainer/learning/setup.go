package learning

import (
	"errors"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/trainer"
)

// SetupError is a training that cannot run as declared: pipeline, trainer and
// evaluations don't fit each other, or don't fit the data.
type SetupError struct{ Err error }

func (e *SetupError) Error() string { return e.Err.Error() }

// Unwrap is the mistake, or several joined.
func (e *SetupError) Unwrap() error { return e.Err }

// RemedyError is an error that goes away with other settings. Its text says so in
// words that suit any program; a program that knows its users' switches names them.
type RemedyError struct {
	Remedy Remedy
	Err    error
}

// Remedy is what to change.
type Remedy string

// The remedies.
const (
	ToResume   Remedy = "resume"      // Training.Existing: Resume
	MoreEpochs Remedy = "more epochs" // at least as many as the checkpoint has, see flow.Epochs
)

func (e *RemedyError) Error() string { return e.Err.Error() }

// Unwrap is what happened.
func (e *RemedyError) Unwrap() error { return e.Err }

// setup makes an error a SetupError, unless it is one.
func setup(err error) error {
	if of := new(SetupError); errors.As(err, &of) {
		return err
	}
	return &SetupError{err}
}

// checkForm refuses a pipeline whose images a trainer can't learn from, before
// anything runs.
func checkForm(p *flow.Plan) error {
	for _, v := range p.Info().Variants {
		if err := trainer.CheckForm(p.Info().Form, v.Tensor); err != nil {
			return &SetupError{err}
		}
	}
	return nil
}
