package pipefile

import (
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/stages"
)

// idPattern keeps ids distinct from the ordinals that address the random numbers
// of stages without an id.
var idPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)

// stages reads the list of stages. ok tells that each is valid by itself.
func (r *reader) stages(e entry) (list []stages.Stage, ok bool) {
	before := len(r.list)
	list = r.stageList(e)
	return list, len(r.list) == before
}

// order checks the order of stages that are valid by themselves, and the types between them.
// Errors are reported at their stages.
func (r *reader) order(pipe *flow.Pipeline) {
	if !r.edges {
		return
	}
	check := pipe.Check
	if r.sourceless {
		check = pipe.CheckApplier
	}
	for _, err := range errlist.Split(check()) {
		var mistake *flow.StageError
		if errors.As(err, &mistake) && mistake.Index >= 0 {
			r.add(r.stagesAt[mistake.Index].place, "%s: %s", strings.TrimPrefix(mistake.Name, "stages: "), mistake.Err)
		}
	}
}

// explain adds places in the file to the mistakes that show once the source is open,
// such as a missing task or class. Errors that are not about stages stay as they are.
func (r *reader) explain(err *flow.PipelineError) error {
	found := &reader{mistakes: mistakes{file: r.file, flags: r.flags}}
	for _, e := range errlist.Split(err.Err) {
		var mistake *flow.StageError
		if !errors.As(e, &mistake) || mistake.Index < 0 {
			return err
		}
		at := r.stagesAt[mistake.Index]
		found.check(strings.TrimPrefix(mistake.Name, "stages: "), at.place, mistake.Err, at.options)
	}
	return found.err()
}

// stageList reads each stage on its own.
func (r *reader) stageList(e entry) (out []stages.Stage) {
	if e.value.kind == refused {
		return nil
	}
	if e.value.kind != listKind {
		r.add(e.value.place, "stages: want a list, such as [decode, batch: {size: 32}], have %s", e.value.have())
		return nil
	}
	names := stageNames(r.catalogs)
	ids := map[[2]string]int{}
	for _, item := range e.value.items {
		if item.empty() {
			r.add(item.place, "there is no stage after this dash")
			continue
		}
		c, ok := r.component("stage", item, names)
		if !ok {
			continue
		}
		ptr := r.catalogs.Stages[c.number].New()
		id := r.takeID(&c, ids)
		when, conditions := takeConditions(r, &c)
		given := r.options(c.name, ptr, c.options)
		r.check(c.name, c.place, ptr.Check(), given)
		stage := value(ptr)
		if conditions != nil {
			when.Stage = stage
			maps.Copy(given.at, conditions.at)
			maps.Copy(given.failed, conditions.failed)
			if len(given.failed) == 0 && ptr.Check() == nil {
				r.check(c.name, c.place, when.CheckConditions(), given)
			}
			stage = when
		}
		if id != "" {
			stage = flow.WithID(id, stage)
		}
		out, r.stagesAt = append(out, stage), append(r.stagesAt, placed{c.place, given})
	}
	return out
}

// takeID removes the key id, which every stage may have, from a stage's options.
func (r *reader) takeID(c *component, ids map[[2]string]int) string {
	if c.options.kind != mapKind {
		return ""
	}
	var id string
	rest := &node{place: c.options.place, kind: mapKind}
	for _, e := range c.options.entries {
		if e.key != "id" {
			rest.entries = append(rest.entries, e)
			continue
		}
		text, ok := e.value.scalar.(string)
		line, taken := ids[[2]string{c.name, text}]
		switch {
		case e.value.kind == refused:
		case !ok:
			r.add(e.value.place, "%s: id: want text, have %s", c.name, e.value.have())
		case !idPattern.MatchString(text):
			r.add(e.value.place, "%s: id: %q: an id begins with a letter, then letters, digits, - _ and . follow", c.name, text)
		case taken:
			r.add(e.value.place, "%s: id: %q is the id of the %s on line %d already", c.name, text, c.name, line)
		default:
			id = text
			ids[[2]string{c.name, text}] = c.line
		}
	}
	c.options = rest
	return id
}

// takeConditions removes the keys when and strength, which stand beside a stage's options. given
// is nil where there are none.
func takeConditions(r *reader, c *component) (when stages.When, found *given) {
	if c.options.kind != mapKind {
		return when, nil
	}
	rest := &node{place: c.options.place, kind: mapKind}
	found = &given{at: map[string]place{}, failed: map[string]bool{}}
	for _, e := range c.options.entries {
		var ptr any
		switch e.key {
		case "when":
			ptr = &when
		case "strength":
			ptr = &when.Strength
		default:
			rest.entries = append(rest.entries, e)
			continue
		}
		found.at[e.key] = e.value.place
		if e.value.empty() {
			r.add(e.value.place, "%s: %s: it has no value: leave it out, or give %s", c.name, e.key, conditionsExample[e.key])
			found.failed[e.key] = true
			continue
		}
		of := r.options(c.name+": "+e.key, ptr, e.value)
		found.failed[e.key] = of.none || len(of.failed) > 0
	}
	maps.DeleteFunc(found.failed, func(_ string, failed bool) bool { return !failed })
	if len(found.at) == 0 {
		return when, nil
	}
	c.options = rest
	return when, found
}

// conditionsExample is what conditions look like.
var conditionsExample = map[string]string{"when": "{class_count: {below: 100}}", "strength": "{by: class_count, from: 0.5, to: 1.5}"}

func stageNames(c Catalogs) []string {
	names := make([]string, len(c.Stages))
	for i, e := range c.Stages {
		names[i] = e.New().Name()
	}
	return names
}
