package gorgoniatrainer

import (
	"fmt"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// view is a gorgonia.Value on memory that belongs to someone else or is shared by
// graphs, so that neither a batch nor an activation is copied, or allocated again
// at each step.
type view struct {
	shape tensor.Shape
	data  []float32
}

var _ gorgonia.Value = (*view)(nil)

func newView(shape ...int) *view { return &view{shape: shape} }

// Shape, Size, Data and Dtype describe it.
func (v *view) Shape() tensor.Shape { return v.shape }

// Size is the number of elements.
func (v *view) Size() int { return v.shape.TotalSize() }

// Data is the slice itself.
func (v *view) Data() any { return v.data }

// Dtype is always float32.
func (v *view) Dtype() tensor.Dtype { return tensor.Float32 }

// Uintptr is the address of the first element.
func (v *view) Uintptr() uintptr { return uintptr(v.Pointer()) }

// MemSize is in bytes.
func (v *view) MemSize() uintptr { return uintptr(4 * len(v.data)) }

// Pointer is the address of the first element.
func (v *view) Pointer() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(v.data)) }

// Format prints the shape.
func (v *view) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "float32%v", []int(v.shape)) }

// floats is the memory of a value of this package: a view or a tensor.
func floats(v gorgonia.Value) []float32 {
	if v, ok := v.(*view); ok {
		return v.data
	}
	return v.Data().([]float32)
}
