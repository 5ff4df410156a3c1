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
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/phrase"
)

// This file reads CSV and JSONL, cell by cell and within limits, so that a hostile
// or broken file costs neither memory nor time.

// limits bound the size of a list's parts.
type limits struct {
	line    int // bytes of a row
	cell    int // bytes of a cell that is used
	columns int
	fixed   bool // there is no option that raises them
}

// sheet takes the columns and rows of a list as they are read.
type sheet interface {
	// column is called with each new column's name; columns are numbered from 0 in
	// the order in which they appear.
	column(name string)
	// row is called with each row and the number of its line. Cells that are empty,
	// null or absent are left out; cells are valid during the call only.
	row(number int, cells []cell)
}

// cell is a cell with text; bad says why it cannot be used: it is a JSON list or
// object. quoted tells a JSON string from a number.
type cell struct {
	column int
	text   string
	bad    string
	quoted bool
	raw    []byte // the JSON of what is bad
}

// lines reads a file until a row of it exceeds the limit, or the context ends.
type lines struct {
	ctx    context.Context
	in     io.Reader
	limit  int64
	read   int64 // so far
	behind int64 // where the current row begins
}

// errLong is a row that is longer than the limit.
var errLong = errors.New("the row is too long")

func (l *lines) Read(p []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, err
	}
	if l.read-l.behind > l.limit {
		return 0, errLong
	}
	n, err := l.in.Read(p)
	l.read += int64(n)
	return n, err
}

// buffered is the size of the reads.
const buffered = 1 << 16

// open skips the byte order mark with which some programs begin UTF-8.
func (l *lines) open() (*bufio.Reader, error) {
	b := bufio.NewReaderSize(l, buffered)
	start, _ := b.Peek(3) // an error occurs again when reading
	switch {
	case bytes.Equal(start, []byte("\xef\xbb\xbf")):
		_, _ = b.Discard(3) // peeked just before
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, errors.New("is UTF-16: save it as UTF-8")
	}
	return b, nil
}

func (l limits) tooLong(line int) error {
	return fmt.Errorf("line %d: the row that begins here has more than %d bytes: is a quote missing?%s", line, l.line, l.raise(" raise max_line if the row is right"))
}

func (l limits) tooMany(line int) error {
	return fmt.Errorf("line %d: there are more than %d columns%s", line, l.columns, l.raise(": raise max_columns if that is right"))
}

// raise is the advice to raise a limit, where that is possible.
func (l limits) raise(advice string) string {
	if l.fixed {
		return ""
	}
	return advice
}

// endsInCR is about what old Macintosh programs and Excel's "CSV (Macintosh)" write.
const endsInCR = "lines end in CR alone, as old Macintosh programs write them: save the file with lines that end in LF or CRLF"

// readCSV reads a header row and rows. Rows without any text are skipped.
func readCSV(ctx context.Context, in io.Reader, comma rune, most limits, to sheet, p *problems) error {
	l := &lines{ctx: ctx, in: in, limit: int64(most.line) + buffered}
	text, err := l.open()
	if err != nil {
		return err
	}
	r := csv.NewReader(text)
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = comma, -1, comma != '\t', true
	columns, last := 0, 0
	var cells []cell
	for {
		if err := ctx.Err(); err != nil { // taking a row may include looking for its file
			return err
		}
		record, err := r.Read()
		var syntax *csv.ParseError
		switch {
		case err == io.EOF:
			if columns == 0 {
				return errors.New("is empty: give a header row, such as path,class")
			}
			return nil
		case errors.Is(err, errLong):
			return most.tooLong(last + 1)
		case errors.As(err, &syntax):
			// Where the next row begins is unknown.
			p.addf("line %d: in the row that begins here, at line %d: %w: close each quote, and double a quote within quotes",
				syntax.StartLine, syntax.Line, syntax.Err)
			return nil
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("cannot read: %w", cause(err))
		}
		number, _ := r.FieldPos(0)
		end, _ := r.FieldPos(len(record) - 1)
		last = end + strings.Count(record[len(record)-1], "\n")
		if r.InputOffset()-l.behind > int64(most.line) {
			return most.tooLong(number)
		}
		l.behind = r.InputOffset()
		if len(record) > most.columns {
			return most.tooMany(number)
		}
		cells = cells[:0]
		for i, text := range record {
			if strings.TrimSpace(text) != "" {
				cells = append(cells, cell{column: i, text: text})
			}
		}
		switch {
		case len(cells) == 0:
		case columns == 0:
			columns = len(record)
			if strings.Contains(strings.Join(record, ""), "\r") {
				return errors.New(endsInCR)
			}
			checkHeader(record, number, p)
			for _, name := range record {
				to.column(strings.Clone(strings.TrimSpace(name)))
			}
		case len(record) != columns && strings.Contains(strings.Join(record, ""), "\r"):
			return fmt.Errorf("line %d: %s", number, endsInCR)
		case len(record) < columns:
			p.addf("line %d: has %s where the header has %d: add the missing ones, even if they are empty", number, phrase.Count(len(record), "cell"), columns)
		case len(record) > columns:
			p.addf("line %d: has %s where the header has %d: put a cell that holds a %q in quotes", number, phrase.Count(len(record), "cell"), columns, comma)
		default:
			to.row(number, cells)
		}
	}
}

