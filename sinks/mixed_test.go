package sinks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

// Formats without a column for the shares of mixed pictures say so: by a warning, or an error.
func TestMixedRuns(t *testing.T) {
	tensor := schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 2, Width: 2}
	run := &schema.Run{PlanHash: "5eed", Pipeline: "{}", Tasks: []schema.Task{{Name: "class", Classes: []string{"a", "b"}}}, Counts: [][]int64{{1, 1, 0}},
		Form: schema.FormTensor, Variants: []schema.Variant{{Scale: 1, Tensor: tensor}}, Epochs: 1, RowsPerEpoch: 2, BatchesPerEpoch: 1, BatchSize: 2}
	mixed := func(list []string) bool {
		return slices.ContainsFunc(list, func(text string) bool { return strings.Contains(text, "mixed with others") })
	}
	for _, of := range []string{"", "rows", "samples"} {
		is := of != ""
		if run.Mixed, run.Columns = of == "rows", nil; of == "samples" {
			run.Columns = []schema.Column{schema.SharesColumn("class")}
		}
		for _, w := range []sinks.Warner{&sinks.WebDataset{}, &sinks.Folder{}} {
			if mixed(w.Warnings(run)) != is {
				t.Errorf("%T, mixed %q: %q", w, of, w.Warnings(run))
			}
		}
		p := &sinks.Parquet{}
		if err := p.Into(sinks.Destination{Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		err := p.Open(t.Context(), run)
		if err == nil {
			err = p.Close(nil)
		}
		if (err != nil && mixed([]string{err.Error()})) != is {
			t.Errorf("parquet, mixed %q: %v", of, err)
		}
	}
}
