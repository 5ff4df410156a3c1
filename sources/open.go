package sources

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/schema"
)

// Open opens a source and checks its index (schema.Check), so that users of the
// dataset can rely on it. A panic of the source becomes an error.
func Open(ctx context.Context, source Source) (d Dataset, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			d, err = nil, fmt.Errorf("sources: %s: panic: %v\n%s", source.Name(), panicked, debug.Stack())
		}
	}()
	d, err = source.Open(ctx)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, fmt.Errorf("sources: %s: Open returned neither a dataset nor an error", source.Name())
	}
	if _, known := d.Index().(*indexfile.File); known {
		return d, nil // it was checked before it was kept
	}
	if err := schema.Check(d.Index()); err != nil {
		return nil, errors.Join(errlist.Within("sources: "+source.Name()+": the index", err), d.Close())
	}
	return d, nil
}
