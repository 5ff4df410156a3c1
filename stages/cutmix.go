package stages

import (
	"image"
	"math"

	"github.com/sluicedata/sluice/schema"
)

// CutMix pastes a box of its partner, another picture of the batch, into each picture of a
// batch, as torchvision's CutMix does (Yun et al. 2019). lambda is of Beta(alpha, alpha); the
// box has the sides sqrt(1 - lambda) * height and width, each rounded down to an even number,
// around a random pixel, and is clipped by the picture. The row's classes then have the share of
// the pixels that are its own, its partner's that of the box. Pictures are of one size, of any
// element type.
type CutMix struct {
	Alpha float64     `sluice:"alpha,positive" default:"1" doc:"of the distribution Beta(alpha, alpha) of a picture's share before the box is clipped: 1 is uniform"`
	P     Probability `sluice:"p,positive" default:"1" doc:"share of the batches, or rows, that are mixed"`
	Per   MixDraws    `sluice:"per" default:"batch" doc:"batch: one draw for all rows of a batch; row: one for each"`
}

// CutMixParams are drawn for a batch, or for a row.
type CutMixParams struct {
	Lambda float64 `json:"lambda"` // the share of the picture that is its own
	Box    [4]int  `json:"box"`    // x1 y1 x2 y2, in pixels
}

// Name is the stage's name in pipeline files.
func (CutMix) Name() string { return "cutmix" }

// Version of the algorithm.
func (CutMix) Version() int { return 1 }

// Check reports impossible options.
func (c CutMix) Check() error { return checkMix(c.Alpha, c.P, c.Per) }

// PerRow reports whether each row has a draw of its own.
func (c CutMix) PerRow() bool { return c.Per == PerRow }

// DrawMix draws lambda, then the pixel in the middle of the box: x, y.
func (c CutMix) DrawMix(height, width int, rand *Rand) Params {
	if c.P.skips(rand) {
		return nil
	}
	lambda := drawBeta(filledAlpha(c.Alpha), rand)
	x := rand.IntN(width)
	return CutBox(lambda, x, rand.IntN(height), height, width)
}

// CutBox is the box around the pixel (x, y) of a picture of height x width whose area was drawn
// as 1 - lambda, and the share of the picture outside of it.
func CutBox(lambda float64, x, y, height, width int) *CutMixParams {
	r := 0.5 * math.Sqrt(1-lambda)
	halfWidth, halfHeight := int(r*float64(width)), int(r*float64(height))
	p := &CutMixParams{Box: [4]int{max(x-halfWidth, 0), max(y-halfHeight, 0), min(x+halfWidth, width), min(y+halfHeight, height)}}
	area := (p.Box[2] - p.Box[0]) * (p.Box[3] - p.Box[1])
	p.Lambda = 1 - float64(area)/float64(height*width)
	return p
}

// Share is lambda.
func (CutMix) Share(params Params) float64 { return params.(*CutMixParams).Lambda }

// Mix pastes the box.
func (CutMix) Mix(params Params, own, partner *schema.Picture) {
	b := params.(*CutMixParams).Box
	paste(own, partner, image.Rect(b[0], b[1], b[2], b[3]))
}
