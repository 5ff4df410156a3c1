package pipefile

import (
	"slices"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
)

// readSource reads one of the named sources; whose says in errors of which source it is a
// part.
func readSource(r *reader, n *node, names []string, whose string) sources.Source {
	c, ok := r.component("source", n, names)
	if !ok {
		return nil
	}
	who := whose + c.name
	ptr := r.catalogs.Sources[slices.Index(sourceNames(r.catalogs), c.name)].New()
	if whole, ok := ptr.(composite); ok {
		return readComposite(r, who, whole, c)
	}
	given := r.options(who, ptr, c.options)
	r.check(who, c.place, ptr.Check(), given)
	return value(ptr)
}

// composite is a source made of others, which can be read.
type composite interface {
	sources.Composite
	Join(name string, part sources.Source)
}

// readComposite reads the sources that stand under their names among the options.
func readComposite(r *reader, who string, whole composite, c component) sources.Source {
	own := options.Names(whole)
	rest := *c.options
	rest.entries = nil
	parts, at, complete := map[string]sources.Source{}, map[string]place{}, true
	for _, e := range c.options.entries {
		if slices.Contains(own, e.key) {
			rest.entries = append(rest.entries, e)
			continue
		}
		part := readPart(r, who, own, e)
		if at[e.key] = e.place; part == nil {
			part, complete = unread{}, false
		}
		parts[e.key] = part
		whole.Join(e.key, checked{part}) // its mistakes are reported already
	}
	given := r.options(who, whole, &rest)
	for name, place := range at {
		given.at[name] = place
	}
	r.check(who, c.place, whole.Check(), given)
	if !complete {
		return nil
	}
	for name, part := range parts {
		whole.Join(name, part)
	}
	return value[sources.Source](whole)
}

// readPart reads one of several sources. A split and the like are of all of them.
func readPart(r *reader, who string, own []string, e entry) sources.Source {
	if e.value.kind == refused {
		return nil
	}
	if e.value.kind != mapKind {
		r.add(e.place, "%s: %s: want a source, such as {folder: {path: data/web}}, have %s%s", who, e.key, e.value.have(),
			options.DidYouMean(options.Nearest(e.key, own)))
		return nil
	}
	names := singleSources(r.catalogs)
	rest := *e.value
	rest.entries = nil
	for _, inner := range e.value.entries {
		switch {
		case inner.key == "split" || inner.key == "classes_from":
			r.add(inner.place, "%s: %s: %s is of all sources together: write it at the top of the file", who, e.key, inner.key)
		case slices.Contains(sourceNames(r.catalogs), inner.key) && !slices.Contains(names, inner.key):
			r.add(inner.place, "%s: %s: a %s within another: put its sources into the outer one", who, e.key, inner.key)
			return nil
		default:
			rest.entries = append(rest.entries, inner)
		}
	}
	return readSource(r, &rest, names, who+": "+e.key+": ")
}

// singleSources are the names of the sources that aren't made of others.
func singleSources(c Catalogs) (names []string) {
	for _, e := range c.Sources {
		if s := e.New(); !isComposite(s) {
			names = append(names, s.Name())
		}
	}
	return names
}

func isComposite(s sources.Source) bool {
	_, ok := s.(sources.Composite)
	return ok
}
