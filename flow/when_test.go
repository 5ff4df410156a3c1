package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// madeRow is a row of a run, to be compared with others.
type madeRow struct {
	key             string
	epoch, class    int
	position        int64
	weight          float32
	pixels          string
	strength, drawn map[string]float64
}

// madeRows runs a pipeline, with its params column.
func madeRows(t testing.TB, pipe *flow.Pipeline, opts ...flow.Option) (list []madeRow) {
	t.Helper()
	for b, err := range pipe.Batches(t.Context(), append(opts, flow.WithParams())...) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows() {
			var p struct {
				Strength map[string]float64
				Rotate   struct{ Degrees float64 }
			}
			if err := json.Unmarshal([]byte(b.Params(i)), &p); err != nil {
				t.Fatal(err)
			}
			list = append(list, madeRow{
				key: b.Key(i), epoch: b.Epoch, position: b.Positions()[i], class: int(b.Labels(0)[i]), weight: b.Weights()[i],
				pixels: string(b.Picture(i).U8), strength: p.Strength, drawn: map[string]float64{"rotate": p.Rotate.Degrees},
			})
		}
	}
	return list
}

// turning is a pipeline around one stage; nil: without it.
func turning(dir string, first, stage stages.Stage) *flow.Pipeline {
	list := []stages.Stage{first, stages.Decode{}}
	if stage != nil {
		list = append(list, stage)
	}
	return flow.New(sources.Folder{Path: dir}, append(list, stages.Flip{P: 0.5}, stages.Resize{Height: 16, Width: 16}, stages.Batch{Size: 8})...)
}

// A row for which the conditions hold is that of a pipeline without conditions, another one that
// of a pipeline without the stage.
func TestWhenActsOnItsRows(t *testing.T) {
	dir := pictures(t)
	counts := map[int]int64{0: 23, 1: 9, 2: 3} // common, middle, rare
	rotate := stages.Rotate{Degrees: stages.Range{-30, 30}}
	with := madeRows(t, turning(dir, stages.Shuffle{}, rotate), flow.Epochs(4))
	without := madeRows(t, turning(dir, stages.Shuffle{}, nil), flow.Epochs(4))
	for _, c := range []struct {
		name  string
		when  stages.When
		holds func(n int64, epoch int) bool
	}{
		{"below", stages.When{ClassCount: stages.ClassCount{Below: 9}}, func(n int64, _ int) bool { return n < 9 }},
		{"at least", stages.When{ClassCount: stages.ClassCount{AtLeast: 9, Task: "class"}}, func(n int64, _ int) bool { return n >= 9 }},
		{"between", stages.When{ClassCount: stages.ClassCount{AtLeast: 4, Below: 10}}, func(n int64, _ int) bool { return n == 9 }},
		{"first epochs", stages.When{Epochs: stages.EpochSpan{0, 2}}, func(_ int64, epoch int) bool { return epoch < 2 }},
		{"not the last", stages.When{Epochs: stages.EpochSpan{0, -1}}, func(_ int64, epoch int) bool { return epoch < 3 }},
		{"the last two", stages.When{Epochs: stages.EpochSpan{-2, 0}}, func(_ int64, epoch int) bool { return epoch >= 2 }},
		{"from 1", stages.When{Epochs: stages.EpochSpan{1, 0}}, func(_ int64, epoch int) bool { return epoch >= 1 }},
		{"both", stages.When{ClassCount: stages.ClassCount{Below: 9}, Epochs: stages.EpochSpan{1, 3}}, func(n int64, epoch int) bool { return n < 9 && epoch >= 1 && epoch < 3 }},
	} {
		c.when.Stage = rotate
		acted := 0
		for i, row := range madeRows(t, turning(dir, stages.Shuffle{}, c.when), flow.Epochs(4)) {
			want, strength := without[i], 0.0
			if c.holds(counts[row.class], row.epoch) {
				want, strength = with[i], 1
				acted++
			}
			if row.pixels != want.pixels || row.key != want.key || row.strength["rotate"] != strength || row.drawn["rotate"] != want.drawn["rotate"] {
				t.Errorf("%s: epoch %d, position %d, class %d: strength %v, %v degrees, want %v, %v", c.name, row.epoch, row.position, row.class, row.strength, row.drawn, strength, want.drawn)
				break
			}
		}
		if acted == 0 || acted == len(with) {
			t.Errorf("%s: it acted on %d of %d rows", c.name, acted, len(with))
		}
	}
}

