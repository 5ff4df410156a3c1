package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// planOf is a plan over samples, closed at the test's end.
func planOf(t *testing.T, source sources.Source, list []stages.Stage, opts ...flow.Option) *flow.Plan {
	t.Helper()
	plan, err := flow.New(source, list...).Plan(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plan.Close() })
	return plan
}

// small is n pictures of the album; every second one is of the class rare.
func small(n int) *held {
	list := slices.Clone(first(album())[:n])
	for i := range list {
		list[i].labels = [2]int32{int32(2 * (i % 2)), 0}
	}
	return hold(list)
}

func TestDrawsDifferByEpochAndPosition(t *testing.T) {
	plan := planOf(t, small(9), []stages.Stage{stages.Decode{}, stages.Rotate{Degrees: stages.Range{-30, 30}}}, flow.Epochs(3))
	seen := map[float64]string{}
	for epoch := range 3 {
		for position := range int64(9) {
			row, err := plan.Row(t.Context(), epoch, position)
			if err != nil {
				t.Fatal(err)
			}
			degrees := row.Drawn[0].Params.(*stages.RotateParams).Degrees
			if before, twice := seen[degrees]; twice {
				t.Errorf("epoch %d, position %d draws %v, as %s", epoch, position, degrees, before)
			}
			seen[degrees] = fmt.Sprintf("epoch %d, position %d", epoch, position)
		}
	}
}

func TestPicksDifferByEpoch(t *testing.T) {
	picks := func(by stages.Pick) (epochs [4]string) {
		pipe := flow.New(small(16), stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 1}, stages.MultiScale{Scales: []float64{0.5, 1, 2}, PickBy: by})
		for b, err := range pipe.Batches(t.Context(), flow.Epochs(4)) {
			if err != nil {
				t.Fatal(err)
			}
			epochs[b.Epoch] += fmt.Sprint(b.Variant)
		}
		return epochs
	}
	if have := picks(stages.Cycle); have != [4]string{"0120120120120120", "1201201201201201", "2012012012012012", "0120120120120120"} {
		t.Errorf("cycle: %v", have)
	}
	have := picks(stages.Random)
	for i, epoch := range have {
		if slices.Contains(have[:i], epoch) || !strings.Contains(epoch, "0") || !strings.Contains(epoch, "1") || !strings.Contains(epoch, "2") {
			t.Errorf("random: %v", have)
		}
	}
}

// What filter and take leave is what rebalance, class_weights and the counts see.
func TestSelectionReachesClassCounts(t *testing.T) {
	pipe := []stages.Stage{
		stages.Filter{Task: "class", Drop: []string{"middle"}}, stages.Take{PerClass: 4, Task: "class"},
		stages.ClassWeights{Task: "class", Weights: stages.Weights{Rule: stages.InverseWeights}},
		stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}, Draws: 10},
	}
	list := slices.Clone(first(album()))
	for i := range list { // 20 common, 6 middle, 3 rare
		list[i].labels[0] = map[bool]int32{i < 20: 0, i >= 20 && i < 26: 1, i >= 26: 2}[true]
	}
	plan := planOf(t, hold(list), pipe)
	if !reflect.DeepEqual(plan.Info().Counts[0], []int64{4, 0, 3, 0}) || !reflect.DeepEqual(plan.DrawnCounts(0), []int64{5, 0, 5, 0}) {
		t.Errorf("counts %v, drawn %v", plan.Info().Counts[0], plan.DrawnCounts(0))
	}
	for position := range plan.Info().RowsPerEpoch {
		row, err := plan.Row(t.Context(), 0, position)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[int32]float32{0: 7.0 / 8, 2: 7.0 / 6}[row.Meta.Labels[0]]; row.Meta.Weight != want {
			t.Errorf("class %d has weight %v, want %v", row.Meta.Labels[0], row.Meta.Weight, want)
		}
	}
}

func TestWeightColumnTimesClassWeights(t *testing.T) {
	source := small(4)
	source.index.Weights = []float32{1, 2, 0, 5}
	plan := planOf(t, source, []stages.Stage{stages.ClassWeights{Task: "class", Weights: stages.Weights{List: []float64{1, 1, 2}}}})
	for i, weight := range source.index.Weights {
		row, err := plan.Row(t.Context(), 0, int64(i))
		if err != nil {
			t.Fatal(err)
		}
		if want := weight * []float32{0.25, 0.25, 0.5}[row.Meta.Labels[0]]; row.Meta.Weight != want {
			t.Errorf("row %d has weight %v, want %v", i, row.Meta.Weight, want)
		}
	}
}

