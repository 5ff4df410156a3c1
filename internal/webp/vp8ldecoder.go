package webp

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
)

// VP8LDecoder decodes one picture after another, and keeps its memory from one to the next. Its zero
// value is ready.
type VP8LDecoder struct {
	bits       bitReader
	codes      codeReader
	level      level // the one that is read
	transforms []transform
	numbers    [3][]uint32 // memory for predictors, multipliers and groups
	cache      [1 << maxCacheBits]uint32
	pixels     []uint32 // coded pixels, at least those that later ones may refer to
	band       []uint32 // rows that are transformed, behind the one above them
	palette    [256]uint32
	pairs      [256]uint64 // of pixels of the palette, as RGB: see paletteRGB
	indices    []uint32    // of the groups that are used, by their numbers
}

// level is a picture of prefix codes: the one that is shown, or one of numbers that belong to it.
type level struct {
	width, height int
	cacheBits     uint
	groups        []group
	tiles         []uint32 // the group of each tile; nil: there is one
	tileBits      uint
}

const (
	// bandRows are decoded before they are transformed.
	bandRows = 16
	// window is how far back a copy may reach, longestCopy how many pixels it may have.
	window      = 1 << 20
	longestCopy = 1 << 12
)

// maxPixels is how many coded pixels are kept.
func maxPixels(width int) int { return 2*window + bandRows*width + longestCopy }

// Kept is how many bytes of memory the decoder keeps.
func (d *VP8LDecoder) Kept() int {
	n := cap(d.pixels) + cap(d.band) + cap(d.codes.tables) + cap(d.indices)
	for _, numbers := range d.numbers {
		n += cap(numbers)
	}
	return 4*n + int(groupBytes)*cap(d.level.groups)
}

func (d *VP8LDecoder) release() { d.bits.data = nil }

// errEnded is the error of data that end early, until it is known where.
var errEnded = errors.New("the data end")

// Decode writes a part of the picture to pix, row by row, R G B. It returns the cause of ctx soon
// after ctx ends. Nothing below the part is looked at.
func (d *VP8LDecoder) Decode(ctx context.Context, f *VP8L, part image.Rectangle, pix []byte) error {
	if part.Empty() || !part.In(image.Rect(0, 0, f.Width, f.Height)) {
		return fmt.Errorf("a part %v of a picture of %dx%d", part, f.Height, f.Width)
	}
	d.bits.reset(f)
	d.codes.reset(maxEntries(len(f.data), f.Width*f.Height))
	if err := d.readHeader(ctx, f); err != nil {
		return d.explain(err, "the codes")
	}
	return d.rows(ctx, f, part, pix)
}

// explain says that data end early where they do, whatever was made of the zeros behind.
func (d *VP8LDecoder) explain(err error, what string) error {
	if d.bits.ended() || errors.Is(err, errEnded) {
		return fmt.Errorf("%w: %s end early", ErrTruncated, what)
	}
	return err
}

// readHeader reads the transforms and the codes of the picture.
func (d *VP8LDecoder) readHeader(ctx context.Context, f *VP8L) error {
	width, seen := f.Width, 0
	d.transforms = d.transforms[:0]
	for d.bits.flag() {
		kind := transformKind(d.bits.read(2))
		if seen&(1<<kind) != 0 {
			return errors.New("damaged file: the same transform twice")
		}
		seen |= 1 << kind
		if err := d.readTransform(ctx, kind, &width, f.Height); err != nil {
			return err
		}
	}
	return d.readLevel(ctx, width, f.Height, true)
}

// readTransform reads a transform's numbers. A palette's may put several pixels into one of a row that is
// as much shorter.
func (d *VP8LDecoder) readTransform(ctx context.Context, kind transformKind, width *int, height int) (err error) {
	t := transform{kind: kind, width: *width}
	switch kind {
	case predictors, crossColour:
		t.bits = uint(d.bits.read(3)) + 2
		t.numbers, err = d.readNumbers(ctx, int(kind), shrunk(*width, t.bits), shrunk(height, t.bits))
	case usePalette:
		colours := int(d.bits.read(8)) + 1
		switch {
		case colours <= 2:
			t.bits = 3
		case colours <= 4:
			t.bits = 2
		case colours <= 16:
			t.bits = 1
		}
		*width = shrunk(*width, t.bits)
		if err = d.readLevel(ctx, colours, 1, false); err == nil {
			clear(d.palette[:])
			err = d.decodeNumbers(ctx, d.palette[:colours])
		}
		for i := 1; i < colours; i++ {
			d.palette[i] = addPixels(d.palette[i], d.palette[i-1])
		}
		d.pair(t.bits)
	}
	d.transforms = append(d.transforms, t)
	return err
}

// shrunk is how many tiles of 2^bits pixels there are.
func shrunk(n int, bits uint) int { return (n + 1<<bits - 1) >> bits }

