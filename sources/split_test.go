package sources_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/sources/sourcetest"
)

// memory is a source without files: for splits of many samples, and to see that
// a split takes any source.
type memory struct {
	keys   []string
	labels [][]string // per key, of tasks a, b, ...
}

func (memory) Name() string       { return "memory" }
func (memory) Check() error       { return nil }
func (m memory) Close() error     { return nil }
func (memory) Warnings() []string { return []string{"memory: forgets"} }
func (m memory) Index() schema.Index {
	x := &schema.Table{Keys: m.keys, Sizes: make([]int64, len(m.keys))}
	for s, labels := range m.labels {
		x.Sizes[s] = int64(len(m.keys[s]))
		for t, name := range labels {
			if s == 0 {
				x.TaskList = append(x.TaskList, schema.Task{Name: string(rune('a' + t))})
				x.Labels = append(x.Labels, nil)
			}
			n := int32(-1)
			if name != "" {
				for i, class := range x.TaskList[t].Classes {
					if class == name {
						n = int32(i)
					}
				}
				if n < 0 {
					n = int32(len(x.TaskList[t].Classes))
					x.TaskList[t].Classes = append(x.TaskList[t].Classes, name)
				}
			}
			x.Labels[t] = append(x.Labels[t], n)
		}
	}
	return x
}

func (m memory) Open(ctx context.Context) (sources.Dataset, error) { return m, ctx.Err() }
func (m memory) Read(ctx context.Context, s int, _ []byte) ([]byte, error) {
	return []byte(m.keys[s]), ctx.Err()
}

// longTail is n samples of class 0, half as many of class 1 and so on.
func longTail(n int) memory {
	var m memory
	for class := 0; n > 0; class, n = class+1, n/2 {
		for i := range n {
			m.keys = append(m.keys, fmt.Sprintf("%02d/%05d.jpg", class, i))
			m.labels = append(m.labels, []string{fmt.Sprint("class", class)})
		}
	}
	return m
}

// sides opens both sides of a split and checks that they are one whole.
func sides(t *testing.T, s sources.Split) (train, val schema.Index) {
	t.Helper()
	s.Use = sources.Train
	train = open(t, s).Index()
	s.Use = sources.Val
	val = open(t, s).Index()
	whole := open(t, s.Source).Index()
	seen := map[int64]bool{}
	for _, x := range []schema.Index{train, val} {
		if diff := cmp.Diff(whole.Tasks(), x.Tasks()); diff != "" {
			t.Errorf("tasks (-whole +side)\n%s", diff)
		}
		for i, key := range keys(x) {
			n := x.SourceIndex(i)
			if seen[n] || whole.Key(int(n)) != key {
				t.Fatalf("sample %d, %q, says that it was %d", i, key, n)
			}
			seen[n] = true
		}
	}
	if len(seen) != whole.Len() {
		t.Fatalf("the sides hold %d of %d samples", len(seen), whole.Len())
	}
	return train, val
}

func TestSplitConforms(t *testing.T) {
	m := longTail(20)
	sourcetest.Run(t, func() sources.Source { return sources.Split{Source: m, Val: 0.3} })
	sourcetest.Run(t, func() sources.Source { return &sources.Split{Source: m, Val: 0.3, Use: sources.Val, Stratify: true} })
	sourcetest.Run(t, func() sources.Source { // a split of a split
		return sources.Split{Source: sources.Split{Source: m, Val: 0.3}, Val: 0.5}
	})
}

func TestSplitShare(t *testing.T) {
	for _, share := range []float64{0.01, 0.1, 0.5, 0.9} {
		_, val := sides(t, sources.Split{Source: longTail(20000), Val: share})
		n := float64(39998)
		if sd := math.Sqrt(n * share * (1 - share)); math.Abs(float64(val.Len())-n*share) > 4*sd {
			t.Errorf("val has %d of %v samples for a share of %v", val.Len(), n, share)
		}
	}
}

// The hash is part of the contract: 8 bytes of SHA-256 of the key.
func TestSplitHash(t *testing.T) {
	m := memory{keys: []string{"a", "b", "c", "d"}, labels: [][]string{{}, {}, {}, {}}}
	// Python: [int.from_bytes(hashlib.sha256(k).digest()[:8], "big") / 2**64 for k in (b"a", b"b", b"c", b"d")]
	// = 0.7914, 0.2427, 0.1816, 0.0964
	for share, want := range map[float64]string{0.1: "d", 0.2: "cd", 0.25: "bcd", 0.79: "bcd"} {
		_, val := sides(t, sources.Split{Source: m, Val: share})
		if have := strings.Join(keys(val), ""); have != want {
			t.Errorf("share %v: val is %q, want %q", share, have, want)
		}
	}
}

