package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
)

// outsideSource refuses to write into a folder that the source reads: its next listing would
// find the data set among the samples. The folder itself is left to the sink, which refuses
// directories that hold other files.
func outsideSource(out string, source sources.Source) error {
	to := realPath(out)
	for _, folder := range foldersOf(source) {
		from := realPath(folder)
		rel, err := filepath.Rel(from, to)
		if err != nil || !filepath.IsLocal(rel) || rel == "." {
			continue
		}
		return pipefile.Error{File: "--out " + out, Msg: fmt.Sprintf("it lies in the source's own folder, %s, whose next listing would take what is written there for samples: name a directory outside it", folder)}
	}
	return nil
}

// foldersOf are the folders among a source's paths, those of wrapped and joined sources included.
func foldersOf(source sources.Source) (list []string) {
	if w, ok := source.(sources.Wrapper); ok {
		return foldersOf(w.Unwrap())
	}
	if c, ok := source.(sources.Composite); ok {
		for _, part := range c.Parts() {
			list = append(list, foldersOf(part)...)
		}
		return list
	}
	v := reflect.ValueOf(source)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil // no options
	}
	for _, f := range options.Fields(source) {
		path := reflect.ValueOf(f.Value)
		if !f.Path || path.Kind() != reflect.String || path.Len() == 0 {
			continue
		}
		if info, err := os.Stat(path.String()); err == nil && info.IsDir() {
			list = append(list, path.String())
		}
	}
	return list
}

// realPath is an absolute path without symlinks; what doesn't exist yet is kept as it is.
func realPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	rest := ""
	for {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			return filepath.Join(real, rest)
		}
		parent := filepath.Dir(path)
		if parent == path || !errors.Is(err, fs.ErrNotExist) {
			return filepath.Join(path, rest)
		}
		path, rest = parent, filepath.Join(filepath.Base(path), rest)
	}
}
