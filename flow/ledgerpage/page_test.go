package ledgerpage_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/flow/ledgerpage"
	"github.com/sluicedata/sluice/schema"
)

func exposure(samples, rows, distinct int64, strength float64) flow.Exposure {
	return flow.Exposure{
		Quota: rows + 1, Drawn: rows + 1, Failed: 1, Delivered: rows, Distinct: distinct, Repeats: rows - distinct, Samples: samples,
		Weight: 0.5, WeightShare: 0.25, Strength: map[string]float64{"rotate": strength},
	}
}

func written(t *testing.T, p ledgerpage.Page, l *ledgerpage.Ledger) string {
	t.Helper()
	var out bytes.Buffer
	if err := p.Write(&out, l); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The page has the figures that it was given, in bars, curves and the table, and nothing from
// elsewhere.
func TestPage(t *testing.T) {
	l := &ledgerpage.Ledger{PlanHash: "abc", About: "A run."}
	l.Ledger = map[string]map[string]flow.Exposure{"class": {"rare <b>": exposure(3, 40, 3, 1.5), "common": exposure(400, 200, 180, 0.25), "a name that is longer than the room": exposure(9, 9, 9, 1), "": exposure(0, 2, 2, 1)}}
	for e := range 3 {
		l.ByEpoch = append(l.ByEpoch, flow.EpochExposure{Epochs: [2]int{2 * e, 2*e + 2}, Ledger: map[string]map[string]flow.Exposure{
			"class": {"rare <b>": exposure(3, int64(10+2*e), 3, 0.5*float64(e)), "common": exposure(400, 66, 66, 0.25)},
		}})
	}
	html := written(t, ledgerpage.Page{Title: "p.yaml"}, l)
	for _, want := range []string{
		"<title>sluice ledger: p.yaml</title>", "A run. Plan <code>abc</code>", "4 classes", `data-class="rare &lt;b&gt;"`,
		"400 → 200 ×0.5", "3 → 40 ×13.3", "<th>rotate strength</th>", "<td>41</td>", "<td>1.5</td>", "(unknown)",
		`aria-label="mean strength of rotate"`, `aria-label="rows an epoch"`, ">epoch 0-1</text>", ">4-5</text>", ">a name that is longer…</text>", `data-class="a name that is longer than the room"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("%q isn't in the page", want)
		}
	}
	if strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "http") || strings.Contains(html, "rare <b>") || strings.Contains(html, "<th>refilled</th>") || strings.Contains(html, "NaN") {
		t.Error("the page has what it should not")
	}
	if html != written(t, ledgerpage.Page{Title: "p.yaml"}, l) {
		t.Error("the same ledger gives another page")
	}
	// The curve of rows an epoch: 5, 6, 7 of at most 40, from the bottom.
	_, plot, _ := strings.Cut(html, `aria-label="rows an epoch"`)
	found := regexp.MustCompile(`points="([^"]*)"><title>rare`).FindStringSubmatch(plot)
	if found == nil {
		t.Fatal("no curve of the rare class")
	}
	var heights []float64
	for point := range strings.SplitSeq(found[1], " ") {
		_, y, _ := strings.Cut(point, ",")
		v, err := strconv.ParseFloat(y, 64)
		if err != nil {
			t.Fatal(err)
		}
		heights = append(heights, (154-v)/144*40)
	}
	for i, want := range []float64{5, 6, 7} {
		if len(heights) != 3 || heights[i] < want-0.05 || heights[i] > want+0.05 {
			t.Errorf("the curve is at %v, want 5 6 7", heights)
			break
		}
	}
}

