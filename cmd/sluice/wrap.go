package main

import (
	"io"
	"regexp"
	"strings"

	"golang.org/x/term"
)

// This file fits text to a terminal.

// widthOf is how many characters a line of a terminal has; 0: it is none, and lines stay whole for grep.
func widthOf(out io.Writer) int {
	f, ok := out.(*output)
	if !ok || !isTerminal(f.File) {
		return 0
	}
	width, _, err := term.GetSize(int(f.File.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// columns are the name and the kind of an option, before what it is.
var columns = regexp.MustCompile(`^( +\S+  +)(\S+(?: \S+)*  +)`)

// wrapped breaks lines at spaces. A line of columns goes on below the last one or, where that leaves little,
// below the second.
func wrapped(text string, width int) string {
	if width < 40 {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		indent := 4
		if m := columns.FindStringSubmatch(line); m != nil {
			if indent = len(m[0]); width-indent < 40 {
				indent = len(m[1])
				b.WriteString(strings.TrimRight(m[0], " ") + "\n")
				line = strings.Repeat(" ", indent) + line[len(m[0]):]
			}
		}
		for len([]rune(line)) > width {
			runes := []rune(line)
			at := width
			for at > indent && runes[at] != ' ' {
				at--
			}
			if at == indent { // a word of a whole line
				break
			}
			b.WriteString(strings.TrimRight(string(runes[:at]), " ") + "\n")
			line = strings.Repeat(" ", indent) + strings.TrimLeft(string(runes[at:]), " ")
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
