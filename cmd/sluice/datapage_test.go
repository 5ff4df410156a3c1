package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/klauspost/compress/zstd"
)

// dataPage is a page of documentation whose pipelines are run as they stand, in a folder
// that has what they read.
type dataPage struct {
	file string
	make func(*site)
	// rows is how many rows an epoch of each pipeline has, in the order of the page. A
	// pipeline that isn't here is an error, and so is one that isn't there.
	rows []pageRows
}

// pageRows are the rows of a pipeline: its file, or the name of the source in a piece of one.
type pageRows struct {
	name string
	rows int
}

// photoCounts are the images of each class wherever a page's data set has classes.
var photoCounts = map[string]int{"cat": 12, "dog": 8, "fox": 4}

const photos = 24

var dataPages = []dataPage{
	{"data.md", (*site).dataInputs, []pageRows{
		{"folders.yaml", photos - 2}, {"archive.yaml", photos}, {"unlabelled.yaml", 4}, {"list.yaml", photos}, {"imagefolder.yaml", photos},
		{"shards.yaml", photos}, {"parquet.yaml", photos}, {"saved.yaml", photos}, {"arrow.yaml", photos}, {"joined.yaml", 3 * photos},
		{"train.yaml", photos}, {"resized.yaml", photos}, {"layout.yaml", 16}, {"decode.yaml", photos}, {"augment.yaml", photos}, {"mixed.yaml", 3 * photos},
	}},
	{"sources.md", (*site).sourcesInputs, []pageRows{
		{"folder", photos}, {"webdataset", 100}, {"manifest", photos}, {"coco", photos}, {"voc", 2}, {"yolo", 2}, {"parquet", photos}, {"arrow", photos}, {"huggingface", photos}, {"concat", 2*photos - 3}, {"val.yaml", 4},
	}},
}

// The pipelines and commands of pages about data do what the pages say.
func TestDataPages(t *testing.T) {
	for _, page := range dataPages {
		t.Run(page.file, func(t *testing.T) {
			text, err := os.ReadFile("../../docs/" + page.file)
			if err != nil {
				t.Fatal(err)
			}
			s := newSite(t)
			page.make(s)
			var names, commands []string
			var more []pageRows
			for _, block := range regexp.MustCompile("(?ms)^```(yaml|sh)\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
				if block[1] == "sh" {
					commands = append(commands, strings.Split(strings.TrimSpace(block[2]), "\n")...)
					continue
				}
				name, file := pagePipeline(block[2])
				if !strings.HasSuffix(name, ".yaml") && slices.Contains(names, name) { // another piece with the same source
					more = append(more, pageRows{name + "-2", page.rows[slices.Index(names, name)].rows})
					s.write(name+"-2", file)
					continue
				}
				if lines := strings.Count(block[2], "\n"); lines > 12 {
					t.Errorf("%s has %d lines: ten are enough for what it shows", name, lines)
				}
				if slices.Contains(names, name) {
					t.Errorf("two pipelines are called %s", name)
				}
				names = append(names, name)
				s.write(name, file)
			}
			var want []string
			for _, r := range page.rows {
				want = append(want, r.name)
			}
			if !slices.Equal(names, want) {
				t.Errorf("the page's pipelines are %q, and this test has the rows of %q", names, want)
			}
			for _, c := range commands {
				c, _, _ = strings.Cut(c, "#")
				words := strings.Fields(c)
				if len(words) == 0 || words[0] != "sluice" {
					t.Fatalf("a command that this test doesn't run: %s", c)
				}
				s.run(words[1:]...)
				if i := slices.Index(words, "-o"); i > 0 && words[1] == "materialize" {
					s.run("verify", words[i+1])
				}
			}
			for _, r := range slices.Concat(page.rows, more) {
				if rows := s.rows(r.name); rows != r.rows {
					t.Errorf("%s: %d rows, want %d", r.name, rows, r.rows)
				}
			}
			if page.file == "data.md" {
				for _, archive := range []string{"photos.tar", "photos.tar.gz", "photos.tar.zst"} {
					if rows := s.rows("archive.yaml", "--set", "source.folder.path="+archive); rows != photos {
						t.Errorf("%s: %d rows, want %d", archive, rows, photos)
					}
				}
			}
		})
	}
}

