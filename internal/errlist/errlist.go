// Package errlist takes joined errors apart, so that each mistake can be shown by
// itself, with what it is a mistake of.
package errlist

import (
	"errors"
	"fmt"
)

// Split lists the errors joined in err, and those joined in them; nil for nil. An
// error that says more than its parts is not taken apart.
func Split(err error) []error {
	if err == nil {
		return nil
	}
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	parts := several.Unwrap()
	if whole := errors.Join(parts...); whole == nil || whole.Error() != err.Error() {
		return []error{err}
	}
	var list []error
	for _, e := range parts {
		list = append(list, Split(e)...)
	}
	return list
}

// Join is errors.Join of all that is joined in errs: one list, however deep they
// were.
func Join(errs ...error) error { return errors.Join(Split(errors.Join(errs...))...) }

// Within puts "prefix: " before each of the errors joined in err; nil for nil.
func Within(prefix string, err error) error {
	list := Split(err)
	for i, e := range list {
		list[i] = fmt.Errorf("%s: %w", prefix, e)
	}
	return errors.Join(list...)
}
