package stages

import "github.com/sluicedata/sluice/schema"

// Equalize gives the levels of each channel of a uint8 picture about equal shares of its
// pixels: torchvision's equalize.
type Equalize struct {
	P Probability `sluice:"p,positive" default:"1" doc:"share of the draws that are changed"`
}

// Name is the stage's name in pipeline files.
func (Equalize) Name() string { return "equalize" }

// Version of the algorithm.
func (Equalize) Version() int { return 1 }

// Check reports impossible options.
func (e Equalize) Check() error { return e.P.check("p") }

// Draw draws whether to act.
func (e Equalize) Draw(row *Row) (Params, error) { return e.P.acts(row), nil }

// Output is the input's type.
func (Equalize) Output(in schema.Tensor) (schema.Tensor, error) { return sameBytes(in) }

// Map equalizes the channels.
func (e Equalize) Map(params Params, in *schema.Picture) *schema.Picture {
	return edited(e, params, in)
}

// Edit is Map, in place.
func (Equalize) Edit(_ Params, pic *schema.Picture) {
	var to levelTable
	for c, count := range histogram(pic.U8) {
		to[c] = equalized(&count)
	}
	to.apply(pic.U8)
}

// EditBytes is nothing to speak of.
func (Equalize) EditBytes(Params, int, int) int64 { return 0 }

// equalized is ImageOps.equalize's table of a channel. Its steps leave the pixels of the
// brightest level out.
func equalized(count *[256]uint32) (to [256]uint8) {
	all, last := 0, 0
	for _, n := range count {
		all += int(n)
		if n > 0 {
			last = int(n)
		}
	}
	step := (all - last) / 255
	if step == 0 { // of one level too
		return unchanged
	}
	before := step / 2
	for v, n := range count {
		to[v] = uint8(min(before/step, 255))
		before += int(n)
	}
	return to
}
