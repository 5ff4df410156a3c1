package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
)

// HuggingFace is a data set that Hugging Face's datasets saved with save_to_disk: a Dataset,
// or one split of a DatasetDict.
//
// The image is a column of the feature Image; columns of the feature ClassLabel are tasks,
// whose classes keep their names and numbers. Other columns become tasks, or are delivered, where they
// are named: texts, whole numbers and bools; floats are delivered only. A null or -1 is an
// unknown label. An image without bytes is the file that its path names, relative to the
// folder of the split and inside it: any other is refused, and one that isn't there is a missing
// sample.
//
// The key is the file and the row's number in it: data-00000-of-00001.arrow#0017.
type HuggingFace struct {
	Saved string `sluice:"saved,path" doc:"the folder that save_to_disk wrote"`
	// Empty stands for the only one.
	Split string `sluice:"split" doc:"which split of a DatasetDict (default: the only one)"`
	Image string `sluice:"image" doc:"the column of the images (default: the only one of the feature Image)"`
	// A nil Tasks stands for the columns of the feature ClassLabel.
	Tasks   []string     `sluice:"tasks" doc:"the label columns (default: those of the feature ClassLabel)"`
	Classes Classes      `sluice:"classes" doc:"fixes the classes and their order: a list, a file with one name per line (.json: a list), or a map from task to these"`
	Meta    Meta         `sluice:"meta" doc:"columns to be delivered unchanged, as meta.<name>: a list of names, or of {name: text | int | float}"`
	Multi   Multi        `sluice:"multi" doc:"tasks of several labels, from columns of lists: {tags: {column, classes}}, or {tags: column}"`
	Values  ValueColumns `sluice:"values" doc:"values in place of classes: a list of columns, or {name: column}"`
	Objects Objects      `sluice:"objects" doc:"the column of objects, such as objects: this, or {column, bbox, classes, keypoints, mirror}"`
}

// Name is huggingface.
func (HuggingFace) Name() string { return "huggingface" }

// Check looks at the options alone.
func (h HuggingFace) Check() error {
	var p problems
	switch {
	case h.Saved == "":
		p.addf("saved: is missing: give the folder that save_to_disk wrote")
	case options.IsURL(h.Saved):
		p.addf("saved: %q is a URL: download it first, and give the folder", h.Saved)
	}
	if h.Split != "" && (!filepath.IsLocal(h.Split) || filepath.Base(h.Split) != h.Split) {
		p.addf("split: %q is not the name of a split", h.Split)
	}
	taken := usedColumns(h.Image, "", h.Tasks)
	meta := h.Meta.check(taken)
	for _, c := range h.Meta {
		taken[c.Name] = "meta"
	}
	return errlist.Join(errors.Join(p.list...), checkTasks(h.Tasks), h.Classes.check(), meta, checkLabelNames(h.Multi, h.Values, h.Objects, h.Tasks, taken))
}

// Open lists the rows. The files stay mapped, or open, until Close.
func (h HuggingFace) Open(ctx context.Context) (_ Dataset, err error) {
	if err := h.Check(); err != nil {
		return nil, errlist.Within("sources: huggingface", err)
	}
	h.Saved = onDisk(h.Saved)
	prefix := fmt.Sprintf("sources: huggingface: %q", h.Saved)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := h.folder()
	if err != nil {
		return nil, errlist.Within(prefix, err)
	}
	w, given, names, err := h.wanted(dir)
	if err != nil {
		return nil, errlist.Within(prefix, err)
	}
	d := &arrowRows{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.root, err = os.OpenRoot(dir); err != nil {
		return nil, fmt.Errorf("%s: cannot read: %w", prefix, cause(err))
	}
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
	}
	if err := d.openArrow(ctx, names, paths, arrowfile.NewCache(cachedBuffers)); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	source := h
	if absolute, err := filepath.Abs(h.Saved); err == nil {
		source.Saved = absolute
	}
	k := arrowKeeper(ctx, "huggingface", source, w, h.Classes)
	if ok, err := d.recall(k, "huggingface", w); ok || err != nil {
		return d, errlist.Within(prefix, err)
	}
	l := &arrowListing{samples: d.samples(w, given), named: d.sizeOf}
	if err := d.list(ctx, k, l, w); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	if err := d.makeIndex(l, h.Classes, "huggingface", h.Saved, nil); err != nil {
		return nil, errlist.Within(prefix, err)
	}
	d.remember(k)
	return d, nil
}

// sizeOf is the size of a file that a row names instead of holding bytes.
func (d *arrowRows) sizeOf(name string) (int64, error) {
	file := filepath.FromSlash(name)
	if !filepath.IsLocal(file) {
		return 0, errorf("its image is the file %q, which is not in the folder of the data set: datasets puts the bytes into the rows if the file can be read when it saves", name)
	}
	info, err := d.root.Stat(file)
	switch {
	case err != nil && gone(err):
		return missing, nil
	case err != nil:
		return 0, errorf("its image is the file %q, which cannot be read: %w", name, cause(err))
	case !info.Mode().IsRegular():
		return 0, errorf("its image %q is not a regular file", name)
	}
	return info.Size(), nil
}

