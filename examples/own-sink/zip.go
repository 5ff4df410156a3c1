package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// catalog lists the formats of this package, as sinks.Catalog does.
var catalog = []sinks.Entry{
	{New: func() sinks.Format { return &Zip{} }, Doc: "one zip archive of PNG files, in a folder for each class"},
}

// Zip is a format of data sets: one zip archive of PNG files, to be looked at or handed
// to programs that know folders of images. A picture of epoch 0 and position 7 is
// cat/0-7.png in it; with scales, 0.5/cat/0-7.png. A pipeline file names it:
// sink: {zip: {file: pictures.zip}}.
//
// It takes uint8 pictures. It is no sinks.Skipper: after a crash all batches are made
// again.
type Zip struct {
	File string `sluice:"file" default:"images.zip" doc:"the archive's name in the data set's directory"`

	dir string
	run *schema.Run
	tmp *os.File // becomes dir/File in Close
	zip *zip.Writer
}

// Name implements sinks.Format.
func (*Zip) Name() string { return "zip" }

// Check implements sinks.Format.
func (z *Zip) Check() error {
	if filepath.Base(z.file()) != z.file() {
		return fmt.Errorf("file: %q: give a name without a folder", z.File)
	}
	return nil
}

func (z *Zip) file() string {
	if z.File == "" {
		return "images.zip"
	}
	return z.File
}

// Into implements sinks.Format.
func (z *Zip) Into(to sinks.Destination) error {
	switch {
	case to.Dir == "":
		return errors.New("zip: no directory is given")
	case to.Shard != 0 || to.Shards < 0 || to.Shards > 1:
		return errors.New("zip: an archive is made in one piece: leave the shards out")
	case to.Update:
		return errors.New("zip: an archive cannot be updated: make it anew")
	}
	z.dir = to.Dir
	return nil
}

// Open implements sinks.Sink. A pipeline that doesn't fit is refused here, before any
// image is read.
func (z *Zip) Open(_ context.Context, run *schema.Run) error {
	if run.Form == schema.FormEncoded || run.Variants[0].Tensor.DType != schema.Uint8 {
		return errors.New("zip: PNG files are made of decoded uint8 pictures: use decode, and neither to_tensor nor normalize")
	}
	if len(run.Tasks) > 0 {
		for _, class := range run.Tasks[0].Classes {
			if class == "." || !fs.ValidPath(class) { // such as ../cat
				return fmt.Errorf("zip: the class %q cannot be a folder in an archive", class)
			}
		}
	}
	if err := os.MkdirAll(z.dir, 0o777); err != nil {
		return fmt.Errorf("zip: %w", err)
	}
	tmp, err := os.CreateTemp(z.dir, ".tmp-")
	if err != nil {
		return fmt.Errorf("zip: %w", err)
	}
	z.run, z.tmp, z.zip = run, tmp, zip.NewWriter(tmp)
	return nil
}

// Write implements sinks.Sink. The batch is borrowed: nothing of it is kept.
func (z *Zip) Write(ctx context.Context, batch *schema.Batch) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	positions := batch.Positions()
	for row := range batch.Rows() {
		name := fmt.Sprintf("%d-%d.png", batch.Epoch, positions[row])
		if len(z.run.Tasks) > 0 {
			name = path.Join(className(z.run.Tasks[0], batch.Labels(0)[row]), name)
		}
		if z.run.Scales {
			name = path.Join(schema.FormatScale(z.run.Variants[batch.Variant].Scale), name)
		}
		// The header holds no time, so that the same run gives the same bytes. PNG
		// files are compressed already.
		w, err := z.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return fmt.Errorf("zip: %w", err)
		}
		if err := png.Encode(w, picture{batch.Picture(row)}); err != nil {
			return fmt.Errorf("zip: %s: %w", name, err)
		}
	}
	return nil
}

func className(task schema.Task, label int32) string {
	if label == schema.Unknown {
		return "unknown"
	}
	return task.Classes[label]
}

// Close implements sinks.Sink. Once it returns nil for a complete run, the archive is on
// disk under its name; after a failure there is nothing of it.
func (z *Zip) Close(cause error) error {
	remove := func(err error) error {
		return errors.Join(err, z.tmp.Close(), os.Remove(z.tmp.Name()))
	}
	if cause != nil {
		return remove(nil)
	}
	if err := errors.Join(z.zip.Close(), z.tmp.Chmod(0o644), z.tmp.Sync()); err != nil {
		return remove(fmt.Errorf("zip: %w", err))
	}
	if err := z.tmp.Close(); err != nil {
		return errors.Join(fmt.Errorf("zip: %w", err), os.Remove(z.tmp.Name()))
	}
	return os.Rename(z.tmp.Name(), filepath.Join(z.dir, z.file()))
}

// Recognizes implements sinks.Recognizer: an archive of this name that begins as one.
func (z *Zip) Recognizes(dir string) bool {
	f, err := os.Open(filepath.Join(dir, z.file()))
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 2)
	_, err = io.ReadFull(f, magic)
	return err == nil && string(magic) == "PK"
}

// picture is a uint8 HWC picture as an image.Image.
type picture struct{ *schema.Picture }

func (picture) ColorModel() color.Model { return color.RGBAModel }

func (p picture) Bounds() image.Rectangle { return image.Rect(0, 0, p.Width, p.Height) }

func (p picture) Opaque() bool { return true } // so PNG files have three channels

func (p picture) At(x, y int) color.Color {
	rgb := p.U8[3*(y*p.Width+x):]
	return color.RGBA{rgb[0], rgb[1], rgb[2], 255}
}
