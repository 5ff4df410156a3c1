package sources_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// Sides of a split, and VOC and YOLO joined, have the objects that the sources have.
func TestVOCWrapped(t *testing.T) {
	xml := map[string]string{}
	var images []string
	for _, stem := range []string{"a", "b", "c", "d", "e", "f"} {
		images = append(images, stem+".jpg")
		xml[stem+".xml"] = vocXML(stem+".jpg", vocObject("dog", "1 1 9 9"), vocObject("cat", "1 1 11 20"))
	}
	voc := sources.VOC{Path: vocFolder(t, images, xml)}
	whole, all, _ := openTargets(t, voc)
	byKey := map[string]schema.Targets{}
	for sample := range whole.Len() {
		byKey[whole.Key(sample)] = all[sample]
	}
	n := 0
	for _, side := range []sources.Side{"train", "val"} {
		index, some, _ := openTargets(t, sources.Split{Source: voc, Use: side, Val: 0.5})
		for sample, one := range some {
			n++
			if want := byKey[index.Key(sample)]; !reflect.DeepEqual(one, want) {
				t.Errorf("%s: %+v, want %+v", index.Key(sample), one, want)
			}
		}
		if have, want := schema.TargetSpecOf(index), schema.TargetSpecOf(whole); !reflect.DeepEqual(have, want) {
			t.Errorf("%s: %+v, want %+v", side, have, want)
		}
	}
	if n != whole.Len() {
		t.Errorf("%d samples on both sides, want %d", n, whole.Len())
	}
	yolo := yoloFolder(t, map[string]string{"images/a.jpg": "1", "labels/a.txt": "1 .5 .5 1 1\n0 .5 .5 .5 .5"})
	joined, objects, _ := openTargets(t, sources.Concat{Sources: map[string]sources.Source{
		"v": voc, "y": sources.YOLO{Images: filepath.Join(yolo, "images"), Classes: sources.Classes{List: []string{"bird", "cat"}}},
	}})
	classes := schema.TargetSpecOf(joined).Classes
	same(t, "classes", classes, []string{"bird", "cat", "dog"})
	last := objects[len(objects)-1]
	if o := last.Objects; len(o) != 2 || classes[o[0].Label] != "cat" || classes[o[1].Label] != "bird" || !last.Normalized {
		t.Errorf("of yolo: %+v", last)
	}
	if o := objects[0].Objects; len(o) != 2 || classes[o[0].Label] != "dog" || classes[o[1].Label] != "cat" {
		t.Errorf("of voc: %+v", o)
	}
}

// Objects keep their numbers: classes of another set that differ are an error.
func TestVOCClassesFrom(t *testing.T) {
	cat := map[string]string{"a.xml": vocXML("a.jpg", vocObject("cat", "1 1 9 9"))}
	dog := map[string]string{"a.xml": vocXML("a.jpg", vocObject("dog", "1 1 9 9"))}
	train := sources.VOC{Path: vocFolder(t, []string{"a.jpg"}, cat)}
	val := sources.VOC{Path: vocFolder(t, []string{"a.jpg"}, dog)}
	fails(t, sources.ClassesFrom{Source: val, From: train, File: "train.yaml"}, `the objects have the classes ["dog"], and those of "train.yaml" ["cat"]`)
	list := sources.Classes{List: []string{"cat", "dog"}}
	train.Classes, val.Classes = list, list
	_, all, _ := openTargets(t, sources.ClassesFrom{Source: val, From: train})
	if o := all[0].Objects; len(o) != 1 || o[0].Label != 1 {
		t.Errorf("%+v", o)
	}
}
