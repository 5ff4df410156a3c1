package sinks_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   map[string]sinks.ProblemKind
		says   string
	}{
		"nothing": {func(*testing.T, string) {}, nil, ""},
		"a bit": {func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "scale-1/part-00003-of-00008.arrow")) },
			map[string]sinks.ProblemKind{"scale-1/part-00003-of-00008.arrow": sinks.WrongChecksum}, "its SHA-256 is"},
		"a cut": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "scale-1/part-00003-of-00008.arrow"), 99); err != nil {
				t.Fatal(err)
			}
		}, map[string]sinks.ProblemKind{"scale-1/part-00003-of-00008.arrow": sinks.WrongChecksum}, "99 bytes instead of"},
		"two gone": {func(t *testing.T, dir string) {
			for _, name := range []string{"scale-1/part-00003-of-00008.arrow", "scale-0.5/part-00000-of-00008.arrow"} {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}, map[string]sinks.ProblemKind{"scale-1/part-00003-of-00008.arrow": sinks.Missing, "scale-0.5/part-00000-of-00008.arrow": sinks.Missing}, "run the same materialize command again"},
		"one more": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "scale-1/part-00008-of-00008.arrow"), "x")
			write(t, filepath.Join(dir, "README.md"), "x")
			write(t, filepath.Join(dir, ".tmp-x.arrow"), "x")
		}, map[string]sinks.ProblemKind{"scale-1/part-00008-of-00008.arrow": sinks.Extra}, "remove it"},
		"rows": {func(t *testing.T, dir string) {
			edit(t, dir, `"name":"scale-1/part-00003-of-00008.arrow","rows":1`, `"name":"scale-1/part-00003-of-00008.arrow","rows":2`)
		},
			map[string]sinks.ProblemKind{"scale-1/part-00003-of-00008.arrow": sinks.WrongRows, "manifest.json": sinks.WrongRows}, "holds 1 rows, and the manifest says 2"},
		"total": {func(t *testing.T, dir string) { edit(t, dir, `"rows": 144`, `"rows": 145`) },
			map[string]sinks.ProblemKind{"manifest.json": sinks.WrongRows}, "totals"},
		"plan": {func(t *testing.T, dir string) {
			editFile(t, filepath.Join(dir, "plan.json"), `"plan_hash": "5eed"`, `"plan_hash": "x"`)
		},
			map[string]sinks.ProblemKind{"plan.json": sinks.WrongPlan}, `plan_hash x -> `},
		"no plan": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "plan.json")); err != nil {
				t.Fatal(err)
			}
		}, map[string]sinks.ProblemKind{"plan.json": sinks.WrongPlan}, "cannot be read"},
		"a line that doesn't fit": {func(t *testing.T, dir string) { edit(t, dir, `"first_batch":6`, `"first_batch":5`) },
			map[string]sinks.ProblemKind{"scale-0.5/part-00003-of-00008.arrow": sinks.WrongPlan, "manifest.json": sinks.WrongRows}, "doesn't fit"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			deliver(t, sinktest.Runs()["scales"], arrowParts(dir))
			c.damage(t, dir)
			report, err := sinks.Verify(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for _, p := range report.Problems {
				if c.want[p.Name] != p.Kind {
					t.Errorf("unexpected: %+v", p)
				}
				text.WriteString(p.Text + "\n")
			}
			if len(report.Problems) != len(c.want) || !strings.Contains(text.String(), c.says) {
				t.Errorf("%d problems, want %d; %q isn't in:\n%s", len(report.Problems), len(c.want), c.says, text.String())
			}
			if report.Parts != 24 || report.Bytes == 0 {
				t.Errorf("%d parts, %d bytes", report.Parts, report.Bytes)
			}
		})
	}
}

// edit changes manifest.json, in one place.
func edit(t *testing.T, dir, from, to string) {
	t.Helper()
	editFile(t, filepath.Join(dir, "manifest.json"), from, to)
}

func editFile(t *testing.T, path, from, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("no %s in\n%s", from, data)
	}
	write(t, path, strings.Replace(string(data), from, to, 1))
}

func TestVerifyOfNoDataset(t *testing.T) {
	dir := t.TempDir()
	verify := func() error {
		_, err := sinks.Verify(t.Context(), dir)
		return err
	}
	wantError(t, verify(), dir+" holds no manifest.json", "isn't a materialized dataset")
	sink := arrowParts(dir)
	if err := sink.Open(t.Context(), sinktest.Runs()["uint8"]); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(errors.New("stop")); err != nil {
		t.Fatal(err)
	}
	wantError(t, verify(), dir+" holds no manifest.json", "isn't finished", "run the same materialize command again")
	write(t, filepath.Join(dir, "manifest.json"), `{"version":9}`)
	wantError(t, verify(), "manifest.json", "version 9")
	dir = filepath.Join(dir, "nowhere")
	wantError(t, verify(), dir, "no such file")
}

