package sinks_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

// small is a directory of one part with two batches: its plan, its manifest with
// $BYTES and $SHA256 for those of the part, and the part.
func small(t testing.TB) (plan, manifest, part string) {
	run := sinktest.Runs()["params"]
	run.Epochs, run.RowsPerEpoch, run.BatchesPerEpoch = 1, 7, 2
	dir := t.TempDir()
	if err := (sinktest.Delivery{Run: run}).To(t.Context(), &sinks.ArrowParts{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, name := range []string{"plan.json", "manifest.json", "part-00000-of-00001.arrow"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	bytes, sum := sums(texts[2])
	manifest = strings.NewReplacer(`"bytes":`+bytes, `"bytes":$BYTES`, sum, "$SHA256").Replace(texts[1])
	return texts[0], manifest, texts[2]
}

func sums(part string) (bytes, sum string) {
	h := sha256.Sum256([]byte(part))
	return fmt.Sprint(len(part)), hex.EncodeToString(h[:])
}

// put writes a small directory. Where the manifest says so its checksum is right,
// so that what is behind it is seen, too.
func put(t *testing.T, plan, manifest, part string) (dir string) {
	dir = t.TempDir()
	bytes, sum := sums(part)
	write(t, filepath.Join(dir, "plan.json"), plan)
	write(t, filepath.Join(dir, "manifest.json"), strings.NewReplacer("$BYTES", bytes, "$SHA256", sum).Replace(manifest))
	write(t, filepath.Join(dir, "part-00000-of-00001.arrow"), part)
	return dir
}

// FuzzManifest verifies and reads a directory with any plan and manifest. What is
// right is what its parts say.
func FuzzManifest(f *testing.F) {
	plan, manifest, part := small(f)
	f.Add(plan, manifest)
	f.Add(plan, strings.ReplaceAll(manifest, "1", "4611686018427387904"))
	f.Add(strings.ReplaceAll(plan, "1", "0"), manifest)
	f.Add(`{"version":1,"plan_hash":"x","pipeline":{},"format":"arrow","codec":"none","variants":[{"folder":"scale-1e300","scale":1e300}],"part_rows":1,"batches_per_part":1}`, "{}")
	f.Fuzz(func(t *testing.T, plan, manifest string) {
		dir := put(t, plan, manifest, part)
		report, err := sinks.Verify(t.Context(), dir)
		if err == nil && len(report.Problems) == 0 && (report.Rows != 7 || report.Parts != 1) {
			t.Errorf("%d rows in %d parts are right", report.Rows, report.Parts)
		}
		_ = sinks.ReadParts(dir, func(b *schema.Batch) error { use(b); return nil })
	})
}

// FuzzVerify verifies a directory with any part, of which the manifest has the
// checksum.
func FuzzVerify(f *testing.F) {
	plan, manifest, part := small(f)
	f.Add(manifest, []byte(part))
	f.Add(manifest, []byte(part)[:len(part)-11])
	f.Add(strings.ReplaceAll(manifest, `"rows":7`, `"rows":8`), []byte(part))
	f.Fuzz(func(t *testing.T, manifest string, part []byte) {
		dir := put(t, plan, manifest, string(part))
		report, err := sinks.Verify(t.Context(), dir)
		if err != nil || len(report.Problems) > 0 {
			return
		}
		rows := int64(0)
		if err := sinks.ReadParts(dir, func(b *schema.Batch) error { use(b); rows += int64(b.Rows()); return nil }); err != nil || rows != report.Rows {
			t.Errorf("verified, and then: %d rows of %d, %v", rows, report.Rows, err)
		}
	})
}
