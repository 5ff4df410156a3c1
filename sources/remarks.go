package sources

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// missing is the size of a sample whose file isn't there.
const missing = -1

// gone tells a file that doesn't exist from one that cannot be reached.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// missing warns of samples without a file; if none has one, that is an error.
func (l *listing) missing(x schema.Index) error {
	n, example := missingSamples(x)
	switch {
	case n == 0:
		return nil
	case n == x.Len():
		return errorf("all of its images (%d) are broken links, such as %q: fix the links, or copy their targets (in a tar: tar --dereference)", n, example)
	}
	l.warnf("%d of %s %s, such as %q: %s; fix or remove them (in a tar: create it with tar --dereference)",
		n, phrase.Count(x.Len(), "image"), areLinks(n), example, missingMeans)
	return nil
}

// missingMeans is what happens to missing files.
const missingMeans = "each is a sample that cannot be read, and on_error decides what happens to it"

func areLinks(n int) string {
	if n == 1 {
		return "is a broken link"
	}
	return "are broken links"
}

func missingSamples(x schema.Index) (n int, example string) {
	for i := range x.Len() {
		if x.Size(i) == missing {
			if n == 0 {
				example = x.Key(i)
			}
			n++
		}
	}
	return n, example
}

// origin is where labels come from, which decides what can be done about wrong ones.
type origin int

const (
	ofFolders      origin = iota
	ofColumns             // every column
	ofNamedColumns        // those that the user names
)

// remarks are about classes that are legal but probably not intended. Classes that
// the user lists are intended.
func remarks(x schema.Index, fixed []classList, from origin) (list []string) {
	for t, task := range x.Tasks() {
		if fixed[t].names != nil {
			continue
		}
		samples := newExamples(x, t)
		list = append(list, samples.alike(task.Classes, nil)...)
		list = append(list, samples.absent(task, from)...)
		if from != ofFolders {
			list = append(list, samples.measure(task, from)...)
			if mark, about := severalIn("task", task, ""); mark != "" {
				list = append(list, about+sprintf(": if it stands between labels, read them by multi: {%s: {column: %s, separator: %q}}", task.Name, task.Name, mark))
			}
		}
	}
	return list
}

// examples is how many samples each class of a task has, and the first of them.
type examples struct {
	x        schema.Index
	noun     string // of what is counted
	whose    string // classes they are, as " of task "kind""
	counts   []int
	first    []int
	labelled int
}

func newExamples(x schema.Index, task int) *examples {
	of := x.Tasks()[task]
	e := exampleList(x, "sample", sprintf(" of task %q", of.Name), len(of.Classes))
	for i := range x.Len() {
		if label := x.Label(task, i); label != schema.Unknown {
			e.count(i, label)
		}
	}
	return e
}

func exampleList(x schema.Index, noun, whose string, classes int) *examples {
	return &examples{x: x, noun: noun, whose: whose, counts: make([]int, classes), first: make([]int, classes)}
}

func (e *examples) count(sample int, label int32) {
	if e.counts[label]++; e.counts[label] == 1 {
		e.first[label] = sample
	}
	e.labelled++
}

// objectRemarks are about classes of objects, of which a sample has those labels.
func objectRemarks(x schema.Index, classes []string, labels func(sample int) []int32) []string {
	e := exampleList(x, "object", " of objects", len(classes))
	for i := range x.Len() {
		for _, label := range labels(i) {
			e.count(i, label)
		}
	}
	return e.alike(classes, nil)
}

// severalRemarks are about the classes of a task of several labels, of samples' cells.
func severalRemarks(x schema.Index, task schema.Task, separator string, cells []any) []string {
	e := exampleList(x, "sample", sprintf(" of task %q", task.Name), len(task.Classes))
	for i, cell := range cells {
		labels, _ := schema.MultiValue(cell)
		for _, label := range labels {
			e.count(i, label)
		}
	}
	list := e.alike(task.Classes, nil)
	if mark, about := severalIn("multi", task, separator); mark != "" {
		list = append(list, about+sprintf(": if it stands between labels, say separator: %q", mark))
	}
	return list
}

