package schema_test

import (
	"fmt"
	"log"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicedata/sluice/schema"
)

// birds is an index as a source has it.
var birds = &schema.Table{
	TaskList: []schema.Task{{Name: "species", Classes: []string{"heron", "wren"}}},
	Keys:     []string{"pond/1.jpg", "wood/1.jpg", "wood/2.jpg"},
	Sizes:    []int64{5210, 4377, 6150},
	Labels:   [][]int32{{0, 1, schema.Unknown}},
}

// An index of a source's own: all that the samples are known by.
func ExampleTable() {
	if err := schema.Check(birds); err != nil {
		log.Fatal(err)
	}
	sample, ok := birds.Find("wood/1.jpg")
	fmt.Println(sample, ok, birds.Size(sample), birds.Weight(sample))
	fmt.Println(schema.Counts(birds, 0))
	// Output:
	// 1 true 4377 1
	// [1 1 1]
}

// Check says what is wrong with an index, all of it.
func ExampleCheck() {
	fmt.Println(schema.Check(&schema.Table{
		Keys:    []string{"b.jpg", "a.jpg"},
		Sizes:   []int64{10, -2},
		Weights: []float32{1, 1},
	}))
	// Output:
	// the key "a.jpg" of sample 1 comes after "b.jpg": sort the samples by their keys, bytewise
	// sample 1 ("a.jpg") has -2 bytes: want its size, or -1 where it is missing
}

// A selection is a view: it holds nothing but the numbers.
func ExampleSelect() {
	wood := schema.Select(birds, []int{1, 2})
	for i := range wood.Len() {
		fmt.Println(i, wood.Key(i), wood.Label(0, i), wood.SourceIndex(i))
	}
	// Output:
	// 0 wood/1.jpg 1 1
	// 1 wood/2.jpg -1 2
}

// heavy is an index in which one class weighs more: a view of another index.
type heavy struct {
	schema.Index
	class int32
}

func (h heavy) Weight(sample int) float32 {
	if h.Label(0, sample) == h.class {
		return 5
	}
	return h.Index.Weight(sample)
}

// An index that differs from another one in a single method.
func ExampleIndex() {
	x := heavy{birds, 1}
	fmt.Println(x.Weight(0), x.Weight(1), x.Key(1))
	// Output: 1 5 wood/1.jpg
}

// Columns of a source's own: boxes, which any reader of the records finds again.
func ExampleColumn() {
	boxes := schema.Column{Name: "boxes", Type: arrow.ListOf(arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32))}
	fmt.Println(boxes.Name, schema.TypeText(boxes.Type))
	fmt.Println(boxes.CheckValue([][4]float32{{10, 20, 110, 90}}))
	fmt.Println(boxes.CheckValue([]float32{10, 20, 110, 90}))
	// Output:
	// boxes list<fixed_size_list<float32>[4]>
	// <nil>
	// column "boxes": a value of Go type float32 where a fixed_size_list<float32>[4] is wanted (see schema.Column)
}

// Records are made by a builder, of drafts whose rows are filled in any order, and
// read through a batch.
func ExampleBuilder() {
	run := &schema.Run{
		PlanHash: "00", Pipeline: "{}",
		Tasks:    birds.TaskList,
		Columns:  []schema.Column{{Name: "meta.ringed", Type: arrow.FixedWidthTypes.Boolean}},
		Form:     schema.FormTensor,
		Variants: []schema.Variant{{Scale: 1, Tensor: schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: 2, Width: 2}}},
	}
	builder, err := schema.NewBuilder(run, nil)
	if err != nil {
		log.Fatal(err)
	}
	draft := builder.Draft(0, 0, 2)
	for row := range 2 {
		draft.SetMeta(row, schema.Meta{Key: birds.Key(row), Labels: []int32{birds.Label(0, row)}, Weight: 1, Values: []any{row == 1}})
		draft.Slot(row).U8[0] = uint8(100 * row)
	}
	batch, err := draft.Finish()
	if err != nil {
		log.Fatal(err)
	}
	defer batch.Release()
	fmt.Println(batch.Rows(), batch.Tensor, batch.Key(1), batch.Labels(0), batch.Picture(1).U8[0])
	fmt.Println(batch.Column("meta.ringed").(*array.Boolean))
	// Output:
	// 2 uint8[2,2,3] wood/1.jpg [0 1] 100
	// [false true]
}

// What is stored with one class numbering, and read with another.
func ExampleClassChanges() {
	before := []schema.Task{{Name: "species", Classes: []string{"heron", "wren"}}}
	after := []schema.Task{{Name: "species", Classes: []string{"heron", "owl", "wren"}}}
	for _, sentence := range schema.ClassChanges(before, after) {
		fmt.Println(sentence)
	}
	// Output: class numbers changed: task "species": "wren" was 1 and is 2; new: "owl"
}
