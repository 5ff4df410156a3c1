package sinks

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"

	"github.com/sluicedata/sluice/internal/jpeg"
	"github.com/sluicedata/sluice/internal/png"
	"github.com/sluicedata/sluice/schema"
)

// ImageCodec is what pixels are written as by the formats that give each row's image a
// file of its own.
type ImageCodec string

// The codecs.
const (
	JPEG ImageCodec = "jpg" // the default
	PNG  ImageCodec = "png"
	Raw  ImageCodec = "raw" // NumPy's .npy (in Parquet the bytes alone), in the shape and layout that the pipeline makes
)

// Values lists the codecs.
func (ImageCodec) Values() []string { return []string{string(JPEG), string(PNG), string(Raw)} }

// Chroma is how many chroma samples a JPEG file has.
type Chroma string

// Values lists them; the first is the default.
func (Chroma) Values() []string { return []string{"4:2:0", "4:2:2", "4:4:4"} }

// Images are the options of formats that write each row's image as a file. They are about
// pixels: a file that no stage decoded stays as it is, byte for byte.
type Images struct {
	Image       ImageCodec `sluice:"image" default:"jpg" doc:"what pixels are encoded as: jpg, png, or raw (.npy; in Parquet bytes of a fixed length), which float32 needs; files that no stage decoded stay as they are"`
	Quality     int        `sluice:"quality,positive" default:"95" doc:"of JPEG, 1 to 100, as Pillow and libjpeg have it"`
	Subsampling Chroma     `sluice:"subsampling" default:"4:2:0" doc:"of JPEG's chroma"`
	RestartRows int        `sluice:"restart_rows" doc:"of JPEG: a restart marker after each so many rows of blocks, so that decoders can skip what they don't need; 0: none"`
}

func (o *Images) jpeg() jpeg.EncoderOptions {
	sub, err := jpeg.ParseSubsampling(string(o.Subsampling))
	if err != nil {
		sub = jpeg.Chroma420
	}
	q := o.Quality
	if q == 0 {
		q = 95
	}
	return jpeg.EncoderOptions{Quality: q, Subsampling: sub, RestartRows: o.RestartRows}
}

// check reports every impossible option.
func (o *Images) check() error {
	var errs []error
	switch o.Image {
	case "", JPEG, PNG, Raw:
	default:
		errs = append(errs, fmt.Errorf("image: unknown %q: have jpg, png, raw", string(o.Image)))
	}
	if o.Subsampling != "" {
		if _, err := jpeg.ParseSubsampling(string(o.Subsampling)); err != nil {
			errs = append(errs, fmt.Errorf("subsampling: %w", err))
		}
	}
	if o.Quality < 0 || o.Quality > 100 {
		errs = append(errs, fmt.Errorf("quality: %d: want 1 to 100 (0: 95)", o.Quality))
	} else if err := o.jpeg().Check(); err != nil {
		errs = append(errs, fmt.Errorf("restart_rows: %w", err))
	}
	return errors.Join(errs...)
}

func (o *Images) codec() ImageCodec {
	if o.Image == "" {
		return JPEG
	}
	return o.Image
}

// imageOptions are those that decide the bytes of a run's images, for plan.json.
type imageOptions struct {
	Image       ImageCodec `json:"image,omitempty"`
	Quality     int        `json:"quality,omitempty"`
	Subsampling string     `json:"subsampling,omitempty"`
	RestartRows int        `json:"restart_rows,omitempty"`
}

func (o *Images) recorded(form schema.Form) imageOptions {
	if form == schema.FormEncoded {
		return imageOptions{}
	}
	if o.codec() != JPEG {
		return imageOptions{Image: o.codec()}
	}
	j := o.jpeg()
	return imageOptions{Image: JPEG, Quality: j.Quality, Subsampling: j.Subsampling.String(), RestartRows: j.RestartRows}
}

// takes refuses pixels that the codec cannot hold.
func (o *Images) takes(run *schema.Run) error {
	for _, v := range run.Variants {
		if run.Form == schema.FormTensor && v.Tensor.DType == schema.Float32 && o.codec() != Raw {
			return fmt.Errorf("the pixels are %s, and %s holds uint8: leave out to_tensor and normalize, or choose image: raw, which keeps them as .npy (the formats arrow and parquet hold them, too)", v.Tensor, o.codec())
		}
	}
	return nil
}

// rowBytes is about how long the file of a run's image is; 0: not known.
func (o *Images) rowBytes(run *schema.Run) int64 {
	switch run.Form {
	case schema.FormEncoded:
		return run.RowBytes
	case schema.FormVarying:
		if run.Samples == nil {
			return 0
		}
		index, sum := run.Samples.Index(), int64(0)
		for sample := range index.Len() {
			sum += max(0, index.Size(sample))
		}
		return sum / int64(max(1, index.Len()))
	}
	sum := 0.0
	for _, v := range run.Variants {
		n := float64(v.Tensor.Elements())
		switch o.codec() {
		case Raw:
			sum += 128 + n*float64(v.Tensor.DType.Bytes())
		case PNG:
			sum += 0.65 * n
		default: // bits per pixel of photographs, by quality
			q := float64(o.jpeg().Quality)
			bits := 0.7 + q/70
			if q > 80 {
				bits += (q - 80) / 20 * (q - 80) / 20 * 4
			}
			sum += 600 + bits/8*float64(v.Tensor.Height*v.Tensor.Width)
		}
	}
	return int64(sum) / int64(len(run.Variants))
}

