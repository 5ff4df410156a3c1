package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// This file reads several labels, values and objects from the cells of lists.

var float32Type = arrow.PrimitiveTypes.Float32

// targetColumns are the columns of a source's options multi, values and objects, and what all
// of its lists have in common: the numbers of names.
type targetColumns struct {
	multi   Multi
	values  ValueColumns
	objects Objects

	tasks   []string // of multi, sorted
	named   []string // of values, sorted
	numbers []labels // of multi
	classes []classList
	// The names of numbers, where the data have them; by task of multi.
	byNumber [][]string
	boxes    *objectReader // nil: no objects
}

// newTargetColumns reads the files of classes; nil where nothing is asked for.
func newTargetColumns(multi Multi, values ValueColumns, objects Objects) (*targetColumns, error) {
	if len(multi) == 0 && len(values) == 0 && !objects.given() {
		return nil, nil
	}
	c := &targetColumns{multi: multi, values: values, objects: objects,
		tasks: slices.Sorted(maps.Keys(multi)), named: slices.Sorted(maps.Keys(values))}
	for _, task := range c.tasks {
		list, err := c.multi[task].Classes.read()
		if err != nil {
			return nil, errorf("multi: %q: %w", task, err)
		}
		c.classes, c.numbers, c.byNumber = append(c.classes, list), append(c.numbers, labels{task: task}), append(c.byNumber, nil)
	}
	if objects.given() {
		list, err := objects.Classes.read()
		if err != nil {
			return nil, fmt.Errorf("objects: %w", err)
		}
		c.boxes = &objectReader{Objects: objects, given: list.names, faults: map[string]*fault{}}
	}
	return c, nil
}

// len is the number of columns; column is where each is.
func (c *targetColumns) len() int {
	switch {
	case c == nil:
		return 0
	case c.boxes != nil:
		return len(c.tasks) + len(c.named) + 1
	}
	return len(c.tasks) + len(c.named)
}

func (c *targetColumns) column(i int) (column, option string) {
	switch n := len(c.tasks); {
	case i < n:
		return c.multi.column(c.tasks[i]), "multi"
	case i < n+len(c.named):
		return c.values[c.named[i-n]], "values"
	}
	return c.objects.column(), "objects"
}

// uses reports whether a column is one of them.
func (c *targetColumns) uses(name string) bool {
	for i := range c.len() {
		if column, _ := c.column(i); column == name {
			return true
		}
	}
	return false
}

// targetRows are the cells of samples, in the order of a table.
type targetRows struct {
	*targetColumns
	cells   [][]any           // per task of multi: nil or []int32, numbers of names; per value: nil or float32
	objects [][]schema.Object // Label is the number of a name
}

func (c *targetColumns) rows() *targetRows {
	if c == nil {
		return nil
	}
	return &targetRows{targetColumns: c, cells: make([][]any, len(c.tasks)+len(c.named))}
}

// add takes the cells of the next sample; text is "" where one is empty, and raw JSON where
// it is a list or a structure.
func (r *targetRows) add(cells []cell, where func(column string) string, key string) error {
	var errs []error
	for i := range r.cells {
		v, err := r.value(i, cells[i])
		if err != nil {
			column, _ := r.column(i)
			errs = append(errs, fmt.Errorf("%s: %w", where(column), err))
		}
		r.cells[i] = append(r.cells[i], v)
	}
	if r.boxes != nil {
		list, err := r.boxes.read(cells[len(cells)-1], key)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", where(r.targetColumns.objects.column()), err))
		}
		r.objects = append(r.objects, list)
	}
	return errors.Join(errs...)
}

func (r *targetRows) value(i int, c cell) (any, error) {
	if c.bad == "" && strings.TrimSpace(c.text) == "" {
		return nil, nil
	}
	if n := len(r.tasks); i >= n {
		f, err := strconv.ParseFloat(strings.TrimSpace(c.text), 64)
		v, ok := float32Of(f)
		if c.bad != "" || err != nil || !ok {
			what := strconv.Quote(cut(c.text))
			if c.bad != "" {
				what = c.bad
			}
			return nil, fmt.Errorf("%s is not a value: want a finite number, or nothing where it is unknown", what)
		}
		return v, nil
	}
	names, err := severalLabels(c, r.multi[r.tasks[i]].Separator)
	if err != nil {
		return nil, err
	}
	return r.several(i, names)
}

