package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Column is a column that a source adds to those of every row: a number, a text,
// a list. The engine copies its values from the index into the records, and
// knows nothing of their meaning.
//
// A value is nil, null in Arrow, or by the column's type
//
//	utf8, large_utf8                    string, UTF-8
//	binary, large_binary                []byte
//	bool, int8..64, uint8..64, float32/64    the Go type of that name
//	list, fixed_size_list               a slice or an array of values
//	struct                              []any, or a Go struct, of values: a field each, in their order
//
// A nil slice is an empty list, not null. No other types are taken.
type Column struct {
	Name string
	Type arrow.DataType
}

// Check reports a name or a type that a column cannot have.
func (c Column) Check() error {
	switch {
	case c.Name == "" || !utf8.ValidString(c.Name):
		return fmt.Errorf("a column has the name %q: want UTF-8 text", short(c.Name))
	case reserved(c.Name) && !c.ofLabels() && !isShares(c.field()):
		return fmt.Errorf("a column has the name %q, which is that of a column of sluice's own: choose another", short(c.Name))
	case c.Type == nil:
		return fmt.Errorf("column %q has no type", short(c.Name))
	}
	if err := checkType(c.Type); err != nil {
		return fmt.Errorf("column %q: %w", short(c.Name), err)
	}
	return nil
}

func (c Column) field() arrow.Field { return arrow.Field{Name: c.Name, Type: c.Type, Nullable: true} }

// ofLabels reports a column of several labels, or of a value in place of a class.
func (c Column) ofLabels() bool { return strings.HasPrefix(c.Name, ColumnLabel) && extraLabels(c.Type) }

// extraLabels reports the types of label columns whose tasks have no single class.
func extraLabels(t arrow.DataType) bool {
	return listOfLabels(t) || t != nil && t.ID() == arrow.FLOAT32
}

// listOfLabels reports the type of the columns of several labels.
func listOfLabels(t arrow.DataType) bool {
	list, ok := t.(*arrow.ListType)
	return ok && list.Elem().ID() == arrow.INT32
}

// reserved are the names of the columns that sluice writes itself.
func reserved(name string) bool {
	return strings.HasPrefix(name, ColumnLabel) || slices.Contains([]string{
		ColumnKey, ColumnImage, ColumnWeight, ColumnEpoch, ColumnPosition, ColumnSourceIndex, ColumnParams, ColumnValid,
	}, name)
}

// CheckValue reports why a value doesn't fit the column.
func (c Column) CheckValue(value any) error {
	_, err := c.AppendValue(nil, value)
	return err
}

// AppendValue appends the bytes that stand for a value in a hash: equal values of
// a column have equal bytes, different ones different bytes. They are 0 for null,
// or 1 and then: of a number its 8 bytes, little-endian (of a float32 those of its
// bits as a whole number), of a bool one byte, of a text or binary its length and
// its bytes, of a list or a struct the number of its parts and the parts. It fails
// on a value that doesn't fit the column.
func (c Column) AppendValue(buf []byte, value any) ([]byte, error) {
	buf, err := appendValue(buf, c.field(), reflect.ValueOf(value))
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", c.Name, err)
	}
	return buf, nil
}

// TypeText is a type as text, such as "list<fixed_size_list<float32>[4]>". An
// exclamation mark follows parts that may not be null.
func TypeText(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.ListType:
		return "list<" + fieldText(t.ElemField()) + ">"
	case *arrow.FixedSizeListType:
		return fmt.Sprintf("fixed_size_list<%s>[%d]", fieldText(t.ElemField()), t.Len())
	case *arrow.StructType:
		var fields []string
		for _, f := range t.Fields() {
			fields = append(fields, f.Name+" "+fieldText(f))
		}
		return "struct<" + strings.Join(fields, ", ") + ">"
	}
	return t.Name()
}

func fieldText(f arrow.Field) string {
	if f.Nullable {
		return TypeText(f.Type)
	}
	return TypeText(f.Type) + "!"
}

func checkType(t arrow.DataType) error {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.LargeStringType, *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BooleanType:
		return nil
	case *arrow.ListType:
		return checkType(t.Elem())
	case *arrow.FixedSizeListType:
		return checkType(t.Elem())
	case *arrow.StructType:
		var errs []error
		for _, f := range t.Fields() {
			errs = append(errs, checkType(f.Type))
		}
		return errors.Join(errs...)
	}
	if goKinds[t.ID()] == 0 {
		return fmt.Errorf("type %s: want text, binary, bool, int, float, or lists and structs of these", t)
	}
	return nil
}

