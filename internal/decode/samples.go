package decode

import "encoding/binary"

// pick says which bytes of a stored pixel are its red, green and blue.
type pick struct{ size, red, green, blue int }

// row converts len(rgb)/3 pixels.
func (p pick) row(rgb, stored []byte) {
	n := p.fast(rgb, stored)
	p.plain(rgb[3*n:], stored[p.size*n:])
}

func (p pick) plain(rgb, stored []byte) {
	r, g, b := p.red, p.green, p.blue
	for len(rgb) >= 3 {
		s, d := stored[:p.size], rgb[:3]
		d[0], d[1], d[2] = s[r], s[g], s[b]
		rgb, stored = rgb[3:], stored[p.size:]
	}
}

// rgbTable is the RGB of 256 numbers, red in the lowest byte, nothing in the highest.
type rgbTable [256]uint32

func (c *rgbTable) set(i int, red, green, blue uint8) {
	c[i] = uint32(red) | uint32(green)<<8 | uint32(blue)<<16
}

// row looks len(rgb)/3 numbers up.
func (c *rgbTable) row(rgb, numbers []byte) {
	n := c.fast(rgb, numbers)
	c.plain(rgb[3*n:], numbers[n:])
}

func (c *rgbTable) plain(rgb, numbers []byte) {
	for len(rgb) >= 24 && len(numbers) >= 8 {
		d, n := rgb[:24], numbers[:8]
		c2, c5 := uint64(c[n[2]]), uint64(c[n[5]])
		binary.LittleEndian.PutUint64(d, uint64(c[n[0]])|uint64(c[n[1]])<<24|c2<<48)
		binary.LittleEndian.PutUint64(d[8:], c2>>16|uint64(c[n[3]])<<8|uint64(c[n[4]])<<32|c5<<56)
		binary.LittleEndian.PutUint64(d[16:], c5>>8|uint64(c[n[6]])<<16|uint64(c[n[7]])<<40)
		rgb, numbers = rgb[24:], numbers[8:]
	}
	for ; len(rgb) >= 3; rgb, numbers = rgb[3:], numbers[1:] {
		v := c[numbers[0]]
		rgb[0], rgb[1], rgb[2] = uint8(v), uint8(v>>8), uint8(v>>16)
	}
}

// fill gives every pixel the colour of a number.
func (c *rgbTable) fill(rgb []byte, number int) {
	if len(rgb) == 0 {
		return
	}
	v := c[number]
	rgb[0], rgb[1], rgb[2] = uint8(v), uint8(v>>8), uint8(v>>16)
	for n := 3; n < len(rgb); n *= 2 {
		copy(rgb[n:], rgb[:n])
	}
}

// unpackBits takes numbers of 1, 2 or 4 bits out of a row, the highest bits first, from number
// from on.
func unpackBits(numbers, row []byte, bits, from int) {
	at := from * bits
	row, at = row[at/8:], at%8
	for at > 0 && len(numbers) > 0 {
		numbers[0] = row[0] << at >> (8 - bits)
		if numbers, at = numbers[1:], (at+bits)%8; at == 0 {
			row = row[1:]
		}
	}
	each := 8 / bits
	for ; len(numbers) >= each; numbers, row = numbers[each:], row[1:] {
		v := uint64(row[0])
		switch bits {
		case 1: // each bit in a byte of its own, the highest in the lowest
			v = (v * 0x8040201008040201 >> 7) & 0x0101010101010101
			binary.LittleEndian.PutUint64(numbers, v)
		case 2:
			numbers[3], numbers[2], numbers[1], numbers[0] = uint8(v&3), uint8(v>>2&3), uint8(v>>4&3), uint8(v>>6)
		default:
			numbers[1], numbers[0] = uint8(v&15), uint8(v>>4)
		}
	}
	for i := range numbers {
		numbers[i] = row[0] << (i * bits) >> (8 - bits)
	}
}

// invert makes each v 255 - v.
func invert(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, ^binary.LittleEndian.Uint64(p))
	}
	for i, v := range p {
		p[i] = 255 - v
	}
}
