package sources

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Side is one side of a split.
type Side string

// The sides of a split.
const (
	Train Side = "train"
	Val   Side = "val"
)

// Values lists the sides.
func (Side) Values() []string { return []string{string(Train), string(Val)} }

// Split is one side of another source. The two sides of a Split have no sample in
// common and together are the whole; each keeps the classes of the whole, so that
// class numbers agree.
//
// A sample's group is its key or, with Group, the captures of that regular
// expression in the key (joined by a NUL byte; without captures, what it matched).
// In a Concat the key is that in its source. Groups are never divided. A group's hash is the first 8 bytes, big-endian, of the
// SHA-256 of its text; the group goes to val if hash < Val * 2^64. So adding samples
// moves none.
//
// With Stratify, val takes the groups with the lowest hashes of each class, until
// another one would bring its number of samples further from Val times the class's
// (exact to half a group; adding samples may move some). The class is that of the
// task, or of all tasks together (the joint label); unknown labels are a class of
// their own. A group with several classes counts as a whole for the one that most of
// its samples have; of a tie, the one whose first key is lowest.
//
// Warnings name classes of which one side has no sample; a side without any sample is
// an error.
type Split struct {
	Source Source

	Val      float64 `sluice:"val" doc:"share of the samples that goes to val, above 0 and below 1"`
	Use      Side    `sluice:"use" default:"train" doc:"the side to take"`
	Stratify bool    `sluice:"stratify" doc:"take the share of each class, exact to one group"`
	Task     string  `sluice:"task" doc:"the task to stratify on (default: all tasks together)"`
	Group    string  `sluice:"group" doc:"regular expression on keys: samples with the same captures stay on one side"`
}

// Side is the side that is taken; train by default.
func (s Split) Side() Side {
	if s.Use == "" {
		return Train
	}
	return s.Use
}

// Unwrap is the source that is split.
func (s Split) Unwrap() Source { return s.Source }

// Summary is the options.
func (s Split) Summary() string { return "split " + options.Line(s) }

// Name is split.
func (Split) Name() string { return "split" }

// Check looks at the options of the split and of its source.
func (s Split) Check() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, errorf(format, args...)) }
	if s.Source == nil {
		add("the source to split is missing")
	} else if err := s.Source.Check(); err != nil {
		errs = append(errs, errlist.Within(s.Source.Name(), err))
	}
	if math.IsNaN(s.Val) || s.Val <= 0 || s.Val >= 1 {
		add("val: %v is not a share of the samples: give a number between 0 and 1, such as 0.1", s.Val)
	}
	if s.Use != "" && !slices.Contains(s.Use.Values(), string(s.Use)) {
		add("use: %q is neither train nor val", s.Use)
	}
	if s.Task != "" && !s.Stratify {
		add("task: %q has no effect without stratify: true", s.Task)
	}
	if _, err := regexp.Compile(s.Group); err != nil {
		add("group: %q is not a regular expression: %w", s.Group, err)
	}
	return errlist.Join(errs...)
}

// Open opens the source and takes one side of it.
func (s Split) Open(ctx context.Context) (_ Dataset, err error) {
	if err := s.Check(); err != nil {
		return nil, errlist.Within("sources: split", err)
	}
	whole, err := Open(ctx, s.Source)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(errlist.Within("sources: split", err), whole.Close())
		}
	}()
	x := whole.Index()
	groups, err := s.groups(x)
	if err != nil {
		return nil, err
	}
	inVal := make([]bool, x.Len())
	if s.Stratify {
		if err := s.stratify(x, groups, inVal); err != nil {
			return nil, err
		}
	} else {
		s.threshold(groups, inVal)
	}
	var sides [2][]int // train, val
	for sample, val := range inVal {
		side := 0
		if val {
			side = 1
		}
		sides[side] = append(sides[side], sample)
	}
	for side, part := range []Side{Train, Val} {
		if len(sides[side]) == 0 {
			return nil, fmt.Errorf("val: a share of %v leaves %s without a sample (%s in %s): give another share, or more data",
				s.Val, part, phrase.Count(x.Len(), "sample"), phrase.Count(len(groups), "group"))
		}
	}
	d := &side{whole: whole, samples: sides[0]}
	if s.Use == Val {
		d.samples = sides[1]
	}
	d.index = schema.Select(x, d.samples)
	if w, ok := whole.(Warner); ok {
		d.warnings = append(d.warnings, w.Warnings()...)
	}
	d.warnings = append(d.warnings, s.warnings(x, inVal)...)
	return d, nil
}

// side is an opened split.
type side struct {
	whole    Dataset
	samples  []int // numbers in whole
	index    schema.Index
	warnings []string
}

func (d *side) Index() schema.Index { return d.index }
func (d *side) Warnings() []string  { return d.warnings }
func (d *side) Close() error        { return d.whole.Close() }

func (d *side) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	return d.whole.Read(ctx, d.samples[sample], buf)
}

// Targets are the whole source's.
func (d *side) Targets(ctx context.Context, sample int, t *schema.Targets) error {
	return readTargets(ctx, d.whole, d.samples[sample], t)
}

// TargetBytes is the whole source's.
func (d *side) TargetBytes(sample int) int64 { return targetBytes(d.whole, d.samples[sample]) }

