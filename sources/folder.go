package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/unpacked"
)

// Folder is the images of a folder, or of an archive of one. The innermost len(Tasks)
// folders of an image's path are its labels, outermost first; folders above them
// are only part of its key. With Label outermost the labels are the first len(Tasks)
// folders, and those below are only part of the key. Images at different depths are
// an error until Label says which is meant. Where no image is in a subfolder, the
// samples have no labels.
//
// Classes are the names of the folders at the depth of labels, sorted bytewise as
// in torchvision's ImageFolder, or as Classes or ClassOrder say. A folder without
// an image is a class, too, with a warning: without it the classes after it would
// have other numbers.
//
// Where metadata.csv or metadata.jsonl lie in the folder or below, they give the labels, as
// in Hugging Face's imagefolder, and folders are only part of the key: each row names an image
// in the column file_name, relative to the folder of the file and within it. The other columns
// are as those of Manifest: Tasks are labels (nil: all but weight and Meta), and classes are
// sorted as there. An image without a row has unknown labels, with a warning; a row without an
// image is a missing sample (ErrMissing), with a warning; two rows for an image, and both files
// in one folder, are errors. Metadata none ignores them.
//
// An archive is a .tar or a .zip, which are read where they are, or a .tar.gz, .tgz,
// .tar.zst or .tzst, which is unpacked once, into the cache (WithCache).
//
// The key is the path relative to the folder, or the member's path in the archive
// without a leading "./" or "/". Files without an image extension (in any letter
// case) and dot files are ignored and counted. Dot folders and those of operating
// systems (@eaDir, $RECYCLE.BIN, lost+found, __MACOSX and the like) are ignored as
// a whole, and count as one.
//
// Symbolic links are followed, also to folders; one to a folder that contains it is
// ignored, with a warning. In an archive, hard and symbolic links refer to other members;
// of several members of one name the last counts, as when it is unpacked. A broken
// link with an image's name is a missing sample (ErrMissing), with a warning.
type Folder struct {
	Path string `sluice:"path" doc:"the folder, or a .tar, .tar.gz, .tar.zst or .zip of one"`
	// A nil Tasks stands for one task, class, or for the columns of metadata files; an empty
	// one for samples without labels.
	Tasks   []string `sluice:"tasks" doc:"names of the label folders, outermost first (default: class), or of the label columns where metadata files give the labels (default: every column but file_name, weight and those of meta)"`
	Classes Classes  `sluice:"classes" doc:"fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map from task to these"`
	// An empty Label stands for innermost where all images are at the same depth.
	Label      Label      `sluice:"label" doc:"which folders are the labels: innermost, directly above the images, or outermost, directly below path (default: innermost, and images at different depths are an error)"`
	ClassOrder ClassOrder `sluice:"class_order" default:"text" doc:"order of classes unless classes fixes it: text, byte by byte as torchvision's ImageFolder, or natural, numbers in names as numbers"`
	Metadata   Metadata   `sluice:"metadata" default:"auto" doc:"whether metadata.csv and metadata.jsonl in the folder or below give the labels, as in Hugging Face's imagefolder: auto, where there are any, or none"`
	Meta       Meta       `sluice:"meta" doc:"columns of the metadata files to be delivered unchanged, as meta.<name>, text or numbers: a list of names, or of {name: text | int | float}"`
	Masks      Masks      `sluice:"masks" doc:"masks of class numbers beside the images: where each is, such as masks/{stem}.png, or {path, ignore, values, classes}"`
	// Of columns of metadata files.
	Multi   Multi        `sluice:"multi" doc:"tasks of several labels, from columns of the metadata files: {tags: {column, classes, separator}}, or {tags: column}"`
	Values  ValueColumns `sluice:"values" doc:"values in place of classes, from columns of the metadata files: a list of columns, or {name: column}"`
	Objects Objects      `sluice:"objects" doc:"a column of the metadata files that holds objects, as in Hugging Face's imagefolder: the column, or {column, bbox, classes, keypoints, mirror}"`
}

