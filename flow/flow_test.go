package flow_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

var seedFlag = flag.Uint64("schedules", 0, "replay the random schedules of this seed")

// pictures writes a small long-tailed folder of JPEG files.
func pictures(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for class, n := range map[string]int{"common": 23, "middle": 9, "rare": 3} {
		for i := range n {
			img := image.NewRGBA(image.Rect(0, 0, 40+r.IntN(30), 30+r.IntN(30)))
			for y := range img.Rect.Dy() {
				for x := range img.Rect.Dx() {
					img.Set(x, y, color.RGBA{uint8(5 * x), uint8(7 * y), uint8(x*y + len(class)), 255})
				}
			}
			var buf bytes.Buffer
			if err := jpeg.Encode(&buf, img, nil); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, class, fmt.Sprintf("%02d.jpg", i)), buf.Bytes())
		}
	}
	return dir
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// recipe is the recipe's pipeline, small.
func recipe(dir string) *flow.Pipeline {
	return flow.New(
		sources.Folder{Path: dir},
		stages.Rebalance{Target: stages.SquareRoot},
		stages.Decode{},
		stages.Rotate{Degrees: stages.Range{-30, 30}},
		stages.Crop{Size: 0.5, Offset: stages.Range{0, 0.25}},
		stages.Flip{P: 0.5},
		stages.Resize{Height: 16, Width: 16},
		stages.ToTensor{},
		stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd},
		stages.Batch{Size: 8},
		stages.MultiScale{Scales: []float64{0.5, 1, 1.5}},
	)
}

// fingerprint is the hash of every record of a run, as IPC messages.
func fingerprint(t testing.TB, pipe *flow.Pipeline, opts ...flow.Option) string {
	t.Helper()
	h := sha256.New()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	for batch, err := range pipe.Batches(t.Context(), append(opts, flow.Allocator(mem))...) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(h, batch.Epoch, batch.Number, batch.Variant)
		w := ipc.NewWriter(h, ipc.WithSchema(batch.Record.Schema()))
		if err := w.Write(batch.Record); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mem.AssertSize(t.(assertT), 0)
	return hex.EncodeToString(h.Sum(nil))
}

type assertT interface {
	Errorf(format string, args ...any)
	Helper()
}

// Schedules change when a row is made, never what is in it. A failure prints
// its seed; -schedules SEED replays it.
func TestSameBytesUnderRandomSchedules(t *testing.T) {
	defer goleak.VerifyNone(t)
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (replay with -schedules %d)", seed, seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pipe := recipe(pictures(t))
	want := fingerprint(t, pipe, flow.Seed(7), flow.Epochs(2), flow.WithParams(), flow.Workers(1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for range 12 {
		workers, queue, procs := 1+r.IntN(16), 1+r.IntN(5), 1+r.IntN(4)
		runtime.GOMAXPROCS(procs)
		readers, budget := 1+r.IntN(9), int64(1)<<r.IntN(24)
		got := fingerprint(t, pipe, flow.Seed(7), flow.Epochs(2), flow.WithParams(), flow.Workers(workers), flow.Queue(queue), flow.Readers(readers), flow.Budget(budget))
		if got != want {
			t.Fatalf("other bytes with %d workers, %d readers, queue %d, budget %d, GOMAXPROCS %d", workers, readers, queue, budget, procs)
		}
	}
	if fingerprint(t, pipe, flow.Seed(8), flow.Epochs(2), flow.WithParams()) == want {
		t.Error("another seed gave the same bytes")
	}
}

func TestBatchesComeInOrderAndWhole(t *testing.T) {
	defer goleak.VerifyNone(t)
	pipe := recipe(pictures(t))
	var seen []string
	rows := 0
	for batch, err := range pipe.Batches(t.Context(), flow.Epochs(2), flow.Workers(3)) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprintf("%d/%d/%d:%d", batch.Epoch, batch.Number, batch.Variant, batch.Rows()))
		for i, p := range batch.Positions() {
			if p != 8*batch.Number+int64(i) {
				t.Fatalf("batch %d row %d has position %d", batch.Number, i, p)
			}
		}
		if want := []int{8, 16, 24}[batch.Variant]; batch.Tensor.Height != want || batch.Tensor.Width != want {
			t.Fatalf("variant %d is %s", batch.Variant, batch.Tensor)
		}
		rows += batch.Rows()
	}
	var want []string
	for epoch := range 2 {
		for number, n := range []int{8, 8, 8, 8, 3} {
			for variant := range 3 {
				want = append(want, fmt.Sprintf("%d/%d/%d:%d", epoch, number, variant, n))
			}
		}
	}
	if strings.Join(seen, " ") != strings.Join(want, " ") {
		t.Errorf("have %v\nwant %v", seen, want)
	}
	if rows != 2*3*35 {
		t.Errorf("%d rows", rows)
	}
}

