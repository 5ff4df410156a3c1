// Package layout tests the house rules: which package may import which, and what no
// package may use.
package layout

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sluicedata/sluice"

// mayImport lists, for each folder, the folders of this module that its
// packages may import, in addition to internal/ and their own subfolders. A new folder
// needs a line here: decide what it is first. A subfolder with a line of its own
// follows that line, and may be imported only by folders that list it.
var mayImport = map[string][]string{
	"schema":   {},
	"internal": {"schema"},
	"stages":   {"schema"},
	"sources":  {"schema"},
	"trainer":  {"schema"},
	// A whole training run: it stands above the engine, whose batches it learns from.
	"trainer/learning": {"schema", "stages", "sources", "trainer", "sinks", "flow"},
	// The engine's side of the Python package: it stands above the engine, too.
	"internal/feed": {"schema", "stages", "sources", "trainer", "sinks", "flow"},
	"sinks":         {"schema", "trainer"},
	"flow":          {"schema", "stages", "sources", "trainer", "sinks"},
	"cmd":           {"schema", "stages", "sources", "trainer", "sinks", "flow", "trainer/learning", "internal/feed"},
	"benchmarks":    {"schema", "stages", "sources", "trainer", "sinks", "flow", "trainer/learning"},
}

// imageImports lists, for each package that reads or samples images, the packages of
// internal/ that it may import. Decoders and the resampler don't know each other: what
// they share is in planar.
var imageImports = map[string][]string{
	"decode":  {"inflate", "jpeg", "lzw", "planar", "png", "webp"},
	"inflate": {},
	"jpeg":    {"planar"},
	"lzw":     {},
	"planar":  {},
	"png":     {"inflate"},
	"warp":    {"detmath", "planar"},
	"webp":    {"planar"},
}

// onlyIn keeps heavy dependencies where they belong, so that importing flow and
// stages stays light.
var onlyIn = map[string]string{
	"gorgonia.org/":                          "trainer/gorgoniatrainer",
	"google.golang.org/grpc":                 "sinks/flightsink",
	"github.com/apache/arrow/go/v15/parquet": "nowhere", // internal/parquet reads and writes it
	"github.com/reugn/go-streams":            "flow",
	"github.com/alecthomas/kong":             "cmd",
	"github.com/goccy/go-yaml":               "flow/pipefile sources", // data.yaml of yolo
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	return packages
}

func inModule(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, module+"/")
	return rest, ok
}

// folder is the longest key of mayImport that contains a package, or else the first
// element of its path.
func folder(path string) string {
	for at := path; at != "."; at = filepath.ToSlash(filepath.Dir(at)) {
		if _, ok := mayImport[at]; ok {
			return at
		}
	}
	first, _, _ := strings.Cut(path, "/")
	return first
}

func TestImportsFollowTheDesign(t *testing.T) {
	for _, p := range list(t) {
		from, _ := inModule(p.ImportPath)
		allowed, known := mayImport[folder(from)]
		if !known {
			t.Errorf("folder %q has no line in mayImport of this test: say what it may import", folder(from))
			continue
		}
		for _, path := range p.Imports {
			checkImport(t, from, path, allowed)
		}
	}
}

func TestImagePackagesImportOneWay(t *testing.T) {
	seen := 0
	for _, p := range list(t) {
		from, _ := inModule(p.ImportPath)
		name, inside := strings.CutPrefix(from, "internal/")
		allowed, known := imageImports[name]
		if !inside || !known {
			continue
		}
		seen++
		for _, path := range p.Imports {
			if to, ok := strings.CutPrefix(path, module+"/internal/"); ok && !slices.Contains(allowed, to) {
				t.Errorf("internal/%s imports internal/%s: it may import %v; move what both need to internal/planar, or wire it in flow", name, to, allowed)
			}
		}
	}
	if seen != len(imageImports) {
		t.Errorf("%d of the %d packages of imageImports are there", seen, len(imageImports))
	}
}

