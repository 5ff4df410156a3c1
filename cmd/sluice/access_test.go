package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// accessFolder holds 240 pictures, and p.yaml, which skips or refills what it
// cannot make.
func accessFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, class := range []string{"a", "b", "c"} {
		if err := writeImages(filepath.Join(dir, "data", class), class, 80, ".jpg"); err != nil {
			t.Fatal(err)
		}
	}
	const text = `version: 1
source: {folder: {path: data}}
stages: [shuffle, decode, resize: {height: 16, width: 16}, batch: {size: 8}, multiscale: {scales: [0.5, 1, 2]}]
`
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// With few file descriptors a run gives the bytes of any other, or fails, and
// never leaves a row out.
func TestFewDescriptors(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no ulimit")
	}
	dir := accessFolder(t)
	if out, err := exec.Command("tar", "-cf", filepath.Join(dir, "data.tar"), "-C", filepath.Join(dir, "data"), ".").CombinedOutput(); err != nil {
		t.Skipf("no tar: %v: %s", err, out)
	}
	mustRun(t, command(dir, "sluice", "materialize", "p.yaml", "-o", "whole", "--part-rows=40", "--on-error=skip"))
	mustRun(t, command(dir, "sluice", "materialize", "p.yaml", "-o", "refilled", "--part-rows=40", "--on-error=refill"))
	want := map[string]map[string]string{"skip": mustReadTree(t, filepath.Join(dir, "whole")), "refill": mustReadTree(t, filepath.Join(dir, "refilled"))}
	stream, err := command(dir, "sluice", "stream", "p.yaml", "--scale=1").Output()
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, limit := range []int{12, 15, 20, 64} {
		limited := func(args ...string) *exec.Cmd {
			cmd := exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d && exec sluice "$@"`, limit), "sluice"}, args...)...)
			cmd.Dir = dir
			return cmd
		}
		for policy, whole := range want {
			out := fmt.Sprintf("%s-%d", policy, limit)
			text, err := limited("materialize", "p.yaml", "-o", out, "--part-rows=40", "--readers=32", "--workers=4", "--max-bad=50%", "--on-error="+policy).CombinedOutput()
			if err != nil {
				t.Logf("%s: %v: %s", out, err, text)
				continue
			}
			done++
			if diff := differ(whole, mustReadTree(t, filepath.Join(dir, out))); diff != "" {
				t.Errorf("%s ended well: %s\n%s", out, diff, text)
			}
		}
		for _, source := range []string{"data", "data.tar"} {
			cmd := limited("stream", "p.yaml", "--scale=1", "--set=source.folder.path="+source, "--readers=32", "--max-bad=50%", "--on-error=skip")
			out, err := cmd.Output()
			if err == nil && rowsOf(t, out) != rowsOf(t, stream) {
				t.Errorf("stream of %s with %d descriptors: %d rows, exit 0", source, limit, rowsOf(t, out))
			}
		}
	}
	if done == 0 {
		t.Error("no run ended well, with 64 descriptors neither")
	}
}

func rowsOf(t *testing.T, stream []byte) int {
	t.Helper()
	cmd := exec.Command("sluice", "inspect", "--json", "-")
	cmd.Stdin = bytes.NewReader(stream)
	if out, err := cmd.Output(); err == nil {
		_, rest, _ := strings.Cut(string(out), `"rows":`)
		var n int
		if _, err := fmt.Sscan(rest, &n); err == nil {
			return n
		}
	}
	name := filepath.Join(t.TempDir(), "stream.arrow")
	if err := os.WriteFile(name, stream, 0o666); err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, exec.Command("sluice", "inspect", "--json", name))
	_, rest, _ := strings.Cut(out, `"rows":`)
	var n int
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return n
}

// /proc/self/mem is a file whose first byte cannot be read: an error of the disk,
// as far as a reader can tell.
func TestErrorOfTheDisk(t *testing.T) {
	if _, err := os.Stat("/proc/self/mem"); err != nil {
		t.Skip("no /proc/self/mem")
	}
	dir := accessFolder(t)
	if err := os.Symlink("/proc/self/mem", filepath.Join(dir, "data", "b", "bad.jpg")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "list.csv"), []byte("path,class\ndata/a/0000.jpg,a\ndata/b/bad.jpg,b\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "t.yaml"), []byte("model: softmax\nepochs: 1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	const float = "version: 1\nsource: {folder: {path: data}}\nstages: [shuffle, decode, resize: {height: 8, width: 8}, to_tensor, normalize: {mean: %s, std: %s}, batch: {size: 8}]\n"
	for name, of := range map[string]string{"float.yaml": "imagenet", "measured.yaml": "dataset"} {
		if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, float, of, of), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	list := strings.Replace(strings.Replace(float, "folder: {path: data}", "manifest: {path: list.csv}", 1), "%s", "imagenet", 2)
	if err := os.WriteFile(filepath.Join(dir, "list.yaml"), []byte(list), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, policy := range []string{"skip", "refill"} {
		for _, args := range [][]string{
			{"materialize", "p.yaml", "-o", "out"},
			{"stream", "p.yaml", "--scale=1"},
			{"stream", "list.yaml"},
			{"train", "float.yaml", "--trainer=t.yaml", "-o", "run"},
			{"bench", "p.yaml"},
			{"stream", "measured.yaml"},
			{"plan", "measured.yaml"},
		} {
			if args[0] != "plan" || policy == "skip" {
				args = append(args, "--on-error="+policy)
			}
			out, err := command(dir, "sluice", args...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !bytes.Contains(out, []byte("input/output error")) || !bytes.Contains(out, []byte("b/bad.jpg")) {
				t.Errorf("%v: %v\n%.600s", args, err, out)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "manifest.json")); err == nil {
		t.Error("the data set is sealed")
	}
}
