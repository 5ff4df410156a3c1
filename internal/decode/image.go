package decode

import (
	"fmt"
	"image"
	"image/color"

	"github.com/sluicedata/sluice/schema"
)

// fromImage drops what an RGB picture doesn't hold from the stored values of
// the image types of the standard library: alpha, and the low byte of 16 bits.
func fromImage(img image.Image) (*schema.Picture, error) {
	b := img.Bounds()
	p := schema.NewPicture(b.Dy(), b.Dx())
	var pix []uint8
	var stride, step int
	at := [3]int{0, 1, 2} // offsets of R, G and B within a pixel
	switch m := img.(type) {
	case *image.Gray:
		pix, stride, step, at = m.Pix, m.Stride, 1, [3]int{}
	case *image.Gray16:
		pix, stride, step, at = m.Pix, m.Stride, 2, [3]int{}
	case *image.RGBA: // opaque: image/png uses it for RGB without alpha
		pix, stride, step = m.Pix, m.Stride, 4
	case *image.NRGBA:
		pix, stride, step = m.Pix, m.Stride, 4
	case *image.RGBA64:
		pix, stride, step, at = m.Pix, m.Stride, 8, [3]int{0, 2, 4}
	case *image.NRGBA64:
		pix, stride, step, at = m.Pix, m.Stride, 8, [3]int{0, 2, 4}
	case *image.Paletted:
		fillPaletted(p, m.Pix, m.Stride, rgbPalette(m.Palette))
		return p, nil
	default:
		return nil, fmt.Errorf("an image of type %T", img)
	}
	for y := range p.Height {
		row := pix[y*stride:]
		out := p.U8[3*y*p.Width : 3*(y+1)*p.Width]
		for x := range p.Width {
			s := row[x*step : x*step+step]
			out[3*x], out[3*x+1], out[3*x+2] = s[at[0]], s[at[1]], s[at[2]]
		}
	}
	return p, nil
}

// rgbPalette is a palette's stored colours, without alpha; black beyond its end.
func rgbPalette(colours color.Palette) *[256][3]uint8 {
	var table [256][3]uint8
	for i, c := range colours {
		switch c := c.(type) {
		case color.RGBA:
			table[i] = [3]uint8{c.R, c.G, c.B}
		case color.NRGBA:
			table[i] = [3]uint8{c.R, c.G, c.B}
		}
	}
	return &table
}

// fillPaletted looks up one byte per pixel.
func fillPaletted(p *schema.Picture, pix []uint8, stride int, table *[256][3]uint8) {
	for y := range p.Height {
		out := p.U8[3*y*p.Width : 3*(y+1)*p.Width]
		for x, index := range pix[y*stride:][:p.Width] {
			copy(out[3*x:3*x+3], table[index][:])
		}
	}
}