// Name is folder, of a tar too.
func (Folder) Name() string { return "folder" }

// Check looks at the options alone.
func (f Folder) Check() error {
	var path, p problems
	switch {
	case f.Path == "":
		path.addf("path: is missing: give a folder of images, or a .tar, .tar.gz, .tar.zst or .zip of one")
	case options.IsURL(f.Path):
		path.addf("path: %q is a URL: download it first, and give its path", f.Path)
	}
	if f.Label != "" && !slices.Contains(f.Label.Values(), string(f.Label)) {
		p.addf("label: %q is neither innermost nor outermost", f.Label)
	}
	if f.ClassOrder != "" && !slices.Contains(f.ClassOrder.Values(), string(f.ClassOrder)) {
		p.addf("class_order: %q is neither text nor natural", f.ClassOrder)
	}
	if f.Metadata != "" && !slices.Contains(f.Metadata.Values(), string(f.Metadata)) {
		p.addf("metadata: %q is neither auto nor none", f.Metadata)
	}
	if f.Metadata == NoMetadata && len(f.Meta) > 0 {
		p.addf("meta: names columns of metadata files, and metadata is none: leave one of them out")
	}
	taken := map[string]string{fileName: "the paths"}
	for _, task := range f.Tasks {
		taken[task] = "a task's labels"
	}
	if f.Metadata == NoMetadata && f.columns() {
		p.addf("multi, values and objects are columns of metadata files, and metadata is none: leave one of them out")
	}
	meta := f.Meta.check(taken)
	for _, c := range f.Meta {
		taken[c.Name] = "meta"
	}
	archive := extension(f.Path) == ".tar" || extension(f.Path) == ".zip" || unpacked.Is(f.Path)
	return errlist.Join(errors.Join(path.list...), checkTasks(f.Tasks), f.Classes.check(), errors.Join(p.list...), meta, f.Masks.check(archive), checkLabelNames(f.Multi, f.Values, f.Objects, f.Tasks, taken))
}

// columns reports whether columns of metadata files are asked for that hold targets.
func (f Folder) columns() bool {
	return len(f.Multi) > 0 || len(f.Values) > 0 || f.Objects.given()
}

// targets are those of a listing, and warnings about masks. masks finds the masks.
func (f Folder) targets(l *listing, masks func(*maskFinder, *sampleTargets) ([]string, error)) (*sampleTargets, []string, error) {
	t := newSampleTargets()
	if l != nil && l.sampleTargets != nil {
		t = l.sampleTargets
	}
	var warnings []string
	if f.Masks.given() {
		finder := f.Masks.finder()
		finder.found = map[string]maskPlace{}
		if l != nil {
			finder.found = l.maskAt
		}
		var err error
		if warnings, err = masks(&finder, t); err != nil {
			return nil, nil, errlist.Within(f.prefix(), err)
		}
	} else if l == nil || l.sampleTargets == nil {
		return nil, nil, nil
	}
	for i, text := range warnings {
		warnings[i] = fmt.Sprintf("folder: %q: %s", f.Path, text)
	}
	return t, warnings, nil
}

// Open lists the folder or tar. A tar stays open until Close.
func (f Folder) Open(ctx context.Context) (Dataset, error) {
	if err := f.Check(); err != nil {
		return nil, errlist.Within("sources: folder", err)
	}
	tasks := f.Tasks
	if tasks == nil {
		tasks = []string{"class"}
	}
	f.Path = onDisk(f.Path)
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, f.errorf("there is no such folder or file%s", f.workingFolder())
	case err != nil:
		return nil, f.errorf("cannot read: %w", cause(err))
	case info.IsDir():
		return f.openFolder(ctx, tasks)
	case !info.Mode().IsRegular():
		return nil, f.errorf("is neither a folder nor a file")
	case extension(f.Path) == ".tar" || unpacked.Is(f.Path):
		return f.openTar(ctx, tasks)
	case extension(f.Path) == ".zip":
		return f.openZip(ctx, tasks)
	}
	return nil, f.errorf("%s", notFolder(f.Path))
}

