package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// This file holds the options of targets: masks beside images, objects, several labels and values.

// Masks are pictures of class numbers beside the images of a folder, an archive or a list.
// In pipeline files: a map, or only the path:
//
//	masks: {path: "masks/{stem}.png", ignore: 11}
type Masks struct {
	// Path is relative to the folder, or the list's folder.
	Path string `sluice:"path" doc:"where an image's mask is, relative to the folder of the data: {stem} stands for the image's name without its extension, {name} for its name, {dir} for its folder and {key} for both, as in masks/{stem}.png"`
	MaskNumbers
}

// MaskNumbers says what the numbers in masks mean.
type MaskNumbers struct {
	Ignore Numbers `sluice:"ignore" doc:"the numbers of pixels whose class is unknown, which become 255 (255 always is): one, or a list"`
	// Values maps a number in the files to a class; those that it doesn't have are unknown.
	Values  NumberMap `sluice:"values" doc:"a map from numbers in the files to class numbers, as {7: 0, 8: 1}: all others are unknown, 255 (default: the numbers are class numbers)"`
	Classes ClassList `sluice:"classes" doc:"the names of the class numbers, from 0 on: a list, or a file with one name per line (.json: a list)"`
	// An empty Annotations goes by the mask's size.
	Annotations Frame `sluice:"annotations,later" doc:"which picture masks were made on where a file says that it is to be turned (EXIF): stored, as it is in the file, or displayed, as it is shown (default: the one that has the mask's height and width, else displayed)"`
}

// SetOption reads a path or a map.
func (m *Masks) SetOption(v any) error {
	if text, ok := v.(string); ok {
		v = map[string]any{"path": text}
	}
	return setNested(m, v, "a path such as masks/{stem}.png, or a map such as {path: masks/{stem}.png, ignore: 255}")
}

// OptionSchema describes the file form.
func (Masks) OptionSchema() map[string]any {
	return map[string]any{"anyOf": []any{map[string]any{"type": "string", "minLength": 1}, nestedSchema(Masks{})}}
}

// MarshalJSON writes what SetOption reads; null where there are none.
func (m Masks) MarshalJSON() ([]byte, error) { return marshalNested(m, m.given()) }

// RelativeTo makes the file of class names relative to a folder.
func (m *Masks) RelativeTo(folder string) { m.Classes.RelativeTo(folder) }

func (m Masks) given() bool { return m.Path != "" || m.MaskNumbers.given() }

// check reports mistakes. within says that masks cannot lie outside of the data.
func (m Masks) check(within bool) error {
	var p problems
	switch _, err := parseTemplate(m.Path); {
	case !m.given():
		return nil
	case m.Path == "":
		p.addf("path: is missing: say where an image's mask is, as in masks/{stem}.png")
	case err != nil:
		p.addf("path: %w", err)
	case options.IsURL(m.Path):
		p.addf("path: %q is a URL: download the masks first", m.Path)
	case within && (path.IsAbs(m.Path) || strings.HasPrefix(path.Clean(m.Path), "../")):
		p.addf("path: %q leads out of the archive", m.Path)
	}
	m.MaskNumbers.check(&p)
	return p.err("masks")
}

func (m MaskNumbers) given() bool {
	return len(m.Ignore) > 0 || m.Values != nil || !m.Classes.isZero() || m.Annotations != ""
}

func (m MaskNumbers) check(p *problems) {
	for _, n := range m.Ignore {
		if n < 0 || n > 255 {
			p.addf("ignore: %d is no number of a mask: want 0 to 255", n)
		} else if _, both := m.Values[uint8(n)]; both {
			p.addf("ignore: %d is in values, too: leave it out of one of them", n)
		}
	}
	for _, err := range []error{m.Classes.check(), m.Annotations.check()} {
		if err != nil {
			p.addf("%w", err)
		}
	}
}

