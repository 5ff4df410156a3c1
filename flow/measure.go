package flow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// statistician is a stage whose options ask for the data's own mean and
// standard deviation, per channel and in 0..1.
type statistician interface {
	stages.Stage
	NeedsStats() bool
	WithStats(mean, std [3]float64) stages.Stage
}

// measure replaces such stages by ones with numbers, so that these stand in the
// canonical form. The pictures are decoded once, whole, without augmentation.
func (p *Plan) measure(ctx context.Context) error {
	var mean, std [3]float64
	measured := false
	for i := range p.steps {
		s, ok := p.steps[i].stage.(statistician)
		if !ok || !s.NeedsStats() {
			continue
		}
		if p.side() == sources.Val {
			return &PipelineError{&StageError{i, "stages: " + p.steps[i].name, errors.New("dataset would measure the validation side, and training is normalized by the training side: give the numbers that `sluice plan` shows for it")}}
		}
		if !measured {
			var err error
			if mean, std, err = p.pixelStats(ctx); err != nil {
				return fmt.Errorf("stages: %s: measuring the data set: %w", p.steps[i].name, err)
			}
			measured = true
		}
		p.steps[i].stage = s.WithStats(mean, std)
	}
	return nil
}

// pixelSums are exact, so the order of the pictures doesn't matter.
type pixelSums struct {
	pixels      uint64
	sum, square [3]uint64
}

// pixelStats is the mean and (population) standard deviation over all pixels
// of the selected samples.
func (p *Plan) pixelStats(ctx context.Context) (mean, std [3]float64, err error) {
	var decoder stages.Decoder = stages.Decode{}
	for _, s := range p.steps {
		if d, ok := s.stage.(stages.Decoder); ok {
			decoder = d
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var mu sync.Mutex
	var total pixelSums
	var wait sync.WaitGroup
	for range p.Settings.Workers {
		wait.Go(func() {
			var sums pixelSums
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(p.selection) {
					break
				}
				if err := p.addPixels(ctx, p.selection[i], decoder, &sums); err != nil {
					cancel(err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.pixels += sums.pixels
			for c := range 3 {
				total.sum[c] += sums.sum[c]
				total.square[c] += sums.square[c]
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return mean, std, context.Cause(ctx)
	}
	n := float64(total.pixels)
	for c := range 3 {
		m := float64(total.sum[c]) / n
		variance := float64(total.square[c])/n - float64(m*m)
		mean[c], std[c] = m/255, math.Sqrt(max(variance, 0))/255
		if std[c] == 0 {
			return mean, std, errors.New("the pictures are of one colour: the standard deviation is 0")
		}
	}
	return mean, std, nil
}

func (p *Plan) addPixels(ctx context.Context, sample int, decoder stages.Decoder, sums *pixelSums) error {
	data, err := p.dataset.Read(ctx, sample, nil)
	if err != nil {
		return err
	}
	pic, _, err := decodeFile(ctx, decoder, data)
	if err != nil {
		return &RowError{Stage: "decode", Key: p.dataset.Index().Keys[sample], Err: err}
	}
	sums.pixels += uint64(pic.Height * pic.Width)
	for i, v := range pic.U8 {
		sums.sum[i%3] += uint64(v)
		sums.square[i%3] += uint64(v) * uint64(v)
	}
	return nil
}
