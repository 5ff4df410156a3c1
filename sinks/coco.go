package sinks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/sluicedata/sluice/internal/coco"
	"github.com/sluicedata/sluice/schema"
)

// COCO writes pictures as files, and their objects in COCO's format, as pycocotools and
// torchvision's CocoDetection read it:
//
//	images/1.jpg
//	instances.json
//
// Every row is a picture of its own, with ids from 1 in the order of the run; file_name is
// relative to images. Annotations are numbered from 1, too: one object may be drawn many
// times. The id that it had in the source is source_id; meta has the columns that travelled
// with the picture. Categories are those of the source with their
// ids, gaps included; a source without ids gets them from 1.
//
// Polygons stay polygons; those of a crowd become run lengths, as COCO has it, with the area
// that these have. A polygon of less than three points is left out, which readers would take for a box.
// An object without any has no segmentation: pycocotools fails at an empty one.
//
// Beside them are the plan, the manifest and the parts, as ArrowParts has them: a part is a
// list of some of the pictures, part-00000-of-00016.jsonl, with their objects.
// instances.json is made of these at the end. A picture has the name of its sample's key, where
// each sample is drawn once in the run; otherwise epoch and position are added.
type COCO struct {
	Pictures
	Keypoints Points `sluice:"keypoints" default:"continuous" doc:"what coordinates of keypoints mean: continuous, where a pixel's centre is at .5, or index, the numbers of pixels, as COCO's own files"`
	Parts

	state *cocoState
}

// Points is what the coordinates of points mean.
type Points string

// Values lists them; the first is the default.
func (Points) Values() []string { return []string{"continuous", "index"} }

var (
	_ Skipper        = (*COCO)(nil)
	_ ReadTracker    = (*COCO)(nil)
	_ SourceVerifier = (*COCO)(nil)
	_ Updater        = (*COCO)(nil)
	_ Lister         = (*COCO)(nil)
	_ summarizer     = (*COCO)(nil)
	_ Warner         = (*COCO)(nil)
)

// cocoState is what a run needs.
type cocoState struct {
	form    schema.Form
	names   *rowNames
	spec    *schema.TargetSpec
	ids     []int64 // of the categories, by class number
	places  [][]int // of each class's keypoints in the spec's
	shifted float64 // what keypoints are moved by
}

// instancesName is the file of all objects.
const instancesName = "instances.json"

// Name is coco.
func (*COCO) Name() string { return "coco" }

// Check reports every impossible option at once.
func (c *COCO) Check() error {
	errs := []error{c.check()}
	if !slices.Contains(append(c.Keypoints.Values(), ""), string(c.Keypoints)) {
		errs = append(errs, fmt.Errorf("keypoints: unknown %q: have continuous, index", string(c.Keypoints)))
	}
	return errors.Join(errs...)
}

// Open locks the directory and verifies what is in it.
func (c *COCO) Open(ctx context.Context, run *schema.Run) error {
	err := c.Check()
	if err == nil {
		err = holdsPictures(run)
	}
	if err == nil && !run.Targets.Objects() {
		err = errors.New("the samples have no boxes, of which its annotations are made: use a source that has them, or choose the format " + fitting(run.Targets))
	}
	if err != nil {
		return fmt.Errorf("sinks: coco: %w", err)
	}
	list, _ := cocoCategories(run.Targets)
	s := &cocoState{form: run.Form, names: pictureNames(run), spec: run.Targets, ids: cocoIDs(run.Targets)}
	for _, id := range s.ids {
		s.places = append(s.places, placesOf(list, id, run.Targets))
	}
	if c.Keypoints == "index" {
		s.shifted = -0.5
	}
	c.state = s
	return c.Start(ctx, run, c, c.parts(run))
}

// Warnings are about targets that aren't written.
func (*COCO) Warnings(run *schema.Run) []string {
	if !run.Targets.HasMask() || !run.Targets.Objects() { // Open says so
		return nil
	}
	return []string{"coco: the samples have masks, which this format doesn't write: choose arrow or masks to keep them"}
}

// Ext is .jsonl.
func (*COCO) Ext() string { return ".jsonl" }

