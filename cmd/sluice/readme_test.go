package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/trainer/learning"
)

var demoDir = flag.String("demo", "", "a folder that sluice demo has made with seed 1, for TestReadmeDemo")

// TestReadmeDemo holds README's table against a run of the demo as README has it:
//
//	go run ./cmd/sluice demo
//	go test ./cmd/sluice -run TestReadmeDemo -demo ../../sluice-demo
//
// With -update the table is written anew.
func TestReadmeDemo(t *testing.T) {
	if *demoDir == "" {
		t.Skip("no -demo FOLDER, which takes a run of the demo")
	}
	table := demoReadme(t, *demoDir)
	const name = "../../README.md"
	readme, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	from := strings.Index(string(readme), "| | plain |")
	if from < 0 {
		t.Fatal("README.md has no table of the demo")
	}
	to := from + strings.Index(string(readme)[from:], "\n\n") + 1
	switch have := string(readme)[from:to]; {
	case have == table:
	case *update:
		if err := os.WriteFile(name, []byte(string(readme)[:from]+table+string(readme)[to:]), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("README.md has\n%s\nand the demo gives\n%s\nIf that is wanted, run this with -update, and read what README says below it.", have, table)
	}
}

// demoReadme is the table, from the reports of the runs.
func demoReadme(t *testing.T, dir string) string {
	report := &demoReport{Runs: map[string]*learning.Report{}}
	for _, r := range demoRuns {
		data, err := os.ReadFile(filepath.Join(dir, r.dir(), "report.json"))
		if err != nil {
			t.Fatal(err)
		}
		run := &learning.Report{}
		if err := json.Unmarshal(data, run); err != nil {
			t.Fatal(err)
		}
		if run.Seed != 1 {
			t.Fatalf("%s: seed %d: README's table is of seed 1", dir, run.Seed)
		}
		report.Runs[r.Name] = run
	}
	counts := report.Runs["plain"].Tasks["shape"].TrainCount
	report.Data.Shapes = slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(report.Data.Shapes, func(a, b string) int { return cmp.Compare(counts[b], counts[a]) })
	var b strings.Builder
	line := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	heads := []string{"", "plain", "augmentation", "rebalancing", "both", "class weights", "both, 3 scales"}
	fmt.Fprintf(&b, "|%s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
	figures := newDemoTable(report).Sums
	for _, row := range []struct{ name, of string }{
		{"balanced accuracy, whole image", "balanced, whole image"},
		{"the same, centre crop", "balanced, center crop"},
		{"rarest third, whole image", "rarest third, whole image"},
		{"the same, centre crop", "rarest third, center crop"},
		{"commonest third, whole image", "commonest third"},
	} {
		for _, f := range figures {
			if f.Name == row.of {
				line(append([]string{row.name}, f.Cells()...)...)
			}
		}
	}
	return b.String()
}