// several numbers the labels of a sample.
func (r *targetRows) several(i int, names []string) (any, error) {
	given := r.classes[i]
	out := make([]int32, 0, len(names))
	for _, name := range names {
		if of := r.byNumber[i]; of != nil {
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(of) {
				return nil, errorf("%q is no number of the %s of task %q", name, phrase.Count(len(of), "class"), r.tasks[i])
			}
			name = of[n]
		}
		if given.names != nil && !r.numbers[i].has(name) && !slices.Contains(given.names, name) { // what has a number was looked for
			return nil, errorf("class %q of task %q is not among the %s of %s%s: add it there, or remove the label",
				name, r.tasks[i], phrase.Count(len(given.names), "class"), given.from, alike(name, given.names))
		}
		n := r.numbers[i].number(name)
		if slices.Contains(out, n) {
			return nil, errorf("the label %q is there twice", name)
		}
		out = append(out, n)
	}
	return out, nil
}

// severalLabels are those of a cell: a JSON list, or a text with separators.
func severalLabels(c cell, separator string) ([]string, error) {
	if separator == "" {
		separator = ";"
	}
	if c.bad == "" && !strings.HasPrefix(strings.TrimSpace(c.text), "[") {
		var names []string
		for _, name := range strings.Split(c.text, separator) {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
		return names, nil
	}
	text := c.raw
	if c.bad == "" {
		text = []byte(c.text)
	}
	v, err := jsonMember(text)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, errors.New("want a list of labels, have an object")
	}
	names := make([]string, 0, len(list))
	for i, one := range list {
		switch one := one.(type) {
		case string:
			names = append(names, strings.TrimSpace(one))
		case json.Number:
			names = append(names, one.String())
		default:
			return nil, fmt.Errorf("item %d is no label: want a text or a number", i+1)
		}
		if names[i] == "" {
			return nil, fmt.Errorf("item %d is empty: leave it out", i+1)
		}
	}
	return names, nil
}

// sort orders the rows.
func (r *targetRows) sort(order []int32) {
	if r == nil {
		return
	}
	for i := range r.cells {
		r.cells[i] = permuted(r.cells[i], order)
	}
	r.objects = permuted(r.objects, order)
}

// spread makes rows of n samples of those of some of them.
func (r *targetRows) spread(n int) {
	for i := range r.cells {
		r.cells[i] = make([]any, n)
	}
	if r.boxes != nil {
		r.objects = make([][]schema.Object, n)
	}
}

// place puts the rows of another list where they belong.
func (r *targetRows) place(from *targetRows, rows []int) {
	for i := range r.cells {
		for n, row := range rows {
			r.cells[i][row] = from.cells[i][n]
		}
	}
	for n, row := range rows {
		if r.boxes != nil {
			r.objects[row] = from.objects[n]
		}
	}
}

// finish numbers the classes and adds the columns to an index. It gives what the samples'
// targets are, nil for none, and warnings.
func (r *targetRows) finish(x *schema.Table) (*sampleTargets, []string) {
	if r == nil {
		return nil, nil
	}
	t := newSampleTargets()
	spec := t.spec
	for i := range r.cells {
		name, of := "", float32Type
		if n := len(r.tasks); i < n {
			name, of = r.tasks[i], arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int32)
			classes, to := r.numbers[i].finish(r.classes[i].names)
			spec.Multi = append(spec.Multi, schema.Task{Name: name, Classes: classes})
			for _, v := range r.cells[i] {
				list, _ := v.([]int32)
				for k := range list {
					list[k] = to[list[k]]
				}
				slices.Sort(list)
			}
		} else {
			name = r.named[i-n]
		}
		x.ColumnList = append(x.ColumnList, schema.Column{Name: schema.ColumnLabel + name, Type: of})
		x.Values = append(x.Values, r.cells[i])
	}
	var warnings []string
	if r.boxes != nil {
		classes, to := r.boxes.names.finish(r.boxes.given)
		for _, list := range r.objects {
			for k := range list {
				list[k].Label = to[list[k].Label]
			}
		}
		r.targetColumns.objects.spec(spec, classes)
		t.objects, warnings, t.frame = r.objects, r.boxes.warnings(), r.targetColumns.objects.Annotations.of()
	}
	for i, task := range r.tasks {
		if !slices.ContainsFunc(r.cells[i], func(v any) bool { return v != nil }) {
			warnings = append(warnings, sprintf("task %q has no labels in any row", task))
		}
	}
	for i, value := range r.named {
		if !slices.ContainsFunc(r.cells[len(r.tasks)+i], func(v any) bool { return v != nil }) {
			warnings = append(warnings, sprintf("value %q is in no row", value))
		}
	}
	return t, warnings
}

