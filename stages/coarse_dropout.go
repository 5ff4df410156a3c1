package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// CoarseDropout fills some random rectangles of a uint8 picture with a colour: albumentations'
// transform of that name. Masks, boxes, polygons and keypoints stay as they are. Draws: whether
// it acts, how many holes; of each its height, width, y and x, all uniform.
type CoarseDropout struct {
	NumHolesRange   [2]int      `sluice:"num_holes_range" default:"[1, 2]" doc:"least and largest number of holes"`
	HoleHeightRange Range       `sluice:"hole_height_range" default:"[0.1, 0.2]" doc:"range of their heights: shares of the picture's, or, where the second number is 1 or more, pixels"`
	HoleWidthRange  Range       `sluice:"hole_width_range" default:"[0.1, 0.2]" doc:"range of their widths, likewise"`
	Fill            Color       `sluice:"fill" doc:"colour of the holes: a grey 0..255 or [r, g, b] (default 0: black)"`
	P               Probability `sluice:"p,positive" default:"1" doc:"share of the draws that get holes"`
}

var defaultHoles, defaultHoleSide = [2]int{1, 2}, Range{0.1, 0.2}

const mostHoles = 1000

// DropoutParams are the holes, in pixels.
type DropoutParams struct {
	Holes []Window `json:"holes"`
}

// Name is the stage's name in pipeline files.
func (CoarseDropout) Name() string { return "coarse_dropout" }

// Version of the algorithm.
func (CoarseDropout) Version() int { return 1 }

// Check reports impossible options.
func (d CoarseDropout) Check() error {
	counts, heights, widths := d.ranges()
	errs := []error{heights.check("hole_height_range"), widths.check("hole_width_range"), d.P.check("p")}
	if counts[0] < 1 || counts[0] > counts[1] || counts[1] > mostHoles {
		errs = append(errs, errorf("num_holes_range", "[%d, %d]: give the least and the largest number of holes, 1 to %d", counts[0], counts[1], mostHoles))
	}
	for i, r := range []Range{heights, widths} {
		option := []string{"hole_height_range", "hole_width_range"}[i]
		switch {
		case r[0] < 0 || r[1] > maxSide:
			errs = append(errs, errorf(option, "[%g, %g]: give shares within 0..1, or pixels", r[0], r[1]))
		case r[1] >= 1 && (r[0] != math.Floor(r[0]) || r[1] != math.Floor(r[1])):
			errs = append(errs, errorf(option, "[%g, %g]: pixels are whole, and shares below 1", r[0], r[1]))
		}
	}
	return errlist.Join(errs...)
}

// Draw draws the holes.
func (d CoarseDropout) Draw(row *Row) (Params, error) {
	if d.P.skips(row.Rand) {
		return nil, nil
	}
	var p DropoutParams
	if used, ok := row.Recycled.(*DropoutParams); ok {
		p.Holes = used.Holes[:0]
	}
	counts, heights, widths := d.ranges()
	for range counts[0] + row.Rand.IntN(counts[1]-counts[0]+1) {
		h, w := heights.length(row.Rand, row.Height), widths.length(row.Rand, row.Width)
		y, x := row.Rand.IntN(row.Height-h+1), row.Rand.IntN(row.Width-w+1)
		p.Holes = append(p.Holes, Window{X: x, Y: y, Width: w, Height: h})
	}
	return Recycle(row, p), nil
}

// length draws a length along a side of a picture: floor(side * share), or so many pixels, at
// most the side.
func (r Range) length(rand *Rand, side int) int {
	if r[1] < 1 {
		return int(float64(float64(side) * r.draw(rand)))
	}
	least, most := min(int(r[0]), side), min(int(r[1]), side)
	return least + rand.IntN(most-least+1)
}

// Output is the input's type.
func (d CoarseDropout) Output(in schema.Tensor) (schema.Tensor, error) {
	return in, errlist.Join(CheckWarpable(in), CheckFill(in, d.Fill))
}

// Map fills the holes.
func (d CoarseDropout) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(d, params, in)
}

// Edit is Map, in place.
func (d CoarseDropout) Edit(params Params, pic *schema.Picture) {
	for _, hole := range params.(*DropoutParams).Holes {
		paint(pic.U8, pic, hole, d.Fill)
	}
}

// EditBytes is nothing to speak of.
func (CoarseDropout) EditBytes(Params, int, int) int64 { return 0 }

func (d CoarseDropout) ranges() (counts [2]int, heights, widths Range) {
	counts, heights, widths = d.NumHolesRange, d.HoleHeightRange, d.HoleWidthRange
	if counts == [2]int{} {
		counts = defaultHoles
	}
	if heights == (Range{}) {
		heights = defaultHoleSide
	}
	if widths == (Range{}) {
		widths = defaultHoleSide
	}
	return counts, heights, widths
}
