package sources_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// shards makes a folder of shards, whose members are as pack has them.
func shards(t testing.TB, members map[string][]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, list := range members {
		path := filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, pack(t, tar.FormatPAX, list...), 0o644))
	}
	return dir
}

func one(t testing.TB, members ...string) sources.Shards {
	t.Helper()
	return sources.Shards{filepath.Join(shards(t, map[string][]string{"s.tar": members}), "s.tar")}
}

func TestWebDatasetConforms(t *testing.T) {
	dir := shards(t, map[string][]string{
		"a-0.tar": {"x/1.jpg: one", "x/1.cls: 3", "x/2.png: two", "x/2.cls: 10"},
		"a-1.tar": {"3.cls: 3", "3.json: {}", "4.jpg: four"},
		"a-2.tar": {"0.cls: 3", "0.jpg: zero"},
	})
	sourcetest.Run(t, func() sources.Source {
		return sources.WebDataset{Shards: sources.Shards{filepath.Join(dir, "a-{0..2}.tar")}, Meta: map[string]string{"n": "json:n"}}
	})
	d := open(t, sources.WebDataset{Shards: sources.Shards{filepath.Join(dir, "*.tar")}})
	want := lines("a-0.tar/x/1.jpg 3", "a-0.tar/x/2.png 10", "a-1.tar/3 3", "a-1.tar/4.jpg ?", "a-2.tar/0.jpg 3")
	if diff := cmp.Diff(want, table(d.Index())); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"3", "10"}, d.Index().Tasks()[0].Classes); diff != "" {
		t.Errorf("numbers sort as numbers (-want +have)\n%s", diff)
	}
	have := warnings(d)
	for _, want := range []string{"1 of 5 samples have no image", `"a-1.tar/3"`, "1 of 5 samples have no label of task", `"a-1.tar/4.jpg"`} {
		if !strings.Contains(have, want) {
			t.Errorf("the warnings lack %q:\n%s", want, have)
		}
	}
}

