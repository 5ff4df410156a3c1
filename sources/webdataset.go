package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// WebDataset is the samples of shards, tars as WebDataset has them: the members a/1.jpg,
// a/1.cls and a/1.seg.png are the sample a/1, whose name is their path up to the first dot
// of its last part. The rest is the member's extension (jpg, cls, seg.png); letter case
// doesn't matter in it.
//
// The key is the shard's file name and the path of the image in it: train-007.tar/a/1.jpg.
// Where shards in different folders have the same name, as much of their paths as tells
// them apart is part of every key.
//
// A task's labels, and a meta column's values, are the text of a member ("cls"), or a value
// in a JSON member ("json:attributes.color", "json:boxes[0].name"). Labels are read when
// the shards are listed, by the rules of every list: spaces around them are dropped, and a
// sample without the member, or with an empty one, has an unknown label.
//
// The members of a sample need not stand together, as they must for webdataset. A member that
// a sample has twice is an error, where it is used. A sample with a label and without an
// image is a missing one (ErrMissing). What is pickled is never read.
type WebDataset struct {
	Shards Shards `sluice:"shards" doc:"the shards: a file, a pattern with braces (train-{000..099}.tar) or wildcards (train-*.tar), or a list of these; .tar, or .tar.gz and .tar.zst, which are unpacked into the cache"`
	// An empty Image stands for all formats that are decoded.
	Image []string `sluice:"image" doc:"the extensions of the image, the best first: a sample's image is its member with the first of these (default: jpg, jpeg, png, and the other formats that are decoded)"`
	// A nil Tasks stands for the tasks of the directory that sluice wrote the shards into,
	// with the names of their classes; elsewhere for the task class of members cls and the
	// tasks color, shape, ... of members color.cls, shape.cls, ..., as the first shard begins
	// with them. An empty one stands for samples without labels.
	Tasks   map[string]string `sluice:"tasks" doc:"where the labels of each task are: the extension of a member (cls), or a path in a JSON member (json:attributes.color) (default: {class: cls}, and {color: color.cls} and the like, of the members that there are)"`
	Classes Classes           `sluice:"classes" doc:"fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map from task to these"`
	Meta    map[string]string `sluice:"meta" doc:"values to be delivered unchanged, as meta.<name>: where they are, as for tasks"`
	Masks   ShardMasks        `sluice:"masks" doc:"masks of class numbers: the extension of the members that they are, such as seg.png, or {member, ignore, values, classes}"`
	// Columns are where the labels are, as in Tasks.
	Multi   Multi        `sluice:"multi" doc:"tasks of several labels: {tags: {column, classes, separator}}, or {tags: column}; a column is a member's extension or a path in a JSON member, as for tasks"`
	Values  ValueColumns `sluice:"values" doc:"values in place of classes, as {age: json:age}, from the same places"`
	Objects Objects      `sluice:"objects" doc:"where the objects are in a JSON member, such as json:objects: this, or {column, bbox, classes, keypoints, mirror}"`
	// An empty Index stands for auto.
	Index ShardIndex `sluice:"index" default:"auto" doc:"index files next to the shards, as DALI's wds2idx writes them (.idx): auto uses those that fit, none uses none"`
}

// ShardIndex says whether index files of shards are used.
type ShardIndex string

// The uses of index files.
const (
	AutoIndex ShardIndex = "auto"
	NoIndex   ShardIndex = "none"
)

// Values lists the uses.
func (ShardIndex) Values() []string { return []string{string(AutoIndex), string(NoIndex)} }

// Name is webdataset.
func (WebDataset) Name() string { return "webdataset" }

// FixesClasses reports whether Classes is given.
func (w WebDataset) FixesClasses() bool { return !w.Classes.isZero() }

