package pipefile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
)

// settings are the top-level keys with a plain value.
type settings struct {
	Version int    `sluice:"version" doc:"version of the file format: 1"`
	Seed    uint64 `sluice:"seed" default:"0" doc:"of all random numbers, 0 to 2^64-1"`
	Epochs  int32  `sluice:"epochs,positive" default:"1" doc:"passes over the data"`
	Fuse    fuse   `sluice:"fuse" default:"full" doc:"full: resamplings merge into one; exact: only what leaves the reference's bytes unchanged"`

	ClassesFrom string `sluice:"classes_from,path" doc:"another pipeline file, such as that of the training set: classes have the same numbers as there; an unknown class is an error"`
}

type fuse string

// Values lists the ways to fuse.
func (fuse) Values() []string { return []string{string(flow.FuseFull), string(flow.FuseExact)} }

// topKeys are in the order in which errors and Format show them.
var topKeys = []string{"version", "seed", "epochs", "fuse", "classes_from", "on_error", "objects", "source", "split", "stages", "sink"}

// ofSource are those that the stages and settings alone do without.
var ofSource = []string{"source", "split", "classes_from", "sink"}

// top reads a file's keys.
func (r *reader) top(root *node, f *File) {
	pipe := f.Pipeline
	if root.kind != mapKind {
		if root.kind != refused {
			r.add(root.place, "a pipeline is a map with the keys %s; this is %s", strings.Join(topKeys, ", "), root.have())
		}
		return
	}
	var s settings
	var failures flow.Failures
	ordered := false
	given, meant := map[string]entry{}, map[string]bool{}
	for _, e := range root.entries {
		if r.sourceless && slices.Contains(ofSource, e.key) {
			continue
		}
		given[e.key] = e
		switch e.key {
		case "version", "seed", "epochs", "fuse", "classes_from":
			r.setting(&s, e)
		case "on_error":
			failures = r.onError(e)
		case "objects":
			o := r.options("objects", &pipe.Objects, e.value)
			r.check("objects", e.place, pipe.Objects.Check(), o)
		case "source":
			pipe.Source = r.source(e)
		case "split": // below, when the source is known
		case "stages":
			pipe.Stages, ordered = r.stages(e)
		case "sink":
			if f.Sink = r.sink(e); f.Sink != nil && r.sinkless {
				r.add(e.place, "sink %s: Load and Parse return the pipeline alone, and it would be ignored: call LoadFile or ParseFile, and give their Sink to flow.MaterializeShard", f.Sink.Name())
			}
		default:
			near, text := meantKey(e.key, topKeys)
			meant[near] = true
			r.add(e.place, "unknown key %q%s (keys: %s)", e.key, text, strings.Join(topKeys, ", "))
		}
	}
	if ordered {
		r.order(pipe) // its source says whether pictures may have one size
	}
	if e, ok := given["classes_from"]; ok && s.ClassesFrom != "" {
		pipe.Source = r.classesFrom(e, s.ClassesFrom, pipe.Source)
	}
	if e, ok := given["split"]; ok {
		pipe.Source = r.split(e, pipe.Source)
	}
	for _, key := range []string{"version", "source", "stages"} {
		if r.sourceless && key == "source" {
			continue
		}
		if _, ok := given[key]; !ok && !meant[key] {
			r.add(root.place, "%s is missing%s", key, missing[key])
		}
	}
	pipe.Settings = flow.Settings{Seed: s.Seed, Epochs: int(s.Epochs), Fuse: flow.Fuse(s.Fuse), Failures: failures}
}

// missing says what to do about a missing key.
var missing = map[string]string{
	"version": ": begin the file with version: 1",
	"source":  ": say where the images are, such as source: {folder: {path: data/train}}",
	"stages":  ": give a list, such as stages: [decode, batch: {size: 32}]",
}

func (r *reader) setting(s *settings, e entry) {
	if !e.value.valid() {
		return
	}
	err := options.Set(s, e.key, e.value.plain())
	switch {
	case err != nil:
		r.add(e.value.place, "%v", err)
	case e.key == "version" && s.Version != Version:
		r.add(e.value.place, "version: this sluice reads version %d, not %d", Version, s.Version)
	case e.key == "epochs" && s.Epochs < 0:
		r.add(e.value.place, "epochs: %d is negative", s.Epochs)
	case e.key == "classes_from" && r.folder != "" && !e.value.edited():
		options.Resolve(s, e.key, r.folder)
	}
}

// onError is flow.Failures as a file has it.
type onError struct {
	Policy     flow.Policy `sluice:"policy" default:"fail" doc:"what to do about a row that cannot be made: fail ends the run, skip makes its batch shorter, refill puts another sample of its class in its place"`
	Max        limit       `sluice:"max" doc:"how many draws may fail before the run does: a number, or a share such as 1% (default: 1%)"`
	Quarantine string      `sluice:"quarantine,path" doc:"file that lists what failed, as JSON lines"`
}

// limit is a number, or a share as text: 25 or 1%.
type limit flow.Limit

func (l *limit) SetOption(v any) error {
	text := fmt.Sprint(v)
	if _, isText := v.(string); isText != strings.HasSuffix(text, "%") || !isText && strings.Trim(text, "0123456789") != "" {
		return fmt.Errorf("want a number of rows, such as 25, or a share of them, such as 1%%; have %s", options.Have(v))
	}
	read, err := flow.ParseLimit(text)
	*l = limit(read)
	return err
}

// OptionSchema describes the file form.
func (limit) OptionSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "integer", "minimum": 1},
		map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?%$`},
	}}
}

// MarshalJSON writes what SetOption reads.
func (l limit) MarshalJSON() ([]byte, error) {
	switch {
	case l == limit{}:
		return []byte("null"), nil
	case l.Share > 0:
		return json.Marshal(flow.Limit(l).String())
	}
	return json.Marshal(l.Count)
}

func (r *reader) onError(e entry) flow.Failures {
	var o onError
	given := r.options("on_error", &o, e.value)
	f := flow.Failures{Policy: o.Policy, Max: flow.Limit(o.Max), Quarantine: o.Quarantine}
	if given.failed["policy"] {
		return f // the others depend on it
	}
	r.check("on_error", e.place, f.Check(), given)
	return f
}

// source reads `source: {name: {options}}`.
func (r *reader) source(e entry) sources.Source {
	return readSource(r, e.value, sourceNames(r.catalogs), "")
}

// sink reads `sink: {name: {options}}`.
func (r *reader) sink(e entry) sinks.Format {
	c, ok := r.component("sink", e.value, sinkNames(r.catalogs))
	if !ok {
		return nil
	}
	format := r.catalogs.Sinks[c.number].New()
	given := r.options(c.name, format, c.options)
	r.check(c.name, c.place, format.Check(), given)
	return format
}

func sinkNames(c Catalogs) []string {
	names := make([]string, len(c.Sinks))
	for i, e := range c.Sinks {
		names[i] = e.New().Name()
	}
	return names
}

func sourceNames(c Catalogs) []string {
	names := make([]string, len(c.Sources))
	for i, e := range c.Sources {
		names[i] = e.New().Name()
	}
	return names
}
