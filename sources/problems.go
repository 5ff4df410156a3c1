package sources

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// shown is how many of a list are named in a message.
const shown = 10

// problems gathers the errors of one source, so that all are seen at once.
type problems struct {
	list []error
	more int // beyond those shown
}

func (p *problems) addf(format string, args ...any) {
	if len(p.list) == shown {
		p.more++
		return
	}
	p.list = append(p.list, fmt.Errorf(format, args...))
}

// err joins the problems, each behind the prefix; nil if there are none.
func (p *problems) err(prefix string) error {
	if len(p.list) == 0 {
		return nil
	}
	errs := make([]error, 0, len(p.list)+1)
	for _, e := range p.list {
		errs = append(errs, fmt.Errorf("%s: %w", prefix, e))
	}
	if p.more > 0 {
		errs = append(errs, fmt.Errorf("%s: and %s more like these", prefix, count(p.more, "problem")))
	}
	return errors.Join(errs...)
}

// join is errors.Join, where joined errors become parts of one flat list: each
// can then be prefixed.
func join(errs ...error) error {
	var flat []error
	for _, err := range errs {
		flat = append(flat, parts(err)...)
	}
	return errors.Join(flat...)
}

// within puts the prefix before each of the errors joined in err.
func within(prefix string, err error) error {
	flat := parts(err)
	for i, e := range flat {
		flat[i] = fmt.Errorf("%s: %w", prefix, e)
	}
	return errors.Join(flat...)
}

func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err} // errors.Join leaves nil out
	}
	var flat []error
	for _, e := range joined.Unwrap() {
		flat = append(flat, parts(e)...)
	}
	return flat
}

// count is "1 file" or "3 files".
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "ss"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// some quotes the first names of a list and counts the rest.
func some(names []string) string {
	quoted := make([]string, min(len(names), shown))
	for i := range quoted {
		quoted[i] = strconv.Quote(names[i])
	}
	return shorten(quoted, len(names))
}

// shorten joins the first of a list of n and counts the rest.
func shorten(list []string, n int) string {
	text := strings.Join(list[:min(len(list), shown)], ", ")
	if n > shown {
		text += fmt.Sprintf(" and %d more", n-shown)
	}
	return text
}
