package options

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// span is a type that reads itself, and a single number too.
type span [2]float64

func (s *span) SetOption(v any) error {
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return fmt.Errorf("want two numbers, have %s", Have(v))
	}
	for i, item := range list {
		switch n := item.(type) {
		case int64:
			s[i] = float64(n)
		case float64:
			s[i] = n
		default:
			return fmt.Errorf("want numbers, have %T", item)
		}
	}
	return nil
}

func (s *span) SetSymmetric(d float64) { *s = span{-d, d} }

func (span) OptionSchema() map[string]any {
	return map[string]any{"type": "array", "items": map[string]any{"type": "number"}, "minItems": 2, "maxItems": 2}
}

type side string

func (side) Values() []string { return []string{"left", "right"} }

type chance float64

type sample struct {
	Turn   span             `sluice:"turn,symmetric" doc:"angle"`
	Count  int              `sluice:"count" doc:"how many"`
	Level  uint8            `sluice:"level"`
	Seed   uint64           `sluice:"seed"`
	Share  float32          `sluice:"share"`
	Exact  bool             `sluice:"exact"`
	Smooth *bool            `sluice:"smooth" default:"true"`
	Side   side             `sluice:"side" default:"left"`
	Text   string           `sluice:"text"`
	Path   string           `sluice:"path"`
	Others []string         `sluice:"others,path"`
	Mean   [3]float64       `sluice:"mean"`
	Shares map[string]int64 `sluice:"shares"`
	Levels []uint8          `sluice:"levels"`
	Func   func()           // untagged: no option
}

func TestFields(t *testing.T) {
	var names []string
	for _, f := range Fields(&sample{}) {
		names = append(names, f.Name+": "+f.Kind())
	}
	want := []string{"turn: number | list (2) of numbers", "count: whole number", "level: whole number",
		"seed: whole number", "share: number", "exact: true | false", "smooth: true | false", "side: left | right",
		"text: text", "path: text", "others: list of texts", "mean: list (3) of numbers", "shares: map",
		"levels: list of whole numbers"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestSet(t *testing.T) {
	yes := true
	for _, c := range []struct {
		name  string
		value any
		want  sample
	}{
		{"turn", int64(30), sample{Turn: span{-30, 30}}},
		{"turn", 0.5, sample{Turn: span{-0.5, 0.5}}},
		{"turn", []any{int64(-1), 2.5}, sample{Turn: span{-1, 2.5}}},
		{"turn", []any{int64(-1), uint64(1 << 63)}, sample{Turn: span{-1, 1 << 63}}},
		{"count", int64(-3), sample{Count: -3}},
		{"count", 3.0, sample{Count: 3}},
		{"level", int64(255), sample{Level: 255}},
		{"seed", uint64(math.MaxUint64), sample{Seed: math.MaxUint64}},
		{"seed", 1e3, sample{Seed: 1000}},
		{"share", int64(2), sample{Share: 2}},
		{"exact", true, sample{Exact: true}},
		{"smooth", true, sample{Smooth: &yes}},
		{"smooth", nil, sample{}},
		{"side", "right", sample{Side: "right"}},
		{"text", "", sample{}},
		{"others", []any{"a", "b"}, sample{Others: []string{"a", "b"}}},
		{"others", []any{}, sample{Others: []string{}}},
		{"mean", []any{int64(1), 0.5, 0.0}, sample{Mean: [3]float64{1, 0.5, 0}}},
		{"shares", map[string]any{"a": int64(1)}, sample{Shares: map[string]int64{"a": 1}}},
	} {
		var have sample
		if err := Set(&have, c.name, c.value); err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !reflect.DeepEqual(have, c.want) {
			t.Errorf("%s = %v: have %+v, want %+v", c.name, c.value, have, c.want)
		}
	}
}

func TestSetErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"turn", "x", `turn: want a number or a range [min, max], have the text "x"`},
		{"turn", []any{}, `turn: want two numbers, have a list of 0`},
		{"turn", math.Inf(1), `turn: want finite numbers, have +Inf`},
		{"turn", []any{1.0, math.NaN()}, `turn: want finite numbers, have [1, NaN]`},
		{"count", 1.5, `count: want a whole number, have 1.5`},
		{"count", "3", `count: want a whole number, have the text "3"`},
		{"count", 1e300, `count: 1e+300 is too large`},
		{"count", uint64(math.MaxUint64), `count: 18446744073709551615 is too large`},
		{"count", nil, `count: has no value; want a whole number`},
		{"level", int64(256), `level: 256 is too large: at most 255`},
		{"level", int64(-1), `level: -1 is negative`},
		{"seed", math.Exp2(64), `seed: 1.8446744073709552e+19 is too large: at most 18446744073709551615`},
		{"seed", -1.0, `seed: -1 is negative`},
		{"share", math.NaN(), `share: want finite numbers, have NaN`},
		{"share", 1e300, `share: 1e+300 is too large`},
		{"share", true, `share: want a number, have true`},
		{"exact", "yes", `exact: want true or false, have the text "yes"`},
		{"smooth", int64(1), `smooth: want true or false, have 1`},
		{"side", "rihgt", `side: unknown value "rihgt": did you mean "right"? (values: left, right)`},
		{"side", int64(1), `side: want left or right, have 1`},
		{"text", int64(7), `text: want text, have 7: put it in quotes if text is meant`},
		{"text", map[string]any{}, `text: want text, have an empty map`},
		{"others", "a", `others: want a list of texts, have the text "a"`},
		{"others", []any{"a", int64(2)}, `others: item 2: want text, have 2: put it in quotes if text is meant`},
		{"mean", []any{1.0}, `mean: want a list (3) of numbers, have 1 items`},
		{"shares", map[string]any{"b": "x", "a": "y"}, `shares: "a": want a whole number, have the text "y"`},
		{"shares", []any{}, `shares: want a map, have a list of 0`},
		{"smoth", true, `unknown option "smoth": did you mean "smooth"?`},
		{"zebra", true, `unknown option "zebra" (options: turn, count,`},
	} {
		have := sample{Count: 5}
		err := Set(&have, c.name, c.value)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s = %v:\nhave %v\nwant %s", c.name, c.value, err, c.want)
		}
		if !reflect.DeepEqual(have, sample{Count: 5}) {
			t.Errorf("%s = %v: the failed Set left %+v", c.name, c.value, have)
		}
	}
	var unknown *UnknownError
	if err := Set(&sample{}, "coutn", nil); !errors.As(err, &unknown) || unknown.Meant != "count" {
		t.Errorf("have %v, want an UnknownError that means count", err)
	}
}

