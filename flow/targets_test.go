package flow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// annotated is a source in memory whose samples have targets.
type annotated struct {
	*held
	targets []schema.Targets
}

func (a *annotated) Open(context.Context) (sources.Dataset, error) { return a, nil }
func (a *annotated) TargetBytes(int) int64                         { return 1 << 10 }

func (a *annotated) Targets(_ context.Context, sample int, t *schema.Targets) error {
	from := a.targets[sample]
	*t = from
	t.Objects = slices.Clone(from.Objects)
	return nil
}

// annotate makes a source of pictures and their targets.
func annotate(spec *schema.TargetSpec, files [][]byte, targets []schema.Targets) *annotated {
	list := make([]sample, len(files))
	for i, f := range files {
		list[i] = sample{key: fmt.Sprintf("%04d.png", i), data: f}
	}
	a := &annotated{hold(list), targets}
	t := &schema.TargetTable{Spec: spec, First: []int64{0}}
	for i := range targets {
		for _, o := range targets[i].Objects {
			t.Labels = append(t.Labels, o.Label)
		}
		t.First = append(t.First, int64(len(t.Labels)))
		t.Digests = append(t.Digests, [16]byte{byte(i), byte(i >> 8)})
	}
	a.index.Targets = t
	return a
}

// blob paints a soft mark with its centre at a point in continuous coordinates.
func blob(img *image.Gray, x, y, sigma float64) {
	b := img.Bounds()
	for j := max(int(y-5*sigma), 0); j < min(int(y+5*sigma)+1, b.Dy()); j++ {
		for i := max(int(x-5*sigma), 0); i < min(int(x+5*sigma)+1, b.Dx()); i++ {
			dx, dy := float64(i)+0.5-x, float64(j)+0.5-y
			v := 255 * math.Exp(-(dx*dx+dy*dy)/(2*sigma*sigma))
			img.Pix[j*img.Stride+i] = uint8(max(float64(img.Pix[j*img.Stride+i]), v))
		}
	}
}

// starAt is a star of ten corners, which isn't convex.
func starAt(x, y, r, turn float64) (ring []float32) {
	for k := range 10 {
		at := r
		if k%2 == 1 {
			at = 0.45 * r
		}
		s, c := math.Sincos(turn + float64(k)*math.Pi/5)
		ring = append(ring, float32(x+at*c), float32(y+at*s))
	}
	return ring
}

// inRing tells whether a point lies in a ring, and how far it is from its border.
func inRing(ring []float32, x, y float64) (inside bool, distance float64) {
	distance = math.Inf(1)
	n := len(ring) / 2
	for i := range n {
		ax, ay := float64(ring[2*((i+n-1)%n)]), float64(ring[2*((i+n-1)%n)+1])
		bx, by := float64(ring[2*i]), float64(ring[2*i+1])
		if (ay > y) != (by > y) && x < ax+(y-ay)*(bx-ax)/(by-ay) {
			inside = !inside
		}
		t := 0.0
		if l := (bx-ax)*(bx-ax) + (by-ay)*(by-ay); l > 0 {
			t = min(max(((x-ax)*(bx-ax)+(y-ay)*(by-ay))/l, 0), 1)
		}
		distance = min(distance, math.Hypot(x-ax-t*(bx-ax), y-ay-t*(by-ay)))
	}
	return inside, distance
}

const (
	sceneWidth, sceneHeight = 331, 263
	sceneObjects            = 6
)

