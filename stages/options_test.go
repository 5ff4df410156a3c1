package stages_test

import (
	"reflect"
	"testing"

	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/stages"
)

// The file forms of option types, as internal/options hands them over.
func TestOptionTypes(t *testing.T) {
	for _, c := range []struct {
		stage  any
		option string
		value  any
		want   any // the stage that results; nil: an error
	}{
		{&stages.Rotate{}, "degrees", int64(30), &stages.Rotate{Degrees: stages.Range{-30, 30}}},
		{&stages.Rotate{}, "degrees", []any{int64(-5), 12.5}, &stages.Rotate{Degrees: stages.Range{-5, 12.5}}},
		{&stages.Rotate{}, "degrees", []any{1.0}, nil},
		{&stages.Rotate{}, "fill", int64(7), &stages.Rotate{Fill: stages.Color{7, 7, 7}}},
		{&stages.Rotate{}, "fill", []any{int64(1), int64(2), int64(255)}, &stages.Rotate{Fill: stages.Color{1, 2, 255}}},
		{&stages.Rotate{}, "fill", int64(256), nil},
		{&stages.Rotate{}, "fill", 0.5, nil},
		{&stages.Rotate{}, "fill", "white", nil},
		{&stages.Rotate{}, "fill", []any{int64(1), int64(2)}, nil},
		{&stages.Rotate{}, "p", int64(0), nil},
		{&stages.Crop{}, "size", 0.5, &stages.Crop{Size: 0.5}},
		{&stages.Crop{}, "size", int64(1), &stages.Crop{Size: 1}},
		{&stages.Crop{}, "size", 1.0, nil},
		{&stages.Crop{}, "size", int64(0), nil},
		{&stages.Crop{}, "offset", []any{int64(0), 0.25}, &stages.Crop{Offset: stages.Range{0, 0.25}}},
		{&stages.Crop{}, "offset", []any{int64(0), int64(0)}, nil}, // would mean anywhere
		{&stages.Resize{}, "antialias", false, &stages.Resize{Antialias: stages.Off}},
		{&stages.Resize{Antialias: stages.Off}, "antialias", true, &stages.Resize{}},
		{&stages.Resize{}, "antialias", int64(0), nil},
		{&stages.MultiScale{}, "scales", []any{0.5, int64(1)}, &stages.MultiScale{Scales: []float64{0.5, 1}}},
		{&stages.MultiScale{}, "pick", "cycle", &stages.MultiScale{PickBy: stages.Cycle}},
		{&stages.Flip{}, "direction", "up", nil},
	} {
		err := options.Set(c.stage, c.option, c.value)
		if (err == nil) != (c.want != nil) || c.want != nil && !reflect.DeepEqual(c.stage, c.want) {
			t.Errorf("%s: %v: %+v, %v", c.option, c.value, c.stage, err)
		}
	}
}

func TestOptionCanonicalForm(t *testing.T) {
	for _, c := range []struct {
		stage stages.Stage
		want  string
	}{
		{stages.Rotate{Degrees: stages.Range{-30, 30}},
			`{"degrees":[-30,30],"expand":false,"fill":[0,0,0],"interpolation":"bilinear","p":1}`},
		{stages.RandomResizedCrop{Size: 224}, `{"antialias":true,"height":0,"interpolation":"bilinear","p":1,` +
			`"ratio":[0.75,1.3333333333333333],"scale":[0.08,1],"size":224,"width":0}`},
	} {
		if got, err := options.Canonical(c.stage); err != nil || string(got) != c.want {
			t.Errorf("%s, %v; want %s", got, err, c.want)
		}
	}
}
