package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The types of Thrift's compact protocol.
const (
	kindTrue   = 1
	kindFalse  = 2
	kindByte   = 3
	kindI16    = 4
	kindI32    = 5
	kindI64    = 6
	kindDouble = 7
	kindBinary = 8
	kindList   = 9
	kindSet    = 10
	kindMap    = 11
	kindStruct = 12
	kindUUID   = 13
)

// mostDepth bounds how deeply structures that are passed over may be nested.
const mostDepth = 32

// thrift reads structures in Thrift's compact protocol. The first error stays, and
// everything that is read after it is zero; io.ErrUnexpectedEOF: the bytes end too early.
type thrift struct {
	b   []byte
	at  int
	bad error
}

func (t *thrift) fail(err error) {
	if t.bad == nil {
		t.bad = err
	}
}

func (t *thrift) take(n uint64) []byte {
	if t.bad != nil || n > uint64(len(t.b)-t.at) {
		t.fail(io.ErrUnexpectedEOF)
		return nil
	}
	t.at += int(n)
	return t.b[t.at-int(n) : t.at]
}

func (t *thrift) byte() byte {
	if b := t.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.b[t.at:])
	switch {
	case n > 0:
		t.at += n
		return v
	case n < 0:
		t.fail(errors.New("a number of more than 64 bits"))
	default:
		t.fail(io.ErrUnexpectedEOF)
	}
	return 0
}

// varint is a signed number.
func (t *thrift) varint() int64 {
	v := t.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (t *thrift) want(kind byte, kinds ...byte) bool {
	for _, k := range kinds {
		if kind == k {
			return t.bad == nil
		}
	}
	t.fail(fmt.Errorf("a field of the type %d, want %d", kind, kinds[0]))
	return false
}

func (t *thrift) number(kind byte) int64 {
	if !t.want(kind, kindI64, kindI32, kindI16) {
		return 0
	}
	return t.varint()
}

func (t *thrift) i32(kind byte) int32 {
	n := t.number(kind)
	if int64(int32(n)) != n {
		t.fail(fmt.Errorf("the number %d has more than 32 bits", n))
		return 0
	}
	return int32(n)
}

func (t *thrift) text(kind byte) string {
	if !t.want(kind, kindBinary) {
		return ""
	}
	return string(t.take(t.uvarint()))
}

// structure hands each field of a structure to do, which reads it or leaves it.
func (t *thrift) structure(kind byte, do func(field int, kind byte)) {
	if t.want(kind, kindStruct) {
		t.fields(do)
	}
}

func (t *thrift) fields(do func(field int, kind byte)) {
	field := 0
	for t.bad == nil {
		head := t.byte()
		if t.bad != nil || head == 0 {
			return
		}
		if step := int(head >> 4); step != 0 {
			field += step
		} else {
			field = int(int16(t.varint()))
		}
		before, kind := t.at, head&15
		do(field, kind)
		if t.bad == nil && t.at == before { // every type but bool takes a byte at least
			t.skip(kind, 0)
		}
	}
}

// list hands each element of a list to do, which must read it.
func (t *thrift) list(kind byte, do func(kind byte)) {
	if !t.want(kind, kindList) {
		return
	}
	n, element := t.elements()
	for ; n > 0 && t.bad == nil; n-- {
		do(element)
	}
}

func (t *thrift) elements() (n uint64, kind byte) {
	head := t.byte()
	n, kind = uint64(head>>4), head&15
	if n == 15 {
		n = t.uvarint()
	}
	if n > uint64(len(t.b)-t.at) { // each has a byte at least
		t.fail(io.ErrUnexpectedEOF)
		return 0, kind
	}
	return n, kind
}

func (t *thrift) skip(kind byte, depth int) {
	if depth > mostDepth {
		t.fail(errors.New("structures are nested too deeply"))
		return
	}
	switch kind {
	case kindTrue, kindFalse:
	case kindByte:
		t.take(1)
	case kindI16, kindI32, kindI64:
		t.uvarint()
	case kindDouble:
		t.take(8)
	case kindUUID:
		t.take(16)
	case kindBinary:
		t.take(t.uvarint())
	case kindList, kindSet:
		n, element := t.elements()
		for ; n > 0 && t.bad == nil; n-- {
			t.skipElement(element, depth)
		}
	case kindMap:
		n := t.uvarint()
		if n == 0 {
			return
		}
		for kinds := t.byte(); n > 0 && t.bad == nil; n-- {
			t.skipElement(kinds>>4, depth)
			t.skipElement(kinds&15, depth)
		}
	case kindStruct:
		for t.bad == nil {
			head := t.byte()
			if head == 0 {
				return
			}
			if head>>4 == 0 {
				t.uvarint()
			}
			t.skip(head&15, depth+1)
		}
	default:
		t.fail(fmt.Errorf("a field of the unknown type %d", kind))
	}
}

// skipElement passes over an element: a bool takes a byte here.
func (t *thrift) skipElement(kind byte, depth int) {
	if kind == kindTrue || kind == kindFalse {
		kind = kindByte
	}
	t.skip(kind, depth+1)
}
