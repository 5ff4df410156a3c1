package sources_test

import (
	"fmt"
	"testing"

	"github.com/sluicedata/sluice/sources"
)

// Nothing is fetched: a URL in place of a path is an error that quotes it as it was
// written.
func TestURLsAreNoPaths(t *testing.T) {
	dir := tree(t, "a/1.jpg")
	list := write(t, dir, "m.csv", "path,class\na/1.jpg,a\n")
	for _, url := range []string{"https://host//data/train.csv", "s3://bucket/train.csv", "GS://bucket/x.csv", "file:///data/x.csv", "https://host/data.parquet"} {
		says := fmt.Sprintf("%q is a URL: download it first", url)
		classes := sources.Classes{File: url}
		for name, source := range map[string]sources.Source{
			"path":                  sources.Folder{Path: url},
			"path, of a list":       sources.Manifest{Path: url},
			"path, of a split":      sources.Split{Source: sources.Folder{Path: url}, Val: 0.5},
			"classes":               sources.Folder{Path: dir, Classes: classes},
			"classes, of a list":    sources.Manifest{Path: list, Classes: classes},
			"classes, of one task":  sources.Folder{Path: dir, Classes: sources.Classes{ByTask: map[string]sources.Classes{"class": classes}}},
			"classes, from another": sources.ClassesFrom{Source: sources.Folder{Path: dir}, From: sources.Folder{Path: url}},
		} {
			t.Run(name, func(t *testing.T) { fails(t, source, says) })
		}
		classes.RelativeTo("/base")
		if classes.File != url {
			t.Errorf("%q became %q", url, classes.File)
		}
	}
}
