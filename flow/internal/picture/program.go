package picture

import (
	"context"
	"fmt"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/rng"
	"github.com/sluicedata/sluice/schema"
	"github.com/sluicedata/sluice/stages"
)

// Program is the picture stages of a plan. It doesn't change once it is made, and is
// shared by all goroutines.
type Program struct {
	Decoder   stages.Decoder
	Stages    []Stage // those that draw, in their order
	Reference bool    // run by the reference executor: stage after stage, whole pictures
	Full      bool    // fuse: full; false: exact
	Placed    bool    // pictures are of one size, and sampled into a place of their batch
	Seek      *SeekPoints
}

// Stage is a picture stage in its place.
type Stage struct {
	Stage stages.PictureStage
	Name  string  // in the params column
	Key   rng.Key // of its random numbers
	// Choose is the stage as it acts in a draw, nil: not at all; and its strength. Nil: it acts
	// in all, as it is.
	Choose func(*Of) (stages.PictureStage, float64)
}

// choose is the stage as it acts in a draw, and its strength; nil, 0: it doesn't.
func (s *Stage) choose(of *Of) (stages.PictureStage, float64) {
	if s.Choose == nil || of.Always {
		return s.Stage, 1
	}
	as, strength := s.Choose(of)
	if as == nil {
		return nil, 0
	}
	return as, strength
}

// Of says which draw a picture is of: the address of its random numbers, and what stages
// may look at.
type Of struct {
	Sample   int // its number, for seek points; -1: not of the source
	Key      string
	Labels   []int32
	Epoch    int
	Position int64
	Attempt  int
	Targets  *schema.Targets // nil: none; not changed, and kept until Make has ended
	Values   []any           // of the columns that the source adds
	Always   bool            // conditions are taken to hold
}

// Failure is why a picture could not be made.
type Failure struct {
	Stage string // whose doing it was
	Err   error
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %v", f.Stage, f.Err) }

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Decode makes a file's whole picture, upright; repairs is 0 where nothing is missing.
func Decode(ctx context.Context, d stages.Decoder, data []byte) (pic *schema.Picture, repairs int, err error) {
	pic, repairs, err = decode.Counted(ctx, data, d.MaxPixels(), d.RepairsTruncated())
	if err == nil && d.Gray() {
		decode.Gray(pic)
	}
	return pic, repairs, err
}

// rgb is the type of a decoded picture.
func rgb(height, width int) schema.Tensor {
	return schema.Tensor{DType: schema.Uint8, Layout: schema.HWC, Height: height, Width: width}
}

func isRGB(t schema.Tensor) bool { return t.DType == schema.Uint8 && t.Layout == schema.HWC }
