package sources

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// beside is paths of files that may hold the label of an image of the same name,
// as in WebDataset's tars and the folders of YOLO and VOC, by extension: the first
// of each, which tell what the rest are.
type beside map[string][]string

// besideExtensions are those of files that hold labels; .cls files hold nothing else.
var besideExtensions = []string{".cls", ".json", ".txt", ".xml"}

func (b beside) take(key, ext string) {
	const enough = 100
	if slices.Contains(besideExtensions, ext) && len(b[ext]) < enough {
		b[ext] = append(b[ext], key)
	}
}

// stem is a path up to the first dot of its last part: what WebDataset takes
// for the name of a sample.
func stem(key string) string {
	dir, base := path.Split(key)
	name, _, _ := strings.Cut(base, ".")
	return dir + name
}

// warnBeside warns of files next to the images that are probably their labels,
// where folders give none.
func (l *listing) warnBeside() {
	single := len(l.tasks) > 0
	for _, task := range l.tasks {
		single = single && len(task.names) == 1
	}
	var kinds []string
	for _, ext := range slices.Sorted(maps.Keys(l.beside)) {
		if len(l.tasks) > 0 && !single && ext != ".cls" {
			continue
		}
		if slices.ContainsFunc(l.beside[ext], l.imageBeside) {
			kinds = append(kinds, fmt.Sprintf("%d %s", l.ignored[ext], ext))
		}
	}
	if len(kinds) == 0 {
		return
	}
	labelled := "so the samples have no labels"
	if len(l.tasks) > 0 {
		labelled = "labels are the folders' names alone"
	}
	l.warnf("files with the same names as images are not read (%s), %s: if they hold the labels, as in WebDataset, read a tar of them with the source webdataset, put each image into a folder of its class, or write a metadata.csv or a manifest of paths and labels", strings.Join(kinds, ", "), labelled)
}

// imageBeside reports whether there is an image of the same stem as a file.
func (l *listing) imageBeside(file string) bool {
	want := stem(file)
	at, _ := slices.BinarySearch(l.keys, want+".")
	return at < len(l.keys) && strings.HasPrefix(l.keys[at], want+".")
}
