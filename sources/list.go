package sources

import (
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// mostTasks is the number of label columns that are taken without being named.
const mostTasks = 100

// What a column is for, besides the number of its task.
const (
	unused   = -1
	ofPath   = -2
	ofWeight = -3
	ofMeta   = -4 // of the first meta column; -5 is of the second
	// Of the first column of targets; the number before it is of the second.
	ofTargets = -1 << 20
)

// list is a manifest being read: a sheet that becomes a table.
type list struct {
	table
	m        Manifest
	look     func(text string) (key string, size int64, err error) // finds images in a listing; nil: find finds files
	noTasks  bool                                                  // no column is a label
	inFolder bool                                                  // it is a metadata file of a folder, which has no options of its own
	problems problems
	warnings []string

	columns  []string       // as they are named
	use      []int          // of each column
	tooMany  bool           // columns for tasks
	lines    map[string]int // by path relative to the folder, or the absolute one elsewhere
	pathless []int          // lines without a path
	rows     int
	find     finder
	absent   []absent // the first files that are missing
	nAbsent  int
}

// absent is a file that isn't there.
type absent struct {
	line int
	file string
}

func newList(m Manifest) *list {
	l := &list{m: m, lines: map[string]int{}, find: finder{folder: filepath.Dir(m.Path), found: map[string]string{}}}
	for _, task := range m.Tasks {
		l.tasks = append(l.tasks, labels{task: task})
	}
	for _, c := range m.Meta {
		l.meta = append(l.meta, metaCells{MetaColumn: c})
	}
	return l
}

// targetNumber is that of a column of targets; -1 if it is none.
func (l *list) targetNumber(name string) int {
	for i := range l.columnsOfTargets().len() {
		if column, _ := l.columnsOfTargets().column(i); column == name {
			return i
		}
	}
	return -1
}

func (l *list) columnsOfTargets() *targetColumns {
	if l.targets == nil {
		return nil
	}
	return l.targets.targetColumns
}

func (l *list) weightColumn() string {
	switch {
	case l.m.WeightColumn != "":
		return l.m.WeightColumn
	case slices.Contains(l.m.Tasks, "weight") || l.m.pathColumn() == "weight" || l.m.Meta.number("weight") >= 0:
		return ""
	}
	return "weight"
}

// column decides what a column is for.
func (l *list) column(name string) {
	l.columns = append(l.columns, name)
	use := unused
	switch {
	case name == l.m.pathColumn():
		use = ofPath
	case name == "" && len(l.m.Tasks) == 0 && !l.noTasks:
		l.problems.addf("column %d has no name: give it one, or list the label columns in tasks", len(l.columns))
	case name == "":
	case name == l.weightColumn():
		use = ofWeight
		l.weights = slices.Repeat([]float32{1}, len(l.keys)) // of the rows so far
	case l.targetNumber(name) >= 0:
		use = ofTargets - l.targetNumber(name)
	case l.m.Meta.number(name) >= 0:
		use = ofMeta - l.m.Meta.number(name)
	case len(l.m.Tasks) > 0 || l.noTasks:
		use = max(slices.Index(l.m.Tasks, name), unused)
	case len(l.tasks) == mostTasks:
		l.tooMany = true
	default:
		use = len(l.tasks)
		l.tasks = append(l.tasks, labels{task: name, cells: slices.Repeat([]int32{schema.Unknown}, len(l.keys))})
	}
	if use != unused && slices.Contains(l.use, use) {
		use = unused // the name occurs twice, which has been reported
	}
	l.use = append(l.use, use)
}

// row takes a row, which is a sample if its path is valid.
func (l *list) row(number int, cells []cell) {
	l.rows++
	var file cell
	for _, c := range cells {
		if l.use[c.column] == ofPath {
			file = c
		}
	}
	key, size, ok := l.path(number, file)
	weight := float32(1)
	texts, meta := make([]string, len(l.tasks)), make([]cell, len(l.meta))
	targets := make([]cell, l.columnsOfTargets().len())
	for _, c := range cells {
		use := l.use[c.column]
		if use <= ofTargets {
			targets[ofTargets-use] = c
			continue
		}
		if use == unused || use == ofPath || !l.usable(number, c) {
			continue
		}
		if use == ofWeight {
			weight = l.weight(number, c)
			continue
		}
		if use <= ofMeta {
			meta[ofMeta-use] = c
			continue
		}
		texts[use] = strings.TrimSpace(c.text)
	}
	if !ok {
		return
	}
	l.add(key, size)
	l.times = append(l.times, l.find.time)
	if l.weights != nil {
		l.weights = append(l.weights, weight)
	}
	for t, text := range texts {
		l.tasks[t].add(text)
	}
	for i, c := range meta {
		l.meta[i].add(number, c)
	}
	if l.targets != nil {
		where := func(column string) string { return sprintf("line %d: column %q", number, column) }
		if err := l.targets.add(targets, where, key); err != nil {
			l.problems.addf("%w", err)
		}
	}
}

// usable reports whether a cell's text can be used; if not, that is a problem.
func (l *list) usable(number int, c cell) bool {
	name := l.columns[c.column]
	unwanted, long := "name the columns to use in tasks", "raise max_cell, or name the label columns in tasks if it is not a label"
	if l.use[c.column] <= ofMeta {
		unwanted, long = "leave the column out of meta", "raise max_cell, or leave the column out of meta"
	}
	if l.inFolder {
		long = strings.TrimPrefix(long, "raise max_cell, or ")
	}
	switch most := l.m.limits().cell; {
	case c.bad != "":
		l.problems.addf("line %d: column %q: want text or a number, have %s: %s", number, name, c.bad, unwanted)
	case len(c.text) > most:
		l.problems.addf("line %d: column %q: %q has %d bytes, and %d are allowed: %s",
			number, name, c.text, len(c.text), most, long)
	case !utf8.ValidString(c.text):
		l.problems.addf("line %d: column %q: %q is not UTF-8: save the file as UTF-8", number, name, c.text)
	default:
		return true
	}
	return false
}

func (l *list) weight(number int, c cell) float32 {
	text := strings.TrimSpace(c.text)
	w, err := strconv.ParseFloat(text, 32)
	if err != nil || math.IsNaN(w) || math.IsInf(w, 0) || w < 0 {
		l.problems.addf("line %d: column %q: %q is not a weight: want a finite number of at least 0", number, l.columns[c.column], text)
		return 1
	}
	return float32(math.Abs(w)) // -0 is 0
}

// path finds the file of a row.
func (l *list) path(number int, c cell) (key string, size int64, ok bool) {
	if strings.TrimSpace(c.text) == "" && c.bad == "" {
		l.pathless = append(l.pathless, number)
		return "", 0, false
	}
	if !l.usable(number, c) {
		return "", 0, false
	}
	name := l.columns[c.column]
	if options.IsURL(c.text) {
		l.problems.addf("line %d: column %q: %q is a URL: download it first, and write the path of the file", number, name, strings.TrimSpace(c.text))
		return "", 0, false
	}
	var err error
	if l.look == nil {
		key, size, err = l.find.file(c.text)
	} else if key, size, err = l.look(c.text); err != nil {
		l.problems.addf("line %d: column %q: %q %w", number, name, c.text, err)
		return "", 0, false
	} else if size == missing {
		err = fs.ErrNotExist
	}
	file := l.find.within(key)
	if first, again := l.lines[file]; again {
		l.problems.addf("line %d: column %q: %q is already in line %d: list an image once, and use rebalance to draw it more often", number, name, c.text, first)
		return "", 0, false
	}
	if err != nil && !gone(err) {
		l.problems.addf("line %d: cannot read %q: %w", number, filepath.Join(l.find.folder, key), cause(err))
		return "", 0, false
	}
	if size < missing {
		l.problems.addf("line %d: %q is not a regular file", number, l.find.join(key))
		return "", 0, false
	}
	if err != nil {
		if l.nAbsent++; len(l.absent) < shown {
			l.absent = append(l.absent, absent{number, l.find.join(key)})
		}
	}
	key = strings.Clone(key)
	if file == key {
		file = key // share the string
	}
	l.lines[file] = number
	return key, size, true
}

// finish looks at the list as a whole and sorts the samples.
func (l *list) finish() {
	p := &l.problems
	missingColumn := func(name, option string) {
		if !slices.Contains(l.columns, name) && len(l.columns)+l.rows > 0 {
			p.addf("there is no column %q%s%s: name one of [%s] in %s", name, separated(l.columns), alike(name, l.columns), some(l.columns), option)
		}
	}
	if !l.inFolder {
		missingColumn(l.m.pathColumn(), "path_column")
	} else if !slices.Contains(l.columns, fileName) && len(l.columns)+l.rows > 0 {
		p.addf("there is no column %q%s: it says which image a row is about (columns: [%s])", fileName, separated(l.columns), some(l.columns))
	}
	if l.m.WeightColumn != "" {
		missingColumn(l.m.WeightColumn, "weight_column")
	}
	for _, task := range l.m.Tasks {
		missingColumn(task, "tasks")
	}
	for _, c := range l.m.Meta {
		missingColumn(c.Name, "meta")
	}
	for i := range l.columnsOfTargets().len() {
		missingColumn(l.columnsOfTargets().column(i))
	}
	if slices.Contains(l.columns, l.m.pathColumn()) {
		for _, number := range l.pathless {
			p.addf("line %d: column %q: the path is empty: write the image's path, or remove the row", number, l.m.pathColumn())
		}
	}
	if l.tooMany {
		p.addf("there are more than %d columns besides the path, and without tasks each is a label: name the label columns in tasks", mostTasks)
	}
	if l.rows == 0 && p.count() == 0 {
		p.addf("lists no image: write one row per sample")
	}
	if p.count() > 0 {
		return
	}
	if l.nAbsent == len(l.keys) {
		for _, a := range l.absent {
			p.addf("line %d: there is no file %q: %s", a.line, a.file, pathsAre(a.file))
		}
		p.more += l.nAbsent - len(l.absent)
		return
	}
	if l.nAbsent > 0 {
		a := l.absent[0]
		l.warnings = append(l.warnings, sprintf("%d of %s %s missing, such as %q (line %d; %s): %s",
			l.nAbsent, phrase.Count(len(l.keys), "file"), is(l.nAbsent), a.file, a.line, pathsAre(a.file), missingMeans))
	}
	for key, file := range l.find.found {
		if name, err := filepath.Rel(l.find.folder, file); err == nil && l.lines[filepath.ToSlash(name)] > 0 {
			l.find.twice = append(l.find.twice, key)
		}
	}
	if slices.Sort(l.find.twice); len(l.find.twice) > 0 {
		l.warnings = append(l.warnings, sprintf("%s: paths in different Unicode normal forms name the same file, such as %+q: each is a sample of its own",
			phrase.Count(len(l.find.twice), "row"), l.find.twice[0]))
	}
	l.sort()
}

func is(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// pathsAre says how to write paths.
func pathsAre(file string) string {
	if filepath.Separator == '/' && strings.Contains(file, `\`) {
		return "write paths with slashes"
	}
	return "paths are relative to the folder of the list"
}

// separated guesses why a header lacks a column.
func separated(columns []string) string {
	if slices.ContainsFunc(columns, func(name string) bool { return slices.Contains(decode.Extensions(), extension(name)) }) {
		return " (the first row holds the names, such as path,class: is it missing?)"
	}
	if len(columns) == 1 && strings.ContainsAny(columns[0], ";\t|") {
		return " (cells must be separated by commas, or by tabs in a .tsv file)"
	}
	return ""
}

// finder finds the files that a list names.
type finder struct {
	seen     *seen      // nil: nothing is known or kept
	time     blob.Times // of the file that was found last; zero where there is none
	folder   string
	absolute string                         // the folder's path, once it was needed
	found    map[string]string              // by key: files whose names are in another normal form
	names    map[string]map[string][]string // by folder: names beyond ASCII, by their composed form
	used     map[string]bool                // files in found
	twice    []string
}

func (f *finder) join(key string) string {
	key = filepath.FromSlash(key)
	if filepath.IsAbs(key) {
		return key
	}
	return filepath.Join(f.folder, key)
}

// within is the one path that stands for all spellings of a file's path: relative to
// the folder if the file is in it, else absolute.
func (f *finder) within(key string) string {
	if !path.IsAbs(key) && !filepath.IsAbs(key) && key != ".." && !strings.HasPrefix(key, "../") {
		return key
	}
	if f.absolute == "" {
		absolute, err := filepath.Abs(f.folder)
		if err != nil {
			return key
		}
		f.absolute = absolute
	}
	file := filepath.FromSlash(key)
	if !filepath.IsAbs(file) {
		file = filepath.Join(f.absolute, file)
	}
	file = filepath.Clean(file)
	name, err := filepath.Rel(f.absolute, file)
	if err != nil || name == ".." || strings.HasPrefix(name, ".."+string(filepath.Separator)) {
		return filepath.ToSlash(file)
	}
	return filepath.ToSlash(name)
}

// file looks for the file of a cell: by the path as it is written, then without
// spaces at its ends, then with its names in other normal forms. The size is -1
// where there is no file, and less where it is not a regular one. After an error for
// which gone is false it isn't known whether there is one.
func (f *finder) file(text string) (key string, size int64, err error) {
	trimmed := strings.TrimSpace(text)
	if trimmed != text {
		if info, err := os.Stat(f.join(path.Clean(text))); err == nil && info.Mode().IsRegular() {
			f.time = blob.TimesOf(info)
			f.seen.distrust(f.join(path.Clean(text)))
			return path.Clean(text), info.Size(), nil
		}
	}
	f.time = blob.Times{}
	key = path.Clean(trimmed)
	if size, t, ok := f.seen.size(f.join(key)); ok {
		f.time = t
		return key, size, nil
	}
	info, err := os.Stat(f.join(key))
	if err != nil && gone(err) && !isASCII(key) {
		if other, ok := f.otherForm(f.start(key)); ok {
			if info, err = os.Stat(other); err == nil {
				f.take(key, other)
			}
		}
	}
	switch {
	case err != nil:
		f.seen.distrust(f.join(key)) // it may come
		return key, missing, err
	case !info.Mode().IsRegular():
		return key, missing - 1, nil
	}
	f.time = blob.TimesOf(info)
	f.seen.add(f.join(key), info.Size(), f.time)
	return key, info.Size(), nil
}

// take records a file whose name is not its key.
func (f *finder) take(key, file string) {
	if f.used == nil {
		f.used = map[string]bool{}
	}
	if f.used[file] {
		f.twice = append(f.twice, key)
	}
	f.used[file] = true
	f.found[key] = file
}

// onDisk is a path as the disk has it, which may be in another normal form.
func onDisk(name string) string {
	if _, err := os.Stat(name); err == nil || !gone(err) || isASCII(name) {
		return name
	}
	f := finder{folder: "."}
	if found, ok := f.otherForm(f.start(filepath.ToSlash(filepath.Clean(name)))); ok {
		return found
	}
	return name
}

// start is the folder from which a key leads, and the names along it.
func (f *finder) start(key string) (folder string, names []string) {
	if rest, ok := strings.CutPrefix(key, "/"); ok {
		return "/", strings.Split(rest, "/")
	}
	return f.folder, strings.Split(key, "/")
}

// otherForm walks down from a folder by names in any normal form.
func (f *finder) otherForm(folder string, names []string) (file string, ok bool) {
	if len(names) == 0 {
		return folder, true
	}
	for _, name := range f.candidates(folder, names[0]) {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			continue
		}
		if file, ok := f.otherForm(filepath.Join(folder, name), names[1:]); ok {
			return file, true
		}
	}
	return "", false
}

// candidates are the names in a folder that a name may stand for.
func (f *finder) candidates(folder, name string) []string {
	if isASCII(name) {
		return []string{name}
	}
	byForm, ok := f.names[folder]
	if !ok {
		byForm = map[string][]string{}
		entries, _ := os.ReadDir(folder) // a folder that cannot be read has no candidates
		for _, e := range entries {
			if !isASCII(e.Name()) {
				form := norm.NFC.String(e.Name())
				byForm[form] = append(byForm[form], e.Name())
			}
		}
		if f.names == nil {
			f.names = map[string]map[string][]string{}
		}
		f.names[folder] = byForm
	}
	return byForm[norm.NFC.String(name)]
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