// The table of sizes and speeds is that of the newest results.
func TestFormatsTable(t *testing.T) {
	results, err := filepath.Glob("../../benchmarks/formats/results/*.md")
	if err != nil || len(results) == 0 {
		t.Fatalf("no results: %v", err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	page, rows := read("../../docs/data.md"), 0
	for _, line := range strings.Split(read(slices.Max(results)), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || !regexp.MustCompile(`[0-9]`).MatchString(cells[3]) {
			continue
		}
		rows++
		size, ratio, work := strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4]), strings.TrimSpace(cells[5])
		if row := fmt.Sprintf("| %s | %s | %s |", size, cmp.Or(work, "not read"), ratio); !strings.Contains(page, row) {
			t.Errorf("docs/data.md has no row %q, of%s,%s", row, cells[1], cells[2])
		}
	}
	if rows < 20 {
		t.Errorf("%d rows in %s", rows, slices.Max(results))
	}
}

// pagePipeline is a block as a file: its first line is the name, or it is a piece of a
// file, which is named after the source in it.
func pagePipeline(block string) (name, file string) {
	if m := regexp.MustCompile(`^# (\w+\.yaml)\n`).FindStringSubmatch(block); m != nil {
		return m[1], block
	}
	if m := regexp.MustCompile(`^source:\s*\{?(\w+):`).FindStringSubmatch(block); m != nil {
		name = m[1]
	}
	if !strings.Contains(block, "\nversion:") {
		block = "version: 1\n" + block
	}
	if !strings.Contains(block, "\nstages:") {
		block += "stages: [{batch: {size: 8}}]\n"
	}
	return name, block
}

// site is a folder with data sets and pipelines.
type site struct {
	t   *testing.T
	dir string
}

func newSite(t *testing.T) *site {
	s := &site{t, t.TempDir()}
	t.Setenv("SLUICE_CACHE", filepath.Join(t.TempDir(), "cache"))
	return s
}

func (s *site) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *site) write(name, text string) {
	s.t.Helper()
	s.check(os.MkdirAll(filepath.Dir(s.path(name)), 0o777))
	s.check(os.WriteFile(s.path(name), []byte(text), 0o666))
}

func (s *site) run(args ...string) string {
	s.t.Helper()
	return mustRun(s.t, command(s.dir, "sluice", args...))
}

// rows streams an epoch of a pipeline, and counts its rows.
func (s *site) rows(file string, flags ...string) (n int) {
	s.t.Helper()
	cmd := command(s.dir, "sluice", append([]string{"stream", file, "--epochs", "1"}, flags...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, stderr.String())
	}
	r, err := ipc.NewReader(bytes.NewReader(out))
	s.check(err)
	defer r.Release()
	for r.Next() {
		n += int(r.Record().NumRows())
	}
	s.check(r.Err())
	return n
}

// classes fills a folder of classes with photoCounts.
func (s *site) classes(dir string) {
	for class, n := range photoCounts {
		s.check(writeImages(s.path(path.Join(dir, class)), class, n, ".jpg"))
	}
}

// files are those of a folder, with slashes, in order.
func (s *site) files(dir string) (names []string) {
	s.check(filepath.WalkDir(s.path(dir), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(p) != ".csv" {
			name, err := filepath.Rel(s.path(dir), p)
			s.check(err)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	}))
	return names
}

func (s *site) read(name string) []byte {
	data, err := os.ReadFile(s.path(name))
	s.check(err)
	return data
}

// list writes a CSV of a folder of classes.
func (s *site) list(name, head, dir, row string) {
	text := head + "\n"
	for i, file := range s.files(dir) {
		text += strings.NewReplacer("FILE", path.Join(dir, file), "CLASS", path.Dir(file), "NUMBER", strconv.Itoa(i)).Replace(row) + "\n"
	}
	s.write(name, text)
}

