package trainer

import "github.com/sluicedata/sluice/internal/rng"

// DrawUniform fills data with numbers drawn uniformly between -bound and bound,
// as initial weights are. The same seed, purpose and name give the same numbers
// on every machine, and another name gives others: so with a stream for each
// tensor, one more head leaves the weights of the other heads as they are.
func DrawUniform(data []float32, bound float64, seed uint64, purpose, name string) {
	stream := rng.NewKey(seed, purpose, name).Stream(0, 0, 0)
	for i := range data {
		data[i] = float32(stream.Uniform(-bound, bound))
	}
}
