package pipefile

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// withLines has a sink of another module beside ours.
var withLines = Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: fakes.Sinks}

const beforeSink = "version: 1\nsource: {folder: {path: d}}\nstages: [decode, resize: {height: 4, width: 4}, batch: {size: 4}]\n"

func TestSink(t *testing.T) {
	for text, want := range map[string]sinks.Format{
		"":                  nil,
		"sink: arrow\n":     &sinks.ArrowParts{},
		"sink: {arrow: }\n": &sinks.ArrowParts{},
		"sink: {arrow: {codec: lz4, part_rows: 7}}": &sinks.ArrowParts{Codec: sinks.LZ4, PartRows: 7},
		"sink: {lines: {end: crlf, header: h.txt}}": &lines{End: "crlf", Header: "base/h.txt"},
	} {
		f, err := ParseFile("p.yaml", []byte(beforeSink+text), "base", withLines)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(f.Sink, want) {
			t.Errorf("%s: %+v, want %+v", text, f.Sink, want)
		}
	}
}

func TestSinkErrors(t *testing.T) {
	for text, want := range map[string]string{
		"sink: parquet":                     `p.yaml:4:7: unknown sink "parquet" (sinks: lines, arrow)`,
		"sink: {feather: {}}":               `unknown sink "feather": did you mean "arrow"`,
		"sink: {arrow: {}, lines: {}}":      "4:19: a pipeline has one sink, here are arrow, lines",
		"sink: 3":                           "4:7: want a sink, such as lines: {...}, have 3",
		"sink: {arrow: {codec: gzip}}":      "4:23: arrow: codec: unknown value \"gzip\"",
		"sink: {arrow: {compression: lz4}}": `did you mean "codec"`,
		"sink: {arrow: {part_rows: 0}}":     "part_rows is 0",
		"sink: {arrow: {part_rows: -2}}":    "4:27: arrow: part_rows: -2: want a positive number",
		"sink: {arrow: {path: out}}":        "sluice materialize FILE -o DIR says where to write",
		"sink: {lines: {end: cr}}":          `4:21: lines: end: "cr": want lf or crlf`,
		"sinks: arrow":                      `unknown key "sinks": did you mean "sink"`,
		"output: x":                         "sluice materialize FILE -o DIR",
	} {
		_, err := ParseFile("p.yaml", []byte(beforeSink+text), "", withLines)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\nhave %v\nwant %s", text, err, want)
		}
	}
}

// A sink is never dropped in silence: where only the pipeline is asked for, it is refused.
func TestSinkIsNotDropped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	text := []byte(beforeSink + "sink: {arrow: {codec: lz4}}\n")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, parsed := Parse(path, text, "", withLines)
	_, loaded := Load(path, withLines)
	for _, err := range []error{parsed, loaded} {
		if list, ok := errors.AsType[Errors](err); !ok || len(list) != 1 || list[0].Line != 4 || !strings.Contains(list[0].Msg, "sink arrow") || !strings.Contains(list[0].Msg, "LoadFile") {
			t.Errorf("have %v, want an error in line 4 that names LoadFile", err)
		}
	}
	if f, err := LoadFile(path, withLines); err != nil || f.Sink == nil {
		t.Errorf("LoadFile: %+v, %v", f, err)
	}
	if _, err := Parse("p.yaml", []byte(beforeSink), "", withLines, Edit{Flag: "--set", Path: "sink", Value: "arrow"}); err == nil || !strings.Contains(err.Error(), "LoadFile") {
		t.Errorf("by a flag: %v", err)
	}
	if _, err := Parse("p.yaml", []byte(beforeSink), "", withLines); err != nil {
		t.Error(err)
	}
}

// A flag reaches a sink's options, whether the file has them or not.
func TestEditsOfASink(t *testing.T) {
	for _, text := range []string{"", "sink: arrow\n", "sink: {arrow: {codec: zstd, part_rows: 8}}\n", "sink: {lines: {}}\n"} {
		edits := []Edit{{Flag: "--set", Path: "sink.arrow.codec", Value: "lz4"}}
		if strings.Contains(text, "lines") {
			edits = []Edit{{Flag: "--set", Path: "sink", Value: "{arrow: {codec: lz4}}"}}
		}
		f, err := ParseFile("p.yaml", []byte(beforeSink+text), "", withLines, edits...)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if have := f.Sink.(*sinks.ArrowParts); have.Codec != sinks.LZ4 || strings.Contains(text, "part_rows") != (have.PartRows == 8) {
			t.Errorf("%s: %+v", text, have)
		}
	}
}

func TestFormatFileWithSink(t *testing.T) {
	f, err := ParseFile("p.yaml", []byte(beforeSink+"sink: {arrow: {codec: lz4, part_rows: 4096}}\n"), "", withLines)
	if err != nil {
		t.Fatal(err)
	}
	text, err := FormatFile(f, withLines)
	if err != nil || !strings.HasSuffix(string(text), "\nsink: {arrow: {codec: lz4}}\n") {
		t.Fatalf("%s%v", text, err)
	}
	if _, err := FormatFile(&File{Pipeline: f.Pipeline, Sink: &sinks.ArrowParts{}}, Catalogs{Stages: withLines.Stages, Sources: withLines.Sources}); err == nil || !strings.Contains(err.Error(), "sink arrow is not in the catalogue") {
		t.Error(err)
	}
}
