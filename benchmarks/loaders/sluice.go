package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	workers, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(args[5])
	if err != nil {
		return err
	}
	c := &side{name: args[0], workers: workers, batch: size}
	defer func() { _ = c.close() }()
	if args[1] != "" {
		if err := c.use(ctx, args[1], args[4]); err != nil {
			return err
		}
	}
	tell := json.NewEncoder(os.Stdout)
	if err := tell.Encode(map[string]any{"versions": map[string]string{}}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var answer any = map[string]any{}
		switch line := strings.Fields(lines.Text()); line[0] {
		case "use": // RECIPE FORMAT FOLDER
			err = c.use(ctx, line[1], line[3])
		case "look":
			answer, err = c.look(ctx)
		default:
			answer, err = c.round(ctx)
		}
		if err := errors.Join(err, tell.Encode(answer)); err != nil {
			return err
		}
	}
	return nil
}

// side is sluice's side.
type side struct {
	name           string
	workers, batch int
	recipe         string
	pipe           *flow.Pipeline
	options        []flow.Option
	plan           *flow.Plan
	files          []string // of decode, which has no plan
	memory         []memory // of each worker, for decode
}

func (s *side) close() error {
	if s.plan == nil {
		return nil
	}
	err := s.plan.Close()
	s.plan = nil
	return err
}

// use prepares a recipe on the files of a folder.
func (s *side) use(ctx context.Context, recipe, dir string) (err error) {
	if err := s.close(); err != nil {
		return err
	}
	if s.recipe = recipe; recipe == "decode" {
		s.files, err = filepath.Glob(filepath.Join(dir, "*"))
		return err
	}
	stages, err := list(recipe, s.batch)
	if err != nil {
		return err
	}
	s.options = []flow.Option{flow.Workers(s.workers)}
	if s.name == "sluice-exact" {
		s.options = append(s.options, flow.WithFuse(flow.FuseExact))
	}
	s.pipe = flow.New(sources.Folder{Path: dir}, stages...)
	s.plan, err = s.pipe.Plan(ctx, s.options...)
	return err
}

// look is a run whose images are looked at.
func (s *side) look(ctx context.Context) (looks, error) {
	var sink looking
	_, err := s.plan.Deliver(ctx, &sink)
	return sink.found(), err
}

// round is a run; what it made, and how long that took.
func (s *side) round(ctx context.Context) (map[string]any, error) {
	if s.name == "sluice-first" && s.recipe != "decode" { // a plan remembers where decoding can begin in files that it has read
		if err := s.close(); err != nil {
			return nil, err
		}
		var err error
		if s.plan, err = s.pipe.Plan(ctx, s.options...); err != nil {
			return nil, err
		}
	}
	begin, made := time.Now(), int64(len(s.files))
	if s.recipe == "decode" {
		if err := s.decode(ctx); err != nil {
			return nil, err
		}
	} else {
		report, err := s.plan.Deliver(ctx, &sinks.Discard{})
		if err != nil {
			return nil, err
		}
		made = report.Rows
	}
	return map[string]any{"images": made, "made": made, "seconds": time.Since(begin).Seconds()}, nil
}

// decode makes RGB of the files as a pipeline does: file and picture are in memory that is kept from one to the next.
func (s *side) decode(ctx context.Context) error {
	failed := make([]error, s.workers)
	s.memory = append(s.memory, make([]memory, max(s.workers-len(s.memory), 0))...)
	var all sync.WaitGroup
	for k := range s.workers {
		all.Go(func() {
			for i := k; i < len(s.files) && failed[k] == nil; i += s.workers {
				failed[k] = s.memory[k].decode(ctx, s.files[i])
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// memory is a worker's.
type memory struct {
	file, rgb []byte
	jpeg      decode.File
}

func (m *memory) decode(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil {
		return err
	}
	m.file = slices.Grow(m.file[:0], int(about.Size()))[:about.Size()]
	if _, err := io.ReadFull(f, m.file); err != nil {
		return err
	}
	if is, err := m.jpeg.Open(m.file, 0); is || err != nil {
		if err == nil {
			_, _, err = m.jpeg.RGB(ctx, image.Rect(0, 0, m.jpeg.Width, m.jpeg.Height)) // photos are stored upright
			m.jpeg.Close()
		}
		return err
	}
	p, err := decode.Parse(m.file)
	switch {
	case err != nil:
		return err
	case p.Stored(m.file) != nil:
		m.rgb = append(m.rgb[:0], p.Stored(m.file)...)
	default:
		m.rgb, err = p.Region(ctx, image.Rect(0, 0, p.Width, p.Height), m.rgb)
	}
	return err
}
