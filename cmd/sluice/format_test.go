package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/sinks"
)

// rows is a format without options, checksums or updates.
type rows struct {
	sinks.Discard
	to sinks.Destination
}

func (*rows) Name() string                       { return "rows" }
func (*rows) Check() error                       { return nil }
func (r *rows) Into(to sinks.Destination) error  { r.to = to; return nil }
func (*rows) Recognizes(path string) (fits bool) { return strings.HasSuffix(path, ".rows") }

func withRowsFormat(t *testing.T) {
	before := catalogs.Sinks
	t.Cleanup(func() { catalogs.Sinks = before })
	catalogs.Sinks = append(slices.Clone(before), sinks.Entry{New: func() sinks.Format { return &rows{} }, Doc: "rows"})
}

// A format that lacks an option or an ability is named with the flag that asks for it.
func TestFormatOfAnotherModule(t *testing.T) {
	withRowsFormat(t)
	n := 7
	cmd := materializeCmd{Format: "rows"}
	if f, err := cmd.format(&sinks.ArrowParts{PartRows: 3}); err != nil || f.Name() != "rows" {
		t.Errorf("%v, %v", f, err)
	}
	for want, cmd := range map[string]materializeCmd{
		"--codec lz4: the format rows has no option codec":                                                                 {Format: "rows", Codec: "lz4"},
		"--part-rows 7: the format rows has no option part_rows":                                                           {Format: "rows", PartRows: &n},
		"--update: the format rows cannot be updated: materialize into another directory":                                  {Format: "rows", Update: true},
		`--format tfrecord: unknown format "tfrecord": one of arrow, webdataset, folder, parquet, coco, yolo, masks, rows`: {Format: "tfrecord"},
	} {
		if _, err := cmd.format(nil); err == nil || err.Error() != want {
			t.Errorf("have %v\nwant %s", err, want)
		}
	}
	verify := verifyCmd{Dir: "x.rows"}
	if err := verify.Run(t.Context(), console{}); err == nil || err.Error() != "verify: x.rows is of the format rows, which records no checksums" {
		t.Error(err)
	}
	inspect := inspectCmd{Path: "x.rows"}
	if err := inspect.Run(t.Context(), console{}); err == nil || !strings.Contains(err.Error(), "is of the format rows") {
		t.Error(err)
	}
}

// Options of the file stay where the flag names its format, and go where it names another.
func TestFormatPrecedence(t *testing.T) {
	withRowsFormat(t)
	n := 9
	inFile := &sinks.ArrowParts{Codec: sinks.LZ4, PartRows: 3}
	cmd := materializeCmd{Format: "arrow", PartRows: &n}
	f, err := cmd.format(inFile)
	if err != nil {
		t.Fatal(err)
	}
	if a := f.(*sinks.ArrowParts); a.Codec != sinks.LZ4 || a.PartRows != 9 {
		t.Errorf("%+v", a)
	}
	f, err = (&materializeCmd{Format: "arrow"}).format(&rows{})
	if a, ok := f.(*sinks.ArrowParts); err != nil || !ok || a.Codec != "" {
		t.Errorf("%+v, %v", f, err)
	}
}
