package pipefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// object is a JSON Schema, or a part of one.
type object = map[string]any

// Schema is a JSON Schema (draft 2020-12) of pipeline files, derived from the
// catalogues. An editor with the YAML language server completes and checks a
// file whose first line names it:
//
//	# yaml-language-server: $schema=pipeline.schema.json
//
// It covers names and types. Only Check knows which options go together.
func Schema(c Catalogs) []byte {
	top := properties(settings{Version: Version})
	delete(top["version"].(object), "default")
	top["version"].(object)["const"] = Version
	top["seed"].(object)["maximum"] = json.Number("18446744073709551615")
	top["on_error"] = optionsSchema(onError{}, "what to do about rows that fail")
	top["objects"] = optionsSchema(flow.Objects{}, "which boxes, polygons and keypoints stay")
	top["split"] = optionsSchema(sources.Split{}, "divide the source into training and validation samples")

	places, single := object{}, object{}
	for _, e := range c.Sources {
		s := e.New()
		schema := optionsSchema(s, e.Doc)
		if places[s.Name()] = schema; !isComposite(s) {
			single[s.Name()] = schema
			continue
		}
		schema["additionalProperties"] = object{"$ref": "#/$defs/source"}
	}
	top["source"] = object{
		"description": "where the samples come from",
		"anyOf":       []any{oneOf(places), names(places)},
	}
	formats := object{}
	for _, e := range c.Sinks {
		s := e.New()
		formats[s.Name()] = optionsSchema(s, e.Doc)
	}
	if len(formats) > 0 {
		top["sink"] = object{
			"description": "the format of the data set that materialize writes; default: " + c.Sinks[0].New().Name(),
			"anyOf":       []any{oneOf(formats), names(formats)},
		}
	}
	list := object{}
	for _, e := range c.Stages {
		s := e.New()
		schema := optionsSchema(s, e.Doc)
		schema["properties"].(object)["id"] = object{
			"type": "string", "pattern": idPattern.String(),
			"description": "keeps the stage's random numbers its own when another of its name is put before it",
		}
		if when, strength := takesConditions(s); when {
			schema["properties"].(object)["when"] = optionsSchema(stages.When{}, "the rows on which the stage acts; others pass it as they are")
			if strength {
				schema["properties"].(object)["strength"] = optionsSchema(stages.Strength{}, "how much it does to a row: a factor of its amounts, or of p")
			}
		}
		list[s.Name()] = schema
	}
	top["stages"] = object{
		"type":        "array",
		"description": "what the samples pass, in this order",
		"items":       object{"anyOf": []any{oneOf(list), names(list)}},
	}
	file := object{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "sluice pipeline",
		"type":                 "object",
		"properties":           top,
		"required":             []any{"version", "source", "stages"},
		"additionalProperties": false,
	}
	if len(single) < len(places) {
		one := oneOf(single)
		one["description"] = "one of several sources"
		file["$defs"] = object{"source": one}
	}
	return encode(file)
}

// takesConditions reports whether a stage may have conditions, and a strength.
func takesConditions(s stages.Stage) (when, strength bool) {
	switch s.(type) {
	case stages.PictureStage, stages.Weigher:
		when = true
	case stages.MixStage:
		return true, false
	}
	_, amounts := s.(stages.Adjustable)
	return when, amounts || when && slices.Contains(options.Names(s), "p")
}

// optionsSchema is the schema of an option struct; its options may be left out.
func optionsSchema(of any, doc string) object {
	s := object{"type": []any{"object", "null"}, "properties": properties(of), "additionalProperties": false}
	if doc != "" {
		s["description"] = doc
	}
	return s
}

func properties(of any) object {
	out := object{}
	for _, f := range options.Fields(of) {
		out[f.Name] = f.Schema()
	}
	return out
}

// oneOf is a map with exactly one of the keys.
func oneOf(choices object) object {
	return object{
		"type": "object", "properties": choices, "additionalProperties": false,
		"minProperties": 1, "maxProperties": 1,
	}
}

// names is one of the keys alone, with all options at their defaults.
func names(choices object) object {
	list := make([]any, 0, len(choices))
	for _, name := range slices.Sorted(maps.Keys(choices)) {
		list = append(list, name)
	}
	return object{"enum": list}
}

func encode(schema object) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		panic(fmt.Sprintf("pipefile: the schema of an option is not JSON: %v", err))
	}
	return b.Bytes()
}
