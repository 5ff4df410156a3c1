package flow

import (
	"errors"
	"fmt"
	"sync"

	"github.com/sluicedata/sluice/stages"
)

// sample applies the samplers, wherever they stand, to the index: no
// image is read that is not drawn. Filter and take leave a list of samples,
// shuffle and rebalance an order that differs from epoch to epoch, so nothing
// can follow them. Every mistake is in the joined error.
func (p *planner) sample() error {
	index, d := p.dataset.Index(), &p.sampling
	d.selection = make(stages.Selection, index.Len())
	for i := range d.selection {
		d.selection[i] = i
	}
	d.order = d.selection
	last := ""
	var errs []error
	for i := range p.steps {
		s := &p.steps[i]
		if e, ok := s.stage.(stages.EpochPlanner); ok && e.NeedsEpochs() {
			s.stage, p.scheduled = e.WithEpochs(p.settings.Epochs), true
			if p.settings.Epochs == Endless {
				errs = append(errs, within(i, "stages: "+s.name, errors.New("schedule: it needs the number of epochs, and the run has no end: give epochs"))...)
			}
		}
		if w, ok := s.stage.(stages.Warner); ok {
			for _, text := range w.Warn(d.selection, index) {
				p.warn("%s: %s", s.name, text)
			}
		}
		sampler, ok := s.stage.(stages.Sampler)
		if !ok {
			continue
		}
		bad := func(err error) { errs = append(errs, within(i, "stages: "+s.name, err)...) }
		if _, fixed := d.order.(stages.Selection); !fixed {
			bad(fmt.Errorf("comes after %s, whose order differs from epoch to epoch: write filter, then take, then one of shuffle and rebalance (which shuffles)", last))
			continue
		}
		s.entering = d.order.Len()
		order, err := sampler.Sample(d.selection, index, s.key)
		if err == nil && order.Len() == 0 {
			err = fmt.Errorf("no sample is left of %d", len(d.selection))
		}
		if err != nil {
			bad(err) // what follows is looked at as if this stage weren't there
			continue
		}
		if selection, ok := order.(stages.Selection); ok {
			d.selection = selection
		} else if divider, ok := sampler.(stages.Divider); ok {
			d.groups = sync.OnceValue(func() *stages.Groups {
				groups, err := divider.Divide(d.selection, index)
				if err != nil {
					return nil // Sample has reported it
				}
				return groups
			})
		}
		d.order, s.leaving, last = order, order.Len(), s.name
	}
	return errors.Join(errs...)
}
