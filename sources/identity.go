package sources

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"math"

	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/schema"
)

// Identity is the hash of everything that an index says of its samples, in their order: tasks
// with their classes, keys, sizes (-1 where a file is missing), class names, weights, the
// columns that the source adds and, after a split, their numbers before it (they are delivered
// as source_index). Paths and times are not in it, nor what was ignored: a copy of the data
// elsewhere has the same identity.
//
// It is the SHA-256, in hex, of the line "sluice source 1" and, little-endian:
// number of tasks, per task its name, number of classes, their names; number
// of samples; per sample key, size, weight's bits, source number, and per task
// the byte 1 and the class name, or the byte 0 where it is unknown. Numbers have
// 8 bytes (weights 4), texts are preceded by their length. Where the source adds
// columns there follow their number, per column its name and type
// (schema.TypeText), and per sample each value's bytes (schema.Column.AppendValue). Where
// samples have targets there follow their schema.TargetSpec as JSON, and per sample the
// digest of its targets.
func Identity(x schema.Index) string {
	if known, ok := x.(*indexfile.File); ok {
		return known.Identity()
	}
	w := digest{Hash: sha256.New()}
	w.buf = append(w.buf, "sluice source 1\n"...)
	tasks := x.Tasks()
	w.number(int64(len(tasks)))
	for _, task := range tasks {
		w.text(task.Name)
		w.number(int64(len(task.Classes)))
		for _, class := range task.Classes {
			w.text(class)
		}
	}
	w.number(int64(x.Len()))
	for s := range x.Len() {
		w.text(x.Key(s))
		w.number(x.Size(s))
		w.buf = binary.LittleEndian.AppendUint32(w.buf, math.Float32bits(x.Weight(s)))
		w.number(x.SourceIndex(s))
		for t, task := range tasks {
			label := x.Label(t, s)
			if label == schema.Unknown {
				w.buf = append(w.buf, 0)
				continue
			}
			w.buf = append(w.buf, 1)
			w.text(task.Classes[label])
		}
		w.flush(1 << 15)
	}
	if list := x.Columns(); len(list) > 0 {
		w.columns(x, list)
	}
	if spec := schema.TargetSpecOf(x); spec != nil {
		text, _ := json.Marshal(spec) // texts and numbers
		w.text(string(text))
		for s := range x.Len() {
			digest := schema.TargetDigestOf(x, s)
			w.buf = append(w.buf, digest[:]...)
			w.flush(1 << 15)
		}
	}
	w.flush(0)
	return hex.EncodeToString(w.Sum(nil))
}

// digest collects what is hashed: many small writes to a hash are slow.
type digest struct {
	hash.Hash
	buf []byte
}

func (w *digest) number(n int64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(n)) }

func (w *digest) text(s string) {
	w.number(int64(len(s)))
	w.buf = append(w.buf, s...)
}

// columns adds what a source adds to the rows.
func (w *digest) columns(x schema.Index, list []schema.Column) {
	w.number(int64(len(list)))
	for _, c := range list {
		w.text(c.Name)
		w.text(schema.TypeText(c.Type))
	}
	for s := range x.Len() {
		for i, c := range list {
			// It fails on nothing that schema.Check has passed.
			w.buf, _ = c.AppendValue(w.buf, x.Value(i, s))
		}
		w.flush(1 << 15)
	}
}

// flush hashes what was collected if it is more than least bytes.
func (w *digest) flush(least int) {
	if len(w.buf) > least {
		w.Write(w.buf) // never fails
		w.buf = w.buf[:0]
	}
}
