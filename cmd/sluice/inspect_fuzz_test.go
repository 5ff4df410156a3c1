package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// FuzzInspect shows any bytes, as a file and as what comes from a pipe: an error,
// or a report.
func FuzzInspect(f *testing.F) {
	for _, form := range []string{"uint8", "float32", "varying", "encoded", "params"} {
		for _, codec := range []sinks.Codec{sinks.NoCompression, sinks.LZ4, sinks.Zstd} {
			run := sinktest.Runs()[form]
			run.Epochs, run.RowsPerEpoch, run.BatchesPerEpoch = 1, 7, 2
			dir := f.TempDir()
			var stream bytes.Buffer
			for _, sink := range []sinks.Sink{&sinks.IPCStream{W: &stream, Codec: codec}, &sinks.ArrowParts{Dir: dir, Codec: codec}} {
				if err := (sinktest.Delivery{Run: run}).To(f.Context(), sink); err != nil {
					f.Fatal(err)
				}
			}
			file, err := os.ReadFile(filepath.Join(dir, "part-00000-of-00001.arrow"))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(file)
			f.Add(stream.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "bytes")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		fromFile := (&inspectCmd{Path: path, Stats: true, JSON: true}).Run(t.Context(), console{out: io.Discard, err: io.Discard})
		fromPipe := sinks.ReadStream(t.Context(), "-", bytes.NewReader(data), func(*schema.Batch) error { return nil })
		if fromFile == nil && fromPipe != nil && !bytes.HasPrefix(data, []byte("ARROW1")) {
			t.Errorf("a stream in a file is read, and from a pipe: %v", fromPipe)
		}
	})
}
