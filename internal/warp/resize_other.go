//go:build !amd64

package warp

func (r *resizing) pack() {}

func blendRows16(dst []int16, pix []uint8, stride int, weights []int16) {
	blendRows16Go(dst, pix, stride, weights)
}

func (r *resizing) resize(dst []uint16, src []int16) { r.resizeGo(dst, src, 0) }

func convert(colours []uint32, rows *[3][]uint16) { convertGo(colours, rows) }
