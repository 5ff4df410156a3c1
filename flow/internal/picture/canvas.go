package picture

import (
	"sync"

	"github.com/sluicedata/sluice/schema"
)

// canvases are pictures between passes, to be used again.
var canvases = sync.Pool{New: func() any { return new(schema.Picture) }}

// borrow is a picture whose pixels are anything.
func borrow(t schema.Tensor) *schema.Picture {
	if !isRGB(t) {
		return t.NewPicture()
	}
	pic := canvases.Get().(*schema.Picture)
	if cap(pic.U8) < t.Elements() {
		pic.U8 = make([]uint8, t.Elements())
	}
	pic.Height, pic.Width, pic.Layout, pic.U8 = t.Height, t.Width, t.Layout, pic.U8[:t.Elements()]
	return pic
}

// giveBack returns what borrow gave, or nothing.
func giveBack(pic *schema.Picture) {
	if pic != nil && pic.U8 != nil {
		canvases.Put(pic)
	}
}

// copyOf is a picture's pixels in slot, where that is its type, or in a picture of their own.
func copyOf(p, slot *schema.Picture) *schema.Picture {
	if slot == nil || slot.Tensor() != p.Tensor() {
		slot = p.Tensor().NewPicture()
	}
	copy(slot.U8, p.U8)
	return slot
}
