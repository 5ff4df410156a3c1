package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/sluicedata/sluice/internal/coco"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
)

// Coco is the images that an annotation file of COCO's form lists, with their objects:
// boxes, polygons, keypoints. It is the form of LVIS, Objects365 and of most tools' exports.
//
//	coco: {file: annotations/instances_train2017.json, images: train2017}
//
// The key is the image's file_name, relative to Images and cleaned; where there is only LVIS's
// coco_url, the last two parts of its path (train2017/000000391895.jpg), or, if there
// is no such file in Images, the file of its last part. A file that doesn't exist is a
// missing sample (ErrMissing), with a warning; if no file exists, that is an error. Images
// without annotations are samples without objects. The column meta.image_id has the image's
// id; LVIS's neg_category_ids and not_exhaustive_category_ids are columns of lists of that
// name, meta.neg_category_ids.
//
// Classes are the categories in the order of their ids, whatever these are; the spec of
// targets keeps the ids, and the list as it is written. An object has its box, label, id,
// iscrowd, area and polygon; run-length encoded masks become the outlines of their pixels, a
// hole joined to its part's outline by a line that is gone along forth and back. Keypoints
// that are named left and right are each other's in a mirrored picture.
//
// The file is read as a stream when it is opened, and looked at as a whole; what is resident
// of an object is its class and its place in the file, 16 bytes. Its box and polygon are
// read again with its image. Whatever is wrong with single annotations is reported as a
// warning for each kind of fault, with their number and an example: they are left out, or
// mended where that is plain (no box and a polygon, a polygon's part of two points). What isn't
// JSON, has no images, or has ids that can't be told apart, is an error. No error of
// Targets wraps ErrTargets.
type Coco struct {
	File string `sluice:"file,path" doc:"the annotation file, such as instances_train2017.json"`
	// An empty Images stands for the folder of File.
	Images string `sluice:"images,path" doc:"the folder that file names are relative to (default: the folder of file)"`
	// An empty Annotations goes by the sizes in the file.
	Annotations Frame     `sluice:"annotations" doc:"which picture annotations were made on where a file says that it is to be turned (EXIF): stored, as it is in the file, or displayed, as it is shown (default: the one whose height and width the file of annotations gives)"`
	Keypoints   Keypoints `sluice:"keypoints" doc:"how keypoints are read: {convention: index} where their coordinates are numbers of pixels"`
}

// Name is coco.
func (Coco) Name() string { return "coco" }

// Check looks at the options alone.
func (c Coco) Check() error {
	var p problems
	switch {
	case c.File == "":
		p.addf("file: is missing: give an annotation file, such as instances_train2017.json")
	case options.IsURL(c.File):
		p.addf("file: %q is a URL: download it first, and give the path of the file", c.File)
	}
	if options.IsURL(c.Images) {
		p.addf("images: %q is a URL: download them first, and give the path of the folder", c.Images)
	}
	return errlist.Join(errors.Join(p.list...), c.Annotations.check(), c.Keypoints.check())
}

// Open reads the annotations, and looks up the size of each image. The file stays open
// until Close.
func (c Coco) Open(ctx context.Context) (Dataset, error) {
	if err := c.Check(); err != nil {
		return nil, errlist.Within("sources: coco", err)
	}
	c.File = onDisk(c.File)
	prefix := fmt.Sprintf("sources: coco: %q", c.File)
	if c.Images == "" {
		c.Images = filepath.Dir(c.File)
	}
	c.Images = onDisk(c.Images)
	if info, err := os.Stat(c.Images); err != nil || !info.IsDir() {
		return nil, errorf("%s: images: there is no folder %q", prefix, c.Images)
	}
	f, err := openRegular(c.File)
	if err != nil {
		return nil, errlist.Within(prefix, err)
	}
	d, err := c.read(ctx, f)
	if err != nil {
		_ = f.Close() // it was only read
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errlist.Within(prefix, err)
	}
	return d, nil
}

func (c Coco) read(ctx context.Context, f *os.File) (*cocoData, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read: %w", cause(err))
	}
	l := newCocoList(c)
	file, err := coco.Read(ctx, f, info.Size(), coco.Visitor{Image: l.takeImage, Annotation: l.takeAnnotation})
	if err != nil {
		return nil, err
	}
	return l.dataset(f, file)
}