// Whatever the stage: where the conditions hold a row is that of a pipeline without them, and
// elsewhere that of one without the stage.
func TestWhenOfEveryStage(t *testing.T) {
	needed := map[string]string{
		"rotate": "degrees: 30", "affine": "shear: 20", "crop": "size: 0.6", "center_crop": "size: 0.6", "random_resized_crop": "size: 20",
		"resize": "size: 12", "random_shortest_size": "min: [9, 12]", "scale_jitter": "target: [20, 30]", "pad": "padding: 3", "letterbox": "height: 9, width: 20",
		"random_zoom_out": "p: 1", "random_iou_crop": "sampler_options: [0.1]", "sanitize_boxes": "min_size: 5", "color_jitter": "hue: 0.3", "solarize": "threshold: 90", "sharpness": "factor: 3",
		"random_erasing": "p: 1", "one_of": "stages: [invert, rotate: {degrees: 30}]", "some_of": "n: 2, stages: [invert, grayscale, flip]", "gaussian_blur": "kernel_size: 5",
		"cmo": "p: 1, task: class", "mosaic": "p: 1", "copy_paste": "object_p: 1",
	}
	type row struct {
		key, shown   string
		epoch, class int
	}
	photos, _ := album()
	source := func(objects bool) sources.Source {
		var files [][]byte
		var targets []schema.Targets
		for i := range 24 {
			files = append(files, photos[i%18].data)
			targets = append(targets, schema.Targets{Objects: []schema.Object{{Box: [4]float32{1, 1, 7, 7}, Label: int32(i % 2)}, {Box: [4]float32{2, 2, 4, 4}, ID: 1}}})
		}
		a := annotate(&schema.TargetSpec{Boxes: true, Classes: []string{"a", "b"}}, files, targets)
		for i := range files {
			a.index.Labels[0][i] = int32(i % 7 / 3) // the rare class is that of every seventh
		}
		if objects {
			a.index.TaskList, a.index.Labels = a.index.TaskList[:1], a.index.Labels[:1]
			return a
		}
		a.index.Targets = nil
		return a.held
	}
	tried := 0
	for _, entry := range stages.Catalog {
		stage := entry.New()
		name := stage.Name()
		_, mixes := stage.(stages.MixStage)
		composes := name == "mosaic" || name == "copy_paste"
		if _, picture := stage.(stages.PictureStage); !picture && !mixes || name == "decode" || name == "to_tensor" || name == "normalize" {
			continue
		}
		tried++
		rows := func(conditions string) (list []row) {
			file := "version: 1\nsource: {folder: {path: x}}\nstages:\n- shuffle\n- decode\n- random_resized_crop: {height: 24, width: 32}\n"
			with := "- " + name + ": {" + strings.Trim(needed[name]+", "+conditions, " ,") + "}\n"
			if conditions == "without" {
				with = ""
			}
			if mixes {
				file += "- batch: {size: 4}\n" + with
			} else {
				file += with + "- resize: {height: 8, width: 8}\n- batch: {size: 4}\n"
			}
			pipe, err := pipefile.Parse("p.yaml", []byte(file), "", pipefile.Catalogs{Stages: stages.Catalog, Sources: sources.Catalog})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			pipe.Source = source(composes || strings.HasSuffix(name, "boxes") || strings.HasSuffix(name, "iou_crop"))
			if composes {
				pipe.Source.(*annotated).index.TaskList, pipe.Source.(*annotated).index.Labels = nil, nil
			}
			for b, err := range pipe.Batches(t.Context(), flow.Epochs(3), flow.Seed(4), flow.WithParams()) {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for i := range b.Rows() {
					made := row{key: b.Key(i), epoch: b.Epoch, shown: string(b.Picture(i).U8) + fmt.Sprint(b.Objects(i))}
					if !composes {
						made.class = int(b.Labels(0)[i])
					}
					list = append(list, made)
				}
			}
			return list
		}
		always, never := rows(""), rows("without")
		conditions := map[string]func(r row) bool{
			"when: {epochs: [1, -1]}": func(r row) bool { return r.epoch == 1 },
		}
		if !mixes {
			conditions["when: {class_count: {below: 6, task: class}, epochs: [1, null]}"] = func(r row) bool { return r.class == 2 && r.epoch > 0 }
		}
		for text, holds := range conditions {
			acted := 0
			for i, have := range rows(text) {
				want := never[i]
				if holds(have) {
					want = always[i]
					if want != never[i] {
						acted++
					}
				}
				if have != want {
					t.Errorf("%s, %s: epoch %d, row %d, class %d is neither what it should be", name, text, have.epoch, i, have.class)
					break
				}
			}
			if acted == 0 {
				t.Errorf("%s, %s: it changed nothing", name, text)
			}
		}
	}
	if tried < 36 {
		t.Errorf("%d stages", tried)
	}
}

