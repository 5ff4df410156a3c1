package flow_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// noisyScene is a scene whose picture is noise, so that each of its pixels is known again.
func noisyScene(t testing.TB, r *rand.Rand) ([]byte, schema.Targets) {
	t.Helper()
	_, targets := scene(t, r, false)
	img := image.NewNRGBA(image.Rect(0, 0, sceneWidth, sceneHeight))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.IntN(256)) | uint8(0xff*(i%4/3))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), targets
}

// finished is a row as it leaves.
type finished struct {
	pixels  []uint8
	floats  []float32
	mask    []byte
	objects []schema.Object
	params  string
}

func finishedRow(t testing.TB, b *schema.Batch, row int) finished {
	t.Helper()
	mask, _, _ := b.Mask(row)
	objects, err := b.Objects(row)
	if err != nil {
		t.Fatal(err)
	}
	p := b.Picture(row)
	return finished{bytes.Clone(p.U8), slices.Clone(p.F32), bytes.Clone(mask), objects, b.Params(row)}
}

// plainRows are the rows of an epoch by their keys.
func plainRows(t testing.TB, pipe *flow.Pipeline, opts ...flow.Option) map[string]finished {
	t.Helper()
	rows := map[string]finished{}
	for b, err := range pipe.Batches(t.Context(), opts...) {
		if err != nil {
			t.Fatal(err)
		}
		for row := range b.Rows() {
			rows[b.Key(row)] = finishedRow(t, b, row)
		}
	}
	return rows
}

// pastedText is what the params of a row say of copy_paste.
type pastedText struct {
	Donors []struct {
		Donor string
		Drawn struct {
			CopyPaste *struct{ Height, Width, Top, Left int } `json:"copy_paste"`
		}
	}
	Pasted []int64
}

func pastedOf(t testing.TB, params string) (p pastedText) {
	t.Helper()
	var all struct {
		CopyPaste pastedText `json:"copy_paste"`
	}
	if err := json.Unmarshal([]byte(params), &all); err != nil {
		t.Fatalf("%s: %v", params, err)
	}
	return all.CopyPaste
}

// inside tells whether a point lies in some ring of an object, and how far it is from all of them; at least, where
// it is beside the box.
func inside(o *schema.Object, x, y float64) (in bool, distance float64) {
	b := o.Box
	if d := max(float64(b[0])-x, float64(b[1])-y, x-float64(b[2]), y-float64(b[3])); d > 1 {
		return false, d
	}
	distance = math.Inf(1)
	for _, part := range o.Polygon {
		i, d := inRing(part, x, y)
		in, distance = in || i, min(distance, d)
	}
	return in, distance
}

const pastedSide = 200 // of the pictures of these tests

// checkPasted compares a row with what copy_paste is to make of two, point by point in float64. It
// returns how many pixels of the donor there are, and what became of the row's own objects.
func checkPasted(t *testing.T, have, own, donor finished, ids []int64, minVisibility float64, source []schema.Object) (pixels int, fates map[string]int) {
	t.Helper()
	fates = map[string]int{}
	var pasted []schema.Object
	for _, o := range donor.objects {
		if slices.Contains(ids, o.ID) {
			pasted = append(pasted, o)
		}
	}
	if len(pasted) != len(ids) {
		t.Fatalf("the donor has %d of the objects %v", len(pasted), ids)
	}
	covered := func(x, y float64) (in bool, distance float64) {
		distance = math.Inf(1)
		for i := range pasted {
			in1, d := inside(&pasted[i], x, y)
			in, distance = in || in1, min(distance, d)
		}
		return in, distance
	}
	for y := range pastedSide {
		for x := range pastedSide {
			in, distance := covered(float64(x)+0.5, float64(y)+0.5)
			if distance < 1./2048 {
				continue
			}
			from, at := own, y*pastedSide+x
			if in {
				pixels++
				from = donor
			}
			if have.mask[at] != from.mask[at] || !bytes.Equal(have.pixels[3*at:3*at+3], from.pixels[3*at:3*at+3]) {
				t.Fatalf("pixel %d %d: pasted %v, and it isn't that picture's", x, y, in)
			}
		}
	}
	if n := len(have.objects) - len(pasted); n < 0 || !equalObjects(have.objects[n:], pasted) {
		t.Fatalf("the last objects are %+v, want %+v", have.objects, pasted)
	}
	left := have.objects[:len(have.objects)-len(pasted)]
	for i := range own.objects {
		o := &own.objects[i]
		if at := slices.IndexFunc(left, func(l schema.Object) bool { return l.ID == o.ID }); at >= 0 {
			fates[checkLeft(t, o, &left[at], covered)]++
			continue
		}
		seen, before, _ := sampled(o, covered)
		from := source[slices.IndexFunc(source, func(s schema.Object) bool { return s.ID == o.ID })]
		visibility := float64(o.Area) / float64(schema.PolygonArea(from.Polygon[0])) * seen / before
		if seen > 3 && visibility > minVisibility+0.02 {
			t.Errorf("object %d is gone, and %.3f of it are seen", o.ID, visibility)
		}
		fates["gone"]++
	}
	return pixels, fates
}