// numbers is schema.Targets.MaskMap.
func (m MaskNumbers) numbers() *[256]uint8 {
	if m.Values == nil && !slices.ContainsFunc(m.Ignore, func(n int) bool { return n != int(schema.MaskIgnore) }) {
		return nil
	}
	var to [256]uint8
	for i := range to {
		to[i] = uint8(i)
		if m.Values != nil {
			to[i] = schema.MaskIgnore
		}
	}
	for from, class := range m.Values {
		to[from] = class
	}
	for _, n := range m.Ignore {
		to[n] = schema.MaskIgnore
	}
	return &to
}

// ShardMasks are masks that are members of the samples of shards.
type ShardMasks struct {
	Member string `sluice:"member" doc:"the extension of the member that is a sample's mask, such as seg.png"`
	MaskNumbers
}

// SetOption reads an extension or a map.
func (m *ShardMasks) SetOption(v any) error {
	if text, ok := v.(string); ok {
		v = map[string]any{"member": text}
	}
	return setNested(m, v, "an extension such as seg.png, or a map such as {member: seg.png, ignore: 255}")
}

// OptionSchema describes the file form.
func (ShardMasks) OptionSchema() map[string]any {
	return map[string]any{"anyOf": []any{map[string]any{"type": "string", "minLength": 1}, nestedSchema(ShardMasks{})}}
}

// MarshalJSON writes what SetOption reads; null where there are none.
func (m ShardMasks) MarshalJSON() ([]byte, error) { return marshalNested(m, m.given()) }

// RelativeTo makes the file of class names relative to a folder.
func (m *ShardMasks) RelativeTo(folder string) { m.Classes.RelativeTo(folder) }

func (m ShardMasks) given() bool { return m.Member != "" || m.MaskNumbers.given() }

func (m ShardMasks) check(images []string) error {
	var p problems
	switch ext := strings.ToLower(m.Member); {
	case !m.given():
		return nil
	case ext == "":
		p.addf("member: is missing: give the extension of the masks, such as seg.png")
	case strings.HasPrefix(ext, "."):
		p.addf("member: write %q without its dot", m.Member)
	case strings.Contains(ext, "/"):
		p.addf("member: %q is not an extension, such as seg.png", m.Member)
	case slices.Contains(images, ext):
		p.addf("member: %q is an extension of images: name those of the images in image, without it", m.Member)
	case !decodes("." + ext):
		p.addf("member: %q does not end as images do: masks are PNG files", m.Member)
	}
	m.MaskNumbers.check(&p)
	return p.err("masks")
}

// decodes reports a name that ends as images do.
func decodes(name string) bool { return slices.Contains(decode.Extensions(), extension(name)) }

// ClassList fixes the classes of one thing: a list of names, or a file with one per line.
type ClassList struct {
	List []string
	File string
}

// SetOption reads a list or a file's name.
func (c *ClassList) SetOption(v any) error {
	if _, byTask := v.(map[string]any); byTask {
		return fmt.Errorf("want a list of names or a file's name, have %s", options.Have(v))
	}
	var all Classes
	err := all.SetOption(v)
	*c = ClassList{all.List, all.File}
	return err
}

// OptionSchema describes the file form.
func (ClassList) OptionSchema() map[string]any {
	return map[string]any{"anyOf": Classes{}.OptionSchema()["anyOf"].([]any)[:2]}
}

// MarshalJSON writes what SetOption reads; null if nothing is fixed.
func (c ClassList) MarshalJSON() ([]byte, error) { return c.all().MarshalJSON() }

// RelativeTo makes a relative file name relative to a folder.
func (c *ClassList) RelativeTo(folder string) {
	all := c.all()
	all.RelativeTo(folder)
	c.File = all.File
}

func (c ClassList) all() Classes             { return Classes{List: c.List, File: c.File} }
func (c ClassList) isZero() bool             { return c.all().isZero() }
func (c ClassList) check() error             { return c.all().check() }
func (c ClassList) read() (classList, error) { return c.all().read() }

// Numbers is one or several.
type Numbers []int