// The strength of a row is that of its class, or of its draw, and its bytes are those of the
// stage declared with as much less.
func TestStrength(t *testing.T) {
	dir := pictures(t)
	counts := map[int]float64{0: 23, 1: 9, 2: 3}
	rotate := func(d float64) stages.Stage { return stages.Rotate{Degrees: stages.Range{-d, d}} }
	byClass := stages.When{Stage: rotate(20), Strength: stages.Strength{By: stages.ByClassCount, From: 0.25, To: 1.5}}
	middle := 0.25 + 1.25*math.Log(23.0/9)/math.Log(23.0/3)
	declared := map[int][]madeRow{}
	for class, s := range map[int]float64{0: 0.25, 1: middle, 2: 1.5} {
		declared[class] = madeRows(t, turning(dir, stages.Shuffle{}, rotate(20*s)), flow.Epochs(2))
	}
	for i, row := range madeRows(t, turning(dir, stages.Shuffle{}, byClass), flow.Epochs(2)) {
		want := 0.25 + 1.25*math.Log(23/counts[row.class])/math.Log(23.0/3)
		if math.Abs(row.strength["rotate"]-want) > 1e-12 || row.pixels != declared[row.class][i].pixels {
			t.Fatalf("class %d: strength %v, want %v; same pixels: %v", row.class, row.strength, want, row.pixels == declared[row.class][i].pixels)
		}
	}
	// By repeat: the draws of each sample have 0, 1, 2 ..., in the order of the epochs.
	const over, epochs = 6, 5
	byRepeat := stages.When{Stage: rotate(20), Strength: stages.Strength{By: stages.ByRepeat, From: 0.2, To: 1.4, Over: over}}
	for name, first := range map[string]stages.Stage{
		"shuffle": stages.Shuffle{}, "balanced": stages.Rebalance{Target: stages.ClassBalanced, Draws: 41}, "root": stages.Rebalance{Target: stages.SquareRoot},
		"filter": stages.Filter{Drop: []string{"rare"}},
	} {
		used := map[string][]int{}
		for _, row := range madeRows(t, turning(dir, first, byRepeat), flow.Epochs(epochs)) {
			repeat := int(math.Round((row.strength["rotate"] - 0.2) * over / 1.2))
			used[row.key] = append(used[row.key], repeat)
		}
		most := 0
		for key, repeats := range used {
			slices.Sort(repeats)
			for i, r := range repeats {
				if r != min(i, over) {
					t.Errorf("%s: %s has the repeats %v", name, key, repeats)
					break
				}
			}
			most = max(most, len(repeats))
		}
		if most < epochs {
			t.Errorf("%s: no sample was drawn more than %d times", name, most)
		}
	}
}

// A strength of p is a share of the draws.
func TestStrengthOfP(t *testing.T) {
	dir := pictures(t)
	flip := stages.When{Stage: stages.Rotate{Degrees: stages.Range{90, 90}, P: 0.8}, Strength: stages.Strength{By: stages.ByClassCount, From: 0.25, To: 1.25, Of: stages.OfP}}
	acted, all := map[int]float64{}, map[int]float64{}
	for _, row := range madeRows(t, turning(dir, stages.Rebalance{Target: stages.ClassBalanced, Draws: 400}, flip), flow.Epochs(3)) {
		all[row.class]++
		if row.drawn["rotate"] != 0 {
			acted[row.class]++
		}
	}
	middle := 0.25 + math.Log(23.0/9)/math.Log(23.0/3)
	for class, p := range map[int]float64{0: 0.2, 1: 0.8 * middle, 2: 1} {
		if have := acted[class] / all[class]; math.Abs(have-p) > 4*math.Sqrt(p*(1-p)/all[class]) {
			t.Errorf("class %d: %.3f of %v draws, want %.3f", class, have, all[class], p)
		}
	}
}

