package pipefile

import "github.com/sluicedata/sluice/sources"

// split wraps the source in the split that the file asks for.
func (r *reader) split(e entry, source sources.Source) sources.Source {
	split := sources.Split{}
	given := r.options("split", &split, e.value)
	if source == nil {
		return nil // it has an error of its own
	}
	split.Source = checked{source}
	r.check("split", e.place, split.Check(), given)
	split.Source = source
	return split
}

// checked is a source whose mistakes are reported already.
type checked struct{ sources.Source }

func (checked) Check() error { return nil }

// unsplit takes a source and its split apart; split is nil where there is none.
func unsplit(s sources.Source) (inner sources.Source, split *sources.Split) {
	switch s := s.(type) {
	case sources.Split:
		return s.Source, &s
	case *sources.Split:
		return s.Source, s
	}
	return s, nil
}
