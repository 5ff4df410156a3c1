package sources

import "testing"

func TestFirstAlias(t *testing.T) {
	for text, want := range map[string]int{
		"a: &b [x]\nc: [*b]\n":                   2,
		"a: *b":                                  1,
		"{a: 1,\n *b : 2}":                       2,
		"- *b":                                   1,
		"--- *b":                                 1,
		"a:\n\n  *b\n":                           3,
		"a: !!str *b\n":                          1,
		"a: |\n  (x, *b)\n  - *b\nc: *d\n":       4,
		"a: &é x\nb: *é\n":                       2,
		"a: |\n  f(x, *b)\n  - *b\n  *b\nb: 1\n": 0,
		"a: >-\n  x: *b\n":                       0,
		"a: \"x: *b,\n  - *c\"\nb: '[*c, *d]'\n": 0,
		"# a: *b\na: x # - *b\n":                 0,
		"a: 2 * 3, x*y\nb: x **\n":               0,
		"a: plain text,\n   *in the middle\nb: <*a>\n": 0,
	} {
		if line, some := firstAlias([]byte(text)); line != want || some != (want > 0) {
			t.Errorf("%q: line %d, %t, want %d", text, line, some, want)
		}
	}
}
