package stages

import (
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// SanitizeBoxes drops the objects whose box, as far as it is visible in the picture, is
// narrower or lower than MinSize pixels or smaller than MinArea, as torchvision's
// SanitizeBoundingBoxes does. Pixels stay as they are, and nothing is drawn. `objects:` at
// the top of a pipeline does this once, at the end; here it is done in the middle: before a
// random_iou_crop, so that no window is drawn for what is too small, or before a picture is
// enlarged.
type SanitizeBoxes struct {
	MinSize float64 `sluice:"min_size,positive" default:"1" doc:"least width and height of a box, pixels of the picture that enters the stage"`
	MinArea float64 `sluice:"min_area,positive" default:"1" doc:"least width x height of a box, square pixels of that picture"`
}

// Name is the stage's name in pipeline files.
func (SanitizeBoxes) Name() string { return "sanitize_boxes" }

// Version of the algorithm.
func (SanitizeBoxes) Version() int { return 1 }

// Check reports impossible options.
func (s SanitizeBoxes) Check() error {
	var errs []error
	for _, o := range []struct {
		name  string
		value float64
	}{{"min_size", s.MinSize}, {"min_area", s.MinArea}} {
		if !(o.value >= 0) || math.IsInf(o.value, 0) {
			errs = append(errs, errorf(o.name, "%g: give pixels, a number above 0", o.value))
		}
	}
	return errlist.Join(errs...)
}

// Draw has nothing to draw.
func (SanitizeBoxes) Draw(*Row) (Params, error) { return Nothing{}, nil }

// KeepObject looks at the object's box.
func (s SanitizeBoxes) KeepObject(_ Params, o *Object) bool {
	size, area := s.MinSize, s.MinArea
	if size == 0 {
		size = 1
	}
	if area == 0 {
		area = 1
	}
	w, h := o.Box[2]-o.Box[0], o.Box[3]-o.Box[1]
	return w >= size && h >= size && float64(w*h) >= area
}

// Output is the input's type.
func (SanitizeBoxes) Output(in schema.Tensor) (schema.Tensor, error) { return in, CheckWarpable(in) }

// Warp moves nothing.
func (SanitizeBoxes) Warp(_ Params, height, width int) Transform {
	return Transform{Matrix: Identity(), Height: height, Width: width, Filter: Nearest}
}
