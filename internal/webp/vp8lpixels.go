package webp

import (
	"context"
	"errors"
	"fmt"
)

// position is where decoding is: the number of the next pixel, and its place.
type position struct{ at, x, y int }

// planeCodes are the places that near distances stand for: rows up, and 8 less the columns to the right.
var planeCodes = [120]uint8{
	0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1a, 0x26, 0x2a, 0x38, 0x05, 0x37, 0x39, 0x15, 0x1b, 0x36, 0x3a,
	0x25, 0x2b, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1c, 0x35, 0x3b, 0x46, 0x4a, 0x24, 0x2c, 0x58, 0x45, 0x4b, 0x34, 0x3c, 0x03,
	0x57, 0x59, 0x13, 0x1d, 0x56, 0x5a, 0x23, 0x2d, 0x44, 0x4c, 0x55, 0x5b, 0x33, 0x3d, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1e,
	0x66, 0x6a, 0x22, 0x2e, 0x54, 0x5c, 0x43, 0x4d, 0x65, 0x6b, 0x32, 0x3e, 0x78, 0x01, 0x77, 0x79, 0x53, 0x5d, 0x11, 0x1f,
	0x64, 0x6c, 0x42, 0x4e, 0x76, 0x7a, 0x21, 0x2f, 0x75, 0x7b, 0x31, 0x3f, 0x63, 0x6d, 0x52, 0x5e, 0x00, 0x74, 0x7c, 0x41,
	0x4f, 0x10, 0x20, 0x62, 0x6e, 0x30, 0x73, 0x7d, 0x51, 0x5f, 0x40, 0x72, 0x7e, 0x61, 0x6f, 0x50, 0x71, 0x7f, 0x60, 0x70,
}

// copyDistance is how many pixels back a copy begins, by the number that is coded.
func copyDistance(coded, width int) int {
	if coded > len(planeCodes) {
		return coded - len(planeCodes)
	}
	place := int(planeCodes[coded-1])
	return max(1, place>>4*width+8-place&15)
}

// extended is the number that a symbol for lengths or distances and the bits behind it stand for.
func extended(r *bitReader, symbol uint32) int {
	if symbol < 4 {
		return int(symbol) + 1
	}
	n := uint(symbol-2) >> 1
	return int((2+symbol&1)<<n+r.next(n)) + 1
}

// hash is where a colour is in a cache of 2^(32-shift) entries.
func hash(colour uint32, shift uint) uint32 { return 0x1e35a7bd * colour >> (shift & 31) }

// symbol reads a symbol of a code whose table begins there; up to 15 bits must be loaded.
func (d *VP8LDecoder) symbol(table uint32) uint32 {
	r := &d.bits
	e := d.codes.tables[table+uint32(r.bits)&(1<<rootBits-1)]
	if e&second != 0 {
		r.next(rootBits)
		e = d.codes.tables[table+e&^second>>8+uint32(r.bits)&(1<<(e&0xff-rootBits)-1)]
	}
	r.next(uint(e & 0xff))
	return e >> 8
}

