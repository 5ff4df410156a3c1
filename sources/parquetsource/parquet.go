// Package parquetsource reads images from Parquet files: as Hugging Face's datasets,
// pandas, Polars, DuckDB and sluice write them.
package parquetsource

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/parquet"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// Parquet is the rows of Parquet files: a column of encoded images, any number of label
// columns, and optionally a column of weights.
//
// The image column holds bytes, or Hugging Face's structure of bytes and path. A row whose
// bytes are null is a missing sample (sources.ErrMissing), with a warning, also where path
// names a file: nothing outside the Parquet files is read.
//
// A sample's key is the name of its file and its row in it, counted from 0:
// train.parquet#0017. Where several files have the same name, their keys begin with as much
// of the path as tells them apart. Files are listed once, and a file that changes afterwards
// is an error.
//
// Labels are texts, whole numbers or booleans; null is an unknown label, and so is -1 in a
// column that Hugging Face's features make a ClassLabel. The names and numbers of classes
// are then those of the features, and those of sluice's own files are what sluice.tasks
// says. Classes of other columns are sorted as in a manifest.
//
// Files are listed by walking over the pages of the image column. Pages that aren't
// compressed are passed over, and each image is then read by itself; of pages compressed by
// Snappy only the part that holds the image is unpacked, and others are unpacked as a whole.
type Parquet struct {
	Files        Files                `sluice:"files" doc:"the Parquet files: a path or a pattern, such as data/train-*.parquet, or a list of these"`
	Image        string               `sluice:"image" doc:"the column of images: bytes, or a structure of bytes and path (default: the only such column)"`
	Tasks        []string             `sluice:"tasks" doc:"the label columns (default: those that are class labels by the files' metadata)"`
	WeightColumn string               `sluice:"weight_column" doc:"the column of each sample's weight, a number of at least 0 (default: weight, if there is such a column of numbers)"`
	Classes      sources.Classes      `sluice:"classes" doc:"fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map from task to these"`
	Meta         sources.Meta         `sluice:"meta" doc:"columns to be delivered unchanged, as meta.<name>: a list of names, or of {name: text | int | float} for another type than the column's"`
	Multi        sources.Multi        `sluice:"multi" doc:"tasks of several labels, from columns of lists or texts: {tags: {column, classes, separator}}, or {tags: column}"`
	Values       sources.ValueColumns `sluice:"values" doc:"values in place of classes: a list of columns, or {name: column}"`
	Objects      sources.Objects      `sluice:"objects" doc:"the column of objects, such as objects: this, or {column, bbox, classes, keypoints, mirror}"`
}

// Files is paths and patterns (path/filepath.Match). In pipeline files: one, or a list.
type Files []string

// SetOption reads one or a list.
func (f *Files) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make(Files, len(list))
	for i, item := range list {
		text, ok := item.(string)
		if !ok {
			return fmt.Errorf("want a path, a pattern or a list of these, have %s", options.Have(v))
		}
		out[i] = text
	}
	*f = out
	return nil
}

// OptionSchema describes the file form.
func (Files) OptionSchema() map[string]any {
	one := map[string]any{"type": "string", "minLength": 1}
	return map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "minItems": 1, "items": one}}}
}

// MarshalJSON writes the form that SetOption reads.
func (f Files) MarshalJSON() ([]byte, error) {
	if len(f) == 1 {
		return json.Marshal(f[0])
	}
	return json.Marshal([]string(f))
}

// RelativeTo makes relative paths relative to a folder.
func (f *Files) RelativeTo(folder string) {
	for i, name := range *f {
		if name != "" && !filepath.IsAbs(name) && !options.IsURL(name) {
			(*f)[i] = filepath.Join(folder, name)
		}
	}
}

// Name is parquet.
func (Parquet) Name() string { return "parquet" }

// FixesClasses reports whether Classes is given.
func (p Parquet) FixesClasses() bool {
	return p.Classes.List != nil || p.Classes.File != "" || p.Classes.ByTask != nil
}

// Check looks at the options alone.
func (p Parquet) Check() error {
	var errs []error
	if len(p.Files) == 0 {
		errs = append(errs, errors.New("files: is missing: give the path of a Parquet file, a pattern or a list of these"))
	}
	for i, name := range p.Files {
		_, err := filepath.Match(name, "")
		switch {
		case name == "":
			errs = append(errs, fmt.Errorf("files: item %d is empty", i+1))
		case options.IsURL(name):
			errs = append(errs, fmt.Errorf("files: %q is a URL: download it first, and give the path of the file", name))
		case err != nil:
			errs = append(errs, fmt.Errorf("files: %q is not a pattern: %w", name, err))
		}
	}
	taken := map[string]string{}
	if p.WeightColumn != "" {
		taken[p.WeightColumn] = "the weights"
	}
	if p.Image != "" {
		if taken[p.Image] != "" {
			errs = append(errs, fmt.Errorf("weight_column: %q is already the column of the images", p.Image))
		}
		taken[p.Image] = "the images"
	}
	return errlist.Join(errors.Join(errs...), sources.CheckOptions(p.Tasks, p.Classes, p.Meta, taken), sources.CheckTargetOptions(p.Multi, p.Values, p.Objects, p.Tasks, p.Meta, taken))
}

