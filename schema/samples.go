package schema

import (
	"context"

	"github.com/sluicedata/sluice/internal/fingerprint"
)

// Print is the fingerprint of a sample's encoded bytes: their XXH3-128, 16 bytes. Its
// String is what xxhsum -H2 writes.
type Print = fingerprint.Print

// Read is one reading of a sample for a batch: for a row of it, or for a draw that
// failed.
type Read struct {
	Sample  int
	Print   Print // of the encoded bytes
	Missing bool  // it was missing when the source was listed
}

// Samples are the samples of a run's source, for a sink that keeps a record of what
// its batches were made of. See sources.Dataset.
type Samples interface {
	Index() Index
	Read(ctx context.Context, sample int, buf []byte) ([]byte, error)
}
