package flow_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// held is a source in memory, now and then slow.
type held struct {
	index *schema.Table
	files [][]byte
	slow  time.Duration // at most, of a quarter of the reads
}

func (*held) Name() string                                    { return "held" }
func (*held) Check() error                                    { return nil }
func (h *held) Open(context.Context) (sources.Dataset, error) { return h, nil }
func (h *held) Index() schema.Index                           { return h.index }
func (*held) Close() error                                    { return nil }

func (h *held) Read(_ context.Context, sample int, buf []byte) ([]byte, error) {
	if h.slow > 0 {
		pause(h.slow)
	}
	return append(buf[:0], h.files[sample]...), nil
}

// sample is a file with its labels.
type sample struct {
	key    string
	data   []byte
	labels [2]int32
}

// hold makes a source of samples, sorted by key.
func hold(list []sample) *held {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b sample) int { return strings.Compare(a.key, b.key) })
	h := &held{index: &schema.Table{Labels: make([][]int32, 2), TaskList: []schema.Task{
		{Name: "class", Classes: []string{"common", "middle", "rare"}}, {Name: "colour", Classes: []string{"dark", "light"}},
	}}}
	for _, s := range list {
		h.files = append(h.files, s.data)
		h.index.Keys = append(h.index.Keys, s.key)
		h.index.Sizes = append(h.index.Sizes, int64(len(s.data)))
		for t := range s.labels {
			h.index.Labels[t] = append(h.index.Labels[t], s.labels[t])
		}
	}
	return h
}

// album is small pictures of all sorts; broken ones are files that fail.
var album = sync.OnceValues(func() (list, broken []sample) {
	r := rand.New(rand.NewPCG(1, 2))
	add := func(name string, data []byte) {
		class := int32(0)
		switch n := len(list); {
		case n%9 == 8:
			class = 2
		case n%3 == 2:
			class = 1
		case n%7 == 6:
			class = schema.Unknown
		}
		list = append(list, sample{fmt.Sprintf("%02d-%s", len(list)*37%53, name), data, [2]int32{class, int32(len(list)%3) - 1}})
	}
	for range 18 {
		add("photo.jpg", encoded(photo(r, 9+r.IntN(24), 9+r.IntN(24)), r.IntN(2) == 0))
	}
	for _, size := range [][2]int{{1, 1}, {1, 17}, {19, 1}, {2, 3}, {16, 16}, {33, 14}} {
		add("checks.png", encoded(checks(size[0], size[1]), false))
	}
	for orientation := byte(2); orientation <= 8; orientation += 2 {
		add("turned.jpg", turned(encoded(photo(r, 20, 11), true), orientation))
	}
	grey := image.NewGray(image.Rect(0, 0, 12, 15))
	for i := range grey.Pix {
		grey.Pix[i] = uint8(5 * i)
	}
	add("grey.jpg", encoded(grey, true))
	whole := encoded(photo(r, 30, 30), true)
	for i, data := range [][]byte{whole[:len(whole)/2], []byte("<html>"), {}, whole[:3]} {
		broken = append(broken, sample{fmt.Sprintf("%02d-broken.jpg", 11*i), data, [2]int32{int32(i % 3), int32(i % 2)}})
	}
	return list, broken
})

func photo(r *rand.Rand, w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	a, b, c := r.IntN(12), r.IntN(12), uint8(r.IntN(256))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{uint8(a*x + b*y), c + uint8(r.IntN(30)), uint8(b*x - a*y), 255})
		}
	}
	return img
}

func checks(w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := uint8(255 * ((x + y) % 2))
			img.Set(x, y, color.RGBA{v, 255 - v, uint8(9 * x), 255})
		}
	}
	return img
}

