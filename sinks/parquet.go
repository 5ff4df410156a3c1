package sinks

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicedata/sluice/internal/parquet"
	"github.com/sluicedata/sluice/schema"
)

// Parquet writes Parquet files that pyarrow, DuckDB, Polars and pandas read, and
// load_dataset("parquet") with pictures and class names: the columns of a run, where
//
//	image          is {bytes, path}, an image file and a name for it, as Hugging Face's
//	               datasets has it; or with image: raw the pixels, bytes of a fixed length
//	label.<task>   is an int64, null where the class is unknown, a ClassLabel for datasets
//	class.<task>   with class_names: the class by its name
//	mask           is {bytes, path}, a PNG file of class numbers
//	boxes, ...     are lists, those of a fixed length included
//
// The metadata of a file are those of Arrow files, see schema.Run, datasets' features under
// huggingface, and for raw pixels sluice.shape (JSON: their dimensions in order) and
// sluice.dtype (uint8 or float32, little-endian).
//
// Parts, plan, manifest and lists of samples are as ArrowParts has them. Columns of a source
// that are structures aren't written.
type Parquet struct {
	Images
	Codec      ParquetCodec `sluice:"codec" default:"none" doc:"compression of all columns; image files hardly become smaller, raw pixels do"`
	PartRows   int          `sluice:"part_rows,positive" default:"4096" doc:"rows of a file, rounded down to whole batches, at least one"`
	GroupRows  int          `sluice:"group_rows,positive" default:"1024" doc:"rows of a row group, at most"`
	GroupSize  Bytes        `sluice:"group_size,positive" default:"64MiB" doc:"bytes after which a row group ends, before compression; each takes as much memory while it is written"`
	ClassNames bool         `sluice:"class_names" doc:"add a column class.TASK with the name of the class for each task"`
	Parts

	form schema.Form // of the run
}

// ParquetCodec is how the pages of Parquet files are compressed.
type ParquetCodec string

var parquetCodecs = map[ParquetCodec]parquet.Codec{"": parquet.Uncompressed, "none": parquet.Uncompressed, "snappy": parquet.Snappy, "zstd": parquet.Zstd}

// Values lists the codecs; the first is the default.
func (ParquetCodec) Values() []string { return []string{"none", "snappy", "zstd"} }

var (
	_ Skipper        = (*Parquet)(nil)
	_ ReadTracker    = (*Parquet)(nil)
	_ SourceVerifier = (*Parquet)(nil)
	_ Updater        = (*Parquet)(nil)
	_ Encoding       = (*Parquet)(nil)
)

const (
	columnClass = "class." // followed by the task's name

	defaultGroupRows = 1024
	mostGroupRows    = 1 << 20
	defaultGroupSize = 64 << 20
	mostGroupSize    = 1 << 40
)

// The keys of a file's metadata that Arrow files don't have.
const (
	metaHuggingFace = "huggingface"
	metaShape       = "sluice.shape"
	metaDType       = "sluice.dtype"
)

// Name is parquet.
func (*Parquet) Name() string { return "parquet" }

// Check reports every impossible option at once.
func (q *Parquet) Check() error {
	errs := []error{q.check()}
	if _, ok := parquetCodecs[q.Codec]; !ok {
		errs = append(errs, fmt.Errorf("codec: unknown codec %q: have none, snappy, zstd", string(q.Codec)))
	}
	if q.PartRows < 0 {
		errs = append(errs, fmt.Errorf("part_rows: %d: want a positive number (0: %d)", q.PartRows, DefaultPartRows))
	}
	if q.GroupRows < 0 || q.GroupRows > mostGroupRows {
		errs = append(errs, fmt.Errorf("group_rows: %d: want 1 to %d (0: %d)", q.GroupRows, mostGroupRows, defaultGroupRows))
	}
	if q.GroupSize < 0 || q.GroupSize > mostGroupSize {
		errs = append(errs, fmt.Errorf("group_size: %d: want 1 to %d bytes (0: %d)", q.GroupSize, int64(mostGroupSize), int64(defaultGroupSize)))
	}
	return errors.Join(errs...)
}

