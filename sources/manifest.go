package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// Manifest is the images that a CSV or TSV file with a header row, or a JSONL file,
// lists: a column of paths, any number of label columns, and optionally a column of
// weights.
//
//	path,shape,type
//	img/1.jpg,circle,stop
//	img/2.jpg,triangle,
//
// Paths are relative to the manifest's folder and written with slashes. A sample's
// key is its path, cleaned ("./a.jpg" is "a.jpg"); each path may occur once. Samples
// are in the order of their keys, whatever the order of the rows, so that moving a
// row changes nothing. A file whose name is in another Unicode normal form is found;
// the key is what the list has. A file that doesn't exist is a missing sample
// (ErrMissing), with a warning; if no file exists, that is an error.
//
// Labels are read the same way in every format: spaces around them are dropped, and
// an empty cell, null, or an absent field is an unknown label. Classes are sorted
// bytewise; where all cells of a column are whole numbers they are sorted as numbers,
// and 1, 1.0 and +1 are one class. JSON numbers, true and false are the text that is
// written there. An empty weight is 1.
//
// Meta names columns that mean nothing to sluice. They are delivered unchanged as the
// columns meta.<name>, null where a cell is empty.
type Manifest struct {
	Path       string `sluice:"path" doc:"the list: .csv, .tsv, .jsonl or .ndjson"`
	PathColumn string `sluice:"path_column" default:"path" doc:"the column that holds each image's path, relative to the list's folder"`
	// An empty Tasks stands for every column but those of path, weight and Meta.
	Tasks []string `sluice:"tasks" doc:"the label columns (default: every column but those of path, weight and meta)"`
	// An empty WeightColumn stands for the column weight, if there is one and it isn't in Tasks.
	WeightColumn string       `sluice:"weight_column" doc:"the column of each sample's weight, a number of at least 0 (default: weight, if there is such a column)"`
	Classes      Classes      `sluice:"classes" doc:"fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map from task to these"`
	Meta         Meta         `sluice:"meta" doc:"columns to be delivered unchanged, as meta.<name>, text or numbers: a list of names, or of {name: text | int | float} where the type does not follow from the cells"`
	Masks        Masks        `sluice:"masks" doc:"masks of class numbers beside the images: where each is, relative to the list's folder, such as masks/{stem}.png, or {path, ignore, values, classes}"`
	Multi        Multi        `sluice:"multi" doc:"tasks of several labels: {tags: {column, classes, separator}}, or {tags: column}"`
	Values       ValueColumns `sluice:"values" doc:"values in place of classes: a list of columns, or {name: column}"`
	Objects      Objects      `sluice:"objects" doc:"a column of objects, as in Hugging Face's metadata.jsonl: the column, or {column, bbox, classes, keypoints, mirror}"`
	// Limits, so that a broken list costs neither memory nor time; 0 is the default.
	MaxLine    int `sluice:"max_line,positive" default:"1048576" doc:"most bytes of a row"`
	MaxCell    int `sluice:"max_cell,positive" default:"65536" doc:"most bytes of a path, a label or a weight"`
	MaxColumns int `sluice:"max_columns,positive" default:"1000" doc:"most columns of the list"`
}

// Name is manifest.
func (Manifest) Name() string { return "manifest" }

// Check looks at the options alone.
func (m Manifest) Check() error {
	var p problems
	switch {
	case m.Path == "":
		p.addf("path: is missing: give a .csv, .tsv, .jsonl or .ndjson file")
	case options.IsURL(m.Path):
		p.addf("path: %q is a URL: download it first, and give the path of the file", m.Path)
	case !slices.Contains([]string{".csv", ".tsv", ".jsonl", ".ndjson"}, extension(m.Path)):
		p.addf("path: %q: the name must end in .csv, .tsv, .jsonl or .ndjson, which says how to read it", m.Path)
	}
	if slices.Contains(m.Tasks, m.pathColumn()) {
		p.addf("tasks: %q is the path column, and cannot be a label column", m.pathColumn())
	}
	if m.WeightColumn != "" && (slices.Contains(m.Tasks, m.WeightColumn) || m.WeightColumn == m.pathColumn()) {
		p.addf("weight_column: %q is used as another column, too", m.WeightColumn)
	}
	for _, limit := range []struct {
		name  string
		value int
	}{{"max_line", m.MaxLine}, {"max_cell", m.MaxCell}, {"max_columns", m.MaxColumns}} {
		if limit.value < 0 {
			p.addf("%s: %d is negative", limit.name, limit.value)
		}
	}
	taken := map[string]string{m.pathColumn(): "the paths"}
	if m.WeightColumn != "" {
		taken[m.WeightColumn] = "the weights"
	}
	for _, task := range m.Tasks {
		taken[task] = "a task's labels"
	}
	meta := m.Meta.check(taken)
	for _, c := range m.Meta {
		taken[c.Name] = "meta"
	}
	return errlist.Join(errors.Join(p.list...), checkTasks(m.Tasks), m.Classes.check(), meta, m.Masks.check(false), checkLabelNames(m.Multi, m.Values, m.Objects, m.Tasks, taken))
}

func (m Manifest) pathColumn() string {
	if m.PathColumn == "" {
		return "path"
	}
	return m.PathColumn
}