// scene is a picture of marks, the keypoints of objects with star-shaped polygons, and its
// mask. Encoded as PNG or as JPEG of full colour resolution.
func scene(t testing.TB, r *rand.Rand, asJPEG bool) ([]byte, schema.Targets) {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, sceneWidth, sceneHeight))
	mask := image.NewGray(img.Bounds())
	var targets schema.Targets
	for i := range sceneObjects {
		x := 50 + 110*float64(i%3) + 20*r.Float64()
		y := 55 + 120*float64(i/3) + 20*r.Float64()
		ring := starAt(x, y, 30+14*r.Float64(), r.Float64())
		o := schema.Object{Label: int32(i % 2), ID: int64(1000 + i), Polygon: [][]float32{ring}, Box: [4]float32{1e9, 1e9, -1e9, -1e9}}
		for k := 0; k < len(ring); k += 2 {
			o.Box = [4]float32{min(o.Box[0], ring[k]), min(o.Box[1], ring[k+1]), max(o.Box[2], ring[k]), max(o.Box[3], ring[k+1])}
		}
		kx, ky := x+4*(r.Float64()-0.5), y+4*(r.Float64()-0.5)
		blob(img, kx, ky, 3)
		o.Keypoints = []float32{float32(kx), float32(ky), 2, 0, 0, 0}
		for py := int(o.Box[1]); py <= int(o.Box[3]); py++ {
			for px := int(o.Box[0]); px <= min(int(o.Box[2]), sceneWidth-1); px++ {
				if inside, _ := inRing(ring, float64(px)+0.5, float64(py)+0.5); inside {
					mask.Pix[py*mask.Stride+px] = uint8(1 + i)
				}
			}
		}
		targets.Objects = append(targets.Objects, o)
	}
	targets.Height, targets.Width = sceneHeight, sceneWidth
	var b, m bytes.Buffer
	rgb := image.NewRGBA(img.Bounds())
	for i, v := range img.Pix {
		rgb.Pix[4*i], rgb.Pix[4*i+1], rgb.Pix[4*i+2], rgb.Pix[4*i+3] = v, v, v, 255
	}
	var err error
	if asJPEG {
		err = jpeg.Encode(&b, rgb, &jpeg.Options{Quality: 98})
	} else {
		err = png.Encode(&b, rgb)
	}
	if err == nil {
		err = png.Encode(&m, mask)
	}
	if err != nil {
		t.Fatal(err)
	}
	targets.Mask = m.Bytes()
	return b.Bytes(), targets
}

var sceneSpec = &schema.TargetSpec{Boxes: true, Classes: []string{"a", "b"}, Polygons: true, Keypoints: []string{"left_eye", "right_eye"}, Mirrored: []int{1, 0}, Mask: true}

