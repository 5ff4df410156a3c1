package trainer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// CheckForm returns an error unless trainers can learn from such an image column:
// float32 CHW tensors of three channels.
func CheckForm(form schema.Form, tensor schema.Tensor) error {
	if form == schema.FormTensor && tensor.DType == schema.Float32 && tensor.Layout == schema.CHW && !tensor.Gray() {
		return nil
	}
	if tensor.Gray() {
		return fmt.Errorf("trainer: the batches hold %s, grey of one channel, and the models take three: leave decode's mode: gray out, or train elsewhere from sluice stream", tensor)
	}
	have, do := tensor.String(), "end the pipeline's transforms with to_tensor: {dtype: float32, layout: chw}"
	switch form {
	case schema.FormEncoded:
		have, do = "encoded images", "add decode, resize with height and width, and to_tensor to the pipeline"
	case schema.FormVarying:
		have, do = "images that vary in size", "add resize with height and width to the pipeline, then to_tensor and batch"
	}
	return fmt.Errorf("trainer: the batches hold %s and not float32[3,h,w]: %s", have, do)
}

// Pixels is the image column of a batch, rows x 3 x height x width, of
// batch.Tensor's height and width. It is the record's own memory.
func Pixels(batch *schema.Batch) ([]float32, error) {
	if err := CheckForm(batch.Form, batch.Tensor); err != nil {
		return nil, err
	}
	return batch.Float32(), nil
}

// Targets reads the labels and weights of all tasks from a batch, and counts the
// rows that aren't masked in every task. An error names the task and the row's
// key.
func (c Config) Targets(batch *schema.Batch) (targets []Target, rows int, err error) {
	for _, task := range c.Tasks {
		t, err := task.targetOf(batch)
		if err != nil {
			return nil, 0, err
		}
		targets = append(targets, t)
	}
	for row := range batch.Rows() {
		if !Masked(targets, row) {
			rows++
		}
	}
	return targets, rows, nil
}

// Rows are those from..to, with the sum of all: their losses add up to that of all.
func (t Target) Rows(from, to int) Target {
	out := Target{Weights: t.Weights[from:to], Sum: t.Sum}
	if t.Labels != nil {
		out.Labels = t.Labels[from:to]
	}
	if t.Shares != nil {
		out.Shares = t.Shares[from:to]
	}
	if t.Multi != nil {
		classes := len(t.Multi) / len(t.Weights)
		out.Multi = t.Multi[from*classes : to*classes]
	}
	return out
}

func (c TaskConfig) targetOf(batch *schema.Batch) (Target, error) {
	if c.MultiLabel() {
		return c.multiTarget(batch)
	}
	column, err := labelColumn(batch, c.Task)
	if err != nil {
		return Target{}, err
	}
	return c.target(batch, batch.Labels(column))
}

func (c TaskConfig) target(batch *schema.Batch, labels []int32) (Target, error) {
	t := Target{Labels: labels, Weights: make([]float32, len(labels))}
	column := batch.Weights()
	if batch.HasShares(c.Task) {
		t.Shares = make([][]schema.ClassShare, len(labels))
	}
	for i, label := range labels {
		if w := column[i]; !(w >= 0) || math.IsInf(float64(w), 0) {
			return Target{}, fmt.Errorf("trainer: weight %v is not a number >= 0 (key %q)", w, batch.Key(i))
		}
		if t.Shares != nil {
			if err := c.shares(&t, batch, i); err != nil {
				return Target{}, err
			}
			continue
		}
		if label == schema.Unknown {
			continue
		}
		if label < 0 || int(label) >= len(c.Classes) {
			return Target{}, fmt.Errorf("trainer: label %d of task %s is not in 0..%d (key %q)", label, c.Task, len(c.Classes)-1, batch.Key(i))
		}
		t.Weights[i] = column[i]
		if c.ClassWeights != nil {
			t.Weights[i] = float32(float64(column[i]) * c.ClassWeights[label])
		}
		t.Sum += float64(t.Weights[i])
	}
	return t, nil
}

