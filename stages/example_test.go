package stages_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

// Zoom is a Warper as another module would write it: an option struct, what it draws,
// and the transform for a draw. It computes no pixel itself, so the engine may merge it
// with the rotation before it and the resize after it.
type Zoom struct {
	Most float64 `sluice:"most" doc:"the largest factor, at least 1"`
}

// ZoomParams is what the params column shows of a row.
type ZoomParams struct {
	Factor float64 `json:"factor"`
}

func (Zoom) Name() string { return "zoom" }
func (Zoom) Version() int { return 1 }

func (z Zoom) Check() error {
	if !(z.Most >= 1) {
		return errors.New("most: give a factor of at least 1, such as 1.5")
	}
	return nil
}

func (z Zoom) Draw(row *stages.Row) (stages.Params, error) {
	return stages.Recycle(row, ZoomParams{row.Rand.Uniform(1, z.Most)}), nil
}

func (Zoom) Output(in schema.Tensor) (schema.Tensor, error) { return in, stages.CheckWarpable(in) }

func (Zoom) Warp(params stages.Params, height, width int) stages.Transform {
	f := params.(*ZoomParams).Factor
	cx, cy := float64(width-1)/2, float64(height-1)/2
	matrix := stages.Translation(-cx, -cy) // from a pixel of the output to a point of the input
	matrix = matrix.Then(stages.Matrix{1 / f, 0, 0, 0, 1 / f, 0}).Then(stages.Translation(cx, cy))
	return stages.AffineTransform(matrix, height, width, stages.Bilinear, stages.Color{})
}

// The engine makes the Row that a draw depends on; here it is made by hand.
func Example() {
	var stage stages.Warper = Zoom{Most: 3}
	key := stages.RandKey{Seed: 1, Stage: 7}
	for position := range int64(3) {
		row := &stages.Row{Height: 101, Width: 201, Position: position, Rand: key.Stream(0, position, 0)}
		params, err := stage.Draw(row)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := json.Marshal(params)
		t := stage.Warp(params, row.Height, row.Width)
		x, y := t.Matrix.Apply(0, 0)
		fmt.Printf("%s: the first pixel shows the point (%.1f, %.1f)\n", text, x, y)
	}
	// Output:
	// {"factor":2.842983468979141}: the first pixel shows the point (64.8, 32.4)
	// {"factor":2.62868621973477}: the first pixel shows the point (62.0, 31.0)
	// {"factor":2.5834165293848645}: the first pixel shows the point (61.3, 30.6)
}

// Check reports all mistakes at once.
func ExampleStage_check() {
	err := stages.RandomResizedCrop{Size: -1, Scale: stages.Range{0.5, 2}, Interpolation: "cubic"}.Check()
	fmt.Println(err)
	// Output:
	// size: -1 pixels: give 1 to 1048576
	// interpolation: "cubic" is none of nearest, bilinear, bicubic, lanczos, box
	// scale: [0.5, 2] is not within 0 to 1, the whole picture
}

// A pixel-wise stage is a function of the pixel. Values of uint8 pictures are 0..255.
func ExamplePixelwise() {
	toTensor := stages.ToTensor{}.PixelFunc(stages.Nothing{})
	normalize := stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}.PixelFunc(stages.Nothing{})
	for _, level := range []float32{0, 255} {
		fmt.Printf("%.2f\n", normalize.Map(toTensor.Map([3]float32{level, level, level})))
	}
	// Output:
	// [-2.12 -2.04 -1.80]
	// [2.25 2.43 2.64]
}

// The type of the pictures after each stage is known before there is a picture. A side
// printed as h or w varies from row to row.
func ExamplePictureStage_output() {
	t := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC}
	var err error
	for _, stage := range []stages.PictureStage{stages.Resize{Size: 256}, stages.CenterCrop{Size: 224}, stages.ToTensor{}} {
		if t, err = stage.Output(t); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %v\n", stage.Name(), t)
	}
	_, err = stages.Normalize{}.Output(schema.Tensor{DType: schema.Uint8, Layout: schema.HWC})
	fmt.Println(err)
	// Output:
	// resize: uint8[h,w,3]
	// center_crop: uint8[224,224,3]
	// to_tensor: float32[3,224,224]
	// needs float32, has uint8[h,w,3]: add to_tensor before it
}

