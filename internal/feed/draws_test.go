//go:build unix

package feed

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// TestLabelsDrawAsAPipeline: a sampler draws what the stage rebalance of a pipeline draws
// from samples with these labels.
func TestLabelsDrawAsAPipeline(t *testing.T) {
	labels := longTailed(700, 7)
	table := &schema.Table{TaskList: []schema.Task{{Name: "class", Classes: make([]string, 7)}}, Keys: make([]string, len(labels)), Labels: [][]int32{labels}}
	all := make(stages.Selection, len(labels))
	for i := range all {
		all[i] = i
	}
	for _, r := range []stages.Rebalance{{Target: stages.ClassBalanced}, {Target: stages.Power, Power: 0.25, Draws: 950}, {Target: stages.Instance, Draws: 13}, {Target: stages.RepeatFactor(0.1, 0)}} {
		want, err := r.Sample(all, table, rng.NewKey(9, "rebalance", "0"))
		if err != nil {
			t.Fatal(err)
		}
		head, got, err := planDraws(&labelsAsk{Target: r.Target, Power: r.Power, Samples: r.Draws, Seed: 9}, encode(labels))
		if err != nil {
			t.Fatal(err)
		}
		if head.Draws != want.Len() || head.Unknown != 3 || head.Classes != 7 || head.Empties != 1 || !slices.Equal(head.Empty, []string{"5"}) {
			t.Errorf("%+v: %+v", r, head)
		}
		for epoch := range 3 {
			for p := range want.Len() {
				if got.At(epoch, p) != want.At(epoch, p) {
					t.Fatalf("%+v: epoch %d draws %d at %d, and a pipeline %d", r, epoch, got.At(epoch, p), p, want.At(epoch, p))
				}
			}
		}
	}
}

// longTailed labels n samples with classes of which each has half of those of the one before,
// without any of class 5, and three unknown ones.
func longTailed(n, classes int) []int32 {
	random := rng.NewKey(1, "test", "0").Stream(0, 0, 0)
	labels := make([]int32, n)
	for i := range labels {
		labels[i] = int32(min(-math.Log2(1-random.Float64()), float64(classes-1)))
		if labels[i] == 5 {
			labels[i] = 6
		}
	}
	for i := range 3 {
		labels[10*i] = schema.Unknown
	}
	return labels
}

func encode(labels []int32) []byte {
	var b []byte
	for _, v := range labels {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func TestLabelsRefused(t *testing.T) {
	for what, c := range map[string]struct {
		ask  labelsAsk
		body []byte
		want string
	}{
		"no target": {labelsAsk{}, encode([]int32{0}), "target: missing: give one of instance, square_root, power, class_balanced, {repeat_factor: {threshold: share}}, {effective_number: {beta: number}}, {shares: {class: number}}, {counts: {class: number}}"},
		"no labels": {labelsAsk{Target: stages.Instance}, nil, "the labels have 0 bytes: want one int32 a sample, and at least one"},
		"5 bytes":   {labelsAsk{Target: stages.Instance}, make([]byte, 5), "the labels have 5 bytes: want one int32 a sample, and at least one"},
		"-2":        {labelsAsk{Target: stages.Instance}, encode([]int32{3, -2}), "sample 1 has the label -2: want 0 to 16777215, or -1 where it is unknown"},
		"2^24":      {labelsAsk{Target: stages.Instance}, encode([]int32{1 << 24}), "sample 0 has the label 16777216: want 0 to 16777215, or -1 where it is unknown"},
		"samples":   {labelsAsk{Target: stages.Instance, Samples: -1}, encode([]int32{0}), "draws: -1 is not in 1..2^40"},
	} {
		if _, _, err := planDraws(&c.ask, c.body); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", what, err, c.want)
		}
	}
}

// TestLabelsMemory: planning takes the labels' own bytes once more, and keeps as many.
func TestLabelsMemory(t *testing.T) {
	labels := encode(longTailed(1<<20, 12))
	var before, planned, kept runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_, order, err := planDraws(&labelsAsk{Target: stages.SquareRoot}, labels)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&planned)
	runtime.GC()
	runtime.ReadMemStats(&kept)
	n := float64(len(labels))
	if all := float64(planned.TotalAlloc-before.TotalAlloc) / n; all > 1.25 {
		t.Errorf("planning allocates %.2f times the labels", all)
	}
	if left := float64(kept.HeapAlloc) - float64(before.HeapAlloc); left > 1.25*n {
		t.Errorf("a plan keeps %.2f times the labels", left/n)
	}
	runtime.KeepAlive(order)
	runtime.KeepAlive(labels)
}

