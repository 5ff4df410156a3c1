package sinks_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// Whatever a manifest says, verifying it ends, without a panic, and finds it.
func TestHostileManifest(t *testing.T) {
	dir := t.TempDir()
	deliver(t, sinktest.Runs()["scales"], arrowParts(dir))
	path := filepath.Join(dir, "manifest.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what, text string) {
		t.Helper()
		write(t, path, text)
		report, err := sinks.Verify(t.Context(), dir)
		if err == nil && len(report.Problems) == 0 {
			t.Errorf("%s: nothing was found", what)
		}
	}
	for _, at := range []string{
		"version", "epochs", "rows_per_epoch", "batches_per_epoch", "batch_size", "part_rows", "batches_per_part", "part_count", "rows",
		"plan_hash", "tasks", "tasks.0", "tasks.0.name", "format", "variants", "variants.0", "variants.0.folder", "variants.0.scale", "classes", "classes.type.1", "parts",
		"parts.5", "parts.5.name", "parts.5.rows", "parts.5.bytes", "parts.5.sha256", "parts.5.epoch", "parts.5.first_batch", "parts.5.batches", "parts.5.classes", "parts.5.classes.type.2",
	} {
		for _, value := range []any{
			json.Number("-1"), json.Number("1152921504606846976"), json.Number("9223372036854775807"), json.Number("-9223372036854775808"),
			json.Number("18446744073709551616"), json.Number("1e300"), json.Number("0.25"), "x", "", "../x", "/etc/passwd", []any{}, []any{[]any{}}, map[string]any{}, nil,
		} {
			check(fmt.Sprintf("%s = %v", at, value), set(t, whole, at, value))
		}
		check(at+" is gone", set(t, whole, at, gone))
		check(at+" = 0", set(t, whole, at, json.Number("0")))
	}
	var m struct{ Parts []any }
	if err := json.Unmarshal(whole, &m); err != nil {
		t.Fatal(err)
	}
	check("a part twice", set(t, whole, "parts", append(m.Parts, m.Parts[5])))
	check("no part", set(t, whole, "parts", []any{}))
	check("a part less", set(t, whole, "parts", m.Parts[1:]))
	for name, text := range map[string]string{
		"empty":       "",
		"NaN":         strings.Replace(string(whole), `"epochs": 2`, `"epochs": NaN`, 1),
		"nested":      strings.Repeat("[", 1<<20),
		"nested deep": `{"pipeline": ` + strings.Repeat(`{"a":`, 1<<20),
		"cut":         string(whole[:len(whole)/2]),
		"two":         string(whole) + string(whole),
		"a key twice": strings.Replace(string(whole), `"epochs": 2`, `"epochs": 2, "Epochs": 2`, 1),
		"a list":      "[" + string(whole) + "]",
		"binary":      "\x00\xff\xfe",
	} {
		check(name, text)
	}

	// And materialize makes no use of it.
	write(t, path, set(t, whole, "parts.5.name", "../x"))
	deliver(t, sinktest.Runs()["scales"], arrowParts(dir))
	if again, err := os.ReadFile(path); err != nil || string(again) != string(whole) {
		t.Errorf("the manifest isn't mended: %v", err)
	}
}

var gone = new(int)

