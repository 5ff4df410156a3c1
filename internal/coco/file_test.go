package coco

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// readAll is all that a file says, as text.
func readAll(text string, block int) (string, error) {
	var out strings.Builder
	r := &fileReader{ctx: context.Background(), in: strings.NewReader(text), size: int64(len(text)), block: block, visitor: Visitor{
		Image: func(i *Image) error { fmt.Fprintf(&out, "%+v\n", *i); return nil },
		Annotation: func(a *Annotation, at, length int64) error {
			digest, _ := a.Digest(nil)
			fmt.Fprintf(&out, "%d %d %v %v %v %v %v %q %v: %x\n", a.ID, a.Image, a.Box, a.Points, a.Ends, a.Counts, a.Size, a.Text, a.Keypoints, digest)
			var again Annotation
			if err := ParseAnnotation([]byte(text[at:at+length]), &again); err != nil {
				return fmt.Errorf("its text again: %w", err)
			}
			if same, _ := again.Digest(nil); same != digest {
				return fmt.Errorf("its text again gives another annotation")
			}
			return nil
		},
	}}
	err := r.read()
	fmt.Fprintf(&out, "%v %s %v\n", r.file.Categories, r.file.CategoriesText, r.file.HasAnnotations)
	return out.String(), err
}

// TestBlocks: where blocks of the file end changes nothing.
func TestBlocks(t *testing.T) {
	text, err := os.ReadFile("../../sources/testdata/coco/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(text), strings.NewReplacer(",", "\n,\t", ":", " : ").Replace(string(text)),
		`{"x": "\ud83d\ude00\ud800\\\n\u00e4é", "images": [{"id": 12345678901234567, "file_name": "\ud83d\ude00\ud800a\ud800\u00e4\"\/.jpg", "height": 1.0}],
		"annotations": [{"id": -0, "image_id": 1.2e1, "area": -0.5e-3, "iscrowd": false, "bbox": [NaN, -Infinity, 1e400, 0.1]}]}`} {
		want, err := readAll(text, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for block := 1; block < 300; block += 1 + block/8 {
			if have, err := readAll(text, block); err != nil || have != want {
				t.Fatalf("in blocks of %d bytes: %v\n%s\nwant\n%s", block, err, have, want)
			}
		}
		for end := 0; end < len(text); end += 1 + len(text)/500 {
			if _, err := readAll(text[:end], 64); err == nil {
				t.Fatalf("the first %d bytes are taken for a whole file", end)
			}
		}
	}
}

// TestNumbers: numbers are those of strconv, which takes more forms than JSON has.
func TestNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	list := []string{"0", "-0", "0.1", "123456789012345678901234567890", "9007199254740993", "0.1e-400", "1e309", "5e-324", "9007199254740992.5", "0.000000000000001", "1234567.12345678"}
	for range 20_000 {
		list = append(list, strconv.FormatFloat(math.Float64frombits(random.Uint64()&^(1<<62)), 'g', -1, 64), strconv.FormatFloat(random.NormFloat64()*1000, 'f', random.IntN(18), 64))
	}
	for _, text := range list {
		s := &scanner{buf: []byte(text)}
		have, err := s.number()
		want, _ := strconv.ParseFloat(text, 64)
		if err != nil || math.Float64bits(have) != math.Float64bits(want) {
			t.Fatalf("%s: %v, %v, want %v", text, have, err, want)
		}
	}
	for _, text := range []string{"", "-", "01", "1.", ".5", "+1", "1e", "1e+", "--1", "-.5", "0x1", "nan", "inf", "1_0", "1-2", "00", "-01", "1.e5", "Inf", "1.2.3"} {
		s := &scanner{buf: []byte(text + " ")}
		if v, err := s.number(); err == nil && s.pos == len(text) {
			t.Errorf("%q is taken for %v", text, v)
		}
	}
}

// TestMemory: a file of many megabytes is read in little memory.
func TestMemory(t *testing.T) {
	var text strings.Builder
	text.WriteString(`{"skipped": "` + strings.Repeat("x", 20<<20) + `", "annotations": [`)
	ring := strings.Repeat("1.5, 2.5, ", 500)
	for i := range 6000 {
		fmt.Fprintf(&text, `%s{"id": %d, "image_id": 1, "segmentation": [[%s 3]]}`, map[bool]string{true: ","}[i > 0], i, ring)
	}
	text.WriteString(`], "images": [{"id": 1}]}`)
	var before, after runtime.MemStats
	n := 0
	runtime.ReadMemStats(&before)
	_, err := Read(context.Background(), strings.NewReader(text.String()), int64(text.Len()), Visitor{
		Image:      func(*Image) error { return nil },
		Annotation: func(a *Annotation, _, _ int64) error { n += len(a.Points); return nil },
	})
	runtime.ReadMemStats(&after)
	if err != nil || n != 6000*1001 {
		t.Fatal(n, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes were allocated for a file of %d", used, text.Len())
	}
}

func FuzzRead(f *testing.F) {
	text, err := os.ReadFile("../../sources/testdata/coco/instances.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text[:3000]))
	f.Add(`{"annotations": [{"id": 1, "image_id": 2, "bbox": [1, 2, 3, 4], "segmentation": {"counts": "52203", "size": [3, 4]}}], "images": [{"id": 2, "file_name": "a", "height": 3, "width": 4}], "categories": [{"id": 1}]}`)
	f.Add(`{"images": [], "annotations": [{"keypoints": [1, 2, 2], "segmentation": [[1, 2, 3, 4, 5, 6]]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		have, err := readAll(text, 1<<16)
		again, err2 := readAll(text, 7)
		if (err == nil) != (err2 == nil) || err == nil && have != again {
			t.Fatalf("in one block %v\n%s\nin small ones %v\n%s", err, have, err2, again)
		}
		if err != nil {
			return
		}
		_, err = Read(context.Background(), strings.NewReader(text), int64(len(text)), Visitor{
			Image: func(*Image) error { return nil },
			Annotation: func(a *Annotation, at, length int64) error {
				if len(a.Size) == 2 && (a.Size[0] > 1000 || a.Size[1] > 1000) {
					return nil
				}
				findings := a.Mend(3, 4, -1, nil)
				for _, f := range findings {
					if f.Fault.LeavesOut() {
						return nil
					}
				}
				for _, v := range a.Corners() {
					if math.IsNaN(float64(v)) {
						t.Fatalf("a box of %v", a.Corners())
					}
				}
				for _, ring := range a.Polygon() {
					if len(ring) < 6 || len(ring)%2 != 0 {
						t.Fatalf("a ring of %d numbers", len(ring))
					}
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
