package errlist_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sluicedata/sluice/internal/errlist"
)

// counted has parts and a text of its own.
type counted []error

func (c counted) Error() string   { return fmt.Sprintf("%d failures", len(c)) }
func (c counted) Unwrap() []error { return c }

func TestSplit(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	for name, x := range map[string]struct {
		err  error
		want []string
	}{
		"nothing":        {nil, nil},
		"one":            {a, []string{"a"}},
		"two":            {errors.Join(a, nil, b), []string{"a", "b"}},
		"deep":           {errors.Join(errors.Join(a, errors.Join(b)), c), []string{"a", "b", "c"}},
		"two in a text":  {fmt.Errorf("x: %w and %w", a, b), []string{"x: a and b"}},
		"a text of own":  {counted{a, b}, []string{"2 failures"}},
		"an empty list":  {counted{}, []string{"0 failures"}},
		"one of several": {errors.Join(counted{a, b}, c), []string{"2 failures", "c"}},
	} {
		list := errlist.Split(x.err)
		ok := len(list) == len(x.want)
		for i := range list {
			ok = ok && list[i].Error() == x.want[i]
		}
		if !ok {
			t.Errorf("%s: %v, want %q", name, list, x.want)
		}
	}
}

func TestWithin(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	err := errlist.Within("p", errlist.Join(nil, a, errors.Join(b, nil)))
	if err == nil || err.Error() != "p: a\np: b" || !errors.Is(err, a) || !errors.Is(err, b) {
		t.Errorf("%v", err)
	}
	if errlist.Within("p", nil) != nil || errlist.Join(nil, nil) != nil {
		t.Error("no error became one")
	}
}
