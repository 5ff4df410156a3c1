package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicedata/sluice/flow/internal/memory"
	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// measure replaces stages that need the data's own mean and standard deviation by ones with
// numbers, so that these are in the canonical form. The pictures are decoded once, whole,
// without augmentation.
func (p *planner) measure(ctx context.Context) error {
	var mean, std [3]float64
	measured := false
	for _, i := range p.steps.needingStats() {
		if sources.SideOf(p.source) == sources.Val {
			return &PipelineError{&StageError{i, "stages: " + p.steps[i].name, errors.New("dataset would measure the validation side, and training is normalized by the training side: give the numbers that `sluice plan` shows for it")}}
		}
		if !measured {
			var err error
			if mean, std, err = p.pixelStats(ctx); err != nil {
				return fmt.Errorf("stages: %s: measuring the data set: %w", p.steps[i].name, err)
			}
			measured = true
		}
		p.steps[i].replace(p.steps[i].stage.(stages.StatsConsumer).WithStats(mean, std))
	}
	return nil
}

// pixelSums are exact, so the order of the pictures doesn't matter.
type pixelSums struct {
	pixels      uint64
	sum, square [3]uint64
}

// measuring is the work of pixelStats, shared by its goroutines.
type measuring struct {
	plan    *planner
	decoder stages.Decoder
	next    atomic.Int64
	done    atomic.Int64
	limit   int // pictures that may fail

	budget *memory.Budget
	mu     sync.Mutex
	sums   pixelSums
	failed []*RowError
	filled []int // samples
}