// sampled is the area of an object that isn't covered, its whole area, and the box around the pixels of what isn't
// covered, by nine points a pixel.
func sampled(o *schema.Object, covered func(x, y float64) (bool, float64)) (seen, before float64, box [4]float64) {
	box = [4]float64{1e9, 1e9, -1e9, -1e9}
	for y := math.Floor(float64(o.Box[1])) + 1./6; y < float64(o.Box[3]); y += 1. / 3 {
		for x := math.Floor(float64(o.Box[0])) + 1./6; x < float64(o.Box[2]); x += 1. / 3 {
			if in, _ := inside(o, x, y); !in {
				continue
			}
			before += 1. / 9
			if over, _ := covered(x, y); !over {
				seen += 1. / 9
				if math.Abs(math.Mod(x, 1)-0.5) < 0.1 && math.Abs(math.Mod(y, 1)-0.5) < 0.1 { // a pixel's centre
					box = [4]float64{min(box[0], x), min(box[1], y), max(box[2], x), max(box[3], y)}
				}
			}
		}
	}
	return seen, before, box
}

// checkLeft compares an object with what it was before others were pasted, and says what became of it.
func checkLeft(t *testing.T, before, after *schema.Object, covered func(x, y float64) (bool, float64)) string {
	t.Helper()
	seen, whole, box := sampled(before, covered)
	if seen == whole && equalObjects([]schema.Object{*before}, []schema.Object{*after}) {
		return "whole"
	}
	if before.Label != after.Label || before.Crowd != after.Crowd {
		t.Errorf("%+v became %+v", before, after)
	}
	want := float64(before.Area) * seen / whole
	if d := float64(after.Area) - want; math.Abs(d) > 0.02*float64(before.Area)+2 {
		t.Errorf("object %d has the area %.1f, and by sampling %.1f are seen", before.ID, after.Area, want)
	}
	for k, v := range box {
		if inward := (float64(after.Box[k]) - v) * float64(1-k/2*2); inward > 0.5 || inward < -6 { // thin parts are between the centres
			t.Errorf("object %d has the box %v, and by sampling %v", before.ID, after.Box, box)
			break
		}
	}
	for y := range pastedSide {
		for x := range pastedSide {
			at, height := float64(x)+0.5, float64(y)+0.5
			was, d0 := inside(before, at, height)
			is, _ := inside(after, at, height)
			over, d1 := covered(at, height)
			if min(d0, d1) > 1./1024 && is != (was && !over) {
				t.Fatalf("object %d: pixel %d %d was in its polygon: %v, is covered: %v, is in it now: %v", before.ID, x, y, was, over, is)
			}
		}
	}
	for k := range len(before.Keypoints) / 3 {
		p, q := before.Keypoints[3*k:3*k+3], after.Keypoints[3*k:3*k+3]
		over, d := covered(float64(p[0]), float64(p[1]))
		want := p[2]
		if over && want == 2 {
			want = 1
		}
		if d > 1./1024 && (q[2] != want || p[0] != q[0] || p[1] != q[1]) {
			t.Errorf("object %d: keypoint %v became %v, covered: %v", before.ID, p, q, over)
		}
		if over && want == 1 {
			return "covered, and its keypoint"
		}
	}
	return "covered"
}

func equalObjects(a, b []schema.Object) bool {
	return slices.EqualFunc(a, b, func(a, b schema.Object) bool {
		return a.Box == b.Box && a.Label == b.Label && a.ID == b.ID && a.Crowd == b.Crowd && a.Area == b.Area &&
			slices.Equal(a.Keypoints, b.Keypoints) && slices.EqualFunc(a.Polygon, b.Polygon, slices.Equal)
	})
}

