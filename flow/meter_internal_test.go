package flow

import "testing"

func TestBottleneckWords(t *testing.T) {
	parts := func(decode, transform float64) map[string]float64 {
		return map[string]float64{"decode": decode, "transform": transform}
	}
	for want, c := range map[string]struct {
		read, busy        float64
		of                map[string]float64
		sink, starved, at float64
	}{
		"decode: 94 % busy on 2 workers; the sink waited 98 %":                                             {busy: 0.94, of: parts(0.9, 0.04), starved: 0.98},
		"decode 60 %, transform 34 % busy on 2 workers; the sink waited 98 %":                              {busy: 0.94, of: parts(0.6, 0.34), starved: 0.98},
		"transform: 90 % busy on 2 workers; the sink waited 70 %":                                          {busy: 0.9, of: parts(0.05, 0.85), sink: 0.3, starved: 0.7},
		"read: 99 % busy on 4 readers; the sink waited 99 %":                                               {read: 0.99, busy: 0.2, of: parts(0.2, 0), starved: 0.99},
		"sink: 96 % busy; the workers 20 %":                                                                {busy: 0.2, of: parts(0.1, 0.1), sink: 0.96},
		"memory: the next row waited 80 % of the time for the byte budget; decode: 30 % busy on 2 workers": {busy: 0.3, of: parts(0.29, 0), at: 0.8},
	} {
		have := bottleneck([]Operator{
			{Name: "read", Workers: 4, Busy: c.read},
			{Name: "transform", Workers: 2, Busy: c.busy, Of: c.of},
			{Name: "batch", Workers: 1},
			{Name: "sink", Workers: 1, Busy: c.sink, Starved: c.starved},
		}, c.at)
		if have != want {
			t.Errorf("have %q, want %q", have, want)
		}
	}
}
