package sources

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/zeebo/xxh3"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/coco"
	"github.com/sluicedata/sluice/schema"
)

// cocoList is an annotation file being read. Its columns are in the order of the file.
type cocoList struct {
	c      Coco
	find   finder
	faults faultCounts

	images cocoImages
	byKey  map[string]int32 // images
	byID   map[int64]int32
	absent int

	image      []int32 // of each object
	category   []int32 // of each object, in categories
	objects    cocoObjects
	digests    [][16]byte
	objectIDs  []int64
	polygons   bool
	plain      bool // some object is no crowd
	listed     int  // annotations, with those that are left out
	categories []int64
	numbers    map[int64]int32       // of categories
	counts     []map[int]*faultCount // by category: how many numbers of keypoints its objects have

	buf      []byte
	findings []coco.Finding
}

// cocoImages are columns of images.
type cocoImages struct {
	keys          []string
	bytes         []int64
	times         []blob.Times
	sizes         []cocoSize
	ids           []any // int64
	negative      []any // []int64: LVIS's lists
	notExhaustive []any
	lvis          bool
}

func newCocoList(c Coco) *cocoList {
	return &cocoList{c: c, find: finder{folder: c.Images, found: map[string]string{}},
		byKey: map[string]int32{}, byID: map[int64]int32{}, numbers: map[int64]int32{}}
}

// takeImage takes an element of the list images.
func (l *cocoList) takeImage(i *coco.Image) error {
	if number, again := l.byID[i.ID]; again {
		if key := path.Clean(strings.TrimSpace(i.File)); i.File != "" && key != l.images.keys[number] {
			return errorf("the images %q and %q have the same id, %d, so that it isn't known whose its annotations are: give each its own",
				l.images.keys[number], i.File, i.ID)
		}
		l.faults.add(cocoFaultTexts[imageTwice], "id %d (%q)", i.ID, l.images.keys[number])
		return nil
	}
	key, size, ok, err := l.file(i)
	if !ok || err != nil {
		return err
	}
	if number, again := l.byKey[key]; again {
		l.faults.add(cocoFaultTexts[fileTwice], "%q (ids %d and %d)", key, l.images.ids[number], i.ID)
		l.byID[i.ID] = number
		return nil
	}
	if size == missing {
		l.absent++
		l.faults.add(cocoFaultTexts[imageMissing], "%q (id %d)", l.find.join(key), i.ID)
	}
	if i.Height == 0 || i.Width == 0 {
		i.Height, i.Width = 0, 0
		l.faults.add(cocoFaultTexts[noSize], "%q (id %d)", key, i.ID)
	}
	x := &l.images
	number := int32(len(x.keys))
	l.byID[i.ID], l.byKey[key] = number, number
	x.keys, x.bytes, x.times = append(x.keys, key), append(x.bytes, size), append(x.times, l.find.time)
	x.sizes = append(x.sizes, cocoSize{int32(i.Height), int32(i.Width)})
	x.ids = append(x.ids, i.ID)
	list := func(has bool, ids []int64) any {
		if !has {
			return nil
		}
		x.lvis = true
		return ids
	}
	x.negative = append(x.negative, list(i.HasNegative, i.Negative))
	x.notExhaustive = append(x.notExhaustive, list(i.HasNotExhaustive, i.NotExhaustive))
	return nil
}

// file finds an image's file. It is not ok where the image names none.
func (l *cocoList) file(i *coco.Image) (key string, size int64, ok bool, err error) {
	name, flat := i.File, ""
	if strings.TrimSpace(name) == "" {
		if u, err := url.Parse(i.URL); err == nil && i.URL != "" {
			flat = path.Base(u.Path)
			name = path.Join(path.Base(path.Dir(u.Path)), flat)
		}
	}
	if flat == "." || flat == "/" || strings.TrimSpace(name) == "" {
		l.faults.add(cocoFaultTexts[nameless], "id %d", i.ID)
		return "", 0, false, nil
	}
	if len(name) > longestKey || strings.ContainsRune(name, 0) {
		return "", 0, false, errorf("image %d: file_name: %q is no name of a file", i.ID, name)
	}
	key, size, err = l.find.file(name)
	if size == missing && flat != "" && (err == nil || gone(err)) {
		// A folder of one of COCO's parts, and not that above it.
		if _, flatSize, flatErr := l.find.file(flat); flatErr == nil && flatSize >= 0 {
			l.find.found[key] = filepath.Join(l.c.Images, flat)
			size, err = flatSize, nil
		}
	}
	if err != nil && !gone(err) {
		return "", 0, false, errorf("cannot read the image %q: %w", l.find.join(key), cause(err))
	}
	if size < missing {
		return "", 0, false, errorf("the image %q is not a regular file", l.find.join(key))
	}
	return key, size, true, nil
}

