// Package indexfile keeps what a source has listed in one file that is mapped into memory, so
// that the next start lists only what has changed. keeper.go says when.
//
// A file holds, little-endian, every section at a multiple of 8 bytes:
//
//	magic, version             "sluiceix", uint64
//	lengths                    uint64 of the head, uint64 of all but the units' entries
//	print                      xxh3-128 of all from here to the units' entries
//	head                       JSON: tasks, columns, warnings, units, where each section is
//	sections                   keys and their ends, sizes, labels, weights, numbers, values
//	entries                    of each unit, compressed by zstd
package indexfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"github.com/sluicedata/sluice/internal/mapfile"
	"github.com/sluicedata/sluice/schema"
)

const (
	magic    = "sluiceix"
	version  = 1
	headerAt = len(magic) + 3*8 // of the print
	bodyAt   = headerAt + 16
)

// Contents is what an index file holds.
type Contents struct {
	Index    schema.Index
	Numbers  [][]int64 // further columns of the source's own, such as offsets; as long as the index
	Warnings []string
	Extra    map[string]string // of the source's own, small
	Identity string            // the index's hash (sources.Identity)
	Units    []Unit
}

// Unit is a part of a source that is listed by itself: a directory, a shard, a list.
type Unit struct {
	Name  string
	Stamp string // changes whenever the unit has to be listed again; "": always
	// Entries are what was listed, as AppendEntry writes them.
	Entries []byte
}

// head describes the sections.
type head struct {
	Samples  int               `json:"samples"`
	Tasks    []schema.Task     `json:"tasks"`
	Columns  []columnHead      `json:"columns"`
	Ignored  int               `json:"ignored"`
	Warnings []string          `json:"warnings"`
	Extra    map[string]string `json:"extra"`
	Identity string            `json:"identity"`
	Numbers  int               `json:"numbers"`
	Weighted bool              `json:"weighted"`
	Origin   bool              `json:"origin"`
	Sections []section         `json:"sections"`
	Units    []unitHead        `json:"units"`
}

type columnHead struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

type section struct {
	At    int64 `json:"at"` // from the end of the head, rounded up to 8
	Bytes int64 `json:"bytes"`
}

type unitHead struct {
	Name  string `json:"name"`
	Stamp string `json:"stamp"`
	At    int64  `json:"at"` // from the end of the sections
	Bytes int64  `json:"bytes"`
	Print string `json:"print"`
}

// columnTypes are the types of columns that an index file can hold.
var columnTypes = map[string]arrow.DataType{
	"utf8": arrow.BinaryTypes.String, "int64": arrow.PrimitiveTypes.Int64, "float64": arrow.PrimitiveTypes.Float64,
}

// ErrUnfit says that an index cannot be kept in a file.
var ErrUnfit = errors.New("the index has a column of a type that is not kept")

// writer lays sections one after the other.
type writer struct {
	out  io.Writer
	hash *xxh3.Hasher
	at   int64
	err  error
}

func (w *writer) write(p []byte) {
	if w.err != nil {
		return
	}
	if w.hash != nil {
		_, _ = w.hash.Write(p) // never fails
	}
	_, w.err = w.out.Write(p)
	w.at += int64(len(p))
}

func (w *writer) pad() {
	if rest := int(w.at % 8); rest > 0 {
		w.write(make([]byte, 8-rest))
	}
}

