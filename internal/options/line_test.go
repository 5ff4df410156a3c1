package options

import "testing"

type inner struct {
	Name string `sluice:"name" default:"x"`
	Size int    `sluice:"size"`
}

// SetOption is not called here.
func (i *inner) SetOption(any) error { return nil }

func (inner) OptionSchema() map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]any{"anyOf": []any{text, map[string]any{"type": "object", "properties": map[string]any{"name": text, "size": text}}}}
}

func (i inner) MarshalJSON() ([]byte, error) { return Canonical(i) }

type outer struct {
	Text  string            `sluice:"text"`
	In    inner             `sluice:"in"`
	Each  map[string]inner  `sluice:"each"`
	Pairs map[string]string `sluice:"pairs"`
	List  []string          `sluice:"list"`
	Any   any               `sluice:"-"`
}

func TestLine(t *testing.T) {
	for want, of := range map[string]outer{
		"":                            {},
		"in: {size: 2}":               {In: inner{Size: 2}},
		`in: {name: "a, b", size: 2}`: {In: inner{Name: "a, b", Size: 2}},
		`each: {a: {}, b: {size: 1}}`: {Each: map[string]inner{"b": {Size: 1}, "a": {}}},
		`pairs: {a: b, c: "1"}`:       {Pairs: map[string]string{"c": "1", "a": "b"}},
		`text: "{stem}.png", list: ["", a b, "c: d", C:/e, "true"]`: {Text: "{stem}.png", List: []string{"", "a b", "c: d", "C:/e", "true"}},
	} {
		if got := Line(of); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, f := range Fields(outer{}) {
		_, ok := f.Within().(inner)
		if want := f.Name == "in" || f.Name == "each"; ok != want {
			t.Errorf("%s: %v", f.Name, ok)
		}
	}
}