// imageFile is a row's image as the bytes of a file.
type imageFile struct {
	ext  string // lower case, without a dot
	data []byte // of an encoded row the record's own memory
}

// imageWriter makes the image files of batches, several at a time. The memory of a
// batch's files is used again for the next.
type imageWriter struct {
	options Images
	tensor  schema.Tensor
	files   []imageFile
	buffers [][]byte
	workers []*imageWorker
}

// imageWorker belongs to one goroutine.
type imageWorker struct {
	jpeg *jpeg.Encoder
	png  png.Encoder
	hwc  []uint8
}

func newImageWriter(o Images, t schema.Tensor) (*imageWriter, error) {
	w := &imageWriter{options: o, tensor: t}
	for range runtime.GOMAXPROCS(0) {
		e, err := jpeg.NewEncoder(o.jpeg())
		if err != nil {
			return nil, err
		}
		w.workers = append(w.workers, &imageWorker{jpeg: e})
	}
	return w, nil
}

// batch makes the files of a batch's rows; with each it calls done, from several
// goroutines. They are valid until the next call.
func (w *imageWriter) batch(b *schema.Batch, done func(row int, f *imageFile)) ([]imageFile, error) {
	n := b.Rows()
	for len(w.buffers) < n {
		w.buffers = append(w.buffers, nil)
	}
	w.files = append(w.files[:0], make([]imageFile, n)...)
	idle := make(chan *imageWorker, len(w.workers))
	for _, worker := range w.workers {
		idle <- worker
	}
	errs := make([]error, n)
	err := each(context.Background(), n, func(row int) {
		worker := <-idle
		w.files[row], errs[row] = w.file(worker, b, row)
		idle <- worker
		if errs[row] == nil && done != nil {
			done(row, &w.files[row])
		}
	})
	for row, e := range errs {
		if e != nil {
			return nil, fmt.Errorf("row %d (%s): %w", row, b.Key(row), e)
		}
	}
	return w.files, err
}

func (w *imageWriter) file(worker *imageWorker, b *schema.Batch, row int) (f imageFile, err error) {
	if data := b.Encoded(row); b.Form == schema.FormEncoded {
		return imageFile{sniff(data), data}, nil
	}
	t, u8, f32 := pixelsOf(b, row)
	out := w.buffers[row][:0]
	switch f.ext = string(w.options.codec()); w.options.codec() {
	case Raw:
		f.ext = "npy"
		out = appendNPY(out, t, u8, f32)
	case PNG:
		out, err = worker.png.Encode(out, worker.rows(t, u8), t.Height, t.Width, channels(t))
	default:
		out, err = worker.jpeg.Encode(out, worker.rows(t, u8), t.Height, t.Width, channels(t))
	}
	w.buffers[row], f.data = out, out
	return f, err
}

// pixelsOf is a row's pixels and their type, without a copy.
func pixelsOf(b *schema.Batch, row int) (t schema.Tensor, u8 []uint8, f32 []float32) {
	if b.Form == schema.FormVarying {
		p := b.Picture(row)
		return p.Tensor(), p.U8, nil
	}
	t = b.Tensor
	n := t.Elements()
	if t.DType == schema.Float32 {
		return t, nil, b.Float32()[row*n : (row+1)*n]
	}
	return t, b.Uint8()[row*n : (row+1)*n], nil
}

func channels(t schema.Tensor) int {
	if t.Gray() {
		return 1
	}
	return 3
}

// rows are pixels row by row, channels last.
func (w *imageWorker) rows(t schema.Tensor, pix []uint8) []uint8 {
	if t.Layout == schema.HWC || t.Gray() {
		return pix
	}
	n := t.Height * t.Width
	w.hwc = append(w.hwc[:0], make([]uint8, 3*n)...)
	for c := range 3 {
		for i, v := range pix[c*n : (c+1)*n] {
			w.hwc[3*i+c] = v
		}
	}
	return w.hwc
}

// appendNPY appends a NumPy file of version 1.0.
func appendNPY(out []byte, t schema.Tensor, u8 []uint8, f32 []float32) []byte {
	kind := "|u1"
	if f32 != nil {
		kind = "<f4"
	}
	s := t.Shape()
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d, %d), }", kind, s[0], s[1], s[2])
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out = append(out, "\x93NUMPY\x01\x00"...)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	out = append(append(out, header...), u8...)
	for _, v := range f32 {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// sniff is the usual extension of an image file with these bytes; "" of any other.
func sniff(data []byte) string {
	for _, k := range []struct{ ext, head string }{
		{"jpg", "\xff\xd8\xff"}, {"png", "\x89PNG\r\n\x1a\n"}, {"gif", "GIF8"}, {"bmp", "BM"},
		{"tif", "II*\x00"}, {"tif", "MM\x00*"}, {"ppm", "P3"}, {"ppm", "P6"}, {"pgm", "P2"}, {"pgm", "P5"},
		{"npy", "\x93NUMPY"},
	} {
		if bytes.HasPrefix(data, []byte(k.head)) {
			return k.ext
		}
	}
	if len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP" {
		return "webp"
	}
	return ""
}
