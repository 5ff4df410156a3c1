package sources

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// This file turns columns of a list into columns of the records, meta.<name>: text or
// numbers that mean nothing to sluice, and are delivered unchanged.

// MetaType is the type of a meta column.
type MetaType string

// The types of meta columns. Where none is given it follows from the cells: whole
// numbers, numbers, or else text.
const (
	MetaText  MetaType = "text"  // utf8
	MetaInt   MetaType = "int"   // int64
	MetaFloat MetaType = "float" // float64
)

// Values lists the types.
func (MetaType) Values() []string {
	return []string{string(MetaText), string(MetaInt), string(MetaFloat)}
}

func (t MetaType) arrow() arrow.DataType {
	switch t {
	case MetaInt:
		return arrow.PrimitiveTypes.Int64
	case MetaFloat:
		return arrow.PrimitiveTypes.Float64
	}
	return arrow.BinaryTypes.String
}

// MetaColumn is a column of a list that is delivered unchanged.
type MetaColumn struct {
	Name string
	Type MetaType // empty: it follows from the cells
}

// Meta is the meta columns of a list, in their order. In pipeline files: a list of
// names, or of maps from a name to its type:
//
//	meta: [camera, {serial: text}]
type Meta []MetaColumn

// SetOption reads the form of files.
func (m *Meta) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("want a list of columns, such as [camera, {serial: text}], have %s", options.Have(v))
	}
	out := make(Meta, 0, len(list))
	for i, item := range list {
		typed, ok := item.(map[string]any)
		if !ok {
			name, err := className(item)
			if err != nil {
				return fmt.Errorf("item %d: %w", i+1, err)
			}
			out = append(out, MetaColumn{Name: name})
			continue
		}
		if len(typed) != 1 {
			return fmt.Errorf("item %d: want one column and its type, such as {serial: text}, have %s", i+1, options.Have(item))
		}
		for name, t := range typed {
			text, ok := t.(string)
			if !ok || !slices.Contains(MetaType("").Values(), text) {
				return errorf("item %d: %q: unknown type %v (types: %s)", i+1, name, t, strings.Join(MetaType("").Values(), ", "))
			}
			out = append(out, MetaColumn{name, MetaType(text)})
		}
	}
	*m = out
	return nil
}

// OptionSchema describes the file form.
func (Meta) OptionSchema() map[string]any {
	var types []any
	for _, t := range MetaType("").Values() {
		types = append(types, t)
	}
	return map[string]any{"type": "array", "uniqueItems": true, "items": map[string]any{"anyOf": []any{
		map[string]any{"type": []any{"string", "integer"}},
		map[string]any{"type": "object", "minProperties": 1, "maxProperties": 1,
			"additionalProperties": map[string]any{"type": "string", "enum": types}},
	}}}
}

// MarshalJSON writes the form that SetOption reads.
func (m Meta) MarshalJSON() ([]byte, error) {
	list := make([]any, len(m))
	for i, c := range m {
		list[i] = c.Name
		if c.Type != "" {
			list[i] = map[string]MetaType{c.Name: c.Type}
		}
	}
	return json.Marshal(list)
}

// number is the position of a name, -1 if there is none.
func (m Meta) number(name string) int {
	return slices.IndexFunc(m, func(c MetaColumn) bool { return c.Name == name })
}

// check reports names that cannot be meta columns. taken says what other columns are
// used as.
func (m Meta) check(taken map[string]string) error {
	var p problems
	for i, c := range m {
		err := (schema.Column{Name: schema.ColumnMeta + c.Name, Type: c.Type.arrow()}).Check()
		switch {
		case strings.TrimSpace(c.Name) == "":
			p.addf("item %d: the name is empty", i+1)
		case err != nil:
			p.addf("item %d: %w", i+1, err)
		case c.Type != "" && !slices.Contains(c.Type.Values(), string(c.Type)):
			p.addf("item %d: %q: unknown type %q (types: %s)", i+1, c.Name, c.Type, strings.Join(c.Type.Values(), ", "))
		case m.number(c.Name) < i:
			p.addf("item %d: %q is named twice", i+1, c.Name)
		case taken[c.Name] != "":
			p.addf("item %d: %q is already the column of %s", i+1, c.Name, taken[c.Name])
		}
	}
	return p.err("meta")
}

