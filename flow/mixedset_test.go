package flow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/softmax"
)

// partlyLabelled is a list of pictures, some of which have no class.
func partlyLabelled(t *testing.T) sources.Source {
	t.Helper()
	dir := pictures(t)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	list := "path,class\n"
	for i, file := range files {
		class := filepath.Base(filepath.Dir(file))
		if i%9 == 4 {
			class = ""
		}
		list += fmt.Sprintf("%s/%s,%s\n", filepath.Base(filepath.Dir(file)), filepath.Base(file), class)
	}
	write(t, filepath.Join(dir, "list.csv"), []byte(list))
	return sources.Manifest{Path: filepath.Join(dir, "list.csv"), Tasks: []string{"class"}}
}

// mixedSet is a data set of mixed pictures, and the pipeline that made it. Samples are drawn more
// than once, so that rows are named by their numbers: the set is in the order of the draws.
func mixedSet(t *testing.T, mixer stages.Stage) (dir string, live *flow.Pipeline) {
	t.Helper()
	live = flow.New(partlyLabelled(t), stages.Rebalance{Target: stages.SquareRoot, Draws: 66}, stages.Decode{}, stages.Resize{Height: 6, Width: 5},
		stages.ClassWeights{Weights: stages.Weights{Rule: "inverse"}}, stages.Batch{Size: 8}, mixer)
	dir = t.TempDir()
	if _, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: live, Format: &sinks.ArrowParts{PartRows: 24}, To: sinks.Destination{Dir: dir}, Options: []flow.Option{flow.Seed(5)}}); err != nil {
		t.Fatal(err)
	}
	return dir, live
}

// A data set of mixed pictures is read as it was delivered: pixels, classes, shares and weights,
// to the bit, also when it is written and read once more; and a trainer learns the same from it.
func TestMixedSetComesBack(t *testing.T) {
	for _, mixer := range []stages.Stage{stages.MixUp{Alpha: 0.4}, stages.CutMix{Alpha: 1, Per: stages.PerRow}, stages.Remix{Alpha: 1}, stages.CMO{P: 0.7}} {
		t.Run(mixer.Name(), func(t *testing.T) {
			dir, live := mixedSet(t, mixer)
			read := func(dir string) *flow.Pipeline {
				return flow.New(sources.Arrow{Path: dir}, stages.Decode{}, stages.Batch{Size: 8})
			}
			want, _ := lookAt(t, live, flow.Seed(5))
			again := t.TempDir()
			if _, err := flow.MaterializeShard(t.Context(), flow.Shard{Pipeline: read(dir), To: sinks.Destination{Dir: again}}); err != nil {
				t.Fatal(err)
			}
			several, unknown := 0, 0
			for _, dir := range []string{dir, again} {
				have, _ := lookAt(t, read(dir))
				if len(have) != len(want) {
					t.Fatalf("%d rows of %d", len(have), len(want))
				}
				for at, w := range want {
					h := have[at]
					if h.known != w.known || !slices.Equal(h.shares, w.shares) || h.label != w.label || h.weight != w.weight || !slices.Equal(h.values, w.values) {
						t.Fatalf("row %v: class %d, shares %v, weight %v; want %d, %v, %v", at, h.label, h.shares, h.weight, w.label, w.shares, w.weight)
					}
					if len(w.shares) > 1 {
						several++
					}
					if !w.known {
						unknown++
					}
				}
			}
			if several == 0 || unknown == 0 {
				t.Fatalf("%d rows of several classes, %d of unknown ones: nothing is shown", several, unknown)
			}
			pasted := mixer.Name() == "cutmix" || mixer.Name() == "cmo" // as floats, pixels aren't rounded where they are blended
			if a, b := learnt(t, live, flow.Seed(5)), learnt(t, read(dir)); pasted != bytes.Equal(a, b) {
				t.Error("a trainer learns something else from the set than from the pipeline that made it")
			}
		})
	}
}

