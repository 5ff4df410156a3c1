// Command train learns from a pipeline's batches as they come, with evaluation on
// held-out images, checkpoints and a report, and then classifies an image with the
// network that it has made. Run again in the same directory, it goes on after the last
// finished epoch. It draws its images itself.
//
//	go run . -dir run -epochs 6
//	go run . -dir run -epochs 9    # three more
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"image/png"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/gorgoniatrainer"
	"github.com/sluicedata/sluice/trainer/learning"
)

func main() {
	dir := flag.String("dir", "train-example", "directory of images and results; made if missing")
	epochs := flag.Int("epochs", 6, "passes over the images, those of earlier runs included")
	flag.Parse()
	// Interrupted, a run keeps its finished epochs.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *dir, *epochs)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, epochs int) error {
	if err := draw(filepath.Join(dir, "images"), map[string]int{"columns": 60, "rows": 12}); err != nil {
		return err
	}
	report, err := train(ctx, dir, epochs)
	if err != nil {
		return err
	}
	m := report.Tasks["stripes"]
	fmt.Printf("%d steps; balanced accuracy on held-out images %.2f\n", report.Train.Steps, m.BalancedAccuracy)

	class, err := classify(ctx, dir, stripes("rows", rand.New(rand.NewPCG(1, 1))))
	if err != nil {
		return err
	}
	fmt.Println("a new image is of the class", class)
	return nil
}

// spec declares the trainer; its sizes come from the data.
var spec = trainer.Spec{
	Model:     gorgoniatrainer.SmallCNN{},
	Optimizer: trainer.Optimizer{LearningRate: 0.005},
	Seed:      1,
}

func train(ctx context.Context, dir string, epochs int) (*learning.Report, error) {
	return learning.Training{
		Pipeline:    training(dir),
		Trainer:     spec,
		Evaluations: []learning.Evaluation{{Name: "val", Pipeline: heldOut(dir)}},
		Every:       2,
		Dir:         filepath.Join(dir, "run"),
		Existing:    learning.Resume,
		OnStart: func(warnings []string) {
			for _, w := range warnings {
				log.Print("warning: ", w)
			}
		},
		OnEpoch: func(r learning.EpochRecord) {
			text := fmt.Sprintf("epoch %d: loss %.3f", r.Epoch+1, r.Loss)
			if val, ok := r.Evaluations["val"]; ok {
				text += fmt.Sprintf(", balanced accuracy %.2f", val["stripes"].BalancedAccuracy)
			}
			fmt.Println(text)
		},
	}.Run(ctx, flow.Seed(1), flow.Epochs(epochs))
}

// training is rebalanced and augmented; heldOut is the other side of the split, as it is.
func training(dir string) *flow.Pipeline {
	return flow.New(side(dir, sources.Train),
		stages.Rebalance{Target: stages.ClassBalanced},
		stages.Decode{},
		stages.RandomResizedCrop{Size: 16, Scale: stages.Range{0.6, 1}},
		stages.Flip{P: 0.5},
		stages.ToTensor{}, stages.Batch{Size: 8},
	)
}

func heldOut(dir string) *flow.Pipeline {
	return flow.New(side(dir, sources.Val),
		stages.Decode{}, stages.Resize{Size: 18}, stages.CenterCrop{Size: 16},
		stages.ToTensor{}, stages.Batch{Size: 8},
	)
}

func side(dir string, use sources.Side) sources.Source {
	images := sources.Folder{Path: filepath.Join(dir, "images"), Tasks: []string{"stripes"}}
	return sources.Split{Source: images, Val: 0.25, Stratify: true, Use: use}
}

// classify asks the network of the last checkpoint for an image's class. The image is
// prepared as the held-out ones are, by their plan.
func classify(ctx context.Context, dir string, img image.Image) (class string, err error) {
	plan, err := heldOut(dir).Plan(ctx)
	if err != nil {
		return "", err
	}
	defer plan.Close()
	config, err := spec.Config(plan.Info())
	if err != nil {
		return "", err
	}
	network, err := trainer.New(config)
	if err != nil {
		return "", err
	}
	defer network.Close()
	state, _, err := trainer.LoadCheckpoint(filepath.Join(dir, "run", "checkpoint.safetensors"), network.State())
	if err != nil {
		return "", err
	}
	if err := network.Load(state); err != nil {
		return "", err
	}

	batch, err := plan.Apply(ctx, img, flow.Draw{}) // a batch of one
	if err != nil {
		return "", err
	}
	defer batch.Release()
	logits, err := network.Predict(ctx, batch)
	if err != nil {
		return "", err
	}
	best := slices.Index(logits[0], slices.Max(logits[0]))
	return plan.Info().Tasks[0].Classes[best], nil
}

// draw writes images of striped noise, each class as many as it says; the same ones at
// every call.
func draw(dir string, classes map[string]int) error {
	for class, n := range classes {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
		random := rand.New(rand.NewPCG(7, uint64(n)))
		for i := range n {
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%03d.png", i)))
			if err != nil {
				return err
			}
			if err := png.Encode(f, stripes(class, random)); err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

func stripes(class string, random *rand.Rand) image.Image {
	img := image.NewGray(image.Rect(0, 0, 24, 24))
	phase, light := random.IntN(8), 60+random.IntN(100)
	for p := range img.Pix {
		at := p % 24
		if class == "rows" {
			at = p / 24
		}
		if (at+phase)/4%2 == 0 {
			img.Pix[p] = uint8(light)
		}
		img.Pix[p] += uint8(random.IntN(90))
	}
	return img
}
