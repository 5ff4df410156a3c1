package options

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Line is one line with the options that differ from their defaults, written as in a
// pipeline file.
func Line(of any) string {
	t := reflect.TypeOf(of)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	usual := Fields(reflect.New(t).Interface())
	var list []string
	for i, f := range Fields(of) {
		text, err := f.JSON()
		if err != nil {
			return err.Error()
		}
		if without, err := usual[i].JSON(); err != nil || !bytes.Equal(text, without) {
			list = append(list, f.Name+": "+flow(reflect.ValueOf(f.Value), text))
		}
	}
	return strings.Join(list, ", ")
}

// flow is a value in YAML's flow style; text is its JSON. Of options within it only those
// are written that differ from their defaults.
func flow(v reflect.Value, text json.RawMessage) string {
	var given any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&given); err != nil {
		return err.Error()
	}
	return flowOf(v, given)
}

func flowOf(v reflect.Value, given any) string {
	v = reflect.Indirect(v)
	switch given := given.(type) {
	case map[string]any:
		if v.IsValid() && v.Kind() == reflect.Struct && isOptions(v, given) {
			return "{" + Line(v.Interface()) + "}"
		}
		var list []string
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if given[name] != nil {
				list = append(list, flowText(name)+": "+flowOf(member(v, name), given[name]))
			}
		}
		return "{" + strings.Join(list, ", ") + "}"
	case []any:
		list := make([]string, len(given))
		for i, one := range given {
			list[i] = flowOf(reflect.Value{}, one)
		}
		return "[" + strings.Join(list, ", ") + "]"
	case string:
		return flowText(given)
	case nil:
		return "null"
	}
	return fmt.Sprint(given)
}

// isOptions reports whether a struct is written as its options are, each under its name.
func isOptions(v reflect.Value, given map[string]any) bool {
	fields := Fields(v.Interface())
	for _, f := range fields {
		if _, there := given[f.Name]; !there && !f.Later {
			return false
		}
	}
	return len(fields) > 0
}

// member is an element of a map of options.
func member(v reflect.Value, name string) reflect.Value {
	if !v.IsValid() || v.Kind() != reflect.Map || v.Type().Key().Kind() != reflect.String {
		return reflect.Value{}
	}
	return v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key()))
}

// flowText is a text, in quotes where YAML would take it for something else.
func flowText(s string) string {
	if s == "" || s != strings.TrimSpace(s) || strings.ContainsAny(s, ",[]{}\"#\n") || strings.Contains(s+" ", ": ") || json.Valid([]byte(s)) {
		text, _ := marshal(s) // any text can be written
		return string(text)
	}
	return s
}
