package sources

import (
	"context"

	"github.com/sluicedata/sluice/internal/cachedir"
)

// Cache says where indexes of sources and unpacked archives are kept.
type Cache = cachedir.Cache

// Listing is how a source with an index was listed.
type Listing = cachedir.Listing

// WithCache gives the sources that are opened with a context another cache than the default,
// which is the folder sluice in the user's cache directory.
func WithCache(ctx context.Context, c Cache) context.Context { return cachedir.With(ctx, c) }
