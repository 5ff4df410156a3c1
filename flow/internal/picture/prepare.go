package picture

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
)

// Prepare reads the header of a picture's file, draws its stages and finds out what that
// takes. data must stay as it is until Make has ended, or Drop. What can't be made says so
// there: which error it is may depend on pixels.
func (d *Draw) Prepare(p *Program, of Of, data []byte) {
	d.begin(p, of)
	d.data = data
	height, width, whole, ok := d.open()
	if !ok {
		return
	}
	d.drawFor(height, width)
	switch {
	case d.err != nil: // it will be decoded whole, to see whether the file is at fault
		d.Bytes = whole
	case d.partial():
		d.setView()
		d.Bytes = d.fileBytes()
	case d.stored.U8 != nil:
		d.Bytes = d.storedBytes()
	default:
		d.Bytes = whole + d.canvasBytes()
	}
	d.Bytes += maskBytes(d)
}

// PrepareStored is Prepare for pixels that lie in memory, RGB in uint8 hwc. They must stay
// as they are until Make has ended, or Drop, and aren't changed.
func (d *Draw) PrepareStored(p *Program, of Of, stored schema.Picture) {
	d.begin(p, of)
	h := decode.Header{Format: "image", Height: stored.Height, Width: stored.Width}
	if d.err = h.CheckPixels(p.Decoder.MaxPixels()); d.err != nil {
		return
	}
	d.stored = stored
	if d.drawFor(stored.Height, stored.Width); d.err == nil {
		d.Bytes = d.storedBytes()
	}
}

// PrepareSource is Prepare for a picture that is decoded already, in RGB or in equal
// channels.
func (d *Draw) PrepareSource(p *Program, of Of, source *schema.Picture) {
	d.begin(p, of)
	h := decode.Header{Format: "image", Height: source.Height, Width: source.Width}
	if d.err = h.CheckPixels(p.Decoder.MaxPixels()); d.err == nil {
		d.source = source
		d.drawFor(source.Height, source.Width)
	}
}

// begin forgets the picture before.
func (d *Draw) begin(p *Program, of Of) {
	d.Drop()
	if d.program != p {
		d.memory = nil
	}
	d.program, d.of = p, of
	d.Bytes, d.drawn, d.err, d.stage = 0, false, nil, p.Decoder.Name()
}

// Drop lets go of a file whose picture won't be made.
func (d *Draw) Drop() {
	if d.isJPEG {
		d.file.Close()
	}
	d.isJPEG, d.data, d.parsed, d.source, d.stored = false, nil, decode.Parsed{}, nil, schema.Picture{}
}

// open reads the file's header; ok is false where decoding will fail.
func (d *Draw) open() (height, width int, whole int64, ok bool) {
	decoder := d.program.Decoder
	is, err := d.file.Open(d.data, decoder.MaxPixels())
	switch {
	case err != nil:
		d.err = err
		return 0, 0, 0, false
	case is:
		d.isJPEG = true
		d.file.SeekPoints = d.program.Seek.of(d.of.Sample, &d.file)
		d.file.Fill = decoder.RepairsTruncated()
		return d.file.Height, d.file.Width, d.file.WholeBytes(), true
	}
	if d.parsed, err = decode.Parse(d.data); err != nil {
		d.err = err
		return 0, 0, 0, false
	}
	h := &d.parsed.Header
	if h.CheckPixels(decoder.MaxPixels()) != nil {
		return 0, 0, 0, false
	}
	if pix := d.parsed.Stored(d.data); pix != nil {
		d.stored = schema.Picture{Height: h.Height, Width: h.Width, Layout: schema.HWC, U8: pix}
	}
	return h.Height, h.Width, h.DecodeBytes, true
}

// whole decodes the whole picture of the file, which must not be changed: it may be d.stored.
func (d *Draw) whole(ctx context.Context) (pic *schema.Picture, repairs int, err error) {
	decoder := d.program.Decoder
	switch {
	case d.source != nil:
		pic = d.source
	case d.stored.U8 != nil && decoder.Gray():
		pic = copyOf(&d.stored, nil)
	case d.stored.U8 != nil:
		return &d.stored, 0, nil
	case d.isJPEG:
		d.file.SeekPoints = nil // they are for parts
		pic, err = d.file.Whole(ctx)
		repairs = d.file.Warnings
	case d.parsed.Format == "":
		return nil, 0, d.err
	default:
		pic, err = d.parsed.Decode(ctx, decoder.MaxPixels())
	}
	if err == nil && decoder.Gray() {
		decode.Gray(pic)
	}
	return pic, repairs, err
}

// drawFor draws and groups the stages for a source of that size. A stage's error, or its
// panic, waits in err.
func (d *Draw) drawFor(height, width int) {
	defer func() {
		if panicked := recover(); panicked != nil {
			d.err = panicError(panicked)
		}
	}()
	d.drawn, d.groups = true, d.groups[:0]
	if d.err = d.draw(height, width); d.err == nil {
		d.group(rgb(height, width))
	}
}

func panicError(panicked any) error {
	return fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
}