func TestDropLastShortensTheEpoch(t *testing.T) {
	for rows, want := range map[int][2]int64{8: {8, 2}, 11: {8, 2}, 12: {12, 3}} {
		plan := planOf(t, small(rows), []stages.Stage{stages.Shuffle{}, stages.Batch{Size: 4, DropLast: true}})
		drawn := int64(0)
		for _, n := range plan.DrawnCounts(0) {
			drawn += n
		}
		if have := [2]int64{plan.Info().RowsPerEpoch, plan.Info().BatchesPerEpoch}; have != want || drawn != want[0] {
			t.Errorf("of %d rows: %v, want %v; %d drawn", rows, have, want, drawn)
		}
		if list, report := rowsOf(t, flow.New(small(rows), stages.Shuffle{}, stages.Batch{Size: 4, DropLast: true}), flow.Epochs(2)); int64(len(list)) != 2*want[0] || report.Rows != 2*want[0] {
			t.Errorf("of %d rows %d are delivered, %d by the report", rows, len(list), report.Rows)
		}
	}
}

// newer is another version of a stage.
type newer struct{ stages.Flip }

func (newer) Version() int { return 99 }

func TestPlanHashDependsOn(t *testing.T) {
	hash := func(source sources.Source, draws int64, flip stages.Stage, opts ...flow.Option) string {
		return planOf(t, source, []stages.Stage{stages.Rebalance{Target: stages.ClassBalanced, Task: stages.TaskNames{"class"}, Draws: draws}, stages.Decode{}, flip}, opts...).Info().PlanHash
	}
	flip := stages.Flip{P: 0.5}
	base := hash(small(8), 8, flip)
	for name, other := range map[string]string{
		"stage version": hash(small(8), 8, newer{flip}), "epoch length": hash(small(8), 9, flip), "seed": hash(small(8), 8, flip, flow.Seed(1)),
		"id": hash(small(8), 8, flow.WithID("x", flip)), "option": hash(small(8), 8, stages.Flip{P: 0.25}), "samples": hash(small(7), 8, flip),
	} {
		if other == base {
			t.Errorf("%s doesn't change the plan hash", name)
		}
	}
	// What options or versions elsewhere follow from is in the canonical form itself.
	plan := planOf(t, small(8), []stages.Stage{stages.Decode{}, stages.Resize{Height: 2, Width: 2}, stages.Batch{Size: 3, DropLast: true}}, flow.Seed(5))
	var have struct {
		Decoder   int
		Seed      uint64
		EpochRows int64 `json:"epoch_rows"`
		BatchSize int   `json:"batch_size"`
	}
	if err := json.Unmarshal(plan.Canonical(), &have); err != nil || have.Decoder != decode.Revision || have.Seed != 5 || have.EpochRows != 6 || have.BatchSize != 3 {
		t.Errorf("%v: %+v in the canonical form", err, have)
	}
	// Where the epoch is as long, drop_last alone must tell.
	if a, b := planOf(t, small(8), []stages.Stage{stages.Batch{Size: 4}}), planOf(t, small(8), []stages.Stage{stages.Batch{Size: 4, DropLast: true}}); a.Info().PlanHash == b.Info().PlanHash {
		t.Error("drop_last doesn't change the plan hash")
	}
}

// Every exported field of every stage is in the canonical form.
func TestEveryOptionIsInThePlanHash(t *testing.T) {
	for _, entry := range stages.Catalog {
		before, err := options.Canonical(entry.New())
		if err != nil {
			t.Fatal(err)
		}
		typ := reflect.TypeOf(entry.New()).Elem()
		for i := range typ.NumField() {
			if !typ.Field(i).IsExported() {
				continue
			}
			stage := entry.New()
			change(t, reflect.ValueOf(stage).Elem().Field(i))
			after, err := options.Canonical(stage)
			if err != nil || string(after) == string(before) {
				t.Errorf("%s: %s is not in the canonical form %s (%v)", stage.Name(), typ.Field(i).Name, after, err)
			}
		}
	}
}

