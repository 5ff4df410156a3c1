//go:build !amd64

package webp

func haveAssembly() bool { return false }

func (b *boolDecoder) square(tokens *tokens, q *quantizer, first, wide int, up, left []uint8, out []int16) uint64 {
	return b.squareGo(tokens, q, first, wide, up, left, out)
}

func (b *boolDecoder) fineModes(up, left *[4]mode, modes *[16]mode) { b.fineModesGo(up, left, modes) }

func (d *VP8Decoder) filter(x, y int, e *edges, inner bool) { d.filterGo(x, y, e, inner) }

func (d *VP8Decoder) filterSimply(x, y int, e *edges, inner bool) { d.filterSimplyGo(x, y, e, inner) }

func (d *VP8Decoder) addRow(at, first int) { d.addBlocks(&d.planes[0], at, 4, 1, first) }

func (d *VP8Decoder) addSquare(p *plane, at, first int) { d.addBlocks(p, at, 2, 2, first) }

func (d *VP8Decoder) add(p *plane, at, i, kind int) { d.addGo(p, at, i, kind) }

func gradientFast(int, []uint8, int, int, []uint8) bool { return false }

func upsample(dst, near, far []uint8) { upsampleGo(dst, near, far) }

func convert(rgb, luma, cb, cr []uint8) { convertGo(rgb, luma, cb, cr) }
