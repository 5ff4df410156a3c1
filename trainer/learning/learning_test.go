package learning_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/trainer"
	"github.com/sluicedata/sluice/trainer/learning"
	"github.com/sluicedata/sluice/trainer/softmax"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// squares is a source in memory: grey PNG files, of which the class says where they
// are bright.
type squares struct {
	Side  string // part of the keys, so that two sides share none
	Count []int  // of each class; the last may be unlabelled
	Task  string // its name; "": there are no labels
}

var places = []string{"top", "middle", "bottom"}

func (squares) Name() string { return "squares" }
func (squares) Check() error { return nil }

func (s squares) Open(context.Context) (sources.Dataset, error) {
	d := &squaresData{}
	if s.Task != "" {
		d.index.TaskList = []schema.Task{{Name: s.Task, Classes: places}}
		d.index.Labels = [][]int32{nil}
	}
	for class, n := range s.Count {
		for i := range n {
			img := image.NewGray(image.Rect(0, 0, 8, 8))
			for p := range img.Pix {
				img.Pix[p] = uint8((p + 7*i) % 40)
				if p/16 == class { // two of its rows
					img.Pix[p] += 180
				}
			}
			img.SetGray(i%8, i/8%8, color.Gray{200})
			var buf bytes.Buffer
			if err := png.Encode(&buf, img); err != nil {
				return nil, err
			}
			d.files = append(d.files, buf.Bytes())
			d.index.Keys = append(d.index.Keys, fmt.Sprintf("%s/%d/%03d.png", s.Side, class, i))
			d.index.Sizes = append(d.index.Sizes, int64(buf.Len()))
			label := int32(class)
			if class == len(places) {
				label = schema.Unknown
			}
			if s.Task != "" {
				d.index.Labels[0] = append(d.index.Labels[0], label)
			}
		}
	}
	return d, nil
}

// boxed is squares whose pictures have boxes of objects.
type boxed struct{ squares }

func (b boxed) Open(ctx context.Context) (sources.Dataset, error) {
	d, err := b.squares.Open(ctx)
	if err != nil {
		return nil, err
	}
	of := &boxedData{d.(*squaresData)}
	of.index.Targets = &schema.TargetTable{Spec: &schema.TargetSpec{Boxes: true, Classes: places}, First: make([]int64, of.index.Len()+1), Digests: make([][16]byte, of.index.Len())}
	return of, nil
}

type boxedData struct{ *squaresData }

func (*boxedData) Targets(context.Context, int, *schema.Targets) error { return nil }
func (*boxedData) TargetBytes(int) int64                               { return 0 }

type squaresData struct {
	index schema.Table
	files [][]byte
}

func (d *squaresData) Index() schema.Index { return &d.index }
func (d *squaresData) Close() error        { return nil }

func (d *squaresData) Read(_ context.Context, sample int, buf []byte) ([]byte, error) {
	return append(buf[:0], d.files[sample]...), nil
}

var size = stages.Resize{Height: 8, Width: 8}

// pipeline shuffles, if it is to train on, and makes tensors of 8x8.
func pipeline(source sources.Source, first ...stages.Stage) *flow.Pipeline {
	return flow.New(source, append(first, stages.Decode{}, size, stages.ToTensor{}, stages.Batch{Size: 4})...)
}

// training is one of 16 images, four batches an epoch, with six images held out.
func training(t *testing.T) learning.Training {
	t.Helper()
	return learning.Training{
		Pipeline:    pipeline(squares{Side: "train", Count: []int{8, 5, 3}, Task: "place"}, stages.Shuffle{}),
		Trainer:     trainer.Spec{Model: softmax.Model{}, Optimizer: trainer.Optimizer{LearningRate: 0.02}, Seed: 3},
		Evaluations: []learning.Evaluation{{Name: "val", Pipeline: pipeline(squares{Side: "val", Count: []int{2, 2, 2}, Task: "place"})}},
		Dir:         filepath.Join(t.TempDir(), "run"),
	}
}

// faulty is softmax whose steps or predictions fail where told.
type faulty struct {
	softmax.Model
	step    func(n int) error // n from 1
	predict func(n int) error
}

func (m faulty) New(c trainer.Config) (trainer.Trainer, error) {
	c.Model = softmax.Model{}
	inner, err := softmax.New(c)
	return &faultyTrainer{Trainer: inner, model: m}, err
}

type faultyTrainer struct {
	trainer.Trainer
	model              faulty
	steps, predictions int
}