// The images and labels are those that webdataset makes of the same members.
func TestWebDatasetSamples(t *testing.T) {
	for _, c := range []struct {
		name    string
		source  sources.WebDataset
		members []string
		want    []string
		warned  []string
	}{
		{"extensions begin at the first dot, in any letter case", sources.WebDataset{},
			[]string{"a.b/1.seg.png: s", "a.b/1.JPG: i", "a.b/1.CLS: 2"}, []string{"s.tar/a.b/1.JPG 2"}, nil},
		{"the first of the list", sources.WebDataset{Image: []string{"seg.png", "jpg"}},
			[]string{"1.jpg", "1.seg.png", "1.cls: 0", "2.jpg", "2.cls: 1"}, []string{"s.tar/1.seg.png 0", "s.tar/2.jpg 1"}, nil},
		{"several tasks, of members and JSON", sources.WebDataset{Tasks: map[string]string{"class": "cls", "color": "json:attributes.color", "first": "json:boxes[0].name", "odd": `json:["a.b"]`}},
			[]string{"1.jpg", "1.cls: 7\n", `1.json: {"attributes": {"color": "red"}, "boxes": [{"name": "box"}], "a.b": 1.0}`, "2.jpg", `2.json: {"boxes": [], "a.b": true}`},
			[]string{"s.tar/1.jpg 7 red box 1.0", "s.tar/2.jpg ? ? ? true"}, nil},
		{"text", sources.WebDataset{Tasks: map[string]string{"class": "txt"}}, []string{"1.jpg", "1.txt:  cat \n", "2.jpg", "2.txt: dog"}, []string{"s.tar/1.jpg cat", "s.tar/2.jpg dog"}, nil},
		{"no labels", sources.WebDataset{}, []string{"1.jpg", "1.json: {}"}, []string{"s.tar/1.jpg"}, []string{"has a member .cls", "1 .json"}},
		{"no labels on purpose", sources.WebDataset{Tasks: map[string]string{}}, []string{"1.jpg", "1.cls: 1"}, []string{"s.tar/1.jpg"}, nil},
		{"what is no sample", sources.WebDataset{}, []string{"1.jpg", "1.cls: 1", "README", ".hidden.jpg", "__meta__/2.jpg", "__index__", "__MACOSX/3.jpg", "dataset.yaml", "._1.jpg"},
			[]string{"s.tar/1.jpg 1"}, nil},
		{"members apart", sources.WebDataset{}, []string{"1.jpg", "2.jpg", "1.cls: 1", "2.cls: 2"}, []string{"s.tar/1.jpg 1", "s.tar/2.jpg 2"},
			[]string{"2 samples", "do not stand together", "webdataset makes several"}},
		{"pickles", sources.WebDataset{}, []string{"1.jpg", "1.cls: 1", "1.pyd: x", "1.state.pkl: x"}, []string{"s.tar/1.jpg 1"}, []string{"1 .pyd", "1 .state.pkl", "pickles"}},
		{"links", sources.WebDataset{}, []string{"1.jpg", "1.cls: 1", "2.jpg -> 1.jpg"}, []string{"s.tar/1.jpg 1"}, []string{"1 link"}},
		{"numbers and names", sources.WebDataset{}, []string{"1.jpg", "1.cls: 1", "2.jpg", "2.cls: cat"}, []string{"s.tar/1.jpg 1", "s.tar/2.jpg cat"}, []string{"webdataset refuses"}},
		{"sorted by key", sources.WebDataset{}, []string{"b.jpg", "b.cls: 1", "a.jpg", "a.cls: 2", "a-b.jpg", "a-b.cls: 3"}, []string{"s.tar/a-b.jpg 3", "s.tar/a.jpg 2", "s.tar/b.jpg 1"}, nil},
		{"paths that lead out", sources.WebDataset{}, []string{"../1.jpg", "../1.cls: 1", "/2.jpg", "/2.cls: 2", "./3.jpg", "./3.cls: 3"}, []string{"s.tar/1.jpg 1", "s.tar/2.jpg 2", "s.tar/3.jpg 3"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.source.Shards = one(t, c.members...)
			d := open(t, c.source)
			if diff := cmp.Diff(lines(c.want...), table(d.Index())); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			have := warnings(d)
			for _, want := range c.warned {
				if !strings.Contains(have, want) {
					t.Errorf("the warnings lack %q:\n%s", want, have)
				}
			}
			if c.warned == nil && have != "" && !strings.Contains(have, "no label") {
				t.Errorf("warned: %s", have)
			}
			for s, key := range keys(d.Index()) {
				b, err := d.Read(context.Background(), s, nil)
				must(t, err)
				if text := string(b); len(text) > 1 && !strings.HasSuffix(text, strings.TrimPrefix(key, "s.tar/")) {
					t.Errorf("%q holds %q", key, text)
				}
			}
		})
	}
}