// movers are geometric stages by name.
var movers = map[string]func(r *rand.Rand) stages.Stage{
	"rotate": func(*rand.Rand) stages.Stage { return stages.Rotate{Degrees: stages.Range{-30, 30}} },
	"rotate on a larger canvas": func(*rand.Rand) stages.Stage {
		return stages.Rotate{Degrees: stages.Range{-40, 40}, Expand: true}
	},
	"flip":    func(*rand.Rand) stages.Stage { return stages.Flip{P: 0.5} },
	"flip up": func(*rand.Rand) stages.Stage { return stages.Flip{P: 0.5, Direction: stages.Vertical} },
	"crop":    func(*rand.Rand) stages.Stage { return stages.Crop{Size: 0.7} },
	"resize": func(r *rand.Rand) stages.Stage {
		return stages.Resize{Height: 150 + r.IntN(250), Width: 150 + r.IntN(250)}
	},
	"random_resized_crop": func(r *rand.Rand) stages.Stage {
		return stages.RandomResizedCrop{Size: 150 + r.IntN(150), Scale: stages.Range{0.3, 1}}
	},
	"center_crop": func(*rand.Rand) stages.Stage { return stages.CenterCrop{Size: 0.8} },
	"perspective": func(*rand.Rand) stages.Stage { return stages.Perspective{DistortionScale: 0.4, P: 1} },
	"affine": func(*rand.Rand) stages.Stage {
		return stages.Affine{Degrees: stages.Range{-20, 20}, Translate: [2]float64{0.1, 0.1}, Scale: stages.Range{0.8, 1.2}, Shear: stages.Shear{-10, 10}}
	},
	"resize to at most": func(r *rand.Rand) stages.Stage { return stages.Resize{Size: 200 + r.IntN(100), MaxSize: 320} },
	"random_shortest_size": func(*rand.Rand) stages.Stage {
		return stages.RandomShortestSize{Min: []int{180, 240, 320}, Max: 400}
	},
	"scale_jitter": func(*rand.Rand) stages.Stage {
		return stages.ScaleJitter{Target: [2]int{300, 320}, Range: stages.Range{0.6, 1.3}}
	},
	"pad": func(r *rand.Rand) stages.Stage {
		return stages.Pad{Padding: stages.Padding{r.IntN(40), r.IntN(9), 3, 20}, Fill: stages.Color{90, 90, 90}}
	},
	"pad by the edge": func(r *rand.Rand) stages.Stage {
		return stages.Pad{Padding: stages.Padding{r.IntN(30), 12, r.IntN(30), 7}, Mode: stages.PadEdge}
	},
	"pad by reflection": func(r *rand.Rand) stages.Stage {
		return stages.Pad{Size: [2]int{sceneHeight + r.IntN(60), 320}, Mode: stages.PadReflect}
	},
	"pad to a multiple": func(*rand.Rand) stages.Stage { return stages.Pad{Multiple: 32, At: stages.TopLeft} },
	"letterbox": func(r *rand.Rand) stages.Stage {
		return stages.Letterbox{Height: 200 + r.IntN(150), Width: 300, At: []stages.Place{stages.Center, stages.TopLeft}[r.IntN(2)]}
	},
	"random_zoom_out": func(*rand.Rand) stages.Stage { return stages.RandomZoomOut{SideRange: stages.Range{1, 1.5}, P: 0.8} },
	"random_iou_crop": func(*rand.Rand) stages.Stage { return stages.RandomIoUCrop{Scale: stages.Range{0.5, 1}} },
	"sanitize_boxes":  func(*rand.Rand) stages.Stage { return stages.SanitizeBoxes{MinSize: 5} },
}

// Marks painted at keypoints are where keypoints are said to be, and masks painted from
// polygons agree with the polygons, after random chains of stages, by both executors and from
// parts of files.
func TestTargetsMoveAsPixelsDo(t *testing.T) {
	defer goleak.VerifyNone(t)
	seed := uint64(*caseSeed)
	cases := 30
	if *caseCount > 0 {
		cases = *caseCount
	} else if testing.Short() || flow.RaceEnabled {
		cases = 12
	}
	marks, pixels := 0, 0
	for n := range uint64(cases) {
		r := rand.New(rand.NewPCG(seed, n))
		var files [][]byte
		var targets []schema.Targets
		for range 2 {
			f, tg := scene(t, r, n%2 == 0)
			files, targets = append(files, f), append(targets, tg)
		}
		list := []stages.Stage{stages.Decode{}}
		names := sorted(movers)
		for range 1 + r.IntN(3) {
			list = append(list, movers[names[r.IntN(len(names))]](r))
		}
		fuse := []flow.Fuse{flow.FuseFull, flow.FuseExact}[r.IntN(2)]
		exec := []flow.Executor{flow.Fused, flow.Fused, flow.Reference}[r.IntN(3)]
		about := fmt.Sprintf("case %d: %+v, %s, %s", n, list[1:], fuse, exec)
		plan, err := flow.New(annotate(sceneSpec, files, targets), list...).Plan(t.Context(), flow.Seed(n), flow.WithFuse(fuse), flow.Exec(exec))
		if err != nil {
			t.Fatal(about, err)
		}
		for position := range int64(2) {
			row, err := plan.Row(t.Context(), 0, position)
			if err != nil {
				t.Fatal(about, err)
			}
			marks += checkMarks(t, row, about)
			steps := 0 // that each take the nearest pixels
			if fuse == flow.FuseExact || exec == flow.Reference || repeats(list) {
				steps = len(list) - 1
			}
			pixels += checkMask(t, row, about, steps, repeats(list))
		}
		if err := plan.Close(); err != nil || t.Failed() {
			t.Fatal(err)
		}
	}
	if marks < cases || pixels < 1000*cases {
		t.Errorf("%d marks and %d pixels of masks were looked at in %d cases: too few to mean anything", marks, pixels, cases)
	}
	t.Logf("%d marks, %d pixels of masks", marks, pixels)
}

