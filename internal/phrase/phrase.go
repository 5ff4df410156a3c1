// Package phrase has the turns of phrase that messages share.
package phrase

import (
	"fmt"
	"strings"
)

// Count is "1 file", "3 files", "2 batches", "2 categories" or "2 names of a task".
func Count[N int | int64](n N, noun string) string {
	head, rest, many := strings.Cut(noun, " of ")
	switch {
	case n == 1:
		return "1 " + noun
	case many:
		return Count(n, head) + " of " + rest
	case strings.HasSuffix(noun, "tch"), strings.HasSuffix(noun, "ss"), strings.HasSuffix(noun, "ox"):
		return fmt.Sprintf("%d %ses", n, noun)
	case strings.HasSuffix(noun, "ry"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Most is the number of names, of classes and others, that lists show whole.
const Most = 20

// List is "a, b, c"; of more than Most names the first and how many more there are.
func List(names []string) string {
	if len(names) > Most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:Most], ", "), len(names)-Most)
	}
	return strings.Join(names, ", ")
}

// Bytes is "12 B" or "1.5 MiB".
func Bytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
