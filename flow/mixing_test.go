package flow_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// looked is a row of a run, in memory of its own.
type looked struct {
	key      string
	number   int64
	position int64
	values   []float64
	label    int32
	weight   float32
	shares   []schema.ClassShare
	known    bool
	params   map[string]json.RawMessage
}

// lookAt runs a pipeline and keeps its rows, by epoch and position, and the size of the pictures.
func lookAt(t *testing.T, pipe *flow.Pipeline, opts ...flow.Option) (rows map[[2]int64]looked, tensor schema.Tensor) {
	t.Helper()
	rows = map[[2]int64]looked{}
	for b, err := range pipe.Batches(t.Context(), append(opts, flow.WithParams())...) {
		if err != nil {
			t.Fatal(err)
		}
		tensor = b.Tensor
		n := tensor.Elements()
		for row := range b.Rows() {
			l := looked{key: b.Key(row), number: b.Number, position: b.Positions()[row], label: b.Labels(0)[row], weight: b.Weights()[row]}
			for i := range n {
				if b.Float32() != nil {
					l.values = append(l.values, float64(b.Float32()[row*n+i]))
				} else {
					l.values = append(l.values, float64(b.Uint8()[row*n+i]))
				}
			}
			l.shares, l.known = b.Shares("class", row)
			if err := json.Unmarshal([]byte(b.Params(row)), &l.params); err != nil {
				t.Fatal(err)
			}
			rows[[2]int64{int64(b.Epoch), l.position}] = l
		}
	}
	return rows, tensor
}

// mix is what the params column has of a mixed row.
type mix struct {
	Partner int64   `json:"partner"`
	Lambda  float64 `json:"lambda"`
	Box     *[4]int `json:"box"`
}

// mixSlowly mixes a value as mixup and cutmix say they do, pixel by pixel.
func mixSlowly(m mix, tensor schema.Tensor, i int, own, partner float64) float64 {
	if m.Box != nil {
		pixel := i % (tensor.Height * tensor.Width)
		if tensor.Layout == schema.HWC {
			pixel = i / (tensor.Elements() / (tensor.Height * tensor.Width))
		}
		x, y := pixel%tensor.Width, pixel/tensor.Width
		if x >= m.Box[0] && x < m.Box[2] && y >= m.Box[1] && y < m.Box[3] {
			return partner
		}
		return own
	}
	a, b := float32(m.Lambda), float32(1-m.Lambda)
	sum := float32(float32(own)*a) + float32(float32(partner)*b)
	if tensor.DType == schema.Uint8 {
		share := math.Floor(m.Lambda*(1<<15) + 0.5)
		return math.Floor((own*share+partner*(1<<15-share))/(1<<15) + 0.5)
	}
	return float64(sum)
}

// Every mixed row is what its params say of two rows of the same batch, as they are without the
// stage; each row is the partner of one at most; shares and weights follow.
func TestMixing(t *testing.T) {
	dir := pictures(t)
	gray := stages.Decode{Mode: stages.Gray}
	for name, c := range map[string]struct {
		before []stages.Stage
		mixers []stages.Stage
	}{
		"mixup":          {[]stages.Stage{stages.Decode{}, stages.Resize{Height: 6, Width: 5}, stages.ToTensor{}}, []stages.Stage{stages.MixUp{Alpha: 0.4}}},
		"cutmix":         {[]stages.Stage{stages.Decode{}, stages.Resize{Height: 6, Width: 5}, stages.ToTensor{}}, []stages.Stage{stages.CutMix{}}},
		"mixup of bytes": {[]stages.Stage{stages.Decode{}, stages.Resize{Height: 6, Width: 5}}, []stages.Stage{stages.MixUp{Per: stages.PerRow}}},
		"cutmix of grey": {[]stages.Stage{gray, stages.Resize{Height: 6, Width: 5}}, []stages.Stage{stages.CutMix{Per: stages.PerRow, P: 0.6}}},
		"one or the other": {[]stages.Stage{gray, stages.Resize{Height: 6, Width: 5}, stages.ToTensor{}},
			[]stages.Stage{stages.MixUp{P: 0.5}, stages.CutMix{}}},
	} {
		t.Run(name, func(t *testing.T) {
			list := append([]stages.Stage{stages.Rebalance{Target: stages.SquareRoot}, stages.ClassWeights{Weights: stages.Weights{Rule: stages.InverseWeights}}}, c.before...)
			list = append(list, stages.Batch{Size: 8})
			opts := []flow.Option{flow.Seed(5), flow.Epochs(3)}
			plain, _ := lookAt(t, flow.New(sources.Folder{Path: dir}, list...), opts...)
			have, tensor := lookAt(t, flow.New(sources.Folder{Path: dir}, append(list, c.mixers...)...), opts...)
			used, acted := map[[2]int64]int{}, map[string]int{}
			for at, row := range have {
				own, m, by := plain[at], mix{Lambda: 1}, ""
				for _, s := range []string{"mixup", "cutmix"} {
					if text, ok := row.params[s]; ok {
						if by != "" {
							t.Fatalf("row %v is mixed twice: %s", at, row.params)
						}
						if err := json.Unmarshal(text, &m); err != nil {
							t.Fatal(err)
						}
						by = s
					}
				}
				partner := own
				if by != "" {
					acted[by]++
					used[[2]int64{at[0], m.Partner}]++
					partner = plain[[2]int64{at[0], m.Partner}]
					if m.Partner == at[1] || partner.number != own.number {
						t.Errorf("row %v of batch %d is mixed with %d of batch %d", at, own.number, m.Partner, partner.number)
					}
				}
				checkMixed(t, at, m, tensor, &own, &partner, &row)
			}
			for at, n := range used {
				if n > 1 {
					t.Errorf("row %v is the partner of %d", at, n)
				}
			}
			if len(have) != len(plain) || len(acted) != len(c.mixers) {
				t.Errorf("%d rows, %d without the stages; mixed: %v", len(have), len(plain), acted)
			}
		})
	}
}