// Weights may begin later: what deferred reweighting is.
func TestWeightsWhen(t *testing.T) {
	dir := pictures(t)
	weights := stages.When{Stage: stages.ClassWeights{Weights: stages.Weights{Rule: stages.InverseWeights}}, Epochs: stages.EpochSpan{2, 0}}
	for _, row := range madeRows(t, turning(dir, weights, nil), flow.Epochs(3)) {
		want := float32(1)
		if row.epoch == 2 {
			want = float32(35 / (3 * []float64{23, 9, 3}[row.class]))
		}
		if row.weight != want {
			t.Fatalf("epoch %d, class %d: weight %v, want %v", row.epoch, row.class, row.weight, want)
		}
	}
}

func TestConditionsInPlans(t *testing.T) {
	dir := pictures(t)
	plan := func(stage stages.Stage, opts ...flow.Option) (*flow.Plan, error) {
		p, err := turning(dir, stages.Shuffle{}, stage).Plan(t.Context(), opts...)
		if err == nil {
			t.Cleanup(func() { p.Close() })
		}
		return p, err
	}
	rotate := stages.Rotate{Degrees: stages.Range{-30, 30}}
	hash := func(stage stages.Stage, opts ...flow.Option) string {
		p, err := plan(stage, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return p.Info().PlanHash
	}
	epochs := func(first, past int) stages.Stage {
		return stages.When{Stage: rotate, Epochs: stages.EpochSpan{first, past}}
	}
	if hash(stages.When{Stage: rotate}) == hash(epochs(0, 5)) || hash(epochs(0, 5)) == hash(epochs(0, 6)) ||
		hash(stages.When{Stage: rotate, ClassCount: stages.ClassCount{Below: 5}}) == hash(stages.When{Stage: rotate, ClassCount: stages.ClassCount{Below: 6}}) {
		t.Error("the plan hash doesn't have the conditions")
	}
	if have, want := hash(epochs(0, -10), flow.Epochs(100)), hash(epochs(0, 90), flow.Epochs(100)); have != want {
		t.Errorf("[0, -10] of 100 epochs isn't [0, 90]: %s, %s", have, want)
	}
	if have, want := hash(flow.WithID("a", stages.When{Stage: rotate, Epochs: stages.EpochSpan{1, 0}})), hash(stages.When{Stage: flow.WithID("a", rotate), Epochs: stages.EpochSpan{1, 0}}); have != want {
		t.Error("an id within conditions isn't one around them")
	}
	p, err := plan(stages.When{Stage: rotate, ClassCount: stages.ClassCount{Below: 20}, Strength: stages.Strength{By: stages.ByClassCount, From: 0.5, To: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if text := p.String(); !strings.Contains(text, "when: {class_count: {below: 20}}, strength: {by: class_count, from: 0.5, to: 2}") || !strings.Contains(text, "[rotate + ") {
		t.Errorf("the plan doesn't show the conditions:\n%s", text)
	}
	if p, err = plan(epochs(0, -1), flow.Epochs(3)); err != nil {
		t.Fatal(err)
	}
	longer, err := p.With(flow.Epochs(flow.Endless)) // the plan's number of epochs decides
	if err != nil {
		t.Fatal(err)
	}
	for epoch, want := range []int{1, 1, 0, 0, 0} {
		row, err := longer.Row(t.Context(), epoch, 3)
		if err != nil {
			t.Fatal(err)
		}
		if have := len(row.Drawn) - 2; have != want { // beside flip and resize
			t.Errorf("epoch %d: %d stages draw", epoch, len(row.Drawn))
		}
	}
	for name, c := range map[string]struct {
		stage stages.Stage
		opts  []flow.Option
		want  string
	}{
		"no end":         {epochs(0, -10), []flow.Option{flow.Epochs(flow.Endless)}, "this one has none"},
		"task":           {stages.When{Stage: rotate, ClassCount: stages.ClassCount{Below: 5, Task: "klass"}}, nil, `unknown task "klass": did you mean "class"? (tasks: class)`},
		"no strength":    {stages.When{Stage: stages.CenterCrop{Size: 0.5}, Strength: stages.Strength{By: stages.ByRepeat, To: 1}}, nil, "center_crop has no strength: rotate, affine,"},
		"no amounts":     {stages.When{Stage: stages.Flip{P: 0.5}, Strength: stages.Strength{By: stages.ByRepeat, To: 1, Of: stages.OfAmounts}}, nil, "flip has no amounts"},
		"too strong":     {stages.When{Stage: stages.Affine{Shear: stages.Shear{-50, 50}}, Strength: stages.Strength{By: stages.ByRepeat, From: 1, To: 2}}, nil, "strength: at 2: shear: -100 degrees"},
		"type":           {stages.When{Stage: stages.ToTensor{}, Epochs: stages.EpochSpan{1, 0}}, nil, "it makes float32[3,h,w]"},
		"size":           {stages.When{Stage: stages.Batch{Size: 4}, Epochs: stages.EpochSpan{1, 0}}, nil, "batch takes no conditions"},
		"sampler":        {stages.When{Stage: stages.Take{Count: 9}, Epochs: stages.EpochSpan{1, 0}}, nil, "take takes no conditions"},
		"nested":         {stages.When{Stage: stages.When{Stage: rotate, Epochs: stages.EpochSpan{1, 0}}, Epochs: stages.EpochSpan{2, 0}}, nil, "conditions within conditions"},
		"never":          {stages.When{Stage: rotate, ClassCount: stages.ClassCount{Below: 5, AtLeast: 5}}, nil, "no class has fewer than 5 samples and at least 5"},
		"no epoch":       {epochs(4, 4), nil, "[4, 4] is empty: the second number is the epoch after the last"},
		"nothing inside": {stages.When{}, nil, "is nil"},
	} {
		if _, err := plan(c.stage, c.opts...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %q", name, err, c.want)
		}
	}
	// Rows vary in size where a condition may leave a resize out.
	varying := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.When{Stage: stages.Resize{Height: 8, Width: 8}, ClassCount: stages.ClassCount{Below: 5}}, stages.Batch{Size: 4})
	if err := varying.Check(); err == nil || !strings.Contains(err.Error(), "the rows still vary in size") {
		t.Errorf("a resize of some rows: %v", err)
	}
	for name, c := range map[string]struct {
		stage stages.Stage
		want  string
	}{
		"no epoch of the run": {epochs(0, -5), "is none of the run's 2 epochs"},
		"no class":            {stages.When{Stage: rotate, ClassCount: stages.ClassCount{AtLeast: 24}}, "holds for no class"},
	} {
		p, err := plan(c.stage, flow.Epochs(2))
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(p.Warnings(), "\n"); !strings.Contains(text, c.want) {
			t.Errorf("%s: warnings %q, want %q", name, text, c.want)
		}
	}
	if p, err := plan(epochs(0, -10), flow.Epochs(1)); err != nil || !strings.Contains(p.String(), "when: {epochs: [0, -10]}, which is no epoch of this run") {
		t.Errorf("a plan (%v) of no epoch doesn't show what was declared:\n%s", err, p)
	}
	// Without a source there are no counts.
	alone := flow.New(nil, stages.Decode{}, stages.When{Stage: rotate, ClassCount: stages.ClassCount{Below: 5}})
	if _, err := alone.Applier(); err == nil || !strings.Contains(err.Error(), "no source is open") || !alone.NeedsData() {
		t.Errorf("an applier without a source: %v", err)
	}
	if _, err := flow.New(nil, stages.Decode{}, epochs(0, 5)).Applier(); err != nil {
		t.Error(err)
	}
}

// boxed is a source whose pictures have a box of each label.
type boxed struct{ *held }

func (b boxed) Open(context.Context) (sources.Dataset, error) { return b, nil }

func (b boxed) Targets(_ context.Context, sample int, t *schema.Targets) error {
	for _, label := range b.index.ObjectLabels(sample) {
		t.Objects = append(t.Objects, schema.Object{Box: [4]float32{0, 0, 9, 9}, Label: label})
	}
	return nil
}

func (b boxed) TargetBytes(int) int64 { return 0 }

// The class of an image with objects is its rarest, in images that have it.
func TestClassCountOfObjects(t *testing.T) {
	source := hold(func() (list []sample) {
		photos, _ := album()
		for i := range 8 {
			list = append(list, sample{key: fmt.Sprintf("%d.jpg", i), data: photos[i].data})
		}
		return list
	}())
	spec := &schema.TargetSpec{Boxes: true, Classes: []string{"a", "b", "c"}}
	objects := [][]int32{{0, 0}, {0, 1}, {0}, {1, 0}, {}, {0, 2, 2, 2}, {0, 1}, {0}} // images: a 7, b 3, c 1
	table := &schema.TargetTable{Spec: spec, First: []int64{0}, Digests: make([][16]byte, len(objects))}
	for _, labels := range objects {
		table.Labels = append(table.Labels, labels...)
		table.First = append(table.First, int64(len(table.Labels)))
	}
	source.index.Targets = table
	when := stages.When{Stage: stages.Rotate{Degrees: stages.Range{-30, 30}}, ClassCount: stages.ClassCount{Below: 4, Task: "boxes"}}
	plan, err := flow.New(boxed{source}, stages.Decode{}, when, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 4}).Plan(t.Context(), flow.WithParams())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	for position, want := range []float64{0, 1, 0, 1, 0, 1, 1, 0} {
		row, err := plan.Row(t.Context(), 0, int64(position))
		if err != nil {
			t.Fatal(err)
		}
		acts := slices.ContainsFunc(row.Drawn, func(d flow.Drawn) bool { return d.Stage == "rotate" && d.Strength == 1 })
		if acts != (want == 1) {
			t.Errorf("objects %v: acts %v", objects[position], acts)
		}
	}
}

// A flipped row of a class that has a mirror image is of the other class, with its weight; classes
// that are never flipped aren't.
func TestFlippedClasses(t *testing.T) {
	dir := pictures(t) // common, middle, rare
	pipe := func(flips ...stages.Stage) *flow.Pipeline {
		list := append([]stages.Stage{stages.Shuffle{}, stages.ClassWeights{Weights: stages.Weights{List: []float64{1, 2, 5}}}, stages.Decode{}}, flips...)
		return flow.New(sources.Folder{Path: dir}, append(list, stages.Resize{Height: 16, Width: 16}, stages.Batch{Size: 8})...)
	}
	once := stages.Flip{P: 0.5, Classes: map[string]string{"rare": "middle"}, Never: []string{"common"}}
	plain := madeRows(t, pipe(), flow.Epochs(4))
	flipped := madeRows(t, pipe(stages.Flip{P: 0.5}), flow.Epochs(4))
	n := 0
	for i, row := range madeRows(t, pipe(once), flow.Epochs(4)) {
		was, class := plain[i].class, plain[i].class
		mirrored := flipped[i].pixels != plain[i].pixels && was != 0
		if mirrored {
			n++
			class = 3 - was
		}
		want := plain[i].pixels
		if mirrored {
			want = flipped[i].pixels
		}
		if row.class != class || row.pixels != want || row.weight != []float32{0.125, 0.25, 0.625}[class] {
			t.Errorf("%s: class %d, weight %v; want class %d of %d; same pixels %v", row.key, row.class, row.weight, class, was, row.pixels == want)
		}
	}
	if n < 12 || n > 36 {
		t.Errorf("%d of 48 rows of the two classes were flipped", n)
	}
	// Two flips are none: the second sees the class that the first left.
	always := stages.Flip{P: 1, Classes: map[string]string{"rare": "middle"}}
	for i, row := range madeRows(t, pipe(always, always)) {
		if row.class != plain[i].class || row.pixels != plain[i].pixels {
			t.Errorf("%s: flipped twice, it is another", row.key)
		}
	}
	for want, flip := range map[string]stages.Flip{
		`classes: unknown class "rar" of task class: did you mean "rare"?`: {P: 1, Classes: map[string]string{"rar": "middle"}},
		`never: unknown class "x"`:         {P: 1, Never: []string{"x"}},
		`task: unknown task "sign"`:        {P: 1, Never: []string{"rare"}, Task: "sign"},
		`"rare" is in two pairs`:           {P: 1, Classes: map[string]string{"rare": "middle", "common": "rare"}},
		`never: "rare" is in classes, too`: {P: 1, Classes: map[string]string{"rare": "middle"}, Never: []string{"rare"}},
		`"rare" and itself`:                {P: 1, Classes: map[string]string{"rare": "rare"}},
		`task: it is the task of classes`:  {P: 1, Task: "class"},
	} {
		if plan, err := pipe(flip).Plan(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
			if err == nil {
				plan.Close()
			}
		}
	}
}
