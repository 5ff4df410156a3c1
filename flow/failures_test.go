package flow_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	gsflow "github.com/reugn/go-streams/flow"
	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sinks"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// brokenPictures is pictures with files that fail in several ways.
func brokenPictures(t testing.TB) string {
	t.Helper()
	dir := pictures(t)
	for i, name := range []string{"common/03.jpg", "common/11.jpg", "middle/04.jpg", "rare/01.jpg"} {
		name = filepath.Join(dir, name)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			data = data[:len(data)/2]
		case 1:
			data = []byte("<html>not found</html>")
		case 2:
			data = nil
		}
		write(t, name, data)
	}
	return dir
}

// rowsOf lists key, epoch and position of every row of a run, and its report.
func rowsOf(t testing.TB, pipe *flow.Pipeline, opts ...flow.Option) (list []string, report *flow.Report) {
	t.Helper()
	s := &lister{}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	report, err := pipe.Run(t.Context(), s, append(slices.Clip(opts), flow.Allocator(mem))...)
	if err != nil {
		t.Fatal(err)
	}
	mem.AssertSize(t.(assertT), 0)
	return s.rows, report
}

type lister struct {
	sink
	rows    []string
	batches []string
}

func (s *lister) Write(ctx context.Context, b *schema.Batch) error {
	s.batches = append(s.batches, fmt.Sprintf("%d/%d/%d:%d", b.Epoch, b.Number, b.Variant, b.Rows()))
	if b.Variant == 0 {
		for i, position := range b.Positions() {
			s.rows = append(s.rows, fmt.Sprintf("%s %d/%d", b.Key(i), b.Epoch, position))
		}
	}
	return s.sink.Write(ctx, b)
}

func TestSkip(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := brokenPictures(t)
	file := filepath.Join(t.TempDir(), "sub", "bad.jsonl")
	on := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Count: 99}, Quarantine: file})
	var want []string
	var wantFile []byte
	var hash string
	for workers := 1; workers <= 8; workers++ {
		rows, report := rowsOf(t, recipe(dir), on, flow.Epochs(2), flow.Workers(workers), flow.Readers(1+workers%3))
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		print := fingerprint(t, recipe(dir), on, flow.Epochs(2), flow.Workers(workers))
		if want == nil {
			want, wantFile, hash = rows, data, print
		}
		if !slices.Equal(rows, want) || string(data) != string(wantFile) || print != hash {
			t.Fatalf("%d workers: other rows or other lines:\n%s\n%s", workers, data, wantFile)
		}
		lines := int64(strings.Count(string(data), "\n"))
		if report.Drawn != 70 || report.Failed != lines || report.Rows != 70-lines || report.Refilled != 0 || lines < 4 {
			t.Errorf("report %+v with %d lines", report, lines)
		}
		for class, x := range report.Ledger["class"] {
			if x.Quota != x.Delivered+x.Failed || x.Drawn != x.Quota || x.Delivered != x.Distinct+x.Repeats {
				t.Errorf("class %s: %+v", class, x)
			}
		}
	}
	for _, text := range []string{`"key":"rare/01.jpg"`, `"stage":"decode"`, `"attempt":0`, "not supported"} {
		if !strings.Contains(string(wantFile), text) {
			t.Errorf("no %s in\n%s", text, wantFile)
		}
	}
	// Nothing moves up: the rows that are there are those of a run without failures.
	whole, _ := rowsOf(t, recipe(pictures(t)), flow.Epochs(2))
	for _, row := range want {
		if !slices.Contains(whole, row) {
			t.Errorf("%s is not in the unbroken run", row)
		}
	}
}

