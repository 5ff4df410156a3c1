package demodata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"image/jpeg"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicedata/sluice/internal/rng"
)

// small is a spec of about 110 files: few, as the race detector and coverage
// counters make a pixel a hundred times as dear.
func small(dir string) Spec { return Spec{Dir: dir, Seed: 3, Train: 70, Val: 50, ImbalanceFactor: 4} }

func mustWrite(t *testing.T, spec Spec) Report {
	t.Helper()
	report, err := Write(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// contents has the bytes of every file below dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		relative, _ := filepath.Rel(dir, name)
		files[filepath.ToSlash(relative)] = string(data)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func TestDefaultCounts(t *testing.T) {
	id, err := Spec{Dir: "x"}.identity()
	if err != nil {
		t.Fatal(err)
	}
	r := newReport(id.items())
	if r.TrainFiles < 760 || r.TrainFiles > 840 || r.ValFiles != 600 {
		t.Errorf("%d and %d files, want about 800 and 600", r.TrainFiles, r.ValFiles)
	}
	if r.ImbalanceFactor < 48 || r.ImbalanceFactor > 60 {
		t.Errorf("imbalance factor %.1f, want about 50", r.ImbalanceFactor)
	}
	most := r.Counts["train/"+r.Shapes[0]]
	for c, s := range r.Shapes {
		want := int(float64(most) * math.Pow(1/50.0, float64(c)/9))
		if got := r.Counts["train/"+s]; got < want-1 || got > want+1 {
			t.Errorf("train/%s has %d files, the long tail's formula gives %d", s, got, want)
		}
		for i, c := range r.Colors {
			if n := r.Counts["train/"+s+"/"+c]; n < 1 || i > 0 && n > r.Counts["train/"+s+"/"+r.Colors[i-1]] {
				t.Errorf("train/%s/%s has %d files: none, or more than the colour before", s, c, n)
			}
			if n := r.Counts["val/"+s+"/"+c]; n != 12 {
				t.Errorf("val/%s/%s has %d files, want 12", s, c, n)
			}
		}
	}
	// The formula to the letter where everything is a whole number.
	exact := identity{ImbalanceFactor: 512, Train: 1023} // n_max 512, halved at each class
	for c, byColor := range exact.counts() {
		total := 0
		for _, n := range byColor {
			total += n
		}
		if total != 512>>c {
			t.Errorf("class %d of 512, 256 .. 1 has %d", c, total)
		}
	}
}

func TestBalanced(t *testing.T) {
	id, err := Spec{Dir: "x", Train: 500, Val: 1, ImbalanceFactor: 1}.identity()
	if err != nil {
		t.Fatal(err)
	}
	for folder, n := range newReport(id.items()).Counts {
		if want := map[string]int{"train": 10, "val": 1}[strings.Split(folder, "/")[0]]; strings.Count(folder, "/") == 2 && n != want {
			t.Errorf("%s has %d files, want %d", folder, n, want)
		}
	}
}

func TestFilesAreAsReported(t *testing.T) {
	spec := small(t.TempDir())
	report := mustWrite(t, spec)
	counts, seen := map[string]int{}, map[string]string{}
	for name, data := range contents(t, spec.Dir) {
		if name == manifestName {
			continue
		}
		counts[filepath.ToSlash(filepath.Dir(name))]++
		counts[filepath.ToSlash(filepath.Dir(filepath.Dir(name)))]++
		img, err := jpeg.Decode(strings.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b := img.Bounds(); b.Dx() < 72 || b.Dx() > 112 || b.Dy() < 64 || b.Dy() > 112 {
			t.Errorf("%s has %v pixels", name, b.Size())
		}
		if other, ok := seen[data]; ok {
			t.Errorf("%s and %s are the same picture", name, other)
		}
		seen[data] = name
	}
	if !maps.Equal(counts, report.Counts) {
		t.Errorf("the folder holds %v\nthe report says %v", counts, report.Counts)
	}
	if report.Written != len(seen) || report.Kept != 0 || report.TrainFiles+report.ValFiles != len(seen) {
		t.Errorf("%d files, report %+v", len(seen), report)
	}
}

// TestPixels pins the drawing, before it is encoded, on every machine. A change
// of the pictures is meant to change the constant, and the revision.
func TestPixels(t *testing.T) {
	const want uint32 = 0x21081827
	sum := uint32(0)
	for i, s := range shapes {
		for j, c := range colors {
			r := rng.NewKey(uint64(i), "pixels", c.name).Stream(j, 0, 0)
			img := drawPicture(r, s, c).render(r)
			sum = crc32.Update(sum, castagnoli, img.Pix)
		}
	}
	if sum != want {
		t.Errorf("the pictures' checksum is %#08x, want %#08x (revision %d)", sum, want, revision)
	}
}

func TestSameBytesWithAnyWorkers(t *testing.T) {
	one, four := small(t.TempDir()), small(t.TempDir())
	one.Workers, four.Workers = 1, 4
	mustWrite(t, one)
	mustWrite(t, four)
	if !maps.Equal(contents(t, one.Dir), contents(t, four.Dir)) {
		t.Error("one worker and four make different files")
	}
	other := small(t.TempDir())
	other.Seed++
	mustWrite(t, other)
	theirs := contents(t, other.Dir)
	for name, data := range contents(t, one.Dir) {
		if theirs[name] == data {
			t.Errorf("%s is the same under two seeds", name)
		}
	}
}

func TestSecondRun(t *testing.T) {
	spec := small(t.TempDir())
	first := mustWrite(t, spec)
	before := contents(t, spec.Dir)
	calls := 0
	if _, err := Write(t.Context(), spec, func(done, total int) {
		if calls++; done != total || total != first.Written {
			t.Errorf("progress %d of %d", done, total)
		}
	}); err != nil || calls != 1 {
		t.Errorf("%d calls of progress, error %v", calls, err)
	}
	if again := mustWrite(t, spec); again.Written != 0 || again.Kept != first.Written {
		t.Errorf("a second run wrote %d and kept %d files of %d", again.Written, again.Kept, first.Written)
	}

	at := func(name string) string { return filepath.Join(spec.Dir, filepath.FromSlash(name)) }
	for _, err := range []error{
		os.RemoveAll(at("val/heart")), // 5 files
		os.Remove(at("train/circle/blue/0002.jpg")),
		os.WriteFile(at("train/circle/blue/0001.jpg"), nil, 0o666),
		os.WriteFile(at("train/circle/red/.tmp-0001.jpg"), []byte("half"), 0o666),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if repaired := mustWrite(t, spec); repaired.Written != 7 || repaired.Kept != first.Written-7 {
		t.Errorf("after the loss of 7 files, %d were written and %d kept", repaired.Written, repaired.Kept)
	}
	if !maps.Equal(before, contents(t, spec.Dir)) {
		t.Error("the repaired folder isn't the original one")
	}
}

func TestCancelAndResume(t *testing.T) {
	spec := small(t.TempDir())
	spec.Workers = 4
	goroutines := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	report, err := Write(ctx, spec, func(done, total int) {
		if done == 20 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "run again to continue") {
		t.Fatalf("error %v", err)
	}
	if report.Written < 20 || report.Written > 40 {
		t.Errorf("%d files written before the end", report.Written)
	}
	for wait := 0; runtime.NumGoroutine() > goroutines; wait++ { // a goroutine ends a little after its WaitGroup knows
		if wait == 1000 {
			t.Fatalf("%d goroutines are left", runtime.NumGoroutine()-goroutines)
		}
		time.Sleep(time.Millisecond)
	}
	for name := range contents(t, spec.Dir) {
		if strings.Contains(name, temporary) {
			t.Errorf("%s is left", name)
		}
	}
	resumed := mustWrite(t, spec)
	if resumed.Kept != report.Written {
		t.Errorf("%d files were written, %d of them kept", report.Written, resumed.Kept)
	}
	unbroken := small(t.TempDir())
	mustWrite(t, unbroken)
	if !maps.Equal(contents(t, unbroken.Dir), contents(t, spec.Dir)) {
		t.Error("the resumed folder isn't that of an unbroken run")
	}

	never := small(filepath.Join(t.TempDir(), "never"))
	if _, err := Write(ctx, never, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(never.Dir); err == nil {
		t.Error("a run that was cancelled before it began made the folder")
	}
}

func TestProgress(t *testing.T) {
	spec := small(t.TempDir())
	spec.Workers = 4
	var inside atomic.Int32
	last := 0
	report, err := Write(t.Context(), spec, func(done, total int) {
		if inside.Add(1) != 1 {
			t.Error("progress runs twice at a time")
		}
		if done != last+1 || done > total {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
		inside.Add(-1)
	})
	if err != nil || last != report.Written {
		t.Errorf("progress ended at %d of %d files, error %v", last, report.Written, err)
	}
}

func TestRefuses(t *testing.T) {
	put := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			name := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte("mine"), 0o666)); err != nil {
				t.Fatal(err)
			}
		}
	}
	made := t.TempDir()
	mustWrite(t, small(made))
	done := func(t *testing.T, dir string) {
		if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
			t.Fatal(err)
		}
	}
	both := func(a, b func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) { a(t, dir); b(t, dir) }
	}
	for _, c := range []struct {
		name    string
		prepare func(*testing.T, string)
		change  func(*Spec)
		want    string // in the error; "": no error
	}{
		{"a foreign folder", put("thesis.tex"), nil, "it has thesis.tex, but no demodata.json): choose a new or an empty folder"},
		{"a foreign train folder", put("train/cat/1.jpg"), nil, "choose a new or an empty folder"},
		{"a file", func(t *testing.T, dir string) { os.Remove(dir); put("../"+filepath.Base(dir))(t, dir) }, nil, "not a directory"},
		{"half-written only", put(".tmp-demodata.json"), nil, ""},
		{"another seed", done, func(s *Spec) { s.Seed = 9 }, "(revision 2, seed 3, "},
		{"another size", done, func(s *Spec) { s.Val = 100 }, "delete that folder, or choose another one"},
		{"the same, with other words", done, func(s *Spec) { s.Workers = 1 }, ""},
		{"a picture too many", both(both(done, put("train/arrow/blue/.tmp-0001.jpg")), put("train/circle/blue/9999.jpg")), nil, "isn't one of the demo's files: move it away"},
		{"a class too many", both(done, put("val/cat/blue/0001.jpg")), nil, "isn't one of the demo's files"},
		{"hidden files", both(done, put("train/.DS_Store")), nil, ""},
		{"reports beside the data", both(done, put("report.html")), nil, ""},
		{"a broken manifest", put(manifestName), nil, "demodata.json is broken"},
		{"no folder", nil, func(s *Spec) { s.Dir = "" }, "no folder given"},
		{"all wrong at once", nil, func(s *Spec) { s.Train = -1; s.ImbalanceFactor = math.NaN() }, "train is -1 files, want 1 to 20000\nimbalance factor is NaN"},
		{"too many", nil, func(s *Spec) { s.Val = 1 << 30 }, "want 1 to 20000"},
		{"workers", nil, func(s *Spec) { s.Workers = -1 }, "workers is -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := small(t.TempDir())
			if c.prepare != nil {
				c.prepare(t, spec.Dir)
			}
			if c.change != nil {
				c.change(&spec)
			}
			before := contents(t, spec.Dir)
			_, err := Write(t.Context(), spec, nil)
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "demodata: ") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if !maps.Equal(before, contents(t, spec.Dir)) {
				t.Error("a refused folder was changed")
			}
		})
	}
}

