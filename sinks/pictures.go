package sinks

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	imagefile "github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/png"
	"github.com/sluicedata/sluice/schema"
)

// This file is what coco, yolo and masks share: a part is a list of pictures, as JSON lines,
// with the files that belong to each and all that is known of its row. What a format writes
// about all parts is made of these lists.

// picturesFolder is where the pictures are.
const picturesFolder = "images"

// pictureLine is a row in a part's list.
type pictureLine struct {
	Files   []fileLine        `json:"files"`            // the picture first
	Height  int               `json:"height,omitempty"` // of the picture that the targets belong to
	Width   int               `json:"width,omitempty"`
	Row     json.RawMessage   `json:"row"` // as WebDataset has it
	Objects []json.RawMessage `json:"objects,omitempty"`
}

type fileLine struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	Print string `json:"xxh128"`
}

// labelled is a picture's row on the way into its part.
type labelled struct {
	line  *pictureLine
	files []NewFile // the picture first

	batch *schema.Batch
	row   int
	name  string // of its files, without folder and extension
}

// add gives the row another file.
func (l *labelled) add(name string, data []byte) { l.files = append(l.files, NewFile{name, data}) }

// Pictures are the options of coco, yolo and masks. They are about pixels: a file that no
// stage decoded stays as it is, byte for byte.
type Pictures struct {
	Image       PictureCodec `sluice:"image" default:"jpg" doc:"what pixels are encoded as: jpg or png; files that no stage decoded stay as they are"`
	Quality     int          `sluice:"quality,positive" default:"95" doc:"of JPEG, 1 to 100, as Pillow and libjpeg have it"`
	Subsampling Chroma       `sluice:"subsampling" default:"4:2:0" doc:"of JPEG's chroma"`
	PartRows    int          `sluice:"part_rows,positive" default:"4096" doc:"pictures of a part, which is what a run that resumes keeps or makes again"`
}

// PictureCodec is JPEG or PNG.
type PictureCodec string

// Values lists the codecs; the first is the default.
func (PictureCodec) Values() []string { return []string{string(JPEG), string(PNG)} }

func (o *Pictures) images() *Images {
	return &Images{Image: ImageCodec(o.Image), Quality: o.Quality, Subsampling: o.Subsampling}
}

// check reports every impossible option.
func (o *Pictures) check() error {
	errs := []error{o.images().check()}
	if o.Image == PictureCodec(Raw) {
		errs = []error{errors.New("image: raw is no picture that the readers of this format open: choose jpg or png")}
	}
	if o.PartRows < 0 {
		errs = append(errs, fmt.Errorf("part_rows: %d: want a positive number (0: %d)", o.PartRows, DefaultPartRows))
	}
	return errors.Join(errs...)
}

// holdsPictures refuses pixels that are no picture any more.
func holdsPictures(run *schema.Run) error {
	for _, v := range run.Variants {
		if run.Form == schema.FormTensor && v.Tensor.DType == schema.Float32 {
			return fmt.Errorf("the pixels are %s, and pictures hold uint8: leave out to_tensor and normalize, which belong to the pipeline that reads", v.Tensor)
		}
	}
	return nil
}

// parts is what Start must know.
func (o *Pictures) parts(run *schema.Run) PartsConfig {
	c := PartsConfig{Rows: cmp.Or(o.PartRows, DefaultPartRows)}
	if run.Form == schema.FormEncoded {
		c.RowBytes = o.images().rowBytes(run) * int64(len(run.Variants))
	}
	return c
}

// pictureNames names the files of a run's rows.
func pictureNames(run *schema.Run) *rowNames {
	return newRowNames(run, -1, true, func(key string, _ int32) string { return legalName(strings.ReplaceAll(stem(key), "/", "_")) })
}

// pictureWriter writes the files and the list of one part.
type pictureWriter struct {
	part   *Part
	names  *rowNames
	images *imageWriter
	sized  bool // the format has to know the pictures' sizes
	// label adds a row's objects and files; from several goroutines.
	label func(l *labelled) error
}

func newPictureWriter(p *Part, o *Pictures, names *rowNames, sized bool, label func(l *labelled) error) (*pictureWriter, error) {
	images, err := newImageWriter(*o.images(), p.Run.Variants[p.Variant].Tensor)
	return &pictureWriter{p, names, images, sized, label}, err
}

func (e *pictureWriter) Add(b *schema.Batch) error {
	texts, err := newRowTexts(e.part.Run, b)
	if err != nil {
		return err
	}
	rows, errs := make([]labelled, b.Rows()), make([]error, b.Rows())
	_, err = e.images.batch(b, func(row int, f *imageFile) {
		rows[row] = labelled{line: &pictureLine{}, batch: b, row: row, name: e.names.of(b, row, schema.Unknown)}
		errs[row] = e.make(&rows[row], f, texts)
	})
	if err != nil {
		return err
	}
	var files []NewFile
	for row := range rows {
		if errs[row] != nil {
			return fmt.Errorf("row %d (%s): %w", row, b.Key(row), errs[row])
		}
		files = append(files, rows[row].files...)
	}
	if err := e.part.Create(files); err != nil {
		return err
	}
	for row := range rows {
		if _, err := e.part.Write(append(marshal(rows[row].line), '\n')); err != nil {
			return err
		}
	}
	return nil
}