// scaleAt is how much a transform enlarges at a source point, in each direction at most.
func scaleAt(m stages.Homography, x, y float64) float64 {
	u, v, _ := m.Apply(x, y)
	u1, v1, _ := m.Apply(x+1, y)
	u2, v2, _ := m.Apply(x, y+1)
	return max(math.Hypot(u1-u, v1-v), math.Hypot(u2-u, v2-v))
}

// checkMarks compares the centres of marks with the keypoints; it returns their number.
func checkMarks(t *testing.T, row *flow.Row, about string) (marks int) {
	pic := row.Picture
	for _, o := range row.Meta.Targets.Objects {
		from := row.Targets.Objects[o.ID-1000]
		scale := scaleAt(row.Matrix, float64(from.Keypoints[0])-0.5, float64(from.Keypoints[1])-0.5)
		for k := range 2 {
			x, y, v := float64(o.Keypoints[3*k]), float64(o.Keypoints[3*k+1]), o.Keypoints[3*k+2]
			reach := 11 * scale
			if v == 0 || scale < 0.4 || x < reach || y < reach || x > float64(pic.Width)-reach || y > float64(pic.Height)-reach || hidden(row, from, reach/scale) {
				continue
			}
			var sum, sx, sy float64
			for j := int(y - reach); j <= int(y+reach); j++ {
				for i := int(x - reach); i <= int(x+reach); i++ {
					w := float64(pic.U8[3*(j*pic.Width+i)])
					if w < 20 || math.Hypot(float64(i)+0.5-x, float64(j)+0.5-y) > 9*scale {
						continue // fainter, or what lies beside the mark
					}
					sum, sx, sy = sum+w, sx+w*(float64(i)+0.5), sy+w*(float64(j)+0.5)
				}
			}
			if sum == 0 || math.Hypot(sx/sum-x, sy/sum-y) > 0.5 {
				t.Errorf("%s: keypoint at %.2f %.2f, and the mark's centre at %.2f %.2f (scale %.2f)", about, x, y, sx/sum, sy/sum, scale)
			}
			marks++
		}
	}
	return marks
}

// hidden tells that some canvas on the way may have cut the mark: its keypoint's surroundings
// aren't all visible, seen by corner objects of the same way. The object's own area tells.
func hidden(row *flow.Row, from schema.Object, reach float64) bool {
	x, y := float64(from.Keypoints[0]), float64(from.Keypoints[1])
	for _, o := range row.Meta.Targets.Objects {
		if o.ID != from.ID || len(o.Polygon) == 0 {
			continue
		}
		// The mark lies within a circle in the star; where the star was cut, ask whether the
		// corners around the mark are in the polygon that is left.
		for k := range 16 {
			s, c := math.Sincos(float64(k) * math.Pi / 8)
			u, v, ok := row.Matrix.Apply(x-0.5+min(reach, 12)*c, y-0.5+min(reach, 12)*s)
			if !ok {
				return true
			}
			if inside, _ := inRing(o.Polygon[0], u+0.5, v+0.5); !inside {
				return true
			}
		}
		return false
	}
	return true
}

// repeats reports whether pads may show objects again beside the picture.
func repeats(list []stages.Stage) bool {
	return slices.ContainsFunc(list, func(s stages.Stage) bool {
		pad, ok := s.(stages.Pad)
		return ok && (pad.Mode == stages.PadEdge || pad.Mode == stages.PadReflect)
	})
}

