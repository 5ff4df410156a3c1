package sinks_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

func TestFolderFlat(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format { return &sinks.Folder{Flat: true, PartRows: 29} }, uint8s)
}

func TestFolderOfClasses(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format {
		return &sinks.Folder{Task: "type", PartRows: 29, Images: sinks.Images{Image: sinks.PNG}}
	}, func(run *schema.Run) bool { return uint8s(run) && len(run.Tasks) > 0 })
}

// into is a format with its destination.
func into[F sinks.Format](t fataler, f F, to sinks.Destination) F {
	if err := f.Into(to); err != nil {
		t.Fatal(err)
	}
	return f
}

// pieces are the formats beside arrow, in small parts.
func pieces(t fataler, to sinks.Destination) map[string]mortal {
	return map[string]mortal{
		"webdataset": into(t, &sinks.WebDataset{ShardRows: 11}, to),
		"flat":       into(t, &sinks.Folder{Flat: true, PartRows: 11}, to),
		"classes":    into(t, &sinks.Folder{Task: "type", PartRows: 11}, to),
		"coco":       into(t, &sinks.COCO{Pictures: sinks.Pictures{PartRows: 11}}, to),
		"yolo":       into(t, &sinks.YOLO{Pictures: sinks.Pictures{PartRows: 11}}, to),
		"masks":      into(t, &sinks.Masks{Pictures: sinks.Pictures{PartRows: 11}}, to),
	}
}

// ofTargets reports whether one of these is for objects and masks.
func ofTargets(format string) bool { return slices.Contains([]string{"coco", "yolo", "masks"}, format) }

// Wherever a run is killed, in whatever format, the next one completes the directory, to
// the bytes of an unbroken run, by one process or three.
func TestKilledInEachFormat(t *testing.T) {
	for _, format := range []string{"webdataset", "flat", "classes", "coco", "yolo", "masks"} {
		for _, shards := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d shards", format, shards), func(t *testing.T) {
				run := smallRun("uint8")
				if ofTargets(format) {
					run = smallRun("objects")
				}
				all := func(dir string) (list []mortal) {
					for i := range shards {
						list = append(list, pieces(t, sinks.Destination{Dir: dir, Shard: i, Shards: shards})[format])
					}
					return list
				}
				whole, single := t.TempDir(), t.TempDir()
				total := 0
				for _, sink := range all(whole) {
					steps, _ := runUntil(t, run, sink, 0)
					total = max(total, steps)
				}
				runUntil(t, run, pieces(t, sinks.Destination{Dir: single})[format], 0)
				want, alone := sinktest.Files(t, whole), sinktest.Files(t, single)
				for name, data := range alone {
					if !strings.HasPrefix(name, ".") && want[name] != data {
						t.Errorf("%s by %d shards isn't as by one process", name, shards)
					}
				}
				for n := 1; n <= total; n += 1 + total/16 {
					dir := filepath.Join(t.TempDir(), "a")
					var died *killed
					for _, sink := range all(dir) {
						if _, died = runUntil(t, run, sink, n); died != nil {
							break
						}
					}
					checkFinalNames(t, dir, want)
					for _, sink := range all(dir) {
						runUntil(t, run, sink, 0)
					}
					sinktest.SameFiles(t, want, sinktest.Files(t, dir))
					if t.Failed() {
						t.Fatalf("killed at step %d of %d: %+v", n, total, died)
					}
				}
			})
		}
	}
}

