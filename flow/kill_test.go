package flow_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/atomicfile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
)

const childEnv = "SLUICE_METAMORPHIC" // what a child does, and where

// killedWay runs the trial in a process of its own, kills it at random moments
// with SIGKILL and starts it again: into part files, or into a sink that keeps a
// state file.
func killedWay(t *testing.T, c *trial, whole *outcome, r *rand.Rand) error {
	for _, what := range []string{"parts", "sink"} {
		dir := t.TempDir()
		for attempt := 0; ; attempt++ {
			done, err := child(t, what, dir, c.seed, attempt < 6, time.Duration(r.IntN(40000))*time.Microsecond)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			if done {
				break
			}
		}
		lines, _ := os.ReadFile(filepath.Join(dir, "bad.jsonl"))
		if !c.quiet {
			if err := whole.sameQuarantine(string(lines)); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		var err error
		if what == "parts" {
			err = c.sameParts(filepath.Join(dir, "parts"), whole)
		} else {
			err = sameLog(dir, whole)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// child runs one process, and kills it after a while if it is to be killed.
func child(t *testing.T, what, dir string, seed uint64, kill bool, after time.Duration) (done bool, err error) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestMetamorphicChild$", "-test.v", "-seed="+strconv.FormatUint(seed, 10))
	cmd.Env = append(os.Environ(), childEnv+"="+what+" "+dir)
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if kill && lines.Text() == "begun" {
			time.Sleep(after)
			_ = cmd.Process.Kill() // it may have ended
		}
	}
	err = cmd.Wait()
	if err != nil && cmd.ProcessState.ExitCode() >= 0 { // not by a signal
		return false, fmt.Errorf("%w\n%s", err, log.String())
	}
	return err == nil, nil
}

// TestMetamorphicChild is such a process.
func TestMetamorphicChild(t *testing.T) {
	what, dir, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		t.Skip("runs as a child of TestMetamorphic")
	}
	c := newTrial(t, *caseSeed)
	c.source.slow = 2 * time.Millisecond
	fmt.Println("begun")
	failures := c.pipe.Settings.Failures
	if failures.Policy != flow.Fail && !c.quiet {
		failures.Quarantine = filepath.Join(dir, "bad.jsonl")
	}
	opts := append(schedule(rand.New(rand.NewPCG(rand.Uint64(), 0))), flow.OnError(failures))
	if what == "parts" {
		_, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: c.pipe, Format: &sinks.ArrowParts{PartRows: 5}, To: sinks.Destination{Dir: filepath.Join(dir, "parts")}, Options: opts})
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	name := filepath.Join(dir, "state.json")
	if data, err := os.ReadFile(name); err == nil {
		var state flow.State
		if err := json.Unmarshal(data, &state); err != nil {
			t.Fatal(err)
		}
		opts = append(opts, flow.Resume(state))
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	_, err = c.pipe.Run(t.Context(), logger{log}, append(opts, flow.OnState(func(s flow.State) {
		data, err := json.Marshal(s)
		if err == nil {
			err = atomicfile.Write(name, data)
		}
		if err != nil {
			t.Error(err)
		}
	}))...)
	if err != nil {
		t.Fatal(err)
	}
}

// logger is a sink that writes a line for each record.
type logger struct{ to *os.File }

func (logger) Open(context.Context, *schema.Run) error { return nil }
func (logger) Close(error) error                       { return nil }

func (l logger) Write(_ context.Context, b *schema.Batch) error {
	for _, r := range recorded(b) {
		if _, err := fmt.Fprintf(l.to, "%s %x\n", r.at, r.bytes); err != nil {
			return err
		}
	}
	return nil
}

// sameLog compares the lines of all processes, and the last state.
func sameLog(dir string, whole *outcome) error {
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	var list []record
	for line := range strings.Lines(string(log)) {
		at, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		sum, err := hex.DecodeString(text)
		if !ok || err != nil || len(sum) != 32 {
			return fmt.Errorf("line %q: %w", line, err)
		}
		list = append(list, record{at: at, bytes: [32]byte(sum)})
	}
	if err := covers(list, whole.records); err != nil {
		return err
	}
	var state flow.State
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err == nil && !sameState(state, whole.report.State) {
		err = fmt.Errorf("state %+v, want %+v", state, whole.report.State)
	}
	return err
}
