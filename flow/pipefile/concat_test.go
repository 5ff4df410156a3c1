package pipefile

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
)

// joining are the fakes and concat.
func joining() Catalogs {
	c := fakes
	c.Sources = append(c.Sources[:len(c.Sources):len(c.Sources)], sources.Entry{New: func() sources.Source { return &sources.Concat{} }, Doc: "several sources as one"})
	return c
}

func TestConcatInFile(t *testing.T) {
	const text = `version: 1
source:
  concat:
    web: {folder: {path: data/web, tasks: [class]}}
    "7": {table: {file: list.csv}}
    label: origin
    classes: names.txt
split: {val: 0.25, use: val}
stages: []
`
	edit := Edit{Flag: "--set", Path: "source.concat.web.folder.tasks", Value: "[kind]"}
	p, err := Parse("p.yaml", []byte(text), "dir", joining(), edit)
	if err != nil {
		t.Fatal(err)
	}
	want := sources.Split{Val: 0.25, Use: sources.Val, Source: sources.Concat{
		Label: "origin", Classes: sources.Classes{File: filepath.Join("dir", "names.txt")},
		Sources: map[string]sources.Source{
			"web": folder{Path: filepath.Join("dir", "data", "web"), Tasks: []string{"kind"}},
			"7":   table{File: filepath.Join("dir", "list.csv")},
		},
	}}
	if diff := cmp.Diff(sources.Source(want), p.Source); diff != "" {
		t.Error(diff)
	}
}

func TestFormatConcat(t *testing.T) {
	c := sources.Concat{Label: "none", Sources: map[string]sources.Source{"web": folder{Path: "a b"}, "7": &table{File: "l.csv"}}}
	have, err := Format(flow.New(sources.Split{Source: c, Val: 0.5}, decode{}), joining())
	const want = `version: 1
source: {concat: {label: none, "7": {table: {file: l.csv}}, web: {folder: {path: "a b"}}}}
split: {val: 0.5}
stages:
  - decode: {}
`
	if diff := cmp.Diff(want, string(have)); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for what, c := range map[string]struct {
		part sources.Source
		want string
	}{
		"a side":       {sources.Split{Source: folder{Path: "a"}, Val: 0.5}, "concat: web: source split is not in the catalogue"},
		"none":         {nil, "concat: web: there is no source under this name"},
		"another kind": {strange{folder{Path: "a"}}, "concat: web: pipefile.strange is not what a file can give, which is pipefile.folder"},
	} {
		_, err := Format(flow.New(sources.Concat{Sources: map[string]sources.Source{"web": c.part}}, decode{}), joining())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// strange has the name of a source of the catalogue.
type strange struct{ folder }

func TestConcatMistakes(t *testing.T) {
	const text = `version: 1
source:
  concat:
    web: {folder: {path: web, task: [x]}}
    ours: {foldr: {path: ours}}
    "a/b": {folder: {path: ours}}
    x: {folder: {path: ours}, split: {val: 0.1}}
    y: {concat: {z: {folder: {path: ours}}}}
    z: 3
    q:
    labl: origin
    label: 7
    f: {folder: }
stages: []
`
	const want = `p.yaml:4:31: concat: web: folder: unknown option "task": did you mean "tasks"? (options: path, tasks)
p.yaml:5:12: unknown source "foldr": did you mean "folder"? (sources: folder, table)
p.yaml:6:5: concat: a/b: the name "a/b" of a source: want letters, digits, - _ and ., and neither label nor classes, which are options
p.yaml:7:31: concat: x: split is of all sources together: write it at the top of the file
p.yaml:8:9: concat: y: a concat within another: put its sources into the outer one
p.yaml:9:5: concat: z: want a source, such as {folder: {path: data/web}}, have 3
p.yaml:10:5: concat: q: want a source, such as {folder: {path: data/web}}, have nothing
p.yaml:11:5: concat: labl: want a source, such as {folder: {path: data/web}}, have the text "origin": did you mean "label"?
p.yaml:12:12: concat: label: want text, have 7: put it in quotes if text is meant
p.yaml:13:9: concat: f: folder: path: missing`
	_, err := Parse("p.yaml", []byte(text), "", joining())
	if err == nil {
		t.Fatal("no mistake is found")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"source: concat":        "concat: it has no sources: ",
		"source: {concat: [a]}": "concat: want its options as a map, such as {label: ...}, have [a]",
	} {
		if _, err := Parse("p.yaml", []byte("{version: 1, stages: [], "+text+"}"), "", joining()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestConcatInSchemaAndHelp(t *testing.T) {
	var schema struct {
		Defs map[string]struct {
			Properties map[string]any
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(joining()), &schema); err != nil {
		t.Fatal(err)
	}
	if of := schema.Defs["source"].Properties; of["folder"] == nil || of["table"] == nil || of["concat"] != nil {
		t.Errorf("sources of a concat: %v", of)
	}
	if help, err := HelpOn("concat", joining()); err != nil || !strings.Contains(help, "NAME") || !strings.Contains(help, "label ") {
		t.Errorf("%s %v", help, err)
	}
}
