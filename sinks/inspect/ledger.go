package inspect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/schema"
)

// Exposure is what batches show of one class. A row that they hold in several scales counts once.
type Exposure struct {
	Samples     int64              `json:"samples"`            // of the class, that the plan draws from
	Delivered   int64              `json:"delivered"`          // rows
	Distinct    int64              `json:"distinct"`           // samples among them
	Repeats     int64              `json:"repeats"`            // rows beyond the first of their sample
	Weight      float64            `json:"weight"`             // mean of the rows'
	WeightShare float64            `json:"weight_share"`       // of the sum of all rows' weights
	Strength    map[string]float64 `json:"strength,omitempty"` // mean of the rows, of each stage that has one, where there is a params column
}

// EpochExposure is the exposure in one epoch.
type EpochExposure struct {
	Epochs [2]int                         `json:"epochs"` // it, and the one after
	Ledger map[string]map[string]Exposure `json:"ledger"`
	Images map[string]map[string]Exposure `json:"images,omitempty"`
}

// mostCells is the number of classes times epochs beyond which epochs aren't told apart.
const mostCells = 1 << 14

// ledger counts rows by epoch, task and class.
type ledger struct {
	tasks  []schema.Task // of one label, then those of several, and boxes
	single int           // how many there are of one label
	boxes  bool          // the one behind these is boxes
	row    [][]int32     // the classes of a row in each task; kept from row to row
	epochs map[int]*exposures
	whole  exposures
	cells  int
	stages map[string]bool // that have a strength
}

// exposures are sums.
type exposures struct {
	by     [][]sums // task, class; unknown last; nil of an epoch of too many
	weight float64
	drawn  bits // positions
	seen   bits // samples, by their numbers in the source
}

type sums struct {
	rows, distinct int64
	weight         float64
	strength       map[string]float64
}

// bits is a set of numbers from 0.
type bits []uint64

