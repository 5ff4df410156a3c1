package decode

import (
	"context"
	"image"

	"github.com/sluicedata/sluice/schema"
)

// turns[o] is how a stored picture of EXIF orientation o becomes upright: transpose
// first, then mirror left-right and top-bottom. It equals Pillow's
// ImageOps.exif_transpose.
var turns = [9]struct{ transpose, mirror, flip bool }{
	2: {mirror: true},
	3: {mirror: true, flip: true},
	4: {flip: true},
	5: {transpose: true},
	6: {transpose: true, mirror: true},
	7: {transpose: true, mirror: true, flip: true},
	8: {transpose: true, flip: true},
}

// swapsSides reports whether an orientation exchanges height and width.
func swapsSides(orientation int) bool { return orientation >= 5 && orientation <= 8 }

// orient turns a stored uint8 HWC picture upright. Orientation 1 returns it as it is.
func orient(ctx context.Context, p *schema.Picture, orientation int) (*schema.Picture, error) {
	if orientation < 2 || orientation > 8 {
		return p, nil
	}
	height, width := p.Height, p.Width
	if swapsSides(orientation) {
		height, width = width, height
	}
	out := schema.NewPicture(height, width)
	return out, turn(ctx, out.U8, p.U8, p.Height, p.Width, orientation)
}

// turn turns the RGB of stored rows upright, from one memory to another. It returns the
// context's cause soon after the context ends.
func turn(ctx context.Context, to, from []uint8, height, width, orientation int) error {
	// Walk the output row by row; the source offset moves by right per output
	// column and by down per output row.
	t := turns[orientation]
	start, right, down := 0, 3, 3*width
	if t.transpose {
		height, width = width, height
		right, down = down, right
	}
	if t.mirror {
		start += (width - 1) * right
		right = -right
	}
	if t.flip {
		start += (height - 1) * down
		down = -down
	}
	i := 0
	for y := range height {
		if y%64 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s := start + y*down
		for range width {
			copy(to[i:i+3], from[s:s+3])
			i += 3
			s += right
		}
	}
	return nil
}

// storedPart is where a part of an upright picture of that height and width is stored.
func storedPart(orientation, height, width int, part image.Rectangle) image.Rectangle {
	t := turns[orientation]
	if t.mirror {
		part.Min.X, part.Max.X = width-part.Max.X, width-part.Min.X
	}
	if t.flip {
		part.Min.Y, part.Max.Y = height-part.Max.Y, height-part.Min.Y
	}
	if t.transpose {
		part.Min.X, part.Min.Y, part.Max.X, part.Max.Y = part.Min.Y, part.Min.X, part.Max.Y, part.Max.X
	}
	return part
}

// Upright is how points of a stored picture move when it is turned upright, in continuous
// coordinates: x' = m[0]x + m[1]y + m[2], y' = m[3]x + m[4]y + m[5]. height and width are those of
// the upright picture. It equals the map of Decode for every orientation; for others it is the
// identity.
func Upright(orientation, height, width int) [6]float64 {
	if orientation < 2 || orientation > 8 {
		orientation = 0
	}
	t := turns[orientation]
	m := [6]float64{1, 0, 0, 0, 1, 0}
	if t.transpose {
		m = [6]float64{0, 1, 0, 1, 0, 0}
	}
	if t.mirror {
		m[0], m[1], m[2] = -m[0], -m[1], float64(width)
	}
	if t.flip {
		m[3], m[4], m[5] = -m[3], -m[4], float64(height)
	}
	return m
}

// SwapsSides reports whether an orientation exchanges height and width.
func SwapsSides(orientation int) bool { return swapsSides(orientation) }
