// Command own-source reads a data set in CIFAR-10's binary format through a source of
// this module, split into training and validation samples by one of sluice's. Give it
// the folder of the data set; without one it writes a small one of its own.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

const pipelineFile = `
version: 1
source: {cifar: {path: .}}
split: {val: 0.2, stratify: true}
stages: [shuffle, decode, {center_crop: {size: 32}}, to_tensor, {normalize: {mean: dataset, std: dataset}}, {batch: {size: 16}}]
`

func main() {
	dir := ""
	if len(os.Args) > 1 {
		dir = os.Args[1]
	} else {
		var err error
		if dir, err = os.MkdirTemp("", "own-source"); err != nil {
			log.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if err := write(dir, 60); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := run(context.Background(), dir); err != nil {
		log.Fatal(err)
	}
}

// run counts the images of the training side.
func run(ctx context.Context, dir string) (images int, err error) {
	pipe, err := pipefile.Parse("pipeline.yaml", []byte(pipelineFile), dir,
		pipefile.Catalogs{Stages: stages.Catalog, Sources: slices.Concat(sources.Catalog, catalog)})
	if err != nil {
		return 0, err
	}
	for batch, err := range pipe.Batches(ctx, flow.Seed(1)) {
		if err != nil {
			return 0, err
		}
		images += len(batch.Labels(0))
		fmt.Printf("batch %d: %s, classes %d\n", batch.Number, batch.Tensor, batch.Labels(0))
	}
	return images, nil
}

// write makes a data set of two files, of n images each.
func write(dir string, n int) error {
	names := []byte("airplane\nautomobile\nbird\n\n")
	if err := os.WriteFile(filepath.Join(dir, "batches.meta.txt"), names, 0o644); err != nil {
		return err
	}
	for file := range 2 {
		var data []byte
		for i := range n {
			data = append(data, byte(i%3))
			for p := range record - 1 {
				data = append(data, byte(p*(i%3+1)+i+file))
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("data_batch_%d.bin", file+1)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