// mark adds a number, and tells whether it is new.
func (b *bits) mark(n int64) bool {
	const most = 1 << 40 // of a damaged file
	if n < 0 || n > most {
		return true
	}
	for int64(len(*b)) <= n/64 {
		*b = append(*b, make([]uint64, max(64, len(*b)))...)
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}

func (l *ledger) begin(run *schema.Run) {
	l.epochs, l.stages = map[int]*exposures{}, map[string]bool{}
	l.tasks, l.single = slices.Clone(run.Tasks), len(run.Tasks)
	if spec := run.Targets; spec != nil {
		if l.boxes = spec.Objects(); l.boxes {
			l.tasks = append(l.tasks, schema.Task{Name: schema.ColumnBoxes, Classes: spec.Classes})
		}
		l.tasks = append(l.tasks, spec.Multi...)
	}
	for _, t := range l.tasks {
		l.cells += len(t.Classes) + 1
	}
	l.whole = l.none()
	l.row = make([][]int32, len(l.tasks))
}

// none is exposures without a row.
func (l *ledger) none() exposures {
	var x exposures
	for _, t := range l.tasks {
		x.by = append(x.by, make([]sums, len(t.Classes)+1))
	}
	return x
}

// add counts the rows of a batch, whose labels are sound. objects are the labels of each row's objects.
func (l *ledger) add(b *schema.Batch, objects [][]int32) error {
	epoch := l.of(b.Epoch)
	labels := make([][]int32, l.single)
	for t := range labels {
		labels[t] = b.Labels(t)
	}
	params := b.Column(schema.ColumnParams) != nil
	positions, samples, weights := b.Positions(), b.SourceIndexes(), b.Weights()
	for row := range b.Rows() {
		var strength map[string]float64
		if params {
			strength = l.strengths(b.Params(row))
		}
		if !epoch.drawn.mark(positions[row]) { // in another scale
			continue
		}
		for t := range labels {
			c := labels[t][row]
			if c == schema.Unknown {
				c = int32(len(l.tasks[t].Classes))
			}
			l.row[t] = append(l.row[t][:0], c)
		}
		if err := l.several(b, row, objects); err != nil {
			return err
		}
		for _, x := range []*exposures{&l.whole, epoch} {
			fresh := x.seen.mark(samples[row])
			x.weight += float64(weights[row])
			for t := range x.by {
				for _, c := range l.row[t] {
					x.by[t][c].add(float64(weights[row]), strength, fresh)
				}
			}
		}
	}
	return nil
}

// several finds the classes of a row in the tasks of several labels, and of its objects, each once.
func (l *ledger) several(b *schema.Batch, row int, objects [][]int32) error {
	for t := l.single; t < len(l.tasks); t++ {
		task := &l.tasks[t]
		var have []int32
		if t == l.single && l.boxes {
			have = objects[row]
		} else {
			have, _ = b.Multi(task.Name, row)
		}
		l.row[t] = append(l.row[t][:0], have...)
		slices.Sort(l.row[t])
		l.row[t] = slices.Compact(l.row[t])
		for _, c := range l.row[t] {
			if c < 0 || int(c) >= len(task.Classes) {
				return fmt.Errorf("damaged: class %d of %s, which has %d", c, task.Name, len(task.Classes))
			}
		}
	}
	return nil
}

func (s *sums) add(weight float64, strength map[string]float64, fresh bool) {
	s.rows++
	s.weight += weight
	if fresh {
		s.distinct++
	}
	for stage, f := range strength {
		if s.strength == nil {
			s.strength = map[string]float64{}
		}
		s.strength[stage] += f
	}
}

// of is the exposures of an epoch.
func (l *ledger) of(epoch int) *exposures {
	x, ok := l.epochs[epoch]
	if !ok {
		made := l.none()
		x = &made
		l.epochs[epoch] = x
		if l.cells*len(l.epochs) > mostCells {
			for _, x := range l.epochs {
				x.by = nil
			}
		}
	}
	return x
}

// strengths are those in a params column.
func (l *ledger) strengths(params string) map[string]float64 {
	if !strings.Contains(params, `"strength":`) {
		return nil
	}
	var have struct {
		Strength map[string]float64 `json:"strength"`
	}
	if json.Unmarshal([]byte(params), &have) != nil {
		return nil
	}
	for stage := range have.Strength {
		l.stages[stage] = true
	}
	return have.Strength
}

// named is exposures by the names of tasks and classes: of the tasks of one label, and of those of
// several, nil without any.
func (l *ledger) named(r *Report, x *exposures) (one, several map[string]map[string]Exposure) {
	one = map[string]map[string]Exposure{}
	for t, task := range l.tasks {
		out := one
		if t >= l.single {
			if several == nil {
				several = map[string]map[string]Exposure{}
			}
			out = several
		}
		out[task.Name] = map[string]Exposure{}
		for c := range x.by[t] {
			name, s := "", &x.by[t][c]
			if c < len(task.Classes) {
				name = task.Classes[c]
			} else if s.rows == 0 {
				continue
			}
			e := Exposure{Samples: r.Samples[task.Name][name], Delivered: s.rows, Distinct: s.distinct, Repeats: s.rows - s.distinct}
			if n := float64(s.rows); n > 0 {
				e.Weight = s.weight / n
				for stage := range l.stages {
					if e.Strength == nil {
						e.Strength = map[string]float64{}
					}
					e.Strength[stage] = s.strength[stage] / n
				}
			}
			if x.weight > 0 {
				e.WeightShare = s.weight / x.weight
			}
			out[task.Name][name] = e
		}
	}
	return one, several
}

// finish puts the ledger into a report.
func (l *ledger) finish(r *Report) {
	r.Ledger, r.Images = l.named(r, &l.whole)
	if l.cells*len(l.epochs) > mostCells {
		return
	}
	for _, epoch := range slices.Sorted(maps.Keys(l.epochs)) {
		one, several := l.named(r, l.epochs[epoch])
		r.ByEpoch = append(r.ByEpoch, EpochExposure{[2]int{epoch, epoch + 1}, one, several})
	}
}