// Open locks the directory and verifies what is in it.
func (q *Parquet) Open(ctx context.Context, run *schema.Run) error {
	if err := cmp.Or(q.Check(), q.holds(run)); err != nil {
		return fmt.Errorf("sinks: parquet: %w", err)
	}
	q.form = run.Form
	c := PartsConfig{Rows: cmp.Or(q.PartRows, DefaultPartRows)}
	if (run.Form == schema.FormEncoded || q.codec() == Raw) && parquetCodecs[q.Codec] == parquet.Uncompressed {
		c.RowBytes = q.rowBytes(run) * int64(len(run.Variants))
	}
	return q.Start(ctx, run, q, c)
}

// holds refuses what no file of these options can hold.
func (q *Parquet) holds(run *schema.Run) error {
	for _, v := range run.Variants {
		if run.Form == schema.FormTensor && v.Tensor.DType == schema.Float32 && q.codec() != Raw {
			return fmt.Errorf("the pixels are %s, and %s holds uint8: leave out to_tensor and normalize, or choose image: raw, which keeps them as bytes of a fixed length", v.Tensor, q.codec())
		}
	}
	if run.HasShares() {
		return errors.New("pictures are mixed with others, and the shares of their classes have no column here: choose the format arrow, or train on the pipeline")
	}
	if run.Form == schema.FormVarying && q.codec() == Raw {
		return errors.New("the pictures are of different sizes, and image: raw takes those of one size: add a stage that crops or resizes, or choose image: jpg or png")
	}
	if run.Form == schema.FormTensor && q.codec() == Raw {
		for _, v := range run.Variants {
			if n := v.Tensor.Elements() * v.Tensor.DType.Bytes(); n > 1<<30 {
				return fmt.Errorf("the pixels of a row, %s, take %d bytes: at most 1 GiB is written: make smaller pictures", v.Tensor, n)
			}
		}
	}
	for _, c := range run.Columns {
		if _, ok := parquetColumn(c); !ok {
			return fmt.Errorf("column %q holds %s: numbers, booleans, text and bytes, and lists of these, are written: leave it out of the source, or choose the format arrow", c.Name, c.Type)
		}
	}
	return nil
}

// Ext is .parquet.
func (*Parquet) Ext() string { return ".parquet" }

// Options are those that decide the bytes.
func (q *Parquet) Options() any {
	return struct {
		imageOptions
		Codec      ParquetCodec `json:"codec"`
		GroupRows  int          `json:"group_rows"`
		GroupSize  int64        `json:"group_size"`
		ClassNames bool         `json:"class_names"`
	}{q.recorded(q.form), cmp.Or(q.Codec, "none"), q.groupRows(), q.groupSize(), q.ClassNames}
}

func (q *Parquet) groupRows() int   { return cmp.Or(q.GroupRows, defaultGroupRows) }
func (q *Parquet) groupSize() int64 { return int64(cmp.Or(q.GroupSize, defaultGroupSize)) }

// Recognizes a directory whose plan.json is of this format.
func (*Parquet) Recognizes(path string) bool { return RecognizesParts(path, "parquet") }

// Verify is VerifyParts.
func (q *Parquet) Verify(ctx context.Context, dir string, tell func(done, parts int)) (VerifyReport, error) {
	return VerifyParts(ctx, q, dir, tell)
}

