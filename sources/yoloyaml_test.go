package sources_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

// A data.yaml of nothing but brackets ends soon, with an error.
func TestYOLODeepYAML(t *testing.T) {
	dir := yoloFolder(t, map[string]string{"images/a.jpg": "1", "labels/a.txt": "0 .5 .5 1 1"})
	for name, text := range map[string]string{
		"lists":   "train: images\nnames: " + strings.Repeat("[", 1<<18-100),
		"maps":    "train: images\nnames: " + strings.Repeat("{a: ", 1<<16-100),
		"entries": "train: images\nnames: " + strings.Repeat("- ", 1<<17-100),
		"closed":  "train: images\nnames: " + strings.Repeat("[", 1<<16) + strings.Repeat("]", 1<<16),
		"large":   "train: images\nnames: [a]\n#" + strings.Repeat("x", 1<<18),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "data.yaml")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			d, err := sources.Open(t.Context(), sources.YOLO{Data: file})
			if err == nil {
				d.Close()
			}
			if took := time.Since(begin); err == nil || took > 10*time.Second || len(err.Error()) > 2000 {
				t.Errorf("%v long: %.200q", took, err)
			}
		})
	}
}

func FuzzYOLOYAML(f *testing.F) {
	f.Add("train: images\nnames: [a]\n")
	f.Add("path: .\ntrain: [images, list.txt]\nnames: {0: a, 1: b}\nnc: 2\nkpt_shape: [1, 2]\nflip_idx: [0]\n")
	f.Add("train: &x images\nval: *x\nnames:\n  - a\n<<: {nc: 1}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "..") || strings.Contains(text, ": /") || strings.Contains(text, "[/") {
			t.Skip("folders of this machine")
		}
		dir := yoloFolder(t, map[string]string{"data.yaml": text, "images/a.jpg": "1", "labels/a.txt": "0 .5 .5 1 1", "list.txt": "images/a.jpg\n"})
		d, err := sources.Open(t.Context(), sources.YOLO{Data: filepath.Join(dir, "data.yaml")})
		if err != nil {
			return
		}
		defer d.Close()
		if err := schema.Check(d.Index()); err != nil {
			t.Fatal(err)
		}
	})
}
