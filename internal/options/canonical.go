package options

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Canonical writes every option of a struct as one JSON object: names sorted,
// defaults written out, zero values replaced by what they stand for, floats in
// the fewest digits that read back the same; zero values of later options left out. Equal options give equal bytes on
// every machine; they go into the plan hash. A value that JSON cannot hold (NaN,
// infinity) is an error.
func Canonical(of any) ([]byte, error) {
	values := map[string]json.RawMessage{}
	for _, f := range Fields(of) {
		if given := reflect.ValueOf(f.Value); f.Later && (!given.IsValid() || given.IsZero()) {
			continue
		}
		text, err := f.JSON()
		if err != nil {
			return nil, err
		}
		values[f.Name] = text
	}
	return marshal(values)
}

// JSON is the option's effective value, as Canonical writes it.
func (f Field) JSON() (json.RawMessage, error) {
	text, err := marshal(jsonReady(f.Effective()))
	if err != nil {
		return nil, fmt.Errorf("%s: %v cannot be written: %w", f.Name, f.Value, err)
	}
	return text, nil
}

// jsonReady keeps encoding/json from writing lists of bytes as base64.
func jsonReady(v any) any {
	rv := reflect.ValueOf(v)
	if _, own := v.(json.Marshaler); own || !rv.IsValid() || rv.Kind() != reflect.Slice || rv.IsNil() {
		return v
	}
	if rv.Type().Elem().Kind() == reflect.Uint8 {
		return numbers(rv)
	}
	return v
}

func numbers(bytes reflect.Value) []int {
	out := make([]int, bytes.Len())
	for i := range out {
		out[i] = int(bytes.Index(i).Uint())
	}
	return out
}

// marshal is json.Marshal without HTML escapes, and with 0 for -0: the two mean
// the same and must have the same bytes.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return unsignedZeros(bytes.TrimRight(b.Bytes(), "\n")), nil
}

// unsignedZeros drops the sign of every number -0 in JSON.
func unsignedZeros(text []byte) []byte {
	if !bytes.Contains(text, []byte("-0")) {
		return text
	}
	out, quoted := text[:0:0], false
	for i, c := range text {
		switch rest := text[i+1:]; {
		case c == '"' && !escaped(text[:i]):
			quoted = !quoted
		case c == '-' && !quoted && len(rest) > 0 && rest[0] == '0' && (len(rest) == 1 || bytes.IndexByte([]byte(",]}"), rest[1]) >= 0):
			continue
		}
		out = append(out, c)
	}
	return out
}

// escaped reports whether text ends in an odd number of backslashes.
func escaped(text []byte) bool {
	return (len(text)-len(bytes.TrimRight(text, `\`)))%2 == 1
}
