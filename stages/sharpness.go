package stages

import (
	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/schema"
)

// Sharpness blurs or sharpens a uint8 picture by a random factor: torchvision's
// adjust_sharpness of a Pillow image. Each pixel but those at the edges is blended with the
// mean of itself, five times, and its eight neighbours: the factor 0 is that mean, 1 changes
// nothing, 2 doubles what sets a pixel apart. Pictures with a side below 3 stay as they are.
type Sharpness struct {
	Factor Factor      `sluice:"factor" doc:"range of the factor; a number b stands for [max(0, 1-b), 1+b]; for one factor f give [f, f]"`
	P      Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

// SharpnessParams is the factor.
type SharpnessParams struct {
	Factor float64 `json:"factor"`
}

// Name is the stage's name in pipeline files.
func (Sharpness) Name() string { return "sharpness" }

// Version of the algorithm.
func (Sharpness) Version() int { return 1 }

// Check reports impossible options.
func (s Sharpness) Check() error {
	errs := []error{s.Factor.check("factor"), s.P.check("p")}
	if s.Factor[1] > largestFactor {
		errs = append(errs, errorf("factor", "%g is too large: give at most %d", s.Factor[1], largestFactor))
	}
	if errlist.Join(errs...) == nil && !s.Factor.on() {
		errs = append(errs, errorf("factor", "nothing to do: give a range such as [0.5, 2], or leave the stage out"))
	}
	return errlist.Join(errs...)
}

// Draw draws the factor.
func (s Sharpness) Draw(row *Row) (Params, error) {
	if s.P.skips(row.Rand) {
		return nil, nil
	}
	return Recycle(row, SharpnessParams{Factor: s.Factor.draw(row.Rand)}), nil
}

// Output is the input's type.
func (Sharpness) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// Map blends each pixel with its neighbours.
func (s Sharpness) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(s, params, in)
}

// EditBytes is that of three rows of sums.
func (Sharpness) EditBytes(_ Params, _, width int) int64 { return 3 * 3 * 2 * int64(width) }

// Edit is Map, in place: the sums of three neighbours along each row are made before the row
// changes.
func (Sharpness) Edit(params Params, pic *schema.Picture) {
	if pic.Height < 3 || pic.Width < 3 {
		return
	}
	n := 3 * pic.Width
	row := func(y int) []uint8 { return pic.U8[y*n : (y+1)*n : (y+1)*n] }
	var scaled [512]float32 // as in saturated
	factor := float32(params.(*SharpnessParams).Factor)
	for i := range scaled {
		scaled[i] = float32(factor * float32(i-255))
	}
	sums := make([]uint16, 3*n)
	above, here, below := sums[:n], sums[n:2*n], sums[2*n:]
	sumThree(above, row(0))
	sumThree(here, row(1))
	for y := 1; y < pic.Height-1; y++ {
		sumThree(below, row(y+1))
		sharpen(row(y), above, here, below, &scaled)
		above, here, below = here, below, above
	}
}

// sumThree sums each value of a row and its two neighbours in the same channel; at the ends
// there is nothing.
func sumThree(sums []uint16, row []uint8) {
	for i := 3; i < len(row)-3; i++ {
		sums[i] = uint16(row[i-3]) + uint16(row[i]) + uint16(row[i+3])
	}
}

// sharpen blends a row, but its ends.
func sharpen(row []uint8, above, here, below []uint16, scaled *[512]float32) {
	for i := 3; i < len(row)-3; i++ {
		v := int(row[i])
		smooth := thirteenths(int(above[i]) + int(here[i]) + int(below[i]) + 4*v)
		out := int32(float32(smooth) + scaled[(v-smooth+255)&511])
		row[i] = uint8(min(max(out, 0), 255))
	}
}

// thirteenths is a thirteenth, rounded: nothing lies halfway.
func thirteenths(sum int) int { return (2*sum + 13) / 26 }

// WithStrength multiplies what factors differ from 1 by.
func (s Sharpness) WithStrength(strength float64) Stage {
	if strength == 0 {
		return nil
	}
	s.Factor = s.Factor.around(strength)
	return s
}