// archive packs a folder, under names that begin with its own.
func (s *site) archive(name, dir string) {
	var out bytes.Buffer
	var w io.WriteCloser = nopCloser{&out}
	switch path.Ext(name) {
	case ".zip":
		z := zip.NewWriter(&out)
		for _, file := range s.files(dir) {
			member, err := z.Create(dir + "/" + file)
			s.check(err)
			_, err = member.Write(s.read(dir + "/" + file))
			s.check(err)
		}
		s.check(z.Close())
		s.write(name, out.String())
		return
	case ".gz":
		w = gzip.NewWriter(&out)
	case ".zst":
		var err error
		w, err = zstd.NewWriter(&out)
		s.check(err)
	}
	members := map[string][]byte{}
	for _, file := range s.files(dir) {
		members[dir+"/"+file] = s.read(dir + "/" + file)
	}
	s.check(writeTar(w, members))
	s.check(w.Close())
	s.write(name, out.String())
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func writeTar(w io.Writer, members map[string][]byte) error {
	t := tar.NewWriter(w)
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(members[name])), Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := t.Write(members[name]); err != nil {
			return err
		}
	}
	return t.Close()
}

// shards deals the files of a folder of classes out to shards.
func (s *site) shards(pattern string, n int, dir string) {
	shards := make([]map[string][]byte, n)
	for i := range shards {
		shards[i] = map[string][]byte{}
	}
	for i, file := range s.files(dir) {
		name := fmt.Sprintf("%05d", i)
		shard, color := shards[i%n], []string{"red", "green"}[i%2]
		shard[name+".jpg"] = s.read(dir + "/" + file)
		shard[name+".cls"] = []byte(path.Dir(file))
		shard[name+".json"] = fmt.Appendf(nil, `{"color": %q, "attributes": {"color": %q}}`, color, color)
	}
	for i, members := range shards {
		var out bytes.Buffer
		s.check(writeTar(&out, members))
		s.write(fmt.Sprintf(pattern, i), out.String())
	}
}

// parquet writes a folder of classes as one Parquet file.
func (s *site) parquet(name, from string) {
	s.write("parquet.tmp.yaml", "version: 1\nsource: {folder: {path: "+from+"}}\nstages: [{batch: {size: 8}}]\n")
	s.run("materialize", "parquet.tmp.yaml", "-o", "parquet.tmp", "--format", "parquet")
	parts, err := filepath.Glob(s.path("parquet.tmp/part-*.parquet"))
	s.check(err)
	if len(parts) != 1 {
		s.t.Fatalf("parts %q", parts)
	}
	data, err := os.ReadFile(parts[0])
	s.check(err)
	s.write(name, string(data))
	s.check(os.RemoveAll(s.path("parquet.tmp")))
}

// saved writes a folder of classes as save_to_disk does a DatasetDict with one split.
func (s *site) saved(dir, split, from string) {
	image := arrow.StructOf(arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true}, arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true})
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "image", Type: image, Nullable: true}, {Name: "label", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	}, nil))
	defer b.Release()
	images := b.Field(0).(*array.StructBuilder)
	for _, file := range s.files(from) {
		images.Append(true)
		images.FieldBuilder(0).(*array.BinaryBuilder).Append(s.read(from + "/" + file))
		images.FieldBuilder(1).(*array.StringBuilder).Append(path.Base(file))
		b.Field(1).(*array.Int64Builder).Append(int64(slices.Index([]string{"cat", "dog", "fox"}, path.Dir(file))))
	}
	record := b.NewRecord()
	defer record.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(record.Schema()))
	s.check(w.Write(record))
	s.check(w.Close())
	s.write(dir+"/dataset_dict.json", fmt.Sprintf(`{"splits": [%q]}`, split))
	s.write(dir+"/"+split+"/data-00000-of-00001.arrow", out.String())
	s.write(dir+"/"+split+"/state.json", `{"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": "train"}`)
	s.write(dir+"/"+split+"/dataset_info.json", `{"features": {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog", "fox"], "_type": "ClassLabel"}}}`)
}

