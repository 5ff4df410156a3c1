// Command own-model trains a model of its own, in a module of its own, as sluice
// train trains its models: with a trainer file, evaluation, checkpoints and a
// report. It draws its images itself.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer/learning"
	"github.com/sluicedata/sluice/trainer/softmax"
)

//go:embed trainer.yaml
var trainerFile []byte

func main() {
	dir, err := os.MkdirTemp("", "own-model")
	if err != nil {
		log.Fatal(err)
	}
	report, err := run(context.Background(), dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d steps of model %s, balanced accuracy %.2f; %s has the weights\n",
		report.Train.Steps, report.Train.Model, report.Tasks["class"].BalancedAccuracy, dir)
}

func run(ctx context.Context, dir string) (*learning.Report, error) {
	for side, n := range map[string]int{"train": 30, "val": 8} {
		if err := draw(filepath.Join(dir, side), n); err != nil {
			return nil, err
		}
	}
	// A trainer file may name the models of this module, and those of sluice.
	models := pipefile.Catalogs{Models: slices.Concat(catalog, softmax.Catalog)}
	file, err := pipefile.ParseTrain("trainer.yaml", trainerFile, "", models)
	if err != nil {
		return nil, err
	}
	return learning.Training{
		Pipeline:    pipeline(dir, "train", stages.Rebalance{Target: stages.ClassBalanced}),
		Trainer:     file,
		Evaluations: []learning.Evaluation{{Name: "val", Pipeline: pipeline(dir, "val")}},
		Dir:         filepath.Join(dir, "run"),
		Existing:    learning.Resume,
		OnEpoch:     func(r learning.EpochRecord) { fmt.Printf("epoch %d: loss %.3f\n", r.Epoch+1, r.Loss) },
	}.Run(ctx, flow.Seed(1), flow.Epochs(file.Epochs))
}

func pipeline(dir, side string, first ...stages.Stage) *flow.Pipeline {
	return flow.New(sources.Folder{Path: filepath.Join(dir, side)},
		append(first, stages.Decode{}, stages.Resize{Height: 16, Width: 16}, stages.ToTensor{}, stages.Batch{Size: 8})...)
}

// draw writes n images with a light left half, and a third as many with a light
// right half.
func draw(dir string, n int) error {
	for class, count := range map[string]int{"left": n, "right": n / 3} {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
		for i := range count {
			img := image.NewGray(image.Rect(0, 0, 20, 20))
			for p := range img.Pix {
				light := uint8((7*i + p) % 90)
				if (p%20 < 10) == (class == "left") {
					light += 120
				}
				img.Pix[p] = light
			}
			img.SetGray(i%20, i/20, color.Gray{Y: 255}) // no two are the same
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
