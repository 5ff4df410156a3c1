package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/schema"
)

// Manifest takes the images that a CSV (or TSV) file with a header row, or a
// JSONL file, lists: a column of paths, one or several columns of labels, and if
// wanted one of weights.
//
//	path,shape,type
//	img/1.jpg,circle,stop
//	img/2.jpg,triangle,
//
// Paths are relative to the manifest's folder and written with slashes. A
// sample's key is its path, cleaned ("./a.jpg" is "a.jpg"); a path may occur
// once. Samples are in the order of their keys, whatever the order of the rows,
// so that moving a row changes nothing.
//
// An empty cell, null, or a field that is missing is an unknown label; an empty
// weight is 1. Labels in JSON may be numbers, which become their decimal text,
// or true and false. Spaces around the cells of a CSV file don't count.
type Manifest struct {
	Path       string `sluice:"path" doc:"the list: .csv, .tsv, .jsonl or .ndjson"`
	PathColumn string `sluice:"path_column" default:"path" doc:"the column that holds each image's path, relative to the list's folder"`
	// Tasks empty takes every column but those of path and weight.
	Tasks []string `sluice:"tasks" doc:"the label columns; not given: every column but those of path and weight"`
	// WeightColumn empty takes the column weight, if there is one that isn't in Tasks.
	WeightColumn string  `sluice:"weight_column" doc:"the column of each sample's weight, a number from 0 on; not given: weight, if there is such a column"`
	Classes      Classes `sluice:"classes" doc:"fixes the classes and their order: a list, a file with one name a line, or a map from task to these"`
}

// Name is manifest.
func (Manifest) Name() string { return "manifest" }

// Check looks at the options alone.
func (m Manifest) Check() error {
	var p problems
	switch {
	case m.Path == "":
		p.addf("path: is missing: give a .csv, .tsv, .jsonl or .ndjson file")
	case !slices.Contains([]string{".csv", ".tsv", ".jsonl", ".ndjson"}, extension(m.Path)):
		p.addf("path: %q: the name must end in .csv, .tsv, .jsonl or .ndjson, which says how to read it", m.Path)
	}
	if slices.Contains(m.Tasks, m.pathColumn()) {
		p.addf("tasks: %q is the column of the paths, and cannot be of labels", m.pathColumn())
	}
	if m.WeightColumn != "" && (slices.Contains(m.Tasks, m.WeightColumn) || m.WeightColumn == m.pathColumn()) {
		p.addf("weight_column: %q is the column of something else too", m.WeightColumn)
	}
	return join(errors.Join(p.list...), checkTasks(m.Tasks), m.Classes.check())
}

func (m Manifest) pathColumn() string {
	if m.PathColumn == "" {
		return "path"
	}
	return m.PathColumn
}

// Open reads the list, and looks for the size of each image.
func (m Manifest) Open(ctx context.Context) (Dataset, error) {
	if err := m.Check(); err != nil {
		return nil, within("sources: manifest", err)
	}
	prefix := fmt.Sprintf("sources: manifest: %q", m.Path)
	var p problems
	s, err := m.read(ctx, &p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", prefix, err)
	}
	c := m.columns(s, &p)
	if len(s.rows) == 0 && len(p.list) == 0 {
		p.addf("lists no image: put one row a sample in it")
	}
	// Without its columns a row means nothing.
	if len(c.missing) == 0 {
		if err := c.readRows(ctx, s, filepath.Dir(m.Path), &p); err != nil {
			return nil, err
		}
	}
	if err := p.err(prefix); err != nil {
		return nil, err
	}
	index, err := newIndex(c.rows, c.tasks, m.Classes, c.weight >= 0)
	if err != nil {
		return nil, within(prefix, err)
	}
	return &files{folder: filepath.Dir(m.Path), opened: opened{
		source: "sources: manifest", index: index, warnings: m.warnings(index),
	}}, nil
}

func (m Manifest) read(ctx context.Context, p *problems) (*sheet, error) {
	f, err := os.Open(m.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no such file")
	} else if err != nil {
		return nil, fmt.Errorf("cannot read: %w", cause(err))
	}
	defer f.Close()
	switch extension(m.Path) {
	case ".csv":
		return readCSV(ctx, f, ',', p)
	case ".tsv":
		return readCSV(ctx, f, '\t', p)
	}
	return readJSONL(ctx, f, p)
}

// columns says which column of a sheet holds what.
type columns struct {
	path, weight int // weight is -1 where there is none
	labels       []int
	tasks        []string
	missing      []string
	names        []string

	rows  []row
	lines map[string]int // of each key
}