// metaCells are the cells of one meta column.
type metaCells struct {
	MetaColumn
	texts   []string           // "": none
	first   [cellKinds]int     // the line of the first cell of each kind, 0: none
	example [cellKinds]string  // that cell
	where   func(n int) string // names the row of a line, for messages; nil: "line 3"
}

// The kinds of cells.
const (
	wholeCell  = iota
	longCell   // a whole number that float64 doesn't hold exactly
	numberCell // with a point or an exponent
	textCell
	cellKinds
)

// plainNumber is a number as programs write it. Anything else (007, +1, 1., 0x1) may be
// a code, and is text.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// kindOf is the kind of a cell. A JSON string is text, whatever it looks like, and so
// is a number out of range.
func kindOf(c cell) int {
	text := strings.TrimSpace(c.text)
	if c.quoted || !plainNumber.MatchString(text) {
		return textCell
	}
	if strings.ContainsAny(text, ".eE") {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return textCell
		}
		return numberCell
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return textCell
	case max(n, -n) > 1<<53 || n == math.MinInt64:
		return longCell
	}
	return wholeCell
}

// add takes the cell of the next sample; one without text is null.
func (m *metaCells) add(number int, c cell) {
	text := strings.Clone(c.text)
	m.texts = append(m.texts, text)
	if text == "" {
		return
	}
	if kind := kindOf(c); m.first[kind] == 0 {
		m.first[kind], m.example[kind] = number, text
	}
}

// column makes the column of the cells.
func (m *metaCells) column(p *problems) (schema.Column, []any) {
	t := m.Type
	if t == "" {
		t = m.infer(p)
	}
	m.check(t, p)
	values := make([]any, len(m.texts))
	for i, text := range m.texts {
		if text != "" {
			values[i] = metaValue(t, text)
		}
	}
	return schema.Column{Name: schema.ColumnMeta + m.Name, Type: t.arrow()}, values
}

// at is where the first cell of a kind is.
func (m *metaCells) at(kind int) string {
	if m.where != nil {
		return m.where(m.first[kind])
	}
	return fmt.Sprintf("line %d", m.first[kind])
}

// infer is the type that fits all cells.
func (m *metaCells) infer(p *problems) MetaType {
	number := slices.IndexFunc(m.first[:textCell], func(line int) bool { return line > 0 })
	switch {
	case number >= 0 && m.first[textCell] > 0:
		remedy := "make them alike"
		if m.where == nil {
			remedy += sprintf(", or write {%s: text} in meta", m.Name)
		}
		p.addf("column %q: %q (%s) is text and %q (%s) a number: %s",
			m.Name, m.example[textCell], m.at(textCell), m.example[number], m.at(number), remedy)
		return MetaText
	case m.first[numberCell] > 0:
		return MetaFloat
	case number >= 0:
		return MetaInt
	}
	return MetaText
}

// check reports the first cell of each kind that a type doesn't hold.
func (m *metaCells) check(t MetaType, p *problems) {
	report := func(kind int, what string) {
		if m.first[kind] > 0 {
			p.addf("column %q: %s: %q %s", m.Name, m.at(kind), m.example[kind], what)
		}
	}
	switch t {
	case MetaInt:
		report(numberCell, "is not a whole number, and meta says that its type is int: say float")
		report(textCell, "is not a number, and meta says that its type is int")
	case MetaFloat:
		report(longCell, "has more digits than a float holds: say {"+m.Name+": text} in meta")
		report(textCell, "is not a number, and meta says that its type is float")
	}
}

// metaValue is a cell that kindOf has seen.
func metaValue(t MetaType, text string) any {
	switch t {
	case MetaInt:
		n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		return n
	case MetaFloat:
		f, _ := strconv.ParseFloat(strings.TrimSpace(text), 64)
		return f
	}
	return text
}