// severalIn finds classes that are probably several labels each, and what stands between
// these: the parts of most are parts of others, or classes themselves. "" for none.
func severalIn(option string, task schema.Task, separator string) (mark, about string) {
	if separator == "" && option == "multi" {
		separator = ";"
	}
	for _, mark := range []string{";", "|", ","} {
		if mark == separator {
			continue
		}
		parts := map[string]int{} // in how many classes
		with, example := 0, ""
		for _, name := range task.Classes {
			pieces := strings.Split(name, mark)
			if len(pieces) > 1 {
				if with++; with == 1 {
					example = name
				}
			}
			for i, part := range pieces {
				if pieces[i] = strings.TrimSpace(part); pieces[i] != "" && !slices.Contains(pieces[:i], pieces[i]) {
					parts[pieces[i]]++
				}
			}
		}
		shared := 0
		for _, n := range parts {
			if n > 1 {
				shared++
			}
		}
		if with > 0 && 3*shared >= 2*len(parts) {
			return mark, sprintf("%d of the %s of task %q have %q in their names, such as %q", with, phrase.Count(len(task.Classes), "class"), task.Name, mark, cut(example))
		}
	}
	return "", ""
}

// of is a class's samples in words: "3 samples, as "a/1.jpg"".
func (e *examples) of(class int) string {
	if e.counts[class] == 0 {
		return "no " + e.noun
	}
	return sprintf("%s, such as %+q", phrase.Count(e.counts[class], e.noun), e.x.Key(e.first[class]))
}

// alike names classes that people would take for the same, but for groups of them that
// except.
func (e *examples) alike(classes []string, except func(group []int) bool) []string {
	groups := map[string][]int{}
	var order []string
	for class, name := range classes {
		folded := fold(name)
		if len(groups[folded]) == 1 {
			order = append(order, folded)
		}
		groups[folded] = append(groups[folded], class)
	}
	if except != nil {
		order = slices.DeleteFunc(order, func(folded string) bool { return except(groups[folded]) })
	}
	const most = 5
	var list []string
	for i, folded := range order {
		if i == most {
			list = append(list, fmt.Sprintf("and %d more groups of classes%s differ as little", len(order)-most, cut(e.whose)))
			break
		}
		group := groups[folded]
		a, b := group[0], group[1]
		more := ""
		if len(group) > 2 {
			more = fmt.Sprintf(" (and %d more)", len(group)-2)
		}
		list = append(list, sprintf("the classes %+q (%s) and %+q (%s)%s%s differ only %s: spell them alike if they are one class",
			classes[a], e.of(a), classes[b], e.of(b), more, e.whose, difference(classes[a], classes[b])))
	}
	return list
}

// absentNames are what programs write where a value is missing, in lower case.
var absentNames = []string{"nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>", "nat", "undefined", "-1", "-1.0", `""`, "''", "-", "?", "[]", "{}"}

// absent names classes that are probably missing labels.
func (e *examples) absent(task schema.Task, from origin) (list []string) {
	remedy := "leave the cell empty where the label is unknown"
	if from == ofFolders {
		remedy = "remove the folder if its images have no label"
	}
	for class, name := range task.Classes {
		if e.counts[class] > 0 && slices.Contains(absentNames, strings.ToLower(strings.TrimSpace(name))) {
			list = append(list, sprintf("the class %q of task %q (%s) looks like a missing label: %s", name, task.Name, e.of(class), remedy))
		}
	}
	return list
}