func TestRefill(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := brokenPictures(t)
	file := filepath.Join(t.TempDir(), "bad.jsonl")
	on := flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 1}, Quarantine: file})
	var want []string
	var wantFile []byte
	hash := ""
	for workers := 1; workers <= 8; workers++ {
		rows, report := rowsOf(t, recipe(dir), on, flow.Epochs(2), flow.Workers(workers))
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		print := fingerprint(t, recipe(dir), on, flow.Epochs(2), flow.Workers(workers), flow.WithParams())
		if want == nil {
			want, wantFile, hash = rows, data, print
		}
		if !slices.Equal(rows, want) || string(data) != string(wantFile) || print != hash {
			t.Fatalf("%d workers: other rows or other lines:\n%s\n%s", workers, data, wantFile)
		}
		if report.Drawn != 70 || report.Failed != 0 || report.Rows != 70 || report.Refilled < 4 {
			t.Errorf("report %+v", report)
		}
		for class, x := range report.Ledger["class"] {
			if x.Quota != x.Delivered || x.Drawn <= x.Quota || x.Refilled == 0 || x.Delivered != x.Distinct+x.Repeats {
				t.Errorf("class %s: %+v", class, x)
			}
		}
	}
	// Every row is of the class that the plan drew, and other rows stay as they are.
	whole, _ := rowsOf(t, recipe(pictures(t)), flow.Epochs(2))
	changed := 0
	for i := range want {
		if want[i] == whole[i] {
			continue
		}
		changed++
		a, _, _ := strings.Cut(want[i], "/")
		b, _, _ := strings.Cut(whole[i], "/")
		if a != b || strings.Fields(want[i])[1] != strings.Fields(whole[i])[1] {
			t.Errorf("%s became %s", whole[i], want[i])
		}
	}
	if changed < 4 {
		t.Errorf("%d rows changed", changed)
	}
	// replay: a single draw is what the run delivered.
	plan, err := recipe(dir).Plan(t.Context(), on)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	for position := range int64(35) {
		row, err := plan.Row(t.Context(), 0, position)
		if err != nil || fmt.Sprintf("%s 0/%d", row.Meta.Key, position) != want[position] {
			t.Errorf("%v, %v; want %s", row, err, want[position])
		}
	}
}

// A class of which every draw failed is a warning at the end of the run, and the samples
// are in the report; one that a refill saved isn't.
func TestClassVanishes(t *testing.T) {
	dir := pictures(t)
	rare, err := filepath.Glob(filepath.Join(dir, "rare", "*"))
	if err != nil || len(rare) < 2 {
		t.Fatalf("%q, %v", rare, err)
	}
	for i, name := range rare {
		for _, policy := range []flow.Policy{flow.Skip, flow.Refill} {
			write(t, name, []byte("no picture"))
			_, report := rowsOf(t, recipe(dir), flow.OnError(flow.Failures{Policy: policy, Max: flow.Limit{Share: 1}}))
			x := report.Ledger["class"]["rare"]
			want := []string(nil)
			if last := i == len(rare)-1; last {
				want = []string{fmt.Sprintf("task class, class rare: 0 of %d draws delivered: each of them failed (the class has %d samples)", x.Quota, len(rare))}
			} else if x.Delivered == 0 && x.Quota > 0 {
				continue // those that are whole weren't drawn
			}
			if got := report.Remarks(); !slices.Equal(got, want) || len(want) > 0 && !slices.Contains(report.Warnings, want[0]) {
				t.Errorf("%s, %d of %d files broken: %q, want %q; warnings %q", policy, i+1, len(rare), got, want, report.Warnings)
			}
			times := int64(0)
			for _, s := range report.FirstFailed {
				times += s.Times
				if !strings.HasPrefix(s.Key, "rare/") || s.Stage != "decode" || s.Cause == "" {
					t.Errorf("%+v", s)
				}
			}
			if report.FailedSamples > i+1 || report.FailedSamples <= len(report.FirstFailed) && times < report.Failed+report.Refilled {
				t.Errorf("%d broken: %d samples, %+v", i+1, report.FailedSamples, report.FirstFailed)
			}
		}
	}
}

func TestTooManyFailures(t *testing.T) {
	defer goleak.VerifyNone(t)
	file := filepath.Join(t.TempDir(), "bad.jsonl")
	var text, lines string
	dir := brokenPictures(t)
	for workers := 1; workers < 5; workers++ {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		_, err := recipe(dir).Run(t.Context(), &sink{}, flow.Workers(workers), flow.Allocator(mem),
			flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Count: 2}, Quarantine: file}))
		mem.AssertSize(t, 0)
		var many *flow.TooManyFailures
		var row *flow.RowError
		if !errors.As(err, &many) || !errors.As(err, &row) || many.Limit != 2 || many.Failed < 3 {
			t.Fatalf("error %v", err)
		}
		data, _ := os.ReadFile(file)
		if text == "" {
			text, lines = err.Error(), string(data)
		}
		if err.Error() != text || string(data) != lines {
			t.Errorf("%d workers: %v\nwant %s", workers, err, text)
		}
	}
	if lines := strings.Split(text, "\n")[1:]; len(lines) > 4 {
		t.Errorf("more lines than files: %s", text)
	}
	for _, want := range []string{"on_error allows 2", ": decode: ", "(key \""} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	// One percent, rounded up, is the default.
	_, err := recipe(dir).Run(t.Context(), &sink{}, flow.OnError(flow.Failures{Policy: flow.Refill}))
	if err == nil || !strings.Contains(err.Error(), "on_error allows 1 (1% of the run)") && !strings.Contains(err.Error(), "on_error allows 1:") {
		t.Errorf("error %v", err)
	}
}