// table is six samples, four of them cats.
func table() *schema.Table {
	return &schema.Table{
		TaskList: []schema.Task{{Name: "animal", Classes: []string{"cat", "dog", "emu"}}},
		Keys:     []string{"a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"},
		Sizes:    []int64{1000, 1000, 1000, 1000, 1000, 1000},
		Labels:   [][]int32{{0, 0, 0, 0, 1, 2}},
	}
}

// Samplers act on the index; each gets the selection that the one before it made.
func ExampleSampler() {
	index, key := table(), stages.RandKey{Seed: 42, Stage: 1}
	all := stages.Selection{0, 1, 2, 3, 4, 5}

	order, err := stages.Filter{Drop: []string{"emu"}}.Sample(all, index, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("filter leaves", order)

	order, err = stages.Rebalance{Target: stages.ClassBalanced, Draws: 8}.Sample(order.(stages.Selection), index, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	for epoch := range 2 {
		draws := map[string]int{}
		for position := range order.Len() {
			draws[index.Tasks()[0].Classes[index.Label(0, order.At(epoch, position))]]++
		}
		fmt.Println("epoch", epoch, draws)
	}
	// Output:
	// filter leaves [0 1 2 3 4]
	// epoch 0 map[cat:4 dog:4]
	// epoch 1 map[cat:4 dog:4]
}

// A Weigher gets the index of the samples, and then the labels of each row.
func ExampleWeigher() {
	stage := stages.ClassWeights{Weights: stages.Weights{Rule: stages.InverseWeights}}
	weigh, err := stage.Weigh(table())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(weigh([]int32{0}), weigh([]int32{1}), weigh([]int32{schema.Unknown}))
	// Output:
	// 0.5 2 1
}

// Multiscale delivers a batch in several sizes.
func ExampleExpander() {
	stage := stages.MultiScale{Scales: []float64{0.5, 1}}
	variants, err := stage.Variants(schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Channels: 3, Height: 224, Width: 224})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range variants {
		fmt.Println(v.Scale, v.Tensor)
	}
	// Output:
	// 0.5 float32[3,112,112]
	// 1 float32[3,224,224]
}

// A draw depends on its seed and position, not on when it is made.
func ExampleRow() {
	key := stages.RandKey{Seed: 42, Stage: 3}
	stage := stages.Rotate{Degrees: stages.Range{-30, 30}}
	for _, position := range []int64{5, 2, 5} {
		params, err := stage.Draw(&stages.Row{Height: 375, Width: 500, Position: position, Rand: key.Stream(0, position, 0)})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d: %.3f\n", position, params.(*stages.RotateParams).Degrees)
	}
	// Output:
	// 5: -2.157
	// 2: -22.254
	// 5: -2.157
}

// Transforms map pixels of the output to points of the input.
func ExampleTransform() {
	show := func(name string, t stages.Transform, height, width int) {
		x, y, _ := t.Homography().Apply(0, 0)
		fmt.Printf("%s: %dx%d, the first pixel shows (%g, %g); %v\n", name, t.Height, t.Width, x, y, t.Check(height, width))
	}
	show("crop", stages.CropTransform(image.Rect(10, 20, 110, 120)), 200, 300)
	show("flip", stages.FlipTransform(200, 300, stages.Horizontal), 200, 300)
	show("resize", stages.ResizeTransform(200, 300, 100, 150, stages.Bilinear, true), 200, 300)
	show("crop and resize", stages.CropResizeTransform(image.Rect(10, 20, 110, 120), 50, 50, stages.Bilinear, true), 200, 300)
	turn := stages.Rotation(90, 150, 100)
	show("turn", stages.AffineTransform(turn, 200, 300, stages.Bilinear, stages.Color{}), 200, 300)
	show("beyond", stages.CropTransform(image.Rect(300, 0, 310, 10)), 200, 300)
	// Output:
	// crop: 100x100, the first pixel shows (10, 20); <nil>
	// flip: 200x300, the first pixel shows (299, 0); <nil>
	// resize: 100x150, the first pixel shows (0.5, 0.5); <nil>
	// crop and resize: 50x50, the first pixel shows (10.5, 20.5); <nil>
	// turn: 200x300, the first pixel shows (250, -50); <nil>
	// beyond: 10x10, the first pixel shows (300, 0); warp: clip (300,0)-(310,10) is empty or outside an input of 200x300 (height x width)
}

// The corners of a picture are moved; a quadrilateral that folds is refused.
func ExamplePerspectiveTransform() {
	corners := [4][2]float64{{10, 5}, {289, 0}, {299, 199}, {0, 189}}
	t, ok := stages.PerspectiveTransform(corners, 200, 300, stages.Bilinear, stages.Color{})
	x, y, _ := t.Homography().Apply(10, 5)
	fmt.Printf("%t: (10, 5) shows (%.0f, %.0f)\n", ok, x, y)

	corners[0], corners[2] = corners[2], corners[0]
	_, ok = stages.PerspectiveTransform(corners, 200, 300, stages.Bilinear, stages.Color{})
	fmt.Println(ok)
	// Output:
	// true: (10, 5) shows (0, 0)
	// false
}

func TestExampleStageConforms(t *testing.T) { stagetest.Picture(t, Zoom{Most: 1.7}) }

// What a letterbox does to a picture, and where a point of it comes from.
func ExampleLetterbox() {
	t := stages.Letterbox{Size: 640}.Warp(stages.Nothing{}, 1080, 1920)
	fmt.Println(t.Width, t.Height, "the picture at", t.Inset)
	x, y := t.Matrix.Apply(0, 140)
	fmt.Printf("pixel 0, 140 shows the point %g, %g\n", x, y)
	// Output:
	// 640 640 the picture at (0,140)-(640,500)
	// pixel 0, 140 shows the point 1, 1
}

// The engine hands an ObjectStage the objects of the picture that enters it, and asks which
// of them stay.
func ExampleRandomIoUCrop() {
	stage := stages.RandomIoUCrop{SamplerOptions: []float64{0.3}}
	objects := []stages.Object{{Box: [4]float64{20, 30, 200, 180}}, {Box: [4]float64{250, 10, 290, 40}}}
	key := stages.RandKey{Seed: 1, Stage: 7}
	for position := range int64(3) {
		params, err := stage.Draw(&stages.Row{Height: 240, Width: 320, Position: position, Rand: key.Stream(0, position, 0), Objects: objects})
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := json.Marshal(params)
		fmt.Println(string(text), stage.KeepObject(params, &objects[0]), stage.KeepObject(params, &objects[1]))
	}
	// Output:
	// {"x":21,"y":81,"width":100,"height":118} true false
	// {"x":46,"y":30,"width":264,"height":202} true false
	// {"x":78,"y":0,"width":147,"height":235} true false
}

// Rare classes are turned, but not in the last ten epochs; and jittered more than common ones.
func ExampleWhen() {
	list := []stages.When{
		{
			Stage:      stages.Rotate{Degrees: stages.Range{-30, 30}},
			ClassCount: stages.ClassCount{Below: 100}, Epochs: stages.EpochSpan{0, -10},
		},
		{
			Stage:    stages.ColorJitter{Brightness: stages.Around(0.4)},
			Strength: stages.Strength{By: stages.ByClassCount, From: 0.5, To: 1.5},
		},
	}
	for _, w := range list {
		fmt.Println(w.Name(), w.Text(), w.Check())
	}
	s := list[1].Strength
	for _, samples := range []int64{5000, 500, 50} {
		fmt.Printf("%d samples: %.2f\n", samples, s.OfClass(samples, 5000, 50))
	}
	// Output:
	// rotate when: {class_count: {below: 100}, epochs: [0, -10]} <nil>
	// color_jitter strength: {by: class_count, from: 0.5, to: 1.5} <nil>
	// 5000 samples: 0.50
	// 500 samples: 1.00
	// 50 samples: 1.50
}
