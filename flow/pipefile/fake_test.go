package pipefile

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
)

// fakes are a small catalogue, so that what these tests show depends on no
// real stage.
var fakes = Catalogs{
	Stages: []stages.Entry{
		{New: func() stages.Stage { return &decode{} }, Doc: "decode image files"},
		{New: func() stages.Stage { return &rotate{} }, Doc: "turn pictures about their centre"},
		{New: func() stages.Stage { return &crop{} }, Doc: "cut a window out"},
		{New: func() stages.Stage { return &batch{} }, Doc: "group rows into batches"},
	},
	Sources: []sources.Entry{
		{New: func() sources.Source { return &folder{} }, Doc: "a folder of images"},
		{New: func() sources.Source { return &table{} }, Doc: "a file that lists images"},
	},
	Models: []trainer.Entry{
		{New: func() trainer.Model { return &poolModel{PoolTo: 56} }, Doc: "for photos"},
		{New: func() trainer.Model { return &plainModel{"small_cnn"} }, Doc: "for small images"},
		{New: func() trainer.Model { return &plainModel{"softmax"} }, Doc: "for a start"},
	},
	Sinks: []sinks.Entry{
		{New: func() sinks.Format { return &lines{} }, Doc: "a line of text for each row"},
		{New: func() sinks.Format { return &sinks.ArrowParts{} }, Doc: "Arrow files"},
	},
}

// lines is a sink of another module.
type lines struct {
	sinks.Discard
	End    string `sluice:"end" default:"lf" doc:"what ends a line"`
	Header string `sluice:"header,path" doc:"a file to begin with"`
	Rows   int    `sluice:"rows,positive" default:"100" doc:"rows of a file"`
}

func (*lines) Name() string { return "lines" }
func (l *lines) Check() error {
	if l.End != "" && l.End != "lf" && l.End != "crlf" {
		return fmt.Errorf("end: %q: want lf or crlf", l.End)
	}
	return nil
}
func (*lines) Into(sinks.Destination) error { return nil }

// parsePipeline is Parse, or leaves out what the stages make of each other.
func parsePipeline(name string, data []byte, folder string, c Catalogs, edges bool) (*flow.Pipeline, error) {
	if edges {
		return Parse(name, data, folder, c)
	}
	f, err := parseLoosely(name, data, folder, c)
	if err != nil {
		return nil, err
	}
	return f.Pipeline, nil
}

type poolModel struct {
	PoolTo int `sluice:"pool_to,positive" default:"56" doc:"side of the pool"`
}

func (poolModel) Name() string { return "recipe" }

func (r poolModel) Check() error {
	if r.PoolTo < 0 {
		return fmt.Errorf("pool_to: %d is negative", r.PoolTo)
	}
	return nil
}

func (poolModel) New(trainer.Config) (trainer.Trainer, error) { return nil, errors.New("not made") }

// plainModel has no options.
type plainModel struct{ Called string }

func (m plainModel) Name() string { return m.Called }
func (plainModel) Check() error   { return nil }

func (plainModel) New(trainer.Config) (trainer.Trainer, error) { return nil, errors.New("not made") }

type decode struct {
	Limit int64 `sluice:"max_pixels,positive" doc:"refuse larger pictures"`
}

func (decode) Name() string { return "decode" }
func (decode) Version() int { return 1 }
func (decode) Check() error { return nil }

type side string

func (side) Values() []string { return []string{"horizontal", "vertical"} }

type rotate struct {
	Degrees stages.Range       `sluice:"degrees,symmetric" doc:"angle, counter-clockwise"`
	Fill    uint8              `sluice:"fill" doc:"grey level of what the turn uncovers"`
	Side    side               `sluice:"side" default:"horizontal" doc:"which way"`
	Smooth  *bool              `sluice:"smooth" default:"true" doc:"bilinear"`
	P       stages.Probability `sluice:"p,positive" default:"1" doc:"chance to act on a row"`
}

func (rotate) Name() string { return "rotate" }
func (rotate) Version() int { return 1 }
func (s rotate) Check() error {
	var errs []error
	if s.Degrees == (stages.Range{}) {
		errs = append(errs, errors.New("degrees: 0 turns nothing: give an angle"))
	}
	if s.Degrees[0] > s.Degrees[1] {
		errs = append(errs, fmt.Errorf("degrees: the range %v is empty", s.Degrees))
	}
	if s.P < 0 || s.P > 1 {
		errs = append(errs, fmt.Errorf("p: %v is not a probability", s.P))
	}
	return errors.Join(errs...)
}

type crop struct {
	Size   stages.Extent `sluice:"size,positive" doc:"of both sides"`
	Height stages.Extent `sluice:"height,positive" doc:"instead of size"`
}

func (crop) Name() string { return "crop" }
func (crop) Version() int { return 1 }
func (s crop) Check() error {
	if (s.Size == 0) == (s.Height == 0) {
		return errors.New("give either size or height")
	}
	return nil
}

type batch struct {
	Size     int  `sluice:"size,positive" doc:"rows"`
	DropLast bool `sluice:"drop_last" doc:"leave a short last batch out"`
}

func (batch) Name() string { return "batch" }
func (batch) Version() int { return 1 }
func (s batch) Check() error {
	if s.Size <= 0 {
		return fmt.Errorf("size: %d rows: give at least 1", s.Size)
	}
	return nil
}

type folder struct {
	Path  string   `sluice:"path" doc:"the folder"`
	Tasks []string `sluice:"tasks" default:"[\"class\"]" doc:"names of the label folders"`
}

func (folder) Name() string                                  { return "folder" }
func (folder) Open(context.Context) (sources.Dataset, error) { return nil, errors.New("fake") }
func (s folder) Check() error {
	if s.Path == "" {
		return errors.New("path: missing")
	}
	return nil
}

type table struct {
	File string   `sluice:"file,path" doc:"the list"`
	More []string `sluice:"more,path" doc:"further lists"`
}

func (table) Name() string                                  { return "table" }
func (table) Open(context.Context) (sources.Dataset, error) { return nil, errors.New("fake") }
func (table) Check() error                                  { return nil }
