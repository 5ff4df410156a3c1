package parquetsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/parquet"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// column is a column in a use.
type column struct {
	name    string // of the task, for labels; else the column's
	leaf    int
	classes []string         // by number, where the file names them
	meta    sources.MetaType // of meta columns
	inside  bool             // an image in a structure
}

// keyHuggingFace is the key under which datasets keeps its features.
const keyHuggingFace = "huggingface"

// features is what datasets writes of the columns, by name.
type features map[string]struct {
	Type    string   `json:"_type"`
	Names   []string `json:"names"`
	Classes int      `json:"num_classes"`
}

// metaTypes are Arrow's types of meta columns.
var metaTypes = map[sources.MetaType]arrow.DataType{
	sources.MetaText: arrow.BinaryTypes.String, sources.MetaInt: arrow.PrimitiveTypes.Int64, sources.MetaFloat: arrow.PrimitiveTypes.Float64,
}

// columns finds what each option means in a file.
func (p Parquet) columns(f *file) error {
	if text := f.Meta[keyHuggingFace]; text != "" {
		var md struct {
			Info struct {
				Features map[string]json.RawMessage `json:"features"`
			} `json:"info"`
		}
		if err := json.Unmarshal([]byte(text), &md); err != nil {
			return fmt.Errorf("its metadata %q is not the JSON that datasets writes: %w", keyHuggingFace, err)
		}
		f.features, f.raw = features{}, md.Info.Features
		for name, raw := range md.Info.Features {
			one := f.features[name]
			if json.Unmarshal(raw, &one) == nil { // others are lists, or structures
				f.features[name] = one
			}
		}
	}
	if err := p.imageColumn(f); err != nil {
		return err
	}
	if err := p.taskColumns(f); err != nil {
		return err
	}
	if err := p.weightColumn(f); err != nil {
		return err
	}
	if err := p.targetColumns(f); err != nil {
		return err
	}
	for _, m := range p.Meta {
		leaf, err := f.leaf(m.Name, "meta")
		if err != nil {
			return err
		}
		of, err := metaType(&f.Leaves[leaf])
		if err != nil {
			return err
		}
		t := natural(m.Type, of)
		if t != of && t != sources.MetaText && (t != sources.MetaFloat || of != sources.MetaInt) {
			return fmt.Errorf("the column %q holds %s, and meta says that its type is %s", m.Name, of, t)
		}
		f.meta = append(f.meta, column{name: m.Name, leaf: leaf, meta: t})
	}
	return nil
}

// leaf finds a column by name that is neither a list nor a structure.
func (f *file) leaf(name, option string) (int, error) {
	i := slices.IndexFunc(f.Leaves, func(l parquet.Leaf) bool { return len(l.Path) == 1 && l.Path[0] == name })
	if i < 0 {
		if slices.ContainsFunc(f.Leaves, func(l parquet.Leaf) bool { return l.Path[0] == name }) {
			return 0, fmt.Errorf("%s: the column %q is a structure or a list: want one of numbers, booleans or text", option, name)
		}
		return 0, fmt.Errorf("%s: there is no column %q: it has %s", option, name, f.columnNames())
	}
	if f.Leaves[i].Repeated {
		return 0, fmt.Errorf("%s: the column %q is a list: want one of numbers, booleans or text", option, name)
	}
	return i, nil
}

