package main

import (
	"errors"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Zoom enlarges a picture about its centre by a random factor, keeping its size.
// It computes no pixel itself: it says where the pixels of the output come from, and
// the engine merges that with the stages before and after it.
type Zoom struct {
	Most float64 `sluice:"most" doc:"the largest factor, above 1"`
}

// ZoomParams is what was drawn for a row, as the params column has it.
type ZoomParams struct {
	Factor float64 `json:"factor"`
}

// catalog is what pipeline files may name, beside sluice's own stages.
var catalog = []stages.Entry{
	{New: func() stages.Stage { return &Zoom{} }, Doc: "enlarge by a random factor"},
}

// Name is the stage's name in pipeline files.
func (Zoom) Name() string { return "zoom" }

// Version changes when the same draw gives other pixels: it is part of the plan hash.
func (Zoom) Version() int { return 1 }

// Check reports impossible options; an error begins with the option's name.
func (z Zoom) Check() error {
	if !(z.Most > 1 && z.Most <= 100) {
		return errors.New("most: give a factor above 1 and at most 100, such as 1.5")
	}
	return nil
}

// Draw takes all that is random from row.Rand.
func (z Zoom) Draw(row *stages.Row) (stages.Params, error) {
	return stages.Recycle(row, ZoomParams{row.Rand.Uniform(1, z.Most)}), nil
}

// Output has the input's type, which must be one that can be sampled.
func (Zoom) Output(in schema.Tensor) (schema.Tensor, error) { return in, stages.CheckWarpable(in) }

// Warp maps pixels of the output to points of the input.
func (Zoom) Warp(params stages.Params, height, width int) stages.Transform {
	f := params.(*ZoomParams).Factor
	x, y := float64(width-1)/2, float64(height-1)/2
	scaled := stages.Matrix{1 / f, 0, 0, 0, 1 / f, 0}
	matrix := stages.Translation(-x, -y).Then(scaled).Then(stages.Translation(x, y))
	return stages.AffineTransform(matrix, height, width, stages.Bilinear, stages.Color{})
}
