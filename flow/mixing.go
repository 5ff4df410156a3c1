package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/flow/internal/picture"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// mixing is what a plan does with the rows of a batch among themselves: its Mixers, in order.
type mixing struct {
	mixers        []mixer
	height, width int   // of the pictures
	shares        []int // by task, the source's column of its shares; -1: none
	spec          *schema.TargetSpec
	params        bool // the params column is there
}

// mixer is a Mixer in its place.
type mixer struct {
	stage    stages.MixStage
	mixes    stages.Mixer     // the same; nil of a Composer
	composer composer         // of a Composer; else nil
	count    int              // donors that a row needs
	before   int              // donors that a row may have of the mixers before
	more     *picture.Stage   // that donors go through in addition; nil: none
	program  *picture.Program // of donors then; nil: the plan's
	name     string
	epochs   stages.EpochSpan                                          // in which it acts
	draws    rng.Key                                                   // of what it draws for rows and batches
	partners rng.Key                                                   // of who is whose partner
	donors   stages.Order                                              // of a DonorMixer: the sample of a row's donor; else nil
	labels   func(task int, own, partner int32, share float64) float64 // of a LabelMixer; else nil
}

// draw is what is drawn for rows of an epoch: for the row at a position, or for all of a batch.
func (m *mixing) draw(x *mixer, epoch int, number int64) func(position int64) stages.Params {
	draw := func(at int64) stages.Params { return x.stage.DrawMix(m.height, m.width, x.draws.Stream(epoch, at, 0)) }
	switch {
	case !x.epochs.Holds(epoch):
		return func(int64) stages.Params { return nil }
	case x.stage.PerRow():
		return draw
	}
	shared := draw(number)
	return func(int64) stages.Params { return shared }
}

// mostDonors is how many donors a row may want.
func (m *mixing) mostDonors() (most int) {
	for i := range m.mixers {
		most = max(most, m.mixers[i].count)
	}
	return most
}

// donor is one of those of the row at a position, from 0.
func (x *mixer) donor(r *rows, which, epoch int, position int64, labels []int32) row {
	located := r.donor(x.donors, position*int64(x.count)+int64(which), x.before+which+1, epoch, position, labels)
	located.program = x.program
	return located
}

// wanted is a donor that a row of a batch is to be mixed with: the picture of a sample that isn't
// one of the batch's draws.
type wanted struct {
	mixer, row int
	which      int // of the row's
}

