package jpeg

import (
	"fmt"
	"slices"
)

// Subsampling is how many chroma samples an encoded picture has.
type Subsampling uint8

// The kinds of Subsampling.
const (
	Chroma420 Subsampling = iota // one for 2x2 pixels
	Chroma422                    // one for two neighbours in a row
	Chroma444                    // one for each pixel
)

// ParseSubsampling reads "4:2:0", "4:2:2" or "4:4:4".
func ParseSubsampling(s string) (Subsampling, error) {
	for i, name := range subsamplings {
		if s == name {
			return Subsampling(i), nil
		}
	}
	return 0, fmt.Errorf("subsampling %q is unknown: give 4:2:0, 4:2:2 or 4:4:4", s)
}

var subsamplings = [...]string{Chroma420: "4:2:0", Chroma422: "4:2:2", Chroma444: "4:4:4"}

func (s Subsampling) String() string {
	if int(s) < len(subsamplings) {
		return subsamplings[s]
	}
	return fmt.Sprintf("Subsampling(%d)", s)
}

// EncoderOptions is Pillow's parameters of the same names (restart_marker_blocks,
// restart_marker_rows).
type EncoderOptions struct {
	Quality     int // 1 to 100
	Subsampling Subsampling

	// At most one of these: after how many MCUs, or rows of MCUs, a restart marker comes. 0 is
	// none. A row of MCUs is 16 rows of pixels at 4:2:0, else 8.
	RestartBlocks, RestartRows int
}

// Check reports what is wrong with the options.
func (o EncoderOptions) Check() error {
	switch {
	case o.Quality < 1 || o.Quality > 100:
		return fmt.Errorf("quality %d is outside 1 to 100", o.Quality)
	case int(o.Subsampling) >= len(subsamplings):
		return fmt.Errorf("%v is unknown", o.Subsampling)
	case o.RestartBlocks < 0 || o.RestartBlocks > maxRestart:
		return fmt.Errorf("a restart marker every %d blocks: give 0 to %d", o.RestartBlocks, maxRestart)
	case o.RestartRows < 0 || o.RestartRows > maxRestart:
		return fmt.Errorf("a restart marker every %d rows of blocks: give 0 to %d", o.RestartRows, maxRestart)
	case o.RestartBlocks > 0 && o.RestartRows > 0:
		return fmt.Errorf("restart markers every %d blocks and every %d rows of blocks: give one of the two", o.RestartBlocks, o.RestartRows)
	}
	return nil
}

const (
	maxRestart = 1<<16 - 1 // of MCUs, as a DRI segment has it
	maxSide    = 65500     // libjpeg's
)

// An Encoder writes baseline JPEG files, byte for byte those of libjpeg-turbo 3 with its
// default settings: JFIF, the standard's Huffman tables, "islow" DCT. Not for concurrent use:
// it keeps its memory, about three rows of MCUs, from picture to picture.
type Encoder struct {
	options EncoderOptions
	quant   [2]divisors // of luma and chroma

	width, height int
	comps         [3]encComponent
	n             int // components
	out           entropy
}

// encComponent is a component of the picture being encoded: a row of MCUs of it.
type encComponent struct {
	h, v     int // sampling factors
	columns  int // blocks across, without those that only fill MCUs
	rows     int // blocks down, likewise
	stride   int // of samples: 8*columns
	samples  []uint8
	blocks   []encBlock
	quant    *divisors
	dc, ac   *codes
	previous int32 // DC coefficient
}

// NewEncoder checks the options.
func NewEncoder(o EncoderOptions) (*Encoder, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	e := &Encoder{options: o}
	for i := range e.quant {
		e.quant[i].scale(&standardQuant[i], o.Quality)
	}
	return e, nil
}

