package sinks_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// Two batches to a part: 4 parts an epoch, 8 in all.
func arrowParts(dir string) *sinks.ArrowParts { return &sinks.ArrowParts{Dir: dir, PartRows: 11} }

func TestArrowParts(t *testing.T) {
	for _, codec := range []sinks.Codec{"", sinks.LZ4, sinks.Zstd} {
		sinktest.Test(t, sinktest.Subject{
			New: func(_ *testing.T, dir string) sinks.Sink {
				return &sinks.ArrowParts{Dir: dir, PartRows: 11, Codec: codec}
			},
			Takes: func(run *schema.Run) bool {
				return codec == "" || run.Form == schema.FormTensor && len(run.Variants) == 1 && !run.Params
			},
			Read: sinks.ReadParts,
		})
	}
}

// deliver runs a run into a sink, and must succeed.
func deliver(t *testing.T, run *schema.Run, sink sinks.Sink) {
	t.Helper()
	if err := (sinktest.Delivery{Run: run}).To(t.Context(), sink); err != nil {
		t.Fatal(err)
	}
}

// wantError checks that an error says all of some things.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one that says %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error doesn't say %q:\n%v", part, err)
		}
	}
}

func fileNames(t *testing.T, dir string) []string {
	var names []string
	for name := range sinktest.Files(t, dir) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	run := sinktest.Runs()["uint8"]
	deliver(t, run, arrowParts(dir))
	want := []string{
		".lock", "manifest.json",
		"part-00000-of-00008.arrow", "part-00001-of-00008.arrow", "part-00002-of-00008.arrow", "part-00003-of-00008.arrow",
		"part-00004-of-00008.arrow", "part-00005-of-00008.arrow", "part-00006-of-00008.arrow", "part-00007-of-00008.arrow",
		"plan.json",
	}
	if got := fileNames(t, dir); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	m, err := sinks.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.PlanHash != run.PlanHash || string(m.Pipeline) != run.Pipeline || m.Codec != "none" || m.PartCount != 8 || m.BatchesPerPart != 2 || !reflect.DeepEqual(m.Tasks, run.Tasks) {
		t.Errorf("manifest: %+v", m.Layout)
	}
	// Every part holds two batches of one epoch; the sums are right.
	rows, shape := int64(0), make([]int64, 3)
	for i, p := range m.Parts {
		if p.Epoch != i/4 || p.FirstBatch != int64(i%4*2) || p.Batches != 2 {
			t.Errorf("part %d: %+v", i, p)
		}
		rows += p.Rows
		for c, n := range p.Classes["shape"] {
			shape[c] += n
		}
	}
	if rows != m.Rows || m.Rows != 2*(29-4-1) || !slices.Equal(shape, m.Classes["shape"]) || shape[0]+shape[1] != rows {
		t.Errorf("%d rows in parts, %d in all; classes %v and %v", rows, m.Rows, shape, m.Classes)
	}
	if unknown := m.Classes["type"][3]; unknown == 0 {
		t.Error("no row of unknown type was counted")
	}
}

func TestManifestIsReadable(t *testing.T) {
	dir := t.TempDir()
	run := sinktest.Runs()["uint8"]
	run.Tasks[0].Classes[0] = "a<b & c"
	deliver(t, run, arrowParts(dir))
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if !json.Valid(data) || !strings.Contains(text, "a<b & c") || !strings.HasSuffix(text, "\n}\n") {
		t.Errorf("manifest.json:\n%s", text)
	}
	lines := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, `    {"name":"part-0000`) {
			lines++
		}
	}
	if lines != 8 {
		t.Errorf("%d lines of parts in manifest.json:\n%s", lines, text)
	}
}