// Options are those that decide the bytes.
func (c *COCO) Options() any {
	return struct {
		imageOptions
		Keypoints Points `json:"keypoints,omitempty"`
	}{c.images().recorded(c.state.form), cmp.Or(c.Keypoints, "continuous")}
}

// Recognizes a directory whose plan.json is of this format.
func (*COCO) Recognizes(path string) bool { return RecognizesParts(path, "coco") }

// Verify is VerifyParts.
func (c *COCO) Verify(ctx context.Context, dir string, tell func(done, parts int)) (VerifyReport, error) {
	return VerifyParts(ctx, c, dir, tell)
}

// Begin starts a part's list.
func (c *COCO) Begin(p *Part) (Encoder, error) {
	return newPictureWriter(p, &c.Pictures, c.state.names, true, c.state.label)
}

// Members reads a part's list.
func (*COCO) Members(file string) ([]Member, error) { return pictureMembers(file) }

// Count reads the labels of a part's list.
func (*COCO) Count(ctx context.Context, file string, l *Layout, add func(rows int64, labels [][]int32) error) error {
	return countPictures(ctx, file, l, add)
}

// writesTargets is about objects.
func (*COCO) writesTargets() (objects, crowds, masks bool) { return true, true, false }

// cocoCategory is what is looked at of a category.
type cocoCategory struct {
	ID        int64
	Name      string
	Keypoints []string
}

// cocoCategories are the source's own categories by id, if they are those of the classes;
// else nil.
func cocoCategories(spec *schema.TargetSpec) (byID map[int64]cocoCategory, list json.RawMessage) {
	var all []cocoCategory
	if spec.Categories == nil || spec.CategoryIDs == nil || json.Unmarshal(spec.Categories, &all) != nil {
		return nil, nil
	}
	byID = map[int64]cocoCategory{}
	for _, c := range all {
		byID[c.ID] = c
	}
	for i, name := range spec.Classes {
		if c, ok := byID[spec.CategoryIDs[i]]; !ok || c.Name != name {
			return nil, nil
		}
	}
	return byID, spec.Categories
}

// placesOf are the places of a category's keypoints in the spec's; nil: it has none. Made
// categories have all of them.
func placesOf(list map[int64]cocoCategory, id int64, spec *schema.TargetSpec) (places []int) {
	names := spec.Keypoints
	if list != nil {
		names = list[id].Keypoints
	}
	for _, name := range names {
		places = append(places, slices.Index(spec.Keypoints, name))
	}
	return places
}

// cocoIDs are the ids of the classes' categories.
func cocoIDs(spec *schema.TargetSpec) []int64 {
	if spec.CategoryIDs != nil {
		return spec.CategoryIDs
	}
	ids := make([]int64, len(spec.Classes))
	for i := range ids {
		ids[i] = int64(i) + 1
	}
	return ids
}

// label adds the objects of a row.
func (s *cocoState) label(l *labelled) error {
	objects, err := l.batch.Objects(l.row)
	if err != nil {
		return err
	}
	for i := range objects {
		text, err := s.annotation(&objects[i], l.line.Height, l.line.Width)
		if err != nil {
			return fmt.Errorf("object %d: %w", i, err)
		}
		l.line.Objects = append(l.line.Objects, text)
	}
	return nil
}

