package sources

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// This file reads labels from metadata.csv and metadata.jsonl in a folder of images, as
// Hugging Face's imagefolder has them: lists whose column file_name is relative to the list.

// Metadata says whether metadata files give the labels of a folder.
type Metadata string

// The choices.
const (
	AutoMetadata Metadata = "auto" // where there are any
	NoMetadata   Metadata = "none"
)

// Values lists the choices.
func (Metadata) Values() []string { return []string{string(AutoMetadata), string(NoMetadata)} }

const (
	metadataCSV     = "metadata.csv"
	metadataJSONL   = "metadata.jsonl"
	metadataParquet = "metadata.parquet" // which is not read
	fileName        = "file_name"        // the column
)

// place is where a metadata file is in an archive.
type place struct{ at, size int64 }

// isMetadata reports the name of a metadata file that is to be read.
func (l *listing) isMetadata(name string) bool {
	name = path.Base(name)
	return l.metadata != nil && (name == metadataCSV || name == metadataJSONL)
}

// labelled is what the metadata files say, in the order of their names.
type labelled struct {
	*listing
	f     Folder
	forms map[string]string // by composed form: keys beyond ASCII
	lists []*list
	named map[string]string // by key: the file that has a row for it
	of    *targetColumns
}

// labelByMetadata reads the labels of the sorted rows from the metadata files. Problems are
// left in l.problems.
func (l *listing) labelByMetadata(ctx context.Context, f Folder, open func(key string) (io.ReadCloser, error)) error {
	names := slices.Sorted(maps.Keys(l.metadata))
	if f.Label != "" {
		l.problems.addf("label says that folders are the labels, and %s gives them, too: leave label out, or set metadata: none", quotedList(names))
		return nil
	}
	if slices.Contains(f.Tasks, fileName) {
		l.problems.addf("tasks: %q is the column of the images' names, and cannot be a label column", fileName)
		return nil
	}
	of, err := newTargetColumns(f.Multi, f.Values, f.Objects)
	if err != nil {
		l.problems.addf("%w", err)
		return nil
	}
	m := labelled{listing: l, f: f, forms: map[string]string{}, named: map[string]string{}, of: of}
	for _, key := range l.keys {
		if !isASCII(key) {
			m.forms[norm.NFC.String(key)] = key
		}
	}
	for _, name := range names {
		if dir := path.Dir(name); path.Base(name) == metadataJSONL && slices.Contains(names, path.Join(dir, metadataCSV)) {
			l.problems.addf("there are both %q and %q: keep one of them", path.Join(dir, metadataCSV), name)
			return nil
		}
		if err := m.read(ctx, name, open); err != nil {
			return err
		}
	}
	if l.problems.count() == 0 {
		m.merge()
	}
	return nil
}

// quotedList is some names, each in quotes.
func quotedList(names []string) string {
	if len(names) == 1 {
		return fmt.Sprintf("%q", names[0])
	}
	return fmt.Sprintf("%q, with %d others,", names[0], len(names)-1)
}

// read reads one file.
func (m *labelled) read(ctx context.Context, name string, open func(key string) (io.ReadCloser, error)) error {
	dir := path.Dir(name)
	one := newList(Manifest{Path: filepath.FromSlash(name), PathColumn: fileName, Tasks: m.f.Tasks, Meta: m.f.Meta})
	one.targets = m.of.rows()
	one.find.folder, one.inFolder, one.noTasks = "", true, m.f.Tasks != nil && len(m.f.Tasks) == 0
	one.look = func(text string) (string, int64, error) { return m.look(dir, text) }
	in, err := open(name)
	if err != nil {
		m.problems.addf("cannot read %q: %w", name, cause(err))
		return nil
	}
	defer in.Close()
	most := one.m.limits()
	most.fixed = true
	if path.Base(name) == metadataCSV {
		err = readCSV(ctx, in, ',', most, one, &one.problems)
	} else {
		err = readJSONL(ctx, in, most, one, &one.problems)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		one.problems.list = append(one.problems.list, err)
	}
	one.finish()
	for _, key := range one.keys {
		if other, again := m.named[key]; again {
			one.problems.addf("line %d: column %q: %q is already in %q: list an image once", one.lines[key], fileName, key, other)
		}
		m.named[key] = name
	}
	for _, err := range one.problems.list {
		m.problems.addf("%q: %w", name, err)
	}
	m.problems.more += one.problems.more
	for _, text := range one.warnings {
		m.warnf("%s: %s", name, text)
	}
	m.lists = append(m.lists, one)
	return nil
}

