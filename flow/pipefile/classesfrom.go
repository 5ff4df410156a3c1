package pipefile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
)

// classesFrom wraps the source so that its classes have the same numbers as in another
// file.
func (r *reader) classesFrom(e entry, file string, source sources.Source) sources.Source {
	if source == nil {
		return nil // it has an error of its own
	}
	c := sources.ClassesFrom{Source: checked{source}, From: unread{}, File: file}
	if r.edges {
		from, err := r.other(file)
		if err != nil {
			for _, err := range errlist.Split(err) {
				r.add(e.value.place, "classes_from: %v", err)
			}
			return source
		}
		c.From = from
	}
	c.Source = source
	if err := c.Check(); err != nil {
		r.add(e.value.place, "classes_from: %v", errlist.Split(err)[0])
	}
	return c
}

// mostBytes is the largest size of a pipeline file.
const mostBytes = 16 << 20

// other reads the source of another pipeline file.
func (r *reader) other(file string) (sources.Source, error) {
	if options.IsURL(file) {
		return nil, urlError(file)
	}
	users := append(slices.Clone(r.users), identity(r.file))
	if at := slices.Index(users, identity(file)); at >= 0 {
		names := []string{}
		for _, name := range append(users[at:], identity(file)) {
			names = append(names, filepath.Base(name))
		}
		return nil, fmt.Errorf("files take their classes from each other in a circle (%s): name a file with classes of its own", strings.Join(names, " -> "))
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, fmt.Errorf("cannot read %q: %w", file, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is not a file", file)
	case info.Size() > mostBytes:
		return nil, fmt.Errorf("%q has %d bytes, too many for a pipeline file", file, info.Size())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the pipeline: %w", err)
	}
	f, err := parseFrom(users, file, data, filepath.Dir(file), r.catalogs)
	if err != nil {
		return nil, err
	}
	return f.Pipeline.Source, nil
}

// identity is a path that is the same for every name of a file.
func identity(file string) string {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	if abs, err := filepath.Abs(file); err == nil {
		return abs
	}
	return file
}

// unnumbered takes a source and what its class numbers are taken from apart;
// from is nil where that is nothing.
func unnumbered(s sources.Source) (inner sources.Source, from *sources.ClassesFrom) {
	switch s := s.(type) {
	case sources.ClassesFrom:
		return s.Source, &s
	case *sources.ClassesFrom:
		return s.Source, s
	}
	return s, nil
}

// unread stands for the source of a file that wasn't read, because a pipeline is only
// being written.
type unread struct{}

func (unread) Name() string { return "unread" }
func (unread) Check() error { return nil }
func (unread) Open(context.Context) (sources.Dataset, error) {
	return nil, errors.New("pipefile: the file with the classes wasn't read")
}
