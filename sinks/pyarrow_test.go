package sinks_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// TestPyarrow has another implementation read parts and streams.
func TestPyarrow(t *testing.T) {
	python := os.Getenv("SLUICE_PYTHON")
	if python == "" {
		t.Skip("set SLUICE_PYTHON to a Python with pyarrow and numpy")
	}
	dir, run := t.TempDir(), sinktest.Runs()["scales"]
	for _, codec := range []sinks.Codec{sinks.NoCompression, sinks.LZ4, sinks.Zstd} {
		deliver(t, run, &sinks.ArrowParts{Dir: filepath.Join(dir, string(codec)), PartRows: 11, Codec: codec})
		for _, prefix := range []string{"", "cut-"} {
			f, err := os.Create(filepath.Join(dir, prefix+string(codec)+".arrows"))
			if err != nil {
				t.Fatal(err)
			}
			d := sinktest.Delivery{Run: run, Before: func(b *schema.Batch) error {
				if prefix != "" && b.Number == 3 {
					return errors.New("stop")
				}
				return nil
			}}
			if err := d.To(t.Context(), &sinks.IPCStream{W: f, Scale: 1.5, Codec: codec}); (err == nil) != (prefix == "") {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	out, err := exec.Command(python, "testdata/pyarrow_check.py", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
