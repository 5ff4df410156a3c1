package warp

import (
	"image"

	"github.com/sluicedata/sluice/schema"
)

// alone runs a transform that joins no other as the reference does: perspectives.
type alone struct {
	Transform
	all image.Rectangle
}

// Region is the whole input.
func (a alone) Region() image.Rectangle { return a.all }

// Method names the filter.
func (a alone) Method() string { return a.describe() }

func (a alone) run(out *writer, src Source, _ *scratch) {
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