func checkMixed(t *testing.T, at [2]int64, m mix, tensor schema.Tensor, own, partner, row *looked) {
	t.Helper()
	for i, v := range row.values {
		if want := mixSlowly(m, tensor, i, own.values[i], partner.values[i]); v != want {
			t.Fatalf("row %v, value %d: %v, want %v of %v and %v by %+v", at, i, v, want, own.values[i], partner.values[i], m)
		}
	}
	want := []schema.ClassShare{}
	if m.Lambda > 0 && own.label != partner.label {
		want = append(want, schema.ClassShare{Class: own.label, Share: float32(m.Lambda)})
	}
	if m.Lambda < 1 && own.label != partner.label {
		want = append(want, schema.ClassShare{Class: partner.label, Share: float32(1 - m.Lambda)})
	}
	if own.label == partner.label {
		want = []schema.ClassShare{{Class: own.label, Share: 1}}
	}
	if !row.known || !slices.Equal(row.shares, want) || row.label != own.label {
		t.Errorf("row %v: label %d, shares %v, want %d, %v", at, row.label, row.shares, own.label, want)
	}
	if w := m.Lambda*float64(own.weight) + (1-m.Lambda)*float64(partner.weight); math.Abs(float64(row.weight)-w) > 1e-6 {
		t.Errorf("row %v: weight %v, want %v", at, row.weight, w)
	}
}

// Rows that failed are nobody's partner, a row without a label leaves both mixed rows without, and
// one row alone stays as it is.
func TestMixingWhatThereIs(t *testing.T) {
	list, broken := album()
	source := hold(append(slices.Clone(list[:20]), broken...))
	pipe := flow.New(source, stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 23}, stages.MixUp{})
	rows, _ := lookAt(t, pipe, flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 1}}))
	unknown := 0
	for at, row := range rows {
		var m mix
		text, mixed := row.params["mixup"]
		if alone := row.number == 1; alone == mixed {
			t.Errorf("row %v of batch %d: params %s", at, row.number, row.params)
			continue
		} else if alone {
			if row.known != (row.label != schema.Unknown) || row.known && !slices.Equal(row.shares, []schema.ClassShare{{Class: row.label, Share: 1}}) {
				t.Errorf("row %v alone: label %d, shares %v", at, row.label, row.shares)
			}
			continue
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		partner, ok := rows[[2]int64{at[0], m.Partner}]
		if !ok {
			t.Errorf("row %v is mixed with %d, which failed", at, m.Partner)
		}
		if lacks := row.label == schema.Unknown || partner.label == schema.Unknown; lacks == row.known {
			t.Errorf("row %v: labels %d and %d, shares %v (%v)", at, row.label, partner.label, row.shares, row.known)
		} else if lacks {
			unknown++
		}
	}
	if len(rows) != 20 || unknown == 0 || unknown == 20 {
		t.Errorf("%d rows, %d without shares", len(rows), unknown)
	}
}

