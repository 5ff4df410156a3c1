package trainertest

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicedata/sluice/schema"
)

var tasks = []schema.Task{
	{Name: "shape", Classes: []string{"circle", "square", "star"}},
	{Name: "type", Classes: []string{"a", "b", "c", "d"}},
}

// tags are a task of several labels, which every batch has.
var tags = schema.Task{Name: "tags", Classes: []string{"red", "green", "blue", "dark", "never"}}

const (
	defaultRows = 12
	defaultSide = 16
)

// batchSpec describes a batch; zero values stand for 12 rows of float32 CHW,
// 16x16, of both tasks.
type batchSpec struct {
	number int
	rows   int
	side   int
	tasks  int
	shares bool // of its classes, as mixed rows have them; edit sets those that aren't one
	form   schema.Form
	tensor schema.Tensor
	edit   func(row int, m *schema.Meta)
	pixel  func(row, i int, v float32) float32
	drop   func(row int) bool
}

// batches makes batches whose memory is checked, and soiled when released.
type batches struct {
	t   testing.TB
	mem memory.Allocator
}

func newBatches(t testing.TB) *batches {
	mem := memory.NewCheckedAllocator(dirty{memory.NewGoAllocator()})
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return &batches{t, mem}
}

func (b *batches) make(spec batchSpec) *schema.Batch {
	b.t.Helper()
	spec = spec.withDefaults()
	var rows []int
	for row := range spec.rows {
		if spec.drop == nil || !spec.drop(row) {
			rows = append(rows, row)
		}
	}
	run := &schema.Run{PlanHash: "5eed", Mixed: spec.shares, Form: spec.form, Tasks: tasks[:spec.tasks],
		Targets:  &schema.TargetSpec{Multi: []schema.Task{tags}},
		Columns:  []schema.Column{{Name: schema.ColumnLabel + tags.Name, Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}},
		Variants: []schema.Variant{{Scale: 1, Tensor: spec.tensor}},
	}
	builder, err := schema.NewBuilder(run, b.mem)
	if err != nil {
		b.t.Fatal(err)
	}
	draft := builder.Draft(0, int64(spec.number), len(rows))
	for i, row := range rows {
		spec.fill(b.t, draft, i, row)
	}
	batch, err := draft.Finish()
	if err != nil {
		b.t.Fatal(err)
	}
	return batch
}

func (spec batchSpec) withDefaults() batchSpec {
	if spec.rows == 0 {
		spec.rows = defaultRows
	}
	if spec.side == 0 {
		spec.side = defaultSide
	}
	if spec.tasks == 0 {
		spec.tasks = len(tasks)
	}
	if spec.form == "" {
		spec.form = schema.FormTensor
	}
	if spec.tensor == (schema.Tensor{}) {
		spec.tensor = schema.Tensor{DType: schema.Float32, Layout: schema.CHW}
	}
	spec.tensor.Height, spec.tensor.Width = spec.side, spec.side
	return spec
}

// key is the key of a row.
func key(number, row int) string { return fmt.Sprintf("photos/%d-%d.jpg", number, row) }

// fill sets place i of a draft to a row. A class brightens one quarter of one
// channel, so it can be told; the rest is noise.
func (spec batchSpec) fill(t testing.TB, draft *schema.Draft, i, row int) {
	shape, kind := row%3, int(mix(uint64(spec.number), uint64(row))>>32)%4
	m := schema.Meta{Key: key(spec.number, row), Labels: []int32{int32(shape), int32(kind)}, Weight: 1, Position: int64(row), Values: []any{tagsOf(shape, kind)}}
	if spec.edit != nil {
		spec.edit(row, &m)
	}
	m.Labels = m.Labels[:spec.tasks]
	draft.SetMeta(i, m)
	switch spec.form {
	case schema.FormEncoded:
		draft.SetEncoded(i, []byte{1, 2, 3})
		return
	case schema.FormVarying:
		if err := draft.SetPicture(i, schema.NewPicture(spec.side, spec.side)); err != nil {
			t.Fatal(err)
		}
		return
	}
	slot := draft.Slot(i)
	for j := range slot.U8 {
		slot.U8[j] = uint8(j)
	}
	for j := range slot.F32 {
		channel, y, x := j/(spec.side*spec.side), j/spec.side%spec.side, j%spec.side
		v := float32(mix(uint64(spec.number*1000+row), uint64(j))>>40) / (1 << 25) // 0..0.5
		quarter := y/((spec.side+1)/2)*2 + x/((spec.side+1)/2)
		if channel == shape || quarter == kind {
			v += 0.4
		}
		if spec.pixel != nil {
			v = spec.pixel(row, j, v)
		}
		slot.F32[j] = v
	}
}

// tagsOf are a row's tags: none, one or two.
func tagsOf(shape, kind int) []int32 {
	list := []int32{}
	if shape > 0 {
		list = append(list, int32(shape-1))
	}
	if kind == 3 {
		list = append(list, 3)
	}
	return list
}

// mix is a hash of two numbers (the finalizer of splitmix64).
func mix(a, b uint64) uint64 {
	z := a*0x9E3779B97F4A7C15 + b + 1
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// dirty makes visible what is read before it was written or after it was
// released: both hold 0xAA.
type dirty struct{ memory.Allocator }

func soil(b []byte) []byte {
	for i := range b[:cap(b)] {
		b[:cap(b)][i] = 0xAA
	}
	return b
}

func (d dirty) Allocate(size int) []byte { return soil(d.Allocator.Allocate(size)) }

func (d dirty) Reallocate(size int, b []byte) []byte {
	out := d.Allocate(size)
	copy(out, b)
	d.Free(b)
	return out
}

func (d dirty) Free(b []byte) { d.Allocator.Free(soil(b)) }