// takeAnnotation takes an element of the list annotations, which follow all images.
func (l *cocoList) takeAnnotation(a *coco.Annotation, at, length int64) error {
	l.listed++
	if length > 1<<31 {
		return errorf("the annotation %d has %d bytes", a.ID, length)
	}
	number, known := l.byID[a.Image]
	if !known || !a.HasImage {
		l.faults.add(cocoFaultTexts[noImage], "id %d (of image %d)", a.ID, a.Image)
		return nil
	}
	if !a.HasID {
		l.faults.add(cocoFaultTexts[noID], "one of image %d", a.Image)
	}
	if !a.HasCategory {
		l.faults.add(cocoFaultTexts[noCategory], "id %d", a.ID)
		return nil
	}
	var digest [16]byte
	digest, l.buf = a.Digest(l.buf)
	size := l.images.sizes[number]
	l.findings = a.Mend(int(size.height), int(size.width), -1, l.findings[:0])
	l.otherForm(a, number)
	leftOut := false
	for _, f := range l.findings {
		l.faults.add(cocoFaultTexts[f.Fault], "id %d of %q: %s", a.ID, l.images.keys[number], f.Text)
		leftOut = leftOut || f.Fault.LeavesOut()
	}
	if leftOut {
		return nil
	}
	category, known := l.numbers[a.Category]
	if !known {
		category = int32(len(l.categories))
		l.numbers[a.Category] = category
		l.categories, l.counts = append(l.categories, a.Category), append(l.counts, nil)
	}
	if n := len(a.Keypoints); n > 0 {
		if l.counts[category] == nil {
			l.counts[category] = map[int]*faultCount{}
		}
		count := l.counts[category][n]
		if count == nil && len(l.counts[category]) < shown {
			count = &faultCount{example: sprintf("id %d of %q: it has %d numbers", a.ID, l.images.keys[number], n)}
			l.counts[category][n] = count
		}
		if count != nil {
			count.n++
		}
	}
	l.polygons = l.polygons || a.HasRLE || len(a.Ends) > 0
	l.plain = l.plain || !a.Crowd
	l.image, l.category = append(l.image, number), append(l.category, category)
	l.objects.at, l.objects.length = append(l.objects.at, at), append(l.objects.length, uint32(length))
	l.digests, l.objectIDs = append(l.digests, digest), append(l.objectIDs, a.ID)
	return nil
}

// otherForm counts boxes that are probably shares, or corners.
func (l *cocoList) otherForm(a *coco.Annotation, image int32) {
	size, b := l.images.sizes[image], a.Box
	out := slices.ContainsFunc(l.findings, func(f coco.Finding) bool { return f.Fault == coco.OutsidePart })
	switch {
	case areShares(b):
		l.faults.add(sharesText, "id %d of %q: its box is %v", a.ID, l.images.keys[image], b)
	case out && b[0] >= 0 && b[1] >= 0 && b[2] > b[0] && b[3] > b[1] && b[2] <= float64(size.width) && b[3] <= float64(size.height):
		l.faults.add(asCorners, "id %d of %q: its box is %v, and its image has %d x %d pixels (width x height)", a.ID, l.images.keys[image], b, size.width, size.height)
	}
}

