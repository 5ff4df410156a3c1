package flow_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// TestLargePictures runs pictures that the budget has no room for, in a process of its
// own: each is alone, so that no more is resident than the largest takes.
//
//	go test ./flow -run TestLargePictures -memory -v
//
// takes 200 megapixels instead of a few, every way of decoding, and several numbers of
// workers.
func TestLargePictures(t *testing.T) {
	if text := os.Getenv("SLUICE_LARGE"); text != "" {
		var c largeCase
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		c.child(t)
		return
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc here, to see what is resident")
	}
	if testing.Short() || flow.RaceEnabled {
		t.Skip("takes seconds; the race detector has memory of its own")
	}
	dir := t.TempDir()
	side, count := 6000, 2
	if *memoryFlag {
		side, count = 14144, 3 // 200 megapixels
	}
	for format, file := range map[string]func(side int) []byte{
		"baseline.jpg": blankJPEG, "progressive.jpg": blankProgressive, "turned.jpg": func(side int) []byte { return turned(blankJPEG(side), 6) },
		"rgb.png": blankPNG, "lossless.webp": blankWebP, "deflate.tif": blankTIFF,
	} {
		data := file(side)
		for i := range count {
			write(t, filepath.Join(dir, "all", fmt.Sprintf("%d-%s", i, format)), data)
			write(t, filepath.Join(dir, format, fmt.Sprintf("%d%s", i, filepath.Ext(format))), data)
		}
	}
	cases := []largeCase{{Dir: "all", Workers: 8, Budget: 16 << 20, Recipe: "resize"}, {Dir: "all", Workers: 2, Budget: 16 << 20, Recipe: "whole", Limit: true}}
	if *memoryFlag {
		cases = nil
		for _, format := range []string{"baseline.jpg", "progressive.jpg", "turned.jpg", "rgb.png", "lossless.webp", "deflate.tif", "all"} {
			for _, workers := range []int{1, 2, 8} {
				cases = append(cases, largeCase{Dir: format, Workers: workers, Budget: 64 << 20, Recipe: "resize", Limit: true})
			}
		}
		for _, recipe := range []string{"whole", "rotate", "jitter"} {
			cases = append(cases, largeCase{Dir: "all", Workers: 2, Budget: 64 << 20, Recipe: recipe, Limit: true},
				largeCase{Dir: "all", Workers: 2, Budget: 1 << 30, Recipe: recipe, Limit: true},
				largeCase{Dir: "all", Workers: 2, Budget: 64 << 20, Recipe: recipe})
		}
		cases = append(cases, largeCase{Dir: "rgb.png", Workers: 2, Budget: 64 << 20, Recipe: "rotate", Exec: flow.Reference, Limit: true})
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%s/%d workers/%d MiB/limit %v", c.Dir, c.Recipe, c.Workers, c.Budget>>20, c.Limit), func(t *testing.T) {
			c.Dir = filepath.Join(dir, c.Dir)
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestLargePictures$", "-test.v", "-test.timeout=20m")
			cmd.Env = append(os.Environ(), "SLUICE_LARGE="+string(text))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var peak, row int64
			var seconds float64
			for line := range strings.Lines(string(out)) {
				if _, rest, ok := strings.Cut(line, "measured: "); ok {
					fmt.Sscan(rest, &peak, &row, &seconds)
				}
			}
			t.Logf("%4d MiB resident, %4d MiB for the largest row, %.1f s", peak>>20, row>>20, seconds)
			if peak == 0 || row < int64(side*side) {
				t.Fatalf("nothing measured: %s", out)
			}
			if bound := max(row, c.Budget) + 100<<20; peak > bound {
				t.Errorf("%d MiB resident, and %d are allowed", peak>>20, bound>>20)
			}
		})
	}
}

type largeCase struct {
	Dir, Recipe string
	Workers     int
	Budget      int64
	Exec        flow.Executor
	Limit       bool // Go's memory limit is set, as the commands do
}