// targets reports whether columns of targets are asked for.
func (p Parquet) targets() bool {
	list, err := sources.TargetColumns(p.Multi, p.Values, p.Objects)
	return err != nil || len(list) > 0
}

const prefix = "sources: parquet"

// Open lists the files, which stay open until Close.
func (p Parquet) Open(ctx context.Context) (_ sources.Dataset, err error) {
	if err := p.Check(); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	d := &dataset{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
			if ctx.Err() != nil {
				err = ctx.Err()
			}
		}
	}()
	names, err := p.names(ctx)
	if err != nil {
		return nil, errlist.Within(prefix, err)
	}
	k := p.keeper(ctx)
	if !p.targets() {
		if ok, err := d.known(ctx, k, names); ok || err != nil {
			return d, err
		}
	}
	list := make([]*file, len(names))
	for i, name := range names {
		if list[i], err = p.open(ctx, d, name); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", prefix, name, err)
		}
	}
	if err := p.list(ctx, k, list); err != nil {
		return nil, fmt.Errorf("%s: %w", prefix, err)
	}
	if err := p.index(d, list); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	if !p.targets() {
		d.keep(k, list)
	}
	return d, ctx.Err()
}

// names are the files, in the order in which they are listed.
func (p Parquet) names(ctx context.Context) (names []string, err error) {
	from := map[string]string{}
	for _, pattern := range p.Files {
		found := []string{pattern}
		info, statErr := os.Stat(pattern)
		switch {
		case statErr == nil && info.IsDir():
			return nil, fmt.Errorf("files: %q is a folder: give a pattern, such as %q", pattern, filepath.Join(pattern, "*.parquet"))
		case statErr != nil: // the name of a file may have the characters of patterns
			if found, err = (blob.Files{}).List(ctx, pattern); err != nil {
				return nil, fmt.Errorf("files: %q: %w", pattern, err)
			}
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("files: there is no file %q", pattern)
		}
		for _, name := range found {
			clean := filepath.Clean(name)
			if other, again := from[clean]; again {
				return nil, fmt.Errorf("files: %q belongs to %q and to %q: name each file once", name, other, pattern)
			}
			from[clean] = pattern
			names = append(names, clean)
		}
	}
	return names, nil
}

// file is a Parquet file being listed.
type file struct {
	name   string
	object blob.Object
	*parquet.File
	features features
	raw      map[string]json.RawMessage // of datasets
	targets  []targetColumn
	image    column
	header   string // of a PPM file, where the image column holds pixels
	tasks    []column
	weight   *column
	meta     []column
	groups   []rows
}

// open reads a file's footer, and finds its columns.
func (p Parquet) open(ctx context.Context, d *dataset, name string) (*file, error) {
	object, err := d.open(ctx, name)
	if err != nil {
		return nil, err
	}
	f := &file{name: name, object: object}
	if f.File, err = parquet.Open(blob.ReaderAt(ctx, object), object.Size(), keyHuggingFace, schema.MetaTasks, keyShape, keyType); err != nil {
		return nil, err
	}
	return f, p.columns(f)
}