// layout is the sections of contents: each a function that writes it.
func layout(c *Contents, h *head) (list []func(w *writer), sizes []int64) {
	x, n := c.Index, c.Index.Len()
	add := func(size int64, f func(w *writer)) { list, sizes = append(list, f), append(sizes, size) }
	total := int64(0)
	for i := range n {
		total += int64(len(x.Key(i)))
	}
	texts := func(total int64, text func(i int) string) {
		add(8*int64(n), func(w *writer) {
			end := uint64(0)
			w.each(n, 8, func(b []byte, i int) {
				end += uint64(len(text(i)))
				binary.LittleEndian.PutUint64(b, end)
			})
		})
		add(total, func(w *writer) {
			var b []byte
			for i := range n {
				if b = append(b, text(i)...); len(b) > 1<<16 {
					w.write(b)
					b = b[:0]
				}
			}
			w.write(b)
		})
	}
	longs := func(value func(i int) int64) {
		add(8*int64(n), func(w *writer) {
			w.each(n, 8, func(b []byte, i int) { binary.LittleEndian.PutUint64(b, uint64(value(i))) })
		})
	}
	texts(total, x.Key)
	longs(x.Size)
	for t := range h.Tasks {
		add(4*int64(n), func(w *writer) {
			w.each(n, 4, func(b []byte, i int) { binary.LittleEndian.PutUint32(b, uint32(x.Label(t, i))) })
		})
	}
	if h.Weighted {
		add(4*int64(n), func(w *writer) {
			w.each(n, 4, func(b []byte, i int) { binary.LittleEndian.PutUint32(b, math.Float32bits(x.Weight(i))) })
		})
	}
	if h.Origin {
		longs(x.SourceIndex)
	}
	for _, column := range c.Numbers {
		longs(func(i int) int64 { return column[i] })
	}
	for col, column := range h.Columns {
		add(int64(n), func(w *writer) {
			w.each(n, 1, func(b []byte, i int) {
				b[0] = 0
				if x.Value(col, i) != nil {
					b[0] = 1
				}
			})
		})
		switch column.Type {
		case "utf8":
			text := func(i int) string { s, _ := x.Value(col, i).(string); return s }
			total := int64(0)
			for i := range n {
				total += int64(len(text(i)))
			}
			texts(total, text)
		case "int64":
			longs(func(i int) int64 { v, _ := x.Value(col, i).(int64); return v })
		case "float64":
			longs(func(i int) int64 { v, _ := x.Value(col, i).(float64); return int64(math.Float64bits(v)) })
		}
	}
	return list, sizes
}

// each writes n values of a size.
func (w *writer) each(n, size int, put func(b []byte, i int)) {
	const most = 1 << 13
	buf := make([]byte, most*size)
	for first := 0; first < n; first += most {
		count := min(most, n-first)
		for i := range count {
			put(buf[i*size:(i+1)*size], first+i)
		}
		w.write(buf[:count*size])
	}
}

func up8(n int64) int64 { return (n + 7) / 8 * 8 }

