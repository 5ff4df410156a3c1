package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/coco"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// This file reads objects from the cells of lists.

// objectReader reads objects.
type objectReader struct {
	Objects
	given []string // fixed classes; nil: those that occur
	// The names of numbers, where the data have them.
	byNumber []string
	names    labels
	polygons bool      // some object has one
	strange  strangers // names that aren't among given
	faults   faultCounts
}

// The faults of objects beside those of boxes, and of rows.
var (
	unknownClass = faultText{"object", "an unknown category", "left out: add it to classes, or remove them"}
	noPolygon    = faultText{"object", "a segmentation that is neither a polygon nor an RLE", "they have boxes alone: write x y x y ... of each part, or {size: [height, width], counts: ...}"}
	badRLE       = faultText{"object", "an RLE that can't be read", "they have boxes alone: make it again, as pycocotools encodes masks"}
	otherShape   = faultText{"object", "an RLE that lies elsewhere than the box", "they have boxes alone: see whether the RLE is of another size than the image, or the box of another form than bbox says"}
	badPart      = faultText{"polygon", "an odd number of numbers, or one that isn't finite", "left out; where it was the only one its object has a box alone"}
	shortPart    = faultText{"polygon", "fewer than three points", "left out; where it was the only one its object has a box alone"}
	badKeypoints = faultText{"object", "keypoints that aren't finite, or of a visibility other than 0, 1 and 2", "left out: correct them"}
)

// fault counts a fault of an object, the first of which is 0.
func (r *objectReader) fault(text faultText, key string, object int, what string) {
	r.faults.add(text, "object %d of %q: %s", object+1, key, what)
}

// read reads a cell.
func (r *objectReader) read(c cell, key string) ([]schema.Object, error) {
	text := c.raw
	if c.bad == "" {
		text = []byte(strings.TrimSpace(c.text))
	}
	if len(text) == 0 || bytes.Equal(text, []byte("null")) {
		r.faults.add(faultText{"row", sprintf("no objects in the column %q", r.column()), "taken as pictures without any"}, "%q", cut(key))
		return nil, nil
	}
	lists, err := parseObjects(text)
	if err != nil {
		return nil, err
	}
	return r.add(lists, key)
}

// category is the class of an object: a name, or a number.
type category struct {
	name   string
	number int64
	named  bool
	null   bool
}

// objectLists are the objects of a picture as data sets hold them.
type objectLists struct {
	boxes         [][]float64
	categories    []category
	ids           []int64 // nil, as those below: there are none
	areas         []float64
	crowds        []bool
	keypoints     [][]float64
	segmentations []segmentation
}

// segmentation is what an object's segmentation says: the parts of a polygon, a mask, or something else.
type segmentation struct {
	parts [][]float64
	rle   *coco.RLE
	bad   error // of an RLE
	other bool
}

// add makes objects.
func (r *objectReader) add(l *objectLists, key string) ([]schema.Object, error) {
	n := len(l.boxes)
	for _, of := range []struct {
		name  string
		given bool
		n     int
	}{{"category", true, len(l.categories)}, {"id", l.ids != nil, len(l.ids)}, {"area", l.areas != nil, len(l.areas)},
		{"iscrowd", l.crowds != nil, len(l.crowds)}, {"keypoints", l.keypoints != nil && len(r.Keypoints) > 0, len(l.keypoints)},
		{"segmentation", l.segmentations != nil, len(l.segmentations)}} {
		if of.given && of.n != n {
			return nil, fmt.Errorf("bbox has %s and %s %d: want one for each object", phrase.Count(n, "item"), of.name, of.n)
		}
	}
	out := make([]schema.Object, 0, n)
	for i, b := range l.boxes {
		if len(b) != 4 {
			return nil, fmt.Errorf("the box of object %d has %s: want 4", i+1, phrase.Count(len(b), "number"))
		}
		if areShares(b) {
			r.fault(sharesText, key, i, fmt.Sprintf("%v", b))
		}
		var o schema.Object
		if what, then := r.box(b, &o.Box); what != "" {
			r.fault(faultText{"object", what, then}, key, i, fmt.Sprintf("%v", b))
			continue
		}
		label, ok, err := r.label(l.categories[i])
		if err != nil {
			return nil, fmt.Errorf("object %d: %w", i+1, err)
		}
		if !ok {
			r.unknown(l.categories[i], key, i)
			continue
		}
		o.Label = label
		if l.ids != nil {
			o.ID = l.ids[i]
		}
		if l.areas != nil {
			if a := float32(l.areas[i]); a > 0 && !math.IsInf(float64(a), 0) {
				o.Area = a
			}
		}
		o.Crowd = l.crowds != nil && l.crowds[i]
		if l.keypoints != nil && len(r.Keypoints) > 0 {
			points := l.keypoints[i]
			if len(points) != 0 && len(points) != 3*len(r.Keypoints) {
				return nil, fmt.Errorf("object %d has %s in keypoints: want 3 for each of the %d keypoints, or none", i+1, phrase.Count(len(points), "number"), len(r.Keypoints))
			}
			if o.Keypoints, ok = keypointsOf(points); !ok {
				r.fault(badKeypoints, key, i, fmt.Sprintf("%v", points))
				continue
			}
		}
		if l.segmentations != nil {
			o.Polygon = r.polygon(l.segmentations[i], o.Box, key, i)
			r.polygons = r.polygons || o.Polygon != nil
		}
		out = append(out, o)
	}
	return out, nil
}

