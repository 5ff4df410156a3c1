package webp

import "encoding/binary"

// rebuild makes a macroblock's samples of its prediction and residue, before the loop filter.
func (d *VP8Decoder) rebuild(x, y int, m *macroblock) {
	luma := &d.planes[0]
	at := luma.at(16*x, 16*y)
	if m.fine {
		d.rebuildFine(at, 16*x, m)
	} else {
		predict(m.luma[0], 16, luma.pix, at, luma.stride, luma.above[aboveLead+16*x-1:], y > 0, x > 0)
		for i := 0; i < 16; i += 4 {
			if d.residue.kinds>>(2*i)&0xff != 0 {
				d.addRow(at+i*luma.stride, i)
			}
		}
	}
	for i := range 2 {
		p := &d.planes[1+i]
		at := p.at(8*x, 8*y)
		predict(m.chroma, 8, p.pix, at, p.stride, p.above[aboveLead+8*x-1:], y > 0, x > 0)
		if d.residue.kinds>>(32+8*i)&0xff != 0 {
			d.addSquare(p, at, 16+4*i)
		}
	}
}

// addBlocks adds the residue of wide x high blocks, from number first on.
func (d *VP8Decoder) addBlocks(p *plane, at, wide, high, first int) {
	kinds := d.residue.kinds >> (2 * first)
	for y := range high {
		for x := range wide {
			d.addGo(p, at+4*x+4*y*p.stride, first+wide*y+x, int(kinds&3))
			kinds >>= 2
		}
	}
}

// addGo adds the residue of a block.
func (d *VP8Decoder) addGo(p *plane, at, i, kind int) {
	in := (*[16]int16)(d.residue.blocks[16*i:])
	switch kind {
	case firstKind:
		addFirst(p.pix[at:], p.stride, in[0])
	case threeKind:
		if i < 16 {
			addThree(p.pix[at:], p.stride, in)
			return
		}
		addTransform(p.pix[at:], p.stride, in)
	case allKind:
		addTransform(p.pix[at:], p.stride, in)
	}
}

// rebuildFine makes luma that is predicted in blocks of 4x4, each of those before it.
func (d *VP8Decoder) rebuildFine(at, x int, m *macroblock) {
	p := &d.planes[0]
	top := p.above[aboveLead+x-1:][:1+16+4]
	right := binary.LittleEndian.Uint32(top[17:]) // of the macroblock, for all four rows of blocks
	kinds := d.residue.kinds
	for i := range 16 {
		at := at + 4*(i%4) + 4*(i/4)*p.stride
		var e beside
		if i < 4 {
			e.corner, e.above = top[4*i], binary.LittleEndian.Uint64(top[4*i+1:])
		} else {
			above := p.pix[at-p.stride-1:][:9]
			e.corner, e.above = above[0], binary.LittleEndian.Uint64(above[1:])
			if i%4 == 3 {
				e.above = e.above&0xffffffff | uint64(right)<<32
			}
		}
		for y := range e.left {
			e.left[y] = p.pix[at+y*p.stride-1]
		}
		row0, row1, row2, row3 := e.predict4(m.luma[i])
		binary.LittleEndian.PutUint32(p.pix[at:], row0)
		binary.LittleEndian.PutUint32(p.pix[at+p.stride:], row1)
		binary.LittleEndian.PutUint32(p.pix[at+2*p.stride:], row2)
		binary.LittleEndian.PutUint32(p.pix[at+3*p.stride:], row3)
		if kind := int(kinds & 3); kind != noneKind {
			d.add(p, at, i, kind)
		}
		kinds >>= 2
	}
}