// annotation is an object without its ids, and without the braces' closing.
func (s *cocoState) annotation(o *schema.Object, height, width int) ([]byte, error) {
	if o.Label < 0 || int(o.Label) >= len(s.ids) {
		return nil, fmt.Errorf("class number %d of %d classes", o.Label, len(s.ids))
	}
	for _, v := range append(o.Box[:], o.Area) {
		if v != v || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("the box %v of area %v is not finite", o.Box, o.Area)
		}
	}
	segmentation, area, err := segmentation(o, height, width)
	if err != nil {
		return nil, err
	}
	var out []byte
	out = fmt.Appendf(out, `{"category_id":%d,"iscrowd":%d,"area":%s,"bbox":`, s.ids[o.Label], toInt(o.Crowd), area)
	out = appendBox(out, o.Box)
	if segmentation != nil {
		out = append(append(out, `,"segmentation":`...), segmentation...)
	}
	if len(s.spec.Keypoints) > 0 {
		if out, err = s.appendKeypoints(out, o); err != nil {
			return nil, err
		}
	}
	if o.ID != 0 {
		out = fmt.Appendf(out, `,"source_id":%d`, o.ID)
	}
	return append(out, '}'), nil
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// appendBox appends x, y, width and height, in as few digits as give the corners back, as
// float32.
func appendBox(out []byte, box [4]float32) []byte {
	out = append(append(appendFloat(append(out, '['), box[0]), ','), appendFloat(nil, box[1])...)
	for i := range 2 {
		out = appendSide(append(out, ','), box[i], box[i+2])
	}
	return append(out, ']')
}

// appendSide appends to - from.
func appendSide(out []byte, from, to float32) []byte {
	start, _ := strconv.ParseFloat(string(appendFloat(nil, from)), 64) // as readers have it
	at := len(out)
	for digits := range 12 {
		out = strconv.AppendFloat(out[:at], float64(to)-start, 'f', digits, 64)
		if side, _ := strconv.ParseFloat(string(out[at:]), 64); float32(start+side) == to && side >= 0 && (side > 0 || from == to) {
			return out
		}
	}
	return strconv.AppendFloat(out[:at], max(0, float64(to)-start), 'f', -1, 64)
}

// appendFloat appends a number in as few digits as it takes.
func appendFloat(out []byte, v float32) []byte {
	if v == 0 {
		v = 0 // not -0
	}
	return strconv.AppendFloat(out, float64(v), 'f', -1, 32)
}

// segmentation is an object's shape in COCO's form, nil where it isn't known, and its area.
func segmentation(o *schema.Object, height, width int) (text, area []byte, err error) {
	rings := make([][]float32, 0, len(o.Polygon))
	sum := 0.0
	for _, ring := range o.Polygon {
		if len(ring) < 6 {
			continue
		}
		for _, v := range ring {
			if v != v || math.IsInf(float64(v), 0) {
				return nil, nil, fmt.Errorf("a polygon has the coordinate %v", v)
			}
		}
		rings = append(rings, ring)
		sum += schema.PolygonArea(ring)
	}
	switch {
	case o.Area > 0:
		area = appendFloat(nil, o.Area)
	case len(rings) > 0:
		area = appendFloat(nil, float32(sum))
	default:
		area = appendFloat(nil, (o.Box[2]-o.Box[0])*(o.Box[3]-o.Box[1]))
	}
	if len(rings) == 0 {
		return nil, area, nil
	}
	if !o.Crowd {
		text = append(text, '[')
		for i, ring := range rings {
			if i > 0 {
				text = append(text, ',')
			}
			for j, v := range ring {
				text = appendFloat(append(text, ",["[toInt(j == 0)]), v)
			}
			text = append(text, ']')
		}
		return append(text, ']'), area, nil
	}
	var masks []coco.RLE
	for _, ring := range rings {
		points := make([]float64, len(ring))
		for i, v := range ring {
			points[i] = float64(v)
		}
		m, err := coco.FromPolygon(points, height, width)
		if err != nil {
			return nil, nil, err
		}
		masks = append(masks, m)
	}
	m, err := coco.Union(masks...)
	if err != nil {
		return nil, nil, err
	}
	text = fmt.Appendf(text, `{"size":[%d,%d],"counts":[`, height, width)
	for i, n := range m.Counts {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, uint64(n), 10)
	}
	return append(text, "]}"...), strconv.AppendInt(nil, m.Area(), 10), nil
}

