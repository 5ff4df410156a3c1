package sinks_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// The messages of a part end as a stream does, so that whoever reads it as one,
// from behind the magic, finds the end: parts with batches, and without.
func TestEndOfStream(t *testing.T) {
	for name, pick := range map[string]func(int, int64) []int{
		"each scale": nil,
		"one scale":  func(int, int64) []int { return []int{1} },
	} {
		for _, codec := range []sinks.Codec{sinks.NoCompression, sinks.LZ4, sinks.Zstd} {
			dir := t.TempDir()
			sink := &sinks.ArrowParts{Dir: dir, PartRows: 11, Codec: codec}
			if err := (sinktest.Delivery{Run: sinktest.Runs()["scales"], Pick: pick}).To(t.Context(), sink); err != nil {
				t.Fatal(err)
			}
			m, err := sinks.ReadManifest(dir)
			if err != nil {
				t.Fatal(err)
			}
			if m.Version != 2 {
				t.Errorf("layout version %d", m.Version)
			}
			for _, p := range m.Parts {
				data, err := os.ReadFile(filepath.Join(dir, p.Name))
				if err != nil {
					t.Fatal(err)
				}
				footer := len(data) - 10 - int(binary.LittleEndian.Uint32(data[len(data)-10:]))
				if mark := data[footer-8 : footer]; !bytes.Equal(mark, []byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}) || footer%8 != 0 {
					t.Errorf("%s, %s: % x before the footer, at %d", name, p.Name, mark, footer)
				}
				if rows := streamRows(t, data[8:]); rows != p.Rows {
					t.Errorf("%s, %s: %d rows as a stream, the manifest says %d", name, p.Name, rows, p.Rows)
				}
			}
		}
	}
}

func streamRows(t *testing.T, data []byte) (rows int64) {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for {
		rec, err := r.Read()
		if err == io.EOF { //nolint:errorlint // as it is: wrapped it is an end without its mark
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows += rec.NumRows()
	}
}

// layout1 is a copy of a directory that sluice wrote when the layout was 1, and
// the run that it came from.
func layout1(t *testing.T) (dir string, run *schema.Run, sink *sinks.ArrowParts) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/layout1")); err != nil {
		t.Fatal(err)
	}
	m, err := sinks.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	run = &schema.Run{PlanHash: m.PlanHash, Pipeline: string(m.Pipeline), Seed: 7, Tasks: m.Tasks, Counts: [][]int64{{2, 4, 0}, {4, 2, 0}},
		Form: schema.FormTensor, Scales: true, Params: true, Epochs: 1, RowsPerEpoch: 6, BatchesPerEpoch: 3, BatchSize: 2}
	for i, size := range []int{2, 4} {
		tensor := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: size, Width: size}
		run.Variants = append(run.Variants, schema.Variant{Scale: m.Variants[i].Scale, Tensor: tensor})
	}
	return dir, run, &sinks.ArrowParts{Dir: dir, PartRows: 4}
}

func TestLayout1(t *testing.T) {
	dir, run, sink := layout1(t)
	want := sinktest.Files(t, dir)
	report, err := sinks.Verify(t.Context(), dir)
	if err != nil || len(report.Problems) > 0 || report.Parts != 4 || report.Rows != 12 {
		t.Errorf("%+v, %v", report, err)
	}
	keys := map[string]int{}
	if err := sinks.ReadParts(dir, func(b *schema.Batch) error {
		for row := range b.Rows() {
			keys[b.Key(row)]++
		}
		return nil
	}); err != nil || len(keys) != 6 || keys["blue/round/0.png"] != 2 {
		t.Errorf("%v, %v", keys, err)
	}

	// Whole, it is left as it is.
	if err := sink.Open(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if !sink.Has(0, 2) {
		t.Error("the last batch is not taken for made")
	}
	if err := sink.Close(nil); err != nil {
		t.Fatal(err)
	}
	delete(want, ".lock")
	got := sinktest.Files(t, dir)
	delete(got, ".lock")
	sinktest.SameFiles(t, want, got)

	// Otherwise it is refused, and nothing in it changes.
	for _, gone := range []string{"scale-1/part-00001-of-00002.arrow", "manifest.json"} {
		dir, run, sink := layout1(t)
		if err := os.Remove(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
		left := sinktest.Files(t, dir)
		wantError(t, sink.Open(t.Context(), run), dir+" has layout 1", "part-0000", "writes layout 2", "remove the directory and run the same command again")
		got := sinktest.Files(t, dir)
		delete(got, ".lock")
		sinktest.SameFiles(t, left, got)
	}

	// A plan of which nothing was made is replaced.
	dir, run, sink = layout1(t)
	for _, gone := range []string{"manifest.json", "scale-0.5", "scale-1"} {
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Open(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(errors.New("stop")); err != nil {
		t.Fatal(err)
	}
	plan, err := os.ReadFile(filepath.Join(dir, "plan.json"))
	if err != nil || !bytes.Contains(plan, []byte(`"version": 2`)) {
		t.Errorf("%s\n%v", plan, err)
	}
}