// look finds the image that a row in a folder names.
func (m *labelled) look(dir, text string) (key string, size int64, err error) {
	text = strings.TrimSpace(text)
	key = path.Join(dir, text)
	if path.IsAbs(text) || !filepath.IsLocal(filepath.FromSlash(path.Clean(text))) {
		return key, missing, errorf("leads out of the folder of the list: write names relative to it, without ..")
	}
	if !m.isImage(key) {
		return key, missing, errorf("does not end as images do: remove the row, or rename the file")
	}
	at, ok := slices.BinarySearch(m.keys, key)
	if other, found := m.forms[norm.NFC.String(key)]; !ok && found {
		key = other
		at, ok = slices.BinarySearch(m.keys, key)
	}
	if !ok {
		return key, missing, nil
	}
	return m.keys[at], m.sizes[at], nil
}

// merge gives each image what its row says, and adds rows without an image as missing samples.
func (m *labelled) merge() {
	l := m.listing
	unnamed, broken := []string{}, []string{}
	for i, key := range l.keys {
		switch {
		case m.named[key] != "":
		case l.sizes[i] == missing:
			broken = append(broken, key)
			fallthrough
		default:
			unnamed = append(unnamed, key)
		}
	}
	if n := len(unnamed); n > 0 {
		l.warnf("%s of %d %s no row in the metadata, such as %q, and so unknown labels: add rows, or set metadata: none for the labels of folders",
			phrase.Count(n, "image"), len(l.keys), has(n), unnamed[0])
	}
	if n := len(broken); n > 0 {
		l.warnf("%s %s, such as %q: %s", phrase.Count(n, "image"), areLinks(n), broken[0], missingMeans)
	}
	have := len(l.keys)
	for _, one := range m.lists {
		for i, key := range one.keys {
			if _, ok := slices.BinarySearch(l.keys[:have], key); ok {
				continue
			}
			l.add(key, one.sizes[i])
			if l.times != nil {
				l.times = append(l.times, blob.Times{})
			}
			if l.offsets != nil {
				l.offsets = append(l.offsets, 0)
			}
		}
	}
	l.sort()
	for _, c := range m.f.Meta {
		l.meta = append(l.meta, metaCells{MetaColumn: c, texts: make([]string, len(l.keys))})
	}
	if l.targets = m.of.rows(); l.targets != nil {
		l.targets.spread(len(l.keys))
	}
	for _, one := range m.lists {
		rows := make([]int, len(one.keys))
		for i, key := range one.keys {
			rows[i], _ = slices.BinarySearch(l.keys, key)
		}
		if one.weights != nil && l.weights == nil {
			l.weights = slices.Repeat([]float32{1}, len(l.keys))
		}
		for i, weight := range one.weights {
			l.weights[rows[i]] = weight
		}
		for _, task := range one.tasks {
			l.fill(task, rows)
		}
		if l.targets != nil {
			l.targets.place(one.targets, rows)
		}
		for c := range one.meta {
			from, to := &one.meta[c], &l.meta[c]
			for i, text := range from.texts {
				to.texts[rows[i]] = text
			}
			for kind, line := range from.first {
				if to.first[kind] == 0 {
					to.first[kind], to.example[kind] = line, from.example[kind]
				}
			}
		}
	}
}

func has(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

// fill takes the labels of some rows.
func (l *listing) fill(from labels, rows []int) {
	t := slices.IndexFunc(l.tasks, func(c labels) bool { return c.task == from.task })
	if t < 0 {
		t = len(l.tasks)
		l.tasks = append(l.tasks, labels{task: from.task, cells: slices.Repeat([]int32{schema.Unknown}, len(l.keys))})
	}
	for i, cell := range from.cells {
		if cell != schema.Unknown {
			l.tasks[t].cells[rows[i]] = l.tasks[t].number(from.names[cell])
		}
	}
}
