package flow

import (
	"strings"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// warnOrder: samples that come class by class make batches of one class, from
// which nothing is learnt. An evaluation may have them in any order: a validation
// side is left alone, and so is a source without sides that takes its classes from
// another, as a validation set does. The warning says whom it concerns.
func warnOrder(p *planner) {
	list, fixed := p.sampling.order.(stages.Selection)
	if !fixed || p.info.BatchesPerEpoch < 2 {
		return
	}
	if side := sources.SideOf(p.source); side == sources.Val || side == "" && sources.Follows(p.source) {
		return
	}
	for t, task := range p.info.Tasks {
		if classByClass(p.Index(), t, list) {
			p.warn("the pipeline has neither shuffle nor rebalance, and the source gives one class after the other (task %s): most batches of %d rows hold one class only, and learning from them goes wrong: if this is for training, write shuffle as the first stage (an evaluation needs none)", task.Name, p.info.BatchSize)
			return
		}
	}
}

// classByClass reports whether the class of a task changes from one sample to the
// next a third as often as in a random order, or less.
func classByClass(index schema.Index, task int, list stages.Selection) bool {
	counts := make([]float64, len(index.Tasks()[task].Classes))
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

// warnBalances: class weights on top of rebalancing correct the same
// imbalance twice.
func warnBalances(p *planner) {
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
		p.warn("%s and %s are both on: rare classes are favoured twice; usually one of them is meant", balancer, weigher)
	}
}

// warnJitter: a window of so many pixels doesn't fit into pictures that were scaled down further.
func warnJitter(p *planner) {
	for i := range p.steps {
		jitter, ok := p.steps[i].stage.(stages.Shrinker)
		if !ok {
			continue
		}
		height, width := jitter.Smallest()
		for _, next := range p.steps[i+1:] {
			if _, warps := next.stage.(stages.Warper); !warps {
				continue
			}
			if s, ok := next.stage.(stages.Windower); ok {
				if h, w := s.Window(); h > height || w > width {
					p.warn("%s takes %dx%d (width x height) of pictures that %s makes as small as %dx%d, of which it fails: put pad: {size: [%d, %d]} between them, or raise the range's lower end",
						next.name, w, h, p.steps[i].name, width, height, h, w)
				}
			}
			break
		}
	}
}

// warnWeights: rows of weight 0 have no part in any loss.
func warnWeights(p *planner) {
	if len(p.sampling.selection) == 0 {
		return
	}
	for _, sample := range p.sampling.selection {
		if p.Weight(sample) != 0 {
			return
		}
	}
	p.warn("%s", "the weight of every row is 0, its own or its class's: nothing can be learnt from them")
}

// warnObjects: pictures are all without objects where the classes or the files are others than
// was meant.
func warnObjects(p *planner) {
	if !p.rows.spec.Objects() || len(p.sampling.selection) == 0 {
		return
	}
	for _, sample := range p.sampling.selection {
		if len(schema.ObjectLabelsOf(p.Index(), sample)) > 0 {
			return
		}
	}
	p.warn("%s", "no sample has an object: every row leaves without any")
}

// warnValidation: a validation set shows the data as they are, all of them.
func warnValidation(p *planner) {
	if sources.SideOf(p.source) != sources.Val {
		return
	}
	var augmenting []string
	for i := range p.steps {
		s := &p.steps[i]
		_, mixes := s.stage.(stages.MixStage)
		if d, ok := s.stage.(stages.PictureStage); mixes || ok && random(s, d, len(p.Index().Tasks())) {
			augmenting = append(augmenting, s.name)
		}
		_, balances := s.stage.(stages.Balancer)
		dropLast := false
		if batch, ok := s.stage.(stages.Batcher); ok {
			_, dropLast = batch.Rows()
		}
		if balances || dropLast {
			p.warn("%s", s.name+": the validation side is drawn by it, too: evaluation usually takes every sample once, in a file of its own")
		}
	}
	if len(augmenting) > 0 {
		p.warn("%s", strings.Join(augmenting, ", ")+": the validation side is augmented by it, too: evaluation usually shows the pictures as they are")
	}
}

// warnBudget: batches that don't fit are made, but one row at a time.
func warnBudget(p *planner) {
	bytes, reserved := p.batchBytes(p.deal.jobIn(0, 0, 0).rows, p.scaling.first())
	bytes *= int64(1 + p.mixing.mostDonors())
	for _, n := range reserved {
		bytes += n
	}
	if limit := p.settings.Budget; bytes > limit-limit/8 {
		p.warn("a batch takes %s, in all its scales, and the byte budget is %s: its rows will be made one at a time; raise the budget, or use a smaller batch", bytesText(bytes), bytesText(limit))
	}
}
