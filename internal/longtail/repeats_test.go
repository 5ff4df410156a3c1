package longtail

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestRepeats: by the end of a stream each class has been repeated as often as its samples'
// factors say, rounded down; repeats are spread; and a stream that goes on from its state goes
// on as it would have.
func TestRepeats(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 42))
	for trial := range 40 {
		classes, samples := 1+random.IntN(8), 200+random.IntN(2000)
		var stream [][]int32
		declared := make([]int64, classes)
		for range samples {
			var list []int32
			for c := range int32(classes) {
				if random.Float64() < math.Pow(0.35, float64(c)) {
					list = append(list, c)
					declared[c]++
				}
			}
			stream = append(stream, list)
		}
		threshold, power := random.Float64(), 0.2+0.8*random.Float64()
		var counts []int64
		if trial%2 == 0 {
			counts = declared
		}
		start := RepeatState{Counts: make([]int64, classes), Owed: make([]int64, classes), Paid: make([]int64, classes)}
		r := NewRepeats(threshold, power, counts, int64(samples), start)
		due, seen := make([]float64, classes), make([]int64, classes)
		can := func(int) bool { return true }
		longest := 0
		for i, list := range stream {
			for _, c := range list {
				seen[c]++
			}
			have, all := seen, float64(i+1)
			if counts != nil {
				have, all = declared, float64(samples)
			}
			rarest := int32(-1)
			for _, c := range list {
				if rarest < 0 || have[c] < have[rarest] {
					rarest = c
				}
			}
			more := 0.0
			if rarest >= 0 {
				more = max(0, math.Pow(threshold*all/float64(have[rarest]), power)-1)
				due[rarest] += more
			}
			if class := r.Add(list); (class >= 0) != (more > 0) || class >= 0 && class != rarest {
				t.Fatalf("sample %d of %v is owed to class %d, its factor is 1 + %v of %d", i, list, class, more, rarest)
			}
			run := 0
			for _, ok := r.Pay(false, can); ok; _, ok = r.Pay(false, can) {
				run++
			}
			longest = max(longest, run)
			if i == samples/2 {
				text, err := json.Marshal(r.RepeatState)
				if err != nil {
					t.Fatal(err)
				}
				var state RepeatState
				if err := json.Unmarshal(text, &state); err != nil || state.Check(classes) != nil {
					t.Fatal(err, state.Check(classes))
				}
				again := NewRepeats(threshold, power, counts, int64(samples), state)
				if !reflect.DeepEqual(again.RepeatState, r.RepeatState) || len(again.payable) != len(r.payable) {
					t.Fatalf("%+v from its state, %+v before", again, r)
				}
				r = again
			}
		}
		for _, ok := r.Pay(true, can); ok; _, ok = r.Pay(true, can) {
		}
		total := 0.0
		for c, d := range due {
			total += d
			if off := d - float64(r.Paid[c]); off < -1e-3 || off > 1+1e-3 {
				t.Fatalf("class %d was repeated %d times, due are %v", c, r.Paid[c], d)
			}
		}
		if pace := total / float64(samples); longest > 10+int(8*pace) && longest > 64 {
			t.Errorf("%d repeats in a row, with %v a sample", longest, pace)
		}
	}
}

// TestUndeclaredClasses: a class without a count is no reason to repeat a sample, nor one not
// to.
func TestUndeclaredClasses(t *testing.T) {
	r := NewRepeats(0.5, 1, []int64{90, 0, 10}, 100, RepeatState{Counts: make([]int64, 3), Owed: make([]int64, 3), Paid: make([]int64, 3)})
	for _, c := range []struct {
		classes []int32
		want    int32
	}{{[]int32{0, 1, 2}, 2}, {[]int32{1}, -1}, {[]int32{1, 0}, -1}, {nil, -1}} {
		if got := r.Add(c.classes); got != c.want {
			t.Errorf("%v: owed to %d, want %d", c.classes, got, c.want)
		}
	}
}

func TestRepeatStateCheck(t *testing.T) {
	good := RepeatState{Seen: 3, Counts: []int64{2, 1}, Owed: []int64{0, 5}, Paid: []int64{0, 0}}
	if err := good.Check(2); err != nil {
		t.Error(err)
	}
	short, many, negative, due, credit := good.Clone(), good.Clone(), good.Clone(), good.Clone(), good.Clone()
	short.Paid, many.Counts[0], negative.Owed[1], due.Due, credit.Credit = nil, 4, -1, -1, 65*Unit
	for what, s := range map[string]RepeatState{"short": short, "more than seen": many, "negative": negative, "due": due, "credit": credit} {
		if s.Check(2) == nil {
			t.Errorf("%s: passes", what)
		}
	}
	if good.Check(3) == nil {
		t.Error("a state of two classes passes for three")
	}
}

// TestRepeatsOfWrongCounts: a class that comes much more often than was declared is owed much, and
// never less than nothing.
func TestRepeatsOfWrongCounts(t *testing.T) {
	r := NewRepeats(1, 1, []int64{1 << 40, 1}, 1<<40, RepeatState{Counts: make([]int64, 2), Owed: make([]int64, 2), Paid: make([]int64, 2)})
	for i := range 10_000 {
		if r.Add([]int32{1}) != 1 || r.Owed[1] <= 0 || r.Due <= 0 || r.Credit < 0 {
			t.Fatalf("after %d samples %d are owed, %d due, credit %d", i+1, r.Owed[1], r.Due, r.Credit)
		}
		for range 3 { // of the stream's end, whatever the pace
			if _, ok := r.Pay(true, func(int) bool { return true }); !ok {
				t.Fatal("nothing is paid")
			}
		}
	}
	if err := r.Check(2); err != nil {
		t.Error(err)
	}
}
