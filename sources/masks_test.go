package sources_test

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// targets are those of a sample.
func targets(t *testing.T, d sources.Dataset, sample int) schema.Targets {
	t.Helper()
	var out schema.Targets
	must(t, d.(sources.Targeter).Targets(context.Background(), sample, &out))
	return out
}

// masksOf are the contents of all masks, which tree makes the masks' own names.
func masksOf(t *testing.T, d sources.Dataset) []string {
	t.Helper()
	var list []string
	for s := range d.Index().Len() {
		var out schema.Targets
		err := d.(sources.Targeter).Targets(context.Background(), s, &out)
		switch {
		case errors.Is(err, sources.ErrTargets):
			list = append(list, "none")
		case err != nil:
			t.Fatal(err)
		default:
			list = append(list, string(out.Mask))
		}
	}
	return list
}

func same[T comparable](t *testing.T, what string, have, want []T) {
	t.Helper()
	if !slices.Equal(have, want) {
		t.Errorf("%s: %v, want %v", what, have, want)
	}
}

// asTar and asZip are an archive of a folder of tree.
func asTar(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.tar")
	f, err := os.Create(name)
	must(t, err)
	w := tar.NewWriter(f)
	must(t, w.AddFS(os.DirFS(dir)))
	must(t, errors.Join(w.Close(), f.Close()))
	return name
}

func asZip(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(name)
	must(t, err)
	w := zip.NewWriter(f)
	must(t, w.AddFS(os.DirFS(dir)))
	must(t, errors.Join(w.Close(), f.Close()))
	return name
}

// Masks without an image are counted wherever masks are, and when a listing was kept.
func TestMasksOfNoImage(t *testing.T) {
	t.Parallel()
	dir := tree(t, "images/1.png", "images/sub/2.png", "masks/1.png", "masks/2.png", "masks/3.png", "masks/readme.txt")
	inside := tree(t, "1.png", "2.png", "masks/1.png", "masks/2.png", "masks/3.png")
	settle()
	for name, s := range map[string]sources.Folder{
		"outside":  {Path: filepath.Join(dir, "images"), Tasks: []string{}, Masks: sources.Masks{Path: "../masks/{stem}.png"}},
		"absolute": {Path: filepath.Join(dir, "images"), Tasks: []string{}, Masks: sources.Masks{Path: filepath.ToSlash(dir) + "/masks/{stem}.png"}},
		"inside":   {Path: inside, Tasks: []string{}, Masks: sources.Masks{Path: "masks/{stem}.png"}},
	} {
		cache := t.TempDir()
		for n := range 2 {
			d, _ := told(t, cache, s)
			text := warnings(d)
			must(t, d.Close())
			if !strings.Contains(text, "1 mask belongs to no image, such as ") || !strings.Contains(text, `masks/3.png"`) {
				t.Errorf("%s, opened %d times before: %s", name, n, text)
			}
		}
	}
}