// Check looks at the options alone.
func (w WebDataset) Check() error {
	var p problems
	for i, ext := range w.Image {
		switch {
		case ext == "" || strings.Contains(ext, "/"):
			p.addf("image: item %d: %q is not an extension, such as jpg", i+1, ext)
		case strings.HasPrefix(ext, "."):
			p.addf("image: item %d: write %q without its dot", i+1, ext)
		case pickled[lastPart(ext)]:
			p.addf("image: item %d: %s", i+1, refusedPickle(ext))
		case slices.Index(w.Image, ext) < i:
			p.addf("image: item %d: %q is named twice", i+1, ext)
		}
	}
	if w.Index != "" && !slices.Contains(w.Index.Values(), string(w.Index)) {
		p.addf("index: %q is neither auto nor none", w.Index)
	}
	for _, of := range []struct {
		option string
		from   map[string]string
	}{{"tasks", w.Tasks}, {"meta", w.Meta}, {"values", w.Values}, {"multi", w.multiColumns()}, {"objects", w.objectColumn()}} {
		for _, name := range slices.Sorted(maps.Keys(of.from)) {
			if _, err := parseSelector(of.from[name]); err != nil {
				p.addf("%s: %q: %w", of.option, name, err)
			}
		}
	}
	if len(p.list) == 0 && (len(w.wanted().extensions) > mostWanted || len(w.wanted().fields) >= mostWanted) {
		p.addf("image, tasks and meta name more than %d extensions, or as many values", mostWanted)
	}
	var meta Meta
	for _, name := range slices.Sorted(maps.Keys(w.Meta)) {
		meta = append(meta, MetaColumn{Name: name})
	}
	targets := checkLabelNames(w.Multi, w.Values, w.Objects, slices.Sorted(maps.Keys(w.Tasks)), nil)
	images := w.wanted().extensions[:w.wanted().images]
	return errlist.Join(w.Shards.check(), errors.Join(p.list...), checkTasks(slices.Sorted(maps.Keys(w.Tasks))), w.Classes.check(), meta.check(nil), w.Masks.check(images), targets)
}

// mostWanted is the number of extensions that a set of them holds.
const mostWanted = 64

// wanted is what is read of each sample.
type wanted struct {
	tasks, meta []string       // by name
	extensions  []string       // of images, the best first, then of labels and values
	images      int            // how many of these are of images
	slots       map[string]int // by extension, its place in extensions
	fields      []selector     // of the tasks, then of meta
	of          [][]int        // by extension, the fields that it has
	targets     int            // the fields from here on are those of targets
	mask        int            // the place of the masks' extension; -1: none
}

// multiColumns are the columns of Multi.
func (w WebDataset) multiColumns() map[string]string {
	out := map[string]string{}
	for task := range w.Multi {
		out[task] = w.Multi.column(task)
	}
	return out
}

// objectColumn is where the objects are, which is json:objects by default.
func (w WebDataset) objectColumn() map[string]string {
	switch column := w.Objects.column(); {
	case !w.Objects.given():
		return nil
	case column == "objects":
		return map[string]string{"column": "json:objects"}
	default:
		return map[string]string{"column": column}
	}
}

// targets reports whether samples have targets. They are listed at every start, from the
// headers of all members.
func (w WebDataset) targets() bool {
	return w.Masks.given() || len(w.Multi) > 0 || len(w.Values) > 0 || w.Objects.given()
}