// TestWriteError has a folder where a file should be.
func TestWriteError(t *testing.T) {
	spec := small(t.TempDir())
	if err := os.MkdirAll(filepath.Join(spec.Dir, "val/heart/red/0001.jpg/x"), 0o777); err != nil {
		t.Fatal(err)
	}
	id, _ := spec.identity()
	if err := writeManifest(spec.Dir, newManifest(id, nil, "")); err != nil {
		t.Fatal(err)
	}
	report, err := Write(t.Context(), spec, nil)
	if err == nil || !strings.Contains(err.Error(), "0001.jpg") {
		t.Errorf("error %v", err)
	}
	if report.Written == 0 {
		t.Error("nothing was written before the failure")
	}
}

func TestHighestNumber(t *testing.T) {
	id := identity{Train: 20_000, Val: 20_000, ImbalanceFactor: 1000}
	for _, it := range id.items() {
		if it.number > 9999 {
			t.Fatalf("%s: five digits", it.path())
		}
	}
}

func TestApportion(t *testing.T) {
	for _, c := range []struct {
		n    int
		want string
	}{{0, "[0 0 0]"}, {1, "[1 0 0]"}, {3, "[1 1 1]"}, {4, "[2 1 1]"}, {8, "[6 1 1]"}, {100, "[80 10 10]"}} {
		if got := fmt.Sprint(apportion(c.n, []float64{8, 1, 1})); got != c.want {
			t.Errorf("%d by 8:1:1 is %s, want %s", c.n, got, c.want)
		}
	}
}