// A class whose samples all fail leaves a gap: each was tried once.
func TestNothingToRefillWith(t *testing.T) {
	dir := pictures(t)
	for i := range 3 {
		write(t, filepath.Join(dir, "rare", fmt.Sprintf("%02d.jpg", i)), []byte("no image"))
	}
	file := filepath.Join(t.TempDir(), "bad.jsonl")
	_, report := rowsOf(t, recipe(dir), flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Share: 1}, Quarantine: file}))
	x := report.Ledger["class"]["rare"]
	if x.Failed != x.Quota || x.Delivered != 0 || x.Drawn != 3*x.Quota || report.Failed != x.Quota || x.Quota != 6 {
		t.Errorf("%+v", x)
	}
}

// A batch without rows is shown to sinks, which count batches, and to no loop.
func TestEmptyBatch(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := pictures(t)
	for i := range 8 {
		write(t, filepath.Join(dir, "common", fmt.Sprintf("%02d.jpg", i)), []byte("no image"))
	}
	pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 8}, stages.MultiScale{Scales: []float64{1, 2}})
	on := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Count: 8}})
	s := &lister{}
	report, err := pipe.Run(t.Context(), s, on)
	if err != nil || strings.Join(s.batches[:3], " ") != "0/0/0:0 0/0/1:0 0/1/0:8" || report.Empty != 1 || report.Rows != 27 || report.Batches != 8 {
		t.Errorf("%v, batches %v, report %+v", err, s.batches, report)
	}
	n := 0
	for batch, err := range pipe.Batches(t.Context(), on) {
		if err != nil || batch.Rows() == 0 {
			t.Fatal(err)
		}
		n++
	}
	if n != 8 {
		t.Errorf("%d batches", n)
	}
	parts := &sinks.ArrowParts{Dir: t.TempDir(), PartRows: 8}
	if _, err := pipe.Run(t.Context(), parts, on); err != nil {
		t.Fatal(err)
	}
	if r, err := sinks.Verify(t.Context(), parts.Dir); err != nil || len(r.Problems) > 0 {
		t.Errorf("%v %v", r, err)
	}
}

// A run that has nothing to show for its draws is a failure, wherever its batches
// go, and nothing is sealed.
func TestNothingDelivered(t *testing.T) {
	defer goleak.VerifyNone(t)
	_, broken := album()
	pipe := flow.New(hold(broken[:3]), stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 2})
	all := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 1}})
	is := func(what string, err error, draws int64) {
		t.Helper()
		var nothing *flow.NothingDelivered
		if !errors.As(err, &nothing) || nothing.Draws != draws || len(nothing.Last) == 0 || !errors.As(err, new(*flow.RowError)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := &lister{}
	_, err := pipe.Run(t.Context(), s, all, flow.Epochs(2))
	is("Run", err, 6)
	is("what Close is told", s.cause, 6)
	for batch, err := range pipe.Batches(t.Context(), all) {
		if batch != nil {
			t.Error("a batch without rows in a loop")
		}
		is("Batches", err, 3)
	}
	parts := &sinks.ArrowParts{Dir: t.TempDir(), PartRows: 2}
	_, err = pipe.Run(t.Context(), parts, all)
	is("parts", err, 3)
	if _, err := os.Stat(filepath.Join(parts.Dir, "manifest.json")); err == nil {
		t.Error("a data set without rows is sealed")
	}
	// The first part was finished, and is kept: still nothing.
	if _, err := pipe.Run(t.Context(), parts, all); err == nil || !strings.Contains(err.Error(), "no row") {
		t.Errorf("parts, again: %v", err)
	}
	_, err = pipe.Run(t.Context(), &lister{}, all, flow.Rank(0, 2))
	is("a rank", err, 2)

	plan, err := pipe.Plan(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	stream, err := plan.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream.Source().Via(gsflow.NewPassThrough()).To(newForeignSink(func(*schema.Batch) { t.Error("a batch without rows downstream") }))
	_, err = stream.Wait()
	is("Stream", err, 3)

	// What was before a resume is something, and so is nothing left to do.
	for _, state := range []flow.State{{Epoch: 0, Batch: 1, Rows: 2}, {Epoch: 1}} {
		if _, err := pipe.Run(t.Context(), &lister{}, all, flow.Resume(state)); err != nil {
			t.Errorf("from %+v on: %v", state, err)
		}
	}
}

func TestSkipOfOtherForms(t *testing.T) {
	dir := brokenPictures(t)
	on := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Count: 8}})
	_, report := rowsOf(t, flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Crop{Size: 0.5}), on)
	if report.Rows != 31 || report.Failed != 4 {
		t.Errorf("%+v", report)
	}
	// Encoded rows fail where they cannot be read.
	rows, report := rowsOf(t, flow.New(&faulty{Source: sources.Folder{Path: dir}, key: "common/05.jpg"}, stages.Batch{Size: 8}), on)
	if report.Rows != 34 || len(rows) != 34 {
		t.Errorf("%+v", report)
	}
}

