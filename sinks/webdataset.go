package sinks

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/schema"
)

// WebDataset writes shards as the library webdataset and load_dataset("webdataset") read
// them: tars in which the members of a sample stand together,
//
//	cat/1.jpg          the image
//	cat/1.cls          the number of its class; with several tasks color.cls, shape.cls, ...
//	cat/1.json         key, labels by name and number, weight, epoch, position, and the rest
//
// A sample of unknown class has no .cls. A shard is a part: part-00000-of-00016.tar,
// with a plan, a manifest and lists of samples beside it, as ArrowParts has them.
//
// The name of a sample is its key without the extension, with underscores for the other dots
// of the last element, where each sample is drawn once in the run; otherwise epoch and position are added, as in
// cat/1-e0-p000012.
type WebDataset struct {
	Images
	ShardSize Bytes `sluice:"shard_size,positive" default:"500MiB" doc:"size that shards have about: rows are counted by the mean size of the source's files, or an estimate where pixels are encoded, so that shards have equal numbers of rows"`
	ShardRows int   `sluice:"shard_rows,positive" doc:"rows of a shard instead, rounded down to whole batches, at least one"`
	Bare      bool  `sluice:"bare" doc:"leave out the .json members"`
	Parts

	state *webDataset
}

var (
	_ Skipper        = (*WebDataset)(nil)
	_ ReadTracker    = (*WebDataset)(nil)
	_ SourceVerifier = (*WebDataset)(nil)
	_ Updater        = (*WebDataset)(nil)
	_ Encoding       = (*WebDataset)(nil)
	_ Warner         = (*WebDataset)(nil)
)

// webDataset is what a run needs.
type webDataset struct {
	names *rowNames
	form  schema.Form
}

// Name is webdataset.
func (*WebDataset) Name() string { return "webdataset" }

// Check reports every impossible option at once.
func (w *WebDataset) Check() error {
	errs := []error{w.check()}
	if w.ShardSize < 0 {
		errs = append(errs, fmt.Errorf("shard_size: %d: want a positive number of bytes", w.ShardSize))
	}
	if w.ShardRows < 0 {
		errs = append(errs, fmt.Errorf("shard_rows: %d: want a positive number", w.ShardRows))
	}
	if w.ShardRows > 0 && w.ShardSize > 0 && w.ShardSize != defaultShardSize {
		errs = append(errs, errors.New("shard_rows: shard_size is given, too: leave one of them out"))
	}
	return errors.Join(errs...)
}

const defaultShardSize = 500 << 20

// Open locks the directory and verifies what is in it.
func (w *WebDataset) Open(ctx context.Context, run *schema.Run) error {
	err := w.Check()
	if err == nil {
		err = w.takes(run)
	}
	if err != nil {
		return fmt.Errorf("sinks: webdataset: %w", err)
	}
	w.state = &webDataset{form: run.Form, names: newRowNames(run, -1, false, func(key string, _ int32) string { return tarName(key) })}
	row := w.rowBytes(run)
	c := PartsConfig{Rows: w.ShardRows, RowBytes: row * int64(len(run.Variants))}
	if c.Rows == 0 && row > 0 {
		size := int64(cmp.Or(w.ShardSize, defaultShardSize))
		c.Rows = int(min(max(1, size/row), math.MaxInt32))
	}
	c.Rows = cmp.Or(c.Rows, DefaultPartRows)
	if run.Form != schema.FormEncoded && w.codec() != Raw {
		c.RowBytes = 0 // an estimate
	}
	return w.Start(ctx, run, w, c)
}

// Warnings are about what shards don't hold.
func (*WebDataset) Warnings(run *schema.Run) []string { return withoutTargets("webdataset", run) }

// rowBytes is about what a row takes in a shard, with all its members; 0: not known.
func (w *WebDataset) rowBytes(run *schema.Run) int64 {
	n := w.Images.rowBytes(run)
	if n == 0 {
		return 0
	}
	n += 512 + 256 + 1024*int64(len(run.Tasks))
	if !w.Bare {
		n += 1024
	}
	return n
}

// Ext is .tar.
func (*WebDataset) Ext() string { return ".tar" }

// Options are those that decide the bytes.
func (w *WebDataset) Options() any {
	form := schema.FormTensor
	if w.state != nil {
		form = w.state.form
	}
	return struct {
		imageOptions
		Bare bool `json:"bare"`
	}{w.recorded(form), w.Bare}
}

// Recognizes a directory whose plan.json is of this format.
func (*WebDataset) Recognizes(path string) bool { return RecognizesParts(path, "webdataset") }

// Verify is VerifyParts.
func (w *WebDataset) Verify(ctx context.Context, dir string, tell func(done, parts int)) (VerifyReport, error) {
	return VerifyParts(ctx, w, dir, tell)
}

// Begin starts a shard.
func (w *WebDataset) Begin(p *Part) (Encoder, error) {
	images, err := newImageWriter(w.Images, p.Run.Variants[p.Variant].Tensor)
	if err != nil {
		return nil, err
	}
	e := &shardWriter{w: w, run: p.Run, images: images, tar: tar.NewWriter(p), names: w.state.names}
	for _, t := range p.Run.Tasks {
		ext := "cls"
		if len(p.Run.Tasks) > 1 {
			ext = tarExt(t.Name) + ".cls"
		}
		e.labels = append(e.labels, ext)
	}
	return e, nil
}

// shardWriter writes one tar.
type shardWriter struct {
	w      *WebDataset
	run    *schema.Run
	images *imageWriter
	tar    *tar.Writer
	names  *rowNames
	labels []string // extensions, by task
}

