package pipefile_test

import (
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// Names of other libraries are answered with what there is here: the stage as it is
// written, or that there is none.
func TestForeignStages(t *testing.T) {
	catalogs := pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: sinks.Catalog}
	for written, want := range map[string]string{
		"RandomHorizontalFlip":            `did you mean "flip"? torchvision RandomHorizontalFlip is here: flip: {p: 0.5} (stages:`,
		"transforms.RandomHorizontalFlip": `did you mean "flip"?`,
		"random_vertical_flip":            `flip: {p: 0.5, direction: vertical}`,
		"RandomRotation":                  `did you mean "rotate"? torchvision RandomRotation is here: rotate: {degrees: 30}`,
		"RandomAffine":                    `did you mean "affine"?`,
		"RandomGrayscale":                 `did you mean "grayscale"?`,
		"v2.ToImage":                      `did you mean "to_tensor"? torchvision ToImage is here: to_tensor (`,
		"RandomResizedCrop":               `did you mean "random_resized_crop"? (stages:`,
		"CenterCrop":                      `did you mean "center_crop"? (stages:`,
		"ToTensor":                        `did you mean "to_tensor"? (stages:`,
		"Normalize":                       `did you mean "normalize"? (stages:`,
		"Resize":                          `did you mean "resize"? (stages:`,
		"ColorJitter":                     `did you mean "color_jitter"? (stages:`,
		"A.HorizontalFlip":                `did you mean "flip"? albumentations HorizontalFlip is here: flip: {p: 0.5}`,
		"ShiftScaleRotate":                `did you mean "affine"? albumentations ShiftScaleRotate is here: affine: {`,
		"SmallestMaxSize":                 `did you mean "resize"?`,
		"ToTensorV2":                      `did you mean "to_tensor"?`,
		"RandomBrightnessContrast":        `did you mean "color_jitter"?`,
		"LongestMaxSize":                  `"LongestMaxSize": letterbox: {size: 1024} fills the rest; resize takes height and width, or size, the shorter side, and max_size, the most of the longer (`,
		"ElasticTransform":                `"ElasticTransform": it has no equivalent here (`,
		"OneOf":                           `did you mean "one_of"? (stages:`,
		"Compose":                         `the list of stages is one already`,
		"WeightedRandomSampler":           `did you mean "rebalance"? PyTorch WeightedRandomSampler is here: rebalance: {target: class_balanced}`,
		"rotat":                           `did you mean "rotate"? (stages:`,
		"zzz":                             `unknown stage "zzz" (stages:`,
	} {
		file := "version: 1\nsource: {folder: {path: x}}\nstages:\n  - " + written + ": {p: 0.5}\n"
		_, err := pipefile.Parse("p.yaml", []byte(file), "", catalogs)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: %v\nwant %q in it, and one line", written, err, want)
		}
	}
	if _, err := pipefile.HelpOn("RandomHorizontalFlip", catalogs); err == nil || !strings.Contains(err.Error(), `did you mean "flip"?`) {
		t.Errorf("help: %v", err)
	}
}

func TestForeignOptions(t *testing.T) {
	for line, want := range map[string]string{
		"stages: [rotate: {limit: 30}]":                                              `rotate: unknown option "limit": did you mean "degrees"? (options:`,
		"stages: [rotate: {degrees: 3, prob: 0.5}]":                                  `did you mean "p"?`,
		"stages: [rotate: {degrees: 3, border_mode: 0}]":                             `"border_mode": what the picture doesn't cover is of the colour fill (`,
		"stages: [flip: {always_apply: true}]":                                       `"always_apply": leave it out: `,
		"stages: [color_jitter: {brightness_limit: 0.2}]":                            `did you mean "brightness"? (`,
		"stages: [color_jitter: {hue_shift_limit: 20}]":                              `did you mean "hue"? - a share of the circle, at most 0.5 (`,
		"stages: [normalize: {means: imagenet, stdev: imagenet}]":                    `"stdev": did you mean "std"?`,
		"stages: [normalize: {mean: imagenet, std: imagenet, max_pixel_value: 255}]": `"max_pixel_value": mean and std are of pixels in 0..1: leave it out (`,
		"stages: [affine: {shift_limit: 0.1}]":                                       `did you mean "translate"?`,
		"stages: [resize: {longest_edge: 10, size: 5}]":                              `did you mean "max_size"? - it goes with size, the shorter side (`,
		"stages: [batch: {batch_size: 32}]":                                          `batch: unknown option "batch_size": did you mean "size"?`,
		"stages: [rebalance: {target: square_root, num_samples: 9}]":                 `did you mean "draws"?`,
		"source: {folder: {root: x}}":                                                `folder: unknown option "root": did you mean "path"?`,
		"source: {manifest: {path: x.csv, image_column: file}}":                      `did you mean "path_column"?`,
		"source: {coco: {annFile: x.json}}":                                          `coco: unknown option "annFile": did you mean "file"?`,
		"split: {test_size: 0.2}":                                                    `split: unknown option "test_size": did you mean "val"?`,
		"transforms: [decode]":                                                       `unknown key "transforms": did you mean "stages"? (keys:`,
		"batch_size: 3":                                                              `unknown key "batch_size": it is a stage: write it under stages (keys:`,
		"num_workers: 3":                                                             `unknown key "num_workers": it is a flag of the command`,
	} {
		file := "version: 1\n" + line + "\n"
		_, err := pipefile.Parse("p.yaml", []byte(file), "", pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog, Sinks: sinks.Catalog})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %q in it", line, err, want)
		}
	}
}
