package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const recipeFile = `version: 1
seed: 42
epochs: 2
source: {folder: {path: data}}
stages:
  - rebalance: {target: square_root}
  - decode
  - rotate: {degrees: 30}
  - crop: {size: 0.5, offset: [0, 0.25]}
  - flip: {p: 0.5}
  - resize: {height: 40, width: 40}
  - to_tensor
  - normalize: {mean: imagenet, std: imagenet}
  - batch: {size: 8}
  - multiscale: {scales: [0.5, 1]}
`

// recipeFolder holds a long-tailed set and p.yaml, the recipe over it.
func recipeFolder(t *testing.T, scale int) string {
	t.Helper()
	dir := t.TempDir()
	for class, n := range map[string]int{"common": 24, "middle": 8, "rare": 2} {
		if err := writeImages(filepath.Join(dir, "data", class), class, n*scale, ".jpg"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(recipeFile), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// command is a sluice process of its own.
func command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	return cmd
}

func mustRun(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

func mustReadTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := readTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Neither workers nor processors change a byte.
func TestSameBytes(t *testing.T) {
	dir := recipeFolder(t, 1)
	var want map[string]string
	for _, procs := range []int{1, 2} {
		for _, workers := range []int{1, 2, 5} {
			out := fmt.Sprintf("out-%d-%d", procs, workers)
			cmd := command(dir, "sluice", "materialize", "p.yaml", "-o", out, "--params", "--part-rows=16", fmt.Sprintf("--workers=%d", workers))
			cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", procs))
			mustRun(t, cmd)
			got := mustReadTree(t, filepath.Join(dir, out))
			if want == nil {
				want = got
			}
			if diff := differ(want, got); diff != "" {
				t.Errorf("%d workers, GOMAXPROCS %d: %s", workers, procs, diff)
			}
		}
	}
	if len(want) != 2*2*3+2*3+2 {
		t.Errorf("%d files", len(want))
	}
}

// A run that is killed at any moment, and run again, gives the bytes of an
// unbroken one.
func TestKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not tried there")
	}
	program := filepath.Join(t.TempDir(), "sluice")
	mustRun(t, exec.Command("go", "build", "-o", program, "."))
	dir := recipeFolder(t, 12) // 408 images
	run := func(out string) *exec.Cmd {
		return command(dir, program, "materialize", "p.yaml", "-o", out, "--part-rows=16")
	}
	begin := time.Now()
	mustRun(t, run("unbroken"))
	whole := time.Since(begin)
	want := mustReadTree(t, filepath.Join(dir, "unbroken"))

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d; an unbroken run takes %v", seed, whole)
	r := rand.New(rand.NewPCG(seed, 0))
	killed := 0
	for i := range 5 {
		out := fmt.Sprintf("killed-%d", i)
		cmd := run(out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.Int64N(int64(whole))))
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err != nil {
			killed++
		}
		if _, err := os.Stat(filepath.Join(dir, out, "manifest.json")); err == nil {
			mustRun(t, command(dir, program, "verify", out))
		}
		mustRun(t, run(out))
		if diff := differ(want, mustReadTree(t, filepath.Join(dir, out))); diff != "" {
			t.Errorf("killed and run again: %s", diff)
		}
	}
	if killed == 0 {
		t.Error("no run was killed before its end")
	}
}

const trainerFile = `model: small_cnn
optimizer: {adam: {lr: 0.002, weight_decay: 0.01}}
schedule: {step: {size: 2, gamma: 0.5}}
epochs: 6
eval: {pipeline: val.yaml}
`

const valFile = `version: 1
source: {folder: {path: data}}
stages: [decode, resize: {height: 24, width: 24}, to_tensor, batch: {size: 8}]
`

