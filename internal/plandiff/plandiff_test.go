package plandiff

import (
	"slices"
	"strings"
	"testing"
)

const top = `{"version":1,"source":"aa","seed":1,"decoder":3,"epoch_rows":9,"batch_size":4,"stages":[`

func plan(stages ...string) []byte { return []byte(top + strings.Join(stages, ",") + "]}") }

const (
	decode  = `{"name":"decode","id":"0","version":1,"options":{"mode":"rgb"}}`
	rotate  = `{"name":"rotate","id":"0","version":1,"options":{"degrees":[-30,30],"fill":[0,0,0]}}`
	rotate2 = `{"name":"rotate","id":"1","version":1,"options":{"degrees":[-5,5],"fill":[0,0,0]}}`
	tilt    = `{"name":"rotate","id":"id:tilt","version":1,"options":{"degrees":[-7,7]}}`
	flip    = `{"name":"flip","id":"0","version":1,"options":{"p":0.5}}`
	batch   = `{"name":"batch","id":"0","version":1,"options":{"size":4}}`
)

// change replaces text, which has to be there.
func change(t *testing.T, in, from, to string) string {
	t.Helper()
	if !strings.Contains(in, from) {
		t.Fatalf("%s holds no %s", in, from)
	}
	return strings.ReplaceAll(in, from, to)
}

func TestPlansNamesWhatChanged(t *testing.T) {
	base := string(plan(decode, rotate, flip, batch))
	edit := func(from, to string) string { return change(t, base, from, to) }
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"nothing":     {base, base, nil},
		"seed":        {base, edit(`"seed":1`, `"seed":18446744073709551615`), []string{"seed 1 -> 18446744073709551615"}},
		"a setting":   {base, edit(`"seed":1`, `"seed":1,"fuse":"full"`), []string{"fuse none -> full"}},
		"degrees":     {base, edit(`[-30,30]`, `[-45,45]`), []string{"stage rotate: degrees 30 -> 45"}},
		"lopsided":    {base, edit(`[-30,30]`, `[0,45]`), []string{"stage rotate: degrees 30 -> [0, 45]"}},
		"text":        {base, edit(`"rgb"`, `"gray"`), []string{"stage decode: mode rgb -> gray"}},
		"two options": {base, edit(`[-30,30],"fill":[0,0,0]`, `[-1,1],"fill":[9,9,9]`), []string{"stage rotate: degrees 30 -> 1", "stage rotate: fill [0, 0, 0] -> [9, 9, 9]"}},
		"source":      {base, change(t, edit(`"aa"`, `"bb"`), `"epoch_rows":9`, `"epoch_rows":10`), []string{"source: keys, sizes, labels or other columns of its samples, or the numbers of their classes"}},
		"rows alone":  {base, edit(`"epoch_rows":9`, `"epoch_rows":10`), []string{"epoch_rows 9 -> 10"}},
		"batch":       {base, change(t, edit(`"batch_size":4`, `"batch_size":8`), `"size":4`, `"size":8`), []string{"stage batch: size 4 -> 8"}},
		"decoder":     {base, edit(`"decoder":3`, `"decoder":4`), []string{"revision of the decoder 3 -> 4: another version of sluice"}},
		"no params": {change(t, base, `"seed":1`, `"seed":1,"params":true,"params_revision":2`), change(t, base, `"seed":1`, `"seed":1,"params":false`),
			[]string{"params true -> false: give --params"}},
		"params": {edit(`"seed":1`, `"seed":1,"params":false`), edit(`"seed":1`, `"seed":1,"params":true,"params_revision":2`), []string{"params false -> true"}},
		"params of another version": {edit(`"seed":1`, `"seed":1,"params":true,"params_revision":2`), edit(`"seed":1`, `"seed":1,"params":true,"params_revision":3`),
			[]string{"revision of the params column 2 -> 3: another version of sluice"}},
		"version":  {base, edit(`"name":"flip","id":"0","version":1`, `"name":"flip","id":"0","version":2`), []string{"stage flip: version 1 -> 2: another version of sluice makes other rows with it"}},
		"id":       {base, edit(`"name":"flip","id":"0"`, `"name":"flip","id":"id:mirror"`), []string{"stage flip (id mirror): id none -> mirror"}},
		"removed":  {base, string(plan(decode, flip, batch)), []string{"stage 2 rotate was removed"}},
		"added":    {string(plan(decode, flip, batch)), base, []string{"stage 2 rotate was added"}},
		"moved":    {base, string(plan(decode, flip, rotate, batch)), []string{"stage 2 rotate is number 3 now"}},
		"replaced": {base, string(plan(decode, change(t, rotate, "rotate", "affine"), flip, batch)), []string{"stage 2 rotate was removed", "stage 2 affine was added"}},
		"the first of two": {string(plan(decode, rotate, rotate2, batch)),
			string(plan(decode, change(t, rotate2, `"id":"1"`, `"id":"0"`), batch)), []string{"stage 2 rotate was removed"}},
		"the second of two": {string(plan(rotate, rotate2)), string(plan(rotate, change(t, rotate2, "5", "6"))), []string{"stage rotate_2: degrees 5 -> 6"}},
		"one with an id":    {string(plan(rotate, tilt)), string(plan(rotate, change(t, tilt, "7", "8"))), []string{"stage rotate (id tilt): degrees 7 -> 8"}},
		"both kinds":        {base, change(t, edit(`"seed":1`, `"seed":2`), `0.5`, `1`), []string{"seed 1 -> 2", "stage flip: p 0.5 -> 1"}},
		"no stages":         {base, `{"seed":1}`, []string{"revision of the decoder 3 -> none: another version of sluice", "source: keys, sizes, labels or other columns of its samples, or the numbers of their classes", "version of the plan's canonical form 1 -> none: another version of sluice", "stage 1 decode was removed", "stage 2 rotate was removed", "stage 3 flip was removed", "stage 4 batch was removed"}},
		"no plan":           {"a text", base, []string{`pipeline "a text" -> {"version": ...`}},
	} {
		have := Texts(Plans([]byte(c.before), []byte(c.after)))
		if name == "no plan" {
			if len(have) != 1 || !strings.HasPrefix(have[0], `pipeline "a text" -> {`) {
				t.Errorf("%s: %q", name, have)
			}
			continue
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%s:\nhave %q\nwant %q", name, have, c.want)
		}
	}
}