// pixelStats is the mean and (population) standard deviation over all pixels
// of the selected samples. Pictures that cannot be decoded end it, or are left out
// where on_error is skip or refill, up to its max of the samples: that depends on
// the data alone, as all else.
func (p *planner) pixelStats(ctx context.Context) (mean, std [3]float64, err error) {
	m := &measuring{plan: p, decoder: stages.Decode{}}
	for _, s := range p.steps {
		if d, ok := s.stage.(stages.Decoder); ok {
			m.decoder = d
		}
	}
	onError := p.settings.Failures
	if onError.Policy != Fail {
		m.limit = int(onError.Max.of(int64(len(p.sampling.selection))))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m.budget = memory.New(ctx, p.settings.Budget, 1)
	defer m.budget.Close()
	begun := time.Now()
	told := p.settings.telling("measuring mean and std", func(at *Progress) {
		at.Rows, at.TotalRows = m.done.Load(), int64(len(p.sampling.selection))
		at.ImagesPerSecond = float64(at.Rows) / max(time.Since(begun).Seconds(), 1e-9)
		if at.Rows > 0 {
			at.ETA = time.Duration(float64(at.TotalRows-at.Rows) / at.ImagesPerSecond * float64(time.Second))
		}
		at.Bottleneck = "reading and decoding"
	})
	var wait sync.WaitGroup
	for range p.settings.Workers {
		wait.Go(func() {
			if err := m.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	told()
	slices.SortFunc(m.failed, func(a, b *RowError) int { return cmp.Compare(a.Position, b.Position) })
	switch {
	case len(m.failed) > m.limit && onError.Policy == Fail:
		return mean, std, unmeasured{m.failed[0]}
	case len(m.failed) > m.limit:
		last := m.failed[max(0, len(m.failed)-lastFailures):]
		return mean, std, &TooManyFailures{Failed: int64(len(m.failed)), Limit: int64(m.limit), Max: onError.Max, Last: last, of: "the pictures to be measured"}
	case ctx.Err() != nil:
		return mean, std, context.Cause(ctx)
	}
	m.warn()
	return m.sums.stats()
}

// unmeasured is a picture's failure without a draw: none has been made.
type unmeasured struct{ *RowError }

func (e unmeasured) Error() string { return fmt.Sprintf("%s: %s (key %q)", e.Stage, e.Cause(), e.Key) }

func (e unmeasured) Unwrap() error { return e.RowError }

// work measures one sample after the other, until none is left or too many failed.
func (m *measuring) work(ctx context.Context) error {
	var sums pixelSums
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.sums.pixels += sums.pixels
		for c := range 3 {
			m.sums.sum[c] += sums.sum[c]
			m.sums.square[c] += sums.square[c]
		}
	}()
	for ctx.Err() == nil {
		i := int(m.next.Add(1)) - 1
		if i >= len(m.plan.sampling.selection) {
			return nil
		}
		sample := m.plan.sampling.selection[i]
		repairs := 0
		err := guard("measuring", func() (err error) {
			repairs, err = m.addPixels(ctx, sample, &sums)
			return err
		})
		m.done.Add(1)
		row := new(RowError)
		switch {
		case err != nil && (ctx.Err() != nil || !errors.As(err, &row)):
			return err
		case err != nil:
			m.mu.Lock()
			row.Position = int64(i)
			m.failed = append(m.failed, row)
			tooMany := len(m.failed) > m.limit
			m.mu.Unlock()
			if tooMany {
				return err
			}
		case repairs > 0:
			m.mu.Lock()
			m.filled = append(m.filled, sample)
			m.mu.Unlock()
		}
	}
	return nil
}

// warn tells of pictures that the figures are without, or that damage has changed.
func (m *measuring) warn() {
	index, n := m.plan.Index(), len(m.plan.sampling.selection)
	if len(m.failed) > 0 {
		m.plan.warn("mean and std were measured without %d of %d pictures, which cannot be decoded, the first of them %s", len(m.failed), n, m.failed[0].Key)
	}
	if len(m.filled) > 0 {
		m.plan.warn("mean and std were measured with %d of %d pictures of damaged files, the first of them %s: what is missing is filled", len(m.filled), n, index.Key(slices.Min(m.filled)))
	}
}

// stats are the mean and the standard deviation of each channel.
func (s *pixelSums) stats() (mean, std [3]float64, err error) {
	if s.pixels == 0 {
		return mean, std, errors.New("no picture can be decoded")
	}
	var constant []string
	n := float64(s.pixels)
	for c := range 3 {
		m := float64(s.sum[c]) / n
		variance := float64(s.square[c])/n - float64(m*m)
		mean[c], std[c] = m/255, math.Sqrt(max(variance, 0))/255
		if std[c] == 0 {
			constant = append(constant, []string{"red", "green", "blue"}[c])
		}
	}
	const remedy = "the standard deviation is 0, and nothing can be divided by it: give mean and std as numbers, such as imagenet"
	switch len(constant) {
	case 0:
		return mean, std, nil
	case 3:
		return mean, std, fmt.Errorf("the pictures are of one colour: %s", remedy)
	case 1:
		return mean, std, fmt.Errorf("the %s channel is constant: %s", constant[0], remedy)
	}
	return mean, std, fmt.Errorf("the %s channels are constant: %s", strings.Join(constant, " and "), remedy)
}

// addPixels decodes a sample's picture; one that cannot be is a RowError, other errors
// are not the picture's fault.
func (m *measuring) addPixels(ctx context.Context, sample int, sums *pixelSums) (repairs int, err error) {
	p := m.plan
	fault := func(stage string, err error) error {
		return &RowError{Stage: stage, Key: p.dataset.Index().Key(sample), Err: err}
	}
	size := max(0, p.Index().Size(sample)) // -1: it is missing
	m.budget.ReadAhead(size)
	data, err := p.rows.fetch(ctx, sample, nil)
	working := int64(0)
	if err == nil {
		working = picture.DecodeBytes(m.decoder, data)
	}
	m.budget.Row(working, size)
	defer m.budget.RowDone(size+working, false)
	if errors.Is(err, sources.ErrMissing) {
		return 0, fault("source", err)
	}
	if err != nil {
		return 0, err
	}
	pic, repairs, err := picture.Decode(ctx, m.decoder, data)
	if err != nil {
		return 0, fault("decode", err)
	}
	sums.pixels += uint64(pic.Height * pic.Width)
	for i, v := range pic.U8 {
		sums.sum[i%3] += uint64(v)
		sums.square[i%3] += uint64(v) * uint64(v)
	}
	return repairs, nil
}
