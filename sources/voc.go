package sources

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"golang.org/x/text/encoding/charmap"
)

// VOC is images with boxes in XML files, one for each image, as PASCAL VOC and many tools
// write them.
//
//	voc: {path: VOCdevkit/VOC2012, set: ImageSets/Main/train.txt}
//
// Each XML file in Annotations is a sample, or each that Set names. Its image has the same name
// in JPEGImages, with another extension; where there is none, the one that the element filename
// names. The key is the image's path in that folder. Corners are numbers of pixels from 1, both
// inclusive, so that a box is from xmin - 1 to xmax; with Origin 0 they are taken as they are. An
// object that is difficult is a crowd (boxes.crowd): evaluations ignore it. Its
// number in the file, from 1, is its id.
//
// Whatever is wrong with single objects is a warning for each kind of fault, with
// their number and an example. An XML file that can't be read is an error.
type VOC struct {
	Path        string  `sluice:"path" doc:"the folder that has Annotations and JPEGImages"`
	XML         string  `sluice:"xml" default:"Annotations" doc:"the folder of XML files, in path"`
	Images      string  `sluice:"images" default:"JPEGImages" doc:"the folder of images, in path"`
	Set         string  `sluice:"set" doc:"a file of names without extension, one a line, in path, such as ImageSets/Main/train.txt (default: all)"`
	Origin      *int    `sluice:"origin" default:"1" doc:"number of the first pixel: 1, with both corners inside; or 0, corners as continuous coordinates"`
	Classes     Classes `sluice:"classes" doc:"names in the order of their numbers, or a file with one a line (.json: a list; default: those that occur, sorted)"`
	Annotations Frame   `sluice:"annotations" doc:"which picture annotations were made on where a file says that it is to be turned (EXIF): stored, as it is in the file, or displayed, as it is shown (default: the one that has the size in the XML)"`
}

// Name is voc.
func (VOC) Name() string { return "voc" }

// Check looks at the options alone.
func (v VOC) Check() error {
	var p problems
	switch {
	case v.Path == "":
		p.addf("path: is missing: give the folder that has Annotations and JPEGImages")
	case options.IsURL(v.Path):
		p.addf("path: %q is a URL: download it first, and give the path of the folder", v.Path)
	}
	if v.Origin != nil && *v.Origin != 0 && *v.Origin != 1 {
		p.addf("origin: is %d: 1, as VOC has it, or 0", *v.Origin)
	}
	if v.Classes.ByTask != nil {
		p.addf("classes: is a map: objects have one list of classes")
	}
	return errlist.Join(errors.Join(p.list...), v.Classes.check(), v.Annotations.check())
}

// vocFile is what is read of an XML file.
type vocFile struct {
	Filename string `xml:"filename"`
	Size     struct {
		Width  string `xml:"width"`
		Height string `xml:"height"`
	} `xml:"size"`
	Objects []vocObject `xml:"object"`
}

type vocObject struct {
	Name      string `xml:"name"`
	Difficult string `xml:"difficult"`
	Box       *struct {
		XMin string `xml:"xmin"`
		YMin string `xml:"ymin"`
		XMax string `xml:"xmax"`
		YMax string `xml:"ymax"`
	} `xml:"bndbox"`
}

// parseVOC reads an XML file; nothing is fetched, and no entity is known but XML's own.
func parseVOC(data []byte) (*vocFile, error) {
	f := new(vocFile)
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "utf-8", "utf8", "us-ascii", "ascii":
			return in, nil
		case "iso-8859-1", "latin1":
			return charmap.ISO8859_1.NewDecoder().Reader(in), nil
		case "windows-1252", "cp1252":
			return charmap.Windows1252.NewDecoder().Reader(in), nil
		}
		return nil, errorf("its encoding is %q: write it in UTF-8", charset)
	}
	if err := d.Decode(f); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, errorf("isn't XML: %w", err)
	}
	return f, nil
}

