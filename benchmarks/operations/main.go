// Command operations times the stages that change pixels where they are, each on a copy of one
// picture, for operations.py:
//
//	operations PICTURE.rgb HEIGHT WIDTH
//
// The file holds uint8 RGB. It prints a JSON object: microseconds by stage, the least of many.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// operation is a stage and what it drew.
type operation struct {
	stage  stages.PictureStage
	params stages.Params
}

var operations = []operation{
	{stages.Grayscale{}, stages.Nothing{}},
	{stages.Invert{}, stages.Nothing{}},
	{stages.Solarize{}, &stages.SolarizeParams{Threshold: 128}},
	{stages.Posterize{}, &stages.PosterizeParams{Bits: 4}},
	{stages.Gamma{}, &stages.GammaParams{Gamma: 1.2}},
	{stages.Autocontrast{}, stages.Nothing{}},
	{stages.Equalize{}, stages.Nothing{}},
	{stages.Sharpness{}, &stages.SharpnessParams{Factor: 1.5}},
	{stages.GaussianBlur{KernelSize: 23}, &stages.BlurParams{Sigma: 1}},
	{stages.GaussianNoise{}, &stages.NoiseParams{Sigma: 0.1, Key: 1}},
	{stages.CoarseDropout{}, &stages.DropoutParams{Holes: []stages.Window{{X: 20, Y: 30, Width: 60, Height: 60}}}},
	{stages.RandomErasing{P: 1}, &stages.ErasingParams{Window: stages.Window{X: 20, Y: 30, Width: 60, Height: 60}}},
	{stages.ColorJitter{}, &stages.ColorJitterParams{Order: []stages.Adjustment{stages.Brightness}, Brightness: 1.2}},
	{stages.ColorJitter{}, &stages.ColorJitterParams{Order: []stages.Adjustment{stages.Contrast}, Contrast: 1.2}},
	{stages.ColorJitter{}, &stages.ColorJitterParams{Order: []stages.Adjustment{stages.Saturation}, Saturation: 1.2}},
	{stages.ColorJitter{}, &stages.ColorJitterParams{Order: []stages.Adjustment{stages.Hue}, Hue: 0.1}},
}

const repeats = 300

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "operations:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want a file of RGB bytes, height and width")
	}
	pixels, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	height, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	width, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if len(pixels) != 3*height*width {
		return fmt.Errorf("%s has %d bytes, and %dx%d has %d", args[0], len(pixels), width, height, 3*height*width)
	}
	pic, out := schema.NewPicture(height, width), map[string]float64{}
	for _, o := range operations {
		name := o.stage.Name()
		if p, ok := o.params.(*stages.ColorJitterParams); ok {
			name = string(p.Order[0])
		}
		least := time.Hour
		for range repeats {
			copy(pic.U8, pixels)
			begin := time.Now()
			o.do(pic)
			least = min(least, time.Since(begin))
		}
		out[name] = float64(least.Nanoseconds()) / 1000
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// do does it in place.
func (o operation) do(pic *schema.Picture) {
	if e, ok := o.stage.(stages.Editor); ok {
		e.Edit(o.params, pic)
		return
	}
	o.stage.(stages.Pixelwise).PixelFunc(o.params).Row(pic.U8)
}
