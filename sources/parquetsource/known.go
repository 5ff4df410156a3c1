package parquetsource

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/sources"
)

// This file is about the index that is kept from one start to the next (internal/indexfile).
// A unit is a file; its entries are its rows.

// fewRows are listed as fast as an index is opened.
const fewRows = 1000

// placesKept is the key of what the index has beside samples: the files, and their pages.
const placesKept = "places"

type kept struct {
	Names, Headers []string
	Pages          []place
}

// keeper is that of these files, by absolute paths.
func (p Parquet) keeper(ctx context.Context) *indexfile.Keeper {
	p.Files = absolute(p.Files)
	return sources.KeeperOf(ctx, "parquet", p, p.Classes)
}

func absolute(names []string) []string {
	out := slices.Clone(names)
	for i, name := range out {
		if full, err := filepath.Abs(name); err == nil {
			out[i] = full
		}
	}
	return out
}

// known takes the index that was kept, if the files are the same and none has changed.
func (d *dataset) known(ctx context.Context, k *indexfile.Keeper, names []string) (ok bool, err error) {
	d.keeper = k
	stamps := map[string]string{}
	full := absolute(names)
	for i, name := range full {
		stamps[name] = indexfile.StampOf(names[i])
	}
	known := k.Unchanged(func(unit string) string { return stamps[unit] })
	if known == nil {
		return false, ctx.Err()
	}
	var had kept
	text, err := base64.StdEncoding.DecodeString(known.Extra()[placesKept])
	if err != nil || gob.NewDecoder(bytes.NewReader(text)).Decode(&had) != nil || !slices.Equal(had.Names, full) || len(had.Headers) != len(full) {
		return false, ctx.Err()
	}
	for i, name := range names {
		object, err := d.open(ctx, name)
		if err != nil {
			return false, fmt.Errorf("%s: %q: %w", prefix, name, err)
		}
		if blob.Settled(object) != stamps[full[i]] { // it changed a moment ago
			return false, d.closeAll(ctx)
		}
	}
	d.index, d.places, d.headers, d.pages, d.said = known, known.Numbers()[0], had.Headers, had.Pages, known.Warnings()
	return true, ctx.Err()
}

// closeAll begins again.
func (d *dataset) closeAll(ctx context.Context) error {
	err := d.Close()
	d.objects = nil
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// keep keeps the index for the next start.
func (d *dataset) keep(k *indexfile.Keeper, files []*file) {
	if !k.Wants(d.index.Len(), fewRows) {
		return
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.name
	}
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(kept{absolute(names), d.headers, d.pages}); err != nil {
		return // never: it is numbers and text
	}
	warning := k.Save(&indexfile.Contents{
		Index: d.index, Numbers: [][]int64{d.places}, Warnings: d.said, Identity: sources.Identity(d.index),
		Extra: map[string]string{placesKept: base64.StdEncoding.EncodeToString(text.Bytes())},
	}, fewRows)
	if warning != "" {
		d.said = append(d.said, "parquet: "+warning)
	}
}

// unit is a file's name in the index, and its stamp.
func (f *file) unit() (name, stamp string) {
	return absolute([]string{f.name})[0], blob.Settled(f.object)
}

// recall takes the rows that the index has of a file which hasn't changed.
func (f *file) recall(k *indexfile.Keeper) bool {
	entries, ok := k.Known(f.unit())
	if !ok || gob.NewDecoder(bytes.NewReader(entries)).Decode(&f.groups) != nil || len(f.groups) != len(f.Groups) {
		f.groups = nil
		return false
	}
	return true
}

// remember hands a file's rows to the index.
func (f *file) remember(k *indexfile.Keeper) {
	var entries bytes.Buffer
	if err := gob.NewEncoder(&entries).Encode(f.groups); err != nil {
		return // never; it would be listed each time
	}
	name, stamp := f.unit()
	k.Listed(name, stamp, entries.Bytes())
}
