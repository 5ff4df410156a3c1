package pipefile

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

func TestFormat(t *testing.T) {
	no := false
	p := flow.New(
		sources.Split{Source: folder{Path: "data/tr ain", Tasks: []string{"shape", "yes", "7", "a: b", ""}}, Val: 0.1, Use: sources.Val},
		decode{},
		rotate{Degrees: stages.Range{-30, 1e-8}, P: 1, Side: "horizontal"},
		rotate{Degrees: stages.Range{0, 90}, P: 0.25, Side: "vertical", Smooth: &no, Fill: 3},
		crop{Size: 0.5}, crop{Height: 224},
		batch{Size: 32},
	)
	p.Settings = flow.Settings{Seed: math.MaxUint64, Epochs: 3, Fuse: flow.FuseExact, Workers: 4}
	const want = `version: 1
seed: 18446744073709551615
epochs: 3
fuse: exact
source: {folder: {path: "data/tr ain", tasks: [shape, yes, "7", "a: b", ""]}}
split: {val: 0.1, use: val}
stages:
  - decode: {}
  - rotate: {degrees: [-30, 1e-8]}
  - rotate: {degrees: [0, 90], fill: 3, side: vertical, smooth: false, p: 0.25}
  - crop: {size: 0.5}
  - crop: {height: 224}
  - batch: {size: 32}
`
	have, err := Format(p, fakes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Error(diff)
	}
}

func idsAreReadable() bool {
	_, ok := flow.WithID("a", decode{}).(identified)
	return ok
}

func TestFormatID(t *testing.T) {
	p := flow.New(folder{Path: "d"}, flow.WithID("tilt", rotate{Degrees: stages.Range{-1, 1}}))
	if !idsAreReadable() {
		t.Skip("flow.WithID's type has no methods ID and Unwrap yet")
	}
	text, err := Format(p, fakes)
	if err != nil || !strings.Contains(string(text), "{degrees: [-1, 1], id: tilt}") {
		t.Fatalf("have %s, %v", text, err)
	}
	if back, err := parsePipeline("f", text, "", fakes, false); err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("have %+v, %v", back, err)
	}
}

// TestFormatRefuses: what a file cannot hold is an error, never another pipeline.
func TestFormatRefuses(t *testing.T) {
	source := folder{Path: "d"}
	for want, p := range map[string]*flow.Pipeline{
		"no source":                flow.New(nil),
		"stage 1 is nil":           flow.New(source, nil),
		"not in the catalogue":     flow.New(source, stranger{}),
		"source split is not in":   flow.New(sources.Split{Source: sources.Split{Source: source, Val: 0.5}, Val: 0.5}),
		"what a file can give":     flow.New(source, impostor{batch{Size: 1}}),
		"degrees":                  flow.New(source, rotate{Degrees: stages.Range{math.NaN(), 1}}),
		"give at least 1":          flow.New(source, batch{}),
		"--params":                 {Source: source, Settings: flow.Settings{Params: true}},
		"--exec":                   {Source: source, Settings: flow.Settings{Exec: flow.Reference}},
		`unknown value "sideways"`: flow.New(source, rotate{Degrees: stages.Range{0, 1}, Side: "sideways"}),
		"-1 is negative":           {Source: source, Settings: flow.Settings{Epochs: -1}},
	} {
		if text, err := Format(p, fakes); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %s, %v; want an error with %q", text, err, want)
		}
	}
}

type stranger struct{ decode }

func (stranger) Name() string { return "stranger" }

type impostor struct{ batch }

// TestRoundTrip: any pipeline that can be written reads back equal.
func TestRoundTrip(t *testing.T) {
	number := rapid.Float64Range(-1e300, 1e300)
	text := rapid.String().Filter(func(s string) bool { return s != "" })
	rapid.Check(t, func(t *rapid.T) {
		lo := number.Filter(func(f float64) bool { return f != 0 }).Draw(t, "lo")
		yes := rapid.Bool().Draw(t, "smooth")
		p := flow.New(
			table{File: "/" + text.Draw(t, "file"), More: rapid.SliceOf(text).Draw(t, "more")},
			rotate{
				Degrees: stages.Range{lo, max(lo, number.Draw(t, "hi"))}, Fill: rapid.Byte().Draw(t, "fill"),
				Side: rapid.SampledFrom([]side{"horizontal", "vertical"}).Draw(t, "side"), Smooth: &yes,
				P: stages.Probability(rapid.Float64Range(1e-300, 1).Draw(t, "p")),
			},
			crop{Size: stages.Extent(rapid.OneOf(rapid.Float64Range(1e-9, 0.999), rapid.Map(rapid.IntRange(1, 1<<20),
				func(n int) float64 { return float64(n) })).Draw(t, "size"))},
			decode{Limit: rapid.Int64Min(1).Draw(t, "limit")},
		)
		p.Settings.Seed = rapid.Uint64().Draw(t, "seed")
		file, err := Format(p, fakes)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parsePipeline("f", file, "", fakes, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(p, back); err != nil {
			t.Fatalf("%v in\n%s", err, file)
		}
	})
}