// dataInputs are what the pipelines of data.md read.
func (s *site) dataInputs() {
	s.classes("photos")
	for _, ext := range []string{".zip", ".tar", ".tar.gz", ".tar.zst"} {
		s.archive("photos"+ext, "photos")
	}
	s.check(writeImages(s.path("pile"), "pile", 4, ".png"))
	s.list("train.csv", "path,class,camera", "photos", "FILE,CLASS,NUMBER")
	s.classes("birds")
	s.list("all.csv", "file_name,species,id", "birds", "FILE,CLASS,NUMBER")
	s.write("birds/metadata.csv", strings.ReplaceAll(string(s.read("all.csv")), "birds/", ""))
	s.shards("shards/train-%03d.tar", 4, "photos")
	s.parquet("tables/train-0.parquet", "photos")
	s.saved("saved", "train", "photos")
}

// boxFiles writes images with the boxes of VOC and of YOLO.
func (s *site) boxFiles() {
	var picture bytes.Buffer
	s.check(png.Encode(&picture, image.NewGray(image.Rect(0, 0, 80, 60))))
	const voc = "VOCdevkit/VOC2012/"
	for _, name := range []string{"a", "b"} {
		s.write(voc+"JPEGImages/"+name+".png", picture.String())
		s.write(voc+"Annotations/"+name+".xml", "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>")
		s.write("coco8/images/train/"+name+".png", picture.String())
		s.write("coco8/labels/train/"+name+".txt", "0 0.5 0.5 0.2 0.2\n")
	}
	s.write(voc+"ImageSets/Main/train.txt", "a\nb\n")
	s.write("coco8.yaml", "path: coco8\ntrain: images/train\nnames: [cat]\n")
}

// coco writes an annotation file with a box in each image.
func (s *site) coco(name, folder string) {
	var images, annotations []string
	for i, key := range s.files(folder) {
		images = append(images, fmt.Sprintf(`{"id": %d, "file_name": %q}`, i, key))
		annotations = append(annotations, fmt.Sprintf(`{"id": %d, "image_id": %d, "category_id": 1, "bbox": [1, 2, 3, 4]}`, i+1, i))
	}
	s.write(name, fmt.Sprintf(`{"images": [%s], "annotations": [%s], "categories": [{"id": 1, "name": "animal"}]}`,
		strings.Join(images, ","), strings.Join(annotations, ",")))
}

// sourcesInputs are what the pipelines of sources.md read.
func (s *site) sourcesInputs() {
	s.classes("data/train")
	s.check(writeImages(s.path("data/val/cat"), "cat", 3, ".jpg"))
	s.check(writeImages(s.path("data/val/fox"), "fox", 1, ".jpg"))
	s.check(writeImages(s.path("many/cat"), "cat", 100, ".jpg"))
	s.shards("train-%03d.tar", 100, "many")
	s.list("all.csv", "file_name,class,camera", "data/train", "FILE,CLASS,NUMBER")
	s.write("data/train/metadata.csv", strings.ReplaceAll(string(s.read("all.csv")), "data/train/", ""))
	s.list("train.csv", "path,class,weight", "data/train", "FILE,CLASS,NUMBER")
	s.write("train.yaml", "version: 1\nsource: {folder: {path: data/train}}\nstages: [{batch: {size: 8}}]\n")
	s.run("materialize", "train.yaml", "-o", "dataset")
	s.coco("annotations/instances.json", "data/train")
	s.boxFiles()
	s.parquet("data/train-0.parquet", "data/train")
	s.classes("data/web")
	s.list("ours.csv", "path,class", "data/train", "FILE,CLASS")
	s.saved("imagenette", "train", "data/train")
}