// SetOption reads a whole number or a list.
func (n *Numbers) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make(Numbers, len(list))
	for i, item := range list {
		number, ok := item.(int64)
		if !ok || number < 0 || number > 255 {
			return fmt.Errorf("want a whole number from 0 to 255, or a list of them, have %s", options.Have(v))
		}
		out[i] = int(number)
	}
	*n = out
	return nil
}

// OptionSchema describes the file form.
func (Numbers) OptionSchema() map[string]any {
	one := map[string]any{"type": "integer", "minimum": 0, "maximum": 255}
	return map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one}}}
}

// NumberMap maps numbers of a byte.
type NumberMap map[uint8]uint8

// SetOption reads a map.
func (m *NumberMap) SetOption(v any) error {
	given, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want a map from numbers to numbers, such as {7: 0, 8: 1}, have %s", options.Have(v))
	}
	out := NumberMap{}
	for key, to := range given {
		from, err := strconv.ParseUint(key, 10, 8)
		number, whole := to.(int64)
		if err != nil || !whole || number < 0 || number > 255 {
			return errorf("%q: %v: want whole numbers from 0 to 255", key, to)
		}
		out[uint8(from)] = uint8(number)
	}
	*m = out
	return nil
}

// OptionSchema describes the file form.
func (NumberMap) OptionSchema() map[string]any {
	return map[string]any{"type": "object", "minProperties": 1, "additionalProperties": map[string]any{"type": "integer", "minimum": 0, "maximum": 255}}
}

// MultiTask is where the labels of a task are of which a sample may have several.
type MultiTask struct {
	Column string `sluice:"column" doc:"the column that holds the labels (default: the task's name)"`
	// Zero Classes stand for those that occur, in the order of every task's.
	Classes   ClassList `sluice:"classes" doc:"fixes the classes and their order: a list, or a file with one name per line (.json: a list) (default: those that occur, sorted)"`
	Separator string    `sluice:"separator" default:";" doc:"what stands between the labels in a text; one that stands alone is the empty list"`
}

// Multi are tasks of several labels, by name. In pipeline files: a map from the task to its
// column, or to what else there is to say of it:
//
//	multi: {tags: {column: tags, classes: [day, night, rain], separator: ";"}}
type Multi map[string]MultiTask

// SetOption reads the form of files.
func (m *Multi) SetOption(v any) error {
	given, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want a map from tasks to columns, such as {tags: {column: tags}}, have %s", options.Have(v))
	}
	out := Multi{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		one := given[name]
		if text, ok := one.(string); ok {
			one = map[string]any{"column": text}
		}
		var task MultiTask
		if err := setNested(&task, one, "a column, or a map such as {column: tags, classes: [a, b]}"); err != nil {
			return errorf("%q: %w", name, err)
		}
		out[name] = task
	}
	*m = out
	return nil
}

// OptionSchema describes the file form.
func (Multi) OptionSchema() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": map[string]any{
		"anyOf": []any{map[string]any{"type": "string", "minLength": 1}, nestedSchema(MultiTask{})}}}
}

// MarshalJSON writes what SetOption reads.
func (m Multi) MarshalJSON() ([]byte, error) {
	out := map[string]json.RawMessage{}
	for name, task := range m {
		text, err := options.Canonical(task)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return json.Marshal(out)
}

// RelativeTo makes files of class names relative to a folder.
func (m Multi) RelativeTo(folder string) {
	for name, task := range m {
		task.Classes.RelativeTo(folder)
		m[name] = task
	}
}

// column is where a task's labels are.
func (m Multi) column(name string) string {
	if c := m[name].Column; c != "" {
		return c
	}
	return name
}

// ValueColumns are the columns of values, by the value's name. In pipeline files: a map, or
// a list of names.
type ValueColumns map[string]string

// SetOption reads the form of files.
func (c *ValueColumns) SetOption(v any) error {
	out := ValueColumns{}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			name, err := className(item)
			if err != nil {
				return fmt.Errorf("item %d: %w", i+1, err)
			}
			out[name] = name
		}
	case map[string]any:
		for name, column := range v {
			text, ok := column.(string)
			if !ok || text == "" {
				return errorf("%q: want the name of a column, have %s", name, options.Have(column))
			}
			out[name] = text
		}
	default:
		return fmt.Errorf("want a list of columns, or a map from names to columns such as {age: age}, have %s", options.Have(v))
	}
	*c = out
	return nil
}

