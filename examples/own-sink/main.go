// Command own-sink materializes a data set in a format of this module: a zip archive of
// PNG files, which its pipeline file names. It draws its images itself.
package main

import (
	"archive/zip"
	"context"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

const pipelineFile = `
version: 1
seed: 7
source: {folder: {path: images}}
stages:
  - rebalance: {target: class_balanced, draws: 40}
  - decode
  - rotate: {degrees: 10}
  - resize: {height: 32, width: 32}
  - batch: {size: 16}
sink: {zip: {file: balanced.zip}}
`

func main() {
	dir, err := os.MkdirTemp("", "own-sink")
	if err != nil {
		log.Fatal(err)
	}
	archive, err := run(context.Background(), dir)
	if err != nil {
		log.Fatal(err)
	}
	r, err := zip.OpenReader(archive)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fmt.Printf("%s has %d pictures, such as %s\n", archive, len(r.File), r.File[0].Name)
}

// run gives the path of the archive.
func run(ctx context.Context, dir string) (archive string, err error) {
	if err := draw(filepath.Join(dir, "images"), 20); err != nil {
		return "", err
	}
	// The file may name the formats of both modules.
	file, err := pipefile.ParseFile("pipeline.yaml", []byte(pipelineFile), dir,
		pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: slices.Concat(sinks.Catalog, catalog)})
	if err != nil {
		return "", err
	}
	report, err := flow.MaterializeShard(ctx, flow.Shard{
		Pipeline: file.Pipeline,
		Format:   file.Sink,
		To:       sinks.Destination{Dir: filepath.Join(dir, "dataset")},
	})
	if err != nil {
		return "", err
	}
	fmt.Printf("%d rows in %d batches\n", report.Rows, report.Batches)
	return filepath.Join(dir, "dataset", "balanced.zip"), nil
}

// draw writes n images of one class, and a quarter as many of another.
func draw(dir string, n int) error {
	for class, count := range map[string]int{"fine": n, "coarse": n / 4} {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
		step := map[string]int{"fine": 3, "coarse": 11}[class]
		for i := range count {
			img := image.NewGray(image.Rect(0, 0, 60, 40))
			for p := range img.Pix {
				img.Pix[p] = uint8((p%60/step + p/60/step) % 2 * (100 + i))
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%03d.png", i)))
			if err != nil {
				return err
			}
			if err := png.Encode(f, img); err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}