func TestScales(t *testing.T) {
	dir := t.TempDir()
	run := sinktest.Runs()["scales"]
	// Each scale for some batches only; 1.5 for none of the first epoch.
	pick := func(epoch int, number int64) []int {
		if epoch == 0 {
			return []int{int(number % 2)}
		}
		return []int{2, int(number % 2)}
	}
	if err := (sinktest.Delivery{Run: run, Pick: pick}).To(t.Context(), arrowParts(dir)); err != nil {
		t.Fatal(err)
	}
	m, err := sinks.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int64{}
	for _, p := range m.Parts {
		rows[filepath.Dir(p.Name)] += p.Rows
	}
	if len(m.Parts) != 24 || len(rows) != 3 || rows["scale-1.5"] != 24 || rows["scale-0.5"]+rows["scale-1"] != 48 {
		t.Errorf("%d parts, rows %v", len(m.Parts), rows)
	}
	for _, p := range m.Parts[16:20] {
		if p.Rows != 0 || !strings.HasPrefix(p.Name, "scale-1.5/part-") {
			t.Errorf("%+v", p)
		}
	}
	report, err := sinks.Verify(t.Context(), dir)
	if err != nil || len(report.Problems) != 0 {
		t.Errorf("verify: %v %v", report.Problems, err)
	}
	variants := map[int]int{}
	err = sinks.ReadParts(dir, func(b *schema.Batch) error {
		variants[b.Variant]++
		if b.Tensor != run.Variants[b.Variant].Tensor {
			t.Errorf("variant %d is %s", b.Variant, b.Tensor)
		}
		return nil
	})
	if err != nil || !reflect.DeepEqual(variants, map[int]int{0: 8, 1: 8, 2: 8}) {
		t.Errorf("batches by variant: %v %v", variants, err)
	}
}

func TestOptions(t *testing.T) {
	err := (&sinks.ArrowParts{Codec: "gzip", PartRows: -1, Shard: 3, Shards: 3}).Open(t.Context(), sinktest.Runs()["uint8"])
	wantError(t, err, "no directory", `"gzip"`, "none, lz4, zstd", "part_rows: -1", "shard 3/3")
	run := sinktest.Runs()["scales"]
	run.Variants[1].Scale = 0.5
	wantError(t, arrowParts(t.TempDir()).Open(t.Context(), run), "two variants of scale 0.5")
}

// That the params column is there no longer is said once, although the plan and the layout both have it.
func TestRefusesWithoutParams(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	run := sinktest.Runs()["params"]
	run.Pipeline = `{"seed":42,"params":true,"params_revision":2,"stages":[]}`
	deliver(t, run, arrowParts(dir))
	run.Params, run.PlanHash, run.Pipeline = false, "bead", `{"seed":42,"params":false,"stages":[]}`
	wantError(t, arrowParts(dir).Open(t.Context(), run),
		"there -> here:\n  plan_hash 5eed -> bead\n  params true -> false: give --params\nChoose another directory")
}

// A run with another plan, or laid out otherwise, is refused, and told why.
func TestRefusesAnotherRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	deliver(t, sinktest.Runs()["uint8"], arrowParts(dir))
	want := sinktest.Files(t, dir)
	for name, c := range map[string]struct {
		change func(*schema.Run, *sinks.ArrowParts)
		says   []string
	}{
		"plan": {func(r *schema.Run, _ *sinks.ArrowParts) {
			r.PlanHash, r.Pipeline = "bead", `{"seed":43,"stages":[{"flip":{"p":0.5}}]}`
		}, []string{"plan_hash 5eed -> bead", "seed 42 -> 43"}},
		"codec":     {func(_ *schema.Run, a *sinks.ArrowParts) { a.Codec = sinks.LZ4 }, []string{"codec none -> lz4"}},
		"part rows": {func(_ *schema.Run, a *sinks.ArrowParts) { a.PartRows = 10 }, []string{"part_rows 11 -> 10"}},
		"epochs":    {func(r *schema.Run, _ *sinks.ArrowParts) { r.Epochs = 3 }, []string{"epochs 2 -> 3"}},
		"params":    {func(r *schema.Run, _ *sinks.ArrowParts) { r.Params = true }, []string{"params false -> true"}},
		"many": {func(r *schema.Run, a *sinks.ArrowParts) {
			r.Params, r.Epochs, r.BatchSize, r.RowsPerEpoch, r.PlanHash, a.Codec, a.PartRows = true, 1, 2, 16, "cafe", sinks.Zstd, 100
		}, []string{"what differs, there -> here:\n  plan_hash", "and 3 more"}},
	} {
		t.Run(name, func(t *testing.T) {
			run, sink := sinktest.Runs()["uint8"], arrowParts(dir)
			c.change(run, sink)
			wantError(t, sink.Open(t.Context(), run), append(c.says, "sinks: arrow: "+dir+" holds another dataset", "Choose another directory")...)
			sinktest.SameFiles(t, want, sinktest.Files(t, dir))
		})
	}
}

func TestRefusesForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "notes.txt"), "mine")
	wantError(t, arrowParts(dir).Open(t.Context(), sinktest.Runs()["uint8"]), dir+" is not empty", `"notes.txt"`, "choose an empty or new directory")
	if names := fileNames(t, dir); len(names) != 1 {
		t.Errorf("the foreign directory now holds %q", names)
	}

	file := filepath.Join(dir, "notes.txt")
	wantError(t, arrowParts(file).Open(t.Context(), sinktest.Runs()["uint8"]), file, "not a directory", "choose another")

	write(t, filepath.Join(dir, "plan.json"), `{"version":7}`)
	wantError(t, arrowParts(dir).Open(t.Context(), sinktest.Runs()["uint8"]), "plan.json", "version 7")
	write(t, filepath.Join(dir, "plan.json"), `{`)
	wantError(t, arrowParts(dir).Open(t.Context(), sinktest.Runs()["uint8"]), "plan.json", "choose another directory")
}

func TestUnfinishedFilesCountAsEmpty(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".tmp-part-00000-of-00099.arrow"), "half")
	write(t, filepath.Join(dir, ".tmp-plan.json"), "{")
	deliver(t, sinktest.Runs()["uint8"], arrowParts(dir))
	clean := t.TempDir()
	deliver(t, sinktest.Runs()["uint8"], arrowParts(clean))
	sinktest.SameFiles(t, sinktest.Files(t, clean), sinktest.Files(t, dir))
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	run := sinktest.Runs()["uint8"]
	open := func(shard, shards int) (*sinks.ArrowParts, error) {
		a := &sinks.ArrowParts{Dir: dir, PartRows: 11, Shard: shard, Shards: shards}
		return a, a.Open(t.Context(), run)
	}
	stop := errors.New("stop")
	whole, err := open(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(0, 1)
	wantError(t, err, "another process is writing to "+dir, "choose another directory")
	_, err = open(1, 2)
	wantError(t, err, "another process is writing to "+dir)
	if err := whole.Close(stop); err != nil {
		t.Fatal(err)
	}
	first, err := open(0, 2)
	if err != nil {
		t.Fatal(err)
	}
	second, err := open(1, 2)
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(1, 2)
	wantError(t, err, "shard 1/2 is writing to "+dir)
	_, err = open(0, 1)
	wantError(t, err, "another process is writing to "+dir)
	for _, a := range []*sinks.ArrowParts{first, second} {
		if err := a.Close(stop); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, run, arrowParts(dir))
}

