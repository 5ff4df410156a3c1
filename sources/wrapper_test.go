package sources_test

import (
	"strings"
	"testing"

	"github.com/sluicedata/sluice/sources"
)

func TestSideOfAndWhole(t *testing.T) {
	folder := sources.Folder{Path: "x"}
	split := &sources.Split{Source: folder, Val: 0.25, Use: sources.Val}
	from := sources.ClassesFrom{Source: split, From: folder, File: "train.yaml"}
	for name, c := range map[string]struct {
		source sources.Source
		side   sources.Side
		whole  string
	}{
		"folder":          {folder, "", "folder"},
		"split":           {split, sources.Val, "folder"},
		"the usual side":  {sources.Split{Source: folder, Val: 0.25}, sources.Train, "folder"},
		"split of a side": {sources.Split{Source: split, Val: 0.25}, sources.Train, "folder"},
		"inside":          {&from, sources.Val, "classes_from"},
		"nothing":         {sources.Split{Val: 0.25}, sources.Train, ""},
	} {
		whole := ""
		if s := sources.Whole(c.source); s != nil {
			whole = s.Name()
		}
		if side := sources.SideOf(c.source); side != c.side || whole != c.whole {
			t.Errorf("%s: side %q, whole %q; want %q, %q", name, side, whole, c.side, c.whole)
		}
	}
	if have := split.Summary() + "; " + from.Summary(); have != "split val: 0.25, use: val; classes_from: train.yaml" {
		t.Errorf("summaries: %s", have)
	}
}

// own is a source of another module whose classes are fixed.
type own struct{ sources.Folder }

func (own) FixesClasses() bool { return true }

func TestForeignClassFixer(t *testing.T) {
	folder := sources.Folder{Path: "x"}
	for name, s := range map[string]sources.Source{"value": own{folder}, "pointer, in a split": sources.Split{Source: &own{folder}, Val: 0.5}} {
		err := sources.ClassesFrom{Source: s, From: folder}.Check()
		if err == nil || !strings.Contains(err.Error(), "classes of its own") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
