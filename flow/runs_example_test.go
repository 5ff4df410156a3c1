package flow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// withImages runs body in a folder that holds data/train and data/val.
func withImages(body func() error) error {
	return scratch(func() error {
		if _, err := demodata.Write(context.Background(), demodata.Spec{Dir: "data", Train: 40, Val: 10}, nil); err != nil {
			return err
		}
		return body()
	})
}

// shapes draws 40 of the images in each epoch, 4 of each shape.
func shapes() *flow.Pipeline {
	return flow.New(
		sources.Folder{Path: "data/train", Tasks: []string{"shape", "color"}},
		stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"shape"}, Draws: 40},
		stages.Decode{},
		stages.RandomResizedCrop{Size: 32},
		stages.ToTensor{},
		stages.Batch{Size: 16},
	)
}

// A run into a sink, here a file of an Arrow stream that any Arrow library reads.
func ExamplePipeline_Run() {
	err := withImages(func() error {
		file, err := os.Create("stream.arrow")
		if err != nil {
			return err
		}
		report, err := shapes().Run(context.Background(), &sinks.IPCStream{W: file}, flow.Seed(1), flow.Epochs(2))
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		fmt.Printf("%d rows in %d batches, %d failed\n", report.Rows, report.Batches, report.Failed)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 80 rows in 6 batches, 0 failed
}

// The loop's body borrows each batch. What is to outlive it is retained, and released
// later.
func ExamplePipeline_Batches() {
	err := withImages(func() error {
		var kept *schema.Batch
		for batch, err := range shapes().Batches(context.Background(), flow.Seed(1)) {
			if err != nil {
				return err // once, last; it names the stage and the file
			}
			fmt.Println(batch.Number, batch.Rows(), batch.Tensor)
			if batch.Number == 1 {
				batch.Retain()
				kept = batch
				break // ends the run, and all of its goroutines
			}
		}
		defer kept.Release()
		fmt.Println(len(kept.Float32()), "values kept")
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0 16 float32[3,32,32]
	// 1 16 float32[3,32,32]
	// 49152 values kept
}

// All that will happen is known, and can be printed, before an image is read.
func ExamplePlan() {
	err := withImages(func() error {
		plan, err := shapes().Plan(context.Background(), flow.Seed(1), flow.Epochs(3), flow.Workers(2))
		if err != nil {
			return err // every mistake of the declaration at once
		}
		defer plan.Close()
		info := plan.Info()
		fmt.Println(info.Tasks[1].Classes)
		fmt.Println(info.RowsPerEpoch, "rows and", info.BatchesPerEpoch, "batches an epoch, of", info.Variants[0].Tensor)
		for section := range strings.SplitSeq(plan.String(), "\n\n") { // five of them: sluice plan shows all
			if strings.HasPrefix(section, "2 ") {
				fmt.Println(section)
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [blue green purple red yellow]
	// 40 rows and 3 batches an epoch, of float32[3,32,32]
	// 2 push down samplers act on the index, before any image is read
	//             rebalance: 40 draws an epoch from 38 samples; the first epoch uses 22 of them
	//             shape: arrow 1→4, circle 14→4, crescent 1→4, cross 3→4, heart 1→4, hourglass 1→4, ring 2→4, square 9→4, star 1→4, triangle 5→4
	//             color: blue 18→28, green 5→4, purple 3→0, red 9→6, yellow 3→2
}

// Mistakes are reported together, each with its stage.
func ExamplePipeline_Check() {
	fmt.Println(flow.New(
		sources.Folder{Path: "data/train"},
		stages.Decode{}, stages.Flip{P: 2}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}, stages.Batch{},
	).Check())
	// Output:
	// stages: flip: p: 2 is not a probability: give a number in (0, 1]
	// stages: normalize: needs float32, has uint8[h,w,3]: add to_tensor before it
	// stages: batch: size: missing: give the number of rows in a batch, such as 32
}

// An image that is of no source gets the bytes that a batch would hold of it: what serves
// a network needs no second preprocessing.
func ExamplePlan_Apply() {
	err := withImages(func() error {
		ctx := context.Background()
		plan, err := flow.New(sources.Folder{Path: "data/val", Tasks: []string{"shape", "color"}},
			stages.Decode{}, stages.Resize{Size: 36}, stages.CenterCrop{Size: 32}, stages.ToTensor{}, stages.Batch{Size: 16}).Plan(ctx)
		if err != nil {
			return err
		}
		defer plan.Close()
		for batch, err := range plan.Batches(ctx) {
			if err != nil {
				return err
			}
			upload, err := os.ReadFile("data/val/" + batch.Key(3))
			if err != nil {
				return err
			}
			one, err := plan.Apply(ctx, upload, flow.Draw{Key: "upload"})
			if err != nil {
				return err
			}
			same := true
			for i, v := range one.Float32() {
				same = same && v == batch.Float32()[3*one.Tensor.Elements()+i]
			}
			fmt.Println(one.Rows(), "row of", one.Tensor, "as in the batch:", same)
			one.Release()
			break
		}
		_, err = plan.Apply(ctx, []byte("no image"), flow.Draw{Key: "upload"})
		bad := new(flow.RowError)
		fmt.Println(errors.As(err, &bad), bad.Stage, bad.Key)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 row of float32[3,32,32] as in the batch: true
	// true decode upload
}

// A plan may be run several times; each run gives the same bytes.
func ExamplePlan_Deliver() {
	err := withImages(func() error {
		ctx := context.Background()
		plan, err := shapes().Plan(ctx, flow.Seed(1))
		if err != nil {
			return err
		}
		defer plan.Close()
		var streams [2]bytes.Buffer
		for i := range streams {
			report, err := plan.Deliver(ctx, &sinks.IPCStream{W: &streams[i]})
			if err != nil {
				return err
			}
			fmt.Println(report.Rows, "rows")
		}
		fmt.Println(bytes.Equal(streams[0].Bytes(), streams[1].Bytes()))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 40 rows
	// 40 rows
	// true
}

// Two workers of a cluster, of which each makes half of a data set.
func ExampleMaterializeShard() {
	err := withImages(func() error {
		for i := range 2 { // on any machine, in any order; again after a crash
			report, err := flow.MaterializeShard(context.Background(), flow.Shard{
				Pipeline: shapes(),
				Format:   &sinks.ArrowParts{PartRows: 16},
				To:       sinks.Destination{Dir: "dataset", Shard: i, Shards: 2},
				Options:  []flow.Option{flow.Seed(1)},
			})
			if err != nil {
				return err
			}
			fmt.Printf("shard %d: %d rows\n", i, report.Rows)
		}
		report, err := sinks.Verify(context.Background(), "dataset")
		fmt.Println(report.Rows, "rows,", len(report.Problems), "problems")
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// shard 0: 24 rows
	// shard 1: 16 rows
	// 40 rows, 0 problems
}

// A run that ends early goes on later, with the very rows that were missing.
func ExampleResume() {
	err := withImages(func() error {
		ctx := context.Background()
		var file []byte
		remember := func(s flow.State) { // after each batch that the sink has
			file, _ = json.Marshal(s)
		}
		for batch, err := range shapes().Batches(ctx, flow.Seed(1), flow.OnState(remember)) {
			if err != nil {
				return err
			}
			fmt.Println("batch", batch.Number, batch.Key(0))
			if batch.Number == 1 {
				break // its body hasn't ended: the state is that after batch 0
			}
		}

		var state flow.State
		if err := json.Unmarshal(file, &state); err != nil {
			return err
		}
		fmt.Printf("go on with batch %d of epoch %d\n", state.Batch, state.Epoch)
		for batch, err := range shapes().Batches(ctx, flow.Seed(1), flow.Resume(state)) {
			if err != nil {
				return err
			}
			fmt.Println("batch", batch.Number, batch.Key(0))
		}
		// Another seed would give other rows.
		for _, err := range shapes().Batches(ctx, flow.Seed(2), flow.Resume(state)) {
			_, differs, _ := strings.Cut(err.Error(), "\n")
			fmt.Println(differs)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// batch 0 ring/blue/0001.jpg
	// batch 1 crescent/blue/0001.jpg
	// go on with batch 1 of epoch 0
	// batch 1 crescent/blue/0001.jpg
	// batch 2 heart/blue/0001.jpg
	//   seed 1 -> 2
}

// An evaluation whose images aren't those that the network learns from.
func ExamplePlan_UnlikeImages() {
	err := withImages(func() error {
		ctx := context.Background()
		training, err := shapes().Plan(ctx)
		if err != nil {
			return err
		}
		defer training.Close()
		evaluation, err := flow.New(sources.Folder{Path: "data/val", Tasks: []string{"shape", "color"}},
			stages.Decode{}, stages.Flip{P: 0.5}, stages.Resize{Height: 48, Width: 48}, stages.ToTensor{}, stages.Batch{Size: 16}).Plan(ctx)
		if err != nil {
			return err
		}
		defer evaluation.Close()
		for _, sentence := range evaluation.UnlikeImages(training) {
			fmt.Println(sentence)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// images are float32[3,48,48], in training float32[3,32,32]
	// flip: images change at random, and the figures with them: leave it out
}

// A broken image is replaced by another of its class, as long as they are few.
func ExampleFailures() {
	err := withImages(func() error {
		if err := os.WriteFile("data/train/ring/red/0002.jpg", []byte("no image"), 0o644); err != nil {
			return err
		}
		limit, err := flow.ParseLimit("5%")
		if err != nil {
			return err
		}
		report, err := shapes().Run(context.Background(), &sinks.Discard{}, flow.Seed(3), flow.Epochs(5),
			flow.OnError(flow.Failures{Policy: flow.Refill, Max: limit, Quarantine: "bad.jsonl"}))
		if err != nil {
			return err
		}
		bad, err := os.ReadFile("bad.jsonl")
		fmt.Println(report.Rows, "rows,", report.Refilled, "refilled,", bytes.Count(bad, []byte("\n")), "in the quarantine")
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 200 rows, 6 refilled, 6 in the quarantine
}
