// Package options reads and writes option structs: stages, sources and other
// components, whose exported fields carry a tag. Pipeline files, their JSON schema,
// the CLI help and the plan hash all see options through this package.
//
//	type Rotate struct {
//		Degrees stages.Range       `sluice:"degrees,symmetric" doc:"angle, counter-clockwise"`
//		Fill    uint8              `sluice:"fill" doc:"grey level where the rotation leaves the picture"`
//		P       stages.Probability `sluice:"p,positive" default:"1" doc:"chance to act on a row"`
//	}
//
// The tag `sluice` holds the option's name and flags:
//
//	positive    an explicit 0 is an error
//	symmetric   a single number d is handed to the type's SetSymmetric(d)
//	path        a path; a relative one is relative to the file that holds it
//	later       came after releases without it: Canonical leaves its zero value out, so that
//	            hashes of before stay what they were
//
// The tag `doc` is one line of help, `default` the value that the Go zero value
// stands for. Fields without a `sluice` tag are not options; untagged embedded
// structs add theirs.
//
// A type may parse its own values (SetOption), describe what it parses
// (OptionSchema), list its values (Values, for string types) and write them
// (json.Marshaler). A malformed struct, as opposed to a bad value from a user, is a
// programming error and panics.
package options

import (
	"fmt"
	"reflect"
	"strings"
)

// Field is one option of a struct.
type Field struct {
	Name  string
	Doc   string
	Type  reflect.Type
	Value any // in the given struct

	Positive  bool // an explicit 0 is an error
	Symmetric bool // a single number d stands for a range around 0
	Path      bool // the name of a file or directory
	Later     bool // left out of canonical forms where it is zero

	zero  string // what the zero value stands for, as text; "": itself
	index []int
}

// Fields lists the options of a struct, or of the struct behind a pointer, in the
// order of declaration.
func Fields(of any) []Field {
	v := reflect.ValueOf(of)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		panic(fmt.Sprintf("options: %T is not a struct of options", of))
	}
	fields := fieldsOf(v, nil)
	seen := map[string]bool{}
	for _, f := range fields {
		if seen[f.Name] {
			panic(fmt.Sprintf("options: %T has two options %q", of, f.Name))
		}
		seen[f.Name] = true
	}
	return fields
}

func fieldsOf(v reflect.Value, at []int) []Field {
	var out []Field
	for i := range v.NumField() {
		field := v.Type().Field(i)
		index := append(append([]int{}, at...), i)
		tag, tagged := field.Tag.Lookup("sluice")
		switch {
		case !tagged && field.Anonymous && field.Type.Kind() == reflect.Struct:
			out = append(out, fieldsOf(v.Field(i), index)...)
		case !tagged || tag == "-":
		case !field.IsExported():
			panic(fmt.Sprintf("options: %v.%s has a tag but is not exported", v.Type(), field.Name))
		default:
			f := Field{Doc: field.Tag.Get("doc"), Type: field.Type, Value: v.Field(i).Interface(),
				zero: field.Tag.Get("default"), index: index}
			f.parseTag(tag, v.Type(), field.Name)
			out = append(out, f)
		}
	}
	return out
}

func (f *Field) parseTag(tag string, in reflect.Type, goName string) {
	name, flags, _ := strings.Cut(tag, ",")
	f.Name, f.Path = name, name == "path"
	for flag := range strings.SplitSeq(flags, ",") {
		switch flag {
		case "positive":
			f.Positive = true
		case "symmetric":
			f.Symmetric = true
			if _, ok := reflect.New(f.Type).Interface().(symmetrical); !ok {
				panic(fmt.Sprintf("options: %v.%s is tagged symmetric, and *%v has no SetSymmetric(float64)", in, goName, f.Type))
			}
		case "path":
			f.Path = true
		case "later":
			f.Later = true
		case "":
		default:
			panic(fmt.Sprintf("options: %v.%s: unknown flag %q in its tag", in, goName, flag))
		}
	}
	if name == "" {
		panic(fmt.Sprintf("options: %v.%s has a tag without a name", in, goName))
	}
}

// Effective is the option's value, or what the zero value stands for.
func (f Field) Effective() any {
	if given := reflect.ValueOf(f.Value); f.zero == "" || given.IsValid() && !given.IsZero() {
		return f.Value
	}
	v := reflect.New(f.Type)
	if err := assign(v.Elem(), parseDefault(f.zero)); err != nil {
		panic(fmt.Sprintf("options: %s: its tag default:%q: %v", f.Name, f.zero, err))
	}
	return v.Elem().Interface()
}

// Names lists the options of a struct.
func Names(of any) []string {
	fields := Fields(of)
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// find returns the named option of the struct behind ptr, as a settable value.
func find(ptr any, name string) (Field, reflect.Value, error) {
	v := reflect.ValueOf(ptr)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("options: %T is not a pointer to options", ptr))
	}
	for _, f := range Fields(ptr) {
		if f.Name == name {
			return f, v.Elem().FieldByIndex(f.index), nil
		}
	}
	return Field{}, reflect.Value{}, unknown(name, Names(ptr))
}