func TestMasksBesideImages(t *testing.T) {
	for _, c := range []struct {
		path  string
		files []string
		keys  []string
		masks []string
	}{
		{"masks/{stem}.png", []string{"cat/1.jpg", "cat/2.png", "dog/3.x.jpg", "masks/1.png", "masks/2.png", "masks/3.x.png", "masks/9.png"},
			[]string{"cat/1.jpg", "cat/2.png", "dog/3.x.jpg"}, []string{"masks/1.png", "masks/2.png", "masks/3.x.png"}},
		{"masks/{dir}/{stem}.png", []string{"cat/1.jpg", "dog/1.jpg", "masks/cat/1.png", "masks/dog/1.png"},
			[]string{"cat/1.jpg", "dog/1.jpg"}, []string{"masks/cat/1.png", "masks/dog/1.png"}},
		{"{dir}/{stem}_mask.png", []string{"cat/1.png", "cat/1_mask.png", "dog/2.png", "dog/2_mask.png", "dog/3.png"},
			[]string{"cat/1.png", "dog/2.png", "dog/3.png"}, []string{"cat/1_mask.png", "dog/2_mask.png", "none"}},
		{"{key}.png", []string{"cat/1.jpg", "cat/1.jpg.png", "cat/2.png", "cat/2.png.png"},
			[]string{"cat/1.jpg", "cat/2.png"}, []string{"cat/1.jpg.png", "cat/2.png.png"}},
		{"m/{name}", []string{"cat/1.png", "m/1.png"}, []string{"cat/1.png"}, []string{"m/1.png"}},
		{"{dir}/{stem}.png", []string{"1.jpg", "1.png"}, []string{"1.jpg"}, []string{"1.png"}},
	} {
		dir := tree(t, c.files...)
		list := "path\n" + strings.Join(c.keys, "\n")
		for name, s := range map[string]sources.Source{
			"folder":   sources.Folder{Path: dir, Masks: sources.Masks{Path: c.path}},
			"tar":      sources.Folder{Path: asTar(t, dir), Masks: sources.Masks{Path: c.path}},
			"zip":      sources.Folder{Path: asZip(t, dir), Masks: sources.Masks{Path: c.path}},
			"manifest": sources.Manifest{Path: write(t, dir, "list.csv", list), Masks: sources.Masks{Path: c.path}},
		} {
			d := open(t, s)
			same(t, c.path+", "+name, keys(d.Index()), c.keys)
			same(t, c.path+", "+name, masksOf(t, d), c.masks)
			spec := schema.TargetSpecOf(d.Index())
			if !spec.HasMask() || spec.Boxes {
				t.Errorf("%s: %+v", name, spec)
			}
			for _, task := range d.Index().Tasks() {
				if slices.Contains(task.Classes, "masks") || slices.Contains(task.Classes, "m") {
					t.Errorf("%s, %s: the folder of masks is a class: %v", c.path, name, task.Classes)
				}
			}
			text := warnings(d)
			if want := slices.Contains(c.masks, "none"); want != strings.Contains(text, `1 of 3 images have no mask, such as "dog/3.png", which would be "dog/3_mask.png"`) {
				t.Errorf("%s, %s: %s", c.path, name, text)
			}
			if want := slices.Contains(c.files, "masks/9.png") && name != "manifest"; want != strings.Contains(text, `1 mask belongs to no image, such as "masks/9.png"`) {
				t.Errorf("%s, %s: %s", c.path, name, text)
			}
			if sources.Identity(d.Index()) == "" {
				t.Error("no identity")
			}
		}
	}
}

func TestMaskNumbersAndIdentity(t *testing.T) {
	dir := tree(t, "cat/1.jpg", "masks/1.png")
	identity := func(m sources.Masks) string {
		return sources.Identity(open(t, sources.Folder{Path: dir, Masks: m}).Index())
	}
	plain := sources.Masks{Path: "masks/{stem}.png"}
	ignoring := plain
	ignoring.Ignore, ignoring.Classes = sources.Numbers{11}, sources.ClassList{List: []string{"sky", "road"}}
	d := open(t, sources.Folder{Path: dir, Masks: ignoring})
	to := targets(t, d, 0).MaskMap
	if to == nil || to[11] != 255 || to[0] != 0 || to[10] != 10 {
		t.Errorf("%v", to)
	}
	same(t, "classes", schema.TargetSpecOf(d.Index()).MaskClasses, []string{"sky", "road"})
	mapped := plain
	mapped.Values = sources.NumberMap{7: 0, 8: 1}
	to = targets(t, open(t, sources.Folder{Path: dir, Masks: mapped}), 0).MaskMap
	if to[7] != 0 || to[8] != 1 || to[0] != 255 || to[9] != 255 {
		t.Errorf("%v", to)
	}
	all := []string{identity(plain), identity(ignoring), identity(mapped)}
	write(t, dir, "masks/1.png", "longer than before")
	all = append(all, identity(plain))
	slices.Sort(all)
	if len(slices.Compact(all)) != 4 {
		t.Errorf("identities are alike: %v", all)
	}
	d = open(t, sources.Split{Source: sources.Folder{Path: tree(t, "cat/1.jpg", "cat/2.jpg", "masks/1.png", "masks/2.png"), Masks: plain}, Val: 0.5})
	same(t, "a split", masksOf(t, d), []string{"masks/" + strings.TrimSuffix(strings.TrimPrefix(d.Index().Key(0), "cat/"), ".jpg") + ".png"})
}

