package sources

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/decode"
)

// undecoded are picture files that sluice passes over. Losing them silently
// could cost a whole class.
var undecoded = []string{".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".exr", ".tga", ".ico"}

// listing gathers what a folder or a tar of one holds.
type listing struct {
	where    string // it is, for messages: "this tar"
	rows     []row
	passed   map[string]int // files passed over, by extension
	warnings []string
	problems problems
	images   map[string]bool // extensions
}

func newListing(where string) *listing {
	l := &listing{where: where, passed: map[string]int{}, images: map[string]bool{}}
	for _, ext := range decode.Extensions() {
		l.images[ext] = true
	}
	return l
}

// isImage tells by the extension, in any letter case.
func (l *listing) isImage(name string) bool { return l.images[extension(name)] }

func extension(name string) string { return strings.ToLower(path.Ext(name)) }

// isDot reports a name that begins with a dot: hidden files, ._ files of macOS.
func isDot(name string) bool { return strings.HasPrefix(name, ".") }

// pass counts a file that isn't an image; a dot folder counts as one.
func (l *listing) pass(name string) {
	switch ext := extension(name); {
	case isDot(name):
		l.passed["hidden"]++
	case ext == "":
		l.passed["without extension"]++
	default:
		l.passed[ext]++
	}
}

// add takes an image; key is its path, slash-separated.
func (l *listing) add(key string, size, offset int64) {
	if !utf8.ValidString(key) {
		l.problems.addf("the name of the image %q is not UTF-8: rename it", key)
		return
	}
	l.rows = append(l.rows, row{key: key, size: size, offset: offset, weight: 1})
}

func (l *listing) warnf(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// finish sorts the rows and names their classes after the innermost folders,
// outermost first. It returns the tasks: none where no image lies in a folder.
// Problems are left in l.problems.
func (l *listing) finish(tasks []string) []string {
	if len(l.problems.list) > 0 {
		return nil
	}
	if len(l.rows) == 0 {
		l.problems.addf("no image in %s: looked for files ending in %s%s",
			l.where, strings.Join(decode.Extensions(), " "), l.passedOver("; passed over "))
		return nil
	}
	sortRows(l.rows)
	if exts := l.lost(); exts != "" {
		l.warnf("passed over picture files that are not decoded: %s: convert them to PNG or JPEG if they belong to the data", exts)
	}
	if !slices.ContainsFunc(l.rows, func(r row) bool { return strings.Contains(r.key, "/") }) {
		tasks = nil
	}
	l.label(tasks)
	return tasks
}

func (l *listing) label(tasks []string) {
	var above []string
	for i := range l.rows {
		parts := strings.Split(l.rows[i].key, "/")
		folders := parts[:len(parts)-1]
		if len(folders) < len(tasks) {
			above = append(above, l.rows[i].key)
			continue
		}
		l.rows[i].labels = folders[len(folders)-len(tasks):]
	}
	if len(above) > 0 {
		verb := "lie"
		if len(above) == 1 {
			verb = "lies"
		}
		l.problems.addf("%s %s above the label folders: %s: tasks %q need a path like %q: move it into a folder of its class, or give other tasks",
			count(len(above), "image"), verb, some(above), tasks, strings.Join(tasks, "/")+"/"+path.Base(above[0]))
	}
}

// count is the number of files passed over.
func (l *listing) count() int {
	n := 0
	for _, c := range l.passed {
		n += c
	}
	return n
}

// passedOver lists what was passed over, by extension; empty if nothing was.
func (l *listing) passedOver(before string) string {
	if l.count() == 0 {
		return ""
	}
	return fmt.Sprintf("%s%s (%s)", before, count(l.count(), "file"), kinds(l.passed))
}

// lost lists picture files that were passed over.
func (l *listing) lost() string {
	lost := map[string]int{}
	for _, ext := range undecoded {
		if n := l.passed[ext]; n > 0 {
			lost[ext] = n
		}
	}
	return kinds(lost)
}

// kinds is "3 .txt, 2 .csv": the most frequent first.
func kinds(counts map[string]int) string {
	exts := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for i, ext := range exts {
		if i == shown {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, fmt.Sprintf("%d %s", counts[ext], ext))
	}
	return strings.Join(parts, ", ")
}
