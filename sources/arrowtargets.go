package sources

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/internal/fingerprint"
	"github.com/sluicedata/sluice/internal/png"
	"github.com/sluicedata/sluice/schema"
)

// This file reads the targets of data sets that sluice wrote back. Labels of objects are in
// the index; all else is read with its row.

// arrowOwn are the targets of such files. Of each sample it keeps how much memory they take.
type arrowOwn struct {
	spec  *schema.TargetSpec
	bytes []int32
}

// ownSpec is the spec in a file's metadata; nil: it has none.
func ownSpec(s *arrowfile.Schema) (spec *schema.TargetSpec, err error) {
	text, ok := s.Metadata[schema.MetaTargets]
	if !ok {
		return nil, nil
	}
	err = json.Unmarshal([]byte(text), &spec)
	if err == nil {
		err = spec.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("damaged: metadata %s: %w", schema.MetaTargets, err)
	}
	if spec.Objects() || spec.HasMask() {
		_, err = ownColumns(s, spec)
	}
	return spec, err
}

// ownLabels are the columns of several labels and of values that sluice wrote, which are named
// after their tasks as those of one label are; nil: there are none.
func ownLabels(s *arrowfile.Schema, spec *schema.TargetSpec, tasks []string, from string) (*targetColumns, error) {
	var several []schema.Task
	if spec != nil {
		several = spec.Multi
	}
	multi, values := Multi{}, ValueColumns{}
	for _, t := range several {
		multi[t.Name] = MultiTask{Column: schema.ColumnLabel + t.Name}
	}
	for _, f := range s.Fields {
		name, ok := strings.CutPrefix(f.Name, schema.ColumnLabel)
		if ok && f.Type.Kind == arrowfile.Float && !slices.Contains(tasks, name) {
			values[name] = f.Name
		}
	}
	damaged := func(err error) error { return fmt.Errorf("damaged: metadata %s: %w", schema.MetaTargets, err) }
	if err := checkLabelNames(multi, values, Objects{}, tasks, nil); err != nil {
		return nil, damaged(err)
	}
	c, err := newTargetColumns(multi, values, Objects{})
	for _, t := range several {
		var bad problems
		checkNames(t.Classes, func(i int) string { return fmt.Sprintf("task %q: class %d", t.Name, i) }, &bad)
		if len(t.Classes) > 0 && bad.count() > 0 {
			return nil, damaged(bad.list[0])
		}
		at := slices.Index(c.tasks, t.Name)
		c.classes[at], c.byNumber[at] = classList{append([]string{}, t.Classes...), from}, append([]string{}, t.Classes...)
	}
	return c, err
}

// ownColumns are the numbers of the columns of targets, in the order of their names.
func ownColumns(s *arrowfile.Schema, spec *schema.TargetSpec) (numbers []int, err error) {
	for _, name := range ownNames(spec) {
		i := s.Find(name)
		if i < 0 {
			return nil, errorf("damaged: there is no column %q, which its metadata promise", name)
		}
		if !isOwnColumn(&s.Fields[i], name, len(spec.Keypoints)) {
			return nil, errorf("damaged: column %q has the type %s", name, &s.Fields[i].Type)
		}
		numbers = append(numbers, i)
	}
	return numbers, nil
}

// isOwnColumn says whether a column has the type that the column of that name has.
func isOwnColumn(f *arrowfile.Field, name string, keypoints int) bool {
	t := &f.Type
	if name == schema.ColumnMask {
		if t.Kind == arrowfile.FixedList || t.Kind == arrowfile.Struct {
			_, err := ownMaskSize(f)
			return err == nil
		}
		return t.Kind == arrowfile.Binary && !t.Dictionary
	}
	holds := func(t *arrowfile.Type, kind arrowfile.Kind) bool {
		return len(t.Fields) == 1 && t.Fields[0].Type.Kind == kind && !t.Fields[0].Type.Dictionary
	}
	tuples := func(length int64) bool {
		return holds(t, arrowfile.FixedList) && t.Fields[0].Type.Len == length && holds(&t.Fields[0].Type, arrowfile.Float)
	}
	if t.Kind != arrowfile.List {
		return false
	}
	switch name {
	case schema.ColumnBoxes:
		return tuples(4)
	case schema.ColumnKeypoints:
		return tuples(3 * int64(keypoints))
	case schema.ColumnPolygon:
		return holds(t, arrowfile.List) && holds(&t.Fields[0].Type, arrowfile.List) && holds(&t.Fields[0].Type.Fields[0].Type, arrowfile.Float)
	case schema.ColumnArea:
		return holds(t, arrowfile.Float)
	case schema.ColumnCrowd:
		return holds(t, arrowfile.Bool)
	}
	return holds(t, arrowfile.Int)
}

