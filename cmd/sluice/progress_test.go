package main

import (
	"bytes"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluicedata/sluice/flow"
)

// A job's log gets a line a minute, the first after a minute, with the rate since the
// line before; and a last one, if there was time for one. The clock is the test's.
func TestProgressLog(t *testing.T) {
	start := time.Unix(0, 0)
	clock := start
	var out bytes.Buffer
	fresh := func() *progressLine {
		out.Reset()
		clock = start
		l := newProgressLine(&out, "materialize")
		l.now, l.began, l.said = func() time.Time { return clock }, start, start
		return l
	}
	at := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	tell := func(l *progressLine, seconds float64, p flow.Progress) {
		clock, p.Elapsed = start.Add(at(seconds)), at(seconds)
		l.update(p)
	}

	l := fresh()
	tell(l, 30, flow.Progress{Rows: 100, TotalRows: 1000})
	clock = start.Add(at(59))
	l.done()
	if out.Len() > 0 {
		t.Errorf("within the first minute it says %q", out.String())
	}

	l = fresh()
	tell(l, 0.1, flow.Progress{Phase: "listing the source"})
	tell(l, 61, flow.Progress{Phase: "listing the source"})
	tell(l, 62, flow.Progress{Rows: 10, TotalRows: 40000})
	tell(l, 90, flow.Progress{Rows: 500, TotalRows: 40000})
	tell(l, 121, flow.Progress{Rows: 6000, TotalRows: 40000, ETA: at(68), Bottleneck: "decode"})
	tell(l, 122, flow.Progress{Rows: 6200, TotalRows: 40000, ETA: at(68), Bottleneck: "decode"})
	tell(l, 181, flow.Progress{Rows: 18000, TotalRows: 40000, ETA: at(60.4), Failed: 2, Bottleneck: "decode"})
	clock = start.Add(at(191))
	l.last.Rows = 20000
	l.done()
	l.done()
	tell(l, 300, flow.Progress{Rows: 1})
	want := `materialize: listing the source: 1m1s so far
materialize: 6000 of 40000 images (15 %), 2m1s so far, 100 images/s, ETA 1m8s, decode
materialize: 18000 of 40000 images (45 %), 3m1s so far, 200 images/s, ETA 1m0s, 2 failed, decode
materialize: 20000 of 40000 images (50 %), 3m11s so far, 200 images/s, ETA 1m0s, 2 failed, decode
`
	if out.String() != want {
		t.Errorf("it says\n%swant\n%s", out.String(), want)
	}
}

// What is counted otherwise than in images, and what isn't counted at all.
func TestProgressUnits(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out bytes.Buffer
	start := time.Unix(0, 0)
	clock := start
	l := newProgressLine(&out, "verify")
	l.unit, l.now, l.began, l.said = "parts", func() time.Time { return clock }, start, start
	clock = start.Add(80 * time.Second)
	l.count(40, 100)
	l.during("reading the source")()
	clock = start.Add(100 * time.Second)
	l.count(100, 100)
	l.done()
	want := "verify: 40 of 100 parts (40 %), 1m20s so far, 0.5 parts/s, ETA 2m0s\nverify: 100 of 100 parts (100 %), 1m40s so far, 3 parts/s\n"
	if out.String() != want {
		t.Errorf("it says\n%swant\n%s", out.String(), want)
	}
}
