package sources_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// saved writes a data set as save_to_disk does.
func saved(t *testing.T, dir, features string, columns []col) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	write(t, dir, "data-00000-of-00001.arrow", string(arrowBytes(t, true, 2, nil, nil, columns)))
	write(t, dir, "state.json", `{"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": null}`)
	write(t, dir, "dataset_info.json", `{"features": {`+features+`}}`)
}

const hfFeatures = `"img": {"_type": "Image"}, "label": {"names": ["zebra", "ant"], "_type": "ClassLabel"},
	"color": {"dtype": "string", "_type": "Value"}, "n": {"dtype": "int64", "_type": "Value"}, "boxes": {"feature": {"dtype": "int64", "_type": "Value"}, "_type": "List"}`

func hfColumns() []col {
	return []col{
		{"img", hfImage, []any{[]any{"first", "a.jpg"}, []any{nil, "in/b.jpg"}, []any{nil, "gone.jpg"}, nil}},
		{"label", arrow.PrimitiveTypes.Int64, []any{1, 0, -1, nil}},
		{"color", arrow.BinaryTypes.String, []any{"red", nil, "blue", "red"}},
		{"n", arrow.PrimitiveTypes.Int64, []any{7, 8, nil, 9}},
		{"boxes", arrow.ListOf(arrow.PrimitiveTypes.Int64), []any{[]any{1}, nil, nil, nil}},
	}
}

func TestHuggingFace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	saved(t, dir, hfFeatures, hfColumns())
	must(t, os.Mkdir(filepath.Join(dir, "in"), 0o755))
	write(t, dir, "in/b.jpg", "the second")
	source := sources.HuggingFace{Saved: dir, Tasks: []string{"label", "color"}, Meta: sources.Meta{{Name: "n"}}}
	sourcetest.Run(t, func() sources.Source { return source })
	d := open(t, source)
	x := d.Index()
	if diff := cmp.Diff([]schema.Task{{Name: "label", Classes: []string{"zebra", "ant"}}, {Name: "color", Classes: []string{"blue", "red"}}}, x.Tasks()); diff != "" {
		t.Error(diff)
	}
	for i, want := range []string{"first 1 1 7", "the second 0 -1 8", " -1 0 <nil>", " -1 1 9"} {
		data, err := d.Read(context.Background(), i, nil)
		if (i >= 2) != errors.Is(err, sources.ErrMissing) || i < 2 && err != nil {
			t.Errorf("row %d: %v", i, err)
		}
		if got := fmt.Sprint(string(data), " ", x.Label(0, i), " ", x.Label(1, i), " ", x.Value(0, i)); got != want || x.Key(i) != fmt.Sprintf("data-00000-of-00001.arrow#%d", i) {
			t.Errorf("row %d (%s): %s, want %s", i, x.Key(i), got, want)
		}
	}
	if x := open(t, sources.HuggingFace{Saved: dir}).Index(); len(x.Tasks()) != 1 || x.Tasks()[0].Name != "label" {
		t.Errorf("tasks %v: want those of the feature ClassLabel", x.Tasks())
	}
	write(t, dir, "in/b.jpg", "rewritten!!")
	if _, err := d.Read(context.Background(), 1, nil); err == nil || errors.Is(err, sources.ErrMissing) {
		t.Errorf("a file that has changed: %v", err)
	}
	fails(t, sources.HuggingFace{Saved: dir, Tasks: []string{"boxes"}}, `column "boxes" has the type list<int64>`, "leave it out")
	fails(t, sources.HuggingFace{Saved: dir, Tasks: []string{"shape"}}, `tasks: there is no column "shape"`)
	fails(t, sources.HuggingFace{Saved: dir, Image: "color"}, `column "color" has the type utf8`)
	fails(t, sources.HuggingFace{Saved: dir, Split: "train"}, "leave split out")
	fails(t, sources.HuggingFace{Saved: dir, Split: "../x"}, "split")
	fails(t, sources.HuggingFace{}, "saved: is missing")
}

func TestHuggingFaceSplits(t *testing.T) {
	dir := t.TempDir()
	columns := hfColumns()[:2]
	columns[0].values[1], columns[0].values[2] = []any{"second", nil}, []any{"third", nil}
	for _, split := range []string{"train", "test"} {
		saved(t, filepath.Join(dir, split), hfFeatures, columns)
	}
	write(t, dir, "dataset_dict.json", `{"splits": ["train", "test"]}`)
	if n := open(t, sources.HuggingFace{Saved: dir, Split: "test"}).Index().Len(); n != 4 {
		t.Errorf("%d rows", n)
	}
	fails(t, sources.HuggingFace{Saved: dir}, `split: it has the splits "train", "test": say which`)
	fails(t, sources.HuggingFace{Saved: dir, Split: "dev"}, `there is no split "dev"`)
	write(t, dir, "dataset_dict.json", `{"splits": ["../train"]}`)
	fails(t, sources.HuggingFace{Saved: dir}, `damaged: a split has the name "../train"`)
	write(t, dir, "dataset_dict.json", `{"splits": `)
	fails(t, sources.HuggingFace{Saved: dir}, "dataset_dict.json: damaged")
}

// Nothing outside of the folder is read, whatever the rows say.
func TestHuggingFaceRefuses(t *testing.T) {
	outside := t.TempDir()
	secret := write(t, outside, "secret.jpg", "secret")
	for _, name := range []string{"../secret.jpg", secret, "link/secret.jpg", "in/../../secret.jpg"} {
		dir := filepath.Join(outside, "set")
		must(t, os.RemoveAll(dir))
		saved(t, dir, hfFeatures, []col{{"img", hfImage, []any{[]any{"x", nil}, []any{nil, name}}}, {"label", arrow.PrimitiveTypes.Int64, []any{0, 0}}})
		must(t, os.Symlink(outside, filepath.Join(dir, "link")))
		fails(t, sources.HuggingFace{Saved: dir}, `"data-00000-of-00001.arrow": row 1: column "img"`, "secret.jpg")
	}
	dir := t.TempDir()
	fails(t, sources.HuggingFace{Saved: dir}, "isn't what save_to_disk wrote")
	saved(t, dir, hfFeatures+`, "other": {"_type": "Image"}`, hfColumns())
	fails(t, sources.HuggingFace{Saved: dir}, `the columns "img", "other" are of the feature Image: say which`)
	saved(t, dir, `"label": {"names": ["a", "a"], "_type": "ClassLabel"}, "img": {"_type": "Image"}`, hfColumns())
	fails(t, sources.HuggingFace{Saved: dir}, `dataset_info.json: "label"`, "repeats class 0")
	saved(t, dir, hfFeatures, hfColumns())
	write(t, dir, "state.json", `{"_data_files": [{"filename": "../data.arrow"}]}`)
	fails(t, sources.HuggingFace{Saved: dir}, `damaged: a file has the name "../data.arrow"`)
	write(t, dir, "state.json", `{"_data_files": [{"filename": "data-1.arrow"}]}`)
	fails(t, sources.HuggingFace{Saved: dir}, `"data-1.arrow": there is no such file`)
	data := arrowBytes(t, true, 2, nil, nil, hfColumns())
	write(t, dir, "data-1.arrow", string(data[:len(data)/2]))
	fails(t, sources.HuggingFace{Saved: dir}, `"data-1.arrow"`, "it is truncated")
}