// size is the picture's; 0, 0 where it isn't told.
func (f *vocFile) size() (height, width int) {
	h, errH := strconv.Atoi(strings.TrimSpace(f.Size.Height))
	w, errW := strconv.Atoi(strings.TrimSpace(f.Size.Width))
	if errH != nil || errW != nil || h < 1 || w < 1 || h > 1<<24 || w > 1<<24 {
		return 0, 0
	}
	return h, w
}

// box is an object's, in continuous coordinates; ok is false where there is none.
func (o *vocObject) box(origin int) (b [4]float64, ok bool) {
	if o.Box == nil {
		return b, false
	}
	for i, text := range []string{o.Box.XMin, o.Box.YMin, o.Box.XMax, o.Box.YMax} {
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return b, false
		}
		b[i] = v
	}
	b[0] -= float64(origin)
	b[1] -= float64(origin)
	return b, true
}

// objects calls take for each object that stays; add is told of faults.
func (f *vocFile) objects(origin int, add func(what, then, about string, number int), take func(number int, o *vocObject, box [4]float64)) {
	height, width := f.size()
	type object struct {
		name string
		box  [4]float64
	}
	seen := map[object]bool{}
	for i := range f.Objects {
		o := &f.Objects[i]
		name := strings.TrimSpace(o.Name)
		b, ok := o.box(origin)
		if name == "" {
			add("no name", "left out: give each its class as name", "", i+1)
			continue
		}
		if !ok {
			add("no bndbox of four numbers", "left out: give each xmin, ymin, xmax and ymax", name, i+1)
			continue
		}
		what, then, leftOut := mendBox(b, height, width)
		if what != "" {
			add(what, then, sprintf("%s %v", name, b), i+1)
		}
		switch again := seen[object{name, b}]; {
		case leftOut:
			continue
		case again:
			add("a class and box that were there before", "left out: remove them", sprintf("%s %v", name, b), i+1)
			continue
		case origin == 1 && b[2]-b[0] == 1 && b[3]-b[1] == 1:
			add("a box of one pixel", "it stays: remove them if they were clicks that drew no box", sprintf("%s %v", name, b), i+1)
		}
		seen[object{name, b}] = true
		take(i+1, o, b)
	}
}

// Open reads all XML files.
func (v VOC) Open(ctx context.Context) (Dataset, error) {
	if err := v.Check(); err != nil {
		return nil, errlist.Within("sources: voc", err)
	}
	d, err := v.open(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, errlist.Within("sources: voc", err)
	}
	return d, nil
}

func (v VOC) open(ctx context.Context) (*vocData, error) {
	under := func(name, otherwise string) string {
		if name == "" {
			name = otherwise
		}
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(v.Path, filepath.FromSlash(name))
	}
	xmlFolder, err := folderOf(under(v.XML, "Annotations"))
	if err != nil {
		return nil, errorf("xml: %w", err)
	}
	images, err := folderOf(under(v.Images, "JPEGImages"))
	if err != nil {
		return nil, errorf("images: %w", err)
	}
	names, err := v.names(xmlFolder, under)
	if err != nil {
		return nil, err
	}
	byStem, err := imagesByStem(images)
	if err != nil {
		return nil, errorf("images: %q: cannot read: %w", images, cause(err))
	}
	r := vocReader{v: v, origin: 1, byStem: byStem, classes: map[string]int32{}, boxes: map[string]vocTargets{}, unknown: strangers{}, used: map[string]bool{}}
	r.l = annotationList{find: finder{folder: images, found: map[string]string{}}}
	if v.Origin != nil {
		r.origin = *v.Origin
	}
	list, err := v.Classes.read()
	if err != nil {
		return nil, err
	}
	for i, name := range list.names {
		r.classes[name] = int32(i)
	}
	r.fixed = !v.Classes.isZero()
	r.l.head = sprintf("voc %d %v", r.origin, v.Annotations.of())
	taken := map[string]bool{}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if taken[name] {
			r.l.faults.add(faultText{"line", "a name that the set has before", "it counts once: remove the others"}, "%q", name)
			continue
		}
		taken[name] = true
		if err := r.read(xmlFile(xmlFolder, name), name); err != nil {
			return nil, err
		}
	}
	return r.dataset(images, list.names)
}