// remix counts the samples that the pipeline draws from, task by task.
func TestRemixLabels(t *testing.T) {
	dir := pictures(t) // 23 common, 9 middle, 3 rare
	pipe := flow.New(sources.Folder{Path: dir}, stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 35},
		stages.Remix{Per: stages.PerRow})
	counts := map[int32]float64{0: 23, 1: 9, 2: 3}
	rows, _ := lookAt(t, pipe, flow.Epochs(20))
	whole := 0
	for at, row := range rows {
		var m mix
		if err := json.Unmarshal(row.params["remix"], &m); err != nil {
			t.Fatal(err)
		}
		own, other := row.label, rows[[2]int64{at[0], m.Partner}].label
		share := float32(m.Lambda)
		switch {
		case own == other:
			share = 1
		case counts[own] >= 3*counts[other] && m.Lambda < 0.5:
			share = 0
			whole++
		case counts[other] >= 3*counts[own] && 1-m.Lambda < 0.5:
			share = 1
			whole++
		}
		have := float32(0)
		for _, s := range row.shares {
			if s.Class == own {
				have = s.Share
			}
		}
		if have != share {
			t.Errorf("classes %d and %d, lambda %v: shares %v", own, other, m.Lambda, row.shares)
		}
	}
	if whole < 20 {
		t.Errorf("%d rows whose label is one class", whole)
	}
}

// What can't be mixed is refused before anything runs, with the reason.
func TestMixingRefuses(t *testing.T) {
	dir := pictures(t)
	folder := sources.Folder{Path: dir}
	size := stages.Resize{Height: 8, Width: 8}
	batch := stages.Batch{Size: 4}
	_, targets := scene(t, rand.New(rand.NewPCG(1, 2)), true)
	boxed := annotate(sceneSpec, [][]byte{{}}, []schema.Targets{targets})
	several := annotate(&schema.TargetSpec{Multi: []schema.Task{{Name: "tags", Classes: []string{"a"}}}}, [][]byte{{}}, []schema.Targets{{}})
	several.index.ColumnList = []schema.Column{{Name: "label.tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)}, {Name: "label.size", Type: arrow.PrimitiveTypes.Float32}}
	several.index.Values = [][]any{{[]int32{0}}, {float32(1)}}
	for want, pipe := range map[string]*flow.Pipeline{
		"task tags has several labels": flow.New(several, stages.Decode{}, size, batch, stages.MixUp{}),
		"task size is a number":        flow.New(several, stages.Decode{}, size, batch, stages.MixUp{}),
		"put batch before it":          flow.New(folder, stages.Decode{}, size, stages.MixUp{}, batch),
		"put decode before batch":      flow.New(folder, batch, stages.MixUp{}),
		"needs rows of one size":       flow.New(folder, stages.Decode{}, stages.Batch{Size: 4, Sizes: stages.PadSizes}, stages.CutMix{}),
		"put it before multiscale":     flow.New(folder, stages.Decode{}, size, batch, stages.MultiScale{Scales: []float64{0.5, 1}}, stages.MixUp{}),
		"have boxes or masks":          flow.New(boxed, stages.Decode{}, size, batch, stages.MixUp{}),
		"alpha: NaN is not":            flow.New(folder, stages.Decode{}, size, batch, stages.MixUp{Alpha: math.NaN()}),
	} {
		plan, err := pipe.Plan(t.Context())
		if err == nil {
			plan.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, have %v", want, err)
		}
	}
}

// broken Mixers of others end the run with an error that names them.
type wildMixer struct {
	stages.MixUp
	share  float64
	panics bool
}

func (wildMixer) Name() string                  { return "wild" }
func (m wildMixer) Share(stages.Params) float64 { return m.share }
func (m wildMixer) Mix(_ stages.Params, own, _ *schema.Picture) {
	if m.panics {
		panic(fmt.Sprint("no, ", own.Height))
	}
}

func TestMixersArentTrusted(t *testing.T) {
	dir := pictures(t)
	for want, m := range map[string]wildMixer{"wild: Share gave 1.5": {share: 1.5}, "wild: panic: no, 8": {share: 1, panics: true}} {
		pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 4}, m)
		if _, err := pipe.Run(t.Context(), &sink{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, have %v", want, err)
		}
	}
}
