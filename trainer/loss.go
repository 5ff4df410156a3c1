package trainer

import (
	"math"
	"slices"

	"github.com/sluicedata/sluice/internal/detmath"
	"github.com/sluicedata/sluice/schema"
)

// Loss names a task's loss.
type Loss string

// The losses.
const (
	CrossEntropy    Loss = "cross_entropy"    // weighted mean over the rows, as torch.nn.CrossEntropyLoss
	BalancedSoftmax Loss = "balanced_softmax" // cross-entropy of z + log n_c (Ren et al. 2020)

	// BinaryCrossEntropy is the loss of tasks of several labels, and only theirs.
	BinaryCrossEntropy Loss = "binary_cross_entropy"
)

// Values lists the losses.
func (Loss) Values() []string {
	return []string{string(CrossEntropy), string(BalancedSoftmax), string(BinaryCrossEntropy)}
}

// Target holds a batch's labels and weights for one task.
type Target struct {
	Labels  []int32               // class numbers; schema.Unknown where the row has none; nil in a task of several labels
	Shares  [][]schema.ClassShare // of mixed rows, per row: the classes in it, each share times its class weight; nil: Labels count
	Multi   []bool                // rows x classes of a task of several labels: the row has the class; else nil
	Weights []float32             // weight column x class weight, of mixed rows the column; 0 where the label is, or the labels are, unknown
	Sum     float64               // of the weights, by which the loss is divided; 0: every row is masked
}

// Masked reports whether a row has weight 0 in every task. Such a row must be left
// out of all sums, not multiplied by 0: its pixels may be NaN.
func Masked(targets []Target, row int) bool {
	return !slices.ContainsFunc(targets, func(t Target) bool { return t.Weights[row] > 0 })
}

// Offsets are added to the logits, given the number of training samples of each
// class: log n_c for balanced softmax (a class without samples gets -Inf, so
// probability 0), nil otherwise.
func (l Loss) Offsets(counts []int64) []float64 {
	if l != BalancedSoftmax {
		return nil
	}
	out := make([]float64, len(counts))
	for i, n := range counts {
		out[i] = detmath.Log(float64(n))
	}
	return out
}

// SoftmaxLoss is the weighted cross-entropy of rows of logits, with PyTorch's
// mean: the sum of w_i (log sum_c exp(z_ic + o_c) - z_iy - o_y) over the sum of
// the w_i. Of mixed rows, with v_ic the share of class c in row i times its class weight, it is
// PyTorch's mean with probabilities as target: the sum of w_i sum_c v_ic (log sum_k exp(z_ik + o_k) -
// z_ic - o_c) over the sum of the w_i, so with equal weights over the rows. offsets may be nil. gradient, of the logits' size, receives scale
// times the loss's gradient; it may be nil. Rows with weight 0 have no influence,
// whatever their logits, and gradient 0. NaN if all rows have weight 0.
func SoftmaxLoss(logits []float32, target Target, offsets []float64, scale float64, gradient []float32) float64 {
	if len(target.Labels) == 0 {
		return math.NaN()
	}
	classes := len(logits) / len(target.Labels)
	shifted, sum := make([]float64, classes), 0.0
	for row, label := range target.Labels {
		z := logits[row*classes : (row+1)*classes]
		w := float64(target.Weights[row])
		if w == 0 {
			if gradient != nil {
				clear(gradient[row*classes : (row+1)*classes])
			}
			continue
		}
		total := softmaxTerms(shifted, z, offsets)
		if target.Shares != nil {
			sum += float64(w * sharesLoss(target.Shares[row], shifted, total))
			if gradient != nil {
				sharesGradient(target.Shares[row], shifted, total, scale*w/target.Sum, gradient[row*classes:(row+1)*classes])
			}
			continue
		}
		own := shifted[label]
		sum += float64(w * (detmath.Log(total) - own))
		if gradient == nil {
			continue
		}
		factor := scale * w / target.Sum
		for c, s := range shifted {
			p := detmath.Exp(s) / total
			if c == int(label) {
				p--
			}
			gradient[row*classes+c] = float32(factor * p)
		}
	}
	if target.Sum == 0 {
		return math.NaN()
	}
	return sum / target.Sum
}

// sharesLoss is the loss of one mixed row, given softmaxTerms.
func sharesLoss(shares []schema.ClassShare, shifted []float64, total float64) (loss float64) {
	log := detmath.Log(total)
	for _, s := range shares {
		loss += float64(float64(s.Share) * (log - shifted[s.Class]))
	}
	return loss
}

// sharesGradient writes factor times its gradient.
func sharesGradient(shares []schema.ClassShare, shifted []float64, total, factor float64, gradient []float32) {
	all := 0.0
	for _, s := range shares {
		all += float64(s.Share)
	}
	for c, v := range shifted {
		d := float64(all * (detmath.Exp(v) / total))
		for _, s := range shares {
			if int(s.Class) == c {
				d -= float64(s.Share)
			}
		}
		gradient[c] = float32(factor * d)
	}
}

// softmaxTerms writes z + offset minus their maximum, and returns the sum of the
// exponentials.
func softmaxTerms(shifted []float64, z []float32, offsets []float64) float64 {
	most := math.Inf(-1)
	for c, v := range z {
		shifted[c] = float64(v)
		if offsets != nil {
			shifted[c] += offsets[c]
		}
		most = math.Max(most, shifted[c]) // NaN if any is
	}
	total := 0.0
	for c := range shifted {
		shifted[c] -= most
		total += detmath.Exp(shifted[c])
	}
	return total
}
