package sinks_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// With class names, files and streams have a column of names whose numbers are the labels;
// what reads them here gets those numbers.
func TestClassNames(t *testing.T) {
	for _, name := range []string{"uint8", "encoded", "unlabelled", "scales", "nothing"} {
		for _, codec := range []sinks.Codec{sinks.NoCompression, sinks.LZ4, sinks.Zstd} {
			run, dir := sinktest.Runs()[name], t.TempDir()
			sink := arrowParts(dir)
			sink.Codec, sink.ClassNames = codec, true
			deliver(t, run, sink)
			report, err := sinks.Verify(t.Context(), dir)
			if err != nil || len(report.Problems) > 0 {
				t.Fatalf("%s, %s: %+v, %v", name, codec, report.Problems, err)
			}
			rows := int64(0)
			count := func(b *schema.Batch) error {
				rows += int64(b.Rows())
				for task, of := range run.Tasks {
					column, ok := b.Column("class." + of.Name).(*array.Int32)
					if !ok {
						return fmt.Errorf("%s: class.%s is read as %T", name, of.Name, b.Column("class."+of.Name))
					}
					for row, label := range b.Labels(task) {
						if column.IsNull(row) != (label == schema.Unknown) || !column.IsNull(row) && column.Value(row) != label {
							return fmt.Errorf("%s: row %d is of class %d and number %d", name, row, label, column.Value(row))
						}
					}
				}
				return nil
			}
			if err := sinks.ReadParts(dir, count); err != nil || rows != report.Rows {
				t.Errorf("%s, %s: %d of %d rows, %v", name, codec, rows, report.Rows, err)
			}
			if run.Scales {
				continue
			}
			var stream bytes.Buffer
			if err := (sinktest.Delivery{Run: run}).To(t.Context(), &sinks.IPCStream{W: &stream, Codec: codec, ClassNames: true}); err != nil {
				t.Fatal(err)
			}
			rows = 0
			if err := sinks.ReadStream(t.Context(), "s", bytes.NewReader(stream.Bytes()), count); err != nil || rows != report.Rows {
				t.Errorf("%s, %s: a stream of %d of %d rows, %v", name, codec, rows, report.Rows, err)
			}
		}
	}
}

// Arrow's own reader finds the names.
func TestClassNamesRead(t *testing.T) {
	run, dir := sinktest.Runs()["uint8"], t.TempDir()
	sink := arrowParts(dir)
	sink.ClassNames = true
	deliver(t, run, sink)
	files, err := filepath.Glob(filepath.Join(dir, "*.arrow"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	named := 0
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := ipc.NewFileReader(f)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for i := range r.NumRecords() {
			rec, err := r.Record(i)
			if err != nil {
				t.Fatal(err)
			}
			names := rec.Column(rec.Schema().FieldIndices("class.type")[0]).(*array.Dictionary)
			labels := rec.Column(rec.Schema().FieldIndices("label.type")[0]).(*array.Int32)
			for row := range int(rec.NumRows()) {
				if labels.IsNull(row) {
					continue
				}
				named++
				if have, want := names.Dictionary().ValueStr(names.GetValueIndex(row)), run.Tasks[1].Classes[labels.Value(row)]; have != want {
					t.Errorf("row %d: %q, want %q", row, have, want)
				}
			}
		}
	}
	if named == 0 {
		t.Error("no row has a class")
	}
}

// A part with a flipped bit anywhere, its dictionary included, never panics.
func TestClassNamesDamaged(t *testing.T) {
	run, dir := sinktest.Runs()["one row"], t.TempDir()
	sink := arrowParts(dir)
	sink.ClassNames = true
	deliver(t, run, sink)
	file := filepath.Join(dir, "part-00000-of-00001.arrow")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := range data {
		for _, bit := range []byte{1, 0x80} {
			damaged := bytes.Clone(data)
			damaged[at] ^= bit
			write(t, file, string(damaged))
			_ = sinks.ReadParts(file, func(*schema.Batch) error { return nil })
		}
	}
}
