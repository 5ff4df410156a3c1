package options

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
)

// What an option's type may implement, on its pointer.
type (
	// setter parses a decoded value: nil, bool, int64, float64 (also for whole
	// numbers beyond int64), string, []any or map[string]any.
	setter interface{ SetOption(v any) error }
	// symmetrical takes the single number of an option tagged symmetric.
	symmetrical interface{ SetSymmetric(d float64) }
	// enumeration is a string type with a fixed list of values.
	enumeration interface{ Values() []string }
	// relative is a type that may contain paths.
	relative interface{ RelativeTo(folder string) }
)

// Set sets one option of the struct behind ptr to a decoded value: nil, bool, int64,
// uint64, float64, string, []any or map[string]any. An error begins with the option's
// name, says what is wanted and what was given, and leaves the struct unchanged. An
// unknown name is an *UnknownError.
func Set(ptr any, name string, value any) error {
	f, field, err := find(ptr, name)
	if err != nil {
		return err
	}
	if !finite(value) {
		return fmt.Errorf("%s: want finite numbers, have %s", name, Have(value))
	}
	fresh := reflect.New(f.Type)
	if err := f.read(fresh, value); err != nil {
		return errlist.Within(name, err)
	}
	if f.Positive && isZero(fresh.Elem()) {
		switch have := Have(value); {
		case name == "p":
			return fmt.Errorf("p is 0: the stage would do nothing; leave the stage out, or give p a value above 0")
		case have == "0":
			return fmt.Errorf("%s is 0: give a number above 0", name)
		default:
			return fmt.Errorf("%s: %s has the same effect as no %s: give other values, or leave it out", name, have, name)
		}
	}
	field.Set(fresh.Elem())
	return nil
}

func (f Field) read(ptr reflect.Value, value any) error {
	if f.Symmetric {
		if d, ok := toFloat(value); ok {
			ptr.Interface().(symmetrical).SetSymmetric(d)
			return nil
		}
		if _, isList := value.([]any); !isList {
			return wanted("a number or a range [min, max]", value)
		}
	}
	return assign(ptr.Elem(), value)
}

// Resolve joins folder and the relative paths in the named option. URLs stay as they
// are: a component that takes none can quote what the file says.
func Resolve(ptr any, name, folder string) {
	f, field, err := find(ptr, name)
	if err != nil {
		return
	}
	if r, ok := field.Addr().Interface().(relative); ok {
		r.RelativeTo(folder)
		return
	}
	if f.Path {
		resolve(field, folder)
	}
}

func resolve(v reflect.Value, folder string) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); s != "" && !filepath.IsAbs(s) && !IsURL(s) {
			v.SetString(filepath.Join(folder, s))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			resolve(v.Index(i), folder)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			resolve(v.Elem(), folder)
		}
	}
}

// assign converts a decoded value to the type of dst.
func assign(dst reflect.Value, value any) error {
	if s, ok := dst.Addr().Interface().(setter); ok {
		return s.SetOption(withoutUint64(value))
	}
	if value == nil && dst.Kind() != reflect.Pointer {
		return fmt.Errorf("has no value; want %s", describeType(dst.Type()))
	}
	switch dst.Kind() {
	case reflect.Pointer:
		return assignPointer(dst, value)
	case reflect.Bool:
		return assignBool(dst, value)
	case reflect.String:
		return assignText(dst, value)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return assignInt(dst, value)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return assignUint(dst, value)
	case reflect.Float32, reflect.Float64:
		return assignFloat(dst, value)
	case reflect.Slice, reflect.Array:
		return assignList(dst, value)
	case reflect.Map:
		return assignMap(dst, value)
	}
	panic(fmt.Sprintf("options: %v cannot be an option: give it a method SetOption(any) error", dst.Type()))
}

func assignPointer(dst reflect.Value, value any) error {
	if value == nil {
		dst.SetZero()
		return nil
	}
	p := reflect.New(dst.Type().Elem())
	if err := assign(p.Elem(), value); err != nil {
		return err
	}
	dst.Set(p)
	return nil
}

func assignBool(dst reflect.Value, value any) error {
	b, ok := value.(bool)
	if !ok {
		return wanted("true or false", value)
	}
	dst.SetBool(b)
	return nil
}

func assignText(dst reflect.Value, value any) error {
	s, ok := value.(string)
	if e, closed := dst.Addr().Interface().(enumeration); closed {
		list := e.Values()
		if !ok {
			return wanted(strings.Join(list, " or "), value)
		}
		for _, item := range list {
			if item == s {
				dst.SetString(s)
				return nil
			}
		}
		return fmt.Errorf("unknown value %q%s (values: %s)", s, DidYouMean(Nearest(s, list)), strings.Join(list, ", "))
	}
	if !ok {
		err := wanted("text", value)
		switch value.(type) {
		case int64, uint64, float64, bool:
			return fmt.Errorf("%w: put it in quotes if text is meant", err)
		}
		return err
	}
	dst.SetString(s)
	return nil
}