func (f *faultyTrainer) Step(ctx context.Context, b *schema.Batch) (trainer.Losses, error) {
	if f.steps++; f.model.step != nil {
		if err := f.model.step(f.steps); err != nil {
			return trainer.Losses{}, err
		}
	}
	return f.Trainer.Step(ctx, b)
}

func (f *faultyTrainer) Predict(ctx context.Context, b *schema.Batch) ([][]float32, error) {
	if f.predictions++; f.model.predict != nil {
		if err := f.model.predict(f.predictions); err != nil {
			return nil, err
		}
	}
	return f.Trainer.Predict(ctx, b)
}

// with is the training with another model.
func with(l learning.Training, m trainer.Model) learning.Training {
	spec := l.Trainer.(trainer.Spec)
	spec.Model = m
	l.Trainer = spec
	return l
}

func mustRun(t *testing.T, l learning.Training, opts ...flow.Option) *learning.Report {
	t.Helper()
	report, err := l.Run(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func read(t *testing.T, l learning.Training, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q doesn't say %q", err, word)
		}
	}
}

func remedied(t *testing.T, err error, want learning.Remedy) {
	t.Helper()
	if of := new(learning.RemedyError); !errors.As(err, &of) || of.Remedy != want {
		t.Errorf("the error %v has the remedy %q, want %q", err, of.Remedy, want)
	}
}

func TestRun(t *testing.T) {
	l := training(t)
	var calls []string
	var progress int
	l.Warnings = []string{"mine"}
	l.OnStart = func(warnings []string) { calls = append(calls, "start", strings.Join(warnings, "|")) }
	l.OnStep = func(s sinks.StepInfo) { calls = append(calls, fmt.Sprint("step ", s.Epoch, ".", s.Batch)) }
	l.OnEpoch = func(r learning.EpochRecord) {
		if !strings.Contains(read(t, l, "log.jsonl"), fmt.Sprintf(`{"kind":"epoch","epoch":%d,`, r.Epoch)) {
			t.Errorf("OnEpoch of %d before it is in the log", r.Epoch)
		}
		calls = append(calls, fmt.Sprint("epoch ", r.Epoch))
	}
	report := mustRun(t, l, flow.Epochs(12), flow.OnProgress(func(flow.Progress) { progress++ }))
	if want := []string{"start", "mine", "step 0.0", "step 0.1", "step 0.2", "step 0.3", "epoch 0", "step 1.0"}; !slices.Equal(calls[:len(want)], want) || len(calls) != 2+12*5 {
		t.Errorf("%d calls, the first %q", len(calls), calls[:len(want)])
	}
	if progress == 0 {
		t.Error("OnProgress was not called")
	}
	m := report.Tasks["place"]
	if m.BalancedAccuracy != 1 || report.EvaluatedOn != "val" || m.TrainCount["bottom"] != 3 || m.Count["bottom"] != 2 {
		t.Errorf("%+v on %s: that is easy to learn", m, report.EvaluatedOn)
	}
	if len(report.Train.History) != 12 || report.Train.Steps != 48 || report.Train.Model != "softmax" || report.EpochsBefore != 0 || !slices.Contains(report.Warnings, "mine") {
		t.Errorf("%+v", report.Train)
	}
	weights, metadata, err := trainer.LoadSafetensors(filepath.Join(l.Dir, "weights.safetensors"))
	if err != nil || len(weights) != 2 || weights[0].Name != "head_place.bias" || metadata["plan_hash"] != report.PlanHash {
		t.Errorf("%d weights, %q, %v", len(weights), metadata, err)
	}
	if !strings.Contains(read(t, l, "report.json"), `"evaluated_on": "val"`) {
		t.Error("report.json lacks evaluated_on")
	}
}