func TestSplitMovesNoneWhenSamplesAreAdded(t *testing.T) {
	small, large := longTail(500), longTail(2000)
	_, before := sides(t, sources.Split{Source: small, Val: 0.2})
	_, after := sides(t, sources.Split{Source: large, Val: 0.2})
	inVal := map[string]bool{}
	for _, key := range keys(after) {
		inVal[key] = true
	}
	for _, key := range keys(before) {
		if !inVal[key] {
			t.Errorf("%q has left val", key)
		}
	}
	known := map[string]bool{}
	for _, key := range small.keys {
		known[key] = true
	}
	n := 0
	for _, key := range keys(after) {
		if known[key] {
			n++
		}
	}
	if n != before.Len() {
		t.Errorf("of the old samples %d are in val, %d were", n, before.Len())
	}
}

func TestSplitStratified(t *testing.T) {
	for _, share := range []float64{0.1, 0.25, 0.5, 0.7} {
		train, val := sides(t, sources.Split{Source: longTail(1000), Val: share, Stratify: true})
		trains, vals := schema.Counts(train, 0), schema.Counts(val, 0)
		for c := range vals {
			n := float64(trains[c] + vals[c])
			if math.Abs(float64(vals[c])-share*n) > 0.5+1e-6 {
				t.Errorf("class %d: val has %d of %v for a share of %v", c, vals[c], n, share)
			}
		}
	}
}

func TestSplitStratifiedByTask(t *testing.T) {
	var m memory
	for i := range 400 {
		a, b := "x", "y"
		if i%4 == 0 {
			a = "rare"
		}
		if i%10 == 0 {
			b = ""
		}
		m.keys, m.labels = append(m.keys, fmt.Sprintf("%04d", i)), append(m.labels, []string{a, b})
	}
	_, val := sides(t, sources.Split{Source: m, Val: 0.25, Stratify: true, Task: "a"})
	if diff := cmp.Diff([]int64{25, 75, 0}, schema.Counts(val, 0)); diff != "" {
		t.Errorf("task a (-want +have)\n%s", diff)
	}
	// Joint: rare and unknown 20, rare and y 80, x and unknown 20, x and y 280.
	_, val = sides(t, sources.Split{Source: m, Val: 0.25, Stratify: true})
	joint := map[string]int{}
	for s := range val.Len() {
		joint[fmt.Sprint(val.Label(0, s), val.Label(1, s))]++
	}
	if diff := cmp.Diff(map[string]int{"0 -1": 5, "0 0": 20, "1 -1": 5, "1 0": 70}, joint); diff != "" {
		t.Errorf("joint (-want +have)\n%s", diff)
	}
}

func TestSplitGroups(t *testing.T) {
	var m memory
	for g := range 200 {
		for i := range 1 + g%7 {
			m.keys = append(m.keys, fmt.Sprintf("c/%03d_%d.jpg", g, i))
			m.labels = append(m.labels, []string{fmt.Sprint(g % 3)})
		}
	}
	for _, pattern := range []string{`^c/([0-9]+)_`, `[0-9]{3}`, `(c)/(\d+)`} {
		for _, stratify := range []bool{false, true} {
			train, val := sides(t, sources.Split{Source: m, Val: 0.3, Group: pattern, Stratify: stratify})
			inVal := map[string]bool{}
			for _, key := range keys(val) {
				inVal[key[:5]] = true
			}
			for _, key := range keys(train) {
				if inVal[key[:5]] {
					t.Fatalf("%s: group of %q is on both sides", pattern, key)
				}
			}
			if !stratify {
				continue
			}
			for c, n := range schema.Counts(val, 0) {
				if want := 0.3 * float64(int64(n)+schema.Counts(train, 0)[c]); math.Abs(float64(n)-want) > 3.5 {
					t.Errorf("%s: class %d: val has %d samples, want %v within half a group", pattern, c, n, want)
				}
			}
		}
	}
}