// TestShapes holds every shape to its frame: about the unit circle, centred, and a distance whose
// slope is one where it matters.
func TestShapes(t *testing.T) {
	const step, h = 0.02, 1e-4
	for _, s := range shapes {
		inside, area, middle := 0.0, 0.0, point{}
		steep := 0
		for y := -1.5; y < 1.5; y += step {
			for x := -1.5; x < 1.5; x += step {
				p := point{x, y}
				d := s.distance(p)
				if length(p) > 1.4 && d <= 0 {
					t.Errorf("%s reaches to %v", s.name, p)
				}
				if d < 0 {
					inside++
					middle.x += x
					middle.y += y
				}
				if math.Abs(d) < 0.03 {
					area++
					slope := length(point{s.distance(point{x + h, y}) - d, s.distance(point{x, y + h}) - d}) / h
					if slope < 0.8 || slope > 1.2 {
						steep++
					}
				}
			}
		}
		if off := length(middle) / inside; off > 0.2 {
			t.Errorf("%s has its centre of mass %.2f off", s.name, off)
		}
		if covered := inside * step * step; covered < 0.8 || covered > 3.1 {
			t.Errorf("%s covers %.2f", s.name, covered)
		}
		if share := float64(steep) / area; share > 0.05 {
			t.Errorf("%s: %.0f %% of the outline isn't a distance", s.name, 100*share)
		}
	}
}

