package sinks

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// Folder writes image files as torchvision's ImageFolder and load_dataset("imagefolder")
// read them: a folder for each class,
//
//	cat/1.jpg
//	_unknown/7.jpg                of unknown class
//
// or, if Flat is set, one folder and a list of file names and classes,
//
//	images/cat_1.jpg
//	metadata.csv
//
// Beside them are the plan, the manifest and the parts, as ArrowParts has them: a part is a
// list of some of the files, part-00000-of-00016.csv, with their fingerprints and all that
// is known of each row. All of these are files at the top, as a folder there is a class.
//
// A file has the name of its sample's key, where each sample is drawn once in the run;
// otherwise epoch and position are added, as in cat/1-e0-p000012.jpg.
type Folder struct {
	Images
	Flat     bool   `sluice:"flat" doc:"all files in the folder images, and metadata.csv with their classes, in place of a folder for each class"`
	Task     string `sluice:"task" doc:"whose classes the folders are; default: the only one"`
	PartRows int    `sluice:"part_rows,positive" default:"4096" doc:"files of a part, which is what a run that resumes keeps or makes again"`
	Parts

	state *folderState
}

var (
	_ Skipper        = (*Folder)(nil)
	_ ReadTracker    = (*Folder)(nil)
	_ SourceVerifier = (*Folder)(nil)
	_ Updater        = (*Folder)(nil)
	_ Lister         = (*Folder)(nil)
	_ summarizer     = (*Folder)(nil)
	_ Warner         = (*Folder)(nil)
	_ Remarker       = (*Folder)(nil)
)

// folderState is what a run needs.
type folderState struct {
	form   schema.Form
	task   int     // -1: no folders of classes
	counts []int64 // samples of each of its classes, unknown last
	names  *rowNames
}

// Name is folder.
func (*Folder) Name() string { return "folder" }

// Check reports every impossible option at once.
func (f *Folder) Check() error {
	errs := []error{f.check()}
	if f.PartRows < 0 {
		errs = append(errs, fmt.Errorf("part_rows: %d: want a positive number (0: %d)", f.PartRows, DefaultPartRows))
	}
	if f.Flat && f.Task != "" {
		errs = append(errs, errors.New("task: flat is set, too, and metadata.csv has a column for each task: leave one of them out"))
	}
	return errors.Join(errs...)
}

// Open locks the directory and verifies what is in it.
func (f *Folder) Open(ctx context.Context, run *schema.Run) error {
	err := f.Check()
	if err == nil {
		err = f.takes(run)
	}
	s := &folderState{form: run.Form, task: -1}
	if err == nil && !f.Flat {
		s.task, err = f.chosenTask(run)
	}
	if err != nil {
		return fmt.Errorf("sinks: folder: %w", err)
	}
	if s.task >= 0 {
		s.counts = run.Counts[s.task]
	}
	s.names = newRowNames(run, s.task, true, f.naming(run, s.task))
	f.state = s
	c := PartsConfig{Rows: f.PartRows}
	if c.Rows == 0 {
		c.Rows = DefaultPartRows
	}
	if run.Form == schema.FormEncoded || f.codec() == Raw {
		c.RowBytes = f.rowBytes(run) * int64(len(run.Variants))
	}
	return f.Start(ctx, run, f, c)
}

func (f *Folder) chosenTask(run *schema.Run) (int, error) {
	var names []string
	for _, t := range run.Tasks {
		names = append(names, t.Name)
	}
	if task, ok := schema.TaskNumber(run.Tasks, f.Task); ok {
		return task, nil
	}
	switch {
	case len(names) == 0:
		return 0, errors.New("the samples have no labels to make folders of: set flat: true, which puts all files in one")
	case f.Task == "":
		return 0, fmt.Errorf("the samples have the tasks %s: say whose classes the folders are (task: %s), or set flat: true, whose metadata.csv has all of them", strings.Join(names, ", "), names[0])
	}
	return 0, fmt.Errorf("task: there is no %q: one of %s", f.Task, strings.Join(names, ", "))
}

const (
	unknownFolder = "_unknown"
	flatFolder    = "images"
	metadataName  = "metadata.csv"
)