// goKinds are the kinds of the Go types that numbers have.
var goKinds = map[arrow.Type]reflect.Kind{
	arrow.INT8: reflect.Int8, arrow.INT16: reflect.Int16, arrow.INT32: reflect.Int32, arrow.INT64: reflect.Int64,
	arrow.UINT8: reflect.Uint8, arrow.UINT16: reflect.Uint16, arrow.UINT32: reflect.Uint32, arrow.UINT64: reflect.Uint64,
	arrow.FLOAT32: reflect.Float32, arrow.FLOAT64: reflect.Float64,
}

// opened is what an interface holds; the zero Value is null.
func opened(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// appendValue is AppendValue of a column or of a part of one.
func appendValue(buf []byte, f arrow.Field, v reflect.Value) ([]byte, error) {
	if v = opened(v); !v.IsValid() {
		if !f.Nullable {
			return nil, fmt.Errorf("no value where a %s may not be null", TypeText(f.Type))
		}
		return append(buf, 0), nil
	}
	buf = append(buf, 1)
	unfit := func() ([]byte, error) {
		return nil, fmt.Errorf("a value of Go type %s where a %s is wanted (see schema.Column)", v.Type(), TypeText(f.Type))
	}
	length := func(n int) { buf = binary.LittleEndian.AppendUint64(buf, uint64(n)) }
	switch t := f.Type.(type) {
	case *arrow.StringType, *arrow.LargeStringType:
		if v.Kind() != reflect.String {
			return unfit()
		}
		if !utf8.ValidString(v.String()) {
			return nil, fmt.Errorf("%q is not UTF-8", short(v.String()))
		}
		length(v.Len())
		return append(buf, v.String()...), nil
	case *arrow.BinaryType, *arrow.LargeBinaryType:
		if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Uint8 {
			return unfit()
		}
		length(v.Len())
		return append(buf, v.Bytes()...), nil
	case *arrow.BooleanType:
		if v.Kind() != reflect.Bool {
			return unfit()
		}
		return append(buf, byte(bitsOf(v))), nil
	case arrow.NestedType:
		n, fixed := partsIn(t, v)
		if n < 0 {
			return unfit()
		}
		if fixed >= 0 && n != fixed {
			return nil, fmt.Errorf("%d values where a %s has %d", n, TypeText(t), fixed)
		}
		length(n)
		for i := range n {
			if v.Kind() == reflect.Struct && !v.Type().Field(i).IsExported() {
				return nil, fmt.Errorf("the field %s of Go type %s isn't exported", v.Type().Field(i).Name, v.Type())
			}
			var err error
			if buf, err = appendValue(buf, fieldOf(t, i), part(v, i)); err != nil {
				return nil, err
			}
		}
		return buf, nil
	}
	if kind := goKinds[f.Type.ID()]; kind == 0 || v.Kind() != kind {
		return unfit()
	}
	return binary.LittleEndian.AppendUint64(buf, bitsOf(v)), nil
}

// partsIn is the number of elements or fields in a value, -1 where it has none,
// and how many its type has, -1 where that varies.
func partsIn(t arrow.NestedType, v reflect.Value) (n, fixed int) {
	n, fixed = -1, -1
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		fixed = int(t.Len())
	case *arrow.StructType:
		if fixed = len(t.Fields()); v.Kind() == reflect.Struct {
			return v.NumField(), fixed
		}
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Array {
		n = v.Len()
	}
	return n, fixed
}

// part is an element or a field of a value.
func part(v reflect.Value, i int) reflect.Value {
	if v.Kind() == reflect.Struct {
		return v.Field(i)
	}
	return v.Index(i)
}

// fieldOf is what element or field i of a type is.
func fieldOf(t arrow.NestedType, i int) arrow.Field {
	if s, ok := t.(*arrow.StructType); ok {
		return s.Field(i)
	}
	return t.Fields()[0]
}

// bitsOf are the bits of a number or a bool, the low ones of the result.
func bitsOf(v reflect.Value) uint64 {
	switch {
	case v.CanInt():
		return uint64(v.Int())
	case v.CanUint():
		return v.Uint()
	case v.Kind() == reflect.Float32:
		return uint64(math.Float32bits(float32(v.Float())))
	case v.CanFloat():
		return math.Float64bits(v.Float())
	case v.Bool():
		return 1
	}
	return 0
}

// buildColumn makes the array of a column's values; those of a row whose value
// doesn't fit are named by at.
func buildColumn(mem memory.Allocator, c Column, values []any, at func(row int) string) (arrow.Array, error) {
	list := make([]reflect.Value, len(values))
	var scratch []byte
	for row, value := range values {
		var err error
		if scratch, err = c.AppendValue(scratch[:0], value); err != nil {
			return nil, fmt.Errorf("schema: key %q: %w", at(row), err)
		}
		list[row] = opened(reflect.ValueOf(value))
	}
	data, err := arrayData(mem, c.field(), list)
	if err != nil {
		return nil, fmt.Errorf("schema: column %q: %w", c.Name, err)
	}
	defer data.Release()
	return array.MakeFromData(data), nil
}

// arrayData makes an array of values that fit their type.
func arrayData(mem memory.Allocator, f arrow.Field, values []reflect.Value) (arrow.ArrayData, error) {
	a := arrayUnderWay{mem: mem, values: values}
	defer a.release()
	nulls := 0
	for _, v := range values {
		if !v.IsValid() { // within a null, where it is not nullable
			nulls++
		}
	}
	if nulls > 0 {
		a.bitmap(func(reflect.Value) bool { return true })
	} else {
		a.buffers = append(a.buffers, nil)
	}
	if err := a.fill(f.Type); err != nil {
		return nil, err
	}
	return array.NewData(f.Type, len(values), a.buffers, a.children, nulls, 0), nil
}

// arrayUnderWay is an array's values and what was made of them. Its bytes under a
// null are zero, so that equal values have equal bytes: Arrow's builders leave
// there what the memory held before.
type arrayUnderWay struct {
	mem      memory.Allocator
	values   []reflect.Value
	buffers  []*memory.Buffer
	children []arrow.ArrayData
}

func (a *arrayUnderWay) release() {
	for _, b := range a.buffers {
		if b != nil {
			b.Release()
		}
	}
	for _, c := range a.children {
		c.Release()
	}
}

func (a *arrayUnderWay) fill(t arrow.DataType) error {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		return a.bytes(4)
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		return a.bytes(8)
	case *arrow.BooleanType:
		a.bitmap(reflect.Value.Bool)
	case *arrow.ListType:
		if _, err := a.offsets(4); err != nil {
			return err
		}
		return a.child(t.ElemField(), a.elements(0))
	case *arrow.FixedSizeListType:
		return a.child(t.ElemField(), a.elements(int(t.Len())))
	case *arrow.StructType:
		for i, f := range t.Fields() {
			parts := make([]reflect.Value, len(a.values))
			for row, v := range a.values {
				if v.IsValid() {
					parts[row] = opened(part(v, i))
				}
			}
			if err := a.child(f, parts); err != nil {
				return err
			}
		}
	case arrow.FixedWidthDataType:
		width := t.BitWidth() / 8
		b := a.buffer(len(a.values) * width)
		for i, v := range a.values {
			if v.IsValid() {
				putBits(b[i*width:(i+1)*width], bitsOf(v))
			}
		}
	}
	return nil
}