func (w WebDataset) wanted() wanted {
	out := wanted{slots: map[string]int{}}
	want := func(ext string) int {
		slot, ok := out.slots[ext]
		if !ok {
			slot = len(out.extensions)
			out.extensions, out.of = append(out.extensions, ext), append(out.of, nil)
			out.slots[ext] = slot
		}
		return slot
	}
	images := w.Image
	if len(images) == 0 {
		images = []string{"jpg", "jpeg", "png"}
		for _, ext := range decode.Extensions() {
			if ext = strings.TrimPrefix(ext, "."); !slices.Contains(images, ext) {
				images = append(images, ext)
			}
		}
	}
	for _, ext := range images {
		want(strings.ToLower(ext))
	}
	out.images = len(out.extensions)
	tasks := w.Tasks
	if tasks == nil {
		tasks = map[string]string{"class": "cls"}
	}
	out.tasks, out.meta = slices.Sorted(maps.Keys(tasks)), slices.Sorted(maps.Keys(w.Meta))
	for i, name := range slices.Concat(out.tasks, out.meta) {
		from := tasks
		if i >= len(out.tasks) {
			from = w.Meta
		}
		field, _ := parseSelector(from[name]) // checked
		slot := want(field.extension)
		out.of[slot] = append(out.of[slot], i)
		out.fields = append(out.fields, field)
	}
	out.targets, out.mask = len(out.fields), -1
	columns := targetColumns{multi: w.Multi, values: w.Values, tasks: slices.Sorted(maps.Keys(w.Multi)), named: slices.Sorted(maps.Keys(w.Values))}
	var places []string
	for i := range columns.len() {
		place, _ := columns.column(i)
		places = append(places, place)
	}
	if column, ok := w.objectColumn()["column"]; ok {
		places = append(places, column)
	}
	for _, place := range places {
		field, _ := parseSelector(place) // checked
		slot := want(field.extension)
		out.of[slot] = append(out.of[slot], len(out.fields))
		out.fields = append(out.fields, field)
	}
	if w.Masks.Member != "" {
		out.mask = want(strings.ToLower(w.Masks.Member))
	}
	return out
}

// Open lists the shards, several at once. They stay open until Close.
func (w WebDataset) Open(ctx context.Context) (_ Dataset, err error) {
	if err := w.Check(); err != nil {
		return nil, errlist.Within("sources: webdataset", err)
	}
	names, err := w.Shards.files(ctx)
	if err != nil {
		return nil, errlist.Within("sources: webdataset", err)
	}
	o := shardOpener{w: w, wanted: w.wanted(), names: names, archives: make([]blob.Object, len(names)), shards: make([]*shard, len(names)), errs: make([]error, len(names))}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(o.archives))
		}
	}()
	o.each(ctx, o.open)
	if err := o.failed(ctx); err != nil {
		return nil, err
	}
	if err := o.findTasks(ctx); err != nil {
		return nil, errlist.Within("sources: webdataset", err)
	}
	o.keeper = o.w.keeper(ctx, o.named)
	if d := o.unchanged(); d != nil {
		return d, nil
	}
	o.each(ctx, o.list)
	if err := o.failed(ctx); err != nil {
		return nil, err
	}
	d, err := o.dataset(ctx)
	if err != nil {
		return nil, errlist.Within("sources: webdataset", err)
	}
	return d, nil
}

// keeper keeps the index of these shards.
func (w WebDataset) keeper(ctx context.Context, named namedTasks) *indexfile.Keeper {
	names, _ := json.Marshal(named) // text
	options := indexOptions{Classes: classesText(w.Classes) + "\x00" + string(names)}
	w.Shards, w.Classes = slices.Clone(w.Shards), Classes{}
	for i, name := range w.Shards {
		if whole, err := filepath.Abs(name); err == nil {
			w.Shards[i] = whole
		}
	}
	options.Source = w
	return indexfile.Begin(ctx, "webdataset", options)
}

func closeAll(archives []blob.Object) error {
	var errs []error
	for _, o := range archives {
		if o != nil {
			errs = append(errs, o.Close())
		}
	}
	return errors.Join(errs...)
}

// shardOpener opens and lists shards.
type shardOpener struct {
	w        WebDataset
	wanted   wanted
	names    []string // in the order of their keys
	archives []blob.Object
	shards   []*shard
	errs     []error // of each shard
	keeper   *indexfile.Keeper
	named    namedTasks // of plan.json
	found    bool       // tasks were found, not given
	remarks  []string
}

// each does something with every shard, several at once.
func (o *shardOpener) each(ctx context.Context, do func(ctx context.Context, i int) error) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(len(o.names), max(2, runtime.GOMAXPROCS(0))) {
		workers.Go(func() {
			for i := range next {
				o.errs[i] = do(ctx, i)
			}
		})
	}
	for i := range o.names {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
}

// failed are the errors of all shards.
func (o *shardOpener) failed(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var p problems
	for i, err := range o.errs {
		for _, err := range errlist.Split(err) {
			if err != nil {
				p.addf("%w", fmt.Errorf("%q: %w", o.names[i], err))
			}
		}
	}
	return p.err("sources: webdataset")
}

