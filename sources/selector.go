package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// selector says where in a sample a label or value is: in the member of an extension, or in
// a JSON member at a path.
type selector struct {
	extension string
	path      []any // names and indexes; nil: the whole member
}

func (s selector) String() string {
	if s.path == nil {
		return "." + s.extension
	}
	text := ""
	for _, step := range s.path {
		switch step := step.(type) {
		case int:
			text += fmt.Sprintf("[%d]", step)
		case string:
			if text != "" {
				text += "."
			}
			text += step
		}
	}
	return "." + s.extension + ", " + text
}

// Extensions of members that aren't text, the last part of several. Those of pickles are never
// read at all: a pickle runs a program when it is loaded.
var (
	pickled   = map[string]bool{"pyd": true, "pickle": true, "pkl": true, "pth": true, "pt": true, "joblib": true, "dill": true}
	notText   = map[string]bool{"npy": true, "npz": true, "ten": true, "tb": true, "mp": true, "msg": true, "msgpack": true, "cbor": true, "h5": true, "safetensors": true}
	jsonParts = map[string]bool{"json": true, "jsn": true}
)

// lastPart is an extension's part after the last dot, in lower case.
func lastPart(ext string) string { return strings.ToLower(ext[strings.LastIndexByte(ext, '.')+1:]) }

func refusedPickle(ext string) string {
	return sprintf("%q members are pickles, which run a program when they are read, so sluice reads none: write the values as .cls, .txt or .json", "."+ext)
}

// parseSelector reads "cls", "json:attributes.color", "json:boxes[0].name" or
// `json:["a.b"].c`.
func parseSelector(text string) (selector, error) {
	ext, path, hasPath := strings.Cut(text, ":")
	s := selector{extension: strings.ToLower(ext)}
	switch last := lastPart(ext); {
	case ext == "" || strings.Contains(ext, "/"):
		return s, errorf("%q names no member: write its extension, such as cls, or json:attributes.color", text)
	case ext[0] == '.':
		return s, errorf("write %q without its dot", text)
	case pickled[last]:
		return s, errors.New(refusedPickle(ext))
	case notText[last]:
		return s, errorf("%q members are not text: write the values as .cls, .txt or .json", "."+ext)
	case hasPath && !jsonParts[last]:
		return s, errorf("%q: only JSON members have paths within, as in json:attributes.color", text)
	case !hasPath && jsonParts[last]:
		return s, errorf("%q: say where in the JSON the value is, as in json:label", text)
	case !hasPath:
		return s, nil
	}
	s.path = []any{}
	for rest := path; rest != "" || len(s.path) == 0; {
		switch {
		case strings.HasPrefix(rest, `["`):
			end := strings.Index(rest, `"]`)
			if end < 0 {
				return s, errorf(`%q: the name in [" does not end in "]`, text)
			}
			s.path, rest = append(s.path, rest[2:end]), rest[end+2:]
		case strings.HasPrefix(rest, "["):
			inside, after, _ := strings.Cut(rest[1:], "]")
			n, err := strconv.Atoi(inside)
			if err != nil || n < 0 {
				return s, errorf("%q: want a whole number in brackets, as in boxes[0]", text)
			}
			s.path, rest = append(s.path, n), after
		default:
			n := strings.IndexAny(rest, ".[")
			if n < 0 {
				n = len(rest)
			}
			if n == 0 {
				return s, errorf("%q: a name is empty; write names between dots, as in json:attributes.color", text)
			}
			s.path, rest = append(s.path, rest[:n]), rest[n:]
		}
		if strings.HasPrefix(rest, ".") {
			if rest = rest[1:]; rest == "" {
				return s, errorf("%q: a name is missing after the last dot", text)
			}
		}
	}
	return s, nil
}

// value is the text of a label or value; quoted tells a text from a JSON number. Of targets
// bad says what it is that is no text, and raw is its JSON.
type value struct {
	text   string
	quoted bool
	bad    string
	raw    []byte
}

// longestValue bounds a label, in bytes.
const longestValue = 1 << 16

// textValue is a whole member.
func textValue(data []byte) (string, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case len(data) > longestValue:
		return "", fmt.Errorf("has %d bytes, and a label or value may have %d", len(data), longestValue)
	case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
		return "", errors.New("is not text in UTF-8")
	}
	return string(data), nil
}

// jsonMember reads a JSON member.
func jsonMember(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		if _, err := d.Token(); err != io.EOF {
			return nil, errors.New("is not JSON: something follows the value")
		}
		return v, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, errors.New("is empty, and not JSON")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("is not JSON: it ends in the middle of a value")
	}
	return nil, jsonError(err)
}

// in finds the value in a JSON member; an absent one, or null, is an empty text.
func (s selector) in(v any) (value, error) {
	v, err := s.find(v)
	if err != nil {
		return value{}, err
	}
	switch v := v.(type) {
	case nil:
		return value{}, nil
	case string:
		if len(v) > longestValue {
			return value{}, fmt.Errorf("has %d bytes at %v, and a label or value may have %d", len(v), s, longestValue)
		}
		return value{text: strings.TrimSpace(v), quoted: true}, nil
	case json.Number:
		return value{text: v.String()}, nil
	case bool:
		return value{text: strconv.FormatBool(v), quoted: true}, nil
	case []any:
		return value{}, fmt.Errorf("has a list at %v: want a text or a number", s)
	}
	return value{}, fmt.Errorf("has an object at %v: want a text or a number", s)
}

// any is in for what may be a list or a structure.
func (s selector) any(v any) (value, error) {
	v, err := s.find(v)
	if err != nil {
		return value{}, err
	}
	bad := ""
	switch v.(type) {
	case []any:
		bad = "a list"
	case map[string]any:
		bad = "an object"
	default:
		return selector{extension: s.extension}.in(v)
	}
	raw, err := json.Marshal(v)
	return value{bad: bad, raw: raw}, err
}

// find finds what is in a JSON member; nil where it is absent.
func (s selector) find(v any) (any, error) {
	for _, step := range s.path {
		switch at := v.(type) {
		case map[string]any:
			name, ok := step.(string)
			if !ok {
				return nil, fmt.Errorf("has an object where %v wants a list", s)
			}
			v = at[name]
		case []any:
			n, ok := step.(int)
			if !ok {
				return nil, fmt.Errorf("has a list where %v wants an object", s)
			}
			if v = nil; n < len(at) {
				v = at[n]
			}
		case nil:
			return nil, nil
		default:
			return nil, errorf("has %q where %v goes on", fmt.Sprint(v), s)
		}
	}
	return v, nil
}
