//go:build unix

package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// loadText reads the text of a pipeline, with or without its source.
func loadText(ask *Open) (*flow.Pipeline, error) {
	all := pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog}
	var pipe *flow.Pipeline
	var err error
	if ask.StagesOnly {
		pipe, err = pipefile.ParseStages("p", []byte(ask.Pipeline.Text), all)
	} else {
		pipe, err = pipefile.Parse("p", []byte(ask.Pipeline.Text), ask.Pipeline.Folder, all)
	}
	if err == nil {
		pipe.Settings.Params, pipe.Settings.Workers = ask.Params, ask.Workers
	}
	return pipe, err
}

// dots is a picture, as pixels and as a PNG file.
func dots(height, width, seed int) (pixels, file []byte) {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.NRGBA{uint8(x*seed + y), uint8(y * seed), uint8(x ^ y), 255}
			img.SetNRGBA(x, y, c)
			pixels = append(pixels, c.R, c.G, c.B)
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return pixels, b.Bytes()
}

// openStages asks for the stages of a pipeline without a source.
func openStages(t *testing.T, c *talker, text string, workers int) *stagesHead {
	t.Helper()
	ask, _ := json.Marshal(map[string]any{"pipeline": map[string]any{"text": text}, "params": true, "workers": workers})
	m := c.ask(kindStages, string(ask), nil)
	head := new(stagesHead)
	if err := json.Unmarshal(m.head, head); m.kind != kindResult || err != nil {
		t.Fatalf("%d %s", m.kind, m.head)
	}
	return head
}

const turned = "version: 1\nseed: 4\nstages: [decode, {rotate: {degrees: 30}}, {flip: {p: 0.5}}, "

// What is applied is what flow's Applier makes: files and pixels, one and several, in any number of workers.
func TestApply(t *testing.T) {
	for _, of := range []struct {
		stages string
		image  imageHas
	}{
		{turned + "{resize: {height: 6, width: 5}}, to_tensor, {batch: {size: 8}}]", imageHas{"float32", "chw", []int{3, 6, 5}, 0}},
		{turned + "{resize: {height: 6, width: 5}}]", imageHas{"uint8", "hwc", []int{6, 5, 3}, 0}},
		{turned + "]", imageHas{"uint8", "hwc", []int{0, 0, 3}, 0}},
		{"version: 1\nstages: [{decode: {mode: gray}}, {resize: {height: 6, width: 5}}]", imageHas{"uint8", "hwc", []int{6, 5, 1}, 0}},
		{"version: 1\nstages: [{decode: {mode: gray}}, {resize: {height: 6, width: 5}}, to_tensor]", imageHas{"float32", "chw", []int{1, 6, 5}, 0}},
	} {
		pipe, err := pipefile.ParseStages("p", []byte(of.stages), pipefile.Catalogs{Stages: stages.Catalog})
		if err != nil {
			t.Fatal(err)
		}
		applier, err := pipe.Applier(flow.WithParams())
		if err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{1, 3} {
			c := talkTo(t, Server{Load: loadText})
			if head := openStages(t, c, of.stages, workers); !slices.Equal(head.Image.Shape, of.image.Shape) || head.Image.DType != of.image.DType || head.Image.Layout != of.image.Layout || !head.Params || head.Measured {
				t.Errorf("%s: %+v", of.stages, head)
			}
			for _, n := range []int{1, 0, 7} {
				var ask struct {
					Images []given `json:"images"`
				}
				var body, want []byte
				var shapes [][]int
				var params []string
				for i := range n {
					pixels, file := dots(8+i, 9, i+1)
					g := given{Key: fmt.Sprint(i), Epoch: i % 2, Position: int64(40 * i), Bytes: len(file)}
					if i%2 == 1 {
						g.Shape, g.Bytes = []int{8 + i, 9, 3}, len(pixels)
						body = append(body, pixels...)
					} else {
						body = append(body, file...)
					}
					ask.Images = append(ask.Images, g)
					b, err := applier.Apply(t.Context(), file, flow.Draw{Epoch: g.Epoch, Position: g.Position})
					if err != nil {
						t.Fatal(err)
					}
					made, tensor := only(b)
					want = append(want, made...)
					shapes = append(shapes, rowShape(tensor))
					params = append(params, b.Params(0))
					b.Release()
				}
				text, _ := json.Marshal(ask)
				m := c.ask(kindApply, string(text), body)
				var have applied
				if err := json.Unmarshal(m.head, &have); m.kind != kindResult || err != nil {
					t.Fatalf("%d %s", m.kind, m.head)
				}
				if !bytes.Equal(m.body, want) || !slices.Equal(have.Params, params) || len(have.Images) != n {
					t.Errorf("%s: %d images in %d workers are other ones: %s", of.stages, n, workers, m.head)
				}
				for i, image := range have.Images {
					if !slices.Equal(image.Shape, shapes[i]) {
						t.Errorf("%s: image %d is %v, want %v", of.stages, i, image.Shape, shapes[i])
					}
				}
			}
		}
	}
}

// A grey picture is one of equal channels.
func TestApplyTakesGrey(t *testing.T) {
	c := talkTo(t, Server{Load: loadText})
	openStages(t, c, "version: 1\nstages: [decode]", 1)
	m := c.ask(kindApply, `{"images":[{"key":"g","bytes":6,"shape":[2,3,1]}]}`, []byte{1, 2, 3, 4, 5, 6})
	if want := []byte{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6}; m.kind != kindResult || !bytes.Equal(m.body, want) {
		t.Errorf("%s %d", m.head, m.body)
	}
}

