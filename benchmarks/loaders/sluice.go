package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// list are a recipe's stages, with batches of that size.
func list(recipe string, size int) ([]stages.Stage, error) {
	rrc := []stages.Stage{stages.RandomResizedCrop{Size: 224}, stages.Flip{P: 0.5}}
	of := map[string]struct{ bytes, floats, batches []stages.Stage }{
		"recipe": {bytes: []stages.Stage{
			stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}},
			stages.Flip{P: 0.5}, stages.Resize{Height: 224, Width: 224},
		}},
		"rrc":    {bytes: rrc},
		"center": {bytes: []stages.Stage{stages.Resize{Size: 256}, stages.CenterCrop{Size: 224}}},
		"torchvision": {
			bytes:   append(rrc, stages.TrivialAugmentWide{}),
			floats:  []stages.Stage{stages.RandomErasing{P: 0.1}},
			batches: []stages.Stage{stages.MixUp{Alpha: 0.2, P: 0.5}, stages.CutMix{Alpha: 1}},
		},
		"timm": {
			bytes:  append(rrc, stages.RandAugment{Timm: "rand-m9-mstd0.5-inc1"}),
			floats: []stages.Stage{stages.RandomErasing{P: 0.25, Scale: stages.Range{0.02, 1. / 3}, Ratio: stages.Range{0.3, 1 / 0.3}, Value: stages.ErasedByNoise}},
		},
		"simclr": {bytes: append(rrc,
			stages.ColorJitter{Brightness: stages.Around(0.8), Contrast: stages.Around(0.8), Saturation: stages.Around(0.8), Hue: stages.Range{-0.2, 0.2}, P: 0.8},
			stages.Grayscale{P: 0.2}, stages.GaussianBlur{KernelSize: 23, Sigma: stages.Range{0.1, 2}, P: 0.5})},
	}
	does, ok := of[recipe]
	if !ok {
		return nil, fmt.Errorf("no recipe %q", recipe)
	}
	return slices.Concat([]stages.Stage{stages.Decode{}}, does.bytes,
		[]stages.Stage{stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}}, does.floats,
		[]stages.Stage{stages.Batch{Size: size}}, does.batches), nil
}

// sluice is a contestant's process, as peers.py's main: NAME RECIPE WORKERS IMAGES
// FOLDER BATCH. A round is a whole run, its start and its end included.
func sluice(ctx context.Context, args []string) error {
	name, recipe, dir := args[0], args[1], args[4]
	workers, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if recipe == "decode" {
		return decodeOnly(workers, dir)
	}
	size, err := strconv.Atoi(args[5])
	if err != nil {
		return err
	}
	stages, err := list(recipe, size)
	if err != nil {
		return err
	}
	options := []flow.Option{flow.Workers(workers)}
	if name == "sluice-exact" {
		options = append(options, flow.WithFuse(flow.FuseExact))
	}
	pipe := flow.New(sources.Folder{Path: dir}, stages...)
	plan, err := pipe.Plan(ctx, options...)
	if err != nil {
		return err
	}
	defer func() { _ = plan.Close() }()
	tell := json.NewEncoder(os.Stdout)
	if err := tell.Encode(map[string]any{"versions": map[string]string{}}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if name == "sluice-first" { // a plan remembers where decoding can begin in files that it has read
			if err := plan.Close(); err != nil {
				return err
			}
			if plan, err = pipe.Plan(ctx, options...); err != nil {
				return err
			}
		}
		if lines.Text() == "look" {
			var s looking
			_, err := plan.Deliver(ctx, &s)
			if err := errors.Join(err, tell.Encode(s.found())); err != nil {
				return err
			}
			continue
		}
		begin := time.Now()
		report, err := plan.Deliver(ctx, &sinks.Discard{})
		if err != nil {
			return err
		}
		if err := tell.Encode(map[string]any{"images": report.Rows, "made": report.Rows, "seconds": time.Since(begin).Seconds()}); err != nil {
			return err
		}
	}
	return nil
}

// decodeOnly is sluice for the recipe decode: files to RGB, a new picture each.
func decodeOnly(workers int, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	tell := json.NewEncoder(os.Stdout)
	if err := tell.Encode(map[string]any{"versions": map[string]string{}}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		begin := time.Now()
		failed := make([]error, workers)
		var all sync.WaitGroup
		for k := range workers {
			all.Go(func() {
				for i := k; i < len(files) && failed[k] == nil; i += workers {
					data, err := os.ReadFile(files[i])
					if err == nil {
						_, err = decode.Decode(context.Background(), data, 0)
					}
					failed[k] = err
				}
			})
		}
		all.Wait()
		if err := errors.Join(failed...); err != nil {
			return err
		}
		if err := tell.Encode(map[string]any{"images": len(files), "made": len(files), "seconds": time.Since(begin).Seconds()}); err != nil {
			return err
		}
	}
	return nil
}
