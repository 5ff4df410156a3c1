package warp

import (
	"image"

	"github.com/sluicedata/sluice/schema"
)

// framed reports a transform that samples only a part of its output.
func (t Transform) framed() bool { return t.Inset != (image.Rectangle{}) }

// splitFramed is a framed transform as two: one to a picture of the inset's size, and one
// that copies this onto the canvas.
func splitFramed(t Transform) (inner, frame Transform) {
	inner = t
	inner.Height, inner.Width, inner.Inset = t.Inset.Dy(), t.Inset.Dx(), image.Rectangle{}
	origin := Translate(float64(t.Inset.Min.X), float64(t.Inset.Min.Y))
	inner = inner.WithHomography(origin.Homography().Then(t.Homography()))
	frame = Transform{
		Matrix: Translate(float64(-t.Inset.Min.X), float64(-t.Inset.Min.Y)),
		Height: t.Height, Width: t.Width, Filter: Nearest, Border: Constant, Fill: t.Fill,
	}
	return inner, frame
}

// framedRows is rows for a framed transform.
func framedRows(t *Transform, dst []uint8, src *schema.Picture, y0, y1 int) {
	fillRun(dst[:3*(y1-y0)*t.Width], t.Fill)
	from, to := max(y0, t.Inset.Min.Y), min(y1, t.Inset.Max.Y)
	if from >= to {
		return
	}
	inner, _ := splitFramed(*t)
	n := 3 * inner.Width
	sampled := make([]uint8, n*(to-from))
	inner.rows(sampled, src, from-t.Inset.Min.Y, to-t.Inset.Min.Y)
	for y := from; y < to; y++ {
		copy(dst[3*((y-y0)*t.Width+t.Inset.Min.X):], sampled[:n])
		sampled = sampled[n:]
	}
}

// reflected is where a coordinate lies that is mirrored at the first and the last of the
// pixels first <= x < end, as often as it takes.
func reflected(x, first, end int64) int64 {
	period := 2 * (end - first - 1)
	if period == 0 {
		return first
	}
	x = (x - first) % period
	if x < 0 {
		x += period
	}
	return first + min(x, period-x)
}
