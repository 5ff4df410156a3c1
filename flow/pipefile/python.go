package pipefile

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// Python is the catalogues as modules of the Python package sluicedata, by file name: a typed
// function for each stage, source and sink, and types of the settings.
func Python(c Catalogs) map[string][]byte {
	stages, places, formats := pyModule("stages", "Stages, as typed functions"), pyModule("sources", "Sources, as typed functions"), pyModule("sinks", "Formats of data sets, as typed functions")
	for _, e := range c.Stages {
		s := e.New()
		stages.add(s.Name(), e.Doc, s, true, s.Check() != nil)
	}
	for _, e := range c.Sources {
		if isComposite(e.New()) {
			places.addComposite(e.New().Name(), e.Doc, e.New())
			continue
		}
		places.add(e.New().Name(), e.Doc, e.New(), false, true)
	}
	for _, e := range c.Sinks {
		formats.add(e.New().Name(), e.Doc, e.New(), false, false)
	}
	return map[string][]byte{
		"stages.py": stages.file(), "sources.py": places.file(), "sinks.py": formats.file(),
		"_settings.py": pySettings(),
	}
}

// pySettings is the types of what a pipeline's settings hold.
func pySettings() []byte {
	f := pyModule("settings", "Types of a pipeline's settings")
	f.typed("OnError", "what to do about rows that fail", onError{})
	f.typed("Objects", "which boxes, polygons and keypoints stay", flow.Objects{})
	f.typed("When", "rows on which a stage acts", stages.When{})
	f.typed("Strength", "how much a stage does to a row", stages.Strength{})
	f.typed("Split", "divide the source into training and validation samples", sources.Split{})
	return f.file()
}

// typed writes the type of a dict of options.
func (f *pyFile) typed(name, doc string, of any) {
	f.names = append(f.names, name)
	if slices.ContainsFunc(options.Fields(of), func(o options.Field) bool { return o.Name == "from" }) { // a keyword can't be an attribute
		fmt.Fprintf(&f.body, "\n\n%s = TypedDict(\n    %q,\n    {\n", name, name)
		for _, o := range options.Fields(of) {
			f.body.WriteString(wrapped("# "+upper(o.Doc)+".", 116, "        ", "        # "))
			fmt.Fprintf(&f.body, "        %q: %s,\n", o.Name, pyOption(o, o.Schema()))
		}
		f.body.WriteString("    },\n    total=False,\n)\n")
		return
	}
	fmt.Fprintf(&f.body, "\n\nclass %s(TypedDict, total=False):\n    \"\"\"%s.\"\"\"\n\n", name, upper(doc))
	for _, o := range options.Fields(of) {
		schema := o.Schema()
		text := o.Doc
		if value, given := schema["default"]; given {
			text += " (default: " + pyValue(value) + ")"
		}
		fmt.Fprintf(&f.body, "    %s: %s\n", o.Name, pyOption(o, schema))
		f.body.WriteString(wrapped(`"""`+upper(text)+`."""`, 116, "    ", "    "))
	}
}

// pyOption is the type of an option.
func pyOption(o options.Field, schema object) string {
	if o.Path {
		return "str | os.PathLike[str]"
	}
	if o.Type == reflect.TypeFor[stages.StageList]() {
		return "Sequence[Component | str | Mapping[str, object]]"
	}
	return pyType(schema)
}

// pyFile is a module being written.
type pyFile struct {
	kind, title string
	names       []string
	body        strings.Builder
}

func pyModule(kind, title string) *pyFile { return &pyFile{kind: kind, title: title} }

// either are options that others may stand in for: they aren't required.
var either = []string{"count", "keep", "data"}