// A group of several classes counts for the one that most of its samples have; of a
// tie, for that of its first.
func TestSplitGroupsOfSeveralClasses(t *testing.T) {
	m := memory{
		keys:   []string{"g1/1", "g1/2", "g1/3", "g2/1", "g2/2", "g3/1", "g4/1"},
		labels: [][]string{{"x"}, {"y"}, {"y"}, {"x"}, {"y"}, {"x"}, {"y"}},
	}
	// x: g2 (2 samples) and g3; y: g1 (3 samples) and g4. Hashes: g3 < g2, g1 < g4.
	// Were g2 of class y, it would be in val.
	_, val := sides(t, sources.Split{Source: m, Val: 0.4, Stratify: true, Group: `^g\d`})
	if diff := cmp.Diff(lines("g1/1 x", "g1/2 y", "g1/3 y", "g3/1 x"), table(val)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestSplitSigns(t *testing.T) {
	signs := sources.Folder{Path: shared(t, "signs/signs.tar"), Tasks: []string{"shape", "type"}}
	const share, pattern = 0.2, `([^/]+/[^/]+/[0-9]+)_`
	physical := func(key string) string { return strings.Split(filepath.ToSlash(key), "_")[0] }
	for name, s := range map[string]sources.Split{
		"hash":       {Source: signs, Val: share, Group: pattern},
		"joint":      {Source: signs, Val: share, Group: pattern, Stratify: true},
		"named task": {Source: signs, Val: share, Group: pattern, Stratify: true, Task: "shape"},
	} {
		t.Run(name, func(t *testing.T) {
			train, val := sides(t, s)
			inVal := map[string]bool{}
			for _, key := range keys(val) {
				inVal[physical(key)] = true
			}
			for _, key := range keys(train) {
				if inVal[physical(key)] {
					t.Fatalf("the sign of %q is on both sides", key)
				}
			}
			have := float64(val.Len()) / 3699
			t.Logf("val has %d samples (%.1f %%) of %d signs", val.Len(), 100*have, len(inVal))
			if math.Abs(have-share) > 0.04 {
				t.Errorf("val has a share of %.3f, want about %v", have, share)
			}
			for i := range train.Tasks() {
				t.Logf("%s: val %v of train %v", train.Tasks()[i].Name, schema.Counts(val, i), schema.Counts(train, i))
			}
			t.Log(warnings(open(t, s)))
		})
	}
}

func TestSplitWarnings(t *testing.T) {
	s := sources.Split{Source: longTail(100), Val: 0.1, Stratify: true}
	s.Use = sources.Val
	have := warnings(open(t, s))
	want := `split: val has no sample of 2 classes in task a: "class5" (3 samples), "class6" (1 sample)`
	if !strings.Contains(have, want) || !strings.Contains(have, "memory: forgets") {
		t.Errorf("warnings: %s\nwant %s", have, want)
	}
	s.Use = sources.Train
	if other := warnings(open(t, s)); other != have {
		t.Errorf("the other side warns otherwise: %s", other)
	}
	s.Val = 0.9
	if have := warnings(open(t, s)); !strings.Contains(have, `train has no sample of 2 classes in task a: "class5" (3 samples)`) {
		t.Errorf("warnings: %s", have)
	}
	s.Val, s.Stratify = 0.001, false
	s.Source = longTail(4000)
	if have := warnings(open(t, s)); !strings.Contains(have, "stratify: true") {
		t.Errorf("warnings: %s", have)
	}
}

func TestSplitErrors(t *testing.T) {
	flat := memory{keys: []string{"a", "b", "c"}, labels: [][]string{{}, {}, {}}}
	for name, c := range map[string]struct {
		split sources.Split
		want  []string
	}{
		"options, all at once": {sources.Split{Val: 1, Use: "test", Task: "a", Group: "("}, []string{
			"source to split is missing", "val: 1 is not a share", `use: "test" is neither`, "task: ", "group: "}},
		"not a number":        {sources.Split{Source: flat, Val: math.NaN()}, []string{"val: NaN"}},
		"the source's errors": {sources.Split{Source: sources.Folder{Tasks: []string{"", ""}}, Val: 0.1}, []string{"split: folder: path: is missing", "split: folder: tasks: item 1"}},
		"source won't open":   {sources.Split{Source: sources.Folder{Path: "no/such"}, Val: 0.1}, []string{"sources: folder: ", "no such folder"}},
		"no val":              {sources.Split{Source: flat, Val: 0.01}, []string{"sources: split: val: a share of 0.01 leaves val without a sample (3 samples in 3 groups)"}},
		"no train":            {sources.Split{Source: flat, Val: 0.99}, []string{"leaves train without a sample"}},
		"one group":           {sources.Split{Source: longTail(5), Val: 0.5, Group: "()"}, []string{"in 1 group)"}},
		"keys without group":  {sources.Split{Source: longTail(5), Val: 0.5, Group: "^00"}, []string{`group: "^00" matches 5 of 8 keys, but not "01/00000.jpg"`}},
		"no labels":           {sources.Split{Source: flat, Val: 0.5, Stratify: true}, []string{"stratify: the samples have no labels"}},
		"no such task":        {sources.Split{Source: longTail(5), Val: 0.5, Stratify: true, Task: "b"}, []string{`task: there is no task "b", only "a"`}},
	} {
		t.Run(name, func(t *testing.T) { fails(t, c.split, c.want...) })
	}
}
