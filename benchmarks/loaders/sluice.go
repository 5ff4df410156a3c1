package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// list are a recipe's stages.
func list(recipe string) ([]stages.Stage, error) {
	augment := map[string][]stages.Stage{
		"recipe": {
			stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}},
			stages.Flip{P: 0.5}, stages.Resize{Height: 224, Width: 224},
		},
		"rrc":    {stages.RandomResizedCrop{Size: 224}, stages.Flip{P: 0.5}},
		"center": {stages.Resize{Size: 256}, stages.CenterCrop{Size: 224}},
	}[recipe]
	if augment == nil {
		return nil, fmt.Errorf("no recipe %q", recipe)
	}
	all := append([]stages.Stage{stages.Decode{}}, augment...)
	return append(all, stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}, stages.Batch{Size: batch}), nil
}

// sluice is a contestant's process, as peers.py's main: NAME RECIPE WORKERS IMAGES
// FOLDER. A round is a whole run, its start and its end included.
func sluice(ctx context.Context, args []string) error {
	name, recipe, dir := args[0], args[1], args[4]
	workers, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if recipe == "decode" {
		return decodeOnly(workers, dir)
	}
	stages, err := list(recipe)
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
