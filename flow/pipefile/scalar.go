package pipefile

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Plain scalars are read by YAML 1.2's core schema, as editors with a JSON schema do.
// The YAML library differs: it takes 1e-8 for text, 010 for 8 and 1_000 for a number.
var (
	decimalInt = regexp.MustCompile(`^[-+]?[0-9]+$`)
	prefixed   = regexp.MustCompile(`^0(x[0-9a-fA-F]+|o[0-7]+)$`)
	decimal    = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	infinity   = regexp.MustCompile(`^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$`)
	leading0   = regexp.MustCompile(`^[-+]?0[0-9_]+$`)
)

// resolve reads an unquoted scalar.
func (m *mistakes) resolve(at place, text string) *node {
	n := &node{place: at}
	switch {
	case text == "" || text == "~" || text == "null" || text == "Null" || text == "NULL":
	case text == "true" || text == "True" || text == "TRUE":
		n.scalar = true
	case text == "false" || text == "False" || text == "FALSE":
		n.scalar = false
	case leading0.MatchString(text):
		m.add(at, "%s: a leading zero means octal to some YAML readers and nothing to others: leave it out, or put the value in quotes if text is meant", text)
		n.kind = refused
	case decimalInt.MatchString(text) || prefixed.MatchString(text):
		n.scalar = integer(text)
	case decimal.MatchString(text):
		n.scalar, _ = strconv.ParseFloat(text, 64) // an overflow gives infinity, which no option takes
	case infinity.MatchString(text):
		n.scalar, _ = strconv.ParseFloat(strings.Replace(text, ".", "", 1), 64)
	default:
		n.scalar = text
	}
	return n
}

// integer is an int64; a uint64 if that is too small; else a float64.
func integer(text string) any {
	i, _ := new(big.Int).SetString(strings.TrimPrefix(text, "+"), base(text))
	switch {
	case i == nil:
		return text
	case i.IsInt64():
		return i.Int64()
	case i.IsUint64():
		return i.Uint64()
	}
	f, _ := new(big.Float).SetInt(i).Float64()
	return f
}

// base lets big.Int read the prefixes 0x and 0o.
func base(text string) int {
	if prefixed.MatchString(text) {
		return 0
	}
	return 10
}
