package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Resize scales a uint8 picture of height x width x 3, with half-pixel centres:
// to Height x Width, or so that its shorter side is Size and the longer one
// floor(Size * longer / shorter), as torchvision's Resize(size) does. Where that is more
// than MaxSize the longer side is MaxSize and the shorter one floor(MaxSize * Size / longer),
// at least 1.
//
// With Antialias (the default) bilinear equals Pillow's BILINEAR, which torchvision
// uses; without it cv2.resize's INTER_LINEAR.
type Resize struct {
	Height        int                 `sluice:"height,positive" doc:"pixels; with width"`
	Width         int                 `sluice:"width,positive" doc:"pixels; with height"`
	Size          int                 `sluice:"size,positive" doc:"instead of height and width: pixels of the shorter side, keeping the aspect ratio"`
	MaxSize       int                 `sluice:"max_size,positive,later" doc:"with size: most pixels of the longer side (default: no limit)"`
	Interpolation ResizeInterpolation `sluice:"interpolation" default:"bilinear" doc:"filter, with Pillow's kernel"`
	Antialias     OnOff               `sluice:"antialias" doc:"average when shrinking, as Pillow; false: sample, as OpenCV"`
}

// Name is the stage's name in pipeline files.
func (Resize) Name() string { return "resize" }

// Version of the algorithm.
func (Resize) Version() int { return 2 }

// ResizeFilter is the interpolation, and whether it averages.
func (r Resize) ResizeFilter() string { return resizeFilter(r.Interpolation, r.Antialias) }

// Check reports impossible options.
func (r Resize) Check() error {
	return errlist.Join(
		checkSides(r.Size != 0, r.Height != 0, r.Width != 0),
		checkPixels(r.Size, r.Height, r.Width),
		r.checkMaxSize(),
		oneOf("interpolation", r.Interpolation),
	)
}

func (r Resize) checkMaxSize() error {
	switch {
	case r.MaxSize == 0:
		return nil
	case r.Size == 0:
		return errorf("max_size", "it limits the longer side where size gives the shorter one: give size, or leave it out")
	case r.MaxSize <= r.Size:
		return errorf("max_size", "%d is not more than size, %d, the shorter side: give a larger number", r.MaxSize, r.Size)
	case r.MaxSize > maxSide:
		return errorf("max_size", "%d pixels: give at most %d", r.MaxSize, maxSide)
	}
	return nil
}

// Draw has nothing to draw, but a picture one pixel wide can become absurdly long.
func (r Resize) Draw(row *Row) (Params, error) {
	h, w := r.target(row.Height, row.Width)
	if err := checkArea(h, w, "size"); err != nil {
		return nil, err
	}
	return Nothing{}, nil
}

// Output is fixed, unless only the shorter side is given and the input varies.
func (r Resize) Output(in schema.Tensor) (schema.Tensor, error) {
	out := in
	out.Height, out.Width = 0, 0
	if r.Size == 0 || in.Fixed() {
		out.Height, out.Width = r.target(in.Height, in.Width)
	}
	return out, errlist.Join(CheckWarpable(in), checkArea(out.Height, out.Width, "size"))
}

// Warp scales the whole picture.
func (r Resize) Warp(_ Params, height, width int) Transform {
	h, w := r.target(height, width)
	return ResizeTransform(height, width, h, w, r.Interpolation, r.Antialias == On)
}

func (r Resize) target(height, width int) (h, w int) {
	if r.Size == 0 {
		return r.Height, r.Width
	}
	short, long := r.Size, r.Size*max(height, width)/min(height, width)
	if r.MaxSize > 0 && long > r.MaxSize {
		short, long = max(1, r.MaxSize*short/long), r.MaxSize
	}
	if width <= height {
		return long, short
	}
	return short, long
}
