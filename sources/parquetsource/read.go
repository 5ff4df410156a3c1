package parquetsource

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/descriptors"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/internal/parquet"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// dataset is opened Parquet files.
type dataset struct {
	index   schema.Index
	places  []int64 // of each sample: its page's number << 32 | its offset in the page, unpacked
	objects []blob.Object
	headers []string // before each image of an object
	pages   []place
	said    []string // warnings
	cache   cache
	keeper  *indexfile.Keeper
	listed  *sources.Listed // nil where the index was kept, which has no targets
}

// place is a page of images.
type place struct {
	parquet.Page
	Object int
}

func (d *dataset) Index() schema.Index { return d.index }

// Targets are those that were listed.
func (d *dataset) Targets(_ context.Context, sample int, t *schema.Targets) error {
	if d.listed != nil {
		d.listed.Targets(sample, t)
	}
	return nil
}

// TargetBytes is about how much memory Targets takes.
func (d *dataset) TargetBytes(sample int) int64 {
	if d.listed == nil {
		return 0
	}
	return d.listed.TargetBytes(sample)
}

// Warnings are about classes, missing images and pages that take long to unpack.
func (d *dataset) Warnings() []string { return d.said }

// of is where a sample is.
func (d *dataset) of(sample int) (page, offset int) {
	at := d.places[sample]
	return int(at >> 32), int(uint32(at))
}

// Stamp is of the sample's whole file.
func (d *dataset) Stamp(sample int) string {
	if d.index.Size(sample) < 0 {
		return ""
	}
	page, _ := d.of(sample)
	return d.objects[d.pages[page].Object].Stamp()
}

// open opens a file, which Close closes.
func (d *dataset) open(ctx context.Context, name string) (blob.Object, error) {
	object, err := (blob.Files{}).Open(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file")
	case err != nil:
		return nil, fmt.Errorf("cannot read: %w%s", cause(err), advice(err))
	}
	d.objects = append(d.objects, object)
	return object, nil
}

// Close closes the files.
func (d *dataset) Close() error {
	var errs []error
	for _, o := range d.objects {
		errs = append(errs, o.Close())
	}
	return errors.Join(errs...)
}

// scratch is memory for what is stored of a page.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

func (d *dataset) Read(ctx context.Context, sample int, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	size := d.index.Size(sample)
	if size < 0 {
		return nil, fmt.Errorf("%s: %q: %w: write the file with its image, or remove the row", prefix, d.index.Key(sample), sources.ErrMissing)
	}
	page, offset := d.of(sample)
	p := &d.pages[page]
	o := d.objects[p.Object]
	buf, err := d.value(ctx, page, offset, int(size), buf)
	switch {
	case err == nil:
		return buf, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, blob.ErrChanged):
		d.keeper.Forget()
		return nil, fmt.Errorf("%s: %q: %q %w: start again", prefix, d.index.Key(sample), o.Name(), err)
	}
	return nil, fmt.Errorf("%s: %q: cannot read the page at byte %d of %q: %w%s", prefix, d.index.Key(sample), p.Offset, o.Name(), cause(err), advice(err))
}

// value is the header and the bytes of a value; size is of both.
func (d *dataset) value(ctx context.Context, page, offset, size int, buf []byte) ([]byte, error) {
	p := &d.pages[page]
	header := d.headers[p.Object]
	buf = slices.Grow(append(buf[:0], header...), size-len(header))[:size]
	body := buf[len(header):]
	switch {
	case p.Codec == parquet.Uncompressed:
		return buf, d.objects[p.Object].ReadRange(ctx, body, p.Offset+int64(offset))
	case len(body) == 0:
		return buf, nil
	case p.Blocks != nil:
		return buf, d.part(ctx, p, offset, body)
	}
	whole, err := d.cache.page(ctx, page, p.Size, func() ([]byte, error) { return d.unpack(ctx, p) })
	if err == nil {
		copy(body, whole[offset:])
	}
	return buf, err
}

