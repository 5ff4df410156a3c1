package trainer

import "errors"

// Schedule is torch.optim.lr_scheduler.StepLR, stepped once per epoch; the zero
// value keeps the rate.
type Schedule struct {
	StepSize int     `json:"size" sluice:"size,positive" doc:"epochs between two changes of the rate"`
	Gamma    float64 `json:"gamma" sluice:"gamma,positive" default:"0.1" doc:"factor of each change"`
}

// Check reports impossible options, each error behind the option's name.
func (s Schedule) Check() error {
	var p problems
	if s.StepSize > 0 && s.Gamma == 0 {
		s.Gamma = 0.1
	}
	p.schedule("", s)
	return errors.Join(p...)
}

func (p *problems) schedule(place string, s Schedule) {
	switch {
	case s.StepSize < 0:
		p.addf(place+"size", "%d epochs: give a number above 0", s.StepSize)
	case s.StepSize == 0 && s.Gamma != 0:
		p.addf(place+"gamma", "%v changes nothing without size: say after how many epochs", s.Gamma)
	case s.StepSize > 0 && !positive(s.Gamma):
		p.addf(place+"gamma", "%v is not above 0", s.Gamma)
	}
}

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
