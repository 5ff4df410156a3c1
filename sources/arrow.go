package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// Arrow is the rows of Arrow IPC files: what `sluice materialize` wrote, or files and
// streams of other programs, with encoded images or uint8 pixels in a column.
//
// Encoded images (binary, or Hugging Face's struct of bytes and path) are read as they are.
// Pixels (arrow.fixed_shape_tensor of uint8, or sluice's struct of height, width and
// pixels) are read as a PPM, or a PGM for grey ones, which decode reads without loss: so the
// file is a cache of decoded images that augmentation begins with. Float32 pixels are
// refused: materialize without to_tensor and normalize, which belong to the pipeline
// that reads.
//
// In files that sluice wrote, tasks and their classes, in the order of their numbers, come
// from the metadata, labels, weights, meta.* columns, boxes, polygons, keypoints and masks from
// their columns, as are the shares of classes of mixed pictures; what augmentation drew is
// not read. In files of others, tasks and meta name columns. Labels may be texts, also in
// dictionaries, or whole numbers; null is an unknown label, and a null image a missing sample.
//
// The key is the column key, if each row has one and no two are equal; else
// the file and the row's number in it: part-00000-of-00002.arrow#0017.
//
// Uncompressed files are mapped into memory where the system can, so that reading a
// row is one copy. In compressed ones a row needs its record batch's buffer decompressed, of
// which 256 MiB are kept.
type Arrow struct {
	Path string `sluice:"path" doc:"a directory that sluice materialize wrote, an .arrow file (or .arrows, .ipc, .feather), or a folder of such files"`
	// Zero stands for the only one.
	Scale float64 `sluice:"scale" doc:"which scale of a directory with several"`
	// Nil stands for the only one.
	Epoch *int   `sluice:"epoch" doc:"which epoch of a directory with several, from 0"`
	Image string `sluice:"image" default:"image" doc:"the column of the images"`
	// A nil Tasks stands for those that sluice wrote, and for none in files of others.
	Tasks        []string `sluice:"tasks" doc:"the tasks, or in files that sluice did not write the label columns (default: those that sluice wrote)"`
	WeightColumn string   `sluice:"weight_column" doc:"the column of each sample's weight, a number of at least 0 (default: weight, in files that sluice wrote)"`
	Classes      Classes  `sluice:"classes" doc:"fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map from task to these"`
	Meta         Meta     `sluice:"meta" doc:"columns to be delivered unchanged, as meta.<name>: a list of names, or of {name: text | int | float} (default: those that sluice wrote)"`
}

// arrowExtensions are those of Arrow IPC files and streams.
var arrowExtensions = []string{".arrow", ".arrows", ".ipc", ".feather"}

// Name is arrow.
func (Arrow) Name() string { return "arrow" }

// Check looks at the options alone.
func (a Arrow) Check() error {
	var p problems
	switch {
	case a.Path == "":
		p.addf("path: is missing: give a directory that sluice materialize wrote, or an .arrow file")
	case options.IsURL(a.Path):
		p.addf("path: %q is a URL: download it first, and give the directory or file", a.Path)
	}
	if a.Scale < 0 || a.Scale != a.Scale {
		p.addf("scale: %v is not a scale", a.Scale)
	}
	if a.Epoch != nil && *a.Epoch < 0 {
		p.addf("epoch: %d is negative", *a.Epoch)
	}
	return errlist.Join(errors.Join(p.list...), checkTasks(a.Tasks), a.Classes.check(), a.Meta.check(usedColumns(a.image(), a.WeightColumn, a.Tasks)))
}

// MayBeUniform is true: tensors of pixels have one shape.
func (Arrow) MayBeUniform() bool { return true }

func (a Arrow) image() string {
	if a.Image == "" {
		return schema.ColumnImage
	}
	return a.Image
}

