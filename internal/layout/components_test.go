package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// knows lists the components that the engine may name, each with its reason.
var knows = map[string]string{
	"flow/measure.go stages.Decode": "decodes what is measured where a pipeline has no decode stage",
}

// TestEngineNamesNoComponent: flow asks stages and sources for capabilities, so that
// those of other modules can do the same. Pipeline files are another matter: their
// grammar has split and classes_from.
func TestEngineNamesNoComponent(t *testing.T) {
	components := map[string]bool{}
	for _, pkg := range []string{"stages", "sources"} {
		eachFile(t, pkg, func(path string, file *ast.File) {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "Name" {
					receiver := f.Recv.List[0].Type
					if p, ok := receiver.(*ast.StarExpr); ok {
						receiver = p.X
					}
					if name, ok := receiver.(*ast.Ident); ok {
						components[pkg+"."+name.Name] = true
					}
				}
			}
		})
	}
	delete(components, "stages.When") // conditions around a component
	if len(components) < 20 {
		t.Fatalf("found only %d components: %v", len(components), components)
	}
	used := map[string]bool{}
	eachFile(t, "flow", func(path string, file *ast.File) {
		if strings.HasPrefix(path, "flow/pipefile/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := s.X.(*ast.Ident); ok && components[pkg.Name+"."+s.Sel.Name] {
					place := path + " " + pkg.Name + "." + s.Sel.Name
					if used[place] = true; knows[place] == "" {
						t.Errorf("%s: ask for a capability instead (the interfaces at the end of stages/stage.go and sources/source.go)", place)
					}
				}
			}
			return true
		})
	})
	for place := range knows {
		if !used[place] {
			t.Errorf("%s is no longer there: remove it from knows", place)
		}
	}
}

// eachFile parses the files of a folder and below, but for tests.
func eachFile(t *testing.T, folder string, do func(path string, file *ast.File)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		do(filepath.ToSlash(name), file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
