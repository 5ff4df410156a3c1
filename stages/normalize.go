package stages

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// Normalize computes (v - mean) / std of each float32 value, per channel and in
// float32, as torchvision's normalize does; size and layout stay. DatasetMean and
// DatasetStd stand for the mean and standard deviation of the pictures that the
// pipeline decodes: the plan measures them and replaces this stage by WithStats.
type Normalize struct {
	Mean Mean `sluice:"mean" doc:"imagenet, dataset (measured before the run), or [r, g, b] in 0..1"`
	Std  Std  `sluice:"std" doc:"imagenet, dataset (measured before the run), or [r, g, b] in 0..1"`
}

// Mean is the mean of each channel, R, G, B, of values in 0..1. In files: three
// numbers, imagenet, or dataset.
type Mean [3]float64

// Std is the standard deviation of each channel; in files as Mean.
type Std [3]float64

// The mean and standard deviation of ImageNet's training set that torchvision's
// models use, and placeholders for those of the data set.
var (
	ImageNetMean = Mean{0.485, 0.456, 0.406}
	ImageNetStd  = Std{0.229, 0.224, 0.225}
	DatasetMean  = Mean{-1, -1, -1}
	DatasetStd   = Std{-1, -1, -1}
)

const dataset = "dataset"

// Name is the stage's name in pipeline files.
func (Normalize) Name() string { return "normalize" }

// Version of the algorithm.
func (Normalize) Version() int { return 1 }

// Check reports impossible options.
func (n Normalize) Check() error {
	var errs []error
	for _, f := range n.Mean {
		if n.Mean != DatasetMean && !(f >= 0 && f <= 1) {
			errs = append(errs, errorf("mean", "%g is not in 0..1: divide figures of values 0..255 by 255", f))
		}
	}
	named := n.Std == DatasetStd || n.Std == ImageNetStd
	if n.Mean == (Mean{}) && named {
		errs = append(errs, errorf("mean", "missing: give imagenet, dataset or [r, g, b] in 0..1"))
	}
	for _, f := range n.Std {
		switch {
		case n.Std == (Std{}):
			return errlist.Join(append(errs, errorf("std", "missing: give imagenet, dataset or [r, g, b] in 0..1"))...)
		case n.Std == DatasetStd:
		case f == 0 || float32(f) == 0:
			errs = append(errs, errorf("std", "%g divides by zero: a constant channel cannot be normalized", f))
		case !(f > 0 && f <= 1):
			errs = append(errs, errorf("std", "%g is not in 0..1: divide figures of values 0..255 by 255", f))
		}
	}
	return errlist.Join(errs...)
}

// NeedsStats reports whether the pictures must be measured first.
func (n Normalize) NeedsStats() bool { return n.Mean == DatasetMean || n.Std == DatasetStd }

// WithStats is the stage with measured figures in place of dataset.
func (n Normalize) WithStats(mean, std [3]float64) Stage {
	if n.Mean == DatasetMean {
		n.Mean = mean
	}
	if n.Std == DatasetStd {
		n.Std = std
	}
	return n
}

// leastStd is below that of any real channel: photographs have about 0.2, X-rays and
// satellite pictures of low contrast 0.02.
const leastStd = 0.001

// Warn warns of a deviation so small that usual pixels become huge values.
func (n Normalize) Warn(Selection, schema.Index) []string {
	least := min(n.Std[0], n.Std[1], n.Std[2])
	if n.Std == DatasetStd || least >= leastStd {
		return nil
	}
	return []string{fmt.Sprintf("std is %g: pixels become numbers of up to %.0g, from which nothing can be learnt; std is in 0..1, about 0.2 for photographs", least, 1/least)}
}

// Draw has nothing to draw.
func (Normalize) Draw(*Row) (Params, error) { return Nothing{}, nil }

// Output is the input's type.
func (n Normalize) Output(in schema.Tensor) (schema.Tensor, error) {
	if in.DType != schema.Float32 {
		return in, fmt.Errorf("needs float32, has %s: add to_tensor before it", in)
	}
	if in.Gray() {
		return in, errlist.Join(oneValue("mean", n.Mean), oneValue("std", n.Std))
	}
	return in, nil
}

// oneValue refuses three different figures for pictures of one channel.
func oneValue(option string, v [3]float64) error {
	if v[0] == v[1] && v[1] == v[2] {
		return nil
	}
	return errorf(option, "%v is for three channels, and the pictures are grey (decode: {mode: gray}): give one number, or dataset to measure it", v)
}

// PixelFunc subtracts, then divides. A stage that still needs its figures has none.
func (n Normalize) PixelFunc(Params) PixelFunc {
	var mean, std [3]float32
	for c := range mean {
		mean[c], std[c] = float32(n.Mean[c]), float32(n.Std[c])
	}
	return PixelFunc{Separate: true, Map: func(rgb [3]float32) [3]float32 {
		for c := range rgb {
			rgb[c] = (rgb[c] - mean[c]) / std[c]
		}
		return rgb
	}}
}

// SetOption reads three numbers, imagenet or dataset.
func (m *Mean) SetOption(v any) error {
	return setChannels((*[3]float64)(m), v, map[string][3]float64{"imagenet": ImageNetMean, dataset: DatasetMean})
}

// SetOption reads three numbers, imagenet or dataset.
func (s *Std) SetOption(v any) error {
	return setChannels((*[3]float64)(s), v, map[string][3]float64{"imagenet": ImageNetStd, dataset: DatasetStd})
}

// OptionSchema describes the file form.
func (Mean) OptionSchema() map[string]any { return channelsSchema() }

// OptionSchema describes the file form.
func (Std) OptionSchema() map[string]any { return channelsSchema() }

// MarshalJSON writes a file form.
func (m Mean) MarshalJSON() ([]byte, error) {
	if m == DatasetMean {
		return json.Marshal(dataset)
	}
	return json.Marshal([3]float64(m))
}

// MarshalJSON writes a file form.
func (s Std) MarshalJSON() ([]byte, error) {
	if s == DatasetStd {
		return json.Marshal(dataset)
	}
	return json.Marshal([3]float64(s))
}

func setChannels(to *[3]float64, v any, names map[string][3]float64) error {
	wrong := fmt.Errorf("want imagenet, dataset or one or three numbers in 0..1, have %s", options.Have(v))
	if name, ok := v.(string); ok {
		known, ok := names[name]
		if !ok {
			return wrong
		}
		*to = known
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) == 1 {
		list = []any{list[0], list[0], list[0]}
	}
	if len(list) != 3 {
		return wrong
	}
	for i, item := range list {
		f, ok := number(item)
		if !ok || math.IsNaN(f) || f < 0 || f > 1 {
			return wrong
		}
		to[i] = f + 0 // -0 is 0: equal options have equal bytes
	}
	return nil
}

func channelsSchema() map[string]any {
	level := map[string]any{"type": "number", "minimum": 0, "maximum": 1}
	return map[string]any{"oneOf": []any{
		map[string]any{"enum": []any{"imagenet", dataset}},
		level,
		map[string]any{"type": "array", "minItems": 1, "maxItems": 1, "items": level},
		map[string]any{"type": "array", "minItems": 3, "maxItems": 3, "items": level},
	}}
}