// usedColumns says what columns are used as, for Meta.check.
func usedColumns(image, weight string, tasks []string) map[string]string {
	taken := map[string]string{image: "the images"}
	if weight != "" {
		taken[weight] = "the weights"
	}
	for _, task := range tasks {
		taken[task] = "a task's labels"
	}
	return taken
}

// Open lists the rows. The files stay mapped, or open, until Close.
func (a Arrow) Open(ctx context.Context) (_ Dataset, err error) {
	if err := a.Check(); err != nil {
		return nil, errlist.Within("sources: arrow", err)
	}
	a.Path = onDisk(a.Path)
	prefix := fmt.Sprintf("sources: arrow: %q", a.Path)
	if _, err := os.Stat(filepath.Join(a.Path, "dataset_info.json")); err == nil && a.Tasks == nil {
		return nil, errlist.Within(prefix, errors.New("was written by save_to_disk of Hugging Face's datasets: use the source huggingface, which knows its classes, or name the label columns in tasks"))
	}
	if extension(a.Path) == ".parquet" {
		return nil, errlist.Within(prefix, errors.New("is a Parquet file: use the source parquet"))
	}
	names, paths, err := a.files(ctx)
	if err != nil {
		return nil, errlist.Within(prefix, err)
	}
	d := &arrowRows{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if err := d.openArrow(ctx, names, paths, arrowfile.NewCache(cachedBuffers)); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	w, given, warnings, err := a.wanted(d.parts[0])
	if err != nil {
		return nil, errlist.Within(fmt.Sprintf("%s: %q", prefix, d.parts[0].name), err)
	}
	source := a
	if absolute, err := filepath.Abs(a.Path); err == nil {
		source.Path = absolute
	}
	k := arrowKeeper(ctx, "arrow", source, w, a.Classes)
	if ok, err := d.recall(k, "arrow", w); ok || err != nil {
		return d, errlist.Within(prefix, err)
	}
	l := &arrowListing{samples: d.samples(w, given), named: func(name string) (int64, error) {
		return 0, errorf("its image is the file %q, and no bytes: the source huggingface reads such files", name)
	}}
	if err := d.list(ctx, k, l, w); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	if err := d.makeIndex(l, a.Classes, "arrow", a.Path, warnings); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	if w.own != nil {
		if err := d.listOwn(ctx, w.own); err != nil {
			return nil, errlist.Within(prefix, err)
		}
	}
	if err := d.listShares(ctx, w); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	if !w.mixed() {
		d.remember(k)
	}
	return d, nil
}

// list lists the rows of all files: of those that have changed since they were listed, and
// those that the index has of others.
func (d *arrowRows) list(ctx context.Context, k *indexfile.Keeper, l *arrowListing, w *arrowWanted) error {
	named := l.named
	l.named = func(name string) (int64, error) {
		l.outside = true
		return named(name)
	}
	for i, p := range d.parts {
		if err := sameClasses(d.parts[0].file.Schema, p.file.Schema); err != nil {
			return errorf("%q: %w", p.name, err)
		}
		if err := p.findImage(w); err != nil {
			l.problems.addf("%w", err)
			return l.problems.err(sprintf("%q", p.name))
		}
		l.outside = false
		list := func() (entries []byte, err error) {
			err = arrowfile.Protect(func() (err error) {
				entries, err = l.list(ctx, p, w)
				return err
			})
			return entries, err
		}
		var entries []byte
		var err error
		if w.targets != nil || w.own != nil {
			entries, err = list()
		} else {
			entries, err = k.Unit(p.name, p.stamp, list)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return errorf("%q: %w", p.name, err)
		}
		if err := l.problems.err(sprintf("%q", p.name)); err != nil {
			return err
		}
		if l.outside {
			k.Distrust(p.name)
		}
		if err := l.take(i, entries, w); err != nil {
			return errorf("%q: %w", p.name, err)
		}
		if err := p.unchanged(); err != nil {
			return errorf("%q %w: start again", p.name, err)
		}
	}
	return nil
}

// sameClasses fails where two files of a data set number their classes differently.
func sameClasses(first, other *arrowfile.Schema) error {
	if first.Metadata[schema.MetaTasks] != other.Metadata[schema.MetaTasks] || first.Metadata[schema.MetaTargets] != other.Metadata[schema.MetaTargets] {
		return errors.New("its tasks or classes aren't those of the first file: the files don't belong together")
	}
	return nil
}

// samples is an index that begins, for the columns that are wanted of the first file.
func (d *arrowRows) samples(w *arrowWanted, given map[string]ClassNames) *Samples {
	var tasks []string
	for _, t := range w.tasks {
		tasks = append(tasks, t.name)
	}
	var columns []schema.Column
	f := d.parts[0].file.Schema
	for _, m := range w.meta {
		t := &arrowfile.Type{}
		if i := f.Find(w.prefix + m.Name); i >= 0 {
			t = &f.Fields[i].Type
		}
		columns = append(columns, m.column(t))
	}
	s := NewSamples(tasks, given, 2, columns)
	s.targets = w.targets.rows()
	return s
}

// makeIndex gives the rows their keys, and orders them.
func (d *arrowRows) makeIndex(l *arrowListing, classes Classes, source, path string, warnings []string) error {
	s := l.samples
	if len(s.keys) == 0 {
		return errors.New("holds no rows")
	}
	if l.keys < len(s.keys) || !unique(s.keys) {
		for i := range s.keys {
			p := d.parts[s.numbers[0][i]]
			s.keys[i] = fmt.Sprintf("%s#%0*d", p.name, len(fmt.Sprint(p.file.Rows()-1)), s.numbers[1][i])
		}
	}
	listed, err := s.Listed(classes)
	if err != nil {
		return err
	}
	warnings = append(warnings, listed.Warnings...)
	for i, text := range warnings {
		warnings[i] = sprintf("%s: %q: %s", source, path, text)
	}
	d.opened = newOpened("sources: "+source, listed.Index, warnings)
	d.part, d.row = listed.Numbers[0], listed.Numbers[1]
	d.setTargets(listed.targets)
	return nil
}

// unique reports whether no two keys are equal.
func unique(keys []string) bool {
	sorted := slices.Clone(keys)
	slices.Sort(sorted)
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return false
		}
	}
	return true
}