func (s *shardWriter) Add(b *schema.Batch) error {
	rows, err := newRowTexts(s.run, b)
	if err != nil {
		return err
	}
	labels := labelsOf(b)
	files, err := s.images.batch(b, nil)
	if err != nil {
		return err
	}
	for row, f := range files {
		name := s.names.of(b, row, schema.Unknown)
		if err := s.member(name+"."+cmp.Or(f.ext, "bin"), f.data); err != nil {
			return err
		}
		for t, ext := range s.labels {
			if label := labels[t][row]; label != schema.Unknown {
				if err := s.member(name+"."+ext, strconv.AppendInt(nil, int64(label), 10)); err != nil {
					return err
				}
			}
		}
		if !s.w.Bare {
			text, err := rows.json(row)
			if err == nil {
				err = s.member(name+".json", text)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shardWriter) member(name string, data []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}
	if err := s.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	_, err := s.tar.Write(data)
	return err
}

// Finish writes the end of the archive.
func (s *shardWriter) Finish() error { return s.tar.Close() }

// Count reads the labels of a shard.
func (*WebDataset) Count(ctx context.Context, file string, l *Layout, add func(rows int64, labels [][]int32) error) error {
	f, _, err := openRegular(file)
	if err != nil {
		return err
	}
	defer f.Close()
	task := map[string]int{}
	for t, of := range l.Tasks {
		task[tarExt(of.Name)+".cls"] = t
		if len(l.Tasks) == 1 {
			task["cls"] = t
		}
	}
	labels := make([][]int32, len(l.Tasks))
	flush := func() error {
		for t := range labels {
			if len(labels[t]) == 0 {
				labels[t] = append(labels[t], schema.Unknown)
			}
		}
		err := add(1, labels)
		for t := range labels {
			labels[t] = labels[t][:0]
		}
		return err
	}
	current, first := "", true
	for r := tar.NewReader(f); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name, ext := splitMember(h.Name)
		if first || name != current {
			if !first {
				if err := flush(); err != nil {
					return err
				}
			}
			current, first = name, false
		}
		t, ok := task[ext]
		if !ok {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(r, 20))
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, shorten(h.Name), err)
		}
		n, err := strconv.ParseInt(string(text), 10, 32)
		if err != nil || n < 0 || len(labels[t]) > 0 {
			return fmt.Errorf("%s: %s is not the one class number of its sample: %.20q", file, shorten(h.Name), text)
		}
		labels[t] = append(labels[t], int32(n))
	}
	if first {
		return nil
	}
	return flush()
}

// splitMember parts a member's name as webdataset does, at the first dot of its last
// element.
func splitMember(name string) (key, ext string) {
	dir, base := path.Split(name)
	base, ext, _ = strings.Cut(base, ".")
	return dir + base, ext
}

// tarName is a key as the name of a sample in a shard.
func tarName(key string) string {
	parts := strings.Split(stem(key), "/")
	for i, part := range parts {
		parts[i] = legalName(part)
	}
	last := len(parts) - 1
	parts[last] = strings.ReplaceAll(parts[last], ".", "_")
	return strings.Join(parts, "/")
}

// tarExt is a task's name as a part of an extension. webdataset makes extensions lower case.
func tarExt(task string) string { return strings.ToLower(legalName(task)) }

// rowTexts writes what is known of a batch's rows, but for the image, as JSON.
type rowTexts struct {
	run    *schema.Run
	b      *schema.Batch
	labels [][]int32
}

func newRowTexts(run *schema.Run, b *schema.Batch) (*rowTexts, error) {
	return &rowTexts{run, b, labelsOf(b)}, nil
}

// json is a row as one object.
func (r *rowTexts) json(row int) ([]byte, error) {
	names, numbers := ordered{}, ordered{}
	for t, task := range r.run.Tasks {
		var name, number any
		if n := r.labels[t][row]; n != schema.Unknown {
			name, number = task.Classes[n], n
		}
		names.add(task.Name, name)
		numbers.add(task.Name, number)
	}
	all := ordered{}
	all.add("key", r.b.Key(row))
	if len(r.run.Tasks) > 0 {
		all.add("class", &names)
		all.add("label", &numbers)
	}
	all.add("weight", r.b.Weights()[row])
	all.add("epoch", r.b.Epoch)
	all.add("position", r.b.Positions()[row])
	all.add("source_index", r.b.SourceIndexes()[row])
	if meta := r.meta(row); meta != nil {
		all.add("meta", meta)
	}
	if text := r.b.Params(row); text != "" {
		all.add("params", json.RawMessage(text))
	}
	return all.MarshalJSON()
}

// meta are the source's own columns; nil without any.
func (r *rowTexts) meta(row int) *ordered {
	if len(r.run.Columns) == 0 {
		return nil
	}
	m := &ordered{}
	for _, c := range r.run.Columns {
		var v any
		if column := r.b.Column(c.Name); column != nil && column.IsValid(row) {
			v = finite(column.GetOneForMarshal(row))
		}
		m.add(c.Name, v)
	}
	return m
}

// finite is a value, or nil for a number that JSON cannot hold.
func finite(v any) any {
	var n float64
	switch v := v.(type) {
	case float32:
		n = float64(v)
	case float64:
		n = v
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return nil
	}
	return v
}

// ordered is a JSON object whose members keep their order.
type ordered struct{ text []byte }

func (o *ordered) add(name string, value any) {
	if len(o.text) > 0 {
		o.text = append(o.text, ',')
	}
	o.text = append(append(o.text, marshal(name)...), ':')
	o.text = append(o.text, marshal(value)...)
}

// MarshalJSON writes the object.
func (o *ordered) MarshalJSON() ([]byte, error) {
	out := append(append([]byte{'{'}, o.text...), '}')
	if !json.Valid(out) {
		return nil, errors.New("a value that JSON cannot hold")
	}
	return bytes.Clone(out), nil
}
