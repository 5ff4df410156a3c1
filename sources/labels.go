package sources

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/internal/phrase"
	"github.com/sluicedata/sluice/schema"
)

// This file turns the labels of every source into classes: what counts as one
// class, and in which order classes are numbered.

// ClassOrder is an order of class names.
type ClassOrder string

// The orders of classes.
const (
	TextOrder    ClassOrder = "text"
	NaturalOrder ClassOrder = "natural"
)

// Values lists the orders.
func (ClassOrder) Values() []string { return []string{string(TextOrder), string(NaturalOrder)} }

// ordering says how the names of a task become classes.
type ordering int

const (
	byText    ordering = iota // bytewise
	byNumber                  // bytewise with numbers in the names as numbers: 2 before 10
	ofCells                   // bytewise, or as numbers where all are whole numbers: 1, 1.0 and +1 are one class
	unchanged                 // as they are
)

// labels is the labels of one task.
type labels struct {
	task    string
	names   []string // in the order in which they occurred
	numbers map[string]int32
	cells   []int32     // per sample, an index into names, or schema.Unknown
	given   *ClassNames // classes that the data name, in the order of their numbers; nil: none
}

// add takes the label of the next sample; an empty one is unknown.
func (c *labels) add(label string) {
	if label == "" {
		c.cells = append(c.cells, schema.Unknown)
		return
	}
	c.cells = append(c.cells, c.number(label))
}

// has reports whether a name is known.
func (c *labels) has(name string) bool {
	_, ok := c.numbers[name]
	return ok
}

// number is a name's number; a new name gets the next one.
func (c *labels) number(name string) int32 {
	n, ok := c.numbers[name]
	if !ok {
		if c.numbers == nil {
			c.numbers = map[string]int32{}
		}
		name = strings.Clone(name) // not a part of its line
		n = int32(len(c.names))
		c.names = append(c.names, name)
		c.numbers[name] = n
	}
	return n
}

// order sorts the names that occur, turns the cells into their numbers and returns
// the classes.
func (c *labels) order(how ordering) []string {
	names := c.canonical(how)
	classes := slices.Clone(names)
	switch {
	case how == unchanged:
	case how == ofCells && allWhole(names):
		slices.SortFunc(classes, compareWhole)
	case how == byNumber && allWhole(names):
		slices.SortFunc(classes, compareWhole)
	case how == byNumber:
		slices.SortFunc(classes, compareNatural)
	default:
		slices.Sort(classes)
	}
	classes = slices.Compact(classes)
	c.renumber(names, classes)
	return slices.Clip(append([]string{}, classes...))
}

// canonical is the names as they are compared: where all cells are whole numbers,
// without plus sign, point and exponent.
func (c *labels) canonical(how ordering) []string {
	if how != ofCells || !allWhole(c.names) {
		return c.names
	}
	names := make([]string, len(c.names))
	for i, name := range c.names {
		names[i], _ = wholeNumber(name)
	}
	return names
}

// renumber turns the cells into class numbers; schema.Unknown where there is no such class.
func (c *labels) renumber(names, classes []string) {
	numbers := make(map[string]int32, len(classes))
	for i, name := range classes {
		numbers[name] = int32(i)
	}
	to := make([]int32, len(names))
	for i, name := range names {
		n, ok := numbers[name]
		if !ok {
			n = schema.Unknown
		}
		to[i] = n
	}
	for i, cell := range c.cells {
		if cell != schema.Unknown {
			c.cells[i] = to[cell]
		}
	}
}

// take numbers the cells by the given classes; from says who gave them, key names a sample.
func (c *labels) take(classes []string, from string, key func(sample int) string, how ordering, p *problems) {
	names := slices.Clone(c.canonical(how))
	given := map[string]string{}
	for _, name := range classes {
		given[name] = name
	}
	if how == ofCells && allWhole(c.names) {
		for _, name := range classes { // 1.0 in the list is the 1 of the column
			if n, ok := wholeNumber(name); ok && given[n] == "" {
				given[n] = name
			}
		}
	}
	counts, example := make([]int, len(names)), make([]int, len(names))
	for i, cell := range c.cells {
		if cell != schema.Unknown {
			if counts[cell]++; counts[cell] == 1 {
				example[cell] = i
			}
		}
	}
	for i, name := range names {
		as, ok := given[name]
		if !ok && counts[i] > 0 {
			p.addf("class %q of task %q (%s, such as %q) is not among the %s of %s%s: add it there, or remove its samples",
				name, c.task, phrase.Count(counts[i], "sample"), key(example[i]), phrase.Count(len(classes), "class"), from, alike(name, classes))
		}
		if ok {
			names[i] = as
		}
	}
	c.renumber(names, classes)
}

