package main

import (
	"archive/zip"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// TestZip checks the whole contract of a format, with runs of every form.
func TestZip(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format { return &Zip{} }, func(run *schema.Run) bool {
		return run.Form != schema.FormEncoded && run.Variants[0].Tensor.DType == schema.Uint8
	})
}

// TestProgram: the archive that the file asks for holds the very pixels of the batches.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	archive, err := run(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()

	file, err := pipefile.ParseFile("pipeline.yaml", []byte(pipelineFile), dir,
		pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: catalog})
	if err != nil {
		t.Fatal(err)
	}
	n, classes := 0, map[string]int{}
	for batch, err := range file.Pipeline.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for row := range batch.Rows() {
			f, err := r.File[n].Open()
			if err != nil {
				t.Fatal(err)
			}
			img, err := png.Decode(f)
			if err != nil {
				t.Fatal(err)
			}
			var pixels []uint8
			for y := range img.Bounds().Dy() {
				for x := range img.Bounds().Dx() {
					r, g, b, _ := img.At(x, y).RGBA()
					pixels = append(pixels, uint8(r>>8), uint8(g>>8), uint8(b>>8))
				}
			}
			if !slices.Equal(pixels, batch.Picture(row).U8) {
				t.Errorf("%s has other pixels", r.File[n].Name)
			}
			class, _, _ := strings.Cut(r.File[n].Name, "/")
			classes[class]++
			n++
		}
	}
	if n != len(r.File) || classes["fine"] != 20 || classes["coarse"] != 20 {
		t.Errorf("%d rows, %d files, classes %v", n, len(r.File), classes)
	}
}

// TestRefused: what doesn't fit is an error before any image is read.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	if err := draw(dir, 4); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.ToTensor{}, stages.Batch{Size: 2})
	_, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: pipe, Format: &Zip{}, To: sinks.Destination{Dir: out}})
	if err == nil || !strings.Contains(err.Error(), "neither to_tensor nor normalize") {
		t.Errorf("%v", err)
	}
	run := sinktest.Runs()["uint8"]
	run.Tasks[0].Classes[1] = "../star"
	if err := (&Zip{dir: out}).Open(t.Context(), run); err == nil || !strings.Contains(err.Error(), `"../star"`) {
		t.Errorf("%v", err)
	}
	if err := (&Zip{File: "a/b.zip"}).Check(); err == nil {
		t.Error("a file in a folder passes")
	}
}
