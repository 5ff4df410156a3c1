package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/stages/stagetest"
)

// TestZoom checks the whole contract of a stage.
func TestZoom(t *testing.T) { stagetest.Picture(t, Zoom{Most: 1.5}) }

// TestProgram: the file names the stage, and the engine merges it with its neighbours.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	if err := run(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	pipe, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pipe.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	merged := false
	for _, g := range plan.Groups() {
		merged = merged || slices.Contains(g.Stages, "rotate") && slices.Contains(g.Stages, "zoom") && slices.Contains(g.Stages, "resize")
	}
	if !merged {
		t.Errorf("rotate, zoom and resize aren't one pass: %+v", plan.Groups())
	}
}

// TestMistakes: an error names the place in the file.
func TestMistakes(t *testing.T) {
	before := pipelineFile
	defer func() { pipelineFile = before }()
	pipelineFile = []byte(strings.Replace(string(before), "most: 1.5", "most: 0.5", 1))
	_, err := load(filepath.Join(t.TempDir(), "none"))
	if err == nil || !strings.Contains(err.Error(), "pipeline.yaml:7:18: zoom: most: give a factor above 1") {
		t.Errorf("%v", err)
	}
}
