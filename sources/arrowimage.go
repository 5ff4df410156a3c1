package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/schema"
)

// This file reads the image column of Arrow files: encoded images as they are, pixels as
// PPM and PGM, which need no decoder but have a header.

// imageForm is how an image column holds its rows.
type imageForm int

const (
	encodedImage imageForm = iota // binary
	namedImage                    // struct<bytes, path>, as Hugging Face's
	tensorImage                   // all of one shape
	varyingImage                  // struct<height, width, pixels>
)

// arrowImage is an image column of a file.
type arrowImage struct {
	form   imageForm
	column int
	bytes  int // of a struct: the part with the bytes
	path   int // the part with the path; -1: none

	header     string // of a tensor's rows
	height     int
	width      int
	channels   int
	planes     int // 1, or 3 where channels come one after the other
	heightPart int
	widthPart  int
}

// mostSide keeps the product of sides and channels within 64 bits.
const mostSide = 1 << 24

// imageOf finds out how a column holds images. column is its number.
func imageOf(s *arrowfile.Schema, column int) (arrowImage, error) {
	f := &s.Fields[column]
	t := &f.Type
	m := arrowImage{column: column, path: -1}
	refused := func(why string) (arrowImage, error) {
		return m, errorf("column %q has the type %s: %s", f.Name, t, why)
	}
	switch {
	case t.Dictionary:
		return refused("images in a dictionary are not read")
	case t.Kind == arrowfile.Binary:
		return m, nil
	case t.Kind == arrowfile.Struct && t.Field("height") >= 0 && t.Field("width") >= 0 && t.Field("pixels") >= 0:
		m.form, m.heightPart, m.widthPart, m.bytes = varyingImage, t.Field("height"), t.Field("width"), t.Field("pixels")
		for _, part := range []int{m.heightPart, m.widthPart} {
			if k := t.Fields[part].Type.Kind; k != arrowfile.Int && k != arrowfile.Uint {
				return refused("height and width must be whole numbers")
			}
		}
		if t.Fields[m.bytes].Type.Kind != arrowfile.Binary {
			return refused("pixels must be binary")
		}
		return m, nil
	case t.Kind == arrowfile.Struct && t.Field("bytes") >= 0:
		m.form, m.bytes, m.path = namedImage, t.Field("bytes"), t.Field("path")
		if p := &t.Fields[m.bytes].Type; p.Kind != arrowfile.Binary || p.Dictionary {
			return refused("bytes must be binary")
		}
		if m.path >= 0 && t.Fields[m.path].Type.Kind != arrowfile.Text {
			m.path = -1
		}
		return m, nil
	case t.Kind == arrowfile.FixedList:
		return m.tensor(f)
	}
	return refused("want encoded images (binary, or Hugging Face's struct of bytes and path), or uint8 pixels (arrow.fixed_shape_tensor)")
}

// tensor reads the shape of a column of tensors.
func (m arrowImage) tensor(f *arrowfile.Field) (arrowImage, error) {
	m.form = tensorImage
	element := &f.Type.Fields[0].Type
	var md struct {
		Shape       []int64  `json:"shape"`
		DimNames    []string `json:"dim_names"`
		Permutation []int    `json:"permutation"`
	}
	const tensor = "arrow.fixed_shape_tensor"
	if f.Metadata["ARROW:extension:name"] != tensor {
		return m, errorf("column %q has the type %s, which says no shape: want the extension type %s", f.Name, &f.Type, tensor)
	}
	if err := json.Unmarshal([]byte(f.Metadata["ARROW:extension:metadata"]), &md); err != nil {
		return m, errorf("column %q: damaged: the metadata of its type %s: %w", f.Name, tensor, err)
	}
	switch {
	case element.Kind == arrowfile.Float:
		return m, errorf("column %q holds %s pixels, which have been normalized or scaled, and augmentation begins with uint8: leave to_tensor and normalize to the pipeline that reads, and materialize without them", f.Name, element)
	case element.Kind != arrowfile.Uint || element.Bits != 8 || element.Dictionary:
		return m, errorf("column %q holds %s pixels: want uint8", f.Name, element)
	case !slices.IsSorted(md.Permutation):
		return m, errorf("column %q: its tensors are permuted (%v), which is not read", f.Name, md.Permutation)
	}
	h, w, channels, chw, ok := shapeOf(md.Shape, md.DimNames)
	if !ok || h*w*channels != f.Type.Len {
		return m, errorf("column %q: tensors of shape %v in lists of %d are not pictures: want height x width x 3, 3 x height x width, or 1 instead of 3 for grey ones", f.Name, md.Shape, f.Type.Len)
	}
	m.height, m.width, m.channels, m.planes = int(h), int(w), int(channels), 1
	if chw {
		m.planes = int(channels)
	}
	m.header = netpbm(h, w, channels)
	return m, nil
}

// shapeOf tells height, width and channels of a shape; dim_names decide where it could be
// either layout.
func shapeOf(shape []int64, names []string) (h, w, channels int64, chw, ok bool) {
	for _, n := range shape {
		if n < 1 || n > mostSide {
			return
		}
	}
	channelsOf := func(n int64) bool { return n == 1 || n == 3 }
	switch {
	case len(shape) == 2:
		return shape[0], shape[1], 1, false, true
	case len(shape) != 3:
		return
	case channelsOf(shape[0]) && (!channelsOf(shape[2]) || slices.Equal(names, []string{"C", "H", "W"})):
		return shape[1], shape[2], shape[0], true, true
	case channelsOf(shape[2]):
		return shape[0], shape[1], shape[2], false, true
	}
	return
}

