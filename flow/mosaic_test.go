package flow_test

import (
	"bytes"
	"encoding/json"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// part is one of the four pictures of a mosaic.
type part struct {
	key  string
	area image.Rectangle
	from image.Point
}

// tilesOf reads a row's params.
func tilesOf(t *testing.T, key, params string, height, width int) []part {
	t.Helper()
	var all struct {
		Mosaic struct {
			Donors []struct{ Donor string }
			Center [2]int
		}
	}
	if err := json.Unmarshal([]byte(params), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Mosaic.Donors) != 3 {
		return []part{{key, image.Rect(0, 0, width, height), image.Point{}}}
	}
	x, y := all.Mosaic.Center[0], all.Mosaic.Center[1]
	d := all.Mosaic.Donors
	return []part{
		{key, image.Rect(0, 0, x, y), image.Pt(width-x, height-y)}, {d[0].Donor, image.Rect(x, 0, width, y), image.Pt(0, height-y)},
		{d[1].Donor, image.Rect(0, y, x, height), image.Pt(width-x, 0)}, {d[2].Donor, image.Rect(x, y, width, height), image.Pt(0, 0)},
	}
}

// unlabelled is a source without tasks.
func unlabelled(a *annotated) *annotated {
	a.index.TaskList, a.index.Labels = nil, nil
	return a
}

// plainRow is a picture and a mask without a mosaic.
type plainRow struct{ pixels, mask []byte }

// Every pixel of a mosaic, of its mask too, is that of the part that lies there; an object of each
// part is there if enough of its mask is, with the box and the area of what is seen.
func TestMosaic(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := rand.New(rand.NewPCG(5, 5))
	var files [][]byte
	var targets []schema.Targets
	for range 10 {
		f, tg := scene(t, r, false)
		files, targets = append(files, f), append(targets, tg)
	}
	const height, width = 240, 300
	source := unlabelled(annotate(sceneSpec, files, targets))
	before := []stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.CenterCrop{Height: height, Width: width}, stages.Batch{Size: 4}}
	plain := map[string]plainRow{}
	for b, err := range flow.New(source, before...).Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for row := range b.Rows() {
			mask, _, _ := b.Mask(row)
			plain[b.Key(row)] = plainRow{bytes.Clone(b.Picture(row).U8), bytes.Clone(mask)}
		}
	}
	donors := map[string]int{}
	seen, whole := 0, 0
	first := []record(nil)
	for _, workers := range []int{1, 3} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		pipe := flow.New(source, append(slices.Clone(before), stages.Mosaic{P: 0.8})...)
		opts := []flow.Option{flow.WithParams(), flow.Epochs(3), flow.Workers(workers), flow.Allocator(mem)}
		if records := recordsOf(t, pipe, opts...); first == nil {
			first = records
		} else if !equalRecords(first, records) {
			t.Error("other bytes with other workers")
		}
		for b, err := range pipe.Batches(t.Context(), opts...) {
			if err != nil {
				t.Fatal(err)
			}
			for row := range b.Rows() {
				mask, _, _ := b.Mask(row)
				parts := tilesOf(t, b.Key(row), b.Params(row), height, width)
				if len(parts) == 1 {
					whole++
				}
				for _, p := range parts[1:] {
					donors[p.key]++
				}
				checkParts(t, parts, plain, plainRow{b.Picture(row).U8, mask}, width)
				objects, err := b.Objects(row)
				if err != nil {
					t.Fatal(err)
				}
				seen += checkObjects(t, parts, plain, mask, objects, width)
			}
		}
		mem.AssertSize(t, 0)
	}
	if len(donors) != len(files) || whole < 4 || whole > 30 || seen < 300 {
		t.Errorf("donors %v, %d rows that are no mosaics, %d objects", donors, whole, seen)
	}
	checkRows(t, flow.New(source, append(slices.Clone(before), stages.Mosaic{P: 0.8})...), flow.WithParams())
	report, err := flow.New(source, append(slices.Clone(before), stages.Mosaic{})...).Run(t.Context(), &sink{})
	if err != nil {
		t.Fatal(err)
	}
	var total flow.ObjectExposure
	for _, o := range report.Objects {
		total.Seen += o.Seen
		total.Delivered += o.Delivered
	}
	if total.Seen != 4*10*sceneObjects || total.Delivered < 40 || total.Delivered > 160 {
		t.Errorf("%d objects were seen, %d delivered", total.Seen, total.Delivered)
	}
}

func checkParts(t *testing.T, parts []part, plain map[string]plainRow, have plainRow, width int) {
	t.Helper()
	for _, p := range parts {
		from := plain[p.key]
		for y := p.area.Min.Y; y < p.area.Max.Y; y++ {
			for x := p.area.Min.X; x < p.area.Max.X; x++ {
				out, in := y*width+x, (p.from.Y+y-p.area.Min.Y)*width+p.from.X+x-p.area.Min.X
				if have.mask[out] != from.mask[in] || !bytes.Equal(have.pixels[3*out:3*out+3], from.pixels[3*in:3*in+3]) {
					t.Fatalf("pixel %d, %d of a mosaic isn't that of %s, at %v", x, y, p.key, p.area)
				}
			}
		}
	}
}

