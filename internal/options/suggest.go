package options

import (
	"fmt"
	"strings"
)

// UnknownError is an option that a struct doesn't have.
type UnknownError struct {
	Name    string
	Meant   string // the option that was probably meant; "" if none is close
	Note    string // a further hint; may be ""
	Options []string
}

func unknown(name string, options []string) error {
	return &UnknownError{Name: name, Meant: Nearest(name, options), Options: options}
}

func (e *UnknownError) Error() string {
	if len(e.Options) == 0 {
		return fmt.Sprintf("unknown option %q: there are no options", e.Name)
	}
	meant := DidYouMean(e.Meant)
	switch {
	case e.Note != "" && meant != "":
		meant += " - " + e.Note
	case e.Note != "":
		meant = ": " + e.Note
	}
	return fmt.Sprintf("unknown option %q%s (options: %s)", e.Name, meant, strings.Join(e.Options, ", "))
}

// DidYouMean is the part of an error that suggests a name; "" for none.
func DidYouMean(meant string) string {
	if meant == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", meant)
}

// Nearest is the name that was probably meant: at most a third of its letters
// differ, or it begins with what was written. "" if none is that close.
func Nearest(written string, names []string) string {
	fold := func(s string) string {
		return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
	}
	w, best, least := fold(written), "", len(written)+1
	for _, name := range names {
		n := fold(name)
		d := distance(w, n)
		near := 3*d <= max(len(w), len(n)) || len(w) >= 2 && strings.HasPrefix(n, w)
		if near && d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours between two words (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 || len(t) > 64 {
		return max(len(s), len(t)) // no name is that long
	}
	d := make([][]int, len(s)+1)
	for i := range d {
		d[i] = make([]int, len(t)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(s)][len(t)]
}