// appendKeypoints appends those of an object's keypoints that its category has, in the
// category's order; nothing of a category that has none.
func (s *cocoState) appendKeypoints(out []byte, o *schema.Object) ([]byte, error) {
	places, there := s.places[o.Label], 0
	for k, name := range s.spec.Keypoints {
		if 3*k+3 > len(o.Keypoints) || o.Keypoints[3*k+2] <= 0 {
			continue
		}
		if there++; !slices.Contains(places, k) {
			return nil, fmt.Errorf("it has the keypoint %q, and its category %q has none of this name: add it to the category, or take the class out of objects.mirror", name, s.spec.Classes[o.Label])
		}
	}
	if places == nil {
		return out, nil
	}
	out = fmt.Appendf(out, `,"num_keypoints":%d,"keypoints":[`, there)
	for i, k := range places {
		var p [3]float32
		if k >= 0 && 3*k+3 <= len(o.Keypoints) {
			p = [3]float32(o.Keypoints[3*k:])
		}
		if i > 0 {
			out = append(out, ',')
		}
		if p[2] == 0 {
			out = append(out, "0,0,0"...)
			continue
		}
		for i, v := range p {
			if i < 2 {
				v = float32(float64(v) + s.shifted)
			}
			if out = appendFloat(out, v); i < 2 {
				out = append(out, ',')
			}
		}
	}
	return append(out, ']'), nil
}

// summaryName is instances.json.
func (*COCO) summaryName(*Layout) string { return instancesName }

// summarize writes all pictures, and in a second look at the parts all objects.
func (*COCO) summarize(w io.Writer, l *Layout, files []string) error {
	spec := l.Targets
	if spec == nil || !spec.Boxes {
		return errors.New("its plan has no boxes")
	}
	_, categories := cocoCategories(spec)
	if categories == nil {
		categories = marshal(madeCategories(spec))
	}
	var flat bytes.Buffer
	if err := json.Compact(&flat, categories); err != nil {
		return err
	}
	fmt.Fprintf(w, "{\"info\":{\"description\":\"written by sluice\",\"plan_hash\":%s},\n\"licenses\":[],\n\"categories\":%s,\n\"images\":[", marshal(l.PlanHash), flat.Bytes())
	image, annotation := 0, 0
	err := eachPicture(files, func(line *pictureLine) error {
		var row struct {
			Key      string `json:"key"`
			Epoch    int    `json:"epoch"`
			Position int64  `json:"position"`
			Meta     json.RawMessage
		}
		if err := json.Unmarshal(line.Row, &row); err != nil {
			return fmt.Errorf("damaged: %w", err)
		}
		image++
		meta := ""
		if row.Meta != nil {
			meta = fmt.Sprintf(`,"meta":%s`, row.Meta)
		}
		_, err := fmt.Fprintf(w, "%s{\"id\":%d,\"file_name\":%s,\"height\":%d,\"width\":%d,\"key\":%s,\"epoch\":%d,\"position\":%d%s}", comma(image), image,
			marshal(inFolder(picturesFolder, line.Files[0].File)), line.Height, line.Width, marshal(row.Key), row.Epoch, row.Position, meta)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\n],\n\"annotations\":["); err != nil {
		return err
	}
	image = 0
	err = eachPicture(files, func(line *pictureLine) error {
		image++
		for _, object := range line.Objects {
			rest, ok := bytes.CutPrefix(object, []byte("{"))
			if !ok {
				return errors.New("damaged: an object is none")
			}
			annotation++
			if _, err := fmt.Fprintf(w, "%s{\"id\":%d,\"image_id\":%d,%s", comma(annotation), annotation, image, rest); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}

// comma separates elements that are numbered from 1.
func comma(n int) string {
	if n == 1 {
		return "\n"
	}
	return ",\n"
}

// eachPicture calls f with each row of all parts.
func eachPicture(files []string, f func(line *pictureLine) error) error {
	for _, file := range files {
		if err := pictureLines(file, f); err != nil {
			return err
		}
	}
	return nil
}

// madeCategories are those of a source that has none of its own.
func madeCategories(spec *schema.TargetSpec) (list []map[string]any) {
	ids := cocoIDs(spec)
	list = []map[string]any{}
	for i, name := range spec.Classes {
		c := map[string]any{"id": ids[i], "name": name}
		if len(spec.Keypoints) > 0 {
			c["keypoints"], c["skeleton"] = spec.Keypoints, [][]int{}
		}
		list = append(list, c)
	}
	return list
}