// unknown counts an object of no class.
func (r *objectReader) unknown(c category, key string, object int) {
	switch {
	case c.null:
		r.fault(unknownClass, key, object, "null")
	case !c.named:
		r.fault(unknownClass, key, object, strconv.FormatInt(c.number, 10))
	default:
		if r.strange == nil {
			r.strange = strangers{}
		}
		r.strange[c.name]++
	}
}

// polygon is an object's; nil where it has none that can be used.
func (r *objectReader) polygon(s segmentation, box [4]float32, key string, object int) (parts [][]float32) {
	switch {
	case s.other:
		r.fault(noPolygon, key, object, "it is no list of numbers")
	case s.bad != nil:
		r.fault(badRLE, key, object, s.bad.Error())
	case s.rle != nil && !overlap(s.rle.Box(), box):
		r.fault(otherShape, key, object, fmt.Sprintf("corners %v and %v", s.rle.Box(), box))
	case s.rle != nil:
		return s.rle.Rings()
	}
	for i, part := range s.parts {
		ring := make([]float32, len(part))
		finite := true
		for k, v := range part {
			ring[k], finite = float32(v), finite && inFloat32(v)
		}
		switch {
		case len(part)%2 != 0:
			r.fault(badPart, key, object, fmt.Sprintf("part %d has %s", i, phrase.Count(len(part), "number")))
		case len(part) < 6:
			r.fault(shortPart, key, object, fmt.Sprintf("part %d has %s", i, phrase.Count(len(part)/2, "point")))
		case !finite:
			r.fault(badPart, key, object, fmt.Sprintf("part %d", i))
		default:
			parts = append(parts, ring)
		}
	}
	return parts
}

// overlap reports a mask of which, with its box, more than half is common. A sloppy box's is; a mask's of another
// picture, or of another size, isn't.
func overlap(mask [4]int, box [4]float32) bool {
	area := func(x1, y1, x2, y2 float64) float64 { return max(0, x2-x1) * max(0, y2-y1) }
	a := [4]float64{float64(mask[0]), float64(mask[1]), float64(mask[2]), float64(mask[3])}
	b := [4]float64{float64(box[0]), float64(box[1]), float64(box[2]), float64(box[3])}
	both := area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
	return 2*both > area(a[0], a[1], a[2], a[3])+area(b[0], b[1], b[2], b[3])-both
}

// box makes x1 y1 x2 y2, or says what is wrong, and what to do.
func (r *objectReader) box(b []float64, to *[4]float32) (what, then string) {
	corners, reversed := [4]float64(b), "left out: write left, top, right and bottom, or set bbox: xywh if the last two are width and height"
	if r.BBox != XYXY {
		corners[2], corners[3] = b[0]+b[2], b[1]+b[3]
		reversed = "left out: write left, top, width and height, or set bbox: xyxy if the last two are right and bottom"
	}
	what, then, _ = mendBox(corners, 0, 0)
	if what == exchangedCorners {
		then = reversed
	}
	for i, v := range corners {
		to[i] = float32(v)
	}
	return what, then
}