// group is the codes at a place, with tables unless they are constant.
func (d *VP8LDecoder) group(ctx context.Context, x, y int) (*group, error) {
	l := &d.level
	i := uint32(0)
	if l.tiles != nil {
		i = l.tiles[y>>l.tileBits*shrunk(l.width, l.tileBits)+x>>l.tileBits]
	}
	g := &l.groups[i]
	if g.kept == d.codes.generation || g.constant {
		return g, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if d.codes.rebuilt > maxRebuilt(l.width*l.height) {
		return nil, fmt.Errorf("the tables of the picture's %d groups of prefix codes take more than the %d KB that it may have, "+
			"and it changes between them too often to build them again each time; encode it again with fewer groups", len(l.groups), d.codes.most>>8)
	}
	return g, d.codes.rebuild(&d.bits, g, l.cacheBits)
}

var (
	errDistance = errors.New("damaged file: a copy from before the first pixel")
	errLength   = errors.New("damaged file: a copy beyond the last pixel")
)

// askAfter is after how many pixels the context is asked; it is at each group whose tables are built again, too.
const askAfter = 1 << 14

// decodePixels decodes pixels of the level until at least that number of them is there: a copy may
// make some more. pix begins with the pixel number base, and ends with the last one, or after room for a copy.
func (d *VP8LDecoder) decodePixels(ctx context.Context, p *position, pix []uint32, base, stop int) error {
	l, r := &d.level, &d.bits
	tile := l.width
	if l.tiles != nil {
		tile = 1 << l.tileBits
	}
	ask := p.at + askAfter
	for p.at < stop {
		if r.ended() {
			return errEnded
		}
		if p.at >= ask {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			ask = p.at + askAfter
		}
		g, err := d.group(ctx, p.x, p.y)
		if err != nil {
			return err
		}
		run := min(tile-p.x%tile, l.width-p.x, stop-p.at)
		at := p.at - base
		n, symbol := d.literals(g, pix[at:at+run])
		p.advance(n, l.width)
		if n == run {
			continue
		}
		at += n
		length := extended(r, symbol-literals)
		r.fill()
		coded := d.symbol(g.tables[distanceCode])
		back := copyDistance(extended(r, coded), l.width)
		switch {
		case back > p.at:
			return errDistance
		case length > l.width*l.height-p.at:
			return errLength
		}
		copyPixels(pix, at, back, length)
		if l.cacheBits > 0 {
			d.remember(pix[at+max(0, length-back):at+length], 32-l.cacheBits) // the last period's colours are those of all
		}
		p.advance(length, l.width)
	}
	return nil
}

// remember puts pixels into the cache.
func (d *VP8LDecoder) remember(pix []uint32, shift uint) {
	last := ^pix[0]
	for _, colour := range pix {
		if colour != last {
			d.cache[hash(colour, shift)&(1<<maxCacheBits-1)] = colour
			last = colour
		}
	}
}

func (p *position) advance(n, width int) {
	p.at += n
	if p.x += n; p.x >= width {
		p.y += p.x / width
		p.x %= width
	}
}

// literals decodes pixels that all have the group's codes, up to a copy: then it returns its symbol and
// how many pixels are before it, and at least 10 bits are loaded.
func (d *VP8LDecoder) literals(g *group, pix []uint32) (n int, symbol uint32) {
	shift := 32 - d.level.cacheBits
	if g.constant {
		for i := range pix {
			pix[i] = g.literal
		}
		if shift < 32 {
			d.cache[hash(g.literal, shift)] = g.literal
		}
		return len(pix), 0
	}
	n, symbol, ended := literalsFast(d, g, pix, shift)
	if ended {
		return n, symbol
	}
	return d.literalsSlowly(g, pix, n, shift)
}

// literalsSlowly decodes those from pixel i on.
func (d *VP8LDecoder) literalsSlowly(g *group, pix []uint32, i int, shift uint) (n int, symbol uint32) {
	r := &d.bits
	for ; i < len(pix); i++ {
		r.fill()
		symbol := d.symbol(g.tables[greenCode])
		var colour uint32
		switch {
		case symbol >= cached:
			colour = d.cache[symbol-cached]
		case symbol >= literals:
			return i, symbol
		case g.trivial:
			colour = g.literal | symbol<<8
		default:
			colour = symbol << 8
			colour |= d.symbol(g.tables[redCode]) << 16
			colour |= d.symbol(g.tables[blueCode])
			r.fill()
			colour |= d.symbol(g.tables[alphaCode]) << 24
		}
		pix[i] = colour
		if shift < 32 {
			d.cache[hash(colour, shift)] = colour
		}
	}
	return len(pix), 0
}

// copyPixels copies pixels from so many before, of which the first ones may be the last ones' originals.
func copyPixels(pix []uint32, at, back, length int) {
	to, from := pix[at:at+length], pix[at-back:]
	if length < 8 {
		for i := range to {
			to[i] = from[i]
		}
		return
	}
	for n := copy(to, from[:min(back, length)]); n < length; {
		n += copy(to[n:], to[:n]) // whole periods, twice as many each time
	}
}
