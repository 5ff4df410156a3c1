package flow

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// resolveOrder applies the samplers, wherever they stand, to the index: no
// image is read that is not drawn. Filter and take leave a list of samples,
// shuffle and rebalance an order that differs from epoch to epoch, so nothing
// can follow them. Every mistake is in the joined error.
func (p *Plan) resolveOrder() error {
	index := p.dataset.Index()
	p.selection = make(stages.Selection, index.Len())
	for i := range p.selection {
		p.selection[i] = i
	}
	p.order = p.selection
	last := ""
	var errs []error
	for i := range p.steps {
		s := &p.steps[i]
		if w, ok := s.stage.(stages.Warner); ok {
			for _, text := range w.Warn(p.selection, index) {
				p.Warnings = append(p.Warnings, s.name+": "+text)
			}
		}
		sampler, ok := s.stage.(stages.Sampler)
		if !ok {
			continue
		}
		bad := func(err error) { errs = append(errs, within(i, "stages: "+s.name, err)...) }
		if _, fixed := p.order.(stages.Selection); !fixed {
			bad(fmt.Errorf("comes after %s, whose order differs from epoch to epoch: write filter, then take, then one of shuffle and rebalance (which shuffles)", last))
			continue
		}
		s.reached = p.order.Len()
		order, err := sampler.Sample(p.selection, index, s.key)
		if err == nil && order.Len() == 0 {
			err = fmt.Errorf("no sample is left of %d", len(p.selection))
		}
		if err != nil {
			bad(err) // what follows is looked at as if this stage weren't there
			continue
		}
		if selection, ok := order.(stages.Selection); ok {
			p.selection = selection
		}
		p.order, s.left, last = order, order.Len(), s.name
	}
	p.warnBothBalances()
	p.warnValidation()
	return errors.Join(errs...)
}

// warnOrder: samples that come class by class make batches of one class, from
// which nothing is learnt. An evaluation may have them in any order: a validation
// side is left alone, and the warning says whom it concerns.
func (p *Plan) warnOrder() {
	list, fixed := p.order.(stages.Selection)
	if !fixed || p.BatchesPerEpoch < 2 || sources.SideOf(p.source) == sources.Val {
		return
	}
	for t, task := range p.Tasks {
		if p.classByClass(t, list) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("the pipeline has neither shuffle nor rebalance, and the source gives one class after the other (task %s): most batches of %d rows hold one class only, and learning from them goes wrong: if this is for training, write shuffle as the first stage (an evaluation needs none)", task.Name, p.BatchSize))
			return
		}
	}
}

// classByClass reports whether the class of a task changes from one sample to the
// next a third as often as in a random order, or less.
func (p *Plan) classByClass(task int, list stages.Selection) bool {
	index := p.Index()
	counts := make([]float64, len(p.Tasks[task].Classes))
	n, changes, before := 0.0, 0.0, schema.Unknown
	for _, sample := range list {
		label := index.Label(task, sample)
		if label == schema.Unknown {
			continue
		}
		if n++; n > 1 && label != before {
			changes++
		}
		counts[label]++
		before = label
	}
	same := 0.0 // the chance that two samples are of one class
	for _, c := range counts {
		same += c / max(n, 1) * c / max(n, 1)
	}
	return changes > 0 && changes <= n*(1-same)/3
}

// DrawnCounts is the number of draws of each class of a task in the first
// epoch; the last element counts those of unknown label. It takes one look at
// every draw, at no image.
func (p *Plan) DrawnCounts(task int) []int64 {
	counts := make([]int64, len(p.Tasks[task].Classes)+1)
	index := p.Index()
	for position := range p.RowsPerEpoch {
		label := index.Label(task, p.order.At(0, position))
		if label == schema.Unknown {
			label = int32(len(counts) - 1)
		}
		counts[label]++
	}
	return counts
}

// warnBothBalances: class weights on top of rebalancing correct the same
// imbalance twice.
func (p *Plan) warnBothBalances() {
	var balancer, weigher string
	for _, s := range p.steps {
		if _, ok := s.stage.(stages.Balancer); ok {
			balancer = s.name
		}
		if _, ok := s.stage.(stages.TaskWeigher); ok && weigher == "" {
			weigher = s.name
		}
	}
	if balancer != "" && weigher != "" {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s and %s are both on: rare classes are favoured twice; usually one of them is meant", balancer, weigher))
	}
}

// warnWeights: rows of weight 0 have no part in any loss.
func (p *Plan) warnWeights() {
	if len(p.selection) == 0 {
		return
	}
	for _, sample := range p.selection {
		if p.Weight(sample) != 0 {
			return
		}
	}
	p.Warnings = append(p.Warnings, "the weight of every row is 0, its own or its class's: nothing can be learnt from them")
}

// warnValidation: a validation set shows the data as they are, all of them.
func (p *Plan) warnValidation() {
	if sources.SideOf(p.source) != sources.Val {
		return
	}
	var augmenting []string
	for i := range p.steps {
		s := &p.steps[i]
		if d, ok := s.stage.(stages.PictureStage); ok && p.random(s, d) {
			augmenting = append(augmenting, s.name)
		}
		_, balances := s.stage.(stages.Balancer)
		dropLast := false
		if batch, ok := s.stage.(stages.Batcher); ok {
			_, dropLast = batch.Rows()
		}
		if balances || dropLast {
			p.Warnings = append(p.Warnings, s.name+": the validation side is drawn by it, too: evaluation usually takes every sample once, in a file of its own")
		}
	}
	if len(augmenting) > 0 {
		p.Warnings = append(p.Warnings, strings.Join(augmenting, ", ")+": the validation side is augmented by it, too: evaluation usually shows the pictures as they are")
	}
}
