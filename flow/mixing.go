package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// mixing is what a plan does with the rows of a batch among themselves: its Mixers, in order.
type mixing struct {
	mixers        []mixer
	height, width int // of the pictures
	tasks         int
	params        bool // the params column is there
}

// mixer is a Mixer in its place.
type mixer struct {
	stage    stages.Mixer
	name     string
	draws    rng.Key                                                   // of what it draws for rows and batches
	partners rng.Key                                                   // of who is whose partner
	labels   func(task int, own, partner int32, share float64) float64 // of a LabelMixer; else nil
}

// mixedRow is what becomes of a row.
type mixedRow struct {
	params  stages.Params // nil: it isn't mixed
	partner int           // row of the batch
}

// mix mixes the rows of a batch that weren't dropped, in their places.
//
// The rows stand in a random circle, and each is mixed with the next one, as that one was before:
// so each is the partner of one, and no buffer of the batch's size is needed. Circle and draws
// are functions of seed, epoch, the batch's number (the row's position where each has a draw of
// its own) and of which rows there are.
func (m *mixing) mix(draft *schema.Draft, epoch int, number int64, workers int) error {
	rows := draft.Kept()
	if len(m.mixers) == 0 || len(rows) == 0 {
		return nil
	}
	for _, row := range rows {
		draft.Meta(row).Shares = unmixed(draft.Meta(row), m.tasks)
	}
	done := make(map[int]bool, len(rows)) // rows that are mixed already
	for i := range m.mixers {
		x := &m.mixers[i]
		err := guard(x.name, func() error { return m.apply(x, draft, circle(x, rows, epoch, number), done, epoch, number, workers) })
		if err != nil {
			return fmt.Errorf("%w (epoch %d, batch %d)", err, epoch, number)
		}
	}
	return nil
}

// unmixed are the shares of a row as it comes: its class, in each task.
func unmixed(row *schema.Meta, tasks int) [][]schema.ClassShare {
	shares := make([][]schema.ClassShare, tasks)
	for task := range shares {
		if class := row.Labels[task]; class != schema.Unknown {
			shares[task] = []schema.ClassShare{{Class: class, Share: 1}}
		}
	}
	return shares
}

// circle is the rows in random order.
func circle(x *mixer, rows []int, epoch int, number int64) []int {
	rows = slices.Clone(rows)
	rand := x.partners.Stream(epoch, number, 0)
	for i := len(rows) - 1; i > 0; i-- {
		j := rand.IntN(i + 1)
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows
}

// apply lets one mixer act on the rows of a circle.
func (m *mixing) apply(x *mixer, draft *schema.Draft, circle []int, done map[int]bool, epoch int, number int64, workers int) error {
	var shared stages.Params
	if !x.stage.PerRow() {
		shared = x.stage.DrawMix(m.height, m.width, x.draws.Stream(epoch, number, 0))
	}
	mixed := make([]mixedRow, len(circle))
	acts := false
	for i, row := range circle {
		mixed[i] = mixedRow{shared, circle[(i+1)%len(circle)]}
		if x.stage.PerRow() {
			mixed[i].params = x.stage.DrawMix(m.height, m.width, x.draws.Stream(epoch, draft.Meta(row).Position, 0))
		}
		if done[row] || len(circle) == 1 {
			mixed[i].params = nil
		}
		acts = acts || mixed[i].params != nil
	}
	if !acts {
		return nil
	}
	if err := m.describe(x, draft, circle, mixed); err != nil {
		return err
	}
	for i, row := range circle {
		done[row] = done[row] || mixed[i].params != nil
	}
	return mixPictures(x, draft, circle, mixed, workers)
}

// describe changes all of the rows but their pictures.
func (m *mixing) describe(x *mixer, draft *schema.Draft, circle []int, mixed []mixedRow) error {
	before := make(map[int]schema.Meta, len(circle))
	for _, row := range circle {
		before[row] = *draft.Meta(row)
	}
	for i, row := range circle {
		params := mixed[i].params
		if params == nil {
			continue
		}
		share := x.stage.Share(params)
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("stages: %s: Share gave %v: it must be from 0 to 1", x.name, share)
		}
		own, partner, to := before[row], before[mixed[i].partner], draft.Meta(row)
		to.Weight = float32(float64(share*float64(own.Weight)) + float64((1-share)*float64(partner.Weight)))
		to.Shares = make([][]schema.ClassShare, m.tasks)
		for task := range to.Shares {
			if own.Shares[task] == nil || partner.Shares[task] == nil {
				continue // a part of the picture has no label
			}
			of := share
			if x.labels != nil {
				of = x.labels(task, own.Labels[task], partner.Labels[task], share)
			}
			to.Shares[task] = mixShares(own.Shares[task], partner.Shares[task], of)
		}
		if !m.params {
			continue
		}
		var err error
		if to.Params, err = withMix(own.Params, x.name, params, partner.Position); err != nil {
			return fmt.Errorf("stages: %s: %w", x.name, err)
		}
	}
	return nil
}

// mixShares are those of a row of which a share is its own.
func mixShares(own, partner []schema.ClassShare, share float64) (mixed []schema.ClassShare) {
	add := func(list []schema.ClassShare, factor float64) {
		for _, s := range list {
			part := float32(float64(s.Share) * factor)
			at := slices.IndexFunc(mixed, func(m schema.ClassShare) bool { return m.Class == s.Class })
			switch {
			case part == 0:
			case at < 0:
				mixed = append(mixed, schema.ClassShare{Class: s.Class, Share: part})
			default:
				mixed[at].Share = float32(float64(s.Share)*factor + float64(mixed[at].Share))
			}
		}
	}
	add(own, share)
	add(partner, 1-share)
	if len(mixed) == 1 {
		mixed[0].Share = 1 // whatever rounding made of the sum
	}
	return mixed
}

// withMix adds to the params of a row what a mixer drew: {"mixup":{"partner":17,"lambda":0.8}}.
func withMix(row, name string, params stages.Params, partner int64) (string, error) {
	drawn, err := json.Marshal(params)
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(string(drawn), "{")
	if !ok {
		return "", fmt.Errorf("the JSON of its params is %.100s: want an object", drawn)
	}
	if rest != "}" {
		rest = "," + rest
	}
	head, ok := strings.CutSuffix(row, "}")
	if !ok {
		return "", errors.New("the row has no params")
	}
	if head != "{" {
		head += ","
	}
	return fmt.Sprintf(`%s%q:{"partner":%d%s}`, head, name, partner, rest), nil
}

// mixPictures changes the pictures of a circle: each worker those of an arc, in order, for whose
// last row it has a copy of what the next arc begins with.
func mixPictures(x *mixer, draft *schema.Draft, circle []int, mixed []mixedRow, workers int) error {
	workers = min(workers, len(circle))
	first := func(w int) int { return w % workers * len(circle) / workers }
	next := make([]schema.Picture, workers)
	for w := range next {
		p := *draft.Slot(circle[first(w+1)])
		p.U8, p.F32 = slices.Clone(p.U8), slices.Clone(p.F32)
		next[w] = p
	}
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			errs[w] = guard(x.name, func() error {
				end := (w + 1) * len(circle) / workers
				for i := first(w); i < end; i++ {
					partner := &next[w]
					if i+1 < end {
						partner = draft.Slot(mixed[i].partner)
					}
					if mixed[i].params != nil {
						x.stage.Mix(mixed[i].params, draft.Slot(circle[i]), partner)
					}
				}
				return nil
			})
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