func assignInt(dst reflect.Value, value any) error {
	var n int64
	switch v := value.(type) {
	case int64:
		n = v
	case uint64:
		return fmt.Errorf("%d is too large", v)
	case float64:
		if v != math.Trunc(v) {
			return wanted("a whole number", value)
		}
		if v < -(1<<63) || v >= 1<<63 {
			return fmt.Errorf("%v is too large", v)
		}
		n = int64(v)
	default:
		return wanted("a whole number", value)
	}
	if dst.OverflowInt(n) {
		return fmt.Errorf("%d is too large", n)
	}
	dst.SetInt(n)
	return nil
}

func assignUint(dst reflect.Value, value any) error {
	var n uint64
	switch v := value.(type) {
	case int64:
		if v < 0 {
			return fmt.Errorf("%d is negative", v)
		}
		n = uint64(v)
	case uint64:
		n = v
	case float64:
		switch {
		case v != math.Trunc(v):
			return wanted("a whole number", value)
		case v < 0:
			return fmt.Errorf("%v is negative", v)
		case v >= 1<<64:
			return fmt.Errorf("%v is too large: at most %d", v, maxUint(dst))
		}
		n = uint64(v)
	default:
		return wanted("a whole number", value)
	}
	if dst.OverflowUint(n) {
		return fmt.Errorf("%d is too large: at most %d", n, maxUint(dst))
	}
	dst.SetUint(n)
	return nil
}

func maxUint(v reflect.Value) uint64 { return math.MaxUint64 >> (64 - v.Type().Bits()) }

func assignFloat(dst reflect.Value, value any) error {
	f, ok := toFloat(value)
	if !ok {
		return wanted("a number", value)
	}
	if dst.OverflowFloat(f) {
		return fmt.Errorf("%v is too large", f)
	}
	dst.SetFloat(f + 0) // -0 is 0: equal options have equal bytes
	return nil
}

func assignList(dst reflect.Value, value any) error {
	list, ok := value.([]any)
	if !ok {
		return wanted(describeType(dst.Type()), value)
	}
	if dst.Kind() == reflect.Array {
		if len(list) != dst.Len() {
			return fmt.Errorf("want %s, have %d items", describeType(dst.Type()), len(list))
		}
	} else {
		dst.Set(reflect.MakeSlice(dst.Type(), len(list), len(list)))
	}
	for i, item := range list {
		if err := assign(dst.Index(i), item); err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	return nil
}

func assignMap(dst reflect.Value, value any) error {
	entries, ok := value.(map[string]any)
	if !ok {
		return wanted(describeType(dst.Type()), value)
	}
	out := reflect.MakeMapWithSize(dst.Type(), len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		item := reflect.New(dst.Type().Elem()).Elem()
		if err := assign(item, entries[key]); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		out.SetMapIndex(reflect.ValueOf(key).Convert(dst.Type().Key()), item)
	}
	dst.Set(out)
	return nil
}

func wanted(what string, have any) error {
	return fmt.Errorf("want %s, have %s", what, Have(have))
}

// Have describes a decoded value for an error.
func Have(value any) string {
	switch v := value.(type) {
	case nil:
		return "nothing"
	case string:
		return "the text " + strconv.Quote(shorten(v))
	case bool:
		return strconv.FormatBool(v)
	case []any:
		if text := flowOf(reflect.Value{}, v); len(v) > 0 && len(text) <= mostShown {
			return text
		}
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any:
		if len(v) == 0 {
			return "an empty map"
		}
		if text := flowOf(reflect.Value{}, v); len(text) <= mostShown {
			return text
		}
		return "a map"
	}
	return fmt.Sprint(value)
}

// mostShown is how long a value may be that errors show.
const mostShown = 60

func shorten(s string) string {
	if r := []rune(s); len(r) > mostShown {
		return string(r[:mostShown-3]) + "..."
	}
	return s
}

func toFloat(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// withoutUint64 converts a kind of number that only seeds need, so that setters need
// not know it.
func withoutUint64(value any) any {
	switch v := value.(type) {
	case uint64:
		return float64(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = withoutUint64(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = withoutUint64(item)
		}
		return out
	}
	return value
}

// finite reports whether a value contains no infinity and no NaN.
func finite(value any) bool {
	switch v := value.(type) {
	case float64:
		return !math.IsInf(v, 0) && !math.IsNaN(v)
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !finite(item) })
	case map[string]any:
		for _, item := range v {
			if !finite(item) {
				return false
			}
		}
	}
	return true
}

func isZero(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return v.IsZero()
}

// parseDefault reads the text of a default tag: as JSON if it is valid JSON, else as text.
func parseDefault(text string) any {
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil || d.More() {
		return text
	}
	return plain(v)
}

// plain converts what encoding/json decodes into what Set takes.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}
