package flow_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

// uniform is a lending source that says that its pictures have one size.
type uniform struct {
	lending
	differ bool // and then that they haven't
}

func (uniform) MayBeUniform() bool { return true }

func (s uniform) Open(ctx context.Context) (sources.Dataset, error) {
	d, err := s.lending.Open(ctx)
	return sized{d, s}, err
}

type sized struct {
	sources.Dataset
	source uniform
}

func (d sized) PictureSize() (height, width int, ok bool) {
	if d.source.differ {
		return 0, 0, false
	}
	return d.source.h, d.source.w, true
}

func (d sized) Lend(ctx context.Context, sample int) (schema.Picture, bool) {
	if l, ok := d.Dataset.(sources.Lender); ok {
		return l.Lend(ctx, sample)
	}
	return schema.Picture{}, false
}

func (d sized) Unchanged(ctx context.Context, sample int) error {
	return d.Dataset.(sources.Lender).Unchanged(ctx, sample)
}

// Pictures of one size are batched without a resize, and are those that one gives which
// changes nothing.
func TestUniform(t *testing.T) {
	source := uniform{lending: newLending(t, 40, 20, 30)}
	copied := source
	copied.lends = false
	same := stages.Resize{Height: 20, Width: 30}
	for name, list := range map[string][]stages.Stage{
		"rgb":       {stages.Decode{}},
		"grey":      {stages.Decode{Mode: stages.Gray}},
		"to floats": {stages.Decode{}, stages.ToTensor{}},
	} {
		run := func(s sources.Source, resized bool, opts ...flow.Option) ([][]byte, *schema.Run) {
			all := slices.Clone(list)
			if resized {
				all = slices.Insert(all, 1, stages.Stage(same))
			}
			pipe := flow.New(s, append(all, stages.Batch{Size: 8})...)
			if err := pipe.Check(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			plan, err := pipe.Plan(context.Background(), opts...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			info := plan.Info()
			if err := plan.Close(); err != nil {
				t.Fatal(err)
			}
			pictures, _, err := contents(t, pipe, opts...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return pictures, info
		}
		for _, in := range []func(sources.Source) sources.Source{
			func(s sources.Source) sources.Source { return s },
			func(s sources.Source) sources.Source { return sources.Split{Source: s, Val: 0.3} },
			func(s sources.Source) sources.Source {
				return sources.Concat{Sources: map[string]sources.Source{"a": s, "b": s}}
			},
		} {
			want, wantInfo := run(in(source.lending), true)
			for _, s := range []uniform{source, copied} {
				for _, opt := range []flow.Option{flow.Workers(3), flow.Exec(flow.Reference)} {
					got, info := run(in(s), false, opt)
					if !slices.EqualFunc(got, want, bytes.Equal) {
						t.Errorf("%s: differs from a resize to the same size", name)
					}
					if info.Form != schema.FormTensor || info.Variants[0].Tensor != wantInfo.Variants[0].Tensor {
						t.Errorf("%s: %s %v, want %v", name, info.Form, info.Variants[0].Tensor, wantInfo.Variants[0].Tensor)
					}
				}
			}
		}
	}
}

// Where sizes turn out to differ, the mistake is that of any other source, at its stage. What
// doesn't fit into the one size shows in the plan.
func TestUniformRefuses(t *testing.T) {
	source := uniform{lending: newLending(t, 8, 20, 30)}
	for want, c := range map[string]struct {
		differ bool
		list   []stages.Stage
		index  int
	}{
		"still vary in size":     {true, []stages.Stage{stages.Decode{}, stages.Batch{Size: 2}}, 1},
		"needs rows of one size": {true, []stages.Stage{stages.Decode{}, stages.Batch{Size: 2, Sizes: stages.KeepSizes}, stages.MultiScale{Scales: []float64{0.5, 1}}}, 2},
		"grey rows that vary":    {true, []stages.Stage{stages.Decode{Mode: stages.Gray}}, 0},
		"leave as uint8 hwc":     {true, []stages.Stage{stages.Decode{}, stages.ToTensor{}}, 1},
		"there is a batch stage": {false, []stages.Stage{stages.Decode{}, stages.Batch{Size: 2}, stages.Batch{Size: 2}}, 2},
	} {
		source.differ = c.differ
		pipe := flow.New(source, c.list...)
		if err := pipe.Check(); c.differ && err != nil {
			t.Errorf("%s: before the source is open: %v", want, err)
		}
		_, err := pipe.Plan(context.Background())
		var mistake *flow.StageError
		if err == nil || !errors.As(err, &mistake) || mistake.Index != c.index || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q of stage %d", err, want, c.index)
		}
	}
	// Any other source is refused at once.
	if err := flow.New(source.lending, stages.Decode{}, stages.Batch{Size: 2}).Check(); err == nil || !strings.Contains(err.Error(), "still vary in size") {
		t.Errorf("a source that isn't Uniform: %v", err)
	}
}
