package stages

import (
	"fmt"
	"math"
	"slices"

	"github.com/sluicedata/sluice/internal/errlist"
	"github.com/sluicedata/sluice/internal/warp"
	"github.com/sluicedata/sluice/schema"
)

// MultiScale delivers every batch in several sizes, one record each, in the order of
// the scales. Pictures of height x width x 3, of any element type and layout, become
// floor(height * scale) x floor(width * scale), as computed by
// torch.nn.functional.interpolate(scale_factor=scale, align_corners=False) without
// antialiasing; scale 1 is a copy. As there, bilinear needs float32, and "nearest" is
// floor(i / scale), not the nearest pixel.
type MultiScale struct {
	Scales []float64     `sluice:"scales" doc:"factors of height and width, such as [0.5, 1, 1.5]"`
	Mode   Interpolation `sluice:"mode" default:"nearest" doc:"nearest or bilinear, as in torch's interpolate"`
	PickBy Pick          `sluice:"pick" default:"each" doc:"deliver a batch in each scale, in one that advances with batch and epoch (cycle), or in a random one"`
}

// Pick is how scales are chosen for a batch.
type Pick string

// The ways to choose scales; "" is each.
const (
	Each   Pick = "each"   // all of them, in their order
	Cycle  Pick = "cycle"  // the next one; each epoch begins one further than the last
	Random Pick = "random" // one at random, uniformly
)

// Values lists the ways.
func (Pick) Values() []string { return []string{string(Each), string(Cycle), string(Random)} }

// Name is the stage's name in pipeline files.
func (MultiScale) Name() string { return "multiscale" }

// Version of the algorithm.
func (MultiScale) Version() int { return 2 }

// Check reports impossible options.
func (m MultiScale) Check() error {
	errs := []error{oneOf("mode", m.Mode), oneOf("pick", m.PickBy)}
	for i, s := range m.Scales {
		switch {
		case !(s > 0) || math.IsInf(s, 0):
			errs = append(errs, errorf("scales", "%g is not a factor: give a number above 0", s))
		case slices.Contains(m.Scales[:i], s):
			errs = append(errs, errorf("scales", "%g is given twice", s))
		}
	}
	switch {
	case len(m.Scales) == 0:
		errs = append(errs, errorf("scales", "missing: give factors such as [0.5, 1, 1.5]"))
	case len(m.Scales) == 1 && m.Scales[0] == 1:
		errs = append(errs, errorf("scales", "[1] does nothing: leave multiscale out"))
	}
	return errlist.Join(errs...)
}

// Variants are the sizes in the order of the scales.
func (m MultiScale) Variants(in schema.Tensor) ([]schema.Variant, error) {
	if !in.Fixed() {
		return nil, fmt.Errorf("needs rows of one size, has %s: add resize before batch", in)
	}
	var errs []error
	if m.Mode == Bilinear && in.DType != schema.Float32 {
		errs = append(errs, errorf("mode", "bilinear needs float32, has %s: add to_tensor before batch, or use nearest", in))
	}
	var list []schema.Variant
	for _, s := range m.Scales {
		out := in
		out.Height, out.Width = warp.ScaledSize(in.Height, s), warp.ScaledSize(in.Width, s)
		if out.Fixed() {
			errs = append(errs, checkArea(out.Height, out.Width, "scales"))
		} else {
			errs = append(errs, errorf("scales", "%g leaves nothing of %dx%d (width x height)", s, in.Width, in.Height))
		}
		list = append(list, schema.Variant{Scale: s, Tensor: out})
	}
	return list, errlist.Join(errs...)
}

// Pick lists the scales of a batch.
func (m MultiScale) Pick(epoch int, batch int64, rand *Rand) []int {
	n := len(m.Scales)
	switch m.PickBy {
	case Cycle:
		return []int{int((int64(epoch) + batch) % int64(n))}
	case Random:
		return []int{rand.IntN(n)}
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// Apply scales one row.
func (m MultiScale) Apply(variant int, dst, src *schema.Picture) {
	if m.Scales[variant] == 1 {
		copy(dst.U8, src.U8)
		copy(dst.F32, src.F32)
		return
	}
	warp.Interpolate(dst, src, filterOr(m.Mode, warp.Nearest), m.Scales[variant])
}
