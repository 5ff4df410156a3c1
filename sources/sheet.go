package sources

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// sheet is a manifest's text as columns and rows.
type sheet struct {
	columns []string // in the order of their first appearance
	rows    []line
	// unusable cells, by line and column: lists and objects of JSON.
	unusable map[[2]int]string
}

// line is a row with the number of its line in the file. A cell that is empty,
// null or beyond the last is missing.
type line struct {
	number int
	cells  []string
}

func (l line) cell(column int) string {
	if column < 0 || column >= len(l.cells) {
		return ""
	}
	return l.cells[column]
}

// skipBOM passes over the mark with which some programs begin UTF-8.
func skipBOM(r io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	start, _ := b.Peek(3) // an error comes again when reading
	switch {
	case bytes.Equal(start, []byte("\xef\xbb\xbf")):
		_, _ = b.Discard(3) // peeked just before
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, errors.New("is UTF-16: save it as UTF-8")
	}
	return b, nil
}

// readCSV reads a header row and rows. Spaces around a cell don't count, rows
// without any text are passed over.
func readCSV(ctx context.Context, in io.Reader, comma rune, p *problems) (*sheet, error) {
	text, err := skipBOM(in)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(text)
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = comma, -1, comma != '\t'
	s := &sheet{}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cells, err := r.Read()
		var syntax *csv.ParseError
		switch {
		case err == io.EOF:
			if s.columns == nil {
				return nil, errors.New("is empty: give a header row, such as path,class")
			}
			return s, nil
		case errors.As(err, &syntax):
			// Where the next row begins is unknown.
			p.addf("line %d: in the row that begins here, at line %d: %w: end each quote, and write one within quotes twice",
				syntax.StartLine, syntax.Line, syntax.Err)
			return s, nil
		case err != nil:
			return nil, fmt.Errorf("cannot read: %w", cause(err))
		}
		number, _ := r.FieldPos(0)
		some := false
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
			some = some || cells[i] != ""
		}
		switch {
		case !some:
		case s.columns == nil:
			s.columns = cells
			checkHeader(cells, number, p)
		case len(cells) != len(s.columns):
			p.addf("line %d: has %s where the header has %d: put a cell that holds a %q in quotes", number, count(len(cells), "cell"), len(s.columns), comma)
		default:
			s.rows = append(s.rows, line{number, cells})
		}
	}
}

func checkHeader(columns []string, number int, p *problems) {
	for i, name := range columns {
		switch {
		case !utf8.ValidString(name):
			p.addf("line %d: the column name %q is not UTF-8: save the file as UTF-8", number, name)
		case name != "" && slices.Index(columns, name) < i:
			p.addf("line %d: there are two columns %q", number, name)
		}
	}
}

// readJSONL reads one JSON object a line.
func readJSONL(ctx context.Context, in io.Reader, p *problems) (*sheet, error) {
	text, err := skipBOM(in)
	if err != nil {
		return nil, err
	}
	s := &sheet{unusable: map[[2]int]string{}}
	byName := map[string]int{}
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		object, err := text.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("cannot read: %w", cause(err))
		}
		if object = bytes.TrimSpace(object); len(object) > 0 {
			if bad := s.addObject(number, object, byName); bad != nil {
				p.addf("line %d: %w", number, bad)
			}
		}
		if err == io.EOF {
			return s, nil
		}
	}
}

func (s *sheet) addObject(number int, object []byte, byName map[string]int) error {
	if !utf8.Valid(object) {
		return errors.New("is not UTF-8: save the file as UTF-8")
	}
	if object[0] != '{' {
		return errors.New("is not a JSON object: write one object a line, such as {\"path\": \"a.jpg\", \"class\": \"cat\"}")
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	_, _ = d.Token() // the brace, seen before
	l := line{number: number, cells: make([]string, len(s.columns))}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return jsonError(err)
		}
		key, _ := name.(string)
		if seen[key] {
			return fmt.Errorf("the name %q stands twice in it", key)
		}
		seen[key] = true
		var value any
		if err := d.Decode(&value); err != nil {
			return jsonError(err)
		}
		column, ok := byName[key]
		if !ok {
			column = len(s.columns)
			byName[key] = column
			s.columns = append(s.columns, key)
		}
		for len(l.cells) <= column {
			l.cells = append(l.cells, "")
		}
		var bad string
		if l.cells[column], bad = jsonCell(value); bad != "" {
			s.unusable[[2]int{number, column}] = bad
		}
	}
	if _, err := d.Token(); err != nil {
		return jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON object: write one object a line")
	}
	s.rows = append(s.rows, l)
	return nil
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object does not end: write one object a line")
	}
	return fmt.Errorf("is not JSON: %w", err)
}

// jsonCell is a JSON value as text: a number in decimal digits, whole ones
// without a point (1.0 and 1 are one class); bad says what cannot be a cell.
func jsonCell(value any) (text, bad string) {
	switch v := value.(type) {
	case nil:
		return "", ""
	case string:
		return v, ""
	case bool:
		return strconv.FormatBool(v), ""
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") && v != "-0" {
			return v.String(), ""
		}
		f, err := v.Float64()
		if err != nil {
			return "", "the number " + v.String()
		}
		return strconv.FormatFloat(f+0, 'f', -1, 64), "" // + 0 turns -0 into 0
	case []any:
		return "", "a list"
	}
	return "", "an object"
}
