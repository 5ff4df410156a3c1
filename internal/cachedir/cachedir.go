// Package cachedir says where sluice keeps what it can make again: indexes of sources, and
// archives that it unpacked.
package cachedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Cache is a directory, and how large what is unpacked into it may become.
type Cache struct {
	Dir string // "": sluice in the user's cache directory (os.UserCacheDir); "none": there is none
	Max int64  // bytes; 0: DefaultMax
	// Always makes indexes of small sources, too, whose listing takes no longer than opening one.
	Always bool
	// Told, unless nil, is called for each source that has an index or gets one.
	Told func(Listing)
}

// Listing is how a source was listed.
type Listing struct {
	Source  string // what was listed
	Samples int
	Units   int    // directories, shards and lists that it consists of
	Read    int    // of them, those that were read: the others were as the index knew them
	Bytes   int64  // of the index
	File    string // the index
}

// DefaultMax is the most bytes of unpacked archives.
const DefaultMax = 50 << 30

type key struct{}

// With gives a context's sources another cache than the default.
func With(ctx context.Context, c Cache) context.Context { return context.WithValue(ctx, key{}, c) }

// Of is a context's cache.
func Of(ctx context.Context) Cache {
	c, _ := ctx.Value(key{}).(Cache)
	if c.Max == 0 {
		c.Max = DefaultMax
	}
	return c
}

// ErrNone says that there is to be no cache.
var ErrNone = errors.New("there is no cache directory: give one (--cache DIR)")

// Folder makes a folder of the cache, and returns its path.
func (c Cache) Folder(name string) (string, error) {
	dir := c.Dir
	switch dir {
	case "none":
		return "", ErrNone
	case "":
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrNone, err)
		}
		dir = filepath.Join(user, "sluice")
	}
	dir = filepath.Join(dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make the cache directory %s: %w: make it writable, or choose another (--cache DIR)", dir, err)
	}
	return dir, nil
}