func (e *pictureWriter) make(l *labelled, f *imageFile, texts *rowTexts) (err error) {
	l.add(picturesFolder+"/"+l.name+"."+fileExt(l.batch.Key(l.row), f.ext), f.data)
	if l.line.Row, err = texts.json(l.row); err != nil {
		return err
	}
	if e.sized {
		if l.line.Height, l.line.Width, err = sizeOf(l.batch, l.row); err != nil {
			return err
		}
	}
	if err := e.label(l); err != nil {
		return err
	}
	for _, f := range l.files {
		l.line.Files = append(l.line.Files, fileLine{f.Name, int64(len(f.Data)), fingerprint.Of(f.Data).String()})
	}
	return nil
}

func (e *pictureWriter) Finish() error { return nil }

// sizeOf is the size of the picture that a row's targets belong to: of a file, as it is shown.
func sizeOf(b *schema.Batch, row int) (height, width int, err error) {
	if b.Form != schema.FormEncoded {
		t, _, _ := pixelsOf(b, row)
		return t.Height, t.Width, nil
	}
	h, err := imagefile.ReadHeader(b.Encoded(row))
	if err != nil {
		return 0, 0, fmt.Errorf("the size of the picture has to be known, and its file cannot be read: %w: leave the file out of the source, or decode it, so that on_error decides", err)
	}
	return h.Height, h.Width, nil
}

// maskFile is a row's mask as a file and its extension; nil: it has none.
func maskFile(b *schema.Batch, row int) (data []byte, ext string, err error) {
	if b.Form == schema.FormEncoded {
		data = b.EncodedMask(row)
		return data, cmp.Or(sniff(data), "png"), nil
	}
	values, height, width := b.Mask(row)
	if values == nil {
		return nil, "", errors.New("it has no mask")
	}
	e := maskEncoders.Get().(*png.Encoder)
	defer maskEncoders.Put(e)
	data, err = e.Encode(nil, values, height, width, 1)
	return data, "png", err
}

var maskEncoders = sync.Pool{New: func() any { return &png.Encoder{} }}

// pictureLines calls f with each row of a part's list. The file need not be trusted.
func pictureLines(file string, f func(line *pictureLine) error) error {
	in, _, err := openRegular(file)
	if err != nil {
		return err
	}
	defer in.Close()
	r := bufio.NewReaderSize(in, 1<<16)
	for n := 1; ; n++ {
		text, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: damaged: %w", file, n, err)
		}
		var line pictureLine
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("%s: line %d: damaged: %w", file, n, err)
		}
		if len(line.Files) == 0 || line.Height < 0 || line.Width < 0 {
			return fmt.Errorf("%s: line %d: damaged: it has no picture", file, n)
		}
		if err := f(&line); err != nil {
			return fmt.Errorf("%s: line %d: %w", file, n, err)
		}
	}
}

// readLine is a line of at most largestManifest bytes; io.EOF where there is no other.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, errors.New("its last line is cut off")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > largestManifest:
			return nil, fmt.Errorf("it has more than %d bytes", largestManifest)
		}
	}
}

// pictureMembers are the files that a part's list names.
func pictureMembers(file string) (list []Member, err error) {
	err = pictureLines(file, func(line *pictureLine) error {
		for _, f := range line.Files {
			print, err := fingerprint.Parse(f.Print)
			if err != nil {
				return err
			}
			if f.Bytes < 0 {
				return fmt.Errorf("damaged: %q has %d bytes", shorten(f.File), f.Bytes)
			}
			list = append(list, Member{f.File, f.Bytes, print})
		}
		return nil
	})
	return list, err
}

// countPictures reads the labels of a part's list.
func countPictures(ctx context.Context, file string, l *Layout, add func(rows int64, labels [][]int32) error) error {
	return pictureLines(file, func(line *pictureLine) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var row struct{ Label map[string]*int32 }
		if err := json.Unmarshal(line.Row, &row); err != nil {
			return fmt.Errorf("damaged: %w", err)
		}
		labels := make([][]int32, len(l.Tasks))
		for t, task := range l.Tasks {
			label := schema.Unknown
			if n := row.Label[task.Name]; n != nil {
				if label = *n; label < 0 {
					return fmt.Errorf("damaged: %d is not a class number", label)
				}
			}
			labels[t] = []int32{label}
		}
		return add(1, labels)
	})
}

// inFolder is a name without the folder that a format's lists leave out.
func inFolder(folder, name string) string {
	return strings.TrimPrefix(filepath.ToSlash(name), folder+"/")
}