// A finished directory is not touched, a damaged part is made again.
func TestRepair(t *testing.T) {
	dir := t.TempDir()
	run := sinktest.Runs()["scales"]
	deliver(t, run, arrowParts(dir))
	want := sinktest.Files(t, dir)
	old := time.Unix(1e9, 0)
	for name := range want {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	touched := func() (names []string) {
		for name := range want {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			} else if !info.ModTime().Equal(old) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	deliver(t, run, arrowParts(dir))
	if names := touched(); len(names) != 0 {
		t.Errorf("a second run changed %q", names)
	}

	flip(t, filepath.Join(dir, "scale-1/part-00002-of-00008.arrow"))
	if err := os.Remove(filepath.Join(dir, "scale-0.5/part-00005-of-00008.arrow")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "scale-1.5/part-00007-of-00008.arrow"), 100); err != nil {
		t.Fatal(err)
	}
	deliver(t, run, arrowParts(dir))
	sinktest.SameFiles(t, want, sinktest.Files(t, dir))
	// A part is made in all scales or in none.
	if names := touched(); len(names) != 9 {
		t.Errorf("the repair changed %q", names)
	}

	write(t, filepath.Join(dir, "manifest.json"), "{")
	deliver(t, run, arrowParts(dir))
	sinktest.SameFiles(t, want, sinktest.Files(t, dir))
}

func TestShards(t *testing.T) {
	for _, name := range []string{"uint8", "scales", "nothing", "one row"} {
		run := sinktest.Runs()[name]
		whole := t.TempDir()
		deliver(t, run, arrowParts(whole))
		want := sinktest.Files(t, whole)
		for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 1, 2, 0, 0}} {
			dir := t.TempDir()
			for i, shard := range order {
				if _, err := sinks.ReadManifest(dir); err == nil && i < 3 {
					t.Errorf("%s: a manifest after the shards %v", name, order[:i])
				}
				deliver(t, run, &sinks.ArrowParts{Dir: dir, PartRows: 11, Shard: shard, Shards: 3})
			}
			have := sinktest.Files(t, dir)
			for i := range 3 {
				manifest := "manifest-" + string(rune('0'+i)) + "-of-3.json"
				if have[manifest] == "" {
					t.Errorf("%s: no %s", name, manifest)
				}
				delete(have, manifest)
				delete(have, ".lock-"+string(rune('0'+i))+"-of-3")
			}
			sinktest.SameFiles(t, want, have)
			if report, err := sinks.Verify(t.Context(), dir); err != nil || len(report.Problems) > 0 {
				t.Errorf("%s: %v %v", name, report.Problems, err)
			}
			// All in one takes over what the shards made.
			deliver(t, run, arrowParts(dir))
		}
	}
}