// checkObjects compares the objects with the mask, which says who is where: 1 + number of the object.
func checkObjects(t *testing.T, parts []part, plain map[string]plainRow, mask []byte, objects []schema.Object, width int) int {
	t.Helper()
	used := make([]bool, len(objects))
	for _, p := range parts {
		for i := range byte(sceneObjects) {
			box, n, before := image.Rectangle{}, 0, bytes.Count(plain[p.key].mask, []byte{1 + i})
			for y := p.area.Min.Y; y < p.area.Max.Y; y++ {
				for x := p.area.Min.X; x < p.area.Max.X; x++ {
					if mask[y*width+x] == 1+i {
						box, n = box.Union(image.Rect(x, y, x+1, y+1)), n+1
					}
				}
			}
			at := slices.IndexFunc(objects, func(o schema.Object) bool {
				c := image.Pt(int(o.Box[0]+o.Box[2])/2, int(o.Box[1]+o.Box[3])/2)
				return o.ID == 1000+int64(i) && c.In(p.area)
			})
			share := float64(n) / float64(max(before, 1))
			switch {
			case at < 0 && share > 0.13 && n > 60:
				t.Errorf("object %d of %s is missing: %d of %d pixels are seen", i, p.key, n, before)
			case at < 0:
			case n < 3 || share < 0.07:
				t.Errorf("object %d of %s is there, and %d of %d pixels are seen", i, p.key, n, before)
			default:
				o := objects[at]
				used[at] = true
				for k, v := range []int{box.Min.X, box.Min.Y, -box.Max.X, -box.Max.Y} {
					outward := float64(v) - math.Abs(float64(o.Box[k]))*float64(1-k/2*2)
					if outward < -1 || outward > 15 { // thin parts of a star cover no pixel's centre
						t.Errorf("object %d of %s has the box %v, its mask %v", i, p.key, o.Box, box)
						break
					}
				}
				if d := float64(o.Area) - float64(n); d < -0.1*float64(n)-25 || d > 0.1*float64(n)+25 {
					t.Errorf("object %d of %s has the area %v, its mask %d", i, p.key, o.Area, n)
				}
				if o.Label != int32(i%2) || len(o.Polygon) == 0 {
					t.Errorf("object %d of %s: %+v", i, p.key, o)
				}
			}
		}
	}
	if slices.Contains(used, false) {
		t.Errorf("objects that are in no part: %v of %+v", used, objects)
	}
	return len(objects)
}

// Donors are drawn by their rarest class where that is said.
func TestMosaicDonors(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	var files [][]byte
	var targets []schema.Targets
	for i := range 12 {
		f, tg := scene(t, r, true)
		for o := range tg.Objects {
			tg.Objects[o].Label = 0
		}
		if i == 7 { // the only one with the rare class
			tg.Objects[0].Label = 1
		}
		files, targets = append(files, f), append(targets, tg)
	}
	source := unlabelled(annotate(sceneSpec, files, targets))
	share := func(donors stages.Target) float64 {
		rare, all := 0, 0
		pipe := flow.New(source, stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 24, Width: 30}, stages.Batch{Size: 4}, stages.Mosaic{Donors: donors})
		for b, err := range pipe.Batches(t.Context(), flow.WithParams(), flow.Epochs(5)) {
			if err != nil {
				t.Fatal(err)
			}
			for row := range b.Rows() {
				for _, p := range tilesOf(t, b.Key(row), b.Params(row), 24, 30)[1:] {
					if all++; strings.HasPrefix(p.key, "0007") {
						rare++
					}
				}
			}
		}
		if all != 5*12*3 {
			t.Fatalf("%d donors", all)
		}
		return float64(rare) / float64(all)
	}
	if have := share(""); have < 0.07 || have > 0.1 {
		t.Errorf("of a twelfth of the pictures come %.3f of the donors", have)
	}
	// 12 pictures have the common class, 11 of them no other: their weights are 11 * 1/12 and 1.
	if have, want := share(stages.ClassBalanced), 12./23; math.Abs(have-want) > 1./180 {
		t.Errorf("of the picture with the rare class come %.3f of the donors, want %.3f", have, want)
	}
}

// What has labels of single pictures, and what has no objects, is refused.
func TestMosaicRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	f, tg := scene(t, r, true)
	labelled := annotate(sceneSpec, [][]byte{f}, []schema.Targets{tg})
	list, _ := album()
	bare := hold(list)
	for want, pipe := range map[string]*flow.Pipeline{
		"leave the task out of the source (tasks: [] there": flow.New(labelled, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 2}, stages.Mosaic{}),
		"put batch before it":                               flow.New(labelled, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Mosaic{}),
		"it makes one picture of several, with their objects and masks, and the source (held) has none: read them": flow.New(bare, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 2}, stages.Mosaic{}),
		"center: ":         flow.New(labelled, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 2}, stages.Mosaic{Center: stages.Range{0.5, 2}}),
		"donors: target: ": flow.New(labelled, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 2}, stages.Mosaic{Donors: "rare"}),
	} {
		plan, err := pipe.Plan(t.Context())
		if err == nil {
			plan.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, have %v", want, err)
		}
	}
}
