package layout

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inOrder lists the packages whose doc.go lists their files, each of which uses only
// those below it.
var inOrder = []string{
	"flow", "flow/internal/picture", "flow/internal/memory", "flow/preview", "flow/ledgerpage",
	"trainer", "trainer/learning", "trainer/gorgoniatrainer",
}

// upward are references that go up all the same, with their reasons: at most ten.
var upward = map[string]string{
	"flow/settings.go Plan":     "OnPlan tells the caller the plan of a run",
	"flow/settings.go State":    "OnState tells the caller where a run would go on, and Resume is that",
	"flow/settings.go Progress": "OnProgress tells the caller how far a run is",
}

const mostUpward, mostMethods = 10, 25

// ours is a package, parsed and type-checked without the packages that it imports.
type ours struct {
	dir   string
	fset  *token.FileSet
	files map[string]*ast.File // by name
	info  types.Info
}

// nothing imports empty packages: only what is a package's own is looked at.
type nothing struct{}

func (nothing) Import(name string) (*types.Package, error) {
	p := types.NewPackage(name, path.Base(name))
	p.MarkComplete()
	return p, nil
}

func load(t *testing.T, dir string) *ours {
	t.Helper()
	p := &ours{dir: dir, fset: token.NewFileSet(), files: map[string]*ast.File{},
		info: types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}}
	names, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v", dir, err)
	}
	var list []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(p.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p.files[filepath.Base(name)] = f
		here := build.Default
		here.GOOS, here.GOARCH = "linux", "amd64"
		if ok, err := here.MatchFile(filepath.Dir(name), filepath.Base(name)); err == nil && ok {
			list = append(list, f)
		}
	}
	c := types.Config{Importer: nothing{}, Error: func(error) {}}
	_, _ = c.Check(dir, p.fset, list, &p.info)
	return p
}

var listed = regexp.MustCompile(`(?m)^//\s+([a-z0-9_]+\.go)\s`)

// order is that of doc.go, from the top.
func (p *ours) order(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", p.dir, "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, m := range listed.FindAllStringSubmatch(string(text), -1) {
		at[m[1]] = i
	}
	for name := range p.files {
		if _, ok := at[name]; !ok && name != "doc.go" {
			t.Errorf("%s/doc.go doesn't list %s: say there what it holds, above the files that it uses", p.dir, name)
		}
	}
	for name := range at {
		if p.files[name] == nil {
			t.Errorf("%s/doc.go lists %s, which isn't there", p.dir, name)
		}
	}
	return at
}

// references lists what a file refers to in others of its package: file and name.
func (p *ours) references(from string) map[[2]string]token.Position {
	out := map[[2]string]token.Position{}
	ast.Inspect(p.files[from], func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		object := p.info.Uses[id]
		if object == nil || object.Pkg() == nil || object.Pkg().Path() != p.dir {
			return true
		}
		to := filepath.Base(p.fset.Position(object.Pos()).Filename)
		if to != from && to != "." {
			out[[2]string{to, object.Name()}] = p.fset.Position(id.Pos())
		}
		return true
	})
	return out
}

func TestFilesReferDownwards(t *testing.T) {
	if len(upward) > mostUpward {
		t.Errorf("%d references may go up, and %d is the most: move what both files need into one below", len(upward), mostUpward)
	}
	used := map[string]bool{}
	for _, dir := range inOrder {
		p := load(t, dir)
		at, down := p.order(t), 0
		for _, from := range slices.Sorted(maps.Keys(p.files)) {
			if from == "doc.go" {
				continue
			}
			for to, where := range p.references(from) {
				key := fmt.Sprintf("%s/%s %s", dir, from, to[1])
				switch {
				case at[to[0]] > at[from]:
					down++
				case upward[key] != "":
					used[key] = true
				default:
					t.Errorf("%s:%d: %s uses %s of %s, which is above it in doc.go: calls go one way; move it, or the order", where.Filename[len("../../"):], where.Line, from, to[1], to[0])
				}
			}
		}
		if len(p.files) > 3 && down == 0 {
			t.Errorf("%s: no reference between files was seen: this test sees nothing", dir)
		}
	}
	for key := range upward {
		if !used[key] {
			t.Errorf("%s: the reference isn't there any more: take it out of upward", key)
		}
	}
}

func TestNoTypeHasManyMethods(t *testing.T) {
	for _, p := range list(t) {
		dir, ok := inModule(p.ImportPath)
		if !ok {
			continue
		}
		methods := map[string]map[string]bool{} // a method that each platform has its own of is one
		names, _ := filepath.Glob(filepath.Join("../..", dir, "*.go"))
		for _, name := range names {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
					of := receiver(fn.Recv.List[0].Type)
					if methods[of] == nil {
						methods[of] = map[string]bool{}
					}
					methods[of][fn.Name.Name] = true
				}
			}
		}
		for name, of := range methods {
			if n := len(of); n > mostMethods {
				t.Errorf("%s: %s has %d methods, and %d is the most: make a type of a part of it, or functions", dir, name, n, mostMethods)
			}
		}
	}
}

// receiver is the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
