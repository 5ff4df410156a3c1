package flow_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// The recipe's augmentation, rebalanced, as batches for a trainer of one's own.
// README.md shows the body of recipeExample; a test holds the two equal.
func Example() {
	if err := inScratch(recipeExample); err != nil {
		log.Fatal(err)
	}
	// Output:
	// float32[3,224,224]: 32 images of 9 classes, epoch 0
	// float32[3,224,224]: 32 images of 10 classes, epoch 0
	// float32[3,224,224]: 26 images of 7 classes, epoch 0
}

func recipeExample() error {
	ctx := context.Background()
	pipe := flow.New(
		sources.Folder{Path: "data/train", Tasks: []string{"shape", "color"}},
		stages.Rebalance{Target: stages.SquareRoot, Task: stages.TaskNames{"shape"}, Draws: 90},
		stages.Decode{},
		stages.Rotate{Degrees: stages.Range{-30, 30}},
		stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}},
		stages.Flip{P: 0.5},
		stages.Resize{Height: 224, Width: 224},
		stages.ToTensor{},
		stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd},
		stages.Batch{Size: 32},
	)
	for batch, err := range pipe.Batches(ctx, flow.Seed(42), flow.Epochs(1)) {
		if err != nil {
			return err // names the stage and the file
		}
		pixels := batch.Float32() // n x 3 x 224 x 224, the record's own memory
		shapes := batch.Labels(0) // class numbers, one per image
		fmt.Printf("%s: %d images of %d classes, epoch %d\n",
			batch.Tensor, len(pixels)/batch.Tensor.Elements(), distinct(shapes), batch.Epoch)
	}
	return nil
}

func inScratch(body func() error) error {
	return scratch(func() error {
		if _, err := demodata.Write(context.Background(), demodata.Spec{Dir: "data", Train: 200, Val: 50}, nil); err != nil {
			return err
		}
		return body()
	})
}

func distinct(labels []int32) int {
	seen := map[int32]bool{}
	for _, l := range labels {
		seen[l] = true
	}
	return len(seen)
}