// pastedAlbum is a source of noisy scenes, by key their objects.
func pastedAlbum(t testing.TB, n int) (source *annotated, objects map[string][]schema.Object) {
	t.Helper()
	r := rand.New(rand.NewPCG(15, 5))
	var files [][]byte
	var targets []schema.Targets
	for range n {
		f, tg := noisyScene(t, r)
		tg.Objects[3].Crowd = true
		files, targets = append(files, f), append(targets, tg)
	}
	source, objects = unlabelled(annotate(sceneSpec, files, targets)), map[string][]schema.Object{}
	for i, key := range source.index.Keys {
		objects[key] = targets[i].Objects
	}
	return source, objects
}

// Every pixel, mask, polygon, box, area and keypoint is what a slow composition in floating point makes,
// with any number of workers.
func TestCopyPaste(t *testing.T) {
	defer goleak.VerifyNone(t)
	source, objects := pastedAlbum(t, 10)
	before := []stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.CenterCrop{Height: pastedSide, Width: pastedSide}, stages.Batch{Size: 4}}
	plain := plainRows(t, flow.New(source, before...))
	for name, c := range map[string]struct {
		stage         stages.CopyPaste
		minVisibility float64
	}{
		"each object or not":  {stages.CopyPaste{}, 0.1},
		"most objects":        {stages.CopyPaste{P: 0.7, ObjectP: 0.9}, 0.4},
		"a number of objects": {stages.CopyPaste{Number: 2}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			pipe := flow.New(source, append(slices.Clone(before), c.stage)...)
			pipe.Objects.MinVisibility = &c.minVisibility
			opts := []flow.Option{flow.WithParams(), flow.Epochs(2)}
			first := recordsOf(t, pipe, append(opts, flow.Workers(1))...)
			if other := recordsOf(t, pipe, append(opts, flow.Workers(3))...); !equalRecords(first, other) {
				t.Error("other bytes with other workers")
			}
			pixels, without, fates := 0, 0, map[string]int{}
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			for b, err := range pipe.Batches(t.Context(), append(opts, flow.Allocator(mem))...) {
				if err != nil {
					t.Fatal(err)
				}
				for row := range b.Rows() {
					have, own := finishedRow(t, b, row), plain[b.Key(row)]
					p := pastedOf(t, have.params)
					if len(p.Pasted) == 0 {
						without++
						if !bytes.Equal(have.pixels, own.pixels) || !bytes.Equal(have.mask, own.mask) || c.minVisibility == 0.1 && !equalObjects(have.objects, own.objects) {
							t.Errorf("%s has changed, and nothing was pasted", b.Key(row))
						}
						continue
					}
					if c.stage.Number > 0 && len(p.Pasted) != c.stage.Number || slices.Contains(p.Pasted, 1003) {
						t.Errorf("%v are pasted: too many, or a crowd", p.Pasted)
					}
					n, became := checkPasted(t, have, own, plain[p.Donors[0].Donor], p.Pasted, c.minVisibility, objects[b.Key(row)])
					pixels += n
					for what, k := range became {
						fates[what] += k
					}
				}
			}
			mem.AssertSize(t, 0)
			checkRows(t, pipe, opts...)
			t.Logf("%d pixels, %d rows without, %v", pixels, without, fates)
			if pixels < 10_000 || fates["covered"]+fates["covered, and its keypoint"] < 5 || fates["whole"] < 5 || c.minVisibility > 0 && fates["gone"] == 0 || c.stage.P == 0.7 && without == 0 {
				t.Errorf("%d pixels, %d rows without, %v: too few to mean anything", pixels, without, fates)
			}
		})
	}
}

// checkRows wants single rows to be those of a run.
func checkRows(t *testing.T, pipe *flow.Pipeline, opts ...flow.Option) {
	t.Helper()
	plan, err := pipe.Plan(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	made := 0
	for b, err := range plan.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows() {
			want, position := finishedRow(t, b, i), b.Positions()[i]
			row, err := plan.Row(t.Context(), b.Epoch, position)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(row.Picture.U8, want.pixels) || !slices.Equal(row.Picture.F32, want.floats) || !bytes.Equal(row.Mask.U8, want.mask) || !equalObjects(row.Meta.Targets.Objects, want.objects) || row.Meta.Params != want.params {
				t.Fatalf("row %d of epoch %d isn't that of a run", position, b.Epoch)
			}
			if row.Picture.U8 != nil && !bytes.Equal(row.Display.U8, want.pixels) {
				t.Errorf("row %d of epoch %d is shown as another one", position, b.Epoch)
			}
			if made++; made == 12 {
				return
			}
		}
	}
}

