package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// CIFAR is the images of a data set in CIFAR-10's binary format: files *.bin of records
// of one label byte and 3072 bytes, 32x32 pixels in planes of red, green and blue; and
// batches.meta.txt, with one class name per line. A sample's key is its file and its
// number in it, data_batch_1/00017.ppm.
type CIFAR struct {
	Path string `sluice:"path" doc:"the folder of the .bin files and batches.meta.txt"`
}

const (
	side   = 32
	record = 1 + 3*side*side
	header = "P6 32 32 255\n" // of a PPM file, which is what samples are read as
)

// catalog is what pipeline files may name, beside sluice's own sources.
var catalog = []sources.Entry{
	{New: func() sources.Source { return &CIFAR{} }, Doc: "images in CIFAR-10's binary format"},
}

// Name is the source's name in pipeline files.
func (CIFAR) Name() string { return "cifar" }

// Check looks at the options alone; an error begins with the option's name.
func (c CIFAR) Check() error {
	if c.Path == "" {
		return errors.New("path: is missing: give the folder of the .bin files")
	}
	return nil
}

// Open reads the labels, one byte per sample, and no image.
func (c CIFAR) Open(ctx context.Context) (_ sources.Dataset, err error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("cifar: %w", err)
	}
	d := &dataset{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("cifar: %w", err), d.Close())
		}
	}()
	names, err := os.ReadFile(filepath.Join(c.Path, "batches.meta.txt"))
	if err != nil {
		return nil, err
	}
	d.index.TaskList = []schema.Task{{Name: "class", Classes: strings.Fields(string(names))}}
	d.index.Labels = [][]int32{nil}
	files, err := filepath.Glob(filepath.Join(c.Path, "*.bin"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files) // and so are the keys: five digits hold every number
	for _, name := range files {
		if err := d.add(ctx, name); err != nil {
			return nil, err
		}
	}
	if d.index.Len() == 0 {
		return nil, fmt.Errorf("%q has no .bin file with a record", c.Path)
	}
	return d, nil
}

// dataset is an opened CIFAR.
type dataset struct {
	index schema.Table
	files []*os.File
	at    []place // of each sample
}

type place struct {
	file, number int
	label        byte
}

// add lists the records of a file.
func (d *dataset) add(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	d.files = append(d.files, f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	n := int(info.Size() / record)
	if info.Size()%record != 0 || n > 100_000 {
		return fmt.Errorf("%q: %d bytes are not records of %d, at most 100000", name, info.Size(), record)
	}
	folder := strings.TrimSuffix(filepath.Base(name), ".bin")
	label := make([]byte, 1)
	for number := range n {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := f.ReadAt(label, int64(number)*record); err != nil {
			return err
		}
		if int(label[0]) >= len(d.index.TaskList[0].Classes) {
			return fmt.Errorf("%q: record %d has label %d, and batches.meta.txt has %d classes", name, number, label[0], len(d.index.TaskList[0].Classes))
		}
		d.index.Keys = append(d.index.Keys, fmt.Sprintf("%s/%05d.ppm", folder, number))
		d.index.Sizes = append(d.index.Sizes, int64(len(header)+record-1))
		d.index.Labels[0] = append(d.index.Labels[0], int32(label[0]))
		d.at = append(d.at, place{len(d.files) - 1, number, label[0]})
	}
	return nil
}

// Index lists the samples.
func (d *dataset) Index() schema.Index { return &d.index }

// Read makes a PPM file of a sample's planes. A record that has changed since it was
// listed ends the run: no row may depend on when it was read.
func (d *dataset) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	at := d.at[sample]
	var raw [record]byte
	if _, err := d.files[at.file].ReadAt(raw[:], int64(at.number)*record); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file has become shorter since it was listed: start again")
		}
		return nil, fmt.Errorf("cifar: %q: %w", d.index.Keys[sample], err)
	}
	if raw[0] != at.label {
		return nil, fmt.Errorf("cifar: %q: its label has changed since it was listed: start again", d.index.Keys[sample])
	}
	buf = append(buf[:0], header...)
	planes, n := raw[1:], side*side
	for p := range n {
		buf = append(buf, planes[p], planes[n+p], planes[2*n+p])
	}
	return buf, nil
}

// Close closes the files.
func (d *dataset) Close() error {
	var errs []error
	for _, f := range d.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
