// Command own-stage runs a pipeline file that names a stage of this module beside
// those of sluice. It draws its images itself.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

//go:embed pipeline.yaml
var pipelineFile []byte

func main() {
	dir, err := os.MkdirTemp("", "own-stage")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), dir); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string) error {
	if err := draw(filepath.Join(dir, "images"), 20); err != nil {
		return err
	}
	pipe, err := load(dir)
	if err != nil {
		return err
	}
	plan, err := pipe.Plan(ctx)
	if err != nil {
		return err
	}
	fmt.Println(plan)
	if err := plan.Close(); err != nil {
		return err
	}
	for batch, err := range pipe.Batches(ctx, flow.Seed(1)) {
		if err != nil {
			return err
		}
		fmt.Printf("batch %d: %d images of %s\n", batch.Number, len(batch.Labels(0)), batch.Tensor)
	}
	return nil
}

// load reads the pipeline file, which may name the stages of both modules.
func load(dir string) (*flow.Pipeline, error) {
	return pipefile.Parse("pipeline.yaml", pipelineFile, dir,
		pipefile.Catalogs{Stages: slices.Concat(stages.Catalog, catalog), Sources: sources.Catalog})
}

// draw writes n images of each of two classes.
func draw(dir string, n int) error {
	for class, step := range map[string]int{"fine": 3, "coarse": 11} {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
		for i := range n {
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