// columnOption is an option that names columns of metadata files.
func (f Folder) columnOption() string {
	switch {
	case len(f.Meta) > 0:
		return "meta"
	case len(f.Multi) > 0:
		return "multi"
	case len(f.Values) > 0:
		return "values"
	}
	return "objects"
}

func (f Folder) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", f.prefix(), errorf(format, args...))
}

func (f Folder) prefix() string { return fmt.Sprintf("sources: folder: %q", f.Path) }

// workingFolder says what a relative path was relative to.
func (f Folder) workingFolder() string {
	dir, err := os.Getwd()
	if err != nil || filepath.IsAbs(f.Path) {
		return ""
	}
	return fmt.Sprintf(" in %q", dir)
}

// notFolder says what to do with a file that is not an archive.
func notFolder(name string) string {
	switch extension(name) {
	case ".gz", ".zst", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".rar":
		return "is compressed in a way that is not read: unpack it, or make it a .tar, .tar.gz, .tar.zst or .zip"
	case ".csv", ".tsv", ".jsonl", ".ndjson":
		return "is a list of images: use the source manifest"
	}
	return "is a file: give a folder of images, or a .tar, .tar.gz, .tar.zst or .zip of one"
}

func (f Folder) openFolder(ctx context.Context, tasks []string) (Dataset, error) {
	k := f.keeper(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var d *files
	sameFiles := func(known *indexfile.File) bool {
		d = knownFiles("sources: folder", f.Path, known, k)
		return !d.rewritten(ctx, func(key string) string { return strings.TrimSuffix(path.Dir(key), ".") })
	}
	masks := func(finder *maskFinder, t *sampleTargets) ([]string, error) { return finder.beside(ctx, d, t) }
	if !f.columns() {
		if known := k.Unchanged(func(folder string) string { return indexfile.StampOf(filepath.Join(f.Path, folder)) }, sameFiles); known != nil {
			t, list, err := f.targets(nil, masks)
			if err != nil {
				return nil, err
			}
			d.warnings = slices.Concat(d.warnings, list)
			d.setTargets(t)
			return d, nil
		}
	}
	w := walker{ctx: ctx, listing: f.newListing("this folder or below"), keeper: k}
	if err := w.walk(f.Path, ""); err != nil {
		return nil, f.errorf("%w", err)
	}
	for name := range w.metadata {
		k.Listed(name, indexfile.StampOf(filepath.Join(f.Path, name)), nil)
	}
	shared, err := f.index(ctx, w.listing, tasks, func(name string) (io.ReadCloser, error) { return openRegular(filepath.Join(f.Path, name)) })
	if err != nil {
		return nil, err
	}
	d = newFiles(shared, f.Path, w.times, nil)
	if !f.columns() {
		d.keep(k, fewFiles, nil, d.written, d.changed)
	}
	t, list, err := f.targets(w.listing, masks)
	if err != nil {
		return nil, err
	}
	d.warnings = slices.Concat(d.warnings, list)
	d.setTargets(t)
	return d, nil
}

// keeper has what was listed of this folder or tar before.
func (f Folder) keeper(ctx context.Context) *indexfile.Keeper {
	if absolute, err := filepath.Abs(f.Path); err == nil {
		f.Path = absolute
	}
	return indexfile.Begin(ctx, "folder", indexOptions{f, classesText(f.Classes)})
}

// newListing is an empty one; where says what is listed.
func (f Folder) newListing(where string) *listing {
	l := newListing(where)
	if f.Metadata != NoMetadata {
		l.metadata = map[string]place{}
	}
	l.withMasks(f.Masks)
	return l
}

// index turns a complete listing into what the dataset shares. open opens a metadata file.
func (f Folder) index(ctx context.Context, l *listing, tasks []string, open func(name string) (io.ReadCloser, error)) (opened, error) {
	l.finish()
	listed := len(l.metadata) > 0
	switch {
	case l.problems.count() > 0:
	case listed:
		if err := l.labelByMetadata(ctx, f, open); err != nil {
			return opened{}, err
		}
	case len(f.Meta) > 0 || f.columns():
		return opened{}, f.errorf("%s names columns, and there is neither a metadata.csv nor a metadata.jsonl in it: add one, or leave it out", f.columnOption())
	default:
		l.label(tasks, f.Label)
		l.warnBeside()
		if l.unread != "" {
			l.warnf("%q is not read, so it gives no labels: write it as metadata.csv or metadata.jsonl", l.unread)
		}
	}
	if err := l.problems.err(f.prefix()); err != nil {
		return opened{}, err
	}
	switch flat := len(l.tasks) < len(tasks) && !listed; {
	case flat && !f.Classes.isZero():
		return opened{}, f.errorf("classes are given, and no image lies in a folder, so none has a label: put each into a folder of its class")
	case flat && f.Tasks != nil && len(f.Tasks) > 1:
		l.warnf("no image lies in a folder: the tasks %q are left out", tasks)
	}
	if err := ctx.Err(); err != nil {
		return opened{}, err
	}
	ordered, from := byText, ofFolders
	switch {
	case listed && len(f.Tasks) > 0:
		ordered, from = ofCells, ofNamedColumns
	case listed:
		ordered, from = ofCells, ofColumns
	}
	if f.ClassOrder == NaturalOrder {
		ordered = byNumber
	}
	index, fixed, err := l.index(f.Classes, ordered)
	if err != nil {
		return opened{}, errlist.Within(f.prefix(), err)
	}
	index.IgnoredFiles = l.ignoredCount()
	var about []string
	l.sampleTargets, about = l.targets.finish(index)
	l.warnings = append(l.warnings, about...)
	if listed {
		l.warnings = append(l.warnings, Manifest{}.warnings(index)...)
	} else {
		l.warnEmpty(fixed)
		if err := l.missing(index); err != nil {
			return opened{}, f.errorf("%w", err)
		}
	}
	l.warnings = append(l.warnings, remarks(index, fixed, from)...)
	if ordered == byText {
		l.warnings = append(l.warnings, numberRemarks(index, fixed)...)
	}
	for i, text := range l.warnings {
		l.warnings[i] = fmt.Sprintf("folder: %q: %s", f.Path, text)
	}
	return newOpened("sources: folder", index, l.warnings), nil
}

// walker lists a folder and everything below it.
type walker struct {
	*listing
	ctx     context.Context
	keeper  *indexfile.Keeper
	parents []fs.FileInfo // of the folder being listed and those above it
}

// walk lists one folder; key is its path with a slash at the end, or empty.
// An error ends the listing; trouble with single files is added to the problems.
func (w *walker) walk(folder, key string) error {
	subfolders, err := w.list(folder, key)
	if err != nil {
		return err
	}
	for _, name := range subfolders {
		if err := w.walk(filepath.Join(folder, name), key+name+"/"); err != nil {
			return err
		}
	}
	w.parents = w.parents[:len(w.parents)-1]
	return nil
}

// list adds the files of a folder and returns its subfolders. The folder is
// closed before they are listed: depth costs no file descriptors.
func (w *walker) list(folder, key string) (subfolders []string, err error) {
	info, err := os.Stat(folder)
	w.parents = append(w.parents, info)
	if err != nil {
		w.unreadable(key, err)
		return nil, nil
	}
	if key != "" {
		w.folders = append(w.folders, strings.TrimSuffix(key, "/"))
	}
	var unreadable error
	entries, err := w.keeper.Unit(strings.TrimSuffix(key, "/"), blob.SettledStamp(info), func() (entries []byte, err error) {
		entries, unreadable, err = w.read(folder)
		return entries, err
	})
	if err != nil {
		return nil, err
	}
	var e indexfile.Entry
	for rest, ok := indexfile.NextEntry(entries, &e); ok; rest, ok = indexfile.NextEntry(rest, &e) {
		if err := w.ctx.Err(); err != nil { // each may be a request to a server
			return nil, err
		}
		if w.entry(folder, key, strings.Clone(e.Name), e.Numbers) {
			subfolders = append(subfolders, strings.Clone(e.Name))
		}
	}
	if unreadable != nil {
		w.unreadable(key, unreadable)
	}
	return subfolders, nil
}

// read lists what a folder holds: names with their types, and of images the size and the
// times. What cannot be read ends the list; broken is that error.
func (w *walker) read(folder string) (entries []byte, broken, err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err, nil
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(1024)
		for _, e := range list {
			if err := w.ctx.Err(); err != nil { // each may be a request to a server
				return nil, nil, err
			}
			numbers := []int64{int64(e.Type())}
			if e.Type().IsRegular() && !isDot(e.Name()) && w.isImage(e.Name()) {
				info, err := e.Info()
				if err != nil { // it has disappeared since
					w.problems.addf("cannot read image %q: %w", path.Join(filepath.ToSlash(folder), e.Name()), cause(err))
					continue
				}
				t := blob.TimesOf(info)
				numbers = append(numbers, info.Size(), t.Written, t.Changed)
			}
			entries = indexfile.AppendEntry(entries, indexfile.Entry{Name: e.Name(), Numbers: numbers})
		}
		if err == io.EOF {
			return entries, nil, nil
		} else if err != nil {
			return entries, err, nil
		}
	}
}

