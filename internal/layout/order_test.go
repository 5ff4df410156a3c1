package layout

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ordered are the packages whose doc.go lists their files in an order in which each
// refers to those below it only. A list beside a package has the exceptions, "from.go
// to.go", each with its reason.
var ordered = map[string][]string{
	"flow/preview":            {},
	"trainer":                 {},
	"trainer/learning":        {},
	"trainer/gorgoniatrainer": {},
}

// fileLine is a file in the list of a doc.go: it stands first in an indented line.
var fileLine = regexp.MustCompile(`^//\t([a-z0-9_]+\.go)\s`)

// sourceFiles parses a package without its tests.
func sourceFiles(t *testing.T, dir string, fset *token.FileSet) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, path := range names {
		name := filepath.Base(path)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

// listed are the files of doc.go's list, in its order.
func listed(doc *ast.File) (names []string) {
	for _, group := range doc.Comments {
		for _, c := range group.List {
			if m := fileLine.FindStringSubmatch(c.Text); m != nil {
				names = append(names, m[1])
			}
		}
	}
	return names
}

// nothing imports empty packages: only names of the package itself matter here.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// references lists, for each file, the files whose declarations it refers to, with the
// first such name.
func references(fset *token.FileSet, files map[string]*ast.File) map[string]map[string]string {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}} // names of other packages aren't known
	pkg, _ := config.Check("p", fset, slices.Collect(maps.Values(files)), info)
	out := map[string]map[string]string{}
	for ident, object := range info.Uses {
		if object.Pkg() != pkg || object.Pos() == token.NoPos {
			continue
		}
		from, to := filepath.Base(fset.Position(ident.Pos()).Filename), filepath.Base(fset.Position(object.Pos()).Filename)
		if out[from] == nil {
			out[from] = map[string]string{}
		}
		if old, seen := out[from][to]; !seen || ident.Name < old {
			out[from][to] = ident.Name
		}
	}
	return out
}

func TestFilesReferDownwards(t *testing.T) {
	for dir, exceptions := range ordered {
		fset := token.NewFileSet()
		files := sourceFiles(t, filepath.Join("../..", dir), fset)
		if files["doc.go"] == nil {
			t.Errorf("%s has no doc.go, which lists its files in the order in which they call each other", dir)
			continue
		}
		order := listed(files["doc.go"])
		for name := range files {
			if name != "doc.go" && !slices.Contains(order, name) {
				t.Errorf("%s/doc.go doesn't list %s: put it above the files that it refers to", dir, name)
			}
		}
		for _, name := range order {
			if files[name] == nil {
				t.Errorf("%s/doc.go lists %s, which isn't there", dir, name)
			}
		}
		used := map[string]bool{}
		maps.DeleteFunc(files, func(name string, _ *ast.File) bool { // of other processors and systems
			matches, err := build.Default.MatchFile(filepath.Join("../..", dir), name)
			return err != nil || !matches
		})
		for from, tos := range references(fset, files) {
			for to, name := range tos {
				pair := from + " " + to
				if slices.Index(order, to) >= slices.Index(order, from) || to == "doc.go" {
					continue
				}
				if used[pair] = true; !slices.Contains(exceptions, pair) {
					t.Errorf("%s/%s refers to %s of %s, which doc.go lists above it: move what both need below them, or hand it down as an argument", dir, from, name, to)
				}
			}
		}
		for _, pair := range exceptions {
			if !used[pair] {
				t.Errorf("%s: the exception %q isn't needed any more", dir, pair)
			}
		}
	}
}

// TestReferences: the checker finds functions, methods, fields and types.
func TestReferences(t *testing.T) {
	fset := token.NewFileSet()
	files := map[string]*ast.File{}
	for name, text := range map[string]string{
		"a.go": "package p\nimport \"x\"\nfunc a() { var v b; v.method(); _ = v.field; x.F() }",
		"b.go": "package p\ntype b struct{ field c }\nfunc (b) method() { helper() }",
		"c.go": "package p\ntype c int\nfunc helper() {}",
	} {
		file, err := parser.ParseFile(fset, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	have := references(fset, files)
	if have["a.go"]["b.go"] == "" || have["b.go"]["c.go"] == "" || have["a.go"]["c.go"] != "" || have["c.go"]["a.go"] != "" || have["c.go"]["b.go"] != "" {
		t.Errorf("%v", have)
	}
}

// TestTypesAreSmall: no type of these packages has more than 25 methods.
func TestTypesAreSmall(t *testing.T) {
	for dir := range ordered {
		methods := map[string]int{}
		for _, file := range sourceFiles(t, filepath.Join("../..", dir), token.NewFileSet()) {
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Recv == nil {
					continue
				}
				of := f.Recv.List[0].Type
				if star, ok := of.(*ast.StarExpr); ok {
					of = star.X
				}
				if name, ok := of.(*ast.Ident); ok {
					methods[name.Name]++
				}
			}
		}
		for name, n := range methods {
			if n > 25 {
				t.Errorf("%s.%s has %d methods: a type of so many is several", dir, name, n)
			}
		}
	}
}
