package warp

import (
	"image"

	"github.com/sluicedata/sluice/schema"
)

// unfused is a transform that can't be merged, computed by the reference.
type unfused struct {
	Transform
	all image.Rectangle
}

// Region is the whole input.
func (a unfused) Region() image.Rectangle { return a.all }

// Method names the filter.
func (a unfused) Method() string { return a.describe() }

func (a unfused) run(out *writer, src Source, _ *scratch) {
	in := &schema.Picture{Height: a.all.Dy(), Width: a.all.Dx(), Layout: schema.HWC, U8: src.Pix}
	for y := range a.Height {
		if out.stopped() {
			return
		}
		rgb := out.begin(y)
		a.rows(rgb, in, y, y+1)
		out.put(y, rgb)
	}
}
