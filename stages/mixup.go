package stages

import "github.com/sluicedata/sluice/schema"

// MixUp makes each picture of a batch lambda * itself + (1 - lambda) * its partner, another
// picture of the batch, as torchvision's MixUp does (Zhang et al. 2018); lambda is of
// Beta(alpha, alpha). Pictures are of one size, float32 or uint8, which is rounded half up.
// The row's classes then have the share lambda, its partner's 1 - lambda.
type MixUp struct {
	Alpha float64     `sluice:"alpha,positive" default:"1" doc:"of the distribution Beta(alpha, alpha) of a picture's share: 1 is uniform, less is nearer to 0 and 1"`
	P     Probability `sluice:"p,positive" default:"1" doc:"share of the batches, or rows, that are mixed"`
	Per   MixDraws    `sluice:"per" default:"batch" doc:"batch: one draw for all rows of a batch; row: one for each"`
}

// MixUpParams are drawn for a batch, or for a row.
type MixUpParams struct {
	Lambda float64 `json:"lambda"` // the picture's own share
}

// Name is the stage's name in pipeline files.
func (MixUp) Name() string { return "mixup" }

// Version of the algorithm.
func (MixUp) Version() int { return 1 }

// Check reports impossible options.
func (m MixUp) Check() error { return checkMix(m.Alpha, m.P, m.Per) }

// PerRow reports whether each row has a draw of its own.
func (m MixUp) PerRow() bool { return m.Per == PerRow }

// DrawMix draws lambda.
func (m MixUp) DrawMix(_, _ int, rand *Rand) Params {
	if m.P.skips(rand) {
		return nil
	}
	return &MixUpParams{drawBeta(filledAlpha(m.Alpha), rand)}
}

// Share is lambda.
func (MixUp) Share(params Params) float64 { return params.(*MixUpParams).Lambda }

// Mix blends.
func (MixUp) Mix(params Params, own, partner *schema.Picture) {
	blendPictures(own, partner, params.(*MixUpParams).Lambda)
}