// set changes a JSON document at a dotted path.
func set(t *testing.T, document []byte, path string, value any) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(document)))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	keys := strings.Split(path, ".")
	at := root
	for _, key := range keys[:len(keys)-1] {
		if list, ok := at.([]any); ok {
			i, _ := strconv.Atoi(key)
			at = list[i]
		} else {
			at = at.(map[string]any)[key]
		}
	}
	last := keys[len(keys)-1]
	switch at := at.(type) {
	case []any:
		i, _ := strconv.Atoi(last)
		at[i] = value
		if value == any(gone) {
			at[i] = nil
		}
	case map[string]any:
		at[last] = value
		if value == any(gone) {
			delete(at, last)
		}
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The same for the plan: reading the parts ends, and so does materialize.
func TestHostilePlan(t *testing.T) {
	dir := t.TempDir()
	run := sinktest.Runs()["scales"]
	deliver(t, run, arrowParts(dir))
	path := filepath.Join(dir, "plan.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"version", "epochs", "batches_per_epoch", "batch_size", "part_rows", "batches_per_part", "part_count", "variants", "variants.1.folder", "variants.1.scale"} {
		for _, value := range []any{json.Number("0"), json.Number("-1"), json.Number("4611686018427387904"), json.Number("1e99"), "..", "/", nil, gone, []any{}} {
			write(t, path, set(t, whole, at, value))
			if err := arrowParts(dir).Open(t.Context(), run); err == nil {
				t.Errorf("%s = %v: the directory was taken", at, value)
			}
			if report, err := sinks.Verify(t.Context(), dir); err == nil && len(report.Problems) == 0 {
				t.Errorf("%s = %v: nothing was found", at, value)
			}
			if err := sinks.ReadParts(dir, func(*schema.Batch) error { return nil }); err == nil {
				t.Errorf("%s = %v: the parts were read", at, value)
			}
		}
	}
}

// A run whose manifest nobody could read is refused before it begins.
func TestTooManyFiles(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	run.Epochs = 1 << 20
	wantError(t, arrowParts(t.TempDir()).Open(t.Context(), run), "1048576 epochs of 4 parts", "make larger parts (--part-rows)")
	run.Epochs = 100_000
	for i := range 10_000 {
		run.Tasks[1].Classes = append(run.Tasks[1].Classes, fmt.Sprint(i))
	}
	wantError(t, arrowParts(t.TempDir()).Open(t.Context(), run), "the manifest would take", "make larger parts (--part-rows)")
}

// arrowFiles are small files and streams of every form and codec.
func arrowFiles(t testing.TB) map[string][]byte {
	files := map[string][]byte{}
	for form, run := range sinktest.Runs() {
		if form == "nothing" || run.Scales {
			continue
		}
		run.Epochs, run.RowsPerEpoch, run.BatchesPerEpoch = 1, 7, 2
		for _, codec := range []sinks.Codec{sinks.NoCompression, sinks.LZ4, sinks.Zstd} {
			name := filepath.Join(t.TempDir(), "s")
			out, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, sink := range []sinks.Sink{&sinks.IPCStream{W: out, Codec: codec}, &sinks.ArrowParts{Dir: dir, Codec: codec}} {
				if err := (sinktest.Delivery{Run: run}).To(t.Context(), sink); err != nil {
					t.Fatal(err)
				}
			}
			out.Close()
			for kind, path := range map[string]string{"file": filepath.Join(dir, "part-00000-of-00001.arrow"), "stream": name} {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				files[form+" "+string(codec)+" "+kind] = data
			}
		}
	}
	return files
}

// use touches all that a batch has.
func use(b *schema.Batch) int {
	n := 0
	for row := range b.Rows() {
		n += len(b.Key(row)) + len(b.Params(row)) + len(b.Encoded(row))
		if p := b.Picture(row); p != nil {
			for _, v := range p.U8 {
				n += int(v)
			}
			for _, v := range p.F32 {
				n += int(v)
			}
		}
	}
	for t := range b.Tasks() {
		for _, l := range b.Labels(t) {
			n += int(l)
		}
	}
	for _, list := range [][]int64{b.Positions(), b.SourceIndexes()} {
		for _, v := range list {
			n += int(v)
		}
	}
	for _, v := range b.Weights() {
		n += int(v)
	}
	return n
}

// peak is an allocator that knows the most that it gave at one time.
type peak struct {
	memory.Allocator
	now, most int
}

func (p *peak) grow(n int) {
	p.now += n
	p.most = max(p.most, p.now)
}

func (p *peak) Allocate(n int) []byte { p.grow(n); return p.Allocator.Allocate(n) }
func (p *peak) Reallocate(n int, b []byte) []byte {
	p.grow(n - len(b))
	return p.Allocator.Reallocate(n, b)
}
func (p *peak) Free(b []byte) { p.now -= len(b); p.Allocator.Free(b) }

// Damaged bytes are an error, or the same number of rows: all of them can be
// used, and no length in them takes more memory than the bytes can fill.
func TestMutations(t *testing.T) {
	dir := t.TempDir()
	changes := 150
	if testing.Short() {
		changes = 30
	}
	for name, data := range arrowFiles(t) {
		t.Run(name, func(t *testing.T) {
			want := wantRows(data, dir, t)
			most := 3*len(data) + 1<<16 // the body, what is unpacked, alignment
			if strings.Contains(name, "lz4") {
				most += len(data) << 8
			} else if strings.Contains(name, "zstd") {
				most += len(data) << 15
			}
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			read := func(what string, bad []byte) (failed bool) {
				write(t, path, string(bad))
				mem := &peak{Allocator: sinktest.Memory(t)}
				rows := 0
				err := sinks.ReadPartsWith(path, mem, func(b *schema.Batch) error {
					use(b)
					rows += b.Rows()
					return nil
				})
				if err == nil && rows != want {
					t.Errorf("%s: %d rows", what, rows)
				}
				if mem.most > most {
					t.Errorf("%s: %d bytes of memory for a file of %d", what, mem.most, len(bad))
				}
				return err != nil
			}
			if read("as it is", data) {
				t.Fatal("not readable as it is")
			}
			r := rand.New(rand.NewPCG(11, uint64(len(data))))
			failed := 0
			for i := range changes {
				bad := append([]byte{}, data...)
				for range 1 + r.IntN(3) {
					bad[r.IntN(len(bad))] ^= byte(1 + r.IntN(255))
				}
				if read(fmt.Sprintf("change %d", i), bad) {
					failed++
				}
			}
			// Huge and negative numbers in every place, one after the other.
			for at := 8 * r.IntN(5); at+8 <= len(data); at += 8 * 5 {
				bad := append([]byte{}, data...)
				binary.LittleEndian.PutUint64(bad[at:], []uint64{1 << 60, 1<<31 | 1<<63, 1<<32 - 1, 1 << 40}[at/8%4])
				read(fmt.Sprintf("a number at %d", at), bad)
			}
			for range 20 {
				at := r.IntN(len(data))
				if !read("cut", data[:at]) {
					t.Errorf("a cut at %d went unnoticed", at)
				}
			}
			if failed == 0 {
				t.Error("no change was noticed")
			}
		})
	}
}

func wantRows(data []byte, dir string, t *testing.T) (rows int) {
	path := filepath.Join(dir, "whole")
	write(t, path, string(data))
	if err := sinks.ReadParts(path, func(b *schema.Batch) error { rows += b.Rows(); return nil }); err != nil {
		t.Fatal(err)
	}
	return rows
}

// A stream that comes through a pipe is read as it comes; a file can't be.
func TestReadStream(t *testing.T) {
	files := arrowFiles(t)
	for name, data := range files {
		rows := 0
		err := sinks.ReadStream(t.Context(), "-", strings.NewReader(string(data)), func(b *schema.Batch) error {
			rows += b.Rows()
			return nil
		})
		if strings.HasSuffix(name, "file") {
			wantError(t, err, "sinks: -: ", "cannot be read from a pipe")
		} else if err != nil || rows == 0 {
			t.Errorf("%s: %d rows, %v", name, rows, err)
		}
	}
	stream := string(files["uint8 none stream"])
	err := sinks.ReadStream(t.Context(), "-", strings.NewReader(stream+stream), func(*schema.Batch) error { return nil })
	wantError(t, err, "something follows its end-of-stream marker")

	stop := errors.New("stop")
	err = sinks.ReadStream(t.Context(), "-", strings.NewReader(stream), func(*schema.Batch) error { return stop })
	if err != stop { //nolint:errorlint // as it is
		t.Errorf("%v", err)
	}
	wantError(t, sinks.ReadStream(t.Context(), "-", io.LimitReader(strings.NewReader(stream), 99), nil), "truncated")
}
