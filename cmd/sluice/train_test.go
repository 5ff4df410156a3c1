package main

import (
	"math"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/trainer"
)

func TestRecallGroups(t *testing.T) {
	m := trainer.TaskMetrics{
		TrainCount: map[string]int64{"a": 101, "b": 100, "c": 20, "d": 19, "e": 3},
		Many:       0.5, Medium: 0.25, Few: trainer.Share(math.NaN()),
		Recall: map[string]trainer.Share{"a": 0.5, "b": 0.25, "c": 0.25},
		F1:     map[string]trainer.Share{"a": 0.25}, AveragePrecision: map[string]trainer.Share{"a": 0.125},
	}
	want := "    recall: many 50.0 % (1 class with more than 100 training images), medium 25.0 % (2 classes with 20 to 100 training images), " +
		"few unknown (2 classes with fewer than 20 training images)\n"
	if have := groups(m); have != want {
		t.Errorf("%swant\n%s", have, want)
	}
	if have := recalls(m); !strings.HasPrefix(have, "    a                   101 training images, recall 50.0 %, F1 25.0 %, average precision 12.5 %\n") || !strings.Contains(have, "    e                     3 training images, not evaluated\n") {
		t.Errorf("%s", have)
	}
	if have := groups(trainer.TaskMetrics{TrainCount: map[string]int64{"a": 5, "b": 6}}); have != "" {
		t.Errorf("classes of one group: %q", have)
	}
}