func (m Manifest) limits() limits {
	return limits{line: cmp.Or(m.MaxLine, 1<<20), cell: cmp.Or(m.MaxCell, 1<<16), columns: cmp.Or(m.MaxColumns, 1000)}
}

// Open reads the list, and looks up the size of each image.
func (m Manifest) Open(ctx context.Context) (Dataset, error) {
	if err := m.Check(); err != nil {
		return nil, errlist.Within("sources: manifest", err)
	}
	m.Path = onDisk(m.Path)
	prefix := fmt.Sprintf("sources: manifest: %q", m.Path)
	k := m.keeper(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var d *files
	sameFiles := func(known *indexfile.File) bool {
		d = knownFiles("sources: manifest", filepath.Dir(m.Path), known, k)
		return !d.rewritten(ctx, func(key string) string { return filepath.Dir(d.file(key)) })
	}
	of, err := newTargetColumns(m.Multi, m.Values, m.Objects)
	if err != nil {
		return nil, errlist.Within(prefix, err)
	}
	if of == nil {
		if known := k.Unchanged(indexfile.StampOf, sameFiles); known != nil {
			return m.withTargets(ctx, d, nil)
		}
	}
	l := newList(m)
	l.targets = of.rows()
	l.find.seen = newSeen(k)
	stamp := indexfile.StampOf(m.Path)
	if err := m.read(ctx, l); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		l.problems.list = append(l.problems.list, err)
	}
	l.finish()
	if err := l.problems.err(prefix); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	index, fixed, err := l.index(m.Classes, ofCells)
	if err != nil {
		return nil, errlist.Within(prefix, err)
	}
	targets, about := l.targets.finish(index)
	list := slices.Concat(l.warnings, m.warnings(index), about)
	from := ofColumns
	if len(m.Tasks) > 0 {
		from = ofNamedColumns
	}
	list = append(list, remarks(index, fixed, from)...)
	for i, text := range list {
		list[i] = fmt.Sprintf("manifest: %q: %s", m.Path, text)
	}
	d = newFiles(newOpened("sources: manifest", index, list), filepath.Dir(m.Path), l.times, l.find.found)
	k.Listed(m.Path, stamp, nil)
	l.find.seen.keep()
	if of == nil {
		d.keep(k, fewFiles, d.foundText(), d.written, d.changed)
	}
	return m.withTargets(ctx, d, targets)
}

// withTargets is a dataset with targets of its list, nil for none, and with its masks.
func (m Manifest) withTargets(ctx context.Context, d *files, t *sampleTargets) (Dataset, error) {
	if m.Masks.given() {
		if t == nil {
			t = newSampleTargets()
		}
		finder := m.Masks.finder()
		list, err := finder.beside(ctx, d, t)
		if err != nil {
			return nil, errlist.Within(fmt.Sprintf("sources: manifest: %q", m.Path), err)
		}
		for _, text := range list {
			d.warnings = append(slices.Clip(d.warnings), fmt.Sprintf("manifest: %q: %s", m.Path, text))
		}
	}
	d.setTargets(t)
	return d, nil
}

// keeper has what was listed of this list before.
func (m Manifest) keeper(ctx context.Context) *indexfile.Keeper {
	if absolute, err := filepath.Abs(m.Path); err == nil {
		m.Path = absolute
	}
	return indexfile.Begin(ctx, "manifest", indexOptions{m, classesText(m.Classes)})
}

func (m Manifest) read(ctx context.Context, l *list) error {
	f, err := openRegular(m.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	switch extension(m.Path) {
	case ".csv":
		return readCSV(ctx, f, ',', m.limits(), l, &l.problems)
	case ".tsv":
		return readCSV(ctx, f, '\t', m.limits(), l, &l.problems)
	}
	return readJSONL(ctx, f, m.limits(), l, &l.problems)
}

// openRegular opens a file that is read from beginning to end. A pipe would block,
// and be empty the second time.
func openRegular(name string) (*os.File, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file")
	case err != nil:
		return nil, fmt.Errorf("cannot read: %w", cause(err))
	case info.IsDir():
		return nil, errors.New("is a folder")
	case !info.Mode().IsRegular():
		return nil, errors.New("is a pipe or a device: want a regular file, which can be read again")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read: %w", cause(err))
	}
	return f, nil
}

// warnings are about columns without labels, and about paths.
func (m Manifest) warnings(x schema.Index) (list []string) {
	for t, task := range x.Tasks() {
		if counts := schema.Counts(x, t); counts[len(counts)-1] == int64(x.Len()) {
			list = append(list, sprintf("column %q has no label in any row", task.Name))
		}
	}
	for c, column := range x.Columns() {
		if !strings.HasPrefix(column.Name, schema.ColumnMeta) {
			continue
		}
		sample := 0
		for sample < x.Len() && x.Value(c, sample) == nil {
			sample++
		}
		if sample == x.Len() {
			list = append(list, sprintf("column %q of meta holds no value in any row", strings.TrimPrefix(column.Name, schema.ColumnMeta)))
		}
	}
	for i := range x.Len() {
		if path.IsAbs(x.Key(i)) {
			list = append(list, sprintf("paths are absolute, such as %q: keys, and so the plan hash and every split, hold on this machine only", x.Key(i)))
			break
		}
	}
	return list
}
