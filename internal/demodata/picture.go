package demodata

import (
	"image"
	"math"

	"github.com/sluicedata/sluice/internal/rng"
)

// A color is a range of hues, in degrees.
type color struct {
	name      string
	low, high float64
}

// colors, the most frequent one first.
var colors = []color{
	{"blue", 196, 234},
	{"red", -13, 10},
	{"green", 88, 152},
	{"yellow", 36, 58},
	{"purple", 266, 306},
}

type rgb struct{ r, g, b float64 } // each in 0..1

// picture is what one draw decides; its pixels follow from it and from the noise.
type picture struct {
	width, height int
	quality       int // of the JPEG file

	texture    texture
	back, fore rgb // the texture's two colours
	light      point

	shape         shape
	fill, outline rgb
	outlineWidth  float64 // in radii; 0: none
	center, turn  point   // center in pixels
	radius        float64 // in pixels
	stretch       float64 // width over height
	softness      float64 // of the outline, in pixels
	shadow        float64 // darkness, 0: none
	noise         float64
}

// drawPicture decides everything but the noise.
func drawPicture(r *rng.Stream, s shape, c color) picture {
	p := picture{shape: s, width: 72 + r.IntN(41)}
	// Aspects from 3:4 to 4:3, but no side below 64.
	p.height = max(64, int(mul(float64(p.width), r.Uniform(0.75, 1.34))))
	p.height = min(p.height, 112)
	p.quality = 85 + r.IntN(8)

	// A muted, dark background: two shades of related hues.
	hue, value := r.Uniform(0, 360), r.Uniform(0.12, 0.4)
	p.back = hsv(hue, r.Uniform(0.04, 0.26), value)
	p.fore = hsv(hue+r.Uniform(-60, 60), r.Uniform(0.04, 0.26), clamp(value+r.Uniform(-0.12, 0.12)))
	p.texture = drawTexture(r)
	p.light = point{r.Uniform(-0.25, 0.25), r.Uniform(-0.25, 0.25)}

	hue, saturation, value := r.Uniform(c.low, c.high), r.Uniform(0.55, 0.92), r.Uniform(0.7, 1)
	p.fill = hsv(hue, saturation, value)
	if r.IntN(3) == 0 {
		p.outlineWidth = r.Uniform(0.08, 0.16)
		p.outline = hsv(hue, saturation, mul(value, r.Uniform(0.45, 0.7)))
	}
	side := float64(min(p.width, p.height))
	p.radius = mul(side, r.Uniform(0.24, 0.3)) // 48 to 60 % of the shorter side across
	p.stretch = r.Uniform(0.9, 1.1)
	// Place varies most: what an image of a rare shape shows of it is one place of
	// many, and a crop at random offsets the others.
	p.center = point{mul(float64(p.width), r.Uniform(0.36, 0.64)), mul(float64(p.height), r.Uniform(0.36, 0.64))}
	p.turn = direction(r, 0.1) // +-11 degrees
	p.softness = r.Uniform(0.9, 1.6)
	if r.IntN(2) == 0 {
		p.shadow = r.Uniform(0.2, 0.5)
	}
	p.noise = r.Uniform(0.004, 0.024)
	return p
}

// render computes the pixels; the noise comes from r.
func (p picture) render(r *rng.Stream) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, p.width, p.height))
	unit := 1 / float64(min(p.width, p.height))
	for y := range p.height {
		for x := range p.width {
			px, py := float64(x)+0.5, float64(y)+0.5
			u, v := mul(px, unit), mul(py, unit)
			c := mix(p.back, p.fore, p.texture(u, v))
			c = c.times(1 + mul(p.light.x, u-0.5) + mul(p.light.y, v-0.5))
			c = p.paint(c, px, py).plusNoise(r.Uint64(), p.noise)
			i := img.PixOffset(x, y)
			img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = byteOf(c.r), byteOf(c.g), byteOf(c.b), 255
		}
	}
	return img
}

// paint lays the shadow and the shape over the background at a pixel.
func (p picture) paint(c rgb, px, py float64) rgb {
	at := p.local(px, py)
	if dot(at, at) > 4 {
		return c // far from the shape: saves most of the time
	}
	if p.shadow > 0 {
		d := p.shape.distance(p.local(px-mul(0.1, p.radius), py-mul(0.14, p.radius)))
		c = c.times(1 - mul(p.shadow, clamp(0.5-mul(d, 4))))
	}
	d := p.shape.distance(at)
	cover := clamp(0.5 - mul(d, p.radius)/p.softness)
	if cover == 0 {
		return c
	}
	fill := p.fill.times(1.02 + mul(0.1, at.y)) // lit from above
	if p.outlineWidth > 0 {
		fill = mix(fill, p.outline, clamp(0.5+mul(d+p.outlineWidth, p.radius)/p.softness))
	}
	return mix(c, fill, cover)
}

// local is a pixel's place in the shape's frame.
func (p picture) local(px, py float64) point {
	x, y := turn(px-p.center.x, py-p.center.y, p.turn, p.radius)
	return point{x / p.stretch, -mul(y, p.stretch)}
}

func mix(a, b rgb, t float64) rgb {
	return rgb{lerp(a.r, b.r, t), lerp(a.g, b.g, t), lerp(a.b, b.b, t)}
}

func (c rgb) times(f float64) rgb { return rgb{mul(c.r, f), mul(c.g, f), mul(c.b, f)} }

// plusNoise adds noise that is nearly normal (a sum of four bytes of bits) and of
// the given deviation to the brightness, and a third of it to each channel.
func (c rgb) plusNoise(bits uint64, deviation float64) rgb {
	const spread = 147.8 // deviation of the sum of four uniform bytes
	sum := int(bits&255) + int(bits>>8&255) + int(bits>>16&255) + int(bits>>24&255) - 510
	bright := mul(float64(sum), deviation/spread)
	tint := func(shift int) float64 { return mul(float64(int(bits>>shift&255))-127.5, deviation/222) }
	return rgb{c.r + bright + tint(32), c.g + bright + tint(40), c.b + bright + tint(48)}
}

func byteOf(v float64) uint8 { return uint8(mul(clamp(v), 255) + 0.5) }

// hsv converts a hue in degrees (of any turn), a saturation and a value.
func hsv(hue, saturation, value float64) rgb {
	channel := func(n float64) float64 {
		k := n + hue/60
		k -= mul(6, math.Floor(k/6))
		return value - mul(mul(value, saturation), clamp(math.Min(k, 4-k)))
	}
	return rgb{channel(5), channel(3), channel(1)}
}