func (o *shardOpener) open(ctx context.Context, i int) (err error) {
	o.archives[i], err = openTarObject(ctx, o.names[i])
	if err != nil && gone(err) {
		return errors.New("there is no such shard")
	}
	return err
}

// unitName is a shard in an index that is kept.
func unitName(name string) string {
	if whole, err := filepath.Abs(name); err == nil {
		return whole
	}
	return name
}

// unchanged is the dataset of an index that was kept, if it is of these shards as they are.
func (o *shardOpener) unchanged() Dataset {
	stamps := make(map[string]string, len(o.names))
	for i, name := range o.names {
		stamps[unitName(name)] = blob.Settled(o.archives[i])
	}
	if o.keeper.Units() != len(stamps) || o.w.targets() {
		return nil
	}
	known := o.keeper.Unchanged(func(unit string) string { return stamps[unit] })
	if known == nil {
		return nil
	}
	var indexed []int
	if text := known.Extra()["indexed"]; text != "" && json.Unmarshal([]byte(text), &indexed) != nil {
		return nil
	}
	return o.ranges(knownIndex("sources: webdataset", known, o.keeper), known.Numbers()[0], known.Numbers()[1], indexed)
}

// ranges is the dataset; indexed is that of indexedShards, nil where no shard was listed by
// an index file.
func (o *shardOpener) ranges(shared opened, archive, offsets []int64, indexed []int) Dataset {
	d := ranges{opened: shared, kind: "shard", archives: o.archives, archive: archive, offsets: offsets}
	if indexed == nil {
		return &d
	}
	return &indexedShards{d, indexed}
}

// list lists a shard, unless it is known from before.
func (o *shardOpener) list(ctx context.Context, i int) (err error) {
	if o.w.targets() {
		o.shards[i], err = listShard(ctx, o.archives[i], o.wanted, false)
		return err
	}
	entries, err := o.keeper.Unit(unitName(o.names[i]), blob.Settled(o.archives[i]), func() ([]byte, error) {
		if o.shards[i], err = listShard(ctx, o.archives[i], o.wanted, o.w.Index != NoIndex); err != nil {
			return nil, err
		}
		return o.shards[i].unit()
	})
	if err != nil || o.shards[i] != nil {
		return err
	}
	if o.shards[i] = shardOf(entries, len(o.wanted.fields)); o.shards[i] == nil {
		o.shards[i], err = listShard(ctx, o.archives[i], o.wanted, o.w.Index != NoIndex)
	}
	return err
}

