package flow_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// statePlan is a small plan and a state of it, as a file has it.
func statePlan(t testing.TB) (pipe *flow.Pipeline, file []byte) {
	t.Helper()
	pipe = flow.New(sources.Folder{Path: pictures(t)}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 10})
	report, err := pipe.Run(t.Context(), &sink{}, flow.Epochs(2))
	if err != nil {
		t.Fatal(err)
	}
	state := report.State
	state.Epoch, state.Batch, state.Failed = 1, 2, 1
	if file, err = json.MarshalIndent(state, "", "  "); err != nil {
		t.Fatal(err)
	}
	var again flow.State
	if err := json.Unmarshal(file, &again); err != nil || again.Epoch != 1 || again.Batch != 2 || again.Rows != state.Rows || again.PlanHash != state.PlanHash {
		t.Fatalf("%v: %+v", err, again)
	}
	return pipe, file
}

// A byte that was changed is noticed, whichever it is.
func TestDamagedState(t *testing.T) {
	_, file := statePlan(t)
	var want flow.State
	if err := json.Unmarshal(file, &want); err != nil {
		t.Fatal(err)
	}
	for at := range file {
		for _, flip := range []byte{1, 2, 0x20, 0x80} {
			damaged := bytes.Clone(file)
			damaged[at] ^= flip
			var have flow.State
			if err := json.Unmarshal(damaged, &have); err == nil && !same(have, want) {
				t.Fatalf("byte %d is %q instead of %q, and nobody notices", at, damaged[at], file[at])
			}
		}
	}
	for cut := range file {
		if err := json.Unmarshal(file[:cut], new(flow.State)); err == nil {
			t.Fatalf("cut after %d bytes", cut)
		}
	}
}

// same but for white space in the pipeline.
func same(a, b flow.State) bool {
	var x, y any
	if json.Unmarshal(a.Pipeline, &x) != nil || json.Unmarshal(b.Pipeline, &y) != nil || !reflect.DeepEqual(x, y) {
		return false
	}
	a.Pipeline, b.Pipeline = nil, nil
	return reflect.DeepEqual(a, b)
}

func TestStateNumbers(t *testing.T) {
	pipe, file := statePlan(t)
	for text, says := range map[string]string{
		`{"epoch": 1, "batch": 2}`: "",
		`{"plan_hash": "", "epoch": 1, "batch": 2, "rows": 5, "failed": 1}`:                      "",
		`{"epoch": -1, "batch": 2}`:                                                              "epoch is -1",
		`{"epoch": 1, "batch": -2}`:                                                              "batch is -2",
		`{"epoch": 1, "batch": 9223372036854775807}`:                                             "batch is 9223372036854775807",
		`{"epoch": 1, "batch": 2000000}`:                                                         "the run has 2 epochs of 4 batches",
		`{"epoch": 1, "batch": 0, "rows": 1000000}`:                                              "1000000 rows",
		`{"epoch": 1, "batch": 0, "rows": 1, "failed": -5}`:                                      "failed is -5",
		`{"epoch": 1, "batch": 0, "rows": 1, "refilled": 2}`:                                     "2 of them refilled",
		`{"epoch": 99999999999999999999, "batch": 0}`:                                            "not a state",
		`{"plan_hash": "abc", "epoch": 1, "batch": 0}`:                                           "64 hexadecimal digits",
		`{"format": 2, "epoch": 1, "batch": 0}`:                                                  "checksum",
		`{"format": 3, "epoch": 1, "batch": 0}`:                                                  "checksum",
		`{"format": 4, "epoch": 1, "batch": 0}`:                                                  "format 4",
		`{"epoch": 1, "batch": 0, "ledger": {"columns": ["quota"], "tasks": {"class": [[-1]]}}}`: "of its ledger has -1",
		`{"epoch": 1, "batch": 0, "weights": 3}`:                                                 "unknown field",
		`[]`:                                                                                     "not a state",
		strings.Replace(string(file), `"format": 3,`, "", 1):                                     "checksum",
	} {
		var state flow.State
		err := json.Unmarshal([]byte(text), &state)
		if err == nil {
			var plan *flow.Plan
			if plan, err = pipe.Plan(t.Context(), flow.Epochs(2), flow.Resume(state)); err == nil {
				plan.Close()
			}
		}
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// FuzzState: whatever a file holds, a run goes on where it says, or says why not.
func FuzzState(f *testing.F) {
	pipe, file := statePlan(f)
	f.Add(file)
	for _, text := range []string{`{"epoch": 1, "batch": 2}`, `{"epoch": 2}`, `{"epoch": 1, "batch": 3, "rows": 40, "failed": 40}`, `{"format": 2}`, `null`, `{"pipeline": {}, "epoch": 0}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var state flow.State
		if json.Unmarshal(data, &state) != nil {
			return
		}
		plan, err := pipe.Plan(t.Context(), flow.Epochs(2), flow.Resume(state))
		if err != nil {
			return
		}
		defer plan.Close()
		report, err := plan.Deliver(t.Context(), &sink{})
		if err != nil || report.State.Epoch != 2 || report.Batches != int64(8-4*state.Epoch)-state.Batch {
			t.Errorf("%s: %v, %d batches, %+v", data, err, report.Batches, report.State)
		}
		again, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		var same flow.State
		if err := json.Unmarshal(again, &same); err != nil || same.Epoch != state.Epoch || same.Batch != state.Batch || same.Rows != state.Rows {
			t.Errorf("%s became %s: %v", data, again, err)
		}
	})
}
