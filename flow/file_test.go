package flow_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// jpegFiles is a folder of files of every layout, each with some EXIF orientation.
func jpegFiles(t *testing.T, r *rand.Rand) (dir string, files [][]byte) {
	t.Helper()
	data, err := os.ReadFile("../internal/jpeg/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Cases []struct{ Encoded []byte } }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for i, c := range golden.Cases {
		orientation := string(rune(1 + r.IntN(8)))
		tiff := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + orientation + "\x00\x00\x00\x00\x00\x00"
		file := append([]byte("\xff\xd8\xff\xe1\x00"), byte(len(tiff)+2))
		file = append(append(file, tiff...), c.Encoded[2:]...)
		write(t, filepath.Join(dir, "jpeg", fmt.Sprintf("%02d.jpg", i)), file)
		files = append(files, file)
	}
	return dir, files
}

// Of a JPEG file only a part is decoded; exact has the reference's bytes all the same,
// whatever the layout and orientation, and full the reference's params and failures.
func TestPartsOfJPEGFiles(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (replay with -schedules %d)", seed, seed)
	r := rand.New(rand.NewPCG(seed, 6))
	dir, _ := jpegFiles(t, r)
	skip := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 1}})
	for range 25 {
		list := randomStages(r)
		pipe := flow.New(sources.Folder{Path: dir}, list...)
		draws := flow.Seed(r.Uint64())
		want, wantParams, err := contents(t, pipe, draws, skip, flow.Exec(flow.Reference))
		got, params, exactErr := contents(t, pipe, draws, skip, flow.WithFuse(flow.FuseExact))
		_, full, fullErr := contents(t, pipe, draws, skip)
		if fmt.Sprint(err) != fmt.Sprint(exactErr) || fmt.Sprint(err) != fmt.Sprint(fullErr) {
			t.Fatalf("the reference says %v, exact %v, full %v\n%s", err, exactErr, fullErr, names(list))
		}
		if !slices.Equal(params, wantParams) || !slices.Equal(full, wantParams) {
			t.Fatalf("other params\n%s", names(list))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("row %d: other bytes than the reference's\n%s%s", i, params[i], names(list))
			}
		}
	}
}

// A file cut anywhere fails for every draw, in decode, though its first rows suffice.
func TestCutJPEGFilesFail(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	_, files := jpegFiles(t, r)
	for _, data := range files[:12] {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a", "0.jpg"), data[:60+r.IntN(len(data)-61)])
		pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Crop{Size: 0.3, Offset: stages.Range{0, 0.01}},
			stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 1})
		for _, fuse := range []flow.Fuse{flow.FuseFull, flow.FuseExact} {
			_, _, err := contents(t, pipe, flow.WithFuse(fuse))
			var row *flow.RowError
			if !errors.As(err, &row) || row.Stage != "decode" {
				t.Errorf("%s: a cut file gives %v", fuse, err)
			}
		}
	}
}
