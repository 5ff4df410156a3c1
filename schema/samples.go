package schema

import (
	"context"

	"github.com/sluicedata/sluice/internal/fingerprint"
)

// Read is one reading of a sample for a batch: for one of its rows, or for a draw
// that failed with it.
type Read struct {
	Sample  int
	Print   fingerprint.Print // of the encoded bytes
	Missing bool              // there was nothing to read, from the start
}

// Samples are those of a run's source, for a sink that remembers what it was
// made of. See sources.Dataset.
type Samples interface {
	Index() Index
	Read(ctx context.Context, sample int, buf []byte) ([]byte, error)
}
