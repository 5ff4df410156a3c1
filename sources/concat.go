package sources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/internal/cachedir"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Concat is several sources as one. The key of a sample is its source's name, a slash,
// and its key there. A split divides by the keys there, so that a sample is on the side
// on which it would be without the other sources, and samples of one key in several of
// them stay together.
//
// Tasks of the same name are one, and classes of the same name are one class; in a
// source without the task the samples have no label of it. Where nothing fixes the
// classes, they are in the order in which all sources have theirs: bytewise; as numbers,
// where every name is a whole number; as class_order: natural has them. Where the
// sources have several orders they are in that of a source that has all of the classes,
// and if there is none that is an error. A further task says which source a sample is
// from; its classes are the sources' names, sorted bytewise.
//
// Weights and what is missing are those of the sources. Further columns of the same name
// are one, and must be of the same type; a sample of a source without it has null there.
type Concat struct {
	Sources map[string]Source // by name; no Concat is among them

	Label   string  `sluice:"label" default:"source" doc:"name of the task that says which source a sample is from; none: there is no such task"`
	Classes Classes `sluice:"classes" doc:"fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map from task to these (default: the order of all sources)"`
}

// Composite is a Source made of others, each of which has a name: Concat. In a pipeline
// file the names stand among its options.
type Composite interface {
	Source
	// Parts are the sources by name.
	Parts() map[string]Source
}

// Name is concat.
func (Concat) Name() string { return "concat" }

// Parts are Sources.
func (c Concat) Parts() map[string]Source { return c.Sources }

// Join adds a source to Sources.
func (c *Concat) Join(name string, part Source) {
	if c.Sources == nil {
		c.Sources = map[string]Source{}
	}
	c.Sources[name] = part
}

// MayBeUniform reports whether all sources may.
func (c Concat) MayBeUniform() bool {
	for _, part := range c.Sources {
		if !MayBeUniform(part) {
			return false
		}
	}
	return true
}

// FixesClasses reports whether Classes is given.
func (c Concat) FixesClasses() bool { return !c.Classes.isZero() }

// noLabel stands for no task that says which source a sample is from.
const noLabel = "none"

func (c Concat) label() string {
	if c.Label == "" {
		return "source"
	}
	return c.Label
}

