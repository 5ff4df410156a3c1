package sinks

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Codec is how the buffers of Arrow IPC files and streams are compressed.
// Compressed bytes are the same on every machine and for any GOMAXPROCS.
type Codec string

// The codecs.
const (
	NoCompression Codec = "none" // the default: readers can map files into memory
	LZ4           Codec = "lz4"
	Zstd          Codec = "zstd" // smaller, and much slower to write
)

// Values lists the codecs.
func (Codec) Values() []string {
	return []string{string(NoCompression), string(LZ4), string(Zstd)}
}

func (c Codec) check() error {
	switch c {
	case "", NoCompression, LZ4, Zstd:
		return nil
	}
	return fmt.Errorf("unknown codec %q: have none, lz4, zstd", string(c))
}

// name is the codec with its default written out.
func (c Codec) name() Codec {
	if c == "" {
		return NoCompression
	}
	return c
}

// ipcMemory is what the IPC writers allocate from. It must hand out zeroed
// memory: they don't touch the padding of bitmaps, nor the bitmap of a column that is
// null in every row.
var ipcMemory = memory.NewGoAllocator()

// options are those of Arrow's writers. WithCompressConcurrency is left out: it can
// hang forever on an error.
func (c Codec) options(s *arrow.Schema) []ipc.Option {
	list := []ipc.Option{ipc.WithSchema(s), ipc.WithAllocator(ipcMemory)}
	switch c {
	case LZ4:
		list = append(list, ipc.WithLZ4())
	case Zstd:
		list = append(list, ipc.WithZstd())
	}
	return list
}
