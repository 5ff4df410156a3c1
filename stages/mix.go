package stages

import (
	"image"
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/mixture"
	"github.com/sluicedata/sluice/schema"
)

// This file is what the stages that mix rows share.

// MixDraws says what has a draw of its own; "" is PerBatch.
type MixDraws string

// Whose draws there are.
const (
	PerBatch MixDraws = "batch" // one for all rows, as torchvision's and timm's batch mode
	PerRow   MixDraws = "row"   // one for each row, as timm's elem mode
)

// Values lists them.
func (MixDraws) Values() []string { return []string{string(PerBatch), string(PerRow)} }

// checkMix reports impossible options of a mixing stage.
func checkMix(alpha float64, p Probability, per MixDraws) error {
	var errs []error
	if math.IsNaN(alpha) || alpha < 0 || alpha > mostAlpha {
		errs = append(errs, errorf("alpha", "%v is not the parameter of a beta distribution: give a number above 0, 0.2 or 1 are usual", alpha))
	}
	return errlist.Join(append(errs, p.check("p"), oneOf("per", per))...)
}

const (
	defaultAlpha = 1.0
	mostAlpha    = 1e6 // it draws 0.5, and nothing else
)

// filledAlpha has the default in place of zero.
func filledAlpha(alpha float64) float64 {
	if alpha == 0 {
		return defaultAlpha
	}
	return alpha
}

// drawBeta is a number in [0, 1] of the distribution Beta(alpha, alpha): the quotient g / (g + h)
// of two of gamma's, computed by their logarithms, since of a small alpha they are 0 in floating point.
func drawBeta(alpha float64, rand *Rand) float64 {
	g, h := drawLogGamma(alpha, rand), drawLogGamma(alpha, rand)
	return 1 / (1 + detmath.Exp(h-g))
}

// drawLogGamma is the logarithm of a number of the gamma distribution (Marsaglia and Tsang 2000).
func drawLogGamma(alpha float64, rand *Rand) float64 {
	boost := 0.0
	if alpha < 1 {
		boost = detmath.Log(1-rand.Float64()) / alpha
		alpha++
	}
	d := alpha - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := drawNormal(rand)
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = float64(v*v) * v
		u := 1 - rand.Float64()
		if detmath.Log(u) < float64(0.5*float64(x*x))+float64(d*(1-v+detmath.Log(v))) {
			return detmath.Log(d) + detmath.Log(v) + boost
		}
	}
}

// drawNormal is a number of the normal distribution (Marsaglia's polar method).
func drawNormal(rand *Rand) float64 {
	for {
		x, y := float64(2*rand.Float64())-1, float64(2*rand.Float64())-1
		if s := float64(x*x) + float64(y*y); s > 0 && s < 1 {
			return x * math.Sqrt(-2*detmath.Log(s)/s)
		}
	}
}

// blendPictures makes own share * own + (1-share) * partner: of float32 values with both factors in
// float32 and rounded after each operation, as torch does it; of uint8 values with a share rounded to
// 1/32768, and rounded half up.
func blendPictures(own, partner *schema.Picture, share float64) {
	mixture.Floats(own.F32, partner.F32, float32(share), float32(1-share))
	mixture.Bytes(own.U8, partner.U8, int(share*mixture.One+0.5))
}

// paste makes own the partner's within a box.
func paste(own, partner *schema.Picture, box image.Rectangle) {
	pasteValues(own.U8, partner.U8, own, box)
	pasteValues(own.F32, partner.F32, own, box)
}

func pasteValues[T uint8 | float32](own, partner []T, size *schema.Picture, box image.Rectangle) {
	if len(own) == 0 {
		return
	}
	planes, each := 1, len(own)/(size.Height*size.Width)
	if size.Layout == schema.CHW {
		planes, each = each, 1
	}
	for plane := range planes {
		for y := box.Min.Y; y < box.Max.Y; y++ {
			line := (plane*size.Height + y) * size.Width
			from, to := (line+box.Min.X)*each, (line+box.Max.X)*each
			copy(own[from:to], partner[from:to])
		}
	}
}
