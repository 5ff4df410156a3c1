package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestTrain: the network learns what is easy to learn, and its checkpoint classifies
// images that it has never seen.
func TestTrain(t *testing.T) {
	dir := t.TempDir()
	if err := run(t.Context(), dir, 6); err != nil {
		t.Fatal(err)
	}
	report, err := train(t.Context(), dir, 6) // which has nothing left to do
	if err != nil {
		t.Fatal(err)
	}
	if m := report.Tasks["stripes"]; report.EpochsBefore != 6 || m.BalancedAccuracy < 0.9 {
		t.Errorf("%d epochs before, balanced accuracy %g", report.EpochsBefore, m.BalancedAccuracy)
	}
	random := rand.New(rand.NewPCG(99, 1))
	right := 0
	for range 5 {
		for _, class := range []string{"columns", "rows"} {
			have, err := classify(t.Context(), dir, stripes(class, random))
			if err != nil {
				t.Fatal(err)
			}
			if have == class {
				right++
			}
		}
	}
	if right < 9 {
		t.Errorf("%d of 10 new images are classified right", right)
	}
}

// TestResume: two runs end with the very weights of one.
func TestResume(t *testing.T) {
	whole, parts := t.TempDir(), t.TempDir()
	for _, c := range []struct {
		dir    string
		epochs int
	}{{whole, 3}, {parts, 1}, {parts, 3}} {
		if err := run(t.Context(), c.dir, c.epochs); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(filepath.Join(whole, "run", "weights.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join(parts, "run", "weights.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("the weights differ")
	}
}
