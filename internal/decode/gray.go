package decode

import "github.com/sluicedata/sluice/schema"

// Gray makes a uint8 HWC picture grey in its place, in three equal channels: Pillow's
// convert("L") (Convert.c, L24: ITU-R 601-2 in 16 bits, rounded).
func Gray(p *schema.Picture) {
	for i := 0; i+2 < len(p.U8); i += 3 {
		r, g, b := uint32(p.U8[i]), uint32(p.U8[i+1]), uint32(p.U8[i+2])
		l := uint8((19595*r + 38470*g + 7471*b + 0x8000) >> 16)
		p.U8[i], p.U8[i+1], p.U8[i+2] = l, l, l
	}
}