// learnt are the weights of a model after an epoch.
func learnt(t *testing.T, from *flow.Pipeline, opts ...flow.Option) []byte {
	t.Helper()
	at := slices.IndexFunc(from.Stages, func(s stages.Stage) bool { return s.Name() == "batch" })
	pipe := flow.New(from.Source, slices.Insert(slices.Clone(from.Stages), at, stages.Stage(stages.ToTensor{}))...)
	learner, err := softmax.New(trainer.Config{Model: softmax.Model{}, Tasks: []trainer.TaskConfig{{Task: "class", Classes: []string{"common", "middle", "rare"}, ClassWeights: []float64{1, 2, 3}}}, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer learner.Close()
	if _, err := pipe.Run(t.Context(), &sinks.Trainer{Trainer: learner}, opts...); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "w")
	if err := trainer.SaveSafetensors(file, learner.State(), nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Pictures that were mixed can be mixed again: of what their shares say.
func TestMixedTwice(t *testing.T) {
	dir, _ := mixedSet(t, stages.CutMix{Alpha: 1})
	once, _ := lookAt(t, flow.New(sources.Arrow{Path: dir}, stages.Shuffle{}, stages.Decode{}, stages.ToTensor{}, stages.Batch{Size: 8}))
	twice, tensor := lookAt(t, flow.New(sources.Arrow{Path: dir}, stages.Shuffle{}, stages.Decode{}, stages.ToTensor{}, stages.Batch{Size: 8}, stages.MixUp{Alpha: 1}))
	most := 0
	for at, row := range twice {
		var m mix
		if err := json.Unmarshal(row.params["mixup"], &m); err != nil {
			t.Fatal(err)
		}
		own, partner := once[at], once[[2]int64{at[0], m.Partner}]
		if row.known != (own.known && partner.known) {
			t.Fatalf("row %v: known is %v of %v and %v", at, row.known, own.known, partner.known)
		}
		want := map[int32]float64{}
		for _, s := range own.shares {
			want[s.Class] += m.Lambda * float64(s.Share)
		}
		for _, s := range partner.shares {
			want[s.Class] += (1 - m.Lambda) * float64(s.Share)
		}
		for _, s := range row.shares {
			if math.Abs(want[s.Class]-float64(s.Share)) > 1e-6 {
				t.Fatalf("row %v: %v of %v and %v with lambda %v", at, row.shares, own.shares, partner.shares, m.Lambda)
			}
		}
		most = max(most, len(row.shares))
		for i := range row.values {
			if row.values[i] != mixSlowly(m, tensor, i, own.values[i], partner.values[i]) {
				t.Fatalf("row %v: value %d", at, i)
			}
		}
	}
	if most != 3 {
		t.Errorf("rows of %d classes, want 3", most)
	}
}

// Class weights of mixed samples are means over their shares.
func TestWeightsOfMixedSets(t *testing.T) {
	dir, _ := mixedSet(t, stages.CutMix{Alpha: 1})
	without, _ := lookAt(t, flow.New(sources.Arrow{Path: dir}, stages.Decode{}))
	given := []float64{1, 2, 5}
	rows, _ := lookAt(t, flow.New(sources.Arrow{Path: dir}, stages.Decode{}, stages.ClassWeights{Weights: stages.Weights{List: given}}))
	for at, row := range rows {
		mean := 0.0
		for _, s := range row.shares {
			mean += float64(s.Share) * given[s.Class] / 8
		}
		if !row.known {
			mean = 1
			if row.label != schema.Unknown {
				mean = given[row.label] / 8
			}
		}
		if want := mean * float64(without[at].weight); math.Abs(float64(row.weight)-want) > 1e-5*want {
			t.Fatalf("row %v: weight %v of %v with shares %v: want %v", at, row.weight, without[at].weight, row.shares, want)
		}
	}
}

// Other numbers of the classes are those of the shares, too; pictures beside mixed ones have their
// class as their only share; what cannot be is refused.
func TestClassesOfMixedSets(t *testing.T) {
	dir, _ := mixedSet(t, stages.CutMix{Alpha: 1})
	arrow := sources.Arrow{Path: dir}
	plain, _ := lookAt(t, flow.New(arrow, stages.Decode{}))
	order := []string{"rare", "other", "common", "middle"} // of common, middle, rare
	to := []int32{2, 3, 0}
	other := t.TempDir()
	for i, class := range order {
		write(t, filepath.Join(other, class, fmt.Sprintf("%d.jpg", i)), []byte("not looked at"))
	}
	fixed := arrow
	fixed.Classes.List = order
	named := sources.Folder{Path: other, Classes: sources.Classes{List: order}, Tasks: []string{"class"}}
	for name, source := range map[string]sources.Source{
		"classes":      fixed,
		"classes_from": sources.ClassesFrom{Source: arrow, From: named},
		"concat":       sources.Concat{Sources: map[string]sources.Source{"a": arrow, "b": sources.Folder{Path: pictures(t), Tasks: []string{"class"}}}, Classes: sources.Classes{ByTask: map[string]sources.Classes{"class": {List: order}}}},
	} {
		t.Run(name, func(t *testing.T) {
			rows, _ := lookAt(t, flow.New(source, stages.Decode{}, stages.Resize{Height: 6, Width: 5}))
			if len(rows) < len(plain) {
				t.Fatalf("%d rows of %d", len(rows), len(plain))
			}
			for at, row := range rows {
				want, mixed := plain[at]
				if !mixed { // of the folder, behind those of the set
					if !row.known || !slices.Equal(row.shares, []schema.ClassShare{{Class: row.label, Share: 1}}) {
						t.Fatalf("row %v of class %d: shares %v", at, row.label, row.shares)
					}
					continue
				}
				for i, s := range want.shares {
					want.shares[i].Class = to[s.Class]
				}
				if row.known != want.known || !slices.Equal(row.shares, want.shares) {
					t.Fatalf("row %v: shares %v, want %v", at, row.shares, want.shares)
				}
				for i, s := range want.shares { // plain is for the others, too
					want.shares[i].Class = int32(slices.Index(to, s.Class))
				}
			}
		})
	}
	fewer := arrow
	fewer.Classes.List = []string{"common", "rare"}
	refused := map[string]*flow.Pipeline{
		`class "middle" of task "class"`: flow.New(fewer, stages.Decode{}),
		"leave the classes out here":     flow.New(arrow, stages.Decode{}, stages.Flip{P: 0.5, Classes: map[string]string{"common": "rare"}}),
	}
	for want, pipe := range refused {
		if _, err := pipe.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
