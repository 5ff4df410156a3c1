package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// YOLO writes pictures as files, and beside each a text of its objects, as ultralytics reads them:
//
//	images/1.jpg
//	labels/1.txt      class, and numbers from 0 to 1 of width and height
//	data.yaml         names of the classes
//
// A line is a box (centre, width, height), a polygon, or a box and its keypoints: all lines
// of a data set are of one kind. A polygon of several parts becomes one, which goes from one part to
// the next and back. Crowds have no place in it and are left out, as ultralytics' own
// conversion does. A picture without objects has an empty text.
//
// Beside them are the plan, the manifest and the parts, as COCO has them.
type YOLO struct {
	Pictures
	Objects YOLOKind `sluice:"objects" default:"auto" doc:"what lines are: boxes, polygons, or keypoints (a box and its keypoints); auto: polygons where the source has them, else keypoints where it has them, else boxes"`
	Parts

	state *yoloState
}

// YOLOKind is what the lines of labels are.
type YOLOKind string

// Values lists them; the first is the default.
func (YOLOKind) Values() []string { return []string{"auto", "boxes", "polygons", "keypoints"} }

var (
	_ Skipper        = (*YOLO)(nil)
	_ ReadTracker    = (*YOLO)(nil)
	_ SourceVerifier = (*YOLO)(nil)
	_ Updater        = (*YOLO)(nil)
	_ Lister         = (*YOLO)(nil)
	_ summarizer     = (*YOLO)(nil)
	_ Warner         = (*YOLO)(nil)
	_ Remarker       = (*YOLO)(nil)
)

// yoloState is what a run needs.
type yoloState struct {
	form  schema.Form
	names *rowNames
	spec  *schema.TargetSpec
	kind  YOLOKind
	crowd atomic.Int64 // objects that were left out
}

const (
	labelsFolder = "labels"
	dataName     = "data.yaml"
)

// Name is yolo.
func (*YOLO) Name() string { return "yolo" }

// Check reports every impossible option at once.
func (y *YOLO) Check() error {
	errs := []error{y.check()}
	if !slices.Contains(append(y.Objects.Values(), ""), string(y.Objects)) {
		errs = append(errs, fmt.Errorf("objects: unknown %q: have auto, boxes, polygons, keypoints", string(y.Objects)))
	}
	return errors.Join(errs...)
}

// kind is what lines are.
func (y *YOLO) kind(spec *schema.TargetSpec) (YOLOKind, error) {
	switch {
	case !spec.Objects():
		return "", errors.New("the samples have no boxes, of which its labels are made: use a source that has them, or choose the format " + fitting(spec))
	case y.Objects == "polygons" && !spec.Polygons:
		return "", errors.New("objects: polygons: the source has none: leave objects out, or say boxes")
	case y.Objects == "keypoints" && len(spec.Keypoints) == 0:
		return "", errors.New("objects: keypoints: the source has none: leave objects out, or say boxes")
	case y.Objects != "" && y.Objects != "auto":
		return y.Objects, nil
	case spec.Polygons:
		return "polygons", nil
	case len(spec.Keypoints) > 0:
		return "keypoints", nil
	}
	return "boxes", nil
}

// Open locks the directory and verifies what is in it.
func (y *YOLO) Open(ctx context.Context, run *schema.Run) error {
	err := y.Check()
	if err == nil {
		err = holdsPictures(run)
	}
	s := &yoloState{form: run.Form, spec: run.Targets}
	if err == nil {
		s.kind, err = y.kind(run.Targets)
	}
	if err != nil {
		return fmt.Errorf("sinks: yolo: %w", err)
	}
	s.names = pictureNames(run)
	y.state = s
	return y.Start(ctx, run, y, y.parts(run))
}

// Warnings are about targets that aren't written.
func (y *YOLO) Warnings(run *schema.Run) (list []string) {
	if run.Targets.HasMask() && run.Targets.Objects() {
		list = append(list, "yolo: the samples have masks, which this format doesn't write: choose arrow or masks to keep them")
	}
	if kind, err := y.kind(run.Targets); err == nil && kind == "polygons" && len(run.Targets.Keypoints) > 0 {
		list = append(list, "yolo: a line is a polygon or has keypoints, not both: the keypoints aren't written; objects: keypoints writes them in place of the polygons")
	}
	return list
}

// Remarks tell of crowds.
func (y *YOLO) Remarks() []string {
	if y.state == nil || y.state.crowd.Load() == 0 {
		return nil
	}
	return []string{fmt.Sprintf("yolo: %s left out, since its labels can't say that one stands for a group (COCO's iscrowd, VOC's difficult): choose coco or arrow to keep them", phrase.Count(y.state.crowd.Load(), "crowd"))}
}

// Ext is .jsonl.
func (*YOLO) Ext() string { return ".jsonl" }

// yoloOptions are those that decide the bytes.
type yoloOptions struct {
	imageOptions
	Objects YOLOKind `json:"objects"`
}

// Options are those that decide the bytes.
func (y *YOLO) Options() any { return yoloOptions{y.images().recorded(y.state.form), y.state.kind} }

// Recognizes a directory whose plan.json is of this format.
func (*YOLO) Recognizes(path string) bool { return RecognizesParts(path, "yolo") }