// change gives a value another one of its type.
func change(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 7)
	case reflect.Uint8:
		v.SetUint(v.Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 0.25)
	case reflect.Array:
		change(t, v.Index(0))
	case reflect.Struct:
		change(t, v.Field(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		change(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		change(t, v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("a"), reflect.ValueOf("b"))
	case reflect.Interface: // a stage of a list
		v.Set(reflect.ValueOf(&stages.Flip{P: 0.125}))
	default:
		t.Fatalf("%s: teach this test to change it", v.Type())
	}
}

// The measured figures are those of all pixels that filter leaves, each sample
// once, whatever is drawn.
func TestDatasetStatistics(t *testing.T) {
	list := []stages.Stage{stages.Filter{Task: "class", Keep: []string{"rare"}}, stages.Rebalance{Target: stages.Instance, Task: stages.TaskNames{"class"}, Draws: 31},
		stages.Decode{}, stages.Resize{Height: 3, Width: 3}, stages.ToTensor{}, stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}}
	plan := planOf(t, small(12), list)
	var values [3][]float64
	whole := planOf(t, small(12), []stages.Stage{stages.Filter{Task: "class", Keep: []string{"rare"}}, stages.Decode{}})
	for position := range whole.Info().RowsPerEpoch {
		row, err := whole.Row(t.Context(), 0, position)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range row.Source.U8 {
			values[i%3] = append(values[i%3], float64(v)/255)
		}
	}
	var canonical struct {
		Stages []struct {
			Options struct{ Mean, Std []float64 }
		}
	}
	if err := json.Unmarshal(plan.Canonical(), &canonical); err != nil {
		t.Fatal(err)
	}
	have := canonical.Stages[len(list)-1].Options
	for c, v := range values {
		mean, square := 0.0, 0.0
		for _, x := range v {
			mean += x / float64(len(v))
		}
		for _, x := range v {
			square += (x - mean) * (x - mean) / float64(len(v))
		}
		if math.Abs(have.Mean[c]-mean) > 1e-12 || math.Abs(have.Std[c]-math.Sqrt(square)) > 1e-12 {
			t.Errorf("channel %d: mean %v, std %v; want %v, %v", c, have.Mean[c], have.Std[c], mean, math.Sqrt(square))
		}
	}
}

