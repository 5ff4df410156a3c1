package flow_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

var memoryFlag = flag.Bool("memory", false, "measure the resident memory of runs (a minute)")

// TestMemory runs ten epochs of pictures from 32x32 to 6000x4000 in a process of
// its own, under a budget of 256 MiB and the memory limit that the commands set,
// and looks at the most that was resident.
//
//	go test ./flow -run TestMemory -memory -v
func TestMemory(t *testing.T) {
	const budget = 256 << 20
	if dir := os.Getenv("SLUICE_MEMORY_DIR"); dir != "" {
		memoryChild(t, dir, os.Getenv("SLUICE_MEMORY_SINK"), budget)
		return
	}
	if !*memoryFlag {
		t.Skip("takes a minute: -memory")
	}
	dir := t.TempDir()
	for i := range 60 {
		side := 32 << (i % 6)
		writeGradient(t, filepath.Join(dir, "small", fmt.Sprintf("%02d.jpg", i)), side, side*3/4)
	}
	for i := range 6 {
		writeGradient(t, filepath.Join(dir, "large", fmt.Sprintf("%d.jpg", i)), 6000, 4000)
	}
	for _, sink := range []string{"quick", "stalls", "keeps10"} {
		t.Run(sink, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMemory$", "-test.v", "-test.timeout=20m")
			cmd.Env = append(os.Environ(), "SLUICE_MEMORY_DIR="+dir, "SLUICE_MEMORY_SINK="+sink)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var peak int64
			for line := range strings.Lines(string(out)) {
				if _, rest, ok := strings.Cut(line, "VmHWM:"); ok {
					fmt.Sscan(rest, &peak)
				}
				if strings.Contains(line, "epoch") || strings.Contains(line, "report") {
					t.Log(strings.TrimSpace(line))
				}
			}
			t.Logf("%s: at most %d MiB resident", sink, peak>>10)
			if peak == 0 || peak<<10 > budget+100<<20 {
				t.Errorf("%d MiB, the budget is %d MiB", peak>>10, budget>>20)
			}
		})
	}
}

func writeGradient(t testing.TB, name string, width, height int) {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, color.RGBA{uint8(x), uint8(y), uint8((x ^ y) >> 2), 255})
		}
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, nil); err != nil {
		t.Fatal(err)
	}
	write(t, name, buf.Bytes())
}

// memorySink stalls for half a second in every tenth batch, or keeps ten.
type memorySink struct {
	sink
	kind string
	kept []*schema.Batch
	n    int
	t    testing.TB
}

func (s *memorySink) Write(_ context.Context, b *schema.Batch) error {
	s.n++
	if s.kind == "stalls" && s.n%10 == 0 {
		time.Sleep(500 * time.Millisecond)
	}
	if s.kind == "keeps10" {
		b.Retain()
		if s.kept = append(s.kept, b); len(s.kept) > 10 {
			s.kept[0].Release()
			s.kept = s.kept[1:]
		}
	}
	if b.Number == 0 && b.Variant == 0 {
		s.t.Logf("epoch %d: %s", b.Epoch, resident(s.t, "VmRSS"))
	}
	return nil
}

func memoryChild(t *testing.T, dir, kind string, budget int64) {
	pipe := flow.New(sources.Folder{Path: dir}, stages.Shuffle{}, stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}},
		stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}}, stages.Resize{Height: 224, Width: 224}, stages.ToTensor{},
		stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd}, stages.Batch{Size: 16}, stages.MultiScale{Scales: []float64{0.5, 1}})
	s := &memorySink{kind: kind, t: t}
	exec := flow.Fused
	if os.Getenv("SLUICE_MEMORY_EXEC") == "reference" {
		exec = flow.Reference
	}
	report, err := pipe.Run(t.Context(), s, flow.Epochs(10), flow.Budget(budget), flow.Workers(4), flow.OnPlan(limitMemory), flow.Exec(exec))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range s.kept {
		b.Release()
	}
	t.Logf("report: %.1f s, %s, %+v", report.Seconds, report.Bottleneck, report.Memory)
	t.Log(resident(t, "VmHWM"))
}

// limitMemory is as cmd/sluice's.
func limitMemory(p *flow.Plan) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(int64(m.HeapAlloc) + p.Settings().Budget + 48<<20)
	}
}

func resident(t testing.TB, what string) string {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc here")
	}
	_, rest, _ := strings.Cut(string(data), what+":")
	value, _, _ := strings.Cut(rest, "\n")
	return what + ": " + strings.TrimSpace(value)
}
