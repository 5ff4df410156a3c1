package pipefile

import (
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
)

// settings are the top keys that hold a plain value.
type settings struct {
	Version int    `sluice:"version" doc:"version of the file format: 1"`
	Seed    uint64 `sluice:"seed" default:"0" doc:"of all random numbers, 0 to 2^64-1"`
	Epochs  int32  `sluice:"epochs,positive" default:"1" doc:"passes over the data"`
	Fuse    fuse   `sluice:"fuse" default:"full" doc:"full: resamplings merge into one; exact: only what leaves the reference's bytes unchanged"`
}

type fuse string

// Values lists the ways to fuse.
func (fuse) Values() []string { return []string{string(flow.FuseFull), string(flow.FuseExact)} }

// topKeys in the order in which errors and Format show them.
var topKeys = []string{"version", "seed", "epochs", "fuse", "on_error", "source", "split", "stages"}

func (r *reader) pipeline(root *node, pipe *flow.Pipeline) {
	if root.kind != mapKind {
		if root.kind != refused {
			r.add(root.place, "a pipeline is a map with the keys %s; this is %s", strings.Join(topKeys, ", "), root.have())
		}
		return
	}
	var s settings
	given, meant := map[string]entry{}, map[string]bool{}
	for _, e := range root.entries {
		given[e.key] = e
		switch e.key {
		case "version", "seed", "epochs", "fuse":
			r.setting(&s, e)
		case "on_error":
			r.onError(e)
		case "source":
			pipe.Source = r.source(e)
		case "split": // below, when the source is known
		case "stages":
			pipe.Stages = r.stages(e)
		default:
			near := options.Nearest(e.key, topKeys)
			meant[near] = true
			r.add(e.place, "unknown key %q%s (keys: %s)", e.key, options.DidYouMean(near), strings.Join(topKeys, ", "))
		}
	}
	if e, ok := given["split"]; ok {
		pipe.Source = r.split(e, pipe.Source)
	}
	for _, key := range []string{"version", "source", "stages"} {
		if _, ok := given[key]; !ok && !meant[key] {
			r.add(root.place, "%s is missing%s", key, missing[key])
		}
	}
	pipe.Settings = flow.Settings{Seed: s.Seed, Epochs: int(s.Epochs), Fuse: flow.Fuse(s.Fuse)}
}

// missing says what to do about a key that isn't there.
var missing = map[string]string{
	"version": ": begin the file with version: 1",
	"source":  ": say where the images are, such as source: {folder: {path: data/train}}",
	"stages":  ": give a list, such as stages: [decode, batch: {size: 32}]",
}

func (r *reader) setting(s *settings, e entry) {
	if !e.value.sound() {
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
	}
}

// policies are the ways to go on after a failed row that this version has.
// skip and refill, with a limit and a quarantine file, are to come.
type policy string

// Values lists the policies.
func (policy) Values() []string { return []string{"fail"} }

type onError struct {
	Policy policy `sluice:"policy" default:"fail" doc:"what to do about a row that fails"`
}

func (r *reader) onError(e entry) {
	later := map[string]string{
		"max":        "max comes with the policies skip and refill; in this version the first failure ends the run",
		"quarantine": "quarantine comes with the policies skip and refill; in this version the first failure ends the run",
	}
	n := e.value
	if n.kind == mapKind {
		var rest []entry
		for _, o := range n.entries {
			switch {
			case later[o.key] != "":
				r.add(o.place, "on_error: %s: leave it out", later[o.key])
			case o.key == "policy" && (o.value.scalar == "skip" || o.value.scalar == "refill"):
				r.add(o.value.place, "on_error: policy %s is not in this version, which has fail only", o.value.scalar)
			default:
				rest = append(rest, o)
			}
		}
		n = &node{place: n.place, kind: mapKind, entries: rest}
	}
	r.options("on_error", &onError{}, n)
}

// source reads `source: {name: {options}}`.
func (r *reader) source(e entry) sources.Source {
	names := sourceNames(r.catalogs)
	c, ok := r.component("source", e.value, names)
	if !ok {
		return nil
	}
	ptr := r.catalogs.Sources[c.number].New()
	given := r.options(c.name, ptr, c.options)
	r.check(c.name, c.place, ptr.Check(), given)
	return value(ptr)
}

func sourceNames(c Catalogs) []string {
	names := make([]string, len(c.Sources))
	for i, e := range c.Sources {
		names[i] = e.New().Name()
	}
	return names
}
