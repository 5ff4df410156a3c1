package flow_test

import (
	"os"
	"strings"
	"testing"
)

// scratch runs body in an empty working directory.
func scratch(body func() error) error {
	dir, err := os.MkdirTemp("", "sluice-example")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	defer os.Chdir(home)
	return body()
}

func TestReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "func recipeExample() error {\n")
	body, _, _ = strings.Cut(body, "\treturn nil\n}\n")
	body = strings.TrimPrefix(strings.ReplaceAll("\n"+body, "\n\t", "\n"), "\n")
	if !strings.Contains(string(readme), body) {
		t.Errorf("README.md does not show the body of recipeExample in flow/example_test.go: copy it there:\n%s", body)
	}
}