// naming is how a row's file is named, without extension: folder/name.
func (f *Folder) naming(run *schema.Run, task int) func(key string, label int32) string {
	flat := func(key string) string { return legalName(strings.ReplaceAll(stem(key), "/", "_")) }
	if task < 0 {
		return func(key string, _ int32) string { return flatFolder + "/" + flat(key) }
	}
	classes := run.Tasks[task].Classes
	folders := classFolders(classes)
	// A source of class folders keeps its names.
	same := run.Samples != nil
	for sample := 0; same && sample < run.Samples.Index().Len(); sample++ {
		x := run.Samples.Index()
		label := x.Label(task, sample)
		same = label >= 0 && int(label) < len(classes) && strings.HasPrefix(x.Key(sample), classes[label]+"/")
	}
	return func(key string, label int32) string {
		if label < 0 || int(label) >= len(classes) {
			return unknownFolder + "/" + flat(key)
		}
		if same {
			key = strings.TrimPrefix(key, classes[label]+"/")
		}
		return folders[label] + "/" + flat(key)
	}
}

// classFolders are classes as names of folders. Where two would be the same, or differ in
// case alone, the second has its number added.
func classFolders(classes []string) []string {
	taken := map[string]bool{unknownFolder: true}
	var list []string
	for i, class := range classes {
		name := legalName(class)
		for n := i; taken[strings.ToLower(name)]; n += len(classes) {
			name = fmt.Sprintf("%s-%d", legalName(class), n)
		}
		taken[strings.ToLower(name)] = true
		list = append(list, name)
	}
	return list
}

// Warnings are about classes to which ImageFolder gives other numbers, and those whose folders
// have other names. ImageFolder numbers the folders that are there in the order of their names.
func (f *Folder) Warnings(run *schema.Run) (list []string) {
	list = withoutTargets("folder", run)
	if f.Flat {
		return list
	}
	task, err := f.chosenTask(run)
	if err != nil {
		return list // Open says so
	}
	classes := run.Tasks[task].Classes
	folders := classFolders(classes)
	var renamed []string
	counts := run.Counts[task]
	for i, class := range classes {
		if counts[i] > 0 && folders[i] != class {
			renamed = append(renamed, fmt.Sprintf("%q is %s", shorten(class), folders[i]))
		}
	}
	unknown := counts[len(classes)]
	sorted, moved := renumbered(folders, counts)
	if len(moved) > 0 {
		list = append(list, fmt.Sprintf("folder: torchvision's ImageFolder numbers the folders that are there by name, which gives %d of %d classes other numbers than sluice, here -> there: %s. Take the numbers of the columns label.%s of part-*.csv, or set flat: true, which writes a list of files and classes instead",
			len(moved), len(classes), firstOf(moved), run.Tasks[task].Name))
	}
	if unknown > 0 {
		there, _ := slices.BinarySearch(sorted, unknownFolder)
		list = append(list, fmt.Sprintf("folder: samples of unknown class (%d) are in the folder %s, which torchvision's ImageFolder takes for class %d: leave these samples out of the source, or set flat: true, which leaves their class empty in %s",
			unknown, unknownFolder, there, metadataName))
	}
	if len(renamed) > 0 {
		list = append(list, fmt.Sprintf("folder: the names of %d of %d classes cannot be names of folders everywhere, and are changed: %s; part-*.csv has the classes' own names, and so has %s with flat: true",
			len(renamed), len(classes), firstOf(renamed), metadataName))
	}
	return list
}

// renumbered are the folders that are there, given the rows of each class, unknown last, in
// the order of their names, and those to which ImageFolder gives other numbers.
func renumbered(folders []string, counts []int64) (sorted, moved []string) {
	for i, folder := range append(slices.Clone(folders), unknownFolder) {
		if counts[i] > 0 {
			sorted = append(sorted, folder)
		}
	}
	slices.Sort(sorted)
	for i, folder := range folders {
		if there, found := slices.BinarySearch(sorted, folder); found && there != i {
			moved = append(moved, fmt.Sprintf("%s %d -> %d", folder, i, there))
		}
	}
	return sorted, moved
}