func (c *largeCase) child(t *testing.T) {
	list := []stages.Stage{stages.Decode{}}
	switch c.Recipe {
	case "whole": // all of the picture is read, and it is resized in a pass of its own
		list = append(list, stages.Resize{Height: 32, Width: 32, Interpolation: stages.Lanczos})
	case "rotate":
		list = append(list, stages.Rotate{Degrees: stages.Range{5, 30}}, stages.Resize{Height: 32, Width: 32, Interpolation: stages.Lanczos})
	case "jitter":
		list = append(list, stages.ColorJitter{Contrast: stages.Around(0.3)}, stages.Resize{Height: 32, Width: 32})
	case "resize":
		list = append(list, stages.RandomResizedCrop{Size: 32})
	}
	pipe := flow.New(sources.Folder{Path: c.Dir}, append(list, stages.Batch{Size: 4})...)
	opts := []flow.Option{flow.Budget(c.Budget), flow.Workers(c.Workers), flow.Exec(c.Exec)}
	if c.Limit {
		opts = append(opts, flow.OnPlan(limitMemory))
	}
	report, err := pipe.Run(t.Context(), &sink{}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	var kib int64
	fmt.Sscan(strings.TrimPrefix(resident(t, "VmHWM"), "VmHWM: "), &kib)
	t.Logf("measured: %d %d %f", kib<<10, report.Memory.RowBytes, report.Seconds)
}

// grey is a zlib stream of side rows of grey RGB pixels behind before bytes of 0.
func grey(side, before int) []byte {
	var data bytes.Buffer
	z := zlib.NewWriter(&data)
	row := bytes.Repeat([]byte{99}, before+3*side)
	clear(row[:before])
	for range side {
		z.Write(row)
	}
	z.Close()
	return data.Bytes()
}

// blankTIFF is a grey picture in one strip.
func blankTIFF(side int) []byte {
	data := grey(side, 0)
	entries := [][4]int{ // tag, type (3: 16 bits, 4: 32), count, value
		{256, 4, 1, side}, {257, 4, 1, side}, {258, 3, 3, 8 + len(data)}, {259, 3, 1, 8}, {262, 3, 1, 2},
		{273, 4, 1, 8}, {277, 3, 1, 3}, {278, 4, 1, side}, {279, 4, 1, len(data)},
	}
	out := binary.LittleEndian.AppendUint32([]byte("II*\x00"), uint32(8+len(data)+6))
	out = append(append(out, data...), 8, 0, 8, 0, 8, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(out, uint16(e[0])), uint16(e[1]))
		out = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, uint32(e[2])), uint32(e[3]))
	}
	return append(out, 0, 0, 0, 0)
}

// blankPNG is a grey picture; its files are small.
func blankPNG(side int) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, body []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		begin := len(out)
		out = append(append(out, kind...), body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[begin:]))
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(side))
	chunk("IHDR", append(binary.BigEndian.AppendUint32(head, uint32(side)), 8, 2, 0, 0, 0))
	chunk("IDAT", grey(side, 1))
	chunk("IEND", nil)
	return out
}

// blankWebP is a black lossless picture: its codes have one symbol each, so that pixels
// take no bits at all.
func blankWebP(side int) []byte {
	var acc uint64
	n := 0
	put := func(v uint64, bits int) { acc, n = acc|v<<n, n+bits }
	put(0x2f, 8)
	put(uint64(side-1), 14)
	put(uint64(side-1), 14)
	put(0, 1+3+1+1+1) // no alpha, version, no transform, no colour cache, no groups of codes
	out := binary.LittleEndian.AppendUint64(nil, acc)[:n/8]
	acc, n = acc>>(n/8*8), n%8
	for range 5 {
		put(1, 4) // a simple code of the one symbol 0
	}
	out = append(out, binary.LittleEndian.AppendUint64(nil, acc)[:(n+7)/8]...)
	out = append(out, make([]byte, 16+len(out)%2)...)
	file := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(out)))
	file = binary.LittleEndian.AppendUint32(append(file, "WEBPVP8L"...), uint32(len(out)))
	return append(file, out...)
}

// blankHeader is the markers of a file of Go's up to its scan: a picture of 4:2:0 with
// the tables of T.81's annex K.
func blankHeader(side int, sof byte) []byte {
	var b bytes.Buffer
	img := image.NewYCbCr(image.Rect(0, 0, 16, 16), image.YCbCrSubsampleRatio420)
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	head, _, _ := bytes.Cut(b.Bytes(), []byte{0xff, 0xda})
	at := bytes.Index(head, []byte{0xff, 0xc0})
	head[at+1] = sof
	binary.BigEndian.PutUint16(head[at+5:], uint16(side))
	binary.BigEndian.PutUint16(head[at+7:], uint16(side))
	return head
}

// blankJPEG is a grey picture: of each block a difference of 0, and its end.
func blankJPEG(side int) []byte {
	mcus := (side + 15) / 16 * ((side + 15) / 16)
	out := append(blankHeader(side, 0xc0), 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0)
	out = append(out, bytes.Repeat([]byte{0x28, 0xa2, 0x8a, 0x00}, mcus)...)
	return append(out, 0xff, 0xd9)
}

// blankProgressive is the same in four scans.
func blankProgressive(side int) []byte {
	mcus := (side + 15) / 16 * ((side + 15) / 16)
	out := append(blankHeader(side, 0xc2), 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x10, 3, 0x10, 0, 0, 0)
	out = append(out, make([]byte, (12*mcus+7)/8)...)
	for c, blocks := range []int{(side + 7) / 8 * ((side + 7) / 8), mcus, mcus} {
		out = append(out, 0xff, 0xda, 0, 8, 1, byte(c+1), 0, 1, 63, 0)
		out = append(out, bytes.Repeat([]byte{0xaa}, (blocks+1)/2)...)
	}
	return append(out, 0xff, 0xd9)
}
