package decode

import (
	"fmt"
	"strings"

	"github.com/sluicedata/sluice/internal/jpeg"
	"github.com/sluicedata/sluice/schema"
)

// plane is one colour component at its own resolution. Only the w x h samples
// that belong to the picture count; pix is wider, as blocks are whole.
type plane struct {
	pix    []uint8
	stride int
	w, h   int
}

func parseJPEG(data []byte) (Header, pixelFunc, error) {
	j, err := jpeg.ReadHeader(data)
	if err != nil {
		return Header{}, nil, err
	}
	h := Header{Height: j.Height, Width: j.Width, Orientation: 1}
	if j.Exif != nil {
		h.Orientation = exifOrientation(j.Exif)
	}
	return h, func() (*schema.Picture, error) { return decodeJPEG(data, &j) }, nil
}

// decodeJPEG gives the stored picture: the planes of internal/jpeg, then
// libjpeg-turbo's upsampling and colour conversion row by row.
func decodeJPEG(data []byte, h *jpeg.Header) (*schema.Picture, error) {
	maxH, maxV := h.MaxSampling()
	for _, c := range h.Components {
		if maxH%c.H != 0 || maxV%c.V != 0 { // libjpeg refuses them, too
			return nil, fmt.Errorf("JPEG with the sampling factors %s is %w: convert it to 4:2:0 or 4:4:4",
				samplingFactors(h), ErrUnsupported)
		}
	}
	m, err := jpeg.Decode(data)
	if err != nil {
		return nil, err
	}
	p := schema.NewPicture(m.Height, m.Width)
	var rows [4][]uint8
	var planes [4]plane
	for i, q := range m.Planes {
		rows[i] = make([]uint8, m.Width+2*maxH) // upsampled columns are whole
		planes[i] = plane{pix: q.Pix, stride: q.Stride, w: q.Width, h: q.Height}
	}
	convert := rowConverter(h)
	for y := range m.Height {
		for i, c := range m.Components {
			upsampleRow(rows[i], &planes[i], y, maxH/c.H, maxV/c.V)
		}
		convert(p.U8[3*y*m.Width:3*(y+1)*m.Width], &rows)
	}
	return p, nil
}

func samplingFactors(h *jpeg.Header) string {
	var factors []string
	for _, c := range h.Components {
		factors = append(factors, fmt.Sprintf("%dx%d", c.H, c.V))
	}
	return strings.Join(factors, ",")
}
