package flow_test

import (
	"context"
	"fmt"
	"log"

	streams "github.com/reugn/go-streams"
	"github.com/reugn/go-streams/extension"
	gsflow "github.com/reugn/go-streams/flow"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// A run's batches through anyone's go-streams operators, into a sink of ours.
func ExamplePlan_Start() {
	err := scratch(func() error {
		ctx := context.Background()
		if _, err := demodata.Write(ctx, demodata.Spec{Dir: "data", Train: 40, Val: 10}, nil); err != nil {
			return err
		}
		plan, err := flow.New(
			sources.Folder{Path: "data/train", Tasks: []string{"shape", "color"}},
			stages.Rebalance{Target: stages.SquareRoot, Task: stages.TaskNames{"shape"}, Draws: 70},
			stages.Decode{}, stages.Resize{Height: 64, Width: 64}, stages.Batch{Size: 32},
		).Plan(ctx)
		if err != nil {
			return err
		}
		defer plan.Close()
		run, err := plan.Start(ctx)
		if err != nil {
			return err
		}
		look := func(b *schema.Batch) *schema.Batch {
			fmt.Printf("batch %d has %d rows\n", b.Number, b.Rows())
			return b // who takes a batch hands it on or releases it
		}
		run.Source().Via(gsflow.NewMap(look, 1)).To(run.Sink(&sinks.Discard{}))
		report, err := run.Wait()
		if err != nil {
			return err
		}
		fmt.Println(report.Rows, "rows")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// batch 0 has 32 rows
	// batch 1 has 32 rows
	// batch 2 has 6 rows
	// 70 rows
}

// Anyone's source of keys, or of samples with their bytes, into our operators.
func ExampleStream_Flow() {
	err := scratch(func() error {
		ctx := context.Background()
		if _, err := demodata.Write(ctx, demodata.Spec{Dir: "data", Train: 40, Val: 10}, nil); err != nil {
			return err
		}
		plan, err := flow.New(
			sources.Folder{Path: "data/train", Tasks: []string{"shape", "color"}},
			stages.Decode{}, stages.Resize{Height: 64, Width: 64}, stages.Batch{Size: 2},
		).Plan(ctx)
		if err != nil {
			return err
		}
		defer plan.Close()
		run, err := plan.Start(ctx)
		if err != nil {
			return err
		}
		hard := make(chan any, 3) // a channel, Kafka, a file: any streams.Source
		for i := range 3 {
			hard <- plan.Index().Key(i)
		}
		close(hard)
		var source streams.Source = extension.NewChanSource(hard)
		shape := func(b *schema.Batch) string {
			defer b.Release()
			return fmt.Sprintf("%s, %d rows", b.Tensor, b.Rows())
		}
		out := make(chan any, 2)
		source.Via(run.Flow()).Via(gsflow.NewMap(shape, 1)).To(extension.NewChanSink(out))
		if _, err := run.Wait(); err != nil {
			return err
		}
		for text := range out {
			fmt.Println(text)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// uint8[64,64,3], 2 rows
	// uint8[64,64,3], 1 rows
}

// Each operator of the graph by itself, with anyone's between batches and scales.
func ExampleStream_Scales() {
	err := scratch(func() error {
		ctx := context.Background()
		if _, err := demodata.Write(ctx, demodata.Spec{Dir: "data", Train: 40, Val: 10}, nil); err != nil {
			return err
		}
		plan, err := flow.New(
			sources.Folder{Path: "data/train", Tasks: []string{"shape", "color"}},
			stages.Decode{}, stages.Resize{Height: 64, Width: 64}, stages.Batch{Size: 2},
			stages.MultiScale{Scales: []float64{0.5, 1}},
		).Plan(ctx)
		if err != nil {
			return err
		}
		defer plan.Close()
		run, err := plan.Start(ctx)
		if err != nil {
			return err
		}
		hard := make(chan any, 3)
		for i := range 3 {
			hard <- plan.Index().Key(i)
		}
		close(hard)
		full := func(b *schema.Batch) bool {
			if b.Rows() < 2 {
				b.Release() // who takes a batch hands it on or releases it
				return false
			}
			return true
		}
		shape := func(b *schema.Batch) string {
			defer b.Release()
			return fmt.Sprintf("%s, %d rows", b.Tensor, b.Rows())
		}
		out := make(chan any, 4)
		extension.NewChanSource(hard).
			Via(run.Read()).                // files
			Via(run.Transform()).           // pictures
			Via(run.Batch()).               // into batches
			Via(gsflow.NewFilter(full, 1)). // of one's own
			Via(run.Scales()).              // each batch in its scales
			Via(gsflow.NewMap(shape, 1)).
			To(extension.NewChanSink(out))
		if _, err := run.Wait(); err != nil {
			return err
		}
		for text := range out {
			fmt.Println(text)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// uint8[32,32,3], 2 rows
	// uint8[64,64,3], 2 rows
}
