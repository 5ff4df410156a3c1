package demodata

import (
	"math"

	"github.com/sluicedata/sluice/internal/rng"
)

// A texture is a pattern in 0..1 over a picture whose shorter side is 1.
type texture func(x, y float64) float64

// drawTexture draws one of five kinds of background.
func drawTexture(r *rng.Stream) texture {
	switch r.IntN(5) {
	case 0:
		return gradient(r)
	case 1:
		return stripes(r)
	case 2:
		return dots(r)
	case 3:
		return checks(r)
	default:
		return clouds(r)
	}
}

func gradient(r *rng.Stream) texture {
	d := direction(r, 1)
	return func(x, y float64) float64 {
		return smooth(clamp(0.5 + mul(x-0.5, d.x) + mul(y-0.5, d.y)))
	}
}

func stripes(r *rng.Stream) texture {
	d, width, phase := direction(r, 1), r.Uniform(0.06, 0.2), r.Float64()
	return func(x, y float64) float64 {
		return wave((mul(x, d.x)+mul(y, d.y))/width+phase, 3)
	}
}

func dots(r *rng.Stream) texture {
	d, pitch, radius := direction(r, 1), r.Uniform(0.1, 0.22), r.Uniform(0.22, 0.36)
	return func(x, y float64) float64 {
		u, v := turn(x, y, d, pitch)
		p := point{u - math.Floor(u) - 0.5, v - math.Floor(v) - 0.5}
		return clamp(0.5 - mul(6, length(p)-radius))
	}
}

func checks(r *rng.Stream) texture {
	d, pitch := direction(r, 1), r.Uniform(0.2, 0.45)
	return func(x, y float64) float64 {
		u, v := turn(x, y, d, pitch)
		a, b := wave(u, 8), wave(v, 8)
		return a + b - mul(2, mul(a, b)) // a xor b
	}
}

// clouds is value noise: random numbers on a grid, smoothly interpolated, in two
// octaves.
func clouds(r *rng.Stream) texture {
	const side = 16
	var grid [side][side]float64
	for i := range grid {
		for j := range grid[i] {
			grid[i][j] = r.Float64()
		}
	}
	at := func(x, y float64) float64 {
		i, j := int(math.Floor(x)), int(math.Floor(y))
		tx, ty := smooth(x-float64(i)), smooth(y-float64(j))
		i, j = i%side, j%side
		k, l := (i+1)%side, (j+1)%side
		return lerp(lerp(grid[j][i], grid[j][k], tx), lerp(grid[l][i], grid[l][k], tx), ty)
	}
	scale := r.Uniform(2.5, 6)
	return func(x, y float64) float64 {
		x, y = mul(x, scale), mul(y, scale)
		return mul(0.67, at(x, y)) + mul(0.33, at(mul(2, x)+7, mul(2, y)+3))
	}
}

// wave has the period 1 and plateaus at 0 and 1, the longer the steeper it is.
func wave(u, steepness float64) float64 {
	triangle := mul(4, math.Abs(u-math.Floor(u)-0.5)) - 1 // -1..1
	return smooth(clamp(0.5 + mul(triangle, steepness/2)))
}

// turn gives the coordinates in a grid of a pitch whose first axis lies along d.
func turn(x, y float64, d point, pitch float64) (u, v float64) {
	return (mul(x, d.x) + mul(y, d.y)) / pitch, (mul(y, d.x) - mul(x, d.y)) / pitch
}

// direction is a unit vector within 2*atan(limit) of the x axis. This rational
// form of (cos, sin) needs no trigonometry, whose last bits differ between
// machines; the angle is nearly uniform.
func direction(r *rng.Stream, limit float64) point {
	t := r.Uniform(-limit, limit)
	square := mul(t, t)
	return point{(1 - square) / (1 + square), mul(2, t) / (1 + square)}
}
