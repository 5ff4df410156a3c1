package stages_test

import (
	"slices"
	"testing"

	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
	"github.com/sluicedata/sluice/stages/stagetest"
)

func TestFlip(t *testing.T) {
	stagetest.Picture(t, stages.Flip{P: 0.5})
	stagetest.Picture(t, stages.Flip{P: 1, Direction: stages.Vertical})
	wrong(t, stages.Flip{}, "p is 0: it never flips")
	wrong(t, stages.Flip{P: 0.5, Direction: "diagonal"}, `direction: "diagonal" is none of horizontal, vertical`)
	if p := draw(t, stages.Flip{P: 1}, 3, 3, 0); !p.(*stages.FlipParams).Flipped {
		t.Errorf("p 1 draws %v", p)
	}
}

func TestFlipMirrors(t *testing.T) {
	in := &schema.Picture{Height: 2, Width: 2, Layout: schema.HWC, U8: []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}
	for _, c := range []struct {
		direction stages.Direction
		flipped   bool
		want      []uint8
	}{
		{stages.Horizontal, true, []uint8{4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9}},
		{stages.Vertical, true, []uint8{7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6}},
		{stages.Horizontal, false, in.U8},
	} {
		got := apply(stages.Flip{Direction: c.direction}, &stages.FlipParams{Flipped: c.flipped}, in)
		if !slices.Equal(got.U8, c.want) {
			t.Errorf("%s, %v: %v", c.direction, c.flipped, got.U8)
		}
	}
}
