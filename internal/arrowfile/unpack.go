package arrowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The numbers of Arrow's CompressionType.
const (
	codecLZ4  = 0
	codecZstd = 1
)

// mostUnpacked is how much n compressed bytes can decompress to: LZ4 writes a run's length
// in bytes of 255, Zstandard 128 KiB in a block of four.
func mostUnpacked(codec int, n int64) int64 {
	if codec == codecLZ4 {
		return n << 8
	}
	return n << 15
}

// codecs are decompressors, made when they are first needed. Their output is limited by
// the buffer that they write to.
type codecs struct {
	zstd *zstd.Decoder
	lz4  *lz4.Reader
}

// unpackers are codecs for Files, whose rows are read by several goroutines.
var unpackers sync.Pool

// unpack decompresses from into to. Both must be used up exactly.
func (c *codecs) unpack(codec int, to, from []byte) error {
	if codec == codecZstd {
		return c.unpackZstd(to, from)
	}
	if c.lz4 == nil {
		c.lz4 = lz4.NewReader(nil)
	}
	in := bytes.NewReader(from)
	c.lz4.Reset(in)
	if _, err := io.ReadFull(c.lz4, to); err != nil {
		return fmt.Errorf("lz4: %w", err)
	}
	if n, err := c.lz4.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) || in.Len() > 0 {
		return fmt.Errorf("lz4: it holds more than %d bytes", len(to))
	}
	return nil
}

func (c *codecs) unpackZstd(to, from []byte) (err error) {
	if c.zstd == nil {
		c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(largestRecord), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return err
		}
	}
	out, err := c.zstd.DecodeAll(from, to[:0:len(to)])
	if err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	if len(out) != len(to) {
		return fmt.Errorf("zstd: it holds %d bytes instead of %d", len(out), len(to))
	}
	return nil
}

func (c *codecs) close() {
	if c.zstd != nil {
		c.zstd.Close()
	}
}
