package sources

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/yamlsafe"
	"github.com/sluicedata/sluice/schema"
)

// YOLO is images with a text file of objects each, as ultralytics' and other tools write them.
//
//	yolo: {data: coco8.yaml, split: train}
//	yolo: {images: images/train, labels: labels/train, classes: [cat, dog]}
//
// Data is read as data: path, train, val, test, names, nc, kpt_shape, flip_idx. Nothing else in
// it counts, and its download is never run nor fetched. A split is a folder of images, a
// text file that lists images, or a list of these. The labels of images/train/a.jpg are those of
// labels/train/a.txt: the last folder named images becomes labels, as there. The key is an
// image's path in its folder, where there is only one, else in the folder that path names.
//
// A line is an object: its class number, then x and y of its middle, width and height; or the
// corners of a polygon, whose box is the one around it; or, where kpt_shape is given, a box and
// K keypoints of x, y and, with kpt_shape [K, 3], v. All are shares of the width or
// height of the picture as it is shown. Its line is an object's id. An image without a text file, or
// with an empty one, has no objects.
type YOLO struct {
	Data    string    `sluice:"data,path" doc:"a data.yaml, which names folders and classes"`
	Split   YOLOSplit `sluice:"split" default:"train" doc:"with data: the part that is read"`
	Images  string    `sluice:"images,path" doc:"instead of data: the folder of images, with those within it"`
	Labels  string    `sluice:"labels,path" doc:"with images: the folder of text files (default: the one named labels in place of images)"`
	Classes Classes   `sluice:"classes" doc:"with images: names in the order of their numbers, or a file with one a line (.json: a list)"`
}

// YOLOSplit is a part of a data.yaml.
type YOLOSplit string

// Values lists the parts.
func (YOLOSplit) Values() []string { return []string{"train", "val", "test"} }

// Name is yolo.
func (YOLO) Name() string { return "yolo" }

// Check looks at the options alone.
func (y YOLO) Check() error {
	var p problems
	switch {
	case (y.Data == "") == (y.Images == ""):
		p.addf("data: give either data, such as coco8.yaml, or images with classes")
	case y.Data != "" && (y.Labels != "" || !y.Classes.isZero()):
		p.addf("data: has the folders and the classes: leave out labels and classes")
	case y.Images != "" && y.Classes.isZero():
		p.addf("classes: are missing: give names in the order of their numbers")
	case y.Images != "" && y.Split != "":
		p.addf("split: is one of data's: leave it out, or give data")
	}
	for name, v := range map[string]string{"data": y.Data, "images": y.Images, "labels": y.Labels} {
		if options.IsURL(v) {
			p.addf("%s: %q is a URL: download it first, and give its path", name, v)
		}
	}
	if y.Split != "" && !slices.Contains(y.Split.Values(), string(y.Split)) {
		p.addf("split: %q is none of train, val and test", y.Split)
	}
	if y.Classes.ByTask != nil {
		p.addf("classes: is a map: objects have one list of classes")
	}
	return errlist.Join(errors.Join(p.list...), y.Classes.check())
}

// Open lists the images and reads all text files.
func (y YOLO) Open(ctx context.Context) (Dataset, error) {
	if err := y.Check(); err != nil {
		return nil, errlist.Within("sources: yolo", err)
	}
	d, err := y.open(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, errlist.Within("sources: yolo", err)
	}
	return d, nil
}

// yoloLayout is where images and labels are, and what the numbers mean.
type yoloLayout struct {
	root     string   // keys are relative to it
	images   []string // folders or lists
	labels   string   // folder of text files, of the only folder of images; "": beside it
	classes  []string
	shape    [2]int // numbers of keypoints, and of each; 0: none
	mirrored []int
}

