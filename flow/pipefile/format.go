package pipefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// identified is what flow.WithID returns.
type identified interface {
	ID() string
	Unwrap() stages.Stage
}

// Format writes a pipeline, declared in Go or read from a file, as a pipeline
// file. Options that have their catalogue's default are left out. Paths are
// written as they are, so relative ones must be relative to the folder of the file
// to be. What a file cannot hold is an error: stages outside the catalogues, the
// executor and the params column (which are flags); the schedule is left out.
//
// Format checks that Parse returns an equal pipeline.
func Format(p *flow.Pipeline, c Catalogs) ([]byte, error) {
	return FormatFile(&File{Pipeline: p}, c)
}

// FormatFile is Format for everything in a file.
func FormatFile(f *File, c Catalogs) ([]byte, error) {
	p := f.Pipeline
	if p.Settings.Params || p.Settings.Exec == flow.Reference {
		return nil, fmt.Errorf("pipefile: the params column and the executor are flags of a run (--params, --exec): a pipeline file cannot hold them")
	}
	var b bytes.Buffer
	if err := errors.Join(write(&b, p, c), writeSink(&b, f.Sink, c)); err != nil {
		return nil, fmt.Errorf("pipefile: %w", err)
	}
	back, err := parseLoosely("(the pipeline)", b.Bytes(), "", c)
	if err != nil {
		return nil, fmt.Errorf("pipefile: the pipeline cannot be written as a file:\n%w", err)
	}
	if err := errors.Join(same(p, back.Pipeline), sameSink(f.Sink, back.Sink)); err != nil {
		return nil, fmt.Errorf("pipefile: the pipeline cannot be written as a file: %w", err)
	}
	return b.Bytes(), nil
}

func write(b *bytes.Buffer, p *flow.Pipeline, c Catalogs) error {
	fmt.Fprintf(b, "version: %d\n", Version)
	for _, o := range written(settingsOf(p), settings{}) {
		fmt.Fprintf(b, "%s: %s\n", o.name, o.text)
	}
	if list := written(onErrorOf(p), onError{}); len(list) > 0 {
		fmt.Fprintf(b, "on_error: %s\n", flowMap(list))
	}
	if list := written(p.Objects, flow.Objects{}); len(list) > 0 {
		fmt.Fprintf(b, "objects: %s\n", flowMap(list))
	}
	inner, split := unsplit(p.Source)
	inner, from := unnumbered(inner)
	if from != nil && from.File == "" {
		return fmt.Errorf("classes_from: the other source is no file's: a pipeline file can name a file only")
	}
	if inner == nil {
		return fmt.Errorf("the pipeline has no source")
	}
	text, err := writtenSource(inner, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "source: %s\n", text)
	if split != nil {
		fmt.Fprintf(b, "split: %s\n", flowMap(written(split, &sources.Split{})))
	}
	if len(p.Stages) == 0 {
		b.WriteString("stages: []\n")
		return nil
	}
	b.WriteString("stages:\n")
	for n, stage := range p.Stages {
		stage, when, id := unwrap(stage)
		if stage == nil {
			return fmt.Errorf("stage %d is nil", n+1)
		}
		i := slices.Index(stageNames(c), stage.Name())
		if i < 0 {
			return fmt.Errorf("stage %s is not in the catalogue", stage.Name())
		}
		list := written(stage, c.Stages[i].New())
		if id != "" {
			list = append(list, option{"id", scalarText(id)})
		}
		if when.Conditional() {
			list = append(list, option{"when", flowMap(written(when, stages.When{}))})
		}
		if when.Strength != (stages.Strength{}) {
			list = append(list, option{"strength", flowMap(written(when.Strength, stages.Strength{}))})
		}
		fmt.Fprintf(b, "  - %s: %s\n", stage.Name(), flowMap(list))
	}
	return nil
}

// writtenSource is {name: {options}}, where a composite's sources stand among its options.
func writtenSource(s sources.Source, c Catalogs) (string, error) {
	i := slices.Index(sourceNames(c), s.Name())
	if i < 0 {
		return "", fmt.Errorf("source %s is not in the catalogue", s.Name())
	}
	list := written(s, c.Sources[i].New())
	if whole, ok := s.(sources.Composite); ok {
		parts := whole.Parts()
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			if parts[name] == nil {
				return "", fmt.Errorf("%s: %s: there is no source under this name", s.Name(), name)
			}
			text, err := writtenSource(parts[name], c)
			if err != nil {
				return "", fmt.Errorf("%s: %s: %w", s.Name(), name, err)
			}
			list = append(list, option{scalarText(name), text})
		}
	}
	return fmt.Sprintf("{%s: %s}", s.Name(), flowMap(list)), nil
}

func writeSink(b *bytes.Buffer, sink sinks.Format, c Catalogs) error {
	if sink == nil {
		return nil
	}
	i := slices.Index(sinkNames(c), sink.Name())
	if i < 0 {
		return fmt.Errorf("sink %s is not in the catalogue", sink.Name())
	}
	fmt.Fprintf(b, "sink: {%s: %s}\n", sink.Name(), flowMap(written(sink, c.Sinks[i].New())))
	return nil
}