func checkImport(t *testing.T, from, path string, allowed []string) {
	t.Helper()
	if to, ok := inModule(path); ok {
		inside := folder(to) == folder(from) && (to == from || strings.HasPrefix(to, from+"/") || strings.HasPrefix(from, to+"/") || strings.HasPrefix(to, folder(from)+"/internal/"))
		fine := folder(to) == "internal" || inside
		for _, a := range allowed {
			fine = fine || folder(to) == a
		}
		// A suite such as stages/stagetest may import its own folder only.
		if !fine {
			t.Errorf("%s imports %s: %s may import %v and internal; move what both need to schema or internal, or wire it in cmd", from, to, folder(from), allowed)
		}
		return
	}
	for prefix, homes := range onlyIn {
		athome := func(home string) bool { return from == home || strings.HasPrefix(from, home+"/") }
		if strings.HasPrefix(path, prefix) && !slices.ContainsFunc(strings.Fields(homes), athome) {
			t.Errorf("%s imports %s: only %s may, so that the others stay light", from, path, homes)
		}
	}
}

func TestFlowAndStagesStayLight(t *testing.T) {
	for _, p := range list(t) {
		from, _ := inModule(p.ImportPath)
		if from != "flow" && from != "stages" {
			continue
		}
		for _, dep := range p.Deps {
			if strings.HasPrefix(dep, "gorgonia.org/") || strings.HasPrefix(dep, "google.golang.org/grpc") {
				t.Errorf("%s depends on %s: put what needs it into a subfolder of its own, wired in cmd", from, dep)
			}
		}
	}
}

// forbidden maps a name to what replaces it, by the folders where it is banned.
// Pixels and draws must be the same on every machine, and depend on no clock.
var forbidden = map[string]string{
	"math.Sin": "internal/detmath", "math.Cos": "internal/detmath", "math.Sincos": "internal/detmath",
	"math.Tan": "internal/detmath", "math.Exp": "internal/detmath", "math.Log": "internal/detmath",
	"math.Pow": "internal/detmath", "time.Now": "the engine's figures, in flow",
	"math/rand": "internal/rng", "math/rand/v2": "internal/rng",
}

func TestNoClockNoGlobalRandomNoFusedMaths(t *testing.T) {
	for _, root := range []string{"stages", "internal", "sources", "schema"} {
		checkFiles(t, root, forbidden, "stagetest", "sourcetest",
			"internal/indexfile", "internal/unpacked") // caches, which know what is in use
	}
}

// TestFilesAreReplacedInOnePlace keeps what systems do differently in one package each.
func TestFilesAreReplacedInOnePlace(t *testing.T) {
	checkFiles(t, ".", map[string]string{"os.Rename": "internal/atomicfile"}, "internal/atomicfile", "examples/") // which has no internal packages
	checkFiles(t, ".", map[string]string{"syscall.Flock": "sinks.Lock", "github.com/gofrs/flock": "sinks.Lock"}, "sinks/lock.go", "internal/unpacked/")
}

// checkFiles looks for names in a folder's files, except tests and paths that contain one
// of those that may use them.
func checkFiles(t *testing.T, root string, forbidden map[string]string, except ...string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("../..", root), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			slices.ContainsFunc(except, func(part string) bool { return strings.Contains(filepath.ToSlash(path), part) }) {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		checkNames(t, path, file, forbidden)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkNames(t *testing.T, path string, file *ast.File, forbidden map[string]string) {
	t.Helper()
	for _, spec := range file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if instead, bad := forbidden[name]; bad {
			t.Errorf("%s imports %s: use %s", path, name, instead)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok {
			name := x.Name + "." + selector.Sel.Name
			if instead, bad := forbidden[name]; bad {
				t.Errorf("%s uses %s: use %s", path, name, instead)
			}
		}
		return true
	})
}

// longestFunction is what a reader can hold: a longer one is split where its parts have
// names of their own.
const longestFunction = 90

func TestFunctionsAreShort(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			var name string
			switch f := n.(type) {
			case *ast.FuncDecl:
				name = f.Name.Name
			case *ast.FuncLit:
				name = "a function literal"
			default:
				return true
			}
			seen++
			if from, to := files.Position(n.Pos()), files.Position(n.End()); to.Line-from.Line+1 > longestFunction {
				t.Errorf("%s:%d: %s has %d lines, at most %d are allowed: split it", filepath.ToSlash(path[len("../../"):]), from.Line, name, to.Line-from.Line+1, longestFunction)
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 1000 {
		t.Errorf("%d functions, %v", seen, err)
	}
}
