package main

import (
	"strings"
	"testing"
)

func TestWrapped(t *testing.T) {
	text := "name: what it is, in more words than fit\n    path   text              the list of all that there is to see\n      in   a | b             short\n" + strings.Repeat("x", 50) + "\n"
	for width, want := range map[int]string{
		0: text,
		44: "name: what it is, in more words than fit\n" +
			"    path   text\n           the list of all that there is to\n           see\n" +
			"      in   a | b\n           short\n" +
			strings.Repeat("x", 50) + "\n",
		72: "name: what it is, in more words than fit\n" +
			"    path   text              the list of all that there is to see\n      in   a | b             short\n" +
			strings.Repeat("x", 50) + "\n",
		69: "name: what it is, in more words than fit\n" +
			"    path   text              the list of all that there is to see\n      in   a | b             short\n" +
			strings.Repeat("x", 50) + "\n",
	} {
		if got := wrapped(text, width); got != want {
			t.Errorf("%d:\n%s\nwant\n%s", width, got, want)
		}
	}
	if got, want := wrapped("    path  text  "+strings.Repeat("ä b ", 13), 60), "    path  text  "+strings.Repeat("ä b ", 11)[:54]; !strings.HasPrefix(got, want[:40]) || strings.Contains(strings.SplitN(got, "\n", 2)[1][:16], "ä") {
		t.Errorf("%q", got)
	}
}