// checkMask compares the mask with the polygons but for border pixels; it returns how many
// pixels of objects were compared. Where objects are repeated, each is only somewhere else, too.
func checkMask(t *testing.T, row *flow.Row, about string, steps int, repeated bool) (compared int) {
	mask := row.Mask
	if mask == nil || mask.Height != row.Picture.Height || mask.Width != row.Picture.Width {
		t.Errorf("%s: the mask isn't of the picture's size", about)
		return 0
	}
	for _, o := range row.Meta.Targets.Objects {
		from := row.Targets.Objects[o.ID-1000]
		reach := 0.8*scaleAt(row.Matrix, float64(from.Keypoints[0]), float64(from.Keypoints[1])) + 0.3
		if row.Matrix.Projective() {
			reach *= 3
		}
		if steps > 0 {
			reach *= 1.5 * float64(steps)
		}
		wrong := 0
		for y := range mask.Height {
			for x := range mask.Width {
				got := mask.U8[y*mask.Width+x] == uint8(o.ID-1000+1)
				fx, fy := float32(x)+0.5, float32(y)+0.5
				if !got && (fx < o.Box[0] || fy < o.Box[1] || fx > o.Box[2] || fy > o.Box[3]) {
					continue
				}
				inside, distance := false, math.Inf(1)
				for _, part := range o.Polygon {
					in, d := inRing(part, float64(x)+0.5, float64(y)+0.5)
					inside, distance = inside != in, min(distance, d)
				}
				if got || inside {
					compared++
				}
				if got != inside && distance > reach && (!got || !repeated) {
					wrong++
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%s: %d pixels of the mask of object %d differ from its polygon beyond its border", about, wrong, o.ID)
		}
	}
	return compared
}

// However many objects there are, whatever is dropped: a box keeps its label, its id and its
// keypoints, and lies where the composed transform puts it.
func TestObjectsStayTogether(t *testing.T) {
	defer goleak.VerifyNone(t)
	const each = 50
	objects := 100_000
	if *caseCount > 0 {
		objects = *caseCount * each
	} else if testing.Short() || flow.RaceEnabled {
		objects = 5_000
	}
	r := rand.New(rand.NewPCG(1, 2))
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 200, 160))); err != nil {
		t.Fatal(err)
	}
	spec := &schema.TargetSpec{Boxes: true, Keypoints: []string{"a", "b", "c"}, Mirrored: []int{1, 0, 2}}
	for c := range 7 {
		spec.Classes = append(spec.Classes, fmt.Sprint(c))
	}
	var files [][]byte
	var targets []schema.Targets
	for s := range 40 {
		var one schema.Targets
		for i := range each {
			x, y := 190*r.Float32(), 150*r.Float32()
			w, h := 1+60*r.Float32(), 1+60*r.Float32()
			o := schema.Object{Box: [4]float32{x, y, x + w, y + h}, ID: int64(s*each + i), Label: int32((s*each + i) % 7)}
			o.Keypoints = []float32{x, y, 1, x + w, y + h, 2, x + w/2, y + h/2, 2}
			one.Objects = append(one.Objects, o)
		}
		files, targets = append(files, file.Bytes()), append(targets, one)
	}
	source := annotate(spec, files, targets)
	seen, names := 0, sorted(movers)
	delivered := 0
	for n := uint64(0); seen < objects; n++ {
		r := rand.New(rand.NewPCG(9+*caseSeed, n))
		list := []stages.Stage{stages.Decode{}}
		for range 1 + r.IntN(4) {
			list = append(list, movers[names[r.IntN(len(names))]](r))
		}
		plan, err := flow.New(source, list...).Plan(t.Context(), flow.Seed(n+*caseSeed<<32))
		if err != nil {
			t.Fatal(err)
		}
		for position := range int64(40) {
			row, err := plan.Row(t.Context(), 0, position)
			if err != nil {
				t.Fatal(err)
			}
			seen += each
			for _, o := range row.Meta.Targets.Objects {
				delivered++
				checkTogether(t, row, &o, each)
			}
			if t.Failed() {
				t.Fatalf("case %d: %+v, position %d", n, list[1:], position)
			}
		}
		if err := plan.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if delivered < seen/10 {
		t.Errorf("only %d of %d objects were delivered", delivered, seen)
	}
}