// names are the XML files' without extension.
func (v VOC) names(folder string, under func(name, otherwise string) string) (names []string, err error) {
	if v.Set != "" {
		file := under(v.Set, "")
		text, err := readSmall(file)
		if err != nil {
			return nil, errorf("set: %q: %w", file, err)
		}
		for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
			// A second column of -1, 0 and 1 tells which images have a class.
			if fields := strings.Fields(line); len(fields) > 0 {
				name := strings.TrimSuffix(fields[0], ".xml")
				if stem, isImage := imageStem(path.Base(name)); isImage && !exists(xmlFile(folder, name)) {
					name = path.Join(path.Dir(name), stem)
				}
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return nil, errorf("set: %q names no file: give one name a line", file)
		}
		return names, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, errorf("xml: %q: cannot read: %w", folder, cause(err))
	}
	for _, e := range entries {
		if name := e.Name(); strings.EqualFold(filepath.Ext(name), ".xml") && !strings.HasPrefix(name, ".") && !e.IsDir() {
			names = append(names, strings.TrimSuffix(name, filepath.Ext(name)))
		}
	}
	if len(names) == 0 {
		return nil, errorf("xml: there is no .xml file in %q", folder)
	}
	return names, nil
}

func xmlFile(folder, name string) string {
	return filepath.Join(folder, filepath.FromSlash(name)+".xml")
}

// vocReader reads XML files, one after the other.
type vocReader struct {
	v       VOC
	l       annotationList
	origin  int
	byStem  map[string]string // images
	classes map[string]int32  // numbers, in the order in which they came unless fixed
	fixed   bool
	unknown strangers
	boxes   map[string]vocTargets // by file
	objects int                   // in all files
	plain   bool                  // some object is no crowd
	used    map[string]bool       // images of byStem
}

func (r *vocReader) read(file, stem string) error {
	data, err := readAnnotations(file)
	if err != nil && gone(err) || err != nil && !exists(file) {
		r.l.faults.add(faultText{"name", "no XML file", "left out: remove them from the set, or add the files"}, "%q", file)
		return nil
	}
	if err != nil {
		return errorf("%q: %w", file, err)
	}
	f, err := parseVOC(data)
	if err != nil {
		return errorf("%q: %w", file, err)
	}
	key, size, err := r.image(f, stem, file)
	if err != nil {
		return err
	}
	height, width := f.size()
	if height == 0 {
		r.l.faults.add(faultText{"file", "no size", "what is outside of the image can't be told, nor whether the image is another one"}, "%q", file)
	}
	var labels []int32
	r.objects += len(f.Objects)
	boxes := vocTargets{height: int32(height), width: int32(width)}
	f.objects(r.origin, func(what, then, about string, number int) {
		r.l.faults.add(faultText{"object", what, then}, "number %d of %q (%s)", number, file, about)
	}, func(number int, o *vocObject, b [4]float64) {
		label, ok := r.label(o)
		if !ok {
			return
		}
		labels = append(labels, label)
		corners := [4]float32{float32(b[0]), float32(b[1]), float32(b[2]), float32(b[3])}
		crowd := strings.TrimSpace(o.Difficult) == "1"
		r.plain = r.plain || !crowd
		boxes.boxes = append(boxes.boxes, vocBox{corners, int32(number), crowd})
	})
	r.boxes[file] = boxes
	r.l.add(key, size, file, data, labels)
	return nil
}

// label is the number of an object's class, for now.
func (r *vocReader) label(o *vocObject) (label int32, ok bool) {
	name := strings.TrimSpace(o.Name)
	label, ok = r.classes[name]
	switch {
	case !ok && r.fixed:
		r.unknown[name]++
		return 0, false
	case !ok:
		label = int32(len(r.classes))
		r.classes[name] = label
	}
	return label, true
}