func TestShardsAtOnce(t *testing.T) {
	run := sinktest.Runs()["scales"]
	whole, dir := t.TempDir(), t.TempDir()
	deliver(t, run, arrowParts(whole))
	errs := make(chan error)
	for shard := range 4 {
		go func() {
			sink := &sinks.ArrowParts{Dir: dir, PartRows: 11, Shard: shard, Shards: 4}
			errs <- sinktest.Delivery{Run: run}.To(t.Context(), sink)
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	want, have := sinktest.Files(t, whole), sinktest.Files(t, dir)
	for name, data := range want {
		if have[name] != data {
			t.Errorf("%s differs", name)
		}
	}
}

// A shard that begins with another plan at the same moment is refused.
func TestShardsOfTwoPlans(t *testing.T) {
	dir := t.TempDir()
	errs := make(chan error)
	for shard := range 2 {
		go func() {
			run := sinktest.Runs()["uint8"]
			run.PlanHash = []string{"aa", "bb"}[shard]
			errs <- sinktest.Delivery{Run: run}.To(t.Context(), &sinks.ArrowParts{Dir: dir, Shard: shard, Shards: 2})
		}()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) {
		t.Fatalf("%v and %v", a, b)
	}
	wantError(t, errors.Join(a, b), "holds another dataset")
}

func TestDamagedShardIsNamed(t *testing.T) {
	dir, run := t.TempDir(), sinktest.Runs()["uint8"]
	deliver(t, run, &sinks.ArrowParts{Dir: dir, PartRows: 11, Shard: 0, Shards: 2})
	if err := os.Remove(filepath.Join(dir, "part-00002-of-00008.arrow")); err != nil {
		t.Fatal(err)
	}
	err := sinktest.Delivery{Run: run}.To(t.Context(), &sinks.ArrowParts{Dir: dir, PartRows: 11, Shard: 1, Shards: 2})
	wantError(t, err, "part-00002-of-00008.arrow of shard 0/2", "run that shard again")
	if _, err := sinks.ReadManifest(dir); err == nil {
		t.Error("there is a manifest")
	}
	for shard := range 2 {
		deliver(t, run, &sinks.ArrowParts{Dir: dir, PartRows: 11, Shard: shard, Shards: 2})
	}
	if report, err := sinks.Verify(t.Context(), dir); err != nil || len(report.Problems) > 0 {
		t.Errorf("%v %v", report.Problems, err)
	}
}

// What the engine must not do is an error, never a wrong dataset.
func TestBatchesOutOfOrder(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	try := func(batches ...int64) error {
		sink := arrowParts(t.TempDir())
		if err := sink.Open(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		var cause error
		for _, number := range batches {
			b, err := sinktest.NewBatch(run, nil, 0, number%8, 0)
			if err != nil {
				t.Fatal(err)
			}
			b.Number = number
			if cause = sink.Write(t.Context(), b); cause != nil {
				break
			}
		}
		err := sink.Close(nil)
		if cause != nil && err == nil {
			t.Error("Close(nil) after a failed Write")
		}
		return errors.Join(cause, err)
	}
	wantError(t, try(1, 0), "batch 0 of epoch 0 comes after batch 1")
	wantError(t, try(0, 2), "part 0 got 1 of its 2 batches")
	wantError(t, try(0, 1, 2, 3, 0), "comes after its part was finished")
	wantError(t, try(0, 1, 8), "batch 8 of epoch 0", "2 epochs of 8 batches")
	wantError(t, try(0, 1), "7 of 8 parts got no batches, the first part-00001-of-00008.arrow")
}

func TestWriteAfterFailure(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	sink := arrowParts(t.TempDir())
	if err := sink.Open(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	bad := sinktest.NewRun(schema.FormEncoded, schema.Tensor{})
	b, err := sinktest.NewBatch(bad, nil, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	first := sink.Write(t.Context(), b)
	wantError(t, first, "schema")
	good, err := sinktest.NewBatch(run, nil, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Write(t.Context(), good); !errors.Is(err, first) {
		t.Errorf("after a failure: %v", err)
	}
	if err := sink.Close(first); err != nil {
		t.Error(err)
	}
}

func TestCancelWhileVerifying(t *testing.T) {
	dir, run := t.TempDir(), sinktest.Runs()["uint8"]
	deliver(t, run, arrowParts(dir))
	want := sinktest.Files(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	wantError(t, arrowParts(dir).Open(ctx, run), "enough")
	sinktest.SameFiles(t, want, sinktest.Files(t, dir))
	if _, err := sinks.Verify(ctx, dir); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("verify: %v", err)
	}
	deliver(t, run, arrowParts(dir)) // the lock was given back
}

// zstd's encoder works in parallel where it may: the bytes must not show it.
func TestCompressedBytesDoNotDependOnProcessors(t *testing.T) {
	big := schema.Tensor{DType: schema.Float32, Layout: schema.CHW, Height: 100, Width: 120}
	run := sinktest.NewRun(schema.FormTensor, big)
	for _, codec := range []sinks.Codec{sinks.LZ4, sinks.Zstd} {
		var want map[string]string
		for _, procs := range []int{1, 2, 5} {
			dir := t.TempDir()
			func() {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				deliver(t, run, &sinks.ArrowParts{Dir: dir, Codec: codec})
			}()
			if want == nil {
				want = sinktest.Files(t, dir)
			}
			sinktest.SameFiles(t, want, sinktest.Files(t, dir))
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// flip inverts one bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 4
	write(t, path, string(data))
}