func (m Manifest) columns(s *sheet, p *problems) columns {
	c := columns{names: s.columns, tasks: m.Tasks, lines: map[string]int{}, weight: -1}
	find := func(name, option string) int {
		at := slices.Index(s.columns, name)
		if at < 0 && len(s.columns)+len(s.rows) > 0 {
			c.missing = append(c.missing, name)
			p.addf("there is no column %q%s: name one of [%s] in %s", name, separated(s.columns), some(s.columns), option)
		}
		return at
	}
	c.path = find(m.pathColumn(), "path_column")
	if m.WeightColumn != "" {
		c.weight = find(m.WeightColumn, "weight_column")
	} else if !slices.Contains(m.Tasks, "weight") && m.pathColumn() != "weight" {
		c.weight = slices.Index(s.columns, "weight")
	}
	for _, task := range m.Tasks {
		c.labels = append(c.labels, find(task, "tasks"))
	}
	if len(m.Tasks) > 0 || len(c.missing) > 0 {
		return c
	}
	for i, name := range s.columns {
		switch {
		case i == c.path || i == c.weight:
		case name == "":
			p.addf("column %d has no name: give it one, or list the label columns in tasks", i+1)
		default:
			c.labels, c.tasks = append(c.labels, i), append(c.tasks, name)
		}
	}
	return c
}

// separated guesses why a header has one column only.
func separated(columns []string) string {
	if len(columns) == 1 && strings.ContainsAny(columns[0], ";\t|") {
		return " (cells must be separated by commas, or by tabs in a .tsv file)"
	}
	return ""
}

// readRows turns lines into rows, sorted by key.
func (c *columns) readRows(ctx context.Context, s *sheet, folder string, p *problems) error {
	files := files{folder: folder}
	for _, l := range s.rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, ok := c.readPath(l, s, p)
		if ok {
			r.size, ok = stat(files.file(r.key), l.number, r.key, p)
		}
		r.labels = make([]string, len(c.labels))
		for t, column := range c.labels {
			if text := c.text(l, column, s, p); strings.TrimSpace(text) != "" {
				r.labels[t] = text
			}
		}
		r.weight = c.readWeight(l, s, p)
		if ok {
			c.rows = append(c.rows, r)
		}
	}
	sortRows(c.rows)
	return nil
}

// text is a cell that must be plain UTF-8 text; what it isn't is a problem.
func (c *columns) text(l line, column int, s *sheet, p *problems) string {
	text := l.cell(column)
	if bad := s.unusable[[2]int{l.number, column}]; bad != "" {
		p.addf("line %d: column %q: want text or a number, have %s: name the columns to use in tasks", l.number, c.names[column], bad)
	} else if !utf8.ValidString(text) {
		p.addf("line %d: column %q: %q is not UTF-8: save the file as UTF-8", l.number, c.names[column], text)
	}
	return text
}

func (c *columns) readPath(l line, s *sheet, p *problems) (r row, ok bool) {
	before := len(p.list) + p.more
	text := c.text(l, c.path, s, p)
	if len(p.list)+p.more > before {
		return row{}, false
	}
	if text == "" {
		p.addf("line %d: column %q: the path is empty: write the image's path, or take the row out", l.number, c.names[c.path])
		return row{}, false
	}
	r.key = path.Clean(text)
	if first, again := c.lines[r.key]; again {
		p.addf("line %d: column %q: %q stands in line %d already: list an image once, and use rebalance to draw it more often", l.number, c.names[c.path], text, first)
		return row{}, false
	}
	c.lines[r.key] = l.number
	return r, true
}

// readWeight is 1 where there is none.
func (c *columns) readWeight(l line, s *sheet, p *problems) float32 {
	if c.weight < 0 {
		return 1
	}
	text := c.text(l, c.weight, s, p)
	if text == "" {
		return 1
	}
	w, err := strconv.ParseFloat(text, 32)
	if err != nil || math.IsNaN(w) || math.IsInf(w, 0) || w < 0 {
		p.addf("line %d: column %q: %q is no weight: want a finite number from 0 on", l.number, c.names[c.weight], text)
		return 1
	}
	return float32(math.Abs(w)) // -0 is 0
}

// stat is the size of an image; what is no file is a problem.
func stat(name string, line int, key string, p *problems) (size int64, ok bool) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(key, `\`):
		p.addf("line %d: there is no file %q: write paths with slashes", line, name)
	case errors.Is(err, fs.ErrNotExist):
		p.addf("line %d: there is no file %q: paths are relative to the folder of the list", line, name)
	case err != nil:
		p.addf("line %d: cannot read %q: %w", line, name, cause(err))
	case !info.Mode().IsRegular():
		p.addf("line %d: %q is no file", line, name)
	default:
		return info.Size(), true
	}
	return 0, false
}

// warnings are about columns that are probably no labels, and about paths.
func (m Manifest) warnings(x *schema.Index) (list []string) {
	warnf := func(format string, args ...any) {
		list = append(list, fmt.Sprintf("manifest: %q: ", m.Path)+fmt.Sprintf(format, args...))
	}
	for t, task := range x.Tasks {
		counts := x.Counts(t)
		labelled := int64(x.Len()) - counts[len(counts)-1]
		switch {
		case labelled == 0:
			warnf("column %q holds no label in any row", task.Name)
		case len(m.Tasks) == 0 && labelled >= 20 && labelled == int64(len(task.Classes)):
			warnf("column %q has another value in each row and is probably no label: name the label columns in tasks", task.Name)
		}
	}
	if i := slices.IndexFunc(x.Keys, path.IsAbs); i >= 0 {
		warnf("paths are absolute, as %q: keys, and so the plan hash and each split, are this machine's only", x.Keys[i])
	}
	return list
}
