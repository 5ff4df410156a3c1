package sources

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicedata/sluice/internal/phrase"
)

// shown is how many items of a list a message names.
const shown = 10

// problems collects the errors of one source, to report all at once.
type problems struct {
	list []error
	more int // beyond those shown
}

func (p *problems) addf(format string, args ...any) {
	if len(p.list) == shown {
		p.more++
		return
	}
	p.list = append(p.list, errorf(format, args...))
}

// count is the number of problems.
func (p *problems) count() int { return len(p.list) + p.more }

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
		errs = append(errs, fmt.Errorf("%s: and %s more like these", prefix, phrase.Count(p.more, "problem")))
	}
	return errors.Join(errs...)
}

// errorf is fmt.Errorf, but shortens what %q quotes: texts come from files, and may
// be of any length.
func errorf(format string, args ...any) error {
	return fmt.Errorf(format, cutQuoted(format, args)...)
}

// sprintf is fmt.Sprintf, likewise.
func sprintf(format string, args ...any) string {
	return fmt.Sprintf(format, cutQuoted(format, args)...)
}

// cutQuoted shortens the arguments that a verb q quotes. Formats have no explicit
// argument indexes.
func cutQuoted(format string, args []any) []any {
	out := args
	arg := 0
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		for i++; i < len(format) && strings.IndexByte("+-# 0123456789.*", format[i]) >= 0; i++ {
			if format[i] == '*' {
				arg++
			}
		}
		if i == len(format) || format[i] == '%' {
			continue
		}
		if format[i] == 'q' && arg < len(args) {
			if &out[0] == &args[0] {
				out = append([]any(nil), args...)
			}
			switch v := args[arg].(type) {
			case string:
				out[arg] = cut(v)
			case []string:
				list := make([]string, len(v))
				for n, text := range v {
					list[n] = cut(text)
				}
				out[arg] = list
			}
		}
		arg++
	}
	return out
}

// longest is how many characters of a text a message quotes.
const longest = 80

// cut leaves out the middle of a longer text.
func cut(text string) string {
	if len(text) <= longest || utf8.RuneCountInString(text) <= longest {
		return text
	}
	const head, tail = longest/2 - 2, longest/2 - 2
	start, end := 0, len(text)
	for range head {
		_, n := utf8.DecodeRuneInString(text[start:])
		start += n
	}
	for range tail {
		_, n := utf8.DecodeLastRuneInString(text[:end])
		end -= n
	}
	return text[:start] + " .. " + text[end:]
}

// some quotes the first names of a list and counts the rest.
func some(names []string) string {
	quoted := make([]string, min(len(names), shown))
	for i := range quoted {
		quoted[i] = strconv.Quote(cut(names[i]))
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
