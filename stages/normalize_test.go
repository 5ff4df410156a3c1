package stages_test

import (
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestNormalize(t *testing.T) {
	stagetest.Picture(t, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd})
	stagetest.Picture(t, stages.Normalize{Std: stages.Std{1, 0.5, 0.25}})
	wrong(t, stages.Normalize{}, "std: missing")
	wrong(t, stages.Normalize{Std: stages.ImageNetStd}, "mean: missing")
	wrong(t, stages.Normalize{Mean: stages.Mean{123, 0.5, 0.5}, Std: stages.Std{0.5, 0, 2}},
		"mean: 123 is not in 0..1", "std: 0 divides by zero", "std: 2 is not in 0..1")
	if _, err := (stages.Normalize{}).Output(schema.Tensor{DType: schema.Uint8, Layout: schema.CHW}); err == nil {
		t.Error("uint8 is accepted")
	}
}

func TestNormalizeDataset(t *testing.T) {
	n := stages.Normalize{Mean: stages.DatasetMean, Std: stages.ImageNetStd}
	if err := n.Check(); err != nil || !n.NeedsStats() {
		t.Errorf("%v; needs stats: %v", err, n.NeedsStats())
	}
	mean, std := [3]float64{0.1, 0.2, 0.3}, [3]float64{0.4, 0.5, 0.6}
	if got := n.WithStats(mean, std); got != (stages.Normalize{Mean: mean, Std: stages.ImageNetStd}) {
		t.Errorf("%+v: only what is dataset should be measured", got)
	}
}

func TestNormalizeFileForm(t *testing.T) {
	for _, c := range []struct {
		mean, std any
		want      string
	}{
		{"imagenet", "imagenet", `{"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}`},
		{"dataset", "dataset", `{"mean":"dataset","std":"dataset"}`},
		{[]any{int64(0), 0.5, int64(1)}, []any{0.5, 0.5, 0.5}, `{"mean":[0,0.5,1],"std":[0.5,0.5,0.5]}`},
		{"imagnet", "imagenet", ""},
		{[]any{0.5, 0.5}, "imagenet", ""},
		{[]any{123.0, 0.5, 0.5}, "imagenet", ""},
		{0.5, []any{0.25}, `{"mean":[0.5,0.5,0.5],"std":[0.25,0.25,0.25]}`},
		{2.0, "imagenet", ""},
	} {
		var n stages.Normalize
		err := options.Set(&n, "mean", c.mean)
		if c.want == "" {
			if err == nil {
				t.Errorf("mean %v is accepted", c.mean)
			}
			continue
		}
		if err == nil {
			err = options.Set(&n, "std", c.std)
		}
		if got, _ := options.Canonical(n); err != nil || string(got) != c.want {
			t.Errorf("%v, %v: %s, %v", c.mean, c.std, got, err)
		}
	}
}