func checkHeader(columns []string, number int, p *problems) {
	seen := map[string]bool{}
	for _, name := range columns {
		name = strings.TrimSpace(name)
		switch {
		case !utf8.ValidString(name):
			p.addf("line %d: the column name %q is not UTF-8: save the file as UTF-8", number, name)
		case name != "" && seen[name]:
			p.addf("line %d: there are two columns %q", number, name)
		}
		seen[name] = true
	}
}

// readJSONL reads one JSON object per line.
func readJSONL(ctx context.Context, in io.Reader, most limits, to sheet, p *problems) error {
	l := &lines{ctx: ctx, in: in, limit: int64(most.line) + buffered}
	text, err := l.open()
	if err != nil {
		return err
	}
	o := objects{to: to, most: most, numbers: map[string]int{}}
	var object []byte
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		object = object[:0]
		var err error
		for err = bufio.ErrBufferFull; errors.Is(err, bufio.ErrBufferFull); {
			var part []byte
			part, err = text.ReadSlice('\n')
			object = append(object, part...)
		}
		l.behind += int64(len(object))
		switch {
		case errors.Is(err, errLong) || len(object) > most.line:
			return most.tooLong(number)
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil && err != io.EOF:
			return fmt.Errorf("cannot read: %w", cause(err))
		}
		if object := bytes.TrimSpace(object); len(object) > 0 {
			if bad := o.row(number, object); bad != nil {
				p.addf("line %d: %w", number, bad)
			}
			if len(o.numbers) > most.columns {
				return most.tooMany(number)
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// objects reads the lines of a JSONL file.
type objects struct {
	to      sheet
	most    limits
	numbers map[string]int // of the columns
	cells   []cell
}

func (o *objects) row(number int, object []byte) error {
	if !utf8.Valid(object) {
		return errors.New("is not UTF-8: save the file as UTF-8")
	}
	if object[0] != '{' {
		return errors.New("is not a JSON object: write one object per line, such as {\"path\": \"a.jpg\", \"class\": \"cat\"}")
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	_, _ = d.Token() // the brace
	seen := map[string]bool{}
	o.cells = o.cells[:0]
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return jsonError(err)
		}
		key, _ := name.(string)
		if seen[key] {
			return errorf("the name %q occurs twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return jsonError(err)
		}
		column, ok := o.numbers[key]
		if !ok {
			column = len(o.numbers)
			o.numbers[key] = column
			o.to.column(key)
		}
		if text, bad := jsonCell(value); bad != "" || strings.TrimSpace(text) != "" {
			o.cells = append(o.cells, cell{column, text, bad, value[0] == '"', value})
		}
	}
	if _, err := d.Token(); err != nil {
		return jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		if bytes.Contains(object, []byte("\r")) {
			return errors.New(endsInCR)
		}
		return errors.New("something follows the JSON object: write one object per line")
	}
	o.to.row(number, o.cells)
	return nil
}

func jsonError(err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON object does not end: write one object per line")
	case strings.Contains(err.Error(), "character 'N'"):
		return fmt.Errorf("is not JSON: %w: write null, not NaN or None", err)
	}
	return fmt.Errorf("is not JSON: %w", err)
}

// jsonCell is a JSON value as text, numbers as they are written; bad says what it
// is that cannot be a cell.
func jsonCell(value json.RawMessage) (text, bad string) {
	switch value[0] {
	case 'n':
		return "", ""
	case '"':
		if err := json.Unmarshal(value, &text); err != nil {
			return "", "a broken text" // the decoder has seen it
		}
		return text, ""
	case '[':
		return "", "a list"
	case '{':
		return "", "an object"
	}
	return string(value), ""
}
