package main

import (
	"math"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	at := func(seconds, waited float64) figures {
		return figures{seconds: [3]float64{seconds, 2 * seconds, 4 * seconds}, cpu: [3]float64{math.NaN(), math.NaN(), math.NaN()}, peakBytes: 1 << 30, waited: waited, training: 3, others: math.NaN()}
	}
	var b strings.Builder
	table(&b, []contestant{
		{name: "sluice train", threads: 2, runs: []figures{at(1, 0), at(2, 1), at(4, 3)}},
		{name: peerName, threads: 2, runs: []figures{at(2, -1), at(6, -1), at(4, -1)}},
		{name: "alone", threads: 1, runs: []figures{at(1, -1)}},
	})
	for _, want := range []string{
		"| sluice train | 2 | 2.000 (1.000...4.000) | 4.000 (2.000...8.000) | 8.000 (4.000...16.000) | 1024 (1024...1024) | 25.0 % (0.0 %...50.0 %) | - |\n",
		"| sluice train | 2 | 2.00 (1.00...3.00) | 2.00 (1.00...3.00) | 2.00 (1.00...3.00) | 2.00 (1.00...3.00) |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line %s in\n%s", want, &b)
		}
	}
	if n := strings.Count(b.String(), "alone | 1"); n != 1 {
		t.Errorf("%d lines of the one without a peer", n)
	}
	if have := spread("%.0f", []float64{4, 2}); have != "3 (2...4)" {
		t.Error(have)
	}
}