// partName keeps a name one folder of a key, and apart from the options.
var partName = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.-]*$`)

// names are those of the sources in the order of their keys.
func (c Concat) names() []string {
	return slices.SortedFunc(maps.Keys(c.Sources), func(a, b string) int { return strings.Compare(a+"/", b+"/") })
}

// Check looks at the options and at those of all sources.
func (c Concat) Check() error {
	var errs []error
	if len(c.Sources) == 0 {
		errs = append(errs, errors.New("it has no sources: give each a name, as in {web: {folder: {path: data/web}}, ours: {folder: {path: data/ours}}}"))
	}
	for _, name := range c.names() {
		part := c.Sources[name]
		switch _, composite := part.(Composite); {
		case !partName.MatchString(name) || name == "label" || name == "classes":
			errs = append(errs, errorf("%s: the name %q of a source: want letters, digits, - _ and ., and neither label nor classes, which are options", name, name))
		case part == nil:
			errs = append(errs, errorf("%s: there is no source under this name", name))
		case composite:
			errs = append(errs, errorf("%s: a concat within another: put its sources into the outer one", name))
		default:
			errs = append(errs, errlist.Within(name+": "+part.Name(), part.Check()))
		}
	}
	if c.label() != noLabel {
		if err := checkTasks([]string{c.label()}); err != nil {
			errs = append(errs, errorf("label: %q cannot be the name of a task", c.Label))
		}
	}
	return errlist.Join(append(errs, c.Classes.check())...)
}

// mostOpening is how many sources are listed at a time.
const mostOpening = 8

// Open opens all sources, several at a time.
func (c Concat) Open(ctx context.Context) (_ Dataset, err error) {
	if err := c.Check(); err != nil {
		return nil, errlist.Within("sources: concat", err)
	}
	d := &joined{names: c.names()}
	d.parts = make([]Dataset, len(d.names))
	errs := make([]error, len(d.names))
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	var all sync.WaitGroup
	free := make(chan struct{}, mostOpening)
	told, cache := make([][]Listing, len(d.names)), cachedir.Of(ctx)
	for i, name := range d.names {
		all.Go(func() {
			own := cache
			own.Told = func(l Listing) { told[i] = append(told[i], l) }
			free <- struct{}{}
			d.parts[i], errs[i] = Open(WithCache(ctx, own), c.Sources[name])
			<-free
		})
	}
	all.Wait()
	if cache.Told != nil { // one after the other, in the order of the sources
		for _, l := range slices.Concat(told...) {
			cache.Told(l)
		}
	}
	for i, err := range errs {
		errs[i] = d.within(i, err)
	}
	if err := errlist.Join(errs...); err != nil {
		return nil, err
	}
	index, warnings, err := c.index(ctx, d)
	if err != nil {
		return nil, errlist.Within("sources: concat", err)
	}
	d.index = index
	for i, part := range d.parts {
		if w, ok := part.(Warner); ok {
			for _, text := range w.Warnings() {
				if !index.renumbered || !strings.Contains(text, inTextOrder) {
					d.warnings = append(d.warnings, "concat: "+d.names[i]+": "+text)
				}
			}
		}
	}
	for _, text := range warnings {
		d.warnings = append(d.warnings, "concat: "+text)
	}
	return d, nil
}

// joined is an opened Concat.
type joined struct {
	index    *joinedIndex
	names    []string // in the order of their keys
	parts    []Dataset
	warnings []string
}

func (d *joined) Index() schema.Index { return d.index }
func (d *joined) Warnings() []string  { return d.warnings }

// within names the source in an error.
func (d *joined) within(part int, err error) error {
	list := errlist.Split(err)
	for i, e := range list {
		list[i] = &partError{"sources: concat: " + d.names[part] + ": " + strings.TrimPrefix(e.Error(), "sources: "), e}
	}
	return errors.Join(list...)
}

// partError is an error of one of the sources.
type partError struct {
	text string
	err  error
}

func (e *partError) Error() string { return e.text }
func (e *partError) Unwrap() error { return e.err }

func (d *joined) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	part, at := d.index.place(sample)
	data, err := d.parts[part].Read(ctx, at, buf)
	if err != nil {
		return nil, d.within(part, err)
	}
	return data, nil
}

// Stamp is the source's.
func (d *joined) Stamp(sample int) string {
	part, at := d.index.place(sample)
	if s, ok := d.parts[part].(Stamper); ok {
		return s.Stamp(at)
	}
	return ""
}

// PictureSize is that of all sources, if they have the same.
func (d *joined) PictureSize() (height, width int, ok bool) {
	for i, part := range d.parts {
		h, w, known := SizeOf(part)
		if !known || i > 0 && (h != height || w != width) {
			return 0, 0, false
		}
		height, width = h, w
	}
	return height, width, len(d.parts) > 0
}

// Lend lends what the source lends.
func (d *joined) Lend(ctx context.Context, sample int) (schema.Picture, bool) {
	part, at := d.index.place(sample)
	return lentBy(ctx, d.parts[part], at)
}

// Unchanged is the source's.
func (d *joined) Unchanged(ctx context.Context, sample int) error {
	part, at := d.index.place(sample)
	return d.within(part, unchangedIn(ctx, d.parts[part], at))
}

// Close closes all sources that are open.
func (d *joined) Close() error {
	var errs []error
	for i, part := range d.parts {
		if part != nil {
			errs = append(errs, d.within(i, part.Close()))
		}
	}
	return errlist.Join(errs...)
}

// lacking warns of samples without a label of a task that their source doesn't have.
func lacking(name, task string, samples int) string {
	return fmt.Sprintf("%s has no task %s: %s without a label of it", cut(name), cut(task), phrase.Count(samples, "sample"))
}