func (y YOLO) open(ctx context.Context) (Dataset, error) {
	layout, err := y.layout()
	if err != nil {
		return nil, err
	}
	r := yoloReader{yoloLayout: *layout}
	r.l = annotationList{find: finder{folder: layout.root, found: map[string]string{}}, head: sprintf("yolo %v %v", layout.shape, len(layout.classes))}
	for _, place := range layout.images {
		if err := r.readPlace(ctx, place); err != nil {
			return nil, err
		}
	}
	n := len(r.l.rows)
	switch {
	case n == 0:
		return nil, errorf("there is no image in %q (looked for %s)", layout.images, strings.Join(decode.Extensions(), " "))
	case r.l.absent == n:
		return nil, errorf("there is none of the images (%d) that %q lists, such as %q", n, layout.images, r.l.rows[0].key)
	case r.without == n:
		return nil, errorf("no image (%d) has a text file, such as %q: give their folder as labels", n, r.labelsOf(r.l.find.join(r.l.rows[0].key)))
	}
	if kept := slices.ContainsFunc(r.l.labels, func(labels []int32) bool { return len(labels) > 0 }); !kept {
		if err := r.l.faults.noneLeft(r.lines, "line"); err != nil {
			return nil, err
		}
	}
	if r.without > 0 {
		r.l.faults.addMany(faultText{"image", "no text file", "taken as without objects"}, r.without, "%s", r.example)
	}
	spec := &schema.TargetSpec{Boxes: true, Classes: layout.classes, Polygons: r.polygons, Mirrored: layout.mirrored}
	for k := range layout.shape[0] {
		spec.Keypoints = append(spec.Keypoints, fmt.Sprint(k))
	}
	d := r.l.dataset("yolo", layout.root, spec, r.l.faults.warnings("yolo: ", nil))
	shape, classes := layout.shape, len(layout.classes)
	d.parse = func(_ int, data []byte, t *schema.Targets) error {
		t.Normalized, t.Frame = true, schema.Displayed
		yoloObjects(data, shape, classes, func(o *schema.Object, f yoloFault) {
			if !f.leftOut {
				t.Objects = append(t.Objects, *o)
			}
		})
		return nil
	}
	return d, nil
}

// layout says where everything is.
func (y YOLO) layout() (*yoloLayout, error) {
	if y.Data != "" {
		return readDataYAML(onDisk(y.Data), string(y.Split))
	}
	images, err := folderOf(y.Images)
	if err != nil {
		return nil, errorf("images: %w", err)
	}
	labels := y.Labels
	if labels != "" {
		if labels, err = folderOf(labels); err != nil {
			return nil, errorf("labels: %w", err)
		}
	}
	list, err := y.Classes.read()
	return &yoloLayout{root: images, images: []string{images}, labels: labels, classes: list.names}, err
}

// dataYAML is what counts of a data.yaml.
type dataYAML struct {
	Path  string `yaml:"path"`
	Train any    `yaml:"train"`
	Val   any    `yaml:"val"`
	Test  any    `yaml:"test"`
	Names any    `yaml:"names"`
	NC    *int   `yaml:"nc"`
	Shape []int  `yaml:"kpt_shape"`
	Flip  []int  `yaml:"flip_idx"`
}

const (
	mostYAML    = 1 << 18
	deepestYAML = 20
)

// parseDataYAML recovers from panics of the YAML library. An alias may stand for an alias, and what a
// small file says be large, so there are none.
func parseDataYAML(text []byte) (y dataYAML, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the parser gave up")
		}
	}()
	if line, some := firstAlias(text); some {
		return y, fmt.Errorf("line %d: want a file without aliases (*name): write out what they stand for", line)
	}
	if err := yaml.Unmarshal(text, &y); err != nil {
		return y, errors.New(cut(yaml.FormatError(err, false, false))) // without its lines, which may be long
	}
	return y, nil
}

// firstAlias says in which line the first alias is. What looks like one in a quoted text, a block
// or a comment is none.
func firstAlias(text []byte) (line int, some bool) {
	for _, t := range lexer.Tokenize(string(text)) {
		if t.Type == token.AliasType {
			return t.Position.Line, true
		}
	}
	return 0, false
}

