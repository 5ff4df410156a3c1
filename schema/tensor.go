package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// TensorType is Arrow's canonical extension type arrow.fixed_shape_tensor: each
// row a tensor of one shape, stored as a fixed_size_list of its elements in row
// major order. This Arrow version has no such type of its own; pyarrow and
// others know it by its name. Shape and dimension names are the metadata.
type TensorType struct {
	arrow.ExtensionBase
	Tensor Tensor
}

const tensorName = "arrow.fixed_shape_tensor"

// NewTensorType is the type of a column of fixed tensors.
func NewTensorType(t Tensor) *TensorType {
	elem := arrow.PrimitiveTypes.Uint8
	if t.DType == Float32 {
		elem = arrow.PrimitiveTypes.Float32
	}
	storage := arrow.FixedSizeListOfNonNullable(int32(t.Elements()), elem)
	return &TensorType{ExtensionBase: arrow.ExtensionBase{Storage: storage}, Tensor: t}
}

// tensorMetadata is the serialized form that the Arrow specification gives.
type tensorMetadata struct {
	Shape    []int    `json:"shape"`
	DimNames []string `json:"dim_names,omitempty"`
}

// ExtensionName is the canonical name.
func (*TensorType) ExtensionName() string { return tensorName }

// ArrayType is the Go type of its arrays.
func (*TensorType) ArrayType() reflect.Type { return reflect.TypeFor[TensorArray]() }

// String describes type and shape.
func (t *TensorType) String() string { return fmt.Sprintf("%s<%s>", tensorName, t.Tensor) }

// ExtensionEquals compares element type, shape and layout.
func (t *TensorType) ExtensionEquals(other arrow.ExtensionType) bool {
	o, ok := other.(*TensorType)
	return ok && o.Tensor == t.Tensor
}

// Serialize gives the metadata, e.g. {"shape":[3,224,224],"dim_names":["C","H","W"]}.
func (t *TensorType) Serialize() string {
	names := []string{"H", "W", "C"}
	switch t.Tensor.Layout {
	case CHW:
		names = []string{"C", "H", "W"}
	case Plane:
		names = []string{"H", "W"}
	}
	b, err := json.Marshal(tensorMetadata{Shape: t.Tensor.Shape(), DimNames: names})
	if err != nil {
		panic(err) // ints and strings always marshal
	}
	return string(b)
}

// Deserialize reads the metadata of a column of RGB or grey pictures; a tensor of any
// other shape is an error.
func (*TensorType) Deserialize(storage arrow.DataType, data string) (arrow.ExtensionType, error) {
	var md tensorMetadata
	if err := json.Unmarshal([]byte(data), &md); err != nil {
		return nil, fmt.Errorf("schema: %s: metadata %q: %w", tensorName, data, err)
	}
	list, ok := storage.(*arrow.FixedSizeListType)
	if !ok {
		return nil, fmt.Errorf("schema: %s: storage %s is not a fixed_size_list", tensorName, storage)
	}
	var t Tensor
	switch list.Elem().ID() {
	case arrow.UINT8:
		t.DType = Uint8
	case arrow.FLOAT32:
		t.DType = Float32
	default:
		return nil, fmt.Errorf("schema: %s: elements of type %s: want uint8 or float32", tensorName, list.Elem())
	}
	// dim_names decide where both ends of the shape are 3, and whose 1 is the channel.
	channelsLast := slices.Equal(md.DimNames, []string{"H", "W", "C"})
	switch {
	case len(md.Shape) == 2 && t.DType == Uint8:
		t.Layout, t.Height, t.Width, t.Channels = Plane, md.Shape[0], md.Shape[1], 1
	case len(md.Shape) == 3 && md.Shape[0] == 1 && slices.Equal(md.DimNames, []string{"C", "H", "W"}):
		t.Layout, t.Height, t.Width, t.Channels = CHW, md.Shape[1], md.Shape[2], 1
	case len(md.Shape) == 3 && md.Shape[2] == 1 && channelsLast:
		t.Layout, t.Height, t.Width, t.Channels = HWC, md.Shape[0], md.Shape[1], 1
	case len(md.Shape) == 3 && md.Shape[0] == 3 && (md.Shape[2] != 3 || slices.Equal(md.DimNames, []string{"C", "H", "W"})):
		t.Layout, t.Height, t.Width = CHW, md.Shape[1], md.Shape[2]
	case len(md.Shape) == 3 && md.Shape[2] == 3:
		t.Layout, t.Height, t.Width = HWC, md.Shape[0], md.Shape[1]
	default:
		return nil, fmt.Errorf("schema: %s: shape %v is not that of RGB or grey pictures (3 x h x w or h x w x 3; 1 with dim_names) or of masks (h x w)", tensorName, md.Shape)
	}
	// The first two comparisons keep the product from overflowing.
	if n := int(list.Len()); !t.Fixed() || t.Height > n || t.Width > n || n != t.Elements() {
		return nil, fmt.Errorf("schema: %s: shape %v does not match lists of %d", tensorName, md.Shape, list.Len())
	}
	return &TensorType{ExtensionBase: arrow.ExtensionBase{Storage: storage}, Tensor: t}, nil
}

// TensorArray is a column of fixed tensors.
type TensorArray struct{ array.ExtensionArrayBase }

var register = sync.OnceValue(func() error {
	if err := arrow.RegisterExtensionType(&TensorType{}); err != nil {
		return fmt.Errorf("schema: another type has this name in the process: %w", err)
	}
	return nil
})

// Register makes Arrow's readers recognize the tensor type. Call it before opening
// a stream or a file; it may be called any number of times.
func Register() error { return register() }