func TestWebDatasetErrors(t *testing.T) {
	of := func(members ...string) sources.WebDataset { return sources.WebDataset{Shards: one(t, members...)} }
	with := func(w sources.WebDataset, tasks map[string]string) sources.WebDataset {
		w.Tasks = tasks
		return w
	}
	for _, c := range []struct {
		name   string
		source sources.WebDataset
		want   []string
	}{
		{"a doubled member", of("1.jpg", "1.JPG"), []string{"s.tar", `"1.JPG"`, "twice", "byte "}},
		{"a doubled sample", of("1.jpg", "2.jpg", "1.jpg"), []string{"two samples", `"1"`, "at bytes "}},
		{"no image", of("1.cls: 1", "1.heic"), []string{"no sample has an image", "1 .heic", "first dot"}},
		{"nothing", of("README"), []string{"no sample in 1 shard", ".jpg .jpeg .png", "1 without extension"}},
		{"dots in names", of("img.0001.jpg", "img.0002.jpg"), []string{"no sample", "1 .0001.jpg"}},
		{"binary label", of("1.jpg", "1.cls: \x80\x04K\x01."), []string{`"1.cls"`, "UTF-8", "byte "}},
		{"not UTF-8", of("caf\xe9.jpg"), []string{"UTF-8", "rename"}},
		{"broken JSON", with(of("1.jpg", "1.json: {\"a\": "), map[string]string{"x": "json:a"}), []string{`"1.json"`, "JSON"}},
		{"a list", with(of("1.jpg", `1.json: {"a": [1]}`), map[string]string{"x": "json:a"}), []string{`"1.json"`, "a list"}},
		{"a long label", of("1.jpg", "1.cls: "+strings.Repeat("x", 70000)), []string{`"1.cls"`, "70000 bytes"}},
		{"no such shard", sources.WebDataset{Shards: sources.Shards{filepath.Join(t.TempDir(), "a-{0..3}.tar")}}, []string{"4 of the 4 files", "a-0.tar"}},
		{"no match", sources.WebDataset{Shards: sources.Shards{filepath.Join(t.TempDir(), "a-*.tar")}}, []string{"no file matches"}},
		{"pipe", sources.WebDataset{Shards: sources.Shards{"pipe:curl -s https://host/x.tar"}}, []string{"a command", "sluice runs none"}},
		{"URL", sources.WebDataset{Shards: sources.Shards{"https://host/{0..9}.tar"}}, []string{"is a URL"}},
		{"pickle", with(of("1.jpg"), map[string]string{"x": "pyd"}), []string{"pickles", "reads none"}},
		{"image", sources.WebDataset{Shards: sources.Shards{"x.tar"}, Image: []string{".jpg", "pkl"}}, []string{"without its dot", "pickles"}},
		{"array", with(of("1.jpg"), map[string]string{"x": "npy"}), []string{"not text"}},
		{"no path", with(of("1.jpg"), map[string]string{"x": "json"}), []string{"say where in the JSON"}},
		{"classes", sources.WebDataset{Shards: one(t, "1.jpg", "1.cls: 3"), Classes: sources.Classes{List: []string{"1", "2"}}}, []string{`class "3"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fails(t, c.source, append(c.want, "sources: webdataset: ")...)
		})
	}
	whole := pack(t, tar.FormatGNU, "1.jpg: "+strings.Repeat("x", 2000), "1.cls: 1")
	path := tarFile(t, whole[:1000])
	fails(t, sources.WebDataset{Shards: sources.Shards{path}}, path, "truncated in the member", `"1.jpg"`)
	fails(t, sources.WebDataset{Shards: sources.Shards{path, path}}, "same file")
}

func TestShardPatterns(t *testing.T) {
	dir := shards(t, map[string][]string{"a/00.tar": {"1.jpg"}, "b/00.tar": {"1.jpg"}, "a/01.tar": {"1.jpg"}, "{x}.tar": {"1.jpg"}})
	for _, c := range []struct {
		shards []string
		want   string
	}{
		{[]string{"a/{00..01}.tar"}, "00.tar/1.jpg 01.tar/1.jpg"},
		{[]string{"{a/0{0,1},b/00}.tar"}, "a/00.tar/1.jpg a/01.tar/1.jpg b/00.tar/1.jpg"},
		{[]string{"b/*.tar", "a/*1.tar"}, "00.tar/1.jpg 01.tar/1.jpg"},
		{[]string{"[ab]/00.tar"}, "a/00.tar/1.jpg b/00.tar/1.jpg"},
		{[]string{"{x}.tar"}, "{x}.tar/1.jpg"},
	} {
		var s sources.Shards
		for _, pattern := range c.shards {
			s = append(s, filepath.Join(dir, pattern))
		}
		if have := strings.Join(keys(open(t, sources.WebDataset{Shards: s, Tasks: map[string]string{}}).Index()), " "); have != c.want {
			t.Errorf("%q: %q, want %q", c.shards, have, c.want)
		}
	}
}

func TestWebDatasetMeta(t *testing.T) {
	d := open(t, sources.WebDataset{Shards: one(t, "1.jpg", `1.json: {"w": 640, "at": 0.5, "by": "7"}`, "1.txt: a cat", "2.jpg", `2.json: {"w": 480, "at": 1, "by": null}`),
		Tasks: map[string]string{}, Meta: map[string]string{"width": "json:w", "at": "json:at", "by": "json:by", "caption": "txt"}})
	var have []string
	for c, column := range d.Index().Columns() {
		have = append(have, fmt.Sprint(column.Name, " ", column.Type, " ", d.Index().Value(c, 0), " ", d.Index().Value(c, 1)))
	}
	if diff := cmp.Diff([]string{"meta.at float64 0.5 1", "meta.by utf8 7 <nil>", "meta.caption utf8 a cat <nil>", "meta.width int64 640 480"}, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	fails(t, sources.WebDataset{Shards: one(t, "1.jpg", `1.json: {"w": 640}`, "2.jpg", `2.json: {"w": "wide"}`), Tasks: map[string]string{}, Meta: map[string]string{"w": "json:w"}},
		`"s.tar/1.jpg"`, `"s.tar/2.jpg"`, "is text and")
}

// indexText is what wds2idx writes of a shard.
func indexText(t *testing.T, shard string) string {
	t.Helper()
	file, err := os.Open(shard)
	must(t, err)
	defer file.Close()
	var b strings.Builder
	last, samples := "", 0
	r := tar.NewReader(file)
	for {
		h, err := r.Next()
		if err != nil {
			return fmt.Sprintf("v1.2 %d%s\n", samples, b.String())
		}
		at, err := file.Seek(0, 1)
		must(t, err)
		dir, base := filepath.Split(h.Name)
		name, ext, _ := strings.Cut(base, ".")
		if name = dir + name; name != last {
			samples++
			b.WriteString("\n")
		} else {
			b.WriteString(" ")
		}
		last = name
		fmt.Fprintf(&b, "%s %d %d %s", ext, at, h.Size, h.Name)
	}
}

func TestShardIndex(t *testing.T) {
	var members []string
	for i := range 30 {
		members = append(members, fmt.Sprintf("%s/%02d.jpg", strings.Repeat("d", i*5), i), fmt.Sprintf("%s/%02d.cls: %d", strings.Repeat("d", i*5), i, i%3), fmt.Sprintf("%s/%02d.txt: é", strings.Repeat("d", i*5), i))
	}
	path := one(t, members...)[0]
	source := sources.WebDataset{Shards: sources.Shards{path}}
	plain := open(t, source)
	text := indexText(t, path)
	for _, name := range []string{strings.TrimSuffix(path, ".tar") + ".idx", path + ".index"} {
		must(t, os.WriteFile(name, []byte(text), 0o644))
		// An index that is used shows when it lies: its first image is the second one.
		indexed := open(t, source)
		if diff := cmp.Diff(plain.Index(), indexed.Index()); diff != "" {
			t.Errorf("%s: (-without +with)\n%s", name, diff)
		}
		for s := range plain.Index().Len() {
			a, err := plain.Read(t.Context(), s, nil)
			must(t, err)
			b, err := indexed.Read(t.Context(), s, nil)
			must(t, err)
			if !bytes.Equal(a, b) {
				t.Errorf("%q differs", plain.Index().Key(s))
			}
		}
		must(t, os.Remove(name))
	}
	idx := strings.TrimSuffix(path, ".tar") + ".idx"
	lying := func(old, new string) {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("no %q in the index", old)
		}
		must(t, os.WriteFile(idx, []byte(strings.Replace(text, old, new, 1)), 0o644))
	}
	for _, c := range [][3]string{
		{"v1.2 ", "v1.1 ", "version"}, {"v1.2 30", "v1.2 31", "30 samples"}, {"/00.cls", "/00.clz", "want extension"}, {" 1 ", " 2 ", "header of"},
		{"cls 1536", "cls 1537", "not where it says"}, {"\njpg", "\njpg x jpg", "want extension"},
	} {
		lying(c[0], c[1])
		d := open(t, source)
		if have := warnings(d); !strings.Contains(have, c[2]) || !strings.Contains(have, "ignored the index file") {
			t.Errorf("%q for %q: warnings %q", c[1], c[0], have)
		}
		if diff := cmp.Diff(table(plain.Index()), table(d.Index())); diff != "" {
			t.Errorf("%q for %q: (-without +with)\n%s", c[1], c[0], diff)
		}
	}
	// A wrong name of an image shows when it is read.
	at := strings.Index(text, " ddddd/01.jpg")
	must(t, os.WriteFile(idx, []byte(text[:at]+" ddddd/0x.jpg"+text[at+len(" ddddd/01.jpg"):]), 0o644))
	d := open(t, source)
	s, ok := d.Index().Find("s.tar/ddddd/0x.jpg")
	if !ok {
		t.Fatal("the index file isn't used")
	}
	if _, err := d.Read(t.Context(), s, nil); err == nil || !strings.Contains(err.Error(), "index: none") {
		t.Errorf("Read: %v", err)
	}
	none := source
	none.Index = sources.NoIndex
	if diff := cmp.Diff(plain.Index(), open(t, none).Index()); diff != "" {
		t.Errorf("index: none (-want +have)\n%s", diff)
	}
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)))
	if have := warnings(open(t, source)); !strings.Contains(have, "written after it") {
		t.Errorf("warnings %q", have)
	}
	must(t, os.WriteFile(idx, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0}, 0o644)) // Energon's
	if have := warnings(open(t, source)); have != "" {
		t.Errorf("warnings %q", have)
	}
}

// One shard, two, or its members in another order: the same samples.
func TestWebDatasetOrder(t *testing.T) {
	var members []string
	for i := range 200 {
		members = append(members, fmt.Sprintf("%03d.jpg", i*7%200), fmt.Sprintf("%03d.cls: %d", i*7%200, i*7%200%10))
	}
	want := table(open(t, sources.WebDataset{Shards: one(t, members...)}).Index())
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	d := open(t, sources.WebDataset{Shards: one(t, members...)})
	if diff := cmp.Diff(want, table(d.Index())); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if n := schema.Counts(d.Index(), 0); n[0] != 20 {
		t.Errorf("counts %v", n)
	}
}

func FuzzWebDataset(f *testing.F) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatGNU, tar.FormatPAX} {
		f.Add(pack(f, format, "a/1.jpg: x", "a/1.cls: 1", `a/1.json: {"a": {"b": [1, "x"]}}`, "b/2.png", "c/", "d.jpg -> c", "__x__/a", "a/1.pyd", "a/1.txt: t"), []byte("v1.2 1\njpg 512 1 a/1.jpg\n"))
	}
	f.Fuzz(func(t *testing.T, data, idx []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.tar")
		must(t, os.WriteFile(path, data, 0o644))
		one := sources.WebDataset{Shards: sources.Shards{path}}
		openAny(t, one)
		one.Tasks, one.Meta = map[string]string{"a": "json:a.b[0]", "c": "cls"}, map[string]string{"t": "txt", "j": "json:a"}
		openAny(t, one)
		must(t, os.WriteFile(filepath.Join(dir, "x.idx"), idx, 0o644))
		d, err := sources.Open(t.Context(), one)
		if err != nil {
			return
		}
		defer d.Close()
		for s := range d.Index().Len() {
			if b, err := d.Read(t.Context(), s, nil); err == nil && int64(len(b)) != d.Index().Size(s) {
				t.Errorf("%d bytes of %d", len(b), d.Index().Size(s))
			}
		}
	})
}

func FuzzShardPattern(f *testing.F) {
	f.Add("a{000..099}b{x,y{1,2}}")
	f.Add(`{a..z..2}\{{},}`)
	f.Fuzz(func(t *testing.T, pattern string) {
		if err := (sources.WebDataset{Shards: sources.Shards{pattern}}).Check(); err != nil {
			brief(t, err.Error(), 3)
		}
	})
}

// Members <task>.cls are tasks where none are given.
func TestWebDatasetFindsTasks(t *testing.T) {
	d := open(t, sources.WebDataset{Shards: one(t, "1.jpg", "1.class.cls: 0", "1.color.cls: 1", "2.jpg", "2.class.cls: 1")})
	if diff := cmp.Diff(lines("s.tar/1.jpg 0 1", "s.tar/2.jpg 1 ?"), table(d.Index())); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if tasks := d.Index().Tasks(); len(tasks) != 2 || tasks[0].Name != "class" || tasks[1].Name != "color" {
		t.Errorf("tasks %v", tasks)
	}
}

// The numbers in shards that lie beside their plan are the classes of the plan, in its order.
func TestWebDatasetOfAPlan(t *testing.T) {
	const two = `{"format": "webdataset", "plan_hash": "x", "tasks": [{"name": "Color", "classes": ["red", "blue", "green"]}, {"name": "kind", "classes": ["z", "a"]}]}`
	const single = `{"format": "webdataset", "plan_hash": "x", "tasks": [{"name": "kind", "classes": ["z", "a"]}]}`
	for _, c := range []struct {
		name, plan string
		source     sources.WebDataset
		members    []string
		want       []string
		tasks      []schema.Task
		warned     string
	}{
		{"two tasks", two, sources.WebDataset{}, []string{"1.jpg", "1.color.cls: 2", "1.kind.cls: 0", "2.jpg", "2.color.cls: 0"},
			[]string{"s.tar/1.jpg green z", "s.tar/2.jpg red ?"}, []schema.Task{{Name: "Color", Classes: []string{"red", "blue", "green"}}, {Name: "kind", Classes: []string{"z", "a"}}}, "class"},
		{"one task", single, sources.WebDataset{}, []string{"1.jpg", "1.cls: 1"}, []string{"s.tar/1.jpg a"}, []schema.Task{{Name: "kind", Classes: []string{"z", "a"}}}, "class"},
		{"tasks are given", single, sources.WebDataset{Tasks: map[string]string{"label": "cls"}}, []string{"1.jpg", "1.cls: 1"}, []string{"s.tar/1.jpg a"}, []schema.Task{{Name: "label", Classes: []string{"z", "a"}}}, "class"},
		{"numbers are given", single, sources.WebDataset{Classes: sources.Classes{List: []string{"0", "1"}}}, []string{"1.jpg", "1.cls: 1"}, []string{"s.tar/1.jpg 1"}, []schema.Task{{Name: "kind", Classes: []string{"0", "1"}}}, "class"},
		{"of another program", `{"format": "x"}`, sources.WebDataset{}, []string{"1.jpg", "1.cls: 1"}, []string{"s.tar/1.jpg 1"}, []schema.Task{{Name: "class", Classes: []string{"1"}}}, "class"},
		{"broken", `{"format"`, sources.WebDataset{}, []string{"1.jpg", "1.cls: 1"}, []string{"s.tar/1.jpg 1"}, []schema.Task{{Name: "class", Classes: []string{"1"}}}, "may lack their names"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shards(t, map[string][]string{"s.tar": c.members})
			must(t, os.WriteFile(filepath.Join(dir, "plan.json"), []byte(c.plan), 0o644))
			c.source.Shards = sources.Shards{filepath.Join(dir, "s.tar")}
			d := open(t, c.source)
			if diff := cmp.Diff(lines(c.want...), table(d.Index())); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if diff := cmp.Diff(c.tasks, d.Index().Tasks()); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if !strings.Contains(warnings(d)+"class", c.warned) {
				t.Errorf("warned: %s", warnings(d))
			}
		})
	}
	beyond := shards(t, map[string][]string{"a/s.tar": {"1.jpg", "1.cls: 7"}, "b/s.tar": {"1.jpg", "1.cls: 0"}})
	must(t, os.WriteFile(filepath.Join(beyond, "a", "plan.json"), []byte(single), 0o644))
	fails(t, sources.WebDataset{Shards: sources.Shards{filepath.Join(beyond, "a", "*.tar")}}, `class "7"`, "plan.json")
	must(t, os.WriteFile(filepath.Join(beyond, "b", "plan.json"), []byte(strings.Replace(single, `"z", "a"`, `"a", "z"`, 1)), 0o644))
	fails(t, sources.WebDataset{Shards: sources.Shards{filepath.Join(beyond, "*", "*.tar")}}, "differ", "concat")
}

func TestWebDatasetAsksForWhatIsNotThere(t *testing.T) {
	s := one(t, "1.jpg", "1.cls: 1", `1.json: {"label": "cat", "more": 1}`)
	fails(t, sources.WebDataset{Shards: s, Tasks: map[string]string{"x": "txt"}}, `tasks: "x"`, "no sample has a member .txt", "1 .json", "1 .cls", "1 .jpg")
	fails(t, sources.WebDataset{Shards: s, Tasks: map[string]string{"x": "json:labels"}}, `tasks: "x"`, `"labels"`, `"label", "more"`)
}

// A folder in place of shards, and data sets of others in place of Arrow files, name what to
// use.
func TestWrongKinds(t *testing.T) {
	dir := t.TempDir()
	fails(t, sources.WebDataset{Shards: sources.Shards{dir}}, "is a folder: give the shards in it", "*.tar")
	write(t, dir, "dataset_info.json", "{}")
	fails(t, sources.Arrow{Path: dir}, "use the source huggingface")
	fails(t, sources.Arrow{Path: write(t, dir, "a.parquet", "PAR1")}, "use the source parquet")
}
