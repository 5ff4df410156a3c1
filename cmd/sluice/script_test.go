package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
	"golang.org/x/image/bmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/stages"
)

// TestMain makes the test binary a sluice for the scripts, and for the tests
// that start one.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": checkedMain})
}

// checkedMain is main with leak checks: a goroutine or an Arrow buffer that is
// left when a command ends gives status 99.
func checkedMain() {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	memory.DefaultAllocator = mem
	status := run(os.Args[1:])
	if err := goleak.Find(); err != nil {
		fmt.Fprintf(os.Stderr, "%s leaks goroutines: %v\n", os.Args[1:], err)
		status = 99
	}
	if n := mem.CurrentAlloc(); n != 0 {
		fmt.Fprintf(os.Stderr, "%s leaks %d bytes of Arrow buffers\n", os.Args[1:], n)
		status = 99
	}
	os.Exit(status)
}

// TestScript runs testdata/script/*.txtar: one command line after the other, as
// a user would. The commands below are added to those of testscript.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			var names []string
			for _, entry := range stages.Catalog {
				names = append(names, entry.New().Name())
			}
			e.Setenv("STAGES", strings.Join(names, ", "))
			e.Setenv("RECIPE", recipePath())
			e.Setenv("SLUICE_CACHE", filepath.Join(e.WorkDir, ".cache"))
			layout1, err := filepath.Abs("../../sinks/testdata/layout1")
			if err != nil {
				return err
			}
			e.Setenv("LAYOUT1", layout1)
			releases, err := filepath.Abs("testdata/releases")
			if err != nil {
				return err
			}
			e.Setenv("RELEASES", releases)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "tmpfs" { // whether a file system of a small size can be mounted
				return exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", os.TempDir()).Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": scriptStatus, "images": scriptImages, "masks": scriptMasks, "flipbit": scriptFlipBit, "cut": scriptCut,
			"tar": scriptTar, "json": scriptJSON, "sametree": scriptSameTree, "whole": scriptWhole, "release": scriptRelease,
		},
	})
}

// status N PROGRAM ARGS... runs a program, which must exit with status N.
func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "status N program args...")
	err := ts.Exec(args[1], args[2:]...)
	code, exit := 0, (*exec.ExitError)(nil)
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit status %d, want %s; stderr:\n%s", code, args[0], ts.ReadFile("stderr"))
	}
}

// release NAME copies the files of an earlier release from testdata/releases.
func scriptRelease(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "release name")
	ts.Check(os.CopyFS(ts.MkAbs(args[0]), os.DirFS(filepath.Join(ts.Getenv("RELEASES"), args[0]))))
}

// images DIR N [EXT] writes pictures of varied size: .jpg, .png, or .bmp of one size.
func scriptImages(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "images dir n [ext]")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(writeImages(ts.MkAbs(args[0]), args[0], n, slices.Concat(args[2:], []string{".jpg"})[0]))
}

// writeImages fills a folder; the same name gives the same pictures.
func writeImages(dir, name string, n int, ext string) error {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for i := range n {
		img := image.NewNRGBA(image.Rect(0, 0, 24+r.IntN(40), 24+r.IntN(40)))
		a, b := 1+r.IntN(9), 1+r.IntN(9)
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				img.Set(x, y, color.NRGBA{uint8(a * x), uint8(b * y), uint8(x * y / (1 + i)), 255})
			}
		}
		var buf bytes.Buffer
		err := jpeg.Encode(&buf, img, nil)
		if ext == ".png" {
			buf.Reset()
			err = png.Encode(&buf, img)
		}
		if ext == ".bmp" { // of one size, all of them
			buf.Reset()
			square := image.NewNRGBA(image.Rect(0, 0, 24, 24))
			draw.Draw(square, square.Rect, img, image.Point{}, draw.Src)
			err = bmp.Encode(&buf, square)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d%s", i, ext)), buf.Bytes(), 0o666)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// masks DIR IMAGES writes a mask for each .png of a folder: classes 0, 1 and 2 from left to right.
func scriptMasks(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "masks dir images")
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[1]), "*.png"))
	ts.Check(err)
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o777))
	for _, file := range files {
		img, err := png.Decode(strings.NewReader(ts.ReadFile(file)))
		ts.Check(err)
		mask := image.NewGray(img.Bounds())
		for y := range mask.Rect.Dy() {
			for x := range mask.Rect.Dx() {
				mask.Pix[y*mask.Stride+x] = uint8(3 * x / mask.Rect.Dx())
			}
		}
		var buf bytes.Buffer
		ts.Check(png.Encode(&buf, mask))
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), filepath.Base(file)), buf.Bytes(), 0o666))
	}
}

// flipbit FILE turns over one bit in its middle.
func scriptFlipBit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "flipbit file")
	data := []byte(ts.ReadFile(args[0]))
	data[len(data)/2] ^= 4
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o666))
}

// cut FILE N leaves its first N bytes.
func scriptCut(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "cut file bytes")
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// tar FILE DIR packs a folder.
func scriptTar(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "tar file dir")
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	ts.Check(w.AddFS(os.DirFS(ts.MkAbs(args[1]))))
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), buf.Bytes(), 0o666))
}

// [!] json FILE PATH VALUE: in a JSON document the value at a dotted path, such
// as parts.0.rows, is VALUE, itself JSON, or anything but null with VALUE *.
func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 3, "json file path value")
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for key := range strings.SplitSeq(args[1], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(at) {
				ts.Fatalf("%s: a list of %d", args[1], len(at))
			}
			v = at[i]
		default:
			v = nil
		}
	}
	got, err := json.Marshal(v)
	ts.Check(err)
	if equal := string(got) == args[2] || args[2] == "*" && v != nil; equal == neg {
		ts.Fatalf("%s is %s, and args say %v", args[1], got, args)
	}
}

// [!] sametree A B: the folders hold the same files, byte for byte.
func scriptSameTree(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2, "sametree a b")
	a, err := readTree(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := readTree(ts.MkAbs(args[1]))
	ts.Check(err)
	if diff := differ(a, b); (diff != "") != neg {
		ts.Fatalf("%s and %s: %s", args[0], args[1], diff)
	}
}

// readTree reads all files below a folder but locks, which are empty.
func readTree(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".lock") {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	return files, err
}

// differ names the first difference of two trees.
func differ(a, b map[string]string) string {
	if x, y := slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)); !slices.Equal(x, y) {
		return fmt.Sprintf("other files: %q and %q", x, y)
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if a[name] != b[name] {
			return "other bytes in " + name
		}
	}
	return ""
}

// whole DIR: it isn't there, or nothing in it is half-written: no temporary
// file, and every Arrow file can be read to its end.
func scriptWhole(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "whole dir")
	ts.Check(checkWhole(ts.MkAbs(args[0])))
}

func checkWhole(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == dir:
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(e.Name(), ".tmp"):
			return fmt.Errorf("%s was left behind", path)
		case filepath.Ext(path) == ".arrow":
			return sinks.ReadParts(path, func(*schema.Batch) error { return nil })
		}
		return nil
	})
}

func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}