// wanted decides what the columns are for, by the first file.
func (a Arrow) wanted(p *arrowPart) (w *arrowWanted, given map[string]ClassNames, warnings []string, err error) {
	s := p.file.Schema
	w = &arrowWanted{image: a.image(), key: schema.ColumnKey, weight: a.WeightColumn, meta: a.Meta}
	text, ours := s.Metadata[schema.MetaTasks]
	if !ours {
		for _, name := range a.Tasks {
			w.tasks = append(w.tasks, arrowTask{name: name, column: name})
		}
		return w, nil, nil, nil
	}
	if format, ok := s.Metadata[schema.MetaFormat]; ok && format != fmt.Sprint(schema.Format) {
		return nil, nil, nil, errorf("%s is %q, and this sluice reads format %d: read it with the version that wrote it", schema.MetaFormat, format, schema.Format)
	}
	var tasks []schema.Task
	if err := json.Unmarshal([]byte(text), &tasks); err != nil {
		return nil, nil, nil, fmt.Errorf("damaged: metadata %s: %w", schema.MetaTasks, err)
	}
	spec, err := ownSpec(s)
	if err != nil {
		return nil, nil, nil, err
	}
	if spec.Objects() || spec.HasMask() {
		w.own = spec
	}
	given = map[string]ClassNames{}
	var have []string
	for _, t := range tasks {
		var bad problems
		checkNames(t.Classes, func(i int) string { return fmt.Sprintf("class %d", i) }, &bad)
		if given[t.Name].Names != nil || t.Name == "" || len(t.Classes) > 0 && bad.count() > 0 {
			why := errors.New("it is there twice, or has no name")
			if bad.count() > 0 {
				why = bad.list[0]
			}
			return nil, nil, nil, errorf("damaged: metadata %s: task %q: %w", schema.MetaTasks, t.Name, why)
		}
		given[t.Name] = ClassNames{append([]string{}, t.Classes...), fmt.Sprintf("the metadata of %q", p.name)}
		have = append(have, t.Name)
	}
	wantedTasks := a.Tasks
	if wantedTasks == nil {
		wantedTasks = have
	}
	for _, name := range wantedTasks {
		if !slices.Contains(have, name) {
			return nil, nil, nil, errorf("tasks: there is no task %q: its tasks are %s", name, some(have))
		}
		task := arrowTask{name: name, column: schema.ColumnLabel + name, classes: given[name].Names}
		if shares := schema.SharesColumn(name).Name; !slices.Contains(have, name+schema.ColumnShares) {
			if i := s.Find(shares); i >= 0 && isShares(&s.Fields[i].Type) {
				task.shares = shares
			}
		}
		w.tasks = append(w.tasks, task)
	}
	if w.targets, err = ownLabels(s, spec, have, fmt.Sprintf("the metadata of %q", p.name)); err != nil {
		return nil, nil, nil, err
	}
	w.prefix = schema.ColumnMeta
	if a.WeightColumn == "" && s.Find(schema.ColumnWeight) >= 0 {
		w.weight = schema.ColumnWeight
	}
	if a.Meta == nil {
		w.meta, warnings = ownMeta(s)
	}
	return w, given, warnings, nil
}