// An added stage leaves the draws of the others alone.
func TestAddedStageKeepsTheDrawsOfOthers(t *testing.T) {
	dir := pictures(t)
	angles := func(list ...stages.Stage) (out []string) {
		list = append([]stages.Stage{stages.Decode{}}, list...)
		list = append(list, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 8})
		for batch, err := range flow.New(sources.Folder{Path: dir}, list...).Batches(t.Context(), flow.WithParams()) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range batch.Rows() {
				_, rest, _ := strings.Cut(batch.Params(i), `"rotate":`)
				angle, _, _ := strings.Cut(rest, "}")
				out = append(out, angle)
			}
		}
		return out
	}
	rotate := stages.Rotate{Degrees: stages.Range{-30, 30}}
	alone := angles(rotate)
	with := angles(stages.Flip{P: 0.5}, rotate, stages.Crop{Size: 0.5})
	if strings.Join(alone, " ") != strings.Join(with, " ") {
		t.Errorf("the angles changed:\n%v\n%v", alone, with)
	}
	// With an id, another stage of the same name in front changes nothing either.
	own := angles(flow.WithID("mine", rotate))
	second := angles(stages.Flip{P: 0.5}, flow.WithID("mine", rotate))
	if strings.Join(own, " ") != strings.Join(second, " ") || strings.Join(own, " ") == strings.Join(alone, " ") {
		t.Error("the id does not address the stage's random numbers")
	}
}

// sink is a Sink that can be slow, and fail.
type sink struct {
	delay  time.Duration
	failAt int64
	writes atomic.Int64
	closed atomic.Int64
	cause  error
}

var errSink = errors.New("the disk is on fire")

func (s *sink) Open(context.Context, *schema.Run) error { return nil }

func (s *sink) Write(ctx context.Context, _ *schema.Batch) error {
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if n := s.writes.Add(1); s.failAt > 0 && n == s.failAt {
		return errSink
	}
	return nil
}

func (s *sink) Close(cause error) error {
	s.closed.Add(1)
	s.cause = cause
	return nil
}

func TestCancelAtRandomMomentsLeavesNothing(t *testing.T) {
	dir := pictures(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	before := openFiles(t)
	for i := range 200 {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := fmt.Errorf("cancel %d", i)
		timer := time.AfterFunc(time.Duration(r.IntN(15000))*time.Microsecond, func() { cancel(cause) })
		s := &sink{delay: time.Duration(r.IntN(3)) * time.Millisecond}
		if r.IntN(4) == 0 {
			s.failAt = int64(1 + r.IntN(6))
		}
		_, err := recipe(dir).Run(ctx, s, flow.Allocator(mem), flow.Workers(1+r.IntN(6)), flow.Queue(1+r.IntN(3)), flow.Budget(1<<r.IntN(24)), flow.Epochs(3))
		if err != nil && !errors.Is(err, cause) && !errors.Is(err, errSink) {
			t.Fatalf("run %d: %v", i, err)
		}
		if s.closed.Load() > 1 || s.closed.Load() == 1 && (s.cause == nil) != (err == nil) {
			t.Fatalf("run %d: closed %d times with cause %v; the run returned %v", i, s.closed.Load(), s.cause, err)
		}
		timer.Stop()
		cancel(nil)
		mem.AssertSize(t, 0)
	}
	goleak.VerifyNone(t)
	if after := openFiles(t); after != before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}

func openFiles(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Logf("no /proc here, open files are not counted: %v", err)
		return 0
	}
	return len(entries)
}

func TestLeavingTheLoopEndsTheRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	var kept *schema.Batch
	for batch, err := range recipe(pictures(t)).Batches(t.Context(), flow.Allocator(mem)) {
		if err != nil {
			t.Fatal(err)
		}
		batch.Retain()
		kept = batch
		break
	}
	goleak.VerifyNone(t)
	if kept.Rows() != 8 {
		t.Errorf("%d rows", kept.Rows())
	}
	kept.Release()
}

func TestSinkErrorEndsTheRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := &sink{failAt: 2}
	report, err := recipe(pictures(t)).Run(t.Context(), s)
	if !errors.Is(err, errSink) || !errors.Is(s.cause, errSink) {
		t.Errorf("run: %v; sink closed with %v", err, s.cause)
	}
	if report.Batches != 1 {
		t.Errorf("%d batches delivered, want 1", report.Batches)
	}
}

func TestBrokenImageNamesStageAndKey(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := pictures(t)
	name := filepath.Join(dir, "rare", "00.jpg")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, data[:len(data)/2])
	_, err = recipe(dir).Run(t.Context(), &sink{})
	var row *flow.RowError
	if !errors.As(err, &row) || row.Stage != "decode" || row.Key != "rare/00.jpg" {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(err.Error(), "truncated") {
		t.Errorf("%q does not say what is wrong", err)
	}
}

func TestCropLargerThanThePicture(t *testing.T) {
	defer goleak.VerifyNone(t)
	pipe := flow.New(sources.Folder{Path: pictures(t)}, stages.Decode{}, stages.Crop{Size: 224}, stages.Batch{Size: 4})
	_, err := pipe.Run(t.Context(), &sink{})
	if err == nil || !strings.Contains(err.Error(), "stages: crop: 224x224 exceeds ") || !strings.Contains(err.Error(), `(key "common/`) {
		t.Errorf("error %v", err)
	}
}

// broken is a stage that panics.
type broken struct{ stages.ToTensor }

func (broken) Name() string { return "broken" }
func (broken) Draw(*stages.Row) (stages.Params, error) {
	panic("out of luck")
}

func TestPanicInAStageIsAnError(t *testing.T) {
	defer goleak.VerifyNone(t)
	pipe := flow.New(sources.Folder{Path: pictures(t)}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, broken{}, stages.Batch{Size: 4})
	_, err := pipe.Run(t.Context(), &sink{})
	if err == nil || !strings.Contains(err.Error(), "stages: broken: panic: out of luck") {
		t.Errorf("error %v", err)
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	pipe := flow.New(
		sources.Folder{},
		stages.Flip{},
		stages.Decode{},
		stages.Rotate{},
		stages.Batch{Size: 4},
		stages.Crop{Size: 0.5},
		stages.Batch{Size: -1},
	)
	_, err := pipe.Plan(t.Context(), flow.Epochs(-1))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"epochs is -1", "sources: folder: path", "stages: flip: p", "stages: rotate: degrees",
		"stages: batch: the rows still vary in size", "stages: crop: works on single rows", "stages: batch_2: size"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	var pipeline *flow.PipelineError
	if !errors.As(err, &pipeline) {
		t.Errorf("%T is no PipelineError", err)
	}
}

func TestSamplersMustComeInOrder(t *testing.T) {
	dir := pictures(t)
	_, err := flow.New(sources.Folder{Path: dir}, stages.Shuffle{}, stages.Rebalance{Target: stages.ClassBalanced}, stages.Decode{}).Plan(t.Context())
	if err == nil || !strings.Contains(err.Error(), "rebalance: comes after shuffle") {
		t.Errorf("error %v", err)
	}
}

func TestVaryingAndEncodedRows(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := pictures(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rows := 0
	for batch, err := range flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Crop{Size: 0.5}).Batches(t.Context(), flow.Allocator(mem)) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch.Rows() {
			p := batch.Picture(i)
			if batch.Form != schema.FormVarying || len(p.U8) != 3*p.Height*p.Width || p.Height < 15 {
				t.Fatalf("%s picture %dx%d of %d bytes", batch.Form, p.Height, p.Width, len(p.U8))
			}
			rows++
		}
	}
	for batch, err := range flow.New(sources.Folder{Path: dir}, stages.Take{Count: 3}).Batches(t.Context(), flow.Allocator(mem)) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch.Rows() {
			want, err := os.ReadFile(filepath.Join(dir, batch.Key(i)))
			if err != nil || !bytes.Equal(batch.Encoded(i), want) {
				t.Errorf("%s: other bytes than the file's (%v)", batch.Key(i), err)
			}
			rows++
		}
	}
	if rows != 35+3 {
		t.Errorf("%d rows", rows)
	}
}