// Words in the names of columns. Columns of measured values are not labels; nor are
// numbers and names by themselves, or of a thing that is not a class (class_id,
// breed_name and city_id are labels, id and user_id hardly). A word for class makes
// any column a label.
var (
	measured = []string{"uuid", "guid", "score", "scores", "conf", "confidence", "prob", "probability", "timestamp", "width", "height", "area",
		"x", "y", "lat", "lon", "latitude", "longitude", "price", "url", "hash", "md5", "filename", "caption", "description"}
	numbered = []string{"id", "ids", "index", "idx", "no", "nr", "num", "number", "name", "value", "time", "date", "size", "text"}
	things   = []string{"image", "img", "photo", "picture", "file", "path", "row", "line", "sample", "record", "item", "frame", "video", "clip", "box", "bbox",
		"object", "instance", "annotation", "user", "patient", "session", "upload", "capture"}
	ofClass = []string{"class", "classes", "label", "labels", "category", "target", "species", "breed", "kind", "type", "group"}
)

// namesNoLabel reports a name such as score, image_width, id or user_id.
func namesNoLabel(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '_' || r == '-' || r == ' ' || r == '.' })
	among := func(list []string) func(string) bool {
		return func(word string) bool { return slices.Contains(list, word) }
	}
	if len(words) == 0 || slices.ContainsFunc(words, among(ofClass)) {
		return false
	}
	last := words[len(words)-1]
	alone := len(words) == 1 && last != "name" && last != "number"
	return among(measured)(last) || among(numbered)(last) && (alone || slices.ContainsFunc(words, among(things)))
}

// measure warns of a column that makes far too many classes, or whose values are
// measurements. Its name is no reason to where the user gave it.
func (e *examples) measure(task schema.Task, from origin) []string {
	n := len(task.Classes)
	if n == 0 {
		return nil
	}
	remedy := "if so, list only the label columns in tasks (meta takes others along)"
	fractions := 0
	for _, name := range task.Classes {
		if isFraction(name) {
			fractions++
		}
	}
	why := ""
	switch {
	case fractions > 0 && fractions*2 >= n:
		why = "its values are numbers with fractions"
	case e.labelled >= 20 && n == e.labelled:
		why = "it has a different value in every row"
	case n >= 20 && n*3 > e.labelled:
		why = fmt.Sprintf("there are only %s with a label", phrase.Count(e.labelled, "row"))
	case n >= 20 && from == ofColumns && namesNoLabel(task.Name):
		why = "its name is not that of a label"
	default:
		return nil
	}
	return []string{sprintf("the column %q makes %s, such as %q (%s), and is probably not a label: %s: %s", task.Name, phrase.Count(n, "class"), task.Classes[0], e.of(0), why, remedy)}
}

// isFraction reports a decimal number that isn't whole.
func isFraction(name string) bool {
	whole, rest, ok := strings.Cut(strings.TrimLeft(name, "+-"), ".")
	if _, isWhole := wholeNumber(name); isWhole || !ok {
		return false
	}
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		exponent := strings.TrimLeft(rest[i+1:], "+-")
		if digits(exponent) != len(exponent) || exponent == "" {
			return false
		}
		rest = rest[:i]
	}
	return digits(whole) == len(whole) && digits(rest) == len(rest) && rest != ""
}

// inTextOrder is in remarks about the order of classes.
const inTextOrder = "are numbered in text order"

// numberRemarks warn where folders are named by numbers and text order is not the
// order of these numbers.
func numberRemarks(x schema.Index, fixed []classList) (list []string) {
	for t, task := range x.Tasks() {
		if fixed[t].names != nil || !allWhole(task.Classes) {
			continue
		}
		for i, name := range task.Classes[1:] {
			if compareWhole(task.Classes[i], name) > 0 {
				at := slices.Index(task.Classes, name)
				list = append(list, sprintf("all classes of task %q are numbers, and "+inTextOrder+", as torchvision's ImageFolder does: %q is class %d, after %q: class_order: natural orders them as numbers",
					task.Name, name, at, task.Classes[i]))
				break
			}
		}
	}
	return list
}
