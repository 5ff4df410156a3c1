package warp

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/sluicedata/sluice/schema"
)

// A run that is over writes no row more, whatever makes them.
func TestDoneEndsAPass(t *testing.T) {
	done := make(chan struct{})
	close(done)
	cause := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	const side = 40
	src := schema.NewPicture(side, side)
	for i := range src.U8 {
		src.U8[i] = uint8(7 * i)
	}
	turned := Transform{Matrix: Affine{0.9, 0.3, 0, -0.3, 0.9, 5}, Height: side, Width: side, Filter: Bilinear}
	for name, chain := range map[string][]Transform{
		"one sample a pixel": {turned},
		"several":            {turned, Resize(side, side, side/8, side/8, Bilinear, true)},
		"whole pixels":       {{Matrix: Affine{-1, 0, side - 1, 0, 1, 0}, Height: side, Width: side, Filter: Nearest}},
		"perspective":        {{Matrix: Identity(), Horizon: [3]float64{0.001, 0, 1}, Height: side, Width: side, Filter: Bilinear}},
	} {
		for _, pass := range Fuse(side, side, chain, true) {
			dst := schema.NewPicture(pass.Height, pass.Width)
			in := schema.NewPicture(pass.InHeight, pass.InWidth)
			copy(in.U8, src.U8)
			pass.Done = done
			pass.Run(dst, Whole(in), Pixel{})
			if !bytes.Equal(dst.U8, make([]byte, len(dst.U8))) {
				t.Errorf("%s: rows are made after the end", name)
			}
			pass.Done = nil
			if pass.Run(dst, Whole(in), Pixel{}); bytes.Equal(dst.U8, make([]byte, len(dst.U8))) {
				t.Errorf("%s: nothing is made", name)
			}
		}
		if p, err := ApplyUntil(ctx, src, chain[0]); p != nil || !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The reference makes the same picture in bands.
func TestApplyInBands(t *testing.T) {
	src := schema.NewPicture(9, 300)
	for i := range src.U8 {
		src.U8[i] = uint8(i * i >> 3)
	}
	for _, transform := range []Transform{Resize(9, 300, 130, 16385, Lanczos, true), Resize(9, 300, 130, 16385, Nearest, false)} { // 64 rows at a time
		whole := schema.NewPicture(transform.Height, transform.Width)
		transform.rows(whole.U8, src, 0, transform.Height)
		if !bytes.Equal(Apply(src, transform).U8, whole.U8) {
			t.Errorf("%s", transform.Filter)
		}
	}
}
