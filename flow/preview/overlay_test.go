package preview_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/preview"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// annotated is a source in memory of pictures of 40x20 pixels with two objects and a mask.
type annotated struct{ index schema.Table }

func (*annotated) Name() string                                    { return "annotated" }
func (*annotated) Check() error                                    { return nil }
func (*annotated) Close() error                                    { return nil }
func (a *annotated) Index() schema.Index                           { return &a.index }
func (a *annotated) Open(context.Context) (sources.Dataset, error) { return a, nil }
func (*annotated) TargetBytes(int) int64                           { return 100 }

func encoded(pixels func(x, y int) uint8) []byte {
	img := image.NewGray(image.Rect(0, 0, 40, 20))
	for i := range img.Pix {
		img.Pix[i] = pixels(i%40, i/40)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

var plain = encoded(func(x, y int) uint8 { return uint8(5 * (x + y)) })

// halves are a mask: class 1 on the left, 2 on the right, and unknown in the last row.
var halves = encoded(func(x, y int) uint8 {
	if y == 19 {
		return schema.MaskIgnore
	}
	return uint8(1 + x/20)
})

func (*annotated) Read(_ context.Context, _ int, buf []byte) ([]byte, error) {
	return append(buf[:0], plain...), nil
}

func (*annotated) Targets(_ context.Context, sample int, t *schema.Targets) error {
	*t = schema.Targets{Height: 20, Width: 40, Mask: halves, Objects: []schema.Object{
		{Label: 0, ID: 7, Box: [4]float32{2, 3, 12, 13}, Polygon: [][]float32{{2, 3, 12, 3, 2, 13}}, Keypoints: []float32{4, 5, 2, 6, 7, 1, 0, 0, 0}},
		{Label: 1, Crowd: true, Box: [4]float32{30, 4, 39, 19}},
	}}
	return nil
}

func newAnnotated() *annotated {
	a := &annotated{}
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"<cat>", "dog"}, Polygons: true, Keypoints: []string{"nose", "tail", "ear"},
		Mask: true, MaskClasses: []string{"sky", "road", "tree"}}
	a.index.Targets = &schema.TargetTable{Spec: spec, First: []int64{0}}
	for i := range 3 {
		a.index.Keys, a.index.Sizes = append(a.index.Keys, fmt.Sprint(i, ".png")), append(a.index.Sizes, int64(len(plain)))
		t := a.index.Targets
		t.Labels, t.First, t.Digests = append(t.Labels, 0, 1), append(t.First, int64(2*i+2)), append(t.Digests, [16]byte{byte(i)})
	}
	return a
}

// TestOverlays: targets are drawn over both pictures, each in its own coordinates.
func TestOverlays(t *testing.T) {
	p := plan(t, flow.New(newAnnotated(), stages.Decode{}, stages.Flip{P: 1}, stages.Resize{Height: 40, Width: 80}, stages.ToTensor{}, stages.Batch{Size: 2}))
	var out bytes.Buffer
	report, err := preview.Page{Title: "objects", PerClass: 1}.Write(t.Context(), &out, p)
	if err != nil || report.Draws == 0 {
		t.Fatal(report, err)
	}
	if report.Classes != 2 || report.Draws != 2 || !strings.Contains(out.String(), `data-class="dog" data-before="3" data-after="3"`) {
		t.Errorf("%+v: want a draw for each class of objects, and their numbers", report)
	}
	_, figure, _ := strings.Cut(out.String(), `<figure class="draw"`)
	figure, _, _ = strings.Cut(figure, "</figure>")
	before, after, ok := strings.Cut(figure, `class="result"`)
	if !ok {
		t.Fatal("there is no second picture")
	}
	for where, c := range map[string]struct {
		text string
		want []string
	}{
		"before": {before, []string{
			`viewBox="0 0 40 20"`, `x="2" y="3" width="10" height="10"`, `<rect class="crowd" x="30" y="4" width="9" height="15"`,
			`points="2,3 12,3 2,13"`, "&lt;cat&gt;</text>", "dog</text>", "id 7", `cx="4" cy="5"`, `class="hidden" cx="6" cy="7"`, "<title>tail</title>",
		}},
		"after": {after, []string{
			`viewBox="0 0 80 40"`, `x="56" y="6" width="20" height="20"`, `<rect class="crowd" x="2" y="8" width="18" height="30"`,
			"&lt;cat&gt;</text>", `cx="72" cy="10"`, `class="hidden" cx="68" cy="14"`, "2 → 2 objects", "</i>tree", "</i>road", "</i>ignored",
		}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.text, want) {
				t.Errorf("%s: %s is missing in\n%s", where, want, regexp.MustCompile(`base64,[^"]*`).ReplaceAllString(c.text, ""))
			}
		}
		if n := strings.Count(c.text, "<circle"); n != 2 {
			t.Errorf("%s: %d keypoints, want the two that are there", where, n)
		}
	}
	if strings.Contains(before, "NaN") || strings.Contains(out.String(), "<cat>") {
		t.Error("a name isn't escaped")
	}
	left, right := maskColours(t, before), maskColours(t, after)
	if left[0] != right[1] || left[1] != right[0] || left[0] == left[1] || left[2] != right[2] {
		t.Errorf("the mask is %v before and %v after the flip", left, right)
	}
}

// maskColours are those of a mask at the left, at the right, and in the last row.
func maskColours(t *testing.T, text string) (out [3]string) {
	t.Helper()
	found := regexp.MustCompile(`class="mask" src="data:image/png;base64,([^"]+)"`).FindStringSubmatch(text)
	if found == nil {
		t.Fatal("there is no mask")
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(found[1], "&#43;", "+"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	for i, at := range []image.Point{{1, 1}, {b.Dx() - 2, 1}, {1, b.Dy() - 1}} {
		out[i] = fmt.Sprint(img.At(at.X, at.Y))
	}
	return out
}

// TestGroupsOfObjects: classes are in the order of their objects, as in the histogram, whatever
// the number of pictures that have them.
func TestGroupsOfObjects(t *testing.T) {
	a := newAnnotated()
	a.index.Targets.Labels, a.index.Targets.First = []int32{0, 1, 1, 1, 1, 0, 0}, []int64{0, 5, 6, 7}
	p := plan(t, flow.New(a, stages.Decode{}, stages.Batch{Size: 2, Sizes: stages.KeepSizes}))
	var out bytes.Buffer
	if _, err := (preview.Page{PerClass: 1}).Write(t.Context(), &out, p); err != nil {
		t.Fatal(err)
	}
	dog, cat := strings.Index(out.String(), "<h2>objects: dog"), strings.Index(out.String(), "<h2>objects: &lt;cat&gt;")
	if dog < 0 || cat < dog {
		t.Errorf("dog, of which there are more, is at %d, and cat at %d", dog, cat)
	}
}