func TestMaskErrors(t *testing.T) {
	dir := tree(t, "cat/1.jpg", "masks/2.png")
	fails(t, sources.Folder{Path: dir, Masks: sources.Masks{Path: "masks/{stem}.png"}}, `no image has its mask, such as "masks/1.png" for "cat/1.jpg"`)
	fails(t, sources.Folder{Path: dir, Masks: sources.Masks{Path: "{key}"}}, "no image in this folder", "2 files are masks")
	for path, want := range map[string]string{
		"masks/{stem}.npy":    "does not end as images do: masks are PNG files",
		"masks/{steam}.png":   "there is no placeholder {steam}",
		"masks/one.png":       "is the same file for many images",
		"http://a/{stem}.png": "is a URL",
	} {
		if err := (sources.Folder{Path: dir, Masks: sources.Masks{Path: path}}).Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := (sources.Folder{Path: "a.zip", Masks: sources.Masks{Path: "../m/{stem}.png"}}).Check(); err == nil || !strings.Contains(err.Error(), "leads out of the archive") {
		t.Error(err)
	}
	dir = tree(t, "cat/1.jpg", "masks/1.png")
	d := open(t, sources.Folder{Path: dir, Masks: sources.Masks{Path: "masks/{stem}.png"}})
	write(t, dir, "masks/1.png", "changed")
	var out schema.Targets
	if err := d.(sources.Targeter).Targets(context.Background(), 0, &out); err == nil || errors.Is(err, sources.ErrTargets) || !strings.Contains(err.Error(), "has changed since it was listed") {
		t.Error(err)
	}
	must(t, os.Remove(filepath.Join(dir, "masks/1.png")))
	if err := d.(sources.Targeter).Targets(context.Background(), 0, &out); err == nil || errors.Is(err, sources.ErrTargets) {
		t.Error(err)
	}
}

// CamVid's pictures and masks, whose class 11 is unlabelled.
func TestStreetMasks(t *testing.T) {
	street := shared(t, "street")
	for name, s := range map[string]sources.Source{
		"both":   sources.Folder{Path: street, Tasks: []string{}, Masks: sources.Masks{Path: "masks/{stem}.png", MaskNumbers: sources.MaskNumbers{Ignore: sources.Numbers{11}}}},
		"beside": sources.Folder{Path: filepath.Join(street, "images"), Masks: sources.Masks{Path: "../masks/{stem}.png"}},
		"zip":    sources.Folder{Path: asZip(t, street), Masks: sources.Masks{Path: "masks/{name}"}},
	} {
		d := open(t, s)
		if n := d.Index().Len(); n != 25 || warnings(d) != "" {
			t.Errorf("%s: %d images: %s", name, n, warnings(d))
		}
		var into []uint8
		for i := range d.Index().Len() {
			values, height, width, err := decode.Mask(targets(t, d, i).Mask, into)
			if err != nil || slices.Max(values) > 11 {
				t.Fatalf("%s: %dx%d: %v", d.Index().Key(i), height, width, err)
			}
			image, err := d.Read(context.Background(), i, nil)
			must(t, err)
			if h, err := decode.ReadHeader(image); err != nil || h.Height != height || h.Width != width {
				t.Errorf("%s: a mask of %dx%d for %dx%d: %v", d.Index().Key(i), height, width, h.Height, h.Width, err)
			}
			into = values
		}
	}
}

// An index that was kept has the masks as they are now.
func TestKnownMasks(t *testing.T) {
	t.Parallel()
	dir, cache := tree(t, "cat/1.jpg", "cat/2.jpg", "masks/1.png", "masks/2.png"), t.TempDir()
	settle()
	list := "path\ncat/1.jpg\ncat/2.jpg\n"
	for name, s := range map[string]sources.Source{
		"folder":   sources.Folder{Path: dir, Masks: sources.Masks{Path: "masks/{stem}.png"}},
		"manifest": sources.Manifest{Path: write(t, dir, "list.csv", list), Masks: sources.Masks{Path: "masks/{stem}.png"}},
	} {
		must(t, os.WriteFile(filepath.Join(dir, "masks/2.png"), []byte("masks/2.png"), 0o644))
		settle()
		first, _ := told(t, cache, s)
		again, listings := told(t, cache, s)
		if len(listings) != 1 || listings[0].Read != 0 {
			t.Fatalf("%s: the index wasn't kept: %v", name, listings)
		}
		for _, d := range []sources.Dataset{first, again} {
			same(t, name, masksOf(t, d), []string{"masks/1.png", "masks/2.png"})
		}
		if sources.Identity(first.Index()) != sources.Identity(again.Index()) || !schema.TargetSpecOf(again.Index()).HasMask() {
			t.Errorf("%s: the kept index is another", name)
		}
		must(t, os.WriteFile(filepath.Join(dir, "masks/2.png"), []byte("another mask"), 0o644))
		third, _ := told(t, cache, s)
		same(t, name, masksOf(t, third), []string{"masks/1.png", "another mask"})
		if sources.Identity(first.Index()) == sources.Identity(third.Index()) {
			t.Errorf("%s: a mask of another size is the same data", name)
		}
	}
}

// What annotations belong to is an option, as that of coco, and part of the samples' identity.
func TestAnnotationsOfColumnsAndMasks(t *testing.T) {
	dir := tree(t, "cat/1.png", "masks/1.png")
	list := write(t, dir, "list.jsonl", `{"path": "cat/1.png", "objects": {"bbox": [[0, 0, 1, 1]], "category": ["a"]}}`)
	digests := map[[16]byte]bool{}
	for _, c := range []struct {
		masks, objects sources.Frame
		want           schema.Frame
	}{
		{"", "", schema.BySize},
		{sources.FrameStored, "", schema.Stored},
		{"", sources.FrameStored, schema.Stored},
		{sources.FrameDisplayed, sources.FrameDisplayed, schema.Displayed},
	} {
		d := open(t, sources.Manifest{Path: list, Masks: sources.Masks{Path: "masks/{stem}.png", MaskNumbers: sources.MaskNumbers{Annotations: c.masks}},
			Objects: sources.Objects{Column: "objects", Annotations: c.objects}})
		if have := targets(t, d, 0).Frame; have != c.want {
			t.Errorf("masks %q, objects %q: frame %d, want %d", c.masks, c.objects, have, c.want)
		}
		digests[schema.TargetDigestOf(d.Index(), 0)] = true
	}
	if len(digests) != 3 {
		t.Errorf("%d digests of 3 frames", len(digests))
	}
	_, err := sources.Open(t.Context(), sources.Manifest{Path: list, Masks: sources.Masks{Path: "masks/{stem}.png", MaskNumbers: sources.MaskNumbers{Annotations: sources.FrameStored}},
		Objects: sources.Objects{Column: "objects", Annotations: sources.FrameDisplayed}})
	if err == nil || !strings.Contains(err.Error(), "both belong to one picture") {
		t.Error(err)
	}
	err = sources.Folder{Path: dir, Masks: sources.Masks{MaskNumbers: sources.MaskNumbers{Annotations: "sideways"}}, Objects: sources.Objects{Annotations: "up"}}.Check()
	for _, want := range []string{"path: is missing", `annotations: "sideways" is neither`, `annotations: "up" is neither`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	shards := asTar(t, tree(t, "1.jpg", "1.seg.png"))
	d := open(t, sources.WebDataset{Shards: sources.Shards{shards}, Masks: sources.ShardMasks{Member: "seg.png", MaskNumbers: sources.MaskNumbers{Annotations: sources.FrameStored}}})
	if have := targets(t, d, 0).Frame; have != schema.Stored {
		t.Errorf("webdataset: frame %d", have)
	}
}