// Write writes contents. out is also sought in: its beginning is written last.
func Write(out io.WriteSeeker, c *Contents) error {
	h := head{Samples: c.Index.Len(), Tasks: append([]schema.Task{}, c.Index.Tasks()...), Ignored: c.Index.Ignored(), Warnings: c.Warnings, Extra: c.Extra,
		Identity: c.Identity, Numbers: len(c.Numbers)}
	for i := range h.Samples {
		h.Weighted = h.Weighted || c.Index.Weight(i) != 1
		h.Origin = h.Origin || c.Index.SourceIndex(i) != int64(i)
	}
	for _, column := range c.Index.Columns() {
		if columnTypes[column.Type.Name()] == nil {
			return fmt.Errorf("%w: %s", ErrUnfit, column.Name)
		}
		h.Columns = append(h.Columns, columnHead{column.Name, column.Type.Name()})
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	defer encoder.Close()
	var entries [][]byte
	at := int64(0)
	for _, u := range c.Units {
		packed := encoder.EncodeAll(u.Entries, nil)
		print := xxh3.Hash128(packed).Bytes()
		h.Units = append(h.Units, unitHead{u.Name, u.Stamp, at, int64(len(packed)), fmt.Sprintf("%x", print)})
		entries = append(entries, packed)
		at += int64(len(packed))
	}
	list, sizes := layout(c, &h)
	at = 0
	for _, size := range sizes {
		h.Sections = append(h.Sections, section{at, size})
		at = up8(at + size)
	}
	headJSON, err := json.Marshal(h)
	if err != nil {
		return err
	}
	headJSON = append(headJSON, bytes.Repeat([]byte(" "), int(up8(int64(len(headJSON))))-len(headJSON))...)
	if _, err := out.Write(make([]byte, bodyAt)); err != nil {
		return err
	}
	w := &writer{out: out, hash: xxh3.New()}
	w.write(headJSON)
	for _, f := range list {
		f(w)
		w.pad()
	}
	hashed, print := w.at, w.hash.Sum128().Bytes()
	w.hash = nil
	for _, packed := range entries {
		w.write(packed)
	}
	if w.err != nil {
		return w.err
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return err
	}
	first := binary.LittleEndian.AppendUint64([]byte(magic), version)
	first = binary.LittleEndian.AppendUint64(first, uint64(len(headJSON)))
	first = binary.LittleEndian.AppendUint64(first, uint64(hashed))
	_, err = out.Write(append(first, print[:]...))
	return err
}

// File is an opened index file. It is an Index, whose memory lives as long as it is used.
type File struct {
	mapped  *mapfile.File
	head    head
	entries []byte

	keyEnds []uint64
	keys    []byte
	sizes   []int64
	labels  [][]int32
	weights []float32
	origin  []int64
	numbers [][]int64
	columns []schema.Column
	values  []values
}

// values are a column's.
type values struct {
	there []byte
	ends  []uint64
	texts []byte
	longs []int64
}

// errDamaged says that a file isn't an index file of this version, or not a whole one.
var errDamaged = errors.New("the index file is damaged, or of another version")

// Open maps an index file and checks it.
func Open(name string) (_ *File, err error) {
	m, err := mapfile.Open(name)
	if err != nil {
		return nil, err
	}
	f := &File{mapped: m}
	if fault := mapfile.Guard(func() { err = f.load(m.Bytes()) }); fault != nil || err != nil {
		return nil, errors.Join(fault, err, m.Close())
	}
	// An index outlives its source: what has been planned refers to it.
	runtime.AddCleanup(f, func(m *mapfile.File) { _ = m.Close() }, m)
	return f, nil
}

// load checks and cuts the bytes of a file.
func (f *File) load(b []byte) error {
	if len(b) < bodyAt || string(b[:len(magic)]) != magic || binary.LittleEndian.Uint64(b[len(magic):]) != version || !littleEndian() {
		return errDamaged
	}
	headBytes, hashed := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	body := b[bodyAt:]
	if hashed > uint64(len(body)) || headBytes > hashed || headBytes%8 != 0 {
		return errDamaged
	}
	if print := xxh3.Hash128(body[:hashed]).Bytes(); !bytes.Equal(print[:], b[headerAt:bodyAt]) {
		return errDamaged
	}
	if err := json.Unmarshal(body[:headBytes], &f.head); err != nil {
		return errDamaged
	}
	sections := body[headBytes:hashed]
	f.entries = body[hashed:]
	n := int64(f.head.Samples)
	if n < 0 || n > int64(len(sections)) {
		return errDamaged
	}
	if !f.cut(n, sections) || !f.fits() {
		return errDamaged
	}
	return nil
}

// cut takes the columns from the sections; it reports whether there are as many, of their
// lengths.
func (f *File) cut(n int64, sections []byte) bool {
	next := 0
	take := func(size int64) []byte {
		if next >= len(f.head.Sections) {
			next = len(f.head.Sections) + 1
			return nil
		}
		s := f.head.Sections[next]
		if s.At < 0 || s.Bytes < 0 || s.At%8 != 0 || s.Bytes > int64(len(sections)) || s.At > int64(len(sections))-s.Bytes || size >= 0 && s.Bytes != size {
			next = len(f.head.Sections) + 1
			return nil
		}
		next++
		return sections[s.At : s.At+s.Bytes]
	}
	f.keyEnds, f.keys = cast[uint64](take(8*n)), take(-1)
	f.sizes = cast[int64](take(8 * n))
	for range f.head.Tasks {
		f.labels = append(f.labels, cast[int32](take(4*n)))
	}
	if f.head.Weighted {
		f.weights = cast[float32](take(4 * n))
	}
	if f.head.Origin {
		f.origin = cast[int64](take(8 * n))
	}
	for range f.head.Numbers {
		f.numbers = append(f.numbers, cast[int64](take(8*n)))
	}
	for _, c := range f.head.Columns {
		t := columnTypes[c.Type]
		if t == nil {
			return false
		}
		f.columns = append(f.columns, schema.Column{Name: c.Name, Type: t})
		v := values{there: take(n)}
		if c.Type == "utf8" {
			v.ends, v.texts = cast[uint64](take(8*n)), take(-1)
		} else {
			v.longs = cast[int64](take(8 * n))
		}
		f.values = append(f.values, v)
	}
	return next == len(f.head.Sections)
}

// fits reports whether texts and labels are within what there is of them.
func (f *File) fits() bool {
	if !rise(f.keyEnds, f.keys) {
		return false
	}
	for t, labels := range f.labels {
		most := int32(len(f.head.Tasks[t].Classes))
		for _, label := range labels {
			if label < schema.Unknown || label >= most {
				return false
			}
		}
	}
	for c, v := range f.values {
		if f.head.Columns[c].Type == "utf8" && !rise(v.ends, v.texts) {
			return false
		}
	}
	return true
}

// rise reports whether the ends of texts never fall, and the last is that of all.
func rise(ends []uint64, texts []byte) bool {
	last := uint64(0)
	for _, end := range ends {
		if end < last {
			return false
		}
		last = end
	}
	return last == uint64(len(texts))
}

// littleEndian reports whether numbers in memory are as they are in the file.
func littleEndian() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 1
}

