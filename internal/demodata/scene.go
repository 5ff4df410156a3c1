package demodata

import (
	"image"
	"math"

	"github.com/sluicedata/sluice/internal/rng"
)

// Scenes are the pictures of docs/augmentations.md, by name: bright, of a low sun, dark, and
// of little contrast. They have fine texture, smooth gradients, many hues and a right way up.
var Scenes = []string{"balloon", "boat", "night", "mist"}

// Balloons are where the two balloons are in the scene of that name, basket included: left, top,
// width and height, in heights of the picture.
var Balloons = [][4]float64{{0.25, 0.11, 0.5, 0.69}, {1.005, 0.225, 0.15, 0.207}}

// Scene draws one of Scenes, the same on every machine.
func Scene(name string, width, height int) *image.RGBA {
	r := rng.NewKey(1, "demodata", "scene "+name).Stream(0, 0, 0)
	paint := map[string]func(*rng.Stream) painter{"balloon": balloons, "boat": boat, "night": night, "mist": mist}[name](r)
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	const fine = 3 // samples along each side of a pixel
	unit := float64(height * fine)
	for y := range height {
		for x := range width {
			var sum rgb
			for i := range fine * fine {
				c := paint((float64(x*fine+i%fine)+0.5)/unit, (float64(y*fine+i/fine)+0.5)/unit)
				sum = rgb{sum.r + clamp(c.r), sum.g + clamp(c.g), sum.b + clamp(c.b)}
			}
			i := img.PixOffset(x, y)
			sum = sum.times(1.0 / (fine * fine))
			img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = byteOf(sum.r), byteOf(sum.g), byteOf(sum.b), 255
		}
	}
	return img
}

// A painter is the colour at a point of a picture that is 1 high and about 4/3 wide; y goes down.
type painter func(x, y float64) rgb

// balloons is a landscape by day.
func balloons(r *rng.Stream) painter {
	cloud, rock, grass := clouds(r), clouds(r), clouds(r)
	far, near := ridge(r, 0.62, 0.3, 2.2), ridge(r, 0.8, 0.14, 1.1)
	return func(x, y float64) rgb {
		c := mix(rgb{0.16, 0.43, 0.84}, rgb{0.82, 0.92, 0.98}, clamp(mul(y, 1.5)))
		c = mix(c, rgb{1, 1, 1}, mul(0.9, smooth(clamp(mul(4, cloud(mul(0.4, x), mul(1.2, y))-0.58)))))
		if d := y - far(x); d > 0 {
			snow := clamp(mul(12, 0.07-d) + mul(5, rock(mul(3, x), mul(2, y))-0.5))
			c = mix(rgb{0.36, 0.37, 0.55}, rgb{0.97, 0.98, 1}, snow)
			c = mix(c, rgb{0.62, 0.72, 0.85}, clamp(mul(2.5, d)))
		}
		if d := y - near(x); d > 0 {
			c = mix(rgb{0.5, 0.68, 0.2}, rgb{0.13, 0.38, 0.12}, clamp(mul(3, d)+mul(1.8, grass(mul(5, x), mul(9, y))-0.5)))
		}
		c = house(c, point{x, y}, point{1.06, 0.85}, 0.1, rgb{0.25, 0.3, 0.38})
		c = balloon(c, point{x, y}, point{1.08, 0.3}, 0.075, rgb{0.98, 0.97, 0.93}, rgb{0.5, 0.2, 0.66})
		return balloon(c, point{x, y}, point{0.5, 0.36}, 0.25, rgb{1, 0.8, 0.15}, rgb{0.88, 0.13, 0.12})
	}
}

