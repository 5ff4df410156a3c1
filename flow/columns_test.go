package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/reugn/go-streams/extension"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// withColumns is a source of n pictures and broken files, with columns.
func withColumns(n int) *held {
	list, broken := album()
	h := hold(append(append([]sample{}, list[:n]...), broken...))
	h.addColumns()
	return h
}

// addColumns adds two: the key in capitals where the number is even, and two boxes of
// the number.
func (h *held) addColumns() {
	h.index.ColumnList = []schema.Column{
		{Name: "meta.name", Type: arrow.BinaryTypes.String},
		{Name: "boxes", Type: arrow.ListOf(arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32))},
	}
	h.index.Values = make([][]any, 2)
	for i, key := range h.index.Keys {
		var name any
		if i%2 == 0 {
			name = strings.ToUpper(key)
		}
		f := float32(i)
		h.index.Values[0] = append(h.index.Values[0], name)
		h.index.Values[1] = append(h.index.Values[1], [][4]float32{{f, 0, f + 1, 1}, {0, f, 1, f + 1}})
	}
}

// valuesOf are a row's key and columns as text.
func valuesOf(b *schema.Batch, row int) string {
	name, boxes := "none", b.Column("boxes").(*array.List)
	if c := b.Column("meta.name").(*array.String); c.IsValid(row) {
		name = c.Value(row)
	}
	return fmt.Sprintf("%s %s %s", b.Key(row), name, boxes.ValueStr(row))
}

// The engine carries what a source adds: rebalanced, of broken files' substitutes
// too, in all scales, whatever the schedule.
func TestColumnsTravel(t *testing.T) {
	defer goleak.VerifyNone(t)
	source := withColumns(20)
	want := map[string]string{}
	for i, key := range source.index.Keys {
		name := "none"
		if source.index.Values[0][i] != nil {
			name = source.index.Values[0][i].(string)
		}
		want[key] = fmt.Sprintf("%s %s [[%d,0,%d,1],[0,%d,1,%d]]", key, name, i, i+1, i, i+1)
	}
	first := ""
	for _, workers := range []int{1, 3} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		plan, err := flow.New(sources.Split{Source: source, Val: 0.3}, stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}, Draws: 40},
			stages.Decode{}, stages.Resize{Height: 6, Width: 8}, stages.Batch{Size: 7}, stages.MultiScale{Scales: []float64{0.5, 1}}).Plan(t.Context(),
			flow.Workers(workers), flow.Allocator(mem), flow.Epochs(2), flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 1}}))
		if err != nil {
			t.Fatal(err)
		}
		if have := strings.Join(plan.Columns(), " "); have != "key image label.class label.colour meta.name boxes weight epoch position source_index" {
			t.Errorf("the plan's columns are %s", have)
		}
		text := ""
		for b, err := range plan.Batches(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			for row := range b.Rows() {
				have := valuesOf(b, row)
				text += have + "\n"
				if have != want[b.Key(row)] {
					t.Errorf("%s, want %s", have, want[b.Key(row)])
				}
			}
		}
		if err := plan.Close(); err != nil {
			t.Fatal(err)
		}
		mem.AssertSize(t, 0)
		if first == "" {
			first = text
		}
		if text != first || strings.Count(text, "\n") != 160 {
			t.Errorf("%d workers: %d rows, or others than with one", workers, strings.Count(text, "\n"))
		}
	}
}

func TestColumnsOfForeignSamples(t *testing.T) {
	defer goleak.VerifyNone(t)
	source := withColumns(5)
	list, _ := album()
	for name, c := range map[string]struct {
		values []any
		want   string // or an error, without a space at first
	}{
		"none":            {nil, " x none (null)"},
		"all":             {[]any{"one", [][4]float32{{1, 2, 3, 4}}}, " x one [[1,2,3,4]]"},
		"null":            {[]any{nil, nil}, " x none (null)"},
		"too few":         {[]any{"one"}, `flow: sample "x" has 1 values, and the source adds 2 columns`},
		"of another type": {[]any{"one", "two"}, `flow: sample "x": column "boxes": a value of Go type string where a list<fixed_size_list<float32>[4]> is wanted`},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := flow.New(source, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 4}).Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer plan.Close()
			s, err := plan.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			in := make(chan any, 2)
			in <- source.index.Keys[2]
			in <- flow.Sample{Key: "x", Data: list[0].data, Values: c.values}
			close(in)
			var rows []string
			extension.NewChanSource(in).Via(s.Flow()).To(newForeignSink(func(b *schema.Batch) {
				for i := range b.Rows() {
					rows = append(rows, valuesOf(b, i))
				}
			}))
			_, err = s.Wait()
			if want, ok := strings.CutPrefix(c.want, " "); ok {
				first := fmt.Sprintf("%s %s [[2,0,3,1],[0,2,1,3]]", source.index.Keys[2], strings.ToUpper(source.index.Keys[2]))
				if err != nil || len(rows) != 2 || rows[0] != first || rows[1] != want {
					t.Errorf("%q, want %q (%v)", rows, want, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// Other columns are another plan.
func TestColumnsInThePlanHash(t *testing.T) {
	hash := func(change func(x *schema.Table)) string {
		source := withColumns(6)
		change(source.index)
		plan, err := flow.New(source, stages.Decode{}, stages.Resize{Height: 8, Width: 8}).Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer plan.Close()
		return plan.Info().PlanHash
	}
	seen := map[string]string{}
	for name, change := range map[string]func(x *schema.Table){
		"as it is":      func(*schema.Table) {},
		"none":          func(x *schema.Table) { x.ColumnList, x.Values = nil, nil },
		"one":           func(x *schema.Table) { x.ColumnList, x.Values = x.ColumnList[:1], x.Values[:1] },
		"another name":  func(x *schema.Table) { x.ColumnList[0].Name = "meta.title" },
		"another type":  func(x *schema.Table) { x.ColumnList[0].Type = arrow.BinaryTypes.LargeString },
		"another value": func(x *schema.Table) { x.Values[0][1] = "" },
	} {
		h := hash(change)
		if other := seen[h]; other != "" {
			t.Errorf("%s: the plan hash of %s", name, other)
		}
		seen[h] = name
	}
}