// ownMeta are the columns that sluice delivered unchanged.
func ownMeta(s *arrowfile.Schema) (meta []MetaColumn, warnings []string) {
	for _, f := range s.Fields {
		name, ok := strings.CutPrefix(f.Name, schema.ColumnMeta)
		if !ok {
			continue
		}
		m := MetaColumn{Name: name}
		if why := m.fits(&f.Type); why != "" {
			warnings = append(warnings, sprintf("column %q has the type %s, and is left out", f.Name, &f.Type))
			continue
		}
		meta = append(meta, m)
	}
	return meta, warnings
}

// files finds the files, sorted by their names.
func (a Arrow) files(ctx context.Context) (names, paths []string, err error) {
	info, err := os.Stat(a.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, errors.New("there is no such file or directory")
	case err != nil:
		return nil, nil, fmt.Errorf("cannot read: %w", cause(err))
	case info.Mode().IsRegular():
		if a.Scale != 0 || a.Epoch != nil {
			return nil, nil, errors.New("is a file: scale and epoch choose among those of a directory")
		}
		return []string{filepath.Base(a.Path)}, []string{a.Path}, nil
	case !info.IsDir():
		return nil, nil, errors.New("is neither a file nor a directory")
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	for _, name := range []string{"plan.json", "manifest.json"} {
		if _, err := os.Lstat(filepath.Join(a.Path, name)); err == nil {
			return a.materialized()
		}
	}
	if a.Scale != 0 || a.Epoch != nil {
		return nil, nil, errors.New("holds no manifest.json, so that scale and epoch choose nothing: leave them out")
	}
	entries, err := os.ReadDir(a.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read: %w", cause(err))
	}
	for _, e := range entries {
		if !isDot(e.Name()) && !e.IsDir() && slices.Contains(arrowExtensions, extension(e.Name())) {
			names, paths = append(names, e.Name()), append(paths, filepath.Join(a.Path, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("holds no manifest.json, and no file ending in %s", strings.Join(arrowExtensions, " "))
	}
	return names, paths, nil
}

// manifest is what this source reads of a manifest.json.
type arrowManifest struct {
	Version  int    `json:"version"`
	Format   string `json:"format"`
	Variants []struct {
		Folder string  `json:"folder"`
		Scale  float64 `json:"scale"`
	} `json:"variants"`
	Epochs int `json:"epochs"`
	Parts  []struct {
		Name  string `json:"name"`
		Bytes int64  `json:"bytes"`
		Epoch int    `json:"epoch"`
	} `json:"parts"`
}

// materialized chooses the parts of a directory that sluice materialize wrote.
func (a Arrow) materialized() (names, paths []string, err error) {
	text, err := readWhole(filepath.Join(a.Path, "manifest.json"))
	if err != nil {
		if _, there := os.Lstat(filepath.Join(a.Path, "manifest.json")); errors.Is(there, fs.ErrNotExist) {
			return nil, nil, errors.New("holds no manifest.json: it isn't finished: run the same materialize command again (every shard of it)")
		}
		return nil, nil, fmt.Errorf("manifest.json: %w", err)
	}
	var m arrowManifest
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&m); err != nil {
		return nil, nil, fmt.Errorf("manifest.json: damaged: %w", err)
	}
	if m.Format != "arrow" {
		return nil, nil, errorf("is a data set of the format %q: the source of that name reads it", m.Format)
	}
	if m.Version > arrowLayouts {
		return nil, nil, fmt.Errorf("has layout version %d, and this sluice reads versions 1 to %d: use the version that wrote it", m.Version, arrowLayouts)
	}
	folder, err := a.scale(&m)
	if err != nil {
		return nil, nil, err
	}
	epoch := 0
	switch {
	case a.Epoch != nil && *a.Epoch >= m.Epochs:
		return nil, nil, fmt.Errorf("epoch: it holds the epochs 0 to %d", m.Epochs-1)
	case a.Epoch != nil:
		epoch = *a.Epoch
	case m.Epochs > 1:
		return nil, nil, fmt.Errorf("epoch: it holds the epochs 0 to %d: say which", m.Epochs-1)
	}
	for _, part := range m.Parts {
		if part.Epoch != epoch || path.Dir(part.Name) != folder {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(part.Name)) || !strings.HasSuffix(part.Name, ".arrow") {
			return nil, nil, errorf("manifest.json: damaged: a part has the name %q", part.Name)
		}
		file := filepath.Join(a.Path, filepath.FromSlash(part.Name))
		info, err := os.Stat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil, errorf("lacks the part %q that its manifest.json lists: run the same materialize command again", part.Name)
		case err != nil:
			return nil, nil, errorf("cannot read %q: %w", part.Name, cause(err))
		case info.Size() != part.Bytes:
			return nil, nil, errorf("%q has %d bytes, and its manifest.json says %d: it is damaged, and sluice verify tells what else is", part.Name, info.Size(), part.Bytes)
		}
		names, paths = append(names, path.Base(part.Name)), append(paths, file)
	}
	if len(names) == 0 {
		return nil, nil, errors.New("its manifest.json lists no parts: it holds no rows")
	}
	return names, paths, nil
}

// readWhole reads a file of JSON that a program wrote.
func readWhole(name string) ([]byte, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 256 << 20
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read: %w", cause(err))
	case len(text) > most:
		return nil, fmt.Errorf("damaged: has more than %d bytes", most)
	}
	return text, nil
}

// arrowLayouts is the newest version of directories that is read.
const arrowLayouts = 2

// scale is the folder of the scale that is wanted.
func (a Arrow) scale(m *arrowManifest) (folder string, err error) {
	var scales []string
	for _, v := range m.Variants {
		scales = append(scales, schema.FormatScale(v.Scale))
		if v.Scale == a.Scale || a.Scale == 0 && len(m.Variants) == 1 {
			return v.Folder, nil
		}
	}
	switch {
	case len(scales) == 0:
		return "", errors.New("manifest.json: damaged: it has no variants")
	case a.Scale == 0:
		return "", fmt.Errorf("scale: it holds the scales %s: say which", strings.Join(scales, ", "))
	}
	return "", fmt.Errorf("scale: it holds no scale %s, but %s", schema.FormatScale(a.Scale), strings.Join(scales, ", "))
}