// A run that goes on writes no line twice, wherever it was broken off.
func TestQuarantineAfterResume(t *testing.T) {
	dir := brokenPictures(t)
	file := filepath.Join(t.TempDir(), "bad.jsonl")
	on := flow.OnError(flow.Failures{Policy: flow.Refill, Max: flow.Limit{Count: 99}, Quarantine: file})
	run := func(s *sink, opts ...flow.Option) *flow.Report {
		report, err := recipe(dir).Run(t.Context(), s, append(opts, on, flow.Epochs(2))...)
		if err != nil && !errors.Is(err, errSink) {
			t.Fatal(err)
		}
		return report
	}
	whole := run(&sink{})
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for failAt := int64(1); failAt <= 30; failAt += 1 + int64(rand.IntN(3)) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		broken := run(&sink{failAt: failAt})
		data, _ := os.ReadFile(file)
		write(t, file, append(data, `{"key":"torn`...))
		report := run(&sink{}, flow.Resume(broken.State))
		got, err := os.ReadFile(file)
		if err != nil || string(got) != string(want) {
			t.Fatalf("broken at record %d: %v\n%s\nwant\n%s", failAt, err, got, want)
		}
		if s := report.State; s.Rows != 70 || s.Refilled != whole.Refilled {
			t.Errorf("broken at record %d: %d rows, %d refilled", failAt, s.Rows, s.Refilled)
		}
	}
	write(t, file, []byte("my notes\n"))
	if _, err := recipe(dir).Run(t.Context(), &sink{}, on); err == nil || !strings.Contains(err.Error(), "is no entry of a quarantine file") {
		t.Errorf("error %v", err)
	}
}

func TestOnErrorIsChecked(t *testing.T) {
	for want, f := range map[string]flow.Failures{
		"on_error: max: comes with":        {Max: flow.Limit{Count: 1}},
		"on_error: quarantine: comes with": {Policy: flow.Fail, Quarantine: "x"},
		"on_error: policy: \"ignore\"":     {Policy: "ignore"},
		"on_error: max: -1 is no limit":    {Policy: flow.Skip, Max: flow.Limit{Count: -1}},
	} {
		_, err := recipe(".").Plan(t.Context(), flow.OnError(f))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", f, err, want)
		}
	}
	for text, want := range map[string]string{"1%": "1%", "0.25%": "0.25%", "100%": "100%", "25": "25"} {
		if l, err := flow.ParseLimit(text); err != nil || l.String() != want {
			t.Errorf("%s: %v %v", text, l, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "0%", "101%", "NaN%", "x", "1.5"} {
		if l, err := flow.ParseLimit(text); err == nil {
			t.Errorf("%q is read as %v", text, l)
		}
	}
	dir := pictures(t)
	hash := func(f flow.Failures) string {
		plan, err := recipe(dir).Plan(t.Context(), flow.OnError(f))
		if err != nil {
			t.Fatal(err)
		}
		defer plan.Close()
		return plan.Info().PlanHash
	}
	skip := hash(flow.Failures{Policy: flow.Skip})
	if skip == hash(flow.Failures{}) || skip != hash(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Count: 3}, Quarantine: "q"}) || hash(flow.Failures{}) != hash(flow.Failures{Policy: flow.Fail}) {
		t.Error("of on_error, the policy and nothing else belongs into the plan hash")
	}
}

// However slow the sink, it gets the batches before the row that ends the run.
func TestBatchesBeforeAFailureAreDelivered(t *testing.T) {
	defer goleak.VerifyNone(t)
	list, broken := album()
	bad := broken[0]
	bad.key = "zz"
	const before = 6
	pipe := flow.New(hold(append(list[:before:before], bad)), stages.Decode{}, stages.Resize{Height: 4, Width: 4}, stages.Batch{Size: 1})
	for range 5 {
		s := &sink{delay: 5 * time.Millisecond} // long enough for the bad row to come while batches wait
		_, err := pipe.Run(t.Context(), s)
		var row *flow.RowError
		if !errors.As(err, &row) || row.Position != before {
			t.Fatal(err)
		}
		if n := s.writes.Load(); n != before {
			t.Errorf("the sink got %d batches of the %d before the row that ended the run", n, before)
		}
	}
}