// TestInterrupted: broken off anywhere, by the context or an error, a run keeps its
// finished epochs, and resumes to the bytes of the unbroken one.
func TestInterrupted(t *testing.T) {
	whole := training(t)
	mustRun(t, whole, flow.Epochs(4))
	enough, broken := errors.New("enough"), errors.New("out of order")
	at := func(n int, err error) func(int) error {
		return func(have int) error {
			if have == n {
				return err
			}
			return nil
		}
	}
	for _, c := range []struct {
		name   string
		model  faulty
		cancel int // after this step
		kept   int // epochs
		want   error
		words  []string
	}{
		{"a step fails", faulty{step: at(7, broken)}, 0, 1, broken, nil},
		{"the first step fails", faulty{step: at(1, broken)}, 0, 0, broken, nil},
		{"an evaluation fails", faulty{predict: at(3, broken)}, 0, 2, broken, []string{"evaluation val: ", "2 epochs kept: fix the held-out data", "and resume"}},
		{"the first evaluation fails", faulty{predict: at(1, broken)}, 0, 1, broken, []string{"1 epoch kept"}},
		{"cancelled in the first epoch", faulty{}, 2, 0, enough, nil},
		{"cancelled at the end of an epoch", faulty{}, 8, 1, enough, nil},
		{"cancelled in the last epoch", faulty{}, 14, 3, enough, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaks := goleak.IgnoreCurrent()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			l := training(t)
			steps, epochs := 0, 0
			l.OnStep = func(sinks.StepInfo) {
				if steps++; steps == c.cancel {
					cancel(enough)
				}
			}
			l.OnEpoch = func(learning.EpochRecord) { epochs++ }
			report, err := with(l, c.model).Run(ctx, flow.Epochs(4))
			if report != nil || !errors.Is(err, c.want) {
				t.Fatalf("%+v, %v, want %v", report, err, c.want)
			}
			says(t, err, c.words...)
			if c.words != nil {
				remedied(t, err, learning.ToResume)
			}
			goleak.VerifyNone(t, leaks)
			if told := c.kept; c.words == nil && epochs != told || c.words != nil && epochs != told-1 {
				t.Errorf("OnEpoch was called %d times, with %d epochs kept", epochs, told)
			}

			l.Existing, l.OnStep = learning.Resume, nil
			report = mustRun(t, l, flow.Epochs(4))
			if report.EpochsBefore != c.kept || len(report.Train.History) != 4 || len(report.Train.Epochs) != 4-c.kept {
				t.Errorf("went on after %d epochs, and did %d; want %d", report.EpochsBefore, len(report.Train.Epochs), c.kept)
			}
			for _, name := range []string{"weights.safetensors", "checkpoint.safetensors"} {
				if read(t, l, name) != read(t, whole, name) {
					t.Errorf("%s has other bytes than that of the unbroken run", name)
				}
			}
			if a, b := strings.Count(read(t, l, "log.jsonl"), "\n"), strings.Count(read(t, whole, "log.jsonl"), "\n"); a != b {
				t.Errorf("%d lines in the log, want %d", a, b)
			}
		})
	}
}

// unclosable is a source whose data sets fail when they are closed.
type unclosable struct {
	squares
	err error
}

func (u unclosable) Open(ctx context.Context) (sources.Dataset, error) {
	d, err := u.squares.Open(ctx)
	return unclosableData{d, u.err}, err
}

type unclosableData struct {
	sources.Dataset
	err error
}

func (d unclosableData) Close() error { return d.err }

// TestCloseErrors: what fails when a plan is closed is an error of the run, of each
// pipeline.
func TestCloseErrors(t *testing.T) {
	trained, first, second := errors.New("train stuck"), errors.New("val stuck"), errors.New("test stuck")
	l := training(t)
	l.Pipeline = pipeline(unclosable{squares{Side: "train", Count: []int{4, 4, 4}, Task: "place"}, trained}, stages.Shuffle{})
	l.Evaluations = nil
	for name, err := range map[string]error{"val": first, "test": second} {
		l.Evaluations = append(l.Evaluations, learning.Evaluation{Name: name, Pipeline: pipeline(unclosable{squares{Side: name, Count: []int{2, 2, 2}, Task: "place"}, err})})
	}
	_, err := l.Run(t.Context())
	for _, want := range []error{trained, first, second} {
		if !errors.Is(err, want) {
			t.Errorf("%v lacks %v", err, want)
		}
	}
	says(t, err, "evaluation val: ", "evaluation test: ")
}

// TestTornLog: what a crash left of the last lines is written again.
func TestTornLog(t *testing.T) {
	l := training(t)
	mustRun(t, l, flow.Epochs(2))
	whole := read(t, l, "log.jsonl")
	name := filepath.Join(l.Dir, "log.jsonl")
	if err := os.WriteFile(name, []byte(whole+`{"kind":"step","epoch":2,"ba`), 0o600); err != nil {
		t.Fatal(err)
	}
	l.Existing = learning.Resume
	report := mustRun(t, l, flow.Epochs(3))
	if have := read(t, l, "log.jsonl"); !strings.HasPrefix(have, whole+`{"kind":"step","epoch":2,"batch":0,`) || len(report.Train.History) != 3 {
		t.Errorf("the log is\n%s", have)
	}
}