// dataset makes the index of what was read.
func (l *cocoList) dataset(in *os.File, file coco.File) (*cocoData, error) {
	n := len(l.images.keys)
	switch {
	case n == 0:
		return nil, errorf("lists no image that has a name: %w", coco.ErrNotCOCO)
	case l.absent == n:
		return nil, errorf("there is none of its images (%d), such as %s: file names are relative to images, which is %q", n, l.faults.example(cocoFaultTexts[imageMissing]), l.c.Images)
	case len(file.Categories) == 0 && l.listed > 0:
		return nil, errorf("has annotations and no categories: %w", coco.ErrNotCOCO)
	}
	spec, classes, err := l.classes(file)
	if err != nil {
		return nil, err
	}
	places := placesOf(file.Categories, spec, classes)
	d := &cocoData{in: in, name: l.c.File, classes: classes, places: places, frame: l.c.Annotations.of(), move: l.c.Keypoints.move()}
	l.countKeypoints(file.Categories)
	l.sortImages()
	d.sizes = l.images.sizes
	targets := l.sortObjects(d, spec)
	x := &schema.Table{Keys: l.images.keys, Sizes: l.images.bytes, Targets: targets}
	x.ColumnList = append(x.ColumnList, schema.Column{Name: schema.ColumnMeta + "image_id", Type: arrow.PrimitiveTypes.Int64})
	x.Values = append(x.Values, l.images.ids)
	if l.images.lvis {
		ids := arrow.ListOf(arrow.PrimitiveTypes.Int64)
		x.ColumnList = append(x.ColumnList, schema.Column{Name: schema.ColumnMeta + "neg_category_ids", Type: ids},
			schema.Column{Name: schema.ColumnMeta + "not_exhaustive_category_ids", Type: ids})
		x.Values = append(x.Values, l.images.negative, l.images.notExhaustive)
	}
	l.doubled()
	if len(targets.Labels) == 0 {
		if err := l.faults.noneLeft(l.listed, "annotation"); err != nil {
			return nil, err
		}
	}
	d.x = x
	d.files = newFiles(newOpened("sources: coco", x, append(l.warnings(), objectRemarks(x, spec.Classes, x.ObjectLabels)...)), l.c.Images, l.images.times, l.find.found)
	return d, nil
}

// warnings tell of the faults, by the order in which they were found.
func (l *cocoList) warnings() []string {
	prefix := sprintf("coco: %q: ", l.c.File)
	list := l.faults.warnings(prefix, map[string]int{"annotation": l.listed, "image": len(l.images.keys)})
	if l.listed == 0 {
		list = append(list, prefix+"it has no annotations, so all of its images are without objects")
	}
	return list
}

// classes are the categories in the order of their ids.
func (l *cocoList) classes(file coco.File) (*schema.TargetSpec, map[int64]int32, error) {
	list := slices.Clone(file.Categories)
	slices.SortStableFunc(list, func(a, b coco.Category) int { return cmp.Compare(a.ID, b.ID) })
	spec := &schema.TargetSpec{Boxes: true, Polygons: l.polygons, CrowdsAlone: len(l.image) > 0 && !l.plain}
	numbers, taken := map[int64]int32{}, map[string]int64{}
	for i, c := range list {
		if i > 0 && list[i-1].ID == c.ID {
			return nil, nil, errorf("the categories %q and %q have the same id, %d: give each its own", list[i-1].Name, c.Name, c.ID)
		}
		name := c.Name
		if name == "" {
			name = fmt.Sprint(c.ID)
			l.faults.add(cocoFaultTexts[namelessCategory], "id %d", c.ID)
		}
		if other, again := taken[name]; again {
			l.faults.add(cocoFaultTexts[categoryTwice], "%q (ids %d and %d)", c.Name, other, c.ID)
			name = fmt.Sprintf("%s (%d)", name, c.ID)
		}
		taken[name] = c.ID
		numbers[c.ID] = int32(i)
		spec.Classes, spec.CategoryIDs = append(spec.Classes, name), append(spec.CategoryIDs, c.ID)
		for _, keypoint := range c.Keypoints {
			if !slices.Contains(spec.Keypoints, keypoint) {
				spec.Keypoints = append(spec.Keypoints, keypoint)
			}
		}
	}
	spec.Mirrored = mirroredNames(spec.Keypoints)
	if json.Valid(file.CategoriesText) {
		spec.Categories = file.CategoriesText
	}
	return spec, numbers, nil
}

// mirroredNames pairs keypoints whose names differ by left and right; nil if there are none.
func mirroredNames(names []string) (pairs []int) {
	for k, name := range names {
		other := slices.Index(names, otherSide(name))
		if other < 0 || other == k {
			continue
		}
		if pairs == nil {
			pairs = make([]int, len(names))
			for i := range pairs {
				pairs[i] = i
			}
		}
		pairs[k] = other
	}
	return pairs
}