// Verify is VerifyParts.
func (y *YOLO) Verify(ctx context.Context, dir string, tell func(done, parts int)) (VerifyReport, error) {
	return VerifyParts(ctx, y, dir, tell)
}

// Begin starts a part's list.
func (y *YOLO) Begin(p *Part) (Encoder, error) {
	return newPictureWriter(p, &y.Pictures, y.state.names, true, y.state.label)
}

// Members reads a part's list.
func (*YOLO) Members(file string) ([]Member, error) { return pictureMembers(file) }

// Count reads the labels of a part's list.
func (*YOLO) Count(ctx context.Context, file string, l *Layout, add func(rows int64, labels [][]int32) error) error {
	return countPictures(ctx, file, l, add)
}

// writesTargets is about objects that stand for one.
func (*YOLO) writesTargets() (objects, crowds, masks bool) { return true, false, false }

// label adds the text of a row.
func (s *yoloState) label(l *labelled) error {
	objects, err := l.batch.Objects(l.row)
	if err != nil {
		return err
	}
	text := []byte{}
	for i := range objects {
		o := &objects[i]
		if o.Crowd {
			s.crowd.Add(1)
			continue
		}
		if o.Label < 0 || int(o.Label) >= len(s.spec.Classes) {
			return fmt.Errorf("object %d: class number %d of %d classes", i, o.Label, len(s.spec.Classes))
		}
		text = append(s.appendObject(strconv.AppendInt(text, int64(o.Label), 10), o, float64(l.line.Height), float64(l.line.Width)), '\n')
	}
	l.add(labelsFolder+"/"+l.name+".txt", text)
	return nil
}

func (s *yoloState) appendObject(text []byte, o *schema.Object, height, width float64) []byte {
	share := func(v, of float64) {
		text = strconv.AppendFloat(append(text, ' '), float64(float32(min(max(v/of, 0), 1))), 'f', -1, 32)
	}
	x1, y1, x2, y2 := float64(o.Box[0]), float64(o.Box[1]), float64(o.Box[2]), float64(o.Box[3])
	x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
	if s.kind == "polygons" {
		ring := joined(o.Polygon)
		if ring == nil {
			ring = []float32{o.Box[0], o.Box[1], o.Box[2], o.Box[1], o.Box[2], o.Box[3], o.Box[0], o.Box[3]}
		}
		for i := 0; i+1 < len(ring); i += 2 {
			share(float64(ring[i]), width)
			share(float64(ring[i+1]), height)
		}
		return text
	}
	share((x1+x2)/2, width)
	share((y1+y2)/2, height)
	share(x2-x1, width)
	share(y2-y1, height)
	if s.kind == "keypoints" {
		for k := range s.spec.Keypoints {
			var p [3]float32
			if 3*k+3 <= len(o.Keypoints) {
				p = [3]float32(o.Keypoints[3*k:])
			}
			share(float64(p[0]), width)
			share(float64(p[1]), height)
			text = strconv.AppendInt(append(text, ' '), int64(p[2]), 10)
		}
	}
	return text
}

// joined is one ring for all parts of a polygon: from the first part's first point to each
// other part and back. All turn the way that the first does, so that their areas add up.
func joined(parts [][]float32) (ring []float32) {
	turn := 0.0
	for _, part := range parts {
		if len(part) < 6 {
			continue
		}
		area := signedArea(part)
		if ring == nil {
			ring, turn = slices.Clone(part), area
			continue
		}
		if area*turn < 0 {
			part = reversed(part)
		}
		ring = append(append(append(ring, ring[0], ring[1]), part...), part[0], part[1])
	}
	return ring
}

func signedArea(ring []float32) (sum float64) {
	for i, n := 0, len(ring)/2; i < n; i++ {
		j := (i + 1) % n
		sum += float64(float64(ring[2*i])*float64(ring[2*j+1])) - float64(float64(ring[2*j])*float64(ring[2*i+1]))
	}
	return sum / 2
}

func reversed(ring []float32) []float32 {
	out := make([]float32, 0, len(ring))
	for i := len(ring) - 2; i >= 0; i -= 2 {
		out = append(out, ring[i], ring[i+1])
	}
	return out
}

// summaryName is data.yaml.
func (*YOLO) summaryName(*Layout) string { return dataName }

// summarize writes the names of the classes, and of the folders.
func (*YOLO) summarize(w io.Writer, l *Layout, _ []string) error {
	spec := l.Targets
	if spec == nil || !spec.Boxes {
		return errors.New("its plan has no boxes")
	}
	var o yoloOptions
	if err := json.Unmarshal(l.Options, &o); err != nil {
		return err
	}
	fmt.Fprintf(w, "train: %s\nval: %[1]s\n", picturesFolder)
	if k := len(spec.Keypoints); o.Objects == "keypoints" {
		fmt.Fprintf(w, "kpt_shape: [%d, 3]\n", k)
		if spec.Mirrored != nil {
			fmt.Fprintf(w, "flip_idx: %s\n", marshal(spec.Mirrored))
		}
		fmt.Fprintf(w, "kpt_names: %s\n", marshal(map[string][]string{"0": spec.Keypoints}))
	}
	fmt.Fprintf(w, "nc: %d\nnames:\n", len(spec.Classes))
	var err error
	for i, name := range spec.Classes {
		_, err = fmt.Fprintf(w, "  %d: %s\n", i, marshal(name))
	}
	return err
}
