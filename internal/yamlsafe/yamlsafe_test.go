package yamlsafe_test

import (
	"strings"
	"testing"

	"github.com/sluicedata/sluice/internal/yamlsafe"
)

func TestTooDeep(t *testing.T) {
	for text, want := range map[string][2]int{
		"a: [[[b]]]\nc: {d: [e]}\n":           {},
		"a:\n- - - b\n- - - c\n":              {},
		"a: --- - : ?\n":                      {},
		"a: 1\nb: [[{c: [":                    {2, 10},
		"- - - - a":                           {1, 7},
		"\n ? ? ? ? a":                        {2, 8},
		strings.Repeat("- [[a]]\n", 1000):     {},
		strings.Repeat("]", 9) + "[[[" + "[{": {1, 13},
	} {
		line, column, deep := yamlsafe.TooDeep([]byte(text), 3)
		if have := [2]int{line, column}; have != want || deep != (want != [2]int{}) {
			t.Errorf("%.40q: %v %v, want %v", text, have, deep, want)
		}
	}
}
