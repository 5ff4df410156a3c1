package sinks_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// pipeline is three cats and two dogs, of 4 x 2 pixels, in batches of two.
func pipeline(dir string) *flow.Pipeline {
	for class, n := range map[string]int{"cat": 3, "dog": 2} {
		for i := range n {
			name := filepath.Join(dir, class, fmt.Sprintf("%d.ppm", i))
			_ = os.MkdirAll(filepath.Dir(name), 0o777)
			_ = os.WriteFile(name, append([]byte("P6 4 2 255\n"), make([]byte, 4*2*3)...), 0o666)
		}
	}
	return flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.CenterCrop{Height: 2, Width: 4}, stages.Batch{Size: 2})
}

// A run into a directory leaves Arrow files with a manifest. Run again, it finds
// everything there.
func ExampleArrowParts() {
	data, out := tempDir(), tempDir()
	defer os.RemoveAll(data)
	defer os.RemoveAll(out)
	parts := &sinks.ArrowParts{Dir: out, PartRows: 4, Codec: sinks.LZ4}
	for range 2 {
		report, err := pipeline(data).Run(context.Background(), parts)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(report.Rows, "rows written")
	}
	manifest, err := sinks.ReadManifest(out)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range manifest.Parts {
		fmt.Println(file.Name, file.Rows, file.Classes["class"])
	}
	// Output:
	// 5 rows written
	// 0 rows written
	// part-00000-of-00002.arrow 4 [3 1 0]
	// part-00001-of-00002.arrow 1 [0 1 0]
}

func ExampleReadParts() {
	data, out := tempDir(), tempDir()
	defer os.RemoveAll(data)
	defer os.RemoveAll(out)
	if _, err := pipeline(data).Run(context.Background(), &sinks.ArrowParts{Dir: out}); err != nil {
		fmt.Println(err)
		return
	}
	err := sinks.ReadParts(out, func(b *schema.Batch) error {
		for row := range b.Rows() {
			p := b.Picture(row)
			fmt.Println(b.Key(row), b.Labels(0)[row], p.Width, "x", p.Height)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// cat/0.ppm 0 4 x 2
	// cat/1.ppm 0 4 x 2
	// cat/2.ppm 0 4 x 2
	// dog/0.ppm 1 4 x 2
	// dog/1.ppm 1 4 x 2
}

func ExampleVerify() {
	data, out := tempDir(), tempDir()
	defer os.RemoveAll(data)
	defer os.RemoveAll(out)
	if _, err := pipeline(data).Run(context.Background(), &sinks.ArrowParts{Dir: out, PartRows: 2}); err != nil {
		fmt.Println(err)
		return
	}
	_ = os.Remove(filepath.Join(out, "part-00001-of-00003.arrow"))
	report, err := sinks.Verify(context.Background(), out)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range report.Problems {
		fmt.Println(p.Kind, p.Name)
	}
	// Output: missing part-00001-of-00003.arrow
}

// A stream goes to any writer, and any Arrow library reads it.
func ExampleIPCStream() {
	data := tempDir()
	defer os.RemoveAll(data)
	var stream bytes.Buffer
	if _, err := pipeline(data).Run(context.Background(), &sinks.IPCStream{W: &stream}); err != nil {
		fmt.Println(err)
		return
	}
	err := sinks.ReadStream(context.Background(), "stream", &stream, func(b *schema.Batch) error {
		fmt.Println(b.Rows(), "rows")
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2 rows
	// 2 rows
	// 1 rows
}

// counter is a sink of three methods.
type counter map[int32]int

func (counter) Open(context.Context, *schema.Run) error { return nil }

func (c counter) Write(_ context.Context, b *schema.Batch) error {
	for _, class := range b.Labels(0) {
		c[class]++
	}
	return nil
}

func (counter) Close(error) error { return nil }

func ExampleSink() {
	data := tempDir()
	defer os.RemoveAll(data)
	rows := counter{}
	if _, err := pipeline(data).Run(context.Background(), rows, flow.Epochs(10)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rows)
	// Output: map[0:30 1:20]
}

// A directory tells its format, whichever wrote it.
func ExampleRecognize() {
	data, out := tempDir(), tempDir()
	defer os.RemoveAll(data)
	defer os.RemoveAll(out)
	format := sinks.Catalog[0].New()
	_, err := flow.MaterializeShard(context.Background(), flow.Shard{
		Pipeline: pipeline(data), Format: format, To: sinks.Destination{Dir: out},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	found := sinks.Recognize(sinks.Catalog, out)
	_, verifies := found.(sinks.Verifier)
	fmt.Println(found.Name(), verifies)
	// Output: arrow true
}

func tempDir() string {
	dir, err := os.MkdirTemp("", "sluice-example-")
	if err != nil {
		panic(err)
	}
	return dir
}
