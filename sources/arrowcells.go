package sources

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/schema"
)

// This file lists the rows of Arrow files: sizes, labels, weights, and columns that are
// delivered.

// arrowWanted says which columns of a file are for what.
type arrowWanted struct {
	image  string
	key    string // "": none
	weight string // "": none
	tasks  []arrowTask
	meta   []MetaColumn
	prefix string // of the meta columns' names in the file
	// Columns of targets; nil: none. They are read at every start.
	targets *targetColumns
	own     *schema.TargetSpec // of targets that sluice wrote; nil: none
}

// arrowTask is a label column.
type arrowTask struct {
	name, column string
	classes      []string // by number; nil: the cells are the names
	unknown      bool     // a number below 0 is an unknown label, not a mistake
	shares       string   // the column of shares, which is read at every start; "": none
}

// arrowListing gathers rows.
type arrowListing struct {
	samples  *Samples
	one      Sample
	keys     int // rows whose key can be used
	named    func(name string) (int64, error)
	outside  bool // rows of the file name others, whose changes don't show in its stamp
	problems problems
}

// number finds a column that was asked for.
func (l *arrowListing) number(s *arrowfile.Schema, column, option string) int {
	i := s.Find(column)
	if i < 0 {
		var names []string
		for _, f := range s.Fields {
			names = append(names, f.Name)
		}
		l.problems.addf("%s: there is no column %q: its columns are %s", option, column, some(names))
	}
	return i
}

// list gives the entries of a file's rows. Problems of columns are gathered; an error means
// that the file cannot be read.
func (l *arrowListing) list(ctx context.Context, p *arrowPart, w *arrowWanted) (entries []byte, err error) {
	s := p.file.Schema
	image := l.number(s, w.image, "image")
	if image < 0 {
		return nil, nil
	}
	columns := []int{image}
	want := func(name, option string, fits func(*arrowfile.Type) string) int {
		i := l.number(s, name, option)
		if i < 0 {
			return -1
		}
		if why := fits(&s.Fields[i].Type); why != "" {
			l.problems.addf("%s: column %q has the type %s: %s", option, name, &s.Fields[i].Type, why)
			return -1
		}
		columns = append(columns, i)
		return len(columns) - 1
	}
	key, weight := -1, -1
	if i := s.Find(w.key); w.key != "" && i >= 0 && s.Fields[i].Type.Kind == arrowfile.Text {
		columns, key = append(columns, i), len(columns)
	}
	if w.weight != "" {
		weight = want(w.weight, "weight_column", fitsWeight)
	}
	var tasks, meta []int
	for _, t := range w.tasks {
		tasks = append(tasks, want(t.column, "tasks", t.fits))
	}
	for _, m := range w.meta {
		meta = append(meta, want(w.prefix+m.Name, "meta", m.fits))
	}
	targets := make([]int, w.targets.len())
	for i := range targets {
		column, option := w.targets.column(i)
		targets[i] = want(column, option, func(t *arrowfile.Type) string { return fitsTargets(option, t) })
	}
	if l.problems.count() > 0 {
		return nil, nil
	}
	cells := make([]cell, len(targets))
	var entry indexfile.Entry
	for b := range p.file.Batches() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		first, end := p.file.Span(b)
		if end > math.MaxInt32-int64(len(l.samples.keys)) {
			return nil, fmt.Errorf("it holds more than %d rows", math.MaxInt32)
		}
		list, err := p.file.Columns(b, columns...)
		if err != nil {
			return nil, err
		}
		for row := range end - first {
			if err := l.row(w, &p.image, list, row, key, weight, tasks, meta); err != nil {
				return nil, fmt.Errorf("row %d: %w", first+row, err)
			}
			if err := l.targets(w, list, targets, cells, row, fmt.Sprintf("%s#%d", p.name, first+row)); err != nil {
				l.problems.addf("row %d: %w", first+row, err)
			}
			l.one.Numbers = append(l.one.Numbers[:0], 0, first+row)
			entries = appendRow(entries, &entry, &l.one)
		}
	}
	return entries, nil
}

// targets takes a row's cells of targets.
func (l *arrowListing) targets(w *arrowWanted, columns []*arrowfile.Column, at []int, cells []cell, row int64, key string) (err error) {
	if w.targets == nil {
		return nil
	}
	for i := range cells {
		if cells[i], err = arrowTarget(columns[at[i]], row); err != nil {
			column, _ := w.targets.column(i)
			return errorf("column %q: %w", column, err)
		}
	}
	return l.samples.targets.add(cells, func(column string) string { return sprintf("column %q", column) }, key)
}

// usableKey reports whether a cell can be a sample's key.
func usableKey(key string) bool { return key != "" && len(key) <= longestKey && utf8.ValidString(key) }

func (l *arrowListing) row(w *arrowWanted, image *arrowImage, columns []*arrowfile.Column, row int64, key, weight int, tasks, meta []int) (err error) {
	one := &l.one
	one.Key, one.Weight, one.Labels, one.Values = "", 1, one.Labels[:0], one.Values[:0]
	if one.Size, err = image.size(columns[0], row, l.named); err != nil {
		return fmt.Errorf("column %q: %w", w.image, err)
	}
	if key >= 0 {
		if one.Key, _, err = columns[key].Text(row); err != nil {
			return fmt.Errorf("column %q: %w", w.key, err)
		}
	}
	if weight >= 0 {
		v, err := arrowCell(columns[weight], row)
		if err != nil {
			return fmt.Errorf("column %q: %w", w.weight, err)
		}
		if v != nil {
			n := numberOf(v)
			if one.Weight = float32(n); !(n >= 0 && n <= math.MaxFloat32) {
				return errorf("column %q: %v is not a weight: want a finite number of at least 0", w.weight, v)
			}
		}
	}
	for i, t := range w.tasks {
		text, err := t.label(columns[tasks[i]], row)
		if err != nil {
			return errorf("column %q: %w", t.column, err)
		}
		one.Labels = append(one.Labels, text)
	}
	for i, m := range w.meta {
		v, err := arrowCell(columns[meta[i]], row)
		if err == nil {
			v, err = m.value(v)
		}
		if err != nil {
			return errorf("column %q: %w", w.prefix+m.Name, err)
		}
		one.Values = append(one.Values, v)
	}
	return nil
}

