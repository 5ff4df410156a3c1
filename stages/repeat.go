package stages

// Repeater is an Order that knows how often it has drawn each sample: shuffle's, rebalance's
// and a Selection. Strengths by repeat need one.
type Repeater interface {
	Order
	// Repeat is how often the sample of a draw was drawn before, in whole rounds of its class
	// or of the data set, since epoch 0: draws of one sample have 0, 1, 2 ...
	Repeat(epoch int, position int64) int64
}

// Repeat is the epoch: each sample is drawn once in each.
func (s Selection) Repeat(epoch int, _ int64) int64 { return int64(epoch) }

// Repeat is the epoch.
func (s *shuffled) Repeat(epoch int, _ int64) int64 { return int64(epoch) }

// Repeat is the round of the class to which the draw belongs.
func (o *rebalanced) Repeat(epoch int, position int64) int64 {
	slot := o.slots.At(uint64(epoch), uint64(position))
	class, use := o.quotas.Epoch(epoch).Slot(int64(slot))
	return use / int64(o.starts[class+1]-o.starts[class])
}