func encoded(img image.Image, asJPEG bool) []byte {
	var b bytes.Buffer
	err := error(nil)
	if asJPEG {
		err = jpeg.Encode(&b, img, nil)
	} else {
		err = png.Encode(&b, img)
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

// turned puts an EXIF orientation into a JPEG file.
func turned(data []byte, orientation byte) []byte {
	exif := []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	exif = append(exif, orientation, 0, 0, 0, 0, 0, 0)
	return slices.Concat(data[:2], exif, data[2:])
}

// trial is a random pipeline.
type trial struct {
	seed   uint64
	pipe   *flow.Pipeline
	source *held
	batch  int  // its size
	scaled bool // there is a multiscale stage
	each   bool // every batch leaves in every scale
	quiet  bool // no quarantine file

	composed bool // the samples have objects, and no classes: rows may be made of several pictures
}

// newTrial draws pipelines until one is legal for its samples.
func newTrial(t testing.TB, seed uint64) *trial {
	t.Helper()
	r, err := rand.New(rand.NewPCG(seed, 0)), error(nil)
	for range 100 {
		c := randomTrial(r)
		plan, failed := c.pipe.Plan(t.Context(), flow.Workers(1))
		if err = failed; err == nil {
			c.seed, c.batch = seed, plan.Info().BatchSize
			plan.Close()
			return c
		}
	}
	t.Fatalf("no legal pipeline in 100: %v", err)
	return nil
}

func randomTrial(r *rand.Rand) *trial {
	list, broken := album()
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	list = list[:6+r.IntN(len(list)-6)]
	policy := []flow.Policy{flow.Fail, flow.Fail, flow.Skip, flow.Refill}[r.IntN(4)]
	s := flow.Settings{
		Seed: r.Uint64N(1000), Epochs: 1 + r.IntN(3), Params: r.IntN(2) == 0, Failures: flow.Failures{Policy: policy},
		Fuse: []flow.Fuse{flow.FuseFull, flow.FuseExact}[r.IntN(2)], Exec: []flow.Executor{flow.Fused, flow.Fused, flow.Reference}[r.IntN(3)],
	}
	if policy != flow.Fail {
		s.Failures.Max = flow.Limit{Share: 1}
		if r.IntN(8) == 0 {
			s.Failures.Max = flow.Limit{Count: int64(1 + r.IntN(8))}
		}
		list = append(list, broken[:1+r.IntN(len(broken))]...)
	} else if r.IntN(8) == 0 {
		list = append(list, broken[0])
	}
	c := &trial{source: hold(list), quiet: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		c.source.slow = 300 * time.Microsecond
	}
	if len(list)%3 == 0 {
		c.source.addColumns()
	}
	var source sources.Source = c.source
	if len(list)%3 != 0 && r.IntN(2) == 0 { // a column of those is called boxes, too
		source = withObjects(c.source, r)
		if c.composed = r.IntN(3) > 0; c.composed {
			c.source.index.TaskList, c.source.index.Labels = nil, nil
		}
	}
	steps := c.randomStages(r)
	c.pipe = flow.New(source, steps...)
	c.pipe.Settings = s
	return c
}

// withObjects gives the samples of a source boxes, polygons and keypoints.
func withObjects(h *held, r *rand.Rand) *annotated {
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a", "b"}, Polygons: true, Keypoints: []string{"left_eye", "right_eye"}, Mirrored: []int{1, 0}}
	a := &annotated{h, make([]schema.Targets, len(h.index.Keys))}
	table := &schema.TargetTable{Spec: spec, First: []int64{0}}
	for i := range a.targets {
		for id := range int64(r.IntN(4)) {
			x, y := 10*r.Float32(), 10*r.Float32()
			ring := starAt(float64(x), float64(y), 1+9*r.Float64(), r.Float64())
			o := schema.Object{Label: int32(r.IntN(2)), ID: id, Box: [4]float32(box(ring)), Keypoints: []float32{x, y, 2, x + 1, y, 1}}
			if r.IntN(3) > 0 {
				o.Polygon = [][]float32{ring}
			}
			a.targets[i].Objects = append(a.targets[i].Objects, o)
			table.Labels = append(table.Labels, o.Label)
		}
		table.First = append(table.First, int64(len(table.Labels)))
		table.Digests = append(table.Digests, [16]byte{byte(i)})
	}
	h.index.Targets = table
	return a
}

// recoloring are stages that change pixels where they are, with that p.
func recoloring(p stages.Probability) []stages.Stage {
	return []stages.Stage{
		stages.Grayscale{P: p},
		stages.Invert{P: p},
		stages.Solarize{Threshold: 99.5, P: p},
		stages.Posterize{Bits: 3, P: p},
		stages.Autocontrast{P: p},
		stages.Equalize{P: p},
		stages.Sharpness{Factor: stages.Factor{0, 3}, P: p},
		stages.GaussianBlur{KernelSize: 9, P: p},
		stages.GaussianNoise{Sigma: 0.05, P: p},
		stages.CoarseDropout{HoleWidthRange: stages.Range{1, 5}, HoleHeightRange: stages.Range{2, 4}, Fill: stages.Color{7, 7, 7}, P: p},
		stages.RandomErasing{Value: stages.Erased{90, 90, 90}, P: 0.7},
		stages.Gamma{Range: stages.Range{0.4, 2}, P: p},
	}
}

// randomStages is samplers and weights, spread among picture stages, then
// batches. Not all of it is legal.
func (c *trial) randomStages(r *rand.Rand) []stages.Stage {
	pick := func(chance int, list ...stages.Stage) []stages.Stage {
		if r.IntN(100) >= chance {
			return nil
		}
		s := list[r.IntN(len(list))]
		if r.IntN(4) == 0 {
			s = conditioned(r, s)
		}
		if r.IntN(8) == 0 {
			s = flow.WithID(fmt.Sprint("id", r.IntN(1000)), s)
		}
		return []stages.Stage{s}
	}
	early := slices.Concat(
		pick(20, stages.Filter{Task: "class", Drop: []string{"rare"}}, stages.Filter{Task: "colour", Keep: []string{"dark"}}, stages.Filter{DropKey: "checks"}),
		pick(20, stages.Take{Count: 5 + r.IntN(20)}, stages.Take{PerClass: 3, Task: "class"}),
		pick(70, stages.Shuffle{}, stages.Rebalance{Target: stages.SquareRoot, Task: stages.TaskNames{"class"}},
			stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class", "colour"}, Draws: int64(5 + r.IntN(30))},
			stages.Rebalance{Target: stages.Power, Power: 0.3, Task: stages.TaskNames{"colour"}, Draws: int64(5 + r.IntN(30))},
			stages.Rebalance{Target: stages.RepeatFactor(0.5, 1), Task: stages.TaskNames{"class"}},
			stages.Rebalance{Target: stages.EffectiveNumber(0.9), Task: stages.TaskNames{"class"}, Multiple: 1.5},
			stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}, Schedule: stages.Schedule{Over: 1}}),
		pick(25, stages.ClassWeights{Task: "class", Weights: stages.Weights{Rule: stages.InverseWeights}},
			stages.ClassWeights{Task: "class", Weights: stages.Weights{List: []float64{1, 2, 3}}}),
		pick(15, stages.ClassWeights{Task: "colour", Weights: stages.Weights{Rule: stages.EffectiveNumberWeights}, Beta: 0.9}),
	)
	mixers, chance := randomMixers(r), 40
	if c.composed {
		chance = 90
		early, mixers = pick(70, stages.Shuffle{}, stages.Rebalance{Target: stages.RepeatFactor(0.5, 1), Task: stages.TaskNames{"boxes"}}), randomComposers(r)
	}
	var list []stages.Stage
	form := r.IntN(10) // 0: encoded, 1: each row of its own size
	if form > 0 {
		list = append(list, stages.Decode{})
		for range r.IntN(6) {
			list = append(list, pick(100, randomPictureStages(r)...)...)
		}
	}
	if form > 1 {
		list = append(list, pick(100, randomSizes(r)...)...)
		list = append(list, pick(30, stages.Flip{P: 0.5, Task: "class", Classes: map[string]string{"rare": "middle"}, Never: []string{"common"}}, stages.ColorJitter{Brightness: stages.Factor{0.5, 1.5}}, stages.Rotate{Degrees: stages.Range{-9, 9}})...)
	}
	float := false
	if form > 0 && r.IntN(2) == 0 {
		float = r.IntN(4) > 0
		list = append(list, tensors(r, float)...)
		erased := stages.Erased{9, 9, 9}
		if float {
			erased = stages.ErasedByNoise
		}
		list = append(list, pick(30, stages.RandomErasing{Value: erased, P: 0.6})...)
	}
	for at, s := range early { // in their order, anywhere
		list = slices.Insert(list, at+r.IntN(len(list)+1-at), s)
	}
	if form == 1 {
		return list
	}
	list = append(list, stages.Batch{Size: 1 + r.IntN(9), DropLast: r.IntN(4) == 0})
	if form > 1 {
		list = append(list, pick(chance, mixers...)...)
		list = append(list, pick(20, mixers...)...)
	}
	if form > 1 && r.IntN(2) == 0 {
		list = append(list, c.scales(r, float)...)
	}
	return list
}