// Encode appends a file to dst, as append does. pix has height x width pixels of channels bytes
// each: grey (1) or R G B (3), row by row. Sides are at most 65500. A grey picture's file is
// that of 4:4:4, whatever the subsampling.
func (e *Encoder) Encode(dst []byte, pix []uint8, height, width, channels int) ([]byte, error) {
	switch {
	case channels != 1 && channels != 3:
		return dst, fmt.Errorf("a picture of %d channels doesn't fit JPEG: give 1 or 3", channels)
	case height < 1 || width < 1 || height > maxSide || width > maxSide:
		return dst, fmt.Errorf("a picture of %dx%d pixels doesn't fit JPEG: its sides are from 1 to %d", width, height, maxSide)
	case len(pix)/channels/height < width: // never overflows
		return dst, fmt.Errorf("%d bytes are too few for %dx%d pixels of %d channels", len(pix), width, height, channels)
	}
	e.start(height, width, channels)
	e.out.begin(e.appendHeader(dst))

	maxH, maxV := e.comps[0].h, e.comps[0].v
	across, down := ceilDiv(width, 8*maxH), ceilDiv(height, 8*maxV)
	interval := e.interval(across)
	untilRestart, restarts := interval, 0
	for row := range down {
		e.convert(pix, row*8*maxV)
		for i := range e.comps[:e.n] {
			e.comps[i].transform(row)
		}
		for column := range across {
			if interval > 0 {
				if untilRestart == 0 {
					e.out.restart(restarts)
					untilRestart = interval
					restarts++
					for i := range e.comps {
						e.comps[i].previous = 0
					}
				}
				untilRestart--
			}
			e.out.reserve()
			for i := range e.comps[:e.n] {
				e.encodeMCU(&e.comps[i], row, column)
			}
		}
	}
	return e.out.finish(), nil
}

// start lays out the components of a picture.
func (e *Encoder) start(height, width, channels int) {
	e.height, e.width, e.n = height, width, channels
	h, v := 1, 1
	if channels == 3 {
		switch e.options.Subsampling {
		case Chroma420:
			h, v = 2, 2
		case Chroma422:
			h = 2
		}
	}
	for i := range e.comps[:channels] {
		c := &e.comps[i]
		c.h, c.v = 1, 1
		kind := min(i, 1)
		if i == 0 {
			c.h, c.v = h, v
		}
		c.columns, c.rows = ceilDiv(width*c.h, 8*h), ceilDiv(height*c.v, 8*v)
		c.stride = 8 * c.columns
		c.quant, c.dc, c.ac = &e.quant[kind], &standardCodes[0][kind], &standardCodes[1][kind]
		c.previous = 0
		c.samples = slices.Grow(c.samples[:0], 8*c.v*c.stride)[:8*c.v*c.stride]
		c.blocks = slices.Grow(c.blocks[:0], c.v*c.columns)[:c.v*c.columns]
	}
}

// interval is after how many MCUs a restart marker comes, if across is how many a row has;
// 0 is never.
func (e *Encoder) interval(across int) int {
	if e.options.RestartRows > 0 {
		return min(e.options.RestartRows*across, maxRestart)
	}
	return e.options.RestartBlocks
}

// transform makes the blocks of row of MCUs from its samples.
func (c *encComponent) transform(row int) {
	for y := range min(c.v, c.rows-row*c.v) {
		transform(c.blocks[y*c.columns:][:c.columns], c.samples[8*y*c.stride:][:8*c.stride], c.stride, c.quant)
	}
}

// encodeMCU encodes a component's blocks of an MCU. Blocks past the component's own last row or
// column have the DC coefficient of the one before, and no others.
func (e *Encoder) encodeMCU(c *encComponent, row, column int) {
	for y := range c.v {
		for x := range c.h {
			at := column*c.h + x
			if at >= c.columns || row*c.v+y >= c.rows {
				e.out.empty(c)
				continue
			}
			e.out.encode(&c.blocks[y*c.columns+at], c)
		}
	}
}

// appendHeader appends all segments before the data.
func (e *Encoder) appendHeader(dst []byte) []byte {
	kinds := min(e.n, 2)
	dst = append(dst, 0xff, mSOI, 0xff, mAPP0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0)
	for i := range kinds {
		dst = append(dst, 0xff, mDQT, 0, 2+1+64, byte(i))
		for _, at := range zigzag {
			dst = append(dst, e.quant[i].step[at])
		}
	}
	dst = append(dst, 0xff, mSOF0, 0, byte(8+3*e.n), 8,
		byte(e.height>>8), byte(e.height), byte(e.width>>8), byte(e.width), byte(e.n))
	for i, c := range e.comps[:e.n] {
		dst = append(dst, byte(i+1), byte(c.h<<4|c.v), byte(min(i, 1)))
	}
	for i := range kinds {
		for class := range standard {
			table := standard[class][i]
			dst = append(dst, 0xff, mDHT, 0, byte(2+1+len(table)), byte(class<<4|i))
			dst = append(dst, table...)
		}
	}
	if n := e.interval(ceilDiv(e.width, 8*e.comps[0].h)); n > 0 {
		dst = append(dst, 0xff, mDRI, 0, 4, byte(n>>8), byte(n))
	}
	dst = append(dst, 0xff, mSOS, 0, byte(6+2*e.n), byte(e.n))
	for i := range e.n {
		dst = append(dst, byte(i+1), byte(min(i, 1)*0x11))
	}
	return append(dst, 0, 63, 0)
}
