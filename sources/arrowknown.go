package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/sluicedata/sluice/internal/arrowfile"
	"github.com/sluicedata/sluice/internal/indexfile"
)

// This file is about the index of Arrow files that is kept from one start to the next. A unit
// is a file; its entries are its rows.

// fewRows are listed as fast as an index is opened.
const fewRows = 1000

// arrowKeeper is that of a source under its options, in which paths are absolute. What the
// columns are for also depends on the first file, or on files beside it.
func arrowKeeper(ctx context.Context, kind string, source any, w *arrowWanted, classes Classes) *indexfile.Keeper {
	return KeeperOf(ctx, kind, struct {
		Source any
		Wanted string
	}{source, fmt.Sprintf("%#v", *w)}, classes)
}

// recall takes the index that was kept, if the files are the same and none has changed. Their
// batches are then checked when they are first read.
func (d *arrowRows) recall(k *indexfile.Keeper, source string, w *arrowWanted) (ok bool, err error) {
	if k.Units() != len(d.parts) || w.targets != nil || w.own != nil || w.mixed() {
		return false, nil
	}
	stamps := map[string]string{}
	for _, p := range d.parts {
		stamps[p.name] = p.stamp
	}
	known := k.Unchanged(func(unit string) string { return stamps[unit] })
	if known == nil || known.Extra()["files"] != d.names() {
		return false, nil
	}
	for _, p := range d.parts {
		if err := arrowfile.Protect(func() error { return p.findImage(w) }); err != nil {
			return false, errorf("%q: %w", p.name, err)
		}
	}
	d.opened = knownIndex("sources: "+source, known, k)
	d.part, d.row = known.Numbers()[0], known.Numbers()[1]
	return true, nil
}

// remember keeps the index for the next start.
func (d *arrowRows) remember(k *indexfile.Keeper) {
	if d.targets != nil || d.own != nil {
		return
	}
	d.keep(k, fewRows, map[string]string{"files": d.names()}, d.part, d.row)
}

// names are the files in the order of their numbers.
func (d *arrowRows) names() string {
	var names []string
	for _, p := range d.parts {
		names = append(names, p.name)
	}
	text, _ := json.Marshal(names) // a list of text
	return string(text)
}

// findImage finds out how a file holds images. A column that isn't there is another's to tell.
func (p *arrowPart) findImage(w *arrowWanted) (err error) {
	if i := p.file.Schema.Find(w.image); i >= 0 {
		p.image, err = imageOf(p.file.Schema, i)
	}
	return err
}

// appendRow appends a row's bytes to a unit's entries.
func appendRow(entries []byte, e *indexfile.Entry, one *Sample) []byte {
	e.Name = one.Key
	e.Numbers = append(e.Numbers[:0], one.Size, int64(math.Float32bits(one.Weight)), one.Numbers[1])
	e.Texts = append(e.Texts[:0], one.Labels...)
	for _, v := range one.Values {
		e.Texts = append(e.Texts, cellText(v))
	}
	return indexfile.AppendEntry(entries, *e)
}

// take adds the rows of a unit.
func (l *arrowListing) take(part int, entries []byte, w *arrowWanted) error {
	var e indexfile.Entry
	one := &l.one
	for len(entries) > 0 {
		var ok bool
		if entries, ok = indexfile.NextEntry(entries, &e); !ok || len(e.Numbers) != 3 || len(e.Texts) != len(w.tasks)+len(w.meta) {
			return errors.New("the kept index has rows of another form: leave it out with --cache none") // its print was right
		}
		if usableKey(e.Name) {
			l.keys++
		}
		*one = Sample{
			Key: e.Name, Size: e.Numbers[0], Weight: math.Float32frombits(uint32(e.Numbers[1])), Labels: e.Texts[:len(w.tasks)],
			Numbers: append(one.Numbers[:0], int64(part), e.Numbers[2]), Values: one.Values[:0],
		}
		for _, text := range e.Texts[len(w.tasks):] {
			one.Values = append(one.Values, cellOf(text))
		}
		l.samples.Add(*one)
	}
	return nil
}

// cellText is a cell (arrowCell) as text: its type's letter, and the value.
func cellText(v any) string {
	switch v := v.(type) {
	case string:
		return "s" + v
	case int64:
		return "i" + strconv.FormatInt(v, 10)
	case uint64:
		return "u" + strconv.FormatUint(v, 10)
	case float64:
		return "f" + strconv.FormatUint(math.Float64bits(v), 16)
	case bool:
		return "b" + strconv.FormatBool(v)
	}
	return "" // null
}

// cellOf is the cell of a text that cellText wrote.
func cellOf(text string) any {
	if text == "" {
		return nil
	}
	var v any
	switch text, kind := text[1:], text[0]; kind {
	case 's':
		return text
	case 'i':
		v, _ = strconv.ParseInt(text, 10, 64)
	case 'u':
		v, _ = strconv.ParseUint(text, 10, 64)
	case 'f':
		bits, _ := strconv.ParseUint(text, 16, 64)
		return math.Float64frombits(bits)
	default:
		return text == "true"
	}
	return v
}
