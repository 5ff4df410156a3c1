package coco

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	blockBytes   = 1 << 18
	longestText  = 1 << 26 // of a text that is kept: a compressed RLE is one
	longestName  = 1 << 16
	longestDigit = 1 << 10
	deepest      = 100
)

// scanner reads JSON as a stream: its memory is a block of the file, and the text or number
// at hand. NaN and Infinity, which Python's json writes, are numbers.
type scanner struct {
	in   io.Reader // nil: all is in buf
	buf  []byte
	pos  int   // in buf
	base int64 // of buf in the file
	text []byte
	key  []byte
}

// newScanner begins at an offset of a file, where in is. A block has so many bytes.
func newScanner(in io.Reader, at int64, block int) *scanner {
	return &scanner{in: in, buf: make([]byte, 0, block), base: at}
}

// offset is that of the next byte, in the file.
func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %s", s.offset(), fmt.Sprintf(format, args...))
}

// more reads on behind what is left from `from` on, which moves to the front.
func (s *scanner) more(from int) error {
	if s.in == nil {
		return io.ErrUnexpectedEOF
	}
	n := copy(s.buf, s.buf[from:])
	s.buf = s.buf[:n]
	s.base += int64(from)
	s.pos -= from
	if n == cap(s.buf) {
		s.buf = append(s.buf, make([]byte, n)...)[:n]
	}
	got, err := s.in.Read(s.buf[n:cap(s.buf)])
	for tries := 0; got == 0 && err == nil && tries < 100; tries++ {
		got, err = s.in.Read(s.buf[n:cap(s.buf)])
	}
	s.buf = s.buf[:n+got]
	switch {
	case got > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}

// peek is the next byte that isn't white space.
func (s *scanner) peek() (byte, error) {
	for {
		for ; s.pos < len(s.buf); s.pos++ {
			if c := s.buf[s.pos]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return c, nil
			}
		}
		if err := s.more(s.pos); err != nil {
			return 0, err
		}
	}
}

// expect takes a byte.
func (s *scanner) expect(want byte) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != want {
		return s.errorf("want %q, have %q", want, c)
	}
	s.pos++
	return nil
}

// list takes the elements of a list, or the members of an object, whose first byte is next;
// do takes one.
func (s *scanner) list(begin, end byte, do func() error) error {
	if err := s.expect(begin); err != nil {
		return err
	}
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c == end {
		s.pos++
		return nil
	}
	for {
		if err := do(); err != nil {
			return err
		}
		c, err := s.peek()
		if err != nil {
			return err
		}
		s.pos++
		if c == end {
			return nil
		}
		if c != ',' {
			s.pos--
			return s.errorf("want ',' or %q, have %q", end, c)
		}
	}
}

// object takes the members of an object: do takes the value of a key, which is there until do
// reads another object.
func (s *scanner) object(do func(key []byte) error) error {
	return s.list('{', '}', func() error {
		key, err := s.string(longestName)
		if err != nil {
			return err
		}
		s.key = append(s.key[:0], key...) // to look for the colon may move the block
		if err := s.expect(':'); err != nil {
			return err
		}
		return do(s.key)
	})
}

func (s *scanner) array(do func() error) error { return s.list('[', ']', do) }

// string takes a text of at most so many bytes; it is there until the scanner reads on.
func (s *scanner) string(most int) ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	for i := s.pos; ; {
		for ; i < len(s.buf); i++ {
			switch c := s.buf[i]; {
			case c == '"':
				text := s.buf[s.pos:i]
				s.pos = i + 1
				return text, nil
			case c == '\\':
				return s.escaped(most)
			case c < ' ':
				return nil, s.errorf("a text holds the control character %#x", c)
			}
		}
		if i-s.pos > most {
			return nil, s.errorf("a text has more than %d bytes", most)
		}
		at := s.pos
		if err := s.more(at); err != nil {
			return nil, err
		}
		i -= at
	}
}

// next takes any byte.
func (s *scanner) next() (byte, error) {
	if s.pos == len(s.buf) {
		if err := s.more(s.pos); err != nil {
			return 0, err
		}
	}
	s.pos++
	return s.buf[s.pos-1], nil
}

// escaped takes the rest of a text with escapes.
func (s *scanner) escaped(most int) ([]byte, error) {
	s.text = s.text[:0]
	for len(s.text) <= most {
		c, err := s.next()
		if err != nil {
			return nil, err
		}
		switch {
		case c == '"':
			return s.text, nil
		case c < ' ':
			return nil, s.errorf("a text holds the control character %#x", c)
		case c != '\\':
			s.text = append(s.text, c)
			continue
		}
		if c, err = s.next(); err != nil {
			return nil, err
		}
		switch c {
		case '"', '\\', '/':
			s.text = append(s.text, c)
		case 'b':
			s.text = append(s.text, '\b')
		case 'f':
			s.text = append(s.text, '\f')
		case 'n':
			s.text = append(s.text, '\n')
		case 'r':
			s.text = append(s.text, '\r')
		case 't':
			s.text = append(s.text, '\t')
		case 'u':
			if err := s.unicode(); err != nil {
				return nil, err
			}
		default:
			return nil, s.errorf("a text holds the unknown escape \\%c", c)
		}
	}
	return nil, s.errorf("a text has more than %d bytes", most)
}

