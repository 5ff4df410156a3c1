package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
)

func TestClassChanges(t *testing.T) {
	task := func(name string, classes ...string) schema.Task { return schema.Task{Name: name, Classes: classes} }
	for name, c := range map[string]struct {
		there, here []schema.Task
		want        []string
	}{
		"none":            {[]schema.Task{task("a", "x", "y")}, []schema.Task{task("a", "x", "y")}, nil},
		"an empty folder": {[]schema.Task{task("a", "x", "z")}, []schema.Task{task("a", "x", "y", "z")}, []string{`class numbers changed: task "a": "z" was 1 and is 2; new: "y"`}},
		"numeric order":   {[]schema.Task{task("a", "1", "10", "2")}, []schema.Task{task("a", "1", "2", "10")}, []string{`class numbers changed: task "a": "10" was 1 and is 2, "2" was 2 and is 1`}},
		"one behind":      {[]schema.Task{task("a", "x")}, []schema.Task{task("a", "x", "y")}, []string{`classes changed: task "a": new: "y"`}},
		"one gone":        {[]schema.Task{task("a", "x", "y")}, []schema.Task{task("a", "x")}, []string{`classes changed: task "a": gone: "y"`}},
		"another task":    {[]schema.Task{task("a", "x")}, []schema.Task{task("b", "x", "y")}, nil},
		"many": {[]schema.Task{task("a", "b", "c", "d", "e", "f", "g")}, []schema.Task{task("a", "a", "b", "c", "d", "e", "f")},
			[]string{`class numbers changed: task "a": "b" was 0 and is 1, "c" was 1 and is 2, "d" was 2 and is 3, "e" was 3 and is 4 and 1 more; new: "a"; gone: "g"`}},
	} {
		if diff := cmp.Diff(c.want, schema.ClassChanges(c.there, c.here)); diff != "" {
			t.Errorf("%s (-want +have)\n%s", name, diff)
		}
	}
}