// A changed sample makes its part again, in each format, wherever the update is killed.
func TestUpdatedInEachFormat(t *testing.T) {
	for _, format := range []string{"webdataset", "flat", "classes", "coco", "yolo", "masks"} {
		t.Run(format, func(t *testing.T) {
			run := smallRun("encoded")
			before, after := newTexts(7), newTexts(7)
			another := "\xff\xd8\xff another" // another size, and another extension
			if ofTargets(format) {
				run = smallRun("objects encoded")
				another = "P6 2 1 255\nsecond"
				for i := range before.data {
					before.data[i] = "P5 3 1 255\n" + before.data[i]
					after.data[i] = before.data[i]
				}
			}
			after.data[2], after.stamp[2] = another, "2"
			deliverTo := func(dir string, s *texts, update bool, n int) (steps int, died *killed) {
				sink := pieces(t, sinks.Destination{Dir: dir, Update: update})[format]
				sink.OnStep(func(step, name string) error {
					if steps++; steps == n {
						panic(killed{step, name})
					}
					return nil
				})
				defer func() {
					if p, ok := recover().(killed); ok {
						died = &p
						sink.Die()
					}
				}()
				if err := remembered(run, s).To(context.Background(), sink); err != nil {
					t.Fatal(err)
				}
				return steps, nil
			}
			fresh, first := t.TempDir(), t.TempDir()
			deliverTo(fresh, after, false, 0)
			want := sinktest.Files(t, fresh)
			deliverTo(first, before, false, 0)
			sink := pieces(t, sinks.Destination{Dir: first})[format]
			wantError(t, remembered(run, after).To(t.Context(), sink), "was made of other data", "--update")
			total, _ := deliverTo(first, after, true, 0)
			sinktest.SameFiles(t, want, sinktest.Files(t, first))
			for n := 1; n <= total; n += 1 + total/12 {
				dir := t.TempDir()
				deliverTo(dir, before, false, 0)
				_, died := deliverTo(dir, after, true, n)
				deliverTo(dir, after, true, 0)
				sinktest.SameFiles(t, want, sinktest.Files(t, dir))
				if t.Failed() {
					t.Fatalf("killed at step %d of %d: %+v", n, total, died)
				}
			}
		})
	}
}

// remembered is a delivery of encoded rows that are samples: of those whose number is
// a position's, modulo their count.
func remembered(run *schema.Run, s *texts) sinktest.Delivery {
	d := remembering(run, s)
	s.index.Sizes[len(s.data)-1] = 3
	s.index.TaskList, s.index.Labels = run.Tasks, [][]int32{make([]int32, len(s.data)), make([]int32, len(s.data))}
	note := d.Before
	d.Before = func(b *schema.Batch) error {
		if err := note(b); err != nil {
			return err
		}
		for i := range b.Reads {
			b.Reads[i].Missing = false
		}
		return nil
	}
	d.Encoded = func(position int64) []byte { return []byte(s.data[int(position)%len(s.data)]) }
	return d
}

// metadata.csv has a line for each file, with what readers need.
func TestMetadata(t *testing.T) {
	run := smallRun("encoded")
	dir := t.TempDir()
	sink := into(t, &sinks.Folder{Flat: true}, sinks.Destination{Dir: dir})
	if err := (sinktest.Delivery{Run: run}).To(t.Context(), sink); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "metadata.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if head := strings.Join(lines[0], " "); head != "file_name shape type" {
		t.Errorf("metadata.csv begins with %q", head)
	}
	for _, line := range lines[1:] {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(line[0]))); err != nil {
			t.Error(err)
		}
	}
}

// Labels decide folders; without any, or with several, the error says what to do.
func TestFolderRefuses(t *testing.T) {
	open := func(f *sinks.Folder, run *schema.Run) error {
		return into(t, f, sinks.Destination{Dir: t.TempDir()}).Open(t.Context(), run)
	}
	wantError(t, open(&sinks.Folder{}, sinktest.Runs()["uint8"]), "the tasks shape, type", "task: shape", "flat: true")
	wantError(t, open(&sinks.Folder{Task: "colour"}, sinktest.Runs()["uint8"]), `there is no "colour": one of shape, type`)
	wantError(t, open(&sinks.Folder{}, sinktest.Runs()["unlabelled"]), "no labels", "flat: true")
	wantError(t, open(&sinks.Folder{Flat: true}, sinktest.Runs()["float32"]), "image: raw")
}

// Names are legal everywhere, and no two classes or samples share one.
func TestNames(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "..": "__", ".a": "_.a", "": "_", "a.": "a_", "con": "_con", "NUL.txt": "_NUL.txt", "com1": "_com1", "comma": "comma",
		"a/b\\c:d\x00\n": "a_b_c_d__", "klaſſe ü": "klaſſe ü", " a ": "_ a_", "\xff": "_",
	} {
		if have := sinks.LegalName(text); have != want {
			t.Errorf("%q: %q, want %q", text, have, want)
		}
	}
	long, other := strings.Repeat("ü", 200)+"a", strings.Repeat("ü", 200)+"b"
	if a, b := sinks.LegalName(long), sinks.LegalName(other); len(a) > 200 || a == b || !utf8.ValidString(a) {
		t.Errorf("%q, %q", a, b)
	}
	have := sinks.ClassFolders([]string{"a/b", "a_b", "A_B", "_unknown", "", "a_b-1"})
	if want := []string{"a_b", "a_b-1", "A_B-2", "_unknown-3", "_", "a_b-1-5"}; !slices.Equal(have, want) {
		t.Errorf("%q, want %q", have, want)
	}
	for key, want := range map[string]string{"cat/1.jpg": "cat/1", "cat.d/1.v2.jpg": "cat.d/1_v2", "../x": "__/x", "/a//b.png": "_/a/_/b", ".jpg": "__jpg"} {
		if have := sinks.TarName(key); have != want {
			t.Errorf("%q: %q, want %q", key, have, want)
		}
	}
	for c, want := range map[[2]string]string{
		{"a.JPEG", "jpg"}: "JPEG", {"a.png", "jpg"}: "jpg", {"a", "png"}: "png", {"a.xyz", ""}: "xyz", {"a", ""}: "bin", {"a.x:y", ""}: "bin", {"a.tiff", "tif"}: "tiff",
	} {
		if have := sinks.FileExt(c[0], c[1]); have != want {
			t.Errorf("%q: %q, want %q", c, have, want)
		}
	}
}