// Of many classes, the commonest and the rarest are shown.
func TestManyClasses(t *testing.T) {
	classes := map[string]flow.Exposure{}
	for i := range 500 {
		classes[fmt.Sprintf("c%03d", i)] = exposure(int64(1000-i), 10, 10, 1)
	}
	l := new(ledgerpage.Ledger)
	l.Ledger = map[string]map[string]flow.Exposure{"class": classes}
	html := written(t, ledgerpage.Page{Classes: 6}, l)
	if n := strings.Count(html, `class="bar"`); n != 6 || !strings.Contains(html, "494 classes in between") || !strings.Contains(html, `data-class="c000"`) ||
		!strings.Contains(html, `data-class="c499"`) || strings.Contains(html, `data-class="c100"`) || strings.Contains(html, "By epoch") {
		t.Errorf("%d bars", n)
	}
}

func TestRead(t *testing.T) {
	report := flow.Report{PlanHash: "abc", Ledger: map[string]map[string]flow.Exposure{"class": {"a": exposure(3, 40, 3, 1.5)}}}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledgerpage.Read(text)
	if err != nil || l.PlanHash != "abc" || l.Ledger["class"]["a"].Delivered != 40 || l.Ledger["class"]["a"].Strength["rotate"] != 1.5 {
		t.Errorf("%v: %+v", err, l)
	}
	state := flow.State{Epoch: 2, Batch: 3, Tasks: []schema.Task{{Name: "class", Classes: []string{"a", "b"}}}, Ledger: &flow.StateLedger{
		Columns: []string{"quota", "drawn", "delivered", "failed", "refilled", "filled", "distinct", "weight", "rotate"}, Weight: 40,
		Tasks: map[string][][]float64{
			"class": {{21, 21, 20, 1, 0, 0, 5, 10, 30}, {0, 0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0, 0}},
			"boxes": {{7, 7, 7, 0, 0, 0, 6, 7, 7}, {0, 0, 0, 0, 0, 0, 0, 0, 0}},
		},
		Samples: map[string][]int64{"boxes": {8, 0}}, Several: []schema.Task{{Name: "boxes", Classes: []string{"car"}}},
	}}
	if text, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	l, err = ledgerpage.Read(text)
	if err != nil || len(l.Ledger["class"]) != 2 {
		t.Fatalf("%v: %+v", err, l)
	}
	if x := l.Ledger["class"]["a"]; x.Quota != 21 || x.Failed != 1 || x.Repeats != 15 || x.Weight != 0.5 || x.WeightShare != 0.25 || x.Strength["rotate"] != 1.5 {
		t.Errorf("%+v", x)
	}
	if x := l.Images["boxes"]["car"]; len(l.Images) != 1 || x.Delivered != 7 || x.Samples != 8 || x.Repeats != 1 {
		t.Errorf("objects: %+v", l.Images)
	}
	if l, err := ledgerpage.Read([]byte(`{"images": {"boxes": {"car": {"delivered": 3}}}}`)); err != nil || l.Images["boxes"]["car"].Delivered != 3 {
		t.Errorf("%v: %+v", err, l)
	}
	for text, want := range map[string]string{
		`{"masks": [{"class": "cat"}]}`: "sluice inspect counts the pixels", `{"epoch": 1}`: "it is a state of samples without classes",
		"[": "isn't JSON", `{"rows": 3}`: "has no ledger", `{"ledger": 3}`: "cannot be read", `{"ledger": {}, "epoch": -1}`: "damaged",
	} {
		if _, err := ledgerpage.Read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// The ledgers of ranks add up to that of one process: counts exactly, means by rows; what cannot be
// added up is refused.
func TestMerge(t *testing.T) {
	of := func(rank int, x ...flow.Exposure) *ledgerpage.Ledger {
		l := &ledgerpage.Ledger{PlanHash: "abc", Rank: &rank}
		l.Ledger = map[string]map[string]flow.Exposure{"class": {"a": x[0], "b": x[1]}}
		l.ByEpoch = []flow.EpochExposure{{Epochs: [2]int{0, 1}, Ledger: l.Ledger}}
		return l
	}
	a := of(0, flow.Exposure{Quota: 5, Drawn: 6, Delivered: 4, Failed: 1, Refilled: 1, Distinct: 3, Repeats: 1, Samples: 4, Weight: 0.5, WeightShare: 0.25, Strength: map[string]float64{"rotate": 1}},
		flow.Exposure{Quota: 6, Drawn: 6, Delivered: 6, Distinct: 6, Samples: 20, Weight: 1, WeightShare: 0.75})
	b := of(1, flow.Exposure{Quota: 12, Drawn: 12, Delivered: 12, Filled: 2, Distinct: 4, Repeats: 8, Samples: 4, Weight: 0.25, WeightShare: 0.75, Strength: map[string]float64{"rotate": 0.5}},
		flow.Exposure{Quota: 1, Drawn: 1, Delivered: 1, Distinct: 1, Samples: 20, Weight: 1, WeightShare: 0.25})
	sum, err := ledgerpage.Merge([]string{"0.json", "1.json"}, []*ledgerpage.Ledger{a, b})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]flow.Exposure{
		"a": {Quota: 17, Drawn: 18, Delivered: 16, Failed: 1, Refilled: 1, Filled: 2, Distinct: 4, Repeats: 12, Samples: 4, Weight: 5.0 / 16, WeightShare: 5.0 / 12, Strength: map[string]float64{"rotate": 10.0 / 16}},
		"b": {Quota: 7, Drawn: 7, Delivered: 7, Distinct: 7, Samples: 20, Weight: 1, WeightShare: 7.0 / 12},
	}
	for _, have := range []map[string]flow.Exposure{sum.Ledger["class"], sum.ByEpoch[0].Ledger["class"]} {
		if !reflect.DeepEqual(have, want) {
			t.Errorf("%+v\nwant %+v", have, want)
		}
	}
	b.ByEpoch[0].Epochs = [2]int{0, 2}
	if sum, err := ledgerpage.Merge([]string{"0.json", "1.json"}, []*ledgerpage.Ledger{a, b}); err != nil || sum.ByEpoch != nil || sum.Ledger["class"]["a"].Quota != 17 {
		t.Errorf("of other epochs: %v, %+v", err, sum)
	}
	other, none := of(2, a.Ledger["class"]["a"], a.Ledger["class"]["b"]), of(3, a.Ledger["class"]["a"], a.Ledger["class"]["b"])
	other.PlanHash, none.PlanHash = "abd", ""
	for want, list := range map[string][]*ledgerpage.Ledger{
		"x and y are both of rank 0": {a, a}, "x and y are of different plans": {a, other}, "y doesn't say of which plan": {a, none},
	} {
		if _, err := ledgerpage.Merge([]string{"x", "y"}, list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The state of a Loader of the Python package has a place, the engine's state, and a ledger as text.
func TestReadOfLoader(t *testing.T) {
	of := func(ledger any) []byte {
		text, err := json.Marshal(map[string]any{
			"version": 1, "epoch": 1, "batch": 2, "variant": 0, "rank": 3, "world_size": 4, "ledger": ledger,
			"engine": map[string]any{"plan_hash": strings.Repeat("ab", 32), "tasks": []any{map[string]any{"name": "class", "classes": []string{"a"}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	l, err := ledgerpage.Read(of(`{"columns": ["quota", "drawn", "delivered", "failed", "refilled", "filled", "distinct", "weight"],
		"weight": 9, "samples": {"class": [7, 0]}, "tasks": {"class": [[9, 9, 9, 0, 0, 0, 7, 9], [0, 0, 0, 0, 0, 0, 0, 0]]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if x := l.Ledger["class"]["a"]; *l.Rank != 3 || l.PlanHash == "" || l.About != "A run up to epoch 1, batch 2." || x.Delivered != 9 || x.Samples != 7 || x.Repeats != 2 {
		t.Errorf("%+v", l)
	}
	for want, ledger := range map[string]any{"has no ledger": nil, "cannot be read": "{", "it has no ledger": "null", "cannot be read: ": 3} {
		if _, err := ledgerpage.Read(of(ledger)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ledger %v: error %v, want %q", ledger, err, want)
		}
	}
}
