// Command decode decodes files of folders to RGB, for decoders.py: for each line of its input, a
// folder and seconds, it prints milliseconds of a processor an image; for 0 seconds, the SHA-256 of
// all pixels.
package main

import (
	"context"
	"image"
	"io"

	"github.com/sluicedata/sluice/benchmarks/internal/machine"
	"github.com/sluicedata/sluice/internal/decode"
)

func main() {
	var memory []uint8
	machine.Answer(func(data []byte) error {
		var err error
		memory, err = pixels(data, memory)
		return err
	}, func(data []byte, sum io.Writer) error {
		p, err := decode.Decode(context.Background(), data, 0)
		if err == nil {
			_, err = sum.Write(p.U8)
		}
		return err
	})
}

// pixels decodes a file as a pipeline does, into memory that is kept from one picture to the next
// where the format has regions; stored pixels, which a pipeline doesn't copy, are copied.
func pixels(data []byte, memory []uint8) ([]uint8, error) {
	p, err := decode.Parse(data)
	if err != nil {
		return nil, err
	}
	switch stored := p.Stored(data); {
	case stored != nil:
		return append(memory[:0], stored...), nil
	case p.HasRegions():
		return p.Region(context.Background(), image.Rect(0, 0, p.Width, p.Height), memory)
	}
	_, err = p.Decode(context.Background(), 0)
	return memory, err
}