func TestPositive(t *testing.T) {
	type s struct {
		P    chance `sluice:"p,positive"`
		Size *int   `sluice:"size,positive"`
		Edge span   `sluice:"edge,positive"`
	}
	for _, c := range []struct{ name, want string }{
		{"p", "p is 0: the stage would do nothing"},
		{"size", "size is 0: give a number above 0"},
	} {
		if err := Set(&s{}, c.name, int64(0)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have %v, want %s", c.name, err, c.want)
		}
	}
	if err := Set(&s{}, "edge", []any{int64(0), 0.0}); err == nil || !strings.Contains(err.Error(), "the same effect as no edge") {
		t.Errorf("edge: have %v", err)
	}
	if have := Fields(s{})[0].Schema()["exclusiveMinimum"]; have != 0 {
		t.Errorf("exclusiveMinimum is %v", have)
	}
}

func TestResolve(t *testing.T) {
	s := sample{Path: "a/b", Others: []string{"/c", "d", "", "https://host/d", "S3://bucket//d", "data:text/plain,d", "c:d"}, Text: "e"}
	for _, name := range []string{"path", "others", "text", "count", "none"} {
		Resolve(&s, name, "/base")
	}
	want := sample{Path: "/base/a/b", Others: []string{"/c", "/base/d", "", "https://host/d", "S3://bucket//d", "data:text/plain,d", "/base/c:d"}, Text: "e"}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("have %+v, want %+v", s, want)
	}
}

