package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/trainer/gorgoniatrainer"
)

// times are the mean seconds of a step; of the processors, on all threads
// together, too: those of a busy machine tell more.
type times struct {
	Wall float64 `json:"wall"`
	CPU  float64 `json:"cpu"`
}

// stepAlone is what this program does as a child: the steps of peer.py, by
// sluice's trainer.
func stepAlone(ctx context.Context, steps int) (err error) {
	run := &schema.Run{
		Tasks:  []schema.Task{{Name: "shape", Classes: names(10)}, {Name: "color", Classes: names(5)}},
		Counts: [][]int64{make([]int64, 11), make([]int64, 6)},
		Form:   schema.FormTensor,
	}
	for _, side := range sides {
		run.Variants = append(run.Variants, schema.Variant{Scale: float64(side) / 224, Tensor: schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: side, Width: side}})
	}
	file, err := pipefile.LoadTrain(recipe+".trainer.yaml", pipefile.Catalogs{Models: gorgoniatrainer.Catalog})
	if err != nil {
		return err
	}
	cfg, err := file.Config(run)
	if err != nil {
		return err
	}
	trainer, err := gorgoniatrainer.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trainer.Close()) }()
	var batches []*schema.Batch
	for variant := range sides {
		b, err := randomBatch(run, variant)
		if err != nil {
			return err
		}
		defer b.Release()
		batches = append(batches, b)
	}
	out := map[string]times{}
	for step := range steps + 1 {
		for i, b := range batches {
			cpu, begin := machine.UsedSeconds(), time.Now()
			if _, err := trainer.Step(ctx, b); err != nil {
				return err
			}
			if side := fmt.Sprint(sides[i]); step > 0 {
				sum := out[side]
				out[side] = times{sum.Wall + time.Since(begin).Seconds()/float64(steps), sum.CPU + (machine.UsedSeconds()-cpu)/float64(steps)}
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("class ", i)
	}
	return list
}

func randomBatch(run *schema.Run, variant int) (*schema.Batch, error) {
	const rows = 32
	one := *run
	one.Variants = run.Variants[variant : variant+1]
	b, err := schema.NewBuilder(&one, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	r, d := rand.New(rand.NewPCG(1, 2)), b.Draft(0, 0, rows)
	for i := range rows {
		d.SetMeta(i, schema.Meta{Key: fmt.Sprint(i), Labels: []int32{r.Int32N(10), r.Int32N(5)}, Weight: 1})
		for at := range d.Slot(i).F32 {
			d.Slot(i).F32[at] = r.Float32()
		}
	}
	return d.Finish()
}
