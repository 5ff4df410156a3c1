package learning_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/gorgoniatrainer"
	"github.com/sluicedata/sluice/trainer/learning"
)

// A small network learns the shapes of 150 drawn images, which are rebalanced and
// mirrored as they come; after every second epoch it is evaluated on held-out
// images. Run again, it resumes after the last finished epoch.
func Example() {
	dir, err := os.MkdirTemp("", "learning")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := demodata.Write(ctx, demodata.Spec{Dir: dir, Seed: 1, Train: 150, Val: 50}, nil); err != nil {
		fmt.Println(err)
		return
	}
	small := stages.Resize{Height: 16, Width: 16}
	train := flow.New(
		sources.Folder{Path: filepath.Join(dir, "train"), Tasks: []string{"shape", "color"}},
		stages.Rebalance{Target: stages.SquareRoot, Task: stages.TaskNames{"shape"}},
		stages.Decode{}, small, stages.Flip{P: 0.5}, stages.ToTensor{}, stages.Batch{Size: 16},
	)
	heldOut := flow.New(
		sources.Folder{Path: filepath.Join(dir, "val"), Tasks: []string{"shape", "color"}},
		stages.Decode{}, small, stages.ToTensor{}, stages.Batch{Size: 16},
	)
	report, err := learning.Training{
		Pipeline: train,
		Trainer: trainer.Spec{
			Model: gorgoniatrainer.SmallCNN{},
			Tasks: map[string]trainer.TaskSpec{"shape": {}}, // the colours are not learnt
		},
		Evaluations: []learning.Evaluation{{Name: "val", Pipeline: heldOut}},
		Every:       2,
		Dir:         filepath.Join(dir, "run"),
		Existing:    learning.Resume,
		OnEpoch: func(r learning.EpochRecord) {
			fmt.Printf("epoch %d: %d steps, evaluated: %t\n", r.Epoch, r.Steps, r.Evaluations != nil)
		},
	}.Run(ctx, flow.Seed(42), flow.Epochs(3))
	if err != nil {
		fmt.Println(err)
		return
	}
	shapes := report.Tasks["shape"]
	fmt.Printf("%d steps, %d classes evaluated on %s\n", report.Train.Steps, len(shapes.Recall), report.EvaluatedOn)
	if err := os.RemoveAll(dir); err != nil {
		fmt.Println(err)
		return
	}
	// Output:
	// epoch 0: 10 steps, evaluated: false
	// epoch 1: 10 steps, evaluated: true
	// epoch 2: 10 steps, evaluated: true
	// 30 steps, 10 classes evaluated on val
}

// What doesn't fit is said before anything is trained, and leaves no directory behind.
func ExampleSetupError() {
	dir, err := os.MkdirTemp("", "learning")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if _, err := demodata.Write(ctx, demodata.Spec{Dir: dir, Seed: 1, Train: 40, Val: 10}, nil); err != nil {
		fmt.Println(err)
		return
	}
	_, err = learning.Training{
		Pipeline: flow.New(
			sources.Folder{Path: filepath.Join(dir, "train"), Tasks: []string{"shape", "color"}},
			stages.Decode{}, stages.Resize{Height: 16, Width: 16}, stages.Batch{Size: 16},
		),
		Trainer: trainer.Spec{Model: gorgoniatrainer.SmallCNN{}},
		Dir:     filepath.Join(dir, "run"),
	}.Run(ctx)
	setup := new(learning.SetupError)
	fmt.Println(errors.As(err, &setup), err)
	_, err = os.Stat(filepath.Join(dir, "run"))
	fmt.Println(errors.Is(err, os.ErrNotExist))
	// Output:
	// true trainer: the batches hold uint8[16,16,3] and not float32[3,h,w]: end the pipeline's transforms with to_tensor: {dtype: float32, layout: chw}
	// true
}
