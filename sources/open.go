package sources

import (
	"context"
	"errors"
	"fmt"
)

// Open opens a source and checks its index (schema.Index.Check), once: whoever
// uses the dataset afterwards can believe it.
func Open(ctx context.Context, source Source) (Dataset, error) {
	d, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, fmt.Errorf("sources: %s: Open returned neither a dataset nor an error", source.Name())
	}
	if err := d.Index().Check(); err != nil {
		return nil, errors.Join(within("sources: "+source.Name()+": the index", err), d.Close())
	}
	return d, nil
}