func readDataYAML(name, split string) (*yoloLayout, error) {
	text, err := readSmall(name)
	if err != nil {
		return nil, errorf("data: %q: %w", name, err)
	}
	// The parser is recursive.
	if len(text) > mostYAML {
		return nil, errorf("data: %q: want a file of at most %d KiB", name, mostYAML>>10)
	}
	if line, _, deep := yamlsafe.TooDeep(text, deepestYAML); deep {
		return nil, errorf("data: %q: line %d: values are nested more than %d deep: is it a data.yaml?", name, line, deepestYAML)
	}
	y, err := parseDataYAML(text)
	if err != nil {
		return nil, errorf("data: %q: isn't YAML as ultralytics reads it: %w", name, err)
	}
	bad := func(format string, args ...any) error {
		return errorf("data: %q: %w", name, fmt.Errorf(format, args...))
	}
	layout := new(yoloLayout)
	if layout.classes, err = namesOf(y.Names); err != nil {
		return nil, bad("names: %w", err)
	}
	if y.NC != nil && *y.NC != len(layout.classes) {
		return nil, bad("nc is %d, and names has %d", *y.NC, len(layout.classes))
	}
	if err := layout.setKeypoints(&y); err != nil {
		return nil, bad("%w", err)
	}
	layout.root = filepath.Dir(name)
	if y.Path != "" {
		if options.IsURL(y.Path) {
			return nil, bad("path: %q is a URL, which is never fetched: download it, and give its path", y.Path)
		}
		layout.root = under(layout.root, y.Path)
	}
	if split == "" {
		split = "train"
	}
	if err := layout.setImages(map[string]any{"train": y.Train, "val": y.Val, "test": y.Test}[split]); err != nil {
		return nil, bad("%s: %w", split, err)
	}
	return layout, nil
}

// setKeypoints takes how many keypoints an object has, and which change places in a mirror.
func (layout *yoloLayout) setKeypoints(y *dataYAML) error {
	switch {
	case len(y.Shape) == 0:
		return nil
	case len(y.Shape) != 2 || y.Shape[0] < 1 || y.Shape[0] > 1<<10 || y.Shape[1] != 2 && y.Shape[1] != 3:
		return fmt.Errorf("kpt_shape is %v: want [number of keypoints, 2 or 3]", y.Shape)
	case y.Flip != nil && len(y.Flip) != y.Shape[0]:
		return fmt.Errorf("flip_idx has %d numbers, and there are %d keypoints", len(y.Flip), y.Shape[0])
	}
	for k, m := range y.Flip {
		if m < 0 || m >= len(y.Flip) || y.Flip[m] != k {
			return fmt.Errorf("flip_idx: keypoint %d takes the place of %d, which doesn't take its place", k, m)
		}
	}
	layout.shape, layout.mirrored = [2]int(y.Shape), y.Flip
	return nil
}

// setImages takes the places of a split's images: a path, or a list of paths.
func (layout *yoloLayout) setImages(split any) error {
	switch v := split.(type) {
	case string:
		layout.images = []string{v}
	case []any:
		for _, e := range v {
			text, ok := e.(string)
			if !ok {
				return fmt.Errorf("%v is no path", e)
			}
			layout.images = append(layout.images, text)
		}
	}
	if len(layout.images) == 0 {
		return errors.New("it isn't there: give a folder, a text file that lists images, or a list of these")
	}
	for i, place := range layout.images {
		if options.IsURL(place) {
			return fmt.Errorf("%q is a URL, which is never fetched: download it, and give its path", place)
		}
		layout.images[i] = onDisk(under(layout.root, place))
		if !exists(layout.images[i]) {
			return fmt.Errorf("there is no %q. A download in the file is never run: fetch the data yourself", layout.images[i])
		}
	}
	if info, err := os.Stat(layout.images[0]); err == nil && info.IsDir() && len(layout.images) == 1 {
		layout.root = layout.images[0]
	}
	return nil
}

func under(folder, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(folder, filepath.FromSlash(name))
}