func TestClassWeightsAndCounts(t *testing.T) {
	dir := pictures(t)
	pipe := flow.New(sources.Folder{Path: dir}, stages.ClassWeights{Weights: stages.Weights{Rule: stages.InverseWeights}},
		stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 64})
	for batch, err := range pipe.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for i, label := range batch.Labels(0) {
			n := []float64{23, 9, 3}[label]
			if want := float32(35 / (3 * n)); batch.Weights()[i] != want {
				t.Fatalf("%s: weight %v, want %v", batch.Key(i), batch.Weights()[i], want)
			}
		}
	}
}

// The plan hash covers what changes bytes, and nothing else.
func TestPlanHash(t *testing.T) {
	dir := pictures(t)
	hash := func(pipe *flow.Pipeline, opts ...flow.Option) string {
		plan, err := pipe.Plan(t.Context(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer plan.Close()
		return plan.Info().PlanHash
	}
	base := hash(recipe(dir))
	copied := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for name, same := range map[string]string{
		"workers": hash(recipe(dir), flow.Workers(5), flow.Queue(9)), "epochs": hash(recipe(dir), flow.Epochs(9)),
		"exec": hash(recipe(dir), flow.Exec(flow.Fused)), "path": hash(recipe(copied)),
	} {
		if same != base {
			t.Errorf("%s changes the plan hash", name)
		}
	}
	for name, other := range map[string]string{
		"seed": hash(recipe(dir), flow.Seed(1)), "fuse": hash(recipe(dir), flow.WithFuse(flow.FuseExact)),
		"params": hash(recipe(dir), flow.WithParams()), "reference": hash(recipe(dir), flow.Exec(flow.Reference)),
		"stages": hash(flow.New(sources.Folder{Path: dir}, recipe(dir).Stages[:9]...)),
	} {
		if other == base {
			t.Errorf("%s does not change the plan hash", name)
		}
	}
	write(t, filepath.Join(copied, "rare", "zz.jpg"), []byte("one more"))
	if hash(recipe(copied)) == base {
		t.Error("another file does not change the plan hash")
	}
}

func TestProgressAndReport(t *testing.T) {
	defer goleak.VerifyNone(t)
	var last flow.Progress
	report, err := recipe(pictures(t)).Run(t.Context(), &sink{}, flow.OnProgress(func(p flow.Progress) { last = p }))
	if err != nil {
		t.Fatal(err)
	}
	if last.Rows != 35 || last.TotalRows != 35 || report.Rows != 35 || report.Batches != 15 || report.Exec != flow.Fused {
		t.Errorf("progress %+v, report %+v", last, report)
	}
	delivered := report.Delivered["class"]
	if delivered["common"]+delivered["middle"]+delivered["rare"] != 35 || delivered["rare"] <= 3 {
		t.Errorf("delivered %v", delivered)
	}
}

// The body borrows its batch until it ends, whatever happens to the context.
func TestCancelInTheBody(t *testing.T) {
	defer goleak.VerifyNone(t)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for batch, err := range recipe(pictures(t)).Batches(ctx, flow.Allocator(mem)) {
		if last = err; err != nil {
			break
		}
		cancel()
		time.Sleep(20 * time.Millisecond)
		if len(batch.Float32()) != batch.Rows()*batch.Tensor.Elements() {
			t.Error("the batch was taken away")
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the loop ended with %v", last)
	}
}

type panickySink struct{ sink }

func (*panickySink) Write(context.Context, *schema.Batch) error { panic("sink boom") }

func TestPanicInASinkIsAnError(t *testing.T) {
	defer goleak.VerifyNone(t)
	_, err := recipe(pictures(t)).Run(t.Context(), &panickySink{})
	if err == nil || !strings.Contains(err.Error(), "sink boom") {
		t.Errorf("error %v", err)
	}
}
