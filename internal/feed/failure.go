package feed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicedata/sluice/flow"
)

// The kinds of failures: which exception Python raises.
const (
	failPipeline = "pipeline" // a pipeline that can't run: all its mistakes
	failSample   = "sample"   // a row that can't be made
	failState    = "state"    // a state of another plan, or a damaged one
	failUsage    = "usage"    // a request that makes no sense
	failEngine   = "engine"   // everything else
)

// failure is an ERROR message, and an error of its own.
type failure struct {
	Kind     string    `json:"kind"`
	Message  string    `json:"message"`
	Mistakes []Mistake `json:"mistakes"`
	Key      string    `json:"key"`
	Epoch    int       `json:"epoch"`
	Position int64     `json:"position"`
	Stage    string    `json:"stage"`
	Cause    string    `json:"cause"`
}

func (f *failure) Error() string { return f.Message }

// usage is the failure of a request that makes no sense.
func usage(format string, args ...any) error {
	return &failure{Kind: failUsage, Message: fmt.Sprintf(format, args...)}
}

// Mistake is one of a pipeline, with its place in the file, or the setting that has it.
type Mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0: none
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// describe makes an error what Python is told.
func (s *session) describe(err error) *failure {
	if f := new(failure); errors.As(err, &f) {
		if f.Mistakes == nil {
			f.Mistakes = []Mistake{}
		}
		return f
	}
	f := &failure{Kind: failEngine, Mistakes: []Mistake{}}
	var mistakes []Mistake
	f.Message, mistakes = s.Explain(err)
	row, plan := new(flow.RowError), new(flow.PipelineError)
	switch {
	case errors.Is(err, errBroken):
	case len(mistakes) > 0, errors.As(err, &plan), strings.HasPrefix(f.Message, "sources: "): // a source that can't be opened
		f.Kind, f.Mistakes = failPipeline, append(f.Mistakes, mistakes...)
	case errors.As(err, &row):
		f.Kind, f.Key, f.Epoch, f.Position, f.Stage = failSample, row.Key, row.Epoch, row.Position, row.Stage
		f.Cause = row.Cause()
	}
	return f
}

func (s *session) sendError(id uint32, err error) error {
	return s.send(kindError, id, s.describe(err))
}

// ofState makes an error one of a state.
func (s *session) ofState(err error) error {
	f := s.describe(err)
	f.Kind = failState
	return f
}

// strict reads JSON without unknown keys.
func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("its head can't be read: %w", err)
	}
	return nil
}