// otherSide is a name with left for right and right for left, whatever the case of their first
// letters.
var otherSide = strings.NewReplacer("left", "right", "right", "left", "Left", "Right", "Right", "Left", "LEFT", "RIGHT", "RIGHT", "LEFT").Replace

// placesOf are the places of each class's keypoints in the spec's.
func placesOf(categories []coco.Category, spec *schema.TargetSpec, classes map[int64]int32) [][]int32 {
	places := make([][]int32, len(spec.Classes))
	for _, c := range categories {
		for _, name := range c.Keypoints {
			places[classes[c.ID]] = append(places[classes[c.ID]], int32(slices.Index(spec.Keypoints, name)))
		}
	}
	return places
}

// countKeypoints finds objects with another number of keypoints than their category has.
func (l *cocoList) countKeypoints(categories []coco.Category) {
	for _, c := range categories {
		number, used := l.numbers[c.ID]
		if !used {
			continue
		}
		for _, n := range slices.Sorted(maps.Keys(l.counts[number])) {
			if count := l.counts[number][n]; n != 3*len(c.Keypoints) {
				l.faults.addMany(cocoFaultTexts[coco.KeypointCount], count.n, "%s, and category %q has names for %d keypoints", count.example, c.Name, len(c.Keypoints))
			}
		}
	}
}

// sortImages orders images by their keys, and renumbers those of objects.
func (l *cocoList) sortImages() {
	x := &l.images
	order := make([]int32, len(x.keys))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(x.keys[a], x.keys[b]) })
	to := make([]int32, len(order))
	for i, from := range order {
		to[from] = int32(i)
	}
	x.keys, x.bytes, x.times, x.sizes = permuted(x.keys, order), permuted(x.bytes, order), permuted(x.times, order), permuted(x.sizes, order)
	x.ids, x.negative, x.notExhaustive = permuted(x.ids, order), permuted(x.negative, order), permuted(x.notExhaustive, order)
	for o, number := range l.image {
		l.image[o] = to[number]
	}
}

// sortObjects orders objects by their images, and as they are in the file within these. Those of
// unknown categories are left out.
func (l *cocoList) sortObjects(d *cocoData, spec *schema.TargetSpec) *schema.TargetTable {
	labels := make([]int32, len(l.categories)) // by category; -1: it isn't in the list
	for number, id := range l.categories {
		label, known := d.classes[id]
		if !known {
			label = -1
		}
		labels[number] = label
	}
	n := len(l.images.keys)
	t := &schema.TargetTable{Spec: spec, First: make([]int64, n+1), Digests: make([][16]byte, n)}
	for o, number := range l.image {
		if labels[l.category[o]] < 0 {
			l.faults.add(cocoFaultTexts[unknownCategory], "id %d of %q: category %d", l.objectIDs[o], l.images.keys[number], l.categories[l.category[o]])
			continue
		}
		t.First[number+1]++
	}
	for i := range n {
		t.First[i+1] += t.First[i]
	}
	next := slices.Clone(t.First)
	kept := t.First[n]
	t.Labels = make([]int32, kept)
	d.objects = cocoObjects{make([]int64, kept), make([]uint32, kept)}
	digests := make([][16]byte, kept)
	for o, number := range l.image {
		label := labels[l.category[o]]
		if label < 0 {
			continue
		}
		to := next[number]
		next[number]++
		t.Labels[to], digests[to] = label, l.digests[o]
		d.objects.at[to], d.objects.length[to] = l.objects.at[o], l.objects.length[o]
	}
	for i := range n {
		l.buf = d.head(l.buf[:0], l.images.sizes[i])
		for o := t.First[i]; o < t.First[i+1]; o++ {
			l.buf = append(l.buf, digests[o][:]...)
		}
		t.Digests[i] = xxh3.Hash128(l.buf).Bytes()
	}
	return t
}

// doubled finds ids of several annotations. The columns of objects are not used afterwards.
func (l *cocoList) doubled() {
	ids := l.objectIDs
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] && ids[i] != 0 {
			l.faults.add(cocoFaultTexts[idTwice], "id %d", ids[i])
		}
	}
}
