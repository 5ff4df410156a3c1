package schema

import (
	"context"
	"slices"

	"github.com/sluicedata/sluice/internal/fingerprint"
)

// Print is a fingerprint of bytes: their XXH3-128, 16 bytes. Its String is what xxhsum -H2
// writes.
type Print = fingerprint.Print

// SamplePrint is the fingerprint of a sample: that of its encoded bytes, unless the index says
// that it has objects or a mask. Then it is the XXH3-128 of that, of its mask's, which is of no
// bytes where there is none, and of the digest of its targets.
func SamplePrint(x Index, sample int, encoded Print, mask []byte) Print {
	if spec := TargetSpecOf(x); !spec.Objects() && !spec.HasMask() {
		return encoded
	}
	of, digest := fingerprint.Of(mask), TargetDigestOf(x, sample)
	return fingerprint.Of(slices.Concat(encoded[:], of[:], digest[:]))
}

// Read is one reading of a sample for a batch: for a row of it, or for a draw that
// failed.
type Read struct {
	Sample  int
	Print   Print // SamplePrint
	Missing bool  // it was missing when the source was listed
}

// Samples are the samples of a run's source, for a sink that keeps a record of what
// its batches were made of. See sources.Dataset. Those with masks have the method Targets of
// sources.Targeter, too.
type Samples interface {
	Index() Index
	Read(ctx context.Context, sample int, buf []byte) ([]byte, error)
}
