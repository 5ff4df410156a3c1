package pipefile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// filed writes pipeline files into a folder: texts by name.
func filed(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const rest = "source: {folder: {path: val}}\nstages: [decode]\n"

func TestClassesFrom(t *testing.T) {
	dir := filed(t, map[string]string{
		"sub/train.yaml": "version: 1\nsource: {folder: {path: ../data}}\nsplit: {val: 0.5}\nstages: [decode]\n",
		"val.yaml":       "version: 1\nclasses_from: sub/train.yaml\n" + rest,
		"split.yaml":     "version: 1\nclasses_from: val.yaml\nsplit: {val: 0.1, use: val}\n" + rest,
	})
	pipe, err := Load(filepath.Join(dir, "val.yaml"), real)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := pipe.Source.(sources.ClassesFrom)
	if !ok || c.File != filepath.Join(dir, "sub", "train.yaml") || c.Source.(sources.Folder).Path != filepath.Join(dir, "val") {
		t.Fatalf("have %+v", pipe.Source)
	}
	if s, ok := c.From.(sources.Split); !ok || s.Source.(sources.Folder).Path != filepath.Join(dir, "data") {
		t.Errorf("from %+v", c.From)
	}
	// A chain, and a split around it. What is written reads back.
	pipe, err = Load(filepath.Join(dir, "split.yaml"), real)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := pipe.Source.(sources.Split)
	if !ok || s.Source.(sources.ClassesFrom).From.(sources.ClassesFrom).File == "" {
		t.Fatalf("have %+v", pipe.Source)
	}
	text, err := Format(pipe, real)
	if err != nil || !strings.Contains(string(text), "\nclasses_from: "+filepath.Join(dir, "val.yaml")+"\n") {
		t.Errorf("%s, %v", text, err)
	}
	again, err := Parse("again.yaml", text, dir, real)
	if err != nil {
		t.Fatal(err)
	}
	if err := same(pipe, again); err != nil {
		t.Error(err)
	}
	_, err = Format(flow.New(sources.ClassesFrom{Source: sources.Folder{Path: "a"}, From: sources.Folder{Path: "b"}}, stages.Decode{}), real)
	if err == nil || !strings.Contains(err.Error(), "the other source is no file's") {
		t.Errorf("a source of Go code: %v", err)
	}
}

func TestClassesFromMistakes(t *testing.T) {
	dir := filed(t, map[string]string{
		"a.yaml":       "version: 1\nclasses_from: b.yaml\n" + rest,
		"b.yaml":       "version: 1\nclasses_from: c.yaml\n" + rest,
		"c.yaml":       "version: 1\nclasses_from: ./a.yaml\n" + rest,
		"self.yaml":    "version: 1\nclasses_from: self.yaml\n" + rest,
		"gone.yaml":    "version: 1\nclasses_from: no.yaml\n" + rest,
		"mistake.yaml": "version: 1\nclasses_from: bad.yaml\n" + rest,
		"bad.yaml":     "version: 1\nsource: {folder: {path: 3}}\nstages: [rotat]\n",
		"folder.yaml":  "version: 1\nclasses_from: .\n" + rest,
		"type.yaml":    "version: 1\nclasses_from: [a]\n" + rest,
		"url.yaml":     "version: 1\nclasses_from: https://host//train.yaml\n" + rest,
		"source.yaml":  "version: 1\nsource: {folder: {path: s3://bucket//a, classes: https://host//c.txt}}\nstages: [decode]\n",
		"task.yaml":    "version: 1\nsource: {manifest: {path: gs://bucket//a.csv, classes: {a: https://host//c.txt}}}\nstages: [decode]\n",
		"bad_to.yaml":  "version: 1\non_error: {policy: skip, quarantine: https://host//bad.jsonl}\n" + rest,
	})
	for file, want := range map[string][]string{
		"a.yaml":       {"c.yaml:2:15: classes_from: files take", "in a circle (a.yaml -> b.yaml -> c.yaml -> a.yaml)"},
		"self.yaml":    {"self.yaml:2:15: classes_from: files take", "(self.yaml -> self.yaml)"},
		"gone.yaml":    {`gone.yaml:2:15: classes_from: cannot read "`, `no.yaml": no such file`},
		"mistake.yaml": {"mistake.yaml:2:15: classes_from: ", "bad.yaml:2:25: folder: path", `bad.yaml:3:10: unknown stage "rotat"`},
		"folder.yaml":  {"is not a file"},
		"type.yaml":    {"type.yaml:2:15: classes_from: want"},
		"url.yaml":     {`url.yaml:2:15: classes_from: "https://host//train.yaml" is a URL: download it first`},
		"source.yaml":  {`source.yaml:2:25: folder: path: "s3://bucket//a" is a URL: download it first`, `classes: "https://host//c.txt" is a URL`},
		"task.yaml":    {`task.yaml:2:27: manifest: path: "gs://bucket//a.csv" is a URL: download it first`, `classes: "a": "https://host//c.txt" is a URL`},
		"bad_to.yaml":  {`bad_to.yaml:2:38: on_error: quarantine: "https://host//bad.jsonl" is a URL: give the path of a file`},
	} {
		_, err := Load(filepath.Join(dir, file), real)
		for _, text := range want {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: have %v, want %q", file, err, text)
			}
		}
	}
	if _, err := Load("https://host//a.yaml", real); err == nil || !strings.Contains(err.Error(), `"https://host//a.yaml" is a URL`) {
		t.Error(err)
	}
	if _, err := LoadTrain("https://host//a.yaml", real); err == nil || !strings.Contains(err.Error(), `"https://host//a.yaml" is a URL`) {
		t.Error(err)
	}
}
