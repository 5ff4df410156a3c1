package stages

import (
	"fmt"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Flip mirrors a uint8 picture of height x width x 3 with probability P: left to
// right as cv2.flip(picture, 1) and torchvision's hflip do, or top to bottom as
// cv2.flip(picture, 0) and vflip do.
type Flip struct {
	P         Probability `sluice:"p,positive" doc:"share of the draws that are flipped"`
	Direction Direction   `sluice:"direction" default:"horizontal" doc:"horizontal: left becomes right; vertical: top becomes bottom"`
}

// Direction is the axis along which pixels move; "" is horizontal.
type Direction string

// The directions.
const (
	Horizontal Direction = "horizontal"
	Vertical   Direction = "vertical"
)

// Values lists the directions.
func (Direction) Values() []string { return []string{string(Horizontal), string(Vertical)} }

// FlipParams says whether the row is flipped; there are params for every row.
type FlipParams struct {
	Flipped bool `json:"flipped"`
}

// Name is the stage's name in pipeline files.
func (Flip) Name() string { return "flip" }

// Version of the algorithm.
func (Flip) Version() int { return 1 }

// Check reports impossible options. P must be given: where it is left out in Go, it
// was more likely forgotten than meant to be 1.
func (f Flip) Check() error {
	errs := []error{f.P.check("p"), oneOf("direction", f.Direction)}
	if f.P == 0 {
		errs = append(errs, fmt.Errorf("p is 0: it never flips; give a share such as 0.5, or leave flip out"))
	}
	return errlist.Join(errs...)
}

// Draw draws whether to flip.
func (f Flip) Draw(row *Row) (Params, error) {
	return Recycle(row, FlipParams{Flipped: !f.P.skips(row.Rand)}), nil
}

// Output is the input's type.
func (f Flip) Output(in schema.Tensor) (schema.Tensor, error) { return in, CheckWarpable(in) }

// Warp mirrors, or is the identity.
func (f Flip) Warp(params Params, height, width int) Transform {
	if !params.(*FlipParams).Flipped {
		return Transform{Matrix: Identity(), Height: height, Width: width, Filter: Nearest}
	}
	return FlipTransform(height, width, f.Direction)
}