// part unpacks those blocks of a page that hold a value.
func (d *dataset) part(ctx context.Context, p *place, offset int, body []byte) error {
	start, length := p.Range(offset, len(body))
	packed, unpacked := scratch.Get().(*[]byte), scratch.Get().(*[]byte)
	defer scratch.Put(packed)
	defer scratch.Put(unpacked)
	*packed = slices.Grow((*packed)[:0], length+parquet.Room)[:length+parquet.Room]
	if err := d.objects[p.Object].ReadRange(ctx, (*packed)[parquet.Room:], p.Offset+int64(start)); err != nil {
		return err
	}
	out, err := p.UnpackRange(*packed, parquet.Room, offset, len(body), unpacked)
	copy(body, out)
	return err
}

// unpack reads a whole page.
func (d *dataset) unpack(ctx context.Context, p *place) ([]byte, error) {
	packed := scratch.Get().(*[]byte)
	defer scratch.Put(packed)
	*packed = slices.Grow((*packed)[:0], p.Compressed)[:p.Compressed]
	if err := d.objects[p.Object].ReadRange(ctx, *packed, p.Offset); err != nil {
		return nil, err
	}
	return p.Unpack(*packed, nil)
}

// mostCached is how much of unpacked pages is kept, in bytes; a page that is larger is
// kept alone.
const mostCached = 64 << 20

// cache keeps the unpacked pages that were used last. Readers of the same page wait for
// the first of them.
type cache struct {
	mu    sync.Mutex
	pages map[int]*list.Element // of *cached
	used  list.List             // the latest first
	bytes int
	large sync.Mutex // held while a page is unpacked that is larger than the cache
}

type cached struct {
	page, size int
	done       chan struct{}
	data       []byte
	err        error
}

func (c *cache) page(ctx context.Context, page, size int, load func() ([]byte, error)) ([]byte, error) {
	for {
		one, mine := c.find(page, size)
		if mine {
			c.load(one, load)
		}
		select {
		case <-one.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if one.err == nil || mine || ctx.Err() != nil {
			return one.data, one.err
		}
		// Another reader failed, perhaps since its context ended.
	}
}

// load fills an entry; one that fails is forgotten.
func (c *cache) load(one *cached, load func() ([]byte, error)) {
	if one.size > mostCached {
		c.large.Lock()
		defer c.large.Unlock()
	}
	one.data, one.err = load()
	if one.err != nil {
		c.mu.Lock()
		if e := c.pages[one.page]; e != nil && e.Value == one {
			c.forget(e)
		}
		c.mu.Unlock()
	}
	close(one.done)
}

// find is a page's entry; mine: it is new, and the caller fills it.
func (c *cache) find(page, size int) (one *cached, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.pages[page]; ok {
		c.used.MoveToFront(e)
		return e.Value.(*cached), false
	}
	for c.used.Len() > 0 && c.bytes+size > mostCached {
		c.forget(c.used.Back())
	}
	if c.pages == nil {
		c.pages = map[int]*list.Element{}
	}
	one = &cached{page: page, size: size, done: make(chan struct{})}
	c.pages[page] = c.used.PushFront(one)
	c.bytes += size
	return one, true
}

func (c *cache) forget(e *list.Element) {
	one := c.used.Remove(e).(*cached)
	delete(c.pages, one.page)
	c.bytes -= one.size
}

// warnings are about pages that must be unpacked as a whole for an image, and are more than the
// cache holds.
func (d *dataset) warnings() []string {
	largest, total := 0, 0
	var codec parquet.Codec
	for i := range d.pages {
		p := &d.pages[i]
		if p.Codec == parquet.Uncompressed || p.Blocks != nil {
			continue
		}
		total += p.Size
		if p.Size > largest {
			largest, codec = p.Size, p.Codec
		}
	}
	if largest < 512<<10 || total <= mostCached {
		return nil
	}
	return []string{fmt.Sprintf("the images are in pages of up to %d KiB compressed by %v, and in random order a page is unpacked for nearly every image: write them without compression, as datasets does, or by Snappy",
		largest>>10, codec)}
}

// cause is the reason for a failed file operation, without the path.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// advice says what can be done about a failure of the machine.
func advice(err error) string {
	switch {
	case descriptors.Lacking(err):
		return ": raise the limit on open files (ulimit -n), and start again"
	case errors.Is(err, fs.ErrPermission):
		return ": make it readable, or remove it from the data, and start again"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ": check the disk or the network file system that it is on, and start again"
	}
	return ": start again once it can be read"
}