func TestCanonical(t *testing.T) {
	have, err := Canonical(&sample{Turn: span{-30, 0.1}, Share: 0.1, Text: "<é>", Levels: []uint8{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"count":0,"exact":false,"level":0,"levels":[1,2],"mean":[0,0,0],"others":null,"path":"","seed":0,` +
		`"share":0.1,"shares":null,"side":"left","smooth":true,"text":"<é>","turn":[-30,0.1]}`
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Error(diff)
	}
	// What stands for the same has the same bytes.
	same, err := Canonical(sample{Turn: span{-30, 0.1}, Share: 0.1, Text: "<é>", Levels: []uint8{1, 2}, Side: "left"})
	if err != nil || string(same) != want {
		t.Errorf("have %s, %v", same, err)
	}
	negative := math.Copysign(0, -1)
	zeros, err := Canonical(struct {
		A [3]float64 `sluice:"a"`
		B float32    `sluice:"b"`
		C string     `sluice:"c"`
	}{[3]float64{negative, -0.5, negative}, float32(negative), `-0,"-0]\`})
	if want := `{"a":[0,-0.5,0],"b":0,"c":"-0,\"-0]\\"}`; err != nil || string(zeros) != want {
		t.Errorf("have %s, %v; want %s", zeros, err, want)
	}
	// An option that came later shows where it is given.
	type grown struct {
		A int `sluice:"a"`
		B int `sluice:"b,positive,later"`
	}
	for b, want := range []string{`{"a":3}`, `{"a":3,"b":1}`} {
		if have, err := Canonical(grown{3, b}); err != nil || string(have) != want {
			t.Errorf("have %s, %v; want %s", have, err, want)
		}
	}
	if _, err := Canonical(sample{Mean: [3]float64{math.NaN()}}); err == nil || !strings.HasPrefix(err.Error(), "mean: ") {
		t.Errorf("NaN: have %v, want an error about mean", err)
	}
}

func TestEmbedded(t *testing.T) {
	type common struct {
		P chance `sluice:"p,positive" default:"1" doc:"chance to act"`
	}
	type stage struct {
		common
		N int `sluice:"n"`
	}
	var s stage
	if err := Set(&s, "p", 0.25); err != nil || s.P != 0.25 {
		t.Errorf("have %+v, %v", s, err)
	}
	if have, err := Canonical(stage{}); err != nil || string(have) != `{"n":0,"p":1}` {
		t.Errorf("have %s, %v", have, err)
	}
}

func TestSchema(t *testing.T) {
	var have []string
	for _, f := range Fields(sample{Count: 7}) {
		text, err := json.Marshal(f.Schema())
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, f.Name+" "+string(text))
	}
	want := []string{
		`turn {"anyOf":[{"type":"number"},{"items":{"type":"number"},"maxItems":2,"minItems":2,"type":"array"}],"description":"angle"}`,
		`count {"default":7,"description":"how many","type":"integer"}`,
		`level {"maximum":255,"minimum":0,"type":"integer"}`,
		`seed {"minimum":0,"type":"integer"}`,
		`share {"type":"number"}`,
		`exact {"default":false,"type":"boolean"}`,
		`smooth {"default":true,"type":"boolean"}`,
		`side {"default":"left","enum":["left","right"],"type":"string"}`,
		`text {"type":"string"}`,
		`path {"type":"string"}`,
		`others {"items":{"type":"string"},"type":"array"}`,
		`mean {"items":{"type":"number"},"maxItems":3,"minItems":3,"type":"array"}`,
		`shares {"additionalProperties":{"type":"integer"},"type":"object"}`,
		`levels {"items":{"maximum":255,"minimum":0,"type":"integer"},"type":"array"}`,
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"rotate", "random_resized_crop", "resize", "crop", "center_crop", "to_tensor"}
	for written, want := range map[string]string{
		"rotat": "rotate", "ROTATE": "rotate", "RandomResizedCrop": "random_resized_crop", "toTensor": "to_tensor",
		"ersize": "resize", "corp": "crop", "blur": "", "": "", "x": "", "rot": "rotate", "centercrop": "center_crop",
		strings.Repeat("r", 1000): "",
	} {
		if have := Nearest(written, names); have != want {
			t.Errorf("%q: have %q, want %q", written, have, want)
		}
	}
}

// TestMalformed shows that mistakes in a struct are found as soon as it is read.
func TestMalformed(t *testing.T) {
	for name, s := range map[string]any{
		"no struct": 7,
		"no name": struct {
			A int `sluice:",positive"`
		}{},
		"unknown flag": struct {
			A int `sluice:"a,negative"`
		}{},
		"not symmetric": struct {
			A int `sluice:"a,symmetric"`
		}{},
		"twice": struct {
			A, B int `sluice:"a"`
		}{},
		"not exported": struct {
			a int `sluice:"a"`
		}{},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("want a panic")
				}
			}()
			Fields(s)
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("a channel as an option: want a panic")
		}
	}()
	Fields(struct {
		A chan int `sluice:"a"`
	}{})[0].Schema()
}
