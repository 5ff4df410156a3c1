package licenses

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write licenses.txt.gz anew, from the modules that the binary is built from")

// systems are those that a binary is made for: some modules are in some of them only.
var systems = []string{"linux/amd64", "linux/arm64", "windows/amd64", "darwin/arm64"}

// TestTextIsCurrent compares the text with the files of the module cache: a module
// that came, went or has another version is a difference, and so is another text.
func TestTextIsCurrent(t *testing.T) {
	modules := map[string][]notice{"sluice": {read(t, "../../LICENSE")}}
	for _, system := range systems {
		collect(t, system, modules)
	}
	// The standard library has the licence and the patent grant of golang.org/x, word for
	// word; a distribution's GOROOT may be without them.
	for name, notices := range modules {
		if strings.HasPrefix(name, "golang.org/x/sys ") {
			modules["Go's standard library"] = notices
		}
	}
	want := text(modules)
	if *update {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, want); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("licenses.txt.gz", b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		if !strings.Contains(have, "\n  "+name+"\n") {
			t.Errorf("%s isn't among the licences", name)
		}
	}
	if have != want {
		t.Error("licenses.txt.gz isn't current; run: go test ./internal/licenses -update")
	}
}

// notice is one file.
type notice struct{ name, text string }

var noticeName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)(\.(txt|md))?$`)

// collect adds the notices of a system's modules: those at a module's root, and beside
// and above the packages that are used.
func collect(t *testing.T, system string, modules map[string][]notice) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module", "./cmd/sluice")
	cmd.Dir = "../.."
	goos, goarch, _ := strings.Cut(system, "/")
	cmd.Env = append(cmd.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		name := p.Module.Path + " " + p.Module.Version
		for dir := p.Dir; len(dir) >= len(p.Module.Dir); dir = filepath.Dir(dir) {
			for _, n := range noticesIn(t, dir) {
				if !slices.Contains(modules[name], n) {
					modules[name] = append(modules[name], n)
				}
			}
		}
		if len(modules[name]) == 0 {
			t.Errorf("%s has no licence file in %s", name, p.Module.Dir)
		}
	}
}

func noticesIn(t *testing.T, dir string) (list []notice) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() && noticeName.MatchString(e.Name()) {
			list = append(list, read(t, filepath.Join(dir, e.Name())))
		}
	}
	return list
}

func read(t *testing.T, path string) notice {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\f")
	}
	return notice{filepath.Base(path), strings.Trim(strings.Join(lines, "\n"), "\n")}
}

// text writes each notice once, below the modules that have it, in their order.
func text(modules map[string][]notice) string {
	having := map[string][]string{} // by a notice's text
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		for _, n := range modules[name] {
			having[n.text] = append(having[n.text], name)
		}
	}
	type group struct {
		names []string
		text  string
	}
	var groups []group
	for text, names := range having {
		groups = append(groups, group{names, text})
	}
	slices.SortFunc(groups, func(a, b group) int {
		own := func(g group) int {
			if slices.Contains(g.names, "sluice") {
				return 0
			}
			return 1
		}
		return cmp.Or(own(a)-own(b), slices.Compare(a.names, b.names), cmp.Compare(a.text, b.text))
	})
	var b strings.Builder
	b.WriteString("The licences of sluice and of what it is built from.\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s\n  %s\n%s\n\n%s\n", rule, strings.Join(g.names, "\n  "), rule, g.text)
	}
	return b.String()
}

var rule = strings.Repeat("=", 80)
