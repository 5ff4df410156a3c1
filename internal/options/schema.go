package options

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// schemer is a type that describes what its SetOption parses, in JSON Schema.
type schemer interface{ OptionSchema() map[string]any }

// Schema is the JSON Schema of the option's value in a file, with its doc and
// default.
func (f Field) Schema() map[string]any {
	s := typeSchema(f.Type)
	if f.Symmetric {
		s = map[string]any{"anyOf": []any{map[string]any{"type": "number"}, s}}
	}
	if t := s["type"]; f.Positive && (t == "number" || t == "integer") {
		if s["minimum"] != nil {
			delete(s, "minimum")
		}
		s["exclusiveMinimum"] = 0
	}
	if f.Doc != "" {
		s["description"] = f.Doc
	}
	if d, ok := f.Default(); ok {
		s["default"] = d
	}
	return s
}

// Default is the option's value in the given struct, in plain JSON types; ok is
// false for a zero that only means "not given".
func (f Field) Default() (value any, ok bool) {
	text, err := f.JSON()
	if err != nil {
		panic(fmt.Sprintf("options: the default of %v", err))
	}
	given := reflect.ValueOf(f.Effective())
	if said := string(text); said != "true" && said != "false" && (!given.IsValid() || given.IsZero()) {
		return nil, false
	}
	return parseDefault(string(text)), true
}

// Within is a struct of options that the option takes as a map, or a map of such; nil: it takes none.
func (f Field) Within() any {
	t := f.Type
	if t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	of := reflect.Zero(t).Interface()
	fields := Fields(of)
	if len(fields) == 0 || !takes(f.Schema(), fields) {
		return nil
	}
	return of
}

// takes reports whether a schema has a map with the names of all these options.
func takes(s map[string]any, fields []Field) bool {
	if of, ok := s["properties"].(map[string]any); ok {
		return !slices.ContainsFunc(fields, func(f Field) bool { return of[f.Name] == nil })
	}
	list, _ := schemas(s["anyOf"])
	if of, ok := s["additionalProperties"].(map[string]any); ok {
		list = append(list, of)
	}
	return slices.ContainsFunc(list, func(of map[string]any) bool { return takes(of, fields) })
}

// Kind describes in a few words what the option takes.
func (f Field) Kind() string { return Describe(f.Schema()) }

func typeSchema(t reflect.Type) map[string]any {
	zero := reflect.New(t).Interface()
	if s, ok := zero.(schemer); ok {
		return maps.Clone(s.OptionSchema())
	}
	if _, ok := zero.(setter); ok {
		return map[string]any{} // anything; such a type should be a schemer, too
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem())
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		s := map[string]any{"type": "string"}
		if e, ok := zero.(enumeration); ok {
			s["enum"] = anys(e.Values())
		}
		return s
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s := map[string]any{"type": "integer", "minimum": 0}
		if t.Bits() < 32 {
			s["maximum"] = 1<<t.Bits() - 1
		}
		return s
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": typeSchema(t.Elem())}
	case reflect.Array:
		return map[string]any{"type": "array", "items": typeSchema(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return map[string]any{"type": "object", "additionalProperties": typeSchema(t.Elem())}
		}
	}
	panic(fmt.Sprintf("options: %v cannot be an option: give it the methods SetOption(any) error and OptionSchema() map[string]any", t))
}

// Describe says in a few words what a schema accepts, for help and errors.
func Describe(s map[string]any) string {
	if list, ok := s["enum"].([]any); ok {
		return join(list, func(v any) string { return fmt.Sprint(v) })
	}
	if c, ok := s["const"]; ok {
		return fmt.Sprint(c)
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		if list, ok := schemas(s[key]); ok {
			var kinds []string
			for _, item := range list {
				if k := Describe(item); !slices.Contains(kinds, k) {
					kinds = append(kinds, k)
				}
			}
			return strings.Join(kinds, " | ")
		}
	}
	switch t := s["type"].(type) {
	case string:
		return describeKind(t, s)
	case []any:
		return join(t, func(v any) string { return describeKind(fmt.Sprint(v), s) })
	case []string:
		return join(anys(t), func(v any) string { return describeKind(fmt.Sprint(v), s) })
	}
	return "anything"
}

func describeKind(kind string, s map[string]any) string {
	switch kind {
	case "boolean":
		return "true | false"
	case "string":
		return "text"
	case "integer":
		return "whole number"
	case "object":
		return "map"
	case "array":
		of := "a list"
		if items, ok := s["items"].(map[string]any); ok {
			switch d := Describe(items); d {
			case "text":
				of = "list of texts"
			case "number", "whole number":
				of = "list of " + d + "s"
			default:
				of = "list of (" + d + ")"
			}
		}
		if n := s["minItems"]; n != nil && fmt.Sprint(n) == fmt.Sprint(s["maxItems"]) {
			of = strings.Replace(of, "list", fmt.Sprintf("list (%v)", n), 1)
		}
		return of
	}
	return kind
}

// describeType is Describe for errors of a plain type.
func describeType(t reflect.Type) string {
	d := Describe(typeSchema(t))
	if strings.HasPrefix(d, "text") || strings.Contains(d, "|") {
		return d
	}
	return "a " + strings.TrimPrefix(d, "a ")
}

// schemas reads the alternatives of an anyOf, however a type wrote them.
func schemas(v any) ([]map[string]any, bool) {
	switch list := v.(type) {
	case []map[string]any:
		return list, true
	case []any:
		out := make([]map[string]any, 0, len(list))
		for _, item := range list {
			m, ok := item.(map[string]any)
			if !ok {
				return nil, false
			}
			out = append(out, m)
		}
		return out, true
	}
	return nil, false
}

func join(list []any, f func(any) string) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = f(v)
	}
	return strings.Join(texts, " | ")
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
