package sinks_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sinks/sinktest"
)

func uint8s(run *schema.Run) bool {
	return run.Form != schema.FormTensor || run.Variants[0].Tensor.DType == schema.Uint8
}

func TestWebDataset(t *testing.T) {
	sinktest.FormatTaking(t, func() sinks.Format { return &sinks.WebDataset{ShardRows: 11} }, uint8s)
}

func TestWebDatasetRaw(t *testing.T) {
	sinktest.Format(t, func() sinks.Format {
		return &sinks.WebDataset{Images: sinks.Images{Image: sinks.Raw}, ShardSize: 6000}
	})
}

// members are a tar's, in order.
func members(t *testing.T, data string) (names []string, bodies map[string]string) {
	t.Helper()
	bodies = map[string]string{}
	r := tar.NewReader(strings.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != 0o644 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.ModTime.Unix() != 0 {
			t.Errorf("%s: %+v", h.Name, h)
		}
		names, bodies[h.Name] = append(names, h.Name), string(body)
	}
}

// The members of a sample stand together, with its labels, and the pixels are there.
func TestShardMembers(t *testing.T) {
	run := sinktest.Runs()["params"]
	dir := t.TempDir()
	sink := &sinks.WebDataset{Images: sinks.Images{Image: sinks.PNG}, ShardRows: 8}
	if err := sink.Into(sinks.Destination{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	pixels := map[string][]byte{}
	d := sinktest.Delivery{Run: run, Before: func(b *schema.Batch) error {
		n := b.Tensor.Elements()
		for row := range b.Rows() {
			pixels[b.Key(row)+string(rune('0'+b.Epoch))] = bytes.Clone(b.Uint8()[row*n : (row+1)*n])
		}
		return nil
	}}
	if err := d.To(t.Context(), sink); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for name, data := range sinktest.Files(t, dir) {
		if filepath.Ext(name) != ".tar" {
			continue
		}
		list, bodies := members(t, data)
		seen := map[string]bool{}
		last := ""
		for _, member := range list {
			key, ext, _ := strings.Cut(member, ".")
			if key != last && seen[key] {
				t.Errorf("%s: the members of %s don't stand together", name, key)
			}
			last, seen[key] = key, true
			if ext != "json" {
				continue
			}
			rows++
			var row struct {
				Key      string
				Class    map[string]*string
				Label    map[string]*int
				Epoch    int
				Position int64
				Params   map[string]any
			}
			if err := json.Unmarshal([]byte(bodies[member]), &row); err != nil {
				t.Fatal(err)
			}
			if row.Params == nil || len(row.Label) != 2 {
				t.Errorf("%s: %s", member, bodies[member])
			}
			for _, task := range run.Tasks {
				cls, there := bodies[key+"."+task.Name+".cls"]
				label := row.Label[task.Name]
				switch {
				case there != (label != nil):
					t.Errorf("%s: %s.cls is there: %v, and the label is %v", member, task.Name, there, label)
				case there && (cls != string(rune('0'+*label)) || task.Classes[*label] != *row.Class[task.Name]):
					t.Errorf("%s: %s.cls is %q in %s", member, task.Name, cls, bodies[member])
				}
			}
			img, err := png.Decode(strings.NewReader(bodies[key+".png"]))
			if err != nil {
				t.Fatal(err)
			}
			want := pixels[row.Key+string(rune('0'+row.Epoch))]
			for i := range want {
				x, y := i/3%img.Bounds().Dx(), i/3/img.Bounds().Dx()
				r, g, b, _ := img.At(x, y).RGBA()
				if have := []uint32{r, g, b}[i%3] >> 8; have != uint32(want[i]) {
					t.Fatalf("%s: pixel %d,%d has %d, want %d", member, x, y, have, want[i])
				}
			}
		}
	}
	if want := 2 * (29 - 1 - 4); rows > 2*29 || rows < want {
		t.Errorf("%d rows", rows)
	}
}

// Encoded rows keep their bytes; each row is named by its key where it is drawn once.
func TestShardsOfEncoded(t *testing.T) {
	for _, distinct := range []bool{true, false} {
		run := sinktest.Runs()["encoded"]
		run.Epochs, run.Distinct = 1, func() bool { return distinct }
		want := map[string]string{}
		d := sinktest.Delivery{Run: run, Before: func(b *schema.Batch) error {
			for row := range b.Rows() {
				want[b.Key(row)] = string(b.Encoded(row))
			}
			return nil
		}}
		if err := d.To(t.Context(), &sinks.Discard{}); err != nil {
			t.Fatal(err)
		}
		run.Samples = samplesOf(want)
		sink, dir := &sinks.WebDataset{Bare: true}, t.TempDir()
		if err := sink.Into(sinks.Destination{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		if err := d.To(t.Context(), sink); err != nil {
			t.Fatal(err)
		}
		files := sinktest.Files(t, dir)
		list, bodies := members(t, files["part-00000-of-00001.tar"])
		found := 0
		for key, data := range want {
			name := strings.TrimSuffix(key, ".jpg")
			at := slices.IndexFunc(list, func(m string) bool {
				return strings.HasSuffix(m, ".bin") && (m == name+".bin" || !distinct && strings.HasPrefix(m, name+"-e0-p"))
			})
			if at < 0 {
				t.Errorf("distinct %v: no member is named after %s: %q", distinct, key, list)
			} else if bodies[list[at]] == data {
				found++
			}
		}
		if found != len(want) || strings.Contains(strings.Join(list, " "), ".json") {
			t.Errorf("distinct %v: %d of %d", distinct, found, len(want))
		}
	}
}

// What the format cannot hold is refused, with what to do instead.
func TestWebDatasetRefuses(t *testing.T) {
	sink := &sinks.WebDataset{}
	if err := sink.Into(sinks.Destination{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	wantError(t, sink.Open(t.Context(), sinktest.Runs()["float32"]), "float32[3,4,6]", "jpg holds uint8", "leave out to_tensor", "image: raw")
	wantError(t, (&sinks.WebDataset{Images: sinks.Images{Image: "gif", Quality: 101, Subsampling: "4:1:1"}, ShardRows: -1}).Check(),
		`image: unknown "gif"`, "quality: 101", `subsampling "4:1:1"`, "shard_rows: -1")
	wantError(t, (&sinks.WebDataset{ShardRows: 5, ShardSize: 77}).Check(), "leave one of them out")
}

// A shard that was tampered with is a problem, not a crash.
func TestShardCount(t *testing.T) {
	run := sinktest.Runs()["uint8"]
	for _, c := range []struct{ name, body, want string }{
		{"a.shape.cls", "x", "not the one class number"},
		{"a.shape.cls", "-3", "not the one class number"},
		{"a.shape.cls", "7", ""},
		{"a.shape.cls", strings.Repeat("1", 1000), "not the one class number"},
	} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := w.WriteHeader(&tar.Header{Name: c.name, Size: int64(len(c.body)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(c.body)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "a.tar")
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		err := (&sinks.WebDataset{}).Count(t.Context(), file, &sinks.Layout{Tasks: run.Tasks}, func(n int64, _ [][]int32) error { rows += n; return nil })
		if c.want == "" && (err != nil || rows != 1) {
			t.Errorf("%+v: %d rows, %v", c, rows, err)
		} else if c.want != "" {
			wantError(t, err, c.want)
		}
	}
}

// samplesOf are samples of one class each, in memory.
func samplesOf(data map[string]string) *texts {
	s := &texts{index: &schema.Table{}}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		s.index.Keys = append(s.index.Keys, key)
		s.index.Sizes = append(s.index.Sizes, int64(len(data[key])))
		s.data = append(s.data, data[key])
		s.stamp = append(s.stamp, "1")
	}
	return s
}