// Count reads the labels of a file.
func (*Parquet) Count(ctx context.Context, name string, l *Layout, add func(rows int64, labels [][]int32) error) error {
	f, size, err := openRegular(name)
	if err != nil {
		return err
	}
	defer f.Close()
	file, err := parquet.Open(f, size)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	leaves := make([]int, len(l.Tasks))
	for t, task := range l.Tasks {
		leaves[t] = -1
		for i := range file.Leaves {
			if leaf := &file.Leaves[i]; leaf.Name() == schema.ColumnLabel+task.Name && len(leaf.Path) == 1 && leaf.Type == parquet.Int64 {
				leaves[t] = i
			}
		}
		if leaves[t] < 0 {
			return fmt.Errorf("%s: it has no column %q of 64-bit numbers", name, schema.ColumnLabel+task.Name)
		}
	}
	labels := make([][]int32, len(l.Tasks))
	for g := range file.Groups {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rows := file.Groups[g].Rows
		if rows > mostGroupRows {
			return fmt.Errorf("%s: row group %d has %d rows, and at most %d are written", name, g, rows, mostGroupRows)
		}
		for t, leaf := range leaves {
			labels[t] = labels[t][:0]
			err := file.Values(f, g, leaf, func(v *parquet.Value) error {
				switch {
				case v.Level < file.Leaves[leaf].MaxLevel:
					labels[t] = append(labels[t], schema.Unknown)
				case v.Int < 0 || v.Int > math.MaxInt32:
					return fmt.Errorf("%d is no class number", v.Int)
				default:
					labels[t] = append(labels[t], int32(v.Int))
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if err := add(rows, labels); err != nil {
			return err
		}
	}
	return nil
}

// writesTargets is about all of them.
func (*Parquet) writesTargets() (objects, crowds, masks bool) { return true, true, true }

// Begin starts a file.
func (q *Parquet) Begin(p *Part) (Encoder, error) {
	e := &parquetEncoder{groupRows: q.groupRows(), groupSize: q.groupSize(), run: p.Run, classes: q.ClassNames}
	t := p.Run.Variants[p.Variant].Tensor
	e.raw = p.Run.Form == schema.FormTensor && q.codec() == Raw
	if !e.raw {
		var err error
		if e.images, err = newImageWriter(q.Images, t); err != nil {
			return nil, err
		}
	}
	var err error
	e.out, err = parquet.NewWriter(p, e.columns(p.Schema, t), parquetCodecs[q.Codec], parquetMeta(p, e.raw))
	return e, err
}

// parquetMeta is the metadata of a part's file.
func parquetMeta(p *Part, raw bool) (list []parquet.Pair) {
	md := p.Schema.Metadata()
	for i, key := range md.Keys() {
		list = append(list, parquet.Pair{Key: key, Value: md.Values()[i]})
	}
	type feature struct {
		Type  string   `json:"_type"`
		Names []string `json:"names,omitempty"`
	}
	var features ordered
	if t := p.Run.Variants[p.Variant].Tensor; raw {
		list = append(list, parquet.Pair{Key: metaShape, Value: string(marshal(t.Shape()))}, parquet.Pair{Key: metaDType, Value: string(t.DType)})
	} else {
		features.add(schema.ColumnImage, feature{Type: "Image"})
	}
	if p.Run.Targets.HasMask() {
		features.add(schema.ColumnMask, feature{Type: "Image"})
	}
	for _, task := range p.Run.Tasks {
		if len(task.Classes) > 0 {
			features.add(schema.ColumnLabel+task.Name, feature{"ClassLabel", task.Classes})
		}
	}
	return append(list, parquet.Pair{Key: metaHuggingFace, Value: string(marshal(map[string]any{"info": map[string]any{"features": json.Marshaler(&features)}}))})
}

// parquetEncoder writes one file.
type parquetEncoder struct {
	out       *parquet.Writer
	run       *schema.Run
	images    *imageWriter // nil: pixels are written raw
	raw       bool
	classes   bool
	groupRows int
	groupSize int64
	rows      int    // in the row group
	scratch   []byte // of a row's float32 pixels
}

// columns are those of the file, in the order of a batch's; put fills them in this order.
func (e *parquetEncoder) columns(s *arrow.Schema, t schema.Tensor) (list []parquet.Column) {
	task := 0
	for _, f := range s.Fields() {
		switch {
		case f.Name == schema.ColumnImage && e.raw:
			list = append(list, parquet.Column{Path: []string{f.Name}, Type: parquet.FixedLenByteArray, Length: t.Elements() * t.DType.Bytes(), Kind: parquet.NoKind})
		case f.Name == schema.ColumnImage:
			list = append(list, parquet.Column{Path: []string{f.Name, "bytes"}, Type: parquet.ByteArray, Kind: parquet.NoKind},
				parquet.Column{Path: []string{f.Name, "path"}, Type: parquet.ByteArray, Kind: parquet.UTF8})
		case f.Name == schema.ColumnMask && e.run.Targets.HasMask():
			list = append(list, parquet.Column{Path: []string{f.Name, "bytes"}, Type: parquet.ByteArray, Kind: parquet.NoKind},
				parquet.Column{Path: []string{f.Name, "path"}, Type: parquet.ByteArray, Kind: parquet.UTF8})
		case task < len(e.run.Tasks) && f.Name == schema.ColumnLabel+e.run.Tasks[task].Name:
			list = append(list, parquet.Column{Path: []string{f.Name}, Type: parquet.Int64, Optional: true, Kind: parquet.NoKind})
			if e.classes {
				classes := append([]string{}, e.run.Tasks[task].Classes...)
				list = append(list, parquet.Column{Path: []string{columnClass + e.run.Tasks[task].Name}, Type: parquet.ByteArray, Optional: true, Kind: parquet.UTF8, Entries: classes})
			}
			task++
		default:
			c, _ := parquetColumn(schema.Column{Name: f.Name, Type: f.Type})
			c.Optional = f.Nullable
			list = append(list, c)
		}
	}
	return list
}

// parquetColumn is a column of values that are no structures.
func parquetColumn(c schema.Column) (parquet.Column, bool) {
	switch t := c.Type.(type) {
	case *arrow.ListType:
		p, ok := parquetColumn(schema.Column{Name: c.Name, Type: t.Elem()})
		p.Lists++
		return p, ok
	case *arrow.FixedSizeListType:
		p, ok := parquetColumn(schema.Column{Name: c.Name, Type: t.Elem()})
		p.Lists++
		return p, ok
	}
	p := parquet.Column{Path: []string{c.Name}, Optional: true, Kind: parquet.NoKind}
	switch c.Type.ID() {
	case arrow.STRING, arrow.LARGE_STRING:
		p.Type, p.Kind = parquet.ByteArray, parquet.UTF8
	case arrow.BINARY, arrow.LARGE_BINARY:
		p.Type = parquet.ByteArray
	case arrow.BOOL:
		p.Type = parquet.Boolean
	case arrow.INT8:
		p.Type, p.Kind = parquet.Int32, parquet.Int8
	case arrow.INT16:
		p.Type, p.Kind = parquet.Int32, parquet.Int16
	case arrow.INT32:
		p.Type = parquet.Int32
	case arrow.INT64:
		p.Type = parquet.Int64
	case arrow.UINT8:
		p.Type, p.Kind = parquet.Int32, parquet.Uint8
	case arrow.UINT16:
		p.Type, p.Kind = parquet.Int32, parquet.Uint16
	case arrow.UINT32:
		p.Type, p.Kind = parquet.Int32, parquet.Uint32
	case arrow.UINT64:
		p.Type, p.Kind = parquet.Int64, parquet.Uint64
	case arrow.FLOAT32:
		p.Type = parquet.Float
	case arrow.FLOAT64:
		p.Type = parquet.Double
	default:
		return p, false
	}
	return p, true
}

// Add appends a batch. A row group ends where its limits are reached, also within a batch.
func (e *parquetEncoder) Add(b *schema.Batch) error {
	put, err := e.putters(b)
	if err != nil {
		return err
	}
	for row := range b.Rows() {
		for _, p := range put {
			if err := p(row); err != nil {
				return fmt.Errorf("row %d (%s): %w", row, b.Key(row), err)
			}
		}
		if e.rows++; e.rows == e.groupRows || e.out.Buffered() >= e.groupSize {
			e.rows = 0
			if err := e.out.EndGroup(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Finish writes the last row group and the footer.
func (e *parquetEncoder) Finish() error { return e.out.Close("sluice") }

// putters append a row of a batch to the columns, each to one or two.
func (e *parquetEncoder) putters(b *schema.Batch) (list []func(row int) error, err error) {
	column, task := 0, 0
	for i, f := range b.Record.Schema().Fields() {
		switch {
		case f.Name == schema.ColumnImage && e.raw:
			list = append(list, e.pixels(b, column))
			column++
		case f.Name == schema.ColumnImage:
			files, err := e.images.batch(b, nil)
			if err != nil {
				return nil, err
			}
			to := column
			list = append(list, func(row int) error {
				name := path.Base(b.Key(row))
				if b.Form != schema.FormEncoded {
					name = stem(name) + "." + files[row].ext
				}
				return cmp.Or(e.out.Bytes(to, files[row].data), e.out.Text(to+1, name))
			})
			column += 2
		case f.Name == schema.ColumnMask && e.run.Targets.HasMask():
			list = append(list, e.mask(b, column))
			column += 2
		case task < len(e.run.Tasks) && f.Name == schema.ColumnLabel+e.run.Tasks[task].Name:
			list = append(list, e.label(b.Labels(task), column))
			task++
			if column++; e.classes {
				column++
			}
		default:
			list = append(list, putValues(e.out, column, b.Record.Column(i)))
			column++
		}
	}
	return list, nil
}

// pixels are a row's, raw.
func (e *parquetEncoder) pixels(b *schema.Batch, column int) func(row int) error {
	return func(row int) error {
		_, u8, f32 := pixelsOf(b, row)
		if f32 == nil {
			return e.out.Bytes(column, u8)
		}
		e.scratch = e.scratch[:0]
		for _, v := range f32 {
			e.scratch = binary.LittleEndian.AppendUint32(e.scratch, math.Float32bits(v))
		}
		return e.out.Bytes(column, e.scratch)
	}
}

// mask is a row's mask as a file, as image is.
func (e *parquetEncoder) mask(b *schema.Batch, column int) func(row int) error {
	return func(row int) error {
		data, ext, err := maskFile(b, row)
		if err != nil || len(data) == 0 {
			e.out.Null(column)
			e.out.Null(column + 1)
			return err
		}
		return cmp.Or(e.out.Bytes(column, data), e.out.Text(column+1, stem(path.Base(b.Key(row)))+"."+ext))
	}
}

// label is a row's class number, and with class names the name.
func (e *parquetEncoder) label(labels []int32, column int) func(row int) error {
	columns := []int{column}
	if e.classes {
		columns = append(columns, column+1)
	}
	return func(row int) error {
		for _, c := range columns {
			if labels[row] == schema.Unknown {
				e.out.Null(c)
			} else {
				e.out.Int(c, int64(labels[row]))
			}
		}
		return nil
	}
}

// putLists appends a list: depth is how many are around it, and in says in which of them it
// goes on.
func putLists(w *parquet.Writer, column int, values arrow.Array) func(i, in, depth int) error {
	list, ok := values.(array.ListLike)
	if !ok {
		put := putValues(w, column, values)
		return func(i, in, _ int) error {
			if values.IsNull(i) {
				return errors.New("a list holds a null, which isn't written")
			}
			w.In(column, in)
			return put(i)
		}
	}
	inner := putLists(w, column, list.ListValues())
	return func(i, in, depth int) error {
		if values.IsNull(i) {
			return errors.New("a list holds a null, which isn't written")
		}
		first, end := list.ValueOffsets(i)
		if first == end {
			w.In(column, in)
			w.Empty(column, depth)
			return nil
		}
		for k := first; k < end; k++ {
			if k > first {
				in = depth + 1
			}
			if err := inner(int(k), in, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
}

// putValues appends the values of an array of one of parquetColumn's types.
func putValues(w *parquet.Writer, column int, values arrow.Array) func(row int) error {
	number := func(of func(row int) int64) func(row int) error {
		return func(row int) error { w.Int(column, of(row)); return nil }
	}
	var put func(row int) error
	switch a := values.(type) {
	case array.ListLike:
		nested := putLists(w, column, a)
		put = func(row int) error { return nested(row, 0, 0) }
	case *array.String:
		put = func(row int) error { return w.Text(column, a.Value(row)) }
	case *array.LargeString:
		put = func(row int) error { return w.Text(column, a.Value(row)) }
	case *array.Binary:
		put = func(row int) error { return w.Bytes(column, a.Value(row)) }
	case *array.LargeBinary:
		put = func(row int) error { return w.Bytes(column, a.Value(row)) }
	case *array.Boolean:
		put = number(func(row int) int64 {
			if a.Value(row) {
				return 1
			}
			return 0
		})
	case *array.Int8:
		put = number(func(row int) int64 { return int64(a.Value(row)) })
	case *array.Int16:
		put = number(func(row int) int64 { return int64(a.Value(row)) })
	case *array.Int32:
		put = number(func(row int) int64 { return int64(a.Value(row)) })
	case *array.Int64:
		put = number(func(row int) int64 { return a.Value(row) })
	case *array.Uint8:
		put = number(func(row int) int64 { return int64(a.Value(row)) })
	case *array.Uint16:
		put = number(func(row int) int64 { return int64(a.Value(row)) })
	case *array.Uint32:
		put = number(func(row int) int64 { return int64(a.Value(row)) })
	case *array.Uint64:
		put = number(func(row int) int64 { return int64(a.Value(row)) })
	case *array.Float32:
		put = func(row int) error { w.Float(column, float64(a.Value(row))); return nil }
	case *array.Float64:
		put = func(row int) error { w.Float(column, a.Value(row)); return nil }
	default: // Open has refused it
		put = func(int) error { return fmt.Errorf("column %d holds %s", column, values.DataType()) }
	}
	if values.NullN() == 0 {
		return put
	}
	return func(row int) error {
		if values.IsNull(row) {
			w.Null(column)
			return nil
		}
		return put(row)
	}
}
