package trainer

// LearningRate is the rate after so many ended epochs, base being that of the
// first: base * Gamma^floor(epochs / StepSize). It multiplies as StepLR does
// when it is stepped, so the rates equal PyTorch's to the last bit.
func (s Schedule) LearningRate(base float64, epochs int) float64 {
	if s.StepSize <= 0 {
		return base
	}
	for range epochs / s.StepSize {
		base *= s.Gamma
		if base == 0 {
			break
		}
	}
	return base
}
