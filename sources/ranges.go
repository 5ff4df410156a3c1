package sources

import (
	"context"
	"errors"
	"slices"

	"github.com/sluicedata/sluice/internal/blob"
)

// ranges is an opened source whose samples are ranges of archives, such as members of tars.
// They are read in any order, concurrently.
type ranges struct {
	opened
	kind     string // of the archives, for messages: tar
	archives []blob.Object
	archive  []int64 // number of each sample's archive; nil: all are of the first
	offsets  []int64 // of each sample's bytes
}

// of is a sample's archive.
func (r *ranges) of(sample int) blob.Object {
	if r.archive == nil {
		return r.archives[0]
	}
	return r.archives[r.archive[sample]]
}

func (r *ranges) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.index.Size(sample) == missing {
		return nil, r.absent(sample)
	}
	size := int(r.index.Size(sample))
	buf = slices.Grow(buf[:0], size)[:size]
	o := r.of(sample)
	err := o.ReadRange(ctx, buf, r.offsets[sample])
	if err == nil {
		err = r.sameBytes(sample, buf)
	}
	switch {
	case err == nil:
		return buf, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, blob.ErrChanged):
		r.forget()
		return nil, r.errorf(sample, "%q %w: start again", o.Name(), err)
	}
	return nil, r.errorf(sample, "cannot read the %s %q at byte %d: %w%s", r.kind, o.Name(), r.offsets[sample], cause(err), advice(err))
}

// Stamp is of the sample's whole archive.
func (r *ranges) Stamp(sample int) string { return r.of(sample).Stamp() }

// Close closes the archives.
func (r *ranges) Close() error {
	var errs []error
	for _, o := range r.archives {
		errs = append(errs, o.Close())
	}
	return errors.Join(errs...)
}
