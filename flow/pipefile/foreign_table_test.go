package pipefile

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// What is proposed is in the catalogues and can be written so.
func TestForeignTable(t *testing.T) {
	c := Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: sinks.Catalog}
	seen := map[string]string{}
	for what, table := range foreignNames {
		for _, f := range table {
			for _, name := range strings.Fields(f.names) {
				if before, twice := seen[what+fold(name)]; twice && before != f.write {
					t.Errorf("%s is in the table twice: %q, %q", name, before, f.write)
				}
				seen[what+fold(name)] = f.write
			}
			if f.write == "" {
				continue
			}
			file := "version: 1\nsource: {" + f.write + "}\nstages: []"
			if what == "sink" {
				file = "version: 1\nsource: {folder: {path: x}}\nsink: {" + f.write + ": {}}\nstages: []"
			}
			if what == "stage" {
				file = "version: 1\nsource: {folder: {path: x}}\nstages:\n  - " + f.write
			}
			if _, err := parsePipeline("p.yaml", []byte(file), "", c, false); err != nil {
				t.Errorf("%s: %q cannot be written: %v", f.names, f.write, err)
			}
		}
	}
	has := map[string][]string{"top": topKeys, "split": options.Names(&sources.Split{}), "on_error": options.Names(onError{}), "objects": options.Names(flow.Objects{}), "adam": options.Names(&(&TrainFile{}).Optimizer)}
	all := []string{}
	for _, e := range c.Stages {
		has[e.New().Name()] = options.Names(e.New())
		all = append(all, options.Names(e.New())...)
	}
	for _, e := range c.Sources {
		has[e.New().Name()] = options.Names(e.New())
	}
	source := map[string][]string{} // of sinks that are named as a source is: what the source alone has
	for _, e := range c.Sinks {
		for _, name := range has[e.New().Name()] {
			if !slices.Contains(options.Names(e.New()), name) {
				source[e.New().Name()] = append(source[e.New().Name()], name)
			}
		}
		has[e.New().Name()] = append(has[e.New().Name()], options.Names(e.New())...)
	}
	has["*"] = all
	for _, o := range foreignOptions {
		for _, of := range strings.Fields(o.of) {
			names, ok := has[of]
			if !ok || o.meant != "" && !slices.Contains(names, o.meant) {
				t.Errorf("%s: %s: there is no option %q", of, o.names, o.meant)
			}
			for _, n := range strings.Fields(o.names) {
				if of != "*" && slices.Contains(names, n) && !slices.Contains(source[of], n) {
					t.Errorf("%s has an option %s itself", of, n)
				}
			}
		}
	}
}

// A name that claims to have no equivalent isn't that of a stage, nor contains one,
// except for those that do something else than the stage.
func TestForeignWithoutEquivalent(t *testing.T) {
	others := []string{"FiveCrop", "TenCrop", "CropNonEmptyMaskIfExists", "RandomRotate90", "ChannelShuffle"}
	for _, f := range foreignStages {
		if f.write != "" {
			continue
		}
		for _, name := range strings.Fields(f.names) {
			if slices.Contains(others, name) {
				continue
			}
			for _, entry := range stages.Catalog {
				if stage := entry.New().Name(); strings.Contains(fold(name), fold(stage)) {
					t.Errorf("%s has no equivalent in foreign.go, but there is a stage %s: say how it is written", name, stage)
				}
			}
		}
	}
}
