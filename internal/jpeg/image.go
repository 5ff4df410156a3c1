package jpeg

import "fmt"

// Plane holds the samples of one component at its own resolution. Width x Height
// samples belong to the picture; Stride and the number of rows are rounded up to
// whole blocks of 8.
type Plane struct {
	Pix                   []uint8
	Stride, Width, Height int
}

// Image is a decoded file: one plane per component of its header.
type Image struct {
	Header
	Planes []Plane
}

// Decode decodes a whole file, whose size the caller has checked with ReadHeader. A
// file too short for its size is refused before planes are made: they take at most
// 512 bytes for each byte of data (64 samples a bit), and 1,536 in a progressive
// file, whose coefficients are kept.
func Decode(data []byte) (*Image, error) {
	var d decoder
	return d.decode(data)
}

func (d *decoder) decode(data []byte) (*Image, error) {
	s, pos, err := d.header.read(data, d.tables)
	if err != nil {
		return nil, err
	}
	if err := d.allocate(len(data) - pos); err != nil {
		return nil, err
	}
	for s.marker != mEOI {
		if s.marker == mSOS {
			pos, err = d.scan(s.body, data[s.end:])
			pos += s.end
		} else if err = d.header.segment(s); err == nil {
			pos, err = s.end, d.tables(s)
		}
		if err != nil {
			return nil, err
		}
		if s, err = nextSegment(data, pos); err != nil {
			return nil, err
		}
	}
	return d.finish()
}

// decoder is what decoding carries from marker to marker.
type decoder struct {
	header  Header
	quant   [4]quantTable
	dc, ac  [4]huffman
	comps   []component
	scans   int
	block   coefBlock // empty between blocks
	padding [64]int16 // where coefficients of blocks outside the picture go
	eobRun  int       // progressive: blocks whose band has ended
	idct    idct
}

// component is a component's state while decoding.
type component struct {
	Component
	plane            Plane
	blocksW, blocksH int        // of the plane
	quant            quantTable // as it was at the component's first scan (T.81, B.2.4.1)
	scanned          bool       // a scan with its DC coefficients was seen
	pred             int32      // DC predictor of the scan

	// Progressive only: coefficients of all blocks in zigzag order, not
	// dequantized, and how many low bits of each are still to come (-1: all).
	coefs    []int16
	bitsLeft [64]int8
}

// quantTable is in zigzag order, as its segment is.
type quantTable struct {
	defined bool
	q       [64]uint16
}

// zigzag gives the natural position of the k-th coefficient (T.81, figure 5).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// tables reads the segments that define tables, and no other.
func (d *decoder) tables(s segment) error {
	switch s.marker {
	case mDQT:
		return d.defineQuant(s.body)
	case mDHT:
		return d.defineHuffman(s.body)
	}
	return nil
}

// defineQuant reads a DQT segment (T.81, B.2.4.1).
func (d *decoder) defineQuant(body []byte) error {
	for len(body) > 0 {
		wide, id := int(body[0]>>4), body[0]&15
		body = body[1:]
		if wide > 1 || id > 3 || len(body) < 64<<wide {
			return fmt.Errorf("a damaged quantization table")
		}
		t := &d.quant[id]
		t.defined = true
		for k := range t.q {
			t.q[k] = uint16(body[k<<wide])
			if wide == 1 {
				t.q[k] = t.q[k]<<8 | uint16(body[2*k+1])
			}
		}
		body = body[64<<wide:]
	}
	return nil
}

// defineHuffman reads a DHT segment (T.81, B.2.4.2).
func (d *decoder) defineHuffman(body []byte) (err error) {
	for len(body) > 0 {
		class, id := body[0]>>4, body[0]&15
		if class > 1 || id > 3 {
			return fmt.Errorf("a Huffman table has the class %d and the number %d", class, id)
		}
		table := &d.dc[id]
		if class == 1 {
			table = &d.ac[id]
		}
		if body, err = table.define(body[1:], class == 0); err != nil {
			return err
		}
	}
	return nil
}

// allocate makes the planes, if rest bytes can hold their blocks: each takes a
// bit for its DC coefficient at the least.
func (d *decoder) allocate(rest int) error {
	d.comps = make([]component, len(d.header.Components))
	blocks := 0
	for i := range d.comps {
		c := &d.comps[i]
		c.Component = d.header.Components[i]
		c.plane.Width, c.plane.Height = d.header.PlaneSize(i)
		c.blocksW, c.blocksH = ceilDiv(c.plane.Width, 8), ceilDiv(c.plane.Height, 8)
		c.plane.Stride = 8 * c.blocksW
		blocks += c.blocksW * c.blocksH
	}
	if rest < blocks/8 {
		return fmt.Errorf("%w: %d bytes cannot hold %dx%d pixels", ErrTruncated, rest, d.header.Height, d.header.Width)
	}
	for i := range d.comps {
		c := &d.comps[i]
		c.plane.Pix = make([]uint8, 64*c.blocksW*c.blocksH)
		if d.header.Progressive {
			c.coefs = make([]int16, 64*c.blocksW*c.blocksH)
			for k := range c.bitsLeft {
				c.bitsLeft[k] = -1
			}
		}
	}
	return nil
}

// finish checks that every component has data and gives the planes.
func (d *decoder) finish() (*Image, error) {
	m := &Image{Header: d.header}
	for i := range d.comps {
		c := &d.comps[i]
		if !c.scanned {
			return nil, fmt.Errorf("%w: no scan of component %d of %d", ErrTruncated, i+1, len(d.comps))
		}
		if d.header.Progressive {
			d.reconstruct(c)
		}
		m.Planes = append(m.Planes, c.plane)
	}
	return m, nil
}
