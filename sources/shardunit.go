package sources

import (
	"encoding/json"

	"github.com/sluicedata/sluice/internal/indexfile"
)

// This file writes what is listed of a shard as a unit of an index that is kept, and reads it
// again: an entry of notes, then one per sample.

// notesText is shardNotes in a unit.
type notesText struct {
	Seen     []int
	Ignored  map[string]int
	Top      map[string][]string
	Links    int
	Apart    int
	Example  string
	Warnings []string
	Indexed  bool
	Samples  int
}

func (s *shard) unit() ([]byte, error) {
	n := s.notes
	text, err := json.Marshal(notesText{n.seen, n.ignored, n.top, n.links, n.apart, n.example, n.warnings, s.indexed, len(s.rows)})
	if err != nil {
		return nil, err
	}
	buf := indexfile.AppendEntry(nil, indexfile.Entry{Texts: []string{string(text)}})
	width := 0
	if len(s.rows) > 0 {
		width = len(s.cells) / len(s.rows)
	}
	e := indexfile.Entry{Numbers: make([]int64, 3), Texts: make([]string, width)}
	for i := range s.rows {
		r, quoted := &s.rows[i], int64(0)
		for k, c := range s.cells[i*width:][:width] {
			e.Texts[k] = c.text
			if c.quoted {
				quoted |= 1 << k
			}
		}
		e.Name, e.Numbers[0], e.Numbers[1], e.Numbers[2] = r.name, r.offset, r.size, quoted
		buf = indexfile.AppendEntry(buf, e)
	}
	return buf, nil
}

// shardOf reads a unit; nil if it isn't one of so many fields. Its texts share memory
// with buf.
func shardOf(buf []byte, fields int) *shard {
	var e indexfile.Entry
	var n notesText
	rest, ok := indexfile.NextEntry(buf, &e)
	if !ok || len(e.Texts) != 1 || json.Unmarshal([]byte(e.Texts[0]), &n) != nil || n.Samples < 0 || n.Samples > len(rest) {
		return nil
	}
	s := &shard{notes: shardNotes{seen: n.Seen, ignored: n.Ignored, top: n.Top, links: n.Links, apart: n.Apart, example: n.Example, warnings: n.Warnings}, indexed: n.Indexed,
		rows: make([]shardRow, n.Samples), cells: make([]value, n.Samples*fields)}
	for i := range s.rows {
		if rest, ok = indexfile.NextEntry(rest, &e); !ok || len(e.Numbers) != 3 || len(e.Texts) != fields {
			return nil
		}
		s.rows[i] = shardRow{name: e.Name, offset: e.Numbers[0], size: e.Numbers[1]}
		for k, text := range e.Texts {
			s.cells[i*fields+k] = value{text: text, quoted: e.Numbers[2]&(1<<k) != 0}
		}
	}
	return s
}