// checkTogether compares an object with its source's, moved by the matrix.
func checkTogether(t *testing.T, row *flow.Row, o *schema.Object, each int) {
	t.Helper()
	from := row.Targets.Objects[int(o.ID)%each]
	if from.ID != o.ID || from.Label != o.Label {
		t.Errorf("object %d has label %d, its source is %d with %d", o.ID, o.Label, from.ID, from.Label)
	}
	m := row.Matrix
	mirrored := m[0]*(m[4]*m[8]-m[5]*m[7])-m[1]*(m[3]*m[8]-m[5]*m[6])+m[2]*(m[3]*m[7]-m[4]*m[6]) < 0
	for k := range 3 {
		x, y, v := float64(from.Keypoints[3*k]), float64(from.Keypoints[3*k+1]), from.Keypoints[3*k+2]
		at := k
		if mirrored && k < 2 {
			at = 1 - k
		}
		got := o.Keypoints[3*at : 3*at+3]
		u, w, ok := m.Apply(x-0.5, y-0.5)
		u, w = u+0.5, w+0.5
		outside := !ok || u < -1e-3 || w < -1e-3 || u > float64(row.Picture.Width)+1e-3 || w > float64(row.Picture.Height)+1e-3
		switch there := got[2] > 0; {
		case there && (got[2] != v || math.Hypot(float64(got[0])-u, float64(got[1])-w) > 2e-3):
			t.Errorf("object %d: keypoint %d is at %v, and its source's comes to %.3f %.3f with %g", o.ID, at, got, u, w, v)
		case there && outside:
			t.Errorf("object %d: keypoint %d, %v, is outside of the picture", o.ID, at, got)
		case there && (got[0] < o.Box[0]-1e-2 || got[0] > o.Box[2]+1e-2 || got[1] < o.Box[1]-1e-2 || got[1] > o.Box[3]+1e-2):
			t.Errorf("object %d: keypoint %d, %v, is outside of its box %v", o.ID, at, got, o.Box)
		case !there && (got[0] != 0 || got[1] != 0):
			t.Errorf("object %d: keypoint %d isn't there, and is at %v", o.ID, at, got)
		}
	}
	if b := o.Box; b[0] < 0 || b[1] < 0 || b[2] > float32(row.Picture.Width) || b[3] > float32(row.Picture.Height) || b[2]-b[0] < 1 || b[3]-b[1] < 1 {
		t.Errorf("object %d: box %v in a picture of %dx%d", o.ID, b, row.Picture.Width, row.Picture.Height)
	}
}