// unwrap takes a stage out of its conditions and its id.
func unwrap(s stages.Stage) (of stages.Stage, when stages.When, id string) {
	for {
		switch w := s.(type) {
		case identified:
			if id == "" {
				id = w.ID()
			}
			s = w.Unwrap()
		case stages.When:
			when, s = w, w.Stage
		case *stages.When:
			when, s = *w, w.Stage
		default:
			return s, when, id
		}
	}
}

// option is a name and its value in YAML's flow style.
type option struct{ name, text string }

// written lists the options that differ from the defaults.
func written(of, defaults any) []option {
	var out []option
	usual := options.Fields(defaults)
	for i, f := range options.Fields(of) {
		have, err := f.JSON()
		if err != nil {
			have = json.RawMessage("null") // NaN: reading it back names the option
		}
		if i < len(usual) {
			if want, err := usual[i].JSON(); err == nil && bytes.Equal(have, want) {
				continue
			}
		}
		out = append(out, option{f.Name, flowStyle(have)})
	}
	return out
}

func flowMap(list []option) string {
	texts := make([]string, len(list))
	for i, o := range list {
		texts[i] = o.name + ": " + o.text
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

// flowStyle turns JSON, which is valid YAML, into YAML as people write it.
func flowStyle(text json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(fmt.Sprintf("pipefile: %s is not JSON: %v", text, err))
	}
	return flowValue(v)
}

func flowValue(v any) string {
	switch v := v.(type) {
	case string:
		return scalarText(v)
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = flowValue(item)
		}
		return "[" + strings.Join(texts, ", ") + "]"
	case map[string]any:
		var list []option
		for _, key := range slices.Sorted(maps.Keys(v)) {
			list = append(list, option{scalarText(key), flowValue(v[key])})
		}
		return flowMap(list)
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// plainText matches texts that need no quotes, unless they would be read as another type.
var plainText = regexp.MustCompile(`^[A-Za-z/_.][A-Za-z0-9/_.-]*$`)

func scalarText(s string) string {
	var m mistakes
	if plainText.MatchString(s) && m.resolve(place{}, s).scalar == s && len(m.list) == 0 {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b) // what JSON escapes, YAML's double quotes read
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(fmt.Sprintf("pipefile: %v", err)) // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func sameSink(a, b sinks.Format) error {
	if a == nil {
		return nil
	}
	if err := sameOptions(a, b); err != nil {
		return fmt.Errorf("sink %s: %w", a.Name(), err)
	}
	return nil
}

// same reports the first difference between two pipelines.
func same(a, b *flow.Pipeline) error {
	if err := errors.Join(sameOptions(settingsOf(a), settingsOf(b)), sameOptions(onErrorOf(a), onErrorOf(b)), sameOptions(a.Objects, b.Objects)); err != nil {
		return err
	}
	sa, splitA := unsplit(a.Source)
	sb, splitB := unsplit(b.Source)
	sa, _ = unnumbered(sa) // what they take classes from is among the settings
	sb, _ = unnumbered(sb)
	if err := sameSource(sa, sb); err != nil {
		return fmt.Errorf("%s: %w", sa.Name(), err)
	}
	if splitA != nil {
		if err := sameOptions(splitA, splitB); err != nil {
			return fmt.Errorf("split: %w", err)
		}
	}
	if len(a.Stages) != len(b.Stages) {
		return fmt.Errorf("%d stages become %d", len(a.Stages), len(b.Stages))
	}
	for i := range a.Stages {
		x, whenX, idX := unwrap(a.Stages[i])
		y, whenY, idY := unwrap(b.Stages[i])
		if err := errors.Join(sameOptions(x, y), sameOptions(whenX, whenY), sameOptions(whenX.Strength, whenY.Strength)); err != nil {
			return fmt.Errorf("%s: %w", x.Name(), err)
		}
		if idX != idY {
			return fmt.Errorf("%s: id %q becomes %q", x.Name(), idX, idY)
		}
	}
	return nil
}

// sameSource compares two sources, and those that they are made of.
func sameSource(a, b sources.Source) error {
	if err := sameOptions(a, b); err != nil {
		return err
	}
	whole, ok := a.(sources.Composite)
	if !ok {
		return nil
	}
	others := b.(sources.Composite).Parts()
	for name, part := range whole.Parts() {
		if err := sameSource(part, others[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func settingsOf(p *flow.Pipeline) settings {
	s := settings{Seed: p.Settings.Seed, Epochs: int32(p.Settings.Epochs), Fuse: fuse(p.Settings.Fuse)}
	inner, _ := unsplit(p.Source)
	if _, from := unnumbered(inner); from != nil {
		s.ClassesFrom = from.File
	}
	return s
}

func onErrorOf(p *flow.Pipeline) onError {
	f := p.Settings.Failures
	return onError{Policy: f.Policy, Max: limit(f.Max), Quarantine: f.Quarantine}
}

func sameOptions(a, b any) error {
	ta, tb := structType(a), structType(b)
	if ta != tb {
		return fmt.Errorf("%v is not what a file can give, which is %v", ta, tb)
	}
	ca, err := options.Canonical(a)
	if err != nil {
		return err
	}
	cb, err := options.Canonical(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(ca, cb) {
		return fmt.Errorf("%s becomes %s", ca, cb)
	}
	return nil
}

func structType(v any) reflect.Type {
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
