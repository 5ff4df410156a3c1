package parquetsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/blob"
	"github.com/sluicedata/sluice/internal/indexfile"
	"github.com/sluicedata/sluice/internal/parquet"
	"github.com/sluicedata/sluice/sources"
)

// rows are the entries of a row group.
type rows struct {
	Pages   []parquet.Page
	Sizes   []int64
	Places  []int64 // the page's number in Pages << 32 | the offset in the page, unpacked
	Labels  [][]string
	Weights []float32
	Values  [][]any
	Targets [][]json.RawMessage // per column of targets
}

// list lists the files: those that the index knows, and then the others, several row groups
// at a time. Of several errors it returns that of the first row group.
func (p Parquet) list(ctx context.Context, k *indexfile.Keeper, files []*file) error {
	type job struct {
		f     *file
		group int
	}
	var jobs []job
	for _, f := range files {
		if !p.targets() && f.recall(k) {
			continue
		}
		f.groups = make([]rows, len(f.Groups))
		for g := range f.groups {
			jobs = append(jobs, job{f, g})
		}
	}
	errs := make([]error, len(jobs))
	var next atomic.Int64
	var failed atomic.Bool
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		all.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				if err := jobs[i].f.list(ctx, jobs[i].group); err != nil {
					errs[i] = fmt.Errorf("%q: %w", jobs[i].f.name, err)
					failed.Store(true)
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if p.targets() {
		return nil // they are read at every start
	}
	for _, f := range files {
		f.remember(k)
	}
	return nil
}

// list reads one row group.
func (f *file) list(ctx context.Context, group int) error {
	from := blob.ReaderAt(ctx, f.object)
	g := &f.groups[group]
	n := int(f.Groups[group].Rows)
	g.Sizes, g.Places = make([]int64, 0, n), make([]int64, 0, n)
	most := f.Leaves[f.image.leaf].MaxLevel
	var err error
	g.Pages, err = f.Places(from, group, f.image.leaf, func(v *parquet.Value) error {
		size, place := int64(-1), int64(0)
		if v.Level == most {
			size, place = int64(v.Length+len(f.header)), int64(v.Page)<<32|int64(v.Offset)
		}
		g.Sizes, g.Places = append(g.Sizes, size), append(g.Places, place)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range f.tasks {
		texts, err := f.labels(from, group, &f.tasks[i])
		if err != nil {
			return err
		}
		g.Labels = append(g.Labels, texts)
	}
	if f.weight != nil {
		if g.Weights, err = f.weights(from, group); err != nil {
			return err
		}
	}
	for i := range f.meta {
		values, err := f.values(from, group, &f.meta[i])
		if err != nil {
			return err
		}
		g.Values = append(g.Values, values)
	}
	for i := range f.targets {
		cells, err := f.cells(from, group, &f.targets[i])
		if err != nil {
			return err
		}
		g.Targets = append(g.Targets, cells)
	}
	return nil
}

// labels reads a label column as text.
func (f *file) labels(from io.ReaderAt, group int, c *column) ([]string, error) {
	l := &f.Leaves[c.leaf]
	texts := make([]string, 0, f.Groups[group].Rows)
	text := texter(l)
	err := f.Values(from, group, c.leaf, func(v *parquet.Value) error {
		switch {
		case v.Level < l.MaxLevel:
			texts = append(texts, "")
		case c.classes == nil:
			s, err := text(v)
			if err != nil {
				return fmt.Errorf("row %d: %w", len(texts), err)
			}
			texts = append(texts, s)
		case v.Int == -1: // what datasets writes where there is no label
			texts = append(texts, "")
		case v.Int < 0 || v.Int >= int64(len(c.classes)):
			return fmt.Errorf("row %d: the label is %d, and the metadata name %d classes", len(texts), v.Int, len(c.classes))
		default:
			texts = append(texts, c.classes[v.Int])
		}
		return nil
	})
	return texts, err
}

// mostText bounds a label, in bytes.
const mostText = 64 << 10

// texter gives the text of values that aren't null; equal ones share it.
func texter(l *parquet.Leaf) func(v *parquet.Value) (string, error) {
	numbers, texts := map[int64]string{}, map[string]string{}
	return func(v *parquet.Value) (string, error) {
		switch l.Type {
		case parquet.ByteArray:
			if len(v.Bytes) > mostText {
				return "", fmt.Errorf("%.40q has %d bytes, and %d are allowed", v.Bytes[:40], len(v.Bytes), mostText)
			}
			text, ok := texts[string(v.Bytes)]
			if !ok {
				if !utf8.Valid(v.Bytes) {
					return "", fmt.Errorf("%.80q is not UTF-8", v.Bytes)
				}
				text = string(v.Bytes)
				texts[text] = text
			}
			return text, nil
		case parquet.Boolean:
			return strconv.FormatBool(v.Int != 0), nil
		}
		text, ok := numbers[v.Int]
		if !ok {
			text = strconv.FormatInt(v.Int, 10)
			if l.Unsigned {
				text = strconv.FormatUint(unsigned(l, v.Int), 10)
			}
			numbers[v.Int] = text
		}
		return text, nil
	}
}

// unsigned is a number of an unsigned column.
func unsigned(l *parquet.Leaf, n int64) uint64 {
	if l.Type == parquet.Int32 {
		return uint64(uint32(n))
	}
	return uint64(n)
}

func isFloat(l *parquet.Leaf) bool { return l.Type == parquet.Float || l.Type == parquet.Double }

// number is a value of a column of numbers.
func number(l *parquet.Leaf, v *parquet.Value) float64 {
	switch {
	case isFloat(l):
		return v.Float
	case l.Unsigned:
		return float64(unsigned(l, v.Int))
	}
	return float64(v.Int)
}

func (f *file) weights(from io.ReaderAt, group int) ([]float32, error) {
	l := &f.Leaves[f.weight.leaf]
	list := make([]float32, 0, f.Groups[group].Rows)
	err := f.Values(from, group, f.weight.leaf, func(v *parquet.Value) error {
		if v.Level < l.MaxLevel {
			list = append(list, 1)
			return nil
		}
		w := float32(number(l, v))
		if math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) || w < 0 {
			return fmt.Errorf("row %d: %v is not a weight: want a finite number of at least 0", len(list), number(l, v))
		}
		list = append(list, float32(math.Abs(float64(w)))) // -0 is 0
		return nil
	})
	return list, err
}

// values reads a meta column.
func (f *file) values(from io.ReaderAt, group int, c *column) ([]any, error) {
	l := &f.Leaves[c.leaf]
	list := make([]any, 0, f.Groups[group].Rows)
	text := texter(l)
	err := f.Values(from, group, c.leaf, func(v *parquet.Value) error {
		var value any
		var err error
		switch {
		case v.Level < l.MaxLevel:
		case c.meta == sources.MetaFloat:
			value = number(l, v)
		case c.meta == sources.MetaInt && l.Unsigned:
			n := unsigned(l, v.Int)
			if n > math.MaxInt64 {
				err = errors.New("it has more than 63 bits: say {" + c.name + ": text} in meta")
			}
			value = int64(n)
		case c.meta == sources.MetaInt:
			value = v.Int
		case isFloat(l):
			value = strconv.FormatFloat(v.Float, 'g', -1, 64)
		default:
			value, err = text(v)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", len(list), err)
		}
		list = append(list, value)
		return nil
	})
	return list, err
}