func TestReadParts(t *testing.T) {
	mem := sinktest.Memory(t)
	count := func(path string) (batches int, err error) {
		err = sinks.ReadPartsWith(path, mem, func(*schema.Batch) error { batches++; return nil })
		return batches, err
	}
	dir := t.TempDir()
	deliver(t, sinktest.Runs()["uint8"], &sinks.ArrowParts{Dir: dir, PartRows: 11, Codec: sinks.Zstd})
	if n, err := count(dir); n != 16 || err != nil {
		t.Errorf("directory: %d, %v", n, err)
	}
	part := filepath.Join(dir, "part-00004-of-00008.arrow")
	if n, err := count(part); n != 2 || err != nil {
		t.Errorf("part: %d, %v", n, err)
	}

	// f's error comes back as it is, and a batch can be kept.
	stop := errors.New("stop")
	var kept *schema.Batch
	err := sinks.ReadPartsWith(dir, mem, func(b *schema.Batch) error {
		b.Retain()
		kept = b
		return stop
	})
	if err != stop || kept.Rows() != 4 || kept.Key(0) == "" { //nolint:errorlint // as it is
		t.Errorf("%v", err)
	}
	kept.Release()

	// A missing part is an error in a finished directory, and passed over in others.
	if err := os.Remove(part); err != nil {
		t.Fatal(err)
	}
	_, err = count(dir)
	wantError(t, err, part, "no such file")
	if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil {
		t.Fatal(err)
	}
	if n, err := count(dir); n != 14 || err != nil {
		t.Errorf("unfinished directory: %d, %v", n, err)
	}
	if err := os.Remove(filepath.Join(dir, "plan.json")); err != nil {
		t.Fatal(err)
	}
	if n, err := count(dir); n != 14 || err != nil {
		t.Errorf("folder of parts: %d, %v", n, err)
	}

	_, err = count(filepath.Join(dir, "nowhere"))
	wantError(t, err, "nowhere", "no such file")
	_, err = count(t.TempDir())
	wantError(t, err, "neither plan.json nor Arrow files")
	text := filepath.Join(dir, "text")
	write(t, text, "this is not an Arrow file\n")
	_, err = count(text)
	wantError(t, err, text, "not an Arrow file or stream")
	write(t, text, "")
	_, err = count(text)
	wantError(t, err, text, "not an Arrow file or stream")
}

// A damaged batch is an error or other numbers, never a panic; a truncated file
// is always an error.
func TestReadDamagedParts(t *testing.T) {
	dir := t.TempDir()
	deliver(t, sinktest.Runs()["uint8"], &sinks.ArrowParts{Dir: dir, PartRows: 11, Codec: sinks.LZ4})
	data, err := os.ReadFile(filepath.Join(dir, "part-00000-of-00008.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	path, failed := filepath.Join(dir, "damaged"), 0
	footer := len(data) - 10 - int(binary.LittleEndian.Uint32(data[len(data)-10:]))
	for at := 0; at < len(data); at++ {
		if at%13 != 0 && at < footer { // every byte of the schema, some of the others
			continue
		}
		bad := append([]byte{}, data...)
		bad[at] ^= 0x81
		write(t, path, string(bad))
		if sinks.ReadParts(path, func(*schema.Batch) error { return nil }) != nil {
			failed++
		}
		if at%13 != 0 {
			continue
		}
		write(t, path, string(data[:at]))
		if err := sinks.ReadParts(path, func(*schema.Batch) error { return nil }); err == nil {
			t.Errorf("no error for the first %d bytes", at)
		}
	}
	if failed == 0 {
		t.Error("no damage was noticed")
	}
}

// A damaged length asks for no more memory than a file of this size can fill.
func TestReadDamagedLength(t *testing.T) {
	dir := t.TempDir()
	deliver(t, sinktest.Runs()["uint8"], &sinks.ArrowParts{Dir: dir, PartRows: 11, Codec: sinks.LZ4})
	data, err := os.ReadFile(filepath.Join(dir, "part-00000-of-00008.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte{0x04, 0x22, 0x4D, 0x18}) // an LZ4 frame, behind its length as it was
	binary.LittleEndian.PutUint64(data[at-8:], 3<<30)
	path := filepath.Join(dir, "damaged")
	write(t, path, string(data))
	err = sinks.ReadParts(path, func(*schema.Batch) error { return nil })
	wantError(t, err, "damaged: record 0", "claim to hold 3221225472")
}

func TestReadCutStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.arrows")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, sinktest.Runs()["uint8"], &sinks.IPCStream{W: f})
	f.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := sinks.ReadParts(path, func(*schema.Batch) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(data); at += 11 {
		write(t, path, string(data[:at]))
		if sinks.ReadParts(path, func(*schema.Batch) error { return nil }) == nil {
			t.Errorf("a cut at %d of %d went unnoticed", at, len(data))
		}
	}
}