// folder is that of the split that is wanted.
func (h HuggingFace) folder() (string, error) {
	info, err := os.Stat(h.Saved)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("there is no such folder")
	case err != nil:
		return "", fmt.Errorf("cannot read: %w", cause(err))
	case !info.IsDir():
		return "", errors.New("is not a folder: give the one that save_to_disk wrote")
	}
	var dict struct {
		Splits []string `json:"splits"`
	}
	there, err := readJSON(filepath.Join(h.Saved, "dataset_dict.json"), &dict)
	switch {
	case err != nil:
		return "", err
	case !there && h.Split != "":
		return "", errors.New("split: it is a Dataset without splits: leave split out")
	case !there:
		return h.Saved, nil
	case len(dict.Splits) == 0:
		return "", errors.New("dataset_dict.json: it has no splits")
	case h.Split == "" && len(dict.Splits) > 1:
		return "", fmt.Errorf("split: it has the splits %s: say which", some(dict.Splits))
	}
	split := h.Split
	if split == "" {
		split = dict.Splits[0]
	}
	switch {
	case !slices.Contains(dict.Splits, split):
		return "", errorf("split: there is no split %q, only %s", split, some(dict.Splits))
	case !filepath.IsLocal(split) || filepath.Base(split) != split:
		return "", errorf("dataset_dict.json: damaged: a split has the name %q", split)
	}
	return filepath.Join(h.Saved, split), nil
}

// readJSON reads a file of a data set; there is false if there is none.
func readJSON(name string, v any) (there bool, err error) {
	if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	text, err := readWhole(name)
	if err == nil {
		if err = json.NewDecoder(bytes.NewReader(text)).Decode(v); err != nil {
			err = fmt.Errorf("damaged: %w", err)
		}
	}
	if err != nil {
		return true, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return true, nil
}

// hfFeature is what a data set says of a column.
type hfFeature struct {
	Type  string   `json:"_type"`
	DType string   `json:"dtype"`
	Names []string `json:"names"` // of a ClassLabel
}

// wanted decides what the columns are for, and finds the files.
func (h HuggingFace) wanted(dir string) (w *arrowWanted, given map[string]ClassNames, names []string, err error) {
	var info struct {
		Features map[string]json.RawMessage `json:"features"`
	}
	var state struct {
		Files []struct {
			Name string `json:"filename"`
		} `json:"_data_files"`
		Indices []any `json:"_indices_data_files"`
	}
	for _, file := range []struct {
		name string
		to   any
	}{{"dataset_info.json", &info}, {"state.json", &state}} {
		there, err := readJSON(filepath.Join(dir, file.name), file.to)
		if err == nil && !there {
			err = fmt.Errorf("holds no %s: it isn't what save_to_disk wrote, or wasn't written to its end", file.name)
		}
		if err != nil {
			return nil, nil, nil, err
		}
	}
	features := map[string]hfFeature{}
	for name, text := range info.Features {
		var f hfFeature
		_ = json.Unmarshal(text, &f) // lists and maps of features have no type of their own
		features[name] = f
	}
	if len(state.Indices) > 0 {
		return nil, nil, nil, errors.New("state.json: it refers to rows by a file of indices, which is not read: save it again with flatten_indices")
	}
	if len(state.Files) == 0 {
		return nil, nil, nil, errors.New("state.json: it lists no files: it holds no rows")
	}
	for _, f := range state.Files {
		if !filepath.IsLocal(f.Name) || filepath.Base(f.Name) != f.Name {
			return nil, nil, nil, errorf("state.json: damaged: a file has the name %q", f.Name)
		}
		names = append(names, f.Name)
	}
	w = &arrowWanted{image: h.Image, meta: h.Meta}
	if w.targets, err = newTargetColumns(h.Multi, h.Values, h.Objects); err != nil {
		return nil, nil, nil, err
	}
	if w.targets != nil {
		if err := w.targets.name(info.Features, "dataset_info.json"); err != nil {
			return nil, nil, nil, fmt.Errorf("dataset_info.json: %w", err)
		}
	}
	if w.image == "" {
		if w.image, err = onlyImage(features); err != nil {
			return nil, nil, nil, err
		}
	}
	tasks := h.Tasks
	if tasks == nil {
		for name, f := range features {
			if f.Type == "ClassLabel" && h.Meta.number(name) < 0 && !w.targets.uses(name) {
				tasks = append(tasks, name)
			}
		}
		slices.Sort(tasks)
	}
	given = map[string]ClassNames{}
	for _, name := range tasks {
		t := arrowTask{name: name, column: name}
		if f := features[name]; f.Type == "ClassLabel" && f.Names != nil {
			var bad problems
			checkNames(f.Names, func(i int) string { return fmt.Sprintf("class %d", i) }, &bad)
			if err := bad.err(sprintf("dataset_info.json: %q", name)); err != nil {
				return nil, nil, nil, err
			}
			t.classes, t.unknown = f.Names, true
			given[name] = ClassNames{f.Names, "dataset_info.json"}
		}
		w.tasks = append(w.tasks, t)
	}
	return w, given, names, nil
}

// onlyImage is the only column of the feature Image.
func onlyImage(features map[string]hfFeature) (string, error) {
	var images, all []string
	for name, f := range features {
		if all = append(all, name); f.Type == "Image" {
			images = append(images, name)
		}
	}
	slices.Sort(images)
	slices.Sort(all)
	switch len(images) {
	case 0:
		return "", fmt.Errorf("image: no column is of the feature Image: its columns are %s", some(all))
	case 1:
		return images[0], nil
	}
	return "", fmt.Errorf("image: the columns %s are of the feature Image: say which", some(images))
}
