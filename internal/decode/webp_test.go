package decode

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/schema"
)

// blankVP8 is a lossy picture of zeros, a chunk of VP8.
func blankVP8(height, width int) []byte {
	const partition = 1 << 16
	tag := uint32(1<<4 | partition<<5) // a key frame that is shown
	b := []byte{byte(tag), byte(tag >> 8), byte(tag >> 16), 0x9d, 0x01, 0x2a}
	b = binary.LittleEndian.AppendUint16(b, uint16(width))
	b = binary.LittleEndian.AppendUint16(b, uint16(height))
	return append(b, make([]byte, 2*partition)...)
}

// blankVP8L is a lossless one whose codes have one symbol each, and then bytes that
// nobody reads.
func blankVP8L(height, width int) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{0x2f}, uint32(width-1)|uint32(height-1)<<14)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	// no transform, no colour cache, no groups (3 bits); five simple codes of the symbol 0 (1, 0, 0, 0)
	bits := 3
	for range 5 {
		b[5+bits/8] |= 1 << (bits % 8)
		bits += 4
	}
	return append(b, make([]byte, 64)...)
}

func webpFile(kind string, chunk []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(chunk)))
	b = binary.LittleEndian.AppendUint32(append(b, "WEBP"+kind...), uint32(len(chunk)))
	return append(b, chunk...)
}

// looks is a context that ends at a look at it.
type looks struct {
	context.Context
	end  context.CancelCauseFunc
	left atomic.Int64
}

var errLooked = errors.New("looked at")

func (l *looks) Err() error {
	if l.left.Add(-1) == 0 {
		l.end(errLooked)
	}
	return l.Context.Err()
}

func lookedAt(t *testing.T, n int) *looks {
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	l := &looks{Context: ctx, end: cancel}
	l.left.Store(int64(n))
	return l
}

func lossyFrame(t *testing.T, height, width int) *webpFrame {
	f := new(webpFrame)
	if err := f.take("VP8 ", blankVP8(height, width)); err != nil {
		t.Fatal(err)
	}
	return f
}

// Whenever the context ends, decoding does: while data are read, and between rows.
func TestWebPEndsWithTheContext(t *testing.T) {
	for name, frame := range map[string]*webpFrame{
		"lossy":    lossyFrame(t, 200, 70),
		"lossless": {height: 700, width: 900, lossless: true, chunk: blankVP8L(700, 900)},
	} {
		n := 1
		for ; ; n++ {
			p, err := frame.decode(lookedAt(t, n))
			if err == nil {
				if p.Height != frame.height || p.Width != frame.width {
					t.Errorf("%s: %dx%d", name, p.Height, p.Width)
				}
				break
			}
			if !errors.Is(err, errLooked) {
				t.Fatalf("%s, at look %d: %v", name, n, err)
			}
		}
		if n < 4 {
			t.Errorf("%s: the context is looked at %d times only", name, n-1)
		}
	}
}

// A large frame is decoded, and abandoned when the context ends, on data of its own.
func TestLargeWebP(t *testing.T) {
	defer goleak.VerifyNone(t)
	const height, width = 2000, waitedFor/2000 + 1
	for kind, chunk := range map[string][]byte{"VP8 ": blankVP8(height, width), "VP8L": blankVP8L(height, width)} { //nolint:gocritic // a four-character code
		data := webpFile(kind, chunk)
		p, err := Decode(t.Context(), data, 0)
		if err != nil || p.Height != height || p.Width != width {
			t.Fatalf("%s: %v", kind, err)
		}
		for n := range 3 {
			if _, err := Decode(lookedAt(t, n+1), data, 0); !errors.Is(err, errLooked) {
				t.Errorf("%s, at look %d: %v", kind, n+1, err)
			}
			clear(data[20:]) // the caller's again
			copy(data[20:], chunk)
		}
	}
}

// A decoder that can't be interrupted is abandoned; its panic is an error.
func TestAbandonedDecoder(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	defer close(release)
	_, err := abandonable(ctx, func(context.Context) (*schema.Picture, error) {
		cancel(errLooked)
		<-release
		return nil, nil
	})
	if !errors.Is(err, errLooked) {
		t.Error(err)
	}
	_, err = abandonable(t.Context(), func(context.Context) (*schema.Picture, error) { panic("index out of range") })
	if err == nil || !strings.Contains(err.Error(), "damaged file: the decoder panicked: index out of range") {
		t.Error(err)
	}
}

// DecodeBytes is what decoding takes, but not much more.
func TestWebPBytes(t *testing.T) {
	files := map[string][]byte{
		"lossy":    webpFile("VP8 ", blankVP8(1000, 1500)),
		"lossless": webpFile("VP8L", blankVP8L(1000, 1500)),
	}
	for _, g := range goldens(t) {
		if isWebP(g.Encoded) {
			files[g.Name] = g.Encoded
		}
	}
	shared, _ := filepath.Glob("../../../shared/data/images/formats/*.webp")
	for _, name := range shared {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = data
	}
	if len(files) < 6 {
		t.Errorf("only %d files", len(files))
	}
	for name, data := range files {
		h, err := ReadHeader(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mustDecode(t, data)
		runtime.ReadMemStats(&after)
		if n := int64(after.TotalAlloc - before.TotalAlloc); n > h.DecodeBytes || h.DecodeBytes > 3*n+1<<19 {
			t.Errorf("%s: %d bytes were allocated, DecodeBytes is %d", name, n, h.DecodeBytes)
		}
	}
}
