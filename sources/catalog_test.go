package sources_test

import (
	"reflect"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sources"
)

func TestCatalog(t *testing.T) {
	seen := map[string]bool{}
	for _, entry := range sources.Catalog {
		s := entry.New()
		if seen[s.Name()] || entry.Doc == "" {
			t.Errorf("%s occurs twice, or has no doc", s.Name())
		}
		seen[s.Name()] = true
		if reflect.TypeOf(s).Kind() != reflect.Pointer {
			t.Errorf("%s: New returns %T, which no option can be set in", s.Name(), s)
		}
		documented(t, s)
	}
	documented(t, &sources.Split{})
}

// documented checks that every option has a doc, a schema and a default that
// can be read.
func documented(t *testing.T, s sources.Source) {
	for _, f := range options.Fields(s) {
		if f.Doc == "" {
			t.Errorf("%s: option %s has no doc", s.Name(), f.Name)
		}
		if len(f.Schema()) == 0 {
			t.Errorf("%s: option %s has no schema", s.Name(), f.Name)
		}
	}
	if _, err := options.Canonical(s); err != nil {
		t.Errorf("%s: %v", s.Name(), err)
	}
}