// Edges are blended by the share of pasted pixels around each, of uint8 and float32 pictures.
func TestCopyPasteBlends(t *testing.T) {
	source, _ := pastedAlbum(t, 4)
	for name, more := range map[string][]stages.Stage{"uint8": nil, "float32 chw": {stages.ToTensor{}}, "float32 hwc": {stages.ToTensor{Layout: stages.HWC}}} {
		before := slices.Concat([]stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.CenterCrop{Height: pastedSide, Width: pastedSide}}, more, []stages.Stage{stages.Batch{Size: 4}})
		plain := plainRows(t, flow.New(source, before...))
		const sigma = 1.5
		blended := 0
		for b, err := range flow.New(source, append(before, stages.CopyPaste{Sigma: sigma, Number: 3})...).Batches(t.Context(), flow.WithParams()) {
			if err != nil {
				t.Fatal(err)
			}
			for row := range b.Rows() {
				have, own := finishedRow(t, b, row), plain[b.Key(row)]
				p := pastedOf(t, have.params)
				donor := plain[p.Donors[0].Donor]
				share := smoothedBy(donor.objects, p.Pasted, sigma)
				for at, s := range share {
					if s > 0.01 && s < 0.99 {
						blended++
					}
					for c := range 3 {
						i := 3*at + c
						if name == "float32 chw" {
							i = c*pastedSide*pastedSide + at
						}
						var got, want, most float64
						if have.floats != nil {
							got, want, most = float64(have.floats[i]), s*float64(donor.floats[i])+(1-s)*float64(own.floats[i]), 2e-4
						} else {
							got, want, most = float64(have.pixels[i]), s*float64(donor.pixels[i])+(1-s)*float64(own.pixels[i]), 0.55
						}
						if math.Abs(got-want) > most {
							t.Fatalf("%s: value %d of pixel %d, of which %.4f are the donor's, is %v, want %v", name, c, at, s, got, want)
						}
					}
				}
			}
		}
		if blended < 1000 {
			t.Errorf("%s: %d pixels are blended", name, blended)
		}
	}
}

// smoothedBy is the share of pixels in objects around each, by a gaussian that reaches three deviations.
func smoothedBy(objects []schema.Object, ids []int64, sigma float64) []float64 {
	set, out := make([]float64, pastedSide*pastedSide), make([]float64, pastedSide*pastedSide)
	for i := range objects {
		if !slices.Contains(ids, objects[i].ID) {
			continue
		}
		for at := range set {
			if in, _ := inside(&objects[i], float64(at%pastedSide)+0.5, float64(at/pastedSide)+0.5); in {
				set[at] = 1
			}
		}
	}
	reach := int(math.Ceil(3 * sigma))
	sum := 0.0
	for d := -reach; d <= reach; d++ {
		sum += math.Exp(-float64(d*d) / (2 * sigma * sigma))
	}
	weight := func(d int) float64 { return math.Exp(-float64(d*d)/(2*sigma*sigma)) / sum }
	clamp := func(v int) int { return min(max(v, 0), pastedSide-1) }
	for at := range out {
		x, y := at%pastedSide, at/pastedSide
		for dy := -reach; dy <= reach; dy++ {
			for dx := -reach; dx <= reach; dx++ {
				out[at] += weight(dx) * weight(dy) * set[clamp(y+dy)*pastedSide+clamp(x+dx)]
			}
		}
	}
	return out
}