// label is the number of a category's name.
func (r *objectReader) label(c category) (n int32, ok bool, err error) {
	name := c.name
	switch {
	case c.null:
		return 0, false, nil
	case !c.named && (r.byNumber != nil || r.given != nil):
		of := r.byNumber
		if of == nil {
			of = r.given
		}
		if c.number < 0 || c.number >= int64(len(of)) {
			return 0, false, nil
		}
		if name = of[c.number]; r.given != nil && !r.names.has(name) && !slices.Contains(r.given, name) {
			return 0, false, nil
		}
	case !c.named:
		name = strconv.FormatInt(c.number, 10)
	case !utf8.ValidString(name):
		return 0, false, errorf("the category %q is not UTF-8", name)
	case strings.TrimSpace(name) == "":
		return 0, false, nil
	case r.given != nil && !r.names.has(name) && !slices.Contains(r.given, name):
		return 0, false, nil
	}
	return r.names.number(name), true, nil
}

// keypointsOf are x, y, v of each point; nil where there are none.
func keypointsOf(points []float64) (out []float32, ok bool) {
	for i, v := range points {
		f, finite := float32Of(v)
		if !finite || i%3 == 2 && v != 0 && v != 1 && v != 2 {
			return nil, false
		}
		out = append(out, f)
	}
	for i := 0; i < len(out); i += 3 {
		if out[i+2] == 0 {
			out[i], out[i+1] = 0, 0
		}
	}
	return out, true
}

// categoryNames are those that data sets give the list of classes.
var categoryNames = []string{"category", "categories", "category_id", "label", "labels"}

// parseObjects reads a structure of lists, or a list of structures.
func parseObjects(text []byte) (*objectLists, error) {
	v, err := jsonMember(text)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	switch v := v.(type) {
	case map[string]any:
		fields = v
	case []any: // of structures
		if fields, err = transposed(v); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("want a structure with the lists bbox and category, or a list of structures")
	}
	return listsOf(fields)
}

// transposed makes lists of structures.
func transposed(list []any) (map[string]any, error) {
	fields := map[string]any{"bbox": []any{}, "category": []any{}}
	category := ""
	for i, one := range list {
		object, ok := one.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("item %d is not a structure with bbox and category", i+1)
		}
		for _, name := range ObjectFields() {
			v, there := object[name]
			if !there {
				continue
			}
			if slices.Contains(categoryNames, name) {
				if category == "" {
					category = name
				}
				if name != category {
					continue
				}
				name = "category"
			}
			values, _ := fields[name].([]any)
			for len(values) < i {
				values = append(values, nil) // the structures before have none
			}
			fields[name] = append(values, v)
		}
		for name, values := range fields {
			if values := values.([]any); len(values) == i {
				fields[name] = append(values, nil)
			}
		}
	}
	return fields, nil
}

// listsOf takes a structure apart.
func listsOf(fields map[string]any) (*objectLists, error) {
	boxes, ok := fields["bbox"].([]any)
	if !ok {
		return nil, errors.New("it has no list bbox: want one box of four numbers for each object")
	}
	l := &objectLists{boxes: make([][]float64, len(boxes))}
	for i, b := range boxes {
		var err error
		if l.boxes[i], err = floats(b); err != nil {
			return nil, fmt.Errorf("the box of object %d %w", i+1, err)
		}
	}
	at := slices.IndexFunc(categoryNames, func(name string) bool { return fields[name] != nil })
	if at < 0 {
		return nil, errors.New("it has no list category: want one name or number for each object")
	}
	categories, ok := fields[categoryNames[at]].([]any)
	if !ok {
		return nil, fmt.Errorf("%s is not a list: want one name or number for each object", categoryNames[at])
	}
	for i, v := range categories {
		switch v := v.(type) {
		case nil:
			l.categories = append(l.categories, category{null: true})
		case string:
			l.categories = append(l.categories, category{name: strings.TrimSpace(v), named: true})
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				return nil, fmt.Errorf("the category of object %d, %s, is no whole number", i+1, v)
			}
			l.categories = append(l.categories, category{number: n})
		default:
			return nil, fmt.Errorf("the category of object %d is neither a text nor a number", i+1)
		}
	}
	return l, l.others(fields)
}

