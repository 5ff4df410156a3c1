package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/arrowfile"
)

// This file reads lists and structures in Arrow files, which hold several labels and objects.

// mostElements bounds what one cell holds.
const mostElements = 1 << 22

// arrowTarget is a cell of a column of targets.
func arrowTarget(c *arrowfile.Column, row int64) (cell, error) {
	switch c.Type.Kind {
	case arrowfile.List, arrowfile.FixedList, arrowfile.Struct:
	default:
		v, err := arrowCell(c, row)
		if v == nil || err != nil {
			return cell{}, err
		}
		return cell{text: textOf(v)}, nil
	}
	null, err := c.Null(row)
	if null || err != nil {
		return cell{}, err
	}
	left := mostElements
	raw, err := appendArrow(nil, c, row, &left)
	return cell{bad: "a " + map[bool]string{true: "structure", false: "list"}[c.Type.Kind == arrowfile.Struct], raw: raw}, err
}

// appendArrow appends a row as JSON. What isn't a finite number is null.
func appendArrow(buf []byte, c *arrowfile.Column, row int64, left *int) ([]byte, error) {
	if *left--; *left < 0 {
		return nil, fmt.Errorf("it holds more than %d elements", mostElements)
	}
	null, err := c.Null(row)
	if err != nil {
		return nil, err
	}
	if null {
		return append(buf, "null"...), nil
	}
	switch c.Type.Kind {
	case arrowfile.List, arrowfile.FixedList:
		first, end, err := c.Elements(row)
		if err != nil {
			return nil, err
		}
		buf = append(buf, '[')
		for i := first; i < end; i++ {
			if i > first {
				buf = append(buf, ',')
			}
			if buf, err = appendArrow(buf, c.Parts[0], i, left); err != nil {
				return nil, err
			}
		}
		return append(buf, ']'), nil
	case arrowfile.Struct:
		buf = append(buf, '{')
		first := true
		for i, part := range c.Parts {
			if !holdsLabels(part.Type) { // nobody asks for it
				continue
			}
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = append(appendJSON(buf, c.Type.Fields[i].Name), ':')
			if buf, err = appendArrow(buf, part, row, left); err != nil {
				return nil, err
			}
		}
		return append(buf, '}'), nil
	}
	v, err := arrowCell(c, row)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return nil, errorf("%q is not UTF-8", v)
		}
		return appendJSON(buf, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(buf, "null"...), nil
		}
		return strconv.AppendFloat(buf, v, 'g', -1, 64), nil
	case bool:
		return strconv.AppendBool(buf, v), nil
	case nil:
		return append(buf, "null"...), nil
	}
	return fmt.Append(buf, v), nil
}

func appendJSON(buf []byte, text string) []byte {
	quoted, _ := json.Marshal(text) // a text
	return append(buf, quoted...)
}

// holdsLabels reports whether a type can be read here.
func holdsLabels(t *arrowfile.Type) bool {
	switch t.Kind {
	case arrowfile.List, arrowfile.FixedList, arrowfile.Struct:
		if t.Dictionary {
			return false
		}
		for i := range t.Fields {
			if t.Kind != arrowfile.Struct && !holdsLabels(&t.Fields[i].Type) {
				return false
			}
		}
		return true
	case arrowfile.Float:
		return t.Bits > 16
	case arrowfile.Text, arrowfile.Int, arrowfile.Uint, arrowfile.Bool, arrowfile.Null:
		return true
	}
	return false
}

// fitsTargets says why a type cannot be that of a column of an option; "" if it can.
func fitsTargets(option string, t *arrowfile.Type) string {
	nested := t.Kind == arrowfile.List || t.Kind == arrowfile.FixedList || t.Kind == arrowfile.Struct
	switch {
	case !holdsLabels(t):
		return "want texts, numbers, lists and structures of them"
	case option == "values" && (nested || t.Kind == arrowfile.Text):
		return "want numbers"
	case option == "multi" && (t.Kind == arrowfile.Struct || !nested && t.Kind != arrowfile.Text && t.Kind != arrowfile.Null):
		return "want lists of labels, or texts"
	case option == "objects" && !nested && t.Kind != arrowfile.Null:
		return "want a structure of lists, or a list of structures"
	}
	return ""
}

// featureNames are the names of the ClassLabel in a feature of Hugging Face's, within lists
// and structures; of the fields of a structure only those of categories are looked at.
func featureNames(feature json.RawMessage, depth int) []string {
	var f hfFeature
	if json.Unmarshal(feature, &f) == nil && f.Type == "ClassLabel" {
		return f.Names
	}
	var fields map[string]json.RawMessage
	if depth > 8 || json.Unmarshal(feature, &fields) != nil {
		var list []json.RawMessage
		if depth > 8 || json.Unmarshal(feature, &list) != nil || len(list) != 1 {
			return nil
		}
		return featureNames(list[0], depth+1)
	}
	for _, name := range append([]string{"feature"}, categoryNames...) {
		if names := featureNames(fields[name], depth+1); names != nil {
			return names
		}
	}
	return nil
}

// name takes the names of classes from a data set's features.
func (c *targetColumns) name(features map[string]json.RawMessage, from string) error {
	var bad problems
	names := func(column string) []string {
		list := featureNames(features[column], 0)
		if list != nil {
			checkNames(list, func(i int) string { return fmt.Sprintf("class %d", i) }, &bad)
		}
		return list
	}
	for i, task := range c.tasks {
		if list := names(c.multi.column(task)); list != nil {
			c.byNumber[i] = list
			if c.classes[i].names == nil {
				c.classes[i] = classList{names: list, from: from}
			}
		}
	}
	if c.boxes != nil {
		if list := names(c.boxes.column()); list != nil {
			if c.boxes.byNumber = list; c.boxes.given == nil {
				c.boxes.given = list
			}
		}
	}
	return errors.Join(bad.list...)
}