// conditioned puts conditions or a strength on a stage. Not all of it is legal.
func conditioned(r *rand.Rand, s stages.Stage) stages.Stage {
	w := stages.When{Stage: s}
	switch r.IntN(5) {
	case 0:
		w.Epochs = []stages.EpochSpan{{1, 0}, {0, 2}, {0, -1}, {-1, 0}}[r.IntN(4)]
	case 1:
		w.ClassCount = stages.ClassCount{Below: int64(2 + r.IntN(12)), Task: "class"}
	case 2:
		w.ClassCount = stages.ClassCount{AtLeast: int64(2 + r.IntN(12)), Task: "colour"}
	case 3:
		w.Strength = stages.Strength{By: stages.ByClassCount, From: r.Float64(), To: 1, Task: "class"}
	case 4:
		w.Strength = stages.Strength{By: stages.ByRepeat, From: r.Float64(), To: r.Float64(), Over: 1 + r.IntN(4)}
		if r.IntN(2) == 0 {
			w.Strength.Of = stages.OfP
		}
	}
	return w
}

func randomPictureStages(r *rand.Rand) []stages.Stage {
	filter := stages.Interpolation([]string{stages.Bilinear, stages.Bilinear, stages.Nearest}[r.IntN(3)])
	resizing := stages.ResizeInterpolation(stages.ResizeInterpolation("").Values()[r.IntN(5)])
	fill := stages.Color{uint8(r.IntN(256)), uint8(r.IntN(256)), 7}
	p := stages.Probability([]float64{0, 0, 0.5}[r.IntN(3)])
	antialias := stages.OnOff(r.IntN(2))
	low, side := float64(-40+r.IntN(40)), 4+r.IntN(20)
	return append(recoloring(p), []stages.Stage{
		stages.Rotate{Degrees: stages.Range{low, low + float64(1+r.IntN(60))}, Interpolation: filter, Fill: fill, Expand: r.IntN(3) == 0, P: p},
		stages.Rotate{Degrees: stages.Range{90, 90}, P: p},
		stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}, P: p},
		stages.Crop{Height: stages.Extent(0.4 + 0.5*r.Float64()), Width: 0.7, P: p},
		stages.Crop{Size: stages.Extent(1 + r.IntN(8))}, // does not fit into pictures of one pixel
		stages.CenterCrop{Size: 0.9},
		stages.Flip{P: 0.5},
		stages.Flip{P: 0.5, Direction: stages.Vertical},
		stages.RandomResizedCrop{Height: side, Width: 4 + r.IntN(20), Interpolation: resizing, Antialias: antialias, P: p},
		stages.Resize{Size: 2 + r.IntN(9), Interpolation: resizing, Antialias: antialias},
		stages.Resize{Height: side, Width: 1 + r.IntN(25), Interpolation: resizing, Antialias: antialias},
		stages.Resize{Size: side, MaxSize: side + 1 + r.IntN(9), Interpolation: resizing, Antialias: antialias},
		stages.RandomShortestSize{Min: []int{5, side, 11}, Max: 30, Interpolation: resizing, Antialias: antialias},
		stages.ScaleJitter{Target: [2]int{side, 20}, Range: stages.Range{0.3, 2}, Interpolation: resizing, Antialias: antialias},
		stages.Pad{Padding: stages.Padding{r.IntN(5), 1, 0, r.IntN(30)}, Mode: stages.PadReflect},
		stages.Pad{Size: [2]int{side, 30}, Fill: fill, At: stages.TopLeft},
		stages.Pad{Multiple: 2 + r.IntN(16), Mode: stages.PadEdge},
		stages.Letterbox{Height: side, Width: 9 + r.IntN(20), Fill: &fill, Interpolation: resizing, Antialias: antialias, ScaleUp: stages.OnOff(r.IntN(2))},
		stages.RandomZoomOut{SideRange: stages.Range{1, 2.5}, Fill: fill, P: 0.7},
		stages.RandomIoUCrop{}, // without objects: the picture as it is
		stages.SanitizeBoxes{},
		stages.Affine{Degrees: stages.Range{-10, 10}, Scale: stages.Range{0.5, 1.5}, Translate: [2]float64{0.2, 0}, Interpolation: filter, Fill: fill, P: p},
		stages.Affine{Shear: stages.Shear{-20, 20, 0, 10}, Interpolation: filter, P: p},
		stages.Perspective{DistortionScale: 0.3, Interpolation: filter, Fill: fill, P: p},
		stages.RandAugment{NumOps: 1 + r.IntN(4), Magnitude: 30 * (0.1 + 0.9*r.Float64()), Interpolation: filter, Fill: &fill, P: p},
		stages.RandAugment{Timm: []string{"rand-m9-mstd0.5-inc1", "rand-m7-n4-p1-mstd101"}[r.IntN(2)], Interpolation: filter},
		stages.OneOf{Stages: stages.StageList{stages.Flip{P: 1}, stages.Rotate{Degrees: stages.Range{-20, 20}, Interpolation: filter}, stages.Equalize{}, stages.Crop{Size: 0.8}}, P: p},
		stages.SomeOf{Stages: stages.StageList{stages.Invert{}, stages.TrivialAugmentWide{}, stages.CenterCrop{Size: 0.7}, stages.Posterize{P: 0.5}}, N: 2, P: p},
		stages.TrivialAugmentWide{Interpolation: filter, Fill: fill, P: p},
		stages.ColorJitter{Brightness: stages.Factor{0.5, 1.5}, P: p},
		stages.ColorJitter{Saturation: stages.Factor{0, 2}, Hue: stages.Range{-0.2, 0.2}, P: p},
		stages.ColorJitter{Contrast: stages.Factor{0.5, 1.5}, Brightness: stages.Factor{0.9, 1.1}, P: p},
	}...)
}

