package stages

import (
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// RandomShortestSize scales a uint8 picture of height x width x 3 so that its shorter side
// has a length drawn from Min, as torchvision's transform of that name does: the factor is
// min(length / shorter, Max / longer), each side becomes floor(side * factor), in float64,
// and at least 1. One whole number is drawn, the length's place in Min. Pictures differ in
// size: batches are padded, or a stage of one size follows.
type RandomShortestSize struct {
	Min           []int               `sluice:"min" doc:"lengths of the shorter side, pixels, of which one is drawn: [480, 512, 544]"`
	Max           int                 `sluice:"max,positive" doc:"most pixels of the longer side, whatever is drawn (default: no limit)"`
	Interpolation ResizeInterpolation `sluice:"interpolation" default:"bilinear" doc:"filter, with Pillow's kernel"`
	Antialias     OnOff               `sluice:"antialias" doc:"average when shrinking, as Pillow; false: sample, as OpenCV"`
}

// ResizeParams is the size of the picture that leaves a stage, in pixels.
type ResizeParams struct {
	Height int `json:"height"`
	Width  int `json:"width"`
}

// Name is the stage's name in pipeline files.
func (RandomShortestSize) Name() string { return "random_shortest_size" }

// Version of the algorithm.
func (RandomShortestSize) Version() int { return 1 }

// ResizeFilter is the interpolation, and whether it averages.
func (r RandomShortestSize) ResizeFilter() string { return resizeFilter(r.Interpolation, r.Antialias) }

// Check reports impossible options.
func (r RandomShortestSize) Check() error {
	errs := []error{oneOf("interpolation", r.Interpolation)}
	if len(r.Min) == 0 {
		errs = append(errs, errorf("min", "missing: give lengths of the shorter side, such as [480, 512, 544]"))
	}
	for _, n := range r.Min {
		if n < 1 || n > maxSide {
			errs = append(errs, errorf("min", "%d pixels: give 1 to %d", n, maxSide))
		}
	}
	if r.Max < 0 || r.Max > maxSide {
		errs = append(errs, errorf("max", "%d pixels: give 1 to %d", r.Max, maxSide))
	}
	return errlist.Join(errs...)
}

// Draw takes the length.
func (r RandomShortestSize) Draw(row *Row) (Params, error) {
	// Whether a picture can be made so large doesn't depend on what is drawn.
	if h, w := r.size(slices.Max(r.Min), row.Height, row.Width); checkArea(h, w, "min") != nil {
		return nil, fmt.Errorf("%w: give max, or smaller lengths", checkArea(h, w, "min"))
	}
	h, w := r.size(r.Min[row.Rand.IntN(len(r.Min))], row.Height, row.Width)
	return Recycle(row, ResizeParams{Height: h, Width: w}), nil
}

// size is make_params of torchvision's RandomShortestSize.
func (r RandomShortestSize) size(length, height, width int) (h, w int) {
	factor := float64(length) / float64(min(height, width))
	if r.Max > 0 {
		factor = min(factor, float64(r.Max)/float64(max(height, width)))
	}
	return scaled(height, factor), scaled(width, factor)
}

// scaled is floor(side * factor), at least a pixel; what is far beyond every limit is cut.
func scaled(side int, factor float64) int {
	return int(min(max(float64(float64(side)*factor), 1), 1<<30))
}

// Output varies from row to row, unless there is one length.
func (r RandomShortestSize) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	out.Height, out.Width = 0, 0
	if in.Fixed() && len(r.Min) == 1 {
		out.Height, out.Width = r.size(r.Min[0], in.Height, in.Width)
	}
	return out, errlist.Join(CheckWarpable(in), checkArea(out.Height, out.Width, "min"))
}

// Warp scales the whole picture.
func (r RandomShortestSize) Warp(params Params, height, width int) Transform {
	p := params.(*ResizeParams)
	return ResizeTransform(height, width, p.Height, p.Width, r.Interpolation, r.Antialias == On)
}
