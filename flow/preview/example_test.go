package preview_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/preview"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// A page of two draws of each of three shapes.
func ExamplePage_Write() {
	dir, err := os.MkdirTemp("", "preview")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := demodata.Write(ctx, demodata.Spec{Dir: dir, Train: 60, Val: 10}, nil); err != nil {
		fmt.Println(err)
		return
	}
	plan, err := flow.New(
		sources.Folder{Path: filepath.Join(dir, "train"), Tasks: []string{"shape", "color"}},
		stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"shape"}},
		stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Resize{Height: 32, Width: 32}, stages.Batch{Size: 8},
	).Plan(ctx, flow.Seed(42))
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := os.Create(filepath.Join(dir, "preview.html"))
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := preview.Page{Title: "shapes", PerClass: 2, Classes: 3}.Write(ctx, file, plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d draws of %d classes\n", report.Draws, report.Classes)
	for _, end := range []func() error{file.Close, plan.Close, func() error { return os.RemoveAll(dir) }} {
		if err := end(); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// 6 draws of 3 classes
}
