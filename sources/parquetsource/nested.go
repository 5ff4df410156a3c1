package parquetsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/parquet"
	"github.com/sluicedata/sluice/sources"
)

// This file reads columns of lists and structures, which hold several labels and objects.

// targetColumn is a column of the options multi, values and objects.
type targetColumn struct {
	sources.TargetColumn
	leaves []int
	fields []string // of each leaf, the name of what it holds in a structure
}

// mostElements bounds the elements of a row.
const mostElements = 1 << 22

// wrappers are the names that writers give to what a list consists of.
var wrappers = []string{"list", "element", "item", "array", "bag", "array_element"}

// targetColumns finds the columns of multi, values and objects.
func (p Parquet) targetColumns(f *file) error {
	list, err := sources.TargetColumns(p.Multi, p.Values, p.Objects)
	if err != nil {
		return err
	}
	for _, column := range list {
		c := targetColumn{TargetColumn: column}
		for i := range f.Leaves {
			if l := &f.Leaves[i]; l.Path[0] == c.Name {
				if field := fieldOf(l); c.Option != "objects" || isField(l, field) {
					c.leaves, c.fields = append(c.leaves, i), append(c.fields, field)
				}
			}
		}
		if err := c.fits(f); err != nil {
			return err
		}
		f.targets = append(f.targets, c)
	}
	return nil
}

// isField reports a leaf that is read of objects. Of segmentation these are the numbers of polygons, and the
// parts of run-length encoded masks.
func isField(l *parquet.Leaf, field string) bool {
	switch field {
	case "segmentation":
		return l.Type != parquet.ByteArray
	case rleSize:
		return true
	case rleCounts:
		return l.Type != parquet.ByteArray || l.Meaning == parquet.Text
	}
	return slices.Contains(sources.ObjectFields(), field)
}

// The parts of run-length encoded masks.
const rleSize, rleCounts = "segmentation.size", "segmentation.counts"

// fieldOf is the name of what a leaf holds in a structure, that of a structure in it behind a dot; "" where it is in none.
func fieldOf(l *parquet.Leaf) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(l.Path[1:]), func(name string) bool { return slices.Contains(wrappers, name) }), ".")
}

// fits reports a column that cannot be that of its option.
func (c *targetColumn) fits(f *file) error {
	if len(c.leaves) == 0 {
		if slices.ContainsFunc(f.Leaves, func(l parquet.Leaf) bool { return l.Path[0] == c.Name }) {
			return fmt.Errorf("objects: the column %q holds no objects: want a structure of lists (bbox, category), or a list of structures", c.Name)
		}
		return fmt.Errorf("%s: there is no column %q: it has %s", c.Option, c.Name, f.columnNames())
	}
	for _, i := range c.leaves {
		l := &f.Leaves[i]
		number := l.Meaning == parquet.Plain && l.Type != parquet.ByteArray && l.Type != parquet.FixedLenByteArray
		text := l.Meaning == parquet.Text && l.Type == parquet.ByteArray
		switch {
		case l.Meaning == parquet.Missing:
		case !number && !text:
			return fmt.Errorf("%s: the column %q holds %s: want numbers, booleans or text", c.Option, l.Name(), holds(l))
		case c.Option == "values" && (len(l.Path) > 1 || !number):
			return fmt.Errorf("values: the column %q holds no numbers, one for each row", c.Name)
		case c.Option == "multi" && (c.fields[0] != "" || len(l.Lists) > 1 || len(l.Lists) == 0 && !text):
			return fmt.Errorf("multi: the column %q holds neither lists of labels nor texts", c.Name)
		case c.Option == "objects" && len(l.Lists) == 0:
			return fmt.Errorf("objects: the column %q is in no list: want one for each object", l.Name())
		}
	}
	return nil
}

// cells are the cells of a column, as JSON; empty where they are null.
func (f *file) cells(from io.ReaderAt, group int, c *targetColumn) ([]json.RawMessage, error) {
	n := int(f.Groups[group].Rows)
	columns := make([][]any, len(c.leaves))
	for i, leaf := range c.leaves {
		rows, err := f.nested(from, group, leaf)
		if err != nil {
			return nil, err
		}
		columns[i] = rows
	}
	out := make([]json.RawMessage, n)
	for row := range out {
		var v any
		if c.Option != "objects" {
			v = columns[0][row]
		} else {
			object := map[string]any{}
			for i, field := range c.fields {
				if columns[i][row] == nil {
					continue
				}
				if name, part, within := strings.Cut(field, "."); within {
					of, _ := object[name].(map[string]any)
					if of == nil {
						of = map[string]any{}
						object[name] = of
					}
					of[part] = columns[i][row]
					continue
				}
				object[field] = columns[i][row]
			}
			if len(object) > 0 {
				v = object
			}
		}
		if v == nil {
			continue
		}
		var err error
		if out[row], err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("row %d: %w", row, err)
		}
	}
	return out, nil
}

// nestedList is one that is being read.
type nestedList struct{ items []any }

// MarshalJSON writes the items.
func (l *nestedList) MarshalJSON() ([]byte, error) {
	if l.items == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(l.items)
}

// nested reads a leaf in lists: per row nil, a value, or a *nestedList of them.
func (f *file) nested(from io.ReaderAt, group, leaf int) ([]any, error) {
	l := &f.Leaves[leaf]
	rows := make([]any, 0, f.Groups[group].Rows)
	open := make([]*nestedList, len(l.Lists)) // the last of each depth; nil where there is none
	elements := 0
	err := f.Nested(from, group, leaf, func(v *parquet.Value) error {
		if elements++; v.Repeat == 0 {
			elements = 0
		} else if elements > mostElements {
			return fmt.Errorf("row %d holds more than %d elements", len(rows)-1, mostElements)
		}
		made, err := build(l, v, v.Repeat, open)
		if err != nil {
			return fmt.Errorf("row %d: %w", max(len(rows)-1, 0), err)
		}
		if v.Repeat == 0 {
			rows = append(rows, made)
			return nil
		}
		into := open[v.Repeat-1]
		if into == nil || len(into.items) == 0 {
			return errors.New("damaged: an element of a list that isn't there")
		}
		into.items = append(into.items, made)
		return nil
	})
	return rows, err
}

// build makes what begins with a value, within so many lists.
func build(l *parquet.Leaf, v *parquet.Value, depth int, open []*nestedList) (any, error) {
	if depth == len(l.Lists) {
		return single(l, v)
	}
	for i := depth; i < len(open); i++ {
		open[i] = nil
	}
	switch level := l.Lists[depth]; {
	case v.Level < level-1:
		return nil, nil
	case v.Level < level:
		return &nestedList{}, nil
	}
	one := &nestedList{}
	open[depth] = one
	inner, err := build(l, v, depth+1, open)
	one.items = append(one.items, inner)
	return one, err
}

// single is a value, as JSON has it; nil for null, and for a number that isn't finite.
func single(l *parquet.Leaf, v *parquet.Value) (any, error) {
	switch {
	case v.Level < l.MaxLevel:
		return nil, nil
	case l.Type == parquet.ByteArray:
		if !utf8.Valid(v.Bytes) {
			return nil, fmt.Errorf("%.80q is not UTF-8", v.Bytes)
		}
		return string(v.Bytes), nil
	case l.Type == parquet.Boolean:
		return v.Int != 0, nil
	case isFloat(l):
		if math.IsNaN(v.Float) || math.IsInf(v.Float, 0) {
			return nil, nil
		}
		return v.Float, nil
	case l.Unsigned:
		return unsigned(l, v.Int), nil
	}
	return v.Int, nil
}