// others reads the lists that need not be there.
func (l *objectLists) others(fields map[string]any) error {
	if of, ok := fields["segmentation"].(map[string]any); ok { // a structure of lists
		fields["segmentation"] = eachRLE(of)
	}
	for _, name := range []string{"id", "area", "iscrowd", "keypoints", "segmentation"} {
		list, ok := fields[name].([]any)
		if !ok {
			if fields[name] != nil {
				return fmt.Errorf("%s is not a list", name)
			}
			continue
		}
		for i, v := range list {
			if name == "keypoints" {
				points, err := floats(v)
				if err != nil {
					return fmt.Errorf("the keypoints of object %d: %w", i+1, err)
				}
				l.keypoints = append(l.keypoints, points)
				continue
			}
			if name == "segmentation" {
				l.segmentations = append(l.segmentations, segmentationOf(v))
				continue
			}
			n, isNumber := v.(json.Number)
			if is, isBool := v.(bool); isBool && name == "iscrowd" {
				l.crowds = append(l.crowds, is)
				continue
			}
			if !isNumber && v != nil {
				return fmt.Errorf("%s of object %d is not a number", name, i+1)
			}
			f, _ := n.Float64() // one beyond range is infinite; none is 0
			switch name {
			case "id":
				id, err := n.Int64()
				if err != nil && v != nil {
					return fmt.Errorf("id of object %d, %s, is no whole number", i+1, n)
				}
				l.ids = append(l.ids, id)
			case "area":
				l.areas = append(l.areas, f)
			case "iscrowd":
				l.crowds = append(l.crowds, f != 0)
			}
		}
		if list != nil && len(list) == 0 { // of no objects, unless it is ragged
			l.empty(name)
		}
	}
	return nil
}

// empty makes a list that is there and has no items other than one that isn't there.
func (l *objectLists) empty(name string) {
	switch name {
	case "id":
		l.ids = []int64{}
	case "area":
		l.areas = []float64{}
	case "iscrowd":
		l.crowds = []bool{}
	case "keypoints":
		l.keypoints = [][]float64{}
	case "segmentation":
		l.segmentations = []segmentation{}
	}
}

// segmentationOf reads a segmentation: parts, each x y x y ..., or the numbers of the only one.
func segmentationOf(v any) (s segmentation) {
	if of, ok := v.(map[string]any); ok {
		r, err := rleOf(of)
		return segmentation{rle: r, bad: err}
	}
	list, ok := v.([]any)
	if !ok {
		return segmentation{other: v != nil}
	}
	if len(list) > 0 {
		if _, flat := list[0].([]any); !flat {
			list = []any{list}
		}
	}
	for _, one := range list {
		part, err := floats(one)
		if err != nil {
			return segmentation{other: true}
		}
		s.parts = append(s.parts, part)
	}
	return s
}

// eachRLE makes structures of a structure of lists.
func eachRLE(of map[string]any) (out []any) {
	sizes, _ := of["size"].([]any)
	counts, _ := of["counts"].([]any)
	for i := range max(len(sizes), len(counts)) {
		one := map[string]any{}
		if i < len(sizes) {
			one["size"] = sizes[i]
		}
		if i < len(counts) {
			one["counts"] = counts[i]
		}
		if one["size"] == nil && one["counts"] == nil {
			out = append(out, nil)
			continue
		}
		out = append(out, one)
	}
	return out
}

// rleOf reads a run-length encoded mask: its size, height and width, and its counts, compressed or not; nil where
// both are null.
func rleOf(of map[string]any) (*coco.RLE, error) {
	if of["size"] == nil && of["counts"] == nil {
		return nil, nil
	}
	size, err := floats(of["size"])
	if err != nil || len(size) != 2 || !(size[0] >= 1 && size[0] <= math.MaxInt32 && size[1] >= 1 && size[1] <= math.MaxInt32) {
		return nil, fmt.Errorf("its size is %v, not height and width", of["size"])
	}
	height, width := int(size[0]), int(size[1])
	var mask coco.RLE
	if text, ok := of["counts"].(string); ok {
		mask, err = coco.DecodeRLE([]byte(text), height, width)
		return &mask, err
	}
	lengths, err := floats(of["counts"])
	if err != nil {
		return nil, errors.New("its counts are neither a text nor a list of numbers")
	}
	counts := make([]uint32, len(lengths))
	for i, n := range lengths {
		if !(n >= 0 && n <= math.MaxInt32) || n != math.Trunc(n) {
			return nil, fmt.Errorf("count %d is %v, no length", i, n)
		}
		counts[i] = uint32(n)
	}
	mask, err = coco.NewRLE(counts, height, width)
	return &mask, err
}

// floats are the numbers of a list, also of lists in it.
func floats(v any) (out []float64, err error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, errors.New("is not a list of numbers")
	}
	for _, one := range list {
		switch one := one.(type) {
		case json.Number:
			f, _ := one.Float64() // one beyond range is infinite
			out = append(out, f)
		case []any:
			inner, err := floats(one)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
		case nil:
			out = append(out, math.NaN())
		default:
			return nil, errors.New("holds something other than numbers")
		}
	}
	return out, nil
}
