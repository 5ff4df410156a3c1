package flow_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

var update = flag.Bool("update", false, "rewrite testdata/golden.json")

// golden is what a plan and its one part are known by.
type golden struct {
	PlanHash string `json:"plan_hash"`
	Part     string `json:"part"` // SHA-256
}

// The same plan, hash and bytes from release to release, on every machine; CI
// compares builds for GOAMD64 v1 and v3 besides. Where a change of bytes is
// wanted, raise the version of what changed, then run it with -update: the same
// plan hash with other bytes is never right, and refused.
func TestGolden(t *testing.T) {
	const file = "testdata/golden.json"
	have, want := map[string]golden{}, map[string]golden{}
	for name, opts := range map[string][]flow.Option{
		"fused, full":  nil,
		"fused, exact": {flow.WithFuse(flow.FuseExact)},
		"reference":    {flow.Exec(flow.Reference)},
	} {
		dir := t.TempDir()
		report, err := flow.MaterializeShard(t.Context(), flow.Shard{
			Pipeline: flow.New(sources.Folder{Path: "testdata/golden"},
				stages.Rebalance{Target: stages.SquareRoot, Draws: 10}, stages.ClassWeights{Weights: stages.Weights{Rule: stages.InverseWeights}}, stages.Decode{},
				stages.Rotate{Degrees: stages.Range{-30, 30}}, stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}}, stages.Flip{P: 0.5},
				stages.ColorJitter{Brightness: stages.Around(0.4), Hue: stages.Range{-0.1, 0.1}}, stages.Affine{Shear: stages.Shear{-10, 10}, Scale: stages.Range{0.8, 1.2}},
				stages.Perspective{P: 0.5}, stages.RandomResizedCrop{Height: 9, Width: 12}, stages.ToTensor{},
				stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}, stages.Batch{Size: 5}),
			To: sinks.Destination{Dir: dir}, Options: append(opts, flow.Seed(42), flow.WithParams()),
		})
		if err != nil {
			t.Fatal(err)
		}
		part, err := os.ReadFile(filepath.Join(dir, "part-00000-of-00001.arrow"))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(part)
		have[name] = golden{report.PlanHash, hex.EncodeToString(sum[:])}
	}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil && !*update {
		t.Fatal(err)
	}
	for name, h := range have {
		switch w := want[name]; {
		case h.PlanHash == w.PlanHash && h.Part != w.Part:
			t.Errorf("%s: other bytes under the plan hash %.12s: raise the version of the stage, or the revision of the executor or decoder, that changed", name, h.PlanHash)
		case h != w && !*update:
			t.Errorf("%s: plan %.12s, part %.12s; want %.12s, %.12s: if that is meant, run go test ./flow -run TestGolden -update", name, h.PlanHash, h.Part, w.PlanHash, w.Part)
		}
	}
	if *update && !t.Failed() {
		data, err := json.MarshalIndent(have, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, append(data, '\n'))
	}
}