func randomMixers(r *rand.Rand) []stages.Stage {
	per := []stages.MixDraws{stages.PerBatch, stages.PerRow}[r.IntN(2)]
	p := stages.Probability([]float64{0, 0.5}[r.IntN(2)])
	return []stages.Stage{
		stages.MixUp{Alpha: 0.2 + r.Float64(), Per: per, P: p},
		stages.CutMix{Per: per, P: p},
		stages.Remix{Kappa: 2, Per: per, P: p},
		stages.CMO{Per: per, P: 0.5, Task: "class", Exponent: 0.5 + r.Float64()},
		stages.When{Stage: stages.CMO{Per: per, P: 1, Task: "colour"}, Epochs: stages.EpochSpan{1, 0}},
	}
}

// randomComposers make rows of several pictures, with their objects.
func randomComposers(r *rand.Rand) []stages.Stage {
	p := stages.Probability([]float64{0, 0.5}[r.IntN(2)])
	return []stages.Stage{
		stages.Mosaic{P: p, Center: stages.Range{0, 1}},
		stages.Mosaic{P: p, Donors: stages.ClassBalanced},
		stages.CopyPaste{P: p, Number: r.IntN(3), Below: []int64{0, 0, 7}[r.IntN(3)]},
		stages.CopyPaste{P: p, ObjectP: 0.8, Scale: stages.Range{0.3, 2}, Sigma: float64(r.IntN(2)), Donors: stages.RepeatFactor(0.9, 1)},
		stages.When{Stage: stages.CopyPaste{P: p}, Epochs: stages.EpochSpan{0, -1}},
		stages.When{Stage: stages.Mosaic{P: p}, Epochs: stages.EpochSpan{1, 0}},
	}
}