// ownNames are the names of the columns.
func ownNames(spec *schema.TargetSpec) (names []string) {
	if spec.Boxes {
		names = append(names, schema.ColumnBoxes, schema.ColumnObject, schema.ColumnObjectID, schema.ColumnCrowd, schema.ColumnArea)
		if spec.Polygons {
			names = append(names, schema.ColumnPolygon)
		}
		if len(spec.Keypoints) > 0 {
			names = append(names, schema.ColumnKeypoints)
		}
	}
	if spec.Mask {
		names = append(names, schema.ColumnMask)
	}
	return names
}

// ownMaskSize is the size of tensors of masks; zeros where it varies.
func ownMaskSize(f *arrowfile.Field) (size [2]int64, err error) {
	if f.Type.Kind == arrowfile.Struct {
		if h, w, p := f.Type.Field("height"), f.Type.Field("width"), f.Type.Field("pixels"); h < 0 || w < 0 || p < 0 ||
			f.Type.Fields[h].Type.Kind != arrowfile.Int || f.Type.Fields[w].Type.Kind != arrowfile.Int || f.Type.Fields[p].Type.Kind != arrowfile.Binary {
			return size, errors.New("it lacks height, width and pixels")
		}
		return size, nil
	}
	var md struct{ Shape []int64 }
	e := &f.Type.Fields[0].Type
	if err := json.Unmarshal([]byte(f.Metadata["ARROW:extension:metadata"]), &md); err != nil {
		return size, err
	}
	if len(md.Shape) != 2 || md.Shape[0] < 1 || md.Shape[1] < 1 || md.Shape[0] > mostSide || md.Shape[1] > mostSide || md.Shape[0]*md.Shape[1] != f.Type.Len || e.Kind != arrowfile.Uint || e.Bits != 8 || e.Dictionary {
		return size, fmt.Errorf("its shape is %v", md.Shape)
	}
	return [2]int64(md.Shape), nil
}

// ownRow reads the objects of a row. What it reads need not be trusted.
func ownRow(columns []*arrowfile.Column, spec *schema.TargetSpec, row int64, t *schema.Targets) error {
	if !spec.Boxes {
		return nil
	}
	names := ownNames(spec)
	first, end, err := columns[0].Elements(row)
	if err != nil {
		return err
	}
	at := len(t.Objects)
	for range end - first {
		t.Objects = append(t.Objects, schema.Object{})
	}
	for i, name := range names {
		if name == schema.ColumnMask {
			continue
		}
		from, to, err := columns[i].Elements(row)
		if err == nil && to-from != end-first {
			err = fmt.Errorf("damaged: it has %d objects, and boxes has %d", to-from, end-first)
		}
		for o := from; o < to && err == nil; o++ {
			err = ownObject(columns[i].Parts[0], name, o, &t.Objects[at+int(o-from)], len(spec.Classes))
		}
		if err != nil {
			return errorf("column %q: %w", name, err)
		}
	}
	return nil
}

// ownObject reads what an object has in one column.
func ownObject(c *arrowfile.Column, name string, at int64, o *schema.Object, classes int) error {
	switch name {
	case schema.ColumnBoxes:
		list, err := ownFloats(c, at)
		if err != nil {
			return err
		}
		o.Box = [4]float32(list)
		if o.Box[0] > o.Box[2] || o.Box[1] > o.Box[3] {
			return fmt.Errorf("damaged: the box %v is reversed", o.Box)
		}
		return nil
	case schema.ColumnKeypoints:
		list, err := ownFloats(c, at)
		o.Keypoints = list
		return err
	case schema.ColumnPolygon:
		first, end, err := c.Elements(at)
		for i := first; i < end && err == nil; i++ {
			var ring []float32
			ring, err = ownFloats(c.Parts[0], i)
			if err == nil && len(ring)%2 != 0 {
				err = fmt.Errorf("damaged: a polygon of %d numbers", len(ring))
			}
			o.Polygon = append(o.Polygon, ring)
		}
		return err
	}
	bits, ok, err := c.Number(at)
	if err != nil || !ok {
		return errors.Join(err, nullTarget(ok))
	}
	switch name {
	case schema.ColumnObject:
		if n := int64(bits); n < 0 || n >= int64(classes) {
			return fmt.Errorf("damaged: class %d of %d", n, classes)
		}
		o.Label = int32(bits)
	case schema.ColumnObjectID:
		o.ID = int64(bits)
	case schema.ColumnCrowd:
		o.Crowd = bits != 0
	case schema.ColumnArea:
		if o.Area = float32(math.Float64frombits(bits)); !(o.Area >= 0 && o.Area <= math.MaxFloat32) {
			return fmt.Errorf("damaged: the area %v", o.Area)
		}
	}
	return nil
}