// shares reads the classes of a mixed row. A row of which a part has no label has weight 0.
func (c TaskConfig) shares(t *Target, batch *schema.Batch, row int) error {
	shares, known := batch.Shares(c.Task, row)
	if !known {
		return nil
	}
	for i, s := range shares {
		if s.Class < 0 || int(s.Class) >= len(c.Classes) || !(s.Share >= 0 && s.Share <= 1) {
			return fmt.Errorf("trainer: class %d of task %s with the share %v: classes are 0..%d, shares 0..1 (key %q)", s.Class, c.Task, s.Share, len(c.Classes)-1, batch.Key(row))
		}
		if c.ClassWeights != nil {
			shares[i].Share = float32(float64(s.Share) * c.ClassWeights[s.Class])
		}
	}
	t.Shares[row], t.Weights[row] = shares, batch.Weights()[row]
	t.Sum += float64(t.Weights[row])
	return nil
}

// multiTarget reads the classes of a task of several labels. A row whose list is null has
// weight 0.
func (c TaskConfig) multiTarget(batch *schema.Batch) (Target, error) {
	if !batch.HasMulti(c.Task) {
		return Target{}, fmt.Errorf("trainer: the batch has no column %s%s of several labels, list<int32>", schema.ColumnLabel, c.Task)
	}
	n, column := len(c.Classes), batch.Weights()
	t := Target{Multi: make([]bool, len(column)*n), Weights: make([]float32, len(column))}
	for row, w := range column {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return Target{}, fmt.Errorf("trainer: weight %v is not a number >= 0 (key %q)", w, batch.Key(row))
		}
		classes, known := batch.Multi(c.Task, row)
		if !known {
			continue
		}
		for _, class := range classes {
			if class < 0 || int(class) >= n {
				return Target{}, fmt.Errorf("trainer: label %d of task %s is not in 0..%d (key %q)", class, c.Task, n-1, batch.Key(row))
			}
			t.Multi[row*n+int(class)] = true
		}
		t.Weights[row] = w
		t.Sum += float64(w)
	}
	return t, nil
}

// labelColumn finds a task's number in a batch.
func labelColumn(batch *schema.Batch, task string) (int, error) {
	var names []string
	for _, f := range batch.Record.Schema().Fields() {
		if name, ok := strings.CutPrefix(f.Name, schema.ColumnLabel); ok && f.Type.ID() == arrow.INT32 { // not of several labels, or a value
			if name == task {
				return len(names), nil
			}
			names = append(names, name)
		}
	}
	return 0, fmt.Errorf("trainer: task %s is not in the batch (tasks: %s)", task, phrase.List(names))
}

// NotFiniteError is a step that would have made weights NaN or infinite. The
// weights are as before it.
type NotFiniteError struct {
	What    string // "loss", "gradient"
	Epoch   int
	Batch   int64
	Keys    []string // of all rows that aren't masked
	Suspect []string // of all rows whose pixels aren't all finite
}

// NotFinite makes the error for a batch, whose targets say which rows are masked.
func NotFinite(what string, batch *schema.Batch, targets []Target) *NotFiniteError {
	e := &NotFiniteError{What: what, Epoch: batch.Epoch, Batch: batch.Number}
	pixels, size := batch.Float32(), batch.Tensor.Elements()
	for row := range batch.Rows() {
		if !Masked(targets, row) {
			e.Keys = append(e.Keys, batch.Key(row))
		}
		if slices.ContainsFunc(pixels[row*size:(row+1)*size], func(v float32) bool { return v-v != 0 }) {
			e.Suspect = append(e.Suspect, batch.Key(row))
		}
	}
	return e
}

// Error names the first keys, and counts the epoch from 1, as reports do.
func (e *NotFiniteError) Error() string {
	text := fmt.Sprintf("trainer: the %s is not finite in epoch %d, batch %d (the weights are as before it)", e.What, e.Epoch+1, e.Batch)
	if slices.ContainsFunc(e.Suspect, func(key string) bool { return slices.Contains(e.Keys, key) }) {
		return fmt.Sprintf("%s: there are pixels that aren't finite (%s)", text, someKeys(e.Suspect, mostKeys))
	}
	return fmt.Sprintf("%s: the pixels are finite, so the weights have diverged: lower the learning rate (%s)", text, someKeys(e.Keys, 3))
}

// mostKeys is how many keys a message names.
const mostKeys = 8

// someKeys lists keys; of more than mostKeys the number and the first.
func someKeys(keys []string, first int) string {
	head := "keys "
	if len(keys) > mostKeys {
		head, keys = fmt.Sprintf("%d rows, first ", len(keys)), keys[:first]
	}
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = fmt.Sprintf("%q", key)
	}
	return head + strings.Join(out, ", ")
}