// TestExisting: what becomes of what is there.
func TestExisting(t *testing.T) {
	l := training(t)
	l.Existing = learning.Resume
	if r := mustRun(t, l, flow.Epochs(2)); !slices.ContainsFunc(r.Warnings, func(text string) bool { return strings.Contains(text, "holds no checkpoint to resume from") }) {
		t.Errorf("Resume of nothing: %q", r.Warnings)
	}
	weights := read(t, l, "weights.safetensors")
	l.Existing = learning.Refuse
	_, err := l.Run(t.Context(), flow.Epochs(2))
	says(t, err, "holds a training run of 2 epochs", "resume it")
	remedied(t, err, learning.ToResume)

	l.Existing = learning.Resume
	r := mustRun(t, l, flow.Epochs(2))
	if r.EpochsBefore != 2 || len(r.Train.Epochs) != 0 || r.Tasks["place"].Count["middle"] != 2 || read(t, l, "weights.safetensors") != weights {
		t.Errorf("nothing left to do: %+v", r.Train)
	}
	_, err = l.Run(t.Context(), flow.Epochs(1))
	says(t, err, "run of 2 epochs, more than the 1 asked for")
	remedied(t, err, learning.MoreEpochs)
	spec := l.Trainer.(trainer.Spec)
	spec.Optimizer.LearningRate = 0.5
	l.Trainer = spec
	_, err = l.Run(t.Context(), flow.Epochs(3))
	says(t, err, "is of another run", "trainer.optimizer.lr 0.02 -> 0.5")
	if read(t, l, "weights.safetensors") != weights {
		t.Error("a refused run wrote weights")
	}
	l.Existing = learning.Overwrite
	if r := mustRun(t, l, flow.Epochs(1)); r.EpochsBefore != 0 || len(r.Train.History) != 1 {
		t.Errorf("overwritten: %+v", r.Train)
	}

	other := training(t)
	if err := os.MkdirAll(filepath.Join(other.Dir, "photos"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = other.Run(t.Context())
	says(t, err, "holds other files (photos)")
}

// TestLocked: two runs don't write to one directory, and a run that failed gives it
// back.
func TestLocked(t *testing.T) {
	l := training(t)
	second := l
	l.OnStart = func([]string) {
		_, err := second.Run(t.Context())
		says(t, err, "another process is writing to")
	}
	mustRun(t, l)
	l.OnStart, l.Existing = nil, learning.Overwrite
	mustRun(t, l)
}

// TestEvery: evaluations come every so many epochs, and after the last.
func TestEvery(t *testing.T) {
	l := training(t)
	l.Every = 2
	var evaluated []int
	l.OnEpoch = func(r learning.EpochRecord) {
		if r.Evaluations != nil {
			evaluated = append(evaluated, r.Epoch)
		}
	}
	mustRun(t, l, flow.Epochs(5))
	if !slices.Equal(evaluated, []int{1, 3, 4}) {
		t.Errorf("evaluated after the epochs %v", evaluated)
	}
}

// TestSetup: a training that cannot be is refused before its directory is made.
func TestSetup(t *testing.T) {
	train := squares{Side: "train", Count: []int{4, 4, 4}, Task: "place"}
	unlabelled := squares{Side: "val", Count: []int{0, 0, 0, 5}, Task: "place"}
	val := func(p *flow.Pipeline) func(l *learning.Training) {
		return func(l *learning.Training) { l.Evaluations[0].Pipeline = p }
	}
	for want, spoil := range map[string]func(l *learning.Training){
		"needs a Pipeline, a Trainer and a Dir": func(l *learning.Training) { l.Trainer = nil },
		`evaluation "val": it needs a pipeline, and a name of its own`: func(l *learning.Training) {
			l.Evaluations = append(l.Evaluations, l.Evaluations[0])
		},
		"model: missing":         func(l *learning.Training) { l.Trainer = trainer.Spec{} },
		"the data has no labels": func(l *learning.Training) { l.Pipeline = pipeline(squares{Count: []int{8}}, stages.Shuffle{}) },
		`tasks: "hue" is not in the data`: func(l *learning.Training) {
			l.Trainer = trainer.Spec{Model: softmax.Model{}, Tasks: map[string]trainer.TaskSpec{"hue": {}}}
		},
		"learns classes of pictures only": func(l *learning.Training) {
			l.Pipeline = flow.New(boxed{squares{Count: []int{8}}}, stages.Decode{}, stages.Batch{Size: 4, Sizes: stages.KeepSizes})
		},
		"end the pipeline's transforms with to_tensor":           func(l *learning.Training) { l.Pipeline = flow.New(train, stages.Decode{}, size, stages.Batch{Size: 4}) },
		"none of the 5 samples that are drawn counts":            func(l *learning.Training) { l.Pipeline = pipeline(unlabelled, stages.Shuffle{}) },
		"evaluation val: leave multiscale out":                   val(flow.New(train, stages.Decode{}, size, stages.ToTensor{}, stages.Batch{Size: 4}, stages.MultiScale{Scales: []float64{0.5, 1}})),
		"evaluation val: its data has none of the tasks":         val(pipeline(squares{Side: "val", Count: []int{4, 4}, Task: "form"})),
		"evaluation val: none of its samples has a label":        val(pipeline(unlabelled)),
		"evaluation val: normalize: {mean: dataset, std: datase": val(flow.New(train, stages.Decode{}, size, stages.ToTensor{}, flow.WithID("n", stages.Normalize{Mean: stages.DatasetMean, Std: stages.DatasetStd}), stages.Batch{Size: 4})),
	} {
		l := training(t)
		spoil(&l)
		_, err := l.Run(t.Context())
		says(t, err, want)
		if of := new(learning.SetupError); !errors.As(err, &of) {
			t.Errorf("%v is no SetupError", err)
		}
		if _, err := os.Stat(l.Dir); err == nil {
			t.Errorf("%s: the directory was made", want)
		}
	}
}

// TestRemarks: what is possible and probably not meant.
func TestRemarks(t *testing.T) {
	source := squares{Side: "train", Count: []int{12, 6, 2}, Task: "place"}
	weighted := trainer.Spec{Model: softmax.Model{}, Tasks: map[string]trainer.TaskSpec{"place": {ClassWeights: trainer.WeightSpec{Rule: "inverse"}}}}
	balanced := pipeline(source, stages.Rebalance{Target: stages.ClassBalanced})
	for name, c := range map[string]struct {
		spoil func(l *learning.Training)
		want  string // "": no warning
	}{
		"as it should be": {func(*learning.Training) {}, ""},
		"no shuffle":      {func(l *learning.Training) { l.Pipeline = pipeline(source) }, "neither shuffle nor rebalance"},
		"balanced twice": {func(l *learning.Training) { l.Pipeline, l.Trainer = balanced, weighted },
			"task place is balanced twice, by the pipeline's rebalance and by the loss (class_weights)"},
		"balanced once": {func(l *learning.Training) { l.Pipeline = balanced }, ""},
		"weighted once": {func(l *learning.Training) { l.Trainer = weighted }, ""},
		"evaluated on training data": {func(l *learning.Training) {
			l.Evaluations[0].Pipeline = pipeline(source)
			l.Pipeline = pipeline(source, stages.Shuffle{})
		}, "20 of its 20 samples have the key and the size of training samples"},
		"a rebalanced evaluation": {func(l *learning.Training) {
			l.Evaluations[0].Pipeline = pipeline(squares{Side: "val", Count: []int{4, 2, 1}, Task: "place"}, balanced.Stages[0])
		}, "evaluation val: its rebalance draws some samples several times"},
		"a shuffled evaluation": {func(l *learning.Training) {
			l.Evaluations[0].Pipeline = pipeline(squares{Side: "val", Count: []int{2, 2, 2}, Task: "place"}, stages.Shuffle{})
		}, ""},
		"a class without an image": {func(l *learning.Training) {
			l.Evaluations[0].Pipeline = pipeline(squares{Side: "val", Count: []int{3, 3}, Task: "place"})
		}, "no sample of place's bottom: means are over the other 2 classes"},
		"an evaluation unlike": {func(l *learning.Training) {
			l.Evaluations[0].Pipeline = flow.New(squares{Side: "val", Count: []int{2, 2, 2}, Task: "place"},
				stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.ToTensor{}, stages.Batch{Size: 4})
		}, "evaluation val is unlike the training: images are float32[3,4,4]"},
	} {
		t.Run(name, func(t *testing.T) {
			l := training(t)
			c.spoil(&l)
			var told []string
			l.OnStart = func(warnings []string) { told = warnings }
			mustRun(t, l)
			if c.want == "" && len(told) > 0 || c.want != "" && !slices.ContainsFunc(told, func(text string) bool { return strings.Contains(text, c.want) }) {
				t.Errorf("warnings %q, want %q", told, c.want)
			}
		})
	}
}