// Remarks tell of classes that had samples and got no file, where that changes ImageFolder's
// numbers. An empty folder for such a class wouldn't help: ImageFolder refuses these. As long as
// other shards are missing there are none.
func (f *Folder) Remarks() []string {
	if f.state == nil || f.state.task < 0 {
		return nil
	}
	m, err := ReadManifest(f.to.Dir)
	if err != nil || f.state.task >= len(m.Tasks) {
		return nil
	}
	task := m.Tasks[f.state.task]
	folders, counts := classFolders(task.Classes), m.Classes[task.Name]
	var missing []string
	for i, folder := range folders {
		if f.state.counts[i] > 0 && counts[i] == 0 {
			missing = append(missing, folder)
		}
	}
	_, moved := renumbered(folders, counts)
	if len(missing) == 0 || len(moved) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("folder: no row of %s was delivered (%s), so there is no folder of that name: torchvision's ImageFolder gives %d of %d classes other numbers than sluice, here -> there: %s. Take the numbers of the columns label.%s of part-*.csv, or set flat: true, which writes a list of files and classes instead",
		phrase.Count(len(missing), "class"), firstOf(missing), len(moved), len(task.Classes), firstOf(moved), task.Name)}
}

// firstOf are the first few of a list, and how many more there are.
func firstOf(list []string) string {
	const shown = 5
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s, and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}

// Ext is .csv.
func (*Folder) Ext() string { return ".csv" }

// folderOptions are those that decide the bytes.
type folderOptions struct {
	imageOptions
	Flat bool   `json:"flat"`
	Task string `json:"task,omitempty"`
}

// Options are those that decide the bytes.
func (f *Folder) Options() any {
	return folderOptions{f.recorded(f.state.form), f.Flat, f.Task}
}

// Recognizes a directory whose plan.json is of this format.
func (*Folder) Recognizes(path string) bool { return RecognizesParts(path, "folder") }

// Verify is VerifyParts.
func (f *Folder) Verify(ctx context.Context, dir string, tell func(done, parts int)) (VerifyReport, error) {
	return VerifyParts(ctx, f, dir, tell)
}

// The columns of a part, before those of labels and after them.
var (
	fileColumns = []string{"file", "bytes", "xxh128", "key"}
	rowColumns  = []string{"weight", "epoch", "position", "source_index", "meta", "params"}
)

// Begin starts a part's list.
func (f *Folder) Begin(p *Part) (Encoder, error) {
	images, err := newImageWriter(f.Images, p.Run.Variants[p.Variant].Tensor)
	if err != nil {
		return nil, err
	}
	e := &folderWriter{part: p, state: f.state, images: images, list: csv.NewWriter(p)}
	head := slices.Clone(fileColumns)
	for _, t := range p.Run.Tasks {
		head = append(head, "label."+t.Name, "class."+t.Name)
	}
	return e, e.list.Write(append(head, rowColumns...))
}

// folderWriter writes the files and the list of one part.
type folderWriter struct {
	part   *Part
	state  *folderState
	images *imageWriter
	list   *csv.Writer
}

func (e *folderWriter) Add(b *schema.Batch) error {
	prints := make([]fingerprint.Print, b.Rows())
	files, err := e.images.batch(b, func(row int, f *imageFile) { prints[row] = fingerprint.Of(f.data) })
	if err != nil {
		return err
	}
	tasks, labels := e.part.Run.Tasks, labelsOf(b)
	texts, err := newRowTexts(e.part.Run, b)
	if err != nil {
		return err
	}
	var made []NewFile
	var lines [][]string
	for row, f := range files {
		label := schema.Unknown
		if e.state.task >= 0 {
			label = labels[e.state.task][row]
		}
		key := b.Key(row)
		name := e.state.names.of(b, row, label) + "." + fileExt(key, f.ext)
		made = append(made, NewFile{name, f.data})
		line := []string{name, strconv.Itoa(len(f.data)), prints[row].String(), key}
		for t, task := range tasks {
			number, class := "", ""
			if n := labels[t][row]; n != schema.Unknown {
				number, class = strconv.Itoa(int(n)), task.Classes[n]
			}
			line = append(line, number, class)
		}
		meta := ""
		if m := texts.meta(row); m != nil {
			text, err := m.MarshalJSON()
			if err != nil {
				return fmt.Errorf("row %d (%s): %w", row, key, err)
			}
			meta = string(text)
		}
		lines = append(lines, append(line, strconv.FormatFloat(float64(b.Weights()[row]), 'g', -1, 32), strconv.Itoa(b.Epoch),
			strconv.FormatInt(b.Positions()[row], 10), strconv.FormatInt(b.SourceIndexes()[row], 10), meta, b.Params(row)))
	}
	if err := e.part.Create(made); err != nil {
		return err
	}
	return e.list.WriteAll(lines)
}