// finish is the classes and, for each name by its number, the number of its class; given are
// fixed classes, nil for those that occur.
func (c *labels) finish(given []string) (classes []string, to []int32) {
	to = make([]int32, len(c.names))
	if given != nil {
		for i, name := range c.names {
			to[i] = int32(slices.Index(given, name))
		}
		return slices.Clone(given), to
	}
	for i := range to {
		to[i] = int32(i)
	}
	c.cells = to
	return c.order(ofCells), c.cells
}

// objectReader reads objects.
type objectReader struct {
	Objects
	given []string // fixed classes; nil: those that occur
	// The names of numbers, where the data have them.
	byNumber []string
	names    labels
	faults   map[string]*fault
}

// fault is a kind of bad objects.
type fault struct {
	count   int
	example string
}

func (r *objectReader) fault(kind, key string, object int, what string) {
	f := r.faults[kind]
	if f == nil {
		f = &fault{example: sprintf("object %d of %q: %s", object+1, key, what)}
		r.faults[kind] = f
	}
	f.count++
}

// The kinds of objects that are left out, and the rows without any.
var objectFaults = []struct{ kind, text, remedy string }{
	{"number", "whose box holds a number that is not finite", "correct them"},
	{"reversed", "whose box is reversed", "write left, top, right and bottom, or set bbox: xywh if the last two are width and height"},
	{"area", "whose box has no area", "correct or remove them"},
	{"category", "of an unknown category", "add it to classes, or remove them"},
	{"keypoints", "with keypoints that aren't finite, or of a visibility other than 0, 1 and 2", "correct them"},
}

func (r *objectReader) warnings() (list []string) {
	for _, k := range objectFaults {
		if f := r.faults[k.kind]; f != nil {
			list = append(list, fmt.Sprintf("left out %s %s, such as %s: %s", phrase.Count(f.count, "object"), k.text, f.example, k.remedy))
		}
	}
	if f := r.faults["absent"]; f != nil {
		list = append(list, fmt.Sprintf("%s no objects in the column %q, such as that of %s: they count as pictures without any", phrase.Count(f.count, "row")+have(f.count), r.column(), f.example))
	}
	return list
}

// read reads a cell.
func (r *objectReader) read(c cell, key string) ([]schema.Object, error) {
	text := c.raw
	if c.bad == "" {
		text = []byte(strings.TrimSpace(c.text))
	}
	if len(text) == 0 || bytes.Equal(text, []byte("null")) {
		f := r.faults["absent"]
		if f == nil {
			f = &fault{example: strconv.Quote(cut(key))}
			r.faults["absent"] = f
		}
		f.count++
		return nil, nil
	}
	lists, err := parseObjects(text)
	if err != nil {
		return nil, err
	}
	return r.add(lists, key)
}

// category is the class of an object: a name, or a number.
type category struct {
	name   string
	number int64
	named  bool
	null   bool
}

// objectLists are the objects of a picture as data sets hold them.
type objectLists struct {
	boxes      [][]float64
	categories []category
	ids        []int64 // nil, as those below: there are none
	areas      []float64
	crowds     []bool
	keypoints  [][]float64
}

