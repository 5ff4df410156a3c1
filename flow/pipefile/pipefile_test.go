package pipefile

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/stages"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const good = `# a comment
version: 1
seed: 18446744073709551615
epochs: 10
fuse: exact
on_error: {policy: refill, max: 2.5%, quarantine: bad.jsonl}
source:
  folder:
    path: data/train
    tasks: [shape, "type"]
stages:
  - decode
  - decode:
  - decode: {}
  - decode: {max_pixels: 0x10}
  - rotate: {degrees: 30, p: 1e-1, side: vertical, smooth: false, id: tilt}
  - rotate:
      degrees: [-30, .5]
      fill: 1e2
  - crop: {size: 0.5}
  - crop: {height: 224}
  - batch:
      size: 32
      drop_last: true
`

func TestParse(t *testing.T) {
	have, err := parsePipeline("pipe.yaml", []byte(good), "base", fakes, false)
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := flow.New(
		folder{Path: filepath.Join("base", "data/train"), Tasks: []string{"shape", "type"}},
		decode{}, decode{}, decode{}, decode{Limit: 16},
		flow.WithID("tilt", rotate{Degrees: stages.Range{-30, 30}, P: 0.1, Side: "vertical", Smooth: &no}),
		rotate{Degrees: stages.Range{-30, 0.5}, Fill: 100},
		crop{Size: 0.5}, crop{Height: 224},
		batch{Size: 32, DropLast: true},
	)
	want.Settings = flow.Settings{Seed: 1<<64 - 1, Epochs: 10, Fuse: flow.FuseExact, Failures: flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 0.025}, Quarantine: "base/bad.jsonl"}}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("have %+v\nwant %+v", have, want)
	}
}

// TestPaths: relative paths are relative to the file, absolute ones stay.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pipe.yaml")
	text := "version: 1\nsource: {table: {file: a.csv, more: [b/c.csv, /d.csv, ../e.csv]}}\nstages: []\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Load(file, fakes)
	if err != nil {
		t.Fatal(err)
	}
	want := table{File: dir + "/a.csv", More: []string{dir + "/b/c.csv", "/d.csv", filepath.Dir(dir) + "/e.csv"}}
	if diff := cmp.Diff(want, p.Source); diff != "" {
		t.Error(diff)
	}
	if _, err := Load(filepath.Join(dir, "none.yaml"), fakes); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("have %v, want a missing file", err)
	}
}

// TestErrors compares the messages of each testdata/errors/*.yaml with the
// *.txt beside it.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no test files")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parsePipeline(filepath.Base(file), data, "", fakes, false)
			var list Errors
			if !errors.As(err, &list) {
				t.Fatalf("have %v, want Errors", err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n", "go test ./flow/pipefile -update")
			for i := 1; i < len(list); i++ {
				if list[i].Line < list[i-1].Line {
					t.Errorf("line %d is named after line %d", list[i].Line, list[i-1].Line)
				}
			}
		})
	}
}

// golden compares text with a file, or writes it with -update.
func golden(t *testing.T, file, have, repair string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with: %s)", err, repair)
	}
	if diff := cmp.Diff(string(want), have); diff != "" {
		t.Errorf("%s differs (-file +now); if the change is meant, run: %s\n%s", file, repair, diff)
	}
}

// TestOneError: errors.As finds a single mistake.
func TestOneError(t *testing.T) {
	_, err := parsePipeline("f", []byte("version: 2\nsource: folder\nstages: 1\n"), "", fakes, false)
	var one Error
	if !errors.As(err, &one) || one.Line != 1 || one.Column != 10 || one.File != "f" {
		t.Errorf("have %+v", one)
	}
}