// unicode takes four digits, and where they are half of a pair, the other half. A half that
// is alone becomes U+FFFD.
func (s *scanner) unicode() error {
	r, err := s.hex()
	if err != nil {
		return err
	}
	for utf16.IsSurrogate(r) {
		if s.pos+1 >= len(s.buf) {
			if err := s.more(s.pos); err != nil {
				return err
			}
		}
		if s.pos+1 >= len(s.buf) || s.buf[s.pos] != '\\' || s.buf[s.pos+1] != 'u' {
			r = utf8.RuneError
			break
		}
		s.pos += 2
		low, err := s.hex()
		if err != nil {
			return err
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			r = pair
			break
		}
		s.text = utf8.AppendRune(s.text, utf8.RuneError)
		r = low
	}
	s.text = utf8.AppendRune(s.text, r)
	return nil
}

func (s *scanner) hex() (r rune, err error) {
	for range 4 {
		c, err := s.next()
		if err != nil {
			return 0, err
		}
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.errorf("want four hexadecimal digits after \\u, have %q", c)
		}
		r = r<<4 | rune(c)
	}
	return r, nil
}

// powers of ten that float64 has exactly.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// token is the text of the number that is next, which is not taken yet; anything else is the
// empty text.
func (s *scanner) token() ([]byte, error) {
	if _, err := s.peek(); err != nil {
		return nil, err
	}
	i := s.pos
	for {
		for i < len(s.buf) && inNumber[s.buf[i]] {
			i++
		}
		if i < len(s.buf) || s.in == nil {
			break
		}
		if i-s.pos > longestDigit {
			return nil, s.errorf("a number has more than %d characters", longestDigit)
		}
		at := s.pos
		err := s.more(at)
		i -= at
		if errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return s.buf[s.pos:i], nil
}

// number takes a number.
func (s *scanner) number() (float64, error) {
	text, err := s.token()
	if err != nil {
		return 0, err
	}
	v, ok := plain(text)
	if !ok {
		if v, err = slow(text); err != nil {
			return 0, s.errorf("want a number, have %q", cut(text, s.buf[s.pos:]))
		}
	}
	s.pos += len(text)
	return v, nil
}

// inNumber are the characters of numbers, and of NaN and Infinity.
var inNumber = func() (is [256]bool) {
	for _, c := range "0123456789+-.eENaInfity" {
		is[c] = true
	}
	return is
}()

// cut is what a message quotes: a text, or where it is empty some of what follows.
func cut(text, rest []byte) []byte {
	if len(text) == 0 {
		text = rest[:min(len(rest), 10)]
	}
	return text[:min(len(text), 40)]
}

// plain is a number of at most 15 digits without exponent: the quotient of two numbers
// that float64 has exactly is rounded as the number is.
func plain(text []byte) (v float64, ok bool) {
	i, negative := 0, false
	if len(text) > 0 && text[0] == '-' {
		i, negative = 1, true
	}
	if len(text)-i > 16 || len(text) == i || text[i] == '0' && len(text) > i+1 && text[i+1] != '.' {
		return 0, false
	}
	n, point := uint64(0), -1
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= '0' && c <= '9':
			n = 10*n + uint64(c-'0')
		case c == '.' && point < 0 && i > 0 && text[i-1] != '-':
			point = i
		default:
			return 0, false
		}
	}
	if point == len(text)-1 || n > 1<<53 {
		return 0, false
	}
	v = float64(n)
	if point >= 0 {
		v /= powers[len(text)-1-point]
	}
	if negative {
		v = -v
	}
	return v, true
}

// slow is any number.
func slow(text []byte) (float64, error) {
	switch string(text) {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if !isNumber(text) {
		return 0, strconv.ErrSyntax
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, err
	}
	return v, nil // out of range: infinite, as Python has it
}

// isNumber reports JSON's form of a number, which is narrower than strconv's.
func isNumber(text []byte) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(text) && text[i] == '-' {
		i++
	}
	zero := i < len(text) && text[i] == '0'
	from := i
	if !digits() || zero && i > from+1 {
		return false
	}
	if i < len(text) && text[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(text)
}

// literal takes true, false or null.
func (s *scanner) literal() (byte, error) {
	first, err := s.peek()
	if err != nil {
		return 0, err
	}
	word := map[byte]string{'t': "true", 'f': "false", 'n': "null"}[first]
	if word == "" {
		return 0, s.errorf("want a value, have %q", first)
	}
	for i := range len(word) {
		if c, err := s.next(); err != nil {
			return 0, err
		} else if c != word[i] {
			s.pos--
			return 0, s.errorf("want %s, have %q in it", word, c)
		}
	}
	return first, nil
}

// skip takes a value of any kind.
func (s *scanner) skip() error { return s.skipDeep(0) }

func (s *scanner) skipDeep(depth int) error {
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case depth > deepest:
		return s.errorf("lists or objects within %d others", deepest)
	case c == '{':
		return s.list('{', '}', func() error {
			if err := s.skipText(); err != nil {
				return err
			}
			if err := s.expect(':'); err != nil {
				return err
			}
			return s.skipDeep(depth + 1)
		})
	case c == '[':
		return s.array(func() error { return s.skipDeep(depth + 1) })
	case c == '"':
		return s.skipText()
	case c == 't' || c == 'f' || c == 'n':
		_, err := s.literal()
		return err
	}
	_, err = s.number()
	return err
}

// skipText takes a text of any length.
func (s *scanner) skipText() error {
	if err := s.expect('"'); err != nil {
		return err
	}
	for {
		c, err := s.next()
		switch {
		case err != nil:
			return err
		case c == '"':
			return nil
		case c == '\\':
			if _, err := s.next(); err != nil {
				return err
			}
		case c < ' ':
			return s.errorf("a text holds the control character %#x", c)
		}
	}
}