// add writes the function of a component. The option that most calls give, size or else the
// first that isn't a task, may be given by position, and with mean its std.
func (f *pyFile) add(name, doc string, of any, stage, needs bool) {
	fields := options.Fields(of)
	first := slices.IndexFunc(fields, func(o options.Field) bool { return o.Name == "size" })
	if first < 0 {
		first = max(slices.IndexFunc(fields, func(o options.Field) bool { return o.Name != "task" }), 0)
	}
	sized := slices.ContainsFunc(fields, func(o options.Field) bool { return o.Name == "height" }) // in place of size
	if len(fields) > 0 {
		o := fields[first]
		fields = append([]options.Field{o}, slices.Delete(slices.Clone(fields), first, first+1)...)
	}
	places := positional(fields)
	var params, args, docs []string
	for i, o := range fields {
		schema := o.Schema()
		t := pyOption(o, schema)
		value, given := schema["default"]
		text := pyValue(value)
		required := i == 0 && needs && !given && !sized && !slices.Contains(either, o.Name) &&
			!strings.Contains(o.Doc, "(default") && !strings.HasPrefix(o.Doc, "instead of ")
		switch {
		case required:
			params = append(params, o.Name+": "+t)
		case given:
			params = append(params, fmt.Sprintf("%s: %s = %s", o.Name, t, text))
		default:
			params = append(params, fmt.Sprintf("%s: %s | None = None", o.Name, t))
		}
		if i+1 == places && (len(fields) > places || stage) {
			params = append(params, "*")
		}
		args = append(args, fmt.Sprintf("%q: %s", o.Name, o.Name))
		docs = append(docs, o.Name+": "+o.Doc+".")
	}
	if stage {
		if len(fields) == 0 {
			params = append(params, "*")
		}
		f.conditions(of, &params, &args, &docs)
		params = append(params, "id: str | None = None")
		args = append(args, `"id": id`)
		docs = append(docs, "id: keeps the stage's random numbers its own when another of its name is put before it.")
	}
	b := &f.body
	f.names = append(f.names, name)
	fmt.Fprintf(b, "\n\ndef %s(\n", name)
	for _, p := range params {
		if len(p) > 115 { // as ruff breaks it
			p = brokenUnion(p)
		}
		fmt.Fprintf(b, "    %s,\n", p)
	}
	fmt.Fprintf(b, ") -> Component:\n    \"\"\"%s.\n", upper(doc))
	if len(docs) > 0 {
		b.WriteString("\n    Args:\n")
		for _, d := range docs {
			b.WriteString(wrapped(d, 116, "        ", "            "))
		}
	}
	b.WriteString("    \"\"\"\n")
	fmt.Fprintf(b, "    return component(\n        %s,\n        {\n", name)
	for _, a := range args {
		fmt.Fprintf(b, "            %s,\n", a)
	}
	b.WriteString("        },\n")
	b.WriteString("    )\n")
}

// conditions adds the keys when and strength, which stand beside the options of a stage.
func (f *pyFile) conditions(of any, params, args, docs *[]string) {
	stage, _ := of.(stages.Stage)
	when, strength := takesConditions(stage)
	if when {
		*params = append(*params, "when: When | None = None")
		*args = append(*args, `"when": when`)
		*docs = append(*docs, `when: the rows on which the stage acts, such as {"class_count": {"below": 100}}; others pass it as they are.`)
	}
	if strength {
		*params = append(*params, "strength: Strength | None = None")
		*args = append(*args, `"strength": strength`)
		*docs = append(*docs, `strength: how much it does to a row, such as {"by": "class_count", "from": 0.5, "to": 1.5}: a factor of its amounts, or of p.`)
	}
}

// addComposite writes the function of a source made of others, which are its first argument.
func (f *pyFile) addComposite(name, doc string, of any) {
	b := &f.body
	f.names = append(f.names, name)
	fmt.Fprintf(b, "\n\ndef %s(\n    sources: Mapping[str, Component],\n    *,\n", name)
	docs := []string{"sources: the sources by name, such as {\"web\": folder(\"data/web\")}."}
	var args []string
	for _, o := range options.Fields(of) {
		schema := o.Schema()
		if value, given := schema["default"]; given {
			fmt.Fprintf(b, "    %s: %s = %s,\n", o.Name, pyOption(o, schema), pyValue(value))
		} else {
			fmt.Fprintf(b, "    %s: %s | None = None,\n", o.Name, pyOption(o, schema))
		}
		args = append(args, fmt.Sprintf("%q: %s", o.Name, o.Name))
		docs = append(docs, o.Name+": "+o.Doc+".")
	}
	fmt.Fprintf(b, ") -> Component:\n    \"\"\"%s.\n\n    Args:\n", upper(doc))
	for _, d := range docs {
		b.WriteString(wrapped(d, 116, "        ", "            "))
	}
	fmt.Fprintf(b, "    \"\"\"\n    return composite(\n        %s,\n        sources,\n        {\n", name)
	for _, a := range args {
		fmt.Fprintf(b, "            %s,\n", a)
	}
	b.WriteString("        },\n    )\n")
}

// positional is how many options may be given by position: the first, and with mean its std, as in
// torchvision's Normalize.
func positional(fields []options.Field) int {
	if len(fields) > 1 && fields[0].Name == "mean" && fields[1].Name == "std" {
		return 2
	}
	return 1
}

func (f *pyFile) file() []byte {
	body := f.body.String()
	var b strings.Builder
	fmt.Fprintf(&b, "\"\"\"%s: generated from the engine's catalogues.\n\n", f.title)
	b.WriteString("Do not edit: go test ./flow/pipefile -run TestPythonFiles -update writes this file.\n\"\"\"\n\nfrom __future__ import annotations\n\n")
	std := ""
	if strings.Contains(body, "os.PathLike") {
		std += "import os\n"
	}
	var abc []string
	for _, name := range []string{"Mapping", "Sequence"} {
		if strings.Contains(body, name+"[") {
			abc = append(abc, name)
		}
	}
	if len(abc) > 0 {
		std += "from collections.abc import " + strings.Join(abc, ", ") + "\n"
	}
	var typing []string
	if strings.Contains(body, "Literal[") {
		typing = append(typing, "Literal")
	}
	if strings.Contains(body, "(TypedDict") || strings.Contains(body, " TypedDict(") {
		typing = append(typing, "TypedDict")
	}
	if len(typing) > 0 {
		std += "from typing import " + strings.Join(typing, ", ") + "\n"
	}
	if std != "" {
		b.WriteString(std + "\n")
	}
	switch f.kind {
	case "stages":
		b.WriteString("from ._settings import Strength, When\nfrom .pipelines import Component, component, custom\n\n")
		f.names = append(f.names, "custom")
	case "sources", "sinks":
		more := ""
		if strings.Contains(body, " composite(") {
			more = ", composite"
		}
		b.WriteString("from .pipelines import Component, component" + more + "\n\n")
	}
	b.WriteString("__all__ = [\n")
	slices.Sort(f.names)
	for _, n := range f.names {
		fmt.Fprintf(&b, "    %q,\n", n)
	}
	b.WriteString("]\n" + body)
	return []byte(b.String())
}