// buffer is the next buffer, of zeros.
func (a *arrayUnderWay) buffer(size int) []byte {
	b := memory.NewResizableBuffer(a.mem)
	b.Resize(size)
	clear(b.Bytes())
	a.buffers = append(a.buffers, b)
	return b.Bytes()
}

func (a *arrayUnderWay) bitmap(set func(v reflect.Value) bool) {
	b := a.buffer((len(a.values) + 7) / 8)
	for i, v := range a.values {
		bitutil.SetBitTo(b, i, v.IsValid() && set(v))
	}
}

// offsets are where the values end, and the first begins.
func (a *arrayUnderWay) offsets(width int) (total int, err error) {
	b := a.buffer((len(a.values) + 1) * width)
	for i, v := range a.values {
		if v.IsValid() {
			total += v.Len()
		}
		if width == 4 && total > math.MaxInt32 {
			return 0, errors.New("the values of a batch are more than 2 GiB: use a smaller batch")
		}
		putBits(b[(i+1)*width:(i+2)*width], uint64(total))
	}
	return total, nil
}

// bytes are texts or binary values, one after the other.
func (a *arrayUnderWay) bytes(offsetWidth int) error {
	total, err := a.offsets(offsetWidth)
	if err != nil {
		return err
	}
	rest := a.buffer(total)
	for _, v := range a.values {
		switch v.Kind() {
		case reflect.String:
			rest = rest[copy(rest, v.String()):]
		case reflect.Slice:
			rest = rest[copy(rest, v.Bytes()):]
		}
	}
	return nil
}

// elements are those of all lists, one after the other; a null list of a fixed
// size has that many nulls.
func (a *arrayUnderWay) elements(fixed int) (all []reflect.Value) {
	for _, v := range a.values {
		if !v.IsValid() {
			all = append(all, make([]reflect.Value, fixed)...)
			continue
		}
		for i := range v.Len() {
			all = append(all, opened(v.Index(i)))
		}
	}
	return all
}

func (a *arrayUnderWay) child(f arrow.Field, parts []reflect.Value) error {
	data, err := arrayData(a.mem, f, parts)
	if err == nil {
		a.children = append(a.children, data)
	}
	return err
}

// putBits writes the low bytes of a number.
func putBits(to []byte, bits uint64) {
	for i := range to {
		to[i] = byte(bits >> (8 * i))
	}
}