// add makes objects.
func (r *objectReader) add(l *objectLists, key string) ([]schema.Object, error) {
	n := len(l.boxes)
	for _, of := range []struct {
		name  string
		given bool
		n     int
	}{{"category", true, len(l.categories)}, {"id", l.ids != nil, len(l.ids)}, {"area", l.areas != nil, len(l.areas)},
		{"iscrowd", l.crowds != nil, len(l.crowds)}, {"keypoints", l.keypoints != nil && len(r.Keypoints) > 0, len(l.keypoints)}} {
		if of.given && of.n != n {
			return nil, fmt.Errorf("bbox has %s and %s %d: want one for each object", phrase.Count(n, "item"), of.name, of.n)
		}
	}
	out := make([]schema.Object, 0, n)
	for i, b := range l.boxes {
		if len(b) != 4 {
			return nil, fmt.Errorf("the box of object %d has %s: want 4", i+1, phrase.Count(len(b), "number"))
		}
		var o schema.Object
		kind := r.box(b, &o.Box)
		if kind != "" {
			r.fault(kind, key, i, fmt.Sprintf("%v", b))
			continue
		}
		label, ok, err := r.label(l.categories[i])
		if err != nil {
			return nil, fmt.Errorf("object %d: %w", i+1, err)
		}
		if !ok {
			what := strconv.Quote(cut(l.categories[i].name))
			switch {
			case l.categories[i].null:
				what = "null"
			case !l.categories[i].named:
				what = strconv.FormatInt(l.categories[i].number, 10)
			}
			r.fault("category", key, i, what)
			continue
		}
		o.Label = label
		if l.ids != nil {
			o.ID = l.ids[i]
		}
		if l.areas != nil {
			if a := float32(l.areas[i]); a > 0 && !math.IsInf(float64(a), 0) {
				o.Area = a
			}
		}
		o.Crowd = l.crowds != nil && l.crowds[i]
		if l.keypoints != nil && len(r.Keypoints) > 0 {
			points := l.keypoints[i]
			if len(points) != 0 && len(points) != 3*len(r.Keypoints) {
				return nil, fmt.Errorf("object %d has %s in keypoints: want 3 for each of the %d keypoints, or none", i+1, phrase.Count(len(points), "number"), len(r.Keypoints))
			}
			if o.Keypoints, ok = keypointsOf(points); !ok {
				r.fault("keypoints", key, i, fmt.Sprintf("%v", points))
				continue
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// box is x1 y1 x2 y2, or the kind of fault.
func (r *objectReader) box(b []float64, to *[4]float32) (kind string) {
	x1, y1, x2, y2 := b[0], b[1], b[2], b[3]
	if r.BBox != XYXY {
		x2, y2 = x1+x2, y1+y2
	}
	for i, v := range []float64{x1, y1, x2, y2} {
		f, ok := float32Of(v)
		if !ok {
			return "number"
		}
		to[i] = f
	}
	switch {
	case r.BBox == XYXY && (x2 < x1 || y2 < y1):
		return "reversed"
	case to[2] <= to[0] || to[3] <= to[1]:
		return "area"
	}
	return ""
}

// label is the number of a category's name.
func (r *objectReader) label(c category) (n int32, ok bool, err error) {
	name := c.name
	switch {
	case c.null:
		return 0, false, nil
	case !c.named && (r.byNumber != nil || r.given != nil):
		of := r.byNumber
		if of == nil {
			of = r.given
		}
		if c.number < 0 || c.number >= int64(len(of)) {
			return 0, false, nil
		}
		if name = of[c.number]; r.given != nil && !r.names.has(name) && !slices.Contains(r.given, name) {
			return 0, false, nil
		}
	case !c.named:
		name = strconv.FormatInt(c.number, 10)
	case !utf8.ValidString(name):
		return 0, false, errorf("the category %q is not UTF-8", name)
	case strings.TrimSpace(name) == "":
		return 0, false, nil
	case r.given != nil && !r.names.has(name) && !slices.Contains(r.given, name):
		return 0, false, nil
	}
	return r.names.number(name), true, nil
}

// keypointsOf are x, y, v of each point; nil where there are none.
func keypointsOf(points []float64) (out []float32, ok bool) {
	for i, v := range points {
		f, finite := float32Of(v)
		if !finite || i%3 == 2 && v != 0 && v != 1 && v != 2 {
			return nil, false
		}
		out = append(out, f)
	}
	for i := 0; i < len(out); i += 3 {
		if out[i+2] == 0 {
			out[i], out[i+1] = 0, 0
		}
	}
	return out, true
}

// categoryNames are those that data sets give the list of classes.
var categoryNames = []string{"category", "categories", "category_id", "label", "labels"}

// parseObjects reads a structure of lists, or a list of structures.
func parseObjects(text []byte) (*objectLists, error) {
	v, err := jsonMember(text)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	switch v := v.(type) {
	case map[string]any:
		fields = v
	case []any: // of structures
		if fields, err = transposed(v); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("want a structure with the lists bbox and category, or a list of structures")
	}
	return listsOf(fields)
}

// transposed makes lists of structures.
func transposed(list []any) (map[string]any, error) {
	fields := map[string]any{"bbox": []any{}, "category": []any{}}
	category := ""
	for i, one := range list {
		object, ok := one.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("item %d is not a structure with bbox and category", i+1)
		}
		for _, name := range append([]string{"bbox", "id", "area", "iscrowd", "keypoints"}, categoryNames...) {
			v, there := object[name]
			if !there {
				continue
			}
			if slices.Contains(categoryNames, name) {
				if category == "" {
					category = name
				}
				if name != category {
					continue
				}
				name = "category"
			}
			values, _ := fields[name].([]any)
			for len(values) < i {
				values = append(values, nil) // the structures before have none
			}
			fields[name] = append(values, v)
		}
		for name, values := range fields {
			if values := values.([]any); len(values) == i {
				fields[name] = append(values, nil)
			}
		}
	}
	return fields, nil
}

// listsOf takes a structure apart.
func listsOf(fields map[string]any) (*objectLists, error) {
	boxes, ok := fields["bbox"].([]any)
	if !ok {
		return nil, errors.New("it has no list bbox: want one box of four numbers for each object")
	}
	l := &objectLists{boxes: make([][]float64, len(boxes))}
	for i, b := range boxes {
		var err error
		if l.boxes[i], err = floats(b); err != nil {
			return nil, fmt.Errorf("the box of object %d %w", i+1, err)
		}
	}
	at := slices.IndexFunc(categoryNames, func(name string) bool { return fields[name] != nil })
	if at < 0 {
		return nil, errors.New("it has no list category: want one name or number for each object")
	}
	categories, ok := fields[categoryNames[at]].([]any)
	if !ok {
		return nil, fmt.Errorf("%s is not a list: want one name or number for each object", categoryNames[at])
	}
	for i, v := range categories {
		switch v := v.(type) {
		case nil:
			l.categories = append(l.categories, category{null: true})
		case string:
			l.categories = append(l.categories, category{name: strings.TrimSpace(v), named: true})
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				return nil, fmt.Errorf("the category of object %d, %s, is no whole number", i+1, v)
			}
			l.categories = append(l.categories, category{number: n})
		default:
			return nil, fmt.Errorf("the category of object %d is neither a text nor a number", i+1)
		}
	}
	return l, l.others(fields)
}

// others reads the lists that need not be there.
func (l *objectLists) others(fields map[string]any) error {
	for _, name := range []string{"id", "area", "iscrowd", "keypoints"} {
		list, ok := fields[name].([]any)
		if !ok {
			if fields[name] != nil {
				return fmt.Errorf("%s is not a list", name)
			}
			continue
		}
		for i, v := range list {
			if name == "keypoints" {
				points, err := floats(v)
				if err != nil {
					return fmt.Errorf("the keypoints of object %d: %w", i+1, err)
				}
				l.keypoints = append(l.keypoints, points)
				continue
			}
			n, isNumber := v.(json.Number)
			if is, isBool := v.(bool); isBool && name == "iscrowd" {
				l.crowds = append(l.crowds, is)
				continue
			}
			if !isNumber && v != nil {
				return fmt.Errorf("%s of object %d is not a number", name, i+1)
			}
			f, _ := n.Float64() // one beyond range is infinite; none is 0
			switch name {
			case "id":
				id, err := n.Int64()
				if err != nil && v != nil {
					return fmt.Errorf("id of object %d, %s, is no whole number", i+1, n)
				}
				l.ids = append(l.ids, id)
			case "area":
				l.areas = append(l.areas, f)
			case "iscrowd":
				l.crowds = append(l.crowds, f != 0)
			}
		}
		if list != nil && len(list) == 0 { // of no objects, unless it is ragged
			l.empty(name)
		}
	}
	return nil
}

// empty makes a list that is there and has no items other than one that isn't there.
func (l *objectLists) empty(name string) {
	switch name {
	case "id":
		l.ids = []int64{}
	case "area":
		l.areas = []float64{}
	case "iscrowd":
		l.crowds = []bool{}
	case "keypoints":
		l.keypoints = [][]float64{}
	}
}

// floats are the numbers of a list, also of lists in it.
func floats(v any) (out []float64, err error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, errors.New("is not a list of numbers")
	}
	for _, one := range list {
		switch one := one.(type) {
		case json.Number:
			f, _ := one.Float64() // one beyond range is infinite
			out = append(out, f)
		case []any:
			inner, err := floats(one)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
		case nil:
			out = append(out, math.NaN())
		default:
			return nil, errors.New("holds something other than numbers")
		}
	}
	return out, nil
}