// image is the key and the size of an XML file's image.
func (r *vocReader) image(f *vocFile, stem, file string) (key string, size int64, err error) {
	named := path.Clean(strings.ReplaceAll(strings.TrimSpace(f.Filename), `\`, "/"))
	name, there := r.byStem[path.Base(stem)]
	defer func() { r.used[name] = true }()
	switch {
	case there && named != "." && path.Base(named) != name && strings.TrimSuffix(path.Base(named), path.Ext(named)) != path.Base(stem):
		r.l.faults.add(faultText{"file", "another name than its image's as filename", "the image of the file's own name is taken"}, "%q: %q", file, named)
	case !there && named == ".":
		name = path.Base(stem) + ".jpg"
	case !there:
		if name = path.Base(named); path.Ext(name) == "" {
			if with, ok := r.byStem[name]; ok {
				name = with
			} else {
				name += ".jpg"
			}
		}
	}
	key, size, err = r.l.find.file(name)
	if err != nil && !gone(err) {
		return "", 0, errorf("cannot read the image %q: %w", r.l.find.join(key), cause(err))
	}
	if size < missing {
		return "", 0, errorf("the image %q is not a regular file", r.l.find.join(key))
	}
	return key, size, nil
}

// countWithout counts images that no XML file is of.
func (r *vocReader) countWithout() {
	names := slices.DeleteFunc(slices.Sorted(maps.Values(r.byStem)), func(name string) bool { return r.used[name] })
	if len(names) > 0 {
		r.l.faults.addMany(faultText{"image", "no XML file", "left out: add the files, of images without objects too, or remove the images"}, len(names), "%q", names[0])
	}
}

// dataset numbers the classes and sorts the samples.
func (r *vocReader) dataset(images string, classes []string) (*vocData, error) {
	n := len(r.l.rows)
	switch {
	case n == 0:
		return nil, errorf("none of the set's names has an XML file")
	case r.l.absent == n:
		return nil, errorf("there is none of its images (%d), such as %q, in %q: give their folder as images", n, r.l.rows[0].key, images)
	}
	r.unknown.count(&r.l.faults, classes)
	kept := slices.ContainsFunc(r.l.labels, func(labels []int32) bool { return len(labels) > 0 })
	if !kept {
		if err := r.l.faults.noneLeft(r.objects, "object"); err != nil {
			return nil, err
		}
	}
	if r.v.Set == "" {
		r.countWithout()
	}
	if !r.fixed {
		classes = make([]string, 0, len(r.classes))
		for name := range r.classes {
			classes = append(classes, name)
		}
		slices.Sort(classes)
		to := make([]int32, len(classes))
		for label, name := range classes {
			to[r.classes[name]] = int32(label)
			r.classes[name] = int32(label)
		}
		for _, labels := range r.l.labels {
			for i, label := range labels {
				labels[i] = to[label]
			}
		}
	}
	spec := &schema.TargetSpec{Boxes: true, Classes: classes, CrowdsAlone: kept && !r.plain}
	files := r.l.dataset("voc", images, spec, r.l.faults.warnings("voc: ", nil))
	if !r.fixed {
		files.warnings = append(files.warnings, objectRemarks(files.x, classes, files.x.ObjectLabels)...)
	}
	d := &vocData{annotationFiles: files, boxes: make([]vocTargets, n), frame: r.v.Annotations.of()}
	for sample, name := range files.names {
		d.boxes[sample] = r.boxes[name]
	}
	return d, nil
}

// vocData is an opened VOC. Boxes stay in memory: reading XML takes as long as decoding the image.
type vocData struct {
	*annotationFiles
	boxes []vocTargets // per sample
	frame schema.Frame
}

// vocTargets are those of an image, without classes, which the index has.
type vocTargets struct {
	height, width int32
	boxes         []vocBox
}

type vocBox struct {
	corners [4]float32
	number  int32 // in its file
	crowd   bool
}

// Targets are the boxes.
func (d *vocData) Targets(_ context.Context, sample int, t *schema.Targets) error {
	from := &d.boxes[sample]
	t.Height, t.Width, t.Frame = int(from.height), int(from.width), d.frame
	labels := d.x.ObjectLabels(sample)
	for i, b := range from.boxes {
		t.Objects = append(t.Objects, schema.Object{Box: b.corners, Label: labels[i], ID: int64(b.number), Crowd: b.crowd})
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
