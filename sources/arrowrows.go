package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/mapfile"
	"github.com/sluicedata/sluice/schema"
)

// arrowRows is an opened source whose samples are rows of Arrow files: arrow, huggingface.
// Uncompressed files are mapped into memory where the system can, and a row's bytes are
// copied once, into the caller's buffer.
type arrowRows struct {
	opened
	parts []*arrowPart
	part  []int64   // number of each sample's file
	row   []int64   // number of each sample in its file
	own   *arrowOwn // targets that sluice wrote; nil: none
	root  *os.Root  // of the files that rows name instead of holding bytes; nil: they name none
}

// arrowPart is one of the files.
type arrowPart struct {
	name   string // in keys and messages, slash-separated
	path   string
	object blob.Object // nil: the file is mapped
	file   *arrowfile.File
	size   int64
	times  blob.Times
	stamp  string // in the index: see indexfile.Stamp
	image  arrowImage
}

// cachedBuffers is how many bytes of buffers are kept that had to be decompressed, or
// read because the file isn't mapped.
const cachedBuffers = 256 << 20

// openArrow opens the files in turn.
func (d *arrowRows) openArrow(ctx context.Context, names, paths []string, cache *arrowfile.Cache) error {
	for i, name := range names {
		p := &arrowPart{name: name, path: paths[i]}
		d.parts = append(d.parts, p)
		if err := p.open(ctx, cache); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return errorf("%q: %w", name, err)
		}
	}
	return nil
}

func (p *arrowPart) open(ctx context.Context, cache *arrowfile.Cache) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := os.Stat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file")
	case err != nil:
		return fmt.Errorf("cannot read: %w", cause(err))
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	}
	if arrowfile.Mappable(info.Size()) {
		// Where memory can't be mapped (there are limits to the number of maps), it is read.
		if m, err := mapfile.Open(p.path); err == nil {
			p.size, p.times, p.stamp = m.Info().Size(), blob.TimesOf(m.Info()), blob.SettledStamp(m.Info())
			p.file, err = arrowfile.Map(m, cache)
			return err
		}
	}
	if p.object, err = (blob.Files{}).Open(ctx, p.path); err != nil {
		return fmt.Errorf("cannot read: %w", cause(err))
	}
	p.size, p.times, p.stamp = info.Size(), blob.TimesOf(info), blob.Settled(p.object)
	if p.size != p.object.Size() {
		return fmt.Errorf("%w: start again", blob.ErrChanged)
	}
	p.file, err = arrowfile.Open(blob.ReaderAt(context.WithoutCancel(ctx), p.object), p.size, cache)
	return err
}

// unchanged fails if the file isn't what was listed. What was read before is then worthless.
func (p *arrowPart) unchanged() error {
	if p.object != nil {
		return nil // it looks itself
	}
	info, err := os.Stat(p.path)
	switch {
	case err != nil:
		return err
	case info.Size() != p.size || info.ModTime().UnixNano() != p.times.Written:
		return blob.Rewritten(p.size, p.times, info)
	}
	return nil
}

func (d *arrowRows) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	size := d.index.Size(sample)
	if size == missing {
		return nil, d.absent(sample)
	}
	p, row := d.parts[d.part[sample]], d.row[sample]
	buf = slices.Grow(buf[:0], int(size))[:size]
	err := arrowfile.Protect(func() error { return p.image.read(p.file, row, buf, d.file) })
	if e := p.unchanged(); e != nil {
		err = e
	} else if err == nil && p.image.form <= namedImage {
		err = d.sameBytes(sample, buf)
	}
	switch {
	case err == nil:
		return buf, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, blob.ErrChanged):
		d.forget()
		return nil, d.errorf(sample, "%q %w: start again", p.path, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, d.errorf(sample, "%q has disappeared since it was listed: restore it, or start again: %w", p.path, cause(err))
	}
	return nil, d.errorf(sample, "cannot read row %d of %q: %w%s", row, p.path, cause(err), advice(err))
}

// PictureSize is that of tensors of pixels, if all files have it.
func (d *arrowRows) PictureSize() (height, width int, ok bool) {
	first := &d.parts[0].image
	for _, p := range d.parts {
		if m := &p.image; m.form != tensorImage || m.height != first.height || m.width != first.width {
			return 0, 0, false
		}
	}
	return first.height, first.width, true
}

// Lend lends the RGB pixels of uncompressed, mapped files.
func (d *arrowRows) Lend(ctx context.Context, sample int) (lent schema.Picture, ok bool) {
	p := d.parts[d.part[sample]]
	if ctx.Err() != nil || d.index.Size(sample) == missing || p.image.form <= namedImage || !p.file.Mapped() {
		return lent, false
	}
	// Any error is Read's to tell.
	_ = arrowfile.Protect(func() (err error) {
		lent, ok, err = p.image.lend(p.file, d.row[sample])
		return err
	})
	return lent, ok
}

// Unchanged looks at the sample's file.
func (d *arrowRows) Unchanged(_ context.Context, sample int) error {
	p := d.parts[d.part[sample]]
	switch err := p.unchanged(); {
	case err == nil:
		return nil
	case errors.Is(err, blob.ErrChanged):
		return d.errorf(sample, "%q %w: start again", p.path, err)
	default:
		return d.errorf(sample, "cannot read %q: %w%s", p.path, cause(err), advice(err))
	}
}

// file reads a file that a row names, which must be in the folder, also by way of links.
func (d *arrowRows) file(name string, buf []byte) error {
	f, err := d.root.Open(filepath.FromSlash(name))
	if err != nil {
		return fmt.Errorf("the file %q that it names: %w", cut(name), cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != int64(len(buf)) {
		return fmt.Errorf("the file %q that it names %w: it had %d bytes and now has %d", cut(name), blob.ErrChanged, len(buf), info.Size())
	}
	_, err = io.ReadFull(f, buf)
	return err
}

// Stamp is of the sample's whole file.
func (d *arrowRows) Stamp(sample int) string {
	p := d.parts[d.part[sample]]
	return blob.Stamp(p.size, p.times)
}

// Close unmaps and closes the files.
func (d *arrowRows) Close() error {
	var errs []error
	for _, p := range d.parts {
		if p.file != nil {
			errs = append(errs, p.file.Close())
		}
		if p.object != nil {
			errs = append(errs, p.object.Close())
		}
	}
	if d.root != nil {
		errs = append(errs, d.root.Close())
	}
	return errors.Join(errs...)
}