// readNumbers reads a picture of numbers into the memory of that number.
func (d *VP8LDecoder) readNumbers(ctx context.Context, memory, width, height int) ([]uint32, error) {
	if err := d.readLevel(ctx, width, height, false); err != nil {
		return nil, err
	}
	m := &d.numbers[memory]
	if n := width * height; cap(*m) < n {
		*m = make([]uint32, n)
	}
	*m = (*m)[:width*height]
	return *m, d.decodeNumbers(ctx, *m)
}

// decodeNumbers decodes all pixels of a level.
func (d *VP8LDecoder) decodeNumbers(ctx context.Context, to []uint32) error {
	p := position{}
	for y := 0; y < d.level.height; {
		y = min(y+max(1, bandRows*1024/d.level.width), d.level.height)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := d.decodePixels(ctx, &p, to, 0, y*d.level.width); err != nil {
			return err
		}
	}
	return nil
}

// readLevel reads what comes before a level's pixels. The shown one has groups of codes.
func (d *VP8LDecoder) readLevel(ctx context.Context, width, height int, shown bool) error {
	cacheBits := uint(0)
	if d.bits.flag() {
		if cacheBits = uint(d.bits.read(4)); cacheBits < 1 || cacheBits > maxCacheBits {
			return fmt.Errorf("damaged file: a colour cache of 2^%d entries", cacheBits)
		}
	}
	total, tileBits := 1, uint(0)
	var tiles, used []uint32
	if shown && d.bits.flag() {
		tileBits = uint(d.bits.read(3)) + 2
		var err error
		if tiles, err = d.readNumbers(ctx, len(d.numbers)-1, shrunk(width, tileBits), shrunk(height, tileBits)); err != nil {
			return err
		}
		if total, used = d.renumber(tiles); used == nil {
			return errEnded
		}
	}
	if d.bits.ended() {
		return errEnded
	}
	l := &d.level
	*l = level{width, height, cacheBits, l.groups[:0], tiles, tileBits}
	d.codes.drop()
	if cacheBits > 0 {
		clear(d.cache[:1<<cacheBits])
	}
	for i := range total {
		if i%64 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var g *group
		if used == nil || used[i] != 0 {
			l.groups = append(l.groups, group{})
			g = &l.groups[len(l.groups)-1]
		}
		if err := d.codes.readGroup(&d.bits, g, cacheBits, g != nil); err != nil {
			return err
		}
		if d.bits.ended() {
			return errEnded
		}
	}
	return nil
}

// renumber numbers the groups that are used from 0 on. It returns how many the file has, and for each
// its new number and 1, or 0; nil if there can't be that many.
func (d *VP8LDecoder) renumber(tiles []uint32) (total int, used []uint32) {
	for i, t := range tiles {
		tiles[i] = t >> 8 & 0xffff // red and green
		total = max(total, int(tiles[i])+1)
	}
	if total > d.bits.left()/leastGroup {
		return total, nil
	}
	if cap(d.indices) < total {
		d.indices = make([]uint32, total)
	}
	used = d.indices[:total]
	clear(used)
	for _, t := range tiles {
		used[t] = 1
	}
	count := uint32(0)
	for i := range used {
		if used[i] != 0 {
			count++
			used[i] = count
		}
	}
	for i, t := range tiles {
		tiles[i] = used[t] - 1
	}
	d.level.groups = slices.Grow(d.level.groups[:0], int(count))
	return total, used
}

// rows decodes the picture's rows, down to the part's last, some at a time.
func (d *VP8LDecoder) rows(ctx context.Context, f *VP8L, part image.Rectangle, pix []byte) error {
	width := d.level.width
	if n := min(width*f.Height, maxPixels(width)); cap(d.pixels) < n {
		d.pixels = make([]uint32, n)
	}
	if n := (1 + bandRows) * (f.Width + 1); cap(d.band) < n {
		d.band = make([]uint32, n)
	}
	pixels := d.pixels[:min(width*f.Height, maxPixels(width))]
	p, base := position{}, 0 // base is the number of the first pixel that is kept
	for y := 0; y < part.Max.Y; y += bandRows {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		end := min(y+bandRows, part.Max.Y)
		if end*width+longestCopy-base > len(pixels) && base+len(pixels) < width*f.Height {
			from := min(max(p.at-window, base), y*width)
			copy(pixels, pixels[from-base:p.at-base])
			base = from
		}
		kept := pixels[:min(len(pixels), width*f.Height-base)]
		if err := d.decodePixels(ctx, &p, kept, base, end*width); err != nil {
			return d.explain(err, fmt.Sprintf("the pixels of row %d or the next", y))
		}
		if d.bits.ended() {
			return d.explain(errEnded, fmt.Sprintf("the pixels of row %d or the next", y))
		}
		d.transform(kept[y*width-base:end*width-base], y, end, f.Width, part, pix)
	}
	return nil
}