// Areas are those of polygons, however small in their box: of an object in two places, of a
// line. Of one that crosses itself, so that its area cancels out, they are those of its box.
// With clip: false what is visible decides, too.
func TestAreasOfPolygons(t *testing.T) {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 200, 100))); err != nil {
		t.Fatal(err)
	}
	object := func(id int64, rings ...[]float32) schema.Object {
		o := schema.Object{ID: id, Polygon: rings, Box: [4]float32{1e9, 1e9, 0, 0}}
		for _, ring := range rings {
			b := box(ring)
			o.Box = [4]float32{min(o.Box[0], b[0]), min(o.Box[1], b[1]), max(o.Box[2], b[2]), max(o.Box[3], b[3])}
		}
		return o
	}
	targets := schema.Targets{Height: 100, Width: 200, Objects: []schema.Object{
		object(0, []float32{60, 1, 63, 1, 63, 3, 60, 3}, []float32{146, 91, 148, 91, 148, 95, 146, 95}), // 6 + 8
		object(1, []float32{51, 2, 131, 82, 131, 83, 51, 3}),                                            // 80
		object(2, []float32{70, 10, 110, 50, 110, 10, 70, 50}),                                          // 0: a bow tie
		object(3, []float32{49, 20, 49.5, 20, 49.5, 60, 49, 60}),                                        // outside of the window
		object(4, []float32{10, 20, 50.5, 20, 50.5, 90, 10, 90}),                                        // half a pixel of it is in
	}}
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a"}, Polygons: true}
	for _, clip := range []bool{true, false} {
		none, area := 0.0, 0.001
		p := flow.New(annotate(spec, [][]byte{file.Bytes()}, []schema.Targets{targets}), stages.Decode{}, stages.CenterCrop{Height: 100, Width: 100})
		p.Objects = flow.Objects{Clip: &clip, MinVisibility: &none, MinArea: &area}
		plan, err := p.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		row, err := plan.Row(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := map[int64]float32{0: 14, 1: 80, 2: 40 * 40}
		for _, o := range row.Meta.Targets.Objects {
			if math.Abs(float64(o.Area-want[o.ID])) > 1e-3 {
				t.Errorf("clip %v: object %d has an area of %g, want %g", clip, o.ID, o.Area, want[o.ID])
			}
			delete(want, o.ID)
		}
		if len(want) > 0 {
			t.Errorf("clip %v: these are gone: %v", clip, want)
		}
		if err := plan.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Targets are in the batches, in all scales, and what became of objects is in the report;
// the bytes don't depend on the schedule.
func TestTargetsInBatches(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := rand.New(rand.NewPCG(4, 4))
	var files [][]byte
	var targets []schema.Targets
	for i := range 9 {
		f, tg := scene(t, r, i%2 == 0)
		files, targets = append(files, f), append(targets, tg)
	}
	first := ""
	for _, workers := range []int{1, 3} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		p := flow.New(annotate(sceneSpec, files, targets), stages.Shuffle{}, stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}},
			stages.RandomResizedCrop{Size: 96}, stages.Flip{P: 0.5}, stages.ToTensor{}, stages.Batch{Size: 4}, stages.MultiScale{Scales: []float64{0.5, 1}})
		p.Objects.Mirror = map[string]string{"a": "b"}
		all := ""
		for batch, err := range p.Batches(t.Context(), flow.Workers(workers), flow.Allocator(mem)) {
			if err != nil {
				t.Fatal(err)
			}
			for row := range batch.Rows() {
				objects, err := batch.Objects(row)
				if err != nil {
					t.Fatal(err)
				}
				mask, h, w := batch.Mask(row)
				if h != batch.Tensor.Height || w != batch.Tensor.Width || len(mask) != h*w {
					t.Errorf("a mask of %dx%d with a picture of %s", w, h, batch.Tensor)
				}
				all += fmt.Sprintf("%s %v %x\n", batch.Key(row), objects, mask)
			}
		}
		mem.AssertSize(t, 0)
		if first == "" {
			first = all
		}
		if all != first {
			t.Error("the targets depend on the number of workers")
		}
		report, err := p.Run(t.Context(), &sinks.Discard{}, flow.Workers(workers))
		if err != nil {
			t.Fatal(err)
		}
		for class, x := range report.Objects {
			dropped := int64(0)
			for _, n := range x.Dropped {
				dropped += n
			}
			if x.Seen != 9*sceneObjects/2 || x.Seen != x.Delivered+dropped || dropped == 0 || x.Clipped == 0 || x.Clipped > x.Delivered {
				t.Errorf("class %s: %+v of %d objects", class, x, 9*sceneObjects/2)
			}
		}
		if len(report.Objects) != 2 {
			t.Errorf("the report has the classes %v", report.Objects)
		}
	}
}