func nullTarget(ok bool) error {
	if ok {
		return nil
	}
	return errors.New("damaged: it is null")
}

// ownFloats are the numbers of a list.
func ownFloats(c *arrowfile.Column, row int64) ([]float32, error) {
	first, end, err := c.Elements(row)
	if err != nil {
		return nil, err
	}
	list := make([]float32, 0, end-first)
	for i := first; i < end; i++ {
		bits, ok, err := c.Parts[0].Number(i)
		v := float32(math.Float64frombits(bits))
		if err == nil && (v != v || math.IsInf(float64(v), 0)) {
			err = fmt.Errorf("damaged: %v is not finite", v)
		}
		if err != nil || !ok {
			return nil, errors.Join(err, nullTarget(ok))
		}
		list = append(list, v)
	}
	return list, nil
}

// own lists the targets of all rows: labels, digests and sizes.
func (d *arrowRows) listOwn(ctx context.Context, spec *schema.TargetSpec) error {
	type row struct {
		first, end int64 // in labels
		digest     [16]byte
		bytes      int32
	}
	var labels []int32
	plain := false // there is an object that is no crowd
	rows := make([][]row, len(d.parts))
	one := sampleTargets{objects: make([][]schema.Object, 1)}
	var t schema.Targets
	var buf []byte
	for i, p := range d.parts {
		err := arrowfile.Protect(func() error {
			numbers, err := ownColumns(p.file.Schema, spec)
			if err != nil {
				return err
			}
			return p.eachRow(ctx, numbers, func(columns []*arrowfile.Column, at int64) error {
				t.Reset()
				if err := ownRow(columns, spec, at, &t); err != nil {
					return err
				}
				r := row{first: int64(len(labels))}
				one.objects[0] = t.Objects
				buf = one.appendDigest(buf[:0], 0)
				size := int64(64)
				for o := range t.Objects {
					labels = append(labels, t.Objects[o].Label)
					plain = plain || !t.Objects[o].Crowd
					size += t.Objects[o].Bytes()
				}
				if spec.Mask {
					n, err := ownMaskBytes(columns[len(columns)-1], at)
					if err != nil {
						return errorf("column %q: %w", schema.ColumnMask, err)
					}
					buf = binary.LittleEndian.AppendUint64(append(buf, 'm'), uint64(n))
					size += 2 * n
				}
				r.end, r.digest, r.bytes = int64(len(labels)), fingerprint.Of(buf), int32(min(size, math.MaxInt32))
				rows[i] = append(rows[i], r)
				return nil
			})
		})
		if err != nil {
			return errorf("%q: %w", p.name, err)
		}
	}
	x, ok := d.index.(*schema.Table)
	if !ok {
		return errors.New("its index holds no targets") // it was listed just now
	}
	spec.CrowdsAlone = spec.Boxes && len(labels) > 0 && !plain
	out := &schema.TargetTable{Spec: spec, Digests: make([][16]byte, x.Len())}
	d.own = &arrowOwn{spec, make([]int32, x.Len())}
	if spec.Boxes {
		out.First = append(make([]int64, 0, x.Len()+1), 0)
	}
	for sample := range out.Digests {
		r := rows[d.part[sample]][d.row[sample]]
		out.Digests[sample], d.own.bytes[sample] = r.digest, r.bytes
		if spec.Boxes {
			out.Labels = append(out.Labels, labels[r.first:r.end]...)
			out.First = append(out.First, int64(len(out.Labels)))
		}
	}
	x.Targets = out
	return nil
}

