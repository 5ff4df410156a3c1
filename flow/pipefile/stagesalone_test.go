package pipefile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// The stages of a file are read alone, whether its source is there, missing or wrong.
func TestStagesAlone(t *testing.T) {
	all := Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: sinks.Catalog}
	const rest = "version: 1\nseed: 5\nfuse: exact\nstages: [{rebalance: {target: square_root}}, decode, {rotate: {degrees: 9, id: tilt}}, {resize: {height: 4, width: 4}}, {batch: {size: 2}}]\n"
	want, err := Parse("f", []byte(rest+"source: {folder: {path: data}}\n"), "", all)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		rest,
		rest + "source: {folder: {path: data}}\nsplit: {val: 0.1, use: train}\nclasses_from: nowhere.yaml\nsink: {arrow: {codec: lz4}}\n",
		rest + "source: {bucket: 3}\nsplit: [1]\n",
	} {
		have, err := ParseStages("f", []byte(text), all)
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		if have.Source != nil || !reflect.DeepEqual(have.Stages, want.Stages) || !reflect.DeepEqual(have.Settings, want.Settings) {
			t.Errorf("%s\nhave %+v", text, have)
		}
	}
	file := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(file, []byte(rest+"source: {folder: {path: data}}\nsplit: {val: 0.1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	edits := []Edit{{Flag: "--without tilt", Path: "tilt", Remove: true}, {Flag: "--use val", Path: "split.use", Value: "val"}}
	have, err := LoadStages(file, all, edits...)
	if err != nil || len(have.Stages) != len(want.Stages)-1 {
		t.Errorf("have %+v, %v", have, err)
	}
	for text, want := range map[string]string{
		"stages: [decode]":                                         "version is missing",
		"version: 1\nsource: {folder: {path: x}}":                  "stages is missing",
		"version: 1\nstages: [decode, {crop: {size: 3x}}]":         "f:2:32: crop: size",
		"version: 1\nstages: [{crop: {size: 0.5}}]":                "crop: needs pictures",
		"version: 1\nstages: [decode]\nsauce: {folder: {path: x}}": `unknown key "sauce"`,
	} {
		if _, err := ParseStages("f", []byte(text), all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nwant %q, have %v", text, want, err)
		}
	}
	if _, err := ParseStages("f", []byte("version: 1\nstages: [decode, flip, batch: {size: 2}]\n"), all); err != nil {
		t.Errorf("rows that vary in size, without batches: %v", err)
	}
	// A mistake that shows later has its place, too.
	late, err := ParseStages("f", []byte("version: 1\nstages:\n- decode\n- resize: {height: 4, width: 4}\n- to_tensor\n- normalize: {mean: dataset, std: dataset}\n"), all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Applier(); err == nil || !strings.Contains(err.Error(), "f:6:") || !strings.Contains(err.Error(), "no source is open") {
		t.Errorf("have %v", err)
	}
}
