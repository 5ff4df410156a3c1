package sources

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/phrase"
)

// undecoded are image files that sluice ignores. Losing them silently could cost a
// whole class.
var undecoded = []string{".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".exr", ".tga", ".ico"}

// longestKey is the longest path that file systems take, in bytes.
const longestKey = 4096

// listing gathers what a folder or an archive of one holds.
type listing struct {
	table
	where          string         // what is listed, for messages: "this tar"
	folders        []string       // all but the top one and those that are ignored, slash-separated
	empty          []emptyFolder  // that are classes
	ignored        map[string]int // files, by extension
	system         map[string]int // ignored folders of operating systems, by name
	beside         beside
	warnings       []string
	problems       problems
	images         map[string]bool  // extensions
	metadata       map[string]place // metadata files by path; nil: they are ignored
	unread         string           // a metadata.parquet
	masks          *template        // nil: there are none
	maskAt         map[string]maskPlace
	*sampleTargets // of metadata files; nil: none
}

func newListing(where string) *listing {
	l := &listing{where: where, ignored: map[string]int{}, system: map[string]int{}, images: map[string]bool{}, beside: beside{}}
	for _, ext := range decode.Extensions() {
		l.images[ext] = true
	}
	return l
}

// isImage goes by the extension, in any letter case.
func (l *listing) isImage(name string) bool { return l.images[extension(name)] }

func extension(name string) string { return strings.ToLower(path.Ext(name)) }

// isDot reports a name that begins with a dot: hidden files, ._ files of macOS.
func isDot(name string) bool { return strings.HasPrefix(name, ".") }

// ignore counts a file that isn't an image; a folder that is ignored counts as one.
func (l *listing) ignore(key string) {
	name := path.Base(key)
	switch ext := extension(name); {
	case isDot(name):
		l.ignored["hidden"]++
	case isSystem(name):
		l.ignored["of the system"]++
		l.system[name]++
	case ext == "":
		l.ignored["without extension"]++
	default:
		if name == metadataParquet && l.metadata != nil {
			l.unread = key
		}
		l.ignored[ext]++
		l.beside.take(key, ext)
	}
}

// image takes an image; key is its path, slash-separated. A size of -1 means
// that there is no such file.
func (l *listing) image(key string, size int64) bool {
	switch {
	case !utf8.ValidString(key):
		l.problems.addf("the name of the image %q is not UTF-8: rename it", key)
		return false
	case len(key) > longestKey:
		l.problems.addf("the path of the image %q has %d bytes, and file systems take %d: shorten it", key, len(key), longestKey)
		return false
	}
	l.add(key, size)
	return true
}

func (l *listing) warnf(format string, args ...any) {
	l.warnings = append(l.warnings, sprintf(format, args...))
}

// finish sorts the rows. Problems are left in l.problems.
func (l *listing) finish() {
	if len(l.problems.list) > 0 {
		return
	}
	if len(l.keys) == 0 {
		masks := ""
		if len(l.maskAt) > 0 {
			masks = fmt.Sprintf("; %s masks by what masks says, which images are not: tell them apart by their folder or their names", phrase.Count(len(l.maskAt), "file")+" "+is(len(l.maskAt)))
		}
		l.problems.addf("no image in %s: looked for files ending in %s%s%s",
			l.where, strings.Join(decode.Extensions(), " "), l.ignoredText("; ignored "), masks)
		return
	}
	l.dropMaskFolders()
	l.sort()
	if exts := l.lost(); exts != "" {
		l.warnf("ignored image files in formats that are not decoded: %s: convert them to PNG or JPEG if they belong to the data", exts)
	}
	l.warnSystem()
}

// ignoredCount is the number of files that were ignored.
func (l *listing) ignoredCount() int {
	n := 0
	for _, c := range l.ignored {
		n += c
	}
	return n
}

// ignoredText lists what was ignored, by extension; empty if nothing was.
func (l *listing) ignoredText(before string) string {
	if l.ignoredCount() == 0 {
		return ""
	}
	return fmt.Sprintf("%s%s (%s)", before, phrase.Count(l.ignoredCount(), "file"), kinds(l.ignored))
}

// lost lists image files that were ignored.
func (l *listing) lost() string {
	lost := map[string]int{}
	for _, ext := range undecoded {
		if n := l.ignored[ext]; n > 0 {
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
		parts = append(parts, fmt.Sprintf("%d %s", counts[ext], cut(ext)))
	}
	return strings.Join(parts, ", ")
}