// cast is bytes as numbers; their beginning is aligned.
func cast[T any](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}

// Units are the names and stamps of what was listed.
func (f *File) Units() []Unit {
	list := make([]Unit, len(f.head.Units))
	for i, u := range f.head.Units {
		list[i] = Unit{Name: u.Name, Stamp: u.Stamp}
	}
	return list
}

// Entries unpacks those of a unit, by its number.
func (f *File) Entries(unit int) (data []byte, err error) {
	u := f.head.Units[unit]
	if u.At < 0 || u.Bytes < 0 || u.Bytes > int64(len(f.entries)) || u.At > int64(len(f.entries))-u.Bytes {
		return nil, errDamaged
	}
	packed := f.entries[u.At : u.At+u.Bytes]
	if print := xxh3.Hash128(packed).Bytes(); fmt.Sprintf("%x", print) != u.Print {
		return nil, errDamaged
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<30))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return decoder.DecodeAll(packed, nil)
}

// FileSize is the size of the file.
func (f *File) FileSize() int64 { return int64(len(f.mapped.Bytes())) }

// Numbers are the source's own columns.
func (f *File) Numbers() [][]int64 { return f.numbers }

// Warnings are those of the listing.
func (f *File) Warnings() []string { return f.head.Warnings }

// Extra is the source's own.
func (f *File) Extra() map[string]string { return f.head.Extra }

// Identity is the index's hash, as it was when the file was written.
func (f *File) Identity() string { return f.head.Identity }

// Checked tells that the index was checked (schema.Check) before the file was written.
func (f *File) Checked() bool { return true }

func (f *File) text(ends []uint64, texts []byte, i int) []byte {
	from := uint64(0)
	if i > 0 {
		from = ends[i-1]
	}
	return texts[from:ends[i]]
}

// Len is the number of samples.
func (f *File) Len() int { return f.head.Samples }

// Tasks are the label columns.
func (f *File) Tasks() []schema.Task { return f.head.Tasks }

// Key is a copy of a sample's key.
func (f *File) Key(sample int) string { return string(f.text(f.keyEnds, f.keys, sample)) }

// Find searches the keys, which are sorted.
func (f *File) Find(key string) (sample int, ok bool) {
	low, high := 0, f.head.Samples
	for low < high {
		middle := int(uint(low+high) >> 1)
		switch compare(f.text(f.keyEnds, f.keys, middle), key) {
		case 0:
			return middle, true
		case -1:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, false
}

// compare is bytes.Compare with a text.
func compare(a []byte, b string) int {
	return strings.Compare(unsafe.String(unsafe.SliceData(a), len(a)), b)
}

// Size is the number of a sample's encoded bytes.
func (f *File) Size(sample int) int64 { return f.sizes[sample] }

// Label is a sample's class number in a task.
func (f *File) Label(task, sample int) int32 { return f.labels[task][sample] }

// Weight is a sample's weight in the loss.
func (f *File) Weight(sample int) float32 {
	if f.weights == nil {
		return 1
	}
	return f.weights[sample]
}

// SourceIndex is a sample's number before a split.
func (f *File) SourceIndex(sample int) int64 {
	if f.origin == nil {
		return int64(sample)
	}
	return f.origin[sample]
}

// Columns are those that the source adds.
func (f *File) Columns() []schema.Column { return f.columns }

// Value is a sample's value in a column.
func (f *File) Value(column, sample int) any {
	v := &f.values[column]
	switch {
	case v.there[sample] == 0:
		return nil
	case v.longs == nil:
		return string(f.text(v.ends, v.texts, sample))
	case f.head.Columns[column].Type == "float64":
		return math.Float64frombits(uint64(v.longs[sample]))
	}
	return v.longs[sample]
}

// Ignored is the number of files that the source left out.
func (f *File) Ignored() int { return f.head.Ignored }

var _ schema.Index = (*File)(nil)