// pyType is the type of what a schema accepts.
func pyType(schema object) string {
	if list, ok := first(schema, "anyOf", "oneOf"); ok {
		return union(list)
	}
	if values, ok := schema["enum"]; ok {
		text := strings.TrimSuffix(strings.Trim(pyValue(values), "()"), ",")
		return "Literal[" + text + "]"
	}
	switch t := schema["type"].(type) {
	case []any:
		var list []any
		for _, one := range t {
			list = append(list, object{"type": one})
		}
		return union(list)
	case string:
		switch t {
		case "string":
			return "str"
		case "integer":
			return "int"
		case "number":
			return "float"
		case "boolean":
			return "bool"
		case "null":
			return "None"
		case "array":
			item, n := pyType(plainObject(schema["items"])), fmt.Sprint(schema["minItems"])
			if n == fmt.Sprint(schema["maxItems"]) && schema["minItems"] != nil {
				if n == "2" {
					return fmt.Sprintf("tuple[%s, %s]", item, item)
				}
				if n == "3" {
					return fmt.Sprintf("tuple[%s, %s, %s]", item, item, item)
				}
			}
			return "Sequence[" + item + "]"
		case "object":
			if of := plainObject(schema["additionalProperties"]); of != nil {
				return "Mapping[str, " + pyType(of) + "]"
			}
			var values []any
			properties := plainObject(schema["properties"])
			for _, name := range slices.Sorted(maps.Keys(properties)) {
				values = append(values, properties[name])
			}
			if len(values) > 2 { // the checks of the engine say more than a type of all of them
				return "Mapping[str, object]"
			}
			if len(values) > 0 {
				return "Mapping[str, " + union(values) + "]"
			}
			return "Mapping[str, object]"
		}
	}
	panic(fmt.Sprintf("pipefile: no Python type for %v", schema))
}

func first(schema object, keys ...string) ([]any, bool) {
	for _, k := range keys {
		if list, ok := plain(schema[k]).([]any); ok {
			return list, true
		}
	}
	return nil, false
}

// union is the types of several schemas, each once, with one type for lists of several
// lengths.
func union(list []any) string {
	var types []string
	for _, one := range list {
		if t := pyType(plainObject(one)); !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	if slices.ContainsFunc(types, func(t string) bool { return strings.HasPrefix(t, "Sequence[") }) {
		types = slices.DeleteFunc(types, func(t string) bool { return strings.HasPrefix(t, "tuple[") })
	}
	for _, of := range []string{"%s", "Mapping[str, %s]"} { // a float takes ints
		if slices.Contains(types, fmt.Sprintf(of, "float")) {
			types = slices.DeleteFunc(types, func(t string) bool { return t == fmt.Sprintf(of, "int") })
		}
	}
	return strings.Join(types, " | ")
}

// plain is a value as JSON gives it back: schemas hold Go's own types, too.
func plain(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("pipefile: %v", err))
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(fmt.Sprintf("pipefile: %v", err))
	}
	return out
}

func plainObject(v any) object {
	o, _ := plain(v).(object)
	return o
}

// pyValue writes a default.
func pyValue(v any) string {
	switch v := plain(v).(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case []any:
		list := make([]string, len(v))
		for i, one := range v {
			list[i] = pyValue(one)
		}
		if len(list) == 1 {
			return "(" + list[0] + ",)"
		}
		return "(" + strings.Join(list, ", ") + ")"
	case object:
		list := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, pyValue(k)+": "+pyValue(v[k]))
		}
		return "{" + strings.Join(list, ", ") + "}"
	default:
		b, _ := json.Marshal(v)
		return string(b)
	}
}

// brokenUnion puts each type of a union on a line of its own.
func brokenUnion(param string) string {
	var b strings.Builder
	depth := 0
	for i, c := range param {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		}
		if depth == 0 && c == ' ' && strings.HasPrefix(param[i:], " | ") {
			b.WriteString("\n   ")
		}
		b.WriteRune(c)
	}
	return b.String()
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// wrapped breaks a text into lines of at most width.
func wrapped(text string, width int, first, next string) string {
	var b strings.Builder
	line := first
	for i, word := range strings.Fields(text) {
		if i > 0 && len([]rune(line))+1+len([]rune(word)) > width {
			b.WriteString(line + "\n")
			line = next + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
