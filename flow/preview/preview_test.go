package preview_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/preview"
	"github.com/sluicedata/sluice/internal/demodata"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shapes is a folder of drawn images of ten shapes.
func shapes(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := demodata.Write(t.Context(), demodata.Spec{Dir: dir, Seed: 3, Train: 60, Val: 10}, nil); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "train")
}

func plan(t *testing.T, pipe *flow.Pipeline, opts ...flow.Option) *flow.Plan {
	t.Helper()
	p, err := pipe.Plan(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func pipeline(dir string) *flow.Pipeline {
	return flow.New(sources.Folder{Path: dir, Tasks: []string{"shape", "color"}},
		stages.Rebalance{Target: stages.SquareRoot, Task: stages.TaskNames{"shape"}},
		stages.Decode{}, stages.ColorJitter{Hue: stages.Range{-0.2, 0.2}, P: 1}, stages.Rotate{Degrees: stages.Range{-30, 30}},
		stages.Resize{Height: 16, Width: 16}, stages.Batch{Size: 8})
}

func TestPage(t *testing.T) {
	p := plan(t, pipeline(shapes(t)), flow.Seed(1))
	var first, second, few bytes.Buffer
	report, err := preview.Page{Title: "shapes & colours"}.Write(t.Context(), &first, p)
	if err != nil {
		t.Fatal(err)
	}
	if report.Classes != 10 || report.Draws < 10 || report.Draws > 40 || report.Failed+report.Refilled+report.Filled != 0 || report.PlanHash != p.Info().PlanHash {
		t.Errorf("%+v", report)
	}
	text := first.String()
	for _, want := range []string{
		"<!doctype html>", "<title>sluice preview: shapes &amp; colours</title>", "data:image/png;base64,", ">rotate</dt>", "<dd>hue ",
		`data-task="shape"`, `data-task="color"`, p.Info().PlanHash, "the operators of the plan",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page doesn't hold %s", want)
		}
	}
	if n := strings.Count(text, `<figure class="draw"`); n != report.Draws {
		t.Errorf("%d draws are shown, and %d reported", n, report.Draws)
	}
	if strings.Contains(text, "http://") || strings.Contains(text, "https://") {
		t.Error("the page refers to something else")
	}
	if _, err := (preview.Page{Title: "shapes & colours"}).Write(t.Context(), &second, p); err != nil || second.String() != text {
		t.Errorf("written again, the page is another: %v", err)
	}
	report, err = preview.Page{PerClass: 1, Classes: 2, Task: "color"}.Write(t.Context(), &few, p)
	if err != nil || report.Classes != 2 || report.Draws != 2 {
		t.Errorf("one draw of two colours: %+v, %v", report, err)
	}
}

// TestUnmixed: the page says that mixing isn't shown, where there is some.
func TestUnmixed(t *testing.T) {
	dir := shapes(t)
	page := func(more ...stages.Stage) string {
		var b bytes.Buffer
		pipe := flow.New(sources.Folder{Path: dir, Tasks: []string{"shape", "color"}}, append([]stages.Stage{stages.Shuffle{}, stages.Decode{}, stages.Resize{Height: 16, Width: 16}, stages.Batch{Size: 8}}, more...)...)
		if _, err := (preview.Page{PerClass: 1}).Write(t.Context(), &b, plan(t, pipe)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if text := page(stages.MixUp{Alpha: 1, P: 0.5}, stages.When{Stage: stages.CutMix{Alpha: 1, P: 1}, Epochs: stages.EpochSpan{1, 0}}); !strings.Contains(text, "these are its pictures before mixup, cutmix.") {
		t.Error("the page doesn't say that the pictures aren't mixed")
	}
	if text := page(); strings.Contains(text, "isn't shown") {
		t.Error("the page tells of mixing, and there is none")
	}
}

// TestStagesWithin are named with what they drew, without the keys of their JSON.
func TestStagesWithin(t *testing.T) {
	turn := stages.Rotate{Degrees: stages.Range{-30, 30}}
	p := plan(t, flow.New(sources.Folder{Path: shapes(t), Tasks: []string{"shape", "color"}}, stages.Decode{},
		stages.OneOf{Stages: stages.StageList{turn}},
		stages.SomeOf{Stages: stages.StageList{stages.Invert{P: 1}, turn}, N: 2},
		stages.OneOf{Stages: stages.StageList{stages.RandAugment{}}}, stages.RandAugment{}, stages.TrivialAugmentWide{},
		stages.Resize{Height: 16, Width: 16}, stages.Batch{Size: 8}))
	var page bytes.Buffer
	report, err := preview.Page{}.Write(t.Context(), &page, p)
	if err != nil {
		t.Fatal(err)
	}
	const op = `[a-z_]+ -?[0-9.]+`
	for _, want := range []string{
		`<dt>one_of</dt><dd>rotate degrees -?[0-9.]+[^<]*</dd>`,
		`<dt>some_of</dt><dd>invert, then rotate degrees -?[0-9.]+[^<]*</dd>`,
		`<dt>one_of_2</dt><dd>rand_augment ` + op + `, then ` + op + `</dd>`,
		`<dt>rand_augment</dt><dd>` + op + `, then ` + op + `</dd>`,
		`<dt>trivial_augment_wide</dt><dd>` + op + `</dd>`,
	} {
		if n := len(regexp.MustCompile(want).FindAllString(page.String(), -1)); n != report.Draws {
			t.Errorf("%s: %d of %d draws", want, n, report.Draws)
		}
	}
	if t.Failed() {
		t.Log(regexp.MustCompile(`<dl>.*</dl>`).FindString(page.String()))
	}
}

func TestRefused(t *testing.T) {
	dir := shapes(t)
	p := plan(t, pipeline(dir))
	encoded := plan(t, flow.New(sources.Folder{Path: dir, Tasks: []string{"shape", "color"}}, stages.Batch{Size: 4}))
	cancelled, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	for _, c := range []struct {
		name string
		ctx  context.Context
		page preview.Page
		plan *flow.Plan
		want string
	}{
		{"no decode", t.Context(), preview.Page{}, encoded, "no decode stage"},
		{"a task that isn't there", t.Context(), preview.Page{Task: "hue"}, p, `task "hue": the tasks are shape, color`},
		{"less than nothing", t.Context(), preview.Page{PerClass: -1}, p, "give numbers above 0"},
		{"cancelled", cancelled, preview.Page{}, p, "enough"},
	} {
		var out bytes.Buffer
		report, err := c.page.Write(c.ctx, &out, c.plan)
		if report != nil || err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("%s: %+v, %v, and %d bytes", c.name, report, err, out.Len())
		}
	}
}

// TestFailures are shown as on_error has them.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	source := shapes(t)
	kept := 0
	err := filepath.WalkDir(source, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || kept == 6 {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if kept++; kept%2 == 0 {
			data = data[:40] // its header at most
		}
		return os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d%s", kept, filepath.Ext(path))), data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	pipe := flow.New(sources.Folder{Path: dir}, stages.Decode{}, stages.Resize{Height: 8, Width: 8}, stages.Batch{Size: 2})
	var out bytes.Buffer
	if _, err := (preview.Page{}).Write(t.Context(), &out, plan(t, pipe)); err == nil || out.Len() > 0 {
		t.Errorf("on_error: fail: %v, and %d bytes", err, out.Len())
	}
	skip := flow.OnError(flow.Failures{Policy: flow.Skip, Max: flow.Limit{Share: 1}})
	report, err := preview.Page{}.Write(t.Context(), &out, plan(t, pipe, skip))
	if err != nil || report.Draws != 6 || report.Failed != 3 || strings.Count(out.String(), "left out: ") != 3 {
		t.Errorf("skipped: %+v, %v", report, err)
	}
	for i := 1; i < 6; i += 2 { // the whole ones
		names, _ := filepath.Glob(filepath.Join(dir, fmt.Sprintf("%d.*", i)))
		if err := os.Remove(names[0]); err != nil {
			t.Fatal(err)
		}
	}
	out.Reset()
	_, err = preview.Page{}.Write(t.Context(), &out, plan(t, pipe, skip))
	row := new(flow.RowError)
	if err == nil || !strings.Contains(err.Error(), "each of 3 draws failed") || !errors.As(err, &row) || out.Len() > 0 {
		t.Errorf("nothing but failures: %v, and %d bytes", err, out.Len())
	}
}