// Pictures of different sizes leave as they are, or padded to the largest of their batch with
// their masks, and the column valid says how large each was.
func TestBatchesOfDifferentSizes(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := rand.New(rand.NewPCG(6, 6))
	var files [][]byte
	var targets []schema.Targets
	for i := range 6 {
		img := image.NewGray(image.Rect(0, 0, 40+17*i%50, 30+23*i%41))
		for k := range img.Pix {
			img.Pix[k] = uint8(r.IntN(6))
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		files, targets = append(files, b.Bytes()), append(targets, schema.Targets{Mask: b.Bytes()})
	}
	plain := map[string]*schema.Picture{}
	masks := map[string][]uint8{}
	for _, sizes := range []stages.Sizes{stages.KeepSizes, stages.PadSizes} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		p := flow.New(annotate(sceneSpec, files, targets), stages.Decode{}, stages.Affine{Degrees: stages.Range{-20, 20}}, stages.CenterCrop{Height: 0.9, Width: 0.7},
			stages.Batch{Size: 4, Sizes: sizes})
		for batch, err := range p.Batches(t.Context(), flow.Allocator(mem)) {
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range batch.Record.Schema().Fields() {
				names = append(names, f.Name)
			}
			if plan, err := p.Plan(t.Context()); err != nil || !slices.Equal(plan.Columns(), names) {
				t.Errorf("%v, %v; the record has %v", plan.Columns(), err, names)
			}
			for row := range batch.Rows() {
				pic, key := batch.Picture(row), batch.Key(row)
				mask, h, w := batch.Mask(row)
				if sizes == stages.KeepSizes {
					plain[key] = &schema.Picture{Height: pic.Height, Width: pic.Width, U8: slices.Clone(pic.U8)}
					masks[key] = slices.Clone(mask)
					continue
				}
				first := batch.Picture(0)
				if pic.Height != first.Height || pic.Width != first.Width || h != pic.Height || w != pic.Width {
					t.Errorf("%s: %dx%d with a mask of %dx%d in a batch of %dx%d", key, pic.Width, pic.Height, w, h, first.Width, first.Height)
				}
				valid := batch.Column(schema.ColumnValid).(*array.FixedSizeList).ListValues().(*array.Int32).Int32Values()[2*row:]
				was := plain[key]
				if int(valid[0]) != was.Height || int(valid[1]) != was.Width {
					t.Fatalf("%s: valid %v of a picture of %dx%d", key, valid[:2], was.Height, was.Width)
				}
				for y := range pic.Height {
					for x := range pic.Width {
						in := y < was.Height && x < was.Width
						wantPixel, wantMask := uint8(0), schema.MaskIgnore
						if in {
							wantPixel, wantMask = was.U8[3*(y*was.Width+x)], masks[key][y*was.Width+x]
						}
						if pic.U8[3*(y*w+x)] != wantPixel || mask[y*w+x] != wantMask {
							t.Fatalf("%s: pixel %d %d is %d with %d in the mask, want %d and %d", key, x, y, pic.U8[3*(y*w+x)], mask[y*w+x], wantPixel, wantMask)
						}
					}
				}
			}
		}
		mem.AssertSize(t, 0)
	}
}

// A column of the source's own that has the name of one of the targets' is a mistake in the plan.
func TestColumnNamedAsTargets(t *testing.T) {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	a := annotate(&schema.TargetSpec{Boxes: true, Classes: []string{"a"}}, [][]byte{file.Bytes()}, make([]schema.Targets, 1))
	a.addColumns()
	_, err := flow.New(a, stages.Decode{}, stages.Batch{Size: 1, Sizes: stages.KeepSizes}).Plan(t.Context())
	if mistake := new(flow.PipelineError); !errors.As(err, &mistake) || !strings.Contains(err.Error(), `a column has the name "boxes", which is that of the targets' own`) {
		t.Error(err)
	}
}