// OptionSchema describes the file form.
func (ValueColumns) OptionSchema() map[string]any {
	text := map[string]any{"type": "string", "minLength": 1}
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "array", "uniqueItems": true, "items": text},
		map[string]any{"type": "object", "additionalProperties": text}}}
}

// BoxForm is how four numbers stand for a box.
type BoxForm string

// The forms.
const (
	XYWH BoxForm = "xywh" // left, top, width, height
	XYXY BoxForm = "xyxy" // left, top, right, bottom
)

// Values lists the forms.
func (BoxForm) Values() []string { return []string{string(XYWH), string(XYXY)} }

// Objects is a column of objects, as Hugging Face's data sets have it: a structure of lists
// (bbox, categories or category, id, area, segmentation, ...), or a list of structures. In
// pipeline files: a map, or only the column's name:
//
//	objects: {column: objects, bbox: xywh, classes: [red, white]}
type Objects struct {
	Column string `sluice:"column" default:"objects" doc:"the column: a structure with the lists bbox (four continuous coordinates each), category or categories (names, or numbers of classes), and where there are any id, area, iscrowd, segmentation (polygons, or run-length encoded masks) and keypoints; or a list of such structures"`
	// An empty BBox stands for xywh.
	BBox      BoxForm   `sluice:"bbox" default:"xywh" doc:"what the numbers of a box are: xywh, left, top, width and height as COCO has them, or xyxy, left, top, right and bottom"`
	Classes   ClassList `sluice:"classes" doc:"fixes the classes and their order: a list, or a file with one name per line (.json: a list); categories that are numbers are numbers in it (default: those that the data name, or that occur, sorted)"`
	Keypoints []string  `sluice:"keypoints" doc:"the names of the keypoints, in the order of the list keypoints (x, y and visibility of each); without them keypoints are not read"`
	// An empty Annotations stands for that of masks, where there are any, and else for displayed.
	Annotations Frame `sluice:"annotations,later" doc:"which picture objects were annotated on where a file says that it is to be turned (EXIF): stored, as it is in the file, or displayed, as it is shown (default: the masks', where there are any, else displayed)"`
	// Mirror has each pair once.
	Mirror map[string]string `sluice:"mirror" doc:"which keypoints change places in a mirrored picture, as {left_eye: right_eye}"`
}

// SetOption reads a column's name or a map.
func (o *Objects) SetOption(v any) error {
	if text, ok := v.(string); ok {
		v = map[string]any{"column": text}
	}
	err := setNested(o, v, "a column, or a map such as {column: objects, bbox: xywh}")
	if err == nil && o.Column == "" {
		o.Column = "objects"
	}
	return err
}

// OptionSchema describes the file form.
func (Objects) OptionSchema() map[string]any {
	return map[string]any{"anyOf": []any{map[string]any{"type": "string", "minLength": 1}, nestedSchema(Objects{})}}
}

// MarshalJSON writes what SetOption reads; null where there are none.
func (o Objects) MarshalJSON() ([]byte, error) { return marshalNested(o, o.given()) }

// RelativeTo makes the file of class names relative to a folder.
func (o *Objects) RelativeTo(folder string) { o.Classes.RelativeTo(folder) }

func (o Objects) given() bool { return !reflect.ValueOf(o).IsZero() }

func (o Objects) column() string {
	if o.Column == "" {
		return "objects"
	}
	return o.Column
}

