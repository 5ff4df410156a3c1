package sources_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

func TestShardTargets(t *testing.T) {
	name := one(t, "b/2.jpg: two", "b/2.seg.png: mask of 2", `b/2.json: {"tags":["rain","day"],"age":7,"objects":[{"bbox":[1,2,3,4],"category":"car"}]}`,
		"a/1.jpg: one", `a/1.json: {"tags":"day;night","age":null,"objects":{"bbox":[[0,0,1,1],[0,0,0,1]],"category":["bus","car"]}}`, "a/1.seg.png: mask of 1",
		"c.jpg: three", `c.json: {"tags":[]}`)
	w := sources.WebDataset{Shards: name, Tasks: map[string]string{}, Masks: sources.ShardMasks{Member: "seg.png", MaskNumbers: sources.MaskNumbers{Ignore: sources.Numbers{11}}},
		Multi: sources.Multi{"tags": {Column: "json:tags"}}, Values: sources.ValueColumns{"age": "json:age"}, Objects: sources.Objects{Column: "objects"}}
	d := open(t, w)
	x := d.Index()
	must(t, schema.Check(x))
	same(t, "keys", keys(x), []string{"s.tar/a/1.jpg", "s.tar/b/2.jpg", "s.tar/c.jpg"})
	same(t, "masks", masksOf(t, d), []string{"mask of 1", "mask of 2", "none"})
	same(t, "tags", values(t, d, "label.tags"), []string{"[0 1]", "[0 2]", "[]"})
	same(t, "age", values(t, d, "label.age"), []string{"<nil>", "7", "<nil>"})
	same(t, "classes", schema.TargetSpecOf(x).Classes, []string{"bus", "car"})
	for i, want := range [][]int32{{0}, {1}, {}} {
		same(t, "objects", schema.ObjectLabelsOf(x, i), want)
	}
	if o := targets(t, d, 1).Objects; len(o) != 1 || o[0].Box != [4]float32{1, 2, 4, 6} {
		t.Errorf("%+v", o)
	}
	for _, want := range []string{
		`1 of 3 images have no mask, such as "s.tar/c.jpg", which would be "s.tar/c.seg.png"`,
		`1 object with a box without width or height, such as object 2 of "s.tar/a/1.jpg"`,
		`1 row with no objects in the column "objects"`,
	} {
		if !strings.Contains(warnings(d), want) {
			t.Errorf("%s\nlacks %s", warnings(d), want)
		}
	}
	before := sources.Identity(x)
	w.Masks.Ignore = nil
	if sources.Identity(open(t, w).Index()) == before {
		t.Error("ignore is not in the identity")
	}
}

// Members that don't stand together are one sample.
func TestShardTargetsApart(t *testing.T) {
	name := one(t, "2.seg.png: mask of 2", "1.jpg: one", "2.jpg: two", "1.seg.png: mask of 1")
	d := open(t, sources.WebDataset{Shards: name, Masks: sources.ShardMasks{Member: "SEG.png"}})
	same(t, "masks", masksOf(t, d), []string{"mask of 1", "mask of 2"})
}

func TestShardTargetErrors(t *testing.T) {
	name := one(t, "1.jpg: one", `1.json: {"tags":["day",["x"]],"o":{"bbox":[[1,2,3]],"category":[1]}}`)
	fails(t, sources.WebDataset{Shards: name, Tasks: map[string]string{}, Multi: sources.Multi{"tags": {Column: "json:tags"}}}, `sample "s.tar/1.jpg": json:tags: item 2 is no label`)
	fails(t, sources.WebDataset{Shards: name, Tasks: map[string]string{}, Objects: sources.Objects{Column: "json:o"}}, `sample "s.tar/1.jpg": json:o: the box of object 1 has 3 numbers`)
	fails(t, sources.WebDataset{Shards: name, Tasks: map[string]string{}, Masks: sources.ShardMasks{Member: "seg.png"}}, `no image has its mask, such as "s.tar/1.seg.png"`)
	for _, c := range []struct {
		member, want string
		image        []string
	}{{".seg.png", "without its dot", nil}, {"png", "is an extension of images", nil}, {"seg.npy", "does not end as images do", nil}, {"a/b.png", "is not an extension", nil}, {"png", "", []string{"jpg"}}} {
		err := sources.WebDataset{Shards: name, Image: c.image, Masks: sources.ShardMasks{Member: c.member}}.Check()
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.member, err)
		}
	}
	if err := (sources.WebDataset{Shards: name, Objects: sources.Objects{Column: "json"}}).Check(); err == nil || !strings.Contains(err.Error(), "say where in the JSON") {
		t.Error(err)
	}
	if !slices.Contains(sources.BoxForm("").Values(), "xywh") {
		t.Error("the forms of boxes")
	}
}