// dataset makes one table of all shards.
func (o *shardOpener) dataset(ctx context.Context) (Dataset, error) {
	samples, notes := 0, newShardNotes()
	for _, s := range o.shards {
		samples += len(s.rows)
		notes.add(&s.notes)
	}
	var t table
	tasks, meta := o.wanted.tasks, o.wanted.meta
	if o.w.Tasks == nil && notes.seen[o.wanted.slots["cls"]] == 0 {
		tasks = nil
	}
	t.keys, t.sizes, t.offsets = make([]string, 0, samples), make([]int64, 0, samples), make([]int64, 0, samples)
	objects := make([]int64, 0, samples)
	for _, name := range tasks {
		t.tasks = append(t.tasks, labels{task: name, cells: make([]int32, 0, samples)})
	}
	for _, name := range meta {
		t.meta = append(t.meta, metaCells{MetaColumn: MetaColumn{Name: name}, texts: make([]string, 0, samples)})
	}
	var masks, maskSizes []int64
	columns, err := newTargetColumns(o.w.Multi, o.w.Values, o.w.Objects)
	if err != nil {
		return nil, err
	}
	var p problems
	t.targets = columns.rows()
	for i, name := range prefixes(o.names) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := o.shards[i]
		for n, key := range s.keys(name + "/") {
			r := s.rows[n]
			t.add(key, r.size)
			t.offsets, objects = append(t.offsets, r.offset), append(objects, int64(i))
			cells := s.cells[n*len(o.wanted.fields):][:len(o.wanted.fields)]
			for k := range tasks {
				t.tasks[k].add(cells[k].text)
			}
			masks, maskSizes = append(masks, r.mask.at), append(maskSizes, r.mask.size)
			t.addTargets(cells[o.wanted.targets:], key, &p)
			for k := range meta {
				t.meta[k].add(len(t.keys), cell{text: cells[len(o.wanted.tasks)+k].text, quoted: cells[len(o.wanted.tasks)+k].quoted})
			}
		}
	}
	if len(t.keys) == 0 {
		return nil, errorf("no sample in %s: looked for members ending in .%s%s", phrase.Count(len(o.names), "shard"), strings.Join(o.wanted.extensions[:o.wanted.images], " ."), notes.text())
	}
	if err := p.err("labels"); err != nil {
		return nil, err
	}
	t.numbers = [][]int64{objects, masks, maskSizes}
	keys := t.keys
	for k := range t.meta {
		t.meta[k].where = func(n int) string { return sprintf("%q", keys[n-1]) }
	}
	t.sort()
	if err := o.absent(notes); err != nil {
		return nil, err
	}
	o.nameClasses(t.tasks)
	index, fixed, err := t.index(o.w.Classes, ofCells)
	if err != nil {
		return nil, err
	}
	index.IgnoredFiles = notes.ignoredCount()
	targets, about := t.targets.finish(index)
	list, err := o.warnings(index, notes)
	if err != nil {
		return nil, err
	}
	list = append(append(list, remarks(index, fixed, ofNamedColumns)...), about...)
	targets, about, err = o.masks(index, targets, t.numbers)
	if err != nil {
		return nil, err
	}
	list = append(list, about...)
	for i, text := range list {
		list[i] = "webdataset: " + text
	}
	shared := newOpened("sources: webdataset", index, list)
	if shared.setTargets(targets); targets != nil {
		return o.ranges(shared, t.numbers[0], t.offsets, nil), nil
	}
	indexed, extra := o.indexed()
	shared.keep(o.keeper, fewMembers, extra, t.numbers[0], t.offsets)
	return o.ranges(shared, t.numbers[0], t.offsets, indexed), nil
}

// addTargets takes the cells of a sample's targets.
func (t *table) addTargets(values []value, key string, p *problems) {
	if t.targets == nil {
		return
	}
	cells := make([]cell, len(values))
	for i, v := range values {
		cells[i] = cell{text: v.text, bad: v.bad, raw: v.raw}
	}
	if err := t.targets.add(cells, func(column string) string { return sprintf("sample %q: %s", key, column) }, key); err != nil {
		p.addf("%w", err)
	}
}

// masks adds the samples' masks to their targets; numbers are where they are.
func (o *shardOpener) masks(x schema.Index, t *sampleTargets, numbers [][]int64) (*sampleTargets, []string, error) {
	if !o.w.Masks.given() {
		return t, nil, nil
	}
	if t == nil {
		t = newSampleTargets()
	}
	places := make([]maskPlace, x.Len())
	for sample := range places {
		places[sample] = maskPlace{at: numbers[1][sample], size: numbers[2][sample]}
	}
	name := func(sample int) string { return stem(x.Key(sample)) + "." + strings.ToLower(o.w.Masks.Member) }
	list, err := finishMasks(o.w.Masks.MaskNumbers, x, places, name, nil, t, "name in masks the extension that they have")
	if err != nil {
		return nil, nil, err
	}
	t.masks.read = func(ctx context.Context, sample int, size int64) ([]byte, error) {
		data := make([]byte, size)
		return data, o.archives[numbers[0][sample]].ReadRange(ctx, data, places[sample].at)
	}
	return t, list, nil
}

// indexed is that of indexedShards, and what is kept of it.
func (o *shardOpener) indexed() (lengths []int, extra map[string]string) {
	if !slices.ContainsFunc(o.shards, func(s *shard) bool { return s.indexed }) {
		return nil, nil
	}
	lengths = make([]int, len(o.shards))
	for i, name := range prefixes(o.names) {
		if o.shards[i].indexed {
			lengths[i] = len(name) + 1
		}
	}
	text, _ := json.Marshal(lengths) // numbers
	return lengths, map[string]string{"indexed": string(text)}
}

