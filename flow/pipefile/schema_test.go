package pipefile

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/parquetsource"
	"github.com/sluicedata/sluice/stages"
)

// real is what the CLI reads pipeline files with.
var real = Catalogs{Stages: stages.Catalog, Sources: slices.Concat(sources.Catalog, parquetsource.Catalog), Sinks: sinks.Catalog}

// TestSchemaFile keeps the schema that editors use equal to the catalogues.
func TestSchemaFile(t *testing.T) {
	golden(t, filepath.Join("..", "..", "docs", "pipeline.schema.json"), string(Schema(real)),
		"go test ./flow/pipefile -run TestSchemaFile -update")
}

// compile also checks the schema against the meta-schema of its draft.
func compile(t *testing.T, c Catalogs) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema(c)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("pipeline.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile("pipeline.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance reads YAML as a JSON Schema validator wants it; ok is false where
// the file is no plain YAML, which an editor says by itself.
func instance(data []byte) (value any, ok bool) {
	var m mistakes
	root := m.parseYAML(data)
	if root == nil || len(m.list) > 0 {
		return nil, false
	}
	return root.plain(), true
}

// known are the files whose mistakes no schema can see: only Check does, or
// Parse where it looks at several stages.
var known = map[string]bool{"ids_twice.yaml": true, "check.yaml": true}

// TestSchemaAgrees: the schema accepts what Parse accepts and refuses what it
// refuses, but for what Check alone knows.
func TestSchemaAgrees(t *testing.T) {
	s := compile(t, fakes)
	value, ok := instance([]byte(good))
	if !ok {
		t.Fatal("the good file is not read")
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("the good file: %v", err)
	}
	files, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if value, ok := instance(data); ok && (s.Validate(value) == nil) != known[filepath.Base(file)] {
			t.Errorf("%s: the schema says %v", file, s.Validate(value))
		}
	}
}

// TestSchemaLines does so for single stages.
func TestSchemaLines(t *testing.T) {
	s := compile(t, fakes)
	for line, fine := range map[string]bool{
		"decode": true, "decode:": true, "decode: {}": true, "decode: {id: a}": true, "crop: {size: 0.5}": true,
		"rotate: {degrees: 30}": true, "rotate: {degrees: [1, 2], smooth: true, side: vertical, p: 1}": true,
		"flip": false, "flip: {}": false, "{decode: , crop: {size: 1}}": false, "7": false, "[decode]": false,
		"decode: {max_pixels: 0}": false, "decode: {max_pixels: 1.5}": false, "decode: {max_pixels: a}": false,
		"decode: {pixels: 1}": false, "rotate: {degrees: [1]}": false, "rotate: {degrees: x}": false,
		"rotate: {degrees: 1, side: up}": false, "rotate: {degrees: 1, fill: 256}": false,
		"rotate: {degrees: 1, p: 0}": false, "rotate: {degrees: 1, id: 7}": false, "rotate: {degrees: 1, id: 7a}": false,
	} {
		text := []byte("version: 1\nsource: {folder: {path: d}}\nstages:\n  - " + line + "\n")
		value, ok := instance(text)
		if !ok {
			t.Fatalf("%s is not read", line)
		}
		if err := s.Validate(value); (err == nil) != fine {
			t.Errorf("%s: the schema says %v", line, err)
		}
		if _, err := parsePipeline("f", text, "", fakes, false); (err == nil) != fine {
			t.Errorf("%s: Parse says %v", line, err)
		}
	}
}

// TestCatalogues holds the real option structs to what this package needs.
func TestCatalogues(t *testing.T) {
	seen := map[string]bool{}
	check := func(name, doc string, of any) {
		if seen[name] {
			t.Errorf("%s is in the catalogues twice", name)
		}
		seen[name] = true
		if name == "" || doc == "" || strings.Contains(doc, "\n") {
			t.Errorf("%q: needs a name and one line of doc, has %q", name, doc)
		}
		for _, f := range options.Fields(of) {
			if f.Name == "id" {
				t.Errorf("%s: every stage has an id of its own: rename the option", name)
			}
			if f.Doc == "" || strings.Contains(f.Doc, "\n") {
				t.Errorf("%s: %s needs one line of doc, has %q", name, f.Name, f.Doc)
			}
			if f.Kind() == "anything" {
				t.Errorf("%s: %s: give %v a method OptionSchema", name, f.Name, f.Type)
			}
		}
		if _, err := options.Canonical(of); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, e := range real.Stages {
		check(e.New().Name(), e.Doc, e.New())
		if reflect.TypeOf(value(e.New())).Kind() == reflect.Pointer {
			t.Errorf("%s: a stage is a value: give it value receivers", e.New().Name())
		}
	}
	for _, e := range real.Sources {
		check(e.New().Name(), e.Doc, e.New())
	}
	compile(t, real)
}

func TestHelp(t *testing.T) {
	text := Help(fakes)
	for _, want := range []string{
		"rotate: turn pictures about their centre\n",
		"    degrees  number | list (2) of numbers  angle, counter-clockwise\n",
		"    side     horizontal | vertical         which way (default horizontal)\n",
		"folder: a folder of images\n", "\nsplit: ", "on_error: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the help:\n%s", want, text)
		}
	}
	one, err := HelpOn("crop", fakes)
	if err != nil || !strings.HasPrefix(one, "crop: cut a window out\n") {
		t.Errorf("have %q, %v", one, err)
	}
	if _, err := HelpOn("corp", fakes); err == nil || !strings.Contains(err.Error(), `did you mean "crop"?`) {
		t.Errorf("have %v", err)
	}
}
