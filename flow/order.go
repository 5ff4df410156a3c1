package flow

import (
	"fmt"

	"github.com/sluicedata/sluice/stages"
)

// resolveOrder applies the samplers, wherever they stand, to the index: no
// image is read that is not drawn. Filter and take leave a list of samples,
// shuffle and rebalance an order that differs from epoch to epoch, so nothing
// can follow them.
func (p *Plan) resolveOrder() error {
	index := p.dataset.Index()
	p.selection = make(stages.Selection, index.Len())
	for i := range p.selection {
		p.selection[i] = i
	}
	p.order = p.selection
	last := ""
	for _, s := range p.steps {
		if w, ok := s.stage.(stages.Warner); ok {
			for _, text := range w.Warn(p.selection, index) {
				p.Warnings = append(p.Warnings, s.name+": "+text)
			}
		}
		sampler, ok := s.stage.(stages.Sampler)
		if !ok {
			continue
		}
		if _, fixed := p.order.(stages.Selection); !fixed {
			return fmt.Errorf("stages: %s: comes after %s, whose order differs from epoch to epoch: write filter, then take, then one of shuffle and rebalance (which shuffles)", s.name, last)
		}
		order, err := sampler.Sample(p.selection, index, s.key)
		if err != nil {
			return fmt.Errorf("stages: %s: %w", s.name, err)
		}
		if order.Len() == 0 {
			return fmt.Errorf("stages: %s: no sample is left of %d", s.name, len(p.selection))
		}
		if selection, ok := order.(stages.Selection); ok {
			p.selection = selection
		}
		p.order, last = order, s.name
	}
	p.warnBothBalances()
	return nil
}

// warnBothBalances: class weights on top of rebalancing correct the same
// imbalance twice.
func (p *Plan) warnBothBalances() {
	var rebalance, weights bool
	for _, s := range p.steps {
		rebalance = rebalance || s.stage.Name() == "rebalance"
		weights = weights || s.stage.Name() == "class_weights"
	}
	if rebalance && weights {
		p.Warnings = append(p.Warnings, "rebalance and class_weights are both on: rare classes are favoured twice; usually one of them is meant")
	}
}