// Marks painted at keypoints are where the pasted objects' keypoints are said to be, when donors are scaled
// and moved, by both executors; and the mask of each pasted object lies in its polygon.
func TestCopyPasteScales(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 5))
	var files [][]byte
	var targets []schema.Targets
	for i := range 8 {
		f, tg := scene(t, r, i%2 == 0)
		files, targets = append(files, f), append(targets, tg)
	}
	source := unlabelled(annotate(sceneSpec, files, targets))
	for _, opts := range [][]flow.Option{{flow.WithFuse(flow.FuseFull)}, {flow.WithFuse(flow.FuseExact)}, {flow.Exec(flow.Reference)}} {
		marks, pixels, smaller, larger := 0, 0, 0, 0
		list := []stages.Stage{
			stages.Shuffle{}, stages.Decode{}, stages.Rotate{Degrees: stages.Range{-20, 20}}, stages.CenterCrop{Height: 240, Width: 300}, stages.ColorJitter{Brightness: stages.Factor{0.9, 1}},
			stages.Batch{Size: 4}, stages.CopyPaste{ObjectP: 0.7, Scale: stages.Range{0.4, 1.8}},
		}
		for b, err := range flow.New(source, list...).Batches(t.Context(), append(opts, flow.WithParams(), flow.Epochs(6))...) {
			if err != nil {
				t.Fatal(err)
			}
			for row := range b.Rows() {
				have := finishedRow(t, b, row)
				p := pastedOf(t, have.params)
				if len(p.Pasted) == 0 {
					continue
				}
				scale := p.Donors[0].Drawn.CopyPaste
				if scale.Height > 240 {
					larger++
				} else {
					smaller++
				}
				for _, o := range have.objects[len(have.objects)-len(p.Pasted):] {
					marks += checkMark(t, &o, have.pixels, 300, 3*float64(scale.Height)/240)
					pixels += checkPastedMask(t, &o, have.mask, 300)
				}
			}
		}
		t.Logf("%d marks, %d pixels, %d smaller, %d larger", marks, pixels, smaller, larger)
		if marks < 15 || pixels < 10_000 || smaller < 5 || larger < 5 {
			t.Errorf("%d marks, %d pixels, %d smaller, %d larger: too few to mean anything", marks, pixels, smaller, larger)
		}
	}
}

// checkMark compares the keypoints of an object that are in it, away from its edge, with the centres of their marks.
func checkMark(t *testing.T, o *schema.Object, pixels []uint8, width int, sigma float64) (marks int) {
	t.Helper()
	for k := range len(o.Keypoints) / 3 {
		x, y := float64(o.Keypoints[3*k]), float64(o.Keypoints[3*k+1])
		in, distance := inside(o, x, y)
		reach := 3 * sigma
		if o.Keypoints[3*k+2] == 0 || !in || distance < reach+1 {
			continue
		}
		var sum, sx, sy float64
		for j := int(y - reach); j <= int(y+reach); j++ {
			for i := int(x - reach); i <= int(x+reach); i++ {
				w := float64(pixels[3*(j*width+i)])
				sum, sx, sy = sum+w, sx+w*(float64(i)+0.5), sy+w*(float64(j)+0.5)
			}
		}
		if sum == 0 || math.Hypot(sx/sum-x, sy/sum-y) > 0.5 {
			t.Errorf("object %d: keypoint at %.2f %.2f, and the mark's centre at %.2f %.2f", o.ID, x, y, sx/sum, sy/sum)
		}
		marks++
	}
	return marks
}

// checkPastedMask wants the pixels well within an object to have its number in the mask.
func checkPastedMask(t *testing.T, o *schema.Object, mask []byte, width int) (pixels int) {
	t.Helper()
	wrong := 0
	for y := int(o.Box[1]); y < int(o.Box[3]); y++ {
		for x := int(o.Box[0]); x < int(o.Box[2]); x++ {
			if in, distance := inside(o, float64(x)+0.5, float64(y)+0.5); in && distance > 3 {
				pixels++
				if mask[y*width+x] != uint8(o.ID-1000+1) {
					wrong++
				}
			}
		}
	}
	if wrong > pixels/100 { // of a donor's object on top
		t.Errorf("object %d: %d of %d pixels of the mask aren't its own", o.ID, wrong, pixels)
	}
	return pixels
}

