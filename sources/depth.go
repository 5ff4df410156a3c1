package sources

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/phrase"
)

// This file reads labels from paths: which of an image's folders are its labels,
// and which folders are classes although they hold no image.

// Label says which folders of a path are its labels.
type Label string

// The folders that can be labels.
const (
	Innermost Label = "innermost" // those directly above the image
	Outermost Label = "outermost" // those directly below the top
)

// Values lists the choices.
func (Label) Values() []string { return []string{string(Innermost), string(Outermost)} }

// depth is the number of folders in which a file lies.
func depth(key string) int { return strings.Count(key, "/") }

// label reads the labels of the sorted rows. There are none where no image is in
// a folder.
func (l *listing) label(names []string, label Label) {
	depths := map[int]int{} // rows by depth
	example := map[int]string{}
	var above []string
	for _, key := range l.keys {
		d := depth(key)
		if depths[d]++; depths[d] == 1 {
			example[d] = key
		}
		if d < len(names) {
			above = append(above, key)
		}
	}
	if len(names) == 0 || len(depths) == 1 && depths[0] > 0 {
		return
	}
	if len(above) > 0 {
		verb := "lie"
		if len(above) == 1 {
			verb = "lies"
		}
		l.problems.addf("%s %s above the label folders: %s: tasks %q need a path like %q: move it into a folder of its class, or give other tasks",
			phrase.Count(len(above), "image"), verb, some(above), names, strings.Join(names, "/")+"/"+path.Base(above[0]))
		return
	}
	if len(depths) > 1 && label == "" {
		var texts []string
		for _, d := range slices.Sorted(maps.Keys(depths)) {
			texts = append(texts, sprintf("%d in %s, such as %q", depths[d], phrase.Count(d, "folder"), example[d]))
		}
		l.problems.addf("images lie at different depths: %s: say which folder is the label: label: outermost makes the classes %s, label: innermost %s",
			shorten(texts, len(texts)), l.classesBy(names, Outermost), l.classesBy(names, Innermost))
		return
	}
	for _, name := range names {
		l.tasks = append(l.tasks, labels{task: name})
	}
	if len(depths) == 1 && label == "" {
		l.warnDeeper(names, example)
	}
	for _, key := range l.keys {
		for t, name := range folderLabels(path.Dir(key), len(names), label) {
			l.tasks[t].add(name)
		}
	}
	l.keepEmpty(depths, label)
}

// folderLabels picks n folders of a path that has at least as many.
func folderLabels(folder string, n int, label Label) []string {
	parts := strings.Split(folder, "/")
	if label == Outermost {
		return parts[:n]
	}
	return parts[len(parts)-n:]
}

// classesBy lists the classes that one choice of folders gives.
func (l *listing) classesBy(names []string, label Label) string {
	seen := map[string]bool{}
	for _, key := range l.keys {
		seen[strings.Join(folderLabels(path.Dir(key), len(names), label), "/")] = true
	}
	return l.few(slices.Sorted(maps.Keys(seen)))
}

// few quotes the first of some classes and counts the others.
func (*listing) few(classes []string) string {
	const most = 4
	var texts []string
	for _, class := range classes[:min(len(classes), most)] {
		texts = append(texts, sprintf("%q", class))
	}
	text := strings.Join(texts, ", ")
	if len(classes) > most {
		text += fmt.Sprintf(" and %d more", len(classes)-most)
	}
	return text
}

// warnDeeper tells the other reading of images that are in more folders than there
// are tasks, where that would give more than one class.
func (l *listing) warnDeeper(names []string, example map[int]string) {
	for d, key := range example {
		if d == len(names) {
			continue
		}
		outer := path.Dir(key)
		for range d - len(names) {
			outer = path.Dir(outer)
		}
		if slices.ContainsFunc(l.keys, func(key string) bool { return !strings.HasPrefix(key, outer+"/") }) {
			l.warnf("images lie in %s, such as %q, and %s the innermost: its classes are %s; label: outermost would make %s (say label: innermost if these are right)",
				phrase.Count(d, "folder"), key, theyAre(len(names)), l.classesBy(names, Innermost), l.classesBy(names, Outermost))
		}
	}
}

func theyAre(tasks int) string {
	if tasks == 1 {
		return "the label is"
	}
	return "the labels are"
}

// keepEmpty makes classes of the folders at the depth of labels that hold no image,
// because torchvision's ImageFolder counts folders: without them the classes that
// follow would have other numbers. Where images are at different depths these are
// the folders that contain no other folder.
func (l *listing) keepEmpty(depths map[int]int, label Label) {
	n := len(l.tasks)
	deepest := n
	if label != Outermost {
		deepest = slices.Max(slices.Collect(maps.Keys(depths)))
	}
	inner := map[string]bool{} // folders that hold others, where depths differ
	mixed := len(depths) > 1 && label != Outermost
	if mixed {
		for _, folder := range l.folders {
			inner[path.Dir(folder)] = true
		}
	}
	slices.Sort(l.folders)
	for _, folder := range l.folders {
		d := depth(folder) + 1
		parts := strings.Split(folder, "/")
		first, last := 0, 0 // tasks that the folder names
		switch {
		case mixed && !inner[folder] && d >= n:
			parts, last = parts[d-n:], n
		case !mixed && d > deepest-n && d <= deepest:
			parts = parts[d-1:]
			first = d - (deepest - n) - 1
			last = first + 1
		}
		for t := first; t < last; t++ {
			switch name := parts[t-first]; {
			case !utf8.ValidString(name):
				l.problems.addf("the name of the class folder %q is not UTF-8: rename it, or remove it", folder)
			case !l.tasks[t].has(name):
				l.tasks[t].number(name)
				l.empty = append(l.empty, emptyFolder{folder, t, name})
			}
		}
	}
}

// emptyFolder is a folder without images that is a class nevertheless.
type emptyFolder struct {
	folder string
	task   int
	class  string
}

// warnEmpty names the folders that are classes without a sample, unless a list of
// classes is given.
func (l *listing) warnEmpty(fixed []classList) {
	var folders []string
	for _, e := range l.empty {
		if fixed[e.task].names == nil {
			folders = append(folders, e.folder)
		}
	}
	switch len(folders) {
	case 0:
	case 1:
		l.warnf("the folder %q has no images: it stays a class without samples, so that the others keep their numbers: if it is not a class, remove it or list the classes", folders[0])
	default:
		l.warnf("%d folders have no images: %s: they stay classes without samples, so that the others keep their numbers: if they are not classes, remove them or list the classes", len(folders), some(folders))
	}
}