// boat is a sea with a low sun.
func boat(r *rng.Stream) painter {
	cloud, wave, swell := clouds(r), clouds(r), clouds(r)
	const horizon, sun = 0.56, 0.98
	return func(x, y float64) rgb {
		if y < horizon {
			c := mix(rgb{0.3, 0.24, 0.5}, rgb{1, 0.62, 0.28}, smooth(clamp(mul(y, 1.8))))
			c = mix(c, rgb{0.95, 0.45, 0.42}, mul(0.8, smooth(clamp(mul(4, cloud(mul(0.35, x), mul(2.5, y))-0.55)))))
			glow := length(point{x - sun, y - 0.44})
			c = mix(c, rgb{1, 0.9, 0.6}, mul(0.7, smooth(clamp(1-mul(3, glow)))))
			if glow < 0.085 {
				c = rgb{1, 0.95, 0.75}
			}
			return sailing(c, point{x, y})
		}
		d := y - horizon
		c := mix(rgb{0.75, 0.45, 0.36}, rgb{0.08, 0.2, 0.34}, smooth(clamp(mul(2.6, d))))
		ripple := wave(mul(2, x), 4+mul(14, y)) - 0.5
		c = c.times(1 + mul(0.9, ripple) + mul(0.3, swell(x, mul(4, y))-0.5))
		width := 0.05 + mul(0.22, d) + mul(0.35, ripple)
		c = mix(c, rgb{1, 0.8, 0.45}, mul(0.75, smooth(clamp(1-math.Abs(x-sun)/math.Max(width, 0.01)))))
		return sailing(c, point{x, y})
	}
}

// night is a house under the moon.
func night(r *rng.Stream) painter {
	hill, grass := ridge(r, 0.74, 0.12, 0.9), clouds(r)
	far := ridge(r, 0.58, 0.2, 1.8)
	var stars []point
	for range 60 {
		stars = append(stars, point{r.Uniform(0, 1.4), mul(r.Float64(), r.Uniform(0, 0.6))})
	}
	return func(x, y float64) rgb {
		at := point{x, y}
		c := mix(rgb{0.03, 0.05, 0.14}, rgb{0.15, 0.2, 0.38}, clamp(mul(1.6, y)))
		for i, s := range stars {
			d := length(point{x - s.x, y - s.y})
			c = mix(c, rgb{0.9, 0.92, 1}, clamp(1.3-mul(d, 130+mul(18, float64(i%7)))))
		}
		moon := length(point{x - 1.02, y - 0.22})
		c = mix(c, rgb{0.7, 0.72, 0.68}, mul(0.4, smooth(clamp(1.3-mul(3.4, moon)))))
		if moon < 0.12 {
			c = mix(rgb{0.95, 0.93, 0.82}, rgb{0.7, 0.69, 0.62}, smooth(clamp(mul(4, grass(mul(1.4, x), mul(1.4, y))-0.5))))
		}
		if y > far(x) {
			c = rgb{0.08, 0.1, 0.2}
		}
		if d := y - hill(x); d > 0 {
			c = mix(rgb{0.1, 0.16, 0.13}, rgb{0.03, 0.06, 0.06}, clamp(mul(3, d)+mul(1.5, grass(mul(5, x), mul(9, y))-0.5)))
		}
		c = house(c, at, point{0.42, 0.78}, 0.22, rgb{1, 0.78, 0.32})
		return pine(pine(c, at, point{0.85, 0.88}, 0.42, rgb{0.03, 0.07, 0.07}), at, point{0.1, 0.92}, 0.5, rgb{0.03, 0.07, 0.07})
	}
}

// mist is a wood of which little is seen.
func mist(r *rng.Stream) painter {
	fog := clouds(r)
	type tree struct {
		foot  point
		tall  float64
		depth float64
	}
	var trees []tree
	for _, row := range []struct{ y, tall, depth float64 }{{0.62, 0.24, 0.82}, {0.74, 0.36, 0.6}, {0.94, 0.55, 0.3}} {
		for x := r.Uniform(-0.1, 0.1); x < 1.45; x += mul(row.tall, r.Uniform(0.35, 0.9)) {
			trees = append(trees, tree{point{x, row.y + r.Uniform(-0.03, 0.03)}, mul(row.tall, r.Uniform(0.7, 1.1)), row.depth})
		}
	}
	return func(x, y float64) rgb {
		veil := mix(rgb{0.66, 0.68, 0.7}, rgb{0.56, 0.6, 0.6}, y)
		c := veil
		for _, t := range trees {
			c = pine(c, point{x, y}, t.foot, t.tall, mix(rgb{0.3, 0.38, 0.36}, veil, t.depth))
			if y > t.foot.y {
				c = mix(c, mix(rgb{0.36, 0.42, 0.36}, veil, t.depth), clamp(mul(20, y-t.foot.y)))
			}
		}
		return mix(c, rgb{0.68, 0.7, 0.71}, mul(0.7, smooth(clamp(fog(mul(0.4, x), mul(1.3, y))-mul(0.25, y)))))
	}
}