// Keys name the files of a run that draws each sample once, unless two would be the same;
// a source of class folders keeps its names.
func TestFolderKeepsNames(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"cat/1.jpg", "cat/2.JPEG", "cat/3/x.jpg"}, "cat/1.jpg cat/2.JPEG cat/3_x.jpg"},
		{[]string{"a/1.jpg", "b/2.jpg", "c/3"}, "cat/a_1.jpg cat/b_2.jpg cat/c_3.jpg"},
		{[]string{"a/1.jpg", "a_1.png", "c"}, "cat/a_1-e0-p000000.jpg cat/a_1-e0-p000001.jpg cat/c-e0-p000002.jpg"},
	} {
		run := sinktest.NewRun(schema.FormEncoded, schema.Tensor{})
		run.Tasks, run.Counts = []schema.Task{{Name: "class", Classes: []string{"cat"}}}, [][]int64{{3, 0}}
		run.Epochs, run.RowsPerEpoch, run.BatchesPerEpoch, run.Distinct = 1, 3, 1, func() bool { return true }
		data := map[string]string{}
		for i, key := range c.keys {
			data[key] = fmt.Sprint("\xff\xd8\xff", i)
		}
		samples := samplesOf(data)
		samples.index.TaskList, samples.index.Labels = run.Tasks, [][]int32{{0, 0, 0}}
		run.Samples = samples
		b, err := schema.NewBuilder(run, nil)
		if err != nil {
			t.Fatal(err)
		}
		draft := b.Draft(0, 0, 3)
		for row, key := range c.keys {
			draft.SetMeta(row, schema.Meta{Key: key, Labels: []int32{0}, Position: int64(row)})
			draft.SetEncoded(row, []byte(data[key]))
		}
		batch, err := draft.Finish()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		sink := into(t, &sinks.Folder{}, sinks.Destination{Dir: dir})
		if err := sink.Open(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(sink.Write(t.Context(), batch), sink.Close(nil)); err != nil {
			t.Fatal(err)
		}
		batch.Release()
		var have []string
		for name, text := range sinktest.Files(t, dir) {
			if name := filepath.ToSlash(name); strings.Contains(name, "/") {
				have = append(have, name)
				if !slices.Contains(slices.Collect(maps.Values(data)), text) {
					t.Errorf("%s has other bytes", name)
				}
			}
		}
		slices.Sort(have)
		if strings.Join(have, " ") != c.want {
			t.Errorf("%q: %q, want %q", c.keys, strings.Join(have, " "), c.want)
		}
	}
}

// Whatever a list says, nothing outside its directory is looked at, and nothing panics.
func FuzzFolderList(f *testing.F) {
	f.Add("file,bytes,xxh128,key,label.t,class.t,weight,epoch,position,source_index,meta,params\n../../x,1,99aa06d3014798d86001c324468d497f,k,0,a,1,0,0,0,,\n")
	f.Add("file,bytes,xxh128,key,weight,epoch,position,source_index,meta,params\na/b,-1,x,\"k\n\",1,0,0,0,,\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := sinks.MembersOf(&sinks.Folder{}, file)
		for _, m := range list {
			if name := filepath.FromSlash(m.Name); err == nil && (!filepath.IsLocal(name) || m.Bytes < 0) {
				t.Errorf("%+v", m)
			}
		}
		_ = (&sinks.Folder{}).Count(t.Context(), file, &sinks.Layout{Tasks: []schema.Task{{Name: "t", Classes: []string{"a"}}}}, func(int64, [][]int32) error { return nil })
	})
}
