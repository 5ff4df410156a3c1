package main

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/schema"
)

// kept is a sink that copies what it gets.
type kept struct {
	variants []int
	pictures map[string][]float32 // by key, of the variant at full scale
	fail     error
}

func (k *kept) Open(context.Context, *schema.Run) error {
	k.pictures = map[string][]float32{}
	return nil
}

func (k *kept) Write(_ context.Context, b *schema.Batch) error {
	k.variants = append(k.variants, b.Variant)
	for row := range b.Rows() {
		if b.Tensor.Height == 32 {
			k.pictures[b.Key(row)] = slices.Clone(b.Picture(row).F32)
		}
	}
	return k.fail
}

func (*kept) Close(error) error { return nil }

// TestRun: full batches arrive in both scales, blended within their class; of 30 images
// the last 6 make no batch.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	if err := draw(dir, 15); err != nil {
		t.Fatal(err)
	}
	plan, err := pipeline(dir).Plan(t.Context(), flow.Seed(1))
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	have := &kept{}
	if _, err := run(t.Context(), plan, have); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(have.variants, []int{0, 1, 0, 1, 0, 1}) || len(have.pictures) != 24 {
		t.Errorf("variants %v, %d rows", have.variants, len(have.pictures))
	}

	// What the run makes without the operators, blended by hand.
	plain, changed := 0, 0
	for batch, err := range plan.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if batch.Tensor.Height != 32 || batch.Rows() < 8 {
			continue
		}
		labels := batch.Labels(0)
		for row, label := range labels {
			var same []int // the others of the class, from the next row on
			for i := 1; i < 8; i++ {
				if other := (row + i) % 8; labels[other] == label {
					same = append(same, other)
				}
			}
			one, other := batch.Picture(row).F32, batch.Picture(row).F32
			if len(same) > 0 {
				other = batch.Picture(same[0]).F32
			}
			want := make([]float32, len(one))
			for i := range want {
				want[i] = (one[i] + other[i]) / 2
			}
			if !slices.Equal(have.pictures[batch.Key(row)], want) {
				t.Errorf("%s isn't the blend of rows %d and %v", batch.Key(row), row, same)
			}
			if !slices.Equal(want, one) {
				changed++
			}
			plain++
		}
	}
	if plain != 24 || changed < 20 {
		t.Errorf("%d rows compared, of which %d are changed", plain, changed)
	}
}

// TestFailure: the sink's error ends the stream, and comes out of Wait.
func TestFailure(t *testing.T) {
	dir := t.TempDir()
	if err := draw(dir, 15); err != nil {
		t.Fatal(err)
	}
	plan, err := pipeline(dir).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	full := errors.New("the disk is full")
	if _, err := run(t.Context(), plan, &kept{fail: full}); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}