// ridge is the height of hills above each x: about at, rising by up to rise.
func ridge(r *rng.Stream, at, rise, scale float64) func(x float64) float64 {
	noise, row := clouds(r), r.Uniform(0, 3)
	return func(x float64) float64 { return at + mul(rise, 0.5-noise(mul(x, scale/2), row)) }
}

// balloon lays a hot-air balloon over a colour: its middle, its radius, and the two colours of its gores.
func balloon(c rgb, at, middle point, radius float64, even, odd rgb) rgb {
	x, y := (at.x-middle.x)/radius, (at.y-middle.y)/radius
	side := math.Abs(x)
	if side < 0.15 && y > 1.42 && y < 1.76 {
		return rgb{0.45, 0.28, 0.13}.times(1 - mul(0.4, wave(mul(9, y), 2)))
	}
	if y > 1 && y < 1.42 && math.Abs(side-0.16) < 0.02 {
		return rgb{0.3, 0.22, 0.16}
	}
	half := math.Sqrt(math.Max(0, 1-mul(y, y))) // of the width at this height
	if y > 0.4 {
		half = math.Max(0.2, lerp(0.9165, 0.2, (y-0.4)/0.8))
	}
	if y > 1.2 || side > half {
		return c
	}
	s := side / half
	gore := even
	if s < 0.22 || s > 0.58 && s < 0.85 {
		gore = odd
	}
	if y > 0.05 && y < 0.2 {
		gore = mix(rgb{0.1, 0.2, 0.5}, gore, 0.12)
	}
	return gore.times(1.08 - mul(0.22, x) - mul(0.18, y) - mul(0.22, mul(s, s)))
}

// house lays a house over a colour: the middle of its ground line, its width, and its windows' colour.
func house(c rgb, at, foot point, width float64, windows rgb) rgb {
	x, y := (at.x-foot.x)/width, (foot.y-at.y)/width
	side := math.Abs(x)
	dim := 0.3 // by night, when windows are lit
	if windows.r < 0.5 {
		dim = 1
	}
	switch {
	case y < 0 || y > 1.15 || side > 0.62:
		return c
	case y > 0.6 && side < mul(1.12, 1.15-y):
		return rgb{0.72, 0.2, 0.14}.times(mul(dim, 1-mul(0.25, wave(mul(8, y), 2))))
	case y > 0.6 || side > 0.5:
		return c
	case y < 0.38 && math.Abs(x-0.02) < 0.09:
		return rgb{0.4, 0.24, 0.12}.times(dim)
	case y > 0.22 && y < 0.45 && math.Abs(side-0.32) < 0.1:
		return windows
	}
	return rgb{0.96, 0.93, 0.85}.times(mul(dim, 0.95-mul(0.2, x)))
}

// pine lays a tree over a colour: its foot, its height.
func pine(c rgb, at, foot point, tall float64, paint rgb) rgb {
	x, y := math.Abs(at.x-foot.x)/tall, (foot.y-at.y)/tall
	if y < 0 || y > 1 {
		return c
	}
	if y < 0.12 {
		if x < 0.03 {
			return paint
		}
		return c
	}
	tier := mul(4, y)
	if x < mul(0.3, 1-y)+mul(0.06, math.Ceil(tier)-tier) {
		return paint.times(1.05 - mul(0.15, tier-math.Floor(tier)))
	}
	return c
}

var (
	mainsail = polygon(0, point{0.5, 0.1}, point{0.5, 0.56}, point{0.23, 0.56})
	jib      = polygon(0, point{0.525, 0.17}, point{0.525, 0.56}, point{0.74, 0.56})
	hull     = polygon(0.01, point{0.22, 0.61}, point{0.8, 0.6}, point{0.7, 0.71}, point{0.3, 0.71})
)

// sailing lays the boat over a colour.
func sailing(c rgb, at point) rgb {
	switch {
	case hull(at) < 0:
		if at.y < 0.635 {
			return rgb{0.95, 0.93, 0.88}
		}
		return rgb{0.55, 0.1, 0.14}.times(1.2 - mul(0.5, at.x))
	case mainsail(at) < 0:
		return rgb{0.98, 0.95, 0.88}.times(0.72 + mul(0.55, at.x))
	case jib(at) < 0:
		return rgb{0.1, 0.55, 0.6}.times(0.7 + mul(0.5, at.x))
	case math.Abs(at.x-0.513) < 0.009 && at.y > 0.07 && at.y < 0.6:
		return rgb{0.25, 0.16, 0.1}
	}
	return c
}