// cocoData is an opened Coco.
type cocoData struct {
	*files
	in      *os.File
	name    string // the annotation file's
	x       *schema.Table
	objects cocoObjects     // in the order of samples
	sizes   []cocoSize      // of each sample
	classes map[int64]int32 // by category id
	places  [][]int32       // by class: the place of each of its keypoints in the spec's
	frame   schema.Frame
	move    float32 // of keypoints
	scratch sync.Pool
}

// cocoSize is the size of an image that the annotations tell; 0: unknown.
type cocoSize struct{ height, width int32 }

// cocoObjects are places of annotations in the file.
type cocoObjects struct {
	at     []int64
	length []uint32
}

// cocoScratch is the memory of one reader of annotations.
type cocoScratch struct {
	text, buf []byte
	all       []byte // digests of a sample's annotations
	a         coco.Annotation
	findings  []coco.Finding
}

// Close closes the annotation file.
func (d *cocoData) Close() error { return errors.Join(d.files.Close(), d.in.Close()) }

// TargetBytes goes by the length of the text: a number takes about as many bytes there as two
// of a ring's, and a character of an RLE stands for up to two points.
func (d *cocoData) TargetBytes(sample int) int64 {
	sum := int64(0)
	for o := d.x.Targets.First[sample]; o < d.x.Targets.First[sample+1]; o++ {
		sum += 4 * int64(d.objects.length[o])
	}
	return sum
}

// Targets reads the annotations of a sample again.
func (d *cocoData) Targets(ctx context.Context, sample int, t *schema.Targets) error {
	s, _ := d.scratch.Get().(*cocoScratch)
	if s == nil {
		s = &cocoScratch{}
	}
	defer d.scratch.Put(s)
	t.Frame = d.frame
	size := d.sizes[sample]
	t.Height, t.Width = int(size.height), int(size.width)
	s.all = d.head(s.all[:0], size)
	for o := d.x.Targets.First[sample]; o < d.x.Targets.First[sample+1]; o++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.object(s, o, size, t); err != nil {
			return d.errorf(sample, "cannot read its annotations at byte %d of %q: %w", d.objects.at[o], d.name, err)
		}
	}
	if digest := xxh3.Hash128(s.all).Bytes(); digest != d.x.Targets.Digests[sample] {
		return d.errorf(sample, "the annotations in %q have changed since it was opened: start again", d.name)
	}
	return nil
}

var errRewritten = errors.New("it is no annotation, as it was when the file was opened: start again")

// object adds one object.
func (d *cocoData) object(s *cocoScratch, o int64, size cocoSize, t *schema.Targets) error {
	n := int(d.objects.length[o])
	if cap(s.text) < n {
		s.text = make([]byte, n)
	}
	s.text = s.text[:n]
	if _, err := d.in.ReadAt(s.text, d.objects.at[o]); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w%s", cause(err), advice(err))
	}
	a := &s.a
	if err := coco.ParseAnnotation(s.text, a); err != nil {
		return errRewritten
	}
	var digest [16]byte
	digest, s.buf = a.Digest(s.buf)
	s.all = append(s.all, digest[:]...)
	label, known := d.classes[a.Category]
	if !known {
		return errRewritten
	}
	places := d.places[label]
	s.findings = a.Mend(int(size.height), int(size.width), len(places), s.findings[:0])
	for _, f := range s.findings {
		if f.Fault.LeavesOut() {
			return errRewritten
		}
	}
	object := schema.Object{Box: a.Corners(), Label: label, ID: a.ID, Crowd: a.Crowd, Area: float32(a.Area), Polygon: a.Polygon()}
	if len(a.Keypoints) > 0 {
		object.Keypoints = make([]float32, 3*len(d.x.Targets.Spec.Keypoints))
		for k, place := range places {
			if p := a.Keypoints[3*k : 3*k+3]; p[2] > 0 {
				copy(object.Keypoints[3*place:], []float32{float32(p[0]) + d.move, float32(p[1]) + d.move, float32(p[2])})
			}
		}
	}
	t.Objects = append(t.Objects, object)
	return nil
}

// head is what a sample's digest begins with: all but its annotations that decides what its
// targets are.
func (d *cocoData) head(buf []byte, size cocoSize) []byte {
	return fmt.Appendf(buf, "coco %d %d %d %v ", size.height, size.width, d.frame, d.move)
}
