package decode

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"strings"

	"github.com/sluicedata/sluice/schema"
)

// plane is one colour component at its own resolution. Only the w x h samples
// that belong to the picture count; pix is wider, as blocks are whole.
type plane struct {
	pix    []uint8
	stride int
	w, h   int
}

// decode gives the stored picture: planes by image/jpeg, then libjpeg-turbo's
// upsampling and colour conversion row by row.
func (j *jpegFile) decode() (*schema.Picture, error) {
	planes, err := j.planes()
	if err != nil {
		return nil, err
	}
	p := schema.NewPicture(j.height, j.width)
	maxH, maxV := j.maxSampling()
	var rows [4][]uint8
	for i := range planes {
		rows[i] = make([]uint8, j.width+2*maxH) // upsampled columns are whole
	}
	convert := j.rowConverter()
	for y := range j.height {
		for i, c := range j.comps {
			upsampleRow(rows[i], &planes[i], y, maxH/c.h, maxV/c.v)
		}
		convert(p.U8[3*y*j.width:3*(y+1)*j.width], &rows)
	}
	return p, nil
}

// planes runs image/jpeg over the kept segments.
func (j *jpegFile) planes() ([]plane, error) {
	readers := make([]io.Reader, len(j.segments))
	for i, s := range j.segments {
		readers[i] = bytes.NewReader(s)
	}
	img, err := jpeg.Decode(io.MultiReader(readers...))
	if err != nil {
		return nil, j.explain(err)
	}
	if b := img.Bounds(); b.Dx() != j.width || b.Dy() != j.height {
		return nil, fmt.Errorf("decoded %dx%d instead of %dx%d", b.Dy(), b.Dx(), j.height, j.width)
	}
	var planes []plane
	switch m := img.(type) {
	case *image.Gray:
		j.comps[0].h, j.comps[0].v = 1, 1 // one component is never subsampled (T.81, A.2.2)
		planes = []plane{{pix: m.Pix, stride: m.Stride}}
	case *image.YCbCr:
		planes = []plane{{pix: m.Y, stride: m.YStride}, {pix: m.Cb, stride: m.CStride}, {pix: m.Cr, stride: m.CStride}}
	case *image.CMYK:
		return j.planesOfCMYK(m), nil
	}
	if len(planes) != len(j.comps) {
		return nil, fmt.Errorf("image/jpeg gave %T for %d components", img, len(j.comps))
	}
	for i := range planes {
		planes[i].w, planes[i].h = j.sizeOf(i)
	}
	return planes, nil
}

// planesOfCMYK takes the components out of the picture that image/jpeg made of
// them by inverting and repeating samples: neither loses any.
func (j *jpegFile) planesOfCMYK(m *image.CMYK) []plane {
	planes := make([]plane, len(j.comps))
	maxH, maxV := j.maxSampling()
	for i, c := range j.comps {
		w, h := j.sizeOf(i)
		p := plane{pix: make([]uint8, w*h), stride: w, w: w, h: h}
		for y := range h {
			row := m.Pix[y*(maxV/c.v)*m.Stride+i:]
			for x := range w {
				p.pix[y*w+x] = 255 - row[4*x*(maxH/c.h)]
			}
		}
		planes[i] = p
	}
	return planes
}

// maxSampling is the largest sampling factors of the components.
func (j *jpegFile) maxSampling() (h, v int) {
	for _, c := range j.comps {
		h, v = max(h, c.h), max(v, c.v)
	}
	return h, v
}

// sizeOf is the size of a component: libjpeg's downsampled_width and _height.
func (j *jpegFile) sizeOf(i int) (w, h int) {
	maxH, maxV := j.maxSampling()
	c := j.comps[i]
	return (j.width*c.h + maxH - 1) / maxH, (j.height*c.v + maxV - 1) / maxV
}

// explain says what an error of image/jpeg means for the file.
func (j *jpegFile) explain(err error) error {
	var unsupported jpeg.UnsupportedError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF),
		strings.Contains(err.Error(), "short Huffman data"),
		strings.Contains(err.Error(), "missing 0xff00 sequence"):
		return fmt.Errorf("%w: a scan ends before its last block", ErrTruncated)
	case errors.As(err, &unsupported) && strings.Contains(err.Error(), "subsampling"):
		var factors []string
		for _, c := range j.comps {
			factors = append(factors, fmt.Sprintf("%dx%d", c.h, c.v))
		}
		return fmt.Errorf("JPEG with the sampling factors %s is %w: convert it to 4:2:0 or 4:4:4",
			strings.Join(factors, ","), ErrUnsupported)
	}
	return fmt.Errorf("damaged file: %w", err)
}