// randomSizes make all rows of one size.
func randomSizes(r *rand.Rand) []stages.Stage {
	return []stages.Stage{
		stages.Resize{Height: 1 + r.IntN(20), Width: 1 + r.IntN(20)},
		stages.Resize{Height: 8, Width: 12, Interpolation: stages.Lanczos},
		stages.RandomResizedCrop{Size: 2 + r.IntN(16)},
		stages.CenterCrop{Height: 1, Width: 1},
		stages.Letterbox{Size: 1 + r.IntN(20), ScaleUp: stages.OnOff(r.IntN(2))},
	}
}

func tensors(r *rand.Rand, float bool) []stages.Stage {
	if !float {
		return []stages.Stage{stages.ToTensor{DType: stages.Uint8}}
	}
	normalize := stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}
	if r.IntN(4) == 0 {
		normalize = stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}
	}
	list := []stages.Stage{stages.ToTensor{Layout: []stages.Layout{stages.CHW, stages.HWC}[r.IntN(2)]}, normalize, stages.Normalize{Std: stages.Std{0.5, 1, 0.1}}}
	return list[:1+r.IntN(3)]
}

func (c *trial) scales(r *rand.Rand, float bool) []stages.Stage {
	m := stages.MultiScale{
		Scales: [][]float64{{0.5, 1, 1.5}, {1, 2}, {0.7}, {1.25, 0.75, 1, 0.6}}[r.IntN(4)],
		PickBy: []stages.Pick{stages.Each, stages.Each, stages.Cycle, stages.Random}[r.IntN(4)],
	}
	if float && r.IntN(2) == 0 {
		m.Mode = stages.Bilinear
	}
	c.scaled, c.each = true, m.PickBy == stages.Each
	return []stages.Stage{m}
}

// yaml is a pipeline as a file, over a folder.
func yaml(pipe *flow.Pipeline) ([]byte, error) {
	shown := flow.New(sources.Folder{Path: "data"}, pipe.Stages...)
	shown.Settings.Seed, shown.Settings.Epochs, shown.Settings.Fuse = pipe.Settings.Seed, pipe.Settings.Epochs, pipe.Settings.Fuse
	return pipefile.Format(shown, pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog})
}