// arrowCell is a value of a column: nil, a string, an int64, a uint64, a float64 or a bool.
func arrowCell(c *arrowfile.Column, row int64) (any, error) {
	switch c.Type.Kind {
	case arrowfile.Text:
		text, ok, err := c.Text(row)
		if !ok || err != nil {
			return nil, err
		}
		return text, nil
	case arrowfile.Null:
		return nil, nil
	}
	bits, ok, err := c.Number(row)
	if !ok || err != nil {
		return nil, err
	}
	switch c.Type.Kind {
	case arrowfile.Int:
		return int64(bits), nil
	case arrowfile.Uint:
		return bits, nil
	case arrowfile.Float:
		return math.Float64frombits(bits), nil
	}
	return bits != 0, nil
}

// numberOf is a cell as a float64; NaN where it is none.
func numberOf(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

// textOf is a cell as text.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

func fitsWeight(t *arrowfile.Type) string {
	if k := t.Kind; !t.Dictionary && (k == arrowfile.Int || k == arrowfile.Uint || k == arrowfile.Float && t.Bits > 16) {
		return ""
	}
	return "want numbers"
}

// fits says why a type cannot be that of a label column; "" if it can.
func (t *arrowTask) fits(of *arrowfile.Type) string {
	whole := of.Kind == arrowfile.Int || of.Kind == arrowfile.Uint
	switch {
	case t.classes != nil && !whole:
		return "want the numbers of its classes"
	case whole, of.Kind == arrowfile.Text, of.Kind == arrowfile.Bool, of.Kind == arrowfile.Null:
		return ""
	case of.Kind == arrowfile.Float:
		return "a float is a value, not a class: name it in meta to have it delivered unchanged"
	case of.Kind == arrowfile.List || of.Kind == arrowfile.FixedList:
		return "several labels in one row are not read: leave it out"
	}
	return "want one text or whole number for each row: leave it out"
}

// label is the name of a row's class; "": unknown.
func (t *arrowTask) label(c *arrowfile.Column, row int64) (string, error) {
	v, err := arrowCell(c, row)
	if v == nil || err != nil {
		return "", err
	}
	if t.classes == nil {
		text := textOf(v)
		if !utf8.ValidString(text) {
			return "", errorf("%q is not UTF-8", text)
		}
		return text, nil
	}
	n := numberOf(v)
	switch {
	case n < 0 && t.unknown:
		return "", nil
	case n < 0 || n >= float64(len(t.classes)):
		return "", fmt.Errorf("damaged: class %v of %d", v, len(t.classes))
	}
	return t.classes[int(n)], nil
}

// fits says why a type cannot be that of a column that is delivered.
func (m *MetaColumn) fits(of *arrowfile.Type) string {
	switch {
	case !slices.Contains([]arrowfile.Kind{arrowfile.Text, arrowfile.Bool, arrowfile.Int, arrowfile.Uint, arrowfile.Float, arrowfile.Null}, of.Kind),
		of.Kind == arrowfile.Float && of.Bits == 16:
		return "texts, numbers and bools are delivered: leave it out"
	case m.Type == MetaInt && of.Kind != arrowfile.Int && of.Kind != arrowfile.Uint && of.Kind != arrowfile.Bool,
		m.Type == MetaFloat && of.Kind != arrowfile.Int && of.Kind != arrowfile.Uint && of.Kind != arrowfile.Float:
		return fmt.Sprintf("meta says that its type is %s: leave the type out, or say text", m.Type)
	}
	return ""
}

// column is the column that is delivered, for cells of a type.
func (m *MetaColumn) column(of *arrowfile.Type) schema.Column {
	t := m.Type.arrow()
	if m.Type == "" {
		switch of.Kind {
		case arrowfile.Bool:
			t = arrow.FixedWidthTypes.Boolean
		case arrowfile.Int:
			t = arrow.PrimitiveTypes.Int64
		case arrowfile.Uint:
			t = arrow.PrimitiveTypes.Uint64
		case arrowfile.Float:
			t = arrow.PrimitiveTypes.Float64
		}
	}
	return schema.Column{Name: schema.ColumnMeta + m.Name, Type: t}
}

// value is a cell as the column's type has it.
func (m *MetaColumn) value(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch m.Type {
	case MetaText:
		v = textOf(v)
	case MetaFloat:
		v = numberOf(v)
	case MetaInt:
		switch n := v.(type) {
		case uint64:
			if n > math.MaxInt64 {
				return nil, fmt.Errorf("%d is more than an int64 holds: say text", n)
			}
			v = int64(n)
		case bool:
			v = int64(0)
			if n {
				v = int64(1)
			}
		}
	}
	if text, ok := v.(string); ok && !utf8.ValidString(text) {
		return nil, errorf("%q is not UTF-8", text)
	}
	return v, nil
}
