package indexfile

import (
	"encoding/binary"
	"unsafe"
)

// Entry is something that a unit lists.
type Entry struct {
	Name    string
	Numbers []int64
	Texts   []string
}

// AppendEntry appends an entry's bytes.
func AppendEntry(buf []byte, e Entry) []byte {
	buf = appendText(buf, e.Name)
	buf = appendNumber(buf, int64(len(e.Numbers)))
	for _, n := range e.Numbers {
		buf = appendNumber(buf, n)
	}
	buf = appendNumber(buf, int64(len(e.Texts)))
	for _, text := range e.Texts {
		buf = appendText(buf, text)
	}
	return buf
}

// NextEntry reads the first entry; ok is false at the end, or where the bytes are none.
// Its texts share memory with buf; its slices are e's, if they are large enough.
func NextEntry(buf []byte, e *Entry) (rest []byte, ok bool) {
	r := reader{buf: buf}
	if len(buf) == 0 {
		return nil, false
	}
	e.Name = r.text()
	e.Numbers = e.Numbers[:0]
	for range r.count() {
		e.Numbers = append(e.Numbers, r.number())
	}
	e.Texts = e.Texts[:0]
	for range r.count() {
		e.Texts = append(e.Texts, r.text())
	}
	return r.buf, !r.bad
}

// Entries are all of a unit's.
func Entries(buf []byte) (list []Entry, ok bool) {
	for len(buf) > 0 {
		var e Entry
		if buf, ok = NextEntry(buf, &e); !ok {
			return nil, false
		}
		list = append(list, e)
	}
	return list, true
}

func appendNumber(buf []byte, n int64) []byte { return binary.AppendVarint(buf, n) }

func appendText(buf []byte, s string) []byte { return append(appendNumber(buf, int64(len(s))), s...) }

// reader reads what these write.
type reader struct {
	buf []byte
	bad bool
}

func (r *reader) number() int64 {
	v, n := binary.Varint(r.buf)
	if n <= 0 {
		r.bad, r.buf = true, nil
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

// count is the number of things that follow, each of at least a byte.
func (r *reader) count() int {
	n := r.number()
	if n < 0 || n > int64(len(r.buf)) {
		r.bad, r.buf = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count()
	if n == 0 {
		return ""
	}
	s := unsafe.String(unsafe.SliceData(r.buf), n)
	r.buf = r.buf[n:]
	return s
}
