package trainer

import (
	"math"

	"github.com/sluicedata/sluice/internal/detmath"
)

// BinaryLoss is the binary cross-entropy of rows of logits, a class each,
// torch.nn.functional.binary_cross_entropy_with_logits with pos_weight. With C classes,
// y_ic = 1 where row i has class c, p_c the positive weight of a class (nil: all 1) and
// s(x) = log(1 + exp(x)) it is
//
//	sum_i w_i sum_c (p_c y_ic s(-z_ic) + (1 - y_ic) s(z_ic)) / (C sum_i w_i)
//
// so with equal weights PyTorch's mean over the rows and classes. gradient, of the
// logits' size, receives scale times the loss's gradient; it may be nil. Rows with weight 0
// have no influence, whatever their logits, and gradient 0. NaN if all rows have weight 0.
func BinaryLoss(logits []float32, target Target, positive []float64, scale float64, gradient []float32) float64 {
	if target.Sum == 0 {
		clear(gradient)
		return math.NaN()
	}
	if len(target.Weights) == 0 {
		return 0 // none of these rows of the batch
	}
	classes, sum := len(logits)/len(target.Weights), 0.0
	for row, w32 := range target.Weights {
		w := float64(w32)
		if w == 0 {
			if gradient != nil {
				clear(gradient[row*classes : (row+1)*classes])
			}
			continue
		}
		factor := scale * w / (float64(classes) * target.Sum)
		for c := range classes {
			i := row*classes + c
			z, p := float64(logits[i]), 1.0
			// d is the derivative of s(-z), sigmoid(z) - 1, or that of s(z), sigmoid(z).
			e := detmath.Exp(-math.Abs(z))
			loss, d := detmath.Log(1+e), e/(1+e) // for |z|: s(-|z|), 1 - sigmoid(|z|)
			if e < 0x1p-20 {
				loss = e - float64(e*e)/2 // log(1+e) loses the digits below 1's
			}
			if target.Multi[i] {
				if positive != nil {
					p = positive[c]
				}
				if z < 0 {
					loss, d = loss-z, 1/(1+e)
				}
				d = -d
			} else if z > 0 {
				loss, d = loss+z, 1/(1+e)
			}
			if math.IsNaN(z) {
				loss, d = z, z
			}
			sum += float64(float64(w*p) * loss)
			if gradient != nil {
				gradient[i] = float32(float64(factor*p) * d)
			}
		}
	}
	return sum / (float64(classes) * target.Sum)
}