// netpbm is the header of a PPM, or of a PGM for one channel.
func netpbm(h, w, channels int64) string {
	kind := 6
	if channels == 1 {
		kind = 5
	}
	return fmt.Sprintf("P%d\n%d %d\n255\n", kind, w, h)
}

// size is the number of bytes that a row is read as, missing for null. named tells the size of
// a file that a row names.
func (m *arrowImage) size(c *arrowfile.Column, row int64, named func(name string) (int64, error)) (int64, error) {
	null, err := c.Null(row)
	if null || err != nil {
		return missing, err
	}
	switch m.form {
	case tensorImage:
		return int64(len(m.header)) + c.Type.Len, nil
	case encodedImage:
		r, err := c.Range(row)
		return r.Len(), err
	case varyingImage:
		h, w, pixels, err := m.varying(c, row)
		return int64(len(netpbm(h, w, 3))) + pixels.Len(), err
	}
	bytes := c.Parts[m.bytes]
	if null, err = bytes.Null(row); err != nil {
		return 0, err
	}
	if !null {
		r, err := bytes.Range(row)
		return r.Len(), err
	}
	if m.path < 0 {
		return missing, nil
	}
	name, ok, err := c.Parts[m.path].Text(row)
	if err != nil || !ok || name == "" {
		return missing, err
	}
	return named(name)
}

// varying is the picture of a row of its own size.
func (m *arrowImage) varying(c *arrowfile.Column, row int64) (h, w int64, pixels arrowfile.Range, err error) {
	a, ok1, err1 := c.Parts[m.heightPart].Number(row)
	b, ok2, err2 := c.Parts[m.widthPart].Number(row)
	null, err3 := c.Parts[m.bytes].Null(row)
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, 0, pixels, err
	}
	if pixels, err = c.Parts[m.bytes].Range(row); err != nil {
		return 0, 0, pixels, err
	}
	h, w = int64(a), int64(b)
	if !ok1 || !ok2 || null || h < 1 || w < 1 || h > mostSide || w > mostSide || 3*h*w != pixels.Len() {
		return 0, 0, pixels, fmt.Errorf("damaged: a picture of %d x %d with %d bytes of pixels", w, h, pixels.Len())
	}
	return h, w, pixels, nil
}

// read fills buf, which is as long as size says, with a row. file reads a file that a row names.
func (m *arrowImage) read(f *arrowfile.File, row int64, buf []byte, file func(name string, buf []byte) error) error {
	if row < 0 || row >= f.Rows() {
		return fmt.Errorf("%w: it has %d rows", blob.ErrChanged, f.Rows())
	}
	batch := f.Batch(row)
	c, err := f.Kept(batch, m.column)
	if err != nil {
		return err
	}
	first, _ := f.Span(batch)
	row -= first
	var bytes arrowfile.Range
	header := m.header
	switch m.form {
	case encodedImage, tensorImage:
		bytes, err = c.Range(row)
	case varyingImage:
		var h, w int64
		if h, w, bytes, err = m.varying(c, row); err == nil {
			header = netpbm(h, w, 3)
		}
	case namedImage:
		null, bad := c.Parts[m.bytes].Null(row)
		if bad != nil {
			return bad
		}
		if null {
			name, _, err := c.Parts[m.path].Text(row)
			if err != nil {
				return err
			}
			return file(name, buf)
		}
		bytes, err = c.Parts[m.bytes].Range(row)
	}
	if err != nil {
		return err
	}
	if int64(len(header))+bytes.Len() != int64(len(buf)) {
		return fmt.Errorf("%w: it had %d bytes and now has %d", blob.ErrChanged, len(buf), int64(len(header))+bytes.Len())
	}
	pixels := buf[copy(buf, header):]
	if m.form != tensorImage || m.planes == 1 {
		return bytes.Copy(pixels)
	}
	planes, err := bytes.Bytes()
	if err != nil {
		return err
	}
	n := len(pixels) / m.planes
	for i := range n {
		for p := range m.planes {
			pixels[m.planes*i+p] = planes[p*n+i]
		}
	}
	return nil
}

// lend is a row's pixels where they are; ok is false for those that would have to be copied.
func (m *arrowImage) lend(f *arrowfile.File, row int64) (lent schema.Picture, ok bool, err error) {
	if row < 0 || row >= f.Rows() || m.form == tensorImage && (m.channels != 3 || m.planes != 1) {
		return lent, false, nil
	}
	batch := f.Batch(row)
	c, err := f.Kept(batch, m.column)
	if err != nil {
		return lent, false, err
	}
	first, _ := f.Span(batch)
	row -= first
	var bytes arrowfile.Range
	h, w := int64(m.height), int64(m.width)
	if m.form == tensorImage {
		bytes, err = c.Range(row)
	} else {
		h, w, bytes, err = m.varying(c, row)
	}
	if err != nil || !bytes.Mapped() {
		return lent, false, err
	}
	lent.Height, lent.Width, lent.Layout = int(h), int(w), schema.HWC
	lent.U8, err = bytes.Bytes()
	return lent, err == nil, err
}