func TestColors(t *testing.T) {
	for _, c := range []struct {
		h, s, v float64
		want    rgb
	}{{0, 1, 1, rgb{1, 0, 0}}, {-360, 1, 1, rgb{1, 0, 0}}, {120, 1, 0.5, rgb{0, 0.5, 0}}, {240, 0.5, 1, rgb{0.5, 0.5, 1}}, {60, 1, 1, rgb{1, 1, 0}}, {420, 0, 0.25, rgb{0.25, 0.25, 0.25}}} {
		if got := hsv(c.h, c.s, c.v); got != c.want {
			t.Errorf("hsv(%v, %v, %v) = %v, want %v", c.h, c.s, c.v, got, c.want)
		}
	}
}

// TestNoise compares the noise's mean and deviation with what was asked for.
func TestNoise(t *testing.T) {
	const n, deviation = 100_000, 0.02
	r := rng.NewKey(1, "noise", "").Stream(0, 0, 0)
	total, squares := 0.0, 0.0
	for range n {
		v := rgb{}.plusNoise(r.Uint64(), deviation).g
		total += v
		squares += v * v
	}
	want := deviation * math.Sqrt(1+1.0/9)
	if mean, got := total/n, math.Sqrt(squares/n); math.Abs(mean) > 0.0003 || math.Abs(got-want) > 0.0003 {
		t.Errorf("mean %v, deviation %v, want 0 and %v", mean, got, want)
	}
}

func BenchmarkFile(b *testing.B) {
	items := identity{Val: 1, Train: 1, ImbalanceFactor: 1}.items()
	var buf bytes.Buffer
	i := 0
	for b.Loop() {
		if err := items[i%len(items)].encode(1, &buf); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/file")
}
