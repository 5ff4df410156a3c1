package decode

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicedata/sluice/internal/webp"
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

func webpData(kind string, chunk []byte) []byte {
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

// Whenever the context ends, decoding does: between rows.
func TestWebPEndsWithTheContext(t *testing.T) {
	for name, data := range map[string][]byte{
		"lossy":    webpData("VP8 ", blankVP8(200, 70)),
		"lossless": webpData("VP8L", blankVP8L(700, 900)),
	} {
		n := 1
		for ; ; n++ {
			_, err := Decode(lookedAt(t, n), data, 0)
			if err == nil {
				break
			}
			if !errors.Is(err, errLooked) {
				t.Fatalf("%s, at look %d: %v", name, n, err)
			}
		}
		if n < 8 {
			t.Errorf("%s: the context is looked at %d times only", name, n-1)
		}
	}
}

// DecodeBytes is what decoding takes, but not much more.
func TestWebPBytes(t *testing.T) {
	files := map[string][]byte{
		"lossy":    webpData("VP8 ", blankVP8(1000, 1500)),
		"lossless": webpData("VP8L", blankVP8L(1000, 1500)),
	}
	for _, g := range goldens(t) {
		if webp.Is(g.Encoded) {
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
		webpDecoders = sync.Pool{New: webpDecoders.New} // without memory of earlier ones
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mustDecode(t, data)
		runtime.ReadMemStats(&after)
		if n := int64(after.TotalAlloc - before.TotalAlloc); n > h.DecodeBytes || h.DecodeBytes > 3*n+1<<19 {
			t.Errorf("%s: %d bytes were allocated, DecodeBytes is %d", name, n, h.DecodeBytes)
		}
	}
}
