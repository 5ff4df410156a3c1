package trainer

import (
	"cmp"
	"math"
	"slices"
)

// ranking keeps the score of each row in each class, and whether the row has it.
type ranking struct {
	scores   [][]float32 // [class][row]
	positive [][]bool
}

func newRanking(classes int) ranking {
	return ranking{make([][]float32, classes), make([][]bool, classes)}
}

func (r *ranking) add(class int, score float32, positive bool) {
	r.scores[class] = append(r.scores[class], score)
	r.positive[class] = append(r.positive[class], positive)
}

func (r *ranking) averagePrecision() []float64 {
	out := make([]float64, len(r.scores))
	for c, scores := range r.scores {
		order := make([]int, len(scores))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
		positives := 0
		for _, is := range r.positive[c] {
			if is {
				positives++
			}
		}
		sum, hits, before := 0.0, 0, 0
		for i, row := range order {
			if r.positive[c][row] {
				hits++
			}
			if i+1 < len(order) && scores[order[i+1]] == scores[row] {
				continue // equal scores are one threshold
			}
			sum += float64(float64(hits-before) * (float64(hits) / float64(i+1)))
			before = hits
		}
		out[c] = sum / float64(positives)
		if positives == 0 {
			out[c] = math.NaN()
		}
	}
	return out
}