// alike names the class that was probably meant by a name.
func alike(name string, classes []string) string {
	folded := fold(name)
	for _, class := range classes {
		if fold(class) == folded {
			return sprintf(" (%+q is, which differs only %s)", class, difference(name, class))
		}
	}
	if meant := options.Nearest(name, classes); meant != "" {
		return sprintf(" (did you mean %q?)", meant)
	}
	return ""
}

// A whole number as people and programs write it.
var (
	plainWhole    = regexp.MustCompile(`^([+-]?)([0-9]+)(\.0*)?$`)
	exponentWhole = regexp.MustCompile(`^[+-]?[0-9]{1,17}(\.[0-9]{1,17})?[eE][+-]?[0-9]{1,2}$`)
)

// wholeNumber is a whole number without plus sign, point and exponent; ok reports
// whether it is one. Leading zeros stay: 007 may be a code.
func wholeNumber(text string) (number string, ok bool) {
	if m := plainWhole.FindStringSubmatch(text); m != nil {
		if m[1] == "-" && strings.Trim(m[2], "0") != "" {
			return "-" + m[2], true
		}
		return m[2], true
	}
	if exponentWhole.MatchString(text) {
		f, err := strconv.ParseFloat(text, 64)
		if err == nil && f == float64(int64(f)) && f > -1<<53 && f < 1<<53 {
			return strconv.FormatInt(int64(f), 10), true
		}
	}
	return text, false
}

func allWhole(names []string) bool {
	for _, name := range names {
		if _, ok := wholeNumber(name); !ok {
			return false
		}
	}
	return len(names) > 0
}

// compareWhole compares whole numbers of any length, equal ones bytewise.
func compareWhole(a, b string) int {
	x, _ := wholeNumber(a)
	y, _ := wholeNumber(b)
	negativeX, negativeY := strings.HasPrefix(x, "-"), strings.HasPrefix(y, "-")
	if negativeX != negativeY {
		if negativeX {
			return -1
		}
		return 1
	}
	c := compareDigits(strings.TrimPrefix(x, "-"), strings.TrimPrefix(y, "-"))
	if negativeX {
		c = -c
	}
	return cmp.Or(c, strings.Compare(a, b))
}

// compareDigits compares decimal digits as numbers.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// compareNatural compares runs of digits as numbers and the rest bytewise; names that
// are then equal are compared bytewise.
func compareNatural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		n, m := digits(x), digits(y)
		if n > 0 && m > 0 {
			if c := compareDigits(x[:n], y[:m]); c != 0 {
				return c
			}
			x, y = x[n:], y[m:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

// digits is the number of digits with which a text begins.
func digits(text string) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// fold is a name without differences that people don't see or intend: two names of
// the same fold are probably one.
func fold(name string) string {
	if isASCII(name) {
		return foldNumbers(strings.Join(strings.Fields(strings.ToLower(name)), " "))
	}
	name = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
	name = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1 // joiners, marks of direction, spaces without a width
		}
		return r
	}, name)
	return foldNumbers(strings.Join(strings.Fields(name), " "))
}

func foldNumbers(name string) string {
	if whole, ok := wholeNumber(name); ok {
		name = whole
	}
	return withoutZeros(name)
}

// withoutZeros removes leading zeros of numbers, but not those after a point.
func withoutZeros(name string) string {
	if !strings.Contains(name, "0") {
		return name
	}
	var b strings.Builder
	for at := 0; at < len(name); {
		n := digits(name[at:])
		if n == 0 {
			b.WriteByte(name[at])
			at++
			continue
		}
		run := name[at : at+n]
		if at < 2 || name[at-1] != '.' || digits(name[at-2:]) == 0 {
			if run = strings.TrimLeft(run, "0"); run == "" {
				run = "0"
			}
		}
		b.WriteString(run)
		at += n
	}
	return b.String()
}

// difference says how two names of the same fold differ.
func difference(a, b string) string {
	folded := func(s string) string { return cases.Fold().String(norm.NFC.String(s)) }
	switch {
	case norm.NFC.String(a) == norm.NFC.String(b):
		return "in Unicode normal form"
	case strings.TrimSpace(a) == strings.TrimSpace(b):
		return "in spaces at the ends"
	case folded(a) == folded(b):
		return "in letter case"
	case withoutZeros(a) == withoutZeros(b):
		return "in leading zeros"
	}
	return "in how it is written"
}
