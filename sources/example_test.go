package sources_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/sources"
)

// pictures writes files of a few bytes: a source only looks at their names.
func pictures(names ...string) (dir string, err error) {
	dir, err = os.MkdirTemp("", "pictures")
	for _, name := range names {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(file), 0o755)
		}
		if err == nil {
			err = os.WriteFile(file, []byte(name), 0o644)
		}
	}
	return dir, err
}

// A folder of classes: its keys are paths, and each folder is a class.
func Example() {
	ctx := context.Background()
	dir, err := pictures("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "notes.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	data, err := sources.Open(ctx, sources.Folder{Path: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer data.Close()
	index := data.Index()
	for sample := range index.Len() {
		file, err := data.Read(ctx, sample, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: class %d, %d bytes\n", index.Key(sample), index.Label(0, sample), len(file))
	}
	fmt.Println(index.Tasks(), index.Ignored(), "file ignored")
	// Output:
	// cat/1.jpg: class 0, 9 bytes
	// cat/2.jpg: class 0, 9 bytes
	// dog/1.jpg: class 1, 9 bytes
	// [{class [cat dog]}] 1 file ignored
}

// Check reports all mistakes at once, without touching the disk.
func ExampleSource_check() {
	fmt.Println(sources.Manifest{Path: "s3://bucket/list.csv", Tasks: []string{"shape", "shape"}}.Check())
	// Output:
	// path: "s3://bucket/list.csv" is a URL: download it first, and give the path of the file
	// tasks: item 2: "shape" is named twice
}

// A split takes one side of a source; the sides have no sample in common.
func ExampleSplit() {
	ctx := context.Background()
	dir, err := pictures("cat/1.jpg", "cat/2.jpg", "cat/3.jpg", "cat/4.jpg", "dog/1.jpg", "dog/2.jpg")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	for _, side := range []sources.Side{sources.Train, sources.Val} {
		split := sources.Split{Source: sources.Folder{Path: dir}, Val: 0.5, Stratify: true, Use: side}
		data, err := sources.Open(ctx, split)
		if err != nil {
			fmt.Println(err)
			return
		}
		for sample := range data.Index().Len() {
			fmt.Println(sources.SideOf(split), data.Index().Key(sample))
		}
		data.Close()
	}
	// Output:
	// train cat/2.jpg
	// train cat/4.jpg
	// train dog/1.jpg
	// val cat/1.jpg
	// val cat/3.jpg
	// val dog/2.jpg
}

// A validation set with the class numbers of the training set.
func ExampleClassesFrom() {
	ctx := context.Background()
	train, err := pictures("ant/1.jpg", "bee/1.jpg", "cat/1.jpg")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(train)
	val, err := pictures("cat/7.jpg")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(val)

	data, err := sources.Open(ctx, sources.ClassesFrom{Source: sources.Folder{Path: val}, From: sources.Folder{Path: train}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer data.Close()
	fmt.Println(data.Index().Tasks()[0].Classes, data.Index().Label(0, 0))
	// Output:
	// [ant bee cat] 2
}

// The sources inside a wrapper, down to the innermost.
func ExampleWrapper() {
	var s sources.Source = sources.Split{
		Source: sources.ClassesFrom{Source: sources.Folder{Path: "val"}, From: sources.Folder{Path: "train"}, File: "train.yaml"},
		Val:    0.1,
	}
	for {
		w, ok := s.(sources.Wrapper)
		if !ok {
			break
		}
		fmt.Println(w.Summary())
		s = w.Unwrap()
	}
	fmt.Println(s.Name())
	// Output:
	// split val: 0.1
	// classes_from: train.yaml
	// folder
}
