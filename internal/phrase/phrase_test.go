package phrase

import (
	"strconv"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	for _, c := range []struct {
		n          int
		noun, want string
	}{
		{0, "file", "0 files"}, {1, "file", "1 file"}, {3, "file", "3 files"},
		{1, "batch", "1 batch"}, {2, "batch", "2 batches"}, {2, "pass", "2 passes"}, {2, "category", "2 categories"}, {2, "survey", "2 surveys"}, {2, "epoch", "2 epochs"},
		{1, "name of a task", "1 name of a task"}, {2, "name of a task", "2 names of a task"}, {2, "category of a batch", "2 categories of a batch"},
	} {
		if have := Count(c.n, c.noun); have != c.want {
			t.Errorf("Count(%d, %q) = %q, want %q", c.n, c.noun, have, c.want)
		}
		if have := Count(int64(c.n), c.noun); have != c.want {
			t.Errorf("Count(int64(%d), %q) = %q, want %q", c.n, c.noun, have, c.want)
		}
	}
}

func TestList(t *testing.T) {
	var names []string
	for i := range 22 {
		names = append(names, strconv.Itoa(i))
	}
	for n, want := range map[int]string{0: "", 1: "0", 3: "0, 1, 2", 20: strings.Join(names[:20], ", "), 22: strings.Join(names[:20], ", ") + " and 2 more"} {
		if have := List(names[:n]); have != want {
			t.Errorf("List of %d = %q, want %q", n, have, want)
		}
	}
}
