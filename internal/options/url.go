package options

import "regexp"

// address matches the beginning of a URL: a scheme, or data: with a type.
var address = regexp.MustCompile(`^(?i)\s*([a-z][a-z0-9+.-]+://|data:[a-z]+/)`)

// IsURL reports whether text is a URL, which nobody means as a path. Nothing is
// fetched here; cleaned as a path, a URL would be garbled.
func IsURL(text string) bool { return address.MatchString(text) }