// PictureSize is the whole source's.
func (d *side) PictureSize() (height, width int, ok bool) { return SizeOf(d.whole) }

// Lend lends what the whole source does.
func (d *side) Lend(ctx context.Context, sample int) (schema.Picture, bool) {
	return lentBy(ctx, d.whole, d.samples[sample])
}

// Unchanged is the whole source's.
func (d *side) Unchanged(ctx context.Context, sample int) error {
	return unchangedIn(ctx, d.whole, d.samples[sample])
}

// Stamp is the whole source's.
func (d *side) Stamp(sample int) string {
	if whole, ok := d.whole.(Stamper); ok {
		return whole.Stamp(d.samples[sample])
	}
	return ""
}

// group is samples that stay together on one side.
type group struct {
	name    string
	hash    uint64
	samples []int
}

// groups are in the order of their first samples.
func (s Split) groups(x schema.Index) ([]group, error) {
	of := func(key string) (string, bool) { return key, true }
	if s.Group != "" {
		of = captures(regexp.MustCompile(s.Group)) // Check has seen it
	}
	numbers := map[string]int{}
	var list []group
	var strangers []string
	for sample := range x.Len() {
		key := schema.GroupKey(x, sample)
		name, ok := of(key)
		if !ok {
			strangers = append(strangers, key)
			continue
		}
		n, ok := numbers[name]
		if !ok {
			n = len(list)
			numbers[name] = n
			list = append(list, group{name: name, hash: groupHash(name)})
		}
		list[n].samples = append(list[n].samples, sample)
	}
	if len(strangers) > 0 {
		return nil, errorf("group: %q matches %d of %s, but not %s: write an expression that matches every key",
			s.Group, x.Len()-len(strangers), phrase.Count(x.Len(), "key"), some(strangers))
	}
	return list, nil
}

// captures names a key's group by the captures of an expression.
func captures(re *regexp.Regexp) func(key string) (string, bool) {
	return func(key string) (string, bool) {
		m := re.FindStringSubmatch(key)
		switch {
		case m == nil:
			return "", false
		case len(m) == 1:
			return m[0], true
		}
		return strings.Join(m[1:], "\x00"), true
	}
}

func groupHash(name string) uint64 {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint64(sum[:8])
}

// threshold assigns each group by its own hash.
func (s Split) threshold(groups []group, inVal []bool) {
	limit := uint64(math.Ldexp(s.Val, 64)) // exact, and below 2^64 as Val < 1
	for _, g := range groups {
		for _, sample := range g.samples {
			inVal[sample] = g.hash < limit
		}
	}
}

// stratify assigns the lowest hashes of each class to val.
func (s Split) stratify(x schema.Index, groups []group, inVal []bool) error {
	tasks, err := s.strataTasks(x)
	if err != nil {
		return err
	}
	byClass := map[string][]group{}
	total := map[string]int{}
	for _, g := range groups {
		class := majority(x, tasks, g.samples)
		byClass[class] = append(byClass[class], g)
		total[class] += len(g.samples)
	}
	for class, list := range byClass {
		slices.SortFunc(list, func(a, b group) int {
			return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name))
		})
		// The sum makes up for a product that misses a half by its last bit.
		wanted := float64(s.Val*float64(total[class])) + 1e-9
		taken := 0
		for _, g := range list {
			if float64(taken)+float64(len(g.samples))/2 > wanted {
				break
			}
			taken += len(g.samples)
			for _, sample := range g.samples {
				inVal[sample] = true
			}
		}
	}
	return nil
}

// strataTasks are the numbers of the tasks whose labels make the classes.
func (s Split) strataTasks(x schema.Index) ([]int, error) {
	all := make([]int, len(x.Tasks()))
	names := make([]string, len(x.Tasks()))
	for t, task := range x.Tasks() {
		all[t], names[t] = t, task.Name
	}
	if len(all) == 0 {
		return nil, errors.New("stratify: the samples have no labels: leave it out")
	}
	if s.Task == "" {
		return all, nil
	}
	t, ok := schema.TaskNumber(x.Tasks(), s.Task)
	if !ok {
		return nil, errorf("task: there is no task %q, only %s", s.Task, some(names))
	}
	return []int{t}, nil
}

// majority is the class that most samples have; of a tie, that of the first sample.
func majority(x schema.Index, tasks, samples []int) string {
	counts := map[string]int{}
	var classes []string
	for _, sample := range samples {
		class := joint(x, tasks, sample)
		if counts[class]++; counts[class] == 1 {
			classes = append(classes, class)
		}
	}
	best := classes[0]
	for _, class := range classes[1:] {
		if counts[class] > counts[best] {
			best = class
		}
	}
	return best
}

// joint is a sample's class in the given tasks together, as text.
func joint(x schema.Index, tasks []int, sample int) string {
	names := make([]string, len(tasks))
	for i, t := range tasks {
		names[i] = "unknown"
		if label := x.Label(t, sample); label != schema.Unknown {
			names[i] = strconv.Quote(x.Tasks()[t].Classes[label]) // quotes keep names apart
		}
	}
	return strings.Join(names, " with ")
}