// namesOf are the names of classes, a list or a map from their numbers.
func namesOf(v any) ([]string, error) {
	var names []string
	add := func(e any) error {
		switch e.(type) {
		case nil, []any, map[string]any:
			return errorf("class %d has no text as its name", len(names))
		}
		name := fmt.Sprint(e) // numbers and true are names, too
		if name == "" {
			return errorf("class %d has no text as its name", len(names))
		}
		names = append(names, name)
		return nil
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := add(e); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		byNumber := map[int]any{}
		for key, e := range v {
			n, err := strconv.Atoi(key)
			if err != nil {
				return nil, errorf("%q is no number of a class", key)
			}
			byNumber[n] = e
		}
		for n := range len(byNumber) {
			name, ok := byNumber[n]
			if !ok {
				return nil, errorf("there is no class %d, and there are %d names: number them from 0", n, len(byNumber))
			}
			if err := add(name); err != nil {
				return nil, err
			}
		}
	}
	if len(names) == 0 {
		return nil, errorf("are missing: give a list, or a map from numbers")
	}
	sorted := slices.Sorted(slices.Values(names))
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return nil, errorf("%q is there twice", sorted[i])
		}
	}
	return names, nil
}

// yoloReader lists images and reads text files.
type yoloReader struct {
	yoloLayout
	l        annotationList
	polygons bool
	lines    int // of all text files
	without  int // images without a text file
	example  string
}