// Donors are drawn by quota among the pictures whose objects may be pasted, and what is pasted is in the ledger.
func TestCopyPasteDonors(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	var files [][]byte
	var targets []schema.Targets
	for i := range 12 {
		f, tg := scene(t, r, true)
		for o := range tg.Objects {
			tg.Objects[o].Label = 0
		}
		switch i {
		case 7, 8: // the rare class
			tg.Objects[0].Label = 1
		case 9:
			tg.Objects = nil
		}
		files, targets = append(files, f), append(targets, tg)
	}
	source := unlabelled(annotate(sceneSpec, files, targets))
	run := func(stage stages.CopyPaste) (donors map[string]int, report *flow.Report) {
		donors = map[string]int{}
		pipe := flow.New(source, stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 120, Width: 150}, stages.Batch{Size: 4}, stage)
		for b, err := range pipe.Batches(t.Context(), flow.WithParams(), flow.Epochs(11)) {
			if err != nil {
				t.Fatal(err)
			}
			for row := range b.Rows() {
				donors[pastedOf(t, b.Params(row)).Donors[0].Donor[:4]]++
			}
		}
		report, err := pipe.Run(t.Context(), &sink{}, flow.Epochs(11))
		if err != nil {
			t.Fatal(err)
		}
		return donors, report
	}
	donors, _ := run(stages.CopyPaste{})
	if len(donors) != 11 || donors["0009"] != 0 {
		t.Errorf("donors %v: want each picture with objects", donors)
	}
	for key, n := range donors {
		if n != 12 { // 11 epochs of 12 draws among 11 pictures
			t.Errorf("%s donates %d times, want 12", key, n)
		}
	}
	donors, report := run(stages.CopyPaste{Below: 3, Number: 4})
	if len(donors) != 2 || donors["0007"] != 66 || donors["0008"] != 66 {
		t.Errorf("donors %v: want the two with the rare class, each as often", donors)
	}
	if a, b := report.Objects["a"], report.Objects["b"]; a.Pasted != 0 || b.Pasted != 132 || b.Seen != 132+22 || b.Delivered > b.Seen || b.Dropped["covered"]+b.Dropped["min_visibility"] == 0 || a.Clipped == 0 {
		t.Errorf("the ledger has %+v and %+v", a, b)
	}
	donors, _ = run(stages.CopyPaste{Donors: stages.ClassBalanced})
	rare := donors["0007"] + donors["0008"]
	// 11 pictures have the common class, 9 of them no other: their weights are 9 * 1/11, and 1.
	if want := 132 / (1 + 9./11); math.Abs(float64(rare)-want) > 1.5 {
		t.Errorf("of pictures with the rare class come %d donors, want %.1f: %v", rare, want, donors)
	}
}

// What can't be pasted is refused, with what to do.
func TestCopyPasteRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	f, tg := scene(t, r, true)
	labelled := annotate(sceneSpec, [][]byte{f}, []schema.Targets{tg})
	objects := func(change func(tg *schema.Targets, spec *schema.TargetSpec)) *annotated {
		tg, spec := tg, *sceneSpec
		tg.Objects = slices.Clone(tg.Objects)
		change(&tg, &spec)
		return unlabelled(annotate(&spec, [][]byte{f, f}, []schema.Targets{tg, tg}))
	}
	empty := objects(func(tg *schema.Targets, _ *schema.TargetSpec) { tg.Objects = nil })
	whole := objects(func(*schema.Targets, *schema.TargetSpec) {})
	crowds := objects(func(_ *schema.Targets, spec *schema.TargetSpec) { spec.CrowdsAlone = true })
	boxes := objects(func(tg *schema.Targets, spec *schema.TargetSpec) {
		spec.Polygons = false
		for i := range tg.Objects {
			tg.Objects[i].Polygon = nil
		}
	})
	list, _ := album()
	classes := hold(list)
	masked := objects(func(tg *schema.Targets, spec *schema.TargetSpec) {
		*tg, *spec = schema.Targets{Mask: tg.Mask}, schema.TargetSpec{Mask: true}
	})
	sized := []stages.Stage{stages.Decode{}, stages.Resize{Height: 80, Width: 100}, stages.Batch{Size: 2}}
	with := func(s sources.Source, stage stages.Stage) *flow.Pipeline {
		return flow.New(s, append(slices.Clone(sized), stage)...)
	}
	for want, pipe := range map[string]*flow.Pipeline{
		"task class has a label": with(labelled, stages.CopyPaste{}),
		"has none: read their polygons, by coco or another source of objects, or mix pictures and their classes by cutmix or cmo": with(classes, stages.CopyPaste{}),
		"or another source of objects, or take mosaic": with(masked, stages.CopyPaste{}),
		"no sample has an object":                      with(empty, stages.CopyPaste{}),
		"all objects are crowds":                       with(crowds, stages.CopyPaste{}),
		"below: no class has objects in fewer than 2":  with(whole, stages.CopyPaste{Below: 2}),
		"donors: target: ":                             with(whole, stages.CopyPaste{Donors: "rare"}),
		"when: copy_paste mixes rows":                  with(whole, stages.When{Stage: stages.CopyPaste{}, ClassCount: stages.ClassCount{Below: 3}}),
		"put batch before it":                          flow.New(whole, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.CopyPaste{}),
	} {
		plan, err := pipe.Plan(t.Context())
		if err == nil {
			plan.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, have %v", want, err)
		}
	}
	plan, err := with(boxes, stages.CopyPaste{}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	if !slices.ContainsFunc(plan.Warnings(), func(w string) bool { return strings.Contains(w, "their boxes are pasted") }) {
		t.Errorf("warnings %q", plan.Warnings())
	}
}
