package sources

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// This file reads the shares of classes of rows that were mixed when they were written
// (schema.SharesColumn), and gives them other class numbers.

// isShares says whether a column has the type of shares.
func isShares(t *arrowfile.Type) bool {
	if t.Kind != arrowfile.List || len(t.Fields) != 1 || t.Fields[0].Type.Kind != arrowfile.Struct {
		return false
	}
	e := &t.Fields[0].Type
	class, share := e.Field("class"), e.Field("share")
	return class >= 0 && share >= 0 && e.Fields[class].Type.Kind == arrowfile.Int && e.Fields[share].Type.Kind == arrowfile.Float
}

// mixed reports whether a task has shares.
func (w *arrowWanted) mixed() bool {
	return slices.ContainsFunc(w.tasks, func(t arrowTask) bool { return t.shares != "" })
}

// listShares adds the columns of shares to the index.
func (d *arrowRows) listShares(ctx context.Context, w *arrowWanted) error {
	if !w.mixed() {
		return nil
	}
	x, ok := d.index.(*schema.Table)
	if !ok {
		return errors.New("its index holds no shares") // it was listed just now
	}
	var p problems
	for number, t := range w.tasks {
		if t.shares == "" {
			continue
		}
		rows := make([][]any, len(d.parts))
		for i, part := range d.parts {
			at := part.file.Schema.Find(t.shares)
			if at < 0 || !isShares(&part.file.Schema.Fields[at].Type) {
				return errorf("%q: damaged: it has no column %q of shares, and the first file has", part.name, t.shares)
			}
			err := arrowfile.Protect(func() error {
				return part.eachRow(ctx, []int{at}, func(columns []*arrowfile.Column, row int64) error {
					list, err := sharesOfRow(columns[0], row, len(t.classes))
					if err != nil {
						return errorf("column %q: %w", t.shares, err)
					}
					var value any
					if list != nil {
						value = list
					}
					rows[i] = append(rows[i], value)
					return nil
				})
			})
			if err != nil {
				return errorf("%q: %w", part.name, err)
			}
		}
		values := make([]any, x.Len())
		for sample := range values {
			values[sample] = rows[d.part[sample]][d.row[sample]]
		}
		column := len(x.ColumnList)
		x.ColumnList, x.Values = append(x.ColumnList, schema.SharesColumn(t.name)), append(x.Values, values)
		as := x.TaskList[number].Classes
		if slices.Equal(as, t.classes) {
			continue
		}
		to := numbersIn(as, t.classes)
		checkShares(x, column, schema.Task{Name: t.name, Classes: t.classes}, to, as, "classes", &p)
		for sample := range values {
			values[sample] = renumberShares(values[sample], to)
		}
	}
	return p.err("classes")
}

// sharesOfRow reads a row's shares; nil: null. What it reads need not be trusted.
func sharesOfRow(c *arrowfile.Column, row int64, classes int) ([]schema.ClassShare, error) {
	if null, err := c.Null(row); null || err != nil {
		return nil, err
	}
	first, end, err := c.Elements(row)
	if err != nil {
		return nil, err
	}
	parts, sum := c.Parts[0], 0.0
	class, share := parts.Parts[parts.Type.Field("class")], parts.Parts[parts.Type.Field("share")]
	list := make([]schema.ClassShare, 0, end-first)
	for i := first; i < end; i++ {
		n, known, err := class.Number(i)
		if err != nil || !known {
			return nil, errors.Join(err, nullTarget(known))
		}
		bits, known, err := share.Number(i)
		if err != nil || !known {
			return nil, errors.Join(err, nullTarget(known))
		}
		s := schema.ClassShare{Class: int32(n), Share: float32(math.Float64frombits(bits))}
		twice := slices.ContainsFunc(list, func(other schema.ClassShare) bool { return other.Class == s.Class })
		if int64(n) < 0 || int64(n) >= int64(classes) || twice || !(s.Share > 0 && s.Share <= 1) {
			return nil, fmt.Errorf("damaged: class %d of %d with the share %v: each class is there once, with a share above 0, at most 1", int64(n), classes, s.Share)
		}
		list, sum = append(list, s), sum+float64(s.Share)
	}
	if math.Abs(sum-1) > 1e-3 {
		return nil, fmt.Errorf("damaged: the shares add up to %.4g, not to 1", sum)
	}
	return list, nil
}

// renumberShares gives the shares of a sample other class numbers.
func renumberShares(value any, to []int32) any {
	list, known := schema.SharesValue(value)
	if !known {
		return value
	}
	out := slices.Clone(list)
	for i, s := range list {
		if s.Class >= 0 && int(s.Class) < len(to) {
			out[i].Class = to[s.Class]
		}
	}
	return out
}

// checkShares reports classes that are in mixed samples, and get no number.
func checkShares(x schema.Index, column int, task schema.Task, to []int32, others []string, from string, p *problems) {
	counts, example := make([]int, len(to)), make([]int, len(to))
	for sample := range x.Len() {
		list, _ := schema.SharesValue(x.Value(column, sample))
		for _, s := range list {
			if s.Class < 0 || int(s.Class) >= len(to) || to[s.Class] != schema.Unknown {
				continue
			}
			if counts[s.Class]++; counts[s.Class] == 1 {
				example[s.Class] = sample
			}
		}
	}
	for class, n := range counts {
		if n > 0 {
			p.addf("class %q of task %q is in mixed pictures (%s, such as %q), and not among the %s of %s%s: add it there", task.Classes[class], task.Name,
				phrase.Count(n, "sample"), x.Key(example[class]), phrase.Count(len(others), "class"), from, alike(task.Classes[class], others))
		}
	}
}