// Finish writes what remains of the list.
func (e *folderWriter) Finish() error {
	e.list.Flush()
	return e.list.Error()
}

// fileExt is the extension of a row's file: that of its bytes, or the key's own if it
// stands for the same.
func fileExt(key, sniffed string) string {
	own := strings.TrimPrefix(path.Ext(key), ".")
	usual := strings.ToLower(own)
	switch usual {
	case "jpeg", "jpe", "jfif":
		usual = "jpg"
	case "tiff":
		usual = "tif"
	case "ppm", "pgm", "pnm":
		if sniffed == "ppm" || sniffed == "pgm" {
			usual = sniffed
		}
	}
	switch {
	case sniffed != "" && usual != sniffed:
		return sniffed
	case own == "" || own != legalName(own):
		return "bin"
	}
	return own
}

// lines calls head, unless nil, with the names of the columns of a part's list, and f with
// each line. The file need not be trusted.
func (*Folder) lines(file string, head func(names []string) error, f func(columns map[string]int, line []string) error) error {
	in, size, err := openRegular(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if size > largestManifest {
		return fmt.Errorf("%s: damaged: it has %d bytes, more than sluice ever writes (%d)", file, size, largestManifest)
	}
	r := csv.NewReader(io.LimitReader(in, largestManifest))
	r.ReuseRecord = true
	columns := map[string]int{}
	for n := 0; ; n++ {
		line, err := r.Read()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: damaged: %w", file, err)
		}
		if n == 0 {
			for i, name := range line {
				columns[strings.Clone(name)] = i
			}
			for _, name := range append(slices.Clone(fileColumns), rowColumns...) {
				if _, ok := columns[name]; !ok {
					return fmt.Errorf("%s: damaged: it has no column %s", file, name)
				}
			}
			if head != nil {
				if err := head(line); err != nil {
					return err
				}
			}
			continue
		}
		if err := f(columns, line); err != nil {
			return fmt.Errorf("%s: line %d: %w", file, n+1, err)
		}
	}
}

// Members reads a part's list.
func (f *Folder) Members(file string) (list []Member, err error) {
	err = f.lines(file, nil, func(columns map[string]int, line []string) error {
		n, err := strconv.ParseInt(line[columns["bytes"]], 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number of bytes", shorten(line[columns["bytes"]]))
		}
		print, err := fingerprint.Parse(line[columns["xxh128"]])
		if err != nil {
			return err
		}
		list = append(list, Member{strings.Clone(line[columns["file"]]), n, print})
		return nil
	})
	return list, err
}

// Count reads the labels of a part's list.
func (f *Folder) Count(ctx context.Context, file string, l *Layout, add func(rows int64, labels [][]int32) error) error {
	return f.lines(file, nil, func(columns map[string]int, line []string) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		labels := make([][]int32, len(l.Tasks))
		for t, task := range l.Tasks {
			i, ok := columns["label."+task.Name]
			if !ok {
				return fmt.Errorf("there is no column label.%s", task.Name)
			}
			label := schema.Unknown
			if text := line[i]; text != "" {
				n, err := strconv.ParseInt(text, 10, 32)
				if err != nil || n < 0 {
					return fmt.Errorf("%q is not a class number", shorten(text))
				}
				label = int32(n)
			}
			labels[t] = []int32{label}
		}
		return add(1, labels)
	})
}

// summaryName is metadata.csv of a flat directory.
func (*Folder) summaryName(l *Layout) string {
	var o folderOptions
	if json.Unmarshal(l.Options, &o) != nil || !o.Flat {
		return ""
	}
	return metadataName
}

// summarize writes file_name and the class of each task.
func (f *Folder) summarize(w io.Writer, _ *Layout, files []string) error {
	out := csv.NewWriter(w)
	for part, file := range files {
		var classes []string // columns
		head := func(names []string) error {
			titles := []string{"file_name"}
			for _, name := range names {
				if task, ok := strings.CutPrefix(name, "class."); ok {
					classes, titles = append(classes, strings.Clone(name)), append(titles, task)
				}
			}
			if part > 0 {
				return nil
			}
			return out.Write(titles)
		}
		err := f.lines(file, head, func(columns map[string]int, line []string) error {
			row := []string{line[columns["file"]]}
			for _, name := range classes {
				row = append(row, line[columns[name]])
			}
			return out.Write(row)
		})
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