// A source is opened only for its figures.
func TestStagesThatMeasure(t *testing.T) {
	folder := t.TempDir()
	for i := range 4 {
		_, file := dots(9, 9, i+2)
		class := filepath.Join(folder, "train", fmt.Sprint(i%2))
		if err := errors.Join(os.MkdirAll(class, 0o755), os.WriteFile(filepath.Join(class, fmt.Sprint(i, ".png")), file, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	const text = "version: 1\nsource: {folder: {path: train}}\nstages: [decode, {resize: {height: 4, width: 4}}, to_tensor, {normalize: {mean: dataset, std: dataset}}]"
	for name, at := range map[string]string{"there": folder, "missing": t.TempDir()} {
		c := talkTo(t, Server{Load: loadText})
		ask, _ := json.Marshal(map[string]any{"pipeline": map[string]any{"text": text, "folder": at}})
		m := c.ask(kindStages, string(ask), nil)
		if name == "missing" {
			if m.kind != kindError || !strings.Contains(string(m.head), "train") {
				t.Errorf("%s: %d %s", name, m.kind, m.head)
			}
			continue
		}
		if m.kind != kindResult || !strings.Contains(string(m.head), `"measured":true`) {
			t.Errorf("%s: %d %s", name, m.kind, m.head)
		}
		if m := c.ask(kindApply, `{"images":[{"bytes":16,"shape":[4,4,1]}]}`, make([]byte, 16)); m.kind != kindResult || len(m.body) != 4*3*16 {
			t.Errorf("%s: %d %s", name, m.kind, m.head)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	c := talkTo(t, Server{Load: loadText})
	refused := func(k kind, head string, body []byte, kind string, want ...string) {
		t.Helper()
		m := c.ask(k, head, body)
		var f failure
		if err := json.Unmarshal(m.head, &f); m.kind != kindError || err != nil || f.Kind != kind {
			t.Errorf("%s: want an error of kind %s, have %d %s", head, kind, m.kind, m.head)
		}
		for _, text := range want {
			if !strings.Contains(string(m.head), text) {
				t.Errorf("%s: want %q, have %s", head, text, m.head)
			}
		}
	}
	refused(kindApply, `{"images":[]}`, nil, failUsage, "no stages are open")
	openStages(t, c, "version: 1\nstages: [decode, {crop: {size: 4}}]", 2)
	refused(kindStages, `{"pipeline":{"text":"version: 1\nstages: [decode]"}}`, nil, failUsage, "has a pipeline")
	refused(kindApply, `{"images":[{"bytes":3}]}`, []byte("ab"), failUsage, "2 are left")
	refused(kindApply, `{"images":[{"bytes":-1}]}`, nil, failUsage)
	refused(kindApply, `{"images":[{"bytes":1}]}`, []byte("ab"), failUsage, "belong to no image")
	refused(kindApply, `{"pictures":[]}`, nil, failUsage, "unknown field")
	for _, shape := range []string{"[2,3]", "[0,3,3]", "[2,-3,3]", "[2,3,4]", "[2,3,2]", "[3,2,0]", "[4294967296,4294967296,3]", "[3074457345618258603,2,3]", "[2,3,1]", "[]"} {
		refused(kindApply, `{"images":[{"key":"odd","bytes":18,"shape":`+shape+`}]}`, make([]byte, 18), failUsage, "odd", "height, width and 3 or 1")
	}
	_, file := dots(9, 9, 3)
	refused(kindApply, fmt.Sprintf(`{"images":[{"bytes":%d},{"key":"b.jpg","epoch":2,"position":7,"bytes":4}]}`, len(file)), append(file, "junk"...), failSample,
		`"key":"b.jpg"`, `"epoch":2`, `"position":7`, `"stage":"decode"`)
	refused(kindApply, `{"images":[{"key":"small","bytes":12,"shape":[2,2,3]}]}`, make([]byte, 12), failSample, `"stage":"crop"`, "exceeds")
	refused(kindApply, `{"images":[{"epoch":-1,"bytes":1}]}`, []byte("a"), failEngine, "counted from 0")

	c = talkTo(t, Server{Load: loadText})
	refused(kindStages, `{"pipeline":{"text":"version: 1\nstages: [{batch: {size: 2}}]"}}`, nil, failPipeline, "no decode stage")
}

// Requests on one connection are under way at once, and each gets its answer.
func TestApplyAnswersInAnyOrder(t *testing.T) {
	c := talkTo(t, Server{Load: loadText})
	openStages(t, c, "version: 1\nstages: [decode]", 4)
	const n = 60
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range n {
			side := 1 + i*7%n
			head := map[string]any{"images": []given{{Bytes: side * side, Shape: []int{side, side, 1}}}}
			if err := writeMessage(c.conn, kindApply, uint32(1000+side), head, nil, make([]byte, side*side)); err != nil {
				t.Error(err)
			}
		}
	})
	seen := map[uint32]bool{}
	for range n {
		m, err := readMessage(c.conn, mostBody)
		if err != nil {
			t.Fatal(err)
		}
		side := int(m.id) - 1000
		if m.kind != kindResult || len(m.body) != 3*side*side || seen[m.id] {
			t.Errorf("%d: %d bytes, %s", m.id, len(m.body), m.head)
		}
		seen[m.id] = true
	}
	wait.Wait()
}

// A request that waits for its place ends with the session.
func TestApplyEndsWithItsSession(t *testing.T) {
	a := &applying{places: make(chan struct{}, 1)}
	a.places <- struct{}{}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errClosed)
	if err := a.all(ctx, make([]given, 2), make([]any, 2), make([]*schema.Batch, 2)); !errors.Is(err, errClosed) {
		t.Error(err)
	}
}