// columnNames lists the columns.
func (f *file) columnNames() string {
	var names []string
	for i := range f.Leaves {
		if name := f.Leaves[i].Path[0]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	const shown = 20
	text := make([]string, min(shown, len(names)))
	for i := range text {
		text[i] = strconv.Quote(names[i])
	}
	if len(names) > shown {
		text = append(text, fmt.Sprintf("and %d more", len(names)-shown))
	}
	return strings.Join(text, ", ")
}

// holdsBytes reports a leaf that may hold images.
func holdsBytes(l *parquet.Leaf) bool {
	return !l.Repeated && l.Meaning == parquet.Plain && (l.Type == parquet.ByteArray || l.Type == parquet.FixedLenByteArray && l.Length > 0)
}

// imageColumn finds the images.
func (p Parquet) imageColumn(f *file) error {
	var found []column
	for i := range f.Leaves {
		l := &f.Leaves[i]
		inside := len(l.Path) == 2 && l.Path[1] == "bytes"
		if name := l.Path[0]; holdsBytes(l) && (inside || len(l.Path) == 1) && (p.Image == "" || p.Image == name) {
			found = append(found, column{name: name, leaf: i, inside: inside})
		}
	}
	if len(found) > 1 {
		images := slices.DeleteFunc(slices.Clone(found), func(c column) bool { return f.features[c.name].Type != "Image" })
		if len(images) == 1 {
			found = images
		}
	}
	switch {
	case len(found) == 1:
		f.image = found[0]
		return f.pixels()
	case len(found) > 1:
		names := make([]string, len(found))
		for i, c := range found {
			names[i] = c.name
		}
		return fmt.Errorf("image: the columns %q hold bytes: name the one of the images", names)
	case p.Image == "":
		return fmt.Errorf("no column holds images: want one of bytes, or a structure with a member named bytes; it has %s", f.columnNames())
	case slices.ContainsFunc(f.Leaves, func(l parquet.Leaf) bool { return l.Path[0] == p.Image }):
		return fmt.Errorf("image: the column %q holds no images: want bytes, or a structure with a member named bytes", p.Image)
	}
	return fmt.Errorf("image: there is no column %q: it has %s", p.Image, f.columnNames())
}

// taskColumns finds the labels.
func (p Parquet) taskColumns(f *file) error {
	own, err := f.ownTasks()
	if err != nil {
		return err
	}
	if p.Tasks == nil {
		f.tasks = append(f.tasks, own...)
		for i := range f.Leaves {
			l := &f.Leaves[i]
			if len(own) == 0 && len(l.Path) == 1 && f.features[l.Path[0]].Type == "ClassLabel" {
				f.tasks = append(f.tasks, column{name: l.Path[0], leaf: i, classes: f.classes(l.Path[0])})
			}
		}
		others := slices.ContainsFunc(f.Leaves, func(l parquet.Leaf) bool { return l.Path[0] != f.image.name })
		if len(f.tasks) == 0 && others && f.Meta[schema.MetaTasks] == "" {
			return fmt.Errorf("its metadata name no class label: name the label columns in tasks, or say tasks: []; it has %s", f.columnNames())
		}
	}
	for _, name := range p.Tasks {
		if i := slices.IndexFunc(own, func(c column) bool { return c.name == name }); i >= 0 {
			f.tasks = append(f.tasks, own[i])
			continue
		}
		leaf, err := f.leaf(name, "tasks")
		if err != nil {
			return err
		}
		c := column{name: name, leaf: leaf}
		if f.features[name].Type == "ClassLabel" {
			c.classes = f.classes(name)
		}
		f.tasks = append(f.tasks, c)
	}
	seen := map[string]bool{}
	for _, task := range f.tasks {
		name := f.Leaves[task.leaf].Name()
		if err := isLabel(&f.Leaves[task.leaf], task.classes != nil); err != nil {
			return fmt.Errorf("tasks: the column %q %w", name, err)
		}
		if err := checkNames(task.classes); err != nil {
			return fmt.Errorf("its metadata name the classes of the column %q: %w", name, err)
		}
		if seen[task.name] || checkNames([]string{task.name}) != nil {
			return fmt.Errorf("its metadata name the tasks: %q is empty, not UTF-8 or named twice", task.name)
		}
		seen[task.name] = true
	}
	return nil
}

// checkNames reports names of classes that are empty, not UTF-8 or named twice.
func checkNames(names []string) error {
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		if name == "" || !utf8.ValidString(name) || seen[name] {
			return fmt.Errorf("name %d is %.80q, which is empty, not UTF-8 or named twice", i, name)
		}
		seen[name] = true
	}
	return nil
}

// classes are the names of a ClassLabel.
func (f *file) classes(name string) []string {
	feature := f.features[name]
	if feature.Names == nil {
		for i := range min(feature.Classes, 1<<20) {
			feature.Names = append(feature.Names, strconv.Itoa(i))
		}
	}
	return trimmed(feature.Names)
}