func (w *walker) unreadable(key string, err error) {
	if key == "" {
		key = "."
	}
	w.problems.addf("cannot read the folder %q in it: %w", key, cause(err))
}

// entry takes a file or ignores it, and reports a folder to walk. numbers are its type and,
// of an image, its size and times.
func (w *walker) entry(folder, key, name string, numbers []int64) (isFolder bool) {
	if isDot(name) {
		w.ignore(key + name)
		return false
	}
	mode := fs.FileMode(numbers[0])
	if mode&fs.ModeSymlink != 0 {
		return w.link(folder, key, name)
	}
	switch {
	case mode.IsDir() && isSystem(name):
		w.ignore(key + name)
		return false
	case mode.IsDir():
		return true
	case w.isMetadata(name) && mode.IsRegular():
		w.metadata[key+name] = place{}
		return false
	case len(numbers) < 4:
		w.ignore(key + name)
		return false
	}
	w.take(key+name, numbers[1], blob.Times{Written: numbers[2], Changed: numbers[3]})
	return false
}

// link is entry of a symbolic link.
func (w *walker) link(folder, key, name string) (isFolder bool) {
	target, err := os.Stat(filepath.Join(folder, name))
	switch {
	case err != nil && w.isImage(name) && gone(err):
		w.keeper.Distrust(strings.TrimSuffix(key, "/")) // its target may come
		w.take(key+name, missing, blob.Times{})
		return false
	case err != nil && w.isImage(name):
		w.problems.addf("cannot read image %q: %w", key+name, cause(err))
		return false
	case w.isMetadata(name) && (err != nil || target.Mode().IsRegular()):
		w.metadata[key+name] = place{} // reading it reports a broken link
		return false
	case err != nil:
		w.ignore(key + name)
		return false
	case target.IsDir() && w.above(target):
		w.ignore(key + name)
		w.warnf("ignored the link %q: it points to a folder that contains it", key+name)
		return false
	case target.IsDir() && isSystem(name):
		w.ignore(key + name)
		return false
	case target.IsDir():
		return true
	case !target.Mode().IsRegular() || !w.isImage(name):
		w.ignore(key + name)
		return false
	}
	w.take(key+name, target.Size(), blob.TimesOf(target))
	return false
}

func (w *walker) take(key string, size int64, at blob.Times) {
	if !w.takesMask(key, maskPlace{size: size, time: at}) && w.image(key, size) {
		w.times = append(w.times, at)
	}
}

// above reports whether a folder is the one being listed, or above it.
func (w *walker) above(target fs.FileInfo) bool {
	for _, parent := range w.parents {
		if os.SameFile(parent, target) {
			return true
		}
	}
	return false
}