// A training run that is killed at any moment, and gone on with, gives the
// weights, the checkpoint and the log of an unbroken one.
func TestTrainKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not tried there")
	}
	program := filepath.Join(t.TempDir(), "sluice")
	mustRun(t, exec.Command("go", "build", "-o", program, "."))
	dir := recipeFolder(t, 2) // 68 images
	for name, text := range map[string]string{"t.yaml": trainerFile, "val.yaml": valFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run := func(out string, more ...string) *exec.Cmd {
		return command(dir, program, append([]string{"train", "p.yaml", "--trainer", "t.yaml", "-o", out}, more...)...)
	}
	begin := time.Now()
	mustRun(t, run("unbroken"))
	whole := time.Since(begin)
	want := trainedFiles(t, filepath.Join(dir, "unbroken"))

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d; an unbroken run takes %v", seed, whole)
	r := rand.New(rand.NewPCG(seed, 0))
	killed := 0
	for i := range 4 {
		out := fmt.Sprintf("killed-%d", i)
		var more []string
		for _, after := range []bool{i%2 == 0, i%3 == 0} { // killed twice
			cmd := run(out, more...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if after { // the first checkpoint, in the second epoch
				waitFor(t, filepath.Join(dir, out, "checkpoint.safetensors"))
			}
			time.Sleep(time.Duration(r.Int64N(int64(whole / 2))))
			_ = cmd.Process.Kill()
			if err := cmd.Wait(); err != nil {
				killed++
			}
			more = []string{"--resume", fmt.Sprintf("--workers=%d", 1+i%3)}
		}
		mustRun(t, run(out, more...))
		if diff := differ(want, trainedFiles(t, filepath.Join(dir, out))); diff != "" {
			t.Errorf("killed and resumed: %s", diff)
		}
	}
	if killed < 3 {
		t.Errorf("%d runs were killed before their end", killed)
	}
}

// trainedFiles are a training run's, without what clocks tell.
func trainedFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := mustReadTree(t, dir)
	files["log.jsonl"] = clock.ReplaceAllString(files["log.jsonl"], `"seconds":0`)
	var report struct {
		Tasks, Evaluations any
		Train              struct{ History any }
	}
	if err := json.Unmarshal([]byte(clock.ReplaceAllString(files["report.json"], `"seconds":0`)), &report); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	files["report.json"] = string(b)
	return files
}

var clock = regexp.MustCompile(`"(waiting|training)_seconds": ?[^,}\s]+`)

// Ctrl-C ends a run at once: nothing unfinished is left, it is said how to go
// on, and the status is that of a process that a signal ended.
func TestInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes cannot be interrupted there")
	}
	dir := recipeFolder(t, 1)
	args := []string{"materialize", "p.yaml", "-o", "out", "--part-rows=16", "--epochs=400"}
	cmd := command(dir, "sluice", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	waitFor(t, filepath.Join(dir, "out", "scale-1", "part-00003-of-01200.arrow"))
	begin := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("%v, want exit status 130; stderr:\n%s", err, &stderr)
	}
	if text := stderr.String(); !strings.Contains(text, "run the same command again") || strings.Count(text, "\n") != 1 {
		t.Errorf("the message: %s", text)
	}
	if err := checkWhole(filepath.Join(dir, "out")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "manifest.json")); err == nil {
		t.Error("there is a manifest")
	}
}

// The same of a stream, of which the reader must see that it is truncated.
func TestInterruptedStream(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes cannot be interrupted there")
	}
	dir := recipeFolder(t, 1)
	file, err := os.Create(filepath.Join(dir, "stream.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := command(dir, "sluice", "stream", "p.yaml", "--scale=1", "--epochs=4000")
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for info, err := file.Stat(); err == nil && info.Size() < 1<<20; info, err = file.Stat() {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("%v, want exit status 130", err)
	}
	out, err := command(dir, "sluice", "inspect", "stream.arrow").CombinedOutput()
	if err == nil {
		t.Errorf("the truncated stream reads as a whole one:\n%s", out)
	}
}

// A stream whose reader has stalled, so that a write is stuck in the pipe, ends
// with the first signal all the same, and keeps its state.
func TestStalledStream(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes cannot be interrupted there")
	}
	program := filepath.Join(t.TempDir(), "sluice") // the test's own binary would call what is stuck a leak
	mustRun(t, exec.Command("go", "build", "-o", program, "."))
	dir := recipeFolder(t, 1)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := command(dir, program, "stream", "p.yaml", "--scale=1", "--epochs=4000", "--state=state.json")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil { // and no more
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	begin := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %v to end", took)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 143 || !strings.Contains(stderr.String(), "its reader had stalled") {
		t.Errorf("%v, want exit status 143; stderr:\n%s", err, &stderr)
	}
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	var state struct{ Rows int64 }
	if err != nil || json.Unmarshal(data, &state) != nil || state.Rows == 0 {
		t.Errorf("the state: %s, %v", data, err)
	}
}

func waitFor(t *testing.T, name string) {
	t.Helper()
	for range 3000 {
		if _, err := os.Stat(name); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has not come", name)
}
