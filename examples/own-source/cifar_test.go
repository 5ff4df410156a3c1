package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// TestCIFAR checks the whole contract of a source.
func TestCIFAR(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, 12); err != nil {
		t.Fatal(err)
	}
	sourcetest.Run(t, func() sources.Source { return CIFAR{Path: dir} })
}

// TestPixels: planes become pixels, in their order.
func TestPixels(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, 2); err != nil {
		t.Fatal(err)
	}
	d, err := sources.Open(t.Context(), CIFAR{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	file, err := d.Read(t.Context(), 3, nil) // number 1 of the second file
	if err != nil {
		t.Fatal(err)
	}
	pixels := []byte(strings.TrimPrefix(string(file), header))
	for p := range side * side {
		for c := range 3 {
			if have, want := pixels[3*p+c], byte((c*side*side+p)*2+1+1); have != want {
				t.Fatalf("pixel %d, channel %d: %d, want %d", p, c, have, want)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"no names":  {func(dir string) error { return os.Remove(filepath.Join(dir, "batches.meta.txt")) }, "batches.meta.txt"},
		"truncated": {func(dir string) error { return os.Truncate(filepath.Join(dir, "data_batch_2.bin"), 5000) }, "5000 bytes are not records"},
		"no such class": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "batches.meta.txt"), []byte("airplane"), 0o644)
		}, "has 1 classes"},
		"no file": {func(dir string) error {
			return os.Remove(filepath.Join(dir, "data_batch_1.bin"))
		}, ""},
	} {
		dir := t.TempDir()
		if err := write(dir, 2); err != nil {
			t.Fatal(err)
		}
		if err := c.change(dir); err != nil {
			t.Fatal(err)
		}
		d, err := sources.Open(t.Context(), CIFAR{Path: dir})
		if err == nil {
			d.Close()
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestProgram: the training side of 2 x 60 images is four fifths of each class.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, 60); err != nil {
		t.Fatal(err)
	}
	if images, err := run(t.Context(), dir); err != nil || images != 96 {
		t.Errorf("%d images, error %v; want 96", images, err)
	}
}
