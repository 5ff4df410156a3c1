package sinks_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// What a later version has written is refused by its version, not read as what it isn't.
func TestLaterVersions(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	dir := filepath.Join(t.TempDir(), "out")
	deliver(t, run, arrowParts(dir))

	md := arrow.NewMetadata([]string{schema.MetaFormat}, []string{"7"})
	s := arrow.NewSchema([]arrow.Field{{Name: "key", Type: arrow.BinaryTypes.String}}, &md)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	b.Field(0).(*array.StringBuilder).Append("a")
	rec := b.NewRecord()
	defer rec.Release()
	var stream bytes.Buffer
	w := ipc.NewWriter(&stream, ipc.WithSchema(s))
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	err := sinks.ReadStream(t.Context(), "in", &stream, func(*schema.Batch) error { return nil })
	wantError(t, err, `sluice.format is "7"`, "this sluice reads format 1")

	for _, name := range []string{"plan.json", "manifest.json"} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, string(bytes.Replace(data, []byte(`"version": 2`), []byte(`"version": 3`), 1)))
	}
	_, err = sinks.Verify(t.Context(), dir)
	wantError(t, err, "manifest.json: it has layout version 3, and this sluice reads versions 1 to 2: use the version that wrote it")
	wantError(t, arrowParts(dir).Open(t.Context(), run), "layout version 3")
}