// donors lists those of a batch, by the draws alone: for each row those of one mixer at most, since
// it is mixed once.
func (m *mixing) donors(j *job) (list []wanted, err error) {
	if !slices.ContainsFunc(m.mixers, func(x mixer) bool { return x.donors != nil }) {
		return nil, nil
	}
	done := make([]bool, j.rows)
	for i := range m.mixers {
		x := &m.mixers[i]
		err := guard(x.name, func() error {
			draw := m.draw(x, j.epoch, j.pick)
			for row := range j.rows {
				if done[row] || draw(j.first+int64(row)) == nil {
					continue
				}
				done[row] = true
				for which := range x.count {
					list = append(list, wanted{i, row, which})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// pair is a row that is mixed, and what with.
type pair struct {
	row     int
	params  stages.Params // nil: it isn't mixed
	partner int           // row of the batch, or number of the donor
	meta    *schema.Meta  // of the partner, before anything is mixed
}

// mixable is a batch whose rows are made.
type mixable struct {
	draft   *schema.Draft
	donors  *schema.Draft // the pictures that are wanted; nil where none are
	wanted  []wanted
	fates   func(row int) *[]picture.Fate // of a row's objects
	donated func(k int) *[]picture.Fate   // likewise of a donor's
}

// mix mixes the rows of a batch that weren't dropped, in their places.
//
// Without donors the rows stand in a random circle, and each is mixed with the next one, as that
// one was before: so each is the partner of one, and no buffer of the batch's size is needed.
// Circle and draws are functions of seed, epoch, the batch's number (the row's position where each
// has a draw of its own) and of which rows there are.
func (m *mixing) mix(b *mixable, epoch int, number int64, workers int) error {
	draft, donors := b.draft, b.donors
	rows := draft.Kept()
	if len(m.mixers) == 0 || len(rows) == 0 {
		return nil
	}
	for _, row := range rows {
		draft.Meta(row).Shares = unmixed(draft.Meta(row), m.shares)
	}
	there := map[wanted]int{}
	if donors != nil {
		for _, k := range donors.Kept() {
			there[b.wanted[k]] = k
			donors.Meta(k).Shares = unmixed(donors.Meta(k), m.shares)
		}
	}
	done := make(map[int]bool, len(rows)) // rows that are mixed already
	for i := range m.mixers {
		x := &m.mixers[i]
		err := guard(x.name, func() error {
			var pairs []pair
			if draw := m.draw(x, epoch, number); x.donors != nil {
				for _, row := range rows {
					k, ok := there[wanted{i, row, 0}]
					for which := range x.count {
						_, whole := there[wanted{i, row, which}]
						ok = ok && whole
					}
					if ok {
						pairs = append(pairs, pair{row, draw(draft.Meta(row).Position), k, donors.Meta(k)})
					}
				}
			} else {
				pairs = circle(x, rows, epoch, number)
				for k := range pairs {
					if p := &pairs[k]; len(rows) > 1 && !done[p.row] {
						p.params = draw(draft.Meta(p.row).Position)
					}
				}
			}
			return m.apply(x, b, pairs, done, workers)
		})
		if err != nil {
			return fmt.Errorf("%w (epoch %d, batch %d)", err, epoch, number)
		}
	}
	return nil
}

// unmixed are the shares of a row as it comes: its class, in each task, or what the source says
// of a picture that was mixed before, in the column given for each task.
func unmixed(row *schema.Meta, columns []int) [][]schema.ClassShare {
	shares := make([][]schema.ClassShare, len(columns))
	for task, column := range columns {
		if column >= 0 && column < len(row.Values) {
			shares[task], _ = schema.SharesValue(row.Values[column])
		} else if class := row.Labels[task]; class != schema.Unknown {
			shares[task] = []schema.ClassShare{{Class: class, Share: 1}}
		}
	}
	return shares
}

// circle is the rows in random order, each with the next as its partner.
func circle(x *mixer, rows []int, epoch int, number int64) []pair {
	rows = slices.Clone(rows)
	rand := x.partners.Stream(epoch, number, 0)
	for i := len(rows) - 1; i > 0; i-- {
		j := rand.IntN(i + 1)
		rows[i], rows[j] = rows[j], rows[i]
	}
	pairs := make([]pair, len(rows))
	for i, row := range rows {
		pairs[i] = pair{row: row, partner: rows[(i+1)%len(rows)]}
	}
	return pairs
}

// apply lets one mixer act on pairs.
func (m *mixing) apply(x *mixer, b *mixable, pairs []pair, done map[int]bool, workers int) error {
	draft, donors := b.draft, b.donors
	if !slices.ContainsFunc(pairs, func(p pair) bool { return p.params != nil }) {
		return nil
	}
	if x.composer != nil {
		return m.compose(x, b, pairs, done, workers)
	}
	if x.donors == nil {
		before := make(map[int]*schema.Meta, len(pairs))
		for _, p := range pairs {
			meta := *draft.Meta(p.row)
			before[p.row] = &meta
		}
		for i := range pairs {
			pairs[i].meta = before[pairs[i].partner]
		}
	}
	for i := range pairs {
		if pairs[i].params == nil {
			continue
		}
		if err := m.describe(x, draft.Meta(pairs[i].row), &pairs[i]); err != nil {
			return err
		}
		done[pairs[i].row] = true
	}
	if x.donors == nil {
		return mixCircle(x, draft, pairs, workers)
	}
	workers = min(workers, len(pairs))
	return inParallel(x, workers, func(w int) error {
		for i := w; i < len(pairs); i += workers {
			x.mixes.Mix(pairs[i].params, draft.Slot(pairs[i].row), donors.Slot(pairs[i].partner))
		}
		return nil
	})
}

// compose lets a Composer act on rows, all of whose donors are there.
func (m *mixing) compose(x *mixer, b *mixable, pairs []pair, done map[int]bool, workers int) error {
	for _, p := range pairs {
		done[p.row] = true
	}
	workers = min(workers, len(pairs))
	return inParallel(x, workers, func(w int) error {
		for i := w; i < len(pairs); i += workers {
			p := &pairs[i]
			var donors []made
			for k := p.partner; k < p.partner+x.count; k++ {
				donors = append(donors, madeIn(b.donors, k, m.spec, b.donated(k)))
			}
			own := madeIn(b.draft, p.row, m.spec, b.fates(p.row))
			if err := m.composed(x, p.params, own, donors); err != nil {
				return fmt.Errorf("stages: %s: %w", x.name, err)
			}
		}
		return nil
	})
}

// composed lets a Composer act on a row, and its params say so where there are any.
func (m *mixing) composed(x *mixer, params stages.Params, own made, donors []made) error {
	text, err := x.composer(params, own, donors)
	if err != nil || !m.params {
		return err
	}
	with, err := donorsText(donors)
	if text != "" {
		with += "," + text
	}
	if err == nil {
		own.meta.Params, err = withMix(own.meta.Params, x.name, params, with)
	}
	return err
}

// describe changes all of a row but its picture.
func (m *mixing) describe(x *mixer, row *schema.Meta, p *pair) error {
	share := x.mixes.Share(p.params)
	if !(share >= 0 && share <= 1) {
		return fmt.Errorf("stages: %s: Share gave %v: it must be from 0 to 1", x.name, share)
	}
	row.Weight = float32(float64(share*float64(row.Weight)) + float64((1-share)*float64(p.meta.Weight)))
	own := row.Shares
	row.Shares = make([][]schema.ClassShare, len(m.shares))
	for task := range row.Shares {
		if own[task] == nil || p.meta.Shares[task] == nil {
			continue // a part of the picture has no label
		}
		of := share
		if x.labels != nil {
			of = x.labels(task, row.Labels[task], p.meta.Labels[task], share)
		}
		row.Shares[task] = mixShares(own[task], p.meta.Shares[task], of)
	}
	if !m.params {
		return nil
	}
	with := fmt.Sprintf(`"partner":%d`, p.meta.Position)
	if x.donors != nil {
		var err error
		if with, err = donorText(p.meta); err != nil {
			return err
		}
	}
	var err error
	if row.Params, err = withMix(row.Params, x.name, p.params, with); err != nil {
		return fmt.Errorf("stages: %s: %w", x.name, err)
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
func withMix(row, name string, params stages.Params, with string) (string, error) {
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
	return fmt.Sprintf("%s%q:{%s%s}", head, name, with, rest), nil
}

// mixCircle changes the pictures of a circle: each worker those of an arc, in order, for whose
// last row it has a copy of what the next arc begins with.
func mixCircle(x *mixer, draft *schema.Draft, circle []pair, workers int) error {
	workers = min(workers, len(circle))
	first := func(w int) int { return w * len(circle) / workers }
	next := make([]schema.Picture, workers)
	for w := range next {
		p := *draft.Slot(circle[first((w+1)%workers)].row)
		p.U8, p.F32 = slices.Clone(p.U8), slices.Clone(p.F32)
		next[w] = p
	}
	return inParallel(x, workers, func(w int) error {
		for i := first(w); i < first(w+1); i++ {
			partner := &next[w]
			if i+1 < first(w+1) {
				partner = draft.Slot(circle[i].partner)
			}
			if circle[i].params != nil {
				x.mixes.Mix(circle[i].params, draft.Slot(circle[i].row), partner)
			}
		}
		return nil
	})
}

// inParallel is a mixer's work in so many parts.
func inParallel(x *mixer, workers int, do func(w int) error) error {
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			errs[w] = guard(x.name, func() error { return do(w) })
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