func TestDraws(t *testing.T) {
	labels := longTailed(40, 7)
	c := talk(t)
	if m := c.ask(kindDraws, `{"epoch":0,"first":0,"step":1,"count":1}`, nil); !strings.Contains(string(m.head), "no labels have come before") {
		t.Errorf("draws without labels: %s", m.head)
	}
	if m := c.ask(kindLabels, `{"target":"class_balanced","power":0,"samples":25,"seed":18446744073709551615}`, encode(labels)); m.kind != kindResult || !strings.Contains(string(m.head), `"draws":25,`) {
		t.Fatalf("%d %s", m.kind, m.head)
	}
	if m := c.ask(kindLabels, `{"target":"instance","power":0,"samples":0,"seed":1}`, encode(labels)); !strings.Contains(string(m.head), "start another") {
		t.Errorf("labels again: %s", m.head)
	}
	_, order, err := planDraws(&labelsAsk{Target: stages.ClassBalanced, Samples: 25, Seed: math.MaxUint64}, encode(labels))
	if err != nil {
		t.Fatal(err)
	}
	for _, ask := range []drawsAsk{{0, 0, 1, 25}, {7, 3, 4, 6}, {7, 24, 3, 2}, {1, 70, 1, 60}, {1, 1 << 50, 1 << 24, 3}} {
		text, _ := json.Marshal(ask)
		m := c.ask(kindDraws, string(text), nil)
		if m.kind != kindResult || len(m.body) != 8*ask.Count {
			t.Fatalf("%s: %s with %d bytes", text, m.head, len(m.body))
		}
		for i := range ask.Count {
			at := (ask.First + int64(i)*ask.Step) % 25
			if got, want := binary.LittleEndian.Uint64(m.body[8*i:]), order.At(ask.Epoch, at); got != uint64(want) {
				t.Errorf("%s: draw %d is %d, want %d", text, i, got, want)
			}
		}
	}
	for ask, want := range map[string]string{
		`{"epoch":4194304,"first":0,"step":1,"count":1}`: "epoch is 4194304: want 0 to 4194303",
		`{"epoch":0,"first":-1,"step":0,"count":0}`:      `first is -1: want 0 to 1125899906842624\nstep is 0: want 1 to 16777216\ncount is 0: want 1 to 1048576`,
		`{"epoch":0,"first":0,"step":1,"count":1048577}`: "count is 1048577",
		`{"epoch":0,"first":0,"step":1,"number":1}`:      "unknown field",
	} {
		if m := c.ask(kindDraws, ask, nil); m.kind != kindError || !strings.Contains(string(m.head), want) || !strings.Contains(string(m.head), `"kind":"usage"`) {
			t.Errorf("%s: %s, want %s", ask, m.head, want)
		}
	}
}

// talker is Python's side of a session.
type talker struct {
	t    *testing.T
	conn *net.UnixConn
	id   uint32
}

// talk starts a session and greets it.
func talk(t *testing.T) *talker { return talkTo(t, Server{}) }

func talkTo(t *testing.T, server Server) *talker {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		conn, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		ends[i] = conn.(*net.UnixConn)
	}
	done := make(chan error)
	server.Version, server.Explain = "test", func(err error) (string, []Mistake) { return err.Error(), nil }
	go func() { done <- server.Serve(context.Background(), ends[1]) }()
	t.Cleanup(func() {
		_ = ends[0].Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	c := &talker{t: t, conn: ends[0]}
	if m := c.ask(kindHello, fmt.Sprintf(`{"protocol":%d,"version":"test"}`, Protocol), nil); m.kind != kindWelcome {
		t.Fatalf("%s", m.head)
	}
	return c
}

// ask sends a request and reads its answer.
func (c *talker) ask(k kind, head string, body []byte) *message {
	c.t.Helper()
	c.id++
	if err := writeMessage(c.conn, k, c.id, json.RawMessage(head), nil, body); err != nil {
		c.t.Fatal(err)
	}
	m, err := readMessage(c.conn, mostBody)
	if err != nil {
		c.t.Fatal(err)
	}
	if m.id != c.id {
		c.t.Fatalf("an answer to %d, and %d was asked", m.id, c.id)
	}
	return m
}

// TestSeveralClassesDrawAsAPipeline: samples of several classes are drawn as by rebalance of
// boxes.
func TestSeveralClassesDrawAsAPipeline(t *testing.T) {
	of := [][]int32{{0, 2, 0}, {}, {1}, {0}, {0, 1}, {2, 1, 0}, {0}, {4}}
	table := &schema.Table{Targets: &schema.TargetTable{Spec: &schema.TargetSpec{Boxes: true, Classes: []string{"0", "1", "2", "3", "4"}}, First: []int64{0}}}
	var lengths []int32
	var all stages.Selection
	for i, list := range of {
		table.Keys = append(table.Keys, strconv.Itoa(i))
		table.Targets.Labels = append(table.Targets.Labels, list...)
		table.Targets.First = append(table.Targets.First, int64(len(table.Targets.Labels)))
		lengths, all = append(lengths, int32(len(list))), append(all, i)
	}
	target := stages.RepeatFactor(0.6, 1)
	want, err := stages.Rebalance{Target: target, Task: stages.TaskNames{"boxes"}}.Sample(all, table, rng.NewKey(9, "rebalance", "0"))
	if err != nil {
		t.Fatal(err)
	}
	body := encode(append(slices.Clone(lengths), table.Targets.Labels...))
	head, got, err := planDraws(&labelsAsk{Target: target, Seed: 9, Several: len(of)}, body)
	if err != nil {
		t.Fatal(err)
	}
	if head.Draws != want.Len() || head.Unknown != 1 || head.Classes != 5 || head.Empties != 1 || !slices.Equal(head.Empty, []string{"3"}) {
		t.Errorf("%+v, want %d draws", head, want.Len())
	}
	for p := range want.Len() {
		if got.At(2, p) != want.At(2, p) {
			t.Fatalf("draws %d at %d, and a pipeline %d", got.At(2, p), p, want.At(2, p))
		}
	}
	for what, c := range map[string]struct {
		several int
		body    []byte
	}{"few bytes": {9, encode([]int32{1})}, "negative": {2, encode([]int32{-1, 1, 0})}, "more classes": {1, encode([]int32{2, 0})}, "class": {1, encode([]int32{1, -1})}, "samples": {-1, body}} {
		if _, _, err := planDraws(&labelsAsk{Target: target, Several: c.several}, c.body); err == nil {
			t.Errorf("%s: passes", what)
		}
	}
}