// trimmed are names without spaces at their ends, as labels are read.
func trimmed(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.TrimSpace(name)
	}
	return out
}

// ownTasks are the tasks of a file that sluice wrote.
func (f *file) ownTasks() (own []column, err error) {
	text := f.Meta[schema.MetaTasks]
	if text == "" {
		return nil, nil
	}
	var tasks []schema.Task
	if err := json.Unmarshal([]byte(text), &tasks); err != nil {
		return nil, fmt.Errorf("its metadata %q is not the JSON that sluice writes: %w", schema.MetaTasks, err)
	}
	for _, task := range tasks {
		leaf, err := f.leaf(schema.ColumnLabel+task.Name, schema.MetaTasks)
		if err != nil {
			return nil, err
		}
		own = append(own, column{name: task.Name, leaf: leaf, classes: trimmed(task.Classes)})
	}
	return own, nil
}

// isLabel reports a column that cannot be a label.
func isLabel(l *parquet.Leaf, numbered bool) error {
	whole := l.Type == parquet.Int32 || l.Type == parquet.Int64
	switch {
	case l.Repeated:
		return errors.New("is a list: want one of whole numbers, booleans or text")
	case l.Meaning == parquet.Missing, l.Meaning == parquet.Plain && whole:
		return nil
	case numbered:
		return fmt.Errorf("holds %s, and its metadata say that it holds numbers of classes", holds(l))
	case l.Meaning == parquet.Text && l.Type == parquet.ByteArray, l.Meaning == parquet.Plain && l.Type == parquet.Boolean:
		return nil
	case l.Meaning == parquet.Plain && l.Type == parquet.ByteArray:
		return errors.New("holds bytes without a type: write it as text")
	}
	return fmt.Errorf("holds %s: want whole numbers, booleans or text", holds(l))
}

// holds names the type of a leaf.
func holds(l *parquet.Leaf) string {
	if l.Logical != "" {
		return fmt.Sprintf("%v of the type %s", l.Type, l.Logical)
	}
	return l.Type.String()
}

// weightColumn finds the weights.
func (p Parquet) weightColumn(f *file) error {
	isNumber := func(l *parquet.Leaf) bool {
		return !l.Repeated && l.Meaning == parquet.Plain && slices.Contains([]parquet.Type{parquet.Int32, parquet.Int64, parquet.Float, parquet.Double}, l.Type)
	}
	name := p.WeightColumn
	if name == "" {
		name = schema.ColumnWeight
		i := slices.IndexFunc(f.Leaves, func(l parquet.Leaf) bool { return len(l.Path) == 1 && l.Path[0] == name })
		other := slices.ContainsFunc(f.tasks, func(c column) bool { return c.leaf == i }) || slices.ContainsFunc(p.Meta, func(m sources.MetaColumn) bool { return m.Name == name })
		if i < 0 || other || !isNumber(&f.Leaves[i]) {
			return nil
		}
	}
	leaf, err := f.leaf(name, "weight_column")
	if err != nil {
		return err
	}
	if !isNumber(&f.Leaves[leaf]) {
		return fmt.Errorf("weight_column: the column %q holds %s: want numbers", name, holds(&f.Leaves[leaf]))
	}
	f.weight = &column{name: name, leaf: leaf}
	return nil
}

// metaType is the type of a meta column's values.
func metaType(l *parquet.Leaf) (sources.MetaType, error) {
	switch {
	case l.Meaning == parquet.Text && l.Type == parquet.ByteArray, l.Meaning == parquet.Missing, l.Meaning == parquet.Plain && l.Type == parquet.Boolean:
		return sources.MetaText, nil
	case l.Meaning == parquet.Plain && (l.Type == parquet.Int32 || l.Type == parquet.Int64):
		return sources.MetaInt, nil
	case l.Meaning == parquet.Plain && (l.Type == parquet.Float || l.Type == parquet.Double):
		return sources.MetaFloat, nil
	}
	return "", fmt.Errorf("meta: the column %q holds %s: want numbers, booleans or text", l.Name(), holds(l))
}