func (o Objects) check() error {
	var p problems
	if o.BBox != "" && !slices.Contains(o.BBox.Values(), string(o.BBox)) {
		p.addf("bbox: %q is neither xywh nor xyxy", o.BBox)
	}
	for _, err := range []error{o.Classes.check(), o.Annotations.check()} {
		if err != nil {
			p.addf("%w", err)
		}
	}
	for i, name := range o.Keypoints {
		if strings.TrimSpace(name) == "" || !utf8.ValidString(name) || slices.Index(o.Keypoints, name) < i {
			p.addf("keypoints: item %d, %q: want names that differ", i+1, name)
		}
	}
	taken := map[string]bool{}
	for _, a := range slices.Sorted(maps.Keys(o.Mirror)) {
		for _, name := range []string{a, o.Mirror[a]} {
			if !slices.Contains(o.Keypoints, name) {
				p.addf("mirror: there is no keypoint %q, only %s", name, some(o.Keypoints))
			} else if taken[name] {
				p.addf("mirror: the keypoint %q is in two pairs: name each pair once", name)
			}
			taken[name] = true
		}
	}
	return p.err("objects")
}

// spec adds what the option says.
func (o Objects) spec(s *schema.TargetSpec, classes []string) {
	s.Boxes, s.Classes, s.Keypoints = true, classes, o.Keypoints
	if len(o.Mirror) == 0 {
		return
	}
	s.Mirrored = make([]int, len(o.Keypoints))
	for k := range s.Mirrored {
		s.Mirrored[k] = k
	}
	for a, b := range o.Mirror {
		i, j := slices.Index(o.Keypoints, a), slices.Index(o.Keypoints, b)
		s.Mirrored[i], s.Mirrored[j] = j, i
	}
}

// checkLabelNames reports names of multi and values that are taken, columns in two uses, and
// impossible classes. taken says what columns are used as, and is added to; nil where several
// may be read of one place.
func checkLabelNames(multi Multi, values ValueColumns, objects Objects, tasks []string, taken map[string]string) error {
	var p problems
	use := func(option, column, as string) {
		if taken != nil && taken[column] != "" {
			p.addf("%s: %q is already the column of %s", option, column, taken[column])
		} else if taken != nil {
			taken[column] = as
		}
	}
	name := func(option, name string) {
		err := (schema.Column{Name: schema.ColumnLabel + name, Type: float32Type}).Check()
		_, both := multi[name]
		switch {
		case strings.TrimSpace(name) == "":
			p.addf("%s: a name is empty", option)
		case err != nil:
			p.addf("%s: %w", option, err)
		case slices.Contains(tasks, name):
			p.addf("%s: %q is one of tasks, too", option, name)
		case option == "values" && both:
			p.addf("values: %q is in multi, too", name)
		}
	}
	for _, task := range slices.Sorted(maps.Keys(multi)) {
		name("multi", task)
		use("multi", multi.column(task), "a task of several labels")
		if err := multi[task].Classes.check(); err != nil {
			p.addf("multi: %q: %w", task, err)
		}
		if s := multi[task].Separator; s != "" && strings.TrimSpace(s) == "" && s != "\t" && s != " " {
			p.addf("multi: %q: separator: %q is blank", task, s)
		}
	}
	for _, value := range slices.Sorted(maps.Keys(values)) {
		name("values", value)
		use("values", values[value], "a value")
	}
	if objects.given() {
		use("objects", objects.column(), "the objects")
	}
	return errors.Join(errors.Join(p.list...), objects.check())
}

// setNested sets a struct of options within an option.
func setNested(ptr any, v any, want string) error {
	given, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want %s, have %s", want, options.Have(v))
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err := options.Set(ptr, name, given[name]); err != nil {
			return errors.New(err.Error()) // an unknown option here isn't one of the source
		}
	}
	return nil
}

func nestedSchema(of any) map[string]any {
	properties := map[string]any{}
	for _, f := range options.Fields(of) {
		properties[f.Name] = f.Schema()
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

func marshalNested(of any, given bool) ([]byte, error) {
	if !given {
		return []byte("null"), nil
	}
	return options.Canonical(of)
}

// float32Of is a number as the column of a value has it.
func float32Of(f float64) (float32, bool) {
	v := float32(f)
	return v, !math.IsNaN(f) && !math.IsInf(float64(v), 0)
}
