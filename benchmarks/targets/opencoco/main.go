// Command opencoco opens an annotation file by the source coco, and prints how long that took and how
// much memory, as JSON for coco.py.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: opencoco FILE IMAGES")
		os.Exit(2)
	}
	if err := measure(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(file, images string) error {
	ctx := context.Background()
	before := heap()
	began := time.Now()
	d, err := sources.Open(ctx, sources.Coco{File: file, Images: images})
	if err != nil {
		return err
	}
	defer d.Close()
	seconds := time.Since(began).Seconds()
	peak := peakMiB()
	resident := heap() - before
	for _, text := range d.(sources.Warner).Warnings() {
		fmt.Fprintln(os.Stderr, text)
	}
	objects := 0
	for s := range d.Index().Len() {
		objects += len(schema.ObjectLabelsOf(d.Index(), s))
	}
	const rows = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	var t schema.Targets
	began = time.Now()
	for range rows {
		t.Reset()
		if err := d.(sources.Targeter).Targets(ctx, random.IntN(d.Index().Len()), &t); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"seconds": seconds, "peak_mib": peak, "resident_mib": resident, "row_us": float64(time.Since(began).Microseconds()) / rows,
		"images": float64(d.Index().Len()), "objects": float64(objects),
	})
}

// heap is what is in use, in MiB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// peakMiB is the most memory that the process has had so far; 0 where the system doesn't tell.
func peakMiB() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}