// Channels that are the same everywhere cannot be divided by their deviation.
func TestDatasetStatisticsOfConstantChannels(t *testing.T) {
	for want, constant := range map[string][]int{
		"the blue channel is constant":           {2},
		"the red and blue channels are constant": {0, 2},
		"the pictures are of one colour":         {0, 1, 2},
	} {
		var list []sample
		for i := range 2 {
			pic := checks(6, 5).(*image.RGBA)
			for j := range pic.Pix {
				if slices.Contains(constant, j%4) {
					pic.Pix[j] = 40
				}
			}
			list = append(list, sample{fmt.Sprintf("%d.png", i), encoded(pic, false), [2]int32{}})
		}
		_, err := flow.New(hold(list), stages.Decode{}, stages.Resize{Height: 3, Width: 3}, stages.ToTensor{},
			stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}).Plan(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The matrix goes from source to output pixels, the first warp first.
func TestMatrixComposesInOrder(t *testing.T) {
	source := hold([]sample{{"a.png", encoded(checks(10, 8), false), [2]int32{}}})
	list := []stages.Stage{stages.Decode{}, stages.CenterCrop{Size: 4}, stages.Resize{Height: 8, Width: 8}, stages.Flip{P: 1}}
	for _, exec := range []flow.Executor{flow.Reference, flow.Fused} {
		row, err := planOf(t, source, list, flow.WithParams(), flow.Exec(exec)).Row(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		// x: minus 3, times 2 plus a half, 7 minus that; y: minus 2, times 2 plus a half
		if want := `"matrix":[-2,0,12.5,0,2,-3.5]`; !strings.Contains(strings.NewReplacer("[[", "[", "],[", ",", "]]", "]").Replace(row.Meta.Params), want) {
			t.Errorf("%s: %s, want %s", exec, row.Meta.Params, want)
		}
		for _, want := range []string{`"source":[8,10]`, `"output":[8,8]`} {
			if !strings.Contains(row.Meta.Params, want) {
				t.Errorf("%s: %s, want %s", exec, row.Meta.Params, want)
			}
		}
	}
}

func TestUnknownLabelsAreCounted(t *testing.T) {
	source := small(7)
	source.index.Labels[0][2], source.index.Labels[0][5], source.index.Labels[0][6] = schema.Unknown, schema.Unknown, schema.Unknown
	_, report := rowsOf(t, flow.New(source, stages.Decode{}), flow.Epochs(2))
	total := int64(0)
	for _, n := range report.Delivered["class"] {
		total += n
	}
	x := report.Ledger["class"][""]
	if report.Delivered["class"][""] != 6 || total != 14 || x.Delivered != 6 || x.Distinct != 3 || x.Repeats != 3 || x.Quota != 6 {
		t.Errorf("delivered %v, ledger %+v", report.Delivered["class"], x)
	}
	if _, there := report.Delivered["colour"][""]; there {
		t.Errorf("delivered %v", report.Delivered["colour"])
	}
}

// Sides are rounded, halves to the even number.
func TestRandomResizedCropRounds(t *testing.T) {
	source := hold([]sample{{"a.png", encoded(checks(16, 16), false), [2]int32{}}})
	for side, want := range map[float64]int{4.5: 4, 5.5: 6, 4.4: 4, 4.6: 5, 16: 16} {
		area := side * side / 256 // 4.5 and 5.5 give exact ones
		crop := stages.RandomResizedCrop{Size: 3, Scale: stages.Range{area, area}, Ratio: stages.Range{1, 1}}
		row, err := planOf(t, source, []stages.Stage{stages.Decode{}, crop}).Row(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if w := row.Drawn[0].Params.(*stages.Window); w.Width != want || w.Height != want {
			t.Errorf("a window of %v pixels is %dx%d, want %d", side, w.Width, w.Height, want)
		}
	}
}

func TestStagesThatPlanRefuses(t *testing.T) {
	rotate := stages.Rotate{Degrees: stages.Range{-30, 30}}
	inverse := stages.ClassWeights{Task: "class", Weights: stages.Weights{Rule: stages.InverseWeights}}
	for name, c := range map[string]struct {
		list []stages.Stage
		says string
	}{
		"ids":          {[]stages.Stage{stages.Decode{}, flow.WithID("a", rotate), flow.WithID("a", rotate)}, `rotate_2: stages 2 and 3, both rotate, have the same id, "a"`},
		"nested":       {[]stages.Stage{stages.Decode{}, flow.WithID("a", flow.WithID("b", rotate)), flow.WithID("a", rotate)}, `have the same id, "a"`},
		"typed nil":    {[]stages.Stage{stages.Decode{}, (*stages.Rotate)(nil)}, "stage 2 is nil"},
		"nil with id":  {[]stages.Stage{stages.Decode{}, flow.WithID("a", (*stages.Rotate)(nil)), flow.WithID("b", flow.WithID("c", nil))}, "stage 3 is nil"},
		"weights":      {[]stages.Stage{inverse, inverse}, "class_weights_2: task class is weighted by class_weights already"},
		"their kind":   {[]stages.Stage{inverse, &stages.ClassWeights{Task: "class", Weights: stages.Weights{List: []float64{1, 2, 3}}}}, "class_weights_2: task class is weighted"},
		"varying rows": {[]stages.Stage{stages.Decode{}, rotate, stages.ToTensor{}}, "to_tensor: rows that vary in size"},
	} {
		plan, err := flow.New(small(4), c.list...).Plan(t.Context())
		if err == nil {
			plan.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s", name, err, c.says)
		}
	}
	if _, err := flow.New((*sources.Folder)(nil)).Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "no source") {
		t.Errorf("a source that is a nil pointer: %v", err)
	}
	// The outermost id counts; other stages may have it, too; two tasks may be weighted.
	degrees := func(s ...stages.Stage) float64 {
		row, err := planOf(t, small(4), append([]stages.Stage{stages.Decode{}}, s...)).Row(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return row.Drawn[0].Params.(*stages.RotateParams).Degrees
	}
	if a := degrees(flow.WithID("a", rotate)); a != degrees(flow.WithID("a", flow.WithID("b", rotate)), flow.WithID("a", stages.Flip{P: 0.5})) || a == degrees(flow.WithID("b", rotate)) {
		t.Error("an id around an id doesn't count")
	}
	other := inverse
	other.Task = "colour"
	planOf(t, small(4), []stages.Stage{inverse, other})
}

// Refills look for the class that rebalance balances, however it is declared.
func TestRefillClassOfPointers(t *testing.T) {
	list, broken := album()
	run := func(rebalance stages.Stage) []string {
		rows, _ := rowsOf(t, flow.New(hold(append(list[:20:20], broken...)), rebalance, stages.Decode{}), flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 1}}))
		return rows
	}
	by := stages.Rebalance{Target: stages.Instance, Task: stages.TaskNames{"colour"}}
	if a, b := run(by), run(&by); !slices.Equal(a, b) {
		t.Errorf("by value:\n%v\nby pointer:\n%v", a, b)
	}
}

// bursting is a source that panics.
type bursting struct{ *held }

func (b bursting) Open(ctx context.Context) (sources.Dataset, error) { return b, nil }
func (bursting) Read(context.Context, int, []byte) ([]byte, error)   { panic("burst") }

func TestPanicInASourceIsAnError(t *testing.T) {
	defer goleak.VerifyNone(t)
	_, err := flow.New(bursting{small(4)}, stages.Decode{}).Run(t.Context(), &sink{})
	if err == nil || !strings.Contains(err.Error(), "panic: burst") {
		t.Errorf("error %v", err)
	}
}
