package pipefile

import (
	"path/filepath"
	"testing"
)

// TestPythonFiles keeps the functions of the Python package equal to the catalogues.
func TestPythonFiles(t *testing.T) {
	for name, text := range Python(real) {
		golden(t, filepath.Join("..", "..", "python", "src", "sluicedata", name), string(text), "go test ./flow/pipefile -run TestPythonFiles -update")
	}
}
