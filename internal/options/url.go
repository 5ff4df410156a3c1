package options

import "regexp"

// address is how URLs begin: with a scheme; those of data hold it themselves.
var address = regexp.MustCompile(`^(?i)\s*([a-z][a-z0-9+.-]+://|data:[a-z]+/)`)

// IsURL reports text that can be no path that anybody means: nothing is fetched
// here, and cleaned as a path a URL would be another text.
func IsURL(text string) bool { return address.MatchString(text) }
