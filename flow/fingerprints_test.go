package flow_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// flat is a PNG file of one value, whose size doesn't depend on it.
func flat(t *testing.T, value uint8) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 8, 6))
	for i := range img.Pix {
		img.Pix[i] = value
	}
	img.SetGray(0, 0, color.Gray{})
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A mask or an annotation that is edited in place, with the same size, is a change of the sample.
func TestTargetsEditedInPlace(t *testing.T) {
	put := func(t *testing.T, name string, data []byte, written time.Time) {
		t.Helper()
		err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, data, 0o600), os.Chtimes(name, written, written))
		if err != nil {
			t.Fatal(err)
		}
	}
	members := func(t *testing.T, value uint8) (names []string, data [][]byte) {
		t.Helper()
		for i := range uint8(3) {
			mask := uint8(7)
			if i == 1 {
				mask = value
			}
			names = append(names, fmt.Sprintf("c/%d.png", i), fmt.Sprintf("c/%d.seg.png", i))
			data = append(data, flat(t, 100+i), flat(t, mask))
		}
		return names, data
	}
	files := func(t *testing.T, dir string, value uint8, written time.Time) {
		names, data := members(t, value)
		for i, name := range names {
			at := time.Unix(1e9, 0)
			if name == "c/1.seg.png" {
				at = written
			}
			put(t, filepath.Join(dir, name), data[i], at)
		}
	}
	masks := sources.Masks{Path: "{dir}/{stem}.seg.png"}
	for _, c := range []struct {
		name   string
		write  func(t *testing.T, dir string, value uint8, written time.Time)
		source func(dir string) sources.Source
	}{
		{"folder", files, func(dir string) sources.Source { return sources.Folder{Path: dir, Masks: masks} }},
		{"list", func(t *testing.T, dir string, value uint8, written time.Time) {
			files(t, dir, value, written)
			put(t, filepath.Join(dir, "list.csv"), []byte("path\nc/0.png\nc/1.png\nc/2.png\n"), time.Unix(1e9, 0))
		}, func(dir string) sources.Source {
			return sources.Manifest{Path: filepath.Join(dir, "list.csv"), Masks: masks}
		}},
		{"zip", func(t *testing.T, dir string, value uint8, written time.Time) {
			var out bytes.Buffer
			w := zip.NewWriter(&out)
			names, data := members(t, value)
			for i, name := range names {
				m, err := w.Create(name)
				if err == nil {
					_, err = m.Write(data[i])
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, "a.zip"), out.Bytes(), written)
		}, func(dir string) sources.Source {
			return sources.Folder{Path: filepath.Join(dir, "a.zip"), Masks: masks}
		}},
		{"webdataset", func(t *testing.T, dir string, value uint8, written time.Time) {
			var out bytes.Buffer
			w := tar.NewWriter(&out)
			names, data := members(t, value)
			for i, name := range names {
				err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data[i])), Mode: 0o600})
				if err == nil {
					_, err = w.Write(data[i])
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, "a.tar"), out.Bytes(), written)
		}, func(dir string) sources.Source {
			return sources.WebDataset{Shards: sources.Shards{filepath.Join(dir, "a.tar")}, Image: []string{"png"}, Masks: sources.ShardMasks{Member: "seg.png"}}
		}},
		{"arrow", func(t *testing.T, dir string, value uint8, written time.Time) {
			from, own := t.TempDir(), filepath.Join(dir, "own")
			files(t, from, value, written)
			pipe := flow.New(sources.Folder{Path: from, Masks: masks}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 2})
			if err := os.RemoveAll(own); err != nil {
				t.Fatal(err)
			}
			if _, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, To: sinks.Destination{Dir: own}}); err != nil {
				t.Fatal(err)
			}
			parts, err := filepath.Glob(filepath.Join(own, "part-*"))
			if err != nil || len(parts) != 1 {
				t.Fatal(parts, err)
			}
			if err := os.Chtimes(parts[0], written, written); err != nil {
				t.Fatal(err)
			}
		}, func(dir string) sources.Source { return sources.Arrow{Path: filepath.Join(dir, "own")} }},
		{"coco", func(t *testing.T, dir string, value uint8, written time.Time) {
			for i := range uint8(3) {
				put(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), flat(t, 100+i), time.Unix(1e9, 0))
			}
			text := fmt.Sprintf(`{"images": [{"id": 1, "file_name": "0.png", "height": 6, "width": 8}, {"id": 2, "file_name": "1.png", "height": 6, "width": 8}],
				"categories": [{"id": 1, "name": "a"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]},
				{"id": 2, "image_id": 2, "category_id": 1, "bbox": [1, 1, 2, %d]}]}`, 2+value%2)
			put(t, filepath.Join(dir, "a.json"), []byte(text), written)
		}, func(dir string) sources.Source { return sources.Coco{File: filepath.Join(dir, "a.json")} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
			source := c.source(dir)
			run := func(out string, update bool) error {
				pipe := flow.New(source, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 1})
				_, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, To: sinks.Destination{Dir: out, Update: update}})
				return err
			}
			changes := func() (list []string) {
				d, err := source.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				report, err := sinks.VerifySource(context.Background(), out, d)
				if err = errors.Join(err, d.Close()); err != nil {
					t.Fatal(err)
				}
				for _, p := range report.Problems {
					list = append(list, p.Name)
				}
				return list
			}
			c.write(t, dir, 1, time.Unix(1e9, 0))
			if err := run(out, false); err != nil {
				t.Fatal(err)
			}
			if err := run(out, false); err != nil {
				t.Fatalf("nothing has changed: %v", err)
			}
			if list := changes(); len(list) > 0 {
				t.Fatalf("nothing has changed: %q", list)
			}
			c.write(t, dir, 2, time.Unix(1e9+5, 0))
			if list := changes(); len(list) != 1 || !strings.HasSuffix(list[0], "1.png") {
				t.Errorf("changed: %q, want %q", list, "1.png")
			}
			err := run(out, false)
			if err == nil || !strings.Contains(err.Error(), "1 sample has changed since") || !strings.Contains(err.Error(), "1.png") {
				t.Errorf("going on: %v", err)
			}
			if err := run(out, true); err != nil {
				t.Fatal(err)
			}
			if list := changes(); len(list) > 0 {
				t.Errorf("updated: %q", list)
			}
			fresh := filepath.Join(t.TempDir(), "fresh")
			if err := run(fresh, false); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(partsOf(t, out), partsOf(t, fresh)) {
				t.Errorf("the updated parts are not those of a fresh run")
			}
		})
	}
}

// partsOf are the bytes of the parts in a directory.
func partsOf(t *testing.T, dir string) (list []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(data))
	}
	return list
}