// warnings are about members and labels; it is an error if no sample has an image.
func (o *shardOpener) warnings(x schema.Index, notes *shardNotes) (list []string, _ error) {
	list = slices.Concat(list, o.remarks, notes.warnings)
	images := strings.Join(o.wanted.extensions[:o.wanted.images], ", .")
	n, example := missingSamples(x)
	switch {
	case n == x.Len():
		return nil, errorf("no sample has an image (.%s), such as %q%s: a sample's name ends at the first dot; name the extensions in image", images, example, notes.text())
	case n > 0:
		list = append(list, sprintf("%d of %s no image (.%s), such as %q: %s", n, phrase.Count(x.Len(), "sample")+have(x.Len()), images, example, missingMeans))
	}
	for t, task := range x.Tasks() {
		field := o.wanted.fields[t]
		counts := schema.Counts(x, t)
		if unknown := int(counts[len(counts)-1]); unknown == x.Len() {
			list = append(list, sprintf("task %q has no label in any sample: looked for %s", task.Name, field))
		} else if unknown > 0 {
			at := 0
			for x.Label(t, at) != schema.Unknown {
				at++
			}
			list = append(list, sprintf("%d of %d samples have no label of task %q (%s), such as %q", unknown, x.Len(), task.Name, field, x.Key(at)))
		}
		if field.path == nil {
			list = append(list, mixed(task, field)...)
		}
	}
	if o.w.Tasks == nil || o.found {
		var more []string
		for ext := range notes.ignored {
			if _, ok := taskOf(strings.TrimPrefix(ext, ".")); ok {
				more = append(more, ext)
			}
		}
		if slices.Sort(more); len(more) > 0 && len(x.Tasks()) > 0 {
			list = append(list, sprintf("members %s are not used, as the tasks are found by the first members of the first shard: name them in tasks", some(more)))
		}
	}
	if len(x.Tasks()) == 0 && o.w.Tasks == nil {
		list = append(list, "no shard has a member .cls, so the samples have no labels"+notes.text()+": name in tasks where the labels are, as in {class: json:label}; write tasks: {} if there are none")
	}
	return list, nil
}

func have(n int) string {
	if n == 1 {
		return " has"
	}
	return " have"
}

// mixed warns of labels of which some are numbers.
func mixed(task schema.Task, field selector) []string {
	number, text := "", ""
	for _, name := range task.Classes {
		if _, whole := wholeNumber(name); whole {
			number = cmp.Or(number, name)
		} else {
			text = cmp.Or(text, name)
		}
	}
	if number == "" || text == "" {
		return nil
	}
	return []string{sprintf("task %q: some members .%s are numbers, such as %q, and some are not, such as %q: all are names of classes here, and webdataset refuses those that are no numbers", task.Name, field.extension, number, text)}
}

// prefixes are what the keys of each shard begin with: its file name, and as much of the path
// before it as tells the shards apart.
func prefixes(names []string) []string {
	out := make([]string, len(names))
	for parts := 1; ; parts++ {
		seen, twice, whole := map[string]bool{}, false, true
		for i, name := range names {
			out[i] = lastParts(filepath.ToSlash(name), parts)
			twice = twice || seen[out[i]]
			seen[out[i]] = true
			whole = whole && len(out[i]) == len(name)
		}
		if !twice || whole {
			return out
		}
	}
}

// lastParts is the end of a path with slashes.
func lastParts(name string, n int) string {
	at := len(name)
	for range n {
		if at = strings.LastIndexByte(name[:at], '/'); at < 0 {
			return name
		}
	}
	return name[at+1:]
}

// sameFile finds two names of one file.
func sameFile(names []string) (a, b string) {
	type found struct {
		name string
		info os.FileInfo
	}
	bySize := map[int64][]found{}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			continue
		}
		for _, other := range bySize[info.Size()] {
			if os.SameFile(other.info, info) {
				return other.name, name
			}
		}
		bySize[info.Size()] = append(bySize[info.Size()], found{name, info})
	}
	return "", ""
}