// readPlace takes a folder of images, or a text file that lists some.
func (r *yoloReader) readPlace(ctx context.Context, place string) error {
	info, err := os.Stat(place)
	if err != nil {
		return errorf("%q: cannot read: %w", place, cause(err))
	}
	if !info.IsDir() {
		text, err := readSmall(place)
		if err != nil {
			return errorf("%q: %w", place, err)
		}
		for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
			if name := strings.TrimSpace(line); name != "" {
				if rest, ok := strings.CutPrefix(name, "./"); ok { // of the list, as ultralytics has it
					name = filepath.Join(filepath.Dir(place), filepath.FromSlash(rest))
				}
				if err := r.read(ctx, under(r.root, name)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	real, err := filepath.EvalSymlinks(place) // which WalkDir doesn't follow
	if err != nil {
		return errorf("%q: cannot read: %w", place, cause(err))
	}
	return filepath.WalkDir(real, func(name string, e os.DirEntry, err error) error {
		name = place + strings.TrimPrefix(name, real)
		if err != nil {
			return errorf("%q: cannot read: %w", name, cause(err))
		}
		if hidden := strings.HasPrefix(e.Name(), ".") && name != place; hidden && e.IsDir() {
			return filepath.SkipDir
		} else if hidden || e.IsDir() || !decodes(e.Name()) {
			return nil
		}
		return r.read(ctx, name)
	})
}

// labelsOf is the text file of an image.
func (r *yoloReader) labelsOf(image string) string {
	text := strings.TrimSuffix(image, filepath.Ext(image)) + ".txt"
	if r.labels != "" {
		if rel, err := filepath.Rel(r.root, text); err == nil {
			return filepath.Join(r.labels, rel)
		}
	}
	sep := string(filepath.Separator)
	text = sep + text // a relative path may begin with images
	if i := strings.LastIndex(text, sep+"images"+sep); i >= 0 {
		text = text[:i] + sep + "labels" + text[i+len(sep+"images"):]
	}
	return text[len(sep):]
}

func (r *yoloReader) read(ctx context.Context, image string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key, err := filepath.Rel(r.root, image)
	if err != nil || strings.HasPrefix(key, "..") {
		key = image
	}
	key, size, err := r.l.find.file(filepath.ToSlash(key))
	if err != nil && !gone(err) {
		return errorf("cannot read the image %q: %w", image, cause(err))
	}
	if size < missing {
		return errorf("the image %q is not a regular file", image)
	}
	file := r.labelsOf(image)
	if !exists(file) {
		if r.without++; r.without == 1 {
			r.example = sprintf("%q: there is no %q", key, file)
		}
		r.l.add(key, size, "", nil, nil)
		return nil
	}
	data, err := readAnnotations(file)
	if err != nil {
		return errorf("%q: %w", file, err)
	}
	var labels []int32
	yoloObjects(data, r.shape, len(r.classes), func(o *schema.Object, f yoloFault) {
		r.lines++
		if f.what != "" {
			r.l.faults.add(faultText{"line", f.what, f.then}, "line %d of %q: %q", o.ID, file, cut(f.text))
		}
		if !f.leftOut {
			labels = append(labels, o.Label)
			r.polygons = r.polygons || o.Polygon != nil
		}
	})
	r.l.add(key, size, file, data, labels)
	return nil
}

// yoloFault is what is wrong with a line.
type yoloFault struct {
	what, then, text string
	leftOut          bool
}

// yoloObjects calls take for each line of a text file.
func yoloObjects(data []byte, shape [2]int, classes int, take func(o *schema.Object, f yoloFault)) {
	number := int64(0)
	seen := map[string]bool{}
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		number++
		text := strings.TrimSpace(line)
		if text == "" {
			continue
		}
		o := schema.Object{ID: number}
		f := yoloFault{text: text}
		if seen[text] {
			f.what, f.then, f.leftOut = "an object that was there before", "left out: remove them", true
		} else {
			seen[text] = true
			f.what, f.then, f.leftOut = parseYOLO(text, shape, classes, &o)
		}
		take(&o, f)
	}
}

// parseYOLO reads a line into o, in shares of width and height, and says what is wrong.
func parseYOLO(text string, shape [2]int, classes int, o *schema.Object) (what, then string, leftOut bool) {
	fields := strings.Fields(text)
	label, err := strconv.ParseFloat(fields[0], 64) // some tools write 0.0
	if err != nil || label != math.Trunc(label) || label < 0 {
		return "something else than a class number at its beginning", "left out: write class x y width height", true
	}
	if int(min(label, 1e9)) >= classes {
		return "a class number beyond the names", "left out: name all classes, or remove them", true
	}
	o.Label = int32(label)
	numbers := make([]float64, len(fields)-1)
	for i, field := range fields[1:] {
		v, err := strconv.ParseFloat(field, 64)
		if err != nil || !inFloat32(v) {
			return "something that is no finite number", "left out: write class x y width height", true
		}
		numbers[i] = v
	}
	var b [4]float64
	switch n := len(numbers); {
	case shape[0] > 0 && n != 4+shape[0]*shape[1]:
		return sprintf("another number of numbers than a class, a box and keypoints of kpt_shape %v have", shape), "left out", true
	case n == 4 || shape[0] > 0:
		x, y, w, h := numbers[0], numbers[1], numbers[2], numbers[3]
		b = [4]float64{x - w/2, y - h/2, x + w/2, y + h/2}
		o.Keypoints = yoloKeypoints(numbers[4:], shape)
	case n >= 6 && n%2 == 0:
		b = [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
		ring := make([]float32, n)
		for i := 0; i < n; i += 2 {
			b = [4]float64{min(b[0], numbers[i]), min(b[1], numbers[i+1]), max(b[2], numbers[i]), max(b[3], numbers[i+1])}
			ring[i], ring[i+1] = float32(numbers[i]), float32(numbers[i+1])
		}
		o.Polygon = [][]float32{ring}
	default:
		return "neither a box of four numbers nor a polygon of at least three points", "left out: write class x y width height, or class x1 y1 x2 y2 x3 y3 ...", true
	}
	if what, then, leftOut := mendBox([4]float64{b[0], b[1], b[2], b[3]}, 1, 1); what != "" {
		if what == exchangedCorners { // of the middle and a size: polygons' are in order
			return "a box of negative width or height", "left out: write class x y width height, with x and y of its middle", true
		}
		if b[2] > 2 || b[3] > 2 {
			return "numbers that aren't shares of width and height", "left out: divide them by the image's width and height", true
		}
		for i, v := range b {
			o.Box[i] = float32(v)
		}
		return what, then, leftOut
	}
	for i, v := range b {
		o.Box[i] = float32(v)
	}
	return "", "", false
}

// yoloKeypoints are x y v of each; one of 0, 0 isn't there.
func yoloKeypoints(numbers []float64, shape [2]int) []float32 {
	if shape[0] == 0 {
		return nil
	}
	out := make([]float32, 3*shape[0])
	for k := range shape[0] {
		p := numbers[k*shape[1] : (k+1)*shape[1]]
		v := 2.0
		if shape[1] == 3 {
			v = min(max(math.Trunc(p[2]), 0), 2)
		}
		if p[0] == 0 && p[1] == 0 || v == 0 {
			continue
		}
		out[3*k], out[3*k+1], out[3*k+2] = float32(p[0]), float32(p[1]), float32(v)
	}
	return out
}
