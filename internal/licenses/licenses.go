// Package licenses has the licences of everything that is in the sluice binary:
// its own, Go's, and those of the modules that it is built from.
package licenses

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
)

// compressed is made by go test ./internal/licenses -update.
//
//go:embed licenses.txt.gz
var compressed []byte

// Text is all of them, each text once, below the modules that it is the licence of.
func Text() (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return "", fmt.Errorf("licenses: %w", err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("licenses: %w", err)
	}
	return string(text), nil
}