// eachRow calls f with columns and the number of each row in them.
func (p *arrowPart) eachRow(ctx context.Context, numbers []int, f func(columns []*arrowfile.Column, row int64) error) error {
	for b := range p.file.Batches() {
		if err := ctx.Err(); err != nil {
			return err
		}
		columns, err := p.file.Columns(b, numbers...)
		if err != nil {
			return err
		}
		first, end := p.file.Span(b)
		for row := range end - first {
			if err := f(columns, row); err != nil {
				return fmt.Errorf("row %d: %w", first+row, err)
			}
		}
	}
	return nil
}

// ownMaskBytes is how much a row's mask holds; 0 where there is none.
func ownMaskBytes(c *arrowfile.Column, row int64) (int64, error) {
	if null, err := c.Null(row); null || err != nil {
		return 0, err
	}
	if c.Type.Kind == arrowfile.Struct {
		c = c.Parts[c.Type.Field("pixels")]
	}
	r, err := c.Range(row)
	return r.Len(), err
}

// Targets reads those of a row, in the coordinates of the picture as it is shown. A mask of
// pixels becomes a PNG file, as other sources have it.
func (d *arrowRows) Targets(ctx context.Context, sample int, t *schema.Targets) error {
	if d.own == nil {
		return d.opened.Targets(ctx, sample, t)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p, row := d.parts[d.part[sample]], d.row[sample]
	t.Frame = schema.Displayed
	missingMask := false
	err := arrowfile.Protect(func() error {
		numbers, err := ownColumns(p.file.Schema, d.own.spec)
		if err != nil {
			return err
		}
		batch := p.file.Batch(row)
		columns, err := p.file.Columns(batch, numbers...)
		if err != nil {
			return err
		}
		first, _ := p.file.Span(batch)
		if err := ownRow(columns, d.own.spec, row-first, t); err != nil || !d.own.spec.Mask {
			return err
		}
		t.Mask, err = ownMask(columns[len(columns)-1], &p.file.Schema.Fields[numbers[len(numbers)-1]], row-first)
		missingMask = err == nil && t.Mask == nil
		return err
	})
	if e := p.unchanged(); e != nil {
		err = e
	}
	switch {
	case err != nil:
		return d.errorf(sample, "cannot read the targets of row %d of %q: %w%s", row, p.path, cause(err), advice(err))
	case missingMask:
		return d.errorf(sample, "%w: row %d of %q has no mask", ErrTargets, row, p.path)
	}
	return nil
}

// TargetBytes is about what Targets takes.
func (d *arrowRows) TargetBytes(sample int) int64 {
	if d.own == nil {
		return d.opened.TargetBytes(sample)
	}
	return int64(d.own.bytes[sample])
}

// ownMask is a row's mask as a PNG file; nil: it has none.
func ownMask(c *arrowfile.Column, f *arrowfile.Field, row int64) ([]byte, error) {
	if null, err := c.Null(row); null || err != nil {
		return nil, err
	}
	pixels, size := c, [2]int64{}
	switch c.Type.Kind {
	case arrowfile.Binary:
		text, _, err := c.Text(row)
		if text == "" {
			return nil, err
		}
		return []byte(text), err
	case arrowfile.Struct:
		for i, name := range []string{"height", "width"} {
			n, ok, err := c.Parts[c.Type.Field(name)].Number(row)
			if err != nil || !ok {
				return nil, errors.Join(err, nullTarget(ok))
			}
			size[i] = int64(n)
		}
		pixels = c.Parts[c.Type.Field("pixels")]
	default:
		var err error
		if size, err = ownMaskSize(f); err != nil {
			return nil, err
		}
	}
	r, err := pixels.Range(row)
	if err != nil {
		return nil, err
	}
	if size[0] < 1 || size[1] < 1 || size[0] > mostSide || size[1] > mostSide || size[0]*size[1] != r.Len() {
		return nil, fmt.Errorf("damaged: a mask of %d x %d with %d pixels", size[0], size[1], r.Len())
	}
	values, err := r.Bytes()
	if err != nil {
		return nil, err
	}
	e := ownEncoders.Get().(*png.Encoder)
	defer ownEncoders.Put(e)
	return e.Encode(nil, values, int(size[0]), int(size[1]), 1)
}

var ownEncoders = sync.Pool{New: func() any { return &png.Encoder{} }}