// index makes the index of all files.
func (p Parquet) index(d *dataset, list []*file) error {
	tasks, given, columns, err := p.together(list)
	if err != nil {
		return err
	}
	labels := make([]string, len(tasks))
	samples := sources.NewSamples(tasks, given, 1, columns)
	if err := samples.BeginTargets(p.Multi, p.Values, p.Objects, list[0].raw, fmt.Sprintf("the metadata of %q", list[0].name)); err != nil {
		return fmt.Errorf("%q: %w", list[0].name, err)
	}
	missing := 0
	cells := make([]json.RawMessage, len(list[0].targets))
	for i, short := range distinct(list) {
		f := list[i]
		if !utf8.ValidString(short) {
			return fmt.Errorf("the name of the file %q is not UTF-8: rename it", f.name)
		}
		row, digits := 0, len(fmt.Sprint(max(f.Rows-1, 0)))
		for g := range f.groups {
			group := &f.groups[g]
			first := int64(len(d.pages))
			for _, page := range group.Pages {
				d.pages = append(d.pages, place{page, i})
			}
			for r, size := range group.Sizes {
				one := sources.Sample{Key: fmt.Sprintf("%s#%0*d", short, digits, row), Size: size, Labels: labels, Weight: 1, Values: make([]any, len(columns))}
				row++
				for t := range labels {
					labels[t] = group.Labels[t][r]
				}
				if group.Weights != nil {
					one.Weight = group.Weights[r]
				}
				for c := range columns {
					one.Values[c] = group.Values[c][r]
				}
				if size < 0 {
					missing++
				}
				one.Numbers = []int64{group.Places[r] + first<<32}
				samples.Add(one)
				for c := range cells {
					cells[c] = group.Targets[c][r]
				}
				if len(cells) == 0 {
					continue
				}
				if err := samples.AddTargets(cells, one.Key); err != nil {
					return fmt.Errorf("%q: row %d: %w", f.name, row-1, err)
				}
			}
		}
		d.headers = append(d.headers, f.header)
		f.groups = nil
	}
	if samples.Len() == 0 {
		return fmt.Errorf("%q has no row", list[0].name)
	}
	hint := ""
	if missing > 0 && list[0].image.inside {
		hint = ": where bytes is null there is no image in the file, even if path names one: embed them, as datasets does when it writes a data set that save_to_disk wrote and load_from_disk read: load_from_disk(DIR).to_parquet(FILE)"
	}
	listed, err := samples.Listed(p.Classes)
	if err != nil {
		return fmt.Errorf("%w%s", err, hint)
	}
	d.index, d.places, d.listed = listed.Index, listed.Numbers[0], listed
	for _, text := range append(listed.Warnings, d.warnings()...) {
		d.said = append(d.said, fmt.Sprintf("parquet: %q: %s", list[0].name, text))
	}
	if hint != "" {
		d.said = append(d.said, fmt.Sprintf("parquet: column %q%s", list[0].image.name, hint))
	}
	return nil
}

// together are the tasks with the classes that the files name, and the other columns, which
// must be the same in every file.
func (p Parquet) together(list []*file) (tasks []string, given map[string]sources.ClassNames, columns []schema.Column, err error) {
	first := list[0]
	given = map[string]sources.ClassNames{}
	fixed := func(task string) bool {
		_, of := p.Classes.ByTask[task]
		return of || p.Classes.List != nil || p.Classes.File != ""
	}
	for t := range first.tasks {
		task := &first.tasks[t]
		tasks = append(tasks, task.name)
		for _, f := range list {
			other := &f.tasks[t]
			switch {
			case fixed(task.name):
			case (task.classes == nil) != (other.classes == nil) || !slices.Equal(task.classes, other.classes):
				return nil, nil, nil, fmt.Errorf("%q and %q name other classes for the column %q: say in classes which these are", first.name, f.name, task.name)
			case task.classes != nil:
				given[task.name] = sources.ClassNames{Names: task.classes, From: fmt.Sprintf("the metadata of %q", first.name)}
			}
		}
	}
	for c := range first.meta {
		for _, f := range list {
			if one, other := first.meta[c].meta, f.meta[c].meta; one != other {
				return nil, nil, nil, fmt.Errorf("the column %q is %s in %q and %s in %q: say which in meta, as {%s: text}", first.meta[c].name, one, first.name, other, f.name, first.meta[c].name)
			}
		}
		columns = append(columns, schema.Column{Name: schema.ColumnMeta + first.meta[c].name, Type: metaTypes[first.meta[c].meta]})
	}
	return tasks, given, columns, nil
}

// distinct are names of files without what they have in common: the last element of the
// path, or as many as tell each from the others.
func distinct(list []*file) []string {
	short := make([]string, len(list))
	parts := make([][]string, len(list))
	for i, f := range list {
		parts[i] = strings.Split(strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(f.name, filepath.VolumeName(f.name))), "/"), "/")
		short[i] = parts[i][len(parts[i])-1]
	}
	for n := 2; ; n++ {
		of, again := map[string][]int{}, false
		for i, name := range short {
			of[name] = append(of[name], i)
		}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			if len(of[name]) < 2 {
				continue
			}
			for _, i := range of[name] {
				short[i] = strings.Join(parts[i][max(0, len(parts[i])-n):], "/")
				again = again || n < len(parts[i])
			}
		}
		if !again {
			return short
		}
	}
}

// natural is the type of meta columns where none is asked for.
func natural(asked, of sources.MetaType) sources.MetaType { return cmp.Or(asked, of) }

// Catalog is what pipeline files may name, beside the sources of package sources.
var Catalog = []sources.Entry{
	{New: func() sources.Source { return &Parquet{} }, Doc: "Parquet files with a column of images, of datasets, pandas, Polars, DuckDB or sluice"},
}