func TestJSONNamesThePath(t *testing.T) {
	for _, c := range []struct {
		before, after string
		want          []string
	}{
		{`{"model":{"name":"small_cnn"},"tasks":[{"w":null},{"w":1}]}`, `{"model":{"name":"softmax"},"tasks":[{"w":[1,2]},{"w":1}]}`, []string{"trainer.model.name small_cnn -> softmax", "trainer.tasks.1.w none -> [1, 2]"}},
		{`{"a":[1,2]}`, `{"a":[1]}`, []string{"trainer.a [1, 2] -> [1]"}},
		{`{"a":""}`, `{"a":"b c"}`, []string{`trainer.a "" -> "b c"`}},
		{`{`, `{}`, []string{`trainer "{" -> {}`}},
		{`{"a":1.0}`, `{"a":1.0}`, nil},
	} {
		if have := Texts(JSON("trainer", []byte(c.before), []byte(c.after))); !slices.Equal(have, c.want) {
			t.Errorf("%s, %s:\nhave %q\nwant %q", c.before, c.after, have, c.want)
		}
	}
}

func TestLinesNamesTheFirst(t *testing.T) {
	if have := Lines([]string{"a", "b"}); have != "a\n  b" {
		t.Errorf("%q", have)
	}
	if have := Lines(strings.Split("a b c d e f g h", " ")); !strings.HasSuffix(have, "f\n  and 2 more") {
		t.Errorf("%q", have)
	}
}
